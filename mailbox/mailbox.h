/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine mailbox: one slot through which control hands an engine a short piece of work.
 *
 * The engine runs it on its own thread, between two batches, and never waits for anybody. A full
 * slot answers -EBUSY at once. Results are written before the slot is released. Posting to an
 * engine that sleeps wakes it.
 *
 * Ownership: embedded in the engine. The argument belongs to the poster; it must live until the
 * work has run, or was withdrawn. Threads: any number of posters, one runner. Trust: both sides are
 * the daemon.
 *
 * Source: SOSP'19 section 2.3; what it leaves open (results, time-out, full slot, wake-up) is
 * decided here.
 */
#ifndef MAILBOX_MAILBOX_H
#define MAILBOX_MAILBOX_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <saddle/abi.h>

#define MAILBOX_WORK_NS_MAX 10000u /* a piece of work is short; checked in debug builds */

/* The work: runs on the engine's thread. `context` is what the runner passes (the engine). Returns
 * the result given to a caller that waits. */
typedef int mailbox_fn(void *context, void *argument);

enum mailbox_state {
    MAILBOX_EMPTY,   /* nobody's */
    MAILBOX_FILLING, /* a poster writes fn and argument */
    MAILBOX_POSTED,  /* waits for the engine; may be withdrawn */
    MAILBOX_RUNNING, /* the engine's */
    MAILBOX_DONE,    /* the result waits for its caller */
};

struct mailbox {
    alignas(SADDLE_CACHE_LINE) _Atomic uint32_t state; /* enum mailbox_state */
    mailbox_fn *fn;
    void *argument;
    int result;
    bool waited;                                       /* a caller collects the result */
    alignas(SADDLE_CACHE_LINE) _Atomic uint32_t armed; /* the engine sleeps */
    int wake_fd; /* eventfd, watched by the engine's epoll descriptor */
    /* Pieces of work that took longer than MAILBOX_WORK_NS_MAX; counted in debug builds only. */
    _Atomic uint64_t overruns;
};

/* 0 or a negative errno (from eventfd). */
int mailbox_init(struct mailbox *mailbox);
void mailbox_fini(struct mailbox *mailbox);

/* Posts work and does not wait: 0, or -EBUSY if the slot is full. Never blocks; makes one system
 * call if the engine sleeps. */
int mailbox_post(struct mailbox *mailbox, mailbox_fn *fn, void *argument);

/* Posts work and waits for it, for control threads only: waits for the slot and for the outcome
 * `timeout_ns` in all. 0 with *result set; -ETIMEDOUT if it never started (it was withdrawn and
 * will not run). Work that has started is always waited for: it is short. */
int mailbox_call(struct mailbox *mailbox, mailbox_fn *fn, void *argument, uint64_t timeout_ns,
                 int *result);

/* One of several calls. */
struct mailbox_request {
    struct mailbox *mailbox; /* others may be for the same one: they wait for each other */
    mailbox_fn *fn;
    void *argument;
    int error;          /* afterwards: 0 or -ETIMEDOUT, as of mailbox_call */
    int result;         /* afterwards, if `error` is 0 */
    bool posted, ended; /* its own */
};

/* As mailbox_call, for several at once: waits as long as for the slowest of them. */
void mailbox_call_all(struct mailbox_request *requests, uint32_t count, uint64_t timeout_ns);

/* Whether whoever empties it comes round in that time: 0, or -ETIMEDOUT. For control threads only.
 */
int mailbox_ask(struct mailbox *mailbox, uint64_t timeout_ns);

/* The engine's thread: runs the work if there is any; true if it did. */
bool mailbox_run(struct mailbox *mailbox, void *context);

/* The engine's thread, before sleeping: true if armed and no work waits; false, and not armed, if
 * work waits. */
bool mailbox_arm(struct mailbox *mailbox);
void mailbox_disarm(struct mailbox *mailbox);

#endif
