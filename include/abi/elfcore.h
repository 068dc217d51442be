/* Notes of ELF core files on x86_64 (System V ABI; layouts as debuggers read them). */
#ifndef ABI_ELFCORE_H
#define ABI_ELFCORE_H

#define CORE_NR_REGS 27

struct core_prstatus {
	s32 signo, code, err;
	s16 cursig;
	u64 sigpend, sighold;
	s32 pid, ppid, pgrp, sid;
	s64 utime[2], stime[2], cutime[2], cstime[2]; /* seconds, microseconds */
	u64 regs[CORE_NR_REGS];
	s32 fpvalid;
};
static_assert(sizeof(struct core_prstatus) == 336, "elf_prstatus");
static_assert(offsetof(struct core_prstatus, regs) == 112, "elf_prstatus.pr_reg");

struct core_prpsinfo {
	char state, sname, zomb, nice;
	u64 flags;
	u32 uid, gid;
	s32 pid, ppid, pgrp, sid;
	char fname[16];
	char args[80];
};
static_assert(sizeof(struct core_prpsinfo) == 136, "elf_prpsinfo");

#endif
