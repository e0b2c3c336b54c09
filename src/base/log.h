/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The log of the daemon: one line to stderr with a systemd priority ("<3>..."). Libraries do not
 * log; the daemon's wiring, the bus engine and the files named after a mechanism (_uring ...) may,
 * once, with what happened, to which object, what follows, and what to do next. HF_LOG_DEBUG is
 * dropped unless enabled. One write() a line, so lines of threads do not mix.
 */
#ifndef HF_LOG_H
#define HF_LOG_H

enum hf_log_priority {
	HF_LOG_ERROR = 3,
	HF_LOG_WARNING = 4,
	HF_LOG_NOTICE = 5,
	HF_LOG_INFO = 6,
	HF_LOG_DEBUG = 7,
};

void hf_log_set_level(enum hf_log_priority max);
void hf_log(enum hf_log_priority p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define hf_error(...)	hf_log(HF_LOG_ERROR, __VA_ARGS__)
#define hf_warning(...) hf_log(HF_LOG_WARNING, __VA_ARGS__)
#define hf_notice(...)	hf_log(HF_LOG_NOTICE, __VA_ARGS__)
#define hf_info(...)	hf_log(HF_LOG_INFO, __VA_ARGS__)
#define hf_debug(...)	hf_log(HF_LOG_DEBUG, __VA_ARGS__)

#endif
