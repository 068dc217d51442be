/* SPDX-License-Identifier: MIT */
/* /proc/kmsg: the log as text, to privileged readers. */
#include "contract.h"
#include <sys/klog.h>

static void say(const char *text)
{
	int fd = OK(open("/dev/kmsg", O_WRONLY | O_CLOEXEC));

	OK(write(fd, text, strlen(text)));
	OK(close(fd));
}

/* What is unread, up to the line with "mark". */
static void drain(int fd, const char *mark, char *line, size_t size)
{
	static char buf[65536];
	size_t n = 0;

	for (;;) {
		n += OK(read(fd, buf + n, 1)); /* lines may be read in parts */
		if (buf[n - 1] != '\n')
			continue;
		buf[n] = 0;
		if (strstr(buf, mark))
			break;
		n = 0;
	}
	snprintf(line, size, "%s", buf);
}

TEST(proc_kmsg_gives_unread_lines_once)
{
	int fd = OK(open("/proc/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	char line[1024], c;

	say("<4>contract mark one\n");
	drain(fd, "contract mark one", line, sizeof(line));
	CHECK(line[0] == '<' && strchr(line, '>') && strchr(line, '['));
	while (read(fd, line, sizeof(line)) > 0)
		;
	ssize_t n = read(fd, &c, 1);
	int err = errno;
	CHECK(n < 0 && err == EAGAIN);
	struct pollfd p = {fd, POLLIN, 0};
	CHECK_EQ(poll(&p, 1, 0), 0);
	say("<4>contract mark two\n");
	CHECK_EQ(poll(&p, 1, 5000), 1);
	CHECK(OK(klogctl(9, NULL, 0)) > 0);
	drain(fd, "contract mark two", line, sizeof(line));
	OK(close(fd));
}

TEST(proc_kmsg_is_for_privileged_openers)
{
	struct stat st;

	OK(stat("/proc/kmsg", &st));
	CHECK_EQ(st.st_mode, S_IFREG | 0400);
	pid_t pid = FORK();
	if (!pid) {
		become_user(1000, 1000);
		CHECK_ERR(open("/proc/kmsg", O_RDONLY), EACCES);
		_exit(0);
	}
	expect_exit(pid, 0);
}
