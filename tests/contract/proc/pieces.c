/* SPDX-License-Identifier: MIT */
/* Long texts of /proc: read in small and large pieces, from anywhere, and at what cost. */
#include "contract.h"
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#define REGIONS 3000 /* neighbours of different rights */
#define FILES   40

/* Many regions, each a page; even ones readable. */
static char *make_regions(void)
{
	size_t page = page_size();
	char *p = OK(mmap(NULL, page * REGIONS, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	for (size_t i = 0; i < REGIONS; i += 2)
		OK(mprotect(p + i * page, page, PROT_READ));
	return p;
}

static long available_kb(void)
{
	char *at = strstr(read_text("/proc/meminfo"), "MemAvailable:");

	CHECK(at);
	return strtol(at + strlen("MemAvailable:"), NULL, 10);
}

TEST(open_files_of_long_texts_keep_little_of_them)
{
	long before;
	char c;

	make_regions();
	before = available_kb();
	for (int i = 0; i < FILES; i++)
		CHECK_EQ(read(OK(open("/proc/self/smaps", O_RDONLY)), &c, 1), 1);
	if (before - available_kb() > 20000)
		FAIL("MemAvailable: expected about %ld kB, got %ld", before, available_kb());
}

/* The whole file by reads of at most "most" bytes; *len of it. */
static char *read_by(const char *path, size_t most, size_t *len)
{
	int fd = OK(open(path, O_RDONLY));
	size_t room = 1 << 20;
	char *text = malloc(room + 1);

	CHECK(text);
	for (*len = 0; *len < room;) {
		size_t want = most < room - *len ? most : room - *len;
		ssize_t n = OK(read(fd, text + *len, want));

		if (!n)
			break;
		*len += (size_t)n;
	}
	CHECK(*len < room);
	text[*len] = 0;
	OK(close(fd));
	return text;
}

/* Bytes at off until all "len" are there or the file ends. */
static size_t read_at(int fd, char *buf, size_t len, off_t off)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = OK(pread(fd, buf + got, len - got, off + (off_t)got));

		if (!n)
			break;
		got += (size_t)n;
	}
	return got;
}

static void expect_same_text(const char *path, const char *text, size_t len)
{
	static const size_t sizes[] = {1000, 4095, 5000, 100000};
	size_t other;
	char *again, buf[9000];
	int fd = OK(open(path, O_RDONLY));

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		again = read_by(path, sizes[i], &other);
		if (other != len || memcmp(text, again, len))
			FAIL("%s: expected one text of %zu bytes, got another of %zu by reads of %zu",
				path, len, other, sizes[i]);
		free(again);
	}
	/* To and fro. */
	for (size_t off = 1; off < len + 5000; off = off * 2 + 777) {
		for (int back = 0; back < 2; back++) {
			size_t at = back ? off / 3 : off, left = at < len ? len - at : 0;
			size_t want = left < sizeof(buf) ? left : sizeof(buf);

			CHECK_EQ(read_at(fd, buf, sizeof(buf), (off_t)at), want);
			if (memcmp(buf, text + at, want))
				FAIL("%s: expected the same bytes at %zu, got others", path, at);
		}
	}
	CHECK_EQ(lseek(fd, (off_t)len / 2, SEEK_SET), len / 2);
	CHECK_EQ(read(fd, buf, 1), 1);
	CHECK_EQ(buf[0], text[len / 2]);
	CHECK_EQ(read(fd, buf, 100), 100);
	CHECK(!memcmp(buf, text + len / 2 + 1, 100));
	OK(close(fd));
}

/* A process whose memory stands still, with many regions, or started with long arguments. */
static pid_t still_process(const char *long_word)
{
	struct gate ready = gate_make();
	pid_t pid = FORK();

	if (!pid) {
		char number[16];

		if (long_word) {
			snprintf(number, sizeof(number), "%d", ready.w);
			OK(fcntl(ready.w, F_SETFD, 0));
			setenv("LONG", long_word, 1);
			exec_helper("stand_still", number, long_word, NULL);
			_exit(1);
		}
		make_regions();
		gate_open(ready);
		for (;;)
			pause();
	}
	gate_wait(ready);
	return pid;
}

HELPER(stand_still)
{
	struct gate ready = {-1, atoi(argv[0])};

	gate_open(ready);
	for (;;)
		pause();
	return argc;
}

static const char *path_of(pid_t pid, const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return path;
}

static void end(pid_t pid)
{
	OK(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
}

TEST(maps_is_one_text_however_it_is_read)
{
	pid_t pid = still_process(NULL);
	size_t len;
	char *text = read_by(path_of(pid, "maps"), 65536, &len);
	int lines = 0;

	for (char *at = text; (at = strchr(at, '\n')); at++)
		lines++;
	CHECK(lines >= REGIONS);
	CHECK(len > 20 * page_size());
	expect_same_text(path_of(pid, "maps"), text, len);
	end(pid);
}

TEST(long_arguments_and_environments_are_one_text_however_they_are_read)
{
	static char word[60001];
	pid_t pid;
	size_t len;
	char *text;

	for (size_t i = 0; i < sizeof(word) - 1; i++)
		word[i] = (char)('a' + i % 25 + i / 4096 % 2);
	pid = still_process(word);
	text = read_by(path_of(pid, "cmdline"), 70000, &len);
	CHECK(len > sizeof(word));
	CHECK_STR(text + len - sizeof(word), word);
	expect_same_text(path_of(pid, "cmdline"), text, len);
	text = read_by(path_of(pid, "environ"), 70000, &len);
	CHECK(len > sizeof(word));
	expect_same_text(path_of(pid, "environ"), text, len);
	end(pid);
}

static bool g_stop; /* atomic */

static void *map_and_unmap(void *arg)
{
	while (!__atomic_load_n(&g_stop, __ATOMIC_RELAXED)) {
		void *p = OK(mmap(arg, page_size(), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));

		OK(munmap(p, page_size()));
	}
	return NULL;
}

TEST(maps_shows_each_lasting_region_once_while_others_come_and_go)
{
	size_t page = page_size(), len;
	char *hole = OK(mmap(NULL, 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	char *p = make_regions(), line[32];
	pthread_t t;

	OK(munmap(hole, page));
	CHECK_PT(pthread_create(&t, NULL, map_and_unmap, hole));
	for (int round = 0; round < 3; round++) {
		char *text = read_by("/proc/self/maps", 1000, &len), *at = text;

		for (size_t i = 0; i < REGIONS; i += 2) {
			snprintf(line, sizeof(line), "%lx-%lx r--p", (unsigned long)(p + i * page),
				(unsigned long)(p + i * page + page));
			at = strstr(at, line);
			if (!at)
				FAIL("maps: expected \"%s\" behind those below it, got none", line);
			at++;
			if (strstr(at, line))
				FAIL("maps: expected \"%s\" once, got it twice", line);
			if (i > 40 && i < REGIONS - 40)
				i += 98; /* samples: strstr of all would be slow */
		}
		free(text);
	}
	__atomic_store_n(&g_stop, true, __ATOMIC_RELAXED);
	CHECK_PT(pthread_join(t, NULL));
}

/* How often is "needle" in the file, by small reads? */
static int occurrences(const char *path, const char *needle)
{
	size_t len;
	char *text = read_by(path, 500, &len);
	int n = 0;

	for (char *at = text; (at = strstr(at, needle)); at++)
		n++;
	free(text);
	return n;
}

#define SOCKETS 200

TEST(net_unix_shows_each_of_many_sockets_once)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char name[32];

	for (int i = 0; i < SOCKETS; i++) {
		int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));

		snprintf(a.sun_path, sizeof(a.sun_path), "a-long-name-of-a-socket-%03d.", i);
		OK(bind(fd, (struct sockaddr *)&a, sizeof(a)));
	}
	for (int i = 0; i < SOCKETS; i += 7) {
		snprintf(name, sizeof(name), "of-a-socket-%03d.", i);
		CHECK_EQ(occurrences("/proc/net/unix", name), 1);
	}
	CHECK_EQ(occurrences("/proc/net/unix", "RefCount"), 1);
}

static void expect_ports(int type, const char *path)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	char name[32];

	for (int i = 0; i < SOCKETS; i++) {
		int fd = OK(socket(AF_INET, type, 0));

		a.sin_port = htons((uint16_t)(20000 + i));
		OK(bind(fd, (struct sockaddr *)&a, sizeof(a)));
		if (type == SOCK_STREAM)
			OK(listen(fd, 1));
	}
	for (int i = 0; i < SOCKETS; i += 7) {
		snprintf(name, sizeof(name), " 0100007F:%04X ", 20000 + i);
		CHECK_EQ(occurrences(path, name), 1);
	}
	CHECK_EQ(occurrences(path, "local_address"), 1);
}

TEST(net_tcp_shows_each_of_many_sockets_once)
{
	expect_ports(SOCK_STREAM, "/proc/net/tcp");
}

TEST(net_udp_shows_each_of_many_sockets_once)
{
	expect_ports(SOCK_DGRAM, "/proc/net/udp");
}
