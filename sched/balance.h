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
 *     while (balance_due(&balance, now)) {
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
    /* Moves at once whatever seems better at a look. It swings; for tests that show that. */
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

/* What is remembered of an engine between looks. */
struct balance_memory {
    const void *id;
    uint32_t thread;
    uint64_t drained_ns, busy_ns, runs; /* at the last look */
    uint64_t pass_until;                /* has come here just now: lateness does not count */
    uint32_t late;                      /* how sure it is that it is late */
    /* Load in thousandths of a core: of the last window, and the highest of the last windows. */
    uint64_t window_busy_ns; /* at the start of the window */
    uint32_t load, peak, peak_before;
    bool measured; /* for as long as a merge takes it for */
    uint64_t met_ns;
    /* The last merge that this engine made, and what it forbids. */
    uint64_t merged_ns;
    uint32_t merged_load; /* of the thread it joined, with it */
    uint64_t barred_until;
    uint64_t bar_ns;      /* how long the next bar lasts */
    uint32_t barred_load; /* merges that give so much fail */
};

/* What is remembered of a thread. */
struct balance_thread {
    uint64_t busy_ns, runs; /* grown since the start, of its engines */
    uint64_t moved_ns;      /* when they had last grown */
    uint64_t pass_until;    /* it was not run, or took an engine just now */
};

struct balance {
    struct balance_config config;
    uint64_t look_ns;       /* the last one */
    uint64_t window_ns;     /* when the window of loads began */
    uint64_t peaks_ns;      /* when the peaks began */
    uint64_t looks, stalls; /* threads found not to run */
    struct balance_memory engines[BALANCE_ENGINES_MAX];
    struct balance_thread threads[BALANCE_THREADS_MAX];
};

/* Remembers nothing. 0, or -EINVAL if there are no threads or too many. */
int balance_init(struct balance *balance, const struct balance_config *config);
/* Goes on with another configuration. As above; then nothing has changed. */
int balance_configure(struct balance *balance, const struct balance_config *config);

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
