/* SPDX-License-Identifier: BSD-3-Clause */
/* The links to the peer: listening, connecting, time, and the end of a stream. No system call. */
#include "links.h"

#include "log.h"

#include <stdio.h>
#include <stdlib.h>

#define MS	  1000000ull
#define LOG_EVERY (5000 * MS) /* of one kind of line that outsiders can cause */

bool hf_links_may_log(struct hf_links *l, struct hf_links_limit *limit, unsigned *ret_more)
{
	uint64_t now = hf_loop_now_ns(l->loop);

	if (now < limit->quiet_until_ns) {
		limit->held_back++;
		return false;
	}
	*ret_more = limit->held_back;
	limit->held_back = 0;
	limit->quiet_until_ns = now + LOG_EVERY;
	return true;
}

static void kick_all(struct hf_links *l)
{
	for (unsigned i = 0; i < HF_LINKS_SLOTS_MAX; i++)
		if (l->slots[i].phase == HF_LINKS_UP)
			hf_bus_conn_kick(&l->slots[i].conn);
}

void hf_links_link_lost(struct hf_links_slot *s, const char *text)
{
	struct hf_links *l = s->links;

	hf_mux_link_down(&l->mux, s->link, hf_loop_now_ns(l->loop));
	hf_notice("bus: link %u to controller %u (%s) is down: %s", s->link, l->config.peer_id,
		s->name, text);
	kick_all(l); /* another one may have taken over */
}

void hf_links_unmade(const struct hf_links_slot *s, const char *text)
{
	struct hf_links *l = s->links;
	unsigned more;

	if (!l->destroying && hf_links_may_log(l, &l->limit_unmade, &more))
		hf_notice("bus: connection from %s has come to no link: %s (%u more like this "
			  "since the last line)",
			s->name, text, more);
}

void hf_links_slot_end(struct hf_links_slot *s, int why, const char *text)
{
	bool was_up = s->phase == HF_LINKS_UP;

	if (s->phase == HF_LINKS_FREE)
		return;
	if (s->phase == HF_LINKS_HELLO && !s->connector)
		hf_links_unmade(s, text);
	/* SHAKING stays SHAKING, so that conn_closed() knows a stranger. */
	if (was_up || s->phase == HF_LINKS_HELLO)
		s->phase = HF_LINKS_ENDING;
	hf_bus_conn_close(&s->conn, why, text);
	if (was_up)
		hf_links_link_lost(s, text);
}

/* Everything of this stream ends here: frames that are still on their way reach nobody. */
void hf_links_stream_drop(struct hf_links *l, const char *why)
{
	char text[sizeof(l->why)];

	if (!l->begun)
		return;
	snprintf(text, sizeof(text), "%s", why);
	l->begun = false;
	l->stream++;
	hf_mux_end(&l->mux);
	for (unsigned i = 0; i < HF_LINKS_SLOTS_MAX; i++) {
		struct hf_links_slot *s = &l->slots[i];

		if (s->phase == HF_LINKS_UP)
			s->phase = HF_LINKS_ENDING;
		if (s->phase != HF_LINKS_SHAKING)
			hf_links_slot_end(s, -ESTALE, text);
	}
	for (unsigned i = 0; i < HF_LINKS_MAX; i++)
		l->dials[i].backoff_ms = 0;
	l->ops->down(l->owner, text, l->restarted);
}

static void drop_run(struct hf_msg *msg)
{
	struct hf_links *l = hf_container_of(msg, struct hf_links, drop_msg);

	l->drop_posted = false;
	if (l->dropping) {
		l->dropping = false;
		hf_links_stream_drop(l, l->why);
	}
}

void hf_links_drop(struct hf_links *l, const char *why)
{
	if (!l->begun || l->dropping)
		return;
	snprintf(l->why, sizeof(l->why), "%s", why);
	l->dropping = true;
	if (l->drop_posted)
		return;
	l->drop_posted = true;
	l->drop_msg.run = drop_run;
	hf_loop_post(l->loop, &l->drop_msg);
}

void hf_links_send(
	struct hf_links *l, const void *head, size_t head_len, const void *body, size_t body_len)
{
	int ret;

	if (!l->begun || l->dropping)
		return; /* down() has told, or will */
	ret = hf_mux_send(&l->mux, head, head_len, body, body_len, hf_loop_now_ns(l->loop));
	if (ret < 0) {
		hf_links_drop(l, ret == -ENOBUFS ? "the peer acknowledges nothing"
						 : "a message is too long");
		return;
	}
	for (unsigned i = 0; i < HF_LINKS_SLOTS_MAX; i++)
		if (l->slots[i].phase == HF_LINKS_UP && l->slots[i].link == l->mux.active)
			hf_bus_conn_kick(&l->slots[i].conn);
}

size_t hf_links_unacked_bytes(const struct hf_links *l)
{
	return hf_mux_unacked_bytes(&l->mux);
}

/* --- new connections --- */

static struct hf_links_slot *slot_take(struct hf_links *l, unsigned link, bool connector)
{
	for (unsigned i = 0; i < HF_LINKS_SLOTS_MAX; i++) {
		struct hf_links_slot *s = &l->slots[i];

		if (s->phase != HF_LINKS_FREE)
			continue;
		memset(s, 0, sizeof(*s));
		s->links = l;
		s->link = (uint8_t)link;
		s->connector = connector;
		s->order = l->next_order++;
		s->deadline_ns = hf_loop_now_ns(l->loop) + HF_LINKS_SHAKE_MS * MS;
		return s;
	}
	return NULL;
}

static void dial(struct hf_links *l, unsigned link)
{
	const struct hf_bus_address *a = &l->config.peer[link];
	struct hf_links_slot *s = slot_take(l, link, true);
	int ret;

	if (!s)
		return;
	hf_bus_address_text(a, s->name);
	ret = hf_bus_conn_connect(&s->conn, l->loop, l->tls, a, &hf_links_conn_ops);
	if (ret == 0)
		s->phase = HF_LINKS_SHAKING;
	else
		l->dials[link].next_try_ns = hf_loop_now_ns(l->loop) + HF_LINKS_RETRY_MAX_MS * MS;
}

/* Whoever floods us with connections pushes out its own: the oldest goes. True: there is room. */
static bool make_room(struct hf_links *l)
{
	struct hf_links_slot *oldest = NULL;
	unsigned strangers = 0;

	for (unsigned i = 0; i < HF_LINKS_SLOTS_MAX; i++) {
		struct hf_links_slot *s = &l->slots[i];

		if (s->connector || s->phase == HF_LINKS_FREE || s->phase == HF_LINKS_UP)
			continue;
		strangers++;
		if (s->phase != HF_LINKS_ENDING && (!oldest || s->order < oldest->order))
			oldest = s;
	}
	if (strangers < HF_LINKS_STRANGERS_MAX)
		return true;
	if (oldest) {
		l->counters.evicted++;
		hf_links_slot_end(oldest, -EBUSY, "too many connections without a handshake");
	}
	return false;
}

static void turn_away(struct hf_bus_listener *ln, int fd, const char *why)
{
	struct hf_links *l = ln->owner;
	unsigned more;

	hf_bus_listener_refuse(ln, fd);
	if (hf_links_may_log(l, &l->limit_unmade, &more))
		hf_warning("bus: a connection is turned away: %s (%u more like this since the last "
			   "line)",
			why, more);
}

static void take_in(struct hf_bus_listener *ln, int fd, const struct hf_bus_address *from)
{
	struct hf_links *l = ln->owner;
	struct hf_links_slot *s;

	l->counters.accepted++;
	s = make_room(l) ? slot_take(l, 0, false) : NULL;
	if (!s) {
		turn_away(ln, fd, "too many connections without a handshake");
		return;
	}
	hf_bus_address_text(from, s->name);
	if (hf_bus_conn_accept(&s->conn, l->loop, l->tls, fd, &hf_links_conn_ops) < 0) {
		turn_away(ln, fd, "out of memory");
		return;
	}
	s->phase = HF_LINKS_SHAKING;
}

/* --- time --- */

static bool is_linked(const struct hf_links *l, unsigned link)
{
	for (unsigned i = 0; i < HF_LINKS_SLOTS_MAX; i++)
		if (l->slots[i].phase != HF_LINKS_FREE && l->slots[i].connector &&
			l->slots[i].link == link)
			return true;
	return false;
}

static void tick_connections(struct hf_links *l, uint64_t now)
{
	for (unsigned i = 0; i < HF_LINKS_SLOTS_MAX; i++) {
		struct hf_links_slot *s = &l->slots[i];

		if (s->phase != HF_LINKS_FREE && s->deadline_ns <= now) {
			s->deadline_ns = UINT64_MAX;
			l->counters.timed_out++;
			hf_links_slot_end(s, -ETIMEDOUT, "the handshake took too long");
		}
	}
	for (unsigned i = 0; i < l->listeners_len; i++)
		hf_bus_listener_accept(&l->listeners[i]);
	if (l->config.own_id < l->config.peer_id)
		return;
	for (unsigned i = 0; i < l->config.peer_len; i++)
		if (l->dials[i].next_try_ns <= now && !is_linked(l, i))
			dial(l, i);
}

static void tick_stream(struct hf_links *l, uint64_t now)
{
	uint32_t silent;

	if (hf_mux_tick(&l->mux, now, &silent)) {
		char why[80];

		snprintf(why, sizeof(why), "nothing heard from controller %u for %llu ms",
			l->config.peer_id, (unsigned long long)(l->config.silence_ns / MS));
		hf_links_stream_drop(l, why);
		return;
	}
	for (unsigned i = 0; i < HF_LINKS_SLOTS_MAX; i++) {
		struct hf_links_slot *s = &l->slots[i];

		if (s->phase == HF_LINKS_UP && silent & 1u << s->link)
			hf_links_slot_end(s, -ETIMEDOUT, "no echo");
	}
	kick_all(l);
}

static void tick_fire(struct hf_timer *t)
{
	struct hf_links *l = hf_container_of(t, struct hf_links, tick);
	uint64_t now = hf_loop_now_ns(l->loop);

	if (l->destroying)
		return;
	hf_timer_arm(l->loop, &l->tick, now + hf_mux_tick_ns(&l->mux));
	tick_stream(l, now);
	tick_connections(l, now);
}

/* --- creation --- */

static int listen_on(struct hf_links *l, unsigned i, char *message, size_t message_len)
{
	struct hf_bus_listener *ln = &l->listeners[i];
	int ret;

	ln->accepted = take_in;
	ln->owner = l;
	ret = hf_bus_listener_open(ln, l->loop, &l->config.listen[i], message, message_len);
	if (ret == 0)
		l->listeners_len = i + 1;
	return ret;
}

static void free_links(struct hf_links *l)
{
	for (unsigned i = 0; i < l->listeners_len; i++)
		hf_bus_listener_close(&l->listeners[i]);
	hf_tls_context_destroy(l->tls);
	free(l->arena);
	free(l);
}

int hf_links_create(const struct hf_links_config *config, struct hf_loop *loop,
	const struct hf_links_ops *ops, void *owner, struct hf_links **ret, char *message,
	size_t message_len)
{
	struct hf_links *l = calloc(1, sizeof(*l));
	int err = -ENOMEM;

	snprintf(message, message_len, "out of memory");
	if (!l)
		return -ENOMEM;
	l->config = *config;
	l->ops = ops;
	l->owner = owner;
	l->loop = loop;
	l->stream = 1;
	hf_timer_init(&l->tick, tick_fire);
	l->arena = malloc(HF_LINKS_ARENA_BYTES); /* pages come with their first use */
	if (!l->arena)
		goto fail;
	hf_mux_init(&l->mux, l->arena, HF_LINKS_ARENA_BYTES, config->silence_ns, config->beat_ns);
	err = hf_tls_context_create(config->psk, config->psk_len, &l->tls);
	l->config.psk = NULL;
	if (err == -EINVAL)
		snprintf(message, message_len, "the bus key is too short: at least %d bytes",
			HF_TLS_PSK_MIN);
	for (unsigned i = 0; err == 0 && i < config->listen_len; i++)
		err = listen_on(l, i, message, message_len);
	if (err < 0)
		goto fail;
	*ret = l;
	return 0;
fail:
	free_links(l);
	return err;
}

void hf_links_start(struct hf_links *l)
{
	hf_timer_arm(l->loop, &l->tick, hf_loop_now_ns(l->loop));
}

static bool is_busy(const struct hf_links *l)
{
	for (unsigned i = 0; i < HF_LINKS_SLOTS_MAX; i++)
		if (l->slots[i].phase != HF_LINKS_FREE)
			return true;
	for (unsigned i = 0; i < l->listeners_len; i++)
		if (l->listeners[i].accepting)
			return true;
	return l->drop_posted;
}

void hf_links_destroy(struct hf_links *l)
{
	if (!l)
		return;
	l->destroying = true;
	l->begun = l->dropping = false;
	hf_mux_end(&l->mux);
	hf_timer_cancel(l->loop, &l->tick);
	for (unsigned i = 0; i < l->listeners_len; i++)
		hf_bus_listener_stop(&l->listeners[i]);
	for (unsigned i = 0; i < HF_LINKS_SLOTS_MAX; i++) {
		if (l->slots[i].phase == HF_LINKS_UP)
			l->slots[i].phase = HF_LINKS_ENDING;
		hf_links_slot_end(&l->slots[i], -ESHUTDOWN, "this controller stops");
	}
	while (is_busy(l) && hf_loop_run_once(l->loop, true) == 0)
		;
	free_links(l);
}

/* --- for people and tests --- */

uint16_t hf_links_port(const struct hf_links *l, unsigned i)
{
	hf_assert(i < l->listeners_len);
	return hf_bus_listener_port(&l->listeners[i]);
}

void hf_links_set_peer_port(struct hf_links *l, unsigned i, uint16_t port)
{
	hf_assert(i < l->config.peer_len);
	hf_bus_address_set_port(&l->config.peer[i], port);
}

void hf_links_status(const struct hf_links *l, unsigned link, struct hf_links_status *ret)
{
	const struct hf_mux_link *m = &l->mux.links[link];
	uint64_t now = hf_loop_now_ns(l->loop);
	const char *state = "not connected";

	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; i < HF_LINKS_SLOTS_MAX; i++)
		if (l->slots[i].phase == HF_LINKS_HELLO && l->slots[i].link == link)
			state = "in handshake";
	ret->up = l->begun && m->up;
	if (ret->up) {
		state = "up";
		ret->rtt_ns = m->rtt_ns;
		ret->heard_age_ns = now - HF_MIN(now, m->heard_ns);
	}
	ret->frames_sent = m->frames_sent;
	ret->frames_received = m->frames_received;
	snprintf(ret->state, sizeof(ret->state), "%s", state);
}
