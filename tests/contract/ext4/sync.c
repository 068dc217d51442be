/* SPDX-License-Identifier: MIT */
/* sync: when it returns, nothing that was dirty is dirty or on its way any more. */
#include "fixture.h"

#define BYTES (3 << 20)
#define SLACK 256 /* KiB that somebody else may have dirtied meanwhile */

static long meminfo_kb(const char *row)
{
	char *text = read_text("/proc/meminfo"), *at = strstr(text, row);

	CHECK(at);
	return atol(at + strlen(row));
}

static long unwritten_kb(void)
{
	return meminfo_kb("\nDirty:") + meminfo_kb("\nWriteback:");
}

static void fill(int fd, int value)
{
	static char buf[1 << 20];

	memset(buf, value, sizeof(buf));
	for (off_t at = 0; at < BYTES; at += sizeof(buf))
		CHECK_EQ(pwrite(fd, buf, sizeof(buf), at), sizeof(buf));
}

/* Overwritten blocks are in no transaction that a commit would wait for. */
TEST(sync_beside_another_waits_for_all)
{
	struct volume v;
	int fd;

	volume_mount(&v, "plain", 0, NULL);
	fd = OK(open("mnt/f", O_RDWR | O_CREAT, 0600));
	fill(fd, 0);
	sync();
	for (int i = 1; i <= 20; i++) {
		fill(fd, i);
		pid_t other = FORK();
		if (!other) {
			sync();
			_exit(0);
		}
		for (int n = i % 5; n > 0; n--)
			sched_yield();
		sync();
		CHECK(unwritten_kb() < SLACK);
		expect_exit(other, 0);
	}
	close(fd);
	volume_unmount(&v, "mnt");
}

TEST(sync_writes_block_devices)
{
	struct volume v;

	volume_mount(&v, "plain", 0, NULL);
	OK(umount("mnt"));
	fill(v.fd, 7);
	CHECK(unwritten_kb() >= BYTES / 1024 / 2);
	sync();
	CHECK(unwritten_kb() < SLACK);
	CHECK_EQ(mount("none", "mnt", "tmpfs", 0, NULL), 0); /* for volume_unmount */
	volume_unmount(&v, "mnt");
}

static void *sync_always(void *stop)
{
	while (!__atomic_load_n((bool *)stop, __ATOMIC_RELAXED))
		sync();
	return NULL;
}

/* Not when somebody's sync that looks at it has ended. */
TEST(umount_returns_when_the_device_is_free)
{
	struct volume v;
	bool stop = false;
	pthread_t t;

	volume_mount(&v, "plain", 0, NULL);
	CHECK_PT(pthread_create(&t, NULL, sync_always, &stop));
	for (int i = 0; i < 20; i++) {
		static char buf[1 << 20];
		int fd = OK(open("mnt/f", O_RDWR | O_CREAT, 0600));

		CHECK_EQ(pwrite(fd, buf, sizeof(buf), 0), sizeof(buf));
		close(fd);
		CHECK_EQ(umount("mnt"), 0);
		close(OK(open(v.device, O_RDWR | O_EXCL)));
		CHECK_EQ(mount(v.device, "mnt", "ext4", 0, NULL), 0);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	CHECK_PT(pthread_join(t, NULL));
	volume_unmount(&v, "mnt");
}

static void set_limits(const char *background, const char *limit)
{
	write_file("/proc/sys/vm/dirty_background_bytes", background);
	write_file("/proc/sys/vm/dirty_bytes", limit);
}

#define SHARE (1 << 19) /* bytes of each writer */

/* Its thread writes to a file while its own device's pages are as many as may be dirty. */
TEST(a_loop_device_does_not_wait_for_itself)
{
	struct loop_config c = {0};
	struct volume v;
	char device[32];
	int number, loop, file;

	volume_mount(&v, "plain", 0, NULL);
	file = OK(open("mnt/inner", O_RDWR | O_CREAT, 0600));
	CHECK_EQ(ftruncate(file, 4 * SHARE), 0);
	number = OK(ioctl(v.control, LOOP_CTL_GET_FREE));
	snprintf(device, sizeof(device), "/dev/loop%d", number);
	loop = OK(open(device, O_RDWR));
	c.fd = (unsigned)file;
	CHECK_EQ(ioctl(loop, LOOP_CONFIGURE, &c), 0);
	set_limits("262144", "524288");
	for (int w = 0; w < 4; w++) {
		static char buf[1 << 16];

		if (FORK())
			continue;
		for (off_t at = w * SHARE; at < (w + 1) * SHARE; at += sizeof(buf))
			CHECK_EQ(pwrite(loop, buf, sizeof(buf), at), sizeof(buf));
		_exit(0);
	}
	for (int w = 0; w < 4; w++) {
		int status;

		CHECK(wait(&status) > 0);
		CHECK_EQ(status, 0);
	}
	write_file("/proc/sys/vm/dirty_background_ratio", "10");
	write_file("/proc/sys/vm/dirty_ratio", "20");
	CHECK_EQ(fsync(loop), 0);
	CHECK_EQ(ioctl(loop, LOOP_CLR_FD), 0);
	close(loop);
	close(file);
	for (int n = 0; n < 100 && ioctl(v.control, LOOP_CTL_REMOVE, number); n++)
		usleep(20000);
	volume_unmount(&v, "mnt");
}
