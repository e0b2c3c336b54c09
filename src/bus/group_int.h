/* SPDX-License-Identifier: BSD-3-Clause */
/* Between the files of the group engine only (group_bus.h). */
#ifndef HF_GROUP_INT_H
#define HF_GROUP_INT_H

#include "group_bus.h"
#include "group_msg.h"

enum {
	GROUP_BUCKETS = 256,
	GROUP_PROCS_MAX = 2 * HF_CONTROLLERS_MAX,
	GROUP_SNAPSHOT_MAX = 4 << 20, /* of one device */
	GROUP_COPY_CHUNK = 12 << 10,  /* one message each */
	GROUP_COPY_WINDOW =
		192 << 10,	      /* the next device waits until less than this is on its way */
	GROUP_COPY_DEVS = 16,	      /* devices that are being copied at a time */
	GROUP_BACKLOG_MAX = 64 << 20, /* this far behind: starts anew */
	GROUP_TICK_MS = 50,
	GROUP_BEAT_TICKS = 4,
};

struct group;

/* --- devices --- */

struct group_entry {
	struct hf_list node;
	bool is_cut;
	uint8_t from;
	uint64_t seq;
	bool owed;
	size_t op_len;
	uint8_t op[];
};

/* What the members that remember have said of a device in this generation. */
struct group_fold {
	uint64_t turn, n;
	uint32_t listed;  /* who has the device */
	uint32_t at_turn; /* who is at `turn` */
	bool cancelling, stopped, agreed;
	struct group_entry *op; /* the candidate to go forward, or NULL */
	uint64_t digests[HF_CONTROLLER_IDS], out_seqs[HF_CONTROLLER_IDS];
};

enum group_dev_mode {
	GROUP_DEV_EMPTY, /* no state here: before the start, and in a newcomer */
	GROUP_DEV_LIVE,
	GROUP_DEV_STOPPED, /* the states differ (W18) */
	GROUP_DEV_REMOVED, /* deleted, about to be freed */
};

struct group_dev {
	struct group *g;
	struct group_dev *next; /* in its bucket */
	uint32_t dev;
	enum group_dev_mode mode;
	uint64_t turn;	      /* ops that have ended, one way or the other */
	uint64_t n;	      /* ops that have settled */
	uint32_t peers;	      /* whose acknowledgements count */
	struct hf_list queue; /* struct hf_bus_prop.node: of this controller */
	uint64_t out_seq;     /* the first of it has been proposed under this number; 0: has not */
	uint64_t out_since_ns;
	struct hf_list entries;	    /* struct group_entry: agreed order, not yet at their turn */
	struct group_entry *passed; /* the last one that changed nothing here, or NULL */
	/* the present turn */
	enum hf_group_phase phase;
	struct group_entry *cur;
	uint64_t since_ns;
	bool persist, drained, acked, nacked, persisting, persisted, settled_sent, settled;
	int drain_error;
	uint64_t retry_at_ns;
	/* Who has said what of this turn, and of the next: others may be one ahead. */
	struct group_votes {
		uint32_t acks, dropped;
		bool nack;
		uint64_t digests[HF_CONTROLLER_IDS];
	} votes, votes_next;
	uint32_t copied; /* newcomers that have it, in this generation */
	bool cut_out;	 /* a cut of this controller's is out, and not copied by all of them */
	struct group_fold fold;
	/* ranges */
	struct hf_list range_queue; /* struct hf_bus_range.node: not asked for yet, own */
	struct hf_list ranges;	    /* struct group_range.node: the agreed line */
	uint64_t frozen_since_ns;
	/* stopped (W18) */
	bool told_stopped;	    /* the owner has been told, and not yet that it is over */
	bool empty;		    /* has joined meanwhile, without a state */
	struct hf_bus_pick *picked; /* the operator's, under way */
	uint64_t pick_n, pick_until_ns;
};

struct group_range {
	struct hf_list node;
	uint32_t dev;
	uint8_t from;
	uint64_t id, lba;
	uint32_t blocks;
	uint32_t grants;
	bool held, drained, told, granted, doubted, listed;
	struct hf_bus_range *req; /* own, and not released */
};

/* --- the group --- */

struct group_proc {
	struct hf_group_proc proc;
	bool told; /* its STATE has come in this generation */
	uint8_t id;
	struct hf_hello hello;
	bool live;
	struct hf_view_record view;
	bool ok; /* may take part */
};

enum group_step {
	GROUP_OUT,    /* not a member of the group */
	GROUP_SYNC,   /* the members have changed: no plan yet */
	GROUP_WAIT,   /* plan: nobody has the state */
	GROUP_FROZEN, /* plan: some of the view are absent */
	GROUP_ACTIVE, /* plan: go on */
};

enum group_job {
	GROUP_JOB_NONE,
	GROUP_JOB_READ, /* for a plan */
	GROUP_JOB_LOAD,
	GROUP_JOB_VERIFY, /* after it: is the record as it was? */
	GROUP_JOB_WRITE,  /* `wanted`, then the plan */
	GROUP_JOB_VIEW,	  /* `wanted`, then the view */
	GROUP_JOB_CHECK,  /* frozen: does the record still name this controller? */
};

struct group_item {
	enum {
		ITEM_PROPOSE,
		ITEM_DRAINED,
		ITEM_PERSISTED,
		ITEM_RANGE_ACQUIRE,
		ITEM_RANGE_RELEASE,
		ITEM_RANGE_DRAINED,
		ITEM_DEV_REMOVED,
		ITEM_PICK,
		ITEM_PICK_DONE,
		ITEM_FENCED,
		ITEM_FENCE_ENDED,
		ITEM_CHECKED,
		ITEM_LOADED,
		ITEM_VIEW_IO,
	} what;
	uint32_t dev;
	uint64_t n; /* or the id of a range */
	int result;
	struct hf_bus_prop *prop;
	struct hf_bus_range *range;
	struct hf_bus_pick *pick;
};

struct group_copy {
	bool giving;
	uint32_t to;	 /* newcomers of this generation */
	uint64_t cursor; /* lowest id not cut yet */
	unsigned open;	 /* devices with group_dev.cut_out */
	/* taking */
	bool taking, all_cut, check_due;
	uint32_t in_dev, in_total, in_got;
};

struct group {
	struct hf_bus bus;
	struct hf_bus_group_config config;
	struct hf_loop *loop;
	struct hf_group_net *net;
	struct hf_hello hello;
	uint64_t bound_ns;
	/* events that arise while others are being handled: first come, first served */
	struct group_item *items;
	size_t items_cap, items_head, items_len;
	bool running, destroying, start_posted;
	struct hf_msg start_msg;
	struct hf_timer tick;
	unsigned ticks;
	/* membership */
	struct group_proc procs[GROUP_PROCS_MAX]; /* ascending */
	unsigned procs_len;
	struct hf_group_proc self;
	struct hf_group_ring ring, quorum_ring;
	bool quorate;
	bool undecided;		 /* both halves may have quorum, and the fence is none for that */
	uint64_t tag, tags_made; /* tag 0: between a change and its BEGIN */
	uint64_t sync_since_ns;
	bool planned, view_out; /* the plan, a view are on their way */
	bool complete;		/* all have told in this generation */
	enum group_step step;
	uint8_t coordinator;		     /* who plans in this generation; 0: not known yet */
	char refused[HF_HELLO_SENTENCE_MAX]; /* why this controller may not take part; "" */
	char lost[HF_HELLO_SENTENCE_MAX];    /* why there is no group */
	/* the view */
	bool live; /* has the agreed state in memory */
	bool joining;
	bool fallen; /* has dropped its state and waits until nothing of it is in flight */
	bool fallen_forgot;
	bool clean; /* nothing is in flight any more, says the owner */
	char fallen_why[120];
	struct hf_view_record view;
	uint32_t absent, present;	 /* as the last plan has it; ids that are here */
	struct hf_view_record absent_of; /* the view that they are absent from */
	uint32_t newcomers;		 /* of this generation, not yet in the view */
	bool ready_said;		 /* by this one, which joins */
	uint32_t ready, leaving, strike; /* have said READY, LEAVE; were declared gone */
	uint32_t left_ids; /* were taken out of the view because they had said LEAVE */
	bool may_lose;
	bool word_wanted, word_may_lose; /* --alone: as soon as it has a meaning */
	/* policy fence: what runs, of which generation */
	bool fencing;
	bool fence_begun; /* in this generation, and not known to be over */
	uint64_t fence_again_ns;
	uint32_t fence_ids;
	uint32_t fence_struck; /* `strike` rests on a fence, of fence_epoch */
	uint64_t fence_epoch;
	bool fence_out; /* an ended one is not over: it might hit who is back */
	uint64_t tell_due_ns;
	bool tell_due; /* ... and this generation is told what we remember when it is */
	bool checking; /* has any fence hit this controller? */
	bool gave_up;  /* serves again in another generation, with its epoch */
	/* Until which epoch: also of a record that names this one and whose plan it has not heard.
	 */
	uint64_t gave_up_epoch;
	uint64_t plan_epoch; /* of the last plan that was active */
	uint64_t told_ns;    /* all had told what they remember: who is absent got no beat since */
	bool quieting;	     /* fenced, and may still answer */
	int fence_result;
	char fence_why[160];
	/* the record */
	enum group_job job;
	uint64_t job_tag;
	bool io_busy;
	int record_error;
	struct hf_view_record record, wanted;
	uint64_t retry_job_ns;
	bool read_again;   /* the record, and then the plan, when retry_job_ns has come */
	uint64_t doubt_ns; /* since then this generation may be over without our knowing; 0: no sign
			    */
	char sentence[HF_HELLO_SENTENCE_MAX]; /* of the last plan */
	uint8_t record_buf[HF_VIEW_RECORD_BYTES_MAX];
	int read_result;
	struct hf_view_record read_record;
	/* leaving */
	bool leave_wanted, leave_said, left_done, left_group;
	uint64_t leave_by_ns;
	void (*left)(void *arg);
	void *left_arg;
	/* devices */
	struct group_dev *devs[GROUP_BUCKETS];
	bool applying_pool;
	uint64_t seqs; /* numbers of own ops and ranges */
	struct group_copy copy;
	struct hf_list orphans; /* ranges of devices that are not here yet */
	uint8_t *snapshot;
	uint8_t *out; /* one message */
	struct hf_bus_counts counts;
};

static inline struct group *group_of(struct hf_bus *bus)
{
	return hf_container_of(bus, struct group, bus);
}

static inline uint32_t group_bit(uint8_t id)
{
	return 1u << id;
}

/* group.c */
struct group_item *group_push(struct group *g, int what, uint32_t dev);
void group_send(struct group *g, struct hf_group_msg *m, const void *body, size_t body_len);
void group_say(struct group *g, enum hf_group_msg_kind kind); /* without fields */
uint64_t group_now(const struct group *g);

/* group_view.c */
bool group_has_quorum(const struct group *g);
bool group_gate(const struct group *g);	  /* settling is allowed here and now (W22) */
bool group_denied(const struct group *g); /* known to have no quorum, or no group */
void group_view_members(struct group *g, const struct hf_group_proc *members, unsigned len);
void group_view_ring(struct group *g); /* another one, with the same members or not */
void group_tell_if_over(struct group *g);
void group_view_lost(struct group *g);
void group_view_quorum(struct group *g);
void group_view_receive(
	struct group *g, const struct hf_group_proc *from, const struct hf_group_msg *m);
void group_view_io(struct group *g);
void group_view_loaded(struct group *g, int result);
void group_view_tick(struct group *g);
void group_view_show(struct group *g);
/* "1, 3" */
void group_names(uint32_t ids, char *buf, size_t len);
/* The record is read again, and a plan made, in a second. */
void group_view_again(struct group *g);
/* The same: the voting disks have failed `what`. */
void group_view_retry(struct group *g, const char *what, int error);
void group_view_consider(struct group *g);
/* This controller's state counts for nothing any more; it starts anew when nothing is in flight. */
void group_fall_out(struct group *g, const char *why);
void group_leave_if_idle(struct group *g);
bool group_takes_ops(const struct group *g);
/* It has said that it leaves: the record may do without it at any moment, so nothing is proposed.
 */
bool group_is_going(const struct group *g);

/* group_fence.c */
void group_fence_end(struct group *g);
void group_fence_planned(struct group *g); /* is the one that runs still wanted? */
void group_fence_done(struct group *g);
void group_fence_ended(struct group *g);
/* A fence may have been on its way to this controller: no more commands before it is known. */
void group_fence_check(struct group *g);
void group_fence_checked(struct group *g);
void group_fence_beat(struct group *g);
void group_fence_beaten(struct group *g, uint64_t sent_ns); /* one of ours is back */
void group_fence_tick(struct group *g);

/* group_plan.c */
void group_plan_classify(struct group *g);
void group_plan_decide(struct group *g);
void group_plan_receive(struct group *g, const struct hf_group_msg *m);
void group_plan_send(struct group *g, enum hf_group_plan plan, uint32_t live);
uint32_t group_plan_falling(const struct group *g);

/* group_sync.c */
void group_sync_break(struct group *g);
void group_sync_tell(struct group *g);
void group_sync_devs(struct group *g, const struct hf_group_msg *m);
void group_sync_resolve(struct group *g, uint32_t live);
void group_sync_forget(struct group *g); /* folds */

/* group_dev.c */
struct group_dev *group_dev_find(const struct group *g, uint32_t dev);
int group_dev_add(struct group *g, uint32_t dev);
void group_dev_removed(struct group *g, uint32_t dev);
void group_dev_free(struct group_dev *d);
void group_dev_free_all(struct group *g);
/* fn for each in ascending order, for the pool last; devices may come and go meanwhile. */
void group_dev_each(struct group *g, void (*fn)(struct group_dev *d, void *arg), void *arg);
struct group_entry *group_entry_new(
	uint8_t from, uint64_t seq, bool owed, const void *op, size_t op_len);
void group_dev_hold(struct group_dev *d, struct group_entry *entry, bool persist);
void group_dev_unhold(struct group_dev *d);
void group_dev_end_turn(struct group_dev *d, bool applied);
void group_dev_forget(struct group_dev *d); /* its state; what is open is answered */
void group_dev_stop(struct group_dev *d, const char *why);
void group_dev_live(struct group_dev *d); /* it has a state, stopped or not before */
#define GROUP_WHY_DIFFER "the controllers hold different states under the same number"
void group_dev_clear_entries(struct group_dev *d);
bool group_dev_is_mine(const struct group_dev *d, const struct group_entry *entry);
void group_dev_answer(struct group_dev *d, struct hf_bus_prop *prop, enum hf_bus_answer how);
void group_dev_advance(struct group_dev *d, void *unused);
void group_dev_tick(struct group_dev *d, void *unused);
void group_dev_item(struct group *g, const struct group_item *item);
/* All have acknowledged what is held: others may have settled it. */
static inline bool group_dev_is_agreed(const struct group_dev *d)
{
	return (d->votes.acks & d->peers) == d->peers;
}
/* Something about a device that is not here. */
void group_dev_missed(struct group *g);
void group_dev_receive(struct group *g, const struct hf_group_msg *m);
bool group_dev_any_own(struct group *g);
void group_dev_peers_left(struct group *g, uint32_t left);

/* group_pick.c */
void group_pick_item(struct group *g, const struct group_item *item);
void group_pick_end(struct group_dev *d, int result); /* if one is under way */
void group_pick_tick(struct group_dev *d);

/* group_copy.c */
void group_copy_start(struct group *g, uint32_t to, bool give);
void group_copy_stop(struct group *g);
void group_copy_cut(struct group_dev *d); /* the cut is at its turn */
bool group_copy_is_done(const struct group_dev *d);
void group_copy_over(struct group_dev *d);
void group_copy_let_go(struct group_dev *d); /* nobody waits for a copy of it any more */
void group_copy_advance(struct group *g);
void group_copy_checked(struct group *g);
void group_copy_receive(struct group *g, const struct hf_group_msg *m);

/* group_range.c */
void group_range_item(struct group *g, const struct group_item *item);
void group_range_receive(struct group *g, const struct hf_group_msg *m);
void group_range_advance(struct group_dev *d);
void group_range_break(struct group_dev *d);
void group_range_tell(struct group *g);
void group_range_listed(struct group *g, const struct hf_group_msg *m);
void group_range_resolve(struct group_dev *d, uint32_t members);
void group_range_adopt(struct group_dev *d); /* orphans of a device that has appeared */
void group_range_forget_orphans(struct group *g);
void group_range_tick(struct group_dev *d);
void group_range_remove(struct group_dev *d);
void group_range_free(struct group_dev *d);

#endif
