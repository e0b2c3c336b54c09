/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One I/O on one record while it is carried out (record_job.c), and the recorder that owns the
 * jobs, queues what has to wait and counts the disks that hang (record_io.c).
 */
#ifndef HF_LDEV_RECORD_JOB_H
#define HF_LDEV_RECORD_JOB_H

#include "record_io.h"

enum job_phase {
	JOB_FREE,
	JOB_READ,
	JOB_PROMISE,
	JOB_WRITE,
	JOB_RESTORE,
	JOB_LINGER, /* answered; waits for I/O on a disk that hangs; holds no record any more */
};

struct job_io {
	struct hf_pdev_io io;
	struct iovec iov[2];
	struct job_disk *disk;
	uint8_t copy;
};

/* One voting disk in a job. */
struct job_disk {
	struct hf_record_job *job;
	unsigned index;
	struct job_io ios[HF_RECORD_COPIES];
	unsigned out; /* I/Os not ended */
	bool used;    /* takes part in this phase */
	bool hung;    /* waited for no longer; counted in the recorder */
	bool whole;   /* READ: the first blocks are judged, a whole copy is being read */
	bool failed;  /* PROMISE, WRITE, RESTORE */
	int target;   /* copy to write */
	struct hf_record_disk known;
	uint8_t *heads;	      /* first blocks of both copies as read */
	uint8_t *sealed;      /* first block as written */
	uint8_t *whole_image; /* a copy of several blocks as read */
};

struct hf_record_job {
	struct hf_recorder *rec;
	enum job_phase phase;
	enum hf_record_kind kind;
	uint32_t index;
	struct hf_record_io *io; /* NULL: answered */
	struct hf_record_verdict verdict;
	struct hf_record_head writing;
	uint8_t *image; /* as written; the head differs from disk to disk */
	struct hf_timer timer;
	struct hf_msg msg;
	uint8_t *memory;
	struct job_disk disks[HF_RECORD_DISKS_MAX];
};

struct job_class {
	enum hf_record_kind kind;
	unsigned jobs_len; /* half of them may be active: the other half can linger (record_io.c) */
	unsigned active;
	struct hf_record_job *jobs;
};

struct hf_recorder {
	struct hf_loop *loop;
	unsigned disks_len, most, slots;
	struct hf_pdev *pdevs[HF_RECORD_DISKS_MAX];
	const struct hf_label *labels[HF_RECORD_DISKS_MAX];
	unsigned hung[HF_RECORD_DISKS_MAX]; /* jobs with I/O on a disk that hangs */
	struct hf_list queue, refused;
	bool refusing; /* refuse_msg is posted */
	struct hf_msg refuse_msg;
	void (*still)(void *arg); /* of who waits for the end of all writes, or NULL */
	void *still_arg;
	bool telling; /* still_msg is posted */
	struct hf_msg still_msg;
	struct hf_timer end_timer; /* destroyed, and waits for the disks; then: */
	bool waited, given_up;
	void (*ended)(void *arg); /* of who has destroyed it, or NULL */
	void *ended_arg;
	struct hf_msg ended_msg;
	struct job_class classes[HF_RECORD_LEASE]; /* by kind */
};

int hf_record_job_init(
	struct hf_record_job *job, struct hf_recorder *rec, enum hf_record_kind kind);
void hf_record_job_fini(struct hf_record_job *job);
/* job is free. */
void hf_record_job_start(struct hf_record_job *job, struct hf_record_io *io);
/* The recorder's: the job holds its record no longer (LINGER or FREE), or a lingering one is free,
 * or a disk hangs no longer. */
void hf_recorder_pump(struct hf_recorder *rec);
struct job_class *hf_recorder_class(struct hf_recorder *rec, enum hf_record_kind kind);

#endif
