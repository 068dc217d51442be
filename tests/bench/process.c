// SPDX-License-Identifier: MIT
/* Processes and threads from start to end. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static void fork_run(long n)
{
	while (n--) {
		pid_t pid = MUST(fork());

		if (pid == 0)
			_exit(0);
		MUST(waitpid(pid, NULL, 0));
	}
}

static void exec_loop(long n, char *const argv[])
{
	static char *const env[] = {NULL};

	while (n--) {
		int status;
		pid_t pid = MUST(vfork());

		if (pid == 0) {
			execve(argv[0], argv, env);
			_exit(126);
		}
		MUST(waitpid(pid, &status, 0));
		if (status != 0)
			cannot("%s ended with wait status 0x%x", argv[0], status);
	}
}

static void exec_asm_run(long n)
{
	exec_loop(n, (char *const[]){"/bin/true-asm", NULL});
}

static void exec_glibc_run(long n)
{
	exec_loop(n, (char *const[]){"/bin/true-glibc", NULL});
}

static void exec_busybox_run(long n)
{
	exec_loop(n, (char *const[]){"/bin/true", NULL});
}

/* Two processes and a pipe's worth of shell: what a script's line costs. */
static void shell_run(long n)
{
	static char *const argv[] = {"/bin/sh", "-c", "echo x >/dev/null; /bin/true", NULL};

	exec_loop(n, argv);
}

static void *nothing(void *arg)
{
	return arg;
}

static void thread_run(long n)
{
	while (n--) {
		pthread_t t;

		if (pthread_create(&t, NULL, nothing, NULL) != 0)
			cannot("pthread_create: %m");
		pthread_join(t, NULL);
	}
}

static const struct row rows[] = {
	{"fork_exit_wait", "ns", 50, .run = fork_run},
	{"vfork_exec_static_asm", "ns", 50, .run = exec_asm_run},
	{"vfork_exec_static_glibc", "ns", 30, .run = exec_glibc_run},
	{"vfork_exec_busybox_true", "ns", 30, .run = exec_busybox_run},
	{"sh_c_echo_true", "ns", 20, .run = shell_run},
	{"pthread_create_join", "ns", 300, .run = thread_run},
};
const struct rows process_rows = ROWS(rows);
