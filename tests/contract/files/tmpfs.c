/* SPDX-License-Identifier: MIT */
/* tmpfs: what its limits count, and names of files that have none left. */
#include "contract.h"
#include <sys/mount.h>
#include <sys/vfs.h>

static void mount_tmpfs(const char *at, const char *options)
{
	OK(mkdir(at, 0777));
	OK(mount("test", at, "tmpfs", 0, options));
}

TEST(a_file_without_names_gets_none_but_its_first)
{
	int fd;

	mount_tmpfs("m", "");
	fd = OK(open("m", O_TMPFILE | O_RDWR, 0600));
	OK(linkat(fd, "", AT_FDCWD, "m/a", AT_EMPTY_PATH));
	OK(unlink("m/a"));
	CHECK_ERR(linkat(fd, "", AT_FDCWD, "m/b", AT_EMPTY_PATH), ENOENT);
	close(fd);
	OK(umount("m"));
}

static pthread_barrier_t g_round;
static bool g_stop;

static void *unlink_each_round(void *name)
{
	for (;;) {
		pthread_barrier_wait(&g_round);
		if (g_stop)
			return NULL;
		CHECK_EQ(unlink(name), 0);
		pthread_barrier_wait(&g_round);
	}
}

TEST(names_unlinked_at_the_same_time_count_once_each)
{
	static char names[2][8] = {"m/a/x", "m/b/x"};
	struct statfs before, after;
	pthread_t t[2];

	mount_tmpfs("m", "nr_inodes=100");
	OK(mkdir("m/a", 0755));
	OK(mkdir("m/b", 0755));
	OK(statfs("m", &before));
	CHECK_PT(pthread_barrier_init(&g_round, NULL, 3));
	for (int i = 0; i < 2; i++)
		CHECK_PT(pthread_create(&t[i], NULL, unlink_each_round, names[i]));
	for (int i = 0; i < 2000; i++) {
		close(OK(open(names[0], O_CREAT | O_EXCL | O_RDWR, 0600)));
		OK(link(names[0], names[1]));
		pthread_barrier_wait(&g_round);
		pthread_barrier_wait(&g_round);
	}
	g_stop = true;
	pthread_barrier_wait(&g_round);
	for (int i = 0; i < 2; i++)
		CHECK_PT(pthread_join(t[i], NULL));
	OK(statfs("m", &after));
	CHECK_EQ(after.f_ffree, before.f_ffree);
	OK(umount("m"));
}

#define LIMIT (1 << 20)

TEST(holes_that_are_read_by_mappings_count)
{
	int fd, status;
	pid_t pid;

	mount_tmpfs("m", "size=1m");
	fd = OK(open("m/f", O_CREAT | O_RDWR, 0600));
	CHECK_EQ(ftruncate(fd, 4 * LIMIT), 0);
	pid = FORK();
	if (!pid) {
		volatile char *m = mmap(NULL, 4 * LIMIT, PROT_READ, MAP_SHARED, fd, 0);

		CHECK(m != MAP_FAILED);
		for (size_t at = 0; at < 4 * LIMIT; at += page_size())
			(void)m[at];
		_exit(0);
	}
	status = wait_status(pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	close(fd);
	OK(umount("m"));
}

TEST(holes_that_are_spliced_or_read_do_not_count)
{
	static char buf[65536];
	struct statfs before, after;
	int fd, p[2];
	off_t at = 0;

	mount_tmpfs("m", "size=1m");
	fd = OK(open("m/f", O_CREAT | O_RDWR, 0600));
	CHECK_EQ(ftruncate(fd, 4 * LIMIT), 0);
	OK(statfs("m", &before));
	OK(pipe(p));
	while (at < 4 * LIMIT) {
		ssize_t n = OK(splice(fd, &at, p[1], NULL, sizeof(buf), 0));

		memset(buf, 1, sizeof(buf));
		CHECK_EQ(read(p[0], buf, sizeof(buf)), n);
		CHECK(!buf[0] && !memcmp(buf, buf + 1, (size_t)n - 1));
	}
	for (at = 0; at < 4 * LIMIT; at += sizeof(buf))
		CHECK_EQ(pread(fd, buf, sizeof(buf), at), sizeof(buf));
	OK(statfs("m", &after));
	CHECK_EQ(after.f_bfree, before.f_bfree);
	close(fd);
	OK(umount("m"));
}

TEST(copy_file_range_between_two_is_EXDEV)
{
	int a, b;

	mount_tmpfs("m", "");
	mount_tmpfs("n", "");
	a = OK(open("m/f", O_CREAT | O_RDWR, 0600));
	b = OK(open("n/f", O_CREAT | O_RDWR, 0600));
	CHECK_EQ(write(a, "hello", 5), 5);
	OK(lseek(a, 0, SEEK_SET));
	CHECK_ERR(copy_file_range(a, NULL, b, NULL, 5, 0), EXDEV);
	close(a);
	close(b);
	OK(umount("m"));
	OK(umount("n"));
}

#define PREALLOCATED 20000
#define PAGE         4096

static char *g_map;
static int g_stored; /* pages stored into */

static void *store_until_stopped(void *arg)
{
	for (int i = 0; i < PREALLOCATED && !__atomic_load_n(&g_stop, __ATOMIC_ACQUIRE); i++) {
		g_map[(size_t)i * PAGE] = 1;
		__atomic_store_n(&g_stored, i + 1, __ATOMIC_RELEASE);
	}
	return arg;
}

static void do_nothing(int sig)
{
	(void)sig;
}

/* A fallocate that is interrupted takes back what it allocated, not what was stored meanwhile. */
TEST(stores_beside_an_interrupted_fallocate_are_kept)
{
	struct sigaction sa = {.sa_handler = do_nothing};
	struct itimerval soon = {{0, 0}, {0, 5000}};
	int fd = OK(syscall(SYS_memfd_create, "f", 0));
	size_t size = (size_t)PREALLOCATED * PAGE;
	pthread_t storing;
	sigset_t alarm;

	OK(ftruncate(fd, (off_t)size));
	g_map = OK(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	OK(sigaction(SIGALRM, &sa, NULL));
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	for (int round = 0; round < 3; round++) {
		__atomic_store_n(&g_stop, false, __ATOMIC_RELEASE);
		__atomic_store_n(&g_stored, 0, __ATOMIC_RELEASE);
		CHECK_PT(pthread_sigmask(SIG_BLOCK, &alarm, NULL));
		CHECK_PT(pthread_create(&storing, NULL, store_until_stopped, NULL));
		CHECK_PT(pthread_sigmask(SIG_UNBLOCK, &alarm, NULL));
		OK(setitimer(ITIMER_REAL, &soon, NULL));
		if (fallocate(fd, 0, 0, (off_t)size) == -1 && errno != EINTR)
			FAIL("fallocate: expected EINTR, got %s", errno_name(errno));
		__atomic_store_n(&g_stop, true, __ATOMIC_RELEASE);
		CHECK_PT(pthread_join(storing, NULL));
		OK(setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL));
		for (int i = 0; i < g_stored; i++)
			CHECK_EQ(g_map[(size_t)i * PAGE], 1);
		OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)size));
	}
	OK(munmap(g_map, size));
	close(fd);
}
