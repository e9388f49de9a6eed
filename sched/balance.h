/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The rebalancer of a compacting group: which engine is to go to which thread (SOSP'19 section
 * 2.4). All engines stay on the first thread as long as every queueing delay is within the SLO; an
 * engine whose neighbours are late is scaled out; what fits on fewer threads is brought together
 * again; where all threads are in use, a heavy and a light engine are exchanged.
 *
 * A pure decision: it is told the time and what each engine's words say, and answers moves. It
 * reads no clock, waits for nobody and allocates nothing; the same looks give the same moves.
 *
 * Who calls: the group's first thread, between two turns of its engines, whenever balance_due says
 * so. It fills in one struct balance_engine for each engine (balance_observe reads the engine's own
 * words), calls balance_decide, and has the threads carry out the moves by message. From then on it
 * reports an engine as `moving`, on either thread, until the new thread has taken it.
 *
 *     if (balance_due(&balance, now)) {
 *         for (i = 0; i < count; i++)
 *             balance_observe(&seen[i], engine[i], thread_of[i], moving[i], now);
 *         n = balance_decide(&balance, now, seen, count, moves, BALANCE_MOVES_MAX);
 *         ...
 *     }
 *
 * While the first thread has nothing to do and others have, it may sleep, up to BALANCE_SLEEP_NS at
 * a time; when all engines are on it, for as long as its mode lets it.
 *
 * What it needs of whoever runs engines: drained_ns is marked when a thread wakes from a sleep, as
 * well as by engines that find nothing (what came during a sleep is what ended it); `rests` is odd
 * during a sleep; busy_ns and runs are counted at the end of each turn.
 *
 * Ownership: the caller's memory, no pointers kept but `id`, which is only compared. Threads: one.
 */
#ifndef SCHED_BALANCE_H
#define SCHED_BALANCE_H

#include "sched/engine.h"

#include <stdbool.h>
#include <stdint.h>

#define BALANCE_ENGINES_MAX 64u
#define BALANCE_THREADS_MAX 64u
#define BALANCE_MOVES_MAX   BALANCE_ENGINES_MAX  /* of one decision: at most one for each engine */
#define BALANCE_SLO_NS      (50 * NSEC_PER_USEC) /* by default: Snap's engines poll within it */
/* The longest that looks may be apart while another thread than the first has engines: two looks
 * and a hand-over stay well within the 10 ms in which threads follow a load that grows. */
#define BALANCE_SLEEP_NS NSEC_PER_MSEC

enum balance_action {
    BALANCE_SCALE_OUT = 1, /* to another thread, woken if it sleeps */
    BALANCE_MOVE_BACK,     /* an engine that had a thread for itself joins others */
    BALANCE_COMPACT,       /* all engines of a thread join others */
    BALANCE_SWAP,          /* two engines change places: two moves, one after the other */
    BALANCE_ACTION_END,
};

enum balance_reason {
    BALANCE_LATE_WAKE = 1, /* its thread's engines are late, and a thread is free */
    BALANCE_LATE_ROOM,     /* they are late, and a thread that is in use has room */
    BALANCE_LOW_LOAD,      /* its load and that of its new thread were low for long */
    BALANCE_FEWER,         /* everything fits on fewer threads with room to spare */
    BALANCE_PACK,          /* late, no thread has room, and the exchange brings all within it */
    BALANCE_REASON_END,
};

struct balance_config {
    uint64_t slo_ns;    /* of queueing delay; 0: BALANCE_SLO_NS */
    uint64_t period_ns; /* of looks; 0: half the SLO, since a look sees what is older than it */
    uint32_t threads;   /* 1 to BALANCE_THREADS_MAX */
    /* Without hysteresis: each look counts, and so does each window. It swings: that is what a test
     * shows with it. */
    bool hasty;
};

/* One engine, as a look finds it. An engine keeps its position, or is taken for a new one. */
struct balance_engine {
    const void *id;      /* of the engine: another one in its place is met anew */
    uint32_t thread;     /* it is on, from 0 */
    bool moving;         /* a move is under way */
    bool resting;        /* its thread sleeps: nothing waits */
    uint64_t drained_ns; /* when all its inputs were last seen empty */
    uint64_t delay_ns;   /* since then; 0 if resting */
    uint64_t busy_ns;    /* in turns that found work, since ever */
    uint64_t runs;       /* turns, since ever */
};

struct balance_move {
    uint32_t engine; /* position in what was given */
    uint32_t from, to;
    enum balance_action action;
    enum balance_reason reason;
    /* What was measured: the longest delay of an engine on `from`, and shares of a core in
     * thousandths: of the engine, and of both threads before the move. */
    uint64_t delay_ns;
    uint32_t load, from_load, to_load;
};

/* What is remembered of an engine between looks. Loads are in thousandths of a core. */
struct balance_memory {
    const void *id;
    uint32_t thread, to;                /* to: by the last move */
    uint64_t drained_ns, busy_ns, runs; /* at the last look */
    /* When a look last found that it had been drained, and how busy its thread had been by then. */
    uint64_t since_ns, since_busy_ns;
    bool backlog;                /* its last turn ended before it was drained */
    uint32_t late;               /* how sure it is that it is late */
    uint64_t late_ns, late_runs; /* the last late look, and what its thread had run by then */
    /* Load over the last short and the last long window; the highest of the long ones in this
     * period of peaks and in the one before. */
    uint64_t short_busy_ns, long_busy_ns; /* as those windows began */
    uint32_t load, steady, peak, peak_before;
    uint64_t met_ns;
    /* The last merge that it took part in, with the load of the whole group and of its thread. */
    uint64_t merged_ns;
    uint32_t merged_total, merged_load;
    uint64_t suspect_ns; /* that merge may have failed then; 0: not */
    /* Merges that make a thread's load so high, or half as high, are not for it. */
    uint64_t barred_until, bar_ns;
    uint32_t barred_load;
};

/* What is remembered of a thread. */
struct balance_thread {
    uint64_t busy_ns, runs; /* of its engines' turns, since the start */
    uint64_t still_ns;      /* since when it was seen not to run; 0: it runs */
    uint64_t pass_until;    /* it was not run, or engines came or went: lateness does not count */
    uint64_t late_since;    /* 0: it is not */
    uint64_t chance_ns;     /* when it was late last though it had load to spare */
};

struct balance {
    struct balance_config config;
    uint64_t look_ns;                    /* the last one; 0: none yet */
    uint64_t woke_ns;                    /* the end of the first thread's last sleep */
    uint64_t short_ns, long_ns, peak_ns; /* when these windows began */
    bool merge_due;                      /* loads are new since merges were last thought of */
    uint64_t out_ns;                     /* when engines were last moved because of lateness */
    /* Engines are not moved between threads in use until then: how long that is, and the load of
     * the group that it holds for. */
    uint64_t shuffle_until, shuffle_ns;
    uint32_t shuffle_total;
    uint64_t looks, stalls; /* threads found not to run when they should have */
    struct balance_memory engines[BALANCE_ENGINES_MAX];
    struct balance_thread threads[BALANCE_THREADS_MAX];
};

/* Remembers nothing. 0, or -EINVAL if there are no threads or too many. */
int balance_init(struct balance *balance, const struct balance_config *config);
/* Goes on with another configuration. As above; then nothing has changed. */
int balance_configure(struct balance *balance, const struct balance_config *config);

/* The first thread, which looks, has slept until now. */
static inline void balance_woke(struct balance *balance, uint64_t now)
{
    balance->woke_ns = now;
}

/* Whether it is time for a look. */
static inline bool balance_due(const struct balance *balance, uint64_t now)
{
    return now - balance->look_ns >= balance->config.period_ns;
}

/* Reads the engine's shared words. Any thread. */
void balance_observe(struct balance_engine *seen, const struct engine *engine, uint32_t thread,
                     bool moving, uint64_t now);

/* A look at all engines at `now`, in any order but a lasting one; more than BALANCE_ENGINES_MAX are
 * not looked at, nor one on a thread beyond the configured ones. Fills in up to `max` moves (at
 * least 2, else nothing is exchanged) and returns how many there are. */
uint32_t balance_decide(struct balance *balance, uint64_t now, const struct balance_engine *engines,
                        uint32_t count, struct balance_move *moves, uint32_t max);

/* "scale-out", "late, and a thread is free": static texts; "?" for what there is not. */
const char *balance_action_name(enum balance_action action);
const char *balance_reason_name(enum balance_reason reason);

#endif
