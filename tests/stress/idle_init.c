/* SPDX-License-Identifier: MIT */
/* As process 1: says so and sleeps for ever. */
#include <unistd.h>

int main(void)
{
	static const char text[] = "init sleeps\n";

	if (write(1, text, sizeof(text) - 1) < 0)
		return 1;
	for (;;)
		pause();
}
