/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A controller for tests of the SCSI layer: the real logical units and reservations on a loop in
 * virtual time, a bus without peers, disks in memory, and hosts that send CDBs.
 *
 *	LUN 0	512-byte blocks, thin, BLOCKS of them	LUN 2	write protected
 *	LUN 1	4096-byte blocks, thin			LUN 3	cannot unmap
 */
#ifndef HF_TEST_SCSI_KIT_H
#define HF_TEST_SCSI_KIT_H

#include "disk.h"
#include "loop_sim.h"
#include "lu_control.h"
#include "scsi.h"

#define BLOCKS	    40960 /* of 512 bytes: 20 MiB; kit_create_small() has fewer */
#define LUNS	    4
#define TARGET_NAME "iqn.2024-01.org.example:disks"

struct kit {
	struct hf_loop *loop;
	struct hf_scsi_loop *scsi;
	struct hf_lu_table *table;
	struct hf_bus bus;
	struct hf_list queue; /* hf_bus_prop.node; the first is pending */
	bool pending, persist, borrows_loop;
	/* What becomes of the next op instead of being carried out; LOOK: nothing. doubt: its
	 * outcome is not known for a while. */
	enum hf_bus_answer answer_next;
	bool doubt_next;
	uint64_t n, range_id;
	struct hf_list ranges; /* hf_bus_range.node */
	struct disk disks[LUNS];
};

struct host {
	struct kit *k;
	struct hf_lu_session s;
	bool gone;
	const char *closed;
};

/* One command and what became of it. */
struct cmd {
	struct host *h;
	uint16_t lun;
	bool data_in, data_out;
	uint32_t expected;
	const uint8_t *out; /* `expected` bytes */

	struct hf_scsi_task t;
	struct hf_itl_waiter waiter;
	bool early, over, told_aborted;
	uint8_t *buf;
	uint32_t in_len;
	uint8_t *in; /* in_len bytes, in buf */
	uint8_t key;
	uint16_t asc_ascq;
};

struct kit *kit_create(void);
struct kit *kit_create_small(uint64_t blocks);
/* On a loop and the SCSI layer's part of it that are the caller's: cheap enough for a fuzzer. */
struct kit *kit_create_on(struct hf_loop *loop, struct hf_scsi_loop *scsi, uint64_t blocks);
void kit_destroy(struct kit *k);
void kit_settle(struct kit *k); /* runs what is due */

/* Logs in and takes all pending unit attentions. */
void host_login(struct kit *k, struct host *h, const char *name, uint64_t isid);
void host_logout(struct host *h);
struct hf_itl *host_itl(struct host *h, uint16_t lun);

/*
 * Sends a command and runs the loop until nothing is due. The bytes of the CDB stand in a string of
 * hexadecimal digits with blanks as one likes. Reuses *c.
 */
void send_none(struct cmd *c, struct host *h, uint16_t lun, const char *cdb);
void send_in(struct cmd *c, struct host *h, uint16_t lun, const char *cdb, uint32_t expected);
void send_out(struct cmd *c, struct host *h, uint16_t lun, const char *cdb, const void *data,
	uint32_t len);
/* The same in steps: cmd_begin, fields, cmd_arrive (fetches the buffer too), cmd_run, cmd_end. */
void cmd_begin(struct cmd *c, struct host *h, uint16_t lun, const uint8_t *cdb, unsigned len);
enum hf_scsi_next cmd_arrive(struct cmd *c);
void cmd_run(struct cmd *c);
void cmd_end(struct cmd *c);
void cmd_free(struct cmd *c);

/* cmocka: status and sense as expected; macros so that the failing line is named. */
#define assert_good(c)	   assert_int_equal((c)->t.status, HF_STATUS_GOOD)
#define assert_conflict(c) assert_int_equal((c)->t.status, HF_STATUS_RESERVATION_CONFLICT)
#define assert_sense(c, k, asc)                                                                    \
	do {                                                                                       \
		assert_int_equal((c)->t.status, HF_STATUS_CHECK_CONDITION);                        \
		assert_int_equal((c)->key, k);                                                     \
		assert_int_equal((c)->asc_ascq, asc);                                              \
	} while (0)

/* PERSISTENT RESERVE OUT with the basic list. */
void send_prout(struct cmd *c, struct host *h, uint16_t lun, uint8_t action, uint8_t type,
	uint64_t rk, uint64_t sark);

#endif
