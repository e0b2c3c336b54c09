/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pair protocol of one device, as src/bus/pair*.c has it: two controllers, a host at each, ops
 * chosen freely, hosts' accesses that are pinned and take a while. The names are those of the code:
 * a step here is what one hf_pair_step() does. See doc/models.md.
 *
 *	-DOPS=n		ops of each host		-DCANCEL=1	an op may be given up
 *	-DCUTS=n	the link is lost, n times	-DCRASH=1	one controller dies for good
 *	-DOVERTAKE=1	the mistake of W7: after a heal a `cancel` goes before the repeated `settled`
 *	-DNO_PASS=1	a mistake: no `pass` after `cancelled`, which a `refused` may have crossed
 *
 * Asserted: INV-1 what is pinned is allowed by one settled state; INV-2 the same state under the same
 * number; INV-3 GOOD only when the peer has the op in force; INV-4 at GOOD nothing is pinned that the
 * new state forbids. With -DLIVE: every op is answered and no claim is left (INV-9).
 */
#ifndef OPS
#define OPS 2
#endif
#ifndef CANCEL
#define CANCEL 0
#endif
#ifndef CUTS
#define CUTS 0
#endif
#ifndef OVERTAKE
#define OVERTAKE 0
#endif
#ifndef CRASH
#define CRASH 0
#endif
#ifndef NO_PASS
#define NO_PASS 0
#endif

#if OVERTAKE
#define MAY_SPEAK true
#else
#define MAY_SPEAK (!hello[me])
#endif

mtype = { ASK, HELD, REFUSED, SETTLED, PASS, CANCELS, CANCELLED };
mtype = { FREE, MINE, THEIRS, CANCELLING };
#define RESERVE 1
#define PREEMPT 2
#define RELEASE 3
#define PEER    (1 - me)
#define DOMINANT (me == 0)

/* kind, number, op, flag */
chan to0 = [8] of { mtype, byte, byte, bit };
chan to1 = [8] of { mtype, byte, byte, bit };

byte holder[2], n[2];	     /* settled: 0 nobody, 1 + controller of the host that holds */
mtype claim[2] = FREE;
byte op[2];		     /* the pending one */
byte queue[2], todo[2];	     /* at the head of the queue; still to come */
bit got_held[2], peer_waits[2], asked_now[2];
bit yield[2], gave_turn[2], have_turn[2], retry[2];
bit up[2], dead[2], hello[2];
bit pin[4];		     /* [2 * controller + host] */
byte cuts, answered;
/* what an observer knows */
byte good_n, good_holder;

#define after(s, o, h)	 ((o) == RELEASE -> ((s) == (h) -> 0 : (s)) : (h))
#define changes(s, o, h) (after(s, o, h) != (s) && !((o) == RESERVE && (s) != 0 && (s) != (h)))
#define allows(s, h)	 ((s) == 0 || (s) == (h))
#define proposer(i)	 (claim[i] == THEIRS -> 2 - (i) : 1 + (i))
#define next(i)		 (claim[i] == FREE -> holder[i] : after(holder[i], op[i], proposer(i)))
#define forbids_none(s, a, b) ((!(a) || allows(s, 1)) && (!(b) || allows(s, 2)))
#define drained(i)	 forbids_none(next(i), pin[2 * (i)], pin[2 * (i) + 1])
#define all_allowed(s)	 forbids_none(s, pin[0] || pin[2], pin[1] || pin[3])

inline send(kind, number, o, flag)
{
	if
	:: !up[me] -> skip
	:: up[me] && me == 0 -> to1!kind, number, o, flag
	:: up[me] && me == 1 -> to0!kind, number, o, flag
	fi
}

inline let_go()
{
	claim[me] = FREE;
	op[me] = 0;
	got_held[me] = 0;
	peer_waits[me] = 0;
	asked_now[me] = 0;
	retry[me] = 0
}

/* An op of ours is settled: applied here, GOOD, `settled` to the peer. */
inline settle()
{
	assert(n[me] == good_n && holder[me] == good_holder);
	assert(dead[PEER] || n[PEER] > n[me] ||
		(claim[PEER] == THEIRS && op[PEER] == op[me] && n[PEER] == n[me] && drained(PEER)));
	holder[me] = next(me);
	n[me]++;
	good_n = n[me];
	good_holder = holder[me];
	assert(all_allowed(holder[me]));
	gave_turn[me] = peer_waits[me] && up[me];
	send(SETTLED, n[me], holder[me], gave_turn[me]);
	let_go();
	queue[me] = 0;
	answered++
}

inline receive()
{
	if
	:: kind == ASK ->
		yield[me] = 0; gave_turn[me] = 0; have_turn[me] = 0;
		assert(number == n[me] + 1);
		if
		:: claim[me] == MINE || claim[me] == CANCELLING -> send(REFUSED, number, 0, 0)
		:: claim[me] == THEIRS -> assert(o == op[me]); asked_now[me] = 1
		:: claim[me] == FREE ->
			assert(changes(holder[me], o, 2 - me));
			claim[me] = THEIRS; op[me] = o; asked_now[me] = 1
		fi
	:: kind == HELD ->
		if
		:: claim[me] == MINE && number == n[me] + 1 ->
			got_held[me] = 1; peer_waits[me] = flag; retry[me] = 0
		:: else -> skip
		fi
	:: kind == REFUSED ->
		if
		:: claim[me] == MINE && number == n[me] + 1 && !got_held[me] ->
			if
			:: DOMINANT -> retry[me] = 1 /* asks again at any time, told by `pass` or not */
			:: else -> let_go(); yield[me] = 1; send(PASS, n[me], 0, 0)
			fi
		:: else -> skip
		fi
	:: kind == SETTLED ->
		if
		:: claim[me] == THEIRS && number == n[me] + 1 ->
			holder[me] = next(me); n[me]++;
			assert(holder[me] == o);
			let_go();
			have_turn[me] = flag
		:: else -> assert(number == n[me] -> holder[me] == o : number + 1 == n[me])
		fi
	:: kind == PASS -> yield[me] = 0; gave_turn[me] = 0
	:: kind == CANCELS ->
		yield[me] = 0; gave_turn[me] = 0;
		assert(number == n[me] + 1);
		if
		:: claim[me] == THEIRS -> let_go()
		:: else -> skip
		fi;
		send(CANCELLED, number, 0, 0)
	:: kind == CANCELLED ->
		if
		:: claim[me] == CANCELLING && number == n[me] + 1 ->
			let_go(); queue[me] = 0; answered++;
			if
			:: NO_PASS -> skip
			:: else -> send(PASS, n[me], 0, 0)
			fi
		:: else -> skip
		fi
	fi
}

proctype Controller(bit me)
{
	mtype kind;
	byte number, o;
	bit flag;
end:
	do
	/* a host asks */
	:: atomic { !dead[me] && !queue[me] && todo[me] ->
		todo[me]--;
		if :: queue[me] = RESERVE :: queue[me] = PREEMPT :: queue[me] = RELEASE fi }
	/* the head of the queue, nothing pending: refused or nothing to change, or claim and ask */
	:: atomic { !dead[me] && !hello[me] && queue[me] && claim[me] == FREE && !yield[me] &&
		   !gave_turn[me] && !changes(holder[me], queue[me], 1 + me) ->
		queue[me] = 0; answered++ }
	:: atomic { !dead[me] && !hello[me] && (up[me] || dead[PEER]) && queue[me] &&
		   claim[me] == FREE && !yield[me] && !gave_turn[me] &&
		   changes(holder[me], queue[me], 1 + me) ->
		claim[me] = MINE; op[me] = queue[me]; have_turn[me] = 0;
		send(ASK, n[me] + 1, op[me], 0) }
	:: atomic { !dead[me] && !hello[me] && have_turn[me] && claim[me] == FREE && !queue[me] ->
		have_turn[me] = 0; send(PASS, n[me], 0, 0) }
	:: atomic { !dead[me] && !hello[me] && retry[me] && up[me] && claim[me] == MINE ->
		retry[me] = 0; send(ASK, n[me] + 1, op[me], 0) }
	/* progress of what is pending */
	:: atomic { !dead[me] && !hello[me] && claim[me] == MINE && (got_held[me] || dead[PEER]) && drained(me) ->
		settle() }
	:: atomic { !dead[me] && !hello[me] && claim[me] == THEIRS && asked_now[me] && up[me] && drained(me) ->
		asked_now[me] = 0; send(HELD, n[me] + 1, op[me], queue[me] != 0) }
	/* the peer is gone for good: forward, for GOOD may have been told */
	:: atomic { !dead[me] && dead[PEER] && claim[me] == THEIRS && drained(me) ->
		holder[me] = next(me); n[me]++;
		assert(good_n < n[me] || good_holder == holder[me]);
		good_n = n[me]; good_holder = holder[me];
		let_go() }
	:: atomic { !dead[me] && dead[PEER] && (yield[me] || gave_turn[me] || have_turn[me]) ->
		yield[me] = 0; gave_turn[me] = 0; have_turn[me] = 0 }
#if CANCEL
	/* the bound has passed */
	:: atomic { !dead[me] && MAY_SPEAK && claim[me] == MINE && up[me] && !(got_held[me] && drained(me)) ->
		claim[me] = CANCELLING; retry[me] = 0; send(CANCELS, n[me] + 1, 0, 0) }
#endif
	:: atomic { !dead[me] && claim[me] == CANCELLING && dead[PEER] ->
		let_go(); queue[me] = 0; answered++ }
	/* the link is back: what may have been lost is said again, in this order */
	:: atomic { !dead[me] && hello[me] && up[me] ->
		hello[me] = 0;
		send(SETTLED, n[me], holder[me], 0);
		if
		:: claim[me] == MINE -> send(ASK, n[me] + 1, op[me], 0)
		:: claim[me] == CANCELLING -> send(CANCELS, n[me] + 1, 0, 0)
		:: else -> send(PASS, n[me], 0, 0)
		fi }
	:: atomic { me == 0 && !dead[0] && up[0] && !hello[0] && nempty(to0) ->
		to0?kind, number, o, flag; receive(); kind = 0; number = 0; o = 0; flag = 0 }
	:: atomic { me == 1 && !dead[1] && up[1] && !hello[1] && nempty(to1) ->
		to1?kind, number, o, flag; receive(); kind = 0; number = 0; o = 0; flag = 0 }
	od
}

/* Accesses of a host through a controller: pinned only if old and new state allow it. */
proctype Access(bit me; byte host)
{
end:
	do
	:: atomic { !dead[me] && !pin[2 * me + host - 1] && allows(holder[me], host) &&
		   allows(next(me), host) ->
		pin[2 * me + host - 1] = 1;
		assert((!dead[0] && all_allowed(holder[0])) || (!dead[1] && all_allowed(holder[1]))) }
	:: atomic { pin[2 * me + host - 1] -> pin[2 * me + host - 1] = 0 }
	od
}

inline drop_all()
{
	do
	:: nempty(to0) -> to0?_, _, _, _
	:: nempty(to1) -> to1?_, _, _, _
	:: empty(to0) && empty(to1) -> break
	od
}

inline forget_turns(i)
{
	yield[i] = 0; gave_turn[i] = 0; have_turn[i] = 0; asked_now[i] = 0; retry[i] = 0
}

proctype Trouble()
{
end:
	do
#if CUTS
	:: atomic { up[0] && cuts < CUTS && !dead[0] && !dead[1] ->
		cuts++; up[0] = 0; up[1] = 0; drop_all(); forget_turns(0); forget_turns(1) }
	:: atomic { !up[0] && !dead[0] && !dead[1] ->
		up[0] = 1; up[1] = 1; hello[0] = 1; hello[1] = 1 }
#endif
#if CRASH
	/* its fence has succeeded: nothing of it is in flight */
	:: atomic { !dead[0] && !dead[1] ->
		up[0] = 0; up[1] = 0; hello[0] = 0; hello[1] = 0; drop_all();
		if
		:: dead[0] = 1; pin[0] = 0; pin[1] = 0
		:: dead[1] = 1; pin[2] = 0; pin[3] = 0
		fi;
		break }
#endif
	:: atomic { answered == 2 * OPS && up[0] -> break }
	od
}

init
{
	atomic {
		todo[0] = OPS; todo[1] = OPS; up[0] = 1; up[1] = 1;
		run Controller(0); run Controller(1);
		run Access(0, 1); run Access(0, 2); run Access(1, 1); run Access(1, 2);
#if CUTS || CRASH
		run Trouble()
#endif
	}
}

#define quiet(i) (dead[i] || (todo[i] == 0 && queue[i] == 0 && claim[i] == FREE))
#define done	 (n[0] + n[1] + answered > 0 && quiet(0) && quiet(1))
#ifdef LIVE
ltl ends { <> done }
#endif
