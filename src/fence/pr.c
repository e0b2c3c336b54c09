/* SPDX-License-Identifier: BSD-3-Clause */
/* Fencing by persistent reservations, one disk; see pr.h. Pure. */
#include "pr.h"

#include "bytes.h"
#include "canary.h"
#include "checksum.h"
#include "hf_limits.h"

enum { /* SPC-4, 6.15, 6.16 */
	IN_READ_KEYS = 0x00,
	IN_REPORT_CAPABILITIES = 0x02,
	OUT_REGISTER = 0x00,
	OUT_RESERVE = 0x01,
	OUT_PREEMPT = 0x04,
	OUT_PREEMPT_AND_ABORT = 0x05,
	OUT_REGISTER_AND_IGNORE = 0x06,
	APTPL = 0x01,
	CAPABILITIES_BYTES = 8,
	TMV = 0x80,	 /* byte 3: the mask of types is valid */
	EX_AC_AR = 0x01, /* byte 5: type 8 */
	ROUNDS_MAX = 64, /* nobody registers that often while it is being fenced */
};

/* No controller's: the disk must answer RESERVATION CONFLICT to its preemption. */
#define NOBODYS_KEY UINT64_C(0x486f6c64666173f0)

uint64_t hf_pr_key_beside(uint64_t other, uint8_t id, uint64_t incarnation)
{
	uint64_t key = other >> 32 << 32;

	key |= (uint64_t)id << 24;
	key |= (incarnation ^ incarnation >> 24 ^ incarnation >> 48) & 0xffffff;
	return key == NOBODYS_KEY ? key + 1 : key; /* id is not 0, so neither is the key */
}

uint64_t hf_pr_key(const char *cluster, uint8_t id, uint64_t incarnation)
{
	return hf_pr_key_beside(
		(uint64_t)hf_crc32c(0, cluster, strlen(cluster)) << 32, id, incarnation);
}

void hf_pr_init(struct hf_pr *p, uint64_t key)
{
	memset(p, 0, sizeof(*p));
	p->key = key;
}

static struct hf_pr_effect end(struct hf_pr *p, int result, const char *why)
{
	p->step = HF_PR_IDLE;
	return (struct hf_pr_effect){.done = true, .result = result, .why = why};
}

static struct hf_pr_effect in(struct hf_pr *p, enum hf_pr_step step, uint8_t action, size_t len)
{
	p->step = step;
	return (struct hf_pr_effect){.action = action, .len = len};
}

static struct hf_pr_effect out(
	struct hf_pr *p, enum hf_pr_step step, uint8_t action, uint64_t key, uint64_t other)
{
	struct hf_pr_effect e = {
		.out = true, .action = action, .type = HF_PR_TYPE, .len = HF_PR_LIST_BYTES};

	p->step = step;
	hf_put_be64(e.list, key);
	hf_put_be64(e.list + 8, other);
	if (step == HF_PR_REGISTER && !p->no_aptpl)
		e.list[20] = APTPL;
	return e;
}

static struct hf_pr_effect do_register(struct hf_pr *p)
{
	return out(p, HF_PR_REGISTER, OUT_REGISTER_AND_IGNORE, 0, p->key);
}

static struct hf_pr_effect reserve(struct hf_pr *p)
{
	return out(p, HF_PR_RESERVE, OUT_RESERVE, p->key, 0);
}

static struct hf_pr_effect read_keys(struct hf_pr *p)
{
	if (++p->rounds > ROUNDS_MAX)
		return end(p, -EAGAIN, NULL);
	return in(p, HF_PR_READ_KEYS, IN_READ_KEYS, HF_PR_DATA_BYTES);
}

static struct hf_pr_effect unregister(struct hf_pr *p)
{
	return out(p, HF_PR_UNREGISTER, OUT_REGISTER, p->key, 0);
}

struct hf_pr_effect hf_pr_start(struct hf_pr *p, enum hf_pr_job job)
{
	hf_assert(p->step == HF_PR_IDLE);
	p->job = job;
	p->rounds = 0;
	switch (job) {
	case HF_PR_ENTER:
		return in(p, HF_PR_PROBE_TYPES, IN_REPORT_CAPABILITIES, CAPABILITIES_BYTES);
	case HF_PR_FENCE:
	case HF_PR_LOOK:
		return read_keys(p);
	case HF_PR_TAKE_BACK:
		return do_register(p);
	case HF_PR_LEAVE:
		break;
	}
	return p->keeps_out ? read_keys(p) : unregister(p);
}

static struct hf_pr_effect probed_types(
	struct hf_pr *p, int result, const uint8_t *data, size_t len)
{
	if (result == -EOPNOTSUPP)
		return end(p, result, "it knows no persistent reservations");
	if (result < 0)
		return end(p, result, NULL);
	if (len >= CAPABILITIES_BYTES && data[3] & TMV && !(data[5] & EX_AC_AR))
		return end(p, -EOPNOTSUPP, "it does not know reservations of type 8");
	return do_register(p);
}

static struct hf_pr_effect registered(struct hf_pr *p, int result)
{
	if (result == -EOPNOTSUPP && !p->no_aptpl) {
		p->no_aptpl = true;
		return do_register(p);
	}
	if (result == -EOPNOTSUPP)
		return end(p, result, "it refuses registrations");
	if (result < 0)
		return end(p, result, "it refuses registrations");
	if (p->job != HF_PR_ENTER)
		return read_keys(p);
	return out(p, HF_PR_PROBE_ABORT, OUT_PREEMPT_AND_ABORT, p->key, NOBODYS_KEY);
}

/* Who knows the command answers that there is no such registration. */
static struct hf_pr_effect probed_abort(struct hf_pr *p, int result)
{
	if (result == -EOPNOTSUPP || result == 0)
		return end(p, -EOPNOTSUPP, "it does not honour PREEMPT AND ABORT");
	if (result != -EBADE)
		return end(p, result, NULL);
	return reserve(p);
}

static unsigned id_of(uint64_t key)
{
	return key >> 24 & 0xff;
}

static bool is_spared(const struct hf_pr *p, uint64_t key)
{
	unsigned id = id_of(key);

	if (key >> 32 != p->key >> 32 || id >= HF_CONTROLLER_IDS)
		return p->job == HF_PR_LEAVE; /* a stranger keeps nobody out for us */
	/* Two that leave at once find each other: the lower one stays registered. */
	if (p->job == HF_PR_LEAVE)
		return id > id_of(p->key);
	/* Another incarnation of the victim has come after it: nothing of the victim is left. */
	if (p->job == HF_PR_TAKE_BACK)
		return key >> 24 == p->victim >> 24 && key != p->victim;
	return p->job == HF_PR_FENCE && p->spare >> id & 1;
}

/* Is our own key among them, and which is the first that has to go? */
static bool look(const struct hf_pr *p, const uint8_t *data, size_t len, uint64_t *ret_other)
{
	size_t n = len < 8 ? 0 : HF_MIN((size_t)hf_get_be32(data + 4), len - 8) / 8;
	bool own = false;

	*ret_other = 0;
	for (size_t i = 0; i < n; i++) {
		uint64_t key = hf_get_be64(data + 8 + 8 * i);

		if (key == p->key)
			own = true;
		else if (!*ret_other && !is_spared(p, key))
			*ret_other = key;
	}
	return own;
}

static struct hf_pr_effect keys_are(struct hf_pr *p, const uint8_t *data, size_t len)
{
	uint64_t other;

	if (!look(p, data, len, &other) && HF_PLANTED(REGISTER_ANEW) && p->job == HF_PR_FENCE)
		return do_register(p);
	if (!look(p, data, len, &other))
		return end(p, p->job == HF_PR_LOOK && !other ? -ENOENT : -EBADE, NULL);
	if (p->job == HF_PR_LOOK)
		return end(p, 0, NULL);
	if (p->job == HF_PR_LEAVE)
		return other ? unregister(p) : end(p, 0, NULL);
	if (!other)
		return reserve(p);
	return out(p, HF_PR_PREEMPT,
		HF_PLANTED(PREEMPT_NO_ABORT) ? OUT_PREEMPT : OUT_PREEMPT_AND_ABORT, p->key, other);
}

struct hf_pr_effect hf_pr_abandon(struct hf_pr *p)
{
	return end(p, -ECANCELED, NULL);
}

struct hf_pr_effect hf_pr_answer(struct hf_pr *p, int result, const uint8_t *data, size_t len)
{
	switch (p->step) {
	case HF_PR_PROBE_TYPES:
		return probed_types(p, result, data, len);
	case HF_PR_REGISTER:
		return registered(p, result);
	case HF_PR_PROBE_ABORT:
		return probed_abort(p, result);
	case HF_PR_RESERVE:
		return end(p, result, "somebody else has reserved it; sg_persist shows who");
	case HF_PR_READ_KEYS:
		return result < 0 ? end(p, result, NULL) : keys_are(p, data, len);
	case HF_PR_PREEMPT:
		/* A conflict: own or other registration is gone meanwhile. The keys tell which. */
		return result < 0 && result != -EBADE ? end(p, result, NULL) : read_keys(p);
	case HF_PR_UNREGISTER:
		return end(p, result, NULL);
	case HF_PR_IDLE:
		break;
	}
	hf_assert(false);
	return end(p, -EINVAL, NULL);
}
