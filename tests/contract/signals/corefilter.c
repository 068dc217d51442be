/* SPDX-License-Identifier: MIT */
/* What /proc/PID/coredump_filter lets into a core file (core(5)). */
#include "contract.h"
#include <elf.h>
#include <sys/auxv.h>

#define PAGES 2
#define KINDS 6

enum { ANON, SHARED_ANON, FILE_COPY, SHARED_FILE, ELF_FILE, VDSO };

struct places {
	unsigned long at[KINDS];
};

static unsigned char g_core[64 << 10]; /* its beginning: the headers */

static void *map_file(const char *name, int share)
{
	int fd = OK(open(name, O_RDWR));

	return OK(mmap(NULL, PAGES * page_size(), PROT_READ, share, fd, 0));
}

static void crash(struct places *p, const char *filter)
{
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	size_t size = PAGES * page_size();
	int fd = OK(open(self_path, O_RDONLY));
	char *m;

	m = OK(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	*m = 1;
	OK(mprotect(m, size, PROT_READ)); /* no neighbour to be joined with */
	p->at[ANON] = (unsigned long)m;
	m = OK(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	*m = 1;
	p->at[SHARED_ANON] = (unsigned long)m;
	p->at[FILE_COPY] = (unsigned long)map_file("text", MAP_PRIVATE);
	p->at[SHARED_FILE] = (unsigned long)map_file("text", MAP_SHARED);
	p->at[ELF_FILE] = (unsigned long)OK(mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0));
	p->at[VDSO] = getauxval(AT_SYSINFO_EHDR);
	write_file("/proc/self/coredump_filter", filter);
	OK(setrlimit(RLIMIT_CORE, &unlimited));
	OK(raise(SIGABRT));
}

/* Bytes in the file of the memory that begins at addr. */
static size_t dumped(unsigned long addr, size_t len)
{
	Elf64_Ehdr *e = (Elf64_Ehdr *)g_core;
	Elf64_Phdr *ph = (Elf64_Phdr *)(g_core + e->e_phoff);

	for (int i = 0; i < e->e_phnum; i++)
		if (ph[i].p_type == PT_LOAD && ph[i].p_vaddr <= addr &&
			addr < ph[i].p_vaddr + ph[i].p_memsz) {
			CHECK(ph[i].p_filesz == 0 || ph[i].p_offset + ph[i].p_filesz <= len);
			CHECK_EQ(ph[i].p_vaddr, addr);
			return ph[i].p_filesz;
		}
	FAIL("%#lx: expected a segment, got none", addr);
}

/* pages: of the first five kinds. */
static void expect(const char *filter, const int *pages)
{
	static const char *const names[] = {
		"anonymous", "shared", "private file", "shared file", "ELF file"};
	struct places *p = OK(
		mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	struct stat st;
	size_t len;
	pid_t pid;
	int status, fd;

	write_file("/proc/sys/kernel/core_pattern", "core");
	fd = new_file("text", O_RDWR | O_CREAT, 0600);
	OK(ftruncate(fd, PAGES * page_size()));
	OK(pwrite(fd, "text", 4, 0));
	OK(close(fd));
	pid = FORK();
	if (!pid)
		crash(p, filter);
	status = wait_status(pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && WCOREDUMP(status));
	fd = OK(open("core", O_RDONLY));
	OK(read(fd, g_core, sizeof(g_core)));
	OK(fstat(fd, &st));
	len = st.st_size;
	OK(close(fd));
	OK(unlink("core"));
	OK(unlink("text"));
	for (int i = 0; i < VDSO; i++) {
		size_t got = dumped(p->at[i], len);

		if (got != pages[i] * page_size())
			FAIL("filter %s, %s: expected %d pages, got %zu bytes", filter, names[i],
				pages[i], got);
	}
	CHECK(dumped(p->at[VDSO], len) > 0); /* whatever the filter says */
	OK(munmap(p, page_size()));
}

TEST(core_file_has_what_the_default_filter_says)
{
	expect("0x33", (int[]){2, 2, 0, 0, 1});
}

TEST(core_file_has_each_kind_by_its_bit)
{
	expect("0x00", (int[]){0, 0, 0, 0, 0});
	expect("0x01", (int[]){2, 0, 0, 0, 0});
	expect("0x02", (int[]){0, 2, 0, 0, 0});
	expect("0x04", (int[]){0, 0, 2, 0, 2});
	expect("0x08", (int[]){0, 0, 0, 2, 0});
	expect("0x10", (int[]){0, 0, 0, 0, 1});
	expect("0x1ff", (int[]){2, 2, 2, 2, 2});
}
