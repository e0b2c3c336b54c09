/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The daemon's wiring: one controller as a whole. The only place that sees every layer. Everything
 * here runs on the control loop; what the layers promise each other stands in their headers.
 *
 *	node.c		birth and death, in order
 *	node_run_posix.c, node_ports_posix.c	signals, threads, listening sockets
 *	node_engine.c	which bus engine
 *	node_bus.c	the bus owner: device 0 is the pool, the others are logical units
 *	node_pool.c	the map as an agreed state; logical units follow it
 *	node_fence.c	policy fence: which fence, and its answers
 *	node_view.c	what a change of the view means for ports, sessions, reservations
 *	commands*.c	the control socket's commands
 */
#ifndef HF_NODE_H
#define HF_NODE_H

#include "bus.h"
#include "config.h"
#include "control.h"
#include "fence.h"
#include "iscsi.h"
#include "lu_control.h"
#include "pool.h"
#include "scsi.h"

#include <pthread.h>

struct hf_node;

/* One change of the pool on its way: a command's, or the node's own. Heap, freed by its done(). */
struct hf_pool_prop {
	struct hf_bus_prop prop;
	struct hf_list out; /* hf_node_pool.out */
	struct hf_node *node;
	/* Once. result: 0, -errno of hf_map_apply() with its sentence, -EAGAIN while the view does
	 * not allow changes, -EIO when it failed everywhere, -EINPROGRESS when that is not known.
	 */
	void (*done)(struct hf_pool_prop *p, int result, const char *message);
	void *arg;
	uint8_t op[];
};

/* The map: settled, and as the pending op makes it. */
struct hf_node_pool {
	struct hf_list out; /* struct hf_pool_prop: proposed, not answered */
	struct hf_map *cur, *next;
	uint64_t digest;		  /* of cur */
	bool pending, writing, persisted; /* persisted: the pending op's map is on the disks */
	uint64_t n;
	char message[512]; /* of the last hf_map_apply() */
	struct hf_record_io record;
	uint8_t *record_buf;
	size_t record_cap; /* of load_buf, too */
	/* Loading: an I/O of its own, for it may outlive the time in which it meant something. */
	bool loading;
	uint64_t load_drops; /* of the node, when it was asked for */
	void (*loaded)(struct hf_node *node, int result);
	struct hf_record_io load;
	uint8_t *load_buf;
	size_t load_len;
};

/* Records that are written out again: node_rewrite.c. */
struct hf_node_rewrite {
	unsigned slots, next_slot;
	unsigned parts; /* writes that are awaited */
	bool map_awaited;
	int result;
};

struct hf_node {
	const struct hf_config *config;
	uint64_t incarnation;
	uint64_t born_s; /* wall clock at the start */
	uint64_t started_ns;

	unsigned loops_len;
	struct hf_loop *loops[HF_LOOPS_MAX];
	pthread_t threads[HF_LOOPS_MAX];
	unsigned threads_len;

	struct hf_pool *disks;
	struct hf_pdev **pdevs;
	struct hf_node_pool pool;
	struct hf_lu_table *lus;
	struct hf_bus *bus;
	struct hf_fence_each *fence_each; /* the agents of more than two controllers, else NULL */
	struct hf_fence *fence;		  /* any other fence; NULL: none */
	/* Disks that could not be fenced: nothing on them is served while this daemon runs. */
	struct hf_node_unfenced {
		const struct hf_pdev *pdev;
		const char *disk; /* the name on its label */
	} unfenced[HF_PDEVS_MAX];
	unsigned unfenced_len;

	struct hf_scsi_loop *scsi[HF_LOOPS_MAX];
	struct hf_iscsi_registry *registry;
	struct hf_iscsi_loop *iscsi[HF_LOOPS_MAX];
	struct hf_iscsi_portal *portals[HF_CONFIG_PORTALS_MAX]; /* as configured; NULL: not open */
	unsigned portals_len, portals_stopping;			/* how many are open */
	bool ports_open;					/* or tried to be */
	struct hf_timer ports_retry;
	void (*ports_closed)(struct hf_node *node);

	struct hf_control *control;
	struct hf_list looks; /* commands that wait for pending ops: commands_settled.c */
	struct hf_view view;  /* the last one acted upon */
	uint32_t gone;	      /* left the view, and what they held has not ended yet */

	struct hf_list slot_writes; /* APTPL slots that are being written for ops: node_slots.c */
	struct hf_node_rewrite rewrite;
	struct hf_record_io view_record;
	uint8_t view_buf[4096];
	unsigned loading; /* APTPL slots still to be read, plus one for the map */
	int load_result;  /* of the map */
	bool load_again;  /* asked for while one that was dropped still waits for its disks */
	uint64_t drops;	  /* how often the state was dropped: what was being loaded then is void */
	bool load_failed; /* a slot could not be read ... */
	bool load_checks; /* ... and whether a fence is why is being looked at */
	bool load_unread; /* it will be read again: this load has failed */
	unsigned load_tries; /* that failed so, one after the other */

	bool leaving;
	struct hf_req signal_req;
	int signal_fd;
};

/*
 * Everything that can fail at start-up, in order; nothing serves yet. 0, or -errno with a sentence
 * in message; on failure everything is given back. go_alone: the operator's word, as `holdfast
 * alone` says it.
 */
int hf_node_create(const struct hf_config *config, bool go_alone, bool may_lose,
	struct hf_node **ret, char *message, size_t message_len);
/* Runs until SIGTERM or SIGINT (orderly leave, W19), or a fatal event. The exit status. */
int hf_node_run(struct hf_node *node);
void hf_node_destroy(struct hf_node *node);
/* Begins the orderly leave: ports down, own ops settled, pins gone, then announced. */
void hf_node_leave(struct hf_node *node);

/* node_run_posix.c */
void hf_node_identity(struct hf_node *node); /* incarnation, born_s, number of loops */
void hf_node_signals_close(struct hf_node *node);
void hf_node_end_fenced(void); /* at once; the exit status is 3 */

/* node_bus.c */
extern const struct hf_bus_owner_ops hf_node_bus_ops;

/* node_slots.c */
void hf_node_persist(void *arg, struct hf_lu *lu, uint32_t dev, uint8_t *buf, size_t len);
void hf_node_slots_load(void *owner); /* hf_bus_owner_ops.load */
/* What could not be read was not kept away by a fence: the load ends. */
void hf_node_slots_checked(struct hf_node *node);
/* Is the slot of this device being written? Then hf_node_rewrite_part() follows. */
bool hf_node_await_slot(struct hf_node *node, uint32_t dev);

/* node_rewrite.c */
/* hf_bus_owner_ops.rewrite: map and slots */
void hf_node_rewrite(void *owner);
/* One of the writes that it waits for has ended. */
void hf_node_rewrite_part(struct hf_node *node, int result);

/* commands_settled.c: an op has settled or was given up */
void hf_node_settled(struct hf_node *node);

/* node_engine.c */
int hf_node_bus_create(struct hf_node *node, char *message, size_t message_len);
/* What is left of this controller may still run the loop, and calls the engine no more. */
void hf_node_bus_destroy(struct hf_node *node);
void hf_node_bus_links(struct hf_node *node, const struct hf_config_controller *c,
	void (*each)(void *arg, const char *address, bool up), void *arg);

/* node_fence.c */
/* True: disks have to be entered before their use (driver pr), by *ret. */
bool hf_node_fence_guard(struct hf_node *node, struct hf_pool_guard *ret);
int hf_node_fence_create(struct hf_node *node, char *message, size_t message_len);
bool hf_node_fence_mend(struct hf_node *node); /* as in bus.h */
/* A device of the settled map, new or changed: is it on a disk that could not be fenced? Then it is
 * stopped. */
void hf_node_fence_stop_device(struct hf_node *node, const struct hf_map_ldev *d);
void hf_node_fence_ids(
	struct hf_node *node, uint64_t epoch, uint32_t ids, const uint64_t *incarnations);

/* node_group_cpg.c: the group of the bus corosync; attach() when its bus is there. */
struct hf_group_net;
int hf_node_group_create(
	struct hf_node *node, struct hf_group_net **ret, char *message, size_t message_len);
void hf_node_group_attach(struct hf_group_net *net, struct hf_bus *bus);

/* node_pool.c */
int hf_node_pool_load(struct hf_node *node, char *message, size_t message_len);
/*
 * Reads the map from the voting disks once more, makes the logical units follow, and writes it to
 * all disks when fewer than most have it, as the one writer has to before it acts upon it. done(),
 * once, maybe at once: 0; -ECANCELED: the state was dropped meanwhile, so another controller loads
 * or has loaded, and nothing was done with what was read; -errno: unreadable, told in the log. One
 * at a time.
 */
void hf_node_pool_reload(struct hf_node *node, void (*done)(struct hf_node *node, int result));
/* The engine is gone, and answers what is out no more. */
void hf_node_pool_give_up(struct hf_node *node);
void hf_node_pool_fini(struct hf_node *node);
/* Tells a new bus the devices of the map. */
void hf_node_pool_devices(struct hf_node *node);
int hf_node_pool_propose(struct hf_node *node, const struct hf_pool_op *op,
	void (*done)(struct hf_pool_prop *p, int result, const char *message), void *arg);
enum hf_bus_look hf_node_pool_look(struct hf_node *node, const void *op, size_t len);
void hf_node_pool_hold(struct hf_node *node, uint64_t n, const void *op, size_t len);
void hf_node_pool_unhold(struct hf_node *node, uint64_t n);
void hf_node_pool_persist(struct hf_node *node, uint64_t n);
void hf_node_pool_apply(struct hf_node *node, uint64_t n);
void hf_node_pool_answer(struct hf_node *node, struct hf_bus_prop *prop, enum hf_bus_answer how);
int hf_node_pool_install(struct hf_node *node, const uint8_t *buf, size_t len);
/* Proposes ADD_PDEV for every labelled disk that the map does not know yet. */
void hf_node_pool_add_disks(struct hf_node *node);

/* node_view.c */
const char *hf_node_view_name(const struct hf_node *node);
void hf_node_view_changed(struct hf_node *node, const struct hf_view *view);
/* Opens or closes the iSCSI portals; closing is asynchronous: ports_closed(). One that cannot be
 * opened is logged and tried again each second, and the others serve. */
void hf_node_ports_open(struct hf_node *node);
void hf_node_ports_close(struct hf_node *node, void (*closed)(struct hf_node *node));

/* commands.c */
extern const struct hf_control_command hf_node_commands[];

#endif
