/* SPDX-License-Identifier: BSD-3-Clause */
/* Between the files of src/fence only. */
#ifndef HF_FENCE_INT_H
#define HF_FENCE_INT_H

#include "fence.h"
#include "lease.h"
#include "pr.h"
#include "race.h"

/* A fence agent that runs. */
struct hf_fence_agent {
	struct hf_loop *loop;
	int pidfd; /* -1: none runs */
	int pid;
	bool timed_out;
	struct hf_req req;
	struct hf_timer timer;
	/* Once after a start: 0: it has said success; -ETIMEDOUT; -EIO: another end, why tells. */
	void (*ended)(struct hf_fence_agent *a, int result, const char *why);
};

/* command_posix.c. -errno: nothing runs. args: ends with NULL. env: "NAME=value", ends with NULL.
 */
void hf_fence_agent_init(struct hf_fence_agent *a, struct hf_loop *loop);
int hf_fence_agent_run(struct hf_fence_agent *a, const char *const *args, uint32_t limit_ms);
/* Kills it; ended() does not follow. */
void hf_fence_agent_abandon(struct hf_fence_agent *a);

/* lease: what resets this machine. watchdog_posix.c */
struct hf_fence_watchdog {
	int fd; /* -1: none */
	bool device;
};

int hf_fence_watchdog_open(struct hf_fence_watchdog *w, const char *path, uint32_t ms,
	char *message, size_t message_len);
void hf_fence_watchdog_feed(struct hf_fence_watchdog *w);
void hf_fence_watchdog_close(struct hf_fence_watchdog *w);

/* pr: one disk of the pool. */
struct hf_fence_disk {
	struct hf_fence *fence;
	struct hf_loop *loop;
	struct hf_pdev *pdev;
	const char *name;
	bool voting;
	/* the job that runs */
	bool busy;
	bool stale; /* it fences and nobody wants it any more: it ends with the next answer */
	uint64_t since_ns;
	struct hf_pr pr;
	struct hf_pdev_pr io;
	const char *why;				    /* of its end: a constant, or NULL */
	void (*ended)(struct hf_fence_disk *d, int result); /* or NULL */
	uint8_t buf[HF_PR_DATA_BYTES];
	/* the phase (pr_disks.c) */
	bool due;      /* its answer has not come yet */
	bool counts;   /* the job that runs is for the phase; else it is begun when that one ends */
	bool kept;     /* fenced since an attempt has gone on without it: the next one has that */
	int result;    /* its answer */
	bool unfenced; /* the race that was won could not fence it */
	/* A check that has gone on without this disk wants to know all the same. */
	bool check_owed, checks; /* checks: the job that runs will tell */
};

/* pr_disk.c. ended() follows, never from inside. */
void hf_fence_disk_start(struct hf_fence_disk *d, enum hf_pr_job job);

struct hf_fence {
	struct hf_fence_config config;
	struct hf_loop *loop;
	struct hf_pool *pool;
	const struct hf_fence_ops *ops;
	void *owner;
	bool running; /* done() is owed */
	uint64_t epoch;
	uint32_t victims; /* bit i: controller i */
	uint64_t incarnations[HF_CONTROLLER_IDS];
	uint32_t shut_out; /* pr: who may have been fenced, by whomever, and is not back */
	bool by_quorum;	   /* there was no race: the victims are missing in a part with quorum */
	char who[64];	   /* the victims, for people */
	/* the race */
	struct hf_race race;
	struct hf_record_io io;
	bool io_out, racing;
	bool starts;	/* it has served nothing */
	bool overruled; /* by this race, once */
	uint8_t buf[4096];
	struct hf_timer wait;
	uint64_t inherited_epoch,
		inherited_until_ns;	    /* command, at the start: won by a process before */
	uint64_t raced_epoch;		    /* by this process */
	uint64_t lost_epoch, lost_since_ns; /* lost since then, and the winner has not gone on */
	struct hf_fence_agent agent;
	/* lease */
	struct hf_lease lease;
	struct hf_fence_watchdog watchdog;
	struct hf_record_io lease_io;
	struct hf_timer lease_timer;
	bool lease_out, lease_written, lease_told, lease_ending;
	uint8_t lease_buf[4096];
	/* pr */
	struct hf_fence_disk *disks; /* those that are here */
	unsigned disks_len, data_attempts;
	enum {
		HF_FENCE_PR_IDLE,
		HF_FENCE_PR_LOOK,
		HF_FENCE_PR_CHECK,
		HF_FENCE_PR_VOTING,
		HF_FENCE_PR_DATA,
		HF_FENCE_PR_MEND,
	} phase;
	bool leave_over;
	bool end_owed;	   /* it has to be told when no PREEMPT of an ended fence is out any more */
	bool mend_owed;	   /* so has this */
	bool check_wanted; /* after the fence that is under way */
	struct hf_timer look_timer, bound_timer;
};

/* lease_run.c */
int hf_fence_lease_init(struct hf_fence *f, char *message, size_t message_len);
void hf_fence_lease_wait(struct hf_fence *f);
void hf_fence_lease_lost(struct hf_fence *f);
void hf_fence_lease_end(struct hf_fence *f);
void hf_fence_lease_fini(struct hf_fence *f);

/* pr_disks.c */
int hf_fence_pr_init(struct hf_fence *f);
void hf_fence_pr_start(struct hf_fence *f);
void hf_fence_pr_end(struct hf_fence *f);
void hf_fence_pr_check(struct hf_fence *f);
/* Has any disk a command that is not answered? */
bool hf_fence_pr_is_busy(const struct hf_fence *f);
void hf_fence_pr_fini(struct hf_fence *f);

/* The end of hf_fence_start(). */
void hf_fence_tell(struct hf_fence *f, int result, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
