/* SPDX-License-Identifier: BSD-3-Clause */
/* Between the files of the control socket's commands; shapes in doc/control.md. */
#ifndef HF_COMMANDS_H
#define HF_COMMANDS_H

#include "node.h"

/* commands_look.c */
void hf_cmd_status(struct hf_control_req *req);
void hf_cmd_device_list(struct hf_control_req *req);
void hf_cmd_disk_list(struct hf_control_req *req);
void hf_cmd_session_list(struct hf_control_req *req);
json_t *hf_cmd_device_json(struct hf_node *node, const struct hf_map_ldev *d);

/* commands_fault.c */
void hf_cmd_disk_fault(struct hf_control_req *req);

/* commands_resv.c */
void hf_cmd_reservation_list(struct hf_control_req *req);
void hf_cmd_reservation_show(struct hf_control_req *req);
void hf_cmd_reservation_break(struct hf_control_req *req);
void hf_cmd_reservation_pick(struct hf_control_req *req);

/* commands_device.c */
void hf_cmd_device_create(struct hf_control_req *req);
void hf_cmd_device_grow(struct hf_control_req *req);
void hf_cmd_device_rename(struct hf_control_req *req);
void hf_cmd_device_set(struct hf_control_req *req);
void hf_cmd_device_delete(struct hf_control_req *req);

/* commands_settled.c: then(req) once devices first .. last (HF_BUS_DEV_POOL is the first of all)
 * have each been seen without a pending op, or the bound has passed. Maybe inside the call. */
void hf_cmd_settled(struct hf_control_req *req, uint32_t first, uint32_t last,
	void (*then)(struct hf_control_req *req));

/* The device an argument names; NULL: the request has been refused. */
const struct hf_map_ldev *hf_cmd_device(struct hf_control_req *req, const char *key);
/* "0x..." as JSON. */
json_t *hf_cmd_hex(uint64_t v);
/* Which controller has this port; 0: none of the configuration. */
unsigned hf_cmd_controller_of(const struct hf_node *node, uint16_t rtpi);

#endif
