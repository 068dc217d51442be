/* SPDX-License-Identifier: MIT */
/* Loop devices: loop(4). */
#include "contract.h"
#include <linux/fs.h>
#include <linux/loop.h>

static int g_control, g_number;
static char g_path[32];

static int free_device(void)
{
	g_control = OK(open("/dev/loop-control", O_RDWR));
	g_number = OK(ioctl(g_control, LOOP_CTL_GET_FREE));
	snprintf(g_path, sizeof(g_path), "/dev/loop%d", g_number);
	return OK(open(g_path, O_RDWR));
}

static int image(off_t size)
{
	int fd = OK(open("image", O_RDWR | O_CREAT, 0600));

	CHECK_EQ(ftruncate(fd, size), 0);
	return fd;
}

static void remove_device(void)
{
	for (int n = 0; n < 100 && ioctl(g_control, LOOP_CTL_REMOVE, g_number); n++)
		usleep(20000);
	close(g_control);
}

TEST(a_free_device_has_no_status)
{
	int fd = free_device();
	struct loop_info64 i;
	char c;

	CHECK_ERR(ioctl(fd, LOOP_GET_STATUS64, &i), ENXIO);
	CHECK_ERR(ioctl(fd, LOOP_CLR_FD, 0), ENXIO);
	CHECK_ERR(ioctl(fd, LOOP_SET_CAPACITY, 0), ENXIO);
	CHECK_ERR(ioctl(fd, LOOP_SET_FD, -1), EBADF);
	CHECK_EQ(read(fd, &c, 1), 0);
	close(fd);
	remove_device();
}

TEST(status_tells_what_was_set)
{
	int fd = free_device(), file = image(1 << 20);
	struct loop_info64 i = {0};
	struct stat st;
	uint64_t bytes = 0;
	char back[5];

	CHECK_EQ(pwrite(file, "later", 5, 8192), 5);
	CHECK_EQ(ioctl(fd, LOOP_SET_FD, file), 0);
	CHECK_ERR(ioctl(fd, LOOP_SET_FD, file), EBUSY);
	CHECK_EQ(ioctl(fd, LOOP_GET_STATUS64, &i), 0);
	CHECK_EQ(fstat(file, &st), 0);
	CHECK_EQ(i.lo_number, g_number);
	CHECK_EQ(i.lo_inode, st.st_ino);
	CHECK_EQ(i.lo_device, st.st_dev);
	CHECK_EQ(i.lo_flags, 0);
	i.lo_offset = 8192;
	i.lo_sizelimit = 65536;
	strcpy((char *)i.lo_file_name, "image");
	CHECK_EQ(ioctl(fd, LOOP_SET_STATUS64, &i), 0);
	memset(&i, 0, sizeof(i));
	CHECK_EQ(ioctl(fd, LOOP_GET_STATUS64, &i), 0);
	CHECK_EQ(i.lo_offset, 8192);
	CHECK_EQ(i.lo_sizelimit, 65536);
	CHECK_STR((char *)i.lo_file_name, "image");
	CHECK_EQ(ioctl(fd, BLKGETSIZE64, &bytes), 0);
	CHECK_EQ(bytes, 65536);
	CHECK_EQ(pread(fd, back, 5, 0), 5);
	CHECK_EQ(memcmp(back, "later", 5), 0);
	CHECK_EQ(ioctl(fd, LOOP_CLR_FD, 0), 0);
	close(fd);
	remove_device();
}

TEST(the_size_follows_the_file_when_asked)
{
	int fd = free_device(), file = image(65536);
	uint64_t bytes = 0;

	CHECK_EQ(ioctl(fd, LOOP_SET_FD, file), 0);
	CHECK_EQ(ftruncate(file, 131072), 0);
	CHECK_EQ(ioctl(fd, BLKGETSIZE64, &bytes), 0);
	CHECK_EQ(bytes, 65536);
	CHECK_EQ(ioctl(fd, LOOP_SET_CAPACITY, 0), 0);
	CHECK_EQ(ioctl(fd, BLKGETSIZE64, &bytes), 0);
	CHECK_EQ(bytes, 131072);
	CHECK_EQ(ioctl(fd, LOOP_CLR_FD, 0), 0);
	close(fd);
	remove_device();
}

TEST(a_block_size_can_be_chosen)
{
	int fd = free_device(), file = image(65536), n = 0;
	struct loop_config c = {.fd = file, .block_size = 4096};

	CHECK_EQ(ioctl(fd, LOOP_CONFIGURE, &c), 0);
	CHECK_EQ(ioctl(fd, BLKSSZGET, &n), 0);
	CHECK_EQ(n, 4096);
	CHECK_EQ(ioctl(fd, LOOP_SET_BLOCK_SIZE, 1024), 0);
	CHECK_EQ(ioctl(fd, BLKSSZGET, &n), 0);
	CHECK_EQ(n, 1024);
	CHECK_ERR(ioctl(fd, LOOP_SET_BLOCK_SIZE, 1000), EINVAL);
	CHECK_ERR(ioctl(fd, LOOP_SET_BLOCK_SIZE, 65536), EINVAL);
	CHECK_EQ(ioctl(fd, LOOP_CLR_FD, 0), 0);
	close(fd);
	remove_device();
}

TEST(a_file_opened_for_reading_makes_a_read_only_device)
{
	int fd = free_device(), file, n = 0;
	struct loop_info64 i = {0};

	close(image(65536));
	file = OK(open("image", O_RDONLY));
	CHECK_EQ(ioctl(fd, LOOP_SET_FD, file), 0);
	CHECK_EQ(ioctl(fd, BLKROGET, &n), 0);
	CHECK_EQ(n, 1);
	CHECK_EQ(ioctl(fd, LOOP_GET_STATUS64, &i), 0);
	CHECK_EQ(i.lo_flags, LO_FLAGS_READ_ONLY);
	CHECK_EQ(ioctl(fd, LOOP_CLR_FD, 0), 0);
	close(fd);
	remove_device();
}

TEST(an_autoclear_device_is_free_after_its_last_close)
{
	int fd = free_device(), file = image(65536), done = 0;
	struct loop_config c = {.fd = file, .info.lo_flags = LO_FLAGS_AUTOCLEAR};
	struct loop_info64 i;

	CHECK_EQ(ioctl(fd, LOOP_CONFIGURE, &c), 0);
	CHECK_EQ(write(fd, "kept", 4), 4);
	close(fd);
	for (int n = 0; n < 100 && !done; n++) {
		fd = OK(open(g_path, O_RDONLY));
		done = ioctl(fd, LOOP_GET_STATUS64, &i) && errno == ENXIO;
		close(fd);
		usleep(20000);
	}
	CHECK_EQ(done, 1);
	CHECK_EQ(pread(file, &i, 4, 0), 4);
	CHECK_EQ(memcmp(&i, "kept", 4), 0);
	remove_device();
}

TEST(clearing_a_device_that_others_use_waits_for_them)
{
	int fd = free_device(), file = image(65536), other = OK(open(g_path, O_RDWR));
	char c = 0;

	CHECK_EQ(ioctl(fd, LOOP_SET_FD, file), 0);
	CHECK_EQ(ioctl(fd, LOOP_CLR_FD, 0), 0);
	CHECK_EQ(pwrite(other, "x", 1, 0), 1);
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	CHECK_EQ(c, 'x');
	close(fd);
	close(other);
	remove_device();
}

TEST(a_loop_device_cannot_stand_on_itself)
{
	int fd = free_device(), file = image(65536), other = OK(open(g_path, O_RDWR));

	CHECK_ERR(ioctl(fd, LOOP_SET_FD, other), EBADF);
	close(other);
	CHECK_EQ(ioctl(fd, LOOP_SET_FD, file), 0);
	other = OK(open("/dev/null", O_RDWR));
	CHECK_EQ(ioctl(fd, LOOP_CLR_FD, 0), 0);
	CHECK_ERR(ioctl(fd, LOOP_SET_FD, other), EINVAL);
	close(fd);
	remove_device();
}

TEST(bad_settings_are_refused)
{
	int fd = free_device(), file = image(65536);
	struct loop_config c = {.fd = file, .block_size = 1000};

	CHECK_ERR(ioctl(fd, LOOP_CONFIGURE, &c), EINVAL);
	c.block_size = 0;
	c.info.lo_flags = 1u << 20;
	CHECK_ERR(ioctl(fd, LOOP_CONFIGURE, &c), EINVAL);
	c.info.lo_flags = 0;
	c.info.lo_encrypt_type = 1;
	CHECK_ERR(ioctl(fd, LOOP_CONFIGURE, &c), EINVAL);
	CHECK_ERR(ioctl(fd, LOOP_CONFIGURE, BAD_PTR), EFAULT);
	close(fd);
	remove_device();
}

TEST(devices_are_added_and_removed_by_number)
{
	int control = OK(open("/dev/loop-control", O_RDWR)), fd;

	CHECK_EQ(ioctl(control, LOOP_CTL_ADD, 321), 321);
	CHECK_ERR(ioctl(control, LOOP_CTL_ADD, 321), EEXIST);
	fd = OK(open("/dev/loop321", O_RDWR));
	CHECK_ERR(ioctl(control, LOOP_CTL_REMOVE, 321), EBUSY);
	close(fd);
	CHECK_EQ(ioctl(control, LOOP_CTL_REMOVE, 321), 0);
	CHECK_ERR(open("/dev/loop321", O_RDWR), ENOENT);
	CHECK_ERR(ioctl(control, LOOP_CTL_REMOVE, 321), ENODEV);
	close(control);
}
