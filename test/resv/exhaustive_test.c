/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every sequence of operations in small worlds, the reservation machine against the naive model.
 *
 * Two ways:
 *  - closure: every operation in every state that any sequence, of whatever length, reaches. States
 *    are told apart by the naive model (without PRGENERATION, which only counts); since both models
 *    must agree in all of it after every step, new states are where sequences can differ.
 *  - sequences: every sequence up to a depth, nothing recognised as seen before. It would see what
 *    the machine remembers beyond its state.
 * HF_RESV_DEEP=1 in the environment: larger worlds and one step more.
 */
#include "twin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a world has, and which operations are tried in it. */
struct world {
	const char *name;
	int initiators, ports, room, keys;
	unsigned senders; /* bit initiator * ports + port */
	bool pr, events, legacy, all_tg_pt, spec_i_pt, scopes, aptpl;
	int types_len;
	int types[8];
	int depth; /* of literal sequences; 0: closure */
};

#define OPS_MAX 20000
static struct naive_op ops[OPS_MAX];
static int ops_len;

static void add(struct naive_op op)
{
	if (ops_len == OPS_MAX)
		abort();
	ops[ops_len++] = op;
}

static void add_registers(const struct world *w, struct naive_op op)
{
	for (int flags = 0; flags < 8; flags++) {
		op.aptpl = flags & 1;
		op.all_tg_pt = flags & 2;
		op.spec_i_pt = flags & 4;
		op.listed_count = 0;
		if ((op.aptpl && !w->aptpl) || (op.all_tg_pt && !w->all_tg_pt) ||
			(op.spec_i_pt && !w->spec_i_pt))
			continue;
		for (op.sark = 0; op.sark <= (uint64_t)w->keys; op.sark++) {
			op.kind = NAIVE_REGISTER_IGNORE;
			op.rk = 0;
			if (!op.spec_i_pt)
				add(op);
			op.kind = NAIVE_REGISTER;
			if (op.spec_i_pt) {
				op.listed_count = 2;
				op.listed[0] = op.initiator;
				op.listed[1] = (op.initiator + 1) % w->initiators;
			}
			for (op.rk = 0; op.rk <= (uint64_t)w->keys; op.rk++)
				add(op);
		}
	}
}

static void add_typed(const struct world *w, struct naive_op op)
{
	static const enum naive_kind kinds[] = {NAIVE_RESERVE, NAIVE_RELEASE, NAIVE_PREEMPT,
		NAIVE_PREEMPT_ABORT, NAIVE_REPLACE_LOST};

	for (int k = 0; k < 5; k++)
		for (int t = 0; t < w->types_len; t++)
			for (op.scope = 0; op.scope <= w->scopes; op.scope++)
				for (op.rk = 0; op.rk <= (uint64_t)w->keys; op.rk++) {
					bool sark = kinds[k] >= NAIVE_PREEMPT;

					op.kind = kinds[k];
					op.type = w->types[t];
					for (op.sark = 0; op.sark <= (sark ? (uint64_t)w->keys : 0);
						op.sark++)
						add(op);
				}
}

static void add_moves(const struct world *w, struct naive_op op)
{
	op.kind = NAIVE_REGISTER_MOVE;
	for (op.to = 0; op.to < w->initiators; op.to++)
		for (op.to_port = 0; op.to_port <= w->ports; op.to_port++)
			for (int flags = 0; flags < (w->aptpl ? 4 : 2); flags++)
				for (op.rk = 1; op.rk <= (uint64_t)w->keys; op.rk++)
					for (op.sark = 0; op.sark <= (uint64_t)w->keys; op.sark++) {
						op.unreg = flags & 1;
						op.aptpl = flags & 2;
						add(op);
					}
}

static void add_service_actions(const struct world *w, struct naive_op op)
{
	add_registers(w, op);
	add_typed(w, op);
	add_moves(w, op);
	op.kind = NAIVE_CLEAR;
	for (op.rk = 0; op.rk <= (uint64_t)w->keys; op.rk++)
		add(op);
	op.rk = 0;
	op.kind = NAIVE_READ;
	add(op);
}

static void make_ops(const struct world *w)
{
	ops_len = 0;
	for (int i = 0; i < w->initiators; i++)
		for (int p = 0; p < w->ports; p++) {
			struct naive_op op = {.initiator = i, .port = p, .login = 1};

			if (!(w->senders >> (i * w->ports + p) & 1))
				continue;
			if (w->pr)
				add_service_actions(w, op);
			for (op.login = 1; w->legacy && op.login <= TWIN_LOGINS; op.login++) {
				op.kind = NAIVE_LEGACY_RESERVE;
				add(op);
				op.kind = NAIVE_LEGACY_RELEASE;
				add(op);
				op.kind = NAIVE_NEXUS_LOSS;
				add(op);
			}
		}
	for (int p = 0; w->legacy && p < w->ports; p++)
		add((struct naive_op){NAIVE_PEER_REMOVED, .port = p});
	add((struct naive_op){NAIVE_LU_RESET});
	for (int kind = NAIVE_BREAK; w->events && kind <= NAIVE_INFO_LOST; kind++)
		add((struct naive_op){(enum naive_kind)kind});
}

/* --- closure ------------------------------------------------------------------------------------
 */

#define STATES_MAX 200000
#define SLOTS	   (1 << 19)

static struct twin *states[STATES_MAX];
static int came_from[STATES_MAX], came_by[STATES_MAX];
static int states_len;
static int slots[SLOTS]; /* index + 1 */

static int *find_slot(const struct naive *n)
{
	struct naive key = *n;
	const uint8_t *bytes = (const uint8_t *)&key;
	uint64_t h = 1469598103934665603ull;

	key.generation = 0;
	for (size_t i = 0; i < sizeof(key); i++)
		h = (h ^ bytes[i]) * 1099511628211ull;
	for (h ^= h >> 29;; h++) {
		int *slot = &slots[h % SLOTS];

		if (!*slot)
			return slot;
		key.generation = states[*slot - 1]->n.generation;
		if (!memcmp(&key, &states[*slot - 1]->n, sizeof(key)))
			return slot;
	}
}

static void remember(const struct world *w, const struct twin *t, int from, int by)
{
	int *slot = find_slot(&t->n);

	if (*slot)
		return;
	if (states_len == STATES_MAX)
		abort();
	states[states_len] = malloc(sizeof(struct twin));
	if (!states[states_len])
		abort();
	twin_init(states[states_len], w->initiators, w->ports, w->room);
	twin_copy(states[states_len], t);
	came_from[states_len] = from;
	came_by[states_len] = by;
	*slot = ++states_len;
}

static void print_way(int state)
{
	if (!state)
		return;
	print_way(came_from[state]);
	twin_print_op(&ops[came_by[state]]);
}

static int close_world(const struct world *w)
{
	struct twin t;
	long steps = 0;
	int failed = 0;

	twin_init(&t, w->initiators, w->ports, w->room);
	remember(w, &t, 0, 0);
	for (int s = 0; s < states_len && !failed; s++) {
		const char *differs = twin_admission(states[s]);

		for (int o = 0; o < ops_len && !differs; o++, steps++) {
			twin_copy(&t, states[s]);
			differs = twin_step(&t, &ops[o]);
			if (differs) {
				printf("%s differs after:\n", differs);
				print_way(s);
				twin_print_op(&ops[o]);
			} else {
				remember(w, &t, s, o);
			}
		}
		failed = !!differs;
	}
	printf("%s: %d states, %d operations, %ld steps: %s\n", w->name, states_len, ops_len, steps,
		failed ? "DIFFER" : "every sequence agrees");
	twin_fini(&t);
	for (int s = 0; s < states_len; s++) {
		twin_fini(states[s]);
		free(states[s]);
	}
	states_len = 0;
	memset(slots, 0, sizeof(slots));
	return failed;
}

/* --- sequences ----------------------------------------------------------------------------------
 */

#define DEPTH_MAX 8

static struct twin line[DEPTH_MAX + 1];
static int path[DEPTH_MAX];
static long sequences;

static int descend(int depth, int at)
{
	for (int o = 0; o < ops_len; o++) {
		const char *differs;

		twin_copy(&line[at + 1], &line[at]);
		path[at] = o;
		sequences++;
		differs = twin_step(&line[at + 1], &ops[o]);
		if (!differs)
			differs = twin_admission(&line[at + 1]);
		if (differs) {
			printf("%s differs after:\n", differs);
			for (int i = 0; i <= at; i++)
				twin_print_op(&ops[path[i]]);
			return 1;
		}
		if (at + 1 < depth && descend(depth, at + 1))
			return 1;
	}
	return 0;
}

static int all_sequences(const struct world *w, int depth)
{
	int failed;

	for (int i = 0; i <= depth; i++)
		twin_init(&line[i], w->initiators, w->ports, w->room);
	sequences = 0;
	failed = descend(depth, 0);
	printf("%s: all sequences of %d operations up to %d steps, %ld steps: %s\n", w->name,
		ops_len, depth, sequences, failed ? "DIFFER" : "agree");
	for (int i = 0; i <= depth; i++)
		twin_fini(&line[i]);
	return failed;
}

/* Nexuses are bits initiator * ports + port: with two ports A1 = 1, A2 = 2, B1 = 4, B2 = 8, C1
 * = 16. */
static const struct world worlds[] = {
	{"SPC-2 and events, 3 nexuses on 2 ports", 2, 2, 4, 1, .senders = 1 | 2 | 8, .legacy = true,
		.events = true},
	{"3 nexuses on 2 ports, 3 keys", 3, 2, 6, 3, .senders = 1 | 2 | 4, .pr = true,
		.legacy = true, .events = true, .types_len = 7, .types = {0, 1, 3, 5, 6, 7, 8}},
	{"4 nexuses, 2 keys, ALL_TG_PT, SPEC_I_PT, APTPL", 2, 2, 4, 2, .senders = 1 | 2 | 4 | 8,
		.pr = true, .legacy = true, .events = true, .all_tg_pt = true, .spec_i_pt = true,
		.aptpl = true, .types_len = 4, .types = {1, 5, 6, 7}},
	{"4 nexuses, 1 key, room for 2, every type and scope", 2, 2, 2, 1, .senders = 1 | 2 | 4 | 8,
		.pr = true, .legacy = true, .events = true, .all_tg_pt = true, .spec_i_pt = true,
		.aptpl = true, .scopes = true, .types_len = 8, .types = {0, 1, 2, 3, 5, 6, 7, 8}},
	{"SPC-2 literally", 2, 2, 4, 1, .senders = 1 | 2 | 8, .legacy = true, .depth = 4},
	{"PR literally", 2, 2, 4, 1, .senders = 1 | 8, .pr = true, .types_len = 2, .types = {1, 7},
		.depth = 3},
};

static const struct world deep_worlds[] = {
	{"4 nexuses, 3 keys, everything", 2, 2, 4, 3, .senders = 1 | 2 | 4 | 8, .pr = true,
		.legacy = true, .events = true, .all_tg_pt = true, .spec_i_pt = true, .aptpl = true,
		.scopes = true, .types_len = 7, .types = {0, 1, 3, 5, 6, 7, 8}},
	{"6 nexuses, 2 keys", 3, 2, 5, 2, .senders = 63, .pr = true, .legacy = true, .events = true,
		.all_tg_pt = true, .spec_i_pt = true, .types_len = 3, .types = {1, 5, 7}},
};

static int run(const struct world *w, int deeper)
{
	make_ops(w);
	return w->depth ? all_sequences(w, w->depth + deeper) : close_world(w);
}

int main(void)
{
	const char *deep = getenv("HF_RESV_DEEP");
	int failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < sizeof(worlds) / sizeof(worlds[0]); i++)
		failed |= run(&worlds[i], !!deep);
	for (size_t i = 0; deep && i < sizeof(deep_worlds) / sizeof(deep_worlds[0]); i++)
		failed |= run(&deep_worlds[i], 1);
	return failed;
}
