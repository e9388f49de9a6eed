/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Two hosts with real engines over a clean wire, in virtual time, and on each the same few
 * applications, in pairs: the one on the first host calls its partner on the second.
 *
 * Ownership: the bed owns all. Threads: one.
 */
#ifndef TESTS_SIM_ISOLATION_BED_H
#define TESTS_SIM_ISOLATION_BED_H

#include "tests/sim/host.h"

#include <saddle/saddle.h>

#define BED_HOSTS     2u
#define BED_PAIRS_MAX 4u
#define BED_LANES     8u   /* connections of a pair that floods with small messages */
#define BED_DEPTH     128u /* operations that one who floods has under way, at most */

/* What the caller of a pair does. */
enum bed_work {
    BED_QUIET, /* asks, its partner answers, and a while later it asks again: 64 bytes each */
    BED_SMALL, /* messages of 64 bytes, as many at a time as may be */
    BED_READS, /* one-sided reads of a KiB, likewise */
    BED_LARGE, /* messages of a MiB, into posted buffers */
    BED_PACED, /* so many messages of a KiB every so often, see `burst` */
};

struct bed_pair {
    enum bed_work work;
    uint32_t burst;          /* of BED_PACED */
    struct pony_grant grant; /* of both its sessions but for the rights, which are all */
    uint32_t depth;          /* operations under way at a time; 0: BED_DEPTH, large ones 4 */
};

struct bed_app {
    struct bed *bed;
    struct bed_app *partner;
    const struct bed_pair *pair;
    uint32_t host;
    bool caller;
    struct saddle_session *session;
    struct saddle_channel *channel;
    struct pony_session *pony;
    uint8_t *arena;
    uint64_t arena_bytes;
    void *buffer;
    saddle_handle connections[BED_LANES];
    uint32_t lanes; /* of them, known */
    saddle_key key;
    uint64_t begun, finished, failed; /* operations of its work */
    uint64_t asked_ns;
    bool working;
};

struct bed {
    struct sim sim;
    struct bed_pair pairs[BED_PAIRS_MAX];
    uint32_t pair_count;
    struct bed_app apps[BED_HOSTS][BED_PAIRS_MAX];
    uint64_t *samples; /* round trips of BED_QUIET, in ns */
    uint32_t sample_count, samples_max;
};

/* Over a wire of that delay one way. Pairs are connected when it returns, and nobody works. */
struct bed *bed_create(const struct bed_pair *pairs, uint32_t count, uint64_t delay_ns,
                       struct rte_mempool *pool);
void bed_destroy(struct bed *bed);
/* A pair begins to work, or does so no more; what is under way goes on. */
void bed_work(struct bed *bed, uint32_t pair, bool works);
/* Lets so much time pass. */
void bed_run(struct bed *bed, uint64_t ns);
/* What a session has been charged on a host. */
uint64_t bed_charged(const struct bed *bed, uint32_t host, uint32_t pair);
/* The round trip below which 99 of 100 lie, of `count` more of them by the quiet pair. */
uint64_t bed_p99(struct bed *bed, uint32_t count);

#endif
