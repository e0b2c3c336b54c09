/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One connection, which at error recovery level 0 with one connection each is one session: a
 * machine that says where received bytes shall land, is told how many came, says what to send and
 * is told how much went. Makes no system call; buffers, timers and messages by loop.h; commands go
 * down to src/scsi.
 *
 *	rx.c		received bytes to PDUs: headers staged, bulk data straight to their buffer
 *	dispatch.c	what each opcode does in which phase; CmdSN window
 *	conn_login.c	login phase;  session.c  admission by the registry, attach and detach
 *	cmd.c order.c data_out.c data_in.c tmf.c nop.c text.c logout.c reject.c
 *	tx.c		PDUs to one gathered list per send, without copying data
 *	conn.c		birth, end
 *
 *	LOGIN -> ADMISSION -> FULL -> LOGOUT
 *	   \________\___________\________\----> CLOSING (socket ends) -> WINDING (commands end,
 *						detach, registry) -> gone()
 *
 * Owned and driven by conn_uring.c; tests and fuzzers drive it with arrays of bytes.
 */
#ifndef HF_ISCSI_CONN_H
#define HF_ISCSI_CONN_H

#include "login.h"
#include "registry.h"
#include "text.h"

enum {
	HF_QUEUE_DEPTH_MAX = 1024,
	HF_IMMEDIATE_MAX = 8,	    /* immediate requests at a time */
	HF_REJECTS_MAX = 8,	    /* Reject PDUs not yet sent; more: the connection is closed */
	HF_STAGE_BYTES = 32768,	    /* received bytes that wait to be parsed */
	HF_STAGE_BULK_BYTES = 512,  /* ... while large data are on their way */
	HF_RX_TURN_BYTES = 1 << 20, /* buffers taken for commands in one turn of the loop */
	HF_TX_ARENA_BYTES = 16384,  /* headers, digests and small data of one send */
	HF_TX_IOV_MAX = 256,
	HF_TX_PDU_BYTES = 512,	     /* the most one PDU takes of the arena */
	HF_TX_BATCH_BYTES = 4 << 20, /* data of one send */
	HF_TASK_HASH = 256,
};

struct hf_iscsi_conn;
struct hf_iscsi_task;

/* Something to send: build() makes one PDU of it per call and returns true with the last one. */
struct hf_iscsi_tx {
	struct hf_list node;
	bool (*build)(struct hf_iscsi_conn *c, struct hf_iscsi_tx *tx);
	/* All its bytes are out. NULL: not looked at any more after its last build(). */
	void (*sent)(struct hf_iscsi_conn *c, struct hf_iscsi_tx *tx);
};

enum hf_task_state {
	HF_TASK_FREE,
	HF_TASK_ATTACH, /* waits for the session's hf_itl; the stream stands still */
	HF_TASK_BUFFER, /* waits for a buffer */
	HF_TASK_GATHER, /* waits for data-out */
	HF_TASK_ORDER,	/* waits for older commands, by task attribute */
	HF_TASK_RUN,	/* at the SCSI layer */
	HF_TASK_DRAIN,	/* over, but the host still owes data: no status before (11.4.2) */
	HF_TASK_SEND,	/* its answer is being sent */
	HF_TASK_OTHER,	/* no SCSI command */
};

struct hf_r2t {
	uint32_t ttt, offset, len;
};

struct hf_iscsi_task {
	struct hf_scsi_task scsi;
	struct hf_iscsi_conn *conn;
	struct hf_list node; /* conn->tasks, by arrival, or conn->free_tasks */
	struct hf_iscsi_task *hash_next;
	enum hf_task_state state;
	bool hashed, immediate, counted; /* counted: takes a place of the command window */
	bool entered;			 /* between hf_scsi_arrive() == READY and hf_scsi_leave() */
	bool silent;			 /* no answer is due */
	bool receiving;			 /* its buffer is where received bytes land just now */
	bool waits_buffer;		 /* ... and the stream stands still until it has one */
	bool lower;			 /* no command, but a lower layer works on it */
	bool doomed;			 /* free it as soon as it is not receiving */
	bool ordered;			 /* ORDERED attribute */
	bool write;
	uint32_t itt, cmd_sn;
	uint64_t lun;
	struct hf_itl *itl;
	struct hf_itl_waiter itl_waiter;
	struct hf_buf_waiter buf_waiter;
	struct hf_iscsi_tx tx, r2t_tx;

	/* Data-out: bytes come in order, so one cursor is enough. */
	bool unsolicited;     /* the host is still sending data it was not asked for */
	bool digest_failed;   /* data were damaged: PROTOCOL SERVICE CRC ERROR once all are here */
	uint16_t data_fault;  /* ASC/ASCQ of a burst of wrong length, or 0 */
	uint32_t data_offset; /* next byte expected */
	uint32_t data_sn_out; /* next DataSN expected in this sequence */
	uint32_t r2t_offset;  /* next byte to be asked for */
	uint32_t r2t_sn;
	unsigned r2ts_len, r2ts_built; /* outstanding; how many of them are sent */
	struct hf_r2t r2ts[HF_R2T_MAX];

	/* Answer. */
	uint8_t response; /* of a task management or logout request */
	uint32_t in_offset, in_len, data_sn_in;
	bool overflow, underflow;
	uint32_t residual;

	struct hf_tmf_req tmf;
};

/* --- receiving --- */

enum hf_rx_state {
	HF_RX_HEADER,
	HF_RX_BEGIN, /* a header is here; begin() may make it wait */
	HF_RX_DATA,
	HF_RX_TRAILER, /* padding and data digest */
};

enum hf_rx_next {
	HF_RX_GO,
	HF_RX_WAIT, /* begin() is called again after hf_conn_resume() */
};

struct hf_rx {
	enum hf_rx_state state;
	bool waiting; /* the stream stands still until hf_conn_resume() */
	bool ignore;  /* this PDU is dropped: out of the window, not allowed, in the way of a close
		       */
	struct hf_pdu pdu;
	uint8_t header[HF_BHS_BYTES + HF_AHS_MAX_BYTES];
	uint8_t *dest; /* where the data segment goes; NULL: nowhere */
	uint32_t dest_room, data_left;
	uint32_t crc;
	bool digest_ok;
	struct hf_iscsi_task *task; /* whom this PDU belongs to */
	uint32_t turn_bytes;	    /* HF_RX_TURN_BYTES */
	uint32_t from, to;	    /* staged bytes not yet parsed */
	uint8_t stage[HF_STAGE_BYTES];
};

/* --- sending --- */

struct hf_sending {
	struct hf_list queue; /* struct hf_iscsi_tx */
	struct hf_list held;  /* ... answers that may not be true any more (INV-5) */
	struct hf_list batch; /* completed by the batch that is being sent */
	unsigned iov_len, iov_at;
	size_t batch_left;
	uint32_t arena_len;
	bool close_after; /* when the queue is empty */
	struct iovec iov[HF_TX_IOV_MAX];
	uint8_t arena[HF_TX_ARENA_BYTES];
};

struct hf_reject {
	struct hf_iscsi_tx tx;
	bool used;
	uint8_t reason;
	uint8_t header[HF_BHS_BYTES];
};

enum hf_conn_phase {
	HF_CONN_LOGIN,
	HF_CONN_ADMISSION,
	HF_CONN_FULL,
	HF_CONN_LOGOUT,
	HF_CONN_CLOSING,
	HF_CONN_WINDING,
	HF_CONN_GONE,
};

struct hf_conn_ops {
	/* Bytes may be received or sent now, or the phase is CLOSING. Called often, anywhere. */
	void (*kick)(struct hf_iscsi_conn *c);
	/* The end; may be called from deep inside, so the connection is destroyed in a later turn
	 * of the loop. */
	void (*gone)(struct hf_iscsi_conn *c);
};

struct hf_conn_counters {
	uint64_t commands, pdus, rejects, dropped_data;
};

struct hf_iscsi_conn {
	const struct hf_conn_ops *ops;
	void *owner; /* the socket file's */
	const struct hf_iscsi_config *config;
	struct hf_loop *loop;
	struct hf_scsi_loop *scsi;
	struct hf_iscsi_registry *registry;
	enum hf_conn_phase phase;
	const char *why; /* of the end; a constant */

	struct hf_login *login; /* until full feature phase */
	struct hf_iscsi_tx login_tx;
	struct hf_iscsi_params params;
	struct hf_registration registration;
	struct hf_lu_session session;
	bool attached, lost, detaching;

	uint32_t stat_sn, exp_cmd_sn;
	uint32_t next_ttt;
	uint16_t cid;
	uint64_t plugged[HF_QUEUE_DEPTH_MAX / 64]; /* CmdSNs aborted before they came, by CmdSN */
	unsigned plugged_len;

	/* Tasks: a window of queue_depth, as many again whose answers are being sent, immediates.
	 */
	struct hf_iscsi_task *pool;
	unsigned queue_depth, pool_len, free_len;
	unsigned pool_used; /* so many from the front have ever been used */
	unsigned active;    /* places of the window taken */
	unsigned immediates;
	unsigned in_scsi;	/* tasks and TMFs that a lower layer will finish */
	unsigned ordered;	/* ORDERED tasks that have not ended */
	unsigned gathering;	/* tasks that wait for bytes of this stream */
	unsigned order_waiting; /* tasks in HF_TASK_ORDER */
	bool rescanning, dropping;
	struct hf_list free_tasks, tasks;
	struct hf_iscsi_task *hash[HF_TASK_HASH];

	struct hf_text text;
	struct hf_iscsi_tx text_tx;
	bool text_sending;
	struct hf_reject rejects[HF_REJECTS_MAX];

	/* Timers: login_timer from accept to full feature phase; nop_timer in it, for the next
	 * ping, then for its answer; stop_timer from a logout request of ours to the end. */
	struct hf_timer login_timer, nop_timer, stop_timer;
	struct hf_iscsi_tx ping_tx, async_tx;
	uint32_t ping_ttt;
	bool pinging, heard;
	uint8_t async_event;
	struct hf_iscsi_task *logout;

	struct hf_conn_counters counters;
	struct hf_sending sending;
	struct hf_rx rx;
};

/* --- for conn_uring.c and tests --- */

struct hf_conn_options {
	const struct hf_conn_ops *ops;
	void *owner;
	struct hf_loop *loop;
	struct hf_scsi_loop *scsi;
	struct hf_iscsi_registry *registry;
	const char *peer; /* address, for people */
	uint8_t random[HF_LOGIN_RANDOM_BYTES];
};

int hf_conn_create(const struct hf_conn_options *options, struct hf_iscsi_conn **ret);
/* Only before the first byte, or after ops->gone(). */
void hf_conn_destroy(struct hf_iscsi_conn *c);

/* Where the next bytes shall land; 0: nothing is to be received now. At most 2 entries. */
unsigned hf_conn_rx(struct hf_iscsi_conn *c, struct iovec iov[static 2]);
void hf_conn_received(struct hf_iscsi_conn *c, size_t n); /* 0: the host has closed */
/* What to send; 0: nothing, or a batch is out. *ret_iov is kept until hf_conn_sent() has been told
 * of all its bytes; in between the rest is given again. */
unsigned hf_conn_tx(struct hf_iscsi_conn *c, struct iovec **ret_iov);
void hf_conn_sent(struct hf_iscsi_conn *c, size_t n);
/* Ends the connection, at once: no more bytes either way. The socket file then shuts the socket
 * and calls hf_conn_closed() when none of its requests is out. */
void hf_conn_close(struct hf_iscsi_conn *c, const char *why);
void hf_conn_closed(struct hf_iscsi_conn *c);
/* Whose connection it is: an iSCSI name, "" before the first login request. */
const char *hf_conn_initiator(const struct hf_iscsi_conn *c);
/* Asks the host to log out (asynchronous message), closes after a second at the latest. */
void hf_conn_stop(struct hf_iscsi_conn *c);

/* --- between the files of this folder --- */

static inline void hf_conn_kick(struct hf_iscsi_conn *c)
{
	c->ops->kick(c);
}
/* Lets a stream that stands still go on. */
void hf_conn_resume(struct hf_iscsi_conn *c);
/* Goes on with the end where it can: called whenever something that it waits for has ended. */
void hf_conn_wind(struct hf_iscsi_conn *c);

static inline bool hf_conn_is_open(const struct hf_iscsi_conn *c)
{
	return c->phase < HF_CONN_CLOSING;
}

/* rx.c: the data segment of this PDU goes to dest (room bytes of it), on behalf of t or NULL. */
void hf_rx_into(struct hf_iscsi_conn *c, struct hf_iscsi_task *t, uint8_t *dest, uint32_t room);

/* dispatch.c */
bool hf_dispatch_header(struct hf_iscsi_conn *c); /* false: closed */
enum hf_rx_next hf_dispatch_begin(struct hf_iscsi_conn *c);
void hf_dispatch_end(struct hf_iscsi_conn *c);
/* A CmdSN counts as received without its command (abort of a command that is not here yet). */
bool hf_window_plug(struct hf_iscsi_conn *c, uint32_t cmd_sn, uint32_t before);
uint32_t hf_window_max(const struct hf_iscsi_conn *c);

/* tx.c */
void hf_tx_push(struct hf_iscsi_conn *c, struct hf_iscsi_tx *tx);
void hf_tx_push_valid(struct hf_iscsi_conn *c, struct hf_iscsi_tx *tx);
void hf_tx_valid(struct hf_lu_session *s); /* all that is held counts */
/* A zeroed header for a PDU in build(); opcode and F bit are set. */
uint8_t *hf_tx_header(struct hf_iscsi_conn *c, uint8_t opcode);
/* StatSN, ExpCmdSN, MaxCmdSN; `takes`: this PDU uses up a StatSN. */
void hf_tx_numbers(struct hf_iscsi_conn *c, uint8_t *bhs, bool takes);
/* Completes the PDU. copy: the data are small and change or vanish after build(). */
void hf_tx_finish(struct hf_iscsi_conn *c, uint8_t *bhs, const void *data, uint32_t len, bool copy);

/* task.c: the pool, the tags, the end of a task */
int hf_task_pool_create(struct hf_iscsi_conn *c, unsigned queue_depth);
void hf_task_pool_destroy(struct hf_iscsi_conn *c);
/* For the PDU in c->rx. NULL: none is free; then *ret_wait says whether one will be soon. */
struct hf_iscsi_task *hf_task_get(struct hf_iscsi_conn *c, bool *ret_wait);
struct hf_iscsi_task *hf_task_find(struct hf_iscsi_conn *c, uint32_t itt);
/* Its answer is built: the tag and its place in the window are the host's again. */
void hf_task_answered(struct hf_iscsi_task *t);
void hf_task_put(struct hf_iscsi_task *t);
/* Queues the answer, made by build(). */
void hf_task_answer(
	struct hf_iscsi_task *t, bool (*build)(struct hf_iscsi_conn *c, struct hf_iscsi_tx *tx));
/* The same for an answer of a logical unit: it leaves, in order with the others of its kind, when
 * it is known to count (INV-5). */
void hf_task_answer_valid(
	struct hf_iscsi_task *t, bool (*build)(struct hf_iscsi_conn *c, struct hf_iscsi_tx *tx));
/* Finds the session's hf_itl for the task's LUN into t->itl; WAIT: begin() is called again. */
enum hf_rx_next hf_task_attach(struct hf_iscsi_task *t);
/* Drops a task that no lower layer works on: leaves, gives its buffer back, no answer. */
void hf_task_drop(struct hf_iscsi_task *t);

static inline bool hf_task_is_gathering(const struct hf_iscsi_task *t)
{
	return t->unsolicited || t->r2ts_len > 0 || t->receiving;
}

/* cmd.c */
enum hf_rx_next hf_cmd_begin(struct hf_iscsi_conn *c);
void hf_cmd_end(struct hf_iscsi_conn *c);
/* All data are here: runs, or waits for its turn. */
void hf_cmd_gathered(struct hf_iscsi_task *t);
/* Ends with a status of the transport's own: CHECK CONDITION with this sense. */
void hf_cmd_fail(struct hf_iscsi_task *t, uint8_t key, uint16_t asc_ascq);
/* The SCSI part is over; sends the answer when the host has sent what it owes. */
void hf_cmd_over(struct hf_iscsi_task *t);
/* order.c */
bool hf_order_may_run(const struct hf_iscsi_task *t);
void hf_order_rescan(struct hf_iscsi_conn *c);
void hf_cmd_run(struct hf_iscsi_task *t);

/* data_out.c */
enum hf_rx_next hf_data_out_begin(struct hf_iscsi_conn *c);
void hf_data_out_end(struct hf_iscsi_conn *c);
/* Asks for what has not been asked for. */
void hf_data_out_ask(struct hf_iscsi_task *t);
/* Goes on with a task after bytes or a buffer have come. */
void hf_data_out_advance(struct hf_iscsi_task *t);
/* Directs this PDU's data to the place at `offset` of the task's data, or nowhere. */
enum hf_rx_next hf_data_out_place(struct hf_iscsi_task *t, uint32_t offset);
/* The buffer has come. */
void hf_data_out_ready(struct hf_buf_waiter *w, void *buf);
bool hf_r2t_build(struct hf_iscsi_conn *c, struct hf_iscsi_tx *tx);

/* data_in.c: data and status of a command that is over */
bool hf_data_in_build(struct hf_iscsi_conn *c, struct hf_iscsi_tx *tx);
void hf_data_in_residual(struct hf_iscsi_task *t);

/* tmf.c, nop.c, text.c, logout.c, conn_login.c */
enum hf_rx_next hf_tmf_begin(struct hf_iscsi_conn *c);
void hf_tmf_end(struct hf_iscsi_conn *c);
enum hf_rx_next hf_nop_begin(struct hf_iscsi_conn *c);
void hf_nop_end(struct hf_iscsi_conn *c);
void hf_nop_start(struct hf_iscsi_conn *c);
void hf_nop_init(struct hf_iscsi_conn *c);
enum hf_rx_next hf_text_begin(struct hf_iscsi_conn *c);
void hf_text_end(struct hf_iscsi_conn *c);
enum hf_rx_next hf_logout_begin(struct hf_iscsi_conn *c);
void hf_logout_end(struct hf_iscsi_conn *c);
void hf_logout_init(struct hf_iscsi_conn *c);
/* Sends the logout response once no command is left and the nexus loss is settled. */
void hf_logout_continue(struct hf_iscsi_conn *c);
void hf_logout_lost(struct hf_lu_session *s);
enum hf_rx_next hf_conn_login_begin(struct hf_iscsi_conn *c);
void hf_conn_login_end(struct hf_iscsi_conn *c);
int hf_conn_login_init(struct hf_iscsi_conn *c, const uint8_t random[static HF_LOGIN_RANDOM_BYTES]);
/* Sends what the login machine says; a refusal ends the connection. */
void hf_conn_login_answer(struct hf_iscsi_conn *c);
void hf_conn_login_refuse(struct hf_iscsi_conn *c, enum hf_login_status status);

/* session.c */
void hf_session_admit(struct hf_iscsi_conn *c);
/* True: nothing is left to end. */
bool hf_session_end(struct hf_iscsi_conn *c);

/* reject.c */
void hf_reject(struct hf_iscsi_conn *c, enum hf_iscsi_reject reason);
/* The peer does not speak the protocol: a Reject, then the end. */
void hf_reject_and_close(struct hf_iscsi_conn *c, enum hf_iscsi_reject reason, const char *why);

#endif
