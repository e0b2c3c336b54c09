/* SPDX-License-Identifier: BSD-3-Clause */
/* CHAP, target side. The secret never leaves this file's arguments; comparisons take equal time. */
#include "chap.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

static const struct {
	int algorithm;
	const char *name;
} digests[] = {
	{5, "MD5"},
	{6, "SHA1"},
	{7, "SHA2-256"},
	{8, "SHA3-256"},
};

static EVP_MD *digest_fetch(int algorithm)
{
	for (size_t i = 0; i < HF_ARRAY_LEN(digests); i++) {
		if (digests[i].algorithm == algorithm)
			return EVP_MD_fetch(NULL, digests[i].name, NULL);
	}
	return NULL;
}

bool hf_chap_has_algorithm(int algorithm)
{
	EVP_MD *md = digest_fetch(algorithm);

	EVP_MD_free(md);
	return md != NULL;
}

int hf_chap_digest(int algorithm, uint8_t id, const char *secret, const uint8_t *challenge,
	size_t challenge_len, uint8_t ret[static HF_CHAP_DIGEST_MAX])
{
	EVP_MD *md = digest_fetch(algorithm);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned len = 0;
	bool ok;

	ok = md && ctx && EVP_MD_get_size(md) <= HF_CHAP_DIGEST_MAX &&
	     EVP_DigestInit_ex2(ctx, md, NULL) && EVP_DigestUpdate(ctx, &id, 1) &&
	     EVP_DigestUpdate(ctx, secret, strlen(secret)) &&
	     EVP_DigestUpdate(ctx, challenge, challenge_len) && EVP_DigestFinal_ex(ctx, ret, &len);
	EVP_MD_CTX_free(ctx);
	EVP_MD_free(md);
	return ok ? (int)len : -ENOTSUP;
}

void hf_chap_init(struct hf_chap *chap, const uint8_t random[static HF_CHAP_RANDOM_BYTES])
{
	*chap = (struct hf_chap){.state = HF_CHAP_IDLE, .id = random[0]};
	memcpy(chap->challenge, random + 1, HF_CHAP_CHALLENGE_BYTES);
}

/* The initiator's order counts; it is told which one was taken. */
static bool choose_algorithm(struct hf_chap *chap, const char *list, struct hf_wr *out)
{
	char item[12];
	uint32_t number;

	for (unsigned i = 0; i < 16 && hf_keys_list_item(list, i, item, sizeof(item)); i++) {
		if (hf_keys_number(item, 0, 255, &number) || !hf_chap_has_algorithm((int)number))
			continue;
		chap->algorithm = (int)number;
		hf_keys_put_number(out, "CHAP_A", number);
		hf_keys_put_number(out, "CHAP_I", chap->id);
		hf_keys_put_binary(out, "CHAP_C", chap->challenge, sizeof(chap->challenge));
		return true;
	}
	return false;
}

/* Time does not depend on where they differ. */
static bool is_same_text(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);

	return a_len == b_len && !CRYPTO_memcmp(a, b, a_len);
}

static bool verify_response(const struct hf_chap *chap, const struct hf_iscsi_chap_account *account,
	const struct hf_chap_keys *keys)
{
	uint8_t theirs[HF_CHAP_DIGEST_MAX] = {0}, ours[HF_CHAP_DIGEST_MAX] = {0};
	int theirs_len = hf_keys_binary(keys->r, theirs, sizeof(theirs));
	int ours_len = hf_chap_digest(chap->algorithm, chap->id, account->secret, chap->challenge,
		sizeof(chap->challenge), ours);
	bool is_user = is_same_text(keys->n, account->user);
	bool is_secret = !CRYPTO_memcmp(theirs, ours, sizeof(ours));

	OPENSSL_cleanse(ours, sizeof(ours));
	return ours_len > 0 && theirs_len == ours_len && is_user && is_secret;
}

/*
 * The other direction. Refused are our own challenge come back, and one secret for both directions
 * (RFC 7143, 12.1.3 and 9.2.1): either would let an initiator answer with what it was told.
 */
static bool prove_self(struct hf_chap *chap, const struct hf_iscsi_chap_account *account,
	const struct hf_iscsi_chap_account *mutual, const struct hf_chap_keys *keys,
	struct hf_wr *out)
{
	uint8_t challenge[HF_CHAP_THEIRS_MAX], response[HF_CHAP_DIGEST_MAX];
	uint32_t id;
	int len;

	if (!mutual || !keys->c || !keys->i || hf_keys_number(keys->i, 0, 255, &id))
		return false;
	len = hf_keys_binary(keys->c, challenge, sizeof(challenge));
	if (len <= 0 || is_same_text(account->secret, mutual->secret))
		return false;
	if (len == HF_CHAP_CHALLENGE_BYTES && !memcmp(challenge, chap->challenge, (size_t)len))
		return false;
	len = hf_chap_digest(
		chap->algorithm, (uint8_t)id, mutual->secret, challenge, (size_t)len, response);
	if (len < 0)
		return false;
	hf_keys_put(out, "CHAP_N", mutual->user);
	hf_keys_put_binary(out, "CHAP_R", response, (size_t)len);
	chap->mutual = true;
	return true;
}

bool hf_chap_step(struct hf_chap *chap, const struct hf_iscsi_chap_account *account,
	const struct hf_iscsi_chap_account *mutual, const struct hf_chap_keys *keys,
	struct hf_wr *out)
{
	switch (chap->state) {
	case HF_CHAP_IDLE:
	case HF_CHAP_PROVEN:
		return !keys->a && !keys->i && !keys->c && !keys->n && !keys->r;
	case HF_CHAP_WAIT_ALGORITHMS:
		if (!keys->a || keys->i || keys->c || keys->n || keys->r)
			return false;
		chap->state = HF_CHAP_WAIT_RESPONSE;
		return choose_algorithm(chap, keys->a, out);
	case HF_CHAP_WAIT_RESPONSE:
		break;
	}
	if (keys->a || !keys->n || !keys->r || !verify_response(chap, account, keys))
		return false;
	if ((keys->i || keys->c) && !prove_self(chap, account, mutual, keys, out))
		return false;
	chap->state = HF_CHAP_PROVEN;
	return true;
}
