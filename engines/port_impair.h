/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A port that puts bad networks before another one: what the inner port receives, what it is given
 * to send, or both, goes through impair.
 *
 * Ownership: owns the inner port from a successful create on, and destroys it. Threads: as the
 * inner port. Packets delayed on their way out leave when rx_burst or tx_burst is called at or
 * after `deadline`.
 */
#ifndef ENGINES_PORT_IMPAIR_H
#define ENGINES_PORT_IMPAIR_H

#include "engines/elements/impair.h"
#include "engines/port.h"

struct port_impair_config {
    const struct impair_config *receive; /* copied; NULL: perfect */
    const struct impair_config *send;    /* copied; NULL: perfect */
    uint8_t seed[RNG_SEED_BYTES];
    uint32_t capacity; /* packets held each way; 0: 4096 */
};

/* 0, -EINVAL, -ENOMEM; on failure `inner` is still the caller's. */
int port_impair_create(struct port **port, struct port *inner,
                       const struct port_impair_config *config);

/* Other faults from now on, on the port's thread; NULL: perfect. 0 or -EINVAL. */
int port_impair_configure(struct port *port, const struct impair_config *receive,
                          const struct impair_config *send);

/* Counters of the two directions, zero for one that was created perfect. */
void port_impair_stats(const struct port *port, struct impair_stats *receive,
                       struct impair_stats *send);

#endif
