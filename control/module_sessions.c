/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/arena.h"
#include "control/log.h"
#include "control/module.h"
#include "saddle_v1_sessions.pb-c.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <saddle/abi.h>

#define REASON_DEFAULT "an operator ended it"
#define REASON_PREFIX  "closed: "

/* Of sessions being listed, or the one that is looked for. */
struct list {
    const char *engine; /* "": of all */
    uint64_t id;        /* 0: all */
    uint64_t now;
    Saddle__V1__Session sessions[ARENAS_MAX], *pointers[ARENAS_MAX];
    char *rights[ARENAS_MAX][POLICY_RIGHTS];
    size_t count;
};

static bool add(void *context, const struct session *session, pid_t pid)
{
    struct list *list = context;
    Saddle__V1__Session *to = &list->sessions[list->count];
    struct session_view view;

    session_view(session, &view);
    if ((*list->engine && strcmp(list->engine, view.engine) != 0) ||
        (list->id && list->id != view.id))
        return true;
    saddle__v1__session__init(to);
    to->id = view.id;
    to->engine = rpc_text(view.engine);
    to->application = rpc_text(view.application);
    to->uid = view.uid;
    to->pid = (uint32_t)pid;
    to->abi = view.abi;
    to->channels = view.channels;
    to->arena_bytes = view.arena_bytes;
    to->age_ns = list->now - view.attached_ns;
    to->cpu_ns = view.usage.cpu_ns;
    to->weight = view.weight;
    to->cpu_share = view.cpu_share;
    to->huge_pages = view.hugepages;
    to->throttled_ns = view.usage.throttled_ns;
    to->throttled = view.usage.throttled;
    to->connection_bytes = view.usage.connection_bytes;
    to->operation_bytes = view.usage.operation_bytes;
    to->region_bytes = view.usage.region_bytes;
    to->record_bytes = view.usage.record_bytes;
    to->rights = list->rights[list->count];
    for (uint32_t i = 0; i < POLICY_RIGHTS; i++) {
        if (view.rights >> i & 1)
            to->rights[to->n_rights++] = rpc_text(policy_words[i]);
    }
    list->pointers[list->count++] = to;
    return list->count < ARENAS_MAX;
}

static struct list *collect(const struct module_world *world, const char *engine, uint64_t id)
{
    struct list *list = calloc(1, sizeof(*list));

    if (!list)
        return NULL;
    list->engine = engine;
    list->id = id;
    list->now = clock_now(&clock_machine);
    server_sessions(world->server, add, list);
    return list;
}

static void list_sessions(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__ListSessionsRequest *wanted = (const void *)request;
    const struct module_world *world = state;
    Saddle__V1__ListSessionsResponse response = SADDLE__V1__LIST_SESSIONS_RESPONSE__INIT;
    struct list *list;

    if (*wanted->engine && plant_find_engine(world->plant, wanted->engine) < 0) {
        rpc_end(call, RPC_NOT_FOUND, "there is no engine \"%s\"", wanted->engine);
        return;
    }
    list = collect(world, wanted->engine, 0);
    if (!list) {
        rpc_end(call, RPC_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    response.n_sessions = list->count;
    response.sessions = list->pointers;
    rpc_answer(call, &response.base);
    free(list);
}

static void no_session(struct rpc_call *call, uint64_t id)
{
    rpc_end(call, RPC_NOT_FOUND, "there is no session %llu", (unsigned long long)id);
}

static void get_session(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__GetSessionRequest *wanted = (const void *)request;
    struct list *list = wanted->id ? collect(state, "", wanted->id) : NULL;

    if (list && list->count)
        rpc_answer(call, &list->sessions[0].base);
    else
        no_session(call, wanted->id);
    free(list);
}

static void close_session(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__CloseSessionRequest *wanted = (const void *)request;
    const struct module_world *world = state;
    Saddle__V1__CloseSessionResponse response = SADDLE__V1__CLOSE_SESSION_RESPONSE__INIT;
    char reason[SADDLE_REASON_BYTES];
    int length, error;

    length = snprintf(reason, sizeof(reason), REASON_PREFIX "%s",
                      *wanted->reason ? wanted->reason : REASON_DEFAULT);
    if (length >= (int)sizeof(reason)) {
        rpc_end(call, RPC_INVALID_ARGUMENT, "reason: longer than %zu bytes",
                sizeof(reason) - sizeof(REASON_PREFIX));
        return;
    }
    error = wanted->id ? server_close_session(world->server, wanted->id, reason) : -ENOENT;
    if (error == -EBUSY) {
        rpc_end(call, RPC_UNAVAILABLE, "session %llu: it is being handed to another daemon",
                (unsigned long long)wanted->id);
        return;
    }
    if (error) {
        no_session(call, wanted->id);
        return;
    }
    log_line(LOG_INFO, "session %llu: ended by uid %u, process %d", (unsigned long long)wanted->id,
             rpc_caller(call)->uid, rpc_caller(call)->pid);
    rpc_answer(call, &response.base);
}

static const struct rpc_method methods[] = {
    {.name = "saddle.v1.Sessions/List",
     .request = &saddle__v1__list_sessions_request__descriptor,
     .handle = list_sessions},
    {.name = "saddle.v1.Sessions/Get",
     .request = &saddle__v1__get_session_request__descriptor,
     .handle = get_session},
    {.name = "saddle.v1.Sessions/Close",
     .role = LINK_ROLE_OPERATE,
     .request = &saddle__v1__close_session_request__descriptor,
     .handle = close_session},
};

const struct module module_sessions = {
    .name = "sessions",
    .about = "applications that are attached",
    .methods = methods,
    .method_count = sizeof(methods) / sizeof(methods[0]),
};
