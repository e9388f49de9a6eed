/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/policy.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

const char *const policy_words[POLICY_RIGHTS] = {"attach", "listen", "connect", "expose"};
const char *const policy_hugepages_words[POLICY_HUGEPAGES_WORDS + 1] = {"off", "auto", "required",
                                                                        NULL};

const char *policy_text(uint32_t rights, char text[POLICY_TEXT_BYTES])
{
    size_t used = (size_t)snprintf(text, POLICY_TEXT_BYTES, "%s", rights ? "" : "nothing");

    for (uint32_t i = 0; i < POLICY_RIGHTS; i++) {
        if (rights >> i & 1 && used < POLICY_TEXT_BYTES)
            used += (size_t)snprintf(text + used, POLICY_TEXT_BYTES - used, "%s%s",
                                     used ? ", " : "", policy_words[i]);
    }
    return text;
}

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

bool policy_trusts(const struct policy *policy, const struct policy_peer *peer)
{
    return peer->uid == 0 || peer->uid == policy->owner;
}

bool policy_rule_names(const struct policy_rule *rule, const struct policy_peer *peer)
{
    return rule->who == POLICY_ANY || (rule->who == POLICY_UID && rule->id == peer->uid) ||
           (rule->who == POLICY_GID && in_group(peer, rule->id));
}

bool policy_names(const struct policy *policy, const struct policy_peer *peer)
{
    bool named = policy_trusts(policy, peer);

    for (uint32_t i = 0; i < policy->rule_count && !named; i++)
        named = policy_rule_names(&policy->rules[i], peer);
    return named;
}

bool policy_exclusive(const struct policy *policy, const struct policy_peer *peer)
{
    bool exclusive = false;

    for (uint32_t i = 0; i < policy->rule_count; i++)
        exclusive |= policy->rules[i].exclusive && policy_rule_names(&policy->rules[i], peer);
    return exclusive;
}

uint32_t policy_weight(const struct policy *policy, const struct policy_peer *peer)
{
    uint32_t weight = 1;

    for (uint32_t i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        if (rule->weight > weight && policy_rule_names(rule, peer))
            weight = rule->weight;
    }
    return weight;
}

enum policy_hugepages policy_hugepages(const struct policy *policy, const struct policy_peer *peer)
{
    enum policy_hugepages hugepages = POLICY_HUGEPAGES_OFF;

    for (uint32_t i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rules[i];
        if (rule->hugepages > hugepages && policy_rule_names(rule, peer))
            hugepages = rule->hugepages;
    }
    return hugepages;
}

uint32_t policy_rights(const struct policy *policy, const struct policy_peer *peer)
{
    uint32_t rights = policy_trusts(policy, peer) ? POLICY_ALL : 0;

    for (uint32_t i = 0; i < policy->rule_count; i++) {
        if (policy_rule_names(&policy->rules[i], peer))
            rights |= policy->rules[i].allow;
    }
    return rights;
}
