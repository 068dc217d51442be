/* Credentials: life cycle, questions, groups. */
#include <cred/cred.h>
#include <kmem/slab.h>
#include <lib/string.h>
#include <sched/thread.h>

static SLAB_CACHE(g_cred_cache, struct cred);
static struct group_list g_no_groups = {.refs = REFCOUNT_INIT(1)};

struct cred g_init_cred = {
	.refs = REFCOUNT_INIT(1), /* never freed */
	.cap_permitted = CAP_FULL_SET,
	.cap_effective = CAP_FULL_SET,
	.cap_bset = CAP_FULL_SET,
	.groups = &g_no_groups,
	.user = &g_root_account,
};

#define LIM(cur, max)        \
	{                    \
		(cur), (max) \
	}
#define UNLIMITED     LIM(RLIM64_INFINITY, RLIM64_INFINITY)
#define TASKS_DEFAULT 4096 /* RLIMIT_NPROC, RLIMIT_SIGPENDING */

const struct limits g_default_limits = {
	.lim = {
		[RLIMIT_CPU] = UNLIMITED,
		[RLIMIT_FSIZE] = UNLIMITED,
		[RLIMIT_DATA] = UNLIMITED,
		[RLIMIT_STACK] = LIM(MiB(8), RLIM64_INFINITY),
		[RLIMIT_CORE] = LIM(0, RLIM64_INFINITY),
		[RLIMIT_RSS] = UNLIMITED,
		[RLIMIT_NPROC] = LIM(TASKS_DEFAULT, TASKS_DEFAULT),
		[RLIMIT_NOFILE] = LIM(1024, 4096),
		[RLIMIT_MEMLOCK] = LIM(MiB(8), MiB(8)),
		[RLIMIT_AS] = UNLIMITED,
		[RLIMIT_LOCKS] = UNLIMITED,
		[RLIMIT_SIGPENDING] = LIM(TASKS_DEFAULT, TASKS_DEFAULT),
		[RLIMIT_MSGQUEUE] = LIM(819200, 819200),
		[RLIMIT_RTTIME] = UNLIMITED,
	}};

const struct cred *current_cred(void)
{
	const struct cred *c = current_thread()->cred;

	return c ? c : &g_init_cred;
}

const struct cred *get_cred(const struct cred *c)
{
	ref_get(&((struct cred *)c)->refs);
	return c;
}

static void cred_free(struct cred *c)
{
	put_groups(c->groups);
	put_user_account(c->user);
	slab_free(&g_cred_cache, c);
}

static void cred_free_rcu(struct rcu_head *head)
{
	cred_free(container_of(head, struct cred, rcu));
}

void put_cred(const struct cred *c)
{
	struct cred *mine = (struct cred *)c;

	if (ref_put(&mine->refs))
		rcu_call(&mine->rcu, cred_free_rcu);
}

struct cred *cred_prepare(const struct cred *old)
{
	struct cred *c = slab_alloc(&g_cred_cache, GFP_KERNEL);

	if (!c)
		return NULL;
	*c = *old;
	ref_init(&c->refs, 1);
	ref_get(&c->groups->refs);
	get_user_account(c->user);
	return c;
}

static void (*g_commit_hook)(const struct cred *old, const struct cred *new);

void cred_set_commit_hook(void (*fn)(const struct cred *old, const struct cred *new))
{
	g_commit_hook = fn;
}

const struct cred *cred_replace(struct cred *new)
{
	const struct cred *old = current_cred();

	rcu_publish(current_thread()->cred, new);
	return old;
}

void cred_commit(struct cred *new)
{
	if (g_commit_hook)
		g_commit_hook(current_cred(), new);
	put_cred(cred_replace(new));
}

void cred_abort(struct cred *new)
{
	cred_free(new); /* never published */
}

bool cred_capable(const struct cred *c, int cap)
{
	return (c->cap_effective >> cap) & 1;
}

static bool in_list(const struct group_list *g, kgid_t gid)
{
	int lo = 0, hi = g->count - 1;

	while (lo <= hi) {
		int mid = (lo + hi) / 2;

		if (g->gid[mid] == gid)
			return true;
		if (g->gid[mid] < gid)
			lo = mid + 1;
		else
			hi = mid - 1;
	}
	return false;
}

bool cred_in_group(const struct cred *c, kgid_t gid)
{
	return c->fsgid == gid || in_list(c->groups, gid);
}

bool cred_in_egroup(const struct cred *c, kgid_t gid)
{
	return c->egid == gid || in_list(c->groups, gid);
}

struct group_list *groups_alloc(int count)
{
	struct group_list *g = kvmalloc(sizeof(*g) + (size_t)count * sizeof(g->gid[0]), GFP_KERNEL);

	if (!g)
		return NULL;
	ref_init(&g->refs, 1);
	g->count = count;
	return g;
}

static void sift_down(kgid_t *a, int root, int count)
{
	for (int child; (child = 2 * root + 1) < count; root = child) {
		if (child + 1 < count && a[child] < a[child + 1])
			child++;
		if (a[root] >= a[child])
			return;
		swap(a[root], a[child]);
	}
}

/* Heap sort: at most 65536 entries, no recursion. */
void groups_sort(struct group_list *g)
{
	for (int i = g->count / 2 - 1; i >= 0; i--)
		sift_down(g->gid, i, g->count);
	for (int n = g->count - 1; n > 0; n--) {
		swap(g->gid[0], g->gid[n]);
		sift_down(g->gid, 0, n);
	}
}

void put_groups(struct group_list *g)
{
	if (ref_put(&g->refs))
		kvfree(g);
}
