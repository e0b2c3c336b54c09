/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The disks that the controllers share. A request is given to the disk, touches the medium at one
 * moment, and is finished at a later one; a crash comes between any two of these. What a dead
 * process has left in the kernel may still touch the medium; its lock is held until then.
 *
 * A disk has a cache (cache.c): what touches it is there for all readers at once, and may be gone
 * after a power failure of the disk unless it was written with FUA or flushed.
 */
#include "cache.h"
#include "cmd.h"
#include "disk.h"
#include "format.h"
#include "pool.h"
#include "scsi.h"

#include <stdlib.h>

struct sim_media {
	struct sim_cache cache;
	/* 0: its own; else of this controller's way to it */
	struct sim_way_fault {
		enum sim_disk_fault fault;
		unsigned per_mille;
	} faults[SIM_NODES_MAX + 1];
	bool has_lied;		/* what it keeps may be torn, or older than it said ... */
	bool has_lost;		/* ... and what is there of it, too */
	uint64_t slow_until;	/* what a slow disk was given is out so long after its fault */
	struct hf_list hanging; /* disk_io.node */
	unsigned busy[SIM_NODES_MAX + 1]; /* requests of a dead process */
};

struct disk_io {
	struct hf_list node;
	struct hf_pdev_io *io; /* the layer's; not to be touched when its process is dead */
	struct hf_pdev_io copy;
	struct iovec iov[2];
	struct sim_pdev *pdev;
	struct sim_access *access;
	enum sim_disk_fault fault;
	bool orphan;  /* its process is dead */
	bool locks;   /* ... and its lock is held until this one has ended */
	bool arrived; /* at the disk, which may still refuse it */
	bool blocked; /* on its way, and would be refused now: `access` is not counted */
	bool refused;
	bool landed;	/* touches the medium no more */
	uint8_t *data;	/* of a write: what was given */
	uint64_t since; /* sim_cache_now() when it was given */
	int result;
};

static struct sim_cache template[SIM_DISKS];
static struct disk_io *ios[4096];
static unsigned ios_len;

uint64_t sim_disk_size(void)
{
	return (uint64_t)SIM_DISK_MIB << 20;
}

/* --- a request --- */

static bool is_metadata(const struct disk_io *d)
{
	return d->copy.op != HF_PDEV_FLUSH && d->copy.offset_bytes < (UINT64_C(5) << 20);
}

/* It can touch the medium no more. */
static void leave(struct disk_io *d)
{
	if (d->access)
		hf_list_remove(&d->access->node);
	d->access = NULL;
}

static void unlock(struct disk_io *d)
{
	if (d->locks)
		sim->media[d->pdev->disk].busy[d->pdev->node->id]--;
	d->locks = false;
}

static void forget(struct disk_io *d)
{
	for (unsigned i = 0; i < ios_len; i++) {
		if (ios[i] == d) {
			ios[i] = ios[--ios_len];
			break;
		}
	}
	leave(d);
	unlock(d);
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

	if (d->result == 0 && d->copy.op != HF_PDEV_READ && d->copy.op != HF_PDEV_FLUSH)
		sim_cache_finished(
			&sim->media[d->pdev->disk].cache, d->copy.offset_bytes, d->copy.len_bytes);
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
	struct sim_cache *c = &sim->media[d->pdev->disk].cache;
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
			sim_cache_read(c, at, d->io->iov[i].iov_base, d->io->iov[i].iov_len);
			at += d->io->iov[i].iov_len;
		}
		break;
	case HF_PDEV_WRITE:
	case HF_PDEV_DISCARD:
	case HF_PDEV_WRITE_ZEROES:
		sim_cache_write(c, at, d->data, len, d->copy.flags & HF_PDEV_FUA);
		break;
	case HF_PDEV_FLUSH:
		sim_cache_flush(c, d->since);
		break;
	}
}

static bool is_permitted(const struct disk_io *d)
{
	return !sim->luns || d->copy.op == HF_PDEV_FLUSH ||
	       sim_lun_permits(d->pdev->disk, d->pdev->node->id, d->copy.op);
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
	else if (d->landed)
		d->fault = SIM_DISK_EIO; /* its disk has lost its power meanwhile */
	leave(d);			 /* it does no more on the medium */
	d->landed = true;
	d->result = d->refused						    ? -EBADE
		    : d->fault == SIM_DISK_EIO || d->fault == SIM_DISK_TORN ? -EIO
									    : 0;
	sim_after(disk_delay(d) / 4, finish, d);
}

/*
 * A disk that hangs takes no more commands. But for one controller of a pair it takes them, carries
 * out those for reservations and leaves the others: what has been given to it stays there until
 * somebody aborts it.
 */
static bool takes_all(const struct sim_media *m, unsigned controller)
{
	return sim->luns && !sim->group && m->faults[controller].fault == SIM_DISK_HANG;
}

/* Reservations count as a request comes to the disk; later only an abort stops it. */
static void arrive(void *arg)
{
	struct disk_io *d = arg;
	struct sim_media *m = &sim->media[d->pdev->disk];

	if (!d->landed && !is_permitted(d)) {
		leave(d);
		d->landed = d->refused = true;
	}
	d->arrived = true;
	if (d->fault == SIM_DISK_HANG && !d->landed && takes_all(m, d->pdev->node->id))
		hf_list_push_back(&m->hanging, &d->node);
	else
		sim_after(disk_delay(d) / 2, land, d);
}

static void go_on(struct disk_io *d)
{
	if (d->arrived)
		sim_after(disk_delay(d) / 2, land, d);
	else if (sim->luns)
		sim_after(disk_delay(d) / 2, arrive, d);
	else
		sim_after(disk_delay(d), land, d);
}

void sim_disk_abort(unsigned disk, unsigned controller)
{
	for (unsigned i = 0; i < ios_len; i++) {
		struct disk_io *d = ios[i];

		if (d->pdev->disk != disk || d->pdev->node->id != controller || !d->arrived ||
			d->landed)
			continue;
		if (d->access)
			sim_say("  a %s of host %u", d->access->class == 2 ? "read" : "write",
				d->access->host);
		leave(d);
		d->landed = true;
	}
}

void sim_disk_look_again(unsigned disk)
{
	for (unsigned i = 0; i < ios_len; i++) {
		struct disk_io *d = ios[i];

		if (d->pdev->disk != disk || !d->access || d->arrived || d->landed ||
			d->blocked == !is_permitted(d))
			continue;
		d->blocked = !d->blocked;
		if (d->blocked) {
			hf_list_remove(&d->access->node);
		} else {
			hf_list_push_back(&sim->devs[d->access->dev].accesses, &d->access->node);
			sim_oracle_access(d->access);
		}
	}
}

/* A new session of a controller ends what the one before has left there (pdev.h). */
static void reinstate(unsigned disk, unsigned controller)
{
	for (unsigned i = 0; i < ios_len; i++) {
		struct disk_io *d = ios[i];

		if (d->pdev->disk != disk || d->pdev->node->id != controller || !d->orphan)
			continue;
		leave(d);
		unlock(d);
		d->landed = true;
	}
}

/* What happens to this request. */
static enum sim_disk_fault draw_one(const struct sim_way_fault *f)
{
	if (f->fault == SIM_DISK_OK || !sim_chance(&sim->disk, f->per_mille))
		return SIM_DISK_OK;
	return f->fault;
}

static enum sim_disk_fault draw(const struct sim_media *m, const struct disk_io *d)
{
	enum sim_disk_fault fault = draw_one(&m->faults[d->pdev->node->id]);

	if (fault == SIM_DISK_OK)
		fault = draw_one(&m->faults[0]);
	if (fault >= SIM_DISK_TORN && (!is_metadata(d) || d->copy.op != HF_PDEV_WRITE))
		return SIM_DISK_OK;
	return fault;
}

enum sim_disk_fault sim_disk_draw(unsigned disk, unsigned controller)
{
	const struct sim_media *m = &sim->media[disk];
	enum sim_disk_fault fault = draw_one(&m->faults[controller]);

	if (fault == SIM_DISK_OK && m->faults[0].fault < SIM_DISK_TORN)
		fault = draw_one(&m->faults[0]);
	return fault == SIM_DISK_HANG && takes_all(m, controller) ? SIM_DISK_OK : fault;
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
	a->goes_on = c->moves;
	c->moves = true;
	hf_list_init(&a->node);
	sim_count(SIM_COUNT_ACCESSES);
	d->blocked = !is_permitted(d); /* the disk does not let its controller in */
	if (d->blocked)
		return a;
	hf_list_push_back(&sim->devs[c->dev].accesses, &a->node);
	sim_oracle_access(a);
	return a;
}

static uint8_t *data_of(const struct hf_pdev_io *io)
{
	uint8_t *data;
	uint64_t at = 0;

	if (io->op != HF_PDEV_WRITE)
		return NULL;
	data = sim_alloc(io->len_bytes);
	for (unsigned i = 0; i < io->iov_len; i++) {
		memcpy(data + at, io->iov[i].iov_base, io->iov[i].iov_len);
		at += io->iov[i].iov_len;
	}
	return data;
}

/* Not even the login, which would end what the process before has left there. */
static bool hangs_at_start(const struct sim_pdev *p)
{
	return sim->group && p->node &&
	       sim->media[p->disk].faults[p->node->id].fault == SIM_DISK_HANG;
}

/* It does not answer who starts now, who does without it until it is started again. */
bool sim_disk_is_silent(const struct sim_pdev *p)
{
	const struct sim_way_fault *own = sim->media[p->disk].faults, *way;

	if (!sim->group || !p->node)
		return false;
	way = &own[p->node->id];
	return (own->fault == SIM_DISK_EIO && own->per_mille == 1000) ||
	       way->fault == SIM_DISK_EIO || way->fault == SIM_DISK_HANG;
}

static void carry_out_now(struct sim_pdev *p, struct hf_pdev_io *io)
{
	struct sim_cache *c = &sim->media[p->disk].cache;
	struct disk_io d = {
		.io = io, .copy = *io, .pdev = p, .data = data_of(io), .since = sim_cache_now(c)};

	io->result = sim_disk_is_silent(p) ? -EIO : p->node && !is_permitted(&d) ? -EBADE : 0;
	if (!io->result)
		touch(&d, false);
	if (!io->result && io->op != HF_PDEV_READ && io->op != HF_PDEV_FLUSH)
		sim_cache_finished(c, io->offset_bytes, io->len_bytes);
	free(d.data);
	io->msg.run = run_done;
	hf_loop_post(io->loop, &io->msg);
}

static void submit(struct hf_pdev *pdev, struct hf_pdev_io *io)
{
	struct sim_pdev *p = hf_container_of(pdev, struct sim_pdev, pdev);
	struct sim_media *m = &sim->media[p->disk];
	struct disk_io *d;

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
	d->data = data_of(io);
	d->since = sim_cache_now(&m->cache);
	d->access = access_of(d);
	d->fault = draw(m, d);
	if (d->fault == SIM_DISK_HANG && !takes_all(m, p->node->id))
		hf_list_push_back(&m->hanging, &d->node);
	else
		go_on(d);
}

static int lock(struct hf_pdev *pdev, unsigned controller_id)
{
	const struct sim_pdev *p = hf_container_of(pdev, struct sim_pdev, pdev);

	if (!p->node)
		return 0;
	return sim->media[p->disk].busy[controller_id] ? -EBUSY : 0;
}

static void close_pdev(struct hf_pdev *pdev)
{
}

static const struct hf_pdev_ops ops = {.submit = submit, .lock = lock, .close = close_pdev};
static const struct hf_pdev_ops lun_ops = {
	.submit = submit, .pr = sim_lun_pr, .lock = lock, .close = close_pdev};

/* pdev.h */
int hf_pdev_open_owned(const char *url, const struct hf_pdev_owner *owner,
	struct hf_loop *const *loops, unsigned loops_len, struct hf_pdev **ret, char *message,
	size_t message_len)
{
	struct sim_pdev *p = sim_alloc(sizeof(*p));

	p->disk = (unsigned)(url[4] - '0'); /* "sim:N" */
	p->node = sim_booting;
	p->starts = sim_booting ? sim_booting->starts : 0;
	/* The loops of a machine begin with its clock, not with one of their own. */
	for (unsigned i = 0; sim_booting && i < loops_len; i++)
		if (hf_loop_now_ns(loops[i]) < sim_node_clock(sim_booting))
			hf_loop_sim_set_now(loops[i], sim_node_clock(sim_booting));
	if (sim->luns && owner && hangs_at_start(p)) {
		snprintf(message, message_len, "%s: no end of the login", url);
		return -EBUSY;
	}
	if (sim->luns && owner && !hangs_at_start(p))
		reinstate(p->disk, owner->controller_id);
	p->pdev.ops = sim->luns ? &lun_ops : &ops;
	p->pdev.info = (struct hf_pdev_info){.size_bytes = sim_disk_size(),
		.block_bytes = 512,
		.physical_block_bytes = 4096,
		.can_discard = true,
		.can_fence = sim->luns,
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

bool sim_disk_is_missed(unsigned disk, const struct sim_node *n)
{
	return n->running && !hf_pool_pdev(n->node->disks, disk);
}

/* The greatest number tells more than the others. */
static enum sim_disk_fault worst(unsigned disk)
{
	enum sim_disk_fault fault = SIM_DISK_OK;

	for (unsigned i = 0; i < sim->nodes_len; i++)
		if (sim_disk_is_missed(disk, &sim->nodes[i]))
			fault = SIM_DISK_EIO;
	for (unsigned i = 0; i < HF_ARRAY_LEN(sim->media[disk].faults); i++)
		fault = HF_MAX(fault, sim->media[disk].faults[i].fault);
	return fault;
}

/*
 * A disk that says it has written what it has not, and another one that refuses: what one disk of
 * three keeps would be believed to stand on most of them. No record is promised to survive that;
 * nor that the other one refuses later, before all has been written again.
 */
static bool are_too_much(const struct sim_media *other, enum sim_disk_fault worst_of_other,
	enum sim_disk_fault fault)
{
	if (other->has_lost && (fault == SIM_DISK_EIO || fault == SIM_DISK_HANG))
		return true;
	return worst_of_other != SIM_DISK_OK &&
	       (fault > SIM_DISK_TORN || worst_of_other > SIM_DISK_TORN);
}

static bool is_too_much(unsigned disk, enum sim_disk_fault fault)
{
	for (unsigned i = 0; i < SIM_DISKS; i++)
		if (i != disk && are_too_much(&sim->media[i], worst(i), fault))
			return true;
	return false;
}

void sim_disk_fault(
	unsigned disk, enum sim_disk_fault fault, unsigned per_mille, unsigned controller)
{
	if (is_too_much(disk, fault))
		return;
	sim->media[disk].faults[controller] = (struct sim_way_fault){fault, per_mille};
	if (controller)
		sim_say("the way of controller %u to disk %u has that fault", controller, disk);
	else
		sim_say("disk %u has that fault", disk);
	/* What it has damaged stays damaged when the fault is over. */
	sim->media[disk].has_lied |= fault >= SIM_DISK_TORN;
	sim->media[disk].has_lost |= fault > SIM_DISK_TORN;
	sim->disks_were_faulty = sim_disks_faulty() >= 2 ? sim->now : sim->disks_were_faulty;
}

static void release(struct sim_media *m)
{
	struct hf_list *n;

	sim_lun_release();
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
		for (unsigned k = 0; k < HF_ARRAY_LEN(sim->media[i].faults); k++)
			if (sim->media[i].faults[k].fault == SIM_DISK_SLOW)
				sim->media[i].slow_until = sim->now + SIM_SECOND;
		memset(sim->media[i].faults, 0, sizeof(sim->media[i].faults));
		release(&sim->media[i]);
	}
}

unsigned sim_disks_faulty(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SIM_DISKS; i++)
		n += worst(i) != SIM_DISK_OK || sim->media[i].has_lied ||
		     sim->now < sim->media[i].slow_until;
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
		leave(d);
		unlock(d);
		hf_list_remove(&d->node); /* it hangs no longer */
	}
}

/* What is in flight fails, and has touched the medium in part; of the cache some is lost. */
void sim_disk_power_fails(unsigned disk)
{
	struct sim_media *m = &sim->media[disk];

	sim_oracle_power_failed();
	for (unsigned i = 0; i < ios_len; i++) {
		struct disk_io *d = ios[i];
		bool writes = d->copy.op != HF_PDEV_READ && d->copy.op != HF_PDEV_FLUSH;

		if (d->pdev->disk != disk)
			continue;
		if (!d->landed && writes && d->fault < SIM_DISK_TORN && d->fault != SIM_DISK_EIO) {
			d->fault = sim_chance(&sim->disk, 300)	 ? SIM_DISK_TORN
				   : sim_chance(&sim->disk, 500) ? SIM_DISK_OK
								 : SIM_DISK_LOSE;
			touch(d, true);
		}
		d->landed = true;
		d->result = -EIO;
	}
	sim_cache_lose(&m->cache);
	sim_lun_power_fails(disk);
	while (!hf_list_is_empty(&m->hanging))
		go_on(hf_list_entry(hf_list_pop_front(&m->hanging), struct disk_io, node));
}

/* --- creation --- */

void sim_disks_init(bool blank)
{
	char message[512];

	ios_len = 0;
	sim_lun_init();
	sim->media = sim_alloc(SIM_DISKS * sizeof(*sim->media));
	for (unsigned i = 0; i < SIM_DISKS; i++) {
		if (!blank) {
			sim_cache_begin(&sim->media[i].cache, &template[i]);
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
	for (unsigned i = 0; i < SIM_DISKS; i++)
		template[i] = sim->media[i].cache;
}
