/* Kernel symbols for backtraces: the table is made by tools/gen/symtab.py at link time. */
#ifndef CORE_SYMBOLS_H
#define CORE_SYMBOLS_H

/* "name+0x12/0x80" into buf; "0x..." when unknown. Returns buf. Any context. */
const char *sym_format(unsigned long addr, char *buf, size_t size);
void log_addresses(int level, const unsigned long *at, int n); /* return addresses, by name */
void log_backtrace(int level, unsigned long fp);               /* 0: of the caller */
static inline void log_backtrace_here(void)
{
	log_backtrace(3, 0);
}

#endif
