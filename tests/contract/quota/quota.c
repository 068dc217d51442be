/* SPDX-License-Identifier: MIT */
/* quotactl(2), quotactl_fd(2) where there are no quotas; tests/distro/test_quota.py has those with.
 */
#include "contract.h"
#include <linux/quota.h>
#include <sys/syscall.h>

#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif

static long quotactl(int cmd, const char *special, int id, void *addr)
{
	return syscall(SYS_quotactl, cmd, special, id, addr);
}

TEST(quotactl_wants_a_block_device)
{
	struct if_dqblk q;

	close(OK(open("file", O_RDWR | O_CREAT, 0600)));
	CHECK_ERR(quotactl(QCMD(Q_GETQUOTA, USRQUOTA), "file", 0, &q), ENOTBLK);
	CHECK_ERR(quotactl(QCMD(Q_GETQUOTA, USRQUOTA), "missing", 0, &q), ENOENT);
	CHECK_ERR(quotactl(QCMD(Q_GETQUOTA, USRQUOTA), NULL, 0, &q), ENODEV);
	CHECK_ERR(quotactl(QCMD(Q_GETQUOTA, USRQUOTA), (char *)1, 0, &q), EFAULT);
}

TEST(quotactl_knows_three_types)
{
	struct if_dqblk q;

	CHECK_ERR(quotactl(QCMD(Q_GETQUOTA, 3), "missing", 0, &q), EINVAL);
	CHECK_ERR(syscall(SYS_quotactl_fd, -1, QCMD(Q_GETQUOTA, USRQUOTA), 0, &q), EBADF);
}

TEST(quotactl_sync_of_everything_needs_no_device)
{
	CHECK_EQ(quotactl(QCMD(Q_SYNC, USRQUOTA), NULL, 0, NULL), 0);
}

TEST(quotactl_fd_on_a_file_system_without_quotas)
{
	int fd = OK(open(".", O_RDONLY | O_DIRECTORY));
	struct if_dqblk q;

	CHECK_ERR(syscall(SYS_quotactl_fd, fd, QCMD(Q_GETQUOTA, USRQUOTA), 0, &q), ENOSYS);
	CHECK_ERR(syscall(SYS_quotactl_fd, fd, QCMD(Q_GETQUOTA, 3), 0, &q), EINVAL);
	close(fd);
}
