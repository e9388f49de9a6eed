/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What `saddle-bench upgrade` has found, for people and as one JSON document (its form is in
 * saddle-bench(1)).
 *
 * Ownership: all is borrowed. Threads: one.
 */
#ifndef BENCH_UPGRADE_REPORT_H
#define BENCH_UPGRADE_REPORT_H

#include "tools/bench/phases.h"
#include "tools/bench/tally.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct upgrade_outcome {
    uint32_t wanted, upgrades; /* hand-overs, and those that ended well */
    /* Of each. Writing sorts them. */
    uint64_t *blackout_ns, *brownout_ns;
    double *state_bytes;
    struct phases prober; /* its round trips; likewise */
    struct tally_faults faults;
    uint64_t errors; /* that applications saw */
    bool missed_known;
    uint64_t missed, retransmissions;
    uint64_t messages, operations;
    uint32_t connections;
    const char *port;
};

/* Whether nothing was lost, doubled, out of order or failed. */
bool upgrade_is_well(const struct upgrade_outcome *outcome);
/* Each answers 0 or a negative errno. */
int upgrade_write_json(FILE *out, struct upgrade_outcome *outcome);
int upgrade_write_table(FILE *out, struct upgrade_outcome *outcome);

#endif
