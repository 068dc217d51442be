/* SPDX-License-Identifier: MIT */
#include "fixture.h"

void copy_file(const char *from, const char *to)
{
	static char buf[1 << 16];
	int in = OK(open(from, O_RDONLY)), out = OK(open(to, O_RDWR | O_CREAT | O_TRUNC, 0600));
	off_t at = 0, end = OK(lseek(in, 0, SEEK_END));

	CHECK_EQ(ftruncate(out, end), 0);
	while (at < end) {
		off_t data = lseek(in, at, SEEK_DATA);
		ssize_t n;

		if (data < 0)
			break;
		n = OK(pread(in, buf, sizeof(buf), data));
		CHECK_EQ(pwrite(out, buf, (size_t)n, data), n);
		at = data + n;
	}
	close(in);
	close(out);
}

uint32_t super_word(const char *image, unsigned offset)
{
	int fd = OK(open(image, O_RDONLY));
	uint32_t word;

	CHECK_EQ(pread(fd, &word, sizeof(word), 1024 + offset), sizeof(word));
	close(fd);
	return word;
}

static void attach(struct volume *v, const char *file)
{
	struct loop_config c = {0};

	v->control = OK(open("/dev/loop-control", O_RDWR));
	v->file = OK(open(file, O_RDWR));
	c.fd = v->file;
	v->number = OK(ioctl(v->control, LOOP_CTL_GET_FREE));
	snprintf(v->device, sizeof(v->device), "/dev/loop%d", v->number);
	v->fd = OK(open(v->device, O_RDWR));
	CHECK_EQ(ioctl(v->fd, LOOP_CONFIGURE, &c), 0);
}

void volume_mount(struct volume *v, const char *image, unsigned long flags, const char *data)
{
	char from[64];

	snprintf(from, sizeof(from), "/images/%s.img", image);
	copy_file(from, "image");
	attach(v, "image");
	OK(mkdir("mnt", 0755));
	CHECK_EQ(mount(v->device, "mnt", "ext4", flags, data), 0);
}

void volume_mount_copy(struct volume *v, const char *at)
{
	attach(v, "copy");
	OK(mkdir(at, 0755));
	CHECK_EQ(mount(v->device, at, "ext4", 0, NULL), 0);
}

void volume_unmount(struct volume *v, const char *at)
{
	CHECK_EQ(umount(at), 0);
	CHECK_EQ(ioctl(v->fd, LOOP_CLR_FD), 0);
	close(v->fd);
	for (int n = 0; n < 100 && ioctl(v->control, LOOP_CTL_REMOVE, v->number); n++)
		usleep(20000);
	close(v->file);
	close(v->control);
	OK(rmdir(at));
}
