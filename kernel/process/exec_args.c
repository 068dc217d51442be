/* The argument block of execve; see exec.h. */
#include "exec.h"
#include <kmem/slab.h>
#include <lib/string.h>

void args_init(struct arg_block *b)
{
	memset(b, 0, sizeof(*b));
	b->pages = b->inline_pages;
	b->cap = ARRAY_SIZE(b->inline_pages);
}

void args_free(struct arg_block *b)
{
	for (u32 i = 0; i < b->nr_pages; i++)
		put_page(b->pages[i]);
	if (b->pages != b->inline_pages)
		kvfree(b->pages);
}

static int grow_table(struct arg_block *b)
{
	u32 cap = b->cap * 4;
	struct page **t = kvmalloc(cap * sizeof(*t), GFP_KERNEL);

	if (!t)
		return -ENOMEM;
	memcpy(t, b->pages, b->nr_pages * sizeof(*t));
	if (b->pages != b->inline_pages)
		kvfree(b->pages);
	b->pages = t;
	b->cap = cap;
	return 0;
}

/* Make pages for n more bytes and count them as used. */
int args_reserve(struct arg_block *b, size_t n)
{
	while ((size_t)b->nr_pages * PAGE_SIZE < b->used + n) {
		struct page *p;

		if (signal_fatal_pending(current_task()))
			return -EINTR;
		if (b->nr_pages == b->cap && grow_table(b))
			return -ENOMEM;
		p = page_alloc(GFP_KERNEL | GFP_ZERO);
		if (!p)
			return -ENOMEM;
		b->pages[b->nr_pages++] = p;
	}
	b->used += n;
	return 0;
}

/* Address of the byte at distance d (1..used), and how many bytes follow it in its page. */
static u8 *at(struct arg_block *b, size_t d, size_t *room)
{
	size_t into = (d - 1) % PAGE_SIZE; /* bytes that follow */

	*room = into + 1;
	return (u8 *)page_address(b->pages[(d - 1) / PAGE_SIZE]) + PAGE_SIZE - 1 - into;
}

int args_push(struct arg_block *b, const void *data, size_t n)
{
	const u8 *from = data;
	size_t d;
	int err = args_reserve(b, n);

	if (err)
		return err;
	for (d = b->used; n;) {
		size_t room, k;
		u8 *to = at(b, d, &room);

		k = min(room, n);
		memcpy(to, from, k);
		from += k;
		d -= k;
		n -= k;
	}
	return 0;
}

int args_push_string(struct arg_block *b, const char *s)
{
	size_t n = strlen(s) + 1;

	if (n > EXEC_MAX_STRLEN || b->used + n > b->limit)
		return -E2BIG;
	return args_push(b, s, n);
}

int args_count_user(const char __user *const __user *v)
{
	int n = 0;

	if (!v)
		return 0;
	for (;;) {
		const char __user *p;

		if (get_user(p, &v[n]))
			return -EFAULT;
		if (!p)
			return n;
		if (n++ >= EXEC_MAX_ARGS - 1)
			return -E2BIG;
		if (signal_fatal_pending(current_task()))
			return -ERESTARTNOHAND;
		cond_resched();
	}
}

static int push_user_string(struct arg_block *b, const char __user *s)
{
	size_t n = strnlen_user(s, EXEC_MAX_STRLEN), d;
	int err;

	if (!n)
		return -EFAULT;
	if (n > EXEC_MAX_STRLEN || b->used + n > b->limit)
		return -E2BIG;
	err = args_reserve(b, n);
	if (err)
		return err;
	for (d = b->used; n;) {
		size_t room, k;
		u8 *to = at(b, d, &room);

		k = min(room, n);
		if (copy_from_user(to, s, k))
			return -EFAULT;
		s += k;
		d -= k;
		n -= k;
		if (!n)
			to[k - 1] = 0; /* another thread may have changed it meanwhile */
	}
	return 0;
}

int args_push_user(struct arg_block *b, const char __user *const __user *v, int n)
{
	while (n--) {
		const char __user *s;
		int err;

		if (get_user(s, &v[n]))
			return -EFAULT;
		err = push_user_string(b, s);
		if (err)
			return err;
		cond_resched();
	}
	return 0;
}

size_t args_string_len(struct arg_block *b, size_t d)
{
	size_t n = 0;

	for (;;) {
		size_t room;
		const u8 *s = at(b, d - n, &room), *end = memchr(s, 0, room);

		if (end)
			return n + (size_t)(end - s) + 1;
		n += room;
	}
}

void args_drop_first(struct arg_block *b)
{
	b->used -= args_string_len(b, b->used);
}

/* d is a multiple of 8: the word lies in one page. */
void args_put64(struct arg_block *b, size_t d, u64 v)
{
	size_t room;

	memcpy(at(b, d, &room), &v, sizeof(v));
}

/* No memory for the stack's page, or a segment of the program in the stack's place. */
static int why_unwritable(unsigned long addr)
{
	int code, err = mm_fault(current_task()->mm, addr, MMU_USER | MMU_WRITE, &code);

	return err ? err : -EFAULT;
}

int args_copy_out(struct arg_block *b, unsigned long top)
{
	for (size_t d = b->used; d;) {
		size_t room;
		u8 *from = at(b, d, &room);
		size_t left = copy_to_user((void __user *)(top - d), from, room);

		if (left)
			return why_unwritable(top - d + room - left);
		d -= room;
	}
	return 0;
}
