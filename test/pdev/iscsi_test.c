/* SPDX-License-Identifier: BSD-3-Clause */
/* LUNs of a third controller: the driver against Debian's tgtd. Skipped where there is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "checksum.h"
#include "contract.h"
#include "iscsi_libiscsi.h"
#include "tgt.h"

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KIB = 1024, MIB = 1 << 20 };

static struct hf_loop *loop;
static char message[512];

static const struct hf_pdev_owner first = {"Lab_one", 1}, second = {"Lab_one", 2};

static struct hf_pdev *open_owned(const char *url, const struct hf_pdev_owner *owner)
{
	struct hf_pdev *p = NULL;

	if (hf_pdev_open_owned(url, owner, &loop, 1, &p, message, sizeof(message)) < 0)
		fail_msg("%s: %s", url, message);
	return p;
}

static struct hf_pdev *open_url(const char *url)
{
	return open_owned(url, NULL);
}

static void refused(const char *url, const struct hf_pdev_owner *owner, int error, const char *word)
{
	struct hf_pdev *p;
	int rc;

	message[0] = '\0';
	rc = hf_pdev_open_owned(url, owner, &loop, 1, &p, message, sizeof(message));
	if (rc != error || !strstr(message, word))
		fail_msg("%s: %d (wanted %d), \"%s\" (wanted \"%s\")", url, rc, error, message,
			word);
}

/* A session that is not ours: libiscsi by itself. */
static struct iscsi_context *stranger(const char *name, uint32_t rnd, uint32_t qualifier, int lun)
{
	struct iscsi_context *ctx = iscsi_create_context(name);
	char portal[32];

	snprintf(portal, sizeof(portal), "127.0.0.1:%d", TGT_PORT);
	iscsi_set_noautoreconnect(ctx, 1);
	iscsi_set_session_type(ctx, ISCSI_SESSION_NORMAL);
	iscsi_set_targetname(ctx, TGT_IQN);
	iscsi_set_isid_random(ctx, rnd, qualifier);
	if (iscsi_full_connect_sync(ctx, portal, lun))
		fail_msg("the stranger's session: %s", iscsi_get_error(ctx));
	return ctx;
}

/* Status of one command without data, or -1; the key of its sense in *ret_ascq. */
static int status_of(struct scsi_task *task, int *ret_ascq)
{
	int status = task ? task->status : -1;

	if (ret_ascq)
		*ret_ascq = task ? task->sense.ascq : 0;
	if (task)
		scsi_free_scsi_task(task);
	return status;
}

static int stranger_looks(struct iscsi_context *ctx, int lun, int *ret_ascq)
{
	return status_of(iscsi_testunitready_sync(ctx, lun), ret_ascq);
}

static void a_lun_of_512_byte_blocks_keeps_the_contract(void **state)
{
	struct hf_pdev *p = open_url(tgt_url(TGT_IQN, TGT_LUN_512, ""));

	assert_int_equal(p->info.size_bytes, TGT_LUN_BYTES);
	assert_int_equal(p->info.block_bytes, 512);
	assert_false(p->info.can_discard);
	contract_all(p, loop);
	hf_pdev_close(p);
}

static void a_lun_of_4096_byte_blocks_keeps_the_contract(void **state)
{
	struct hf_pdev *p = open_owned(tgt_url(TGT_IQN, TGT_LUN_4096, ""), &first);

	assert_int_equal(p->info.size_bytes, TGT_LUN_BYTES);
	assert_int_equal(p->info.block_bytes, 4096);
	contract_all(p, loop);
	hf_pdev_close(p);
}

static void a_thin_lun_keeps_the_contract(void **state)
{
	struct hf_pdev *p = open_url(tgt_url(TGT_IQN, TGT_LUN_THIN, ""));

	assert_true(p->info.can_discard);
	contract_all(p, loop);
	hf_pdev_close(p);
}

static void ipv6_and_the_fault_layer_above_keep_the_contract(void **state)
{
	char url[256];
	struct hf_pdev *p;

	snprintf(url, sizeof(url), "fault:op=write,skip=100000,error=EIO:iscsi://[::1]:%d/%s/%d",
		TGT_PORT, TGT_IQN, TGT_LUN_512);
	p = open_owned(url, &second);
	contract_all(p, loop);
	hf_pdev_close(p);
}

/* Other loops hand their requests over and get their answers on their own threads. */
static void a_request_of_another_loop_is_answered_there(void **state)
{
	struct hf_pdev *p = open_url(tgt_url(TGT_IQN, TGT_LUN_512, ""));
	struct hf_loop *other;
	uint8_t *buf = aligned_alloc(4096, 4096), *back = aligned_alloc(4096, 4096);
	struct want w;

	assert_int_equal(hf_loop_create(1, NULL, &other), 0);
	memset(buf, 0x5a, 4096);
	want_start(p, other, &w, HF_PDEV_WRITE, 0, 8192, buf, 4096);
	while (!w.is_done) {
		assert_int_equal(hf_loop_run_once(loop, false), 0);
		assert_int_equal(hf_loop_run_once(other, false), 0);
	}
	assert_int_equal(w.result, 0);
	assert_int_equal(want_run(p, loop, HF_PDEV_READ, 0, 8192, back, 4096), 0);
	assert_memory_equal(buf, back, 4096);
	hf_pdev_close(p);
	hf_loop_destroy(other);
	free(buf);
	free(back);
}

/* More memory pieces than a command takes, none of them whole blocks; more data than one command.
 */
static void a_scattered_request_becomes_several_commands(void **state)
{
	enum { PIECES = 300, PIECE = 7 * KIB + 256, BYTES = PIECES * PIECE / 512 * 512 };
	struct hf_pdev *p = open_url(tgt_url(TGT_IQN, TGT_LUN_512, ""));
	uint8_t *out = malloc(PIECES * PIECE), *in = malloc(BYTES);
	static struct iovec iov[PIECES];
	struct want w;

	for (unsigned i = 0; i < PIECES * PIECE; i++)
		out[i] = (uint8_t)(i * 2654435761U >> 24);
	for (unsigned i = 0; i < PIECES; i++)
		iov[i] = (struct iovec){out + i * PIECE, PIECE};
	memset(&w, 0, sizeof(w));
	w.io = (struct hf_pdev_io){.op = HF_PDEV_WRITE,
		.flags = HF_PDEV_FUA,
		.offset_bytes = MIB,
		.len_bytes = BYTES,
		.iov = iov,
		.iov_len = PIECES,
		.done = want_done};
	hf_pdev_submit(p, loop, &w.io);
	assert_int_equal(want_finish(loop, &w), 0);
	assert_int_equal(want_run(p, loop, HF_PDEV_READ, 0, MIB, in, BYTES), 0);
	assert_memory_equal(in, out, BYTES);
	hf_pdev_close(p);
	free(out);
	free(in);
}

static void what_cannot_be_opened_is_explained(void **state)
{
	char url[256];

	refused(tgt_url(TGT_IQN, 7, ""), NULL, -ENXIO, "no LUN 7");
	refused(tgt_url(TGT_IQN, 0, ""), NULL, -EMEDIUMTYPE, "no disk");
	refused(tgt_url("iqn.2026-01.com.example:nobody", 1, ""), NULL, -ECONNREFUSED, "iscsi-ls");
	snprintf(url, sizeof(url), "iscsi://127.0.0.1:%d/%s/1", TGT_PORT + 1, TGT_IQN);
	refused(url, NULL, -ECONNREFUSED, "does the target run");
	snprintf(url, sizeof(url), "iscsi://no-such-host.invalid/%s/1", TGT_IQN);
	refused(url, NULL, -EHOSTUNREACH, "cannot be resolved");
	snprintf(url, sizeof(url), "iscsi://localhost:%d/%s/1", TGT_PORT, TGT_IQN);
	hf_pdev_close(open_url(url)); /* the refusals are for the reasons given */
	refused("iscsi://127.0.0.1", NULL, -EINVAL, "iscsi://[USER%SECRET@]HOST[:PORT]/TARGET/LUN");
}

static void chap_is_asked_for_and_given(void **state)
{
	char url[256];
	struct hf_pdev *p;

	refused(tgt_url(TGT_CHAP_IQN, 1, ""), NULL, -ECONNREFUSED, "CHAP secret");
	snprintf(url, sizeof(url), "iscsi://alice%%ba9876543210@127.0.0.1:%d/%s/1", TGT_PORT,
		TGT_CHAP_IQN);
	refused(url, NULL, -ECONNREFUSED, "CHAP secret");
	assert_null(strstr(message, "ba9876543210"));
	snprintf(url, sizeof(url), "iscsi://alice%%0123456789ab@127.0.0.1:%d/%s/1", TGT_PORT,
		TGT_CHAP_IQN);
	p = open_owned(url, &first);
	assert_null(strstr(p->url, "0123456789ab"));
	assert_non_null(strstr(p->url, "alice%***@"));
	hf_pdev_close(p);
	setenv("LIBISCSI_CHAP_USERNAME", "alice", 1);
	setenv("LIBISCSI_CHAP_PASSWORD", "0123456789ab", 1);
	hf_pdev_close(open_url(tgt_url(TGT_CHAP_IQN, 1, "")));
	unsetenv("LIBISCSI_CHAP_USERNAME");
	unsetenv("LIBISCSI_CHAP_PASSWORD");
}

/* Two daemons with one controller id on one machine; the other ids are not concerned. */
static void w20_the_lock_excludes_the_same_controller_only(void **state)
{
	const char *url = tgt_url(TGT_IQN, TGT_LUN_512, "");
	struct hf_pdev *a = open_owned(url, &first), *b, *tool;

	assert_int_equal(hf_pdev_lock(a, 1), 0);
	refused(url, &first, -EBUSY, "no two daemons may have one controller id");
	b = open_owned(url, &second);
	tool = open_url(url);
	assert_int_equal(hf_pdev_lock(tool, 1), -EBUSY);
	assert_int_equal(hf_pdev_lock(tool, 2), -EBUSY);
	assert_int_equal(hf_pdev_lock(tool, 3), 0);
	hf_pdev_close(tool);
	hf_pdev_close(a);
	a = open_owned(url, &first);
	hf_pdev_close(a);
	hf_pdev_close(b);
}

/*
 * What a killed daemon leaves at the target ends with the login of its successor (W17): same name,
 * same ISID. A tool's look, another controller's login, or the own one to another LUN, end nothing.
 */
static void w17_an_owned_open_ends_the_session_before_it(void **state)
{
	const char *gentle = tgt_url(TGT_IQN, TGT_LUN_512, "?reset=off");
	uint32_t cluster = hf_crc32c(0, first.cluster, strlen(first.cluster)) & 0x7ffff;
	struct iscsi_context *dead = stranger("iqn.2026-01.invalid.holdfast:lab-one:1",
		cluster << 5 | first.controller_id, TGT_LUN_512, TGT_LUN_512);

	hf_pdev_close(open_url(gentle));
	hf_pdev_close(open_owned(gentle, &second));
	hf_pdev_close(open_owned(tgt_url(TGT_IQN, TGT_LUN_THIN, "?reset=off"), &first));
	assert_int_equal(stranger_looks(dead, TGT_LUN_512, NULL), SCSI_STATUS_GOOD);
	hf_pdev_close(open_owned(gentle, &first));
	assert_int_not_equal(stranger_looks(dead, TGT_LUN_512, NULL), SCSI_STATUS_GOOD);
	iscsi_destroy_context(dead);
}

static void w17_a_takeover_resets_the_lun_unless_told_not_to(void **state)
{
	struct iscsi_context *other = stranger("iqn.2026-01.com.example:other", 1, 1, TGT_LUN_512);
	int ascq = 0;

	hf_pdev_close(open_owned(tgt_url(TGT_IQN, TGT_LUN_512, "?reset=off"), &first));
	hf_pdev_close(open_url(tgt_url(TGT_IQN, TGT_LUN_512, "")));
	assert_int_equal(stranger_looks(other, TGT_LUN_512, NULL), SCSI_STATUS_GOOD);
	hf_pdev_close(open_owned(tgt_url(TGT_IQN, TGT_LUN_512, ""), &first));
	assert_int_equal(stranger_looks(other, TGT_LUN_512, &ascq), SCSI_STATUS_CHECK_CONDITION);
	assert_int_equal(ascq >> 8, 0x29);
	iscsi_destroy_context(other);
}

/* A portal that takes connections and ends each of them before the login has come to its end. */
static pid_t start_mute_portal(char *url, size_t url_len)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), c;
	char buf[4096];
	pid_t pid;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	snprintf(url, url_len, "iscsi://127.0.0.1:%u/%s/%d", ntohs(a.sin_port), TGT_IQN,
		TGT_LUN_512);
	pid = fork();
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (!pid) {
		c = accept(fd, NULL, NULL);
		if (read(c, buf, sizeof(buf)) <= 0)
			_exit(1);
		close(c);
	}
	close(fd);
	return pid;
}

/*
 * What this controller's last process has sent to a target that does not let the session in may
 * still be on its way there. Only where nobody takes the connection there is nobody to have it.
 */
static void w9_a_target_without_an_end_of_login_keeps_its_controller_out(void **state)
{
	char url[256], gone[300];
	pid_t portal = start_mute_portal(url, sizeof(url));

	assert_true(portal > 0);
	refused(url, &first, -EBUSY, "gone=on");
	refused(url, NULL, -ECONNRESET,
		"closed the connection"); /* a tool proves nothing to anybody */
	snprintf(gone, sizeof(gone), "%s?gone=on", url);
	refused(gone, &first, -ENODEV, "gone=on");
	kill(portal, SIGKILL);
	waitpid(portal, NULL, 0);
	refused(url, &first, -ECONNREFUSED, "does the target run");
	refused(tgt_url(TGT_CHAP_IQN, 1, ""), &first, -EBUSY, "CHAP secret");
	snprintf(url, sizeof(url), "iscsi://no-such-host.invalid/%s/1", TGT_IQN);
	refused(url, &first, -EBUSY, "cannot be resolved");
}

/* A LUN that is not ready answers the reset: that nothing is left in it is known all the same. */
static void w9_a_lun_that_is_not_ready_is_only_missing(void **state)
{
	struct iscsi_context *other = stranger("iqn.2026-01.com.example:other", 1, 1, TGT_LUN_512);
	int ascq = 0;

	tgt_take_medium_out(true);
	refused(tgt_url(TGT_IQN, TGT_LUN_512, ""), &first, -EIO, "not ready");
	tgt_take_medium_out(false);
	(void)stranger_looks(other, TGT_LUN_512, &ascq);
	assert_int_equal(ascq >> 8, 0x29);
	refused(tgt_url(TGT_IQN, 7, ""), &first, -ENXIO, "no LUN 7");
	iscsi_destroy_context(other);
}

/* Unit attentions say nothing of the request that meets them. */
static void a_unit_attention_is_not_an_error(void **state)
{
	struct hf_pdev *p = open_owned(tgt_url(TGT_IQN, TGT_LUN_512, ""), &first);
	struct iscsi_context *other = stranger("iqn.2026-01.com.example:other", 1, 1, TGT_LUN_512);
	uint8_t buf[512];

	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(iscsi_task_mgmt_lun_reset_sync(other, TGT_LUN_512), 0);
		assert_int_equal(want_run(p, loop, HF_PDEV_READ, 0, 0, buf, 512), 0);
	}
	hf_pdev_close(p);
	iscsi_destroy_context(other);
}

/* Somebody reserves the LUN itself at the third controller: an error of its own, and no harm. */
static void a_reservation_at_the_third_controller_is_told_apart(void **state)
{
	struct hf_pdev *p = open_owned(tgt_url(TGT_IQN, TGT_LUN_512, ""), &first);
	struct iscsi_context *other = stranger("iqn.2026-01.com.example:other", 1, 1, TGT_LUN_512);
	uint8_t buf[512] = {1};

	assert_int_equal(status_of(iscsi_reserve6_sync(other, TGT_LUN_512), NULL), 0);
	assert_int_equal(want_run(p, loop, HF_PDEV_WRITE, 0, 0, buf, 512), -EBADE);
	assert_int_equal(status_of(iscsi_release6_sync(other, TGT_LUN_512), NULL), 0);
	assert_int_equal(want_run(p, loop, HF_PDEV_WRITE, 0, 0, buf, 512), 0);
	hf_pdev_close(p);
	iscsi_destroy_context(other);
}

/* --- the third controller goes away --- */

enum { WRITES = 96, WRITE_BYTES = 16 * KIB };

static struct want writes[WRITES];
static uint8_t *written;

static void start_writes(struct hf_pdev *p, unsigned round)
{
	for (unsigned i = 0; i < WRITES; i++) {
		uint8_t *data = written + i * WRITE_BYTES;

		memset(data, (int)(round * 37 + i), WRITE_BYTES);
		want_start(p, loop, &writes[i], HF_PDEV_WRITE, 0, (uint64_t)i * WRITE_BYTES, data,
			WRITE_BYTES);
	}
}

static unsigned count_done(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < WRITES; i++)
		n += writes[i].is_done;
	return n;
}

static void finish_writes(struct hf_pdev *p)
{
	uint8_t *back = malloc(WRITES * WRITE_BYTES);

	for (unsigned i = 0; i < WRITES; i++)
		assert_int_equal(want_finish(loop, &writes[i]), 0);
	for (unsigned i = 0; i < WRITES * WRITE_BYTES; i += MIB / 2)
		assert_int_equal(want_run(p, loop, HF_PDEV_READ, 0, i, back + i, MIB / 2), 0);
	assert_memory_equal(back, written, WRITES * WRITE_BYTES);
	free(back);
}

/* Takes the place of the dead target: a connection that comes is the driver's next attempt. */
static int open_decoy(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(TGT_PORT)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static void run_until_attempt(int decoy)
{
	struct pollfd pfd = {.fd = decoy, .events = POLLIN};

	while (poll(&pfd, 1, 5) == 0)
		assert_int_equal(hf_loop_run_once(loop, false), 0);
	close(accept(decoy, NULL, NULL));
}

/* None completed early: stopped cold, the target can have carried out nothing. */
static void w17_requests_in_flight_outlive_the_target(void **state)
{
	struct hf_pdev *p = open_owned(tgt_url(TGT_IQN, TGT_LUN_512, ""), &first);
	unsigned before;
	int decoy;

	written = malloc(WRITES * WRITE_BYTES);
	tgt_stop_cold(true);
	start_writes(p, 1);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(hf_loop_run_once(loop, false), 0);
	before = count_done();
	assert_int_equal(before, 0);
	tgt_kill();
	decoy = open_decoy();
	for (unsigned i = 0; i < 4; i++) {
		run_until_attempt(decoy);
		assert_int_equal(count_done(), 0);
	}
	close(decoy);
	assert_true(tgt_start());
	finish_writes(p);
	hf_pdev_close(p);
	free(written);
}

/* Killed wherever it stands, again and again: each request ends once, and well. */
static void a_target_killed_under_load_costs_no_request(void **state)
{
	struct hf_pdev *p = open_owned(tgt_url(TGT_IQN, TGT_LUN_512, ""), &first);

	written = malloc(WRITES * WRITE_BYTES);
	for (unsigned round = 0; round < 4; round++) {
		start_writes(p, 100 + round);
		while (count_done() < round * 25)
			assert_int_equal(hf_loop_run_once(loop, true), 0);
		tgt_kill();
		assert_true(round > 0 || count_done() == 0); /* later rounds: whatever is left */
		assert_true(tgt_start());
		finish_writes(p);
	}
	hf_pdev_close(p);
	free(written);
}

/* Not ready is waited for, and is no end of the session. */
static void a_lun_that_is_not_ready_is_waited_for(void **state)
{
	struct hf_pdev *p = open_owned(tgt_url(TGT_IQN, TGT_LUN_512, ""), &first);
	uint8_t out[512], back[512];
	struct want w;

	tgt_take_medium_out(true);
	memset(out, 0x3c, sizeof(out));
	want_start(p, loop, &w, HF_PDEV_WRITE, 0, 0, out, 512);
	for (unsigned i = 0; i < 3; i++) {
		while (hf_list_is_empty(&iscsi_pdev_of(p)->later))
			assert_int_equal(hf_loop_run_once(loop, true), 0);
		while (!hf_list_is_empty(&iscsi_pdev_of(p)->later))
			assert_int_equal(hf_loop_run_once(loop, true), 0);
		assert_false(w.is_done);
	}
	tgt_take_medium_out(false);
	assert_int_equal(want_finish(loop, &w), 0);
	assert_int_equal(want_run(p, loop, HF_PDEV_READ, 0, 0, back, 512), 0);
	assert_memory_equal(out, back, 512);
	assert_int_equal(iscsi_pdev_of(p)->state, ISCSI_UP);
	hf_pdev_close(p);
}

/*
 * Silent, not dead: the session is given up and others are tried, while the old one's commands lie
 * in the target's socket. Awake again it may carry them out; that is over before the new session
 * sends anything, and each request ends once.
 */
static void w17_a_silent_target_is_left_and_completes_nothing_early(void **state)
{
	struct hf_pdev *p = open_owned(tgt_url(TGT_IQN, TGT_LUN_512, ""), &first);
	struct iscsi_pdev *ip = iscsi_pdev_of(p);

	written = malloc(WRITES * WRITE_BYTES);
	ip->beat_ms = ip->attempt_ms = 100;
	hf_timer_arm(loop, &ip->beat, hf_loop_now_ns(loop));
	tgt_stop_cold(true);
	start_writes(p, 7);
	while (ip->state == ISCSI_UP || ip->attempts < 3)
		assert_int_equal(hf_loop_run_once(loop, true), 0);
	assert_int_equal(count_done(), 0);
	ip->attempt_ms = 10000;
	tgt_stop_cold(false);
	finish_writes(p);
	hf_pdev_close(p);
	free(written);
}

/* The same number, another disk: nothing may be written to it. */
static void a_lun_that_has_become_another_is_not_written_to(void **state)
{
	struct hf_pdev *p = open_owned(tgt_url(TGT_IQN, TGT_LUN_THIN, ""), &first);
	struct iscsi_context *other;
	struct scsi_task *read;
	uint8_t out[512], back[512];
	struct want w;
	int decoy;

	memset(out, 0x77, sizeof(out));
	assert_int_equal(want_run(p, loop, HF_PDEV_WRITE, 0, 0, out, 512), 0);
	tgt_kill();
	tgt_swap(true);
	assert_true(tgt_start());
	memset(out, 0x88, sizeof(out));
	want_start(p, loop, &w, HF_PDEV_WRITE, 0, 0, out, 512);
	while (iscsi_pdev_of(p)->attempts < 4)
		assert_int_equal(hf_loop_run_once(loop, true), 0);
	assert_false(w.is_done);
	other = stranger("iqn.2026-01.com.example:other", 1, 1, TGT_LUN_THIN);
	read = iscsi_read10_sync(other, TGT_LUN_THIN, 0, 512, 512, 0, 0, 0, 0, 0);
	assert_non_null(read);
	assert_int_equal(read->status, 0);
	assert_int_equal(read->datain.data[0], 0x77);
	scsi_free_scsi_task(read);
	iscsi_destroy_context(other);
	tgt_swap(false);
	tgt_kill();
	decoy = open_decoy();
	run_until_attempt(decoy);
	close(decoy);
	assert_true(tgt_start());
	assert_int_equal(want_finish(loop, &w), 0);
	assert_int_equal(want_run(p, loop, HF_PDEV_READ, 0, 0, back, 512), 0);
	assert_memory_equal(out, back, 512);
	hf_pdev_close(p);
}

static int make_loop(void **state)
{
	return hf_loop_create(0, NULL, &loop);
}

static int destroy_loop(void **state)
{
	hf_loop_destroy(loop);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lun_of_512_byte_blocks_keeps_the_contract),
		cmocka_unit_test(a_lun_of_4096_byte_blocks_keeps_the_contract),
		cmocka_unit_test(a_thin_lun_keeps_the_contract),
		cmocka_unit_test(ipv6_and_the_fault_layer_above_keep_the_contract),
		cmocka_unit_test(a_request_of_another_loop_is_answered_there),
		cmocka_unit_test(a_scattered_request_becomes_several_commands),
		cmocka_unit_test(what_cannot_be_opened_is_explained),
		cmocka_unit_test(chap_is_asked_for_and_given),
		cmocka_unit_test(w20_the_lock_excludes_the_same_controller_only),
		cmocka_unit_test(w17_an_owned_open_ends_the_session_before_it),
		cmocka_unit_test(w17_a_takeover_resets_the_lun_unless_told_not_to),
		cmocka_unit_test(w9_a_target_without_an_end_of_login_keeps_its_controller_out),
		cmocka_unit_test(w9_a_lun_that_is_not_ready_is_only_missing),
		cmocka_unit_test(a_unit_attention_is_not_an_error),
		cmocka_unit_test(a_reservation_at_the_third_controller_is_told_apart),
		cmocka_unit_test(w17_requests_in_flight_outlive_the_target),
		cmocka_unit_test(a_target_killed_under_load_costs_no_request),
		cmocka_unit_test(a_lun_that_is_not_ready_is_waited_for),
		cmocka_unit_test(w17_a_silent_target_is_left_and_completes_nothing_early),
		cmocka_unit_test(a_lun_that_has_become_another_is_not_written_to),
	};
	int failed;

	alarm(120);
	if (!tgt_start()) {
		tgt_end();
		return 77;
	}
	failed = cmocka_run_group_tests(tests, make_loop, destroy_loop);
	tgt_end();
	return failed;
}
