/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What a session is granted: rights and weight by the policy, bounds by the limits.
 *
 * Threads: control's.
 */
#ifndef CONTROL_GRANT_H
#define CONTROL_GRANT_H

#include "control/server.h"
#include "engines/pony/pony.h"

/* `rights`: PONY_RIGHT_*. */
static inline void grant_fill(struct pony_grant *grant, const struct server_config *config,
                              uint32_t rights, uint32_t weight)
{
    *grant = (struct pony_grant){
        .rights = rights,
        .connections = config->connections_per_session,
        .listeners = config->listeners_per_session,
        .regions = config->regions_per_session,
        .exposed = config->exposed_per_session,
        .operations = config->operations_per_session,
        .weight = weight,
        .cpu_share = config->cpu_per_session,
    };
}

#endif
