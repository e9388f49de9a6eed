/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Handing over: how a running daemon gives all it has to a newcomer, one set after another, so that
 * each set is run by one of the two at any time. It knows nothing of ports or sessions: both sides
 * fill in a table of functions, both of them all of it, since what has moved comes back by the same
 * protocol with the roles exchanged.
 *
 *     giver                                taker
 *       |<------------- HELLO ---------------|   who it is
 *       |-------------- WELCOME ------------>|   who it is, what it has, its configuration
 *       |<------------- ACCEPTED ------------|
 *       |-------------- FIRST -------------->|
 *       |<------------- READY ---------------|
 *       |   for each set:                    |
 *       |-------------- OFFER -------------->|   brownout: the giver's engines work on
 *       |<------------- READY ---------------|
 *       |-------------- STATE -------------->|   blackout: nobody's engines work
 *       |<------------- ACTIVE --------------|   from here on the set is the taker's
 *       |-------------- LAST --------------->|
 *       |<------------- DONE ----------------|   the giver ends
 *
 * In place of any of them: REFUSED, with the reason. Until a set's ACTIVE it is the giver's, who
 * works on with what it has in memory. Who waits past a deadline, or finds the other gone without a
 * word, kills it, waits until it is dead, reads what still lies in the socket, and only then goes
 * on. One may not kill: a newcomer that was given nothing goes away instead, since the other one
 * has everything.
 *
 * Ownership: the caller's: link, table, report. Threads: control's alone. A call lasts as long as
 * the hand-over; it waits for the other side only, until the deadline of the step (handover_limit),
 * and calls `meanwhile` several times a second, except in a blackout, which the budget bounds. Only
 * the death of a process that was killed is waited for without end: the kernel is at it.
 * Trust: the other side is a daemon of the same user or root, perhaps broken: what it sends is
 * checked, and what is wrong is refused with a reason.
 */
#ifndef DAEMON_HANDOVER_H
#define DAEMON_HANDOVER_H

#include "control/parcel.h"
#include "daemon/handover_link.h"
#include "daemon/reason.h"
#include "sched/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HANDOVER_PROTOCOL_NEWEST 1u /* versions of what this file describes */
#define HANDOVER_PROTOCOL_OLDEST 1u

#define HANDOVER_SETS_MAX     64u /* a set has an engine at least, and there are no more of those */
#define HANDOVER_NAME_BYTES   64u /* of a set, with its NUL */
#define HANDOVER_REASON_BYTES 256u
/* The longest blackout that may be configured: what lives on a host gives up a peer later. */
#define HANDOVER_BLACKOUT_MAX_NS (5 * NSEC_PER_SEC)
#define HANDOVER_NO_SET          UINT32_MAX /* of a step that is no set's */

/* In their order. Each is one side's doing; the other one waits for it. */
enum handover_step {
    HANDOVER_HELLO,      /* taker: says who it is */
    HANDOVER_WELCOME,    /* giver: looks at that, says who it is and what it has */
    HANDOVER_ACCEPT,     /* taker: looks at that */
    HANDOVER_FIRST,      /* giver: sends what belongs to no set and is needed before them */
    HANDOVER_TAKE_FIRST, /* taker */
    HANDOVER_OFFER,      /* giver: brownout begins */
    HANDOVER_ADOPT,      /* taker: builds all of the set beside the one that works */
    HANDOVER_LEAVE,      /* giver: blackout begins; stops the set and writes it down */
    HANDOVER_ENTER,      /* taker: reads it */
    HANDOVER_ACTIVE,     /* taker: says that the set is its own from now on */
    HANDOVER_RUN,        /* taker: runs it; blackout ends */
    HANDOVER_FORGET,     /* giver: drops its half */
    HANDOVER_LAST,       /* giver: sends what belongs to no set and is needed after them */
    HANDOVER_TAKE_LAST,  /* taker */
    HANDOVER_END,        /* giver: ends */
    HANDOVER_STEPS,
};

const char *handover_step_name(enum handover_step step);
/* ns that the other side waits for this step to be done. Of the blackout's steps, LEAVE to RUN, it
 * is what they may take beside the budget. */
uint64_t handover_limit(enum handover_step step);

struct handover_range {
    uint32_t oldest, newest;
};

/* Who a side is. */
struct handover_greeting {
    struct handover_range protocol;
    struct handover_range state; /* versions of saved state that it reads; it writes each of them */
    /* Of a newcomer the versions of abi.h that it serves; of the old one those of the sessions that
     * it has, zeroes if there are none. */
    struct handover_range abi;
    const char *release;       /* for people */
    const char *instance;      /* which of several daemons of a host; both say the same, or "" */
    const char *configuration; /* that the old one runs with; "" of a newcomer */
};

/* What the caller does. Each answers 0, or a negative errno with a line in `why`. A step that
 * failed has left nothing behind. Parcels are read from the first record that the other side's
 * function wrote; descriptors in a draft stay open until the next call. */
struct handover_ops {
    /* Looks at the other's greeting, after ranges and instance were found to agree. From now on
     * state is written in `state_version`. The greeting is gone when this returns. */
    int (*check)(void *context, const struct handover_greeting *theirs, uint32_t state_version,
                 const struct reason *why);

    /* The old one's sets. Their numbers and names are the newcomer's, too. */
    uint32_t (*sets)(void *context);
    const char *(*set_name)(void *context, uint32_t set);

    /* As giver. */
    int (*give_first)(void *context, struct parcel_draft *draft, const struct reason *why);
    int (*offer)(void *context, uint32_t set, struct parcel_draft *draft, const struct reason *why);
    /* Stops the set and writes it down; what is in memory stays as it is. After a failure it runs
     * again only by resume. */
    int (*leave)(void *context, uint32_t set, struct parcel_draft *draft, const struct reason *why);
    /* The set was offered, perhaps left, and is not taken: it runs on. */
    int (*resume)(void *context, uint32_t set, const struct reason *why);
    void (*forget)(void *context, uint32_t set);
    int (*give_last)(void *context, struct parcel_draft *draft, const struct reason *why);

    /* As taker. */
    int (*take_first)(void *context, struct parcel *parcel, const struct reason *why);
    int (*adopt)(void *context, uint32_t set, struct parcel *parcel, const struct reason *why);
    int (*enter)(void *context, uint32_t set, struct parcel *parcel, const struct reason *why);
    /* After a failure the set is lost. */
    int (*run)(void *context, uint32_t set, const struct reason *why);
    /* It was run, if it could be: what need not be done before. */
    void (*settle)(void *context, uint32_t set);
    /* The set was adopted, perhaps entered, and is not taken after all: frees its half without harm
     * to what the other side uses. Also after an `enter` that failed. */
    void (*abandon)(void *context, uint32_t set);
    int (*take_last)(void *context, struct parcel *parcel, const struct reason *why);

    /* A step begins, by this side or by the other; `back`: roles are exchanged. NULL is fine. */
    void (*at)(void *context, enum handover_step step, uint32_t set, bool back);
    /* Time for other duties while the other side is waited for. NULL is fine. */
    void (*meanwhile)(void *context);
};

/* Where a set is in the end, as seen by whose report this is. */
enum handover_place {
    HANDOVER_HERE,  /* run by this daemon */
    HANDOVER_THERE, /* by the other, who lives as far as this one knows */
    HANDOVER_LOST,  /* by nobody */
};

enum handover_outcome {
    HANDOVER_UNTOUCHED, /* nothing moved: all is with the old daemon */
    HANDOVER_CHECKED,   /* likewise, and all of it could have moved */
    HANDOVER_MOVED,     /* all is with the new one, and the old one ends */
    HANDOVER_CAME_BACK, /* something had moved, and all is with the old one again */
    HANDOVER_SPLIT,     /* each has some sets, and both live */
    HANDOVER_ALONE,     /* the other one died: here is what was here, and nothing else */
};

/* Of one set. */
struct handover_set_report {
    char name[HANDOVER_NAME_BYTES];
    enum handover_place place;
    enum handover_step step;       /* the last that was begun */
    uint64_t took[HANDOVER_STEPS]; /* ns, as seen from this side; of the way back as well */
    uint64_t brownout_ns;          /* from OFFER to LEAVE: it could not be attached to */
    uint64_t blackout_ns;          /* from LEAVE until it ran again, here or there: nobody ran it */
    uint64_t blackout_at_ns;       /* when that began, of clock_machine; 0: it did not */
    uint64_t offer_bytes, state_bytes; /* documents */
    int error;                         /* 0 or negative errno */
    char reason[HANDOVER_REASON_BYTES];
};

/* What operators see of a hand-over, each side's own. */
struct handover_report {
    enum handover_outcome outcome;
    bool newcomer;           /* whose report it is */
    bool killed;             /* the other side was, by this one */
    int peer;                /* its process */
    enum handover_step step; /* where the first thing went wrong; END if nothing did */
    uint32_t set;            /* of that step */
    int error;
    char reason[HANDOVER_REASON_BYTES];
    char release[HANDOVER_NAME_BYTES]; /* of the other side */
    uint64_t took[HANDOVER_STEPS];     /* ns, of steps that are no set's */
    uint64_t total_ns;
    uint32_t set_count;
    struct handover_set_report sets[HANDOVER_SETS_MAX];
};

/* One line of it for people: of the whole, or of one set. */
void handover_report_line(const struct handover_report *report, char *line, size_t bytes);
void handover_set_line(const struct handover_report *report, uint32_t set, char *line,
                       size_t bytes);

struct handover_settings {
    struct handover_greeting greeting; /* who this side is */
    /* The giver's: ns from LEAVE to ACTIVE. Who has not entered by then gives the set back. */
    uint64_t blackout_ns;
    bool check;      /* the taker's: adopts everything, then goes away; nothing changes */
    int turned_away; /* the giver's door: others who knock meanwhile are told; -1: none */
};

/* Gives all sets to the process at the other end of the link, which has just been accepted. After
 * HANDOVER_MOVED this process is to end, after all else it goes on with the sets that are here. */
void handover_give(struct handover_link *link, const struct handover_settings *settings,
                   const struct handover_ops *ops, void *context, struct handover_report *report);

/* Takes all sets of the process at the other end. After HANDOVER_MOVED and HANDOVER_ALONE this is
 * the daemon, after HANDOVER_SPLIT it serves the sets that are here until they have no session;
 * else nothing is here, and it is to end. */
void handover_take(struct handover_link *link, const struct handover_settings *settings,
                   const struct handover_ops *ops, void *context, struct handover_report *report);

#endif
