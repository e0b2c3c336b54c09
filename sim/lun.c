/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A disk that takes persistent reservations, as the fence driver pr needs it: a unit of a third
 * controller. Its rules are those of test/resv/naive.c, with the controllers as initiators; no code
 * of src/resv is in it. A command is carried out at one moment and answered later; the answer may
 * be lost (-EIO: the outcome is unknown), and a process that dies leaves commands behind.
 */
#include "disk.h"
#include "endian.h"
#include "scsi.h"

#include <stdlib.h>

enum { IN_READ_KEYS = 0, IN_REPORT_CAPABILITIES = 2, KEYS_BYTES = 8 + 8 * NAIVE_INITIATORS };

struct lun_cmd {
	struct hf_list node; /* hanging */
	struct sim_pdev *p;
	struct hf_pdev_pr *pr; /* the driver's; not to be touched when its process is dead */
	bool out;
	uint8_t action, type, list[24];
	size_t room;
	int result;
	uint8_t data[KEYS_BYTES];
	size_t len;
	enum sim_disk_fault fault;
};

static struct naive luns[SIM_DISKS];
static struct hf_list hanging;

void sim_lun_init(void)
{
	hf_list_init(&hanging);
	memset(luns, 0, sizeof(luns));
	for (unsigned i = 0; i < SIM_DISKS; i++) {
		luns[i].initiators = NAIVE_INITIATORS;
		luns[i].ports = 1;
		luns[i].room = 64;
	}
}

bool sim_lun_permits(unsigned disk, unsigned controller, enum hf_pdev_op op)
{
	return naive_may(&luns[disk], (int)controller - 1, 0, 0, op == HF_PDEV_READ ? 2 : 3);
}

/* Registrations that were not made with APTPL=1 are forgotten. */
void sim_lun_power_fails(unsigned disk)
{
	struct naive *n = &luns[disk];

	if (n->aptpl)
		return;
	/* Whom this disk kept out may write again; the log has said so at the start. */
	sim->operator_erred |= n->type != 0;
	memset(n->key, 0, sizeof(n->key));
	n->type = n->holder = 0;
	n->generation = 0;
	sim_disk_look_again(disk);
}

static int carry_out_in(struct lun_cmd *c)
{
	const struct naive *n = &luns[c->p->disk];

	if (c->action == IN_REPORT_CAPABILITIES) {
		static const uint8_t data[8] = {0, 8, 0x01, 0x80, 0xea, 0x01};

		memcpy(c->data, data, sizeof(data));
		c->len = sizeof(data);
		return 0;
	}
	hf_assert(c->action == IN_READ_KEYS);
	c->len = 8;
	for (unsigned i = 0; i < NAIVE_INITIATORS; i++) {
		if (!n->key[i][0])
			continue;
		hf_put_be64(c->data + c->len, n->key[i][0]);
		c->len += 8;
	}
	hf_put_be32(c->data, n->generation);
	hf_put_be32(c->data + 4, (uint32_t)c->len - 8);
	return 0;
}

static int carry_out(struct lun_cmd *c)
{
	struct naive_op op = {.kind = (enum naive_kind)c->action,
		.initiator = (int)c->p->node->id - 1,
		.rk = hf_get_be64(c->list),
		.sark = hf_get_be64(c->list + 8),
		.type = c->type,
		.aptpl = c->list[20] & 1};
	struct naive_result res;

	if (!c->out)
		return carry_out_in(c);
	if (op.aptpl && !sim->luns_keep)
		return -EOPNOTSUPP;
	naive_apply(&luns[c->p->disk], &op, &res);
	for (unsigned i = 0; i < NAIVE_INITIATORS; i++) {
		if (res.aborted[i][0])
			sim_say("disk %u: controller %u aborts what controller %u has there",
				c->p->disk, c->p->node->id, i + 1);
		if (res.aborted[i][0])
			sim_disk_abort(c->p->disk, i + 1);
	}
	sim_disk_look_again(c->p->disk);
	return res.status == HF_STATUS_GOOD		      ? 0
	       : res.status == HF_STATUS_RESERVATION_CONFLICT ? -EBADE
							      : -EOPNOTSUPP;
}

static bool is_alive(const struct lun_cmd *c)
{
	return c->p->node->running && c->p->node->starts == c->p->starts;
}

static void tell(struct lun_cmd *c)
{
	c->pr->ret_len = HF_MIN(c->len, c->room);
	if (!c->out && c->result == 0)
		memcpy(c->pr->buf, c->data, c->pr->ret_len);
	hf_pdev_pr_finish_later(c->pr, c->result);
}

static void answer(void *arg)
{
	struct lun_cmd *c = arg;

	if (is_alive(c))
		tell(c);
	free(c);
}

/* It has come to the disk. Of a dead process it may, until the next one has opened the disk. */
static void arrive(void *arg)
{
	struct lun_cmd *c = arg;
	bool comes = is_alive(c) || (c->p->node->starts == c->p->starts && c->p->node->machine_up);

	if (comes && (c->fault != SIM_DISK_EIO || sim_chance(&sim->disk, 500)))
		c->result = carry_out(c);
	if (c->fault == SIM_DISK_EIO)
		c->result = -EIO;
	sim_after(sim_skewed(&sim->disk, 20 * SIM_US, 3 * SIM_MS), answer, c);
}

static void go_on(struct lun_cmd *c)
{
	uint64_t high = c->fault == SIM_DISK_SLOW ? 800 * SIM_MS : 3 * SIM_MS;

	sim_after(sim_skewed(&sim->disk, 20 * SIM_US, high), arrive, c);
}

void sim_lun_pr(struct hf_pdev *pdev, struct hf_pdev_pr *pr)
{
	struct sim_pdev *p = hf_container_of(pdev, struct sim_pdev, pdev);
	struct lun_cmd *c = sim_alloc(sizeof(*c));

	*c = (struct lun_cmd){.p = p,
		.pr = pr,
		.out = pr->out,
		.action = pr->action,
		.type = pr->type,
		.room = pr->len};
	hf_list_init(&c->node);
	if (pr->out)
		memcpy(c->list, pr->buf, HF_MIN(pr->len, sizeof(c->list)));
	if (sim_booting == p->node) { /* nothing else happens meanwhile: disk.c */
		c->result = sim_disk_is_silent(p) ? -EIO : carry_out(c);
		tell(c);
		free(c);
		return;
	}
	c->fault = sim_disk_draw(p->disk, p->node->id);
	if (c->fault == SIM_DISK_HANG)
		hf_list_push_back(&hanging, &c->node);
	else
		go_on(c);
}

void sim_lun_release(void)
{
	struct hf_list *n;

	while ((n = hf_list_pop_front(&hanging))) {
		struct lun_cmd *c = hf_list_entry(n, struct lun_cmd, node);

		c->fault = SIM_DISK_OK;
		go_on(c);
	}
}
