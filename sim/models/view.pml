/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The view, the record on the voting disks, rejoin and restart, as src/bus/view*.c has them under the
 * policy `freeze`: two controllers, crashes and restarts with another incarnation, a link that breaks
 * and comes back, an operator who says `peer-down` and `--alone` (of a peer that is dead, which is
 * what the word means). What the controllers agree on is one number, counted up by every change. The
 * disks keep it (APTPL). See doc/models.md.
 *
 *	-DCHANGES=n	-DCRASHES=n	-DCUTS=n	-DWORDS=n
 *	-DRECORD_LAST=1	the mistake of W8: goes on alone before the record is written
 *	-DANY_STATE=1	the mistake of W20: a peer without memory counts as the one that was
 *
 * Asserted: who serves has every change of which a host has been told GOOD; never two that go on
 * without each other; who goes on alone is named alone in the record (INV-2, INV-5, INV-6).
 * With -DLIVE: when troubles have ended the two come together (INV-9), for this model has no case that
 * waits for the operator: nobody says the word of a living peer.
 */
#ifndef CHANGES
#define CHANGES 2
#endif
#ifndef CRASHES
#define CRASHES 2
#endif
#ifndef CUTS
#define CUTS 1
#endif
#ifndef WORDS
#define WORDS 1
#endif
#ifndef RECORD_LAST
#define RECORD_LAST 0
#endif
#ifndef ANY_STATE
#define ANY_STATE 0
#endif

mtype = { DOWN, STARTING, JOINING, TOGETHER, FROZEN, ALONE, OUT };
#define PEER (1 - me)
#define SELF (1 + me)
#define BOTH 3

mtype state[2] = DOWN;
bit live[2];		/* has the agreed state in memory */
byte value[2];		/* the agreed number, as far as known here */
byte inc[2], member[2];	/* own incarnation; the peer's in the view */
byte epoch[2];
bit up;			/* the link, between the present incarnations */
byte told;		/* the newest number of which a host was told GOOD */
byte disk;		/* ... and what the APTPL slot keeps */
byte rec_epoch, rec_members;
bit job[2];		/* goes on alone: has read the record, will write it */
bit copied[2];		/* the newcomer's: has the number */
byte crashes, cuts, words, changes;

#define serves(i) (state[i] == TOGETHER || state[i] == FROZEN || state[i] == ALONE)
#define is_same_view(i) (live[1 - (i)] && (state[1 - (i)] == TOGETHER || state[1 - (i)] == FROZEN) && \
	epoch[0] == epoch[1] && member[i] == inc[1 - (i)] && member[1 - (i)] == inc[i])

inline check()
{
	assert(!(state[0] == ALONE && state[1] == ALONE));
	assert(!serves(0) || state[0] == FROZEN || value[0] == told);
	assert(!serves(1) || state[1] == FROZEN || value[1] == told);
	/* who goes on alone has nobody beside it that serves */
	assert(state[0] != ALONE || (!serves(1) && rec_members == 1));
	assert(state[1] != ALONE || (!serves(0) && rec_members == 2))
}

inline forget()
{
	live[me] = 0; member[me] = 0; copied[me] = 0; job[me] = 0
}

proctype Controller(bit me)
{
end:
	do
	/* --- changes: both hold, the record is written, GOOD, applied by both --- */
	:: atomic { changes < CHANGES && state[me] == TOGETHER && state[PEER] == TOGETHER && up ->
		changes++; value[0]++; value[1] = value[0]; disk = value[0]; told = value[0]; check() }
	:: atomic { changes < CHANGES && state[me] == ALONE && !job[me] ->
		changes++; value[me]++; disk = value[me]; told = value[me];
		/* a newcomer whose copy is older has to get it again */
		copied[PEER] = 0;
		check() }

	/* --- start: both empty, the lower id loads; nothing is served yet --- */
	:: atomic { me == 0 && state[0] == STARTING && !live[0] && up && state[1] == STARTING &&
		   !live[1] -> live[0] = 1; value[0] = disk; epoch[0] = rec_epoch }
	/* loaded, and the other is lost again, or has the state */
	:: atomic { state[me] == STARTING && live[me] && (!up || serves(PEER)) -> forget() }

	/* --- joining --- */
	:: atomic { (state[me] == STARTING || state[me] == OUT) && !live[me] && up && live[PEER] &&
		   state[PEER] != JOINING -> state[me] = JOINING; copied[me] = 0 }
	:: atomic { state[me] == JOINING && !up -> forget(); state[me] = STARTING }
	:: atomic { state[me] == JOINING && up && !live[PEER] -> forget(); state[me] = STARTING }
	:: atomic { state[me] == JOINING && !copied[me] && up && live[PEER] &&
		   (state[PEER] == ALONE || state[PEER] == STARTING) ->
		copied[me] = 1; value[me] = value[PEER] }
	/* the member: record with both, then `joined` */
	:: atomic { (state[me] == ALONE || (state[me] == STARTING && live[me])) && up && !job[me] &&
		   state[PEER] == JOINING && copied[PEER] &&
		   (rec_epoch == 0 || (rec_members & SELF) || state[me] == STARTING) ->
		rec_epoch++; rec_members = BOTH;
		epoch[0] = rec_epoch; epoch[1] = rec_epoch;
		member[me] = inc[PEER]; member[PEER] = inc[me];
		live[PEER] = 1;
		state[me] = TOGETHER; state[PEER] = TOGETHER;
		check() }

	/* --- losing the peer --- */
	:: atomic { state[me] == TOGETHER && !up -> state[me] = FROZEN }
	:: atomic { state[me] == FROZEN && up && is_same_view(me) ->
		state[me] = TOGETHER }
#if ANY_STATE
	:: atomic { state[me] == FROZEN && up && !live[PEER] && state[PEER] != DOWN ->
		state[me] = TOGETHER; state[PEER] = TOGETHER; live[PEER] = 1; epoch[PEER] = epoch[me];
		member[me] = inc[PEER]; member[PEER] = inc[me]; check() }
#endif
	/* the peer is back without memory: it is not the member that was (W20) */
	:: atomic { (state[me] == FROZEN || state[me] == TOGETHER) && up && !live[PEER] &&
		   state[PEER] != DOWN && inc[PEER] != member[me] && !job[me] -> job[me] = 1 }
	/* the record no longer names this one */
	:: atomic { state[me] == FROZEN && rec_epoch > epoch[me] && !(rec_members & SELF) ->
		forget(); state[me] = OUT; epoch[me] = rec_epoch }
	/* goes on alone: the record first, then everything else */
#if RECORD_LAST
	:: atomic { job[me] -> job[me] = 0; state[me] = ALONE; member[me] = 0; check() }
#else
	:: atomic { job[me] && (state[me] == FROZEN || state[me] == TOGETHER) &&
		   (rec_members & SELF) ->
		job[me] = 0; rec_epoch++; rec_members = SELF; epoch[me] = rec_epoch;
		member[me] = 0; state[me] = ALONE; copied[PEER] = 0; check() }
	:: atomic { job[me] && !(rec_members & SELF) -> forget(); state[me] = OUT }
#endif
	od
}

proctype World()
{
	bit me;
end:
	do
	/* power on */
	:: atomic { state[0] == DOWN -> state[0] = STARTING; inc[0]++; value[0] = 0; epoch[0] = 0;
		up = (state[1] != DOWN) }
	:: atomic { state[1] == DOWN -> state[1] = STARTING; inc[1]++; value[1] = 0; epoch[1] = 0;
		up = (state[0] != DOWN) }
	/* crash; what it had in flight is over (its locks), its memory is gone */
	:: atomic { crashes < CRASHES && state[0] != DOWN -> me = 0; crashes++; forget(); up = 0;
		state[0] = DOWN }
	:: atomic { crashes < CRASHES && state[1] != DOWN -> me = 1; crashes++; forget(); up = 0;
		state[1] = DOWN; me = 0 }
	/* the link */
	:: atomic { cuts < CUTS && up -> cuts++; up = 0 }
	:: atomic { !up && state[0] != DOWN && state[1] != DOWN -> up = 1 }
	/* the operator, of a peer that is dead */
	:: atomic { words < WORDS && state[0] == FROZEN && state[1] == DOWN && !job[0] ->
		words++; job[0] = 1 }
	:: atomic { words < WORDS && state[1] == FROZEN && state[0] == DOWN && !job[1] ->
		words++; job[1] = 1 }
	:: atomic { words < WORDS && state[0] == STARTING && !live[0] && state[1] == DOWN &&
		   (rec_epoch == 0 || (rec_members & 1)) ->
		words++; live[0] = 1; value[0] = disk; rec_epoch++; rec_members = 1;
		epoch[0] = rec_epoch; state[0] = ALONE; check() }
	:: atomic { words < WORDS && state[1] == STARTING && !live[1] && state[0] == DOWN &&
		   (rec_epoch == 0 || (rec_members & 2)) ->
		words++; live[1] = 1; value[1] = disk; rec_epoch++; rec_members = 2;
		epoch[1] = rec_epoch; state[1] = ALONE; check() }
	od
}

init { atomic { run Controller(0); run Controller(1); run World() } }

#ifdef LIVE
ltl together { <> [] (state[0] == TOGETHER && state[1] == TOGETHER) }
#endif
