/* SPDX-License-Identifier: MIT */
/* As process 1: uses more CPU time than its hard limit allows, says so and powers off. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

int main(void)
{
	struct rlimit limit = {1, 1};
	struct timespec used;
	int fd = open("/dev/console", O_RDWR);

	dup2(fd, 1);
	setrlimit(RLIMIT_CPU, &limit);
	do
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	while (used.tv_sec < 2);
	limit.rlim_cur = limit.rlim_max =
		20000000000ul; /* more seconds than nanoseconds fit in 64 bits */
	setrlimit(RLIMIT_CPU, &limit);
	sleep(1);
	printf("init lives on\n");
	fflush(stdout);
	return reboot(RB_POWER_OFF);
}
