/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Which sessions may work: weighted fair service in time, and quotas of it.
 *
 * Service goes in rounds. In each a session may be charged a quantum for its weight, by its account
 * (sched/meter.h): for its commands, its events, and what is written into packets for it. What it
 * takes beyond, since work is charged when it is done, and what packets that arrive for it cost, is
 * taken from its next rounds; what it does not use it does not keep. This is deficit round robin
 * (Shreedhar and Varghese, SIGCOMM'95) with time for bytes and with debts. So a session that has
 * little to do waits, on every engine, for no more than a quantum of each of the others, however
 * much these would do. When all that want to work are in debt, rounds pass at once: nobody waits
 * for the sake of those that want nothing.
 *
 * A session that has used up its quota of time, or its user's, is throttled: it does none of that
 * until its bucket (sched/bucket.h) is above zero again. Commands wait in their queues, what was
 * begun waits where it is, and peers get no more credits; nothing is lost.
 *
 * Ownership: embedded in the session. Threads: the engine's, but for fair_init and what is atomic.
 */
#ifndef ENGINES_PONY_FAIR_H
#define ENGINES_PONY_FAIR_H

#include "engines/pony/list.h"
#include "engines/pony/purse.h"
#include "engines/wheel.h"
#include "sched/bucket.h"

/* For a weight of 1, where several want to work: some packets. A session by itself works for about
 * a burst at a time, which is cheaper for each packet, and the longest that others wait for it. */
#define FAIR_QUANTUM_NS 2000u
#define FAIR_ALONE_NS   8000u
#define FAIR_WEIGHT_MAX 16u /* so that a round is no longer than an engine's budget or two */

struct upper;
struct pony_session;
struct path_turn;

struct fair {
    uint32_t weight;
    uint64_t until;         /* of its account: it may work up to there */
    bool counted;           /* in this round, among those that work or would */
    bool limited;           /* has a quota of its own */
    _Atomic bool throttled; /* has used it up: shown to others */
    struct bucket own, user;
    uint64_t looked_ns;          /* while throttled, what is counted already */
    struct account throttled_ns; /* time of being throttled */
    struct wheel_timer refill;
    struct list parked; /* its turns on paths, while it may not take them */
};

/* By the session's configuration. Control's thread. */
void fair_init(struct pony_session *session);
/* The session is an engine's from now on. */
void fair_join(struct pony_session *session, uint64_t now);
/* It works no more, or what it has left to do is only to end. */
void fair_leave(struct pony_session *session);

/* A new round begins. */
void fair_round(struct upper *upper, uint64_t now);
/* May it work? */
bool fair_may(const struct pony_session *session);
/* Has it, or its user, a quota of time? */
bool fair_limited(const struct pony_session *session);
/* Has it used up a quota? Any thread. */
bool fair_throttled(const struct pony_session *session);
/* It does. */
void fair_work(struct pony_session *session);
/* It would, but may not: the next rounds come at once. */
void fair_wait(struct pony_session *session);
/* Takes a turn out of its path's ring until the session may work again. */
void fair_park(struct pony_session *session, struct path_turn *turn);

#endif
