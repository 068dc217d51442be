/*
 * Credentials: immutable once published, shared by reference, replaced as a whole
 * (cred_prepare, change the copy, cred_commit by the own thread).
 */
#ifndef CRED_CRED_H
#define CRED_CRED_H

#include <core/refcount.h>
#include <core/rcu.h>
#include <lib/list.h>
#include <linux/capability.h>
#include <linux/resource.h>
#include <linux/securebits.h>

struct user_account { /* per real uid: counts against limits */
	struct refcount refs;
	kuid_t uid;
	s32 processes;     /* atomic: RLIMIT_NPROC */
	s32 sigpending;    /* atomic: RLIMIT_SIGPENDING */
	s64 locked_pages;  /* atomic */
	s64 pipe_pages;    /* atomic */
	s64 unix_inflight; /* atomic: descriptors in messages of AF_UNIX */
	u64 mq_bytes;      /* atomic: RLIMIT_MSGQUEUE */
	s32 inotify_instances, inotify_watches, epoll_watches; /* atomic */
	struct hlist_node link;                                /* table of accounts; its lock */
};

struct group_list {
	struct refcount refs;
	int count; /* 0..65536, sorted ascending */
	kgid_t gid[];
};

#define CAP_FULL_SET ((1ull << (CAP_LAST_CAP + 1)) - 1)

struct cred {
	struct refcount refs;
	struct rcu_head rcu;
	kuid_t uid, euid, suid, fsuid;
	kgid_t gid, egid, sgid, fsgid;
	u64 cap_inheritable, cap_permitted, cap_effective, cap_bset, cap_ambient;
	u32 securebits;
	struct group_list *groups;
	struct user_account *user; /* of uid */
};

extern struct cred g_init_cred;        /* root, all capabilities */
const struct cred *current_cred(void); /* stable while the caller doesn't change it */
const struct cred *get_cred(const struct cred *c);
void put_cred(const struct cred *c);
struct cred *cred_prepare(const struct cred *old) must_check; /* NULL: no memory */
void cred_commit(struct cred *new); /* current thread; consumes the reference; old one is put */
/* The same without putting the old one, which is returned, and without the hook: for exec. */
const struct cred *cred_replace(struct cred *new) must_check;
/* Called by cred_commit before the new ones can be seen; set once at start-up. */
void cred_set_commit_hook(void (*fn)(const struct cred *old, const struct cred *new));
void cred_abort(struct cred *new);

/* The one decision on capabilities (a user namespace argument comes with namespaces). */
bool cred_capable(const struct cred *c, int cap) must_check;
static inline bool must_check capable(int cap)
{
	return cred_capable(current_cred(), cap);
}
bool cred_in_group(const struct cred *c, kgid_t gid) must_check;  /* fsgid or supplementary */
bool cred_in_egroup(const struct cred *c, kgid_t gid) must_check; /* egid or supplementary */

struct group_list *groups_alloc(int count) must_check; /* NULL: no memory */
void groups_sort(struct group_list *g);
void put_groups(struct group_list *g);
struct user_account *user_find(kuid_t uid) must_check; /* with reference; NULL: no memory */
static inline void get_user_account(struct user_account *u)
{
	ref_get(&u->refs);
}
void put_user_account(struct user_account *u);
extern struct user_account g_root_account;

/*
 * Changes of the current thread's credentials with the rules of setuid(2) and relatives and
 * capabilities(7). ID_KEEP (-1): leave that id. -EPERM -EINVAL -ENOMEM, -EAGAIN (no account).
 */
#define ID_KEEP ((u32)-1)
int cred_set_uid(kuid_t uid) must_check;
int cred_set_reuid(kuid_t ruid, kuid_t euid) must_check;
int cred_set_resuid(kuid_t ruid, kuid_t euid, kuid_t suid) must_check;
kuid_t cred_set_fsuid(kuid_t uid); /* the previous one, also when it wasn't allowed */
int cred_set_gid(kgid_t gid) must_check;
int cred_set_regid(kgid_t rgid, kgid_t egid) must_check;
int cred_set_resgid(kgid_t rgid, kgid_t egid, kgid_t sgid) must_check;
kgid_t cred_set_fsgid(kgid_t gid);
int cred_set_groups(struct group_list *g) must_check; /* sorted; consumed on success */
int cred_set_caps(u64 effective, u64 permitted, u64 inheritable) must_check;

/* Resource limits of a process: struct rlimit64 pairs, read without locks. */
struct limits {
	struct rlimit64 lim[RLIM_NLIMITS]; /* process->limits_lock to write; each word atomic */
};
extern const struct limits g_default_limits;

#endif
