/* The system's names. */
#include <core/spinlock.h>
#include <lib/string.h>
#include <process/uts.h>

static DEFINE_SPINLOCK(g_uts_lock, RANK_TASK);
static struct new_utsname g_uts = {
	/* g_uts_lock */
	.sysname = "Linux",
	.nodename = "(none)",
	.release = UTS_RELEASE,
	.version = UTS_VERSION,
	.machine = "x86_64",
	.domainname = "(none)",
};

void uts_get(struct new_utsname *u)
{
	spin_lock(&g_uts_lock);
	*u = g_uts;
	spin_unlock(&g_uts_lock);
}

static void set_name(char *field, const char *name, size_t len)
{
	spin_lock(&g_uts_lock);
	memset(field, 0, __NEW_UTS_LEN + 1);
	memcpy(field, name, min_t(size_t, len, __NEW_UTS_LEN));
	spin_unlock(&g_uts_lock);
}

void uts_set_nodename(const char *name, size_t len)
{
	set_name(g_uts.nodename, name, len);
}

void uts_set_domainname(const char *name, size_t len)
{
	set_name(g_uts.domainname, name, len);
}
