/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/arena.h"
#include "control/module.h"
#include "saddle_v1_policy.pb-c.h"

#include <stdio.h>
#include <stdlib.h>

#define GIDS_MAX  (POLICY_GROUPS_MAX + 1) /* a process's own, and the supplementary ones */
#define WHO_BYTES sizeof("uid 4294967295")

/* Rights in words: how many. */
static size_t fill_words(uint32_t rights, char *words[POLICY_RIGHTS])
{
    size_t count = 0;

    for (uint32_t i = 0; i < POLICY_RIGHTS; i++) {
        if (rights >> i & 1)
            words[count++] = rpc_text(policy_words[i]);
    }
    return count;
}

struct rule {
    Saddle__V1__PolicyRule message;
    char *allow[POLICY_RIGHTS];
    char who[WHO_BYTES];
};

/* Rules of an answer. */
struct rules {
    size_t count;
    struct rule *list;
    Saddle__V1__PolicyRule *pointers[]; /* into the list */
};

static struct rules *rules_create(uint32_t max)
{
    struct rules *rules = calloc(1, sizeof(*rules) + max * sizeof(rules->pointers[0]));

    if (!rules)
        return NULL;
    rules->list = calloc(max + 1ull, sizeof(rules->list[0]));
    if (rules->list)
        return rules;
    free(rules);
    return NULL;
}

static void rules_destroy(struct rules *rules)
{
    if (rules)
        free(rules->list);
    free(rules);
}

static void rules_add(struct rules *rules, const struct policy *policy, uint32_t index)
{
    const struct policy_rule *from = &policy->rules[index];
    struct rule *to = &rules->list[rules->count];

    saddle__v1__policy_rule__init(&to->message);
    if (from->who == POLICY_ANY)
        snprintf(to->who, sizeof(to->who), "any");
    else
        snprintf(to->who, sizeof(to->who), "%s %u", from->who == POLICY_UID ? "uid" : "gid",
                 from->id);
    to->message.number = index + 1;
    to->message.who = to->who;
    to->message.n_allow = fill_words(from->allow, to->allow);
    to->message.allow = to->allow;
    to->message.weight = from->weight;
    to->message.hugepages = rpc_text(policy_hugepages_words[from->hugepages]);
    rules->pointers[rules->count++] = &to->message;
}

/* Sessions, summed by user. */
struct usage {
    size_t count;
    Saddle__V1__PolicyUsage users[ARENAS_MAX], *pointers[ARENAS_MAX];
};

static bool add_session(void *context, const struct session *session, pid_t pid)
{
    struct usage *usage = context;
    struct session_view view;
    size_t at = 0;

    (void)pid;
    session_view(session, &view);
    while (at < usage->count && usage->users[at].uid != session_uid(session))
        at++;
    if (at == ARENAS_MAX)
        return false;
    if (at == usage->count) {
        saddle__v1__policy_usage__init(&usage->users[at]);
        usage->users[at].uid = session_uid(session);
        usage->pointers[at] = &usage->users[at];
        usage->count++;
    }
    usage->users[at].sessions++;
    usage->users[at].arena_bytes += session_bytes(session);
    usage->users[at].cpu_ns += view.usage.cpu_ns;
    return true;
}

static void fill_limits(const struct server_config *from, Saddle__V1__Limits *to)
{
    saddle__v1__limits__init(to);
    to->sessions_per_uid = from->sessions_per_uid;
    to->memory_per_uid = from->memory_per_uid;
    to->handshake_timeout_ns = from->handshake_timeout_ns;
    to->connections_per_session = from->connections_per_session;
    to->listeners_per_session = from->listeners_per_session;
    to->regions_per_session = from->regions_per_session;
    to->exposed_per_session = from->exposed_per_session;
    to->operations_per_session = from->operations_per_session;
    to->cpu_per_session = from->cpu_per_session;
    to->cpu_per_uid = from->cpu_per_uid;
}

static void get_policy(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const struct module_world *world = state;
    const struct server_config *config = server_config(world->server);
    Saddle__V1__GetPolicyResponse response = SADDLE__V1__GET_POLICY_RESPONSE__INIT;
    struct rules *rules = rules_create(config->policy.rule_count);
    struct usage *usage = calloc(1, sizeof(*usage));
    Saddle__V1__Limits limits;

    (void)request;
    if (rules && usage) {
        for (uint32_t i = 0; i < config->policy.rule_count; i++)
            rules_add(rules, &config->policy, i);
        server_sessions(world->server, add_session, usage);
        fill_limits(config, &limits);
        response.owner = config->policy.owner;
        response.n_rules = rules->count;
        response.rules = rules->pointers;
        response.limits = &limits;
        response.n_usage = usage->count;
        response.usage = usage->pointers;
        rpc_answer(call, &response.base);
    } else {
        rpc_end(call, RPC_RESOURCE_EXHAUSTED, "out of memory");
    }
    rules_destroy(rules);
    free(usage);
}

/* Ends the call and returns false if nobody can be that. */
static bool read_peer(struct rpc_call *call, const Saddle__V1__CheckPolicyRequest *wanted,
                      struct policy_peer *peer)
{
    if (wanted->uid == UINT32_MAX) {
        rpc_end(call, RPC_INVALID_ARGUMENT, "uid: %u is no user", wanted->uid);
        return false;
    }
    if (wanted->n_gids > GIDS_MAX) {
        rpc_end(call, RPC_INVALID_ARGUMENT, "gids: %zu of them, and at most %u are looked at",
                wanted->n_gids, GIDS_MAX);
        return false;
    }
    /* Nobody's group, so that no rule is met by a group that was not given. */
    *peer = (struct policy_peer){.uid = wanted->uid, .gid = UINT32_MAX};
    for (size_t i = 0; i < wanted->n_gids; i++) {
        if (wanted->gids[i] == UINT32_MAX) {
            rpc_end(call, RPC_INVALID_ARGUMENT, "gids: %u is no group", wanted->gids[i]);
            return false;
        }
        if (i == 0)
            peer->gid = wanted->gids[i];
        else
            peer->groups[peer->group_count++] = wanted->gids[i];
    }
    return true;
}

static void check_policy(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const struct module_world *world = state;
    const struct policy *policy = &server_config(world->server)->policy;
    Saddle__V1__CheckPolicyResponse response = SADDLE__V1__CHECK_POLICY_RESPONSE__INIT;
    char *allow[POLICY_RIGHTS];
    struct policy_peer peer;
    struct rules *rules;

    if (!read_peer(call, (const void *)request, &peer))
        return;
    rules = rules_create(policy->rule_count);
    if (!rules) {
        rpc_end(call, RPC_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    for (uint32_t i = 0; i < policy->rule_count; i++) {
        if (policy_rule_names(&policy->rules[i], &peer))
            rules_add(rules, policy, i);
    }
    response.n_allow = fill_words(policy_rights(policy, &peer), allow);
    response.allow = allow;
    response.trusted = policy_trusts(policy, &peer);
    response.n_rules = rules->count;
    response.rules = rules->pointers;
    rpc_answer(call, &response.base);
    rules_destroy(rules);
}

static const struct rpc_method methods[] = {
    {.name = "saddle.v1.Policy/Get",
     .request = &saddle__v1__get_policy_request__descriptor,
     .handle = get_policy},
    {.name = "saddle.v1.Policy/Check",
     .request = &saddle__v1__check_policy_request__descriptor,
     .handle = check_policy},
};

const struct module module_policy = {
    .name = "policy",
    .about = "who may use the daemon, what for, and how much",
    .methods = methods,
    .method_count = sizeof(methods) / sizeof(methods[0]),
};
