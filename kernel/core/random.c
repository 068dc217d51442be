/*
 * Random numbers: ChaCha20 with fast key erasure. A global key collects entropy (hardware numbers,
 * times of interrupts, what the boot loader left); each CPU draws its own key from it and again
 * whenever it has changed, and replaces its own key with every block it makes, so that output once
 * given cannot be computed from memory later.
 */
#include <arch/platform.h>
#include <core/init.h>
#include <core/log.h>
#include <core/spinlock.h>
#include <core/trace.h>
#include <lib/chacha20.h>
#include <lib/string.h>

#define KEY_WORDS    8
#define BLOCK_WORDS  16
#define READY_EVENTS 64  /* samples of interrupt times that count as unpredictable */
#define RESEED_EVERY 256 /* samples between changes of the global key once it is ready */

static DEFINE_SPINLOCK(g_lock, RANK_LOG);
static u32 g_key[KEY_WORDS];                      /* g_lock */
static u64 g_pool;                                /* atomic: samples since the last reseed, mixed */
static u32 g_samples;                             /* atomic */
static u32 g_generation = 1;                      /* g_lock to write */
static bool g_ready;                              /* written once */
static DEFINE_PER_CPU(u32, g_cpu_key[KEY_WORDS]); /* own CPU, interrupts off */
static DEFINE_PER_CPU(u32, g_cpu_generation);

static void state_init(u32 state[BLOCK_WORDS], const u32 key[KEY_WORDS], u64 nonce)
{
	u32 words[3] = {(u32)nonce, (u32)(nonce >> 32), 0};

	chacha20_init(state, (const u8 *)key, 0, (const u8 *)words);
}

/* New key from the old one and whatever is at hand. */
static void reseed_locked(void)
{
	u32 state[BLOCK_WORDS], out[BLOCK_WORDS];
	bool hardware = true;

	spin_assert_held(&g_lock);
	for (int i = 0; i < KEY_WORDS; i += 2) {
		u64 ok, r = arch_random_seed(&ok);

		if (!ok)
			hardware = false;
		r ^= arch_cycles();
		g_key[i] ^= (u32)r;
		g_key[i + 1] ^= (u32)(r >> 32);
	}
	state_init(state, g_key, xchg(&g_pool, 0) ^ arch_clock_ns());
	chacha20_block(state, (u8 *)out);
	memcpy(g_key, out, sizeof(g_key));
	if (hardware || READ_ONCE(g_samples) >= READY_EVENTS)
		g_ready = true;
	WRITE_ONCE(g_generation, g_generation + 1);
}

/* This CPU's next 32 bytes; interrupts off. */
static void next_words(u32 out[KEY_WORDS])
{
	u32 state[BLOCK_WORDS], block[BLOCK_WORDS];
	u32 *key = *this_cpu_ptr(&g_cpu_key);

	if (unlikely(this_cpu_read(g_cpu_generation) != READ_ONCE(g_generation))) {
		spin_lock(&g_lock);
		if (g_generation == 1)
			reseed_locked();
		this_cpu_write(g_cpu_generation, g_generation);
		state_init(state, g_key, (u64)cpu_id() << 32 | g_generation);
		chacha20_block(state, (u8 *)block);
		memcpy(g_key, block, sizeof(g_key));
		spin_unlock(&g_lock);
		for (int i = 0; i < KEY_WORDS; i++)
			key[i] ^= block[KEY_WORDS + i];
	}
	state_init(state, key, arch_cycles());
	chacha20_block(state, (u8 *)block);
	memcpy(key, block, KEY_WORDS * sizeof(u32));
	memcpy(out, block + KEY_WORDS, KEY_WORDS * sizeof(u32));
	memset(block, 0, sizeof(block));
	barrier();
}

/* The next 32 bytes of the CPU we are on. */
static void draw(u32 words[KEY_WORDS])
{
	unsigned long flags = irq_save();

	next_words(words);
	irq_restore(flags);
}

/* More than a key's worth: the blocks of a key that is drawn for them and forgotten. */
static void stream(u8 *to, size_t n)
{
	u32 key[KEY_WORDS], state[BLOCK_WORDS], block[BLOCK_WORDS];

	draw(key);
	state_init(state, key, 0);
	while (n) {
		size_t step = min_t(size_t, n, sizeof(block));

		chacha20_block(state, (u8 *)block);
		state[12]++; /* RFC 8439 2.3: the counter */
		memcpy(to, block, step);
		to += step;
		n -= step;
	}
	memset(key, 0, sizeof(key));
	memset(state, 0, sizeof(state));
	memset(block, 0, sizeof(block));
	barrier();
}

#define STREAM_MAX (1u << 30) /* bytes of one key: the counter has 32 bits, of blocks */

void random_bytes(void *buf, size_t n)
{
	u32 words[KEY_WORDS];
	u8 *to = buf;

	while (n > sizeof(words)) {
		size_t step = min_t(size_t, n, STREAM_MAX);

		stream(to, step);
		to += step;
		n -= step;
	}
	if (n) {
		draw(words);
		memcpy(to, words, n);
		memset(words, 0, sizeof(words));
		barrier();
	}
}

u64 random_u64(void)
{
	u64 v;

	random_bytes(&v, sizeof(v));
	return v;
}

void random_add_entropy(u64 sample)
{
	u64 old = __atomic_load_n(&g_pool, __ATOMIC_RELAXED);
	u32 n;

	sample ^= arch_cycles();
	__atomic_store_n(&g_pool, (old << 7 | old >> 57) ^ sample, __ATOMIC_RELAXED);
	n = __atomic_add_fetch(&g_samples, 1, __ATOMIC_RELAXED);
	if (n == READY_EVENTS || n % RESEED_EVERY == 0) {
		unsigned long flags = irq_save();

		if (spin_trylock(&g_lock)) {
			reseed_locked();
			spin_unlock(&g_lock);
		}
		irq_restore(flags);
	}
}

bool random_ready(void)
{
	return READ_ONCE(g_ready);
}

static int random_init(void)
{
	unsigned long flags = spin_lock_irqsave(&g_lock);

	reseed_locked();
	spin_unlock_irqrestore(&g_lock, flags);
	return 0;
}
INIT_HOOK(INIT_MEMORY, random_init);
