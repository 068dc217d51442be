/*
 * Normal threads: earliest eligible virtual deadline first (I. Stoica, H. Abdel-Wahab, 1995).
 *
 * A thread's vruntime grows with its run time divided by its weight. It is eligible when it has had
 * no more than its share, that is, when its vruntime is not above the weighted average; of the
 * eligible ones the one with the earliest virtual deadline (vruntime at the slice's start + slice /
 * weight) runs. The tree is ordered by deadline and knows the least vruntime of each subtree.
 *
 * With S = sum of weight * (vruntime - base) and W = sum of weights, v is eligible iff
 * (v - base) * W <= S: no division.
 */
#include "sched.h"

/* Each step of nice is a factor of 1.25 in weight, nice 0 is 1024. */
static const u32 g_weights[40] = {88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949,
	11916, 9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277, 1024, 820, 655, 526, 423,
	335, 272, 215, 172, 137, 110, 87, 70, 56, 45, 36, 29, 23, 18, 15};
#define IDLE_WEIGHT 3

void fair_set_weight(struct thread *t)
{
	t->se.weight = t->policy == SCHED_IDLE ? IDLE_WEIGHT : g_weights[t->nice + 20];
}

static inline s64 scale(const struct thread *t, s64 ns)
{
	return likely(t->se.weight == NICE_0_LOAD) ? ns : ns * NICE_0_LOAD / t->se.weight;
}

static inline struct thread *thread_of(struct rb_node *n)
{
	return rb_entry(n, struct thread, se.node);
}

static void update_min(struct rb_node *n)
{
	struct sched_entity *e = &thread_of(n)->se;
	s64 m = e->vruntime_ns;

	if (n->left)
		m = min(m, thread_of(n->left)->se.min_vruntime_ns);
	if (n->right)
		m = min(m, thread_of(n->right)->se.min_vruntime_ns);
	e->min_vruntime_ns = m;
}

static inline bool counts(const struct run_queue *rq, const struct thread *curr)
{
	return curr && curr != rq->idle && curr->on_rq && !is_rt(curr);
}

/* S and W with the running thread. */
static inline void totals(
	const struct run_queue *rq, const struct thread *curr, s64 *sum, s64 *weight)
{
	*sum = rq->fair.sum;
	*weight = (s64)rq->fair.weight;
	if (counts(rq, curr)) {
		*sum += (s64)curr->se.weight * (curr->se.vruntime_ns - rq->fair.base_ns);
		*weight += curr->se.weight;
	}
}

static s64 average(const struct run_queue *rq)
{
	s64 sum, weight;

	totals(rq, rq->curr, &sum, &weight);
	if (!weight)
		return rq->fair.base_ns;
	return rq->fair.base_ns + sum / weight;
}

/* Keep the sums small: the base follows the average. */
static void rebase(struct run_queue *rq, s64 to)
{
	struct fair_queue *f = &rq->fair;

	f->sum -= (s64)f->weight * (to - f->base_ns);
	f->base_ns = to;
}

void fair_enqueue(struct run_queue *rq, struct thread *t)
{
	struct fair_queue *f = &rq->fair;
	struct rb_node **link = &f->tree.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = t->se.deadline_ns - thread_of(parent)->se.deadline_ns < 0 ? &parent->left
										 : &parent->right;
	}
	t->se.min_vruntime_ns = t->se.vruntime_ns;
	if (likely(!parent)) {
		t->se.node = (struct rb_node){.parent_color = 1}; /* a black root */
		f->tree.node = &t->se.node;
	} else {
		rb_insert_augmented(&f->tree, &t->se.node, parent, link, update_min);
	}
	f->sum += (s64)t->se.weight * (t->se.vruntime_ns - f->base_ns);
	f->weight += t->se.weight;
}

void fair_dequeue(struct run_queue *rq, struct thread *t)
{
	struct fair_queue *f = &rq->fair;

	if (likely(f->tree.node == &t->se.node && !t->se.node.left && !t->se.node.right)) {
		*f = (struct fair_queue){.base_ns = f->base_ns};
		return;
	}
	rb_erase_augmented(&f->tree, &t->se.node, update_min);
	f->sum -= (s64)t->se.weight * (t->se.vruntime_ns - f->base_ns);
	f->weight -= t->se.weight;
}

void fair_place(struct run_queue *rq, struct thread *t, bool fresh)
{
	s64 avg = average(rq), slice = scale(t, SLICE_NS);

	rebase(rq, avg);
	t->se.vruntime_ns = avg - t->se.lag_ns;
	/* A new thread starts with half a slice, so that forking gains nothing over others. */
	t->se.deadline_ns = t->se.vruntime_ns + (fresh ? slice / 2 : slice);
	t->se.lag_ns = 0;
}

void fair_leave(struct run_queue *rq, struct thread *t)
{
	s64 limit = 2 * scale(t, SLICE_NS), lag = average(rq) - t->se.vruntime_ns;

	t->se.lag_ns = clamp(lag, -limit, limit);
}

void fair_charge(struct run_queue *rq, struct thread *t, s64 delta)
{
	t->se.vruntime_ns += scale(t, delta);
	if (unlikely(t->se.vruntime_ns - t->se.deadline_ns >= 0)) {
		t->se.deadline_ns = t->se.vruntime_ns + scale(t, SLICE_NS);
		if (rq->nr_running > 1) {
			rebase(rq, average(rq));
			resched(rq);
		}
	}
}

static struct thread *first_eligible(struct run_queue *rq, s64 sum, s64 weight)
{
	struct rb_node *n = rq->fair.tree.node;
	s64 base = rq->fair.base_ns;

	while (n) {
		if (n->left && (thread_of(n->left)->se.min_vruntime_ns - base) * weight <= sum)
			n = n->left;
		else if ((thread_of(n)->se.vruntime_ns - base) * weight <= sum)
			return thread_of(n);
		else
			n = n->right;
	}
	return NULL;
}

/* The thread to run next. prev: still wants to run and is not in the tree, or NULL. The result, if
 * not prev, is taken out of the tree. */
struct thread *fair_pick(struct run_queue *rq, struct thread *prev, bool yield)
{
	struct rb_node *root = rq->fair.tree.node;
	struct thread *t;
	s64 sum, weight;

	if (!root)
		return prev;
	if ((!prev || yield) && !root->left && !root->right) { /* nothing to choose */
		rq->fair = (struct fair_queue){.base_ns = rq->fair.base_ns};
		return thread_of(root);
	}
	totals(rq, prev, &sum, &weight);
	t = first_eligible(rq, sum, weight);
	if (prev && !yield &&
		(!t ||
			((prev->se.vruntime_ns - rq->fair.base_ns) * weight <= sum &&
				prev->se.deadline_ns - t->se.deadline_ns <= 0)))
		return prev;
	if (!t) /* only one that yields is eligible */
		t = thread_of(rb_first(&rq->fair.tree));
	fair_dequeue(rq, t);
	return t;
}

/* Should t, just queued, replace the running normal thread? */
bool fair_preempts(struct run_queue *rq, const struct thread *t)
{
	const struct thread *curr = rq->curr;
	s64 sum, weight;

	if (t->policy == SCHED_IDLE)
		return false;
	if (curr->policy == SCHED_IDLE)
		return true;
	if (t->policy == SCHED_BATCH)
		return false;
	if (t->se.deadline_ns - curr->se.deadline_ns >= 0)
		return false;
	totals(rq, curr, &sum, &weight);
	return (t->se.vruntime_ns - rq->fair.base_ns) * weight <= sum;
}
