/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Placement: which engine an application gets. It names one, or a host with several, or nothing;
 * of several it gets the one with the fewest sessions. A session may be exclusive: then it is alone
 * on its engine as long as it lasts.
 *
 * Ownership: a question, asked anew for each application; engines are borrowed. Threads: control's.
 * Trust: names are applications'; who is exclusive the policy says.
 */
#ifndef CONTROL_PLACEMENT_H
#define CONTROL_PLACEMENT_H

#include "control/session.h"

#include <stdbool.h>
#include <stdint.h>

#define PLACEMENT_ENGINES_MAX 64u
#define PLACEMENT_NO_HOST     UINT16_MAX /* of an engine that takes no applications */

struct placement {
    struct engine *const *engines;
    uint32_t count;
    const uint16_t *hosts; /* of each engine: the place of the one that stands for its host */
    struct {
        uint32_t sessions;
        bool exclusive; /* one of them */
    } loads[PLACEMENT_ENGINES_MAX];
};

/* `hosts` NULL: each engine is a host of its own. Else an engine that others name as theirs has no
 * sessions itself. */
void placement_init(struct placement *placement, struct engine *const *engines, uint32_t count,
                    const uint16_t *hosts);
/* There is this session; for server_sessions. */
bool placement_add(void *placement, const struct session *session, pid_t pid);
/* Gives one more session its engine; `name` may be empty: the first in the list. 0; or a negative
 * errno, with the reply's error and reason set: -ENODEV (nobody has that name), or -EBUSY: those
 * that there are have sessions and this one is to be exclusive, or are taken by exclusive ones. */
int placement_choose(const struct placement *placement, const char *name,
                     struct session_owner *owner, struct saddle_attach_reply *reply);

#endif
