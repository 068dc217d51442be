/* SPDX-License-Identifier: MIT */
/* How numbers are written to /proc/sys and /proc/PID. */
#include "contract.h"

#define FIFOS "/proc/sys/fs/protected_fifos" /* 0 to 2 */

/* One write: what it returns, or -errno. */
static long put(const char *path, const char *text, size_t len)
{
	int fd = OK(open(path, O_WRONLY));
	long n = write(fd, text, len);

	n = n < 0 ? -errno : n;
	OK(close(fd));
	return n;
}

/* A write of text that returns "want"; then the file begins with "now". */
static void expect_put(const char *path, const char *text, long want, const char *now)
{
	long got = put(path, text, strlen(text));
	char *is = read_text(path);

	if (got != want || strncmp(is, now, strlen(now)) != 0)
		FAIL("writing \"%s\" to %s: %ld, expected %ld; now \"%s\", expected \"%s\"", text,
			path, got, want, is, now);
}

struct saved {
	const char *path;
	char text[128];
};

static struct saved save(const char *path)
{
	struct saved s = {.path = path};

	snprintf(s.text, sizeof(s.text), "%s", read_text(path));
	return s;
}

static void restore(const struct saved *s)
{
	write_file(s->path, s->text);
}

TEST(numbers_of_sysctls_may_have_white_space_and_a_base)
{
	struct saved was = save(FIFOS);

	expect_put(FIFOS, " 1 \n", 4, "1\n");
	expect_put(FIFOS, " \t\n2", 4, "2\n");
	expect_put(FIFOS, "0x1\n", 4, "1\n");
	expect_put(FIFOS, "02", 2, "2\n");
	expect_put(FIFOS, "1\n\n", 3, "1\n");
	expect_put(FIFOS, "2\t", 2, "2\n");
	restore(&was);
}

TEST(a_write_to_a_sysctl_ends_behind_the_last_number_it_takes)
{
	struct saved was = save(FIFOS);

	expect_put(FIFOS, "1 2\n", 2, "1\n");
	expect_put(FIFOS, "2 x", 2, "2\n");
	CHECK_EQ(put(FIFOS, "", 0), 0);
	restore(&was);
}

TEST(what_is_no_number_is_EINVAL)
{
	static const char *const bad[] = {"\n", " ", "+1\n", "1a", "08", "0x", "1,2", "- 1", "1\v",
		"-1", "3", "99999999999999999999999"};
	struct saved was = save(FIFOS);

	write_file(FIFOS, "1\n");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		expect_put(FIFOS, bad[i], -EINVAL, "1\n");
	CHECK_EQ(put(FIFOS, "1\0junk", 6), -EINVAL);
	CHECK_EQ(put(FIFOS, "\0", 1), -EINVAL);
	restore(&was);
}

TEST(numbers_of_64_bits_are_written_alike)
{
	struct saved was = save("/proc/sys/fs/file-max");

	expect_put("/proc/sys/fs/file-max", " 100000 \n", 9, "100000\n");
	expect_put("/proc/sys/fs/file-max", "0x20000", 7, "131072\n");
	expect_put("/proc/sys/fs/file-max", "200000 5", 7, "200000\n");
	expect_put("/proc/sys/fs/file-max", "-5", -EINVAL, "200000\n");
	expect_put("/proc/sys/fs/file-max", "+7", -EINVAL, "200000\n");
	restore(&was);
}

TEST(the_consoles_log_level_can_be_any_number)
{
	struct saved was = save("/proc/sys/kernel/printk");

	expect_put("/proc/sys/kernel/printk", "0\n", 2, "0\t4\t1\t7\n");
	expect_put("/proc/sys/kernel/printk", "4 4 1 7\n", 8, "4\t4\t1\t7\n");
	expect_put("/proc/sys/kernel/printk", "3 4 1 7 9", 8, "3\t4\t1\t7\n");
	restore(&was);
}

TEST(ranges_take_one_number_or_two)
{
	static const char path[] = "/proc/sys/net/ipv4/ip_local_port_range";
	struct saved was = save(path);

	expect_put(path, "32768 60999 5", 12, "32768\t60999\n");
	expect_put(path, "32770", 5, "32770\t60999\n");
	expect_put(path, " 0x8000\t60999\n", 14, "32768\t60999\n");
	restore(&was);
}

TEST(oom_score_adj_takes_white_space_a_sign_and_a_base)
{
	static const char path[] = "/proc/self/oom_score_adj";

	expect_put(path, " 5 \n", 4, "5\n");
	expect_put(path, "+6", 2, "6\n");
	expect_put(path, "0x7\n", 4, "7\n");
	expect_put(path, " 010 ", 5, "8\n");
	expect_put(path, "\t5\n\n", 4, "5\n");
	expect_put(path, "7 8", -EINVAL, "5\n");
	expect_put(path, "\n", -EINVAL, "5\n");
	expect_put(path, "1001", -EINVAL, "5\n");
	expect_put(path, "99999999999", -ERANGE, "5\n");
	expect_put(path, "6                                ", 12, "6\n");
	CHECK_EQ(put(path, "", 0), -EINVAL);
	expect_put(path, "0", 1, "0\n");
}
