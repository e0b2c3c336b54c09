/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A LUN of a third controller by iSCSI, on libiscsi: opening, locking, closing. Blocks while
 * opening. Called by open.c.
 *
 * Who we are to the third controller. A controller logs in as
 *	iqn.2026-01.invalid.holdfast:CLUSTER:ID		(or as the URL says)
 * with an ISID made of both and the LUN, the same at each start: so its login ends what its process
 *before has left (design 6, W17). ".invalid" is nobody's domain (RFC 2606), so the name is nobody
 *else's. A tool has a name of its own and a random ISID: its look disturbs no controller.
 */
#include "iscsi_libiscsi.h"
#include "checksum.h"

#include <ctype.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define NAME_PREFIX "iqn.2026-01.invalid.holdfast:"

/*
 * A name in the abstract namespace of this machine (network namespace), freed by the kernel with
 * its process. It keeps a second daemon with one controller id from throwing out the first, which
 * would come back and throw out the second.
 */
static int lock_lun(struct hf_pdev *pdev, unsigned controller_id)
{
	struct iscsi_pdev *p = iscsi_pdev_of(pdev);
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	uint64_t lun = hf_digest64(0, p->where.target, strlen(p->where.target));
	int fd, n;

	if (controller_id >= HF_ARRAY_LEN(p->lock_fd))
		return -EINVAL;
	if (p->lock_fd[controller_id] >= 0)
		return 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	n = snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "holdfast-lun/%016llx/%u/%u",
		(unsigned long long)lun, p->where.lun, controller_id);
	if (bind(fd, (struct sockaddr *)&a,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)) < 0) {
		int err = errno == EADDRINUSE ? -EBUSY : -errno;

		close(fd);
		return err;
	}
	p->lock_fd[controller_id] = fd;
	return 0;
}

static void close_iscsi(struct hf_pdev *pdev)
{
	struct iscsi_pdev *p = iscsi_pdev_of(pdev);

	hf_assert(hf_list_is_empty(&p->waiting) && hf_list_is_empty(&p->sent) &&
		  hf_list_is_empty(&p->again) && hf_list_is_empty(&p->later));
	hf_pdev_iscsi_session_fini(p);
	hf_timer_cancel(p->loop, &p->later_timer);
	for (unsigned i = 0; i < HF_ARRAY_LEN(p->lock_fd); i++)
		if (p->lock_fd[i] >= 0)
			close(p->lock_fd[i]);
	explicit_bzero(&p->where, sizeof(p->where));
	free(p);
}

static const char *trouble(struct hf_pdev *pdev)
{
	const struct iscsi_pdev *p = iscsi_pdev_of(pdev);

	return p->state == ISCSI_UP ? NULL : p->why;
}

static const struct hf_pdev_ops iscsi_ops = {
	.submit = hf_pdev_iscsi_submit,
	.pr = hf_pdev_iscsi_pr,
	.lock = lock_lun,
	.trouble = trouble,
	.close = close_iscsi,
};

/* One address of the host as digits: a lost session is not to wait for a name service. */
static int set_portal(
	struct iscsi_pdev *p, const struct addrinfo *ai, char *message, size_t message_len)
{
	char host[48];
	int rc = getnameinfo(
		ai->ai_addr, ai->ai_addrlen, host, sizeof(host), NULL, 0, NI_NUMERICHOST);

	if (rc) {
		snprintf(message, message_len, "the address of \"%s\" cannot be used: %s",
			p->where.host, gai_strerror(rc));
		return -EHOSTUNREACH;
	}
	snprintf(p->portal, sizeof(p->portal), ai->ai_family == AF_INET6 ? "[%s]:%u" : "%s:%u",
		host, p->where.port);
	return 0;
}

static void name_initiator(struct iscsi_pdev *p, const struct hf_pdev_owner *owner)
{
	char *at = p->initiator;
	int n;

	p->is_owned = owner;
	if (owner) {
		uint32_t cluster = hf_crc32c(0, owner->cluster, strlen(owner->cluster));

		/* A session per LUN, of one target, too; and sessions of two controllers are kept
		 * apart even where the URL gives both one name. */
		_Static_assert(HF_CONTROLLERS_MAX < 32 && HF_LUN_MAX < 65536, "they fit an ISID");
		p->isid_random = (cluster & 0x7ffff) << 5 | owner->controller_id;
		p->isid_qualifier = p->where.lun;
	}
	if (p->where.initiator[0]) {
		memcpy(p->initiator, p->where.initiator, sizeof(p->initiator));
		return;
	}
	if (!owner) {
		snprintf(p->initiator, sizeof(p->initiator), NAME_PREFIX "tool");
		return;
	}
	n = snprintf(p->initiator, sizeof(p->initiator), NAME_PREFIX "%s:%u", owner->cluster,
		owner->controller_id);
	hf_assert(n > 0 && (size_t)n < sizeof(p->initiator));
	/* What may not be in an iSCSI name (RFC 7143, 4.2.7.1) becomes what may. */
	for (at += strlen(NAME_PREFIX); *at; at++)
		*at = (char)(isalnum((unsigned char)*at) ? tolower((unsigned char)*at)
			     : strchr("-.:", *at)	 ? *at
							 : '-');
}

/* As iscsi-ls and other programs on libiscsi have it: secrets may come from the environment. */
static void take_environment(struct hf_iscsi_url *u)
{
	const char *user = getenv("LIBISCSI_CHAP_USERNAME");
	const char *secret = getenv("LIBISCSI_CHAP_PASSWORD");

	if (u->user[0] || !user || !secret || strlen(user) >= sizeof(u->user) ||
		strlen(secret) >= sizeof(u->secret))
		return;
	snprintf(u->user, sizeof(u->user), "%s", user);
	snprintf(u->secret, sizeof(u->secret), "%s", secret);
}

/* libiscsi writes data with writev(), which knows no MSG_NOSIGNAL. */
static void ignore_sigpipe(void)
{
	struct sigaction now;

	if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);
}

static void take_info(struct iscsi_pdev *p)
{
	struct hf_pdev_info *info = &p->pdev.info;
	const struct hf_remote_lun *lun = &p->lun;

	info->block_bytes = lun->block_bytes;
	info->physical_block_bytes = lun->physical_block_bytes;
	info->size_bytes = lun->blocks * lun->block_bytes;
	info->can_fence = true; /* whether this target does is asked when it matters */
	info->can_discard = lun->is_thin && (lun->can_unmap || lun->can_write_same_unmap);
	/* UNMAP may leave blocks as they are; only WRITE SAME promises zeroes. */
	info->discard_zeroes =
		info->can_discard && lun->can_write_same_unmap && lun->zeroes_unmapped;
	if (!info->discard_zeroes && !lun->can_unmap)
		info->can_discard = false;
}

static const char *advice(const struct iscsi_pdev *p)
{
	/* Login response status (RFC 7143, 11.13.5), which libiscsi puts in parentheses. */
	if (strstr(p->why, "(513)") || strstr(p->why, "(514)"))
		return "; look at the CHAP secret and at the initiators that the target admits";
	if (strstr(p->why, "(515)"))
		return "; iscsi-ls shows the targets there are";
	if (p->state == ISCSI_DOWN && (p->why_error == -ECONNREFUSED || p->why_error == -ETIMEDOUT))
		return "; does the target run, and are address and port right?";
	return "";
}

static int connect_first(struct iscsi_pdev *p, char *message, size_t message_len)
{
	hf_pdev_iscsi_session_start(p);
	while (p->state != ISCSI_UP && (p->state != ISCSI_DOWN || hf_timer_is_armed(&p->attempt))) {
		int rc = hf_loop_run_once(p->loop, true);

		if (rc < 0 && rc != -EINTR && rc != -ETIME && rc != -EAGAIN) {
			snprintf(message, message_len, "the event loop failed: %s", strerror(-rc));
			return rc;
		}
	}
	if (p->state == ISCSI_UP)
		return 0;
	snprintf(message, message_len, "%s: %s%s", p->name, p->why, advice(p));
	return p->why_error == -EBUSY ? -EAGAIN : p->why_error;
}

/* The host's addresses one after the other, until the target answers. */
static int connect_any(struct iscsi_pdev *p, char *message, size_t message_len)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list;
	int rc = getaddrinfo(p->where.host, NULL, &hints, &list), err = 0;

	if (rc) {
		snprintf(message, message_len,
			"the third controller's host name \"%s\" cannot be resolved: %s",
			p->where.host, gai_strerror(rc));
		return -EHOSTUNREACH;
	}
	for (const struct addrinfo *ai = list; ai; ai = ai->ai_next) {
		err = set_portal(p, ai, message, message_len);
		if (!err)
			err = connect_first(p, message, message_len);
		if (err != -ECONNREFUSED && err != -ETIMEDOUT && err != -EHOSTUNREACH)
			break;
	}
	freeaddrinfo(list);
	return err;
}

/*
 * Is it known that nothing of this controller's last process is on its way to the LUN (W9)? The
 * target has said so; or nobody was there to have anything. A target that is out of reach, or
 * that does not let the session in, may carry out tomorrow what it was sent yesterday.
 */
static bool is_over(const struct iscsi_pdev *p)
{
	return p->is_over || (p->attempts && p->refusals == p->attempts);
}

/* The word "missing" would be taken as that knowledge. */
static int keep_out(const struct iscsi_pdev *p, const struct hf_pdev_owner *owner, char *message,
	size_t message_len)
{
	char why[512];

	snprintf(why, sizeof(why), "%s", message);
	snprintf(message, message_len,
		"%s; requests of the last process of controller %u may be on their way there, and "
		"it does not start before it is known that they are over: bring the target back, "
		"or say with gone=on in the URL that it is switched off",
		why, owner->controller_id);
	return -EBUSY;
}

static int open_as(
	struct iscsi_pdev *p, const struct hf_pdev_owner *owner, char *message, size_t message_len)
{
	int err;

	name_initiator(p, owner);
	take_environment(&p->where);
	err = owner ? lock_lun(&p->pdev, owner->controller_id) : 0;
	if (err) {
		snprintf(message, message_len,
			err == -EBUSY ? "%s is in use by another process of controller %u on this "
					"machine; no two daemons may have one controller id"
				      : "%s cannot be locked for controller %u",
			p->name, owner->controller_id);
		return err;
	}
	ignore_sigpipe();
	hf_pdev_iscsi_session_init(p);
	err = connect_any(p, message, message_len);
	if (!err)
		take_info(p);
	else if (owner && !is_over(p))
		err = keep_out(p, owner, message, message_len);
	return err;
}

int hf_pdev_iscsi_open(const char *what, const struct hf_pdev_owner *owner,
	struct hf_loop *const *loops, unsigned loops_len, struct hf_pdev **ret, char *message,
	size_t message_len)
{
	struct iscsi_pdev *p = calloc(1, sizeof(*p));
	int err;

	hf_assert(loops_len > 0);
	if (!p) {
		snprintf(message, message_len, "memory is short");
		return -ENOMEM;
	}
	p->pdev.ops = &iscsi_ops;
	p->loop = loops[0];
	for (unsigned i = 0; i < HF_ARRAY_LEN(p->lock_fd); i++)
		p->lock_fd[i] = -1;
	hf_pdev_iscsi_io_init(p);
	err = hf_iscsi_url_parse(what, &p->where, message, message_len);
	if (!err) {
		const struct hf_iscsi_url *u = &p->where;

		p->hw_lun = u->lun < 256 ? u->lun : 0x4000 | u->lun; /* flat addressing */
		snprintf(p->name, sizeof(p->name), "LUN %u of %s", u->lun, u->target);
		if (u->is_gone) {
			snprintf(message, message_len,
				"%s is not tried, for its URL says that it is switched off "
				"(gone=on)",
				p->name);
			err = -ENODEV;
		} else {
			err = open_as(p, owner, message, message_len);
		}
	}
	if (err) {
		close_iscsi(&p->pdev);
		return err;
	}
	*ret = &p->pdev;
	return 0;
}
