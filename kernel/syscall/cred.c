/* User and group ids, supplementary groups, capabilities. The rules are kernel/cred's. */
#include <kmem/slab.h>
#include <process/task.h>
#include <syscall/syscall.h>

#define NGROUPS_MAX 65536

long sys_getuid(void)
{
	return current_cred()->uid;
}

long sys_geteuid(void)
{
	return current_cred()->euid;
}

long sys_getgid(void)
{
	return current_cred()->gid;
}

long sys_getegid(void)
{
	return current_cred()->egid;
}

static long get_ids(u32 r, u32 e, u32 s, u32 __user *ur, u32 __user *ue, u32 __user *us)
{
	return put_user(r, ur) || put_user(e, ue) || put_user(s, us) ? -EFAULT : 0;
}

long sys_getresuid(u32 __user *ruid, u32 __user *euid, u32 __user *suid)
{
	const struct cred *c = current_cred();

	return get_ids(c->uid, c->euid, c->suid, ruid, euid, suid);
}

long sys_getresgid(u32 __user *rgid, u32 __user *egid, u32 __user *sgid)
{
	const struct cred *c = current_cred();

	return get_ids(c->gid, c->egid, c->sgid, rgid, egid, sgid);
}

/* Run a change and let the process level know what it means for the task. */
#define CHANGE(call)                                        \
	({                                                  \
		long r = (call);                            \
		if (!r)                                     \
			task_creds_changed(current_cred()); \
		r;                                          \
	})

long sys_setuid(kuid_t uid)
{
	return CHANGE(cred_set_uid(uid));
}

long sys_setreuid(kuid_t ruid, kuid_t euid)
{
	return CHANGE(cred_set_reuid(ruid, euid));
}

long sys_setresuid(kuid_t ruid, kuid_t euid, kuid_t suid)
{
	return CHANGE(cred_set_resuid(ruid, euid, suid));
}

long sys_setgid(kgid_t gid)
{
	return CHANGE(cred_set_gid(gid));
}

long sys_setregid(kgid_t rgid, kgid_t egid)
{
	return CHANGE(cred_set_regid(rgid, egid));
}

long sys_setresgid(kgid_t rgid, kgid_t egid, kgid_t sgid)
{
	return CHANGE(cred_set_resgid(rgid, egid, sgid));
}

long sys_setfsuid(kuid_t uid)
{
	long was = cred_set_fsuid(uid);

	task_creds_changed(current_cred());
	return was;
}

long sys_setfsgid(kgid_t gid)
{
	long was = cred_set_fsgid(gid);

	task_creds_changed(current_cred());
	return was;
}

long sys_getgroups(int size, void __user *list)
{
	const struct group_list *g = current_cred()->groups;

	if (size < 0)
		return -EINVAL;
	if (!size)
		return g->count;
	if (size < g->count)
		return -EINVAL;
	if (copy_to_user(list, g->gid, (size_t)g->count * sizeof(g->gid[0])))
		return -EFAULT;
	return g->count;
}

long sys_setgroups(int size, void __user *list)
{
	struct group_list *g;
	int err;

	if (!capable(CAP_SETGID))
		return -EPERM;
	if ((unsigned int)size > NGROUPS_MAX)
		return -EINVAL;
	g = groups_alloc(size);
	if (!g)
		return -ENOMEM;
	err = copy_from_user(g->gid, list, (size_t)size * sizeof(g->gid[0]));
	if (!err) {
		groups_sort(g);
		err = cred_set_groups(g);
	}
	if (err)
		put_groups(g);
	return err;
}

/* ---- capabilities -------------------------------------------------------------------------------
 */

/* The number of 32-bit words of a version, or -EINVAL with our version written back. */
static int cap_words(struct __user_cap_header_struct __user *header)
{
	u32 version;

	if (get_user(version, &header->version))
		return -EFAULT;
	switch (version) {
	case _LINUX_CAPABILITY_VERSION_1:
		return _LINUX_CAPABILITY_U32S_1;
	case _LINUX_CAPABILITY_VERSION_2:
	case _LINUX_CAPABILITY_VERSION_3:
		return _LINUX_CAPABILITY_U32S_3;
	default:
		if (put_user((u32)_LINUX_CAPABILITY_VERSION_3, &header->version))
			return -EFAULT;
		return -EINVAL;
	}
}

long sys_capget(void __user *header, void __user *data)
{
	struct __user_cap_data_struct out[_LINUX_CAPABILITY_U32S_3] = {};
	struct __user_cap_header_struct __user *h = header;
	const struct cred *c;
	struct task *t = NULL;
	int words = cap_words(h), pid;

	if (words < 0)
		return words == -EINVAL && !data ? 0 : words;
	if (!data)
		return 0;
	if (get_user(pid, &h->pid))
		return -EFAULT;
	if (pid < 0)
		return -EINVAL;
	if (pid && pid != task_tid(current_task())) {
		t = task_find(pid);
		if (!t)
			return -ESRCH;
	}
	c = t ? task_get_cred(t) : get_cred(current_cred());
	for (int i = 0; i < words; i++) {
		out[i].effective = (u32)(c->cap_effective >> (32 * i));
		out[i].permitted = (u32)(c->cap_permitted >> (32 * i));
		out[i].inheritable = (u32)(c->cap_inheritable >> (32 * i));
	}
	put_cred(c);
	if (t)
		put_task(t);
	return copy_to_user(data, out, (size_t)words * sizeof(out[0]));
}

long sys_capset(void __user *header, const void __user *data)
{
	struct __user_cap_data_struct in[_LINUX_CAPABILITY_U32S_3] = {};
	struct __user_cap_header_struct __user *h = header;
	u64 e = 0, p = 0, i = 0;
	int words = cap_words(h), pid;

	if (words < 0)
		return words;
	if (get_user(pid, &h->pid))
		return -EFAULT;
	if (pid && pid != task_tid(current_task()))
		return -EPERM;
	if (copy_from_user(in, data, (size_t)words * sizeof(in[0])))
		return -EFAULT;
	for (int k = 0; k < words; k++) {
		e |= (u64)in[k].effective << (32 * k);
		p |= (u64)in[k].permitted << (32 * k);
		i |= (u64)in[k].inheritable << (32 * k);
	}
	return CHANGE(cred_set_caps(e, p, i));
}
