/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A LUN of a third controller: what opening (iscsi_libiscsi.c), the session
 * (iscsi_session_libiscsi.c), the look at the LUN after each login (iscsi_probe_libiscsi.c),
 * requests (iscsi_io_libiscsi.c) and their commands (iscsi_cmd_libiscsi.c) share. Included by these
 *only.
 *
 * One session per LUN and controller, on the first loop; requests of other loops travel by message.
 * Every session of one controller with one LUN has the same initiator name and ISID, so that a new
 * one reinstates the one before (RFC 7143, 6.3.5), in this process or in the process before.
 *
 *	     attempt            connected           logged in         probed
 *	DOWN -------> CONNECTING --------> LOGGING_IN -------> PROBING ------> UP
 *	  ^ lost, refused, too slow: after a pause, for ever         |          |
 *	  +-----------------------------------------------------------+----------+
 *
 * A request is answered when the target has answered it, and never for a connection that is gone:
 * it is sent again on the next session (why that is right is said in iscsi_io_libiscsi.c).
 */
#ifndef HF_PDEV_ISCSI_LIBISCSI_H
#define HF_PDEV_ISCSI_LIBISCSI_H

#include "driver.h"
#include "iscsi_lun.h"
#include "iscsi_url.h"

#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>

enum {
	ISCSI_QUEUE_DEPTH = 64,		/* commands at the target at a time */
	ISCSI_IOV_MAX = 64,		/* pieces of memory in one command */
	ISCSI_COMMAND_BYTES = 1 << 20,	/* data of one command, if the target allows as much */
	ISCSI_ZEROING_BYTES = 32 << 20, /* covered by one WRITE SAME or UNMAP */
};

enum iscsi_state { ISCSI_DOWN, ISCSI_CONNECTING, ISCSI_LOGGING_IN, ISCSI_PROBING, ISCSI_UP };

struct iscsi_pdev;

/* One request that has been started, from its first command until it is answered. */
struct iscsi_cmd {
	struct hf_list node; /* iscsi_pdev: free, again, later or sent */
	struct iscsi_pdev *owner;
	struct hf_pdev_io *io;
	struct scsi_task *task;	 /* sent */
	uint64_t piece_bytes;	 /* of the request, that the command at the target covers */
	uint64_t sent_ns;	 /* the command */
	uint64_t first_later_ns; /* since when it is put off; 0: it is not */
	unsigned later_count;
	bool is_flushing; /* the data are written; FUA asks for the cache, too */
	struct iovec iov[ISCSI_IOV_MAX];
};

struct iscsi_pdev {
	struct hf_pdev pdev;
	struct hf_iscsi_url where;
	char name[64 + HF_ISCSI_NAME_MAX]; /* without secrets, for the log */
	struct hf_loop *loop;
	bool is_owned; /* opened by a controller, not by a tool */
	char initiator[HF_ISCSI_NAME_MAX + 1];
	uint32_t isid_random, isid_qualifier; /* when owned */
	int lock_fd[HF_CONTROLLERS_MAX + 1];  /* by controller id */
	char portal[64];		      /* numeric, so that connecting asks no name service */
	int hw_lun;			      /* as it goes into a PDU */

	/* the session */
	enum iscsi_state state;
	struct iscsi_context *ctx; /* NULL in DOWN */
	struct hf_req poll_in, poll_out;
	bool is_in_armed, is_out_armed;
	bool is_ending; /* callbacks out of iscsi_destroy_context() */
	bool is_lost;	/* to be taken down when libiscsi has returned */
	char why[256];	/* the last attempt failed, or the session ended; a sentence's end */
	int why_error;
	char redirect[HF_ISCSI_URL_PART_MAX + 1]; /* where the target sent us; for one attempt */
	unsigned redirects;
	bool skips_security,
		must_skip_security; /* the login's first stage, see prepare_context() */
	bool is_open;	      /* an attempt has succeeded once: from now on they are repeated */
	bool must_reset;      /* requests of the session before may still be at the target */
	bool is_over;	      /* what the process before has sent there: the target has said so */
	unsigned attempts;    /* since the last session */
	unsigned refusals;    /* attempts that nobody took: the port is closed */
	unsigned short_lived; /* sessions in a row that ended soon after they had begun */
	uint64_t up_ns;
	unsigned beat_ms, attempt_ms; /* constants, but for tests */
	/* DOWN: the next attempt; CONNECTING to PROBING: the end of this one */
	struct hf_timer attempt;
	struct hf_timer beat;
	unsigned probe_step, probe_repeats;
	struct hf_remote_lun lun, probed;

	/* requests */
	struct hf_list waiting; /* hf_pdev_io.node: none of their commands is built yet */
	struct hf_list free, again, later, sent;
	struct hf_list prs; /* hf_pdev_pr.node: at the target */
	struct hf_timer later_timer;
	uint64_t disturbed_ns; /* when the target last said that commands may have been ended */
	bool is_slow_told, is_conflict_told;
	bool cannot_fua, cannot_write_same, cannot_unmap, cannot_flush; /* learnt from refusals */
	struct iscsi_cmd cmds[ISCSI_QUEUE_DEPTH];
};

static inline struct iscsi_pdev *iscsi_pdev_of(struct hf_pdev *pdev)
{
	return hf_container_of(pdev, struct iscsi_pdev, pdev);
}

/* --- iscsi_session_libiscsi.c --- */

void hf_pdev_iscsi_session_init(struct iscsi_pdev *p);
/* Begins to connect. */
void hf_pdev_iscsi_session_start(struct iscsi_pdev *p);
/* Ends the session and everything that could call back. */
void hf_pdev_iscsi_session_fini(struct iscsi_pdev *p);
/* The session is of no use any more; may be called within callbacks of libiscsi. */
void hf_pdev_iscsi_lose(struct iscsi_pdev *p, int error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The LUN has been looked at and is what it was. */
void hf_pdev_iscsi_session_up(struct iscsi_pdev *p);
/* Sends what can be sent, carries out a loss, waits for the next event. Not within callbacks. */
void hf_pdev_iscsi_settle(struct iscsi_pdev *p);

/* --- iscsi_probe_libiscsi.c --- */

/* Logged in: looks at the LUN, then calls hf_pdev_iscsi_session_up() or hf_pdev_iscsi_lose(). */
void hf_pdev_iscsi_probe(struct iscsi_pdev *p);

/* --- iscsi_cmd_libiscsi.c --- */

static inline uint64_t hf_pdev_iscsi_left_bytes(const struct iscsi_cmd *c)
{
	return c->io->len_bytes - c->io->done_bytes;
}

/* Queues the next command of the request; false: the session is of no use, and told so. */
bool hf_pdev_iscsi_send(struct iscsi_cmd *c);

/* --- iscsi_io_libiscsi.c --- */

/* The answer to a command, or the end of its session; arg is the iscsi_cmd. */
void hf_pdev_iscsi_command_done(struct iscsi_context *ctx, int status, void *data, void *arg);

/* --- iscsi_pr_libiscsi.c --- */

void hf_pdev_iscsi_pr(struct hf_pdev *pdev, struct hf_pdev_pr *pr);
/* After the end of a session. */
void hf_pdev_iscsi_pr_take_back(struct iscsi_pdev *p);

void hf_pdev_iscsi_io_init(struct iscsi_pdev *p);
void hf_pdev_iscsi_submit(struct hf_pdev *pdev, struct hf_pdev_io *io);
/* Builds commands for what waits, as many as the target may have. */
void hf_pdev_iscsi_dispatch(struct iscsi_pdev *p);
/* After the end of a session: what was at the target is to be sent again. Returns how many. */
unsigned hf_pdev_iscsi_take_back(struct iscsi_pdev *p);
/* Now and then, while UP: is there a command that will never be answered? */
void hf_pdev_iscsi_watch(struct iscsi_pdev *p);

#endif
