/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One controller's pair and range machines of one device against a peer that may say anything at
 * any time. The owner is a toy whose state is one byte; its own events keep to the contract of
 * pair.h. Whatever the peer says: no assertion, every op is answered once, a device is held before
 * it is changed, and nothing waits for ever once the peer is gone.
 */
#include "range.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OPS = 6, RANGES = 70 };

static struct hf_pair_dev *dev;
static struct hf_range_dev *range_dev;
static uint64_t now, held_n, held_ranges[2 * HF_RANGE_ASKED_MAX];
static uint8_t state, pending;
static bool holding, persisting, copy_asked, pick_asked, pick_due, stopped;
static uint64_t pick_n;
static struct {
	struct hf_bus_prop prop;
	uint8_t op;
	bool out;
} ops[OPS];
static struct hf_bus_range ranges[RANGES];
static enum { RANGE_FREE, RANGE_ASKED, RANGE_GRANTED } range_state[RANGES];

/* --- the owner ------------------------------------------------------------------------------- */

static enum hf_bus_look look(void *owner, uint32_t d, const void *op, size_t len)
{
	uint8_t want = *(const uint8_t *)op;

	if (want % 8 == state)
		return HF_BUS_LOOK_ANSWER;
	return want & 8 ? HF_BUS_LOOK_CHANGE_PERSIST : HF_BUS_LOOK_CHANGE;
}

static uint64_t digest(void *owner, uint32_t d)
{
	return state;
}

static void perform(const struct hf_pair_effect *e)
{
	static uint8_t buf[HF_PAIR_MSG_MAX];
	unsigned i;

	switch (e->kind) {
	case HF_PAIR_DO_SEND:
		hf_assert(dev->up && hf_pair_msg_encode(&e->msg, buf, sizeof(buf)) > 0);
		break;
	case HF_PAIR_DO_HOLD:
		hf_assert(!holding && e->n == dev->n + 1);
		holding = true;
		held_n = e->n;
		pending = *e->op % 8;
		break;
	case HF_PAIR_DO_UNHOLD:
		hf_assert(holding && held_n == e->n);
		holding = persisting = false;
		break;
	case HF_PAIR_DO_PERSIST:
		hf_assert(holding && !persisting);
		persisting = true;
		break;
	case HF_PAIR_DO_APPLY:
		hf_assert(holding && held_n == e->n && !persisting);
		holding = false;
		state = pending;
		break;
	case HF_PAIR_DO_ANSWER:
		for (i = 0; i < OPS && e->prop != &ops[i].prop; i++)
			;
		hf_assert(i < OPS && ops[i].out);
		ops[i].out = false;
		break;
	case HF_PAIR_DO_SNAPSHOT:
		hf_assert((copy_asked || dev->pick == HF_PAIR_PICK_GIVEN) && !holding);
		copy_asked = false;
		break;
	case HF_PAIR_DO_STOP:
		hf_assert(!stopped || dev->empty);
		stopped = true;
		break;
	case HF_PAIR_DO_RESUME:
		hf_assert(stopped && !holding);
		stopped = false;
		break;
	case HF_PAIR_DO_PICK:
		hf_assert(stopped && !holding);
		pick_due = true;
		pick_n = e->n;
		break;
	case HF_PAIR_DO_PICK_END:
		hf_assert(pick_asked);
		pick_asked = false;
		break;
	case HF_PAIR_DO_DOUBT:
	case HF_PAIR_DO_TIMER:
		break;
	}
}

static void perform_range(const struct hf_range_effect *e)
{
	uint64_t *slot = NULL;
	uint8_t buf[HF_RANGE_MSG_MAX];

	for (unsigned i = 0; i < HF_ARRAY_LEN(held_ranges) && !slot; i++)
		if (held_ranges[i] == (e->kind == HF_RANGE_DO_HOLD ? 0 : e->id))
			slot = &held_ranges[i];
	switch (e->kind) {
	case HF_RANGE_DO_SEND:
		hf_assert(range_dev->up && hf_range_msg_encode(&e->msg, buf, sizeof(buf)) > 0);
		break;
	case HF_RANGE_DO_HOLD:
		hf_assert(slot && e->blocks);
		*slot = e->id;
		break;
	case HF_RANGE_DO_UNHOLD:
		hf_assert(slot);
		*slot = 0;
		break;
	case HF_RANGE_DO_DOUBT:
		hf_assert(slot);
		break;
	case HF_RANGE_DO_GRANTED:
		hf_assert(range_state[e->req - ranges] == RANGE_ASKED);
		range_state[e->req - ranges] = e->result ? RANGE_FREE : RANGE_GRANTED;
		break;
	case HF_RANGE_DO_TIMER:
	case HF_RANGE_DO_DROP_LINK:
		break;
	}
}

static void step_range(struct hf_range_event ev)
{
	struct hf_range_update u;

	do {
		ev.now_ns = now;
		hf_range_step(range_dev, &ev, &u);
		for (unsigned i = 0; i < u.len; i++)
			perform_range(&u.effects[i]);
		ev = (struct hf_range_event){.kind = HF_RANGE_CONTINUE};
	} while (u.more);
}

static void step(struct hf_pair_event ev)
{
	struct hf_pair_update u;

	do {
		ev.now_ns = now;
		hf_pair_step(dev, &ev, &u);
		for (unsigned i = 0; i < u.len; i++)
			perform(&u.effects[i]);
		ev = (struct hf_pair_event){.kind = HF_PAIR_CONTINUE};
	} while (u.more);
}

/* Both machines hear of the view, the pair first (range.h). */
static void both(enum hf_pair_event_kind kind, enum hf_range_event_kind twin, enum hf_pair_mode m)
{
	step((struct hf_pair_event){.kind = kind, .mode = m});
	step_range((struct hf_range_event){.kind = twin, .mode = m});
}

/* --- what the input can do ------------------------------------------------------------------- */

static void message(uint8_t what, uint8_t arg)
{
	static uint8_t op[2];
	struct hf_pair_msg m = {.kind = what < 27 ? 1 + what % 9 : HF_PAIR_MSG_PICK + what % 2,
		.dev = dev->dev,
		.n = dev->n + (arg & 3) - (dev->n ? 1 : 0),
		.digest = state ^ (arg >> 2 & 1 ? (unsigned)pending : 0),
		.flag = arg >> 3 & 1,
		.reason = arg >> 4};

	op[0] = arg >> 4;
	if (m.kind == HF_PAIR_MSG_ASK) {
		m.op = op;
		m.op_len = 1;
	}
	if (dev->up || (m.kind == HF_PAIR_MSG_STOP && dev->mode == HF_PAIR_JOIN))
		step((struct hf_pair_event){.kind = HF_PAIR_RECEIVE, .msg = &m});
}

static void range_message(uint8_t what, uint8_t arg)
{
	struct hf_range_msg m = {.kind = HF_RANGE_MSG_ASK + (what & 3), .dev = dev->dev};

	if (m.kind == HF_RANGE_MSG_GRANT)
		m.id = (UINT64_C(1) << 56) + (arg & 127);
	else if (m.kind != HF_RANGE_MSG_SYNCED)
		m.id = (UINT64_C(2) << 56) + 1 + (arg & 127);
	if (m.kind == HF_RANGE_MSG_ASK) {
		m.lba = arg / 8;
		m.blocks = 1 + what / 16;
	}
	step_range((struct hf_range_event){.kind = HF_RANGE_RECEIVE, .msg = &m});
}

static void propose(uint8_t arg)
{
	unsigned i = 0;

	while (i < OPS && ops[i].out)
		i++;
	if (i == OPS)
		return;
	ops[i].op = arg & 15;
	ops[i].out = true;
	ops[i].prop = (struct hf_bus_prop){
		.dev = dev->dev, .op = &ops[i].op, .op_len = 1, .owed = arg & 16};
	step((struct hf_pair_event){.kind = HF_PAIR_PROPOSE, .prop = &ops[i].prop});
}

static void use_range(uint8_t arg)
{
	unsigned i = arg % RANGES;

	if (range_state[i] == RANGE_FREE) {
		ranges[i] = (struct hf_bus_range){.dev = dev->dev, .lba = arg / 4, .blocks = 3};
		range_state[i] = RANGE_ASKED;
		step_range((struct hf_range_event){.kind = HF_RANGE_ACQUIRE, .req = &ranges[i]});
	} else {
		range_state[i] = RANGE_FREE;
		step_range((struct hf_range_event){.kind = HF_RANGE_RELEASE, .req = &ranges[i]});
	}
}

static void owner_ends(uint8_t arg)
{
	static const int results[] = {0, 0, -EIO, -EINPROGRESS};

	if (arg & 4 && held_ranges[arg >> 3])
		step_range((struct hf_range_event){
			.kind = HF_RANGE_DRAINED, .id = held_ranges[arg >> 3]});
	else if (persisting) {
		persisting = false;
		step((struct hf_pair_event){
			.kind = HF_PAIR_PERSISTED, .n = held_n, .result = results[arg & 3]});
	} else if (holding && !dev->drained && !dev->drain_error)
		step((struct hf_pair_event){
			.kind = HF_PAIR_DRAINED, .n = held_n, .result = arg & 1 ? -EBUSY : 0});
}

static void install(uint8_t arg)
{
	if (!hf_pair_takes_copy(dev) || holding)
		return;
	step((struct hf_pair_event){.kind = HF_PAIR_INSTALLED, .n = arg});
	step_range((struct hf_range_event){.kind = HF_RANGE_SET_MODE, .mode = HF_PAIR_TOGETHER});
	step_range((struct hf_range_event){.kind = HF_RANGE_UP});
}

static bool is_member(void)
{
	return dev->mode != HF_PAIR_JOIN && dev->mode != HF_PAIR_REMOVED;
}

static void view_event(uint8_t arg)
{
	switch (arg & 7) {
	case 0:
		install(arg >> 3);
		return;
	case 1:
		both(HF_PAIR_DOWN, HF_RANGE_DOWN, 0);
		if (is_member())
			both(HF_PAIR_SET_MODE, HF_RANGE_SET_MODE,
				arg & 8 ? HF_PAIR_WAIT : HF_PAIR_FROZEN);
		return;
	case 2:
		if (!is_member() || dev->up || dev->mode == HF_PAIR_ALONE)
			return;
		both(HF_PAIR_SET_MODE, HF_RANGE_SET_MODE, HF_PAIR_TOGETHER);
		both(HF_PAIR_UP, HF_RANGE_UP, 0);
		return;
	case 3:
		if (is_member())
			both(HF_PAIR_GONE, HF_RANGE_GONE, 0);
		return;
	case 4:
		both(HF_PAIR_DROP, HF_RANGE_DROP, 0);
		return;
	case 5:
		if (dev->mode != HF_PAIR_ALONE && (dev->mode != HF_PAIR_STOPPED || dev->up))
			return;
		copy_asked = dev->mode == HF_PAIR_ALONE;
		step((struct hf_pair_event){.kind = HF_PAIR_COPY});
		if (dev->up)
			step_range((struct hf_range_event){.kind = HF_RANGE_UP});
		return;
	case 6:
		if (pick_due && arg & 8) {
			pick_due = false;
			step((struct hf_pair_event){.kind = HF_PAIR_PICK_DONE,
				.n = pick_n,
				.result = arg & 16 ? -EIO : 0});
		} else if (!pick_asked) {
			pick_asked = true;
			step((struct hf_pair_event){.kind = HF_PAIR_PICK});
		}
		return;
	default:
		now += (uint64_t)arg * 10000000;
		step((struct hf_pair_event){.kind = HF_PAIR_TIMER});
		step_range((struct hf_range_event){.kind = HF_RANGE_TIMER});
		return;
	}
}

/* The device goes away: everything is answered then, and nothing is held. */
static void end(void)
{
	both(HF_PAIR_REMOVE, HF_RANGE_REMOVE, 0);
	for (unsigned i = 0; i < RANGES; i++)
		if (range_state[i] == RANGE_GRANTED)
			use_range((uint8_t)i);
	hf_assert(!holding && !persisting && !pick_asked && hf_list_is_empty(&dev->queue));
	for (unsigned i = 0; i < OPS; i++)
		hf_assert(!ops[i].out);
	for (unsigned i = 0; i < RANGES; i++)
		hf_assert(range_state[i] == RANGE_FREE);
	for (unsigned i = 0; i < HF_ARRAY_LEN(held_ranges); i++)
		hf_assert(!held_ranges[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct hf_pair_config config = {HF_PAIR_BOUND_NS, HF_PAIR_RETRY_NS};
	static const struct hf_pair_reads reads = {look, digest, NULL};

	if (!size)
		return 0;
	dev = calloc(1, sizeof(*dev));
	range_dev = calloc(1, sizeof(*range_dev));
	hf_assert(dev && range_dev);
	now = 1;
	state = 0;
	holding = persisting = copy_asked = pick_asked = pick_due = stopped = false;
	hf_pair_dev_init(dev, 1, data[0] & 1, &config, &reads);
	hf_range_dev_init(range_dev, 1, data[0] & 1, 1, &config);
	if (data[0] & 2)
		install(0);
	for (size_t i = 1; i + 1 < size && i < 1000; i += 2) {
		uint8_t what = data[i] / 8, arg = data[i + 1];

		switch (data[i] & 7) {
		case 0:
		case 1:
			message(what, arg);
			break;
		case 2:
			propose(arg);
			break;
		case 3:
			owner_ends(arg);
			break;
		case 4:
			view_event(arg);
			break;
		case 5:
			range_message(what, arg);
			break;
		case 6:
			use_range(arg);
			break;
		default:
			now += 1000000;
			break;
		}
	}
	end();
	free(dev);
	free(range_dev);
	return 0;
}
