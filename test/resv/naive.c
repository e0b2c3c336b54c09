/* SPDX-License-Identifier: BSD-3-Clause */
/* The naive model. The letters and numbers name the sections of scsi-reservations. */
#include "naive.h"

#include <string.h>

/* --- verdicts -----------------------------------------------------------------------------------
 */

static void conflict(struct naive_result *res)
{
	res->status = 0x18;
}

static void check(struct naive_result *res, int sense_key, int asc, int ascq)
{
	res->status = 0x02;
	res->sense_key = sense_key;
	res->asc = asc;
	res->ascq = ascq;
}

/* --- what the tables say ------------------------------------------------------------------------
 */

static bool is_type(int type) /* E.2 */
{
	return type == 1 || type == 3 || type == 5 || type == 6 || type == 7 || type == 8;
}

static bool is_holder(const struct naive *n, int i, int p)
{
	if (n->type == 0 || n->key[i][p] == 0)
		return false;
	if (n->type == 7 || n->type == 8)
		return true;
	return n->holder == i && n->holder_port == p;
}

static int registered_count(const struct naive *n)
{
	int count = 0;

	for (int i = 0; i < n->initiators; i++)
		for (int p = 0; p < n->ports; p++)
			if (n->key[i][p] != 0)
				count++;
	return count;
}

static void no_reservation(struct naive *n)
{
	n->type = n->holder = n->holder_port = 0;
}

static void no_legacy(struct naive *n)
{
	n->legacy = false;
	n->legacy_holder = n->legacy_port = 0;
	n->legacy_login = 0;
}

static void reserve_for(struct naive *n, int type, int i, int p)
{
	no_reservation(n);
	n->type = type;
	if (type < 7) {
		n->holder = i;
		n->holder_port = p;
	}
}

/* Takes the registration away, and the reservation as "Unregistering" of E.4 says. */
static void unregister(struct naive *n, int i, int p)
{
	bool held = is_holder(n, i, p);

	n->key[i][p] = 0;
	if (held && n->type < 7)
		no_reservation(n);
	if (n->type >= 7 && registered_count(n) == 0)
		no_reservation(n);
}

static bool is_sender(const struct naive_op *op, int i, int p)
{
	return op->initiator == i && op->port == p;
}

static void tell_registrants_but_sender(
	const struct naive *n, const struct naive_op *op, int told[NAIVE_INITIATORS][NAIVE_PORTS])
{
	for (int i = 0; i < n->initiators; i++)
		for (int p = 0; p < n->ports; p++)
			if (n->key[i][p] != 0 && !is_sender(op, i, p))
				told[i][p]++;
}

/* --- REGISTER, REGISTER AND IGNORE EXISTING KEY (E.4) -------------------------------------------
 */

/* The command on one port, as if it had been received there. False: it conflicts there. */
static bool register_through(struct naive *n, const struct naive_op *op, int port)
{
	uint64_t *key = &n->key[op->initiator][port];

	if (op->kind == NAIVE_REGISTER && op->rk != *key)
		return false;
	if (op->sark != 0)
		*key = op->sark;
	else if (*key != 0)
		unregister(n, op->initiator, port);
	return true;
}

/* Lists without repeats and without the sender's own initiator port. */
static bool is_listed(const struct naive_op *op, int initiator)
{
	for (int k = 0; k < op->listed_count; k++)
		if (op->listed[k] == initiator && initiator != op->initiator)
			return true;
	return false;
}

static void do_register(struct naive *n, const struct naive_op *op, struct naive_result *res)
{
	struct naive after = *n;
	bool was_registered = n->key[op->initiator][op->port] != 0;
	bool was_5_or_6 = n->type == 5 || n->type == 6;

	if (!register_through(&after, op, op->port)) {
		conflict(res);
		return;
	}
	if (op->spec_i_pt && was_registered) {
		check(res, 5, 0x26, 0x00);
		return;
	}
	if (op->all_tg_pt)
		for (int p = 0; p < n->ports; p++)
			if (p != op->port)
				register_through(&after, op, p);
	if (op->spec_i_pt && op->sark != 0)
		for (int i = 0; i < n->initiators; i++)
			for (int p = 0; p < n->ports; p++) {
				if (!is_listed(op, i) || (p != op->port && !op->all_tg_pt))
					continue;
				if (n->key[i][p] != 0) {
					check(res, 5, 0x26, 0x00);
					return;
				}
				after.key[i][p] = op->sark;
			}
	if (registered_count(&after) > n->room) {
		check(res, 5, 0x55, 0x04);
		return;
	}
	if (was_registered || op->sark != 0)
		after.aptpl = op->aptpl;
	after.generation++;
	*n = after;
	if (was_5_or_6 && n->type == 0)
		tell_registrants_but_sender(n, op, res->told_2a04);
}

/* --- RESERVE, RELEASE, CLEAR, REPLACE LOST (E.4) ------------------------------------------------
 */

static void do_reserve(struct naive *n, const struct naive_op *op, struct naive_result *res)
{
	/* E.6: allowed to the holder for the same type, to nobody else. */
	if (n->type != 0 && !(is_holder(n, op->initiator, op->port) && n->type == op->type))
		conflict(res);
	else if (op->scope != 0 || !is_type(op->type))
		check(res, 5, 0x24, 0x00);
	else if (n->type == 0)
		reserve_for(n, op->type, op->initiator, op->port);
}

static void do_release(struct naive *n, const struct naive_op *op, struct naive_result *res)
{
	if (op->scope != 0 || !is_type(op->type)) {
		check(res, 5, 0x24, 0x00);
		return;
	}
	if (!is_holder(n, op->initiator, op->port))
		return;
	if (n->type != op->type) {
		check(res, 5, 0x26, 0x04);
		return;
	}
	if (n->type >= 5)
		tell_registrants_but_sender(n, op, res->told_2a04);
	no_reservation(n);
}

static void do_clear(struct naive *n, const struct naive_op *op, struct naive_result *res)
{
	tell_registrants_but_sender(n, op, res->told_2a03);
	memset(n->key, 0, sizeof(n->key));
	no_reservation(n);
	n->generation++;
}

static void do_replace_lost(struct naive *n, const struct naive_op *op, struct naive_result *res)
{
	if (!n->lost)
		check(res, 5, 0x24, 0x00);
	else if (op->rk != 0)
		conflict(res);
	else if (op->scope != 0 || !is_type(op->type))
		check(res, 5, 0x24, 0x00);
	else if (op->sark == 0)
		check(res, 5, 0x26, 0x00);
	if (res->status != 0)
		return;
	n->lost = false;
	n->key[op->initiator][op->port] = op->sark;
	reserve_for(n, op->type, op->initiator, op->port);
	n->generation++;
}

/* --- PREEMPT, PREEMPT AND ABORT (E.5) -----------------------------------------------------------
 */

static void preempt_one(
	struct naive *n, const struct naive_op *op, struct naive_result *res, int i, int p)
{
	n->key[i][p] = 0;
	if (op->kind == NAIVE_PREEMPT_ABORT)
		res->aborted[i][p]++;
	if (!is_sender(op, i, p))
		res->told_2a05[i][p]++;
}

/* Rows 1, 2 and 5 of the table. */
static void remove_registrations(
	struct naive *n, const struct naive_op *op, struct naive_result *res)
{
	int removed = 0;

	for (int i = 0; i < n->initiators; i++)
		for (int p = 0; p < n->ports; p++)
			if (n->key[i][p] == op->sark) {
				preempt_one(n, op, res, i, p);
				removed++;
			}
	if (removed == 0) {
		conflict(res);
		return;
	}
	if (registered_count(n) == 0)
		no_reservation(n);
	n->generation++;
}

/* Rows 3 and 4. */
static void take_reservation(struct naive *n, const struct naive_op *op, struct naive_result *res)
{
	bool everybody = n->type >= 7;
	int old_type = n->type;

	if (op->scope != 0 || !is_type(op->type)) {
		check(res, 5, 0x24, 0x00);
		return;
	}
	for (int i = 0; i < n->initiators; i++)
		for (int p = 0; p < n->ports; p++)
			if (n->key[i][p] != 0 && !is_sender(op, i, p) &&
				(everybody || n->key[i][p] == op->sark))
				preempt_one(n, op, res, i, p);
	reserve_for(n, op->type, op->initiator, op->port);
	n->generation++;
	if (old_type != op->type)
		tell_registrants_but_sender(n, op, res->told_2a04);
}

static void do_preempt(struct naive *n, const struct naive_op *op, struct naive_result *res)
{
	if (n->type >= 7 && op->sark == 0)
		take_reservation(n, op, res);
	else if (op->sark == 0)
		check(res, 5, 0x26, 0x00);
	else if (n->type != 0 && n->type < 7 && n->key[n->holder][n->holder_port] == op->sark)
		take_reservation(n, op, res);
	else
		remove_registrations(n, op, res);
}

/* --- REGISTER AND MOVE (E.4) --------------------------------------------------------------------
 */

static void do_move(struct naive *n, const struct naive_op *op, struct naive_result *res)
{
	struct naive after = *n;

	if (n->type >= 7 || (n->type != 0 && !is_holder(n, op->initiator, op->port)))
		conflict(res);
	else if (n->type == 0)
		check(res, 5, 0x24, 0x00);
	else if (op->sark == 0 || op->to == op->initiator || op->to_port < 0 ||
		 op->to_port >= n->ports)
		check(res, 5, 0x26, 0x00);
	if (res->status != 0)
		return;
	after.key[op->to][op->to_port] = op->sark;
	if (op->unreg)
		after.key[op->initiator][op->port] = 0;
	if (registered_count(&after) > n->room) {
		check(res, 5, 0x55, 0x04);
		return;
	}
	reserve_for(&after, n->type, op->to, op->to_port);
	after.aptpl = op->aptpl;
	after.generation++;
	*n = after;
}

/* --- SPC-2 and events (E.7, E.8) ----------------------------------------------------------------
 */

static bool is_legacy_holder(const struct naive *n, int i, int p, uint32_t login)
{
	return n->legacy && n->legacy_holder == i && n->legacy_port == p &&
	       n->legacy_login == login;
}

static void do_legacy(struct naive *n, const struct naive_op *op, struct naive_result *res)
{
	int i = op->initiator, p = op->port;

	if (registered_count(n) > 0) {
		/* CRH=1 */
		if (!is_holder(n, i, p) && !(n->key[i][p] != 0 && n->type >= 5))
			conflict(res);
		return;
	}
	if (op->kind == NAIVE_LEGACY_RELEASE) {
		if (is_legacy_holder(n, i, p, op->login))
			no_legacy(n);
		return;
	}
	if (n->legacy && !is_legacy_holder(n, i, p, op->login)) {
		conflict(res);
		return;
	}
	n->legacy = true;
	n->legacy_holder = i;
	n->legacy_port = p;
	n->legacy_login = op->login;
}

static void wipe(struct naive *n)
{
	memset(n->key, 0, sizeof(n->key));
	no_reservation(n);
	no_legacy(n);
	n->aptpl = false;
	n->lost = false;
}

static void sanitize_ends(struct naive *n, bool in_failure)
{
	n->sanitizes = 0;
	n->sanitize_port = 0;
	n->sanitize_failed = in_failure;
	if (!in_failure)
		n->sanitize_excusable = 0;
}

/* MODE SELECT, SANITIZE, its EXIT FAILURE MODE: they write, and never while a SANITIZE runs. */
static void do_unit(struct naive *n, const struct naive_op *op, struct naive_result *res)
{
	if (n->retired) {
		check(res, 5, 0x25, 0x00);
	} else if (n->lost) {
		check(res, 7, 0x44, 0x01);
	} else if (!naive_may(n, op->initiator, op->port, op->login, 3)) {
		conflict(res);
	} else if (n->sanitizes) {
		res->status = 0x08;
	} else if (op->kind == NAIVE_MODE_SELECT) {
		res->others_told_2a01 = n->mode != (int)op->sark;
		n->mode = (int)op->sark;
	} else if (op->kind == NAIVE_SANITIZE) {
		n->sanitizes = 1;
		n->sanitize_port = op->port;
		n->sanitize_excusable = op->aptpl;
		res->drained = true;
	} else if (n->sanitize_failed && !n->sanitize_excusable) {
		check(res, 5, 0x24, 0x00);
	} else {
		res->drained = n->sanitize_failed;
		n->sanitize_failed = n->sanitize_excusable = 0;
	}
}

static void do_event(struct naive *n, const struct naive_op *op, struct naive_result *res)
{
	switch (op->kind) {
	case NAIVE_NEXUS_LOSS:
		if (is_legacy_holder(n, op->initiator, op->port, op->login))
			no_legacy(n);
		break;
	case NAIVE_LU_RESET:
		if (n->retired)
			break;
		no_legacy(n);
		n->mode = 0;
		res->everybody_reset = true;
		break;
	case NAIVE_PEER_REMOVED:
		if (n->legacy && n->legacy_port == op->port)
			no_legacy(n);
		if (n->sanitizes && n->sanitize_port == op->port)
			sanitize_ends(n, true);
		break;
	case NAIVE_BREAK:
		if (n->retired)
			break;
		for (int i = 0; i < n->initiators; i++)
			for (int p = 0; p < n->ports; p++)
				if (n->key[i][p] != 0)
					res->told_2a03[i][p]++;
		wipe(n);
		break;
	case NAIVE_RETIRE:
		if (registered_count(n) > 0 || n->legacy || n->lost || n->sanitizes)
			conflict(res);
		else
			n->retired = true;
		break;
	case NAIVE_INFO_LOST:
		if (n->retired)
			break;
		wipe(n);
		n->lost = true;
		break;
	case NAIVE_MODE_SELECT:
	case NAIVE_SANITIZE:
	case NAIVE_EXIT_FAILURE:
		do_unit(n, op, res);
		break;
	case NAIVE_SANITIZED:
		if (n->sanitizes && n->sanitize_port == op->port) {
			sanitize_ends(n, op->aptpl);
			res->drained = true;
		}
		break;
	default:
		break;
	}
}

/* --- all together -------------------------------------------------------------------------------
 */

static void do_service_action(struct naive *n, const struct naive_op *op, struct naive_result *res)
{
	uint64_t own = n->key[op->initiator][op->port];
	bool checks_key = op->kind != NAIVE_REGISTER && op->kind != NAIVE_REGISTER_IGNORE &&
			  op->kind != NAIVE_REPLACE_LOST;

	if (checks_key && (own == 0 || own != op->rk)) {
		conflict(res);
		return;
	}
	switch (op->kind) {
	case NAIVE_REGISTER:
	case NAIVE_REGISTER_IGNORE:
		do_register(n, op, res);
		break;
	case NAIVE_RESERVE:
		do_reserve(n, op, res);
		break;
	case NAIVE_RELEASE:
		do_release(n, op, res);
		break;
	case NAIVE_CLEAR:
		do_clear(n, op, res);
		break;
	case NAIVE_PREEMPT:
	case NAIVE_PREEMPT_ABORT:
		do_preempt(n, op, res);
		break;
	case NAIVE_REGISTER_MOVE:
		do_move(n, op, res);
		break;
	case NAIVE_REPLACE_LOST:
		do_replace_lost(n, op, res);
		break;
	default:
		break;
	}
}

void naive_apply(struct naive *n, const struct naive_op *op, struct naive_result *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (op->kind >= NAIVE_NEXUS_LOSS)
		do_event(n, op, ret);
	else if (n->retired)
		check(ret, 5, 0x25, 0x00);
	else if (n->lost && op->kind != NAIVE_REPLACE_LOST)
		check(ret, 7, 0x44, 0x01);
	else if (op->kind == NAIVE_LEGACY_RESERVE || op->kind == NAIVE_LEGACY_RELEASE)
		do_legacy(n, op, ret);
	else if (n->legacy)
		conflict(ret);
	else if (op->kind != NAIVE_READ)
		do_service_action(n, op, ret);
}

bool naive_may(const struct naive *n, int initiator, int port, uint32_t login, int class)
{
	bool registered = n->key[initiator][port] != 0;

	if (class == 0)
		return true;
	if (n->lost || n->retired)
		return false;
	if (n->legacy)
		return is_legacy_holder(n, initiator, port, login);
	switch (n->type) {
	case 0:
		return true;
	case 1: /* Write Exclusive */
		return class <= 2 || is_holder(n, initiator, port);
	case 3: /* Exclusive Access */
		return class <= 1 || is_holder(n, initiator, port);
	case 5: /* Write Exclusive, registrants only or all registrants */
	case 7:
		return class <= 2 || registered;
	default: /* Exclusive Access, the same two */
		return class <= 1 || registered;
	}
}

bool naive_same_image(const struct naive *a, const struct naive *b)
{
	if (a->lost != b->lost || a->aptpl != b->aptpl)
		return false;
	if (!a->aptpl)
		return true;
	return !memcmp(a->key, b->key, sizeof(a->key)) && a->type == b->type &&
	       a->holder == b->holder && a->holder_port == b->holder_port;
}
