/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/names.h"

#include <string.h>

bool names_ask_for(char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (!strcmp(names[i], name))
            return true;
    }
    return count == 0;
}

bool names_known(struct rpc_call *call, const char *what, char *const *names, size_t count,
                 const char *const known[PLANT_MAX], uint32_t known_count)
{
    if (count > PLANT_MAX) {
        rpc_end(call, RPC_INVALID_ARGUMENT, "names: %zu of %ss, and at most %u may be asked for",
                count, what, PLANT_MAX);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        uint32_t at = 0;

        while (at < known_count && strcmp(names[i], known[at]) != 0)
            at++;
        if (at < known_count)
            continue;
        rpc_end(call, RPC_NOT_FOUND, "there is no %s \"%s\"", what, names[i]);
        return false;
    }
    return true;
}
