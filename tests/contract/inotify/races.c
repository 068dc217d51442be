/* SPDX-License-Identifier: MIT */
/* Events beside renames. */
#include "contract.h"

#define ROUNDS 10000

TEST(a_file_is_read_while_it_leaves_directories_that_go)
{
	pid_t readers[3];
	char c;
	int fd;

	OK(mkdir("stays", 0755));
	write_file("stays/f", "x");
	fd = OK(open("stays/f", O_RDONLY));
	for (int i = 0; i < 3; i++) {
		readers[i] = FORK();
		while (!readers[i])
			CHECK_EQ(pread(fd, &c, 1, 0), 1);
	}
	for (int i = 0; i < ROUNDS; i++) {
		OK(mkdir("goes", 0755));
		OK(rename("stays/f", "goes/f"));
		OK(rename("goes/f", "stays/f"));
		OK(rmdir("goes"));
	}
	for (int i = 0; i < 3; i++) {
		OK(kill(readers[i], SIGKILL));
		expect_signal(readers[i], SIGKILL);
	}
	close(fd);
}
