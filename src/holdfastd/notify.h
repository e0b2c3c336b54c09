/* SPDX-License-Identifier: BSD-3-Clause */
/* News for the service manager, if there is one. */
#ifndef HF_NOTIFY_H
#define HF_NOTIFY_H

void hf_notify(const char *state);	     /* "READY=1", "STOPPING=1" */
void hf_notify_status(const char *sentence); /* what `systemctl status` shows; one line */

#endif
