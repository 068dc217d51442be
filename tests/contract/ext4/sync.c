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
