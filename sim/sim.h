/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulator: controllers as src/holdfastd wires them, in virtual time, on disks and a network
 * that misbehave by a seed; hosts that race; oracles that watch (doc/simulator.md).
 *
 *	main.c		campaigns, replay, canaries
 *	world.c		one world: time, events, phases of a run
 *	node.c		a controller: start, crash, pause; what its layers say to each other is seen
 *here stand_in.c	what the controllers find in place of iSCSI, the control socket, the log
 *	agreed.c agreed_net.c	the agreed order of messages under the group engine
 *	net.c		connections between controllers (conn.h)
 *	disk.c cache.c lun.c	physical devices (pdev.h)
 *	fence.c		watchdogs, the end of a daemon that is fenced
 *	host.c cmd.c	hosts, sessions and commands
 *	fault.c fault_net.c operator.c words.c map.c	what goes wrong and when: a plan made from
 *the seed history.c	what has been agreed, told by a second machine (test/resv/naive.c)
 *	oracle_*.c	what must be true; no rule of the code under test is used
 *	shrink.c	makes a failing schedule smaller
 *
 * Nothing allocated in a world is given back: a world lives in a process of its own.
 */
#ifndef SIM_H
#define SIM_H

#include "loop_sim.h"
#include "naive.h"
#include "node.h"
#include "view.h"

#include <stdio.h>

enum {
	SIM_NODES_MAX = 5, /* the pair joins two of them */
	SIM_LOOPS = 2,	   /* of a controller: control loop and one more */
	SIM_LINKS = 2,
	SIM_DISKS = 3,	    /* all voting */
	SIM_DEVS_BEGIN = 3, /* there from the beginning, and to the end */
	SIM_DEVS = 9,	    /* ... and those that come and go (map.c), each but once */
	SIM_HOSTS_MAX = 4,
	SIM_PLAN_MAX = 16,
};

#define SIM_US	   UINT64_C(1000)
#define SIM_MS	   UINT64_C(1000000)
#define SIM_SECOND UINT64_C(1000000000)

/* --- chance --- */

struct sim_rng {
	uint64_t state;
};

uint64_t sim_random(struct sim_rng *r);
uint64_t sim_below(struct sim_rng *r, uint64_t n); /* 0 .. n - 1 */
bool sim_chance(struct sim_rng *r, unsigned per_mille);
/* Mostly near low, now and then up to high. */
uint64_t sim_skewed(struct sim_rng *r, uint64_t low, uint64_t high);

/* --- the world --- */

enum sim_engine { SIM_ENGINE_ANY, SIM_ENGINE_PAIR, SIM_ENGINE_GROUP };

struct sim_options {
	uint64_t seed;
	bool verbose, all; /* all: data commands, too */
	uint32_t skip;	   /* bit i: entry i of the plan is left out (shrinking) */
	uint32_t only;	   /* bit i: of the faults only those of kind i, and many; 0: any */
	enum hf_config_fence_driver driver; /* 0: as the seed says */
	unsigned hosts;			    /* 0: as the seed says */
	unsigned chaos_ms;		    /* 0: as the seed says */
	enum sim_engine engine;
	unsigned controllers; /* 0: as the seed says */
};

enum sim_phase {
	SIM_PHASE_SETUP,
	SIM_PHASE_CHAOS,
	SIM_PHASE_HEAL,
	SIM_PHASE_RACE,
	SIM_PHASE_OVER,
};

enum sim_count {
	SIM_COUNT_STEPS,
	SIM_COUNT_COMMANDS,
	SIM_COUNT_GOOD,
	SIM_COUNT_CONFLICT,
	SIM_COUNT_UNKNOWN,
	SIM_COUNT_NOT_READY,
	SIM_COUNT_FAILED,
	SIM_COUNT_ATTENTION,
	SIM_COUNT_SETTLED,
	SIM_COUNT_ACCESSES,
	SIM_COUNT_CAW,
	SIM_COUNT_LINEARIZED,
	SIM_COUNT_FRAMES,
	SIM_COUNT_TOGETHER,
	SIM_COUNT_ALONE,
	SIM_COUNT_FROZEN,
	SIM_COUNT_COLD,
	SIM_COUNT_JOINS,
	SIM_COUNT_RACES,
	SIM_COUNT_FENCED,
	SIM_COUNT_RINGS,
	SIM_COUNT_FAULTS,			    /* + enum sim_fault */
	SIM_COUNT_WORLDS = SIM_COUNT_FAULTS + 32,   /* + group */
	SIM_COUNT_WORLDS_NS = SIM_COUNT_WORLDS + 2, /* of a processor, + group */
	SIM_COUNT_MAX = SIM_COUNT_WORLDS_NS + 2,
};

struct sim_event {
	uint64_t at, seq;
	void (*fire)(void *arg);
	void *arg;
};

struct sim_host;
struct sim_node;
struct sim_media;
struct sim_dev;

struct sim_world {
	struct sim_options opt;
	uint64_t now, seq;
	struct sim_event *events;
	size_t events_len, events_cap;
	struct sim_rng sched, net, disk, plan, operator_;
	enum sim_phase phase;
	bool group; /* the engine for more than two controllers */
	unsigned nodes_len, hosts_len;
	unsigned devs_len; /* how many there have been */
	struct sim_node *nodes;
	struct sim_host *hosts;
	struct sim_media *media;
	struct sim_dev *devs;
	uint64_t *counts;	    /* SIM_COUNT_MAX, shared with the parent */
	uint64_t disks_were_faulty; /* when most of them were last */
	uint64_t power_failed;	    /* when a disk lost its power last */
	char *why;		    /* where a failure is told, SIM_WHY_MAX bytes, shared, too */
	bool fences;		    /* policy on-peer-loss */
	enum hf_config_fence_driver driver;
	bool luns;	/* the disks take reservations: driver pr */
	bool luns_keep; /* ... and keep them over a power failure */
	bool stops_without_quorum;
	unsigned bound_ms, silence_ms;
	uint64_t jitter_high_ns;      /* how late a loop may wake */
	struct hf_view_record record; /* the newest view record that anybody has seen */
	bool preparing;		      /* what later worlds find on their disks */
	bool operator_erred; /* said `peer-down` of a living peer, accepted a loss, has disks that
				forget fences */
	bool two_histories;  /* ... and said `alone --may-lose` beside one that goes on */
};
#define SIM_WHY_MAX 1024

extern struct sim_world *sim; /* one to a process */

/* After `delay` in world time. */
void sim_after(uint64_t delay_ns, void (*fire)(void *arg), void *arg);
void *sim_alloc(size_t bytes); /* zeroed; never given back */
static inline void sim_count(unsigned what)
{
	sim->counts[what]++;
}

/* Tells, when somebody listens. */
void sim_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* An invariant is broken: the process ends. */
_Noreturn void sim_fail(const char *oracle, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Makes disks with labels and a map, once per process; worlds begin with a copy of them. */
void sim_world_prepare(void);
/* Runs one world to its end. Returns only if all is well. */
void sim_world_run(const struct sim_options *opt, uint64_t *counts, char *why);
/* Runs events and loops until `until` or until done() says so (NULL: never). */
bool sim_run_until(uint64_t until, bool (*done)(void));

/* --- controllers: node.c --- */

struct sim_life;

/* What is known of one device at one controller, from what its layers say to each other. */
struct sim_at {
	struct sim_life *life; /* NULL: no state */
	unsigned index;	       /* settled state: life->states[index] */
	struct naive *dropped; /* no state any more: the one it had, and the one after its op in
				  doubt, or NULL */
	uint64_t offset;       /* n of the engine minus index */
	bool offset_known;
	bool pending, drained, mine;
	uint64_t unheld_at; /* the op that was pending last */
	uint64_t n;
	struct naive_op op;
};

struct sim_node_loop {
	uint64_t due_at; /* world time when something to do was first seen; 0: nothing yet */
	uint64_t jitter;
};

struct sim_node {
	unsigned id; /* 1 ... */
	bool machine_up, running, paused, leaving, hung;
	bool ports_open;
	uint64_t woke_at; /* after a pause */
	unsigned fences;  /* at its start: that one, which lives and remembers */
	uint64_t starts;  /* incarnations so far */
	uint64_t down_until;
	int64_t clock_offset_ns;
	int32_t drift_ppm;
	struct hf_config config;
	struct hf_node *node;
	struct sim_node_loop loops[SIM_LOOPS];
	struct sim_at at[SIM_DEVS];
	struct hf_bus_ops bus_ops; /* ours, in front of the engine's */
	const struct hf_bus_ops *engine_ops;
	struct hf_bus_listener *listeners[SIM_LINKS];
	uint64_t retry_at;
	enum hf_view_state state;
	struct hf_pool_op change; /* of the map; pending */
	bool loading;		  /* what the disks keep, and has not dropped it since */
	bool writing;		  /* `wanted` to the view record */
	struct hf_view_record wanted;
};

struct sim_node *sim_node(unsigned id); /* 1 ... */
struct sim_node *sim_node_of_loop(const struct hf_loop *loop);
extern struct sim_node *sim_booting;
void sim_nodes_init(void);
void sim_nodes_end(void);
void sim_node_start(struct sim_node *n);
void sim_node_start_later(struct sim_node *n, uint64_t delay_ns);
void sim_node_crash(struct sim_node *n, bool machine);
void sim_node_leave(struct sim_node *n);
void sim_node_power_off(struct sim_node *n); /* and on again after a while */
void sim_node_pause(struct sim_node *n, bool paused);
/* World time of the node's next turn, UINT64_MAX: nothing to do; *ret_loop: which loop. */
uint64_t sim_node_next(struct sim_node *n, unsigned *ret_loop);
void sim_node_turn(struct sim_node *n, unsigned loop);
uint64_t sim_node_clock(const struct sim_node *n);
const char *sim_view_name(enum hf_view_state s);
bool sim_is_together(const struct sim_node *n); /* in one view with all others */
bool sim_node_serves(const struct sim_node *n);

/* --- network: net.c --- */

enum sim_way { SIM_WAY_OPEN, SIM_WAY_CUT };

void sim_net_init(void);
void sim_net_cut(unsigned from, unsigned to, unsigned link, bool cut); /* one way */
void sim_net_slow(uint64_t delay_ns);				       /* 0: as it was */
void sim_net_reset(unsigned link);				       /* connections break */
void sim_net_node_down(unsigned id, bool machine);
void sim_net_heal(void);

/* --- the agreed order of messages under the group engine: agreed.c, agreed_net.c --- */

void sim_agreed_init(void);
void sim_agreed_machine_up(unsigned id);
void sim_agreed_node_down(unsigned id, bool machine);
void sim_agreed_pause(unsigned id, bool paused); /* the machine, not only its process */
void sim_agreed_stop(unsigned id, bool stopped); /* the daemon there */
void sim_agreed_part(const unsigned *part);	 /* by id: who has the same number is reached */
void sim_agreed_slow(uint64_t delay_ns);	 /* 0: as it was */
void sim_agreed_heal(void);			 /* the network; daemons and machines are not */
bool sim_agreed_has_quorum(unsigned id);	 /* as its process has been told, of its ring */
uint32_t sim_agreed_members(unsigned id);	 /* of the group, as its process has been told */

/* --- disks: disk.c --- */

enum sim_disk_fault {
	SIM_DISK_OK,
	SIM_DISK_EIO,
	SIM_DISK_SLOW,
	SIM_DISK_HANG,
	SIM_DISK_TORN,	    /* metadata: half of it, and an error */
	SIM_DISK_MISDIRECT, /* metadata: success, and it lies elsewhere */
	SIM_DISK_LOSE,	    /* metadata: success, and nothing happened */
};

/* One access of a host, from the moment it is given to the disk until it cannot touch it any more.
 */
struct sim_access {
	struct hf_list node; /* sim_dev.accesses */
	unsigned controller, host, dev;
	uint32_t login;
	int class; /* as naive.h counts them: 2 read, 3 write */
	uint64_t since;
	bool goes_on; /* its command has moved data before (COMPARE AND WRITE, a second disk) */
	bool dead;    /* its controller has crashed meanwhile */
};

void sim_disks_init(bool blank);
void sim_disks_keep(void); /* what is on them now is what later worlds begin with */
/* controller: only on its way to the disk; 0: of the disk, for all. */
void sim_disk_fault(
	unsigned disk, enum sim_disk_fault fault, unsigned per_mille, unsigned controller);
void sim_disks_heal(void);
void sim_disk_power_fails(unsigned disk); /* for a moment */
void sim_disk_node_down(unsigned id, bool machine);
unsigned sim_disks_faulty(void); /* how many refuse, hang or lie now */
bool sim_disk_busy(unsigned id); /* requests of a dead process are out */
/* It was not there when this controller started. */
bool sim_disk_is_missed(unsigned disk, const struct sim_node *n);
uint64_t sim_disk_size(void);

/* --- fences: fence.c, lun.c --- */

void sim_fence_init(void);
void sim_fence_machine_down(unsigned id);
/* A turn of a loop, in which the daemon may come to its end. */
void sim_fence_turn(struct sim_node *n, void (*turn)(struct sim_node *n, unsigned k), unsigned k);
bool sim_fence_leave(struct sim_node *n);
/* Its disks have shut it out: most of them, so that it does no harm. */
bool sim_fence_is_shut_out(const struct sim_node *n);

/* --- hosts: host.c, cmd.c --- */

void sim_hosts_init(void);
void sim_hosts_begin(void);
void sim_hosts_stop(void); /* no new commands */
bool sim_hosts_idle(void);
void sim_hosts_node_down(struct sim_node *n, bool machine);
void sim_host_logout(unsigned host, unsigned node); /* the link to it breaks, in mid-command */
void sim_hosts_race(void);
bool sim_hosts_race_over(void);
/* Not before so many wins, never more; tells who. */
void sim_hosts_race_check(void);
/* Sessions of a loop are to end (the layer's or the port's wish). */
void sim_hosts_ports_close(struct sim_node *n);
bool sim_hosts_has_login(uint32_t login); /* is its session still there? */
unsigned sim_hosts_sessions(const struct sim_node *n);

/* --- faults: fault.c --- */

void sim_plan_make(void);
void sim_plan_start(void);
void sim_plan_heal(void);
/* Is any fault of these ("a|b") in the plan? */
bool sim_plan_has(const char *list);
unsigned sim_plan_len(void);
uint64_t sim_plan_chaos_ns(void);
const char *sim_fault_name(unsigned i);	    /* NULL: no more */
uint32_t sim_fault_mask(const char *names); /* "|" between them; NULL: 0 */

bool sim_operator_has_work(void); /* that has to be done before all is well */

/* --- what has been agreed: history.c --- */

struct sim_state {
	struct naive s;
	uint64_t digest;
	struct naive_op op;
	bool good; /* a host has been told GOOD for the op that led here */
};

struct sim_life {
	unsigned number;
	unsigned len, cap;
	struct sim_state *states;
	unsigned good; /* highest index that a host was told GOOD for */
};

struct sim_dev {
	uint32_t id; /* on the bus; 1 ... */
	struct hf_list accesses;
	struct sim_life *life; /* the newest */
	struct naive last;     /* newest settled state of all, and what may be on disk beside it */
	struct naive held[64];
	unsigned held_len;
	unsigned lives;
	unsigned snap_by; /* the last snapshot: whose, and of what; 0: none */
	struct sim_at snap;
	bool born, deleted, deleting; /* of those that come and go */
};

/* Any op that is not one of a host's or of the daemon's own. -1: no host of the simulator. */
int sim_host_of(const struct hf_nexus *nexus);
uint32_t sim_login_of(uint64_t login);
struct naive_op sim_naive_op(const struct hf_resv_op *op);
bool sim_same_op(const struct naive_op *a, const struct naive_op *b);
void sim_op_text(const struct naive_op *op, char *buf, size_t len);
const char *sim_compare(const struct hf_resv *r, const struct naive *n, bool image_only);
void sim_history_init(void);
void sim_history_begins(struct sim_node *n, unsigned dev); /* n has a new device */
void sim_seen_loaded(struct sim_node *n);
void sim_seen_hold(
	struct sim_node *n, unsigned dev, uint64_t number, const void *op, size_t len, bool mine);
void sim_seen_drained(struct sim_node *n, unsigned dev, uint64_t number, int result);
void sim_seen_unhold(struct sim_node *n, unsigned dev);
void sim_seen_apply(struct sim_node *n, unsigned dev, uint64_t number, bool mine);
void sim_seen_snapshot(struct sim_node *n, unsigned dev);
void sim_seen_install(struct sim_node *n, unsigned dev);
void sim_seen_drop(struct sim_node *n);
void sim_history_is_one(void); /* all are together: what they have is what was settled last */

/* --- oracles --- */

void sim_oracle_inv7_init(void);
void sim_oracle_inv8_init(void);
void sim_oracle_order_init(void);
void sim_oracle_attention_init(void);

struct sim_cmd;

/* An access enters; one has left. INV-1, INV-4 (oracle_inv1.c), INV-8 (oracle_inv8.c). */
void sim_oracle_access(const struct sim_access *a);
void sim_oracle_in_flight(unsigned dev, unsigned index);
void sim_oracle_aborted(unsigned dev, const struct naive_result *res);
void sim_oracle_extent(unsigned disk, uint64_t offset, uint64_t len, unsigned dev);
void sim_oracle_extents_free(unsigned dev);
/* The map: oracle_map.c, and map.c of who has asked for its changes. */
void sim_oracle_map_init(void);
void sim_oracle_map_applied(struct sim_node *n);
void sim_oracle_map_loaded(struct sim_node *n);
void sim_oracle_map_is_one(void);
bool sim_oracle_maps_are_settled(void);
void sim_oracle_maps_quiet(void);
void sim_map_init(void);
void sim_map_applied(const struct hf_pool_op *op);
/* Of a device, by its number in the history; one that no device has, where there is none. */
uint16_t sim_map_lun(const struct sim_node *n, unsigned dev);
/* After apply() at n (oracle_inv2.c). */
void sim_oracle_applied(struct sim_node *n, unsigned dev);
/* The host of `op` is told GOOD by n (oracle_inv3.c). */
void sim_oracle_good(struct sim_node *n, unsigned dev);
/* n changes its state, or moves data (oracle_inv5.c). */
void sim_oracle_view(struct sim_node *n, const struct hf_view *view);
void sim_oracle_fences(struct sim_node *n);
void sim_oracle_memory(const struct sim_node *n, const struct hf_view *view);
void sim_oracle_change(struct sim_node *n, unsigned dev, bool mine);
/* A state comes from the disks (oracle_inv6.c). */
void sim_oracle_loaded(struct sim_node *n, unsigned dev, const struct hf_resv *r);
/* Hosts and their commands: INV-7 (oracle_inv7.c), linearizability (oracle_order.c). */
void sim_oracle_asked(struct sim_cmd *c);
void sim_oracle_settled_op(
	unsigned dev, const struct naive_op *op, struct sim_life *life, unsigned index);
void sim_oracle_told(struct sim_cmd *c);
bool sim_oracle_mistaken(struct sim_cmd *c);
void sim_oracle_order(struct sim_cmd *c);
void sim_order_asked(struct sim_cmd *c);
/* Unit attentions (oracle_attention.c). */
void sim_oracle_effects(unsigned dev, const struct naive_op *op, const struct naive_result *res);
void sim_oracle_attention(struct sim_cmd *c);
void sim_oracle_told_good(unsigned dev, const struct sim_life *life, unsigned index);
/* A COMPARE AND WRITE was told GOOD (oracle_caw.c). */
void sim_oracle_caw_init(void);
void sim_oracle_caw_power_failed(void);
void sim_oracle_compared(struct sim_cmd *c);
/* What hosts read is what was written last, and survives what it has to (oracle_data.c). */
void sim_oracle_data_init(void);
void sim_oracle_data_asked(struct sim_cmd *c);
void sim_oracle_data_told(struct sim_cmd *c);
void sim_oracle_power_failed(void);
/* When faults have ended (oracle_inv9.c). */
bool sim_oracle_owes_nothing(void); /* no device is reserved by a session that has ended */
void sim_oracle_quiet(void);
void sim_oracle_raced(unsigned dev, unsigned winners, unsigned racers);

#endif
