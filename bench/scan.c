/*
 * The plain C scanner that bench/trace-text.mjs compares with: one pass over the lines of a file in memory, a pointer that walks, a
 * switch on the event's name. Built with `cc -O2`. It reads what every line of raw ftrace text says (kind, CPU, pid, time, call site,
 * pointer, sizes, gfp, name), looks call sites and names up in a table of texts, and prints counts and sums.
 *
 *     scan FILE ROUNDS     one line: CPU seconds of the median round, counts of the six kinds, sums of CPU, pid, microseconds, the
 *                          pointers' lowest bytes, bytes_req, bytes_alloc, gfp bits and lengths of texts
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KMALLOC = 1, KFREE, CACHE_ALLOC, CACHE_FREE, PAGE_ALLOC, PAGE_FREE, KINDS };

struct text {
	const char *at;
	uint32_t length;
	uint32_t hash;
};

#define TEXTS (1 << 16)

struct sums {
	uint64_t count[KINDS];
	uint64_t cpu, pid, micros, pointer, bytes_req, bytes_alloc, gfp, texts;
};

static struct text texts[TEXTS];

/* The text's number; what a consumer would group by. */
static uint32_t intern(const char *at, const char *end)
{
	uint32_t length = end - at, hash = length;
	for (const char *p = at; p < end; p++)
		hash = (hash ^ (unsigned char)*p) * 0x01000193u;
	for (uint32_t i = hash & (TEXTS - 1);; i = (i + 1) & (TEXTS - 1)) {
		if (texts[i].at == NULL) {
			texts[i] = (struct text){at, length, hash};
			return i;
		}
		if (texts[i].hash == hash && texts[i].length == length && memcmp(texts[i].at, at, length) == 0)
			return i;
	}
}

#define FLAG(name, bits) {name, sizeof name - 1, bits}

static const struct {
	const char *name;
	uint32_t length;
	uint32_t bits;
} GFP[] = {
	FLAG("GFP_KERNEL", 0xcc0), FLAG("__GFP_ZERO", 0x100), FLAG("GFP_KERNEL_ACCOUNT", 0x400cc0), FLAG("GFP_NOFS", 0xc40),
	FLAG("GFP_ATOMIC", 0xa20), FLAG("GFP_NOWAIT", 0x800), FLAG("GFP_HIGHUSER_MOVABLE", 0x100cca), FLAG("__GFP_COMP", 0x40000),
	FLAG("__GFP_NOWARN", 0x2000), FLAG("__GFP_NORETRY", 0x10000), FLAG("__GFP_NOMEMALLOC", 0x80000), FLAG("__GFP_ACCOUNT", 0x400000),
	FLAG("__GFP_RECLAIMABLE", 0x10), FLAG("GFP_HIGHUSER", 0x100cc2), FLAG("GFP_USER", 0x100cc0), FLAG("GFP_NOIO", 0xc00),
	FLAG("__GFP_RETRY_MAYFAIL", 0x4000), FLAG("__GFP_IO", 0x40), FLAG("__GFP_FS", 0x80), FLAG("__GFP_HARDWALL", 0x100000),
	FLAG("__GFP_HIGH", 0x20), FLAG("GFP_DMA", 1), FLAG("GFP_DMA32", 4), FLAG("__GFP_NOFAIL", 0x8000), FLAG("none", 0),
	FLAG("__GFP_RECLAIM", 0xc00), FLAG("__GFP_DIRECT_RECLAIM", 0x400), FLAG("__GFP_KSWAPD_RECLAIM", 0x800),
	FLAG("__GFP_HIGHMEM", 2), FLAG("__GFP_ATOMIC", 0x200), FLAG("GFP_TRANSHUGE", 0x1c24ca),
	FLAG("GFP_TRANSHUGE_LIGHT", 0x1c20ca), FLAG("__GFP_ZEROTAGS", 0x800000), FLAG("__GFP_WRITE", 0x1000), FLAG("__GFP_MEMALLOC", 0x20000), FLAG("__GFP_MOVABLE", 8), FLAG("__GFP_THISNODE", 0x200000),
};

static uint32_t gfp_bits(const char *at, const char *end)
{
	uint32_t bits = 0;
	while (at < end) {
		const char *bar = memchr(at, '|', end - at);
		size_t length = (bar ? bar : end) - at;
		for (size_t i = 0; i < sizeof GFP / sizeof *GFP; i++)
			if (GFP[i].length == length && memcmp(GFP[i].name, at, length) == 0) {
				bits |= GFP[i].bits;
				break;
			}
		at += length + 1;
	}
	return bits;
}

static uint64_t decimal(const char **p)
{
	uint64_t value = 0;
	for (; **p >= '0' && **p <= '9'; ++*p)
		value = value * 10 + (**p - '0');
	return value;
}

static uint64_t hex(const char **p)
{
	uint64_t value = 0;
	for (;; ++*p) {
		char c = **p;
		if (c >= '0' && c <= '9')
			value = value << 4 | (c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (c - 'a' + 10);
		else
			return value;
	}
}

static int kind_of(const char *name, size_t length)
{
	switch (length) {
	case 5: return memcmp(name, "kfree", 5) == 0 ? KFREE : 0;
	case 7: return memcmp(name, "kmalloc", 7) == 0 ? KMALLOC : 0;
	case 12: return memcmp(name, "mm_page_free", 12) == 0 ? PAGE_FREE : 0;
	case 13: return memcmp(name, "mm_page_alloc", 13) == 0 ? PAGE_ALLOC : 0;
	case 15: return memcmp(name, "kmem_cache_free", 15) == 0 ? CACHE_FREE : 0;
	case 16: return memcmp(name, "kmem_cache_alloc", 16) == 0 ? CACHE_ALLOC : 0;
	default: return 0;
	}
}

static void fields(const char *p, const char *end, struct sums *sums)
{
	while (p < end) {
		while (*p == ' ')
			p++;
		const char *key = p;
		while (p < end && *p != '=' && *p != ' ')
			p++;
		if (p >= end || *p != '=')
			continue;
		size_t length = p++ - key;
		const char *value = p;
		if (length == 3 && memcmp(key, "ptr", 3) == 0) {
			sums->pointer += hex(&p) & 0xff;
		} else if (length == 3 && memcmp(key, "pfn", 3) == 0) {
			p += 2;
			sums->pointer += hex(&p) & 0xff;
		} else if (length == 9 && memcmp(key, "call_site", 9) == 0) {
			while (*p != ' ' && *p != '/' && p < end)
				p++;
			sums->texts += texts[intern(value, p)].length;
			while (*p != ' ' && p < end)
				p++;
		} else if (length == 9 && memcmp(key, "bytes_req", 9) == 0) {
			sums->bytes_req += decimal(&p);
		} else if (length == 11 && memcmp(key, "bytes_alloc", 11) == 0) {
			sums->bytes_alloc += decimal(&p);
		} else if (length == 9 && memcmp(key, "gfp_flags", 9) == 0) {
			while (*p != ' ' && p < end)
				p++;
			sums->gfp += gfp_bits(value, p);
		} else if (length == 4 && memcmp(key, "name", 4) == 0) {
			while (*p != ' ' && p < end)
				p++;
			sums->texts += texts[intern(value, p)].length;
		} else {
			while (*p != ' ' && p < end)
				p++;
		}
	}
}

static void line(const char *p, const char *end, struct sums *sums)
{
	const char *bracket = memchr(p, '[', end - p);
	if (*p == '#' || bracket == NULL)
		return;
	const char *dash = bracket;
	while (dash > p && *dash != '-')
		dash--;
	const char *at = dash + 1;
	uint64_t pid = decimal(&at);
	at = bracket + 1;
	uint64_t cpu = decimal(&at);
	at += 2;
	while (*at != ' ' && at < end)
		at++;
	while (*at == ' ')
		at++;
	uint64_t micros = decimal(&at) * 1000000;
	at++;
	micros += decimal(&at);
	at += 2;
	const char *colon = memchr(at, ':', end - at);
	if (colon == NULL)
		return;
	int kind = kind_of(at, colon - at);
	if (kind == 0)
		return;
	sums->count[kind]++;
	sums->pid += pid;
	sums->cpu += cpu;
	sums->micros += micros;
	while (*p == ' ')
		p++;
	sums->texts += texts[intern(p, dash)].length;
	fields(colon + 1, end, sums);
}

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return time.tv_sec + time.tv_nsec * 1e-9;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[2]) : 1;
	FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
	if (file == NULL || rounds < 1)
		return 2;
	fseek(file, 0, SEEK_END);
	size_t size = ftell(file);
	rewind(file);
	char *text = malloc(size + 1);
	double *seconds = malloc(rounds * sizeof *seconds);
	if (text == NULL || seconds == NULL || fread(text, 1, size, file) != size)
		return 3;
	text[size] = '\n';
	struct sums sums;
	for (int round = 0; round < rounds; round++) {
		double start = now();
		memset(&sums, 0, sizeof sums);
		memset(texts, 0, sizeof texts);
		for (const char *p = text, *end = text + size; p < end;) {
			const char *newline = memchr(p, '\n', end + 1 - p);
			line(p, newline, &sums);
			p = newline + 1;
		}
		seconds[round] = now() - start;
	}
	qsort(seconds, rounds, sizeof *seconds, ascending);
	printf("%.6f", seconds[rounds / 2]);
	for (int kind = 1; kind < KINDS; kind++)
		printf(" %llu", (unsigned long long)sums.count[kind]);
	const uint64_t rest[] = {sums.cpu, sums.pid, sums.micros, sums.pointer, sums.bytes_req, sums.bytes_alloc, sums.gfp, sums.texts};
	for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
		printf(" %llu", (unsigned long long)rest[i]);
	putchar('\n');
	return 0;
}
