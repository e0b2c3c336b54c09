/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fences: how a controller that does not hear its peer makes sure that it may go on without it, and
 * that the peer can do nothing any more (design 6). Three of them behind one face:
 *
 *	command	the race over the voting disks, then a fence agent that switches the peer off
 *	lease	the race; then the peer's lease has to run out: a watchdog has reset it by then
 *	pr	persistent reservations on the disks themselves: PREEMPT AND ABORT is race and fence
 *
 * Called by the daemon's wiring on the control loop. Knows nothing of views: an epoch is a number.
 */
#ifndef HF_FENCE_H
#define HF_FENCE_H

#include "hf_limits.h"
#include "loop.h"
#include "pool.h"

enum hf_fence_kind {
	HF_FENCE_COMMAND,
	HF_FENCE_LEASE,
	HF_FENCE_PR,
};

enum { HF_FENCE_ARGS_MAX = 32 };

struct hf_fence_config {
	enum hf_fence_kind kind;
	uint8_t id, peer_id; /* peer_id 0: more than two; quorum decides, there is no race */
	uint32_t others;     /* bit i: controller i is another one of the cluster */
	/* command: the agent with its arguments, the last one NULL, and how long it may take; kept
	 */
	const char *args[HF_FENCE_ARGS_MAX + 1];
	uint32_t command_ms;
	/* lease: the watchdog (kept), its time, and how long I/O may be in a path to the disks */
	const char *watchdog;
	uint32_t watchdog_ms, path_ms;
	uint64_t incarnation; /* own */
	uint64_t key;	      /* pr: hf_pr_key(); every disk of the pool has been entered with it */
};

struct hf_fence;

struct hf_fence_ops {
	/*
	 * What hf_fence_start() has come to. 0: the peer can do nothing any more; -EPERM: the peer
	 * has won for good; else it failed, or the peer may yet go on: ask again in a while.
	 */
	void (*done)(void *owner, int result, const char *why);
	/* pr, before mended(): this disk could not be fenced; nothing on it may be served. disk:
	 * its name, there as long as the pool is. */
	void (*unfenced)(void *owner, struct hf_pdev *pdev, const char *disk);
	/* After an hf_fence_mend() that was not over. */
	void (*mended)(void *owner);
	/* After an hf_fence_end() that was not over: now it is. */
	void (*ended)(void *owner);
	/* After hf_fence_check(): this controller is registered on every disk that answers. */
	void (*checked)(void *owner);
};

/*
 * pr: registers this controller on a disk, before its first use (design 6, W9: once per
 * incarnation, after the controller's lock). Blocks, running the loop. -EOPNOTSUPP: the disk cannot
 * be fenced that way; -EBADE: somebody else has reserved it; other errors: it does not answer. With
 * a sentence.
 */
int hf_fence_enter_disk(struct hf_loop *loop, struct hf_pdev *pdev, uint64_t key, char *message,
	size_t message_len);

/* pool, ops, owner are kept. -errno with a sentence. */
int hf_fence_create(const struct hf_fence_config *config, struct hf_loop *loop,
	struct hf_pool *pool, const struct hf_fence_ops *ops, void *owner, struct hf_fence **ret,
	char *message, size_t message_len);
/* Races for this epoch, then fences; done() follows, once. Again while one is under way: that one
 * counts. starts: this incarnation has served nothing. peer_incarnation: which one is to be gone;
 * 0: not known, so every one. */
void hf_fence_start(struct hf_fence *f, uint64_t epoch, uint64_t peer_incarnation, bool starts);
/*
 * More than two controllers: this part has quorum, and makes those of ids unable to serve; done()
 * follows, once. No race. epoch: of a view in which all of them served, none of them in a later one
 * without having joined again; incarnations: theirs, by id. A disk that cannot be fenced, or is not
 * here, fails it: others may serve what lies there.
 */
void hf_fence_start_ids(
	struct hf_fence *f, uint64_t epoch, uint32_t ids, const uint64_t *incarnations);
/* lease: out of the part with quorum, whose view was of this epoch: renews no more until
 * hf_fence_clean() or hf_fence_serve_again(). */
void hf_fence_give_up(struct hf_fence *f, uint64_t epoch);
void hf_fence_serve_again(struct hf_fence *f);
/* Nothing that this controller admitted before it was out of the view is in flight any more. */
void hf_fence_clean(struct hf_fence *f);
/* pr: these controllers serve, which have come back if they were fenced: nobody of them need be
 * kept out when this one leaves. Until then all others are: an earlier incarnation, or another
 * controller, may have fenced them. */
void hf_fence_serve(struct hf_fence *f, uint32_t ids);
/* pr: the view goes on without these, whoever has fenced them: they are kept out until they are
 * back. */
void hf_fence_keep_out(struct hf_fence *f, uint32_t ids);
/*
 * After done() with 0, when the view record names this controller alone and nobody can go on beside
 * it: what the race could not fence is tried once more, and a registration that the loser has taken
 * away there is made again. unfenced() for each that is lost for good; then true, or mended()
 * later, in about a second at most.
 */
bool hf_fence_mend(struct hf_fence *f);
/*
 * Not needed any more, whether done() has come or not: an agent that has not been run will not be;
 * done() does not follow. True: it is over, but for what an agent that was ended has asked for,
 * which may still switch a machine off. False: a PREEMPT is on its way to a disk, ended() follows
 * when none is; until then nobody may come back who could be hit by it.
 */
bool hf_fence_end(struct hf_fence *f);
/* pr: is this controller registered on every disk? checked(), or done() with -EPERM; this also
 * later, from a disk that did not answer in time. The other kinds: checked() at once, from inside.
 */
void hf_fence_check(struct hf_fence *f);
/* pr: something that only a fence would refuse has failed. Is this controller registered? If not,
 * done() with -EPERM comes without having been asked for. It looks every two seconds by itself. */
void hf_fence_look(struct hf_fence *f);
/* Outside of callbacks; runs the loop until what is under way has come back. NULL is fine. */
void hf_fence_destroy(struct hf_fence *f);

/* --- by a part of the cluster that has quorum (each.c): no race, only the agents ---------------
 */

struct hf_fence_victim {
	uint8_t id;
	const char *const *args; /* the agent with its arguments, the last one NULL; kept */
};

struct hf_fence_each;

/* Of ops only done(): 0: all victims can do nothing any more; else the first that failed. */
int hf_fence_each_create(struct hf_loop *loop, const struct hf_fence_ops *ops, void *owner,
	struct hf_fence_each **ret);
/* One after the other; done() follows, once, never from inside. What was under way is given up. */
void hf_fence_each_start(struct hf_fence_each *f, const struct hf_fence_victim *victims,
	unsigned len, uint32_t limit_ms);
void hf_fence_each_end(struct hf_fence_each *f); /* done() does not follow */
void hf_fence_each_destroy(struct hf_fence_each *f);

#endif
