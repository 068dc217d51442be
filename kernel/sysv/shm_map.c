/*
 * Attaching segments. A region that maps one counts as an attachment and holds a reference, in
 * region->priv; regions with priv are never joined, so that the count is that of regions.
 */
#include "shm.h"
#include <process/task.h>

static void note_use(struct shm_segment *s, s64 *when)
{
	*when = ipc_now();
	s->lpid = ipc_current_pid();
}

/* A region was copied or divided. */
static void segment_open(struct region *r)
{
	struct shm_segment *s = r->priv;

	get_ipc(&s->ipc);
	spin_lock(&s->ipc.lock);
	s->attached++;
	note_use(s, &s->atime);
	spin_unlock(&s->ipc.lock);
}

static void detach(struct shm_segment *s, bool used)
{
	bool done;

	spin_lock(&s->ipc.lock);
	s->attached--;
	if (used)
		note_use(s, &s->dtime);
	done = shm_is_done(s);
	spin_unlock(&s->ipc.lock);
	if (done)
		shm_remove_done(s);
	put_ipc(&g_shm_table, &s->ipc);
}

static void segment_close(struct region *r)
{
	detach(r->priv, true);
}

static const struct region_ops g_segment_ops = {.open = segment_open, .close = segment_close};

/* Where to: the address as asked for, rounded. -EINVAL. */
static int place(struct map_request *rq, unsigned long addr, int flags)
{
	if (!addr)
		return flags & SHM_REMAP ? -EINVAL : 0;
	if (!is_aligned(addr, PAGE_SIZE)) {
		if (!(flags & SHM_RND))
			return -EINVAL;
		addr = round_down(addr, PAGE_SIZE);
		if (!addr && (flags & SHM_REMAP))
			return -EINVAL;
	}
	rq->addr = addr; /* may be 0 now: there, or nowhere */
	rq->fixed = true;
	rq->noreplace = addr && !(flags & SHM_REMAP);
	return 0;
}

/* The segment, counted as attached, with a reference for that and one besides. Error pointer. */
static struct shm_segment *begin_attach(s32 id, int bits)
{
	struct ipc_object *o = ipc_lock(&g_shm_table, id);
	struct shm_segment *s;

	if (is_err(o))
		return err_ptr(ptr_err(o));
	s = shm_of(o);
	if (ipc_permits(o, bits)) {
		get_ipc(o); /* the region's */
		get_ipc(o); /* the caller's */
		s->attached++;
	} else {
		s = err_ptr(-EACCES);
	}
	spin_unlock(&o->lock);
	return s;
}

long shm_attach(s32 id, unsigned long addr, int flags)
{
	struct map_request rq = {
		.flags = REG_SHARED | REG_READ | REG_MAYREAD | REG_MAYEXEC,
		.ops = &g_segment_ops,
	};
	struct shm_segment *s;
	int bits = IPC_READ, err;
	long r;

	if (id < 0)
		return -EINVAL;
	err = place(&rq, addr, flags);
	if (err)
		return err;
	if (!(flags & SHM_RDONLY)) {
		bits |= IPC_WRITE;
		rq.flags |= REG_WRITE | REG_MAYWRITE;
	}
	if (flags & SHM_EXEC) {
		bits |= IPC_RUN;
		rq.flags |= REG_EXEC;
	}
	s = begin_attach(id, bits);
	if (is_err(s))
		return ptr_err(s);
	rq.object = &s->file->inode->object;
	rq.file = s->file;
	rq.len = s->size;
	rq.priv = s;
	r = rq.noreplace && rq.addr + rq.len < rq.addr ? -EINVAL : mm_map(current_mm(), &rq);
	if (r < 0) {
		detach(s, false);
	} else {
		spin_lock(&s->ipc.lock);
		note_use(s, &s->atime);
		spin_unlock(&s->ipc.lock);
	}
	put_ipc(&g_shm_table, &s->ipc);
	return r == -EEXIST ? -EINVAL : r;
}

int shm_detach(unsigned long addr)
{
	if (!is_aligned(addr, PAGE_SIZE))
		return -EINVAL;
	return mm_unmap_attached(current_mm(), addr, &g_segment_ops);
}
