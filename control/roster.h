/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The roster: which engines there were, and in which groups, when events last told of them. What
 * has changed since then becomes events, whoever changed it.
 *
 * Ownership: the caller's. Threads: control's.
 */
#ifndef CONTROL_ROSTER_H
#define CONTROL_ROSTER_H

#include "control/events.h"
#include "control/plant.h"

/* Names are copies: those of a plant are gone when it changes. */
struct roster {
    struct roster_engine {
        const struct engine *engine; /* to be compared alone */
        char name[ENGINE_NAME_BYTES];
        char group[GROUP_NAME_BYTES];
    } engines[PLANT_MAX];
    uint32_t count;
};

/* Takes down what there is, and tells of what is new, gone or elsewhere; an engine that was made
 * anew is gone and new. `events` may be NULL: nothing is told. */
void roster_follow(struct roster *roster, const struct plant *plant, struct events *events);

#endif
