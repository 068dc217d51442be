// SPDX-License-Identifier: MIT
/*
 * fsops run SEED OPERATIONS WORKERS DIR: a long stream of random operations on files, a process for
 * each worker in a folder of its own. What each call answers and each read sees goes into a digest;
 * contents are also compared with a shadow at once. The same line prints the same digests on every
 * kernel. fsops tree WORKERS DIR: the digests of the trees alone, as another kernel or a later boot
 * sees them.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define FILES    12
#define FOLDERS  5
#define MAX_SIZE (384 * 1024)
#define BLOCK    4096
#define BATCH    97 /* operations between two checks of everything */

static uint64_t g_random, g_digest;
static long g_op;
static char g_what[1600];

/* A file that the worker knows by number; its name changes. "" : not there. */
static struct shadow {
	char path[96];
	size_t size;
	uint8_t *data;
} g_files[FILES];
static char g_folders[FOLDERS][64];
static uint8_t *g_buf; /* MAX_SIZE and more, aligned for O_DIRECT */

static uint64_t next(void)
{
	uint64_t z = g_random += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static uint64_t below(uint64_t n)
{
	return n ? next() % n : 0;
}

static void mix(uint64_t v)
{
	g_digest = (g_digest ^ v) * 0x100000001b3ull;
	g_digest ^= g_digest >> 29;
}

static void mix_bytes(const void *data, size_t n)
{
	const uint8_t *p = data;

	for (; n >= 8; n -= 8, p += 8) {
		uint64_t v;

		memcpy(&v, p, 8);
		mix(v);
	}
	for (; n; n--)
		mix(*p++);
}

static void __attribute__((noreturn, format(printf, 1, 2))) wrong(const char *format, ...)
{
	va_list ap;

	printf("operation %ld (%s): ", g_op, g_what);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	_exit(1);
}

/* What a call answered, errors by their number. */
static long told(long r)
{
	mix(r < 0 ? -(uint64_t)errno : (uint64_t)r);
	return r;
}

static void must(long r, const char *call)
{
	if (told(r) < 0)
		wrong("%s: %s", call, strerror(errno));
}

static void say(const char *what, const struct shadow *f, uint64_t a, uint64_t b)
{
	snprintf(g_what, sizeof(g_what), "%s %s %llu %llu", what, f ? f->path : "",
		(unsigned long long)a, (unsigned long long)b);
}

/* ---- contents ---------------------------------------------------------------------------------- */

static int open_file(const struct shadow *f, int flags)
{
	int fd = open(f->path, flags | O_CLOEXEC);

	if (fd < 0)
		wrong("open: %s", strerror(errno));
	return fd;
}

static void random_bytes(uint8_t *p, size_t n)
{
	uint64_t v = next();

	for (size_t i = 0; i < n; i++) {
		p[i] = (uint8_t)(v >> (i % 8 * 8)) + (uint8_t)(i >> 3);
		if (i % 512 == 511)
			v = next();
	}
}

static void grow(struct shadow *f, size_t size)
{
	if (size > f->size) {
		memset(f->data + f->size, 0, size - f->size);
		f->size = size;
	}
}

static void do_write(struct shadow *f, int flags, size_t unit)
{
	size_t off = below(MAX_SIZE / 2) / unit * unit, n = (1 + below(MAX_SIZE / 4)) / unit * unit;
	int fd = open_file(f, O_WRONLY | flags);

	if (flags & O_APPEND)
		off = f->size;
	if (off + n > MAX_SIZE)
		n = MAX_SIZE - off;
	say(flags & O_DIRECT ? "direct write" : flags & O_APPEND ? "append" : "write", f, off, n);
	random_bytes(g_buf, n);
	if (flags & O_APPEND)
		must(write(fd, g_buf, n), "write");
	else
		must(pwrite(fd, g_buf, n, off), "pwrite");
	if (n) {
		grow(f, off + n);
		memcpy(f->data + off, g_buf, n);
	}
	close(fd);
}

static void do_read(struct shadow *f, int flags, size_t unit)
{
	size_t off = below(f->size + 1) / unit * unit, n = (1 + below(MAX_SIZE / 4)) / unit * unit;
	int fd = open_file(f, O_RDONLY | flags);
	ssize_t got;
	size_t want = off < f->size ? f->size - off : 0;

	want = want < n ? want : n;
	say(flags ? "direct read" : "read", f, off, n);
	got = told(pread(fd, g_buf, n, off));
	close(fd);
	if (got != (ssize_t)want)
		wrong("%zd bytes read, not %zu", got, want);
	if (memcmp(g_buf, f->data + off, want))
		wrong("other bytes than were written");
	mix_bytes(g_buf, want);
}

static void do_map(struct shadow *f, int write)
{
	size_t off, n;
	int fd;
	uint8_t *p;

	if (!f->size)
		return;
	off = below(f->size);
	n = 1 + below(f->size - off);
	say(write ? "store" : "load", f, off, n);
	fd = open_file(f, O_RDWR);
	p = mmap(NULL, f->size, write ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		wrong("mmap: %s", strerror(errno));
	if (write) {
		random_bytes(f->data + off, n);
		memcpy(p + off, f->data + off, n);
		if (below(3) == 0)
			must(msync(p, f->size, MS_SYNC), "msync");
	}
	if (memcmp(p + off, f->data + off, n))
		wrong("other bytes mapped than were written");
	munmap(p, f->size);
}

static void do_truncate(struct shadow *f)
{
	size_t size = below(4) ? below(MAX_SIZE)
		: f->size      ? f->size - below(f->size < 9 ? 1 : 9)
			       : 0;

	say("truncate", f, size, 0);
	must(truncate(f->path, size), "truncate");
	if (size > f->size)
		grow(f, size);
	f->size = size;
}

static void do_fallocate(struct shadow *f)
{
	static const int modes[] = {0, FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_COLLAPSE_RANGE,
		FALLOC_FL_INSERT_RANGE};
	int mode = modes[below(sizeof(modes) / sizeof(modes[0]))], fd = open_file(f, O_RDWR);
	size_t off = below(MAX_SIZE / 2), n = 1 + below(MAX_SIZE / 4), end;

	if (mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE)) {
		off = off / BLOCK * BLOCK;
		n = (n / BLOCK + 1) * BLOCK;
		if (mode & FALLOC_FL_INSERT_RANGE && f->size + n > MAX_SIZE)
			n = 1ull << 60; /* refused */
	}
	say("fallocate", f, off, n);
	snprintf(g_what + strlen(g_what), 16, " mode %#x", mode);
	end = off + n;
	if (told(fallocate(fd, mode, off, n)) == 0) {
		if (mode == 0 || mode == FALLOC_FL_ZERO_RANGE)
			grow(f, end);
		if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE) && off < f->size)
			memset(f->data + off, 0, (end < f->size ? end : f->size) - off);
		if (mode & FALLOC_FL_COLLAPSE_RANGE) {
			memmove(f->data + off, f->data + end, f->size - end);
			f->size -= n;
		}
		if (mode & FALLOC_FL_INSERT_RANGE) {
			memmove(f->data + end, f->data + off, f->size - off);
			memset(f->data + off, 0, n);
			f->size += n;
		}
	}
	close(fd);
}

static void do_copy(struct shadow *f, struct shadow *to)
{
	size_t off = below(f->size + 1), n = 1 + below(MAX_SIZE / 4);
	int in = open_file(f, O_RDONLY), out = open_file(to, O_WRONLY);
	loff_t from = off, at = below(MAX_SIZE / 2), start = at;
	ssize_t got;

	if (at + n > MAX_SIZE)
		n = MAX_SIZE - at;
	say("copy", f, off, n);
	if (f == to && (loff_t)off < at + (loff_t)n && at < (loff_t)(off + n)) {
		close(in);
		close(out);
		return; /* overlapping */
	}
	if (below(2)) {
		got = copy_file_range(in, &from, out, &at, n, 0);
	} else {
		lseek(out, at, SEEK_SET);
		got = sendfile(out, in, &from, n);
	}
	if (got < 0)
		wrong("copy: %s", strerror(errno));
	/* How far one call comes is the kernel's affair: the rest follows with ordinary calls. */
	for (size_t done = got; done < n && off + done < f->size;) {
		ssize_t k = pread(in, g_buf, n - done, off + done);

		if (k <= 0 || pwrite(out, g_buf, k, start + done) != k)
			wrong("copying the rest: %s", strerror(errno));
		done += k;
		got += k;
	}
	if (got) {
		grow(to, start + got);
		memmove(to->data + start, f->data + off, got);
	}
	close(in);
	close(out);
}

static void do_sync(struct shadow *f)
{
	int fd = open_file(f, O_RDWR), how = below(4);

	say("sync", f, how, 0);
	if (how == 0)
		must(fsync(fd), "fsync");
	else if (how == 1)
		must(fdatasync(fd), "fdatasync");
	else if (how == 2)
		must(sync_file_range(fd, below(f->size + 1), 0,
			     SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
				     SYNC_FILE_RANGE_WAIT_AFTER),
			"sync_file_range");
	else
		must(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), "posix_fadvise");
	close(fd);
}

static void do_xattr(struct shadow *f)
{
	char name[32], value[3000];
	int n = below(8), size = below(8) ? below(200) : below(sizeof(value));
	ssize_t got;

	snprintf(name, sizeof(name), "%s.name%d", n & 1 ? "user" : "trusted", n);
	say("xattr", f, n, size);
	random_bytes((uint8_t *)value, size);
	switch (below(4)) {
	case 0:
	case 1:
		told(setxattr(f->path, name, value, size, below(3)));
		break;
	case 2:
		told(removexattr(f->path, name));
		break;
	case 3:
		got = told(getxattr(f->path, name, value, sizeof(value)));
		mix_bytes(value, got > 0 ? got : 0);
		break;
	}
}

/* ---- names ------------------------------------------------------------------------------------- */

static void new_name(char *path, size_t size)
{
	const char *folder = g_folders[below(FOLDERS)];

	snprintf(path, size, "%s%sn%llu%s", folder, *folder ? "/" : "",
		(unsigned long long)below(60), below(6) ? "" : "-a-name-that-is-somewhat-longer");
}

static struct shadow *of_path(const char *path)
{
	for (int i = 0; i < FILES; i++)
		if (g_files[i].path[0] && !strcmp(g_files[i].path, path))
			return &g_files[i];
	return NULL;
}

static void do_create(struct shadow *f)
{
	char path[96];
	int fd;

	new_name(path, sizeof(path));
	snprintf(g_what, sizeof(g_what), "create %s", path);
	fd = open(path, O_CREAT | O_EXCL | O_RDWR, 0600 | below(0200));
	mix(fd < 0 ? errno : 0);
	if ((fd < 0) != (of_path(path) != NULL) && !(fd < 0 && errno == EEXIST))
		wrong("%s", strerror(errno));
	if (fd < 0)
		return;
	close(fd);
	strcpy(f->path, path);
	f->size = 0;
}

static void do_rename(struct shadow *f)
{
	static const unsigned int flags[] = {0, 0, 1 /* NOREPLACE */, 2 /* EXCHANGE */};
	unsigned int how = flags[below(4)];
	struct shadow *there;
	char path[96];

	new_name(path, sizeof(path));
	there = of_path(path);
	snprintf(g_what, sizeof(g_what), "rename %s %s %u", f->path, path, how);
	if (told(syscall(SYS_renameat2, AT_FDCWD, f->path, AT_FDCWD, path, how)))
		return;
	if (how == 2 && there)
		strcpy(there->path, f->path);
	else if (there && there != f)
		there->path[0] = 0;
	strcpy(f->path, path);
}

static void do_links(struct shadow *f)
{
	char path[96], link_to[104], text[200];
	ssize_t n;

	new_name(path, sizeof(path));
	snprintf(link_to, sizeof(link_to), "%s-l", path);
	snprintf(g_what, sizeof(g_what), "links %s %s", f->path, link_to);
	switch (below(4)) {
	case 0:
		told(link(f->path, link_to));
		break;
	case 1:
		told(symlink(f->path, link_to));
		break;
	case 2:
		n = told(readlink(link_to, text, sizeof(text)));
		mix_bytes(text, n > 0 ? n : 0);
		break;
	case 3:
		told(unlink(link_to));
		break;
	}
}

static void do_folder(void)
{
	char path[96];

	new_name(path, sizeof(path));
	strcat(path, "-d");
	snprintf(g_what, sizeof(g_what), "folder %s", path);
	if (below(2))
		told(mkdir(path, 0700 | below(0100)));
	else
		told(rmdir(path));
}

static void do_meta(struct shadow *f)
{
	struct stat st;

	say("stat", f, 0, 0);
	if (below(2))
		told(chmod(f->path, 0600 | below(0200)));
	must(stat(f->path, &st), "stat");
	if ((size_t)st.st_size != f->size)
		wrong("size %lld, not %zu", (long long)st.st_size, f->size);
	mix(st.st_mode);
	mix(st.st_nlink);
}

/* ---- trees ------------------------------------------------------------------------------------- */

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void mix_xattrs(const char *path)
{
	char names[4096], value[4096], *found[64];
	ssize_t size = llistxattr(path, names, sizeof(names));
	int n = 0;

	for (char *p = names; p < names + (size > 0 ? size : 0) && n < 64; p += strlen(p) + 1)
		found[n++] = p;
	for (int i = 0; i < n; i++)
		for (int k = i + 1; k < n; k++)
			if (strcmp(found[i], found[k]) > 0) {
				char *t = found[i];

				found[i] = found[k];
				found[k] = t;
			}
	for (int i = 0; i < n; i++) {
		ssize_t got = lgetxattr(path, found[i], value, sizeof(value));

		mix_bytes(found[i], strlen(found[i]));
		mix_bytes(value, got > 0 ? got : 0);
	}
}

static void mix_tree(const char *path)
{
	struct dirent **list;
	struct stat st;
	char text[512];
	int n;

	if (lstat(path, &st))
		wrong("tree %s: %s", path, strerror(errno));
	mix_bytes(path, strlen(path));
	mix(st.st_mode);
	mix(st.st_nlink);
	mix_xattrs(path);
	if (S_ISLNK(st.st_mode)) {
		ssize_t got = readlink(path, text, sizeof(text));

		mix_bytes(text, got > 0 ? got : 0);
	} else if (S_ISREG(st.st_mode)) {
		int fd = open(path, O_RDONLY);
		ssize_t got;

		mix(st.st_size);
		while ((got = read(fd, g_buf, MAX_SIZE)) > 0)
			mix_bytes(g_buf, got);
		if (got < 0)
			wrong("tree %s: %s", path, strerror(errno));
		close(fd);
	} else if (S_ISDIR(st.st_mode)) {
		n = scandir(path, &list, NULL, by_name);
		if (n < 0)
			wrong("tree %s: %s", path, strerror(errno));
		for (int i = 0; i < n; i++) {
			const char *name = list[i]->d_name;

			if (strcmp(name, ".") && strcmp(name, "..")) {
				snprintf(text, sizeof(text), "%s/%s", path, name);
				mix_tree(text);
			}
			free(list[i]);
		}
		free(list);
	}
}

static uint64_t tree_digest(void)
{
	g_digest = 0;
	strcpy(g_what, "tree");
	mix_tree(".");
	return g_digest;
}

/* ---- a worker ---------------------------------------------------------------------------------- */

static void one_operation(void)
{
	struct shadow *f = &g_files[below(FILES)], *other = &g_files[below(FILES)];
	unsigned int what = below(100);

	if (!f->path[0]) {
		do_create(f);
		return;
	}
	if (what < 18)
		do_write(f, 0, 1);
	else if (what < 22)
		do_write(f, O_APPEND, 1);
	else if (what < 28)
		do_write(f, O_DIRECT, BLOCK);
	else if (what < 40)
		do_read(f, 0, 1);
	else if (what < 45)
		do_read(f, O_DIRECT, BLOCK);
	else if (what < 53)
		do_map(f, 1);
	else if (what < 58)
		do_map(f, 0);
	else if (what < 64)
		do_truncate(f);
	else if (what < 72)
		do_fallocate(f);
	else if (what < 76 && other->path[0])
		do_copy(f, other);
	else if (what < 80)
		do_sync(f);
	else if (what < 84)
		do_xattr(f);
	else if (what < 89)
		do_rename(f);
	else if (what < 93)
		do_links(f);
	else if (what < 96)
		do_folder();
	else if (what < 99)
		do_meta(f);
	else {
		say("unlink", f, 0, 0);
		must(unlink(f->path), "unlink");
		f->path[0] = 0;
	}
}

static void check_all(void)
{
	for (int i = 0; i < FILES; i++) {
		struct shadow *f = &g_files[i];
		ssize_t got;
		int fd;

		if (!f->path[0])
			continue;
		say("check", f, 0, 0);
		fd = open_file(f, O_RDONLY);
		got = read(fd, g_buf, MAX_SIZE + BLOCK);
		close(fd);
		if (got != (ssize_t)f->size || memcmp(g_buf, f->data, f->size))
			wrong("%zd bytes, other than the %zu that were written", got, f->size);
	}
}

static void worker(uint64_t seed, long operations, int number)
{
	uint64_t calls;

	g_random = seed * 1000 + number;
	for (int i = 0; i < FILES; i++)
		g_files[i].data = calloc(1, MAX_SIZE + BLOCK);
	for (int i = 1; i < FOLDERS; i++) {
		snprintf(g_folders[i], sizeof(g_folders[i]), "%s%sf%d",
			i > 2 ? g_folders[i - 2] : "", i > 2 ? "/" : "", i);
		if (mkdir(g_folders[i], 0755))
			wrong("mkdir %s: %s", g_folders[i], strerror(errno));
	}
	for (g_op = 0; g_op < operations; g_op++) {
		one_operation();
		if (getenv("FSOPS_TRACE"))
			printf("%ld %s: %016llx\n", g_op, g_what, (unsigned long long)g_digest);
		if (g_op % BATCH == 0)
			check_all();
	}
	check_all();
	calls = g_digest;
	printf("worker %d: calls %016llx tree %016llx\n", number, (unsigned long long)calls,
		(unsigned long long)tree_digest());
}

int main(int argc, char **argv)
{
	int tree = argc == 4 && !strcmp(argv[1], "tree"), bad = 0, status;
	int workers = atoi(argv[tree ? 2 : 4]);
	const char *dir = argv[tree ? 3 : 5];

	umask(022);
	g_buf = aligned_alloc(BLOCK, MAX_SIZE + 2 * BLOCK);
	if (!tree && mkdir(dir, 0755) && errno != EEXIST)
		return 2;
	for (int i = 0; i < workers; i++) {
		char path[200];

		snprintf(path, sizeof(path), "%s/w%d", dir, i);
		if (fork())
			continue;
		if ((!tree && mkdir(path, 0755)) || chdir(path))
			wrong("%s: %s", path, strerror(errno));
		if (tree)
			printf("worker %d: tree %016llx\n", i, (unsigned long long)tree_digest());
		else
			worker(strtoull(argv[2], NULL, 0), atol(argv[3]), i);
		fflush(stdout);
		_exit(0);
	}
	while (wait(&status) > 0) {
		if (WIFSIGNALED(status))
			printf("a worker died of signal %d\n", WTERMSIG(status));
		bad |= status != 0;
	}
	if (!tree)
		sync();
	return bad;
}
