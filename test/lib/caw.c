/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hf-caw: hosts that rely on COMPARE AND WRITE, for tests over several controllers.
 *
 *	hf-caw count INITIATOR URL LBA BLOCKS COUNT
 *		raises a counter, which stands in every block of the range, COUNT times; whatever it
 *		loses to others, or a controller is not ready for, it tries again.
 *		Prints "COUNT raised, N lost races, N not ready".
 *	hf-caw race INITIATOR URL URL LBA BLOCKS ROUNDS
 *		each round two COMPARE AND WRITEs and, in every other round, a plain WRITE of the
 *same range at once, through both controllers: at most one comparison succeeds, and the range has
 *one content as a whole, that of the WRITE if there was one.
 *
 * Exit status 0: as it must be; else the reason is on standard error.
 */
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 512, BLOCKS_MAX = 128, RANGE_MAX = BLOCK * BLOCKS_MAX };

struct host {
	struct iscsi_context *iscsi;
	int lun;
	bool busy;
	int status, key;
	uint32_t offset; /* of a miscompare */
	unsigned char data[2 * RANGE_MAX];
};

static _Noreturn void die(const char *what, const char *why)
{
	fprintf(stderr, "hf-caw: %s: %s\n", what, why);
	exit(1);
}

static void login(struct host *h, const char *initiator, int isid, const char *url_text)
{
	struct iscsi_url *url;

	h->iscsi = iscsi_create_context(initiator);
	url = iscsi_parse_full_url(h->iscsi, url_text);
	if (!url)
		die(url_text, iscsi_get_error(h->iscsi));
	h->lun = url->lun;
	iscsi_set_isid_random(h->iscsi, (uint32_t)isid, 0);
	iscsi_set_targetname(h->iscsi, url->target);
	iscsi_set_session_type(h->iscsi, ISCSI_SESSION_NORMAL);
	iscsi_set_header_digest(h->iscsi, ISCSI_HEADER_DIGEST_NONE);
	iscsi_set_noautoreconnect(h->iscsi, 1);
	if (iscsi_connect_sync(h->iscsi, url->portal) || iscsi_login_sync(h->iscsi))
		die(url_text, iscsi_get_error(h->iscsi));
	iscsi_destroy_url(url);
	/* A new nexus is told 29/00 first. */
	for (int status = SCSI_STATUS_CHECK_CONDITION; status == SCSI_STATUS_CHECK_CONDITION;) {
		struct scsi_task *task = iscsi_testunitready_sync(h->iscsi, h->lun);

		if (!task)
			die(url_text, iscsi_get_error(h->iscsi));
		status = task->status;
		scsi_free_scsi_task(task);
	}
}

/* 04/0A: a busy machine can make controllers think each other gone. Nothing was done. */
static bool is_not_ready(const struct scsi_task *task)
{
	return task->status == SCSI_STATUS_CHECK_CONDITION &&
	       task->sense.key == SCSI_SENSE_NOT_READY && task->sense.ascq == 0x040a;
}

/* False: not ready. */
static bool read_range(struct host *h, uint32_t lba, uint32_t bytes, unsigned char *ret)
{
	struct scsi_task *task =
		iscsi_read10_sync(h->iscsi, h->lun, lba, bytes, BLOCK, 0, 0, 0, 0, 0);

	if (task && is_not_ready(task)) {
		scsi_free_scsi_task(task);
		return false;
	}
	if (!task || task->status != SCSI_STATUS_GOOD || task->datain.size != (int)bytes)
		die("read", iscsi_get_error(h->iscsi));
	memcpy(ret, task->datain.data, bytes);
	scsi_free_scsi_task(task);
	return true;
}

/* Every block of a range says the same: a number, and who wrote it. */
static void fill(unsigned char *range, int blocks, uint64_t number, unsigned char who)
{
	for (int b = 0; b < blocks; b++) {
		unsigned char *at = range + b * BLOCK;

		memset(at, who, BLOCK);
		for (int i = 0; i < 8; i++)
			at[i] = (unsigned char)(number >> (56 - 8 * i));
	}
}

static uint64_t number_of(const unsigned char *range)
{
	uint64_t n = 0;

	for (int i = 0; i < 8; i++)
		n = n << 8 | range[i];
	return n;
}

static void count(struct host *h, uint32_t lba, int blocks, long times)
{
	uint32_t bytes = (uint32_t)(blocks * BLOCK);
	long lost = 0, not_ready = 0;

	for (long done = 0; done < times;) {
		struct scsi_task *task;

		if (!read_range(h, lba, bytes, h->data)) {
			not_ready++;
			poll(NULL, 0, 20);
			continue;
		}
		fill(h->data + bytes, blocks, number_of(h->data) + 1, 0);
		task = iscsi_compareandwrite_sync(
			h->iscsi, h->lun, lba, h->data, 2 * bytes, BLOCK, 0, 0, 0, 0, 0);
		if (!task)
			die("compare and write", iscsi_get_error(h->iscsi));
		if (task->status == SCSI_STATUS_GOOD)
			done++;
		else if (task->status == SCSI_STATUS_CHECK_CONDITION &&
			 task->sense.key == SCSI_SENSE_MISCOMPARE)
			lost++;
		else if (is_not_ready(task) && ++not_ready)
			poll(NULL, 0, 20);
		else
			die("compare and write", iscsi_get_error(h->iscsi));
		scsi_free_scsi_task(task);
	}
	printf("%ld raised, %ld lost races, %ld not ready\n", times, lost, not_ready);
}

/* --- races --- */

static void answered(struct iscsi_context *iscsi, int status, void *command_data, void *opaque)
{
	struct scsi_task *task = command_data;
	struct host *h = opaque;

	h->busy = false;
	h->status = status;
	h->key = status == SCSI_STATUS_CHECK_CONDITION ? (int)task->sense.key : 0;
	scsi_free_scsi_task(task);
}

static void wait_for(struct host *hosts, int n)
{
	for (;;) {
		struct pollfd fds[3];
		bool busy = false;

		for (int i = 0; i < n; i++) {
			busy |= hosts[i].busy;
			fds[i] = (struct pollfd){.fd = iscsi_get_fd(hosts[i].iscsi),
				.events = (short)iscsi_which_events(hosts[i].iscsi)};
		}
		if (!busy)
			return;
		if (poll(fds, (nfds_t)n, 30000) <= 0)
			die("race", "no answer in 30 s");
		for (int i = 0; i < n; i++)
			if (fds[i].revents && iscsi_service(hosts[i].iscsi, fds[i].revents) < 0)
				die("race", iscsi_get_error(hosts[i].iscsi));
	}
}

static void start_caw(struct host *h, uint32_t lba, int blocks, uint64_t from, uint64_t to, int who)
{
	uint32_t bytes = (uint32_t)(blocks * BLOCK);

	fill(h->data, blocks, from, 0);
	fill(h->data + bytes, blocks, to, (unsigned char)who);
	h->busy = true;
	if (!iscsi_compareandwrite_task(
		    h->iscsi, h->lun, lba, h->data, 2 * bytes, BLOCK, 0, 0, 0, 0, 0, answered, h))
		die("compare and write", iscsi_get_error(h->iscsi));
}

static void start_write(struct host *h, uint32_t lba, int blocks, uint64_t number, int who)
{
	uint32_t bytes = (uint32_t)(blocks * BLOCK);

	fill(h->data, blocks, number, (unsigned char)who);
	h->busy = true;
	if (!iscsi_write16_task(
		    h->iscsi, h->lun, lba, h->data, bytes, BLOCK, 0, 0, 0, 0, 0, answered, h))
		die("write", iscsi_get_error(h->iscsi));
}

static void prepare(struct host *h, uint32_t lba, int blocks, uint64_t number)
{
	start_write(h, lba, blocks, number, 0);
	wait_for(h, 1);
	if (h->status != SCSI_STATUS_GOOD)
		die("write", "not GOOD");
}

/* Hosts 0 and 1 compare, host 2 writes. `first` is started first. */
static int round_of(struct host *hosts, uint32_t lba, int blocks, uint64_t number, bool writes)
{
	static unsigned char want[RANGE_MAX], got[RANGE_MAX];
	uint32_t bytes = (uint32_t)(blocks * BLOCK);
	int good = 0, winner = 2;

	prepare(&hosts[0], lba, blocks, number);
	for (int i = 0; i < 3; i++) {
		int who = (i + (int)number) % 3;

		if (who < 2)
			start_caw(&hosts[who], lba, blocks, number, number + 1, who + 1);
		else if (writes)
			start_write(&hosts[2], lba, blocks, number + 2, 3);
	}
	wait_for(hosts, 3);
	for (int i = 0; i < 2; i++) {
		if (hosts[i].status == SCSI_STATUS_GOOD) {
			good++;
			winner = i;
		} else if (hosts[i].key != SCSI_SENSE_MISCOMPARE) {
			die("race", "neither GOOD nor MISCOMPARE");
		}
	}
	if (good > 1 || (good == 0 && !writes))
		die("race", good ? "both comparisons succeeded" : "no comparison succeeded");
	if (writes)
		fill(want, blocks, number + 2, 3);
	else
		fill(want, blocks, number + 1, (unsigned char)(winner + 1));
	if (!read_range(&hosts[number % 3], lba, bytes, got))
		die("read", "not ready");
	if (memcmp(want, got, bytes))
		die("race", "the range is a mix, or a write is lost");
	return good;
}

static void race(struct host *hosts, uint32_t lba, int blocks, long rounds)
{
	long compared = 0;

	for (long i = 0; i < rounds; i++)
		compared += round_of(hosts, lba, blocks, (uint64_t)(4 * i), i % 2);
	printf("%ld rounds, %ld comparisons succeeded\n", rounds, compared);
}

int main(int argc, char **argv)
{
	static struct host hosts[3];
	bool counts = argc == 7 && !strcmp(argv[1], "count");
	int n = counts ? 1 : 3, blocks;
	char **rest = argv + (counts ? 4 : 5);

	if (!counts && !(argc == 8 && !strcmp(argv[1], "race")))
		die("usage", "count INITIATOR URL LBA BLOCKS COUNT, "
			     "race INITIATOR URL URL LBA BLOCKS ROUNDS");
	for (int i = 0; i < n; i++)
		login(&hosts[i], argv[2], i + 1, argv[3 + (counts ? 0 : i % 2)]);
	blocks = atoi(rest[1]);
	if (blocks < 1 || blocks > BLOCKS_MAX)
		die("usage", "1 to 128 blocks");
	if (counts)
		count(hosts, (uint32_t)atol(rest[0]), blocks, atol(rest[2]));
	else
		race(hosts, (uint32_t)atol(rest[0]), blocks, atol(rest[2]));
	for (int i = 0; i < n; i++) {
		iscsi_logout_sync(hosts[i].iscsi);
		iscsi_destroy_context(hosts[i].iscsi);
	}
	return 0;
}
