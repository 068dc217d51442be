/* Message queues: making, describing, removing. */
#include "msg.h"
#include <core/init.h>
#include <kmem/slab.h>

int g_msg_max = MSGMAX, g_msg_mnb = MSGMNB, g_msg_mni = MSGMNI;
struct ipc_table g_msg_table;

static void queue_free(struct ipc_object *o)
{
	struct msg_queue *q = msg_of(o);
	struct message *m, *n;

	list_for_each_entry_safe(m, n, &q->messages, link)
		put_message(m);
	rcu_kfree(q, ipc.rcu);
}

static struct ipc_object *make_queue(s32 key, const struct ipc_maker *m)
{
	struct msg_queue *q = kzalloc(sizeof(*q), GFP_KERNEL);

	if (!q)
		return err_ptr(-ENOMEM);
	ipc_init(&q->ipc, key, m->flags);
	q->ctime = ipc_now();
	q->max_bytes = (u64)READ_ONCE(g_msg_mnb);
	list_init(&q->messages);
	list_init(&q->receivers);
	list_init(&q->senders);
	return &q->ipc;
}

long msg_get(s32 key, int flags)
{
	const struct ipc_maker m = {.flags = flags, .make = make_queue};

	return ipc_get(&g_msg_table, key, &m);
}

static void fill(struct msg_queue *q, struct msqid64_ds *ds)
{
	*ds = (struct msqid64_ds){
		.msg_stime = q->stime,
		.msg_rtime = q->rtime,
		.msg_ctime = q->ctime,
		.msg_cbytes = q->bytes,
		.msg_qnum = q->count,
		.msg_qbytes = q->max_bytes,
		.msg_lspid = q->lspid,
		.msg_lrpid = q->lrpid,
	};
	ipc_fill_perm(&q->ipc, &ds->msg_perm);
}

long msg_stat(s32 id, enum sysv_by by, struct msqid64_ds *ds)
{
	struct ipc_object *o = ipc_lock_stat(&g_msg_table, id, by);

	if (is_err(o))
		return ptr_err(o);
	fill(msg_of(o), ds);
	id = o->id;
	spin_unlock(&o->lock);
	return by == SYSV_BY_ID ? 0 : id;
}

int msg_set(s32 id, const struct sysv_change *c)
{
	struct ipc_object *o = ipc_lock_owned(&g_msg_table, id);
	int err;

	if (is_err(o))
		return ptr_err(o);
	if (c->qbytes > (u64)READ_ONCE(g_msg_mnb) && !capable(CAP_SYS_RESOURCE))
		err = -EPERM;
	else
		err = ipc_change(o, c);
	if (!err) {
		msg_of(o)->max_bytes = c->qbytes;
		msg_of(o)->ctime = ipc_now();
		msg_wake_senders(msg_of(o));
	}
	spin_unlock(&o->lock);
	return err;
}

int msg_remove(s32 id)
{
	struct ipc_object *o;

	rwsem_write_lock(&g_msg_table.lock);
	o = ipc_lock_owned(&g_msg_table, id);
	if (!is_err(o)) {
		ipc_remove(&g_msg_table, o);
		msg_wake_all(msg_of(o), -EIDRM);
		spin_unlock(&o->lock);
	}
	rwsem_write_unlock(&g_msg_table.lock);
	if (is_err(o))
		return ptr_err(o);
	put_ipc(&g_msg_table, o);
	return 0;
}

/* How much stands in all queues. */
static void count_all(struct msginfo *info)
{
	struct ipc_object *o;

	info->msgpool = (int)READ_ONCE(g_msg_table.count);
	info->msgmap = info->msgtql = 0;
	for (u64 index = 0; (o = ipc_lock_next(&g_msg_table, &index)); index++) {
		info->msgmap += (int)msg_of(o)->count;
		info->msgtql += (int)msg_of(o)->bytes;
		spin_unlock(&o->lock);
	}
}

long msg_get_info(struct msginfo *info, bool in_use)
{
	*info = (struct msginfo){
		.msgpool = MSGPOOL,
		.msgmap = MSGMAP,
		.msgmax = READ_ONCE(g_msg_max),
		.msgmnb = READ_ONCE(g_msg_mnb),
		.msgmni = READ_ONCE(g_msg_mni),
		.msgssz = MSGSSZ,
		.msgtql = MSGTQL,
		.msgseg = MSGSEG,
	};
	if (in_use)
		count_all(info);
	return ipc_highest(&g_msg_table);
}

void msg_show(struct seq_buf *out)
{
	struct ipc_object *o;
	u64 index = out->at ? out->at - 1 : 0;

	if (!out->at)
		seq_puts(out,
			"       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid"
			"      stime      rtime      ctime\n");
	while ((o = ipc_lock_next(&g_msg_table, &index))) {
		struct msqid64_ds ds;
		s32 id = o->id;

		fill(msg_of(o), &ds);
		spin_unlock(&o->lock);
		seq_printf(out,
			"%10d %10d  %4o  %10lu %10lu %5u %5u %5u %5u %5u %5u %10lu %10lu %10lu\n",
			ds.msg_perm.key, id, ds.msg_perm.mode, ds.msg_cbytes, ds.msg_qnum,
			(u32)ds.msg_lspid, (u32)ds.msg_lrpid, ds.msg_perm.uid, ds.msg_perm.gid,
			ds.msg_perm.cuid, ds.msg_perm.cgid, (unsigned long)ds.msg_stime,
			(unsigned long)ds.msg_rtime, (unsigned long)ds.msg_ctime);
		index++;
		if (seq_pause(out, index + 1))
			return;
	}
}

static int msg_init(void)
{
	ipc_table_init(&g_msg_table, &g_msg_mni, queue_free);
	return 0;
}
INIT_HOOK(INIT_CORE, msg_init);
