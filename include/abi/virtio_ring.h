/* Split virtqueues in memory: OASIS virtio 1.2, 2.7. (The system's header needs a C library.) */
#ifndef ABI_VIRTIO_RING_H
#define ABI_VIRTIO_RING_H

#define VRING_DESC_F_NEXT           1
#define VRING_DESC_F_WRITE          2
#define VRING_DESC_F_INDIRECT       4
#define VRING_USED_F_NO_NOTIFY      1
#define VRING_AVAIL_F_NO_INTERRUPT  1
#define VIRTIO_RING_F_INDIRECT_DESC 28
#define VIRTIO_RING_F_EVENT_IDX     29

struct vring_desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};
struct vring_avail {
	u16 flags, idx;
	u16 ring[]; /* and used_event behind it */
};
struct vring_used_elem {
	u32 id, len;
};
struct vring_used {
	u16 flags, idx;
	struct vring_used_elem ring[]; /* and avail_event behind it */
};
static_assert(sizeof(struct vring_desc) == 16 && sizeof(struct vring_used_elem) == 8, "vring");

/* 2.7.7.2: has the other side's event index been passed by going from old to new? */
static inline bool vring_need_event(u16 event, u16 new, u16 old)
{
	return (u16)(new - event - 1) < (u16)(new - old);
}

#endif
