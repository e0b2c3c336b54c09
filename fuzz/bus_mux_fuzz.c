/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stream over several links, fed with frames that a peer might send, true and false. Two
 * streams talk to each other; the input says what is sent, which frames arrive, what is forged.
 * Whatever comes: messages of the honest half arrive in order, once each, unchanged.
 */
#include "mux.h"

#include "bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA = 32 << 10, BEAT_NS = 1000000, SILENCE_NS = 8000000 };

struct side {
	struct hf_mux mux;
	uint8_t arena[ARENA];
	uint64_t sent, got; /* messages; each carries its number */
	bool lied_to;	    /* has had a forged frame: anything may have been made up */
};

static struct side sides[2];
static uint64_t now;

static void begin(void)
{
	now += 1;
	for (int i = 0; i < 2; i++) {
		hf_mux_begin(&sides[i].mux, now);
		sides[i].sent = sides[i].got = 0;
		sides[i].lied_to = false;
	}
}

static void link_up(unsigned link)
{
	for (int i = 0; i < 2; i++)
		if (sides[i].mux.begun && !sides[i].mux.links[link].up)
			hf_mux_link_up(&sides[i].mux, link, now, now);
}

static void link_down(unsigned link)
{
	for (int i = 0; i < 2; i++)
		hf_mux_link_down(&sides[i].mux, link, now);
}

static void send(struct side *s, size_t len)
{
	static const uint8_t body[HF_MUX_PAYLOAD_MAX + 8];
	uint8_t head[8];

	hf_put_be64(head, s->sent + 1);
	if (hf_mux_send(&s->mux, head, sizeof(head), body, len, now) == 0)
		s->sent++;
	hf_assert(hf_mux_unacked_bytes(&s->mux) <= ARENA);
}

static void receive(struct side *s, unsigned link, const uint8_t *frame, size_t len, bool forged)
{
	const uint8_t *payload = NULL;
	size_t payload_len = 0;
	int r;

	if (!s->mux.begun || !s->mux.links[link].up)
		return;
	s->lied_to |= forged;
	r = hf_mux_receive(&s->mux, link, frame, len, now, &payload, &payload_len);
	hf_assert(r == -EBADMSG || r == 0 || r == 1);
	if (s->lied_to) {
		if (r < 0)
			link_down(link);
		return;
	}
	hf_assert(r >= 0);
	if (r == 1) {
		hf_assert(payload_len >= 8 && hf_get_be64(payload) == ++s->got);
		hf_assert(payload + payload_len == frame + len);
	}
}

/* The next frame of a side on a link arrives, or is lost with the link. */
static void carry(struct side *from, struct side *to, unsigned link, bool lose)
{
	static uint8_t frame[HF_MUX_FRAME_MAX];
	size_t len = hf_mux_next(&from->mux, link, now, frame);

	hf_assert(len <= sizeof(frame));
	if (len && lose)
		link_down(link);
	else if (len)
		receive(to, link, frame, len, from->lied_to);
}

static void tick(void)
{
	uint32_t silent;

	now += BEAT_NS / 2;
	for (int i = 0; i < 2; i++) {
		if (hf_mux_tick(&sides[i].mux, now, &silent))
			hf_mux_end(&sides[i].mux);
		for (unsigned k = 0; k < HF_MUX_LINKS_MAX; k++)
			if (silent >> k & 1)
				link_down(k);
	}
	hf_assert(hf_mux_tick_ns(&sides[0].mux) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hf_rd r = hf_rd_of(data, size);

	now = 1;
	for (int i = 0; i < 2; i++)
		hf_mux_init(&sides[i].mux, sides[i].arena, ARENA, SILENCE_NS, i ? BEAT_NS : 0);
	begin();
	link_up(0);
	for (unsigned n = 0; n < 400 && hf_rd_left(&r); n++) {
		uint8_t what = hf_rd_u8(&r), arg = hf_rd_u8(&r);
		struct side *s = &sides[what >> 7], *other = &sides[!(what >> 7)];
		unsigned link = what >> 5 & 3;

		switch (what & 7) {
		case 0:
			link_up(link);
			break;
		case 1:
			link_down(link);
			break;
		case 2:
			send(s, arg * 65u);
			break;
		case 3:
			carry(s, other, link, arg == 255);
			break;
		case 4:
			tick();
			break;
		case 5:
			arg = (uint8_t)HF_MIN((size_t)arg, hf_rd_left(&r));
			receive(s, link, r.at, arg, true);
			hf_rd_take(&r, arg);
			break;
		case 6:
			for (unsigned k = 0; k < arg; k++)
				carry(s, other, link, false);
			break;
		default:
			if (!sides[0].mux.begun || !sides[1].mux.begun || arg == 0)
				begin();
			break;
		}
	}
	return 0;
}
