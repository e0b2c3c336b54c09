/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The daemon's configuration: one file in libconfig syntax, the same on every controller but for
 * `controller = N` (or -i N). Every error names file and line and says what to do; an unknown
 * option is an error. man/holdfastd.conf.5.scd documents every option; a test compares.
 *
 *	config.c	  walks the file by the tables, finds unknown and misplaced options
 *	config_options.c  the tables: a row per option
 *	config_check.c	  rules between options, defaults, digest
 *	config_posix.c	  reads the files
 */
#ifndef HF_CONFIG_H
#define HF_CONFIG_H

#include "iscsi.h"
#include "hf_limits.h"
#include "log.h"

#include <netinet/in.h>

enum {
	HF_CONFIG_PORTALS_MAX = 4, /* iSCSI portals of one controller */
	HF_CONFIG_LINKS_MAX = 4,   /* bus addresses of one controller */
	HF_CONFIG_URL_MAX = 255,
	HF_CONFIG_KEY_MIN = 32, /* bytes in the bus key */
	HF_CONFIG_KEY_MAX = 64,
	HF_CONFIG_ACL_MAX = 256,
	HF_CONFIG_ARGS_MAX = 32, /* of a fence agent, its name included */
	HF_CONFIG_MESSAGE = 512, /* room for one message */
};

/* A numeric address with a port. */
struct hf_config_address {
	char text[64]; /* as written: "10.0.0.1:3260", "[fd00::1]:3260" */
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	socklen_t len;
};

struct hf_config_disks {
	unsigned len;
	char (*urls)[HF_CONFIG_URL_MAX + 1]; /* heap, HF_PDEVS_MAX of them, or NULL */
};

struct hf_config_controller {
	uint8_t id;    /* 1 .. HF_CONTROLLERS_MAX */
	uint16_t rtpi; /* relative target port identifier; default: id */
	char name[HF_NAME_MAX + 1];
	unsigned portals_len;
	struct hf_config_address portals[HF_CONFIG_PORTALS_MAX];
	unsigned bus_len; /* where the others reach this one */
	struct hf_config_address bus[HF_CONFIG_LINKS_MAX];
	unsigned bus_listen_len; /* where it listens itself; default: the same */
	struct hf_config_address bus_listen[HF_CONFIG_LINKS_MAX];
	struct hf_config_disks disks; /* instead of the common list, where paths differ */
	/* The fence agent that switches this controller off, and its arguments: heap; NULL ends. */
	unsigned fence_args_len;
	char *fence_args[HF_CONFIG_ARGS_MAX + 1];
	unsigned line; /* in the file, for messages */
};

enum hf_config_bus {
	HF_CONFIG_BUS_PAIR,	/* two controllers, links of their own */
	HF_CONFIG_BUS_COROSYNC, /* two to sixteen, a process group of corosync */
};

enum hf_config_peer_loss {
	HF_CONFIG_FREEZE,
	HF_CONFIG_FENCE,
};

/* How a lost peer is made unable to serve (policy fence). */
enum hf_config_fence_driver {
	HF_CONFIG_FENCE_NONE,
	HF_CONFIG_FENCE_COMMAND,
	HF_CONFIG_FENCE_PR,
	HF_CONFIG_FENCE_LEASE,
};

struct hf_config_fence {
	enum hf_config_fence_driver driver;
	uint32_t command_ms; /* a fence agent may take so long */
	char watchdog[HF_CONFIG_URL_MAX + 1];
	uint32_t watchdog_ms; /* it resets the machine so long after the last feeding */
	uint32_t path_ms;     /* I/O may be in a path to the disks for so long */
};

struct hf_config {
	char cluster[HF_NAME_MAX + 1];
	unsigned controllers_len;
	struct hf_config_controller controllers[HF_CONTROLLERS_MAX]; /* ascending by id */
	unsigned controller;					     /* own id */
	const struct hf_config_controller *self;
	struct hf_config_disks disks; /* as this controller reaches them */
	struct hf_iscsi_config iscsi; /* ready to use; tpgt is the controller's id */
	enum hf_config_bus bus;
	bool stop_without_quorum; /* corosync: serve nothing, else freeze */
	size_t bus_key_len;	  /* 0: one controller, or corosync */
	uint8_t bus_key[HF_CONFIG_KEY_MAX];
	char bus_key_file[HF_CONFIG_URL_MAX + 1];
	enum hf_config_peer_loss on_peer_loss;
	struct hf_config_fence fence;
	uint32_t heartbeat_ms, silence_ms, retry_ms, bound_ms;
	unsigned loops; /* 0: one per processor */
	enum hf_loop_engine engine;
	uint32_t busy_poll_us;
	char control_socket[108];
	enum hf_log_priority log_level;
};

/*
 * Reads and checks the file. self_id: own controller's id, 0 = the file says it. 0, or -errno with
 * "FILE:LINE: what is wrong; what to do" in message. On success *ret is the caller's, to be freed
 * with hf_config_destroy(). Blocks; start-up only.
 */
int hf_config_load(const char *path, unsigned self_id, struct hf_config **ret, char *message,
	size_t message_len);
/* The same for a text in memory (pure); path is for messages. A bus key file is named in
 * bus_key_file and not read. */
int hf_config_parse(const char *path, const char *text, unsigned self_id, struct hf_config **ret,
	char *message, size_t message_len);
/* Wipes the secrets, frees; NULL is fine. */
void hf_config_destroy(struct hf_config *c);

const struct hf_config_controller *hf_config_controller_find(
	const struct hf_config *c, unsigned id);

/* SHA-256, cut to 64 bits, over what must be equal on all controllers: names, ports, access list
 * and secrets, policy, timings. Not over own id, disks' paths, bus addresses, loops, log. */
uint64_t hf_config_digest(const struct hf_config *c);

/* Decodes hex digits, white space at both ends ignored; number of bytes, or -EINVAL. */
int hf_config_hex_decode(const char *text, uint8_t *buf, size_t cap);

/* "IP:PORT" or "[IPv6]:PORT", numeric, port 1 to 65535. 0 or -EINVAL, *ret untouched. */
int hf_config_address_parse(const char *text, struct hf_config_address *ret);

/* Calls fn with the dotted name of every option, e.g. "controllers.portals". */
void hf_config_options_each(void (*fn)(void *arg, const char *name), void *arg);

#endif
