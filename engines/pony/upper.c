/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/upper.h"

#include "engines/pony/atomic.h"
#include "engines/pony/connection.h"
#include "engines/pony/dialogue.h"
#include "engines/pony/fetch.h"
#include "engines/pony/incoming.h"
#include "engines/pony/message.h"
#include "engines/pony/onesided.h"
#include "engines/pony/payload.h"
#include "engines/pony/ping.h"
#include "engines/pony/region.h"
#include "engines/pony/served.h"
#include "engines/pony/service.h"
#include "engines/pony/stream.h"
#include "engines/pony/table.h"

#include <string.h>

/* What an idle connection with one stream that has carried messages makes resident; the two indices
 * are its places in the pools. Tables are larger, but only what is used of them counts. */
#define CONNECTION_BYTES_MAX 512u
SADDLE_STATIC_ASSERT(sizeof(struct connection) + sizeof(struct stream) + 2 * sizeof(uint32_t) <=
                         CONNECTION_BYTES_MAX,
                     "20,000 connections fit in 10 MB");

/* A packet with less than this is no part of a stream of them: somebody may wait for it. */
#define PUBLISH_SOON_BYTES 256u
#define STREAM_SPARE       4u /* one spare stream to so many connections */

static int make_pools(struct upper *upper)
{
    const struct {
        struct pool *pool;
        uint32_t size, rest;
    } pools[] = {
        {&upper->connection_pool, upper->connections_max, POOL_REST},
        {&upper->service_pool, UPPER_LISTENERS, POOL_REST},
        {&upper->stream_pool, upper->streams_max, POOL_REST},
        {&upper->operation_pool, upper->operations_max, POOL_REST},
        {&upper->gather_pool, upper->gathers_max, POOL_REST},
        {&upper->served_pool, UPPER_SERVED, 0},
        {&upper->region_pool, upper->regions_max, POOL_REST},
        {&upper->path_pool, upper->paths_max, POOL_REST},
    };

    for (uint32_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++)
        if (pool_init(pools[i].pool, pools[i].size, pools[i].rest))
            return -ENOMEM;
    return 0;
}

#define UPPER_TABLES 12u

/* A pointer of struct upper to a table, and how large that is. */
struct upper_table {
    void *place;
    size_t count, size;
};

static void list_tables(struct upper *upper, struct upper_table tables[UPPER_TABLES])
{
    const struct upper_table list[UPPER_TABLES] = {
        {&upper->sessions, upper->sessions_max, sizeof(upper->sessions[0])},
        {&upper->adopted, upper->sessions_max, sizeof(upper->adopted[0])},
        {&upper->connections, upper->connections_max, sizeof(upper->connections[0])},
        {&upper->services, UPPER_LISTENERS, sizeof(upper->services[0])},
        {&upper->streams, upper->streams_max, sizeof(upper->streams[0])},
        {&upper->operations, upper->operations_max, sizeof(upper->operations[0])},
        {&upper->gathers, upper->gathers_max, sizeof(upper->gathers[0])},
        {&upper->served, UPPER_SERVED, sizeof(upper->served[0])},
        {&upper->served_chains, UPPER_SERVED, sizeof(upper->served_chains[0])},
        {&upper->regions, upper->regions_max, sizeof(upper->regions[0])},
        {&upper->paths, upper->paths_max, sizeof(upper->paths[0])},
        {&upper->turns, (size_t)upper->paths_max * (upper->sessions_max + 1),
         sizeof(upper->turns[0])},
    };

    memcpy(tables, list, sizeof(list));
}

static int make_tables(struct upper *upper)
{
    struct upper_table tables[UPPER_TABLES];

    list_tables(upper, tables);
    for (uint32_t i = 0; i < UPPER_TABLES; i++) {
        void *table = table_create(tables[i].count, tables[i].size);
        if (!table)
            return -ENOMEM;
        memcpy(tables[i].place, &table, sizeof(table));
    }
    return make_pools(upper);
}

/* Of a table whose entries come and go, one that works has used as many as rest. */
void upper_warm(struct upper *upper)
{
    struct upper_table tables[UPPER_TABLES];

    list_tables(upper, tables);
    for (uint32_t i = 0; i < UPPER_TABLES; i++) {
        void *table;

        memcpy(&table, tables[i].place, sizeof(table));
        table_warm(table, tables[i].count < POOL_REST ? tables[i].count : POOL_REST,
                   tables[i].size);
    }
}

int upper_init(struct upper *upper, const struct upper_limits *limits)
{
    uint32_t spare = limits->connections / STREAM_SPARE;
    uint32_t gathers = limits->operations / GATHER_SHARE;

    if (limits->sessions == 0 || limits->connections == 0 || limits->operations == 0 ||
        limits->regions == 0 || limits->flows == 0 || limits->connections > UPPER_CONNECTIONS_MAX ||
        limits->operations > UPPER_OPERATIONS_MAX || limits->regions > REGION_MAX)
        return -EINVAL;
    upper->control_fd = -1;
    upper->sessions_max = limits->sessions;
    upper->connections_max = limits->connections;
    upper->operations_max = limits->operations;
    upper->gathers_max = gathers > GATHER_LEAST ? gathers : GATHER_LEAST;
    upper->regions_max = limits->regions;
    upper->paths_max = limits->flows;
    upper->streams_max =
        limits->connections + (spare > UPPER_STREAMS_SPARE ? spare : UPPER_STREAMS_SPARE);
    list_init(&upper->dead);
    list_init(&upper->ending);
    list_init(&upper->staged);
    dialogue_init(upper);
    share_init(&upper->connection_share, limits->connections, limits->sessions);
    share_init(&upper->operation_share, limits->operations, limits->sessions);
    share_init(&upper->gather_share, upper->gathers_max, limits->sessions);
    share_init(&upper->region_share, limits->regions, limits->sessions);
    int error = make_tables(upper);
    if (error)
        upper_fini(upper);
    return error;
}

void upper_fini(struct upper *upper)
{
    struct upper_table tables[UPPER_TABLES];

    dialogue_fini(upper);
    pool_fini(&upper->connection_pool);
    pool_fini(&upper->service_pool);
    pool_fini(&upper->stream_pool);
    pool_fini(&upper->operation_pool);
    pool_fini(&upper->gather_pool);
    pool_fini(&upper->served_pool);
    pool_fini(&upper->region_pool);
    pool_fini(&upper->path_pool);
    list_tables(upper, tables);
    for (uint32_t i = 0; i < UPPER_TABLES; i++) {
        void *table;
        memcpy(&table, tables[i].place, sizeof(table));
        table_destroy(table, tables[i].count, tables[i].size);
    }
}

static uint32_t fill(void *arg, struct flow *flow, uint8_t *ops, uint32_t room, uint64_t now)
{
    struct upper *upper = arg;
    struct path *path = flow_context(flow);
    struct packet packet = {.bytes = ops, .room = room};

    upper->now = now;
    if (!path)
        return 0;
    return path_fill(upper, path, &packet);
}

/* Packets that must be lost, as far as the flow can tell: those whose control operations are
 * damaged, and those that ask for more answers or more work than there is room for. */
static bool admit(void *arg, struct flow *flow, const uint8_t *ops, uint32_t bytes)
{
    struct upper *upper = arg;
    const struct path *path = flow_context(flow);
    uint32_t replies = path ? path->reply_count : 0;
    uint32_t requests = 0, at = 0;
    bool expects = connection_expects(upper);
    const uint8_t *payload;
    struct wire_op op;

    while (wire_op_next(ops, bytes, &at, &op, &payload)) {
        if (expects) /* all of them, before the first is delivered */
            connection_expect(upper, op.connection);
        if (op.length && !payload_is_data(&op) &&
            crc32c_update(CRC32C_START, payload, op.length) != op.payload_crc)
            return false;
        if (op.type == WIRE_OP_OPEN || op.type == WIRE_OP_OPENED || op.type == WIRE_OP_CLOSE ||
            op.type == WIRE_OP_ECHO)
            replies++;
        if (op.type == WIRE_OP_READ_DATA)
            onesided_expect(upper, &op);
        if (!payload_is_request(&op))
            continue;
        struct connection *connection = connection_find(upper, op.connection);
        if (!connection || !path || connection->path != path || served_find(connection, op.id))
            continue;
        if (!served_has_room(upper, path, connection, ++requests))
            return false;
    }
    return replies <= PATH_REPLIES;
}

/* One-sided operations that not every peer has. */
static void dispatch_feature(struct connection *connection, const struct wire_op *op,
                             const uint8_t *payload)
{
    if (!onesided_agreed(connection)) {
        connection_abort(connection, -EPROTO);
        return;
    }
    switch (op->type) {
    case WIRE_OP_COMPARE_SWAP:
    case WIRE_OP_FETCH_ADD:
        atomic_on_request(connection, op, payload);
        break;
    case WIRE_OP_RESULT:
        onesided_on_result(connection, op, payload);
        break;
    default:
        fetch_on_request(connection, op, payload);
        break;
    }
}

/* Operations of a connection that both sides hold open. */
static void dispatch(struct connection *connection, const struct wire_op *op,
                     const uint8_t *payload)
{
    switch (op->type) {
    case WIRE_OP_MESSAGE:
        incoming_on_fragment(connection, op, payload);
        break;
    case WIRE_OP_OFFER:
        incoming_on_offer(connection, op);
        break;
    case WIRE_OP_PULL:
        message_on_pull(connection, op);
        break;
    case WIRE_OP_BULK:
        incoming_on_bulk(connection, op, payload);
        break;
    case WIRE_OP_DELIVERED:
        message_on_delivered(connection, op, payload);
        break;
    case WIRE_OP_CREDIT:
        message_on_credit(connection, op);
        break;
    case WIRE_OP_STARVED:
        session_credit_thirst(connection, op->offset);
        break;
    case WIRE_OP_SKIP:
        incoming_on_skip(connection, op);
        break;
    case WIRE_OP_READ:
        served_on_read(connection, op, payload);
        break;
    case WIRE_OP_READ_DATA:
        onesided_on_data(connection, op, payload);
        break;
    case WIRE_OP_WRITE:
        served_on_write(connection, op, payload);
        break;
    case WIRE_OP_DONE:
        onesided_on_done(connection, op);
        break;
    default:
        dispatch_feature(connection, op, payload);
        break;
    }
}

/* `connection`: the one that it names, if that is on this path. */
static void deliver_one(struct upper *upper, struct path *path, const struct wire_op *op,
                        const uint8_t *payload, struct connection *connection)
{
    if (!payload_fits(op)) {
        if (connection)
            connection_abort(connection, -EPROTO);
        return;
    }
    if (op->type == WIRE_OP_OPEN)
        connection_on_open(upper, path, op, payload);
    else if (op->type == WIRE_OP_OPENED)
        connection_on_opened(upper, path, op, payload);
    else if (op->type == WIRE_OP_ELSEWHERE)
        connection_on_elsewhere(upper, path, op);
    else if (op->type == WIRE_OP_CLOSE)
        connection_on_close(upper, path, op, payload);
    else if (op->type == WIRE_OP_ECHO)
        ping_on_echo(upper, path, op);
    else if (op->type == WIRE_OP_ECHOED)
        ping_on_echoed(upper, path, op);
    else if (connection && op->type == WIRE_OP_CLOSED)
        connection_on_closed(connection);
    else if (connection && connection->session && !connection->session->dropped &&
             (connection->state == CONNECTION_OPEN || connection->state == CONNECTION_OPENING))
        dispatch(connection, op, payload);
    else
        counter_add(&upper->counters.strays, 1);
}

/* The connection that an operation which has arrived is for, or NULL. */
static struct connection *target(struct upper *upper, const struct path *path,
                                 const struct wire_op *op)
{
    struct connection *connection = connection_find(upper, op->connection);

    return connection && connection->path == path ? connection : NULL;
}

/* Goes over all operations of a packet. Each is its connection's session's affair; those in a row
 * that are one session's are charged at once. */
static void deliver_all(struct upper *upper, struct path *path, const uint8_t *ops, uint32_t bytes)
{
    struct meter *meter = upper->meter;
    struct account *nobody = meter_nobody(meter), *present = NULL;
    const uint8_t *payload;
    uint32_t at = 0, begin = 0;
    struct wire_op op;

    for (uint32_t next = 0; wire_op_next(ops, bytes, &next, &op, &payload); at = next) {
        struct connection *connection = target(upper, path, &op);
        struct account *account =
            connection && connection->session ? &connection->session->account : nobody;
        if (account != present) {
            meter_part(meter, present, at - begin);
            meter_switch(meter, account);
            present = account;
            begin = at;
        }
        deliver_one(upper, path, &op, payload, connection);
        clock_charge(upper->clock, upper_cost(1, op.length));
    }
    meter_part(meter, present, at - begin);
    meter_switch(meter, meter_pool(meter));
}

static void deliver(void *arg, struct flow *flow, const uint8_t *ops, uint32_t bytes, uint64_t now)
{
    struct upper *upper = arg;

    upper->now = now;
    flow_hold(flow);
    struct path *path = path_of(upper, flow);
    if (!path) {
        flow_release(flow);
        return;
    }
    path->busy = true;
    deliver_all(upper, path, ops, bytes);
    if (bytes < PUBLISH_SOON_BYTES)
        upper_publish(upper);
    path->busy = false;
    path_settle(upper, path);
}

static void opened(void *arg, struct flow *flow, uint64_t now)
{
    struct upper *upper = arg;
    struct path *path = flow_context(flow);

    upper->now = now;
    if (path && (!list_empty(&path->ring) || path->reply_count || !list_empty(&path->asking)))
        flow_kick(flow);
}

static void ended(void *arg, struct flow *flow, int error, uint64_t now)
{
    struct upper *upper = arg;
    struct path *path = flow_context(flow);

    upper->now = now;
    if (path)
        path_end(upper, path, error);
}

const struct flow_upper_ops upper_flow_ops = {
    .fill = fill,
    .admit = admit,
    .deliver = deliver,
    .opened = opened,
    .ended = ended,
};

void upper_publish(struct upper *upper)
{
    struct list *node;

    while ((node = list_first(&upper->staged))) {
        struct pony_session *session = LIST_OF(node, struct pony_session, staged);
        struct account *before = meter_switch(upper->meter, &session->account);
        session_publish(session);
        meter_switch(upper->meter, before);
    }
}

bool upper_quiet(const struct upper *upper)
{
    bool quiet = !upper->violated && !upper->waiting && list_empty(&upper->ending);

    for (uint32_t i = 0; i < upper->sessions_end && quiet; i++)
        quiet = !upper->sessions[i] || session_quiet(upper->sessions[i]);
    return quiet;
}

uint32_t upper_commands(struct upper *upper, uint64_t now)
{
    uint32_t total = 0;

    upper->now = now;
    fair_round(upper, now);
    upper->session_turn =
        upper->session_turn + 1 < upper->sessions_end ? upper->session_turn + 1 : 0;
    for (uint32_t i = 0; i < upper->sessions_end; i++) {
        uint32_t turn = upper->session_turn + i;
        struct pony_session *session =
            upper->sessions[turn < upper->sessions_end ? turn : turn - upper->sessions_end];
        if (session && !session->dropped)
            total += session_commands(session);
    }
    return total;
}

void upper_notices(struct upper *upper)
{
    path_end_some(upper);
    for (uint32_t i = 0; i < upper->sessions_end; i++)
        if (upper->sessions[i] && !upper->sessions[i]->dropped)
            session_notices(upper->sessions[i]);
    for (uint32_t i = 0; i < upper->sessions_end; i++) {
        struct pony_session *session = upper->sessions[i];
        if (!session)
            continue;
        if (upper->violated && !session->dropped && pony_session_error(session))
            session_drop(session);
        if (session->dropped)
            session_finish(session);
        else
            session_ring(session);
    }
    upper->violated = false;
}

bool upper_arm(struct upper *upper)
{
    bool idle = !upper->violated && list_empty(&upper->ending);

    for (uint32_t i = 0; i < upper->sessions_end && idle; i++)
        if (upper->sessions[i])
            idle = session_arm(upper->sessions[i]);
    if (!idle)
        upper_disarm(upper);
    return idle;
}

void upper_disarm(struct upper *upper)
{
    for (uint32_t i = 0; i < upper->sessions_end; i++)
        if (upper->sessions[i] && !upper->sessions[i]->dropped)
            session_disarm(upper->sessions[i]);
}

void upper_place(struct upper *upper, uint32_t index, struct pony_session *session)
{
    upper->sessions[index] = session;
    if (session && index >= upper->sessions_end)
        upper->sessions_end = index + 1;
    while (upper->sessions_end > 0 && !upper->sessions[upper->sessions_end - 1])
        upper->sessions_end--;
}

int upper_attach(struct upper *upper, struct pony_session *session)
{
    for (uint32_t i = 0; i < upper->sessions_max; i++) {
        if (upper->sessions[i])
            continue;
        upper_place(upper, i, session);
        session->upper = upper;
        session->index = i;
        fair_join(session, upper->now);
        counter_add(&upper->counters.sessions, 1);
        return 0;
    }
    return -ENOSPC;
}

int upper_detach(struct upper *upper, struct pony_session *session)
{
    if (session->upper != upper)
        return 0;
    if (!session->dropped)
        session_drop(session);
    if (!session_finish(session))
        return -EAGAIN;
    upper_place(upper, session->index, NULL);
    session->upper = NULL;
    counter_sub(&upper->counters.sessions, 1);
    return 0;
}

int upper_adopt(struct upper *upper, struct pony_session *session)
{
    for (uint32_t i = 0; i < upper->sessions_max; i++) {
        if (upper->adopted[i] && upper->adopted[i]->config.id == session->config.id)
            return -EEXIST;
        if (upper->adopted[i])
            continue;
        upper->adopted[i] = session;
        return 0;
    }
    return -ENOSPC;
}
