/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The hand-over of two sets from an old daemon to a new one, and back if the second one's fails:
 * daemon/handover_set.c. Either daemon dies or is stopped between any two of its steps, and any
 * deadline may pass while nothing lies in the socket of who waits. Words lie there also when their
 * sender is dead.
 *
 * Safety: a set is never run by two; who goes on with a set that he had given away does so only if
 * nobody has run it since; and when both have come to an end, whoever has a set by the protocol
 * runs it, or is dead.
 *
 * Mistakes, each of which must be found:
 *   BUG_NO_KILL      who waits in vain goes on
 *   BUG_NO_REAP      who kills does not wait until the other one is dead
 *   BUG_NO_LAST_LOOK what lies in the socket of who killed is not read
 *   BUG_RUN_EARLY    a set is run before ACTIVE is said
 *   BUG_TELL_EARLY   who goes away says so, and then makes up his mind
 */
#define OLD  0
#define NEW  1
#define SETS 2

mtype = { OFFER, READY, STATE, ACTIVE, REFUSED, GONE, SILENT }; /* words, and two that are none */
mtype = { WELL, STAYED, PARTED, GONE_BY };                      /* verdicts */

chan to[2] = [4] of { mtype, byte }; /* a word and its set: the socket, as its reader sees it */
bool alive[2] = true;
bool stopped[2] = false;
bool dying[2] = false;  /* a signal is on its way */
bool closed[2] = false; /* this side's end of the socket */
bool done[2] = false;
bool may_kill[2] = false;

/* What really happened, for the assertions. */
bool runs[4] = false;  /* side * SETS + set */
byte owner[SETS] = OLD; /* by the protocol: who said ACTIVE last */
bool touched[SETS] = false; /* the taker ran it, since it was written down */

#define RUNS(side, set) runs[(side) * SETS + (set)]
#define CAN_RUN(side)   (alive[side] && !stopped[side])

inline start(me, it, set)
{
    atomic {
        assert(!(alive[it] && RUNS(it, set)));
        RUNS(me, set) = true
    }
}

/* `sent`: it lies in the other's socket. */
inline say(it, word, set)
{
    atomic {
        if
        :: alive[it] && !closed[it] -> to[it]!word, set; sent = true
        :: else -> sent = false
        fi
    }
}

inline hear(me, it)
{
    atomic {
        if
        :: nempty(to[me]) -> to[me]?got, about
        :: empty(to[me]) && (!alive[it] || closed[it]) -> got = GONE
        :: empty(to[me]) -> got = SILENT
        fi
    }
}

inline look(me)
{
    atomic {
        if
        :: nempty(to[me]) -> to[me]?got, about
        :: empty(to[me]) -> got = GONE
        fi
    }
}

/* After silence: `got` is what was said after all, or GONE. */
inline last_words(me, it)
{
    look(me);
    if
    :: got == GONE && may_kill[me] ->
#ifndef BUG_NO_KILL
        dying[it] = true;
#ifndef BUG_NO_REAP
        !alive[it];
#endif
#endif
#ifndef BUG_NO_LAST_LOOK
        look(me)
#endif
    :: got == GONE && !may_kill[me] && !alive[it] -> look(me)
    :: else
    fi
}

inline give(me, it, set)
{
    may_kill[me] = true;
    left = false;
    verdict = PARTED;
    if
    :: true -> say(it, REFUSED, set); verdict = STAYED /* it cannot be offered */
    :: true -> say(it, OFFER, set);
       hear(me, it);
       if
       :: got == GONE || got == SILENT -> last_words(me, it)
       :: else
       fi;
       if
       :: got == REFUSED -> verdict = STAYED
       :: got == READY ->
           atomic { RUNS(me, set) = false; touched[set] = false; left = true };
           if
           :: true -> say(it, REFUSED, set); verdict = STAYED /* it cannot be written down */
           :: true -> say(it, STATE, set);
              hear(me, it);
              if
              :: got == GONE || got == SILENT -> last_words(me, it)
              :: else
              fi;
              if
              :: got == REFUSED -> verdict = STAYED
              :: got == ACTIVE -> verdict = (alive[it] -> WELL : GONE_BY)
              :: else
              fi
           fi
       :: else
       fi
    fi;
    if
    :: (verdict == STAYED || verdict == PARTED) && left ->
        assert(!touched[set]);
        start(me, it, set)
    :: else
    fi
}

/* The giver is not to be reached, and nothing came of it. */
inline go_away(me, it, set)
{
    verdict = PARTED;
    if
    :: alive[it] -> say(it, REFUSED, set)
    :: else
    fi
}

inline run_it(me, it, set)
{
    start(me, it, set);
    touched[set] = true;
    may_kill[me] = true;
    verdict = WELL
}

inline activate(me, it, set)
{
#ifdef BUG_RUN_EARLY
    run_it(me, it, set);
#endif
    atomic {
        say(it, ACTIVE, set);
        if
        :: sent -> owner[set] = me
        :: else
        fi
    };
    if
    :: !sent ->
        last_words(me, it);
        if
        :: !alive[it] -> owner[set] = me; run_it(me, it, set)
        :: else -> go_away(me, it, set)
        fi
    :: else ->
#ifndef BUG_RUN_EARLY
        run_it(me, it, set)
#endif
    fi
}

inline take(me, it, set)
{
    verdict = PARTED;
    hear(me, it);
    if
    :: got == GONE || got == SILENT -> last_words(me, it)
    :: else
    fi;
    if
    :: got == REFUSED -> verdict = STAYED
    :: got == OFFER ->
        if
        :: true -> say(it, REFUSED, set); verdict = STAYED /* it cannot be adopted */
        :: true -> say(it, READY, set);
           hear(me, it);
           if
           :: got == GONE || got == SILENT ->
#ifdef BUG_TELL_EARLY
               say(it, REFUSED, set);
#endif
               last_words(me, it)
           :: else
           fi;
           if
           :: got == REFUSED -> verdict = STAYED
           :: got == STATE ->
               if
               :: true -> say(it, REFUSED, set); verdict = STAYED /* it cannot be entered */
               :: activate(me, it, set)
               fi
           :: else -> go_away(me, it, set)
           fi
        fi
    :: else -> go_away(me, it, set)
    fi
}

proctype old() provided (CAN_RUN(OLD))
{
    mtype verdict = WELL;
    mtype got;
    byte about;
    byte set = 0;
    bool left, sent;

    do
    :: verdict == WELL && set < SETS ->
        give(OLD, NEW, set);
        if
        :: verdict == WELL -> set++
        :: else
        fi
    :: else -> break
    od;
    do
    :: (verdict == WELL || verdict == STAYED) && set > 0 && set < SETS ->
        set--;
        take(OLD, NEW, set);
        if /* the next one's turn */
        :: set == 0 -> break
        :: else
        fi
    :: else -> break
    od;
    atomic { closed[OLD] = true; done[OLD] = true }
}

proctype new() provided (CAN_RUN(NEW))
{
    mtype verdict = WELL;
    mtype got;
    byte about;
    byte set = 0;
    bool left, sent;

    do
    :: verdict == WELL && set < SETS ->
        take(NEW, OLD, set);
        if
        :: verdict == WELL -> set++
        :: else
        fi
    :: else -> break
    od;
    do
    :: (verdict == WELL || verdict == STAYED) && set > 0 && set < SETS ->
        set--;
        give(NEW, OLD, set);
        if
        :: set == 0 -> break
        :: else
        fi
    :: else -> break
    od;
    atomic { closed[NEW] = true; done[NEW] = true }
}

/* Faults, and the kernel's signals. */
proctype world()
{
end:
    do
    :: alive[OLD] -> alive[OLD] = false
    :: alive[NEW] -> alive[NEW] = false
    :: alive[OLD] && !done[OLD] -> stopped[OLD] = !stopped[OLD]
    :: alive[NEW] && !done[NEW] -> stopped[NEW] = !stopped[NEW]
    :: !alive[OLD] || !alive[NEW] -> skip /* the dead rest where they are */
    od
}

proctype judge()
{
    byte set = 0;

end:
    (done[OLD] || !alive[OLD]) && (done[NEW] || !alive[NEW]);
    atomic {
        do
        :: set < SETS ->
            assert(!alive[owner[set]] || RUNS(owner[set], set));
            set++
        :: else -> break
        od
    }
}

init {
    atomic {
        RUNS(OLD, 0) = true;
        RUNS(OLD, 1) = true;
        run old();
        run new();
        run world();
        run judge()
    }
}
