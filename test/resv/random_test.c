/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Long random sequences, the reservation machine against the naive model: more initiators, ports
 * and keys than can be enumerated, a table that fills up, operations biased towards keys that are
 * right. Usage: random [SEED [RUNS]]; the seed is printed.
 */
#include "twin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STEPS 2000

static uint64_t random_state;

static uint64_t draw(void) /* xorshift64* */
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 2685821657736338717ull >> 16;
}

static int below(int n)
{
	return (int)(draw() % (uint64_t)n);
}

static bool one_in(int n)
{
	return !below(n);
}

static void fill_pr(const struct naive *n, struct naive_op *op)
{
	static const int types[] = {1, 3, 5, 6, 7, 8};
	uint64_t own = n->key[op->initiator][op->port];

	op->rk = one_in(6) ? (uint64_t)below(5) : own;
	op->sark = (uint64_t)below(5);
	op->type = one_in(12) ? below(16) : types[below(6)];
	op->scope = one_in(20) ? below(16) : 0;
	if (one_in(2) && n->type && op->kind == NAIVE_RELEASE)
		op->type = n->type;
	op->aptpl = one_in(2);
	op->all_tg_pt = one_in(4);
	op->unreg = one_in(2);
	op->to = below(n->initiators);
	op->to_port = below(n->ports + 1);
	if (op->kind == NAIVE_REGISTER && one_in(4)) {
		op->spec_i_pt = true;
		op->listed_count = below(4);
		for (int i = 0; i < op->listed_count; i++)
			op->listed[i] = below(n->initiators);
	}
	if (op->kind == NAIVE_REPLACE_LOST && !one_in(4))
		op->rk = 0;
}

/* Only what the kind uses: everything else must be zero in an op. */
static void trim(struct naive_op *op)
{
	bool is_register = op->kind == NAIVE_REGISTER || op->kind == NAIVE_REGISTER_IGNORE;
	bool typed = op->kind == NAIVE_RESERVE || op->kind == NAIVE_RELEASE ||
		     op->kind == NAIVE_PREEMPT || op->kind == NAIVE_PREEMPT_ABORT ||
		     op->kind == NAIVE_REPLACE_LOST;

	if (op->kind == NAIVE_REGISTER_IGNORE)
		op->rk = 0;
	if (op->kind >= NAIVE_RESERVE && op->kind <= NAIVE_CLEAR)
		op->sark = 0;
	if (!typed)
		op->type = op->scope = 0;
	if (!is_register)
		op->all_tg_pt = false;
	if (!is_register && op->kind != NAIVE_REGISTER_MOVE)
		op->aptpl = false;
	if (op->kind != NAIVE_REGISTER_MOVE)
		op->unreg = false;
}

static struct naive_op random_op(const struct naive *n)
{
	struct naive_op op = {
		.initiator = below(n->initiators),
		.port = below(n->ports),
		.login = (uint32_t)below(TWIN_LOGINS) + 1,
	};

	op.kind = (enum naive_kind)(one_in(8) ? below(NAIVE_KINDS) : below(NAIVE_REPLACE_LOST + 1));
	/* What ends everything comes seldom, and the end itself never: nothing follows it. */
	if ((op.kind == NAIVE_CLEAR || (op.kind >= NAIVE_BREAK && op.kind <= NAIVE_INFO_LOST)) &&
		!one_in(4))
		op.kind = NAIVE_REGISTER;
	if (op.kind == NAIVE_RETIRE && !one_in(50))
		op.kind = NAIVE_READ;
	if (op.kind == NAIVE_MODE_SELECT)
		op.sark = (uint64_t)below(8);
	if (op.kind == NAIVE_SANITIZE || op.kind == NAIVE_SANITIZED)
		op.aptpl = one_in(2);
	if (op.kind <= NAIVE_REPLACE_LOST) {
		fill_pr(n, &op);
		trim(&op);
	}
	return op;
}

/* Encoded and decoded, op and state are the same; the digest says so. */
static const char *check_wire(
	const struct twin *t, struct hf_resv *other, const struct naive_op *op)
{
	static uint8_t bytes[HF_RESV_STATE_BYTES_MAX], again[HF_RESV_STATE_BYTES_MAX];
	struct hf_resv_op hf_op = twin_op(op), back;
	int len = hf_resv_op_encode(&hf_op, bytes, sizeof(bytes));

	if (len < 0 || hf_resv_op_decode(bytes, (size_t)len, &back))
		return "op codec";
	if (hf_resv_op_encode(&back, again, sizeof(again)) != len ||
		memcmp(bytes, again, (size_t)len))
		return "op codec";
	len = hf_resv_encode(t->r, bytes, sizeof(bytes));
	if (len < 0 || hf_resv_decode(other, bytes, (size_t)len))
		return "state codec";
	return hf_resv_digest(other) == hf_resv_digest(t->r) ? NULL : "digest";
}

static int run(uint64_t seed)
{
	static struct naive_op trail[STEPS];
	struct twin t, other;
	const char *differs = NULL;
	int step;

	random_state = seed * 0x9e3779b97f4a7c15ull + 1;
	twin_init(&t, NAIVE_INITIATORS, 2 + below(NAIVE_PORTS - 1), 3 + below(12));
	twin_init(&other, NAIVE_INITIATORS, t.n.ports, t.n.room);
	for (step = 0; step < STEPS && !differs; step++) {
		uint64_t digest = hf_resv_digest(t.r);
		struct naive before = t.n;

		trail[step] = random_op(&t.n);
		differs = twin_step(&t, &trail[step]);
		if (!differs)
			differs = twin_admission(&t);
		if (!differs)
			differs = check_wire(&t, other.r, &trail[step]);
		if (!differs &&
			(digest == hf_resv_digest(t.r)) != !memcmp(&before, &t.n, sizeof(before)))
			differs = "digest";
	}
	if (differs) {
		printf("seed %llu, step %d: %s differs; the last steps:\n",
			(unsigned long long)seed, step, differs);
		for (int i = step > 12 ? step - 12 : 0; i < step; i++)
			twin_print_op(&trail[i]);
	}
	twin_fini(&t);
	twin_fini(&other);
	return differs ? 1 : 0;
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : (uint64_t)time(NULL);
	int runs = argc > 2 ? atoi(argv[2]) : 100;

	printf("seed %llu, %d runs of %d steps\n", (unsigned long long)seed, runs, STEPS);
	for (int i = 0; i < runs; i++)
		if (run(seed + (uint64_t)i))
			return 1;
	return 0;
}
