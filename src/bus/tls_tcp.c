/* SPDX-License-Identifier: BSD-3-Clause */
/* TLS by libssl on memory BIOs. Touches no socket. */
#include "tls_tcp.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/crypto.h>

#include <stdio.h>
#include <stdlib.h>

#define CIPHER	 "TLS_AES_128_GCM_SHA256"
#define IDENTITY "holdfast-bus"
#define LABEL	 "holdfast bus key 1"

static const uint8_t cipher_id[2] = {0x13, 0x01}; /* TLS_AES_128_GCM_SHA256 (RFC 8446, B.4) */

struct hf_tls_context {
	SSL_CTX *ctx;
	uint8_t key[32];
};

struct hf_tls {
	SSL *ssl;
	BIO *in, *out; /* belong to ssl */
	bool server;
	char problem[128];
};

/* The session that stands for the key; the caller's reference goes to libssl. */
static SSL_SESSION *psk_session(SSL *ssl)
{
	struct hf_tls_context *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, cipher_id);
	SSL_SESSION *s = SSL_SESSION_new();

	if (s && cipher && SSL_SESSION_set1_master_key(s, c->key, sizeof(c->key)) == 1 &&
		SSL_SESSION_set_cipher(s, cipher) == 1 &&
		SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION) == 1)
		return s;
	SSL_SESSION_free(s);
	return NULL;
}

static int psk_use(
	SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *id_len, SSL_SESSION **ret)
{
	*ret = NULL;
	*id = (const unsigned char *)IDENTITY;
	*id_len = strlen(IDENTITY);
	if (md && EVP_MD_get_type(md) != NID_sha256)
		return 1; /* asked for another hash: offer nothing, the handshake then fails */
	*ret = psk_session(ssl);
	return *ret != NULL;
}

static int psk_find(SSL *ssl, const unsigned char *id, size_t id_len, SSL_SESSION **ret)
{
	*ret = NULL;
	if (id_len == strlen(IDENTITY) && memcmp(id, IDENTITY, id_len) == 0)
		*ret = psk_session(ssl);
	return 1; /* an unknown identity is no error here: it ends as "no common key" */
}

static bool derive_key(const uint8_t *psk, size_t len, uint8_t ret[32])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
		  EVP_DigestUpdate(md, LABEL, sizeof(LABEL)) == 1 &&
		  EVP_DigestUpdate(md, psk, len) == 1 && EVP_DigestFinal_ex(md, ret, NULL) == 1;

	EVP_MD_CTX_free(md);
	return ok;
}

static bool set_up(struct hf_tls_context *c)
{
	SSL_CTX *ctx = c->ctx;

	SSL_CTX_set_app_data(ctx, c);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_psk_use_session_callback(ctx, psk_use);
	SSL_CTX_set_psk_find_session_callback(ctx, psk_find);
	return SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_ciphersuites(ctx, CIPHER) == 1 && SSL_CTX_set_num_tickets(ctx, 0) == 1;
}

int hf_tls_context_create(const uint8_t *psk, size_t psk_len, struct hf_tls_context **ret)
{
	struct hf_tls_context *c;

	if (psk_len < HF_TLS_PSK_MIN)
		return -EINVAL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->ctx = SSL_CTX_new(TLS_method());
	if (!c->ctx || !derive_key(psk, psk_len, c->key) || !set_up(c)) {
		ERR_clear_error();
		hf_tls_context_destroy(c);
		return -ENOMEM;
	}
	*ret = c;
	return 0;
}

void hf_tls_context_destroy(struct hf_tls_context *c)
{
	if (!c)
		return;
	SSL_CTX_free(c->ctx);
	OPENSSL_cleanse(c->key, sizeof(c->key));
	free(c);
}

int hf_tls_create(struct hf_tls_context *c, bool server, struct hf_tls **ret)
{
	struct hf_tls *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->server = server;
	t->ssl = SSL_new(c->ctx);
	t->in = BIO_new(BIO_s_mem());
	t->out = BIO_new(BIO_s_mem());
	if (!t->ssl || !t->in || !t->out) {
		BIO_free(t->in);
		BIO_free(t->out);
		SSL_free(t->ssl);
		free(t);
		ERR_clear_error();
		return -ENOMEM;
	}
	BIO_set_mem_eof_return(t->in, -1);
	BIO_set_mem_eof_return(t->out, -1);
	SSL_set_bio(t->ssl, t->in, t->out);
	if (server) {
		SSL_set_accept_state(t->ssl);
	} else {
		SSL_set_connect_state(t->ssl);
		/* A server might offer a certificate in place of the key: none is acceptable. */
		SSL_set_verify(t->ssl, SSL_VERIFY_PEER, NULL);
	}
	*ret = t;
	return 0;
}

void hf_tls_destroy(struct hf_tls *t)
{
	if (!t)
		return;
	SSL_free(t->ssl);
	free(t);
}

int hf_tls_input(struct hf_tls *t, const void *buf, size_t len)
{
	return BIO_write(t->in, buf, (int)len) == (int)len ? 0 : -ENOMEM;
}

size_t hf_tls_output_pending(const struct hf_tls *t)
{
	return BIO_ctrl_pending(t->out);
}

size_t hf_tls_output(struct hf_tls *t, void *buf, size_t cap)
{
	int n = BIO_read(t->out, buf, (int)cap);

	return n > 0 ? (size_t)n : 0;
}

/* Keeps the first error of libssl's queue as text. 0 when libssl only wants more bytes. */
static int problem(struct hf_tls *t, int result, int *ret_reason)
{
	int kind = SSL_get_error(t->ssl, result);
	unsigned long e;
	const char *text;

	*ret_reason = 0;
	if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE)
		return 0;
	if (kind == SSL_ERROR_ZERO_RETURN) {
		snprintf(t->problem, sizeof(t->problem), "closed by the peer");
		return -ECONNRESET;
	}
	e = ERR_peek_error();
	text = ERR_reason_error_string(e);
	*ret_reason = ERR_GET_REASON(e);
	snprintf(t->problem, sizeof(t->problem), "%s", text ? text : "unknown TLS error");
	ERR_clear_error();
	return -EPROTO;
}

/* Errors that a wrong key leads to: the binder does not verify, or no key is found and there is no
 * certificate to fall back to; and the alerts that tell the other side so. */
static bool is_key_problem(int reason)
{
	switch (reason) {
	case SSL_R_BINDER_DOES_NOT_VERIFY:
	case SSL_R_NO_SHARED_CIPHER:
	case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
	case SSL_R_SSLV3_ALERT_ILLEGAL_PARAMETER:
	case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
	case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
	case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
	case SSL_R_TLSV1_ALERT_UNKNOWN_PSK_IDENTITY:
	case SSL_R_CERTIFICATE_VERIFY_FAILED:
	case SSL_R_NO_CERTIFICATE_SET:
		return true;
	default:
		return false;
	}
}

int hf_tls_handshake(struct hf_tls *t)
{
	int reason, result, ret;

	ERR_clear_error();
	result = SSL_do_handshake(t->ssl);
	if (result == 1) {
		if (SSL_session_reused(t->ssl))
			return 1; /* the pre-shared key has carried it */
		snprintf(t->problem, sizeof(t->problem), "not authenticated by the key");
		return -EACCES;
	}
	ret = problem(t, result, &reason);
	return ret < 0 && is_key_problem(reason) ? -EACCES : ret;
}

/* Emptying the queue of errors, which is nearly always empty, costs as much as a small record. */
static void forget_errors(void)
{
	if (ERR_peek_error())
		ERR_clear_error();
}

int hf_tls_read(struct hf_tls *t, void *buf, size_t cap)
{
	int reason, n;

	if (!BIO_ctrl_pending(t->in) && !SSL_has_pending(t->ssl))
		return 0;
	forget_errors();
	n = SSL_read(t->ssl, buf, (int)cap);
	return n > 0 ? n : problem(t, n, &reason);
}

int hf_tls_write(struct hf_tls *t, const void *buf, size_t len)
{
	int reason, n;

	forget_errors();
	n = SSL_write(t->ssl, buf, (int)len);
	if (n == (int)len)
		return 0;
	problem(t, n, &reason);
	return -EPROTO;
}

const char *hf_tls_problem(const struct hf_tls *t)
{
	return t->problem;
}
