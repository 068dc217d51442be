/* SPDX-License-Identifier: MIT */
/* The ELF loader, fed with files made by hand. */
#include "contract.h"
#include <elf.h>

struct image {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[4];
	unsigned char code[64];
	char interp[64];
	char pad[3680]; /* a whole page: nothing to clear behind a read-only segment */
};
_Static_assert(sizeof(struct image) == 4096, "one page");

#define BASE 0x10000000ull

/* mov edi, status; mov eax, 60; syscall */
static const unsigned char exit_code[] = {0xbf, 42, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05};

/* An executable that exits with `status`: one segment that maps the whole file. */
static struct image make(int type, unsigned long base, unsigned char status)
{
	struct image im = {.eh = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1},
				   .e_type = type,
				   .e_machine = EM_X86_64,
				   .e_version = 1,
				   .e_entry = base + offsetof(struct image, code),
				   .e_phoff = offsetof(struct image, ph),
				   .e_ehsize = sizeof(Elf64_Ehdr),
				   .e_phentsize = sizeof(Elf64_Phdr),
				   .e_phnum = 1},
		.ph = {{.p_type = PT_LOAD,
			.p_flags = PF_R | PF_X,
			.p_vaddr = base,
			.p_paddr = base,
			.p_filesz = sizeof(struct image),
			.p_memsz = sizeof(struct image),
			.p_align = 0x1000}}};

	memcpy(im.code, exit_code, sizeof(exit_code));
	im.code[1] = status;
	return im;
}

static void save(const char *name, const void *data, size_t len)
{
	int fd = OK(open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755));

	CHECK_EQ(write(fd, data, len), len);
	OK(close(fd));
}

/* Exit status; errno when exec was refused, plus 1000; signal plus 2000. */
static int run(const char *name)
{
	pid_t pid = FORK();

	if (!pid) {
		struct gate g = gate_make(); /* close-on-exec */

		(void)g;
		char *argv[] = {(char *)name, NULL}, *envp[] = {NULL};
		execve(name, argv, envp);
		int err = errno;
		write_file("refused", "x");
		_exit(err);
	}
	int status = wait_status(pid);
	if (!unlink("refused"))
		return 1000 + WEXITSTATUS(status);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 2000 + WTERMSIG(status);
}

TEST(minimal_static_executable_runs)
{
	struct image im = make(ET_EXEC, BASE, 42);

	save("prog", &im, sizeof(im));
	CHECK_EQ(run("./prog"), 42);
}

TEST(static_position_independent_executable_runs)
{
	struct image im = make(ET_DYN, 0, 43);

	save("prog", &im, sizeof(im));
	CHECK_EQ(run("./prog"), 43);
}

static void add_interp(struct image *im, const char *path)
{
	im->eh.e_phnum = 2;
	strcpy(im->interp, path);
	im->ph[1] = (Elf64_Phdr){.p_type = PT_INTERP,
		.p_flags = PF_R,
		.p_offset = offsetof(struct image, interp),
		.p_vaddr = BASE + offsetof(struct image, interp),
		.p_filesz = strlen(path) + 1,
		.p_memsz = strlen(path) + 1,
		.p_align = 1};
}

TEST(interpreter_gets_control_first)
{
	struct image im = make(ET_EXEC, BASE, 42), interp = make(ET_DYN, 0, 77);

	add_interp(&im, "./interp");
	save("prog", &im, sizeof(im));
	save("interp", &interp, sizeof(interp));
	CHECK_EQ(run("./prog"), 77);
}

TEST(interpreter_missing_is_ENOENT)
{
	struct image im = make(ET_EXEC, BASE, 42);

	add_interp(&im, "./nowhere");
	save("prog", &im, sizeof(im));
	CHECK_EQ(run("./prog"), 1000 + ENOENT);
}

TEST(interpreter_that_is_no_ELF_is_ELIBBAD)
{
	struct image im = make(ET_EXEC, BASE, 42);
	char junk[4096] = "this is no ELF file at all";

	add_interp(&im, "./interp");
	save("prog", &im, sizeof(im));
	save("interp", junk, sizeof(junk));
	CHECK_EQ(run("./prog"), 1000 + ELIBBAD);
}

TEST(interpreter_not_executable_is_EACCES)
{
	struct image im = make(ET_EXEC, BASE, 42), interp = make(ET_DYN, 0, 77);

	add_interp(&im, "./interp");
	save("prog", &im, sizeof(im));
	save("interp", &interp, sizeof(interp));
	OK(chmod("interp", 0644));
	CHECK_EQ(run("./prog"), 1000 + EACCES);
}

TEST(truncated_files_are_refused_and_never_run)
{
	struct image im = make(ET_EXEC, BASE, 42);

	for (size_t len = 1; len < offsetof(struct image, ph) + sizeof(Elf64_Phdr); len += 7) {
		save("prog", &im, len);
		int got = run("./prog");
		if (got != 1000 + ENOEXEC && got != 1000 + EIO)
			FAIL("%zu bytes: expected ENOEXEC or EIO, got %d", len, got);
	}
}

TEST(wrong_class_machine_or_type_is_ENOEXEC)
{
	struct image im = make(ET_EXEC, BASE, 42);

	im.eh.e_machine = EM_AARCH64;
	save("prog", &im, sizeof(im));
	CHECK_EQ(run("./prog"), 1000 + ENOEXEC);
	im = make(ET_REL, BASE, 42);
	save("prog", &im, sizeof(im));
	CHECK_EQ(run("./prog"), 1000 + ENOEXEC);
	im = make(ET_EXEC, BASE, 42);
	im.eh.e_ident[0] = 'x';
	save("prog", &im, sizeof(im));
	CHECK_EQ(run("./prog"), 1000 + ENOEXEC);
}

TEST(bad_program_header_table_is_ENOEXEC)
{
	struct image im = make(ET_EXEC, BASE, 42);

	im.eh.e_phentsize = 32;
	save("prog", &im, sizeof(im));
	CHECK_EQ(run("./prog"), 1000 + ENOEXEC);
	im = make(ET_EXEC, BASE, 42);
	im.eh.e_phnum = 0;
	save("prog", &im, sizeof(im));
	CHECK_EQ(run("./prog"), 1000 + ENOEXEC);
	im = make(ET_EXEC, BASE, 42);
	im.eh.e_phnum = 2000; /* more than 64 KiB */
	save("prog", &im, sizeof(im));
	CHECK_EQ(run("./prog"), 1000 + ENOEXEC);
}

TEST(segment_in_kernel_space_kills_or_refuses)
{
	struct image im = make(ET_EXEC, BASE, 42);

	im.ph[0].p_vaddr = 0xffffffff80000000ull;
	save("prog", &im, sizeof(im));
	int got = run("./prog");
	CHECK(got >= 1000);
}

TEST(entry_outside_any_segment_dies_by_SIGSEGV)
{
	struct image im = make(ET_EXEC, BASE, 42);

	im.eh.e_entry = 0x500000;
	save("prog", &im, sizeof(im));
	CHECK_EQ(run("./prog"), 2000 + SIGSEGV);
}

TEST(segment_without_x_cannot_run)
{
	struct image im = make(ET_EXEC, BASE, 42);

	im.ph[0].p_flags = PF_R;
	im.eh.e_phnum = 2;
	im.ph[1] = (Elf64_Phdr){.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W};
	save("prog", &im, sizeof(im));
	CHECK_EQ(run("./prog"), 2000 + SIGSEGV);
}

TEST(bss_beyond_the_file_is_zero_and_writable)
{
	/* movzx edi, byte [BASE+0x5000]; mov byte [BASE+0x5000], 1; mov eax, 60; syscall */
	static const unsigned char code[] = {0x0f, 0xb6, 0x3c, 0x25, 0x00, 0x50, 0x00, 0x10, 0xc6,
		0x04, 0x25, 0x00, 0x50, 0x00, 0x10, 0x01, 0xb8, 60, 0, 0, 0, 0x0f, 0x05};
	struct image im = make(ET_EXEC, BASE, 42);

	im.ph[0].p_flags = PF_R | PF_W | PF_X;
	im.ph[0].p_memsz = 0x8000;
	memcpy(im.code, code, sizeof(code));
	save("prog", &im, sizeof(im));
	CHECK_EQ(run("./prog"), 0);
}

TEST(initial_stack_holds_argc_and_is_aligned)
{
	/* mov edi, [rsp]; mov eax, esp; and eax, 15; shl eax, 4; or edi, eax; mov eax,60; syscall */
	static const unsigned char code[] = {0x8b, 0x3c, 0x24, 0x89, 0xe0, 0x83, 0xe0, 0x0f, 0xc1,
		0xe0, 0x04, 0x09, 0xc7, 0xb8, 60, 0, 0, 0, 0x0f, 0x05};
	struct image im = make(ET_EXEC, BASE, 42);

	memcpy(im.code, code, sizeof(code));
	save("prog", &im, sizeof(im));
	CHECK_EQ(run("./prog"), 1);
}

/* movzx edi, byte [addr]; mov eax, 60; syscall */
static void exit_with_byte_at(struct image *im, unsigned addr)
{
	unsigned char code[] = {0x0f, 0xb6, 0x3c, 0x25, 0, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05};

	memcpy(code + 4, &addr, 4);
	memcpy(im->code, code, sizeof(code));
}

/* One segment of which the file has `file` bytes, and memory `mem`; the file has only a page. */
static int byte_of_segment(unsigned flags, unsigned file, unsigned mem, unsigned at, bool another)
{
	struct image im = make(ET_EXEC, BASE, 42);

	im.ph[0].p_flags = flags;
	im.ph[0].p_filesz = file;
	im.ph[0].p_memsz = mem;
	if (another) {
		im.ph[1] = im.ph[0];
		im.ph[1].p_vaddr += 0x10000;
		im.ph[1].p_filesz = im.ph[1].p_memsz = 0x100;
		im.ph[1].p_flags = PF_R;
		im.eh.e_phnum = 2;
	}
	memset(im.pad + 0x100, 7, sizeof(im.pad) - 0x100);
	exit_with_byte_at(&im, BASE + at);
	save("prog", &im, sizeof(im));
	return run("./prog");
}

TEST(truncated_segments_are_SIGBUS_where_they_are_touched)
{
	const unsigned rwx = PF_R | PF_W | PF_X, rx = PF_R | PF_X;

	for (int more = 0; more < 2; more++) {
		CHECK_EQ(byte_of_segment(rwx, 0x1800, 0x1800, 0xff0, more), 7);
		CHECK_EQ(byte_of_segment(rwx, 0x1800, 0x1ff0, 0xff0, more), 7);
		CHECK_EQ(byte_of_segment(rwx, 0x1800, 0x1ff0, 0x1000, more), 2000 + SIGBUS);
		CHECK_EQ(byte_of_segment(rwx, 0x1800, 0x8000, 0x1ff8, more), 2000 + SIGBUS);
		CHECK_EQ(byte_of_segment(rwx, 0x1800, 0x8000, 0x2000, more), 0);
		CHECK_EQ(byte_of_segment(rwx, 0x1800, 0x2000, 0x2000, more), 2000 + SIGSEGV);
		CHECK_EQ(byte_of_segment(rx, 0x1800, 0x1800, 0x1000, more), 2000 + SIGBUS);
		CHECK_EQ(byte_of_segment(rx, 0x1800, 0x8000, 0x2000, more), 0);
	}
}

TEST(read_only_segments_longer_than_the_file_go_on_with_zeros)
{
	const unsigned rx = PF_R | PF_X;

	CHECK_EQ(byte_of_segment(rx, 0x800, 0x1000, 0xff0, false), 7); /* not cleared */
	CHECK_EQ(byte_of_segment(rx, 0x800, 0x2800, 0x1000, false), 0);
	CHECK_EQ(byte_of_segment(rx, 0x1000, 0x8000, 0x5000, false), 0);
	CHECK_EQ(byte_of_segment(rx, 0x800, 0x1000, 0x1000, false), 2000 + SIGSEGV);
	CHECK_EQ(byte_of_segment(rx, 0x800, 0x8000, 0x5000, true), 0);
}

TEST(class_byte_order_and_version_are_not_looked_at)
{
	struct image im = make(ET_EXEC, BASE, 42);

	im.eh.e_ident[EI_CLASS] = ELFCLASS32;
	im.eh.e_ident[EI_DATA] = ELFDATA2MSB;
	im.eh.e_ident[EI_VERSION] = 9;
	im.eh.e_version = 9;
	save("prog", &im, sizeof(im));
	CHECK_EQ(run("./prog"), 42);
}

TEST(scripts_without_a_name_are_EACCES_at_the_end_of_the_file)
{
	static const char *const no_name[] = {"#!", "#!   ", "#! \t"};
	static const char *const no_format[] = {
		"#!\n", "#! \n", "#!\t\n", "#!\nfoo", "#", "\n", ""};

	for (size_t i = 0; i < 3; i++) {
		save("prog", no_name[i], strlen(no_name[i]));
		CHECK_EQ(run("./prog"), 1000 + EACCES);
	}
	save("prog", "#!\0/bin/x\n", 10);
	CHECK_EQ(run("./prog"), 1000 + EACCES);
	for (size_t i = 0; i < 7; i++) {
		save("prog", no_format[i], strlen(no_format[i]));
		CHECK_EQ(run("./prog"), 1000 + ENOEXEC);
	}
	save("prog", "#!x", 3);
	CHECK_EQ(run("./prog"), 1000 + ENOENT);
}

/* Linkers that don't align to pages make such files. */
TEST(segments_may_share_a_page)
{
	struct image im = make(ET_EXEC, BASE, 42);

	im.ph[1] = im.ph[0];
	im.ph[0].p_filesz = im.ph[0].p_memsz = 0x200;
	im.ph[1].p_offset = 0x200;
	im.ph[1].p_vaddr = BASE + 0x200;
	im.ph[1].p_filesz = im.ph[1].p_memsz = 0x40;
	im.eh.e_phnum = 2;
	save("prog", &im, sizeof(im));
	CHECK_EQ(run("./prog"), 42);
}

/* mov eax, 34; syscall: pause */
static const unsigned char pause_code[] = {0xb8, 34, 0, 0, 0, 0x0f, 0x05};

TEST(interpreter_that_the_caller_may_not_read_hides_the_process)
{
	struct image im = make(ET_EXEC, BASE, 42), interp = make(ET_DYN, 0, 77);
	char path[64];

	memcpy(interp.code, pause_code, sizeof(pause_code));
	add_interp(&im, "./interp");
	save("prog", &im, sizeof(im));
	save("interp", &interp, sizeof(interp));
	OK(chmod(".", 0755));
	for (int readable = 1; readable >= 0; readable--) {
		OK(chmod("interp", readable ? 0755 : 0711));
		pid_t pid = FORK();
		if (!pid) {
			OK(setresgid(1000, 1000, 1000));
			OK(setresuid(1000, 1000, 1000));
			execl("./prog", "prog", NULL);
			_exit(99);
		}
		await_sleep(pid);
		pid_t spy = FORK();
		if (!spy) {
			OK(setresgid(1000, 1000, 1000));
			OK(setresuid(1000, 1000, 1000));
			snprintf(path, sizeof(path), "/proc/%d/maps", pid);
			_exit(open(path, O_RDONLY) >= 0 ? 0 : errno);
		}
		expect_exit(spy, readable ? 0 : EACCES);
		OK(kill(pid, SIGKILL));
		wait_status(pid);
	}
}
