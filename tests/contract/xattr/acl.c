/* SPDX-License-Identifier: MIT */
/* POSIX access control lists (acl(5)), on whatever the tests run on. */
#include "contract.h"
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/xattr.h>

struct acl {
	struct posix_acl_xattr_header head;
	struct posix_acl_xattr_entry e[6];
};
#define ACCESS    "system.posix_acl_access"
#define DEFAULT   "system.posix_acl_default"
#define SIZE(n)   (sizeof(struct posix_acl_xattr_header) + (n) * sizeof(struct posix_acl_xattr_entry))
#define NOBODY_ID ((unsigned int)ACL_UNDEFINED_ID)

/* user::rwx user:1000:USER group::--- mask::MASK other::--- */
static struct acl make_acl(int user, int mask)
{
	return (struct acl){.head = {POSIX_ACL_XATTR_VERSION},
		.e = {{ACL_USER_OBJ, 7, NOBODY_ID}, {ACL_USER, (unsigned short)user, 1000},
			{ACL_GROUP_OBJ, 0, NOBODY_ID}, {ACL_MASK, (unsigned short)mask, NOBODY_ID},
			{ACL_OTHER, 0, NOBODY_ID}}};
}

static int mode_of(const char *name)
{
	struct stat st;

	OK(stat(name, &st));
	return st.st_mode & 07777;
}

static int access_as(int uid, const char *name, int flags)
{
	pid_t pid = FORK();
	int status;

	if (!pid) {
		become_user(uid, uid);
		_exit(open(name, flags) >= 0 ? 0 : errno);
	}
	OK(waitpid(pid, &status, 0));
	return WEXITSTATUS(status);
}

TEST(an_acl_grants_what_the_mode_denies)
{
	struct acl a = make_acl(6, 6);

	write_file("f", "x");
	OK(chmod(".", 0755));
	OK(chmod("f", 0600));
	CHECK_EQ(access_as(1000, "f", O_RDWR), EACCES);
	OK(setxattr("f", ACCESS, &a, SIZE(5), 0));
	CHECK_EQ(access_as(1000, "f", O_RDWR), 0);
	CHECK_EQ(access_as(1001, "f", O_RDONLY), EACCES);
	CHECK_EQ(mode_of("f"), 0760);
	CHECK_EQ(getxattr("f", ACCESS, NULL, 0), SIZE(5));
	OK(chmod("f", 0700)); /* the group bits are the mask */
	CHECK_EQ(access_as(1000, "f", O_RDONLY), EACCES);
	OK(removexattr("f", ACCESS));
	CHECK_ERR(getxattr("f", ACCESS, NULL, 0), ENODATA);
}

TEST(an_acl_of_three_entries_is_a_mode)
{
	struct acl a = {.head = {POSIX_ACL_XATTR_VERSION},
		.e = {{ACL_USER_OBJ, 6, NOBODY_ID}, {ACL_GROUP_OBJ, 4, NOBODY_ID},
			{ACL_OTHER, 1, NOBODY_ID}}};

	write_file("f", "x");
	OK(setxattr("f", ACCESS, &a, SIZE(3), 0));
	CHECK_EQ(mode_of("f"), 0641);
	CHECK_ERR(getxattr("f", ACCESS, NULL, 0), ENODATA);
}

TEST(a_default_acl_replaces_umask)
{
	struct acl a = make_acl(7, 7);

	OK(mkdir("d", 0755));
	OK(setxattr("d", DEFAULT, &a, SIZE(5), 0));
	umask(0777);
	close(OK(open("d/f", O_CREAT | O_WRONLY, 0666)));
	OK(mkdir("d/sub", 0777));
	umask(022);
	CHECK_EQ(mode_of("d/f"), 0660);
	CHECK_EQ(mode_of("d/sub"), 0770);
	CHECK_EQ(getxattr("d/sub", DEFAULT, NULL, 0), SIZE(5));
	CHECK_EQ(getxattr("d/f", ACCESS, NULL, 0), SIZE(5));
	CHECK_ERR(getxattr("d/f", DEFAULT, NULL, 0), ENODATA);
}

TEST(impossible_acls_are_refused)
{
	struct acl a = make_acl(7, 7);

	write_file("f", "x");
	CHECK_ERR(setxattr("f", DEFAULT, &a, SIZE(5), 0), EACCES);
	CHECK_ERR(setxattr("f", ACCESS, &a, SIZE(5) - 1, 0), EINVAL);
	a.e[3].e_tag = ACL_OTHER; /* no mask, two of others */
	CHECK_ERR(setxattr("f", ACCESS, &a, SIZE(5), 0), EINVAL);
	a = make_acl(8, 7);
	CHECK_ERR(setxattr("f", ACCESS, &a, SIZE(5), 0), EINVAL);
	a = make_acl(7, 7);
	a.head.a_version = 1;
	CHECK_ERR(setxattr("f", ACCESS, &a, SIZE(5), 0), EOPNOTSUPP);
}
