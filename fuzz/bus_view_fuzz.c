/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One controller's view machine against a peer that may say anything, records that may hold
 * anything, and an owner whose reads, writes and loads end well or badly. Whatever comes: no
 * assertion, one job at a time, the epoch never falls while the state is live, and who does not
 * serve is not in `serving`.
 */
#include "view.h"

#include "bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct hf_view_machine v;
static struct hf_view_update u;
static uint8_t disk[HF_VIEW_RECORD_BYTES_MAX];
static int disk_len;
static bool reading, writing, loading, left;
static struct hf_view_record to_write;

static void perform(const struct hf_view_effect *e)
{
	uint8_t buf[HF_VIEW_MSG_MAX];

	switch (e->kind) {
	case HF_VIEW_DO_READ:
		hf_assert(!reading && !writing);
		reading = true;
		break;
	case HF_VIEW_DO_WRITE:
		hf_assert(!reading && !writing);
		hf_assert(e->record.epoch && e->record.members >> v.id & 1); /* W8 */
		writing = true;
		to_write = e->record;
		break;
	case HF_VIEW_DO_LOAD:
		hf_assert(!loading);
		loading = true;
		break;
	case HF_VIEW_DO_SEND:
		hf_assert(hf_view_msg_encode(&e->msg, buf, sizeof(buf)) > 0);
		break;
	case HF_VIEW_DO_LEFT:
		hf_assert(!left);
		left = true;
		break;
	default:
		break;
	}
}

static void step(const struct hf_view_event *ev)
{
	hf_view_step(&v, ev, &u);
	for (unsigned i = 0; i < u.len; i++)
		perform(&u.effects[i]);
	hf_assert(memchr(v.view.why, 0, sizeof(v.view.why)));
	if (v.view.state == HF_VIEW_OUT)
		hf_assert(!(v.view.serving >> v.id & 1));
}

/* Numbers that the machine knows are likelier than others. */
static uint64_t number(struct hf_rd *r)
{
	uint8_t which = hf_rd_u8(r);

	switch (which & 7) {
	case 0:
		return v.view.epoch + (which >> 3) - 4;
	case 1:
		return v.incarnation;
	case 2:
		return v.member_incarnation;
	default:
		return which >> 3;
	}
}

static void receive(struct hf_rd *r)
{
	struct hf_view_msg m = {.kind = 1 + hf_rd_u8(r) % 6, .state = hf_rd_u8(r) % 7};
	struct hf_view_event ev = {.kind = HF_VIEW_RECEIVE, .msg = &m};
	uint8_t bits = hf_rd_u8(r), buf[HF_VIEW_MSG_MAX];
	int len;

	m.live = bits & 1;
	m.epoch = number(r);
	m.members = bits & 6;
	m.own = number(r);
	m.peer = number(r);
	m.digest = bits >> 3 & 1;
	memcpy(m.sentence, "the peer says no", 17);
	len = hf_view_msg_encode(&m, buf, sizeof(buf));
	if (v.up && hf_view_msg_decode(buf, (size_t)len, &m) == 0)
		step(&ev);
}

static void read_ends(struct hf_rd *r)
{
	struct hf_view_event ev = {.kind = HF_VIEW_READ, .record = disk, .result = disk_len};
	uint8_t how = hf_rd_u8(r);
	struct hf_view_record other = {.epoch = number(r), .members = how >> 4 & 6};

	if (!reading)
		return;
	reading = false;
	if ((how & 7) == 1) {
		ev.result = -EIO;
	} else if ((how & 7) == 2) {
		ev.result = -EBADMSG;
	} else if ((how & 7) == 3) { /* somebody else has written */
		other.incarnations[1] = other.members & 2 ? number(r) : 0;
		other.incarnations[2] = other.members & 4 ? number(r) : 0;
		disk_len = hf_view_record_encode(&other, disk, sizeof(disk));
		ev.result = disk_len;
	}
	step(&ev);
}

static void write_ends(struct hf_rd *r)
{
	struct hf_view_event ev = {.kind = HF_VIEW_WRITTEN};
	uint8_t how = hf_rd_u8(r);

	if (!writing)
		return;
	writing = false;
	if (!(how & 2))
		disk_len = hf_view_record_encode(&to_write, disk, sizeof(disk));
	ev.result = how & 1 ? (how & 4 ? -EIO : -EINPROGRESS) : 0;
	step(&ev);
}

static void load_ends(struct hf_rd *r)
{
	struct hf_view_event ev = {.kind = HF_VIEW_LOADED, .result = hf_rd_u8(r) & 1 ? -EIO : 0};

	if (!loading)
		return;
	loading = false;
	step(&ev);
}

static void word(struct hf_rd *r)
{
	static char message[HF_VIEW_SENTENCE_MAX];
	struct hf_view_event ev = {0};
	uint8_t which = hf_rd_u8(r);

	ev.may_lose = which & 4;
	switch (which & 3) {
	case 0:
		ev.kind = HF_VIEW_WORD_PEER_DOWN;
		if (hf_view_may_peer_down(&v, message, sizeof(message)))
			return;
		break;
	case 1:
		ev.kind = HF_VIEW_WORD_ALONE;
		if (hf_view_may_go_alone(&v, ev.may_lose, message, sizeof(message)))
			return;
		break;
	case 2:
		ev.kind = HF_VIEW_WORD_LEAVE;
		if (v.leaving || left)
			return;
		break;
	default:
		ev.kind = HF_VIEW_REFUSED;
		ev.sentence = "the configurations differ";
		if (v.up)
			return;
		break;
	}
	step(&ev);
}

static void link(struct hf_rd *r)
{
	struct hf_view_event ev = {.sentence = "nothing was heard", .incarnation = number(r)};

	ev.kind = v.up ? HF_VIEW_DOWN : HF_VIEW_UP;
	step(&ev);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hf_rd r = hf_rd_of(data, size);
	uint8_t how = hf_rd_u8(&r);
	struct hf_view_event ev = {.kind = HF_VIEW_START};

	reading = writing = loading = left = false;
	disk_len = 0;
	hf_view_init(&v, 1 + (how & 1), how & 2 ? 0 : 2 - (how & 1), 10);
	step(&ev);
	for (unsigned n = 0; n < 300 && hf_rd_left(&r); n++) {
		switch (hf_rd_u8(&r) & 7) {
		case 0:
			link(&r);
			break;
		case 1:
			receive(&r);
			break;
		case 2:
			read_ends(&r);
			break;
		case 3:
			write_ends(&r);
			break;
		case 4:
			load_ends(&r);
			break;
		case 5:
			word(&r);
			break;
		case 6:
			ev = (struct hf_view_event){.kind = HF_VIEW_TICK};
			step(&ev);
			break;
		default:
			ev = (struct hf_view_event){
				.kind = HF_VIEW_INSTALLED, .digest = hf_rd_u8(&r) & 1};
			step(&ev);
			break;
		}
	}
	return 0;
}
