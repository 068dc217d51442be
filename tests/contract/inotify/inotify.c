/* SPDX-License-Identifier: MIT */
/* inotify: which operation makes which event. */
#include "contract.h"
#include <linux/fs.h>
#include <pthread.h>
#include <sys/inotify.h>
#include <sys/mount.h>

static int g_in;
static char g_events[8192];
static ssize_t g_len, g_at;

/* The next event or NULL. */
static struct inotify_event *next(void)
{
	if (g_at >= g_len) {
		g_at = 0;
		g_len = read(g_in, g_events, sizeof(g_events));
		if (g_len <= 0) {
			g_len = 0;
			return NULL;
		}
	}
	struct inotify_event *ev = (void *)(g_events + g_at);

	g_at += sizeof(*ev) + ev->len;
	return ev;
}

static void expect(unsigned mask, const char *name)
{
	struct inotify_event *ev = next();

	if (!ev)
		FAIL("event: expected %#x %s, got none", mask, name ? name : "");
	CHECK_EQ(ev->mask, mask);
	CHECK_STR(ev->len ? ev->name : "", name ? name : "");
}

static void expect_none(void)
{
	struct inotify_event *ev = next();

	if (ev)
		FAIL("event: expected none, got %#x", ev->mask);
}

static int watch(const char *path, unsigned mask)
{
	if (!g_in)
		g_in = OK(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
	return OK(inotify_add_watch(g_in, path, mask));
}

TEST(create_write_close_and_delete_in_a_directory)
{
	OK(mkdir("d", 0755));
	watch("d", IN_ALL_EVENTS);
	write_file("d/f", "x");
	expect(IN_CREATE, "f");
	expect(IN_OPEN, "f");
	expect(IN_MODIFY, "f");
	expect(IN_CLOSE_WRITE, "f");
	OK(chmod("d/f", 0600));
	expect(IN_ATTRIB, "f");
	OK(unlink("d/f"));
	expect(IN_DELETE, "f");
	OK(mkdir("d/s", 0755));
	expect(IN_CREATE | IN_ISDIR, "s");
	OK(rmdir("d/s"));
	expect(IN_DELETE | IN_ISDIR, "s");
	expect_none();
}

TEST(rename_pairs_share_a_cookie)
{
	OK(mkdir("d", 0755));
	write_file("d/a", "");
	watch("d", IN_MOVE);
	OK(rename("d/a", "d/b"));
	struct inotify_event *ev = next();
	CHECK(ev);
	CHECK_EQ(ev->mask, IN_MOVED_FROM);
	CHECK_STR(ev->name, "a");
	uint32_t cookie = ev->cookie;
	CHECK(cookie != 0);
	ev = next();
	CHECK(ev);
	CHECK_EQ(ev->mask, IN_MOVED_TO);
	CHECK_STR(ev->name, "b");
	CHECK_EQ(ev->cookie, cookie);
}

TEST(a_watched_file_reports_itself)
{
	write_file("f", "abc");
	watch("f", IN_ALL_EVENTS);
	int fd = OK(open("f", O_RDONLY));
	char c;
	CHECK_EQ(read(fd, &c, 1), 1);
	OK(close(fd));
	expect(IN_OPEN, NULL);
	expect(IN_ACCESS, NULL);
	expect(IN_CLOSE_NOWRITE, NULL);
	OK(rename("f", "g"));
	expect(IN_MOVE_SELF, NULL);
	OK(unlink("g"));
	expect(IN_ATTRIB, NULL);
	expect(IN_DELETE_SELF, NULL);
	expect(IN_IGNORED, NULL);
	expect_none();
}

TEST(rm_watch_gives_IGNORED)
{
	write_file("f", "");
	int wd = watch("f", IN_ALL_EVENTS);
	OK(inotify_rm_watch(g_in, wd));
	expect(IN_IGNORED, NULL);
	CHECK_ERR(inotify_rm_watch(g_in, wd), EINVAL);
}

TEST(identical_events_merge)
{
	int fd = new_file("f", O_RDWR, 0600);

	watch("f", IN_MODIFY);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(write(fd, "x", 1), 1);
	expect(IN_MODIFY, NULL);
	expect_none();
}

TEST(watching_the_same_inode_again_changes_the_mask)
{
	write_file("f", "");
	OK(link("f", "g"));
	int a = watch("f", IN_MODIFY), b = watch("g", IN_ATTRIB);
	CHECK_EQ(a, b);
	write_file("f", "x");
	expect_none();
	watch("f", IN_MODIFY | IN_MASK_ADD);
	OK(chmod("f", 0600));
	expect(IN_ATTRIB, NULL);
	CHECK_ERR(inotify_add_watch(g_in, "f", IN_MODIFY | IN_MASK_CREATE), EEXIST);
}

TEST(ONESHOT_ONLYDIR_and_DONT_FOLLOW)
{
	write_file("f", "");
	OK(symlink("f", "l"));
	watch("f", IN_ATTRIB | IN_ONESHOT);
	OK(chmod("f", 0600));
	OK(chmod("f", 0644));
	expect(IN_ATTRIB, NULL);
	expect(IN_IGNORED, NULL);
	expect_none();
	CHECK_ERR(inotify_add_watch(g_in, "f", IN_ATTRIB | IN_ONLYDIR), ENOTDIR);
	watch("l", IN_ATTRIB | IN_DONT_FOLLOW);
	OK(chmod("f", 0600));
	expect_none();
}

TEST(errors)
{
	char small[8];

	write_file("f", "");
	watch("f", IN_ATTRIB);
	CHECK_ERR(inotify_add_watch(g_in, "none", IN_ATTRIB), ENOENT);
	CHECK_ERR(inotify_add_watch(g_in, "f", 0), EINVAL);
	CHECK_ERR(inotify_add_watch(0, "f", IN_ATTRIB), EINVAL);
	CHECK_ERR(inotify_init1(1), EINVAL);
	CHECK_ERR(read(g_in, small, 8), EAGAIN);
	OK(chmod("f", 0600));
	CHECK_ERR(read(g_in, small, 8), EINVAL);
	int n;
	OK(ioctl(g_in, FIONREAD, &n));
	CHECK_EQ(n, sizeof(struct inotify_event));
}

TEST(a_fault_at_a_later_event_is_EFAULT_and_takes_both)
{
	char *end = guarded_page() + page_size(), buf[200];

	watch(".", IN_CREATE);
	write_file("a", "");
	write_file("b", "");
	CHECK_ERR(read(g_in, end - 32, 200), EFAULT);
	CHECK_ERR(read(g_in, buf, sizeof(buf)), EAGAIN);
}

TEST(poll_wakes_for_events)
{
	OK(mkdir("d", 0755));
	watch("d", IN_CREATE);
	pid_t parent = getpid();
	if (!FORK()) {
		await_sleep(parent);
		write_file("d/new", "");
		_exit(0);
	}
	struct pollfd pfd = {.fd = g_in, .events = POLLIN};
	CHECK_EQ(poll(&pfd, 1, -1), 1);
	expect(IN_CREATE, "new");
}

TEST(removed_directory_is_ignored)
{
	OK(mkdir("d", 0755));
	watch("d", IN_ALL_EVENTS);
	OK(rmdir("d"));
	expect(IN_DELETE_SELF, NULL);
	expect(IN_IGNORED, NULL);
}

static int g_race_fd;
static int g_race_wd, g_race_over;

static void *remove_watches(void *arg)
{
	while (!__atomic_load_n(&g_race_over, __ATOMIC_RELAXED))
		inotify_rm_watch(g_race_fd, __atomic_load_n(&g_race_wd, __ATOMIC_RELAXED));
	return arg;
}

TEST(a_watch_that_ends_by_itself_may_be_removed_meanwhile)
{
	int fd = new_file("race", O_RDWR, 0600);
	pthread_t threads[2];

	g_race_fd = OK(inotify_init1(IN_NONBLOCK));
	for (int i = 0; i < 2; i++)
		CHECK_PT(pthread_create(&threads[i], NULL, remove_watches, NULL));
	for (int i = 0; i < 4000; i++) {
		char buf[4096];

		g_race_wd = OK(inotify_add_watch(g_race_fd, "race", IN_ATTRIB | IN_ONESHOT));
		OK(fchmod(fd, 0600));
		while (read(g_race_fd, buf, sizeof(buf)) > 0)
			;
	}
	__atomic_store_n(&g_race_over, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++)
		CHECK_PT(pthread_join(threads[i], NULL));
	OK(close(g_race_fd));
	OK(close(fd));
}

TEST(an_exchange_tells_of_both_names)
{
	OK(mkdir("d1", 0755));
	OK(mkdir("d2", 0755));
	OK(mkdir("d1/sub", 0755));
	write_file("d2/f", "");
	watch("d1", IN_ALL_EVENTS);
	watch("d2", IN_ALL_EVENTS);
	watch("d1/sub", IN_MOVE_SELF);
	watch("d2/f", IN_MOVE_SELF);
	OK(syscall(SYS_renameat2, AT_FDCWD, "d1/sub", AT_FDCWD, "d2/f", RENAME_EXCHANGE));
	expect(IN_MOVED_FROM | IN_ISDIR, "sub");
	expect(IN_MOVED_TO | IN_ISDIR, "f");
	expect(IN_MOVE_SELF, NULL);
	expect(IN_MOVED_FROM, "f");
	expect(IN_MOVED_TO, "sub");
	expect(IN_MOVE_SELF, NULL);
	expect_none();
}

TEST(a_replaced_file_loses_a_link_before_the_other_has_moved)
{
	write_file("a", "");
	write_file("b", "");
	OK(link("b", "b2"));
	watch("a", IN_MOVE_SELF);
	watch("b", IN_ATTRIB);
	OK(rename("a", "b"));
	expect(IN_ATTRIB, NULL);
	expect(IN_MOVE_SELF, NULL);
	watch(".", IN_DELETE);
	watch("b2", IN_ATTRIB);
	OK(link("b2", "b3"));
	expect(IN_ATTRIB, NULL);
	OK(unlink("b3"));
	expect(IN_ATTRIB, NULL);
	expect(IN_DELETE, "b3");
	expect_none();
}

TEST(fallocate_modifies)
{
	int fd = new_file("f", O_RDWR, 0600);

	watch("f", IN_MODIFY);
	OK(fallocate(fd, 0, 0, 4096));
	expect(IN_MODIFY, NULL);
	CHECK_EQ(pwrite(fd, "", 0, 0), 0);
	expect_none();
}

TEST(a_file_without_name_is_called_by_its_number)
{
	struct stat st;
	char name[32];
	int fd;

	watch(".", IN_MODIFY);
	fd = OK(open(".", O_TMPFILE | O_RDWR, 0600));
	OK(fstat(fd, &st));
	snprintf(name, sizeof(name), "#%lu", (unsigned long)st.st_ino);
	CHECK_EQ(write(fd, "x", 1), 1);
	expect(IN_MODIFY, name);
}

TEST(the_end_of_a_mounted_directory_says_that_it_is_one)
{
	OK(mkdir("m", 0755));
	OK(mount("none", "m", "tmpfs", 0, NULL));
	write_file("m/f", "");
	watch("m", IN_CREATE);
	OK(umount("m"));
	expect(IN_UNMOUNT | IN_ISDIR, NULL);
	expect(IN_IGNORED, NULL);
	expect_none();
}
