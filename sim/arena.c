/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The memory of the worlds that run one after another in a process. A world gives little of it
 * back: controllers crash. So malloc() and its like take it from one arena here, in place of the C
 * library's, and the next world begins with the arena and with all variables as they were before
 * the first: it knows nothing of the one before, and uses the pages that are there already (to have
 * fresh ones from the kernel costs more than the world itself).
 *
 * Not under sanitizers; there the memory only grows.
 */
#include "arena.h"
#include "base.h"

#if !SIM_ARENA

void sim_arena_keep(void)
{
}

void sim_arena_again(void)
{
}

#else

#include <stdlib.h>
#include <sys/mman.h>

enum {
	HEAD = 16, /* before every block; keeps its alignment */
	STEPS = 4, /* sizes per power of two */
	SIZES = 30 * STEPS,
	LIVE = 0x5eed11fe,
	FREE = 0x0dead0fe,
};

/* Addresses; pages come as they are used. Large blocks are hardly used, and lie apart. */
#define ARENA_BYTES (UINT64_C(16) << 30)
#define LARGE_BYTES (UINT64_C(2) << 20)

struct head {
	uint32_t state;
	uint32_t size;	 /* index */
	uint64_t offset; /* of what the caller has, from the block's beginning */
};

struct block {
	struct block *next; /* while it is free */
};

_Static_assert(sizeof(struct head) == HEAD, "blocks are aligned to 16 bytes");

struct part {
	char *at, *end, *kept_at;
};

static char *arena;
static struct part small, large;
static struct block *unused[SIZES];
static char *kept; /* the variables as they were */

/* From the linker: all that is written to of this program, beginning and end. */
extern char __data_start[], _end[];

static size_t bytes_of(unsigned size)
{
	return (size_t)(STEPS + size % STEPS) << (size / STEPS + 3);
}

/* The smallest that takes n bytes. */
static unsigned size_of(size_t n)
{
	unsigned log, size;

	n = HF_MAX(n, (size_t)32);
	log = 63 - (unsigned)__builtin_clzll(n);
	size = (log - 5) * STEPS + (unsigned)(n >> (log - 2)) % STEPS;
	return bytes_of(size) < n ? size + 1 : size;
}

static void begin(void)
{
	char *middle;

	arena = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	hf_assert(arena != MAP_FAILED);
	middle = arena + ARENA_BYTES / 2;
	madvise(arena, ARENA_BYTES / 2, MADV_HUGEPAGE);
	small = (struct part){.at = arena, .end = middle};
	large = (struct part){.at = middle, .end = arena + ARENA_BYTES};
}

static struct block *fresh_block(unsigned size)
{
	size_t bytes = bytes_of(size);
	struct part *part = bytes < LARGE_BYTES ? &small : &large;
	struct block *b;

	if (!arena)
		begin();
	hf_assert(bytes <= (size_t)(part->end - part->at));
	b = (struct block *)(void *)part->at;
	part->at += bytes;
	return b;
}

static void *take(size_t n, size_t align)
{
	unsigned size = size_of(n + HEAD + (align > HEAD ? align : 0));
	struct block *b;
	struct head *h;
	char *p;

	if (n > ARENA_BYTES / 4) {
		errno = ENOMEM;
		return NULL;
	}
	b = unused[size];
	if (b)
		unused[size] = b->next;
	else
		b = fresh_block(size);
	p = (char *)b + HEAD;
	if (align > HEAD)
		p = (char *)HF_ROUND_UP((uintptr_t)p, align);
	h = (struct head *)(void *)(p - HEAD);
	*h = (struct head){LIVE, size, (uint64_t)(p - (char *)b)};
	return p;
}

static struct head *head_of(void *p)
{
	struct head *h = (struct head *)(void *)((char *)p - HEAD);

	hf_assert((char *)p > arena && (char *)p < large.at && h->state == LIVE);
	return h;
}

void *malloc(size_t n)
{
	return take(n, 0);
}

void *calloc(size_t n, size_t each)
{
	size_t bytes;
	void *p;

	if (__builtin_mul_overflow(n, each, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	p = take(bytes, 0);
	if (p)
		memset(p, 0, bytes);
	return p;
}

void free(void *p)
{
	const struct part *part;
	struct block *b;
	struct head *h;

	if (!p)
		return;
	h = head_of(p);
	part = bytes_of(h->size) < LARGE_BYTES ? &small : &large;
	/* What was there before the worlds has to be there for the next one, too. */
	if ((char *)p < part->kept_at)
		return;
	b = (struct block *)(void *)((char *)p - h->offset);
	h->state = FREE;
	b->next = unused[h->size];
	unused[h->size] = b;
}

void *realloc(void *p, size_t n)
{
	size_t had;
	void *fresh;

	if (!p)
		return take(n, 0);
	had = bytes_of(head_of(p)->size) - head_of(p)->offset;
	if (n <= had)
		return p;
	fresh = take(n, 0);
	if (!fresh)
		return NULL;
	memcpy(fresh, p, had);
	free(p);
	return fresh;
}

void *aligned_alloc(size_t align, size_t n)
{
	return take(n, align);
}

static size_t variables(void)
{
	return (size_t)(_end - __data_start);
}

void sim_arena_keep(void)
{
	kept = mmap(NULL, variables(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	hf_assert(kept != MAP_FAILED);
	small.kept_at = small.at;
	large.kept_at = large.at;
	memset(unused, 0, sizeof(unused)); /* their links lie in themselves */
	memcpy(kept, __data_start, variables());
}

void sim_arena_again(void)
{
	memcpy(__data_start, kept, variables());
}

#endif
