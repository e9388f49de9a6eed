/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Element: a bad network. Loses, duplicates, delays, reorders and corrupts packets, all decided by
 * a seeded generator, so that the same seed and the same packets give the same faults.
 *
 * Packets go in and come out when they are due; one that is not delayed is due at once. Packets due
 * at the same time come out as they went in.
 *
 * Ownership: packets pushed belong to the element, packets popped to the caller; destroy frees what
 * is held. Threads: one. Trust: the memory of a packet may be shared with its sender, so corruption
 * happens in a private copy.
 */
#ifndef ENGINES_ELEMENTS_IMPAIR_H
#define ENGINES_ELEMENTS_IMPAIR_H

#include "engines/rng.h"

#include <rte_mbuf.h>
#include <stdint.h>

#define IMPAIR_MILLION      1000000u
#define IMPAIR_CAPACITY_MAX (1u << 20) /* packets held: 24 MiB of heap */

/* Probabilities are in parts per million. All zero: a perfect network. */
struct impair_config {
    uint32_t loss_ppm; /* of each packet, in the good state */
    /* Bursts: the Gilbert-Elliott model. Before each packet the state may change. */
    uint32_t burst_enter_ppm; /* from the good state to the bad one */
    uint32_t burst_leave_ppm; /* and back */
    uint32_t burst_loss_ppm;  /* of each packet, in the bad state */
    uint32_t duplicate_ppm;
    uint32_t corrupt_ppm; /* one bit, anywhere in the packet, is flipped */
    uint32_t reorder_ppm; /* held back by reorder_ns, so that later ones overtake it */
    uint64_t reorder_ns;
    uint64_t delay_ns;  /* of every packet */
    uint64_t jitter_ns; /* and on top of it, uniform from 0 to below this */
};

struct impair_stats {
    uint64_t pushed;
    uint64_t popped;
    uint64_t lost;       /* in the good state */
    uint64_t burst_lost; /* in the bad state */
    uint64_t duplicated; /* packets added */
    uint64_t corrupted;
    uint64_t reordered;
    uint64_t overflowed; /* dropped because the element was full */
    uint64_t starved;    /* not copied (then a duplicate is missing, a corrupt packet is lost) */
};

struct impair;

/* Holds up to `capacity` packets; copies come from `pool`, which outlives it. 0, -EINVAL,
 * -ENOMEM. */
int impair_create(struct impair **impair, const struct impair_config *config,
                  const uint8_t seed[RNG_SEED_BYTES], uint32_t capacity, struct rte_mempool *pool);
void impair_destroy(struct impair *impair);
/* Other faults from now on; what is held keeps its time. 0 or -EINVAL. */
int impair_configure(struct impair *impair, const struct impair_config *config);
/* -EINVAL for a probability above a million or a time above an hour; what impair_create checks. */
int impair_config_check(const struct impair_config *config);

void impair_push(struct impair *impair, struct rte_mbuf **packets, uint16_t count, uint64_t now);
/* Up to `max` packets that are due, in order; returns how many. */
uint16_t impair_pop(struct impair *impair, struct rte_mbuf **packets, uint16_t max, uint64_t now);
/* When the next packet is due; UINT64_MAX if none is held. */
uint64_t impair_deadline(const struct impair *impair);
/* How many packets it holds, and how many more it could. */
uint32_t impair_held(const struct impair *impair);
uint32_t impair_room(const struct impair *impair);
const struct impair_stats *impair_stats(const struct impair *impair);

#endif
