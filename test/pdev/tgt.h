/* SPDX-License-Identifier: BSD-3-Clause */
/* An independent iSCSI target for tests: Debian's tgtd, with LUNs in a directory of its own. */
#ifndef HF_TEST_TGT_H
#define HF_TEST_TGT_H

#include <stdbool.h>
#include <stdint.h>

#define TGT_IQN	     "iqn.2026-01.com.example:third"
#define TGT_CHAP_IQN "iqn.2026-01.com.example:chap"

enum {
	TGT_PORT = 15010,
	TGT_LUN_BYTES = 8 << 20,
	TGT_LUN_512 = 1,  /* blocks of 512 bytes */
	TGT_LUN_4096 = 2, /* blocks of 4096 */
	TGT_LUN_THIN = 3, /* blocks of 512, frees what is unmapped */
};

/* False: there is no tgtd on this machine, or it does not start; why is printed. */
bool tgt_start(void);
/* SIGKILL, waited for; the LUNs keep their content. */
void tgt_kill(void);
void tgt_stop_cold(bool stop); /* SIGSTOP or SIGCONT */
/* From the next start on LUN 3 is another disk by its identification, or the first again. */
void tgt_swap(bool swap);
/* Takes LUN 1's medium out, or puts it back. */
void tgt_take_medium_out(bool out);
/* Kills, and removes the directory. */
void tgt_end(void);

/* "iscsi://127.0.0.1:PORT/IQN/LUN" + rest; kept until the second next call. */
const char *tgt_url(const char *iqn, unsigned lun, const char *rest);

#endif
