/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Upgrades: the last hand-overs that this daemon took part in, and those that the daemons before it
 * did, for it goes over with everything else. What a hand-over is the daemon knows; here are its
 * words for operators.
 *
 * Ownership: one history per daemon, made before its first hand-over; records are copied. Threads:
 * control's. Trust: a document that is read comes from another daemon, perhaps broken: numbers and
 * texts are bounded, and what is not printable ASCII is replaced.
 */
#ifndef CONTROL_UPGRADES_H
#define CONTROL_UPGRADES_H

#include "control/events.h"
#include "sched/state.h"

#include <stdbool.h>
#include <stdint.h>

#define UPGRADES_KEPT         16u /* the last ones */
#define UPGRADES_SETS_MAX     64u /* of one; a set has an engine at least */
#define UPGRADES_NAME_BYTES   64u /* with the final NUL */
#define UPGRADES_STEP_BYTES   32u
#define UPGRADES_REASON_BYTES 256u

/* Records of documents: whoever reads one hands those of these types to upgrades_read. */
#define UPGRADES_RECORD_FIRST 0x0700u
#define UPGRADES_RECORD_LAST  0x07ffu

/* As saddle.v1.UpgradeOutcome numbers them. */
enum upgrade_outcome {
    UPGRADE_UNTOUCHED = 1, /* nothing moved: all is with the old daemon */
    UPGRADE_CHECKED,       /* likewise, and all of it could have moved */
    UPGRADE_MOVED,         /* all is with the new one */
    UPGRADE_CAME_BACK,     /* some had moved, and all is with the old one again */
    UPGRADE_SPLIT,         /* each has some sets, and both live */
    UPGRADE_ALONE,         /* the other one died */
    UPGRADE_OUTCOME_END,   /* no outcome */
};

/* As saddle.v1.UpgradePlace numbers them: where a set was in the end, seen by whose record it is.
 */
enum upgrade_place {
    UPGRADE_HERE = 1,
    UPGRADE_THERE, /* run by the other one */
    UPGRADE_LOST,  /* run by nobody */
    UPGRADE_PLACE_END,
};

struct upgrade_set {
    char name[UPGRADES_NAME_BYTES];
    enum upgrade_place place;
    uint64_t brownout_ns, blackout_ns;
    uint64_t offer_bytes, state_bytes; /* documents */
    uint64_t missed; /* packets that came and that its ports could not take, as far as known */
    uint64_t retransmitted; /* packets that were sent again right after; see upgrades_complete */
    char step[UPGRADES_STEP_BYTES];     /* the last that was begun */
    char reason[UPGRADES_REASON_BYTES]; /* what went wrong; "": nothing */
    uint64_t blackout_at_ns;            /* when it began, of CLOCK_MONOTONIC; 0: it did not */
};

struct upgrade_record {
    uint64_t number;  /* from 1, also over the daemons; set by upgrades_add */
    uint64_t time_ns; /* when it was over, since 1970; likewise */
    uint64_t total_ns;
    enum upgrade_outcome outcome;
    bool newcomer;                     /* whose record it is: the new daemon's */
    bool killed;                       /* the other one was, by this one */
    uint32_t pid;                      /* the process that wrote it; set by upgrades_add */
    uint32_t peer;                     /* the other's process */
    char release[UPGRADES_NAME_BYTES]; /* of the other one; "": it did not say */
    char step[UPGRADES_STEP_BYTES];    /* where the first thing went wrong; "": nothing did */
    char set[UPGRADES_NAME_BYTES];     /* of that step; "": it is no set's */
    char reason[UPGRADES_REASON_BYTES];
    uint32_t set_count;
    struct upgrade_set sets[UPGRADES_SETS_MAX];
};

const char *upgrade_outcome_name(enum upgrade_outcome outcome);

struct upgrades;

/* 0 or -ENOMEM. */
int upgrades_create(struct upgrades **upgrades);
/* NULL is fine, here and below: then nothing is kept. */
void upgrades_destroy(struct upgrades *upgrades);

/* Keeps a hand-over that is over, and tells of it in the events (NULL: nobody listens). Returns its
 * number, 0 if nothing is kept. */
uint64_t upgrades_add(struct upgrades *upgrades, struct events *events,
                      const struct upgrade_record *upgrade);
/* What came of the one with that number in the time right after: missed and retransmitted of its
 * sets are those of `upgrade`, whose sets have the same order. One that is not kept is none of
 * this history's any more, or never was: nothing is done. */
void upgrades_complete(struct upgrades *upgrades, uint64_t number,
                       const struct upgrade_record *upgrade);
/* The kept ones are 0 to upgrades_count - 1, the oldest first; each stays as it is until the next
 * upgrades_add or upgrades_complete. */
uint32_t upgrades_count(const struct upgrades *upgrades);
const struct upgrade_record *upgrades_at(const struct upgrades *upgrades, uint32_t index);
/* How many ended so, of all that the history has heard of. */
uint64_t upgrades_ended(const struct upgrades *upgrades, enum upgrade_outcome outcome);

/* Writes records, into a document that may have others. */
void upgrades_write(const struct upgrades *upgrades, struct state_writer *writer);
/* Reads the record that was entered, of this type, into a history that nothing was added to yet.
 * What makes no sense fails the reader, and is not kept. */
void upgrades_read(struct upgrades *upgrades, struct state_reader *reader, uint16_t type);

/* ---- Told while it goes on; events may be NULL ---- */

/* `newcomer`: told by the new daemon. */
void upgrades_tell_start(struct events *events, bool newcomer, uint32_t peer, bool check);
/* A set is with the new daemon now, or, `back`, with the old one again. */
void upgrades_tell_set(struct events *events, const char *set, bool back, uint64_t blackout_ns);

#endif
