/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A shaper in virtual time: the real engine on a port of the test's that takes what it is given,
 * and members that always have something to send for each session the test names.
 *
 * Threads: one. Ownership: bed_make makes all, bed_end frees it and asserts that no packet is lost.
 */
#ifndef TESTS_UNIT_ENGINES_SHAPER_BED_H
#define TESTS_UNIT_ENGINES_SHAPER_BED_H

#include "engines/shaper/shaper.h"

#define BED_SESSIONS 2048u
#define BED_MTU      1500u
#define BED_LARGEST  1522u                /* bytes of a frame: with two VLAN tags */
#define BED_FRAME    300u                 /* bytes, of most packets here */
#define BED_REACT_NS (20 * NSEC_PER_USEC) /* how soon a member comes after a packet left */

/* What has left of one session. */
struct bed_session {
    bool wants, left;
    uint32_t frame;         /* bytes, with room for 24 more on the wire */
    uint64_t offered, sent; /* packets */
    uint64_t bytes;         /* on the wire */
    uint64_t last;          /* number of the last packet that left */
};

struct bed {
    uint64_t now;
    uint64_t feed_ns; /* how often a member comes for all of its sessions; a millisecond */
    uint32_t members;
    uint16_t room;                             /* of the port; UINT16_MAX: always enough */
    uint64_t order;                            /* of packets that left */
    struct bed_session sessions[BED_SESSIONS]; /* 0: packets of no session */
    struct shaping *shaping;
    struct engine *engine;
    struct rte_mempool *pool;
};

extern struct bed bed;
extern const struct clock bed_clock;

/* With a pool of that many packets. */
void bed_make(const struct shape *policy, uint32_t members, uint32_t packets);
/* The same, and one member more behind those, the rest. */
void bed_make_with_rest(const struct shape *policy, uint32_t members, uint32_t packets);
void bed_end(void);
/* Destroys the engine and makes it again, as another process would: with its state. */
void bed_restart(void);

/* Session `number` has packets of this frame size without end, or none any more (0). */
void bed_want(uint32_t number, uint32_t frame);
/* One packet of the session's from its member, if there is room. */
bool bed_give(uint32_t number);
/* Lets time pass, members send and the engine work. */
void bed_run(uint64_t ns);
/* The engine has worked, and nothing has passed. */
void bed_step(void);
/* Every packet leaves, whatever time it takes up to `ns`. */
void bed_drain(uint64_t ns);
/* Forgets what was counted. */
void bed_count(void);
/* Bits per second of the session since, over `ns`. */
double bed_rate(uint32_t number, uint64_t ns);

#endif
