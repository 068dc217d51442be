/* SPDX-License-Identifier: MIT */
/* The axes of the tables. */
#include "axes.h"

#define S(text) ((long)(text))

const struct edge_axis g_edge_none[1] = {{"", 0}};

const struct edge_axis g_edge_files[22] = {
	{"file", FILE_FD},
	{"read-only file", FILE_RO},
	{"write-only file", FILE_WO},
	{"directory", DIR_FD},
	{"O_PATH file", PATH_FD},
	{"O_PATH directory", PATH_DIR},
	{"pipe's read end", PIPE_R},
	{"pipe's write end", PIPE_W},
	{"eventfd", EVENT_FD},
	{"timerfd", TIMER_FD},
	{"signalfd", SIGNAL_FD},
	{"epoll", EPOLL_FD},
	{"inotify", INOTIFY_FD},
	{"pidfd", PID_FD},
	{"memfd", MEM_FD},
	{"socket", SOCK_FD},
	{"listening socket", LISTEN_FD},
	{"/dev/null", NULL_FD},
	{"pty master", MASTER_FD},
	{"pty slave", SLAVE_FD},
	{"/proc file", PROC_FD},
	{"closed", CLOSED_FD},
};

const struct edge_axis g_edge_pointers[7] = {
	{"NULL", 0},
	{"low", BAD},
	{"kernel", KERNEL},
	{"hole", HOLE},
	{"read-only page", RO_PAGE},
	{"end of a mapping", LAST_BYTE},
	{"good", BUF},
};

const struct edge_axis g_edge_names[21] = {
	{"NULL", 0},
	{"bad", BAD},
	{"empty", S("")},
	{"missing", S("nope")},
	{"in missing", S("nope/x")},
	{"in file", S("file/x")},
	{"file and slash", S("file/")},
	{"file", S("file")},
	{"directory", S("sub")},
	{"full directory", S("full")},
	{"link", S("link")},
	{"dangling", S("dangling")},
	{"loop", S("loop")},
	{"dot", S(".")},
	{"dotdot", S("..")},
	{"root", S("/")},
	{"long name", A(long_name)},
	{"long path", A(long_path)},
	{"missing and slash", S("nope/")},
	{"dot in dir", S("sub/.")},
	{"unended", LAST_BYTE},
};
