/* SPDX-License-Identifier: MIT */
/* A setting of /proc/sys for the time of a test. */
#pragma once

#include "contract.h"

/* Run fn in a child with the setting; the old value comes back whatever happens. */
static inline void with(const char *setting, const char *value, void (*fn)(void))
{
	char path[128], was[128];
	pid_t pid;
	int st;

	snprintf(path, sizeof(path), "/proc/sys/%s", setting);
	snprintf(was, sizeof(was), "%s", read_text(path));
	write_file(path, value);
	pid = FORK();
	if (!pid) {
		fn();
		_exit(0);
	}
	st = wait_status(pid);
	write_file(path, was);
	CHECK_EQ(st, 0);
}
