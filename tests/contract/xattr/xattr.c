/* SPDX-License-Identifier: MIT */
/* Extended attributes as tmpfs keeps them. */
#include "contract.h"
#include <sys/xattr.h>

TEST(trusted_attributes_set_get_list_remove)
{
	char buf[64];
	int fd = new_file("f", O_RDWR, 0600);

	OK(setxattr("f", "trusted.one", "value", 5, 0));
	CHECK_EQ(getxattr("f", "trusted.one", NULL, 0), 5);
	CHECK_EQ(fgetxattr(fd, "trusted.one", buf, sizeof(buf)), 5);
	CHECK(!memcmp(buf, "value", 5));
	CHECK_ERR(getxattr("f", "trusted.one", buf, 2), ERANGE);
	OK(fsetxattr(fd, "trusted.two", "", 0, 0));
	ssize_t n = OK(listxattr("f", NULL, 0));
	CHECK_EQ(n, 24);
	CHECK_EQ(listxattr("f", buf, sizeof(buf)), n);
	CHECK_ERR(listxattr("f", buf, 3), ERANGE);
	OK(removexattr("f", "trusted.one"));
	CHECK_ERR(getxattr("f", "trusted.one", buf, 64), ENODATA);
	CHECK_ERR(removexattr("f", "trusted.one"), ENODATA);
}

TEST(xattr_create_replace_and_errors)
{
	write_file("f", "");
	CHECK_ERR(setxattr("f", "trusted.a", "x", 1, XATTR_REPLACE), ENODATA);
	OK(setxattr("f", "trusted.a", "x", 1, XATTR_CREATE));
	CHECK_ERR(setxattr("f", "trusted.a", "x", 1, XATTR_CREATE), EEXIST);
	CHECK_ERR(setxattr("f", "trusted.a", "x", 1, 8), EINVAL);
	CHECK_ERR(setxattr("f", "nonsense.a", "x", 1, 0), EOPNOTSUPP);
	CHECK_ERR(setxattr("f", "trusted.", "x", 1, 0), EINVAL);
	CHECK_ERR(setxattr("f", "", "x", 1, 0), ERANGE);
	CHECK_ERR(setxattr("f", "trusted.a", "x", 65537, 0), E2BIG);
	CHECK_ERR(setxattr("none", "trusted.a", "x", 1, 0), ENOENT);
	CHECK_ERR(setxattr("f", "trusted.a", BAD_PTR, 1, 0), EFAULT);
}

TEST(user_attributes_are_not_supported_on_tmpfs)
{
	write_file("f", "");
	if (setxattr("f", "user.a", "x", 1, 0) == 0)
		skip_test("this Linux is newer than 6.1");
	CHECK_ERR(setxattr("f", "user.a", "x", 1, 0), EOPNOTSUPP);
}

TEST(trusted_attributes_are_invisible_to_users)
{
	char buf[64];

	write_file("f", "");
	OK(chmod("f", 0666));
	OK(setxattr("f", "trusted.a", "x", 1, 0));
	pid_t pid = FORK();
	if (!pid) {
		become_user(1000, 1000);
		CHECK_ERR(getxattr("f", "trusted.a", buf, 64), ENODATA);
		CHECK_ERR(setxattr("f", "trusted.a", "x", 1, 0), EPERM);
		CHECK_EQ(listxattr("f", buf, 64), 0);
		_exit(0);
	}
	expect_exit(pid, 0);
}

TEST(symlinks_have_their_own_attributes)
{
	char buf[8];

	write_file("f", "");
	OK(symlink("f", "l"));
	OK(lsetxattr("l", "trusted.a", "link", 4, 0));
	CHECK_ERR(getxattr("l", "trusted.a", buf, 8), ENODATA);
	CHECK_EQ(lgetxattr("l", "trusted.a", buf, 8), 4);
}
