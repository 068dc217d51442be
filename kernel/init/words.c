/*
 * What the kernel doesn't know on the command line is for init, as on Linux: "name=value" goes to
 * its environment, where a later value replaces an earlier one, other words become arguments.
 * init= and rdinit= forget the arguments before them. Behind "--" all words are arguments.
 */
#include <arch/platform.h>
#include <core/init.h>
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/err.h>
#include <lib/printf.h>
#include <lib/seq_buf.h>
#include <lib/string.h>
#include "words.h"

#define MAX_WORDS 32 /* Linux's MAX_INIT_ARGS and MAX_INIT_ENVS */
#define NR_GIVEN  2  /* of g_init_envp */

const char *g_init_argv[MAX_WORDS + 2];
const char *g_init_envp[MAX_WORDS + NR_GIVEN + 1] = {"HOME=/", "TERM=linux"};

static void add_argument(const char *word)
{
	for (int i = 1; i <= MAX_WORDS; i++) {
		if (!g_init_argv[i]) {
			g_init_argv[i] = word;
			return;
		}
	}
	panic("too many words for init on the command line, from \"%s\"", word);
}

static void add_variable(const char *word, size_t name_len)
{
	for (int i = 0; i < MAX_WORDS + NR_GIVEN; i++) {
		if (!g_init_envp[i] || strncmp(g_init_envp[i], word, name_len + 1) == 0) {
			g_init_envp[i] = word;
			return;
		}
	}
	panic("too many variables for init on the command line, from \"%s\"", word);
}

static void add_word(const char *word)
{
	const char *eq = strchr(word, '=');
	size_t len = eq ? (size_t)(eq - word) : strlen(word);

	if (str_has_prefix(word, "init=") || str_has_prefix(word, "rdinit=")) {
		memset(g_init_argv, 0, sizeof(g_init_argv));
		return;
	}
	if (init_option_known(word, len) || memchr(word, '.', len))
		return; /* with a point: a module's parameter */
	if (eq)
		add_variable(word, len);
	else
		add_argument(word);
}

static void report(void)
{
	static char text[512]; /* once */
	struct seq_buf s = {.buf = text, .size = sizeof(text)};

	for (int i = 1; g_init_argv[i]; i++)
		seq_printf(&s, " %s", g_init_argv[i]);
	for (int i = NR_GIVEN; g_init_envp[i]; i++)
		seq_printf(&s, " %s", g_init_envp[i]);
	if (s.len)
		log_print(LOG_NOTICE,
			"Unknown kernel command line parameters \"%.*s\", will be passed to user space.",
			(int)s.len - 1, text + 1);
}

int init_words_collect(void)
{
	char *words = kstrdup(g_boot_info.cmdline, GFP_KERNEL);
	bool rest = false;

	if (!words)
		return -ENOMEM;
	for (char *w = words + strspn(words, " \t\n"), *next; w && *w; w = next) {
		next = init_split_word(w);
		if (rest) {
			add_argument(w);
		} else if (strcmp(w, "--") == 0) {
			report();
			rest = true;
		} else {
			add_word(w);
		}
	}
	if (!rest)
		report();
	return 0; /* the copy stays: argv and envp point into it */
}
