/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * RECEIVE COPY STATUS(LID1) and RECEIVE COPY OPERATING PARAMETERS (SPC-4, 6.23 to 6.25). Of each
 * nexus the last few copies are remembered by list identifier, from its first copy on.
 */
#include "scsi_internal.h"

#include <stdlib.h>

#define RESULTS 4

enum copy_state {
	COPY_IN_PROGRESS = 0,
	COPY_GOOD = 1,
	COPY_ERRORS = 2,
};

struct copy_result {
	bool used;
	uint8_t list_id;
	enum copy_state state;
	uint16_t segments;
	uint64_t bytes;
};

struct copy_results {
	unsigned next;
	struct copy_result results[RESULTS];
};

static struct copy_result *find(const struct hf_itl *itl, uint8_t list_id)
{
	struct copy_results *all = itl->scsi;

	for (unsigned i = 0; all && i < RESULTS; i++) {
		if (all->results[i].used && all->results[i].list_id == list_id)
			return &all->results[i];
	}
	return NULL;
}

bool scsi_copy_result_begin(struct hf_itl *itl, uint8_t list_id)
{
	struct copy_result *r = find(itl, list_id);
	struct copy_results *all = itl->scsi;

	if (r && r->state == COPY_IN_PROGRESS)
		return false;
	if (!all) {
		all = calloc(1, sizeof(*all));
		if (!all)
			return false;
		itl->scsi = all;
		itl->scsi_free = free;
	}
	for (unsigned i = 0; !r && i < RESULTS; i++) {
		struct copy_result *x = &all->results[all->next++ % RESULTS];

		if (!x->used || x->state != COPY_IN_PROGRESS)
			r = x;
	}
	if (!r)
		return false;
	*r = (struct copy_result){.used = true, .list_id = list_id, .state = COPY_IN_PROGRESS};
	return true;
}

void scsi_copy_result_end(
	struct hf_itl *itl, uint8_t list_id, bool good, uint16_t segments, uint64_t bytes)
{
	struct copy_result *r = find(itl, list_id);

	hf_assert(r && r->state == COPY_IN_PROGRESS);
	r->state = good ? COPY_GOOD : COPY_ERRORS;
	r->segments = segments;
	r->bytes = bytes;
}

bool scsi_copy_results_prepare(struct hf_scsi_task *t)
{
	if (!find(t->itl, t->cdb[2]))
		return scsi_cdb_error(t, 2, 7);
	return scsi_prepare_reply(t, 12);
}

void scsi_copy_results_run(struct hf_scsi_task *t)
{
	struct hf_wr w = hf_wr_of(t->buf, t->buf_need);
	const struct copy_result *r = find(t->itl, t->cdb[2]);

	if (!r) { /* forgotten since the command arrived */
		scsi_cdb_error(t, 2, 7);
		scsi_finish(t);
		return;
	}
	hf_wr_u32(&w, 8); /* AVAILABLE DATA */
	hf_wr_u8(&w, (uint8_t)r->state);
	hf_wr_u16(&w, r->segments);
	hf_wr_u8(&w, 0x01); /* TRANSFER COUNT UNITS: KiB */
	hf_wr_u32(&w, (uint32_t)(r->bytes >> 10));
	scsi_reply(t, &w);
}

bool scsi_copy_parameters_prepare(struct hf_scsi_task *t)
{
	return scsi_prepare_reply(t, 48);
}

void scsi_copy_parameters_run(struct hf_scsi_task *t)
{
	struct hf_wr w = hf_wr_of(t->buf, t->buf_need);

	hf_wr_u32(&w, 42);  /* AVAILABLE DATA */
	hf_wr_u8(&w, 0x01); /* SNLID: copies without list identifier are supported */
	hf_wr_zero(&w, 3);
	hf_wr_u16(&w, SCSI_COPY_TARGETS_MAX);
	hf_wr_u16(&w, SCSI_COPY_SEGMENTS_MAX);
	hf_wr_u32(&w, SCSI_COPY_LIST_BYTES - 16); /* MAXIMUM DESCRIPTOR LIST LENGTH */
	hf_wr_u32(&w, SCSI_COPY_SEGMENT_BYTES);	  /* MAXIMUM SEGMENT LENGTH */
	hf_wr_u32(&w, 0);			  /* MAXIMUM INLINE DATA LENGTH */
	hf_wr_u32(&w, 0);			  /* HELD DATA LIMIT */
	hf_wr_u32(&w, 0);			  /* MAXIMUM STREAM DEVICE TRANSFER SIZE */
	hf_wr_u16(&w, 0);
	hf_wr_u16(&w, RESULTS); /* TOTAL CONCURRENT COPIES */
	hf_wr_u8(&w, RESULTS);	/* MAXIMUM CONCURRENT COPIES */
	hf_wr_u8(&w, 9);	/* DATA SEGMENT GRANULARITY, log2 */
	hf_wr_zero(&w, 5);
	hf_wr_u8(&w, 2);    /* IMPLEMENTED DESCRIPTOR LIST LENGTH */
	hf_wr_u8(&w, 0x02); /* block to block */
	hf_wr_u8(&w, 0xe4); /* identification descriptor */
	scsi_reply(t, &w);
}
