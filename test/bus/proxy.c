/* SPDX-License-Identifier: BSD-3-Clause */
/* The relay of proxy.h. */
#include "proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#define PAIRS 64

struct pair;

/* One direction. */
struct half {
	struct pair *pair;
	struct hf_req req;
	struct iovec iov;
	bool busy, sending;
	uint8_t buf[65536];
};

struct pair {
	struct proxy *proxy;
	bool used, closing, dead; /* dead: was there during a cut */
	int fd[2];
	struct half half[2];
};

struct proxy {
	struct hf_loop *loop;
	int fd;
	uint16_t target;
	bool cut, cut_one_way, destroying, accepting;
	struct hf_req accept_req;
	struct pair pairs[PAIRS];
};

static void pump(struct half *h);

static void pair_end(struct pair *p)
{
	if (!p->closing) {
		p->closing = true;
		shutdown(p->fd[0], SHUT_RDWR);
		shutdown(p->fd[1], SHUT_RDWR);
	}
	if (p->half[0].busy || p->half[1].busy)
		return;
	close(p->fd[0]);
	close(p->fd[1]);
	p->used = false;
}

static void half_done(struct hf_req *req, int result)
{
	struct half *h = hf_container_of(req, struct half, req);
	struct pair *p = h->pair;
	unsigned from = h == &p->half[1];
	struct proxy *x = p->proxy;

	h->busy = false;
	if (p->closing || result <= 0) {
		pair_end(p);
		return;
	}
	if (h->sending && (size_t)result < h->iov.iov_len) {
		h->busy = true;
		h->iov.iov_base = (char *)h->iov.iov_base + result;
		h->iov.iov_len -= (size_t)result;
		hf_loop_sendmsg(x->loop, &h->req, p->fd[!from], &h->iov, 1);
		return;
	}
	if (!h->sending && !x->cut && !p->dead && !(x->cut_one_way && from == 0)) {
		h->sending = h->busy = true;
		h->iov = (struct iovec){.iov_base = h->buf, .iov_len = (size_t)result};
		hf_loop_sendmsg(x->loop, &h->req, p->fd[!from], &h->iov, 1);
		return;
	}
	pump(h);
}

static void pump(struct half *h)
{
	struct pair *p = h->pair;
	unsigned from = h == &p->half[1];

	h->sending = false;
	h->busy = true;
	h->req.done = half_done;
	hf_loop_recv(p->proxy->loop, &h->req, p->fd[from], h->buf, sizeof(h->buf));
}

static int connect_to(uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void accept_one(struct proxy *x);

static void take(struct proxy *x, int fd)
{
	const int one = 1;

	for (unsigned i = 0; i < PAIRS; i++) {
		struct pair *p = &x->pairs[i];

		if (p->used)
			continue;
		p->fd[0] = fd;
		p->fd[1] = connect_to(x->target);
		if (p->fd[1] < 0)
			break;
		setsockopt(p->fd[0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		setsockopt(p->fd[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		p->proxy = x;
		p->used = true;
		p->closing = false;
		p->dead = x->cut;
		for (unsigned k = 0; k < 2; k++) {
			p->half[k].pair = p;
			pump(&p->half[k]);
		}
		return;
	}
	close(fd);
}

static void accepted(struct hf_req *req, int result)
{
	struct proxy *x = hf_container_of(req, struct proxy, accept_req);

	x->accepting = false;
	if (x->destroying) {
		if (result >= 0)
			close(result);
		return;
	}
	if (result >= 0)
		take(x, result);
	accept_one(x);
}

static void accept_one(struct proxy *x)
{
	x->accepting = true;
	x->accept_req.done = accepted;
	hf_loop_accept(x->loop, &x->accept_req, x->fd);
}

struct proxy *proxy_create(struct hf_loop *loop, uint16_t target_port)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	struct proxy *x = calloc(1, sizeof(*x));

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	x->loop = loop;
	x->target = target_port;
	x->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(x->fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(x->fd, 64) < 0)
		abort();
	accept_one(x);
	return x;
}

uint16_t proxy_port(const struct proxy *p)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	if (getsockname(p->fd, (struct sockaddr *)&a, &len) < 0)
		abort();
	return ntohs(a.sin_port);
}

void proxy_cut(struct proxy *p)
{
	p->cut = true;
}

void proxy_cut_one_way(struct proxy *p)
{
	p->cut_one_way = true;
}

void proxy_reset(struct proxy *p)
{
	for (unsigned i = 0; i < PAIRS; i++)
		if (p->pairs[i].used)
			pair_end(&p->pairs[i]);
}

void proxy_heal(struct proxy *p)
{
	p->cut = p->cut_one_way = false;
	proxy_reset(p);
}

static bool is_busy(const struct proxy *p)
{
	for (unsigned i = 0; i < PAIRS; i++)
		if (p->pairs[i].used)
			return true;
	return p->accepting;
}

void proxy_destroy(struct proxy *p)
{
	if (!p)
		return;
	p->destroying = true;
	hf_loop_cancel(p->loop, &p->accept_req);
	proxy_reset(p);
	while (is_busy(p) && hf_loop_run_once(p->loop, true) == 0)
		;
	close(p->fd);
	free(p);
}
