/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pool: labelled physical devices of one cluster, the map of logical devices on them, and the
 * records that lie on the voting disks (map, view record, APTPL slots). The map is agreed over the
 * bus: hf_pool_op is the payload of ops on HF_BUS_DEV_POOL. Map functions are pure; the records go
 * out through hf_pdev_submit(). On-disk format: doc/on-disk-format.md.
 */
#ifndef HF_POOL_H
#define HF_POOL_H

#include "ldev.h"

#define HF_POOL_UUID_BYTES 16

/* Header of a labelled physical device. */
struct hf_label {
	uint8_t uuid[HF_POOL_UUID_BYTES];    /* of this physical device */
	uint8_t cluster[HF_POOL_UUID_BYTES]; /* derived from the cluster's name, see hf_cluster_id
					      */
	char name[HF_NAME_MAX + 1];	     /* of this physical device */
	uint32_t format_version;
	uint64_t size_bytes;	    /* of the physical device when labelled */
	uint64_t data_offset_bytes; /* first byte that extents may use */
	uint32_t block_bytes;	    /* logical block of the physical device: 512 or 4096 */
	bool voting;		    /* carries view record, map and APTPL slots */
};

void hf_cluster_id(const char *cluster_name, uint8_t ret[HF_POOL_UUID_BYTES]);
/* One 4096-byte block. decode: 0; -ENOENT not a label at all; -EBADMSG damaged; -EPROTO a newer
 * format; message says what and what to do. */
void hf_label_encode(const struct hf_label *l, uint8_t block[4096]);
int hf_label_decode(
	const uint8_t block[4096], struct hf_label *ret, char *message, size_t message_len);

#define HF_DOMINANT_DEFAULT 0xff

/* One logical device in the map. */
struct hf_map_ldev {
	uint32_t id; /* >= 1, never used again after deletion */
	char name[HF_NAME_MAX + 1];
	uint16_t lun;
	enum hf_layout layout;
	uint32_t block_bytes, physical_block_bytes;
	uint32_t columns, stripe_bytes;
	uint64_t size_bytes;
	uint8_t dominant; /* controller id; HF_DOMINANT_DEFAULT: the lowest of the configuration */
	bool write_protected;
	bool retired;			    /* see hf_map_set_retired() */
	uint8_t uuid[HF_POOL_UUID_BYTES];   /* NAA designator and serial come from it */
	uint16_t slot;			    /* index of its APTPL slots */
	uint32_t first_extent, extents_len; /* into hf_map.extents */
};

struct hf_map_pdev {
	uint8_t uuid[HF_POOL_UUID_BYTES];
	char name[HF_NAME_MAX + 1];
	uint64_t size_bytes, data_offset_bytes;
	uint32_t block_bytes; /* 0 counts as 512 */
	bool voting;
};

/* About half a megabyte: heap only. All zero is the empty map. */
struct hf_map {
	uint64_t generation; /* counts agreed changes */
	uint32_t next_id;
	unsigned pdevs_len, ldevs_len, extents_len;
	struct hf_map_pdev pdevs[HF_PDEVS_MAX];
	struct hf_map_ldev ldevs[HF_LDEVS_MAX];
	struct hf_extent extents[HF_EXTENTS_MAX];
};

enum hf_pool_op_kind {
	HF_POOL_CREATE = 1,
	HF_POOL_GROW = 2,
	HF_POOL_DELETE = 3,
	HF_POOL_RENAME = 4,
	HF_POOL_SET_DOMINANT = 5,
	HF_POOL_ADD_PDEV = 6,
	HF_POOL_SET_WRITE_PROTECT = 7,
};

struct hf_pool_op {
	enum hf_pool_op_kind kind;
	char name[HF_NAME_MAX + 1];	/* logical device */
	char new_name[HF_NAME_MAX + 1]; /* RENAME */
	enum hf_layout layout;
	uint64_t size_bytes; /* CREATE, GROW: the size wanted; 0 in GROW = all there is */
	uint32_t block_bytes, physical_block_bytes, stripe_bytes;
	int32_t lun;	  /* -1: lowest free */
	uint8_t dominant; /* controller id; 0xff: the default (lower id) */
	bool write_protected;
	uint8_t uuid[HF_POOL_UUID_BYTES]; /* CREATE: chosen by the proposer; ADD_PDEV: the disk */
	unsigned pdevs_len;		  /* names of physical devices, in order */
	char pdevs[HF_LDEV_COLUMNS_MAX][HF_NAME_MAX + 1];
	struct hf_map_pdev pdev; /* ADD_PDEV */
};

int hf_pool_op_encode(const struct hf_pool_op *op, uint8_t *buf, size_t cap);
int hf_pool_op_decode(const uint8_t *buf, size_t len, struct hf_pool_op *ret); /* -EBADMSG */

/*
 * Carries out op on map: deterministic, all or nothing. 0, or -errno with a sentence that says
 * what, where and what to do in message: -EEXIST name taken, -ENOENT unknown device or disk,
 * -ENOSPC (says how much is free), -EINVAL, -EBUSY not retired yet. On failure map is unchanged.
 * On 0 message is empty or says what was rounded; map->generation has risen by one, or is as
 * before if there was nothing to change. Extents are merged and moved: pointers into the map that
 * were taken before end here.
 *
 * CREATE, linear: without names of disks, all of them in the order of the map. GROW: without names
 * the disks that the device lies on; of a stripe exactly as many as it has columns.
 * 0 is a default: block_bytes 512, physical_block_bytes 4096, stripe_bytes 64 KiB.
 */
int hf_map_apply(
	struct hf_map *map, const struct hf_pool_op *op, char *message, size_t message_len);
/* Checks every rule of a map that came from outside (disk, bus): extents inside their disk, none
 * overlapping, ids and names unique ... -EBADMSG with a sentence. */
int hf_map_check(const struct hf_map *map, char *message, size_t message_len);
size_t hf_map_encoded_max(void);
int hf_map_encode(const struct hf_map *map, uint8_t *buf, size_t cap);
int hf_map_decode(
	const uint8_t *buf, size_t len, struct hf_map *ret, char *message, size_t message_len);
/* Without the retired flags, which rise with ops on the devices, not on the pool. */
uint64_t hf_map_digest(const struct hf_map *map);
const struct hf_map_ldev *hf_map_find_ldev(const struct hf_map *map, const char *name);
const struct hf_map_ldev *hf_map_find_id(const struct hf_map *map, uint32_t id);
/* Index into map->pdevs, or -1. */
int hf_map_find_pdev(const struct hf_map *map, const char *name);
/* The "retire" op of device `id` has settled (true) or was taken back; DELETE waits for it (S8). */
void hf_map_set_retired(struct hf_map *map, uint32_t id, bool retired);
uint64_t hf_map_free_bytes(const struct hf_map *map, unsigned pdev_index);
/* The ADD_PDEV entry of a labelled disk. */
void hf_map_pdev_of_label(const struct hf_label *label, struct hf_map_pdev *ret);

/* --- records on the voting disks --- */

enum hf_record_kind {
	HF_RECORD_VIEW = 1, /* one; <= 4000 bytes */
	HF_RECORD_MAP = 2,  /* one; as large as hf_map_encoded_max() */
	HF_RECORD_SLOT = 3, /* one per logical device, index = hf_map_ldev.slot */
	/* Written by one controller each, index = its id; <= 4000 bytes (src/fence): */
	HF_RECORD_RACE = 4,  /* its part in a race for going on alone */
	HF_RECORD_LEASE = 5, /* its lease */
};

struct hf_pool; /* open physical devices of a cluster, and record I/O on them */

/*
 * An I/O on one record: two copies per voting disk, 4 KiB blocks of their own, CRC32C, generation
 * that counts writes, the older copy is overwritten. A write counts when most voting disks have
 * it; a read takes the highest valid generation of most. Storage: caller's until done.
 * WRITE done: 0; -EIO: failed and the old content is out again under a higher generation;
 * -EINPROGRESS: failed and that failed too, the record is in doubt (W15).
 * READ done: bytes read into buf; 0: never written; -EIO: most voting disks unreadable;
 * -EBADMSG: blocks were there but none valid ("information lost"); -EMSGSIZE: no room.
 * -EINVAL: kind, index or length are none that this pool has.
 * I/Os on one record are carried out in order, on several records side by side.
 */
struct hf_record_io {
	enum hf_record_kind kind;
	uint32_t index;
	/*
	 * SLOT: hf_map_ldev.id, else 0. A slot is used again after its device was deleted: what
	 * another owner wrote counts as never written.
	 */
	uint32_t owner;
	bool write;
	uint8_t *buf; /* kept until done */
	size_t len;   /* write: bytes to write, <= hf_record_capacity(); read: room */
	void (*done)(struct hf_record_io *io, int result);
	/*
	 * READ, when done, not negative: fewer than most voting disks have what was read (a writer
	 * died half way), or one that could not be read may have got more of that write. Another
	 * read, of other disks, could end otherwise; who acts upon it, being the one writer, writes
	 * it out again first.
	 */
	bool scattered;

	struct hf_list node; /* the pool's */
};

/* Bytes that fit into one record. */
size_t hf_record_capacity(enum hf_record_kind kind);

/*
 * Called for each disk, once it has its lock and before anything is written; and before, where the
 * label cannot be read, for the disk may shut out who has not been let in. May block, running
 * loops[0]. -errno with a sentence: the disk is not used, and the pool is not opened.
 */
struct hf_pool_guard {
	int (*enter)(void *arg, struct hf_pdev *pdev, char *message, size_t message_len);
	void *arg;
};

/*
 * Opens and labels-checks every physical device of the configuration. A disk without the right
 * label fails the call with a sentence; nothing is ever written to it. A disk that does not open
 * or whose label is unreadable is missing: hf_pool_why_missing() has the sentence; the call fails
 * only when there is no majority of voting disks. Takes this controller's lock on each disk. guard:
 * NULL is fine.
 * Blocks, and runs loops[0] meanwhile, which is this thread's from then on; start-up only.
 */
int hf_pool_open(const char *cluster_name, unsigned controller_id, const char *const *urls,
	unsigned urls_len, const struct hf_pool_guard *guard, struct hf_loop *const *loops,
	unsigned loops_len, struct hf_pool **ret, char *message, size_t message_len);
/* Outside of callbacks. A voting disk may owe the answer to a record's I/O: that is waited for, for
 * two seconds at most; then the disks stay open until it has come, should it ever. */
void hf_pool_close(struct hf_pool *pool);
void hf_pool_record_submit(struct hf_pool *pool, struct hf_record_io *io); /* control loop */
/* The engine is gone: the ends of I/O on view, map and slots are told to nobody any more. */
void hf_pool_forget_records(struct hf_pool *pool);
/* still(arg) when no write of a record is under way, on a disk that hangs included, maybe at once.
 * Control loop; one waits at a time: the last that has called. */
void hf_pool_await_record_writes(struct hf_pool *pool, void (*still)(void *arg), void *arg);
/*
 * The table for hf_ldev.pdevs, in the order of map->pdevs; NULL where a disk is missing. The pool's
 * own, always the same one: a map that has got a disk more only fills one more entry.
 */
struct hf_pdev **hf_pool_pdevs(struct hf_pool *pool, const struct hf_map *map);
/* In the order of the urls. NULL: missing. */
const struct hf_label *hf_pool_label(const struct hf_pool *pool, unsigned url_index);
/* NULL: not missing. */
const char *hf_pool_why_missing(const struct hf_pool *pool, unsigned url_index);
unsigned hf_pool_len(const struct hf_pool *pool);
struct hf_pdev *hf_pool_pdev(const struct hf_pool *pool, unsigned url_index); /* NULL: missing */
unsigned hf_pool_voting(const struct hf_pool *pool); /* voting disks, those missing included */

/*
 * `holdfast disk init`: writes a label. Refuses (-EEXIST) a disk that already bears one, and
 * (-ENOTEMPTY) one whose first MiB is not zero, unless force; -EBUSY, force or not, while a
 * controller on this machine has it; -ENOSPC when it is too small. Blocks.
 */
int hf_disk_init(const char *url, const char *cluster_name, const char *pdev_name, bool voting,
	const uint8_t uuid[HF_POOL_UUID_BYTES], bool force, char *message, size_t message_len);
int hf_disk_show(const char *url, struct hf_label *ret, char *message, size_t message_len);

/*
 * Builds the I/O view of one logical device of the map (heap; free with hf_ldev_destroy). pdevs is
 * kept until then. NULL: out of memory.
 */
struct hf_ldev *hf_ldev_create(
	const struct hf_map *map, const struct hf_map_ldev *d, struct hf_pdev **pdevs);
void hf_ldev_destroy(struct hf_ldev *d);

#endif
