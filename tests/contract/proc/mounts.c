/* SPDX-License-Identifier: MIT */
/* Who waits for mounts to change. proc(5). */
#include "contract.h"
#include <sys/mount.h>

TEST(poll_of_mounts_tells_of_changes_since_open)
{
	static const char *const paths[] = {"/proc/self/mounts", "/proc/self/mountinfo"};

	OK(mkdir("m", 0755));
	for (int i = 0; i < 2; i++) {
		struct pollfd p = {.fd = OK(open(paths[i], O_RDONLY)), .events = POLLPRI};

		CHECK_EQ(poll(&p, 1, 0), 0);
		OK(mount("none", "m", "tmpfs", 0, NULL));
		CHECK_EQ(poll(&p, 1, 0), 1);
		CHECK_EQ(p.revents, POLLPRI | POLLERR);
		CHECK_EQ(poll(&p, 1, 0), 0);
		OK(close(p.fd));
		p.fd = OK(open(paths[i], O_RDONLY));
		OK(umount("m"));
		CHECK_EQ(poll(&p, 1, 0), 1);
		CHECK_EQ(p.revents, POLLPRI | POLLERR);
		OK(close(p.fd));
	}
}
