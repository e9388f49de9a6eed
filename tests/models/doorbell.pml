/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue between a producer and a consumer that both sleep: the consumer for want of entries, the
 * producer (an engine) for want of room. The rules are those of mailbox/doorbell.h and
 * mailbox/channel.h.
 *
 * Memory is as on x86: a store waits in its processor's buffer, in order, until it is drained at
 * any later time; an exchange waits for the buffer and acts at once. So this model knows the one
 * reordering that sequential consistency hides, store before load.
 *
 * Safety: an entry is taken only after it was published and written only after its place was given
 * back (assertions); and neither side sleeps for ever (no invalid end state).
 *
 * Mistakes, each of which must be found:
 *   BUG_WEAK_EXCHANGE   arming and ringing by a plain store and a plain load
 *   BUG_NO_SECOND_LOOK  the consumer arms and sleeps
 *   BUG_ARM_LATE        the consumer looks, then arms, then sleeps
 *   BUG_RING_EARLY      the producer looks at the armed word before it publishes
 *   BUG_ROOM_UNRUNG     the consumer gives places back and tells nobody
 *   BUG_GIVEN_BACK_LATE the consumer sleeps on places that it has not given back
 */
#define CAPACITY 2
#define ENTRIES  5

/* Shared words. Positions start at 0 and do not wrap here: that is the explorer's business. */
byte published = 0; /* the newest sequence word */
byte consumed = 0;
bit armed[2]; /* whom to ring */
bit bell[2];

#define CONSUMER 0 /* sleeps for entries */
#define PRODUCER 1 /* sleeps for room */

/* Store buffers, one per processor: what is stored, and the value. */
mtype = { PUBLISHED, CONSUMED, ARMED_CONSUMER, ARMED_PRODUCER };
chan buffer[2] = [4] of { mtype, byte };

/* What really happened, for the assertions. */
byte produced = 0;
byte taken = 0;

proctype drain(byte cpu)
{
    mtype word;
    byte value;
end:
    do
    :: atomic {
           buffer[cpu]?word, value;
           if
           :: word == PUBLISHED -> published = value
           :: word == CONSUMED -> consumed = value
           :: word == ARMED_CONSUMER -> armed[CONSUMER] = value
           :: word == ARMED_PRODUCER -> armed[PRODUCER] = value
           fi
       }
    od
}

/* before = exchange(armed[whom], value), by processor `cpu` */
#ifdef BUG_WEAK_EXCHANGE
inline exchange(cpu, whom, value)
{
    before = armed[whom];
    if
    :: whom == CONSUMER -> buffer[cpu]!ARMED_CONSUMER, value
    :: whom == PRODUCER -> buffer[cpu]!ARMED_PRODUCER, value
    fi
}
#else
inline exchange(cpu, whom, value)
{
    atomic {
        empty(buffer[cpu]);
        before = armed[whom];
        armed[whom] = value
    }
}
#endif

inline ring(cpu, whom)
{
    exchange(cpu, whom, 0);
    if
    :: before == 1 -> bell[whom] = 1
    :: else
    fi
}

/* Sleeps until rung. */
inline sleep(whom)
{
    atomic { bell[whom] == 1 -> bell[whom] = 0 }
}

proctype producer()
{
    byte seen = 0; /* of the consumer */
    bit before;

    do
    :: produced == ENTRIES -> break
    :: produced < ENTRIES && produced - seen == CAPACITY ->
        seen = consumed;
        if
        :: produced - seen == CAPACITY ->
            exchange(PRODUCER, PRODUCER, 1);
            seen = consumed;
            if
            :: produced - seen == CAPACITY -> sleep(PRODUCER)
            :: else
            fi;
            exchange(PRODUCER, PRODUCER, 0)
        :: else
        fi
    :: produced < ENTRIES && produced - seen < CAPACITY ->
        assert(produced - taken < CAPACITY);
#ifdef BUG_RING_EARLY
        exchange(PRODUCER, CONSUMER, 0);
#endif
        atomic {
            produced++;
            buffer[PRODUCER]!PUBLISHED, produced
        };
#ifdef BUG_RING_EARLY
        if
        :: before == 1 -> bell[CONSUMER] = 1
        :: else
        fi
#else
        ring(PRODUCER, CONSUMER)
#endif
    od
}

proctype consumer()
{
    bit before;
    byte ready = 0; /* what it saw published */
    byte given = 0; /* what it gave back */

    do
    :: taken == ENTRIES -> break
    :: taken < ENTRIES ->
        ready = published;
        if
        :: ready > taken ->
            assert(produced > taken);
            taken++;
            if /* lazily, now or later */
            :: buffer[CONSUMER]!CONSUMED, taken;
               given = taken;
#ifndef BUG_ROOM_UNRUNG
               ring(CONSUMER, PRODUCER)
#endif
            :: true
            fi
        :: else ->
#ifndef BUG_GIVEN_BACK_LATE
            if
            :: given < taken ->
                buffer[CONSUMER]!CONSUMED, taken;
                given = taken;
#ifndef BUG_ROOM_UNRUNG
                ring(CONSUMER, PRODUCER)
#endif
            :: else
            fi;
#endif
#ifdef BUG_ARM_LATE
            ready = published;
            exchange(CONSUMER, CONSUMER, 1);
#else
            exchange(CONSUMER, CONSUMER, 1);
#ifndef BUG_NO_SECOND_LOOK
            ready = published;
#endif
#endif
            if
            :: ready == taken -> sleep(CONSUMER)
            :: else
            fi;
            exchange(CONSUMER, CONSUMER, 0)
        fi
    od
}

init {
    atomic {
        run drain(CONSUMER);
        run drain(PRODUCER);
        run producer();
        run consumer()
    }
}
