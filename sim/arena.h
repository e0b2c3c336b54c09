/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory of the worlds that run one after another in a process (arena.c). */
#ifndef SIM_ARENA_H
#define SIM_ARENA_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SIM_ARENA 0 /* they have a malloc() of their own */
#else
#define SIM_ARENA 1
#endif

/* So many worlds run in a process before their memory has to go with it. */
enum { SIM_WORLDS_PER_PROCESS = SIM_ARENA ? 64 : 16 };

/* From here on free() keeps what is there. Before the first world, once per process. */
void sim_arena_keep(void);

/*
 * The variables of this program, and with them what is in use of the arena, are as they were at
 * sim_arena_keep(). What was allocated since is gone; nothing of the caller's that lies on the
 * stack, in shared memory or in the C library is touched.
 */
void sim_arena_again(void);

#endif
