/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A daemon of the measurement's own: two engines joined by a ring in memory,
 * in one group of the mode and class that a variant asks for.
 *
 * Everything it needs is in a folder made for it, which is removed with it.
 *
 * Ownership: the caller's struct. Threads: the one that may start actors.
 */
#ifndef BENCH_FLEET_H
#define BENCH_FLEET_H

#include "tools/bench/actor.h"
#include "tools/bench/plan.h"

#include <stdint.h>

#define FLEET_PATH_BYTES 108u /* a socket's, at most */
/* Its engines, and how each calls the other. A thread is named after its group or its engine. */
#define FLEET_GROUP "bench"
#define FLEET_LEFT  FLEET_GROUP "-left"
#define FLEET_RIGHT FLEET_GROUP "-right"
/* The right has as many addresses as an engine may, each with a name. What goes to each is a flow.
 */
#define FLEET_FLOWS      8u
#define FLEET_NAME_BYTES 32u

struct fleet {
    const char *program; /* saddled */
    /* What there is room for at each engine; may be changed before a daemon is provided. */
    uint32_t sessions, connections;
    struct actor daemon;
    const char *mode;  /* of what runs, if `daemon` does */
    const char *class; /* likewise */
    char folder[FLEET_PATH_BYTES - 16];
    char socket[FLEET_PATH_BYTES];
};

/* Makes the folder. 0 or a negative errno. */
int fleet_init(struct fleet *fleet, const char *program);
/* Has a daemon run as the variant asks, the one that runs already if it fits. 0; -EPERM if the
 * kernel refused the class or the daemon does not know it or the mode, -EINTR on an interrupt, or
 * another negative errno; then `reason` says why. */
int fleet_provide(struct fleet *fleet, const struct plan_variant *variant, char *reason,
                  size_t reason_bytes);
void fleet_stop(struct fleet *fleet);
/* Stops, and removes the folder. */
void fleet_fini(struct fleet *fleet);
/* What the left calls the right over this flow, below FLEET_FLOWS; FLEET_RIGHT over the first. */
void fleet_right(uint32_t flow, char name[FLEET_NAME_BYTES]);

#endif
