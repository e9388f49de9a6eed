/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/ask.h"
#include "control/module.h"
#include "control/page.h"
#include "control/pony_entry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIND "pony"

/* What one of the services shows. */
struct kind {
    enum view_kind view;
    const char *noun;
    size_t entry_bytes;
    void (*fill)(void *entry, const struct view_page *page, uint32_t index, const char *engine);
    void (*answer)(struct rpc_call *call, void *list, size_t count, char *token);
};

/* What a request asks for, whatever its type. */
struct wanted {
    const char *engine, *peer; /* "": not said */
    uint64_t session;          /* 0: not said */
};

struct listing {
    struct ask ask;
    const struct plant *plant;
    const struct kind *kind;
    struct wanted wanted;
    struct page page;
    struct view_page view;
    uint8_t *entries;
    ProtobufCMessage **list;
    uint32_t count, asks;
};

/* ---- Engines, in the order of their names ---- */

static bool is_pony(const struct engine *engine)
{
    return !strcmp(engine->ops->kind, KIND);
}

static const char *name_of(const struct plant *plant, int index)
{
    return plant->engines[index].engine->name;
}

/* The next one that may be asked, by name, from `from` on or, not `here`, behind it; -1: none. */
static int next_engine(const struct plant *plant, const struct wanted *wanted, const char *from,
                       bool here)
{
    int next = -1;

    for (uint32_t i = 0; i < plant->engine_count; i++) {
        const struct engine *engine = plant->engines[i].engine;
        int order = strcmp(engine->name, from);

        if (!is_pony(engine) || order < 0 || (order == 0 && !here) ||
            (*wanted->engine && strcmp(engine->name, wanted->engine) != 0))
            continue;
        if (next < 0 || strcmp(engine->name, name_of(plant, next)) < 0)
            next = (int)i;
    }
    return next;
}

/* 0, or -EINVAL after it ended the call. */
static int check_engine(const struct plant *plant, struct rpc_call *call, const char *name)
{
    int index = *name ? plant_find_engine(plant, name) : 0;

    if (index < 0)
        rpc_end(call, RPC_NOT_FOUND, "there is no engine \"%s\"", name);
    else if (*name && !is_pony(plant->engines[index].engine))
        rpc_end(call, RPC_FAILED_PRECONDITION, "engine %s is of kind %s, not " KIND, name,
                plant->engines[index].engine->ops->kind);
    else
        return 0;
    return -EINVAL;
}

/* ---- Filters ---- */

static bool take_session(void *context, const struct session *session, pid_t pid)
{
    struct session_view *sought = context;

    (void)pid;
    if (session_id(session) != sought->id)
        return true;
    session_view(session, sought);
    return false;
}

/* Only a session's engine has what is of it. 0, or -ENOENT after it ended the call. */
static int check_session(const struct module_world *world, struct rpc_call *call,
                         struct wanted *wanted)
{
    struct session_view sought = {.id = wanted->session};

    if (!wanted->session)
        return 0;
    server_sessions(world->server, take_session, &sought);
    if (!sought.engine) {
        rpc_end(call, RPC_NOT_FOUND, "there is no session %llu",
                (unsigned long long)wanted->session);
        return -ENOENT;
    }
    if (!*wanted->engine)
        wanted->engine = sought.engine;
    return 0;
}

/* Where a peer is, to this engine: 1, or 0 if it knows none of that name; or a negative errno after
 * it ended the call. */
static int find_peer(struct ask *ask, int engine, const char *name, struct address *address)
{
    struct view_host host;
    int result;
    int error;

    if (strlen(name) >= sizeof(host.host))
        return 0;
    snprintf(host.host, sizeof(host.host), "%s", name);
    error = ask_engine(ask, (uint32_t)engine, pony_mailbox_find_peer, &host, &result);
    if (error)
        return error;
    *address = host.address;
    return result == 0;
}

static void no_peer(struct rpc_call *call, const char *name)
{
    rpc_end(call, RPC_NOT_FOUND, "there is no peer \"%s\"", name);
}

/* The first engine from this one on that knows the peer; -1 if there is none, or a smaller number
 * after it ended the call. */
static int knowing_engine(struct ask *ask, const struct wanted *wanted, int engine,
                          struct address *address)
{
    const struct plant *plant = ask->world->plant;

    while (engine >= 0) {
        int known = find_peer(ask, engine, wanted->peer, address);

        if (known < 0)
            return -2;
        if (known)
            return engine;
        engine = next_engine(plant, wanted, name_of(plant, engine), false);
    }
    return -1;
}

/* ---- Lists ---- */

static void keep_page(struct listing *listing, const char *engine)
{
    const struct view_page *view = &listing->view;

    for (uint32_t i = 0; i < view->scan.count; i++) {
        void *entry = listing->entries + listing->count * listing->kind->entry_bytes;

        listing->kind->fill(entry, view, i, engine);
        listing->list[listing->count++] = entry;
    }
}

static bool has_room(const struct listing *listing)
{
    return listing->count < listing->page.size && listing->asks < PAGE_ASKS_MAX;
}

/* Goes through one engine as far as there is room. 0, or a negative errno after it ended the call.
 */
static int scan_engine(struct listing *listing, int engine)
{
    struct view_scan *scan = &listing->view.scan;

    while (scan->position != VIEW_END && has_room(listing)) {
        int result;
        int error;

        scan->most = listing->page.size - listing->count;
        error =
            ask_engine(&listing->ask, (uint32_t)engine, pony_mailbox_view, &listing->view, &result);
        if (error)
            return error;
        listing->asks++;
        keep_page(listing, name_of(listing->plant, engine));
    }
    return 0;
}

/* Goes through engines; *engine is where the next page begins, or -1. 0, or a negative errno after
 * it ended the call. */
static int scan_engines(struct listing *listing, int *engine)
{
    struct view_scan *scan = &listing->view.scan;

    scan->of_peer = *listing->wanted.peer != '\0';
    scan->session = listing->wanted.session;
    while (*engine >= 0 && has_room(listing)) {
        int known = scan->of_peer
                        ? find_peer(&listing->ask, *engine, listing->wanted.peer, &scan->peer)
                        : 1;
        int error = known > 0 ? scan_engine(listing, *engine) : known;

        if (error)
            return error;
        if (known && scan->position != VIEW_END)
            return 0;
        scan->position = 0;
        *engine =
            next_engine(listing->plant, &listing->wanted, name_of(listing->plant, *engine), false);
    }
    return 0;
}

/* Where the page begins: an engine, -1 if there is none any more, or less after it ended the call.
 */
static int begin_page(struct listing *listing)
{
    const struct page *page = &listing->page;
    int engine = next_engine(listing->plant, &listing->wanted, page->owner, true);
    char *end;

    if (page->first && *listing->wanted.peer) {
        engine = knowing_engine(&listing->ask, &listing->wanted, engine, &listing->view.scan.peer);
        if (engine == -1) {
            no_peer(listing->ask.call, listing->wanted.peer);
            return -2;
        }
        return engine;
    }
    if (page->first)
        return engine;
    errno = 0;
    unsigned long place = strtoul(page->place, &end, 10);
    if (page->place[0] < '0' || page->place[0] > '9' || *end || errno || place >= VIEW_END) {
        page_wrong_token(listing->ask.call);
        return -2;
    }
    if (engine >= 0 && !strcmp(name_of(listing->plant, engine), page->owner))
        listing->view.scan.position = (uint32_t)place;
    return engine;
}

static void answer_list(struct listing *listing)
{
    char token[PAGE_TOKEN_BYTES], place[PAGE_PLACE_BYTES];
    int engine = begin_page(listing);

    if (engine < -1 || scan_engines(listing, &engine))
        return;
    snprintf(place, sizeof(place), "%u", listing->view.scan.position);
    page_token(token, engine >= 0 ? name_of(listing->plant, engine) : NULL, place);
    listing->kind->answer(listing->ask.call, listing->list, listing->count, token);
}

/* All lists: the page that was asked for. */
static void list(const struct module_world *world, struct rpc_call *call, const struct kind *kind,
                 const struct wanted *wanted, uint32_t size, const char *token)
{
    struct listing listing = {.plant = world->plant, .kind = kind, .wanted = *wanted};

    if (page_parse(&listing.page, call, size, token) ||
        check_engine(world->plant, call, wanted->engine) ||
        check_session(world, call, &listing.wanted))
        return;
    listing.view.kind = kind->view;
    listing.entries = calloc(listing.page.size, kind->entry_bytes);
    listing.list = calloc(listing.page.size, sizeof(listing.list[0]));
    ask_start(&listing.ask, world, call);
    if (listing.entries && listing.list)
        answer_list(&listing);
    else
        rpc_end(call, RPC_RESOURCE_EXHAUSTED, "out of memory");
    free(listing.entries);
    free(listing.list);
}

/* ---- One ---- */

/* The engine that is meant, though none may be named: -1 after it ended the call. */
static int one_engine(const struct plant *plant, struct rpc_call *call, const char *name)
{
    const struct wanted wanted = {.engine = name, .peer = ""};
    int first;

    if (check_engine(plant, call, name))
        return -1;
    first = next_engine(plant, &wanted, "", true);
    if (first < 0) {
        rpc_end(call, RPC_NOT_FOUND, "there is no engine of kind " KIND);
        return -1;
    }
    if (next_engine(plant, &wanted, name_of(plant, first), false) < 0)
        return first;
    rpc_end(call, RPC_INVALID_ARGUMENT, "engine: there are several; which one is meant?");
    return -1;
}

/* Answers with the one entry that the scan finds. */
static void answer_one(struct ask *ask, const struct kind *kind, int engine,
                       const struct view_scan *scan, const char *what)
{
    const char *name = name_of(ask->world->plant, engine);
    struct view_page view = {.kind = kind->view, .scan = *scan};
    union {
        struct peer_entry peer;
        struct flow_entry flow;
        struct connection_entry connection;
        struct region_entry region;
    } entry;
    int result;

    if (ask_engine(ask, (uint32_t)engine, pony_mailbox_view, &view, &result))
        return;
    if (view.scan.count == 0) {
        rpc_end(ask->call, RPC_NOT_FOUND, "engine %s has no %s %s", name, kind->noun, what);
        return;
    }
    memset(&entry, 0, sizeof(entry));
    kind->fill(&entry, &view, 0, name);
    rpc_answer(ask->call, (const ProtobufCMessage *)&entry);
}

static void get(const struct module_world *world, struct rpc_call *call, const struct kind *kind,
                const char *engine_name, uint32_t id)
{
    const struct view_scan scan = {.by_id = true, .id = id};
    int engine = one_engine(world->plant, call, engine_name);
    char what[PAGE_PLACE_BYTES];
    struct ask ask;

    if (engine < 0)
        return;
    snprintf(what, sizeof(what), "%u", id);
    ask_start(&ask, world, call);
    answer_one(&ask, kind, engine, &scan, what);
}

/* ---- Peers ---- */

static void answer_peers(struct rpc_call *call, void *list, size_t count, char *token)
{
    Saddle__V1__ListPeersResponse response = SADDLE__V1__LIST_PEERS_RESPONSE__INIT;

    response.peers = list;
    response.n_peers = count;
    response.next_page_token = token;
    rpc_answer(call, &response.base);
}

static const struct kind peers = {
    .view = VIEW_PEERS,
    .noun = "peer",
    .entry_bytes = sizeof(struct peer_entry),
    .fill = entry_of_peer,
    .answer = answer_peers,
};

static void list_peers(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__ListPeersRequest *given = (const void *)request;
    const struct wanted wanted = {.engine = given->engine, .peer = given->peer};

    list(state, call, &peers, &wanted, given->page_size, given->page_token);
}

static void get_peer(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__GetPeerRequest *given = (const void *)request;
    const struct wanted wanted = {.engine = given->engine, .peer = given->peer};
    const struct module_world *world = state;
    struct view_scan scan = {.of_peer = true};
    struct ask ask;
    int engine;

    if (check_engine(world->plant, call, given->engine))
        return;
    ask_start(&ask, world, call);
    engine =
        knowing_engine(&ask, &wanted, next_engine(world->plant, &wanted, "", true), &scan.peer);
    if (engine >= 0)
        answer_one(&ask, &peers, engine, &scan, given->peer);
    else if (engine == -1)
        no_peer(call, given->peer);
}

/* ---- Flows ---- */

static void answer_flows(struct rpc_call *call, void *list, size_t count, char *token)
{
    Saddle__V1__ListFlowsResponse response = SADDLE__V1__LIST_FLOWS_RESPONSE__INIT;

    response.flows = list;
    response.n_flows = count;
    response.next_page_token = token;
    rpc_answer(call, &response.base);
}

static const struct kind flows = {
    .view = VIEW_FLOWS,
    .noun = "flow",
    .entry_bytes = sizeof(struct flow_entry),
    .fill = entry_of_flow,
    .answer = answer_flows,
};

static void list_flows(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__ListFlowsRequest *given = (const void *)request;
    const struct wanted wanted = {.engine = given->engine, .peer = given->peer};

    list(state, call, &flows, &wanted, given->page_size, given->page_token);
}

static void get_flow(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__GetFlowRequest *given = (const void *)request;

    get(state, call, &flows, given->engine, given->id);
}

/* ---- Connections ---- */

static void answer_connections(struct rpc_call *call, void *list, size_t count, char *token)
{
    Saddle__V1__ListConnectionsResponse response = SADDLE__V1__LIST_CONNECTIONS_RESPONSE__INIT;

    response.connections = list;
    response.n_connections = count;
    response.next_page_token = token;
    rpc_answer(call, &response.base);
}

static const struct kind connections = {
    .view = VIEW_CONNECTIONS,
    .noun = "connection",
    .entry_bytes = sizeof(struct connection_entry),
    .fill = entry_of_connection,
    .answer = answer_connections,
};

static void list_connections(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__ListConnectionsRequest *given = (const void *)request;
    const struct wanted wanted = {.engine = given->engine,
                                  .peer = given->peer,
                                  .session = given->session};

    list(state, call, &connections, &wanted, given->page_size, given->page_token);
}

static void get_connection(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__GetConnectionRequest *given = (const void *)request;

    get(state, call, &connections, given->engine, given->handle);
}

/* ---- Regions ---- */

static void answer_regions(struct rpc_call *call, void *list, size_t count, char *token)
{
    Saddle__V1__ListRegionsResponse response = SADDLE__V1__LIST_REGIONS_RESPONSE__INIT;

    response.regions = list;
    response.n_regions = count;
    response.next_page_token = token;
    rpc_answer(call, &response.base);
}

static const struct kind regions = {
    .view = VIEW_REGIONS,
    .noun = "region",
    .entry_bytes = sizeof(struct region_entry),
    .fill = entry_of_region,
    .answer = answer_regions,
};

static void list_regions(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__ListRegionsRequest *given = (const void *)request;
    const struct wanted wanted = {.engine = given->engine, .peer = "", .session = given->session};

    list(state, call, &regions, &wanted, given->page_size, given->page_token);
}

static void get_region(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__GetRegionRequest *given = (const void *)request;

    get(state, call, &regions, given->engine, given->id);
}

static const struct rpc_method methods[] = {
    {.name = "saddle.v1.Peers/List",
     .request = &saddle__v1__list_peers_request__descriptor,
     .handle = list_peers},
    {.name = "saddle.v1.Peers/Get",
     .request = &saddle__v1__get_peer_request__descriptor,
     .handle = get_peer},
    {.name = "saddle.v1.Flows/List",
     .request = &saddle__v1__list_flows_request__descriptor,
     .handle = list_flows},
    {.name = "saddle.v1.Flows/Get",
     .request = &saddle__v1__get_flow_request__descriptor,
     .handle = get_flow},
    {.name = "saddle.v1.Connections/List",
     .request = &saddle__v1__list_connections_request__descriptor,
     .handle = list_connections},
    {.name = "saddle.v1.Connections/Get",
     .request = &saddle__v1__get_connection_request__descriptor,
     .handle = get_connection},
    {.name = "saddle.v1.Regions/List",
     .request = &saddle__v1__list_regions_request__descriptor,
     .handle = list_regions},
    {.name = "saddle.v1.Regions/Get",
     .request = &saddle__v1__get_region_request__descriptor,
     .handle = get_region},
};

const struct module module_pony = {
    .name = "pony",
    .about = "peers, flows, connections and regions of Pony engines",
    .methods = methods,
    .method_count = sizeof(methods) / sizeof(methods[0]),
};
