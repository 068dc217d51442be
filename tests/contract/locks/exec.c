/* SPDX-License-Identifier: MIT */
/* Record locks belong to the process, also while others look at its descriptors. */
#include "contract.h"

#define EXECS 100

static struct flock whole_file(short type)
{
	return (struct flock){.l_type = type, .l_whence = SEEK_SET};
}

/* Execs itself with one less until none is left: the lock must be there each time. */
HELPER(exec_with_lock)
{
	int left = atoi(argv[0]), fd = atoi(argv[1]);
	char next[16];
	struct flock l;
	pid_t pid = FORK();

	if (!pid) { /* its own locks don't stop the holder */
		l = whole_file(F_WRLCK);
		OK(fcntl(fd, F_GETLK, &l));
		_exit(l.l_type == F_WRLCK && l.l_pid == getppid() ? 0 : 1);
	}
	if (wait_status(pid))
		return 2;
	if (!left)
		return 0;
	snprintf(next, sizeof(next), "%d", left - 1);
	exec_helper("exec_with_lock", next, argv[1], NULL);
	return 3;
}

TEST(exec_keeps_record_locks_while_others_read_its_status)
{
	int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
	struct flock l = whole_file(F_WRLCK);
	char number[16], times[16], path[64];
	pid_t holder, readers[2];

	snprintf(number, sizeof(number), "%d", fd);
	snprintf(times, sizeof(times), "%d", EXECS);
	holder = FORK();
	if (!holder) {
		OK(fcntl(fd, F_SETLK, &l));
		exec_helper("exec_with_lock", times, number, NULL);
		_exit(EXIT_CHECK_FAILED);
	}
	snprintf(path, sizeof(path), "/proc/%d/status", holder);
	for (int i = 0; i < 2; i++) {
		readers[i] = FORK();
		if (!readers[i])
			for (char buf[4096];;) {
				int status = open(path, O_RDONLY);

				if (status < 0)
					_exit(0);
				(void)!read(status, buf, sizeof(buf));
				close(status);
			}
	}
	expect_exit(holder, 0);
	for (int i = 0; i < 2; i++)
		expect_exit(readers[i], 0);
	close(fd);
}
