/* Addresses as names, and backtraces. */
#include <arch/platform.h>
#include <arch/thread.h>
#include <core/log.h>
#include <core/symbols.h>
#include <lib/printf.h>

#define MAX_FRAMES   24
#define NAME_MAX_LEN 64

const char *sym_format(unsigned long addr, char *buf, size_t size)
{
	unsigned long offset, length;
	char name[NAME_MAX_LEN];

	if (arch_symbol(addr, name, sizeof(name), &offset, &length))
		kscnprintf(buf, size, "%s+%#lx/%#lx", name, offset, length);
	else
		kscnprintf(buf, size, "%#lx", addr);
	return buf;
}

void log_addresses(int level, const unsigned long *at, int n)
{
	char name[NAME_MAX_LEN + 40];

	for (int i = 0; i < n; i++) /* the instruction before the return address is the call */
		log_print(level, "  [%016lx] %s", at[i], sym_format(at[i] - 1, name, sizeof(name)));
}

void log_backtrace(int level, unsigned long fp)
{
	unsigned long at[MAX_FRAMES];

	log_addresses(level, at, arch_backtrace(fp, at, MAX_FRAMES));
}
