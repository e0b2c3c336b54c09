/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ranges of COMPARE AND WRITE, as src/bus/range.c and src/lu/range.c have them, beside ordinary writes
 * and reservation ops that drain. One range of blocks that everybody wants. See doc/models.md.
 *
 *	-DROUNDS=n	commands of each kind at each controller
 *	-DPIN_FIRST=1	the mistake of S4: a write is pinned, and then waits for a range
 *
 * Asserted: nobody else writes between the read and the write of a COMPARE AND WRITE, at whatever
 * controller. With deadlock detection: nobody waits in a circle (S4).
 */
#ifndef ROUNDS
#define ROUNDS 1
#endif
#ifndef PIN_FIRST
#define PIN_FIRST 0
#endif

#define PEER (1 - me)
/* For whom a controller holds the range: 0 nobody, 1 + controller. */
byte range[2];
byte writes[2];	 /* pinned ordinary writes */
byte pins[2];	 /* pinned commands of all kinds */
bit hold[2];	 /* a reservation op is pending: nothing new is pinned */
bit busy[2];	 /* a COMPARE AND WRITE is between read and write */

proctype Write(bit me)
{
	byte k;

	do
	:: k == ROUNDS -> break
	:: k < ROUNDS ->
		k++;
#if PIN_FIRST
		atomic { !hold[me] -> pins[me]++ }
		atomic { !range[me] -> writes[me]++ }
#else
		atomic { !hold[me] && !range[me] -> pins[me]++; writes[me]++ }
#endif
		assert(!busy[0] && !busy[1]);
		atomic { writes[me]--; pins[me]-- }
	od
}

/* The dominant (0) holds, then asks, and keeps what it holds; the subordinate asks, and makes way. */
proctype CompareAndWrite(bit me)
{
	byte k;
	bit granted;

	do
	:: k == ROUNDS -> break
	:: k < ROUNDS ->
		k++;
		granted = 0;
		do
		:: granted -> break
		:: !granted ->
			/* held and drained here */
			atomic { !range[me] -> range[me] = 1 + me };
			!writes[me];
			if
			/* ... and there */
			:: atomic { !range[PEER] -> range[PEER] = 1 + me };
				!writes[PEER];
				granted = 1
			/* crossing: the subordinate lets go, and waits for the dominant's end */
			:: atomic { me == 1 && range[0] == 1 -> range[1] = 0 };
				range[0] != 1
			fi
		od;
		atomic { !hold[me] -> pins[me]++ }
		busy[me] = 1;
		assert(!busy[PEER] && !writes[0] && !writes[1]);
		busy[me] = 0;
		atomic { pins[me]--; range[PEER] = 0 }
		range[me] = 0
	od
}

/* A reservation op that takes access from everybody: both hold, both drain, both go on. */
proctype Reserve(bit me)
{
	byte k;

	do
	:: k == ROUNDS -> break
	:: k < ROUNDS ->
		k++;
		atomic { !hold[0] && !hold[1] -> hold[me] = 1 }
		hold[PEER] = 1;
		!pins[PEER];
		!pins[me];
		atomic { hold[0] = 0; hold[1] = 0 }
	od
}

init
{
	atomic {
		run Write(0); run Write(1);
		run CompareAndWrite(0); run CompareAndWrite(1);
		run Reserve(0); run Reserve(1)
	}
}
