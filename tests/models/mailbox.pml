/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine mailbox: posters that do not wait, callers that do and may lose patience at any
 * moment, and one engine that sleeps when it finds nothing. Steps are the single atomic operations
 * of mailbox/mailbox.c.
 *
 * Safety: the slot's plain fields have one owner at a time; accepted work runs exactly once and
 * withdrawn work never; a caller gets its own result; and when everything rests, nothing is left
 * in the slot and no caller waits (a lost wake-up leaves one).
 *
 * Mistakes, each of which must be found:
 *   BUG_NO_SECOND_LOOK  the engine arms and sleeps
 *   BUG_POST_UNRUNG     the poster looks at the armed word before it posts
 *   BUG_BLIND_WITHDRAW  the caller looks at the slot, then takes its work back
 *   BUG_BLIND_START     the engine looks at the slot, then takes it
 *   BUG_RESULT_LATE     the slot is released before the result is written
 *   BUG_SHARED_FILLING  the slot is claimed by a look and a store
 */
#define POSTERS 3 /* 0 posts, 1 and 2 call */
#define ROUNDS  2
#define NOBODY  255

mtype = { EMPTY, FILLING, POSTED, RUNNING, DONE };
mtype state = EMPTY;
bit armed = 0;
bit bell = 0;

/* The slot's plain fields. */
byte argument = NOBODY; /* whose work */
bool waited = false;
byte result = NOBODY;

/* What really happened. */
byte accepted[POSTERS];
byte ran[POSTERS];
byte finished = 0;

/* before = exchange(armed, value) */
inline exchange(value)
{
    atomic { before = armed; armed = value }
}

/* Fills the claimed slot and hands it over. */
inline fill(me, waits)
{
    argument = me;
    waited = waits;
    assert(state == FILLING && argument == me);
#ifdef BUG_POST_UNRUNG
    exchange(0);
    state = POSTED;
#else
    state = POSTED;
    exchange(0);
#endif
    if
    :: before == 1 -> bell = 1
    :: else
    fi
}

/* posted = the slot was free */
inline claim()
{
#ifdef BUG_SHARED_FILLING
    posted = (state == EMPTY);
    if
    :: posted -> state = FILLING
    :: else
    fi
#else
    atomic {
        posted = (state == EMPTY);
        if
        :: posted -> state = FILLING
        :: else
        fi
    }
#endif
}

proctype poster(byte me)
{
    byte round = 0;
    bool posted;
    bit before;

    do
    :: round == ROUNDS -> break
    :: round < ROUNDS ->
        claim();
        if
        :: posted -> accepted[me]++; fill(me, false)
        :: else /* busy: given up */
        fi;
        round++
    od;
    finished++
}

proctype caller(byte me)
{
    byte round = 0;
    bool posted;
    bool withdrawn;
    bit before;

    do
    :: round == ROUNDS -> break
    :: round < ROUNDS ->
        claim();
        if
        :: posted ->
            withdrawn = false;
            fill(me, true);
            if
            :: state == DONE
            :: true -> /* out of patience */
#ifdef BUG_BLIND_WITHDRAW
                withdrawn = (state == POSTED);
                if
                :: withdrawn -> state = EMPTY
                :: else
                fi;
#else
                atomic {
                    withdrawn = (state == POSTED);
                    if
                    :: withdrawn -> state = EMPTY
                    :: else
                    fi
                };
#endif
                if
                :: withdrawn
                :: else -> state == DONE
                fi
            fi;
            if
            :: withdrawn
            :: else ->
                accepted[me]++;
                assert(result == me && ran[me] == accepted[me]);
                result = NOBODY;
                state = EMPTY
            fi
        :: else /* busy: not yet, or no more */
        fi;
        round++
    od;
    finished++
}

proctype engine()
{
    bool found;
    bit before;

    do
    :: found = (state == POSTED);
        if
        :: found ->
#ifdef BUG_BLIND_START
            state = RUNNING
#else
            atomic { /* another look: it may have been withdrawn */
                found = (state == POSTED);
                if
                :: found -> state = RUNNING
                :: else
                fi
            }
#endif
        :: else
        fi;
        if
        :: found ->
            assert(argument != NOBODY && state == RUNNING);
            ran[argument]++;
            if
            :: !waited -> state = EMPTY
            :: else ->
#ifdef BUG_RESULT_LATE
                state = DONE;
                result = argument
#else
                result = argument;
                state = DONE
#endif
            fi
        :: else ->
            exchange(1);
#ifdef BUG_NO_SECOND_LOOK
            found = false;
#else
            found = (state == POSTED);
#endif
            if
            :: found
            :: else ->
end:            atomic { bell == 1 -> bell = 0 }
            fi;
            exchange(0)
        fi
    od
}

/* Looks when nothing else can move. */
proctype rest()
{
    byte me = 0;

    timeout;
    assert(finished == POSTERS && state == EMPTY);
    do
    :: me < POSTERS -> assert(ran[me] == accepted[me]); me++
    :: else -> break
    od
}

init {
    atomic {
        run engine();
        run poster(0);
        run caller(1);
        run caller(2);
        run rest()
    }
}
