/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The interface every engine implements, and all that scheduling knows of one.
 *
 * An engine is a single-threaded state machine. It is handed its time, its packets and its
 * commands; inside `run` it allocates nothing, takes no lock, writes no log line and makes no
 * system call but ringing a session's doorbell and the port's own kick.
 *
 * Ownership: an engine is made and destroyed by control, outside any group. While it is in a group
 * only the group's thread touches it, except for the mailbox and the words marked as shared below.
 *
 * Example: a kind of engine embeds struct engine as its first member, fills `ops`, calls
 * engine_init, and is then given to group_add.
 */
#ifndef SCHED_ENGINE_H
#define SCHED_ENGINE_H

#include "mailbox/inbox.h"
#include "mailbox/mailbox.h"
#include "sched/clock.h"
#include "sched/histogram.h"
#include "sched/meter.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define ENGINE_NAME_BYTES 32u                  /* with the final NUL */
#define ENGINE_BUDGET_NS  (50 * NSEC_PER_USEC) /* one run returns within this */
#define ENGINE_NEVER      UINT64_MAX           /* no deadline */

struct engine;
struct worker;
struct state_writer;
struct state_reader;

/* One named counter, as operators see it. */
struct engine_stat {
    const char *name; /* snake_case, static */
    uint64_t value;
    bool level; /* it goes up and down; else it only grows */
};

struct engine_ops {
    const char *kind; /* "pony" */
    /* Does up to `budget_ns` worth of work that was waiting at `now`; returns how many items
     * (packets, commands, timers) it handled, 0 when it found nothing to do. */
    uint32_t (*run)(struct engine *engine, uint64_t now, uint64_t budget_ns);
    /* About to sleep: arms every input, looks at each once more, and returns the next deadline in
     * ns (ENGINE_NEVER if none), or 0 when work is waiting and it must not sleep. */
    uint64_t (*arm)(struct engine *engine, uint64_t now);
    /* Awake again. */
    void (*disarm)(struct engine *engine);
    /* Writes all state down and changes nothing, in the engine or in memory that it shares: it may
     * run on as if nothing had been, or another one is loaded with what was written, and this one
     * only destroyed. Called with the engine out of its group. 0 or a negative errno. */
    int (*save)(const struct engine *engine, struct state_writer *writer);
    /* Reads state into a fresh engine, and touches nothing that it shares before it first runs: a
     * loaded one may be destroyed as if it had never been. -EBADMSG, -EPROTO for a document it
     * cannot accept; then the engine is fit only to be destroyed. */
    int (*load)(struct engine *engine, struct state_reader *reader);
    /* Time before a load that is to be quick: makes memory resident that it will write to. NULL:
     * that would save nothing. */
    void (*warm)(struct engine *engine);
    /* Fills `stats` with up to `max` counters and returns how many there are. Any thread. */
    uint32_t (*stats)(const struct engine *engine, struct engine_stat *stats, uint32_t max);
    /* Frees it. Called with the engine out of its group. */
    void (*destroy)(struct engine *engine);
};

/* How an engine goes from one thread to another: a message that threads send each other, embedded
 * in the engine that it is about (worker.h). Whoever has the message owns it. */
struct engine_move {
    struct inbox_item item; /* first */
    uint32_t what;          /* enum worker_message */
    struct worker *to;      /* the thread that is to have it */
    struct worker *asker;   /* that is told of the end; NULL: nobody */
    int result;             /* 0 or a negative errno: it stayed where it was */
};

struct engine {
    const struct engine_ops *ops;
    char name[ENGINE_NAME_BYTES];
    const struct clock *clock;
    int epoll_fd; /* all descriptors that may wake it: mailbox, doorbells, port interrupts */
    struct mailbox mailbox;
    /* Set by `run`: what came is of a large transfer of which more is to come than comes in a
     * moment, and whatever comes next may wait, but not beyond this time, in ns, at which something
     * is due; 0: it may not. */
    uint64_t patient_until;
    struct meter meter; /* a turn begins and ends on it; who gives one sees to that */
    /* Shared, written by the engine's thread: when all inputs were last seen empty, in ns. Others
     * subtract it from the time: the queueing delay. */
    _Atomic uint64_t drained_ns;
    /* Shared, written by the group's thread: time spent in runs that found something to do, and the
     * number of all runs. */
    _Atomic uint64_t busy_ns;
    _Atomic uint64_t runs;
    /* Shared, written by the group's thread as it goes to sleep and as it wakes: odd meanwhile. */
    _Atomic uint64_t rests;
    /* Shared, written by the group's thread: its number in the kernel; 0: the engine is on none. */
    _Atomic int tid;
    struct engine_move move;
    /* Shared, written by the group's thread: the queueing delay at each turn that found work. */
    struct histogram delays;
};

/* Prepares the common part: the mailbox and the epoll descriptor. `name` has 1 to
 * ENGINE_NAME_BYTES - 1 bytes, else -EINVAL; `clock` is borrowed. 0 or a negative errno. */
int engine_init(struct engine *engine, const struct engine_ops *ops, const char *name,
                const struct clock *clock);
/* Releases the common part; the counterpart of engine_init, for an engine's own destroy. */
void engine_fini(struct engine *engine);

/* ns since the engine was last seen with all inputs empty; 0 if that is now. Any thread. */
uint64_t engine_delay(const struct engine *engine, uint64_t now);

/* Makes `fd` wake the engine when it sleeps. Edge-triggered: the engine never reads it. Control
 * threads only. 0 or a negative errno. */
int engine_watch(struct engine *engine, int fd);
void engine_unwatch(struct engine *engine, int fd);

#define ENGINE_ROUNDS_MAX 64u /* of one run; the budget ends it long before */

/* One look at everything that may have work, at *now, which it moves on if it refreshes it; it
 * should not go on beyond `end`. Returns how many items it handled. */
typedef uint32_t engine_round_fn(struct engine *engine, uint64_t *now, uint64_t end);

static inline void engine_mark_drained(struct engine *engine, uint64_t now)
{
    atomic_store_explicit(&engine->drained_ns, now, memory_order_relaxed);
}

/* Items, a burst: a round of fewer took all there was when it began, and nothing that waits is
 * older. Whether there is more is seen in the next turn, after others on the thread had theirs, who
 * may be waiting for what this one has just passed on. */
#define ENGINE_ROUND_LITTLE 16u

/* A `run`: rounds, until one finds little or the budget is used up. What waits then, waits for
 * somebody else than this engine, or came meanwhile. */
static inline uint32_t engine_run_rounds(struct engine *engine, uint64_t now, uint64_t budget_ns,
                                         engine_round_fn *round)
{
    uint64_t end = now + budget_ns;
    uint32_t total = 0;

    for (uint32_t i = 0; i < ENGINE_ROUNDS_MAX; i++) {
        uint64_t begun = now;
        uint32_t work = round(engine, &now, end);

        total += work;
        if (work < ENGINE_ROUND_LITTLE) {
            engine_mark_drained(engine, begun);
            break;
        }
        now = clock_now(engine->clock);
        if (now >= end)
            break;
    }
    return total;
}

#endif
