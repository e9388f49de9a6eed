/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/policy.h"

#include <errno.h>
#include <sys/socket.h>

int policy_identify(struct policy_peer *peer, int socket)
{
    struct ucred credentials;
    socklen_t length = sizeof(credentials);

    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length))
        return -errno;
    peer->pid = credentials.pid;
    peer->uid = credentials.uid;
    peer->gid = credentials.gid;
    length = sizeof(peer->groups);
    /* More groups than fit: the kernel gives none, and none then grants anything. */
    if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, peer->groups, &length))
        length = 0;
    peer->group_count = length / sizeof(peer->groups[0]);
    return 0;
}

static bool in_group(const struct policy_peer *peer, gid_t gid)
{
    if (peer->gid == gid)
        return true;
    for (uint32_t i = 0; i < peer->group_count; i++) {
        if (peer->groups[i] == gid)
            return true;
    }
    return false;
}

bool policy_may_attach(const struct policy *policy, const struct policy_peer *peer)
{
    if (peer->uid == 0 || peer->uid == policy->owner)
        return true;
    for (uint32_t i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];

        if (rule->who == POLICY_ANY || (rule->who == POLICY_UID && rule->id == peer->uid) ||
            (rule->who == POLICY_GID && in_group(peer, rule->id)))
            return true;
    }
    return false;
}
