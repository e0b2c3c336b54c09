/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TLS 1.3 with a pre-shared key and nothing else: no certificates, no resumption, no early data.
 * Bytes in, bytes out: link_tcp.c moves them. Who lacks the key gets no further than the handshake.
 * The key goes through a hash first, so its length is free (at least 16 bytes).
 */
#ifndef HF_TLS_TCP_H
#define HF_TLS_TCP_H

#include "base.h"

#define HF_TLS_PSK_MIN 16

struct hf_tls_context; /* the key and what is allowed; one per engine */
struct hf_tls;	       /* one connection */

/* -EINVAL: key too short; -ENOMEM. The key is copied. */
int hf_tls_context_create(const uint8_t *psk, size_t psk_len, struct hf_tls_context **ret);
void hf_tls_context_destroy(struct hf_tls_context *c);

int hf_tls_create(struct hf_tls_context *c, bool server, struct hf_tls **ret); /* -ENOMEM */
void hf_tls_destroy(struct hf_tls *t);

/* Ciphertext from the network; copied. -ENOMEM. */
int hf_tls_input(struct hf_tls *t, const void *buf, size_t len);
/* Takes ciphertext for the network; 0 = none. Also after an error: the alert. */
size_t hf_tls_output(struct hf_tls *t, void *buf, size_t cap);
size_t hf_tls_output_pending(const struct hf_tls *t);

/* 1: done; 0: needs the peer; -EACCES: other key, or the peer said so; -EPROTO: not TLS 1.3. */
int hf_tls_handshake(struct hf_tls *t);
/* One record: its size; 0: none complete; -ECONNRESET: the peer closed; -EPROTO. */
int hf_tls_read(struct hf_tls *t, void *buf, size_t cap);
/* One record of at most 16384 bytes. 0 or -EPROTO. */
int hf_tls_write(struct hf_tls *t, const void *buf, size_t len);
/* What went wrong, for the log; valid until the next call. */
const char *hf_tls_problem(const struct hf_tls *t);

#endif
