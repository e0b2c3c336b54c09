/* SPDX-License-Identifier: BSD-3-Clause */
/* Between the files of the pair engine only (pair_bus.h). */
#ifndef HF_PAIR_ENGINE_INT_H
#define HF_PAIR_ENGINE_INT_H

#include "pair.h"
#include "pair_bus.h"
#include "range.h"
#include "view.h"

enum {
	DEV_BUCKETS = 256,
	SNAPSHOT_MAX = 4 << 20,	 /* of one device */
	COPY_CHUNK = 12 << 10,	 /* one frame each */
	COPY_WINDOW = 192 << 10, /* the next device waits until less than this is on its way */
};

struct pair_engine;

struct pair_dev {
	struct pair_engine *e;
	struct pair_dev *next; /* in its bucket */
	struct hf_pair_dev pair;
	struct hf_range_dev range;
	struct hf_timer pair_timer, range_timer;
	struct hf_bus_pick *picked; /* the operator waits for its end */
};

/* Something to be stepped. By number of the device: it may be gone when its turn comes. */
struct pair_item {
	enum { ITEM_PAIR, ITEM_RANGE, ITEM_VIEW } what;
	uint32_t dev;
	union {
		struct hf_pair_event pair;
		struct hf_range_event range;
		struct hf_view_event view;
	};
};

/* Giving (member) or taking (newcomer) all devices. */
struct pair_copy {
	bool active, waiting, done; /* waiting: for the snapshot of `dev` */
	uint32_t dev;
	uint64_t cursor; /* lowest id not given yet */
	uint64_t digest; /* of the devices, when the last was given */
	/* taking */
	uint32_t in_dev, in_total, in_got;
	bool check_due; /* all is installed; a fence may have hit us meanwhile */
	uint64_t in_n;
};

struct pair_engine {
	struct hf_bus bus;
	struct hf_bus_pair_config config;
	struct hf_loop *loop;
	struct hf_links *links; /* NULL without a peer */
	struct hf_view_machine view;
	struct hf_pair_config pair_config;
	struct hf_pair_reads reads;
	struct pair_dev *devs[DEV_BUCKETS];
	/* Events arise while effects are performed: first come, first served (pair.h). */
	struct pair_item *items;
	size_t items_cap, items_head, items_len;
	bool running, destroying;
	struct pair_copy copy;
	/* SNAPSHOT_MAX bytes each, touched when used. Of two picked devices one may go each way. */
	uint8_t *giving, *taking;
	struct hf_timer tick, quiet;
	struct hf_msg start_msg;
	bool start_posted;
	uint64_t heard_ns;   /* own time that the peer has echoed */
	char fence_why[160]; /* of the last fenced() */
	/* leaving */
	bool leave_wanted, leave_said;
	unsigned leave_ticks;
	void (*left)(void *arg);
	void *left_arg;
	uint8_t record[HF_VIEW_RECORD_BYTES_MAX];      /* being written */
	uint8_t record_read[HF_VIEW_RECORD_BYTES_MAX]; /* just read */
	uint8_t msg[1 + HF_PAIR_MSG_MAX];
	struct hf_bus_pair_status counts; /* only the counters */
};

static inline struct pair_engine *pair_engine_of(struct hf_bus *bus)
{
	return hf_container_of(bus, struct pair_engine, bus);
}

/* pair_engine.c */
struct pair_item *pair_push(struct pair_engine *e, int what, uint32_t dev); /* zeroed event */
void pair_run(struct pair_engine *e);
void pair_engine_send(struct pair_engine *e, enum hf_bus_pair_channel channel, const void *head,
	size_t head_len, const void *body, size_t body_len);

/* pair_engine_dev.c */
struct pair_dev *pair_dev_find(const struct pair_engine *e, uint32_t dev);
struct pair_dev *pair_dev_next(const struct pair_engine *e, uint64_t from); /* lowest id >= from */
int pair_dev_add(struct pair_engine *e, uint32_t dev, bool dominant);
void pair_dev_free_all(struct pair_engine *e);
uint64_t pair_dev_digest(const struct pair_engine *e);
/* An own op is asked and not settled, or waits for its turn while the peer is there. */
bool pair_dev_any_own(const struct pair_engine *e);
void pair_dev_dispatch(struct pair_engine *e, const struct pair_item *item);
void pair_dev_pick(struct pair_engine *e, struct hf_bus_pick *pick);
/* The same event for every device, now; its range machine follows (range.h). */
void pair_dev_all(struct pair_engine *e, enum hf_pair_event_kind kind, enum hf_pair_mode mode);
void pair_dev_receive_op(struct pair_engine *e, const uint8_t *buf, size_t len);
void pair_dev_receive_range(struct pair_engine *e, const uint8_t *buf, size_t len);

/* pair_engine_view.c */
void pair_view_dispatch(struct pair_engine *e, const struct hf_view_event *ev);
void pair_view_receive(struct pair_engine *e, const uint8_t *buf, size_t len);
void pair_view_valid(struct pair_engine *e); /* renews bus.valid_until_ns */
void pair_copy_give(
	struct pair_engine *e, struct pair_dev *d, uint64_t n); /* the snapshot is due */
void pair_copy_advance(struct pair_engine *e);
void pair_copy_receive(struct pair_engine *e, const uint8_t *buf, size_t len);
void pair_copy_receive_end(struct pair_engine *e);
void pair_copy_checked(struct pair_engine *e);
void pair_copy_dev_added(struct pair_engine *e, uint32_t dev);
void pair_copy_dev_removed(struct pair_engine *e, uint32_t dev);

#endif
