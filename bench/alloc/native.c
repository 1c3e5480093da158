/*
 * One of C's allocators under the workloads of plan.mjs: a program that is asked through a pipe for one round at a time, so that its
 * rounds come in turn with those of JavaScript's allocators. Built once for each allocator:
 *
 *     cc -O2 -pthread -DGLIBC native.c            glibc's malloc
 *     cc -O2 -pthread -DMIMALLOC native.c -lmimalloc
 *     cc -O2 -pthread -DFREELIST native.c         a bare list of free objects of one size: the least that an allocator can do
 *     cc -O2 -pthread -DNOTHING native.c          no allocator: what the loops cost by themselves
 *
 * One line in, one line out:
 *
 *     version                                   the allocator's
 *     open LOOP TOUCHED SIZE LIVE THREADS       ok            SIZE 0: mixed sizes; each thread has a live set of its own
 *     check                                     ok SPAN ASKED  bytes from the first handed out to the last; or: bad WHAT
 *     run COUNT                                 NS WRONG CPU  so many objects in each thread; means of the threads' time
 *     exchange COUNT TOUCHED                    NS LOST CPU   one thread allocates, another frees
 *
 * NS is how long it took, CPU how many nanoseconds of it a thread had the CPU.
 *
 * The loops, the orders and the sizes are those of loops.mjs and plan.mjs.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define INLINE static inline __attribute__((always_inline))
/* The compiler may not know what an allocator does: else it leaves out a malloc that is freed again. */
#define ESCAPE(p) __asm__ volatile("" : "+r"(p) : : "memory")

#if defined(GLIBC)
#include <gnu/libc-version.h>
#include <malloc.h>
INLINE void *take(size_t size) { return malloc(size); }
INLINE void give(void *object) { free(object); }
static const char *version(void) { return gnu_get_libc_version(); }
/* Freed memory stays: every round is as warm as the one before. */
static void begin(size_t size, long live)
{
	(void)size, (void)live;
	mallopt(M_TRIM_THRESHOLD, 0x7fffffff);
}
#define ALIGN 16

#elif defined(MIMALLOC)
#include <mimalloc.h>
INLINE void *take(size_t size) { return mi_malloc(size); }
INLINE void give(void *object) { mi_free(object); }
static const char *version(void)
{
	static char text[16];
	int v = mi_version();
	snprintf(text, sizeof text, "%d.%d.%d", v / 100, v / 10 % 10, v % 10);
	return text;
}
/* That freed memory stays is told it by MIMALLOC_ALLOW_DECOMMIT=0. */
static void begin(size_t size, long live) { (void)size, (void)live; }
#define ALIGN 8

#elif defined(FREELIST)
struct object {
	struct object *next;
};
static struct object *first_free;
static char *fresh;
static size_t stride;
/* Called, as the functions of a library are. */
__attribute__((noinline)) static void *take(size_t size)
{
	struct object *object = first_free;
	(void)size;
	if (__builtin_expect(object != NULL, 1)) {
		first_free = object->next;
		return object;
	}
	fresh += stride;
	return fresh - stride;
}
__attribute__((noinline)) static void give(void *freed)
{
	struct object *object = freed;
	object->next = first_free;
	first_free = object;
}
static const char *version(void) { return ""; }
static void begin(size_t size, long live)
{
	size_t bytes = size * (size_t)(live + 2000);
	stride = size;
	fresh = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (fresh == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
}
#define ALIGN 16

#elif defined(NOTHING)
/* Each thread has one, or they would fight over its cache line. */
static _Thread_local char nothing[128];
INLINE void *take(size_t size) { (void)size; return nothing + 64; }
INLINE void give(void *object) { (void)object; }
static const char *version(void) { return ""; }
static void begin(size_t size, long live) { (void)size, (void)live; }
#define ALIGN 1
#define IS_NOTHING 1
#endif
#ifndef IS_NOTHING
#define IS_NOTHING 0
#endif

INLINE void *alloc(size_t size)
{
	void *object = take(size);
	ESCAPE(object);
	return object;
}

INLINE void release(void *object)
{
	ESCAPE(object);
	give(object);
}

INLINE void put(void *object, unsigned char byte) { *(volatile unsigned char *)object = byte; }
INLINE unsigned char get(void *object) { return *(volatile unsigned char *)object; }

/* ---- The plan ---------------------------------------------------------------------------------------------------------- */

enum { BATCH = 32, CHURN = 128, SMALLEST = 8, LARGEST = 4096, PERMUTATIONS = 10, MARK = 127, THREADS = 2, SAMPLE = 1000 };
enum loop { PAIR, BATCHES, RANDOM, CHURNS, MIXED, FILL, LOOPS };
static const char *const loop_names[LOOPS] = { "pair", "batch", "random", "churn", "mixed", "fill" };

static uint32_t state = 0x2545f491;

static uint32_t below(uint32_t bound)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % bound;
}

static void permute(int32_t *order, long count)
{
	for (long i = 0; i < count; i++)
		order[i] = (int32_t)i;
	for (long i = count - 1; i > 0; i--) {
		long other = below((uint32_t)(i + 1));
		int32_t slot = order[i];
		order[i] = order[other];
		order[other] = slot;
	}
}

static int32_t *order, *sizes;
static long order_length;

static void *need(size_t bytes)
{
	/* Not from the allocator that is measured. */
	void *p = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return p;
}

static void make_order(enum loop loop, long live)
{
	if (loop == PAIR || loop == BATCHES)
		return;
	long whole = loop == FILL ? live : live - live % CHURN;
	int permutations = loop == FILL ? 1 : PERMUTATIONS;
	int32_t *one = need((size_t)live * sizeof *one);
	order_length = whole * permutations;
	order = need((size_t)order_length * sizeof *order);
	for (int p = 0; p < permutations; p++) {
		permute(one, live);
		memcpy(order + p * whole, one, (size_t)whole * sizeof *one);
	}
	if (loop == FILL)
		return;
	sizes = need((size_t)order_length * sizeof *sizes);
	for (long i = 0; i < order_length; i++)
		sizes[i] = (int32_t)(SMALLEST + below(LARGEST - SMALLEST + 1));
}

/* ---- The loops: run NAME with TOUCHED a constant ------------------------------------------------------------------------- */

/* One thread's objects, and how far it has come. */
struct set {
	void **slots;
	long live, at, done;
	size_t size;
	enum loop loop;
	int touched;
};

INLINE long run_pair(struct set *set, long count, int touched)
{
	long wrong = 0;
	size_t size = set->size;
	for (long i = 0; i < count; i++) {
		void *object = alloc(size);
		if (touched) {
			put(object, i & MARK);
			if (get(object) != (i & MARK))
				wrong++;
		}
		release(object);
	}
	return wrong;
}

INLINE long run_batch(struct set *set, long count, int touched)
{
	long wrong = 0;
	size_t size = set->size;
	void **slots = set->slots;
	for (long done = 0; done < count; done += BATCH) {
		for (int i = 0; i < BATCH; i++) {
			void *object = alloc(size);
			if (touched)
				put(object, (unsigned char)i);
			slots[i] = object;
		}
		for (int i = 0; i < BATCH; i++) {
			void *object = slots[i];
			if (touched && get(object) != i)
				wrong++;
			release(object);
		}
	}
	return wrong;
}

INLINE long run_random(struct set *set, long count, int touched, int mixed)
{
	long wrong = 0, at = set->at;
	void **slots = set->slots;
	for (long i = 0; i < count; i++) {
		int32_t slot = order[at];
		size_t size = mixed ? (size_t)sizes[at] : set->size;
		at = at + 1 == order_length ? 0 : at + 1;
		void *old = slots[slot];
		if (touched && get(old) != (slot & MARK))
			wrong++;
		release(old);
		void *object = alloc(size);
		if (touched)
			put(object, slot & MARK);
		slots[slot] = object;
	}
	set->at = at;
	set->done += count;
	return wrong;
}

INLINE long run_churn(struct set *set, long count, int touched)
{
	long wrong = 0, at = set->at;
	void **slots = set->slots;
	size_t size = set->size;
	for (long done = 0; done < count; done += CHURN) {
		long end = at + CHURN;
		for (long i = at; i < end; i++) {
			int32_t slot = order[i];
			void *object = slots[slot];
			if (touched && get(object) != (slot & MARK))
				wrong++;
			release(object);
		}
		for (long i = at; i < end; i++) {
			int32_t slot = order[i];
			void *object = alloc(size);
			if (touched)
				put(object, slot & MARK);
			slots[slot] = object;
		}
		at = end == order_length ? 0 : end;
	}
	set->at = at;
	return wrong;
}

INLINE long run_fill(struct set *set, long count, int touched)
{
	long wrong = 0, live = set->live;
	void **slots = set->slots;
	size_t size = set->size;
	for (long done = 0; done < count; done += live) {
		for (long slot = 0; slot < live; slot++) {
			void *object = alloc(size);
			if (touched)
				put(object, slot & MARK);
			slots[slot] = object;
		}
		for (long i = 0; i < live; i++) {
			int32_t slot = order[i];
			void *object = slots[slot];
			if (touched && get(object) != (slot & MARK))
				wrong++;
			release(object);
		}
	}
	return wrong;
}

INLINE long run_as(struct set *set, long count, int touched)
{
	switch (set->loop) {
	case PAIR:
		return run_pair(set, count, touched);
	case BATCHES:
		return run_batch(set, count, touched);
	case RANDOM:
		return run_random(set, count, touched, 0);
	case MIXED:
		return run_random(set, count, touched, 1);
	case CHURNS:
		return run_churn(set, count, touched);
	default:
		return run_fill(set, count, touched);
	}
}

static long run(struct set *set, long count)
{
	return set->touched ? run_as(set, count, 1) : run_as(set, count, 0);
}

static double now_ns(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* ---- The live set, and its check ------------------------------------------------------------------------------------------- */

struct place {
	uintptr_t start;
	size_t bytes;
};

static int by_start(const void *a, const void *b)
{
	uintptr_t left = ((const struct place *)a)->start, right = ((const struct place *)b)->start;
	return (left > right) - (left < right);
}

/* Sizes follow from how far the set went through the order: the timed loop does not note them. */
static void sizes_now(const struct set *set, struct place *places)
{
	for (long slot = 0; slot < set->live; slot++)
		places[slot].bytes = set->loop == MIXED ? (size_t)sizes[slot % order_length] : set->size;
	if (set->loop != MIXED)
		return;
	for (long i = set->done > order_length ? set->done - order_length : 0; i < set->done; i++)
		places[order[i % order_length]].bytes = (size_t)sizes[i % order_length];
}

/* Returns the bytes from the first to the last, or 0 with a reason, and how many were asked for. */
static size_t check(void **objects, struct place *places, long count, size_t *asked, const char **bad)
{
	for (long i = 0; i < count; i++) {
		places[i].start = (uintptr_t)objects[i];
		*asked += places[i].bytes;
	}
	qsort(places, (size_t)count, sizeof *places, by_start);
	for (long i = 0; i < count; i++) {
		if (places[i].start == 0)
			*bad = "an allocation failed";
		else if (places[i].start % ALIGN)
			*bad = "an object is not aligned";
		else if (i > 0 && places[i - 1].start + places[i - 1].bytes > places[i].start)
			*bad = "two objects overlap";
		if (*bad)
			return 0;
	}
	return places[count - 1].start + places[count - 1].bytes - places[0].start;
}

static size_t check_set(struct set *set, size_t *asked, const char **bad)
{
	struct place *places = need((size_t)(set->live + 1) * sizeof *places);
	sizes_now(set, places);
	size_t span = check(set->slots, places, set->live, asked, bad);
	munmap(places, (size_t)(set->live + 1) * sizeof *places);
	return span;
}

static void check_sample(size_t size, const char **bad)
{
	void *objects[SAMPLE];
	struct place places[SAMPLE];
	size_t asked = 0;
	for (int i = 0; i < SAMPLE; i++) {
		objects[i] = alloc(size);
		places[i].bytes = size;
	}
	check(objects, places, SAMPLE, &asked, bad);
	for (int i = 0; i < SAMPLE; i++)
		release(objects[i * 7 % SAMPLE]);
}

static int keeps_live(const struct set *set) { return set->loop != PAIR && set->loop != BATCHES && set->loop != FILL; }

/* In the thread that will run it. A fill is drained again, after its check. */
static void set_up(struct set *set, const char **bad)
{
	size_t asked = 0;
	set->slots = need((size_t)(set->live > BATCH ? set->live : BATCH) * sizeof *set->slots);
	if (set->loop == PAIR || set->loop == BATCHES) {
		if (!IS_NOTHING)
			check_sample(set->size, bad);
		return;
	}
	for (long slot = 0; slot < set->live; slot++) {
		set->slots[slot] = alloc(set->loop == MIXED ? (size_t)sizes[slot % order_length] : set->size);
		if (set->touched)
			put(set->slots[slot], slot & MARK);
	}
	if (!IS_NOTHING)
		check_set(set, &asked, bad);
	if (set->loop == FILL)
		for (long i = 0; i < set->live; i++)
			release(set->slots[order[i]]);
}

/* ---- Threads ------------------------------------------------------------------------------------------------------------- */

static struct set sets[THREADS];
static int threads;
static pthread_barrier_t gate, done;
static long round_count, round_wrong[THREADS];
static double round_ns[THREADS], round_cpu_ns[THREADS];
static const char *set_bad[THREADS];

static void *work(void *arg)
{
	long self = (long)arg;
	set_up(&sets[self], &set_bad[self]);
	pthread_barrier_wait(&done);
	while (1) {
		pthread_barrier_wait(&gate);
		double cpu_start = now_ns(CLOCK_THREAD_CPUTIME_ID), start = now_ns(CLOCK_MONOTONIC);
		round_wrong[self] = run(&sets[self], round_count);
		round_ns[self] = now_ns(CLOCK_MONOTONIC) - start;
		round_cpu_ns[self] = now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_start;
		pthread_barrier_wait(&done);
	}
	return NULL;
}

static void open_threads(const char **bad)
{
	pthread_barrier_init(&gate, NULL, (unsigned)threads + 1);
	pthread_barrier_init(&done, NULL, (unsigned)threads + 1);
	for (long i = 0; i < threads; i++) {
		pthread_t thread;
		pthread_create(&thread, NULL, work, (void *)i);
	}
	pthread_barrier_wait(&done);
	for (int i = 0; i < threads; i++)
		if (set_bad[i])
			*bad = set_bad[i];
}

/* ---- Exchange: exchange.mjs has the same ring ------------------------------------------------------------------------------ */

enum { RING = 4096, STEP = 32, LOOKS = 4096 };
static void *ring[RING];
static _Alignas(64) _Atomic long head;
static _Alignas(64) _Atomic long tail;
static long exchange_count, exchange_touched;
static uintptr_t produced, consumed;

/* Until the other has come so far. Where it has no CPU to come on, it gets ours. */
static void wait_for(_Atomic long *word, long far)
{
	for (long looks = 1; atomic_load_explicit(word, memory_order_acquire) < far; looks++)
		if (looks % LOOKS == 0)
			usleep(20);
}

static void *produce(void *arg)
{
	uintptr_t sum = 0;
	(void)arg;
	for (long at = 0; at < exchange_count; at += STEP) {
		wait_for(&tail, at + STEP - RING);
		for (long i = at; i < at + STEP; i++) {
			void *object = alloc(64);
			if (exchange_touched)
				put(object, i & MARK);
			sum += (uintptr_t)object;
			ring[i % RING] = object;
		}
		atomic_store_explicit(&head, at + STEP, memory_order_release);
	}
	produced = sum;
	return NULL;
}

/* Returns how many objects were read other than they were written. */
static long consume(void)
{
	uintptr_t sum = 0;
	long wrong = 0;
	for (long at = 0; at < exchange_count; at += STEP) {
		wait_for(&head, at + STEP);
		for (long i = at; i < at + STEP; i++) {
			void *object = ring[i % RING];
			if (exchange_touched && get(object) != (i & MARK))
				wrong++;
			sum += (uintptr_t)object;
			release(object);
		}
		atomic_store_explicit(&tail, at + STEP, memory_order_release);
	}
	consumed = sum;
	return wrong;
}

static void exchange(long count, int touched)
{
	pthread_t thread;
	exchange_count = count;
	exchange_touched = touched;
	atomic_store(&head, 0);
	atomic_store(&tail, 0);
	double cpu_start = now_ns(CLOCK_PROCESS_CPUTIME_ID), start = now_ns(CLOCK_MONOTONIC);
	pthread_create(&thread, NULL, produce, NULL);
	long wrong = consume();
	double ns = now_ns(CLOCK_MONOTONIC) - start;
	pthread_join(thread, NULL);
	double cpu_ns = (now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_start) / 2;
	printf("%.0f %ld %.0f\n", ns, wrong + (produced != consumed), cpu_ns);
}

/* ---- The pipe --------------------------------------------------------------------------------------------------------------- */

static void open_sets(enum loop loop, int touched, long size, long live)
{
	const char *bad = NULL;
	begin((size_t)size, live > SAMPLE ? live : SAMPLE);
	make_order(loop, live);
	for (int i = 0; i < THREADS; i++)
		sets[i] = (struct set){ .live = live, .size = (size_t)size, .loop = loop, .touched = touched };
	if (threads > 1)
		open_threads(&bad);
	else
		set_up(&sets[0], &bad);
	puts(bad ? bad : "ok");
}

static void run_round(long count)
{
	double ns = 0, cpu_ns = 0;
	long wrong = 0;
	if (threads > 1) {
		round_count = count;
		pthread_barrier_wait(&gate);
		pthread_barrier_wait(&done);
		for (int i = 0; i < threads; i++) {
			ns += round_ns[i] / threads;
			cpu_ns += round_cpu_ns[i] / threads;
			wrong += round_wrong[i];
		}
	} else {
		double cpu_start = now_ns(CLOCK_THREAD_CPUTIME_ID), start = now_ns(CLOCK_MONOTONIC);
		wrong = run(&sets[0], count);
		ns = now_ns(CLOCK_MONOTONIC) - start;
		cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_start;
	}
	printf("%.0f %ld %.0f\n", ns, wrong, cpu_ns);
}

static void answer_check(void)
{
	const char *bad = NULL;
	size_t span = 0, asked = 0;
	for (int i = 0; i < threads; i++)
		if (!IS_NOTHING && keeps_live(&sets[i]))
			span = check_set(&sets[i], &asked, &bad);
	if (bad)
		printf("bad %s\n", bad);
	else
		printf("ok %zu %zu\n", span, asked);
}

int main(void)
{
	char line[128], name[16];
	long a, b, c;
	int touched, n;
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof line, stdin)) {
		if (strcmp(line, "version\n") == 0) {
			puts(version());
		} else if (strcmp(line, "check\n") == 0) {
			answer_check();
		} else if (sscanf(line, "run %ld", &a) == 1) {
			run_round(a);
		} else if (sscanf(line, "exchange %ld %d", &a, &touched) == 2) {
			exchange(a, touched);
		} else if (sscanf(line, "open %15s %d %ld %ld %d", name, &touched, &b, &c, &n) == 5) {
			int loop = 0;
			while (loop < LOOPS && strcmp(loop_names[loop], name) != 0)
				loop++;
			if (loop == LOOPS || n < 1 || n > THREADS) {
				printf("bad: %s", line);
				continue;
			}
			threads = n;
			open_sets((enum loop)loop, touched, b, c);
		} else {
			printf("bad: %s", line);
		}
	}
	return 0;
}
