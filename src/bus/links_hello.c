/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What happens on one connection: TLS is done, HELLO and ACCEPT cross, the link joins the stream,
 * frames go to the stream and back. A connection that fails on the way changes nothing.
 */
#include "links.h"

#include "log.h"

#include <stdio.h>

static struct hf_links_slot *slot_of(struct hf_conn *c)
{
	return hf_container_of(c, struct hf_links_slot, conn);
}

static void conn_open(struct hf_conn *c)
{
	struct hf_links_slot *s = slot_of(c);

	s->phase = HF_LINKS_HELLO;
	s->send_hello = true;
	hf_bus_conn_kick(c);
}

static void own_hello(const struct hf_links *l, struct hf_hello *h)
{
	hf_hello_init(h);
	if (l->config.version_min)
		h->version_min = l->config.version_min;
	if (l->config.version_max)
		h->version_max = l->config.version_max;
	memcpy(h->cluster, l->config.cluster, sizeof(h->cluster));
	h->id = l->config.own_id;
	h->config_digest = l->config.config_digest;
}

static size_t put_hello(struct hf_links_slot *s, uint8_t *buf)
{
	const struct hf_links *l = s->links;
	struct hf_hello h;

	own_hello(l, &h);
	h.link = s->link;
	h.incarnation = l->config.incarnation;
	h.stream = l->stream;
	h.peer_stream = l->begun ? l->peer_stream : 0;
	h.stamp = s->stamp_ns = hf_loop_now_ns(l->loop);
	return hf_hello_encode(&h, buf);
}

static size_t conn_next(struct hf_conn *c, uint8_t *buf)
{
	struct hf_links_slot *s = slot_of(c);

	if (s->send_hello) {
		s->send_hello = false;
		return put_hello(s, buf);
	}
	if (s->send_refuse) {
		s->send_refuse = false;
		return hf_hello_refuse_encode(s->sentence, buf);
	}
	if (s->send_accept) {
		struct hf_hello_accept a = {
			.version = s->version, .stream = s->hello.stream, .stamp = s->hello.stamp};

		s->send_accept = false;
		return hf_hello_accept_encode(&a, buf);
	}
	if (s->phase != HF_LINKS_UP)
		return 0;
	return hf_mux_next(&s->links->mux, s->link, hf_loop_now_ns(c->loop), buf);
}

/* Tells the peer, our log and the layer above why these two do not come together. */
static void refuse(struct hf_links_slot *s)
{
	struct hf_links *l = s->links;
	unsigned more;

	l->counters.refused++;
	if (hf_links_may_log(l, &l->limit_refused, &more))
		hf_error("bus: %s refused: %s", s->name, s->sentence);
	s->send_refuse = true;
	s->phase = HF_LINKS_ENDING;
	hf_bus_conn_finish(&s->conn, -EPROTO, s->sentence);
	l->ops->refused(l->owner, s->sentence);
}

static void begin_stream(struct hf_links *l, const struct hf_links_slot *s)
{
	hf_mux_begin(&l->mux, s->stamp_ns);
	l->begun = true;
	l->peer_stream = s->hello.stream;
	l->peer_incarnation = s->hello.incarnation;
	l->version = s->version;
	l->counters.streams++;
}

static bool is_of_stream(const struct hf_links *l, const struct hf_links_slot *s)
{
	return l->peer_stream == s->hello.stream && l->peer_incarnation == s->hello.incarnation &&
	       l->version == s->version;
}

/* An older connection of the same link: the peer has given it up, or it would not make a new one.
 */
static void replace_older(struct hf_links *l, const struct hf_links_slot *s)
{
	for (unsigned i = 0; i < HF_LINKS_SLOTS_MAX; i++) {
		struct hf_links_slot *o = &l->slots[i];

		if (o != s && o->phase == HF_LINKS_UP && o->link == s->link)
			hf_links_slot_end(o, -ECONNRESET, "replaced by a new connection");
	}
}

static void link_is_up(struct hf_links_slot *s)
{
	struct hf_links *l = s->links;
	bool is_first = !l->begun;

	if (is_first)
		begin_stream(l, s);
	else
		replace_older(l, s);
	s->phase = HF_LINKS_UP;
	s->deadline_ns = UINT64_MAX;
	l->received_ns = hf_loop_now_ns(l->loop);
	l->dials[s->link].backoff_ms = 0;
	l->dials[s->link].last_error = 0;
	hf_mux_link_up(&l->mux, s->link, s->stamp_ns, hf_loop_now_ns(l->loop));
	hf_info("bus: link %u to controller %u (%s) is up", s->link, l->config.peer_id, s->name);
	if (is_first)
		l->ops->up(l->owner, l->peer_incarnation);
	l->ops->heard(l->owner, l->mux.heard_ns);
	hf_bus_conn_kick(&s->conn);
}

/* Does this HELLO belong to the stream that we are in, or to none? Else one side has moved on. */
static bool check_stream(struct hf_links_slot *s, const struct hf_hello *h)
{
	struct hf_links *l = s->links;

	if (l->begun && h->incarnation == l->peer_incarnation && h->stream != l->peer_stream) {
		/* Numbers rise: a lower one has been on its way for long. */
		if (h->stream < l->peer_stream)
			hf_links_slot_end(s, -ESTALE, "a HELLO of a stream that is over");
		else
			hf_links_stream_drop(l, "the peer has not heard us and starts anew");
		return false;
	}
	if (h->peer_stream != 0 && h->peer_stream != l->stream) {
		/* It believes in a stream that we have dropped: our HELLO tells it, and our ACCEPT
		 * that this is of now. */
		s->hello = *h;
		s->send_accept = true;
		s->phase = HF_LINKS_ENDING;
		hf_bus_conn_finish(&s->conn, -ESTALE, "the peer is in a stream that is over");
		return false;
	}
	return true;
}

static void receive_hello(struct hf_links_slot *s, const uint8_t *frame, size_t len)
{
	struct hf_links *l = s->links;
	struct hf_hello own, h;

	if (s->accepted || hf_hello_decode(frame, len, &h) < 0) {
		hf_links_slot_end(s, -EBADMSG, "not a valid HELLO");
		return;
	}
	own_hello(l, &own);
	if (hf_hello_compare(&own, l->config.peer_id, &h, &s->version, s->sentence) < 0) {
		refuse(s);
		return;
	}
	if (!s->connector && h.link >= HF_LINKS_MAX) {
		hf_links_slot_end(s, -EBADMSG, "a link number that does not exist");
		return;
	}
	if (!s->connector) /* the connecting side knows which address it has used */
		s->link = h.link;
	if (!check_stream(s, &h))
		return;
	s->hello = h;
	s->accepted = true;
	s->send_accept = true;
	hf_bus_conn_kick(&s->conn);
}

/*
 * Another incarnation than the one that we know: has it come after that one, or is this connection
 * one that a process before it has left behind in the network? Lives of one controller do not
 * overlap. This one was alive when it answered our stamp; if we have heard nothing of the other
 * since the stamp was given, this is the later one (W20). Else a new connection will tell.
 */
static bool is_successor(const struct hf_links *l, const struct hf_links_slot *s)
{
	return s->stamp_ns > l->received_ns;
}

static void receive_accept(struct hf_links_slot *s, const uint8_t *frame, size_t len)
{
	struct hf_links *l = s->links;
	bool is_other = l->peer_incarnation && s->hello.incarnation != l->peer_incarnation;
	struct hf_hello_accept a;

	if (!s->accepted || hf_hello_accept_decode(frame, len, &a) < 0 || a.version != s->version ||
		a.stamp != s->stamp_ns || a.stream != l->stream) {
		hf_links_slot_end(s, -EBADMSG, "an ACCEPT that fits no HELLO");
	} else if (is_other && !is_successor(l, s)) {
		hf_links_slot_end(s, -ESTALE, "perhaps of a process that is gone");
	} else if (is_other && l->begun) {
		l->restarted = true;
		hf_links_stream_drop(l, "the peer has been restarted");
		l->restarted = false;
	} else if (l->begun && !is_of_stream(l, s)) {
		hf_links_slot_end(s, -EBADMSG, "an ACCEPT that fits no stream");
	} else {
		link_is_up(s);
	}
}

static void receive_refuse(struct hf_links_slot *s, const uint8_t *frame, size_t len)
{
	struct hf_links *l = s->links;
	unsigned more;

	if (hf_hello_refuse_decode(frame, len, s->sentence) < 0) {
		hf_links_slot_end(s, -EBADMSG, "not a valid REFUSE");
		return;
	}
	l->counters.refused++;
	if (hf_links_may_log(l, &l->limit_refused, &more))
		hf_error("bus: refused by controller %u (%s): %s", l->config.peer_id, s->name,
			s->sentence);
	hf_links_slot_end(s, -EPROTO, "refused");
	l->ops->refused(l->owner, s->sentence);
}

static void receive_frame(struct hf_links_slot *s, const uint8_t *frame, size_t len)
{
	struct hf_links *l = s->links;
	size_t before = hf_mux_unacked_bytes(&l->mux), msg_len;
	uint64_t heard_ns = l->mux.heard_ns;
	const uint8_t *msg;
	int ret = hf_mux_receive(
		&l->mux, s->link, frame, len, hf_loop_now_ns(l->loop), &msg, &msg_len);

	if (ret < 0) {
		hf_warning("bus: a frame from %s makes no sense; the link is closed and made anew",
			s->name);
		hf_links_slot_end(s, ret, "a frame that fits no stream");
		return;
	}
	if (l->mux.heard_ns != heard_ns)
		l->ops->heard(l->owner, l->mux.heard_ns);
	l->received_ns = hf_loop_now_ns(l->loop);
	if (ret == 1)
		l->ops->message(l->owner, msg, msg_len);
	if (l->begun && hf_mux_unacked_bytes(&l->mux) < before)
		l->ops->acked(l->owner);
}

static void conn_frame(struct hf_conn *c, const uint8_t *frame, size_t len)
{
	struct hf_links_slot *s = slot_of(c);

	if (s->phase == HF_LINKS_UP)
		receive_frame(s, frame, len);
	else if (s->phase == HF_LINKS_HELLO && frame[0] == HF_HELLO)
		receive_hello(s, frame, len);
	else if (s->phase == HF_LINKS_HELLO && frame[0] == HF_HELLO_ACCEPT)
		receive_accept(s, frame, len);
	else if (s->phase == HF_LINKS_HELLO && frame[0] == HF_HELLO_REFUSE)
		receive_refuse(s, frame, len);
	else
		hf_links_slot_end(s, -EBADMSG, "an unexpected frame");
}

/* The dial of a link that could not be made waits longer each time. */
static void dial_later(struct hf_links_slot *s, int why)
{
	struct hf_links *l = s->links;
	struct hf_links_dial *d = &l->dials[s->link];

	d->backoff_ms = d->backoff_ms ? HF_MIN(d->backoff_ms * 2, (unsigned)HF_LINKS_RETRY_MAX_MS)
				      : HF_LINKS_RETRY_MIN_MS;
	d->next_try_ns = hf_loop_now_ns(l->loop) + d->backoff_ms * 1000000ull;
	/* The same error again and again is told once. */
	if (why != d->last_error && why != -ESTALE && !l->destroying)
		hf_notice("bus: no link %u to controller %u (%s): %s%s; trying again", s->link,
			l->config.peer_id, s->name, s->conn.text,
			why == -EACCES ? " (the bus keys differ)" : "");
	d->last_error = why;
}

static void conn_closed(struct hf_conn *c, int why, const char *text)
{
	struct hf_links_slot *s = slot_of(c);
	struct hf_links *l = s->links;
	enum hf_links_phase phase = s->phase;
	unsigned more;

	s->phase = HF_LINKS_FREE;
	if (phase == HF_LINKS_UP)
		hf_links_link_lost(s, text);
	if (s->connector) {
		dial_later(s, why);
	} else if (phase == HF_LINKS_SHAKING || why == -EACCES) {
		l->counters.strangers_refused++;
		if (!l->destroying && hf_links_may_log(l, &l->limit_stranger, &more))
			hf_warning("bus: connection from %s refused: %s%s (%u more like this "
				   "since the last line)",
				s->name, text,
				why == -EACCES ? "; if it is a controller, its key differs" : "",
				more);
	} else if (phase == HF_LINKS_HELLO) {
		hf_links_unmade(s, text);
	}
}

const struct hf_bus_conn_ops hf_links_conn_ops = {
	.open = conn_open,
	.frame = conn_frame,
	.next = conn_next,
	.closed = conn_closed,
};
