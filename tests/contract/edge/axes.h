/* SPDX-License-Identifier: MIT */
/* The axes of the tables, and bits that name their values in the answers. */
#pragma once
#include "edge.h"

extern const struct edge_axis g_edge_none[1];

/* Kinds of open files. */
enum {
	ON_FILE = 1 << 0,
	ON_FILE_RO = 1 << 1,
	ON_FILE_WO = 1 << 2,
	ON_DIR = 1 << 3,
	ON_PATH = 1 << 4,
	ON_PATH_DIR = 1 << 5,
	ON_PIPE_R = 1 << 6,
	ON_PIPE_W = 1 << 7,
	ON_EVENT = 1 << 8,
	ON_TIMER = 1 << 9,
	ON_SIGNAL = 1 << 10,
	ON_EPOLL = 1 << 11,
	ON_INOTIFY = 1 << 12,
	ON_PIDFD = 1 << 13,
	ON_MEMFD = 1 << 14,
	ON_SOCK = 1 << 15,
	ON_LISTEN = 1 << 16,
	ON_NULL = 1 << 17,
	ON_MASTER = 1 << 18,
	ON_SLAVE = 1 << 19,
	ON_PROC = 1 << 20,
	ON_CLOSED = 1 << 21,
};
extern const struct edge_axis g_edge_files[22];

/* Pointers. */
enum {
	P_NULL = 1 << 0,
	P_LOW = 1 << 1,
	P_KERNEL = 1 << 2,
	P_HOLE = 1 << 3,
	P_RO = 1 << 4,
	P_END = 1 << 5,
	P_GOOD = 1 << 6,
};
extern const struct edge_axis g_edge_pointers[7];

/* Paths. UNENDED has no end before the memory ends. */
enum {
	NAME_NULL = 1 << 0,
	NAME_BAD = 1 << 1,
	NAME_EMPTY = 1 << 2,
	NAME_MISSING = 1 << 3,
	NAME_IN_MISSING = 1 << 4,
	NAME_IN_FILE = 1 << 5,
	NAME_FILE_SLASH = 1 << 6,
	NAME_FILE = 1 << 7,
	NAME_SUB = 1 << 8,
	NAME_FULL_DIR = 1 << 9,
	NAME_SYMLINK = 1 << 10,
	NAME_DANGLING = 1 << 11,
	NAME_LOOP = 1 << 12,
	NAME_DOT = 1 << 13,
	NAME_DOTDOT = 1 << 14,
	NAME_SLASH = 1 << 15,
	NAME_LONG_NAME = 1 << 16,
	NAME_LONG_PATH = 1 << 17,
	NAME_MISSING_SLASH = 1 << 18,
	NAME_DIR_DOT = 1 << 19,
	NAME_UNENDED = 1 << 20,
};
extern const struct edge_axis g_edge_names[21];
