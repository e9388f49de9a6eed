/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/watches.h"

#include <errno.h>

int watches_add(struct watches *watches, struct rpc_call *call, uint32_t *place)
{
    const struct link_caller *caller = rpc_caller(call);
    uint32_t found = WATCHES_MAX, own = 0;

    for (uint32_t i = 0; i < WATCHES_MAX; i++) {
        if (!watches->calls[i])
            found = i;
        else
            own += rpc_caller(watches->calls[i])->uid == caller->uid;
    }
    if (found == WATCHES_MAX || (caller->role != LINK_ROLE_OPERATE && own >= WATCHES_PER_UID_MAX)) {
        rpc_end(call, RPC_RESOURCE_EXHAUSTED, "%s: there are too many watches",
                rpc_method_name(call));
        return -ENOSPC;
    }
    watches->calls[found] = call;
    *place = found;
    return 0;
}

uint32_t watches_remove(struct watches *watches, const struct rpc_call *call)
{
    uint32_t place = 0;

    while (place < WATCHES_MAX && watches->calls[place] != call)
        place++;
    if (place < WATCHES_MAX)
        watches->calls[place] = NULL;
    return place;
}
