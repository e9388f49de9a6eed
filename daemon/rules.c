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
        made[i] = (struct policy_rule){
            .who = POLICY_ANY,
            .allow = config_rights(&given[i]),
            .exclusive = given[i].engines == CONFIG_EXCLUSIVE,
            .weight = (uint32_t)given[i].weight,
            .hugepages = (enum policy_hugepages)given[i].hugepages,
        };
        if (given[i].any)
            continue;
        made[i].who = given[i].uid != SCHEMA_UNSET ? POLICY_UID : POLICY_GID;
        made[i].id = (uint32_t)(made[i].who == POLICY_UID ? given[i].uid : given[i].gid);
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
