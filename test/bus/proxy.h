/* SPDX-License-Identifier: BSD-3-Clause */
/* A TCP relay on 127.0.0.1 for tests: while cut, bytes vanish and nobody is told. */
#ifndef HF_TEST_PROXY_H
#define HF_TEST_PROXY_H

#include "loop.h"

struct proxy;

struct proxy *proxy_create(struct hf_loop *loop, uint16_t target_port);
uint16_t proxy_port(const struct proxy *p);
/* Bytes of present connections vanish from now on; new connections lead nowhere. */
void proxy_cut(struct proxy *p);
/* Only bytes from the connecting side vanish. */
void proxy_cut_one_way(struct proxy *p);
/* New connections work again; those of before stay dead and are reset. */
void proxy_heal(struct proxy *p);
/* Resets all connections of now. */
void proxy_reset(struct proxy *p);
void proxy_destroy(struct proxy *p);

#endif
