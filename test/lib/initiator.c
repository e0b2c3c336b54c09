/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hf-initiator: many iSCSI sessions driven by lines on standard input, one line of answer each, in
 * the order of completion. For tests: they see exactly what a host sees.
 *
 *	open NAME URL INITIATOR ISID	   -> NAME ok | NAME error TEXT
 *	cdb NAME ID HEX [in=N] [out=HEX]   -> ID STATUS [key=K asc=AAQQ] [resid=N] [data=HEX]
 *	tmf NAME ID lun-reset|warm-reset|cold-reset|abort-task-set|clear-task-set -> ID tmf RESPONSE
 *	tmf NAME ID abort-task ID-OF-COMMAND		-> ID tmf RESPONSE
 *	close NAME			   -> NAME closed (logout)
 *	drop NAME			   -> NAME dropped (the connection ends without a word)
 *
 * STATUS is the SCSI status in hexadecimal, or "lost" when the connection went away. A command that
 * was aborted in silence is never answered before that. INITIATOR is
 * an iSCSI name; ISID a number from 0 to 16777215 (random format). Ends with standard input.
 */
#include <errno.h>
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SESSIONS_MAX = 64, LINE_MAX_BYTES = 4 << 20 };

struct session {
	char name[64];
	struct iscsi_context *iscsi;
	int lun;
};

struct request {
	char id[64];
	struct session *session;
	struct scsi_task *task; /* NULL: task management */
	unsigned char *out;
	struct request *next;
};

static struct session sessions[SESSIONS_MAX];
static struct request *requests;

static struct session *find(const char *name)
{
	for (int i = 0; i < SESSIONS_MAX; i++) {
		if (sessions[i].iscsi && !strcmp(sessions[i].name, name))
			return &sessions[i];
	}
	return NULL;
}

static struct request *request_of(struct session *s, const char *id)
{
	struct request *r = calloc(1, sizeof(*r));

	snprintf(r->id, sizeof(r->id), "%s", id);
	r->session = s;
	r->next = requests;
	requests = r;
	return r;
}

static void request_free(struct request *r)
{
	struct request **at = &requests;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	if (r->task)
		scsi_free_scsi_task(r->task);
	free(r->out);
	free(r);
}

/* libiscsi calls nobody back for what was queued behind a logout that the target had asked for. */
static void end(struct session *s)
{
	struct request *r, *next;

	iscsi_destroy_context(s->iscsi);
	s->iscsi = NULL;
	for (r = requests; r; r = next) {
		next = r->next;
		if (r->session != s)
			continue;
		printf("%s lost\n", r->id);
		request_free(r);
	}
}

/* The value of a hexadecimal digit; 16 when it is none. */
static unsigned digit(char c)
{
	const char *digits = "0123456789abcdefABCDEF", *at = c ? strchr(digits, c) : NULL;
	unsigned v = at ? (unsigned)(at - digits) : 22;

	return v < 16 ? v : v < 22 ? v - 6 : 16;
}

/* No sscanf(): that measures the whole rest of the line for every byte. */
static size_t unhex(const char *hex, unsigned char *ret)
{
	size_t n = 0;

	for (; digit(hex[0]) < 16 && digit(hex[1]) < 16; hex += 2)
		ret[n++] = (unsigned char)(digit(hex[0]) << 4 | digit(hex[1]));
	return n;
}

static void do_open(char *name, char *url_text, char *initiator, char *isid)
{
	struct session *s = NULL;
	struct iscsi_url *url;

	for (int i = 0; i < SESSIONS_MAX && !s; i++) {
		if (!sessions[i].iscsi)
			s = &sessions[i];
	}
	if (!s || find(name)) {
		printf("%s error no room or name in use\n", name);
		return;
	}
	s->iscsi = iscsi_create_context(initiator);
	url = iscsi_parse_full_url(s->iscsi, url_text);
	if (!url) {
		printf("%s error %s\n", name, iscsi_get_error(s->iscsi));
		end(s);
		return;
	}
	snprintf(s->name, sizeof(s->name), "%s", name);
	s->lun = url->lun;
	iscsi_set_isid_random(s->iscsi, (uint32_t)atoi(isid), 0);
	iscsi_set_targetname(s->iscsi, url->target);
	iscsi_set_session_type(s->iscsi, ISCSI_SESSION_NORMAL);
	iscsi_set_header_digest(s->iscsi, ISCSI_HEADER_DIGEST_NONE_CRC32C);
	iscsi_set_noautoreconnect(s->iscsi, 1);
	/* No TEST UNIT READY of the library's own: the attentions are the test's to see. */
	if (iscsi_connect_sync(s->iscsi, url->portal) || iscsi_login_sync(s->iscsi)) {
		printf("%s error %s\n", name, iscsi_get_error(s->iscsi));
		iscsi_destroy_url(url);
		end(s);
		return;
	}
	iscsi_destroy_url(url);
	printf("%s ok\n", name);
}

static struct scsi_task *find_task(const char *id)
{
	struct request *r = requests;

	while (r && strcmp(r->id, id))
		r = r->next;
	return r ? r->task : NULL;
}

static void answered(struct iscsi_context *iscsi, int status, void *command_data, void *opaque)
{
	struct scsi_task *task = command_data;
	struct request *r = opaque;

	if (status == SCSI_STATUS_CANCELLED || status == SCSI_STATUS_ERROR ||
		status == SCSI_STATUS_TIMEOUT) {
		printf("%s lost\n", r->id);
	} else {
		printf("%s %02x", r->id, status);
		if (status == SCSI_STATUS_CHECK_CONDITION)
			printf(" key=%x asc=%04x", task->sense.key, (unsigned)task->sense.ascq);
		if (task->residual_status != SCSI_RESIDUAL_NO_RESIDUAL)
			printf(" resid=%s%zu",
				task->residual_status == SCSI_RESIDUAL_OVERFLOW ? "+" : "-",
				task->residual);
		if (task->datain.size > 0) {
			printf(" data=");
			for (int i = 0; i < task->datain.size; i++)
				printf("%02x", task->datain.data[i]);
		}
		putchar('\n');
	}
	request_free(r);
}

static void do_cdb(char *name, char *id, char *hex, char *rest)
{
	unsigned char cdb[32];
	size_t cdb_len = unhex(hex, cdb), out_len = 0;
	struct session *s = find(name);
	struct iscsi_data data;
	struct request *r;
	int in_len = 0;

	if (!s) {
		printf("%s lost\n", id);
		return;
	}
	r = request_of(s, id);
	for (char *word = rest ? strtok(rest, " ") : NULL; word; word = strtok(NULL, " ")) {
		if (!strncmp(word, "in=", 3)) {
			in_len = atoi(word + 3);
		} else if (!strncmp(word, "out=", 4)) {
			r->out = malloc(strlen(word) / 2 + 1);
			out_len = unhex(word + 4, r->out);
		}
	}
	r->task = scsi_create_task((int)cdb_len, cdb,
		in_len	  ? SCSI_XFER_READ
		: out_len ? SCSI_XFER_WRITE
			  : SCSI_XFER_NONE,
		in_len ? in_len : (int)out_len);
	data.size = out_len;
	data.data = r->out;
	if (iscsi_scsi_command_async(
		    s->iscsi, s->lun, r->task, answered, out_len ? &data : NULL, r)) {
		printf("%s lost\n", id);
		request_free(r);
	}
}

static void tmf_answered(struct iscsi_context *iscsi, int status, void *command_data, void *opaque)
{
	struct request *r = opaque;

	if (status != SCSI_STATUS_GOOD)
		printf("%s lost\n", r->id);
	else
		printf("%s tmf %u\n", r->id, (unsigned)*(uint32_t *)command_data);
	request_free(r);
}

static const struct {
	const char *name;
	enum iscsi_task_mgmt_funcs function;
} tmfs[] = {
	{"abort-task-set", ISCSI_TM_ABORT_TASK_SET},
	{"clear-task-set", ISCSI_TM_CLEAR_TASK_SET},
	{"lun-reset", ISCSI_TM_LUN_RESET},
	{"warm-reset", ISCSI_TM_TARGET_WARM_RESET},
	{"cold-reset", ISCSI_TM_TARGET_COLD_RESET},
};

static int send_tmf(struct session *s, struct request *r, const char *function, const char *victim)
{
	struct scsi_task *task = victim ? find_task(victim) : NULL;

	if (task)
		return iscsi_task_mgmt_abort_task_async(s->iscsi, task, tmf_answered, r);
	for (size_t i = 0; i < sizeof(tmfs) / sizeof(tmfs[0]); i++) {
		if (!strcmp(function, tmfs[i].name))
			return iscsi_task_mgmt_async(
				s->iscsi, s->lun, tmfs[i].function, 0xffffffff, 0, tmf_answered, r);
	}
	return -1;
}

static void do_tmf(char *name, char *id, char *function, char *victim)
{
	struct session *s = find(name);
	struct request *r;

	if (!s) {
		printf("%s lost\n", id);
		return;
	}
	r = request_of(s, id);
	if (send_tmf(s, r, function, victim)) {
		printf("%s lost\n", id);
		request_free(r);
	}
}

static void obey(char *line)
{
	char *save, *word = strtok_r(line, " \n", &save);
	char *a = strtok_r(NULL, " \n", &save), *b, *c;
	struct session *s;

	if (!word || !a)
		return;
	if (!strcmp(word, "close") || !strcmp(word, "drop")) {
		s = find(a);
		if (s && *word == 'c')
			iscsi_logout_sync(s->iscsi);
		if (s)
			end(s);
		printf("%s %s\n", a, *word == 'c' ? "closed" : "dropped");
		return;
	}
	b = strtok_r(NULL, " \n", &save);
	c = strtok_r(NULL, " \n", &save);
	if (!b || !c)
		printf("%s error too few words\n", a);
	else if (!strcmp(word, "open"))
		do_open(a, b, c, strtok_r(NULL, " \n", &save));
	else if (!strcmp(word, "cdb"))
		do_cdb(a, b, c, save);
	else if (!strcmp(word, "tmf"))
		do_tmf(a, b, c, strtok_r(NULL, " \n", &save));
}

/* What poll() has to watch; *ret_who: whose each entry is, the first being standard input. */
static nfds_t watch(struct pollfd *fds, struct session **ret_who)
{
	nfds_t n = 1;

	fds[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
	for (int i = 0; i < SESSIONS_MAX; i++) {
		if (!sessions[i].iscsi)
			continue;
		ret_who[n] = &sessions[i];
		fds[n++] = (struct pollfd){.fd = iscsi_get_fd(sessions[i].iscsi),
			.events = (short)iscsi_which_events(sessions[i].iscsi)};
	}
	return n;
}

int main(void)
{
	static char buf[LINE_MAX_BYTES];
	size_t len = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (;;) {
		struct pollfd fds[SESSIONS_MAX + 1];
		struct session *who[SESSIONS_MAX + 1];
		nfds_t n = watch(fds, who);
		char *newline;
		ssize_t got;

		if (poll(fds, n, -1) < 0 && errno != EINTR)
			return 1;
		for (nfds_t i = 1; i < n; i++) {
			/* A session that broke has told every request so, or is told here. */
			if (fds[i].revents && who[i]->iscsi &&
				(iscsi_service(who[i]->iscsi, fds[i].revents) < 0 ||
					!iscsi_is_logged_in(who[i]->iscsi)))
				end(who[i]);
		}
		if (!fds[0].revents)
			continue;
		got = read(STDIN_FILENO, buf + len, sizeof(buf) - len - 1);
		if (got <= 0)
			return 0;
		len += (size_t)got;
		buf[len] = '\0';
		while ((newline = strchr(buf, '\n'))) {
			*newline = '\0';
			obey(buf);
			len -= (size_t)(newline + 1 - buf);
			memmove(buf, newline + 1, len + 1);
		}
	}
}
