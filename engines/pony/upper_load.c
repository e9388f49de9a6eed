/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/connection.h"
#include "engines/pony/directory.h"
#include "engines/pony/payload.h"
#include "engines/pony/region.h"
#include "engines/pony/served.h"
#include "engines/pony/service.h"
#include "engines/pony/stream.h"
#include "engines/pony/upper_state.h"

#include <string.h>

static void wrong(struct state_reader *reader)
{
    state_reader_fail(reader, -EPROTO);
}

struct pony_session *upper_loaded_session(struct upper *upper, struct state_reader *reader,
                                          uint32_t index)
{
    if (!reader->error && index < upper->sessions_max && upper->sessions[index])
        return upper->sessions[index];
    wrong(reader);
    return NULL;
}

struct connection *upper_loaded_connection(struct upper *upper, struct state_reader *reader,
                                           uint32_t index)
{
    if (!reader->error && index < pool_end(&upper->connection_pool) &&
        upper->connections[index].state != CONNECTION_FREE)
        return &upper->connections[index];
    wrong(reader);
    return NULL;
}

struct path *upper_loaded_path(struct upper *upper, struct state_reader *reader, uint32_t number)
{
    struct flow *flow = reader->error ? NULL : transport_loaded_flow(upper->transport, number);
    struct path *path = NULL;

    if (flow) {
        bool known = flow_context(flow) != NULL;
        flow_hold(flow);
        path = path_of(upper, flow);
        if (path && !known && flow_error(flow))
            path_loaded_ended(upper, path, flow_error(flow));
    }
    if (!path)
        wrong(reader);
    return path;
}

/* Generations of a table, each at `stride` bytes from the last. Those of entries that were never
 * taken are 0, and these are left untouched (table.h). Only entries that have one may be named by
 * other records. */
static void load_generations(struct state_reader *reader, uint16_t *first, size_t stride,
                             struct pool *pool)
{
    uint32_t count = state_get_u32(reader);

    if (count > pool->size)
        wrong(reader);
    else if (count > pool_end(pool))
        pool_reset(pool, count);
    for (uint32_t i = 0; i < count && !reader->error; i++) {
        uint16_t generation = state_get_u16(reader);
        if (generation)
            *(uint16_t *)(void *)((char *)first + i * stride) = generation;
    }
}

static void load_engine(struct upper *upper, struct state_reader *reader)
{
    uint64_t counters[UPPER_COUNTERS] = {0};
    uint32_t count = state_get_u32(reader);

    for (uint32_t i = 0; i < count && !reader->error; i++) {
        uint64_t value = state_get_u64(reader);
        if (i < UPPER_COUNTERS)
            counters[i] = value;
    }
    memcpy(&upper->counters, counters, sizeof(counters));
    upper->counters.sessions = 0;
    upper->counters.connections = 0;
    upper->counters.operations = 0;
    load_generations(reader, &upper->connections[0].generation, sizeof(upper->connections[0]),
                     &upper->connection_pool);
    load_generations(reader, &upper->services[0].generation, sizeof(upper->services[0]),
                     &upper->service_pool);
    load_generations(reader, &upper->regions[0].generation, sizeof(upper->regions[0]),
                     &upper->region_pool);
    load_generations(reader, &upper->operations[0].generation, sizeof(upper->operations[0]),
                     &upper->operation_pool);
}

static struct pony_session *adopted(struct upper *upper, uint64_t id)
{
    for (uint32_t i = 0; i < upper->sessions_max; i++)
        if (upper->adopted[i] && upper->adopted[i]->config.id == id)
            return upper->adopted[i];
    return NULL;
}

static void load_channel(struct channel *channel, struct state_reader *reader)
{
    struct channel_config config = {
        .command = channel->commands.queue,
        .completion = channel->completions.queue,
        .kept = channel->kept,
        .doorbell_fd = channel->doorbell_fd,
    };

    config.command_position = state_get_u32(reader);
    config.completion_position = state_get_u32(reader);
    config.reserved = state_get_u32(reader);
    if (config.reserved > config.completion.attrs.capacity)
        wrong(reader);
    if (reader->error)
        return;
    channel_resume(channel, &config);
}

/* It broke a rule, and neither it nor control has heard of that: as if it had done so just now. */
static void untold(struct pony_session *session)
{
    session->reason = "it broke a rule before its engine was loaded";
    session->dropped = false;
    session->upper->violated = true;
}

static void load_session(struct upper *upper, struct state_reader *reader)
{
    uint32_t index = state_get_u32(reader);
    struct pony_session *session = adopted(upper, state_get_u64(reader));
    uint32_t error = state_get_u32(reader);
    bool dropped = state_get_u8(reader);
    uint64_t rings = state_get_u64(reader);
    uint32_t slots = state_get_u32(reader);
    uint32_t channels = state_get_u32(reader);

    if (reader->error || index >= upper->sessions_max || upper->sessions[index] || !session ||
        session->upper || session->config.slot_count != slots ||
        session->config.channel_count != channels || error > UPPER_ERRNO_MAX) {
        wrong(reader);
        return;
    }
    session->index = index;
    session->upper = upper;
    fair_join(session, upper->now);
    session->dropped = dropped;
    session->rings = rings;
    atomic_store_explicit(&session->error, -(int32_t)error, memory_order_relaxed);
    upper_place(upper, index, session);
    counter_add(&upper->counters.sessions, 1);
    if (dropped != (error != 0))
        wrong(reader);
    for (uint32_t i = 0; i < channels && !reader->error; i++)
        load_channel(&session->channels[i].channel, reader);
    if (dropped && upper_loaded_more(reader) && state_get_u8(reader))
        untold(session);
}

static void load_grant(struct upper *upper, struct state_reader *reader)
{
    struct pony_session *session = upper_loaded_session(upper, reader, state_get_u32(reader));
    struct pony_grant grant = {.rights = state_get_u32(reader)};

    grant.connections = state_get_u32(reader);
    grant.listeners = state_get_u32(reader);
    grant.regions = state_get_u32(reader);
    grant.exposed = state_get_u64(reader);
    if (reader->error || grant.rights & ~PONY_RIGHTS_ALL) {
        wrong(reader);
        return;
    }
    grant.operations = session->config.grant.operations;
    grant.weight = session->config.grant.weight;
    grant.cpu_share = session->config.grant.cpu_share;
    session->config.grant = grant;
}

/* Of a session, in ns: 36 years, far from where sums wrap. */
#define ACCOUNT_LOADED_MAX (1ull << 60)

static void load_account(struct upper *upper, struct state_reader *reader)
{
    struct pony_session *session = upper_loaded_session(upper, reader, state_get_u32(reader));
    uint64_t cpu_ns = state_get_u64(reader), throttled_ns = state_get_u64(reader);
    uint32_t operations = state_get_u32(reader);
    uint32_t weight = state_get_u32(reader), share = state_get_u32(reader);

    if (reader->error || weight > FAIR_WEIGHT_MAX || share > BUCKET_WHOLE ||
        cpu_ns > ACCOUNT_LOADED_MAX || throttled_ns > ACCOUNT_LOADED_MAX) {
        wrong(reader);
        return;
    }
    session->config.grant.operations = operations;
    session->config.grant.weight = weight;
    session->config.grant.cpu_share = share;
    /* What it was charged elsewhere is its own, and no part of this engine's time. */
    session->account.sum = NULL;
    account_charge(&session->account, cpu_ns);
    account_charge(&session->fair.throttled_ns, throttled_ns);
    fair_init(session);
    fair_join(session, upper->now);
}

static void load_region(struct upper *upper, struct state_reader *reader)
{
    uint32_t index = state_get_u32(reader);
    struct pony_session *session = upper_loaded_session(upper, reader, state_get_u32(reader));
    struct region region = {.session = session};

    region.key = state_get_u64(reader);
    region.buf = state_get_u64(reader);
    region.len = state_get_u32(reader);
    region.rights = state_get_u32(reader);
    if (reader->error || index >= pool_end(&upper->region_pool) || upper->regions[index].session ||
        (region.key & REGION_INDEX_MASK) != index ||
        !session_owns(session, region.buf, region.len)) {
        wrong(reader);
        return;
    }
    region.generation = upper->regions[index].generation;
    upper->regions[index] = region;
    share_take(&upper->region_share, &session->region_count);
    session->exposed += region.len;
}

static bool load_name(struct state_reader *reader, char name[SADDLE_NAME_BYTES], uint32_t *length)
{
    const void *bytes = state_get_bytes(reader, PAYLOAD_SERVICE_MAX, length);

    if (!bytes || reader->error)
        return false;
    memset(name, 0, SADDLE_NAME_BYTES);
    memcpy(name, bytes, *length);
    return true;
}

static void load_service(struct upper *upper, struct state_reader *reader)
{
    uint32_t index = state_get_u32(reader), length;
    struct pony_session *session = upper_loaded_session(upper, reader, state_get_u32(reader));
    uint64_t tag = state_get_u64(reader);
    uint8_t channel = state_get_u8(reader);
    char name[SADDLE_NAME_BYTES];

    if (!load_name(reader, name, &length) || index >= pool_end(&upper->service_pool) ||
        upper->services[index].session || channel >= session->config.channel_count ||
        (upper->directory &&
         directory_enter(upper->directory, upper->directory_row, index, name, length) != 0)) {
        wrong(reader);
        return;
    }
    struct service *service = &upper->services[index];
    service->session = session;
    service->tag = tag;
    service->channel = channel;
    service->number =
        (uint32_t)service->generation << HANDLE_INDEX_BITS | (HANDLE_LISTENERS + index);
    service->hash = service_hash(name, length);
    list_init(&service->callers);
    memcpy(service->name, name, sizeof(name));
    session->listener_count++;
}

/* Puts a connection where its session, path and service know it. */
static void bind_connection(struct connection *connection, struct state_reader *reader,
                            struct pony_session *session, uint32_t flow_number, uint32_t service)
{
    struct upper *upper = connection->upper;

    if (session) {
        if (connection->credits_granted - connection->credits_consumed > session->config.slot_count)
            wrong(reader);
        connection->session = session;
        list_push(&session->connections, &connection->session_node);
        share_take(&upper->connection_share, &session->connection_count);
        session->promised += connection->credits_granted - connection->credits_consumed;
    }
    if (flow_number != UPPER_STATE_NONE) {
        connection->path = upper_loaded_path(upper, reader, flow_number);
        if (connection->path)
            list_push(&connection->path->connections, &connection->path_node);
    }
    if (connection->state == CONNECTION_INCOMING) {
        struct service *listener = service_by_handle(upper, service);
        if (!listener || listener->session != session) {
            wrong(reader);
            return;
        }
        service_add(listener, connection);
        connection->name = names_take(&upper->names, connection->service->name,
                                      (uint32_t)strlen(connection->service->name));
    }
}

static bool state_fits(const struct connection *connection)
{
    bool served = connection->session && !connection->session->dropped;

    switch (connection->state) {
    case CONNECTION_OPENING:
    case CONNECTION_INCOMING:
    case CONNECTION_OPEN:
        return served && connection->path;
    case CONNECTION_DEAD:
        return served;
    case CONNECTION_CLOSING:
        return (served || !connection->session) && connection->path;
    case CONNECTION_REFUSING:
    case CONNECTION_LEAVING:
        return !connection->session && connection->path;
    default:
        return false;
    }
}

/* May its peer begin messages? */
static bool may_receive(const struct connection *connection)
{
    return connection->state == CONNECTION_OPENING || connection->state == CONNECTION_INCOMING ||
           connection->state == CONNECTION_OPEN;
}

static void load_counts(struct connection *connection, struct state_reader *reader)
{
    connection->tag = state_get_u64(reader);
    connection->peer = state_get_u32(reader);
    connection->credits_allowed = state_get_u32(reader);
    connection->credits_used = state_get_u32(reader);
    connection->credits_granted = state_get_u32(reader);
    connection->credits_consumed = state_get_u32(reader);
    if (!may_receive(connection))
        connection->credits_granted = connection->credits_consumed;
    connection->told = state_get_u32(reader);
    connection->answers_given = state_get_u32(reader);
    connection->answers_taken = state_get_u32(reader);
    connection->close_answers = state_get_u32(reader);
    connection->error = status_of_wire(state_get_u32(reader));
    connection->channel = state_get_u8(reader);
    connection->say = state_get_u8(reader);
    connection->events =
        state_get_u8(reader) & (CONNECTION_EVENT_INCOMING | CONNECTION_EVENT_CLOSED);
    connection->close_received = state_get_u8(reader);
    connection->close_wanted = state_get_u8(reader);
    connection->announced = state_get_u8(reader);
}

static void load_connection(struct upper *upper, struct state_reader *reader)
{
    uint32_t index = state_get_u32(reader);
    uint8_t state = state_get_u8(reader);
    uint32_t owner = state_get_u32(reader);
    uint32_t flow_number = state_get_u32(reader);
    uint32_t service = state_get_u32(reader);
    struct pony_session *session =
        owner == UPPER_STATE_NONE ? NULL : upper_loaded_session(upper, reader, owner);

    if (reader->error || state > CONNECTION_DEAD || index >= pool_end(&upper->connection_pool) ||
        upper->connections[index].state != CONNECTION_FREE) {
        wrong(reader);
        return;
    }
    struct connection *connection = &upper->connections[index];
    connection_init(connection, upper, connection->generation);
    connection->state = state;
    counter_add(&upper->counters.connections, 1);
    load_counts(connection, reader);
    bool thirsty = state_get_u8(reader);
    if (reader->error || (session && connection->channel >= session->config.channel_count)) {
        wrong(reader);
        return;
    }
    if (state != CONNECTION_OPENING)
        connection->say &= (uint8_t)~CONNECTION_SAY_OPEN;
    bind_connection(connection, reader, session, flow_number, service);
    if (!state_fits(connection))
        wrong(reader);
    connection->parched = thirsty && session && state != CONNECTION_INCOMING;
}

static void load_stream(struct upper *upper, struct state_reader *reader)
{
    struct connection *connection = upper_loaded_connection(upper, reader, state_get_u32(reader));
    uint16_t number = state_get_u16(reader);
    uint32_t send_next = state_get_u32(reader);
    uint32_t receive_next = state_get_u32(reader);
    uint32_t send_unordered = upper_loaded_more(reader) ? state_get_u32(reader) : 0;

    if (reader->error || !connection->session || stream_find(connection, number)) {
        wrong(reader);
        return;
    }
    struct stream *stream = stream_get(connection, number);
    if (!stream) {
        wrong(reader);
        return;
    }
    stream->send_next = send_next;
    stream->receive_next = receive_next;
    stream->send_unordered = send_unordered;
}

static void load_reply(struct upper *upper, struct state_reader *reader)
{
    uint32_t flow = state_get_u32(reader);
    uint8_t type = state_get_u8(reader);
    uint32_t number = state_get_u32(reader);
    uint32_t value = state_get_u32(reader);
    struct path *path = upper_loaded_path(upper, reader, flow);
    bool known = type == WIRE_OP_OPENED || type == WIRE_OP_CLOSE || type == WIRE_OP_CLOSED ||
                 (type == WIRE_OP_ECHOED && value <= WIRE_PACKET_MAX) ||
                 (type == WIRE_OP_ELSEWHERE && value <= UINT16_MAX);

    if (!path || path->error || !known || !path_reply(path, type, number, value))
        wrong(reader);
}

void upper_load_record(struct upper *upper, struct state_reader *reader, uint16_t type,
                       uint64_t now)
{
    static void (*const loaders[])(struct upper * upper, struct state_reader * reader) = {
        load_engine,       load_session,      load_region,          load_service,
        load_connection,   load_stream,       upper_load_operation, upper_load_slot,
        upper_load_served, load_reply,        upper_load_echoes,    upper_load_ping,
        load_grant,        upper_load_result, upper_load_fetch,     load_account,
        upper_load_cancel, upper_load_order,
    };

    upper->now = now;
    if (type - UPPER_RECORD_FIRST < sizeof(loaders) / sizeof(loaders[0]))
        loaders[type - UPPER_RECORD_FIRST](upper, reader);
}

static bool connection_taken(const struct upper *upper, uint32_t index)
{
    return upper->connections[index].state != CONNECTION_FREE;
}

static bool service_taken(const struct upper *upper, uint32_t index)
{
    return upper->services[index].session != NULL;
}

static bool operation_taken(const struct upper *upper, uint32_t index)
{
    return upper->operations[index].state != OPERATION_FREE;
}

static bool region_taken(const struct upper *upper, uint32_t index)
{
    return upper->regions[index].session != NULL;
}

/* Gives a pool what of its table is free: `first` and `stride` as in load_generations. */
static void free_of(struct upper *upper, struct pool *pool, const uint16_t *first, size_t stride,
                    bool (*taken)(const struct upper *upper, uint32_t index))
{
    uint32_t used = pool_end(pool);

    while (used > 0 && !taken(upper, used - 1) &&
           *(const uint16_t *)(const void *)((const char *)first + (used - 1) * stride) == 0)
        used--;
    pool_reset(pool, used);
    for (uint32_t i = 0; i < used; i++)
        if (!taken(upper, i))
            pool_give(pool, i);
}

static void free_rest(struct upper *upper)
{
    free_of(upper, &upper->connection_pool, &upper->connections[0].generation,
            sizeof(upper->connections[0]), connection_taken);
    free_of(upper, &upper->service_pool, &upper->services[0].generation, sizeof(upper->services[0]),
            service_taken);
    free_of(upper, &upper->operation_pool, &upper->operations[0].generation,
            sizeof(upper->operations[0]), operation_taken);
    free_of(upper, &upper->region_pool, &upper->regions[0].generation, sizeof(upper->regions[0]),
            region_taken);
}

/* What a connection must have that other records bring: among others, a message for each buffer
 * that is being filled. */
static bool whole(const struct connection *connection)
{
    const struct list *node;

    LIST_EACH(node, &connection->posted)
    if (LIST_OF(node, struct operation, node)->state != OPERATION_POSTED)
        return false;
    if (connection->state == CONNECTION_OPENING)
        return connection->opening != NULL;
    if (connection->state == CONNECTION_CLOSING && connection->session)
        return connection->closing != NULL;
    return true;
}

int upper_load_finish(struct upper *upper)
{
    free_rest(upper);
    for (uint32_t i = 0; i < upper->sessions_max; i++) {
        upper->adopted[i] = NULL;
        if (upper->sessions[i] && upper->sessions[i]->promised > upper->sessions[i]->free_count)
            return -EPROTO;
    }
    for (uint32_t i = 0; i < pool_end(&upper->connection_pool); i++) {
        struct connection *connection = &upper->connections[i];
        if (connection->state == CONNECTION_FREE)
            continue;
        if (!whole(connection))
            return -EPROTO;
        if (may_receive(connection))
            session_credit_loaded(connection);
        connection_schedule(connection);
        connection_notice(connection);
        connection_bury(connection);
    }
    for (uint32_t i = 0; i < upper->sessions_max; i++)
        if (upper->sessions[i])
            session_credit_quench(upper->sessions[i]);
    return 0;
}
