/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `holdfast disk init` and `holdfast disk show`: labels a physical device of any kind, and shows a
 * label. Blocks; on a loop of its own. Writes to a disk only after every reason not to is ruled
 * out, and the label last, so that what is cut off half way is a disk without a label.
 */
#include "blocking.h"
#include "format.h"
#include "say.h"

#include <stdlib.h>

#define PIECE_BYTES HF_FORMAT_EXTENT_BYTES

struct init {
	const char *url;
	struct hf_loop *loop;
	struct hf_pdev *pdev;
	uint8_t *buf; /* PIECE_BYTES */
	struct hf_label label;
	char *message;
	size_t message_len;
};

#define refuse(in, error, ...) (hf_say((in)->message, (in)->message_len, __VA_ARGS__), -(error))

static int io(struct init *in, enum hf_pdev_op op, unsigned flags, uint64_t offset, void *buf,
	uint64_t len)
{
	return hf_blocking_io(in->loop, in->pdev, op, flags, offset, buf, len);
}

static int check_size(struct init *in)
{
	const struct hf_pdev_info *info = &in->pdev->info;

	if (info->block_bytes != 512 && info->block_bytes != 4096)
		return refuse(in, EINVAL, "%s has blocks of %u bytes; only 512 and 4096 are known",
			in->pdev->url, info->block_bytes);
	in->label.size_bytes = info->size_bytes;
	in->label.block_bytes = info->block_bytes;
	in->label.data_offset_bytes = hf_format_data_offset(info->size_bytes, in->label.voting);
	if (info->size_bytes < in->label.data_offset_bytes + HF_FORMAT_EXTENT_BYTES)
		return refuse(in, ENOSPC,
			"%s has %s, and a %sdisk needs at least %s; take a larger one",
			in->pdev->url, hf_size_say(info->size_bytes).text,
			in->label.voting ? "voting " : "",
			hf_size_say(in->label.data_offset_bytes + HF_FORMAT_EXTENT_BYTES).text);
	return 0;
}

/* A controller of this machine that has the disk open holds its lock. */
static int check_not_in_use(struct init *in)
{
	for (unsigned id = 0; in->pdev->ops->lock && id < HF_CONTROLLER_IDS; id++) {
		int r = in->pdev->ops->lock(in->pdev, id);

		if (r == -EBUSY)
			return refuse(in, EBUSY,
				"%s is in use by controller %u on this machine; stop that first",
				in->pdev->url, id);
		if (r < 0)
			return refuse(
				in, -r, "%s cannot be locked: %s", in->pdev->url, strerror(-r));
	}
	return 0;
}

static int check_empty(struct init *in)
{
	struct hf_label old;
	char said[256];
	int r = io(in, HF_PDEV_READ, 0, 0, in->buf, PIECE_BYTES);

	if (r < 0)
		return refuse(in, -r, "%s cannot be read: %s", in->pdev->url, strerror(-r));
	for (unsigned copy = 0; copy < 2; copy++) {
		r = hf_label_decode(in->buf + (copy ? HF_FORMAT_LABEL_BACKUP_OFFSET : 0), &old,
			said, sizeof(said));
		if (r == -ENOENT)
			continue;
		return refuse(in, EEXIST,
			"%s bears a Holdfast label already%s%s%s; if nothing on it is needed, "
			"repeat with --force",
			in->pdev->url, r ? "" : " ('", r ? "" : old.name, r ? "" : "')");
	}
	for (size_t i = 0; i < PIECE_BYTES; i++)
		if (in->buf[i])
			return refuse(in, ENOTEMPTY,
				"%s is not empty: byte %zu is not zero; if nothing on it is "
				"needed, repeat with --force",
				in->pdev->url, i);
	return 0;
}

/* A record that finds its disk full would be in doubt (W15): what is Holdfast's has its place from
 * the start. */
static int reserve(struct init *in)
{
	int r = hf_pdev_reserve(in->pdev, 0, in->label.data_offset_bytes);

	if (r == 0 || r == -EOPNOTSUPP) /* wipe() writes zeroes then */
		return 0;
	return refuse(in, -r,
		"%s needs %s in front of its data, for label and records, and cannot get them: "
		"%s; make room there and try again; nothing on it has been changed",
		in->pdev->url, hf_size_say(in->label.data_offset_bytes).text, strerror(-r));
}

/* Everything that is Holdfast's, labels first; so that no old record is taken for a new one. */
static int wipe(struct init *in)
{
	int r = 0;

	memset(in->buf, 0, PIECE_BYTES);
	for (uint64_t at = 0; at < in->label.data_offset_bytes && !r; at += PIECE_BYTES) {
		if (at)
			r = io(in, HF_PDEV_WRITE_ZEROES, 0, at, NULL, PIECE_BYTES);
		if (!at || r == -EOPNOTSUPP)
			r = io(in, HF_PDEV_WRITE, HF_PDEV_FUA, at, in->buf, PIECE_BYTES);
	}
	return r ? r : io(in, HF_PDEV_FLUSH, 0, 0, NULL, 0);
}

/* The second copy first: a disk with a first copy is complete. */
static int write_label(struct init *in)
{
	static const uint64_t at[] = {HF_FORMAT_LABEL_BACKUP_OFFSET, HF_FORMAT_LABEL_OFFSET};
	uint8_t *back = in->buf + HF_FORMAT_BLOCK_BYTES;
	int r = 0;

	hf_label_encode(&in->label, in->buf);
	for (unsigned i = 0; i < HF_ARRAY_LEN(at) && !r; i++) {
		r = io(in, HF_PDEV_WRITE, HF_PDEV_FUA, at[i], in->buf, HF_FORMAT_BLOCK_BYTES);
		if (!r)
			r = io(in, HF_PDEV_FLUSH, 0, 0, NULL, 0);
		if (!r)
			r = io(in, HF_PDEV_READ, 0, at[i], back, HF_FORMAT_BLOCK_BYTES);
		if (!r && memcmp(in->buf, back, HF_FORMAT_BLOCK_BYTES) != 0)
			r = -EIO;
	}
	return r;
}

static int init_open_disk(struct init *in, bool force)
{
	int r;

	if ((r = check_size(in)) || (r = check_not_in_use(in)) ||
		(!force && (r = check_empty(in))) || (r = reserve(in)))
		return r;
	if ((r = wipe(in)) || (r = write_label(in)))
		return refuse(in, -r, "%s cannot be written: %s; it bears no valid label now",
			in->pdev->url, strerror(-r));
	return 0;
}

/* Opens url on a loop of its own. */
static int open_disk(struct init *in)
{
	static const struct hf_loop_options options = {.entries = 64, .buf_bytes = 1 << 20};
	int r = hf_loop_create(0, &options, &in->loop);

	if (r < 0)
		return refuse(in, -r, "the kernel gives no io_uring: %s", strerror(-r));
	in->buf = aligned_alloc(HF_FORMAT_BLOCK_BYTES, PIECE_BYTES);
	if (!in->buf)
		return refuse(in, ENOMEM, "no memory to read %s", in->url);
	return hf_pdev_open(in->url, &in->loop, 1, &in->pdev, in->message, in->message_len);
}

static void close_disk(struct init *in)
{
	hf_pdev_close(in->pdev);
	hf_loop_destroy(in->loop);
	free(in->buf);
}

int hf_disk_init(const char *url, const char *cluster_name, const char *pdev_name, bool voting,
	const uint8_t uuid[HF_POOL_UUID_BYTES], bool force, char *message, size_t message_len)
{
	struct init in = {.url = url, .message = message, .message_len = message_len};
	char name[HF_NAME_MAX + 2] = "";
	int r;

	(void)snprintf(name, sizeof(name), "%s", pdev_name);
	if (!hf_name_is_valid(name))
		return refuse(&in, EINVAL,
			"'%s' is no name for a disk; use 1 to %d letters, digits and . _ - :, a "
			"letter or digit first",
			pdev_name, HF_NAME_MAX);
	memcpy(in.label.name, name, sizeof(in.label.name));
	memcpy(in.label.uuid, uuid, sizeof(in.label.uuid));
	hf_cluster_id(cluster_name, in.label.cluster);
	in.label.format_version = HF_FORMAT_VERSION;
	in.label.voting = voting;
	r = open_disk(&in);
	if (!r)
		r = init_open_disk(&in, force);
	close_disk(&in);
	return r;
}

int hf_disk_show(const char *url, struct hf_label *ret, char *message, size_t message_len)
{
	struct init in = {.url = url, .message = message, .message_len = message_len};
	int r = open_disk(&in);

	if (!r)
		r = hf_blocking_read_label(in.loop, in.pdev, &in.label, message, message_len);
	if (!r)
		*ret = in.label;
	close_disk(&in);
	return r;
}
