/* Init levels and the command line. */
#include "sections.h"
#include <arch/platform.h>
#include <core/init.h>
#include <core/log.h>
#include <lib/err.h>
#include <lib/string.h>

#define CMDLINE_MAX 4096 /* bytes with the NUL, as arch takes it from the loader */

noreturn void init_failed(const char *what, int err)
{
	u64 ram = 0;

	if (err != -ENOMEM)
		panic("%s failed: error %s", what, errno_name(err));
	for (int i = 0; i < g_boot_info.nr_ram; i++)
		ram += g_boot_info.ram[i].len;
	panic("too little memory: %llu KiB of RAM; %s failed for want of more", ram >> 10, what);
}

void init_run_level(enum init_level level)
{
	for (const struct init_hook *h = __start_init_hooks; h < __stop_init_hooks; h++) {
		int err;

		if (h->level != level)
			continue;
		err = h->fn();
		if (!err)
			continue;
		if (level <= INIT_SCHED || err == -ENOMEM)
			init_failed(h->name, err);
		log_err("init: %s failed: error %s", h->name, errno_name(err));
	}
}

/* '-' and '_' are the same in names of options. */
static bool same_name(const char *name, const char *word, size_t len)
{
	size_t i;

	for (i = 0; i < len && name[i]; i++) {
		char a = name[i] == '-' ? '_' : name[i], b = word[i] == '-' ? '_' : word[i];

		if (a != b)
			return false;
	}
	return i == len && !name[i];
}

bool init_option_known(const char *name, size_t len)
{
	for (const struct init_option *o = __start_init_options; o < __stop_init_options; o++)
		if (same_name(o->name, name, len))
			return true;
	return false;
}

char *init_split_word(char *word)
{
	char *from = word, *to = word;
	bool quoted = false;

	while (*from && (quoted || (*from != ' ' && *from != '\t' && *from != '\n'))) {
		if (*from == '"')
			quoted = !quoted;
		else
			*to++ = *from;
		from++;
	}
	while (*from == ' ' || *from == '\t' || *from == '\n')
		from++;
	/* to < from unless the text ended here without a separator. */
	if (!*from) {
		*to = '\0';
		return NULL;
	}
	*to = '\0';
	return from;
}

static void take_option(char *word)
{
	char *eq = strchr(word, '=');
	size_t len = eq ? (size_t)(eq - word) : strlen(word);

	for (const struct init_option *o = __start_init_options; o < __stop_init_options; o++) {
		if (!same_name(o->name, word, len))
			continue;
		if (o->fn(eq ? eq + 1 : ""))
			log_err("command line: bad value: %s", word);
	}
}

void init_parse_options(const char *cmdline)
{
	static char copy[CMDLINE_MAX]; /* at start-up only, once */

	if (str_copy(copy, cmdline, sizeof(copy)) < 0)
		log_err("command line: only the first %zu bytes count", sizeof(copy) - 1);
	for (char *w = copy + strspn(copy, " \t\n"), *next; w && *w; w = next) {
		next = init_split_word(w);
		if (strcmp(w, "--") == 0)
			break;
		take_option(w);
	}
}
