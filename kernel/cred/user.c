/* Accounts of users: found by uid, alive while referenced. */
#include <core/spinlock.h>
#include <cred/cred.h>
#include <kmem/slab.h>
#include <lib/string.h>

#define NR_BUCKETS 64

static DEFINE_SPINLOCK(g_users_lock, RANK_TASK);
static struct hlist_head g_users[NR_BUCKETS]; /* g_users_lock */

/* Root's is always there and not in the table. */
struct user_account g_root_account = {.refs = REFCOUNT_INIT(1)};

static struct user_account *find_locked(kuid_t uid)
{
	struct user_account *u;

	spin_assert_held(&g_users_lock);
	hlist_for_each_entry(u, &g_users[uid % NR_BUCKETS], link)
		if (u->uid == uid)
			return u;
	return NULL;
}

struct user_account *user_find(kuid_t uid)
{
	struct user_account *u, *new;

	if (uid == 0) {
		get_user_account(&g_root_account);
		return &g_root_account;
	}
	new = kzalloc(sizeof(*new), GFP_KERNEL);
	if (!new)
		return NULL;
	new->uid = uid;
	ref_init(&new->refs, 1);
	spin_lock_irq(&g_users_lock);
	u = find_locked(uid);
	if (u)
		get_user_account(u); /* in the table: put_user_account didn't reach 0 */
	else
		hlist_add_head(&new->link, &g_users[uid % NR_BUCKETS]);
	spin_unlock_irq(&g_users_lock);
	if (!u)
		return new;
	kfree(new);
	return u;
}

void put_user_account(struct user_account *u)
{
	unsigned long flags;
	bool last;

	/* Not the last one: without the lock. */
	for (u32 n = ref_read(&u->refs); n > 1;)
		if (try_cmpxchg(&u->refs.n, &n, n - 1))
			return;
	flags = spin_lock_irqsave(&g_users_lock); /* put under siglock too */
	last = ref_put(&u->refs);
	if (last)
		hlist_del(&u->link);
	spin_unlock_irqrestore(&g_users_lock, flags);
	if (last)
		kfree(u);
}
