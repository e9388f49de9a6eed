/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Hand-over sets: which engines of a configuration can go from one daemon to another only together,
 * since they share memory of the process: those on one port, which has one queue of packets and one
 * directory of services, and those at both ends of a ring.
 *
 * Ownership: plain data. Threads: any one. Trust: the configuration is checked.
 */
#ifndef DAEMON_HOST_SETS_H
#define DAEMON_HOST_SETS_H

#include "daemon/config.h"

#include <stdint.h>

struct host_sets {
    uint32_t count;
    /* By position in the configuration. */
    uint16_t of_engine[CONFIG_ENGINES_MAX];
    uint16_t of_port[CONFIG_PORTS_MAX];
    uint16_t first[CONFIG_ENGINES_MAX]; /* of each set: the engine that it is named by */
};

/* Sets are numbered in the order of their first engines. A port that no engine uses goes with the
 * first set. */
void host_sets_find(struct host_sets *sets, const struct config *config);
/* The name of its first engine. */
const char *host_sets_name(const struct host_sets *sets, const struct config *config, uint32_t set);

#endif
