/* SPDX-License-Identifier: BSD-3-Clause */
/* Pieces that the op codec and the state codec share. Private to src/resv. */
#ifndef HF_RESV_CODEC_H
#define HF_RESV_CODEC_H

#include "bytes.h"
#include "state.h"

/* A name length byte, the name, ISID (6 bytes). A name of no bytes is allowed only if can_be_empty.
 */
void hf_wr_port_id(struct hf_wr *w, const struct hf_port_id *id);
void hf_rd_port_id(struct hf_rd *r, struct hf_port_id *ret, bool can_be_empty);
/* The port id and the relative target port identifier (2 bytes). */
void hf_wr_nexus(struct hf_wr *w, const struct hf_nexus *nexus);
void hf_rd_nexus(struct hf_rd *r, struct hf_nexus *ret, bool can_be_empty);

/* A byte of flags of which only those in `known` may be set. */
uint8_t hf_rd_flags(struct hf_rd *r, uint8_t known);
/* Fails the reader unless cond. */
void hf_rd_require(struct hf_rd *r, bool cond);

#endif
