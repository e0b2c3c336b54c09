/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The operator's pick of a stopped device (W18) in the group engine: said at the one who is alone
 * in the view, after the others have left. They are started again then and copy it as any other. So
 * nobody has to drop a state under its hosts, and of many states no vote is needed.
 */
#include "group_int.h"

static const char *text(int result)
{
	switch (result) {
	case 0:
		return "this controller's state counts";
	case -ENODEV:
		return "there is no such device on the bus";
	case -EINVAL:
		return "the device is not stopped: there is nothing to pick";
	case -EALREADY:
		return "it is being picked right now";
	case -ENODATA:
		return "this controller has joined while the device was stopped and has no state "
		       "of it; say it at one that has. If none has, stop all controllers and start "
		       "them again: what the disks keep counts then";
	case -EIO:
		return "the state could not be written to most voting disks, or not in time; mend "
		       "them and say it again";
	default:
		return "with the bus corosync it is said at the one controller that is in the "
		       "view: "
		       "say `holdfast leave` at all others, say it again, then start them";
	}
}

/* Nobody else is in the view, nor on the way into it. */
static bool is_alone(const struct group *g)
{
	return group_gate(g) && g->live && !g->newcomers &&
	       g->view.members == group_bit(g->config.id);
}

void group_pick_end(struct group_dev *d, int result)
{
	struct hf_bus_pick *pick = d->picked;

	d->picked = NULL;
	if (pick)
		pick->done(pick, result, text(result));
}

static void begin(struct group *g, struct group_dev *d, struct hf_bus_pick *pick)
{
	int refused = 0;

	if (!d || d->mode == GROUP_DEV_REMOVED)
		refused = -ENODEV;
	else if (d->mode != GROUP_DEV_STOPPED)
		refused = -EINVAL;
	else if (d->picked)
		refused = -EALREADY;
	else if (d->empty) /* "nothing" would be written over what the disks keep */
		refused = -ENODATA;
	else if (!is_alone(g))
		refused = -ENOTCONN;
	if (refused) {
		pick->done(pick, refused, text(refused));
		return;
	}
	d->picked = pick;
	d->pick_until_ns = group_now(g) + 2 * g->bound_ns;
	g->bus.owner_ops->pick(g->bus.owner, d->dev, ++d->pick_n, true);
}

static void done(struct group *g, struct group_dev *d, int result)
{
	if (result < 0) {
		group_pick_end(d, -EIO);
	} else if (d->mode != GROUP_DEV_STOPPED || !is_alone(g)) {
		group_pick_end(d, -ENOTCONN);
	} else {
		d->peers = g->view.members;
		memset(&d->votes, 0, sizeof(d->votes)); /* of the turn that it stopped in */
		memset(&d->votes_next, 0, sizeof(d->votes_next));
		group_dev_live(d);
		group_pick_end(d, 0);
		group_dev_advance(d, NULL);
	}
}

void group_pick_item(struct group *g, const struct group_item *item)
{
	struct group_dev *d = group_dev_find(g, item->dev);

	if (item->what == ITEM_PICK)
		begin(g, d, item->pick);
	else if (d && d->picked && item->n == d->pick_n)
		done(g, d, item->result);
}

/* Voting disks that hang keep nobody waiting. */
void group_pick_tick(struct group_dev *d)
{
	if (d->picked && group_now(d->g) >= d->pick_until_ns)
		group_pick_end(d, -EIO);
}
