/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Two processes that hand over sets of nothing but a word in shared memory each: who runs the set
 * has a thread that took the word by compare-and-swap, and works on it until it lets go. So two who
 * run one set are found, also when one of them was stopped meanwhile.
 *
 *     [the test] --- [old] \
 *                |          > struct bed_shared, and the hand-over's socket
 *                --- [new] /
 *
 * Ownership: the test's process makes, watches and ends both. Threads: the one that calls.
 */
#ifndef TESTS_UNIT_DAEMON_HANDOVER_BED_H
#define TESTS_UNIT_DAEMON_HANDOVER_BED_H

#include "daemon/handover.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define BED_SETS 3u

enum bed_side { BED_NOBODY, BED_OLD, BED_NEW, BED_SIDES };

enum bed_call {
    BED_NO_CALL,
    BED_CHECK,
    BED_GIVE_FIRST,
    BED_OFFER,
    BED_LEAVE,
    BED_RESUME,
    BED_GIVE_LAST,
    BED_TAKE_FIRST,
    BED_ADOPT,
    BED_ENTER,
    BED_RUN,
    BED_TAKE_LAST,
};

/* What is to go wrong. */
struct bed_plan {
    bool check;
    uint64_t blackout_ns; /* 0: BED_BLACKOUT_NS */
    struct {
        enum bed_side side;
        enum bed_call call;
        uint32_t set;
        bool slow; /* it succeeds, but after the blackout's budget */
    } fail[2];
    /* At this step, when it begins there, by whose doing it is or by who waits for it, the victims
     * get the signal; 0: nobody. */
    struct {
        int signal;
        enum handover_step step;
        uint32_t set;
        bool back, waiter;
        unsigned victims; /* bits: 1 << side */
    } strike;
    bool blink;                    /* who is stopped is continued at once */
    enum bed_side continued_first; /* of two who are stopped */
};

/* A wait in these tests; above what a loaded machine makes of nothing. */
#define BED_LIMIT_NS    (1500 * NSEC_PER_MSEC)
#define BED_BLACKOUT_NS (600 * NSEC_PER_MSEC)

struct bed_shared {
    struct {
        _Atomic int owner;     /* enum bed_side: whose thread works on it */
        _Atomic uint64_t work; /* counts */
        _Atomic int entitled;  /* whose it is by the protocol */
    } sets[BED_SETS];
    _Atomic int pid[BED_SIDES];
    _Atomic int reported[BED_SIDES];
    _Atomic int struck;
    _Atomic int broken;          /* rules that were */
    _Atomic int turns;           /* of `meanwhile` */
    _Atomic int held[BED_SIDES]; /* descriptors more than before */
    char rule[256];              /* the first of them */
    struct handover_report report[BED_SIDES];
};

/* What a run left; valid until the next. */
struct bed_end {
    struct bed_shared *shared;
    int status[BED_SIDES]; /* of waitpid; -1: it lived on, and worked, until the end */
    int wrong;             /* what was found wrong, each with a line on standard error */
};

/* True if that step begins there by whose doing it is (or by who waits for it, who knows of it). */
bool bed_has_step(enum handover_step step, bool waiter);

void bed_run(const struct bed_plan *plan, struct bed_end *end);
void bed_end_free(struct bed_end *end);

#endif
