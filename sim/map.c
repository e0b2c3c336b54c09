/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The operator changes the map while hosts are at work: makes further devices and deletes them,
 * lets devices grow, makes another controller dominant. As src/holdfastd/commands_device.c does it:
 * an op on the pool; a deletion is two, "retire" on the device and "delete" on the pool (S8).
 */
#include "fault.h"

enum { CHANGES_MAX = 1024, LUN_FIRST = 100 };

/* Each has a number, which the op carries where its kind does not use the field. */
static struct change {
	struct sim_node *node; /* told by it; at the other end of a deletion, too */
	uint64_t starts;
	unsigned dev;
	bool creates, applied, failed;
	struct hf_lu_admin_op retire;
	char name[HF_NAME_MAX + 1];
} changes[CHANGES_MAX];
static unsigned changes_len;
static unsigned creations; /* that have not failed: more devices there cannot be */

void sim_map_init(void)
{
	changes_len = creations = 0;
}

static struct change *change_of(const struct hf_pool_op *op)
{
	unsigned number;

	if (sscanf(op->new_name, "change%u", &number) != 1)
		return NULL; /* a disk that a controller adds */
	hf_assert(number < changes_len);
	return &changes[number];
}

void sim_map_applied(const struct hf_pool_op *op)
{
	struct change *c = change_of(op);

	if (!c)
		return;
	c->applied = true;
	if (c->failed && !sim->operator_erred)
		sim_fail("INV-7",
			"the operator was told that a change of %s has failed, and it is "
			"carried out",
			op->name);
}

static void told(struct hf_pool_prop *p, int result, const char *message)
{
	struct change *c = p->arg;

	sim_say("the operator is told by controller %u: %s%s", c->node->id,
		result ? strerror(-result) : "done", *message ? "" : ", and nothing else");
	if (*message)
		sim_say("  %s", message);
	if (!result || result == -EINPROGRESS)
		return;
	if (!*message)
		sim_fail("operator", "controller %u refuses a change without a sentence",
			c->node->id);
	c->failed = true;
	creations -= c->creates;
	if (c->applied && !sim->operator_erred)
		sim_fail("INV-7",
			"controller %u tells the operator that a change has failed (%s), which has "
			"been carried out",
			c->node->id, message);
}

static struct change *change_new(struct sim_node *n, unsigned dev)
{
	struct change *c = &changes[changes_len++];

	*c = (struct change){.node = n, .starts = n->starts, .dev = dev};
	return c;
}

static struct hf_pool_op op_of(enum hf_pool_op_kind kind, const char *name)
{
	struct hf_pool_op op = {.kind = kind, .lun = -1, .dominant = HF_DOMINANT_DEFAULT};

	snprintf(op.name, sizeof(op.name), "%s", name);
	return op;
}

static void propose(struct change *c, struct hf_pool_op *op)
{
	static const char *const names[] = {[HF_POOL_CREATE] = "create",
		[HF_POOL_GROW] = "grow",
		[HF_POOL_DELETE] = "delete",
		[HF_POOL_SET_DOMINANT] = "set dominant"};

	sim_say("the operator tells controller %u: %s %s", c->node->id, names[op->kind], op->name);
	snprintf(op->new_name, sizeof(op->new_name), "change%u", (unsigned)(c - changes));
	if (hf_node_pool_propose(c->node->node, op, told, c))
		sim_fail("setup", "a change of the map cannot be proposed");
}

uint16_t sim_map_lun(const struct sim_node *n, unsigned dev)
{
	const struct hf_map_ldev *d =
		n->running ? hf_map_find_id(n->node->pool.cur, dev + 1) : NULL;

	return d ? d->lun : HF_LUN_MAX;
}

/* --- what is said --- */

/*
 * The number of a device tells where it stands in the history; here it is a guess, for others may
 * be made first. A LUN is never used again, so that a command reaches the device that it was meant
 * for.
 */
static void create(struct sim_node *n)
{
	unsigned dev = n->node->pool.cur->next_id - 1;
	struct hf_pool_op op;
	struct change *c;
	char name[16];

	if (dev >= SIM_DEVS || creations >= SIM_DEVS - SIM_DEVS_BEGIN)
		return;
	creations++;
	c = change_new(n, dev);
	c->creates = true;
	snprintf(name, sizeof(name), "d%u", dev);
	op = op_of(HF_POOL_CREATE, name);
	op.layout = HF_LAYOUT_LINEAR;
	op.size_bytes = (2 + sim_below(&sim->operator_, 2)) << 20;
	op.lun = LUN_FIRST + (int32_t)(c - changes);
	memset(op.uuid, 0x40 + (int)dev, sizeof(op.uuid));
	if (sim_chance(&sim->operator_, 300)) {
		op.layout = HF_LAYOUT_STRIPE;
		op.pdevs_len = 2;
		strcpy(op.pdevs[0], "disk0");
		strcpy(op.pdevs[1], "disk2");
	}
	propose(c, &op);
}

static void retired(struct hf_lu_admin_op *a, int result, const struct hf_resv_verdict *verdict)
{
	struct change *c = hf_container_of(a, struct change, retire);
	struct hf_pool_op op = op_of(HF_POOL_DELETE, c->name);

	if (result || verdict->status != HF_STATUS_GOOD) {
		sim_say("device %u cannot be retired", c->dev);
		return;
	}
	propose(c, &op);
}

static void broken(struct hf_lu_admin_op *a, int result, const struct hf_resv_verdict *verdict)
{
}

static void break_reservations(struct sim_node *n, uint32_t dev)
{
	struct hf_lu_admin_op *a = sim_alloc(sizeof(*a));

	*a = (struct hf_lu_admin_op){.dev = dev, .op.kind = HF_RESV_BREAK, .done = broken};
	hf_lu_admin_propose(n->node->lus, a);
}

static void delete (struct sim_node *n, const struct hf_map_ldev *d)
{
	bool forced = sim_chance(&sim->operator_, 600);
	struct change *c = change_new(n, d->id - 1);

	sim_say("the operator tells controller %u to delete %s%s", n->id, d->name,
		forced ? " by force" : "");
	strcpy(c->name, d->name);
	sim->devs[c->dev].deleting = true;
	if (sim_chance(&sim->operator_, 500))
		break_reservations(n, d->id);
	c->retire = (struct hf_lu_admin_op){.dev = d->id,
		.op.kind = forced ? HF_RESV_RETIRE_FORCED : HF_RESV_RETIRE,
		.done = retired};
	hf_lu_admin_propose(n->node->lus, &c->retire);
}

static void grow(struct sim_node *n, const struct hf_map_ldev *d)
{
	struct hf_pool_op op = op_of(HF_POOL_GROW, d->name);

	op.size_bytes = d->size_bytes + ((1 + sim_below(&sim->operator_, 2)) << 20);
	propose(change_new(n, d->id - 1), &op);
}

static void set_dominant(struct sim_node *n, const struct hf_map_ldev *d)
{
	struct hf_pool_op op = op_of(HF_POOL_SET_DOMINANT, d->name);
	uint64_t who = sim_below(&sim->operator_, sim->nodes_len + 1);

	op.dominant = who ? (uint8_t)who : HF_DOMINANT_DEFAULT;
	propose(change_new(n, d->id - 1), &op);
}

static void say_one(struct sim_node *n)
{
	const struct hf_map *map = n->node->pool.cur;
	const struct hf_map_ldev *d = &map->ldevs[sim_below(&sim->operator_, map->ldevs_len)];
	uint64_t what = sim_below(&sim->operator_, 100);

	if (what < 35)
		create(n);
	else if (what < 70 && d->id > SIM_DEVS_BEGIN)
		delete (n, d);
	else if (what < 80)
		grow(n, d);
	else
		set_dominant(n, d);
}

static void next(void *arg)
{
	struct sim_entry *e = arg;
	struct sim_node *n = &sim->nodes[sim_below(&sim->operator_, sim->nodes_len)];

	/* What two histories have made of the map nobody could tell apart. */
	if (sim_faults_over() || sim->now > e->b || sim->two_histories ||
		changes_len + 2 > CHANGES_MAX)
		return;
	if (n->running && !n->paused && !n->leaving)
		say_one(n);
	sim_after(sim_skewed(&sim->operator_, 5 * SIM_MS, SIM_SECOND), next, e);
}

void sim_map_changes(struct sim_entry *e)
{
	e->b = sim->now + e->lasts;
	next(e);
}
