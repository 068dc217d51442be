/*
 * Contexts of io_submit(2): a ring of completed requests that the program maps. The context's id is
 * the ring's address, which the program may read (and take events from, by moving its head).
 */
#ifndef IPC_AIO_H
#define IPC_AIO_H

#include <lib/types.h>
#include <linux/aio_abi.h>

struct aio_context;

/* Room for nr_events requests at least, in the caller's address space. 0, -EINVAL: too many for any
 * setting, -EAGAIN: more than fs.aio-max-nr, -ENOMEM. */
int aio_setup(u32 nr_events, unsigned long *id) must_check;
int aio_destroy(unsigned long id) must_check; /* waiters leave; -EINVAL: no such context */
/* Of the caller's address space, referenced; NULL: none. */
struct aio_context *aio_get(unsigned long id) must_check;
void aio_put(struct aio_context *c);
u32 aio_size(const struct aio_context *c); /* events that the ring has slots for */

/* A slot for a request's event, to be filled or given back. -EAGAIN: the ring is full. */
int aio_reserve(struct aio_context *c) must_check;
void aio_unreserve(struct aio_context *c);
void aio_complete(struct aio_context *c, const struct io_event *e);

/*
 * Take up to nr events; waits until there are min of them or the deadline (monotonic ns) has
 * passed. Events taken; with none -EINTR: a signal, -EFAULT, -EINVAL: the context was destroyed.
 */
long aio_get_events(struct aio_context *c, long min, long nr, struct io_event __user *to,
	s64 deadline) must_check;

/* fs.aio-max-nr: requests that all contexts together may ask for; fs.aio-nr: that they do. */
extern u64 g_aio_max_nr;
u64 aio_nr(void);

#endif
