/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A reservation that changes hands: X releases at controller 1, Y reserves at controller 2 (this
 * pair is timed), and back. Against the floors the same bytes go the same ways.
 */
#include "load.h"

static int reserve(struct load_conn *c, bool on)
{
	const uint8_t cdb[16] = {on ? 0x16 : 0x17};

	return load_command(c, c->o->lun, cdb, NULL, 0);
}

static void change(struct load_conn *from, struct load_conn *to, struct load_result *r)
{
	uint64_t start = load_now();

	if (reserve(from, false) || reserve(to, true))
		r->failed++;
	load_count(r, load_now() - start);
}

void load_hand_over(struct load_conn *c, struct load_result *r)
{
	const struct load_options *o = c->o;
	uint64_t begin, end;

	if (reserve(&c[0], true))
		load_die("the first RESERVE was refused");
	begin = load_now() + (uint64_t)(o->warm_up * 1e9);
	end = begin + (uint64_t)(o->seconds * 1e9);
	while (load_now() < end && (!o->count || r->done < o->count)) {
		r->counting = load_now() >= begin;
		change(&c[0], &c[1], r);
		change(&c[1], &c[0], r);
	}
	reserve(&c[0], false);
}
