/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of a hand-over share: one that is under way, the words that are said, and a set's
 * way from one side to the other.
 *
 * Ownership: the call of handover_give or handover_take. Threads: control's.
 * Trust: as of handover.h.
 */
#ifndef DAEMON_HANDOVER_PRIVATE_H
#define DAEMON_HANDOVER_PRIVATE_H

#include "daemon/handover.h"

#define HANDOVER_SLICE_NS (100 * NSEC_PER_MSEC) /* between two looks at other duties */

/* Kinds of parcels. */
enum handover_word {
    HANDOVER_SAYS_NOTHING = 0,
    HANDOVER_SAYS_HELLO = 1,
    HANDOVER_SAYS_WELCOME = 2,
    HANDOVER_SAYS_ACCEPTED = 3,
    HANDOVER_SAYS_FIRST = 4,
    HANDOVER_SAYS_READY = 5, /* to FIRST and to OFFER */
    HANDOVER_SAYS_OFFER = 6,
    HANDOVER_SAYS_STATE = 7,
    HANDOVER_SAYS_ACTIVE = 8,
    HANDOVER_SAYS_LAST = 9,
    HANDOVER_SAYS_DONE = 10,
    HANDOVER_SAYS_REFUSED = 11,
};

/* How something ended that both sides are part of. */
enum handover_verdict {
    HANDOVER_WELL,    /* it was done */
    HANDOVER_STAYED,  /* it was not, both know it, and can go on talking */
    HANDOVER_PARTED,  /* it was not, and the other side is dead, or has been left alone */
    HANDOVER_GONE_BY, /* it was, but the other side, who had it then, is dead */
};

struct handover {
    struct handover_link *link;
    const struct handover_settings *settings;
    const struct handover_ops *ops;
    void *context;
    struct handover_report *report;

    bool check;    /* nothing is to move */
    bool back;     /* roles are exchanged */
    bool blackout; /* nobody runs the set at hand, or soon: no time for other duties */
    bool dead;     /* the other side is */
    bool resync;   /* something was refused unread: its rest may come first */
    bool reset;    /* the kernel has said that the other side left something unread */
    bool may_kill; /* the other side, if it is silent: something is at stake here */
    bool offered;  /* a giver: the set at hand has been */
    bool moved;    /* some set did, though it may be back */

    enum handover_step step; /* that is under way */
    uint32_t set;            /* its set, or HANDOVER_NO_SET */
    uint64_t began;          /* when */
    uint64_t offered_ns;     /* a taker: when the set at hand was */
    /* Of the STATE that came last, CLOCK_MONOTONIC: when the blackout began, and when it is to be
     * over. */
    uint64_t since, until;
    /* What went wrong last. */
    int error;
    char text[HANDOVER_REASON_BYTES];
    /* What the other side has yet to be told. */
    struct {
        bool is;
        int error;
        char text[HANDOVER_REASON_BYTES];
    } owed;
};

/* Where ops write their reasons. */
struct reason handover_why(struct handover *handover);
/* A step begins. */
void handover_at(struct handover *handover, enum handover_step step, uint32_t set);
/* Takes down what is in `error` and `text`, as what went wrong in this step. Returns the error. */
int handover_note(struct handover *handover);
/* Sets both, then the same. */
int handover_fail(struct handover *handover, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What one of `ops` answered: STAYED if it failed, which is noted and to be told; else WELL. */
enum handover_verdict handover_judge(struct handover *handover, int error);

/* ---- handover_words.c ---- */

/* Starts a parcel about the set at hand: what `ops` add follows. */
void handover_draft(struct handover *handover, struct parcel_draft *draft);
/* Sends it within the limit of the step and destroys it. 0; -EPIPE and -ETIMEDOUT the other side is
 * not to be reached; or another negative errno: it has not got it, and can be told why. */
int handover_say(struct handover *handover, enum handover_word word, struct parcel_draft *draft);
/* The same, of a word that says it all. */
int handover_say_word(struct handover *handover, enum handover_word word);
/* What went wrong last is to be told. */
void handover_owe(struct handover *handover);
/* Says it, if there is something. */
void handover_tell(struct handover *handover);
/* Says so to somebody with whom there is no hand-over. */
void handover_send_away(int socket, int error, const char *reason);

/* Waits for that word about the set at hand, until `deadline`. 0; -ECONNABORTED the other side
 * refused, and its reason is noted; -EPIPE, -ETIMEDOUT; or another negative errno: what came cannot
 * be used. All are noted. */
int handover_hear(struct handover *handover, enum handover_word word, struct parcel *parcel,
                  uint64_t deadline);
/* The same of a word that says it all. */
int handover_hear_word(struct handover *handover, enum handover_word word, uint64_t deadline);
/* After the other side is not to be reached any more: looks for that word in what still lies in the
 * socket; if it is not there makes sure that the other side is dead, if this one may, and looks
 * again. 0 with the parcel, if that is not NULL; -ECONNABORTED it had refused; -EBADMSG there lay
 * what nobody understands; -ENOENT. */
int handover_last_words(struct handover *handover, enum handover_word word, struct parcel *parcel);
/* Kills the other side and waits until it is dead. */
void handover_bury(struct handover *handover);
/* What follows from saying or hearing that failed with `error`, when that word was to come next:
 * WELL it came after all, from somebody who may be dead; STAYED; PARTED. */
enum handover_verdict handover_unheard(struct handover *handover, int error,
                                       enum handover_word word, struct parcel *parcel);

/* When the other side has to be done with that step, which begins now. */
uint64_t handover_deadline(enum handover_step step);

/* ---- handover_greeting.c ---- */

void handover_greeting_put(struct handover *handover, struct parcel_draft *draft);
/* Reads and judges the other's. 0, or a negative errno with the reason in `text`. The number of
 * sets, of a WELCOME, is in the report then. */
int handover_greeting_get(struct handover *handover, struct parcel *parcel);

/* ---- handover_set.c ---- */

/* The set's way, each side's part of it. Its place is in the report then. */
enum handover_verdict handover_give_set(struct handover *handover, uint32_t set);
enum handover_verdict handover_take_set(struct handover *handover, uint32_t set);

#endif
