/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * MicroQuanta on a stock kernel: a thread's share of a CPU, `runtime` in every `period`, before
 * ordinary tasks and without starving them. What Snap has a scheduling class of its own for
 * (SOSP'19 section 2.4.1), done with those that there are; one backend for each:
 *
 * - fifo: the lowest real-time priority, SCHED_FIFO, with a budget that is kept here. A thread
 *   counts its time between turns of its engines, by the time that it has at hand anyway; when its
 *   CPU's budget is used up it steps back to SCHED_IDLE, below all ordinary tasks, and runs on only
 *   where nobody wants the CPU. A governor (governor.h) raises it again. Time asleep is not used.
 * - deadline: SCHED_DEADLINE, a reservation that the kernel keeps. For threads that may run on all
 *   CPUs; a part of what the kernel would admit, so that the next daemon finds room as well.
 * - nice: SCHED_OTHER at nice -20: a large weight, no share.
 * - ordinary: as any other task.
 *
 * A backend that the kernel refuses is followed by the next, and the refusal is kept to be shown.
 * Another class (sched_ext, a patched kernel) is one more entry of the table in quanta.c.
 *
 * Budgets belong to CPUs, not to threads: engine threads that meet on a CPU share one, else two of
 * them would leave nothing to others. Each uses a part of it at a time, as many parts as of them
 * are awake, and then lets the next one go first. Children never inherit a class: each is set with
 * reset on fork.
 *
 * Ownership: a thread's struct quanta is part of what describes the thread, and outlives it.
 * Threads: all functions are for the thread itself, quanta_read for any. Between them quanta_turn
 * is a compare, with a budget another one, of the CPU; what it leads to at times, and quanta_wake
 * and quanta_rest, make a bounded number of system calls, between turns of engines and never in
 * one.
 *
 * Example: quanta_enter, then round after round quanta_turn(now), around each sleep
 * quanta_rest(now) and quanta_wake(now), at the end quanta_leave.
 */
#ifndef SCHED_QUANTA_H
#define SCHED_QUANTA_H

#include "sched/budget.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Those before QUANTA_AUTO are what a thread can have; zero is what it is born with. */
enum quanta_class {
    QUANTA_ORDINARY,
    QUANTA_NICE,
    QUANTA_DEADLINE,
    QUANTA_FIFO,
    QUANTA_AUTO, /* the first that is granted of those that suit the mode */
};
#define QUANTA_CLASSES QUANTA_AUTO

/* As ghOSt describes Snap's workers (SOSP'21 section 4.3). */
#define QUANTA_RUNTIME_NS (900 * NSEC_PER_USEC)
#define QUANTA_PERIOD_NS  (1 * NSEC_PER_MSEC)
/* Shorter ones cost more in changes of class than they are worth, and the kernel's own shortest
 * for SCHED_DEADLINE is the same. In longer ones ordinary tasks of a CPU wait noticeably. */
#define QUANTA_PERIOD_MIN_NS (100 * NSEC_PER_USEC)
#define QUANTA_PERIOD_MAX_NS (100 * NSEC_PER_MSEC)
/* What either side gets at least: less is eaten by the change between them. */
#define QUANTA_PART_MIN_NS (10 * NSEC_PER_USEC)

/* Of the real-time bandwidth that the kernel admits, what all deadline threads of a process take at
 * most unless that is configured, in parts per million: the daemon that takes over needs as much at
 * the same time. */
#define QUANTA_DEADLINE_PPM 500000u

struct quanta_config {
    enum quanta_class class;
    uint64_t runtime_ns, period_ns; /* 0: the defaults above */
    uint32_t deadline_ppm;          /* what it may make the sum of all deadline threads; likewise */
};

/* What a thread is like for whom it may matter which class suits it. */
struct quanta_habits {
    bool sleeps;     /* when there is nothing to do */
    bool everywhere; /* it may run on every CPU */
};

/* What a thread asks of the kernel. */
struct quanta_attr {
    uint32_t policy; /* of sched_setattr(2) */
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, period_ns; /* SCHED_DEADLINE */
};

struct quanta;

#define QUANTA_CPUS 1024u /* CPU_SETSIZE */

/* Of each CPU, shared by all threads that meet there: when its debt is paid, see budget.h, written
 * by whoever runs on it (a charge that is lost to one of a thread that just moved away gives the
 * others that much more, once); and how many of them do not sleep. */
struct quanta_ledger {
    struct {
        alignas(64) _Atomic uint64_t paid_ns;
        _Atomic uint32_t awake;
    } cpus[QUANTA_CPUS];
};

/* The kernel, or a test's idea of one. Answers are 0 or a negative errno where not said
 * otherwise. */
struct quanta_system {
    uint64_t (*now)(void *arg); /* CLOCK_MONOTONIC, ns */
    int (*self)(void *arg);     /* the caller's number */
    int (*nice)(void *arg);     /* the caller's nice value */
    /* Of a thread by its number; always with reset on fork. */
    int (*set)(void *arg, int tid, const struct quanta_attr *attr);
    /* The CPU time that a thread has had, in ns. */
    uint64_t (*cpu_ns)(void *arg, int tid);
    /* The CPU of the caller, below QUANTA_CPUS. */
    uint32_t (*cpu)(void *arg);
    /* Lets others of the caller's priority go first. */
    void (*yield)(void *arg);
    /* The real-time bandwidth that the kernel admits, of all CPUs, in parts per million of one. */
    uint64_t (*bandwidth)(void *arg);
    /* The governor: puts the thread into its care and lets it go, raises it at a time, and looks
     * after it while it is awake. */
    int (*join)(void *arg, struct quanta *quanta);
    void (*part)(void *arg, struct quanta *quanta);
    int (*alarm)(void *arg, struct quanta *quanta, uint64_t at_ns);
    void (*guard)(void *arg);
    void *arg;
    struct quanta_ledger *ledger;
};

/* Of this machine. */
extern const struct quanta_system quanta_system;

/* A class that was not to be had. */
struct quanta_refusal {
    int error;        /* negative errno; 0: it was not refused */
    const char *call; /* static: what refused it */
};

struct quanta {
    /* The thread's own. */
    const struct quanta_system *system;
    struct quanta_config config;
    struct quanta_habits habits;
    struct budget budget;
    enum quanta_class entered;
    int nice;          /* as it was born */
    bool changed;      /* it is not as it was born */
    bool low;          /* it has stepped back, until low_until_ns */
    bool counted;      /* among those awake on `cpu` */
    uint32_t cpu;      /* where it was when it last looked; what is not charged is charged there */
    uint64_t next_ns;  /* when its part of the budget is used up, or the others' rest is over */
    uint64_t due_ns;   /* when quanta_turn has to look, for that or another reason */
    uint64_t since_ns; /* not yet charged: from here on */
    uint64_t reserved_ppm;
    /* Written before quanta_enter returns, then read by any. */
    int tid;
    struct quanta_refusal refused[QUANTA_CLASSES];
    _Atomic int class; /* enum quanta_class; the governor takes it away if it is lost */
    /* Shared, written by the thread. */
    _Atomic uint64_t beats;
    _Atomic bool asleep;
    _Atomic uint64_t low_until_ns; /* 0: it is not low */
    _Atomic uint64_t used_ns;
    _Atomic uint64_t demotions;
    _Atomic uint64_t window_ns, window_cpu_ns; /* where the present look at its use began */
    _Atomic uint32_t share_ppm;                /* what the last one found */
    /* Shared, written by the governor. */
    _Atomic uint64_t overruns;
    _Atomic int lost; /* negative errno: the kernel did not let it have its class again */
    /* The governor's own. */
    int alarm_fd;
    uint32_t place;
    uint64_t seen_beats, seen_cpu_ns;
    bool held; /* it hung, and is kept low until it comes round */
};

struct quanta_stats {
    enum quanta_class class, wanted;
    struct quanta_habits habits;
    struct quanta_refusal refused[QUANTA_CLASSES];
    int lost;           /* negative errno, of a class that was had and went */
    uint32_t share_ppm; /* configured; 0: it has none */
    uint32_t used_ppm;  /* of a CPU, lately: about the last second */
    uint64_t used_ns;   /* of its budget (fifo) */
    uint64_t demotions; /* times that the budget was used up */
    uint64_t overruns;  /* times that it hung in one turn */
};

/* Whether a share makes sense: 0, or -EINVAL with a sentence in *why. */
int quanta_check(const struct quanta_config *config, const char **why);

/* Takes what is configured, or the next that is granted: always something. */
void quanta_enter(struct quanta *quanta, const struct quanta_system *system,
                  const struct quanta_config *config, const struct quanta_habits *habits);
/* An ordinary thread again. */
void quanta_leave(struct quanta *quanta);

/* For quanta_turn. */
void quanta_look(struct quanta *quanta, uint64_t now_ns);

/* Whether another CPU than the one it is charged on runs it. */
static inline bool quanta_has_moved(const struct quanta *quanta)
{
    return quanta->counted && quanta->system->cpu(quanta->system->arg) != quanta->cpu;
}

/* After a round of turns, which ended at `now_ns`. */
static inline void quanta_turn(struct quanta *quanta, uint64_t now_ns)
{
    uint64_t beats = atomic_load_explicit(&quanta->beats, memory_order_relaxed);

    atomic_store_explicit(&quanta->beats, beats + 1, memory_order_relaxed);
    if (now_ns >= quanta->due_ns || quanta_has_moved(quanta))
        quanta_look(quanta, now_ns);
}

/* Before a sleep, and after it. */
void quanta_rest(struct quanta *quanta, uint64_t now_ns);
void quanta_wake(struct quanta *quanta, uint64_t now_ns);

/* Any thread, while the one it is about has not left. */
void quanta_read(const struct quanta *quanta, struct quanta_stats *stats);

/* For the governor: before ordinary tasks, or, if the kernel does not have it, whatever can be had
 * instead; and behind them. */
void quanta_raise(struct quanta *quanta);
void quanta_lower(struct quanta *quanta);

#define QUANTA_TEXT_BYTES 256u /* what an explanation takes at most, with the final NUL */

const char *quanta_class_name(enum quanta_class class);
/* Why the class is what it is: one line, cut to `bytes`; returns `text`. */
const char *quanta_explain(const struct quanta_stats *stats, char *text, size_t bytes);
/* Whether it was refused a reservation because others have too much: it may be granted later. The
 * thread itself, or another one while it does not enter. */
bool quanta_waits(const struct quanta *quanta);
/* Whether it is less than what was asked for. */
bool quanta_is_refused(const struct quanta_stats *stats);

#endif
