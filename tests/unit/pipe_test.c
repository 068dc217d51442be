/* Pipes: against a byte queue, two threads at each end, ends that go away, packets. */
#include <core/counters.h>
#include <ipc/pipe.h>
#include <kmem/page.h>
#include <kmem/slab.h>
#include <linux/fs.h>
#include <lib/string.h>
#include <sched/timer.h>
#include <sched/wait.h>
#include "unit.h"

#define CAPACITY 65536u

static ssize_t put(struct file *f, const void *buf, size_t n)
{
	struct iter it = iter_kernel((void *)buf, n);

	return vfs_write(f, &it, NULL);
}

static ssize_t take(struct file *f, void *buf, size_t n)
{
	struct iter it = iter_kernel(buf, n);

	return vfs_read(f, &it, NULL);
}

static void make(struct file **r, struct file **w, u32 flags)
{
	EXPECT_EQ(pipe_create(r, w, flags), 0);
}

UNIT(an_empty_pipe_and_a_full_one_refuse_without_blocking)
{
	static u8 buf[CAPACITY];
	struct file *r, *w;

	make(&r, &w, O_NONBLOCK);
	EXPECT_EQ(take(r, buf, 1), -EAGAIN);
	EXPECT_EQ(put(w, buf, sizeof(buf)), sizeof(buf));
	EXPECT_EQ(put(w, buf, 1), -EAGAIN);
	EXPECT_EQ(vfs_poll(w, NULL) & EPOLLOUT, 0);
	EXPECT_EQ(take(r, buf, PAGE_SIZE), PAGE_SIZE);
	EXPECT(vfs_poll(w, NULL) & EPOLLOUT);
	put_file(r);
	put_file(w);
}

UNIT(a_pipe_is_a_byte_queue)
{
	static u8 model[4 * CAPACITY], buf[CAPACITY];
	size_t head = 0, tail = 0;
	struct file *r, *w;
	u8 next = 0;

	make(&r, &w, O_NONBLOCK);
	for (int step = 0; step < 4000; step++) {
		size_t n = 1 + unit_random_below(unit_random_below(4) ? 600 : 20000);
		ssize_t got;

		if (unit_random_below(2)) {
			for (size_t i = 0; i < n; i++)
				buf[i] = next + (u8)i;
			got = put(w, buf, n);
			EXPECT(got > 0 || got == -EAGAIN);
			/* at most PIPE_BUF bytes: all of them or nothing */
			EXPECT(got == -EAGAIN || n > 4096 || (size_t)got == n);
			for (ssize_t i = 0; i < got; i++)
				model[head++ % sizeof(model)] = next++;
			EXPECT(head - tail <= CAPACITY);
		} else {
			got = take(r, buf, n);
			if (head == tail)
				EXPECT_EQ(got, -EAGAIN);
			else
				EXPECT_EQ(got, min(n, head - tail));
			for (ssize_t i = 0; i < got; i++)
				if (buf[i] != model[tail++ % sizeof(model)])
					EXPECT(!"the byte that was written");
		}
	}
	put_file(r);
	put_file(w);
}

UNIT(no_writer_is_an_end_of_file_and_no_reader_a_broken_pipe)
{
	struct file *r, *w;
	u8 c = 1;

	make(&r, &w, 0);
	EXPECT_EQ(put(w, &c, 1), 1);
	put_file(w);
	EXPECT_EQ(take(r, &c, 1), 1);
	EXPECT_EQ(take(r, &c, 1), 0);
	put_file(r);
	make(&r, &w, 0);
	put_file(r);
	EXPECT_EQ(put(w, &c, 1), -EPIPE);
	EXPECT(vfs_poll(w, NULL) & EPOLLERR);
	put_file(w);
}

UNIT(a_packet_is_read_at_once_and_its_rest_is_lost)
{
	struct file *r, *w;
	char buf[8] = "";

	make(&r, &w, O_DIRECT | O_NONBLOCK);
	EXPECT_EQ(put(w, "abcd", 4), 4);
	EXPECT_EQ(put(w, "ef", 2), 2);
	EXPECT_EQ(take(r, buf, 2), 2);
	EXPECT_MEM(buf, "ab", 2);
	EXPECT_EQ(take(r, buf, 8), 2);
	EXPECT_MEM(buf, "ef", 2);
	put_file(r);
	put_file(w);
}

UNIT(a_pipe_can_be_resized_while_it_holds_data)
{
	static u8 buf[3 * PAGE_SIZE];
	struct file *r, *w;

	make(&r, &w, O_NONBLOCK);
	EXPECT_EQ(put(w, buf, sizeof(buf)), sizeof(buf));
	EXPECT_EQ(pipe_fcntl(w, F_SETPIPE_SZ, PAGE_SIZE), -EBUSY);
	EXPECT_EQ(pipe_fcntl(w, F_SETPIPE_SZ, 4 * PAGE_SIZE), 4 * PAGE_SIZE);
	EXPECT_EQ(put(w, buf, sizeof(buf)), PAGE_SIZE);
	EXPECT_EQ(pipe_fcntl(r, F_GETPIPE_SZ, 0), 4 * PAGE_SIZE);
	EXPECT_EQ(take(r, buf, sizeof(buf)), sizeof(buf));
	put_file(r);
	put_file(w);
}

/* ---- several threads ---- */

#define WRITERS 4
#define RECORDS 500
#define RECORD  100

static struct file *g_w;
static int g_writing;

static void writer(void *arg)
{
	u8 record[RECORD];

	memset(record, (int)(long)arg, sizeof(record));
	for (int i = 0; i < RECORDS; i++)
		EXPECT_EQ(put(g_w, record, sizeof(record)), RECORD);
	if (__atomic_sub_fetch(&g_writing, 1, __ATOMIC_SEQ_CST) == 0)
		put_file(g_w);
}

UNIT(small_writes_of_several_threads_stay_whole)
{
	int count[WRITERS] = {0};
	u8 record[RECORD];
	struct mem_stats before, after;
	struct file *r;
	ssize_t n;

	counters_quiesce();
	mem_get_stats(&before);
	make(&r, &g_w, 0);
	g_writing = WRITERS;
	for (long i = 0; i < WRITERS; i++)
		EXPECT(!is_err(kthread_run(writer, (void *)i, "writer")));
	while ((n = take(r, record, RECORD)) > 0) {
		EXPECT_EQ(n, RECORD); /* a divisor of what was written, so never part of a record */
		for (int i = 1; i < RECORD; i++)
			if (record[i] != record[0])
				EXPECT(!"one writer's record");
		count[record[0] % WRITERS]++;
	}
	EXPECT_EQ(n, 0);
	for (int i = 0; i < WRITERS; i++)
		EXPECT_EQ(count[i], RECORDS);
	put_file(r);
	counters_quiesce();
	mem_get_stats(&after);
	EXPECT(after.free + 64 >= before.free);
}
