/* The mounts of a namespace as text: /proc/PID/mounts, mountinfo, mountstats. */
#include <kmem/slab.h>
#include <lib/seq_buf.h>
#include <lib/string.h>
#include "internal.h"

#define ESCAPED " \t\n\\" /* fields are separated by spaces */

static void show_flags(struct seq_buf *s, u32 flags)
{
	static const struct {
		u32 bit;
		const char *text;
	} names[] = {{MS_NOSUID, ",nosuid"}, {MS_NODEV, ",nodev"}, {MS_NOEXEC, ",noexec"},
		{MS_NOATIME, ",noatime"}, {MS_NODIRATIME, ",nodiratime"},
		{MS_RELATIME, ",relatime"}};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (flags & names[i].bit)
			seq_puts(s, names[i].text);
}

static void show_super_flags(struct seq_buf *s, u32 flags)
{
	if (flags & MS_SYNCHRONOUS)
		seq_puts(s, ",sync");
	if (flags & MS_DIRSYNC)
		seq_puts(s, ",dirsync");
	if (flags & MS_LAZYTIME)
		seq_puts(s, ",lazytime");
}

static void show_one(
	struct seq_buf *s, struct mount *m, const struct path *root, int style, char *buf)
{
	struct path p = {m, m->root}, in_fs = {m, m->root};
	char *where = path_format(&p, root, buf, PATH_MAX), *sub;
	bool ro = (m->flags | m->super->flags) & MS_RDONLY;

	if (is_err(where) || str_has_prefix(where, "(unreachable)"))
		return;
	if (style == 1) {
		seq_printf(s, "%u %u %u:%u ", m->id, m->parent ? m->parent->id : m->id,
			dev_major(m->super->dev), dev_minor(m->super->dev));
		sub = dentry_format(in_fs.dentry, buf + PATH_MAX, PATH_MAX);
		seq_escape(s, is_err(sub) ? "/" : sub, ESCAPED);
		seq_putc(s, ' ');
		seq_escape(s, where, ESCAPED);
		seq_puts(s, m->flags & MS_RDONLY ? " ro" : " rw");
		show_flags(s, m->flags);
		if (m->peer_group)
			seq_printf(s, " shared:%u", m->peer_group);
		if (m->master_group)
			seq_printf(s, " master:%u", m->master_group);
		if (m->unbindable)
			seq_puts(s, " unbindable");
		seq_printf(s, " - %s ", m->super->type->name);
		seq_escape(s, m->source, ESCAPED "#");
		seq_puts(s, m->super->flags & MS_RDONLY ? " ro" : " rw");
		show_super_flags(s, m->super->flags);
	} else if (style == 2) {
		seq_puts(s, "device ");
		seq_escape(s, m->source, ESCAPED "#");
		seq_puts(s, " mounted on ");
		seq_escape(s, where, ESCAPED);
		seq_printf(s, " with fstype %s\n", m->super->type->name);
		return;
	} else {
		seq_escape(s, m->source, ESCAPED "#");
		seq_putc(s, ' ');
		seq_escape(s, where, ESCAPED);
		seq_printf(s, " %s %s", m->super->type->name, ro ? "ro" : "rw");
		show_super_flags(s, m->super->flags);
		show_flags(s, m->flags);
	}
	if (m->super->ops->show_options)
		m->super->ops->show_options(s, m->super);
	seq_puts(s, style == 0 ? " 0 0\n" : "\n");
}

void mounts_show(struct seq_buf *s, struct mount_ns *ns, const struct path *root, int style)
{
	char *buf = kmalloc(2 * PATH_MAX, GFP_KERNEL);
	struct mount *m;
	u64 nr = 0; /* places count mounts */

	if (!buf) {
		s->overflow = true;
		return;
	}
	rwsem_read_lock(&g_namespace_lock);
	list_for_each_entry(m, &ns->mounts, ns_link) {
		if (nr++ < s->at)
			continue;
		show_one(s, m, root, style, buf);
		if (seq_pause(s, nr))
			break;
	}
	rwsem_read_unlock(&g_namespace_lock);
	kfree(buf);
}
