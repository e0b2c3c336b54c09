/* SPDX-License-Identifier: BSD-3-Clause */
/* disk.fault: the rules of a disk's fault layer, changed and watched while requests are out. */
#include "commands.h"
#include "fault.h"
#include "log.h"

#include <stdio.h>

enum { RULES_MAX = 512 };

/* The open disk an argument names; NULL: the request has been refused. */
static struct hf_pdev *find_disk(struct hf_control_req *req, const char **ret_name)
{
	struct hf_node *node = req->owner;
	int i;

	if (!hf_control_arg_string(req, "disk", true, HF_NAME_MAX, ret_name))
		return NULL;
	i = hf_map_find_pdev(node->pool.cur, *ret_name);
	if (i < 0 || !node->pdevs[i]) {
		hf_control_fail(req, ENOENT,
			"there is no disk \"%s\" here; `holdfast disk list` shows those there are",
			*ret_name);
		return NULL;
	}
	return node->pdevs[i];
}

void hf_cmd_disk_fault(struct hf_control_req *req)
{
	const char *name, *rules = NULL;
	char message[512] = "";
	bool release = false;
	unsigned released = 0;
	struct hf_pdev *pdev = find_disk(req, &name);
	int rc;

	if (!pdev || !hf_control_arg_string(req, "rules", false, RULES_MAX, &rules) ||
		!hf_control_arg_bool(req, "release", &release))
		return;
	if (rules) {
		rc = hf_pdev_fault_set(
			pdev, strcmp(rules, "none") ? rules : "", message, sizeof(message));
		if (rc) {
			hf_control_fail(req, -rc, "%s", message);
			return;
		}
		hf_warning("the rules of disk %s's fault layer are now \"%s\"", name, rules);
	}
	if (release)
		released = hf_pdev_fault_release(pdev);
	hf_control_reply(req, json_pack("{s:i, s:I, s:i, s:i}", "out", (int)hf_pdev_fault_out(pdev),
				      "strikes", (json_int_t)hf_pdev_fault_strikes(pdev), "hanging",
				      (int)hf_pdev_fault_hanging(pdev), "released", (int)released));
}
