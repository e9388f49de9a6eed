/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes wrong in a run: some kinds of fault are the links' character and last as long as the
 * work does, others strike at random moments.
 *
 * Ownership: the simulation's. Threads: one.
 */
#ifndef TESTS_SIM_FAULT_H
#define TESTS_SIM_FAULT_H

#include "engines/elements/impair.h"
#include "tests/sim/sim.h"

enum fault_kind {
    FAULT_LOSS,
    FAULT_BURST,
    FAULT_DUPLICATE,
    FAULT_REORDER,
    FAULT_CORRUPT,
    FAULT_DELAY, /* spikes: all links of a host are slow for a while */
    FAULT_PARTITION,
    FAULT_ONEWAY,
    FAULT_STALL,
    FAULT_KILL,
    FAULT_RELOAD,
    FAULT_BLACKHOLE, /* a link swallows what is larger than some size */
    FAULT_RESTART,   /* an engine is gone, with all it knew, and another one in its place */
    FAULT_UPGRADE,   /* all engines of an address go on in others, after a while without any */
    FAULT_POLICY,    /* a shaper gets another policy */
    FAULT_KINDS,
};

#define FAULT_LINK_KINDS                                                                           \
    (1u << FAULT_LOSS | 1u << FAULT_BURST | 1u << FAULT_DUPLICATE | 1u << FAULT_REORDER |          \
     1u << FAULT_CORRUPT)

/* "loss", "reload" and so on, in the order of the kinds. */
extern const char *const fault_names[FAULT_KINDS];

/* A set of kinds from a comma-separated list; 0 if it is none. "all" is all. */
uint32_t fault_parse(const char *list);
/* Draws a set: loss, duplicates, reordering, and some that strike. */
uint32_t fault_draw(struct rng *rng);

struct fault;

/* What a link is like, by the run's kinds of fault. */
void fault_link(struct sim *sim, struct impair_config *config);
/* Kinds of a set: how many. */
uint32_t fault_count(uint32_t kinds);
/* Begins to strike. */
struct fault *fault_create(struct sim *sim);
void fault_destroy(struct fault *fault);
/* No more faults: links are perfect and whole from now on. */
void fault_heal(struct fault *fault);

#endif
