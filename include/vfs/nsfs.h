/* The namespaces as files (namespaces(7)): one of each kind. */
#ifndef VFS_NSFS_H
#define VFS_NSFS_H

enum ns_kind { NS_CGROUP, NS_IPC, NS_MNT, NS_NET, NS_PID, NS_TIME, NS_USER, NS_UTS, NR_NS_KINDS };

struct path;
/* The file that stands for it, referenced; opening it gives what setns(2) would take. */
void ns_path(enum ns_kind k, struct path *out);

#endif
