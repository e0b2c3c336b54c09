/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * I/O on a logical device: cuts a request into pieces, one per contiguous run of a physical device,
 * and ends it when the last piece has ended. At most HF_LDEV_PIECES_INLINE pieces are out at a
 * time; a piece that ends makes room for the next one. Never allocates, never retries, never ends a
 * request while any part of it can still touch a physical device.
 */
#include "ldev.h"

#include "canary.h"

static void piece_done(struct hf_pdev_io *pio, int result);

static void end_request(struct hf_msg *msg)
{
	struct hf_ldev_io *io = hf_container_of(msg, struct hf_ldev_io, msg);

	io->done(io, io->result);
}

static struct hf_ldev_piece *free_piece(struct hf_ldev_io *io)
{
	for (unsigned i = 0; i < HF_LDEV_PIECES_INLINE; i++)
		if (!io->pieces[i].busy)
			return &io->pieces[i];
	return NULL;
}

static bool all_is_cut(const struct hf_ldev_io *io)
{
	if (io->result)
		return true; /* what has failed is not continued */
	if (io->op == HF_PDEV_FLUSH)
		return !io->flush_left;
	return io->next_offset == io->offset_bytes + io->len_bytes;
}

/* Takes the next piece off the request; false: its physical device is missing. */
static bool cut(struct hf_ldev_io *io, struct hf_ldev_piece *p, struct hf_pdev **ret_pdev)
{
	uint64_t at = io->next_offset, len;
	uint16_t pdev;

	p->io = (struct hf_pdev_io){.op = io->op, .flags = io->flags, .done = piece_done};
	if (HF_PLANTED(FORGET_FUA))
		p->io.flags &= ~(unsigned)HF_PDEV_FUA;
	if (io->op == HF_PDEV_FLUSH) {
		pdev = (uint16_t)__builtin_ctzll(io->flush_left);
		io->flush_left &= io->flush_left - 1;
		if (HF_PLANTED(FLUSH_ONE_DISK))
			io->flush_left = 0;
	} else {
		len = hf_ldev_map(io->ldev, at, io->offset_bytes + io->len_bytes - at, &pdev,
			&p->io.offset_bytes);
		p->io.len_bytes = len;
		io->next_offset = at + len;
	}
	if (io->op == HF_PDEV_READ || io->op == HF_PDEV_WRITE) {
		p->iov = (struct iovec){
			.iov_base = (uint8_t *)io->buf + (at - io->offset_bytes),
			.iov_len = p->io.len_bytes,
		};
		p->io.iov = &p->iov;
		p->io.iov_len = 1;
	}
	*ret_pdev = io->ldev->pdevs[pdev];
	return *ret_pdev;
}

/* Sends pieces while there are any, and places for them. */
static void send_pieces(struct hf_ldev_io *io)
{
	struct hf_ldev_piece *p;

	while (!all_is_cut(io) && (p = free_piece(io))) {
		struct hf_pdev *pdev;

		if (!cut(io, p, &pdev)) {
			io->result = -EIO;
			return;
		}
		p->owner = io;
		p->busy = true;
		io->pieces_out++;
		hf_pdev_submit(pdev, io->loop, &p->io);
	}
}

static void piece_done(struct hf_pdev_io *pio, int result)
{
	struct hf_ldev_piece *p = hf_container_of(pio, struct hf_ldev_piece, io);
	struct hf_ldev_io *io = p->owner;

	hf_assert(p->busy && io->pieces_out);
	p->busy = false;
	io->pieces_out--;
	if (result < 0 && !io->result)
		io->result = result;
	send_pieces(io);
	if (!io->pieces_out)
		io->done(io, io->result);
}

/* Every physical device under the logical one, once. */
static uint64_t pdevs_under(const struct hf_ldev *d)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i < d->extents_len; i++)
		mask |= UINT64_C(1) << d->extents[i].pdev;
	return mask;
}

void hf_ldev_submit(const struct hf_ldev *d, struct hf_loop *loop, struct hf_ldev_io *io)
{
	_Static_assert(HF_PDEVS_MAX <= 64, "flush_left has a bit per physical device");

	io->ldev = d;
	io->loop = loop;
	io->result = 0;
	io->pieces_out = 0;
	io->next_offset = io->offset_bytes;
	io->flush_left = io->op == HF_PDEV_FLUSH ? pdevs_under(d) : 0;
	for (unsigned i = 0; i < HF_LDEV_PIECES_INLINE; i++)
		io->pieces[i].busy = false;
	hf_assert(io->op == HF_PDEV_FLUSH ||
		  (io->offset_bytes <= d->size_bytes &&
			  io->len_bytes <= d->size_bytes - io->offset_bytes));
	send_pieces(io);
	if (io->pieces_out)
		return;
	io->msg.run = end_request;
	hf_loop_post(loop, &io->msg);
}
