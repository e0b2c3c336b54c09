/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The disks that the controllers share. A request is given to the disk, touches the medium at one
 * moment, and is finished at a later one; a crash comes between any two of these. What a dead
 * process has left in the kernel may still touch the medium; its lock is held until then.
 */
#include "format.h"
#include "pool.h"
#include "scsi.h"
#include "cmd.h"

#include <stdlib.h>

enum {
	BLOCK = 4096,
	DISK_MIB = 9,
	BLOCKS = DISK_MIB * 256,
};

struct sim_media {
	uint8_t *blocks[BLOCKS]; /* NULL: zeroes. Of the template until written to */
	bool own[BLOCKS];
	enum sim_disk_fault fault;
	unsigned per_mille;
	bool has_lied;
	struct hf_list hanging;		  /* disk_io.node */
	unsigned busy[SIM_NODES_MAX + 1]; /* requests of a dead process */
};

struct disk_pdev {
	struct hf_pdev pdev;
	unsigned disk;
	struct sim_node *node;
	uint64_t starts;
};

struct disk_io {
	struct hf_list node;
	struct hf_pdev_io *io; /* the layer's; not to be touched when its process is dead */
	struct hf_pdev_io copy;
	struct iovec iov[2];
	struct disk_pdev *pdev;
	struct sim_access *access;
	enum sim_disk_fault fault;
	bool orphan;   /* its process is dead */
	bool locks;    /* ... and its lock is held until this one has ended */
	bool landed;   /* touches the medium no more */
	uint8_t *data; /* of a write: what was given */
	int result;
};

static struct sim_media template[SIM_DISKS];
static struct disk_io *ios[4096];
static unsigned ios_len;

uint64_t sim_disk_size(void)
{
	return (uint64_t)DISK_MIB << 20;
}

/* --- the medium --- */

static void medium_read(struct sim_media *m, uint64_t at, uint8_t *buf, uint64_t len)
{
	while (len) {
		uint64_t b = at / BLOCK, n = HF_MIN(len, BLOCK - at % BLOCK);

		if (m->blocks[b])
			memcpy(buf, m->blocks[b] + at % BLOCK, n);
		else
			memset(buf, 0, n);
		at += n;
		buf += n;
		len -= n;
	}
}

static void medium_write(struct sim_media *m, uint64_t at, const uint8_t *buf, uint64_t len)
{
	while (len) {
		uint64_t b = at / BLOCK, n = HF_MIN(len, BLOCK - at % BLOCK);

		if (!m->own[b]) {
			uint8_t *fresh;

			if (!buf && !m->blocks[b])
				goto next;
			fresh = sim_alloc(BLOCK);
			if (m->blocks[b])
				memcpy(fresh, m->blocks[b], BLOCK);
			m->blocks[b] = fresh;
			m->own[b] = true;
		}
		if (buf)
			memcpy(m->blocks[b] + at % BLOCK, buf, n);
		else
			memset(m->blocks[b] + at % BLOCK, 0, n);
	next:
		at += n;
		buf = buf ? buf + n : NULL;
		len -= n;
	}
}

/* --- a request --- */

static bool is_metadata(const struct disk_io *d)
{
	return d->copy.op != HF_PDEV_FLUSH && d->copy.offset_bytes < (UINT64_C(5) << 20);
}

static void forget(struct disk_io *d)
{
	for (unsigned i = 0; i < ios_len; i++) {
		if (ios[i] == d) {
			ios[i] = ios[--ios_len];
			break;
		}
	}
	if (d->access)
		hf_list_remove(&d->access->node);
	if (d->locks)
		sim->media[d->pdev->disk].busy[d->pdev->node->id]--;
	free(d->data);
	free(d);
}

static void run_done(struct hf_msg *msg)
{
	struct hf_pdev_io *io = hf_container_of(msg, struct hf_pdev_io, msg);

	io->done(io, io->result);
}

static void finish(void *arg)
{
	struct disk_io *d = arg;

	if (!d->orphan) {
		struct hf_pdev_io *io = d->io;

		io->result = d->result;
		io->msg.run = run_done;
		hf_loop_post(io->loop, &io->msg);
	}
	forget(d);
}

static void touch(struct disk_io *d, bool dead)
{
	struct sim_media *m = &sim->media[d->pdev->disk];
	uint64_t at = d->copy.offset_bytes, len = d->copy.len_bytes;

	if (d->fault == SIM_DISK_TORN)
		len = len / 1024 * 512;
	if (d->fault == SIM_DISK_MISDIRECT)
		at = at >= (UINT64_C(3) << 20) + (64 << 10) ? at - (64 << 10) : at + (64 << 10);
	if (d->fault == SIM_DISK_LOSE)
		return;
	switch (d->copy.op) {
	case HF_PDEV_READ:
		if (dead)
			break;
		for (unsigned i = 0; i < d->io->iov_len; i++) {
			medium_read(m, at, d->io->iov[i].iov_base, d->io->iov[i].iov_len);
			at += d->io->iov[i].iov_len;
		}
		break;
	case HF_PDEV_WRITE:
		medium_write(m, at, d->data, len);
		break;
	case HF_PDEV_DISCARD:
	case HF_PDEV_WRITE_ZEROES:
		medium_write(m, at, NULL, len);
		break;
	case HF_PDEV_FLUSH:
		break;
	}
}

static uint64_t disk_delay(const struct disk_io *d)
{
	if (d->fault == SIM_DISK_SLOW)
		return sim_below(&sim->disk, 800 * SIM_MS);
	return sim_skewed(&sim->disk, 20 * SIM_US, 3 * SIM_MS);
}

static void land(void *arg)
{
	struct disk_io *d = arg;

	if (!d->landed && d->fault != SIM_DISK_EIO)
		touch(d, d->orphan);
	d->landed = true;
	d->result = d->fault == SIM_DISK_EIO || d->fault == SIM_DISK_TORN ? -EIO : 0;
	sim_after(disk_delay(d) / 4, finish, d);
}

static void go_on(struct disk_io *d)
{
	sim_after(disk_delay(d), land, d);
}

/* What happens to this request. */
static enum sim_disk_fault draw(struct sim_media *m, const struct disk_io *d)
{
	bool metadata_only = m->fault >= SIM_DISK_TORN;

	if (m->fault == SIM_DISK_OK || !sim_chance(&sim->disk, m->per_mille))
		return SIM_DISK_OK;
	if (metadata_only && (!is_metadata(d) || d->copy.op != HF_PDEV_WRITE))
		return SIM_DISK_OK;
	return m->fault;
}

/* The access of a host's command; NULL: the controller's own. */
static struct sim_access *access_of(struct disk_io *d)
{
	const struct hf_ldev_piece *piece;
	const struct hf_scsi_task *t;
	struct sim_access *a;
	struct sim_cmd *c;

	if (is_metadata(d))
		return NULL;
	piece = hf_container_of(d->io, struct hf_ldev_piece, io);
	t = hf_container_of(piece->owner, struct hf_scsi_task, io);
	c = hf_container_of(t, struct sim_cmd, t);
	if (d->copy.op == HF_PDEV_FLUSH)
		return NULL; /* moves no data of this host alone */
	sim_oracle_extent(d->pdev->disk, d->copy.offset_bytes, d->copy.len_bytes, c->dev);
	a = sim_alloc(sizeof(*a));
	a->controller = d->pdev->node->id;
	a->host = c->host;
	a->dev = c->dev;
	a->login = sim_login_of(t->session->login);
	a->class = d->copy.op == HF_PDEV_READ ? 2 : 3;
	a->since = sim->now;
	hf_list_push_back(&sim->devs[c->dev].accesses, &a->node);
	sim_count(SIM_COUNT_ACCESSES);
	sim_oracle_access(a);
	return a;
}

static void carry_out_now(struct disk_pdev *p, struct hf_pdev_io *io)
{
	struct disk_io d = {.io = io, .copy = *io, .pdev = p};

	if (io->op == HF_PDEV_WRITE) {
		uint64_t at = io->offset_bytes;

		for (unsigned i = 0; i < io->iov_len; i++) {
			medium_write(
				&sim->media[p->disk], at, io->iov[i].iov_base, io->iov[i].iov_len);
			at += io->iov[i].iov_len;
		}
	} else {
		touch(&d, false);
	}
	io->result = 0;
	io->msg.run = run_done;
	hf_loop_post(io->loop, &io->msg);
}

static void submit(struct hf_pdev *pdev, struct hf_pdev_io *io)
{
	struct disk_pdev *p = hf_container_of(pdev, struct disk_pdev, pdev);
	struct sim_media *m = &sim->media[p->disk];
	struct disk_io *d;
	uint64_t at = 0;

	hf_assert(io->op == HF_PDEV_FLUSH ||
		  io->offset_bytes + io->len_bytes <= pdev->info.size_bytes);
	/* A controller that starts waits for its disks; nothing else happens meanwhile. */
	if (!p->node || sim_booting == p->node) {
		carry_out_now(p, io);
		return;
	}
	hf_assert(ios_len < HF_ARRAY_LEN(ios));
	d = sim_alloc(sizeof(*d));
	ios[ios_len++] = d;
	hf_list_init(&d->node);
	d->io = io;
	d->copy = *io;
	d->pdev = p;
	if (io->op == HF_PDEV_WRITE) {
		d->data = sim_alloc(io->len_bytes);
		for (unsigned i = 0; i < io->iov_len; i++) {
			memcpy(d->data + at, io->iov[i].iov_base, io->iov[i].iov_len);
			at += io->iov[i].iov_len;
		}
	}
	d->access = access_of(d);
	d->fault = draw(m, d);
	if (d->fault == SIM_DISK_HANG)
		hf_list_push_back(&m->hanging, &d->node);
	else
		go_on(d);
}

static int lock(struct hf_pdev *pdev, unsigned controller_id)
{
	const struct disk_pdev *p = hf_container_of(pdev, struct disk_pdev, pdev);

	if (!p->node)
		return 0;
	return sim->media[p->disk].busy[controller_id] ? -EBUSY : 0;
}

static void close_pdev(struct hf_pdev *pdev)
{
}

static const struct hf_pdev_ops ops = {.submit = submit, .lock = lock, .close = close_pdev};

/* pdev.h */
int hf_pdev_open_owned(const char *url, const struct hf_pdev_owner *owner,
	struct hf_loop *const *loops, unsigned loops_len, struct hf_pdev **ret, char *message,
	size_t message_len)
{
	struct disk_pdev *p = sim_alloc(sizeof(*p));

	p->disk = (unsigned)(url[4] - '0'); /* "sim:N" */
	p->node = sim_booting;
	p->starts = sim_booting ? sim_booting->starts : 0;
	p->pdev.ops = &ops;
	p->pdev.info = (struct hf_pdev_info){.size_bytes = sim_disk_size(),
		.block_bytes = 512,
		.physical_block_bytes = 4096,
		.can_discard = true,
		.discard_zeroes = true};
	snprintf(p->pdev.url, sizeof(p->pdev.url), "%s", url);
	*ret = &p->pdev;
	return 0;
}

int hf_pdev_open(const char *url, struct hf_loop *const *loops, unsigned loops_len,
	struct hf_pdev **ret, char *message, size_t message_len)
{
	return hf_pdev_open_owned(url, NULL, loops, loops_len, ret, message, message_len);
}

void hf_pdev_close(struct hf_pdev *pdev)
{
	if (pdev)
		pdev->ops->close(pdev);
}

/* --- faults --- */

void sim_disk_fault(unsigned disk, enum sim_disk_fault fault, unsigned per_mille)
{
	sim->media[disk].fault = fault;
	/* What it has damaged stays damaged when the fault is over. */
	sim->media[disk].has_lied |= fault >= SIM_DISK_TORN;
	sim->disks_were_faulty = sim_disks_faulty() >= 2 ? sim->now : sim->disks_were_faulty;
	sim->media[disk].per_mille = per_mille;
}

static void release(struct sim_media *m)
{
	struct hf_list *n;

	while ((n = hf_list_pop_front(&m->hanging))) {
		struct disk_io *d = hf_list_entry(n, struct disk_io, node);

		d->fault = SIM_DISK_OK;
		go_on(d);
	}
}

void sim_disks_heal(void)
{
	for (unsigned i = 0; i < SIM_DISKS; i++) {
		if (sim_disks_faulty() >= 2)
			sim->disks_were_faulty = sim->now;
		sim->media[i].fault = SIM_DISK_OK;
		release(&sim->media[i]);
	}
}

unsigned sim_disks_faulty(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SIM_DISKS; i++)
		n += sim->media[i].fault != SIM_DISK_OK || sim->media[i].has_lied;
	return n;
}

bool sim_disk_busy(unsigned id)
{
	for (unsigned i = 0; i < SIM_DISKS; i++)
		if (sim->media[i].busy[id])
			return true;
	return false;
}

/*
 * process: what it has left in the kernel goes on, and keeps its lock. machine: what has not
 * touched the medium does so now, or half of it, or never.
 */
void sim_disk_node_down(unsigned id, bool machine)
{
	for (unsigned i = 0; i < ios_len; i++) {
		struct disk_io *d = ios[i];

		if (d->pdev->node->id != id)
			continue;
		if (machine && !d->landed) {
			if (d->fault != SIM_DISK_EIO && d->fault != SIM_DISK_LOSE)
				d->fault = sim_chance(&sim->disk, 300)	 ? SIM_DISK_TORN
					   : sim_chance(&sim->disk, 500) ? SIM_DISK_OK
									 : SIM_DISK_LOSE;
			if (d->fault != SIM_DISK_EIO)
				touch(d, true);
			d->landed = true;
		}
		if (d->orphan)
			continue;
		d->orphan = true;
		if (d->access)
			d->access->dead = true;
		if (!machine) {
			d->locks = true;
			sim->media[d->pdev->disk].busy[id]++;
		}
	}
	/* Nothing of a machine without power is in flight. */
	for (unsigned i = 0; machine && i < ios_len; i++) {
		struct disk_io *d = ios[i];

		if (d->pdev->node->id != id)
			continue;
		if (d->access) {
			hf_list_remove(&d->access->node);
			d->access = NULL;
		}
		if (d->locks) {
			d->locks = false;
			sim->media[d->pdev->disk].busy[id]--;
		}
		hf_list_remove(&d->node); /* it hangs no longer */
	}
}

/* --- creation --- */

void sim_disks_init(bool blank)
{
	char message[512];

	ios_len = 0;
	sim->media = sim_alloc(SIM_DISKS * sizeof(*sim->media));
	for (unsigned i = 0; i < SIM_DISKS; i++) {
		if (!blank) {
			memcpy(sim->media[i].blocks, template[i].blocks,
				sizeof(template[i].blocks));
		}
		hf_list_init(&sim->media[i].hanging);
	}
	for (unsigned i = 0; blank && i < SIM_DISKS; i++) {
		uint8_t uuid[HF_POOL_UUID_BYTES] = {0x51, (uint8_t)i};
		char url[8] = "sim:", name[8] = "disk";

		url[4] = name[4] = (char)('0' + i);
		if (hf_disk_init(url, "sim", name, true, uuid, true, message, sizeof(message)))
			sim_fail("setup", "%s", message);
	}
}

void sim_disks_keep(void)
{
	memcpy(template, sim->media, sizeof(template));
}
