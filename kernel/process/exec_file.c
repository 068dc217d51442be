/* Programs as files: opening with execute permission, and keeping writers away while they run. */
#include "exec.h"
#include <core/init.h>

void exec_close(struct file *f)
{
	if (!f)
		return;
	inode_allow_write(f->inode);
	put_file(f);
}

static int may_exec(const struct path *p, const struct cred *c)
{
	struct inode *i = p->dentry->inode;

	if ((i->mode & S_IFMT) == S_IFLNK)
		return -ELOOP; /* AT_SYMLINK_NOFOLLOW */
	if ((i->mode & S_IFMT) != S_IFREG || (READ_ONCE(p->mnt->flags) & MS_NOEXEC))
		return -EACCES;
	return inode_permission(i, MAY_EXEC, c);
}

/* Referenced, writers denied. Opening needs execute permission only: the kernel reads. */
struct file *exec_open(const struct path *base, const char *name, u32 lookup_flags)
{
	struct vfs_env env = current_env();
	struct file *f;
	struct path p;
	int err = vfs_lookup(&env, base, name, lookup_flags, &p);

	if (err)
		return err_ptr(err);
	err = may_exec(&p, env.cred);
	if (!err) {
		env.cred = &g_init_cred;
		f = vfs_open_path(&env, &p, O_RDONLY | O_LARGEFILE);
		err = is_err(f) ? ptr_err(f) : 0;
	}
	put_path(&p);
	if (err)
		return err_ptr(err);
	err = inode_deny_write(f->inode);
	if (err) {
		put_file(f);
		return err_ptr(err);
	}
	return f;
}

/* Counted in /proc/PID/io as the task's own. */
ssize_t exec_read(struct file *f, void *buf, size_t n, off64_t *pos)
{
	ssize_t got = kernel_read(f, buf, n, pos);

	task_account_io(got, false);
	return got;
}

/* ---- the program of an address space ---- */

struct file *mm_get_exe_file(struct mm *mm)
{
	struct file *f;

	rwsem_read_lock(&mm->map_lock);
	f = mm->exe_file;
	if (f)
		get_file(f);
	rwsem_read_unlock(&mm->map_lock);
	return f;
}

struct file *exec_share_exe(struct mm *mm)
{
	struct file *f = mm_get_exe_file(mm);

	if (f && inode_deny_write(f->inode)) { /* cannot be: mm denies already */
		put_file(f);
		return NULL;
	}
	return f;
}

static void put_exe(void *exe_file)
{
	exec_close(exe_file);
}

static int exec_file_init(void)
{
	vm_set_exe_hook(put_exe);
	return 0;
}
INIT_HOOK(INIT_CORE, exec_file_init);
