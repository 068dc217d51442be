/* SPDX-License-Identifier: MIT */
/* EXT4_IOC_MOVE_EXT, which e4defrag uses: a file gets the blocks of another, the donor. */
#include "fixture.h"
#include <linux/fiemap.h>

struct move_extent {
	uint32_t reserved, donor_fd;
	uint64_t orig_start, donor_start, len, moved_len; /* blocks */
};
#define MOVE_EXT _IOWR('f', 15, struct move_extent)

#define BLOCK    4096

static long move(int fd, int donor, uint64_t at, uint64_t donor_at, uint64_t n, uint64_t *moved)
{
	struct move_extent m = {.donor_fd = (uint32_t)donor,
		.orig_start = at,
		.donor_start = donor_at,
		.len = n,
		.moved_len = 99};
	long r = ioctl(fd, MOVE_EXT, &m);

	if (moved)
		*moved = m.moved_len;
	return r;
}

/* Where block lies, in bytes; 0: nowhere. */
static uint64_t place(int fd, uint64_t block, uint32_t *flags)
{
	struct {
		struct fiemap f;
		struct fiemap_extent e;
	} r = {.f = {.fm_start = block * BLOCK,
		       .fm_length = BLOCK,
		       .fm_flags = FIEMAP_FLAG_SYNC,
		       .fm_extent_count = 1}};

	OK(ioctl(fd, FS_IOC_FIEMAP, &r));
	if (!r.f.fm_mapped_extents)
		return 0;
	if (flags)
		*flags = r.e.fe_flags;
	return r.e.fe_physical + block * BLOCK - r.e.fe_logical;
}

static int make(const char *path, int blocks, int seed)
{
	int fd = OK(open(path, O_RDWR | O_CREAT | O_TRUNC, 0644));
	char buf[BLOCK];

	for (int i = 0; i < blocks; i++) {
		memset(buf, seed + i, sizeof(buf));
		CHECK_EQ(pwrite(fd, buf, sizeof(buf), i * BLOCK), sizeof(buf));
	}
	return fd;
}

static int make_donor(const char *path, int blocks)
{
	int fd = OK(open(path, O_RDWR | O_CREAT | O_TRUNC, 0600));

	CHECK_EQ(fallocate(fd, 0, 0, blocks * BLOCK), 0);
	return fd;
}

static void expect_bytes(int fd, int block, int byte)
{
	char buf[BLOCK];

	CHECK_EQ(pread(fd, buf, sizeof(buf), block * BLOCK), sizeof(buf));
	for (int i = 0; i < BLOCK; i++)
		if (buf[i] != (char)byte)
			CHECK_EQ(buf[i], (char)byte);
}

TEST(move_ext_gives_the_donors_blocks)
{
	uint64_t was[8], had[8], moved;
	struct volume v;
	int fd, donor;

	volume_mount(&v, "plain", 0, NULL);
	fd = make("mnt/file", 8, 1);
	donor = make_donor("mnt/donor", 8);
	OK(fsync(fd));
	for (int i = 0; i < 8; i++) {
		was[i] = place(fd, i, NULL);
		had[i] = place(donor, i, NULL);
	}
	CHECK_EQ(move(fd, donor, 0, 0, 8, &moved), 0);
	CHECK_EQ(moved, 8);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 8; i++) {
			uint32_t flags = 0;

			CHECK_EQ(place(fd, i, &flags), had[i]);
			CHECK_EQ(flags & FIEMAP_EXTENT_UNWRITTEN, 0);
			CHECK_EQ(place(donor, i, NULL), was[i]);
			expect_bytes(fd, i, 1 + i);
		}
		close(fd);
		close(donor);
		if (round)
			break;
		CHECK_EQ(umount("mnt"), 0); /* and what is on the disk */
		CHECK_EQ(mount(v.device, "mnt", "ext4", 0, NULL), 0);
		fd = OK(open("mnt/file", O_RDWR));
		donor = OK(open("mnt/donor", O_RDWR));
	}
	volume_unmount(&v, "mnt");
}

TEST(move_ext_of_a_part)
{
	uint64_t was[8], had[8], moved;
	struct volume v;
	int fd, donor;

	volume_mount(&v, "plain", 0, NULL);
	fd = make("mnt/file", 8, 1);
	donor = make_donor("mnt/donor", 8);
	OK(fsync(fd));
	for (int i = 0; i < 8; i++) {
		was[i] = place(fd, i, NULL);
		had[i] = place(donor, i, NULL);
	}
	CHECK_EQ(move(fd, donor, 2, 4, 3, &moved), 0);
	CHECK_EQ(moved, 3);
	for (int i = 0; i < 8; i++) {
		CHECK_EQ(place(fd, i, NULL), i >= 2 && i < 5 ? had[i + 2] : was[i]);
		CHECK_EQ(place(donor, i, NULL), i >= 4 && i < 7 ? was[i - 2] : had[i]);
		expect_bytes(fd, i, 1 + i);
	}
	close(fd);
	close(donor);
	volume_unmount(&v, "mnt");
}

TEST(move_ext_keeps_what_is_only_in_memory)
{
	uint64_t moved;
	struct volume v;
	int fd, donor;
	char *map;

	volume_mount(&v, "plain", 0, NULL);
	fd = make("mnt/file", 8, 1);
	donor = make_donor("mnt/donor", 8);
	OK(fsync(fd));
	map = mmap(NULL, 8 * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	map[5 * BLOCK] = 'm';
	/* Whether it goes or not. */
	CHECK(move(fd, donor, 0, 0, 8, &moved) == 0 || errno == EBUSY);
	CHECK_EQ(map[5 * BLOCK], 'm');
	CHECK_EQ(map[6 * BLOCK], 7);
	map[6 * BLOCK] = 'n';
	munmap(map, 8 * BLOCK);
	close(fd);
	close(donor);
	CHECK_EQ(umount("mnt"), 0);
	CHECK_EQ(mount(v.device, "mnt", "ext4", 0, NULL), 0);
	fd = OK(open("mnt/file", O_RDWR));
	map = mmap(NULL, 8 * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK_EQ(map[5 * BLOCK], 'm');
	CHECK_EQ(map[5 * BLOCK + 1], 6);
	CHECK_EQ(map[6 * BLOCK], 'n');
	munmap(map, 8 * BLOCK);
	close(fd);
	volume_unmount(&v, "mnt");
}

TEST(move_ext_leaves_holes_and_keeps_sizes)
{
	uint64_t moved;
	struct volume v;
	struct stat st;
	int fd, donor;

	volume_mount(&v, "plain", 0, NULL);
	fd = make("mnt/file", 2, 1);
	CHECK_EQ(pwrite(fd, "end", 3, 6 * BLOCK), 3);
	donor = make_donor("mnt/donor", 16);
	OK(fsync(fd));
	CHECK_EQ(move(fd, donor, 0, 0, 16, &moved), 0);
	CHECK_EQ(place(fd, 3, NULL), 0);
	expect_bytes(fd, 0, 1);
	expect_bytes(fd, 1, 2);
	expect_bytes(fd, 3, 0);
	OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 6 * BLOCK + 3);
	OK(fstat(donor, &st));
	CHECK_EQ(st.st_size, 16 * BLOCK);
	close(fd);
	close(donor);
	volume_unmount(&v, "mnt");
}

TEST(move_ext_of_many_pieces)
{
	uint64_t moved, at;
	struct volume v;
	int fd, donor, other;
	char buf[BLOCK];

	volume_mount(&v, "plain", 0, NULL);
	fd = OK(open("mnt/file", O_RDWR | O_CREAT, 0644));
	other = OK(open("mnt/other", O_RDWR | O_CREAT, 0644));
	for (int i = 0; i < 60; i++) { /* each in a piece of its own */
		memset(buf, i + 1, sizeof(buf));
		CHECK_EQ(pwrite(fd, buf, sizeof(buf), i * BLOCK), sizeof(buf));
		OK(fsync(fd));
		CHECK_EQ(pwrite(other, buf, sizeof(buf), i * BLOCK), sizeof(buf));
		OK(fsync(other));
	}
	donor = make_donor("mnt/donor", 60);
	at = place(donor, 0, NULL);
	CHECK_EQ(move(fd, donor, 0, 0, 60, &moved), 0);
	CHECK_EQ(moved, 60);
	CHECK_EQ(place(fd, 0, NULL), at);
	for (int i = 0; i < 60; i++)
		expect_bytes(fd, i, i + 1);
	close(fd);
	close(donor);
	close(other);
	volume_unmount(&v, "mnt");
}

TEST(move_ext_errors)
{
	struct volume v;
	int fd, donor, ro, wo, other, dir, flags, pipes[2];
	struct move_extent *bad = (void *)1;

	volume_mount(&v, "plain", 0, NULL);
	fd = make("mnt/file", 8, 1);
	donor = make_donor("mnt/donor", 8);
	OK(fsync(fd));
	ro = OK(open("mnt/file", O_RDONLY));
	wo = OK(open("mnt/file", O_WRONLY));
	CHECK_ERR(move(ro, donor, 0, 0, 8, NULL), EBADF);
	CHECK_ERR(move(wo, donor, 0, 0, 8, NULL), EBADF);
	CHECK_ERR(move(fd, -1, 0, 0, 8, NULL), EBADF);
	CHECK_ERR(move(fd, ro, 0, 0, 8, NULL), EBADF);
	CHECK_ERR(ioctl(fd, MOVE_EXT, bad), EFAULT);
	CHECK_ERR(move(fd, wo, 0, 0, 8, NULL), EINVAL); /* the same file */
	other = OK(open("elsewhere", O_RDWR | O_CREAT, 0644));
	CHECK_EQ(write(other, "x", 1), 1);
	CHECK_ERR(move(fd, other, 0, 0, 1, NULL), EXDEV);
	dir = OK(open("mnt", O_RDONLY));
	CHECK_ERR(move(dir, donor, 0, 0, 1, NULL), EBADF);
	OK(pipe(pipes));
	CHECK_ERR(move(fd, pipes[1], 0, 0, 1, NULL), EXDEV);
	CHECK_ERR(move(fd, donor, 8, 0, 1, NULL), ENODATA); /* behind the end */
	CHECK_EQ(move(fd, donor, 0, 0, 0, NULL), 0);
	CHECK_ERR(move(fd, donor, 1ull << 32, 0, 1, NULL), EINVAL);
	CHECK_ERR(move(fd, donor, 0, 1ull << 32, 1, NULL), EINVAL);
	CHECK_ERR(move(fd, donor, 0, 0, 1ull << 32, NULL), EINVAL);
	OK(fchmod(donor, 04600));
	CHECK_ERR(move(fd, donor, 0, 0, 1, NULL), EINVAL);
	OK(fchmod(donor, 0600));
	OK(ioctl(donor, FS_IOC_GETFLAGS, &flags));
	flags |= FS_APPEND_FL;
	OK(ioctl(donor, FS_IOC_SETFLAGS, &flags));
	CHECK_ERR(move(fd, donor, 0, 0, 1, NULL), EPERM);
	flags &= ~FS_APPEND_FL;
	OK(ioctl(donor, FS_IOC_SETFLAGS, &flags));
	close(donor);
	donor = OK(open("mnt/empty", O_RDWR | O_CREAT, 0644));
	CHECK_ERR(move(fd, donor, 0, 0, 1, NULL), EINVAL);
	close(fd);
	close(donor);
	close(ro);
	close(wo);
	close(dir);
	close(other);
	volume_unmount(&v, "mnt");
}

static bool unwritten(int fd, int block)
{
	uint32_t flags = 0;

	CHECK(place(fd, block, &flags));
	return flags & FIEMAP_EXTENT_UNWRITTEN;
}

TEST(move_ext_leaves_the_donor_without_content)
{
	uint64_t moved;
	struct volume v;
	int fd, donor, un;

	volume_mount(&v, "plain", 0, NULL);
	fd = make("mnt/file", 4, 'a');
	donor = make("mnt/donor", 4, 'p');
	un = make_donor("mnt/unwritten", 4);
	OK(fsync(fd));
	OK(fsync(donor));
	CHECK_EQ(move(fd, donor, 0, 0, 4, &moved), 0);
	CHECK_EQ(moved, 4);
	CHECK(unwritten(donor, 0));
	CHECK(!unwritten(fd, 0));
	expect_bytes(fd, 3, 'd');
	/* Blocks without content stay so. */
	CHECK_EQ(move(un, fd, 0, 0, 4, &moved), 0);
	CHECK_EQ(moved, 4);
	CHECK(unwritten(un, 0));
	expect_bytes(un, 0, 0);
	close(fd);
	close(donor);
	close(un);
	volume_unmount(&v, "mnt");
}

TEST(move_ext_moves_what_both_have)
{
	uint64_t moved;
	struct volume v;
	int fd, donor;

	volume_mount(&v, "plain", 0, NULL);
	fd = make("mnt/file", 4, 'a');
	OK(fsync(fd));
	donor = OK(open("mnt/hole", O_RDWR | O_CREAT, 0644));
	OK(ftruncate(donor, 4 * BLOCK));
	CHECK_EQ(move(fd, donor, 0, 0, 4, &moved), 0);
	CHECK_EQ(moved, 0);
	CHECK_ERR(move(donor, fd, 0, 0, 4, &moved), ENODATA);
	close(donor);
	donor = make_donor("mnt/long", 16);
	CHECK_EQ(move(fd, donor, 2, 2, 100, &moved), 0);
	CHECK_EQ(moved, 2);
	CHECK_EQ(move(fd, donor, 0, 9, 2, &moved), 0);
	CHECK_EQ(moved, 2);
	close(fd);
	fd = make("mnt/sparse", 1, 'a');
	CHECK_EQ(pwrite(fd, "end", 3, 6 * BLOCK), 3);
	OK(fsync(fd));
	CHECK_EQ(move(fd, donor, 0, 0, 16, &moved), 0);
	CHECK_EQ(moved, 2);
	close(fd);
	close(donor);
	volume_unmount(&v, "mnt");
}
