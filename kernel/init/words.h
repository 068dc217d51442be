/* What the command line holds for init. */
#ifndef INIT_WORDS_H
#define INIT_WORDS_H

extern const char *g_init_argv[]; /* [0] is for whoever starts it; start-up only */
extern const char *g_init_envp[];

/* Fills both from the command line: 0 or -ENOMEM. Words that are too many panic, as on Linux. */
int init_words_collect(void) must_check;

#endif
