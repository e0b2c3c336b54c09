/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CDBs and their data, from two hosts, the whole way: arrive, run, leave, over logical units in
 * memory with real reservations. An input is a sequence of commands: flags (bit 0: host, 1:
 * data-in, 2: data-out, 3-5: LUN, 6: abort it before it runs), 16 bytes CDB, 2 bytes expected
 * length, then (data-out) 1 byte how many follow, and these, repeated up to the expected length.
 * With bit 7 of the flags it is no command but something that happens: one byte, what and how. One
 * command at a time may stay at the medium while others come.
 */
#include "kit.h"

#include "bytes.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	COMMANDS_MAX = 48,
	SMALL_BLOCKS = 256,
	ROUNDS_MAX = 16,
};

enum what {
	PORT_STATE,
	SERVING,
	TASK_MANAGEMENT,
	DISK_FAILS,
	HOLD,
	RELEASE,
	INFORMATION_LOST,
	WRITE_PROTECT,
	REMOVE,
	TIME,
	BUS_FAILS,
	ABANDON,
	ATTENTION,
	SHORT_CDB,
};

struct play {
	struct kit *k;
	struct host hosts[2];
	struct cmd c, held;
	bool holds;
	bool short_cdb;	      /* of the next command */
	uint32_t removes_dev; /* the device that goes while the next command asks; 0: none */
	struct hf_tmf_req tmf;
	bool tmf_out;
};

/* What lives from input to input: memory. The time goes on, which nothing depends on. */
static struct hf_loop *loop;
static struct hf_scsi_loop *scsi;

static void release(struct play *p)
{
	for (unsigned i = 0; i < LUNS; i++) {
		p->k->disks[i].hold_next = false;
		if (p->k->disks[i].held)
			disk_release(&p->k->disks[i]);
	}
	kit_settle(p->k);
}

/* Takes away all that a command may wait for. */
static void finish(struct play *p, struct cmd *c)
{
	for (unsigned i = 0; !c->over; i++) {
		hf_assert(i < ROUNDS_MAX);
		release(p);
		/* It may wait for the pin of the other. */
		if (p->holds && p->held.over) {
			p->holds = false;
			cmd_end(&p->held);
			cmd_free(&p->held);
		}
		if (i == 1)
			hf_lu_set_serving(p->k->table, true);
		if (i > 1)
			hf_loop_sim_advance(loop, UINT64_C(3000000000));
	}
	cmd_end(c);
	cmd_free(c);
}

static void end_held(struct play *p)
{
	bool holds = p->holds;

	p->holds = false;
	if (holds)
		finish(p, &p->held);
}

static void abort_done(struct hf_tmf_req *req, int result)
{
	hf_assert(result == 0);
}

static void abort_task(struct hf_scsi_task *t, struct hf_lu_session *s)
{
	struct hf_tmf_req tmf = {.function = HF_TMF_ABORT_TASK,
		.session = s,
		.itl = t->itl,
		.target = &t->cmd,
		.done = abort_done};

	hf_lu_tmf(&tmf);
	hf_scsi_leave(t->loop, t);
}

/* A host whose connection is to be closed comes back as the same. */
static void come_back(struct play *p, unsigned i)
{
	static const char *const names[] = {"iqn.host:x", "iqn.host:y"};

	end_held(p);
	if (p->hosts[i].k)
		host_logout(&p->hosts[i]);
	host_login(p->k, &p->hosts[i], names[i], i + 1);
}

static void tmf_done(struct hf_tmf_req *req, int result)
{
	hf_container_of(req, struct play, tmf)->tmf_out = false;
}

static void manage_tasks(struct play *p, uint8_t how)
{
	struct host *h = p->holds ? p->held.h : &p->hosts[how >> 3 & 1];
	struct hf_itl *itl = p->holds ? p->held.t.itl : host_itl(h, 0);

	if (p->tmf_out || !itl)
		return;
	p->tmf = (struct hf_tmf_req){
		.function = (how & 7) % (HF_TMF_TARGET_COLD_RESET + 1),
		.session = &h->s,
		.itl = itl,
		.target = &p->held.t.cmd,
		.done = tmf_done,
	};
	if (p->tmf.function >= HF_TMF_TARGET_WARM_RESET)
		p->tmf.itl = NULL;
	/* Only what is in a task set can be aborted. */
	if (p->tmf.function == HF_TMF_ABORT_TASK &&
		(!p->holds || p->held.t.cmd.state == HF_LU_CMD_OUT))
		return;
	p->tmf_out = true;
	hf_lu_tmf(&p->tmf);
}

static void lose_information(struct play *p, uint32_t dev)
{
	struct hf_lu_status status;

	if (!p->k->pending && !p->holds && hf_lu_status(p->k->table, dev, &status))
		hf_lu_load(p->k->table, dev, NULL, -EBADMSG);
}

static void write_protect(struct play *p, uint32_t dev)
{
	struct hf_lu_status status;
	struct hf_lu_info *info;

	if (!hf_lu_status(p->k->table, dev, &status))
		return;
	info = malloc(sizeof(*info));
	hf_assert(info);
	*info = *status.info;
	info->write_protected = !info->write_protected;
	hf_lu_update(p->k->table, dev, info);
}

/* The pool's operation waits for what is at the medium, not for who waits himself. */
static void remove_device(struct play *p, uint32_t dev)
{
	struct hf_lu_status status;

	if (p->holds && p->held.t.cmd.state != HF_LU_CMD_WAITING)
		return;
	if (!p->k->pending && hf_lu_status(p->k->table, dev, &status))
		hf_lu_remove(p->k->table, dev);
}

static void set_serving(struct play *p, uint8_t how)
{
	if (how & 2)
		hf_lu_set_paused(p->k->table);
	else
		hf_lu_set_serving(p->k->table, how & 1);
}

static void fail_bus(struct play *p, uint8_t how)
{
	static const enum hf_bus_answer answers[] = {HF_BUS_ANSWER_LOOK, HF_BUS_ANSWER_FAILED,
		HF_BUS_ANSWER_NOT_READY, HF_BUS_ANSWER_LOOK};

	p->k->answer_next = answers[how & 3];
	p->k->doubt_next = (how & 3) == 3;
}

static void happen(struct play *p, uint8_t byte)
{
	static const enum hf_alua_state states[] = {HF_ALUA_ACTIVE_OPTIMIZED,
		HF_ALUA_ACTIVE_NON_OPTIMIZED, HF_ALUA_STANDBY, HF_ALUA_UNAVAILABLE, HF_ALUA_OFFLINE,
		HF_ALUA_TRANSITIONING};
	static const int errors[] = {-EIO, -ENOSPC, -EILSEQ, -ENODATA, -ENOMEM, -ECANCELED};
	uint8_t how = byte >> 4;
	struct kit *k = p->k;

	switch ((enum what)(byte & 15)) {
	case PORT_STATE:
		hf_lu_set_port_state(k->table, 1, states[how % HF_ARRAY_LEN(states)]);
		break;
	case SERVING:
		set_serving(p, how);
		break;
	case TASK_MANAGEMENT:
		manage_tasks(p, how);
		break;
	case DISK_FAILS:
		k->disks[how >> 3 & 1].fail_next = errors[(how & 7) % HF_ARRAY_LEN(errors)];
		break;
	case HOLD:
		k->disks[how % LUNS].hold_next = !p->holds;
		break;
	case RELEASE:
		end_held(p);
		release(p);
		break;
	case INFORMATION_LOST:
		lose_information(p, how % LUNS + 1u);
		break;
	case WRITE_PROTECT:
		write_protect(p, how % LUNS + 1u);
		break;
	case REMOVE:
		if (how & 4)
			p->removes_dev = how % LUNS + 1u;
		else
			remove_device(p, how % LUNS + 1u);
		break;
	case TIME:
		hf_loop_sim_advance(loop, UINT64_C(3000000000));
		break;
	case BUS_FAILS:
		fail_bus(p, how);
		break;
	case ABANDON:
		if (p->holds && !p->held.over)
			hf_scsi_abandon(k->scsi, &p->held.t);
		break;
	case ATTENTION:
		if (host_itl(&p->hosts[how & 1], 0))
			hf_itl_attention_raise(
				host_itl(&p->hosts[how & 1], 0), how & 2 ? 0x2903 : 0x2a01);
		break;
	case SHORT_CDB:
		p->short_cdb = true;
		break;
	}
	kit_settle(k);
}

/* How it is to be carried out; false: the input is used up. */
static bool read_command(struct play *p, struct hf_rd *r, uint8_t flags)
{
	static uint8_t out[65536];
	struct cmd *c = &p->c;
	uint8_t cdb[16], n;
	uint16_t expected;
	const uint8_t *piece;

	hf_rd_bytes(r, cdb, sizeof(cdb));
	expected = hf_rd_u16(r);
	if (hf_rd_failed(r))
		return false;
	cmd_begin(c, &p->hosts[flags & 1], (flags >> 3) & 7, cdb, 16);
	c->data_in = flags & 2;
	c->data_out = !c->data_in && (flags & 4);
	c->expected = expected;
	c->t.cdb_len = p->short_cdb ? 6 : 16;
	p->short_cdb = false;
	c->out = out;
	if (c->data_out) {
		n = hf_rd_u8(r);
		n = (uint8_t)HF_MIN(n, hf_rd_left(r));
		piece = hf_rd_take(r, n);
		for (unsigned i = 0; i < expected; i++)
			out[i] = n ? piece[i % n] : 0;
	}
	return true;
}

/* The task is embedded, and known by address: a command that stays out moves before it runs. */
static void run(struct play *p)
{
	struct cmd *c = &p->c;

	if (p->removes_dev) {
		hf_scsi_run(scsi, &c->t);
		remove_device(p, p->removes_dev);
		p->removes_dev = 0;
		kit_settle(p->k);
	} else {
		cmd_run(c);
	}
	if (!c->over)
		finish(p, c);
	else
		cmd_end(c);
}

static void run_held(struct play *p)
{
	cmd_run(&p->held);
	p->holds = true;
	if (p->held.over)
		end_held(p);
}

static bool one_command(struct play *p, struct hf_rd *r)
{
	uint8_t flags = hf_rd_u8(r);
	unsigned host = flags & 1;
	bool hold = false, dropped;

	/* A transport lets a command that is over leave at once. */
	if (p->holds && p->held.over)
		end_held(p);
	if (hf_rd_failed(r))
		return false;
	if (flags & 128) {
		happen(p, hf_rd_u8(r));
		return true;
	}
	for (unsigned i = 0; i < LUNS; i++)
		hold |= p->k->disks[i].hold_next;
	if (!read_command(p, r, flags))
		return false;
	if (hold && !p->holds && !(flags & 64)) {
		p->held = p->c;
		p->c.buf = NULL;
		if (cmd_arrive(&p->held) == HF_SCSI_READY)
			run_held(p);
		else
			cmd_end(&p->held);
		return true;
	}
	if (cmd_arrive(&p->c) == HF_SCSI_READY) {
		if ((flags & 64) && p->c.t.itl) {
			abort_task(&p->c.t, p->c.t.session);
			kit_settle(p->k);
			return true;
		}
		run(p);
	} else {
		cmd_end(&p->c);
	}
	dropped = p->c.t.drop_session;
	if (dropped)
		come_back(p, host);
	return true;
}

static void set_up(struct play *p)
{
	struct hf_loop_options options = {.buf_bytes = 1 << 20};

	if (!loop) {
		hf_assert(!hf_loop_create(0, &options, &loop));
		hf_assert(!hf_scsi_loop_create(loop, &scsi));
	}
	p->k = kit_create_on(loop, scsi, SMALL_BLOCKS);
	come_back(p, 0);
	come_back(p, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hf_rd r = hf_rd_of(data, size);
	struct play p = {0};

	set_up(&p);
	for (unsigned i = 0; i < COMMANDS_MAX && one_command(&p, &r); i++)
		;
	end_held(&p);
	/* What is parked goes on to its end. */
	hf_lu_set_serving(p.k->table, true);
	kit_settle(p.k);
	release(&p);
	for (unsigned i = 0; p.tmf_out; i++) {
		hf_assert(i < ROUNDS_MAX);
		hf_loop_sim_advance(loop, UINT64_C(3000000000));
	}
	cmd_free(&p.c);
	cmd_free(&p.held);
	host_logout(&p.hosts[0]);
	host_logout(&p.hosts[1]);
	/* The timer of commands that wait outlives them. */
	hf_loop_sim_advance(loop, UINT64_C(3000000000));
	kit_destroy(p.k);
	/* No timer and no message of theirs is left. */
	hf_assert(hf_loop_sim_next_ns(loop) == UINT64_MAX);
	return 0;
}
