/* SPDX-License-Identifier: MIT */
/* Names of AF_UNIX sockets: binding, finding, asking. */
#include "contract.h"
#include "unix.h"

TEST(bind_makes_a_socket_inode_with_the_umask)
{
	struct stat st;

	umask(027);
	unix_bound(SOCK_STREAM, "s");
	OK(lstat("s", &st));
	CHECK_EQ(st.st_mode, S_IFSOCK | 0750);
	CHECK_ERR(open("s", O_RDWR), ENXIO);
}

TEST(bind_to_an_existing_name_is_EADDRINUSE)
{
	struct sockaddr_un a;
	socklen_t n = unix_addr(&a, "s");
	int s = OK(socket(AF_UNIX, SOCK_DGRAM, 0));

	new_file("s", O_RDWR, 0600);
	CHECK_ERR(bind(s, (void *)&a, n), EADDRINUSE);
	n = unix_addr(&a, "t");
	OK(bind(s, (void *)&a, n));
	n = unix_addr(&a, "u");
	CHECK_ERR(bind(s, (void *)&a, n), EINVAL);
}

TEST(bad_addresses_are_EINVAL)
{
	struct sockaddr_un a;
	socklen_t n = unix_addr(&a, "s");
	int s = OK(socket(AF_UNIX, SOCK_STREAM, 0));

	CHECK_ERR(bind(s, (void *)&a, sizeof(a) + 1), EINVAL);
	CHECK_ERR(bind(s, (void *)&a, 1), EINVAL);
	a.sun_family = AF_INET;
	CHECK_ERR(bind(s, (void *)&a, n), EINVAL);
	CHECK_ERR(connect(s, (void *)&a, n), EINVAL);
	a.sun_family = AF_UNIX;
	CHECK_ERR(connect(s, (void *)&a, 2), EINVAL);
	CHECK_ERR(bind(s, (void *)8, n), EFAULT);
	CHECK_ERR(bind(-1, (void *)&a, n), EBADF);
	CHECK_ERR(bind(OK(open("/dev/null", O_RDWR)), (void *)&a, n), ENOTSOCK);
}

TEST(abstract_names_have_no_file_and_are_exact)
{
	struct sockaddr_un a;
	int s = OK(socket(AF_UNIX, SOCK_STREAM, 0)), t = OK(socket(AF_UNIX, SOCK_STREAM, 0));
	socklen_t n = unix_abstract(&a, "aramid-test", 11);

	OK(bind(s, (void *)&a, n));
	CHECK_ERR(bind(t, (void *)&a, n), EADDRINUSE);
	OK(bind(t, (void *)&a, n + 1)); /* a further NUL is another name */
	OK(listen(s, 1));
	int c = OK(socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK_ERR(connect(c, (void *)&a, n - 1), ECONNREFUSED);
	OK(connect(c, (void *)&a, n));
	struct sockaddr_un got;
	socklen_t len = sizeof(got);
	OK(getpeername(c, (void *)&got, &len));
	CHECK_EQ(len, n);
	CHECK_EQ(memcmp(&got, &a, n), 0);
}

TEST(an_abstract_name_is_free_after_close)
{
	struct sockaddr_un a;
	socklen_t n = unix_abstract(&a, "aramid-again", 12);

	for (int i = 0; i < 3; i++) {
		int s = OK(socket(AF_UNIX, SOCK_DGRAM, 0));

		OK(bind(s, (void *)&a, n));
		OK(close(s));
	}
}

TEST(binding_without_a_name_gives_an_abstract_one_of_five_hex_digits)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	socklen_t n = sizeof(a);
	int s = OK(socket(AF_UNIX, SOCK_DGRAM, 0));

	OK(bind(s, (void *)&a, sizeof(a.sun_family)));
	OK(getsockname(s, (void *)&a, &n));
	CHECK_EQ(n, 2 + 6);
	CHECK_EQ(a.sun_path[0], 0);
	for (int i = 1; i < 6; i++)
		CHECK(strchr("0123456789abcdef", a.sun_path[i]) != NULL);
}

TEST(getsockname_gives_the_true_length_and_cuts_to_the_room)
{
	struct sockaddr_un a;
	int s = unix_bound(SOCK_STREAM, "name");
	socklen_t n = sizeof(a);

	OK(getsockname(s, (void *)&a, &n));
	CHECK_EQ(n, 2 + 5);
	CHECK_STR(a.sun_path, "name");
	memset(&a, 'x', sizeof(a));
	n = 4;
	OK(getsockname(s, (void *)&a, &n));
	CHECK_EQ(n, 7);
	CHECK_EQ(a.sun_path[1], 'a');
	CHECK_EQ(a.sun_path[2], 'x');
	int u = OK(socket(AF_UNIX, SOCK_STREAM, 0));
	n = sizeof(a);
	OK(getsockname(u, (void *)&a, &n));
	CHECK_EQ(n, 2);
	CHECK_ERR(getpeername(u, (void *)&a, &n), ENOTCONN);
	n = -1;
	CHECK_ERR(getsockname(u, (void *)&a, &n), EINVAL);
}

TEST(a_path_of_108_bytes_needs_no_NUL)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX}, got;
	char name[109] = "";
	socklen_t n = sizeof(got);
	struct stat st;

	memset(a.sun_path, 'p', 108);
	memset(name, 'p', 108);
	int s = OK(socket(AF_UNIX, SOCK_STREAM, 0));
	OK(bind(s, (void *)&a, sizeof(a)));
	OK(stat(name, &st));
	OK(getsockname(s, (void *)&got, &n));
	CHECK_EQ(n, 111);
	OK(listen(s, 1));
	int c = OK(socket(AF_UNIX, SOCK_STREAM, 0));
	OK(connect(c, (void *)&a, sizeof(a)));
}

TEST(connect_follows_the_inode_not_the_name)
{
	int s = unix_bound(SOCK_STREAM, "old");

	OK(listen(s, 5));
	OK(rename("old", "new"));
	CHECK_ERR(unix_try_connect(SOCK_STREAM, "old"), ENOENT);
	OK(unix_try_connect(SOCK_STREAM, "new"));
	OK(symlink("new", "link"));
	OK(unix_try_connect(SOCK_STREAM, "link"));
	OK(unlink("new"));
	CHECK_ERR(unix_try_connect(SOCK_STREAM, "link"), ENOENT);
}

TEST(connect_errors)
{
	int s = unix_bound(SOCK_STREAM, "s");

	new_file("plain", O_RDWR, 0600);
	CHECK_ERR(unix_try_connect(SOCK_STREAM, "plain"), ECONNREFUSED);
	CHECK_ERR(unix_try_connect(SOCK_STREAM, "s"), ECONNREFUSED); /* doesn't listen */
	OK(listen(s, 1));
	CHECK_ERR(unix_try_connect(SOCK_DGRAM, "s"), EPROTOTYPE);
	CHECK_ERR(unix_try_connect(SOCK_SEQPACKET, "s"), EPROTOTYPE);
	OK(close(s));
	CHECK_ERR(unix_try_connect(SOCK_STREAM, "s"), ECONNREFUSED);
}

TEST(connecting_needs_write_permission_on_the_socket)
{
	int s = unix_bound(SOCK_STREAM, "s");

	OK(listen(s, 1));
	OK(chmod(".", 0755));
	OK(chmod("s", 0755));
	pid_t p = FORK();
	if (!p) {
		become_user(1000, 1000);
		CHECK_ERR(unix_try_connect(SOCK_STREAM, "s"), EACCES);
		_exit(0);
	}
	expect_exit(p, 0);
}

TEST(socket_arguments)
{
	CHECK_ERR(socket(AF_UNIX, 77, 0), EINVAL);
	CHECK_ERR(socket(AF_UNIX, SOCK_RDM, 0), ESOCKTNOSUPPORT);
	CHECK_ERR(socket(AF_UNIX, SOCK_STREAM, 7), EPROTONOSUPPORT);
	CHECK_ERR(socket(AF_UNIX, SOCK_STREAM | 0x100, 0), EINVAL);
	CHECK_ERR(socket(45, SOCK_STREAM, 0), EAFNOSUPPORT);
	CHECK_ERR(socket(1000, SOCK_STREAM, 0), EAFNOSUPPORT);
	OK(socket(AF_UNIX, SOCK_STREAM, AF_UNIX));
	int s = OK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	CHECK_EQ(fcntl(s, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(s, F_GETFL), O_RDWR | O_NONBLOCK);
	int fds[2] = {-1, -1};
	CHECK_ERR(socketpair(AF_UNIX, SOCK_STREAM, 0, (int *)8), EFAULT);
	OK(socketpair(AF_UNIX, SOCK_RAW, 0, fds)); /* as good as SOCK_DGRAM */
	int type;
	socklen_t n = sizeof(type);
	OK(getsockopt(fds[0], SOL_SOCKET, SO_TYPE, &type, &n));
	CHECK_EQ(type, SOCK_DGRAM);
}

TEST(fstat_and_proc_know_a_socket)
{
	struct stat st;
	char link[64], want[64];
	int s = OK(socket(AF_UNIX, SOCK_STREAM, 0));

	OK(fstat(s, &st));
	CHECK_EQ(st.st_mode, S_IFSOCK | 0777);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", s);
	char got[64] = "";
	OK(readlink(link, got, sizeof(got) - 1));
	snprintf(want, sizeof(want), "socket:[%lu]", (unsigned long)st.st_ino);
	CHECK_STR(got, want);
	CHECK_ERR(open(link, O_RDWR), ENXIO);
	CHECK_ERR(lseek(s, 0, SEEK_SET), ESPIPE);
	char c;
	CHECK_ERR(pread(s, &c, 1, 0), ESPIPE);
}
