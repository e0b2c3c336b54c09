/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the controllers have agreed on, device by device, as a second machine tells it: every
 * settled op goes to test/resv/naive.c, which shares no code with src/resv. A life is one unbroken
 * history; it ends when all controllers have lost their memory, and the next begins with what the
 * disks kept.
 */
#include "sim.h"

#include <stdlib.h>

enum { LOGINS_MAX = 8192 };

static uint64_t logins[LOGINS_MAX];
static unsigned logins_len;

/* --- names --- */

static int host_of_port(const struct hf_port_id *id)
{
	const char *name = id->name;

	if (strncmp(name, "iqn.host", 8) || !name[8] || name[9])
		return -1;
	return name[8] - '0';
}

int sim_host_of(const struct hf_nexus *nexus)
{
	return host_of_port(&nexus->init);
}

/* The naive machine counts logins with small numbers. */
uint32_t sim_login_of(uint64_t login)
{
	for (unsigned i = logins_len; i-- > 0;)
		if (logins[i] == login)
			return i + 1;
	hf_assert(logins_len < LOGINS_MAX);
	logins[logins_len++] = login;
	return logins_len;
}

struct naive_op sim_naive_op(const struct hf_resv_op *op)
{
	struct naive_op n = {.initiator = HF_MAX(sim_host_of(&op->nexus), 0),
		.port = op->nexus.rtpi ? op->nexus.rtpi - 1 : 0,
		.login = op->login ? sim_login_of(op->login) : 0,
		.rk = op->rk,
		.sark = op->sark,
		.scope = op->scope,
		.type = op->type,
		.spec_i_pt = op->spec_i_pt,
		.all_tg_pt = op->all_tg_pt,
		.aptpl = op->aptpl,
		.unreg = op->unreg,
		.to_port = op->dest_rtpi ? op->dest_rtpi - 1 : 0};

	if (op->kind == HF_RESV_PR_REGISTER_MOVE && op->ids_len)
		n.to = host_of_port(&op->ids[0]);
	for (unsigned i = 0; op->spec_i_pt && i < op->ids_len && i < HF_ARRAY_LEN(n.listed); i++)
		n.listed[n.listed_count++] = host_of_port(&op->ids[i]);
	switch (op->kind) {
	case HF_RESV_LEGACY_RESERVE:
		n.kind = NAIVE_LEGACY_RESERVE;
		break;
	case HF_RESV_LEGACY_RELEASE:
		n.kind = NAIVE_LEGACY_RELEASE;
		break;
	case HF_RESV_NEXUS_LOSS:
		n.kind = NAIVE_NEXUS_LOSS;
		break;
	case HF_RESV_LU_RESET:
		n.kind = NAIVE_LU_RESET;
		break;
	case HF_RESV_PEER_REMOVED:
		n.kind = NAIVE_PEER_REMOVED;
		break;
	case HF_RESV_BREAK:
		n.kind = NAIVE_BREAK;
		break;
	case HF_RESV_RETIRE:
	case HF_RESV_RETIRE_FORCED:
		n.kind = NAIVE_RETIRE;
		break;
	case HF_RESV_READ:
		n.kind = NAIVE_READ;
		break;
	case HF_RESV_INFO_LOST:
		n.kind = NAIVE_INFO_LOST;
		break;
	default:
		n.kind = (enum naive_kind)(op->kind - HF_RESV_PR_REGISTER);
	}
	return n;
}

bool sim_same_op(const struct naive_op *a, const struct naive_op *b)
{
	return a->kind == b->kind && a->initiator == b->initiator && a->port == b->port &&
	       a->login == b->login && a->rk == b->rk && a->sark == b->sark && a->type == b->type &&
	       a->aptpl == b->aptpl && a->all_tg_pt == b->all_tg_pt &&
	       a->spec_i_pt == b->spec_i_pt && a->unreg == b->unreg && a->to == b->to;
}

void sim_op_text(const struct naive_op *op, char *buf, size_t len)
{
	static const char *const names[NAIVE_KINDS] = {"REGISTER", "PR RESERVE", "PR RELEASE",
		"CLEAR", "PREEMPT", "PREEMPT AND ABORT", "REGISTER AND IGNORE", "REGISTER AND MOVE",
		"REPLACE LOST", "RESERVE", "RELEASE", "READ", "nexus loss", "LU reset",
		"peer removed", "break", "retire", "information lost"};

	snprintf(buf, len, "%s by host %d at controller %d%s", names[op->kind], op->initiator,
		op->port + 1, op->aptpl ? ", APTPL" : "");
	if (op->kind < NAIVE_LEGACY_RESERVE) {
		size_t n = strlen(buf);

		snprintf(buf + n, len - n, " key %llx new %llx type %d", (unsigned long long)op->rk,
			(unsigned long long)op->sark, op->type);
	}
}

/* --- a state of the code under test against one of ours --- */

static const char *compare_registrations(
	const struct hf_resv *r, const struct naive *n, unsigned len, bool held)
{
	unsigned registered = 0;

	for (int i = 0; i < n->initiators; i++)
		for (int p = 0; p < n->ports; p++)
			registered += n->key[i][p] != 0;
	if (len != registered)
		return "number of registrations";
	for (unsigned k = 0; k < len; k++) {
		struct hf_resv_registration reg;
		int i, p;
		bool holds;

		hf_resv_registration(r, k, &reg);
		i = sim_host_of(&reg.nexus);
		p = reg.nexus.rtpi - 1;
		if (i < 0 || i >= n->initiators || p < 0 || p >= n->ports ||
			n->key[i][p] != reg.key)
			return "a registration";
		holds = n->type >= 7 || (n->type && n->holder == i && n->holder_port == p);
		if (held && reg.holder != holds)
			return "holder";
	}
	return NULL;
}

/* NULL, or what differs. image_only: what outlives power. */
const char *sim_compare(const struct hf_resv *r, const struct naive *n, bool image_only)
{
	struct hf_resv_info info;

	hf_resv_info(r, &info);
	if (hf_resv_is_lost(r) != !!n->lost)
		return "information lost";
	if (image_only && !n->aptpl)
		return info.held || info.registrations_len || info.aptpl ? "something was kept"
									 : NULL;
	if (info.aptpl != !!n->aptpl)
		return "APTPL";
	if (info.type != n->type || info.held != !!n->type)
		return "type";
	if (!image_only && info.generation != n->generation)
		return "generation";
	if (!image_only && info.legacy_held != !!n->legacy)
		return "SPC-2 reservation";
	if (!image_only && n->legacy &&
		(sim_host_of(&info.legacy_holder) != n->legacy_holder ||
			info.legacy_holder.rtpi - 1 != n->legacy_port))
		return "SPC-2 holder";
	return compare_registrations(r, n, info.registrations_len, info.held);
}

static void naive_init(struct naive *n)
{
	memset(n, 0, sizeof(*n));
	n->initiators = NAIVE_INITIATORS;
	n->ports = (int)sim->nodes_len;
	n->room = HF_REGISTRATIONS_MAX;
}

/* Beside the newest settled state this one may be on the disks; of many the oldest is forgotten. */
static void may_be_kept(struct sim_dev *d, const struct naive *state)
{
	for (unsigned k = 0; k < d->held_len; k++)
		if (!memcmp(&d->held[k], state, sizeof(*state)))
			return;
	if (d->held_len == HF_ARRAY_LEN(d->held))
		memmove(d->held, d->held + 1, --d->held_len * sizeof(d->held[0]));
	d->held[d->held_len++] = *state;
}

void sim_history_init(void)
{
	logins_len = 0;
	sim->devs = sim_alloc(SIM_DEVS * sizeof(*sim->devs));
	sim->devs_len = SIM_DEVS_BEGIN;
	for (unsigned i = 0; i < SIM_DEVS; i++) {
		sim->devs[i].id = i + 1;
		hf_list_init(&sim->devs[i].accesses);
		naive_init(&sim->devs[i].last);
	}
}

/* --- lives --- */

static struct sim_state *life_push(struct sim_life *l)
{
	if (l->len == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 64;
		l->states = realloc(l->states, l->cap * sizeof(*l->states));
		hf_assert(l->states);
	}
	memset(&l->states[l->len], 0, sizeof(l->states[0]));
	return &l->states[l->len++];
}

/* What a new life begins with: the image of `from`, if it outlives power. */
static void reborn(struct naive *n, const struct naive *from)
{
	naive_init(n);
	if (!from->aptpl)
		return;
	memcpy(n->key, from->key, sizeof(n->key));
	n->type = from->type;
	n->holder = from->holder;
	n->holder_port = from->holder_port;
	n->aptpl = from->aptpl;
}

/* Two that both went on have written what they liked: nothing but the state itself tells it. */
static void take_over(struct naive *n, const struct hf_resv *r)
{
	struct hf_resv_info info;

	naive_init(n);
	hf_resv_info(r, &info);
	n->aptpl = info.aptpl;
	n->type = info.held ? info.type : 0;
	for (unsigned k = 0; k < info.registrations_len; k++) {
		struct hf_resv_registration reg;
		int i, p;

		hf_resv_registration(r, k, &reg);
		i = sim_host_of(&reg.nexus);
		p = reg.nexus.rtpi - 1;
		n->key[i][p] = reg.key;
		if (!reg.holder || n->type >= 7)
			continue;
		n->holder = i;
		n->holder_port = p;
	}
}

static const struct hf_resv *settled(struct sim_node *n, unsigned dev)
{
	struct hf_lu_status status;

	if (!hf_lu_status(n->node->lus, sim->devs[dev].id, &status))
		return NULL;
	return status.resv;
}

/*
 * In a group, who stood still may end its load after others, whom the record names, have gone on
 * without it. Nobody hears its plan then, and what it has loaded is dropped; should it act on it,
 * INV-5 sees that.
 */
static bool is_load_void(const struct sim_node *n)
{
	for (unsigned i = 0; i < sim->nodes_len && sim->group; i++) {
		const struct sim_node *p = &sim->nodes[i];

		if (p != n && p->running && sim->record.members & 1u << p->id &&
			sim->record.incarnations[p->id] == p->node->incarnation &&
			(p->state == HF_VIEW_TOGETHER || p->state == HF_VIEW_ALONE ||
				p->state == HF_VIEW_FROZEN) &&
			!(p->node->bus->view.members & 1u << n->id))
			return true;
	}
	return false;
}

/* Of two that are alone one has read it from the disks as the other one was making it. */
static bool is_apart(const struct sim_node *n, unsigned dev)
{
	for (unsigned i = 0; i < sim->nodes_len; i++)
		if (&sim->nodes[i] != n && sim->nodes[i].at[dev].life &&
			sim->nodes[i].at[dev].life == sim->devs[dev].life)
			return sim->two_histories && n->state == HF_VIEW_ALONE;
	return false;
}

/* The first to have it begins the history of it. */
void sim_history_begins(struct sim_node *n, unsigned dev)
{
	struct sim_dev *d = &sim->devs[dev];

	if (!d->life || is_apart(n, dev)) {
		d->life = sim_alloc(sizeof(*d->life));
		d->life->number = ++d->lives;
		naive_init(&life_push(d->life)->s);
		d->life->states[0].digest = hf_resv_digest(settled(n, dev));
		d->last = d->life->states[0].s;
	}
	n->at[dev] = (struct sim_at){.life = d->life};
}

/* Nobody had memory: n has read what the disks keep. */
void sim_seen_loaded(struct sim_node *n)
{
	if (is_load_void(n))
		return;
	sim_oracle_map_loaded(n);
	for (unsigned i = 0; i < SIM_DEVS; i++) {
		struct sim_dev *d = &sim->devs[i];
		const struct hf_resv *r = settled(n, i);
		const struct naive *from = &d->last;
		struct sim_life *l;

		if (!r)
			continue; /* not made yet, or deleted */
		sim_oracle_loaded(n, i, r);
		for (unsigned k = 0; k < d->held_len && sim_compare(r, from, true); k++)
			from = &d->held[k];
		l = sim_alloc(sizeof(*l));
		l->number = ++d->lives;
		if (sim->two_histories && sim_compare(r, from, true))
			take_over(&life_push(l)->s, r);
		else
			reborn(&life_push(l)->s, from);
		if (hf_resv_is_lost(r)) {
			naive_init(&l->states[0].s);
			l->states[0].s.lost = true;
		}
		l->states[0].digest = hf_resv_digest(r);
		d->life = l;
		/* What cannot be read is not overwritten: another start may find it again. */
		if (!l->states[0].s.lost)
			d->held_len = 0;
		else
			may_be_kept(d, &d->last);
		d->last = l->states[0].s;
		n->at[i] = (struct sim_at){.life = l};
	}
	sim_say("controller %u has loaded what the disks keep", n->id);
}

/* Two have loaded the same at once, or went on apart, and one of them gives it up: the other one's
 * life goes on. */
static void life_is_dropped(unsigned dev)
{
	struct sim_dev *d = &sim->devs[dev];
	struct sim_life *other = NULL;

	for (unsigned i = 0; i < sim->nodes_len; i++) {
		if (sim->nodes[i].at[dev].life == d->life)
			return;
		if (sim->nodes[i].at[dev].life)
			other = sim->nodes[i].at[dev].life;
	}
	if (!other || !d->life)
		return;
	if (!sim->two_histories && (d->life->len > 1 || other->states[other->len - 1].digest !=
								d->life->states[0].digest))
		return;
	d->life = other;
	d->last = other->states[other->len - 1].s;
}

static struct naive *what_is_dropped(const struct sim_at *at)
{
	struct naive *two = at->dropped;
	struct naive_result res;

	if (!at->life)
		return two;
	if (!two)
		two = sim_alloc(2 * sizeof(*two));
	two[0] = two[1] = at->life->states[at->index].s;
	/* An engine that drops lets go first. */
	if (at->pending || at->unheld_at == sim->now)
		naive_apply(&two[1], &at->op, &res);
	return two;
}

void sim_seen_drop(struct sim_node *n)
{
	for (unsigned i = 0; i < SIM_DEVS; i++)
		n->at[i] = (struct sim_at){.dropped = what_is_dropped(&n->at[i])};
	for (unsigned i = 0; sim->devs && i < SIM_DEVS; i++)
		life_is_dropped(i);
}

void sim_seen_snapshot(struct sim_node *n, unsigned dev)
{
	sim->devs[dev].snap = n->at[dev];
	sim->devs[dev].snap_by = n->id;
}

void sim_seen_install(struct sim_node *n, unsigned dev)
{
	const struct sim_at *from = &sim->devs[dev].snap;
	const char *differs;

	if (!sim->devs[dev].snap_by || sim->devs[dev].snap_by == n->id || !from->life)
		sim_fail("INV-2", "the copy of device %u at controller %u is nobody's", dev, n->id);
	n->at[dev] = (struct sim_at){.life = from->life,
		.index = from->index,
		.offset = from->offset,
		.offset_known = from->offset_known};
	differs = sim_compare(settled(n, dev), &from->life->states[from->index].s, false);
	/* Who stood still may get an older copy, of a generation that is over. */
	while (differs && sim->group && n->at[dev].index) {
		n->at[dev].index--;
		n->at[dev].offset_known = false;
		differs = sim_compare(
			settled(n, dev), &from->life->states[n->at[dev].index].s, false);
	}
	if (differs)
		sim_fail("INV-2", "the copy of device %u at controller %u differs: %s", dev, n->id,
			differs);
}

void sim_seen_hold(
	struct sim_node *n, unsigned dev, uint64_t number, const void *op, size_t len, bool mine)
{
	static struct hf_resv_op decoded;
	struct sim_at *at = &n->at[dev];
	struct sim_dev *d = &sim->devs[dev];
	struct naive_result res;
	struct naive next;
	char text[160];

	if (hf_resv_op_decode(op, len, &decoded))
		sim_fail("INV-2", "controller %u holds an op that cannot be read", n->id);
	at->op = sim_naive_op(&decoded);
	at->pending = true;
	at->drained = false;
	at->mine = mine;
	at->n = number;
	sim_op_text(&at->op, text, sizeof(text));
	sim_say("controller %u holds device %u for %llu: %s%s", n->id, dev,
		(unsigned long long)number, text, mine ? "" : " (the peer's)");
	if (!at->life)
		sim_fail("INV-5", "controller %u holds device %u without a state", n->id, dev);
	if (!at->offset_known) {
		at->offset = number - (at->index + 1);
		at->offset_known = true;
	}
	if (number - at->offset != at->index + 1)
		sim_fail("INV-2", "controller %u: op %llu of device %u follows state %llu", n->id,
			(unsigned long long)number, dev,
			(unsigned long long)(at->index + at->offset));
	/* It may come to be on disk. */
	next = at->life->states[at->index].s;
	naive_apply(&next, &at->op, &res);
	may_be_kept(d, &next);
}

void sim_seen_drained(struct sim_node *n, unsigned dev, uint64_t number, int result)
{
	struct sim_at *at = &n->at[dev];

	if (at->pending && at->n == number && result == 0)
		at->drained = true;
	sim_say("controller %u has drained device %u for %llu%s", n->id, dev,
		(unsigned long long)number, result ? " in vain" : "");
}

void sim_seen_unhold(struct sim_node *n, unsigned dev)
{
	sim_say("controller %u lets go of %llu on device %u", n->id,
		(unsigned long long)n->at[dev].n, dev);
	n->at[dev].pending = false;
	n->at[dev].unheld_at = sim->now;
}

/* The first to settle: history goes on. */
static void settle(struct sim_node *n, unsigned dev)
{
	struct sim_at *at = &n->at[dev];
	struct sim_life *l = at->life;
	struct sim_state *s;
	struct naive_result res;
	struct naive next = l->states[l->len - 1].s;
	unsigned index = l->len;

	naive_apply(&next, &at->op, &res);
	s = life_push(l);
	s->s = next;
	s->op = at->op;
	s->digest = hf_lu_bus_digest(n->node->lus, sim->devs[dev].id);
	sim->devs[dev].last = next;
	if (!next.lost)
		sim->devs[dev].held_len = 0;
	sim_count(SIM_COUNT_SETTLED);
	sim_oracle_settled_op(dev, &at->op, l, index);
	sim_oracle_effects(dev, &at->op, &res);
}

void sim_seen_apply(struct sim_node *n, unsigned dev, uint64_t number, bool mine)
{
	struct sim_at *at = &n->at[dev];

	sim_say("controller %u applies %llu on device %u", n->id, (unsigned long long)number, dev);
	if (!at->life || !at->pending || at->n != number)
		sim_fail("INV-2", "controller %u applies %llu of device %u, which it does not hold",
			n->id, (unsigned long long)number, dev);
	sim_oracle_change(n, dev, mine);
	if (at->index + 1 == at->life->len)
		settle(n, dev);
	at->index++;
	at->pending = false;
	sim_oracle_applied(n, dev);
}

void sim_history_is_one(void)
{
	for (unsigned i = 0; i < SIM_DEVS; i++) {
		struct sim_dev *d = &sim->devs[i];

		if (d->life)
			d->last = d->life->states[d->life->len - 1].s;
		d->held_len = 0;
	}
	sim->two_histories = false;
	/* ... but for disks that have forgotten their fences. */
	sim->operator_erred = sim->luns && !sim->luns_keep;
}
