/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/rules.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

int rules_create(struct policy_rule **rules, struct server_config *server,
                 const struct config *config)
{
    const struct config_rule *given = config->policy.items;
    struct policy_rule *made = calloc(config->policy.count + 1, sizeof(*made));

    if (!made)
        return -ENOMEM;
    for (uint32_t i = 0; i < config->policy.count; i++) {
        uint32_t allow = config_rights(&given[i]);

        if (given[i].any)
            made[i] = (struct policy_rule){POLICY_ANY, 0, allow, false, 1};
        else if (given[i].uid != SCHEMA_UNSET)
            made[i] = (struct policy_rule){POLICY_UID, (uint32_t)given[i].uid, allow, false, 1};
        else
            made[i] = (struct policy_rule){POLICY_GID, (uint32_t)given[i].gid, allow, false, 1};
        made[i].exclusive = given[i].engines == CONFIG_EXCLUSIVE;
        made[i].weight = (uint32_t)given[i].weight;
    }
    *server = (struct server_config){
        .path = config->socket.path.text,
        .mode = (mode_t)config->socket.mode,
        .policy = {geteuid(), made, config->policy.count},
        .sessions_per_uid = (uint32_t)config->limits.sessions_per_uid,
        .memory_per_uid = config->limits.memory_per_uid,
        .handshake_timeout_ns = config->limits.handshake_timeout,
        .connections_per_session = (uint32_t)config->limits.connections_per_session,
        .listeners_per_session = (uint32_t)config->limits.listeners_per_session,
        .regions_per_session = (uint32_t)config->limits.regions_per_session,
        .exposed_per_session = config->limits.exposed_per_session,
        .operations_per_session = (uint32_t)config->limits.operations_per_session,
        .cpu_per_session = (uint32_t)config->limits.cpu_per_session,
        .cpu_per_uid = (uint32_t)config->limits.cpu_per_uid,
    };
    *rules = made;
    return 0;
}
