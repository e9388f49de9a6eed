/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/connection.h"
#include "engines/pony/region.h"
#include "engines/pony/served.h"
#include "engines/pony/service.h"
#include "engines/pony/stream.h"
#include "engines/pony/upper_state.h"

#include <string.h>

static void begin(struct state_writer *writer, enum upper_record type)
{
    state_record_begin(writer, (uint16_t)type, UPPER_STATE_VERSION);
}

static uint32_t session_index(const struct pony_session *session)
{
    return session ? session->index : UPPER_STATE_NONE;
}

/* Its application is not served any more: what it has left ends piece by piece, and is written as
 * if it had ended. */
static bool is_gone(const struct pony_session *session)
{
    return session->dropped || pony_session_error(session) != 0;
}

static bool is_served(const struct connection *connection)
{
    return connection->session && !is_gone(connection->session);
}

static uint32_t connection_index(const struct connection *connection)
{
    return connection ? connection->number & HANDLE_INDEX_MASK : UPPER_STATE_NONE;
}

/* `first` and `stride` as in loading. Entries that were never taken have none. */
static void save_generations(struct state_writer *writer, const uint16_t *first, size_t stride,
                             const struct pool *pool)
{
    state_put_u32(writer, pool_end(pool));
    for (uint32_t i = 0; i < pool_end(pool); i++)
        state_put_u16(writer, *(const uint16_t *)(const void *)((const char *)first + i * stride));
}

static void save_engine(const struct upper *upper, struct state_writer *writer)
{
    uint64_t counters[UPPER_COUNTERS];

    memcpy(counters, &upper->counters, sizeof(counters));
    begin(writer, UPPER_RECORD_ENGINE);
    state_put_u32(writer, UPPER_COUNTERS);
    for (uint32_t i = 0; i < UPPER_COUNTERS; i++)
        state_put_u64(writer, counters[i]);
    save_generations(writer, &upper->connections[0].generation, sizeof(upper->connections[0]),
                     &upper->connection_pool);
    save_generations(writer, &upper->services[0].generation, sizeof(upper->services[0]),
                     &upper->service_pool);
    save_generations(writer, &upper->regions[0].generation, sizeof(upper->regions[0]),
                     &upper->region_pool);
    save_generations(writer, &upper->operations[0].generation, sizeof(upper->operations[0]),
                     &upper->operation_pool);
    state_record_end(writer);
}

static void save_session(const struct pony_session *session, struct state_writer *writer)
{
    begin(writer, UPPER_RECORD_SESSION);
    state_put_u32(writer, session->index);
    state_put_u64(writer, session->config.id);
    state_put_u32(writer, (uint32_t)-pony_session_error(session));
    state_put_u8(writer, is_gone(session));
    state_put_u64(writer, session->rings);
    state_put_u32(writer, session->config.slot_count);
    state_put_u32(writer, session->config.channel_count);
    for (uint32_t i = 0; i < session->config.channel_count; i++) {
        const struct channel *channel = &session->channels[i].channel;
        state_put_u32(writer, channel->commands.position);
        state_put_u32(writer, channel->completions.position);
        state_put_u32(writer, channel->reserved);
    }
    state_put_u8(writer, is_gone(session) && !session->dropped);
    state_record_end(writer);
}

static void save_grant(const struct pony_session *session, struct state_writer *writer)
{
    const struct pony_grant *grant = &session->config.grant;

    begin(writer, UPPER_RECORD_GRANT);
    state_put_u32(writer, session->index);
    state_put_u32(writer, grant->rights);
    state_put_u32(writer, grant->connections);
    state_put_u32(writer, grant->listeners);
    state_put_u32(writer, grant->regions);
    state_put_u64(writer, grant->exposed);
    state_record_end(writer);
}

static void save_account(const struct pony_session *session, struct state_writer *writer)
{
    const struct pony_grant *grant = &session->config.grant;

    begin(writer, UPPER_RECORD_ACCOUNT);
    state_put_u32(writer, session->index);
    state_put_u64(writer, account_ns(&session->account));
    state_put_u64(writer, account_ns(&session->fair.throttled_ns));
    state_put_u32(writer, grant->operations);
    state_put_u32(writer, grant->weight);
    state_put_u32(writer, grant->cpu_share);
    state_record_end(writer);
}

static void save_region(const struct upper *upper, uint32_t index, struct state_writer *writer)
{
    const struct region *region = &upper->regions[index];

    begin(writer, UPPER_RECORD_REGION);
    state_put_u32(writer, index);
    state_put_u32(writer, session_index(region->session));
    state_put_u64(writer, region->key);
    state_put_u64(writer, region->buf);
    state_put_u32(writer, region->len);
    state_put_u32(writer, region->rights);
    state_record_end(writer);
}

static void save_service(const struct upper *upper, uint32_t index, struct state_writer *writer)
{
    const struct service *service = &upper->services[index];

    begin(writer, UPPER_RECORD_SERVICE);
    state_put_u32(writer, index);
    state_put_u32(writer, session_index(service->session));
    state_put_u64(writer, service->tag);
    state_put_u8(writer, service->channel);
    state_put_bytes(writer, service->name, (uint32_t)strlen(service->name));
    state_record_end(writer);
}

/* Builds from before CONNECTION_SAY_TOTAL say all credits in CREDIT. */
static uint8_t say_of(const struct connection *connection)
{
    return connection->say | (connection->say & CONNECTION_SAY_TOTAL ? CONNECTION_SAY_CREDIT : 0u);
}

static void save_as(const struct connection *connection, struct state_writer *writer)
{
    const struct service *service = connection->service;

    begin(writer, UPPER_RECORD_CONNECTION);
    state_put_u32(writer, connection_index(connection));
    state_put_u8(writer, connection->state);
    state_put_u32(writer, session_index(connection->session));
    state_put_u32(writer, connection->path ? flow_id(connection->path->flow) : UPPER_STATE_NONE);
    state_put_u32(writer, service ? service->number : 0);
    state_put_u64(writer, connection->tag);
    state_put_u32(writer, connection->peer);
    state_put_u32(writer, connection->credits_allowed);
    state_put_u32(writer, connection->credits_used);
    state_put_u32(writer, connection->credits_granted);
    state_put_u32(writer, connection->credits_consumed);
    state_put_u32(writer, connection->told);
    state_put_u32(writer, connection->answers_given);
    state_put_u32(writer, connection->answers_taken);
    state_put_u32(writer, connection->close_answers);
    state_put_u32(writer, (uint32_t)-connection->error);
    state_put_u8(writer, connection->channel);
    state_put_u8(writer, say_of(connection));
    state_put_u8(writer, connection->events);
    state_put_u8(writer, connection->close_received);
    state_put_u8(writer, connection->close_wanted);
    state_put_u8(writer, connection->announced);
    state_put_u8(writer, (!service && !list_empty(&connection->thirst)) || connection->parched);
    state_record_end(writer);
}

static void save_connection(const struct connection *connection, struct state_writer *writer)
{
    struct connection left;

    if (!connection->session || is_served(connection))
        save_as(connection, writer);
    else if (connection_disowned(connection, &left))
        save_as(&left, writer);
}

static void save_stream(const struct stream *stream, struct state_writer *writer)
{
    begin(writer, UPPER_RECORD_STREAM);
    state_put_u32(writer, connection_index(stream->connection));
    state_put_u16(writer, stream->number);
    state_put_u32(writer, stream->send_next);
    state_put_u32(writer, stream->receive_next);
    state_put_u32(writer, stream->send_unordered);
    state_record_end(writer);
}

/* Its place in the table; a channel's spare one has none. */
static uint32_t operation_place(const struct operation *operation)
{
    return operation->spare ? UPPER_STATE_NONE
                            : (uint32_t)(operation - operation->upper->operations);
}

/* Nanoseconds to its deadline; 0: it has none. */
static uint64_t remaining(const struct operation *operation)
{
    uint64_t now = operation->upper->now, deadline = operation->timer.deadline;

    if (!wheel_timer_armed(&operation->timer))
        return 0;
    return deadline > now ? deadline - now : 1;
}

static void save_gather(const struct gather *gather, struct state_writer *writer)
{
    state_put_u32(writer, gather ? gather->count : 0);
    for (uint32_t i = 0; gather && i < gather->count; i++) {
        state_put_u64(writer, gather->pieces[i].offset);
        state_put_u32(writer, gather->pieces[i].len);
    }
}

static void save_operation(const struct operation *operation, struct state_writer *writer)
{
    const struct upper *upper = operation->upper;

    begin(writer, UPPER_RECORD_OPERATION);
    state_put_u32(writer, (uint32_t)(operation - upper->operations));
    state_put_u8(writer, operation->state);
    state_put_u32(writer, connection_index(operation->connection));
    state_put_u8(writer, operation->session != NULL);
    state_put_u8(writer, operation->channel);
    state_put_u8(writer, operation->op);
    state_put_u8(writer, operation->flags);
    state_put_u16(writer, operation->number);
    state_put_u64(writer, remaining(operation));
    state_put_u64(writer, operation->tag);
    state_put_u64(writer, operation->buf);
    state_put_u64(writer, operation->key);
    state_put_u64(writer, operation->remote_offset);
    state_put_u32(writer, operation->handle);
    state_put_u32(writer, operation->len);
    state_put_u32(writer, operation->sent);
    state_put_u32(writer, operation->received);
    state_put_u32(writer, operation->id);
    state_put_u8(writer, operation->skip);
    state_put_u8(writer, !list_empty(&operation->sending));
    state_put_bytes(writer, operation->payload, sizeof(operation->payload));
    state_put_u8(writer, operation->answered);
    save_gather(operation->gather, writer);
    state_record_end(writer);
}

static void save_result(const struct operation *operation, struct state_writer *writer)
{
    begin(writer, UPPER_RECORD_RESULT);
    state_put_u32(writer, (uint32_t)(operation - operation->upper->operations));
    state_put_u64(writer, operation->value);
    state_put_u32(writer, operation->awaited);
    state_record_end(writer);
}

static void save_list(const struct list *operations, struct state_writer *writer)
{
    const struct list *node;

    LIST_EACH(node, operations)
    save_operation(LIST_OF(node, struct operation, node), writer);
}

/* Streams, and those operations whose order matters. */
static void save_parts(const struct connection *connection, struct state_writer *writer)
{
    const struct list *node;

    LIST_EACH(node, &connection->streams)
    {
        const struct stream *stream = LIST_OF(node, struct stream, node);
        save_stream(stream, writer);
        save_list(&stream->queue, writer);
    }
    save_list(&connection->posted, writer);
    save_list(&connection->wanted, writer);
}

static void save_operations(const struct upper *upper, struct state_writer *writer)
{
    for (uint32_t i = 0; i < pool_end(&upper->operation_pool); i++) {
        const struct operation *operation = &upper->operations[i];
        if (!operation->connection || !is_served(operation->connection))
            continue;
        switch (operation->state) {
        case OPERATION_OPENING:
        case OPERATION_CLOSING:
        case OPERATION_BEGUN:
        case OPERATION_FILLING:
        case OPERATION_ISSUED:
            save_operation(operation, writer);
            if (operation->result)
                save_result(operation, writer);
            break;
        default:
            break;
        }
    }
}

static void save_slot(const struct pony_session *session, uint32_t index,
                      struct state_writer *writer)
{
    const struct slot *slot = &session->slots[index];
    const struct operation *buffer = slot->buffer;
    bool bound = slot->stream || slot->due != SLOT_DUE_NOTHING;

    begin(writer, UPPER_RECORD_SLOT);
    state_put_u32(writer, session->index);
    state_put_u32(writer, index);
    state_put_u8(writer, slot->state);
    state_put_u8(writer, slot->due);
    state_put_u32(writer, bound ? connection_index(slot->connection) : UPPER_STATE_NONE);
    state_put_u8(writer, slot->stream != NULL);
    state_put_u16(writer, slot->number);
    state_put_u16(writer, slot->status);
    state_put_u32(writer, slot->id);
    state_put_u32(writer, slot->length);
    state_put_u32(writer, slot->received);
    state_put_u8(writer, slot->large);
    state_put_u8(writer, slot->waiting);
    state_put_u32(writer, slot->told);
    state_put_u32(writer,
                  buffer ? (uint32_t)(buffer - session->upper->operations) : UPPER_STATE_NONE);
    state_put_u32(writer, slot->owner);
    state_put_u8(writer, slot->unordered);
    state_put_u8(writer, slot->counted);
    state_put_u8(writer, slot->offered);
    state_record_end(writer);
}

static void save_served(const struct served *served, struct state_writer *writer)
{
    begin(writer, UPPER_RECORD_SERVED);
    state_put_u32(writer, connection_index(served->connection));
    state_put_u64(writer, served->access.key);
    state_put_u64(writer, served->access.offset);
    state_put_u32(writer, served->access.length);
    state_put_u32(writer, served->id);
    state_put_u32(writer, served->sent);
    state_put_u32(writer, served->received);
    state_put_u32(writer, served->whole);
    state_put_u16(writer, served->status);
    state_put_u8(writer, served->type == WIRE_OP_WRITE);
    state_put_u8(writer, served->known);
    state_put_u8(writer, served->begun);
    state_put_u8(writer, served->answer);
    state_record_end(writer);
}

static void save_fetch(const struct served *served, struct state_writer *writer)
{
    const struct fetch *fetch = &served->fetch;

    begin(writer, UPPER_RECORD_FETCH);
    state_put_u32(writer, connection_index(served->connection));
    state_put_u8(writer, served->type);
    state_put_u32(writer, served->id);
    state_put_u16(writer, served->status);
    state_put_u8(writer, served->begun);
    state_put_u8(writer, served->answer);
    state_put_u64(writer, served->value);
    state_put_u64(writer, served->access.key);
    state_put_u64(writer, served->access.offset);
    state_put_u32(writer, served->access.length);
    state_put_u32(writer, served->sent);
    state_put_u32(writer, served->total);
    state_put_u64(writer, fetch->table);
    state_put_u64(writer, fetch->match);
    state_put_u32(writer, fetch->entries);
    state_put_u32(writer, fetch->looked);
    state_put_u32(writer, fetch->most);
    state_put_u8(writer, fetch->count);
    state_put_u8(writer, fetch->at);
    for (uint32_t i = 0; i < WIRE_ITEMS_MAX; i++) {
        state_put_u64(writer, fetch->offsets[i]);
        state_put_u32(writer, fetch->items[i].status);
        state_put_u32(writer, fetch->items[i].length);
    }
    state_record_end(writer);
}

static void save_replies(const struct path *path, struct state_writer *writer)
{
    for (uint32_t i = 0; i < path->reply_count; i++) {
        const struct path_reply *reply = &path->replies[(path->reply_first + i) % PATH_REPLIES];
        begin(writer, UPPER_RECORD_REPLY);
        state_put_u32(writer, flow_id(path->flow));
        state_put_u8(writer, reply->type);
        state_put_u32(writer, reply->number);
        state_put_u32(writer, reply->value);
        state_record_end(writer);
    }
}

static void save_ping(const struct operation *operation, struct state_writer *writer)
{
    const struct upper *upper = operation->upper;

    begin(writer, UPPER_RECORD_PING);
    state_put_u32(writer, (uint32_t)(operation - upper->operations));
    state_put_u8(writer, operation->state);
    state_put_u32(writer, flow_id(operation->path->flow));
    state_put_u32(writer, session_index(operation->session));
    state_put_u8(writer, operation->channel);
    state_put_u16(writer, operation->number);
    state_put_u64(writer, remaining(operation));
    state_put_u64(writer, operation->tag);
    state_put_u32(writer, operation->handle);
    state_put_u32(writer, operation->len);
    state_put_u32(writer, operation->id);
    state_put_u64(writer, upper->now - operation->asked_ns);
    state_put_u8(writer, operation->called);
    state_record_end(writer);
}

static void save_ping_list(const struct list *pings, struct state_writer *writer)
{
    const struct list *node;

    LIST_EACH(node, pings)
    {
        const struct operation *operation = LIST_OF(node, struct operation, node);
        if (!is_gone(operation->session))
            save_ping(operation, writer);
    }
}

static void save_pings(const struct path *path, struct state_writer *writer)
{
    if (path->echoes > 0) {
        begin(writer, UPPER_RECORD_ECHOES);
        state_put_u32(writer, flow_id(path->flow));
        state_put_u32(writer, path->echoes);
        state_record_end(writer);
    }
    save_ping_list(&path->asked, writer);
    save_ping_list(&path->asking, writer);
}

static void save_cancel(const struct operation *cancel, struct state_writer *writer)
{
    begin(writer, UPPER_RECORD_CANCEL);
    state_put_u32(writer, operation_place(cancel));
    state_put_u32(writer, session_index(cancel->session));
    state_put_u8(writer, cancel->channel);
    state_put_u8(writer, cancel->flags);
    state_put_u16(writer, cancel->number);
    state_put_u64(writer, cancel->tag);
    state_put_u64(writer, cancel->key);
    state_put_u32(writer, cancel->handle);
    state_put_u32(writer, cancel->len);
    state_put_u32(writer, cancel->found);
    state_record_end(writer);
}

/* In which order a channel's operations were accepted: a CANCEL is for those before it. */
static void save_order(const struct pony_session *session, uint32_t channel,
                       struct state_writer *writer)
{
    const struct session_channel *side = &session->channels[channel];
    uint32_t count = 0, next = UPPER_STATE_NONE;
    const struct list *node;

    LIST_EACH(node, &side->operations)
    {
        if (node == side->cancel_next)
            next = count;
        count++;
    }
    begin(writer, UPPER_RECORD_ORDER);
    state_put_u32(writer, session->index);
    state_put_u8(writer, (uint8_t)channel);
    state_put_u32(writer, next);
    state_put_u32(writer, count);
    LIST_EACH(node, &side->operations)
    state_put_u32(writer, operation_place(LIST_OF(node, struct operation, owned)));
    state_record_end(writer);
}

static void save_cancels(const struct pony_session *session, struct state_writer *writer)
{
    const struct list *node;

    for (uint32_t i = 0; i < session->config.channel_count; i++) {
        const struct session_channel *side = &session->channels[i];
        if (list_empty(&side->cancels))
            continue;
        LIST_EACH(node, &side->cancels)
        save_cancel(LIST_OF(node, struct operation, node), writer);
        save_order(session, i, writer);
    }
}

/* Sessions that are leaving are not in it: control has taken them back. */
static void save_sessions(const struct upper *upper, struct state_writer *writer)
{
    void (*const parts[])(const struct pony_session *,
                          struct state_writer *) = {save_session, save_grant, save_account};

    for (uint32_t part = 0; part < sizeof(parts) / sizeof(parts[0]); part++)
        for (uint32_t i = 0; i < upper->sessions_max; i++) {
            const struct pony_session *session = upper->sessions[i];
            if (session && (!session->dropped || pony_session_error(session)))
                parts[part](session, writer);
        }
}

static void save_tables(const struct upper *upper, struct state_writer *writer)
{
    save_sessions(upper, writer);
    for (uint32_t i = 0; i < pool_end(&upper->region_pool); i++)
        if (upper->regions[i].session && !is_gone(upper->regions[i].session))
            save_region(upper, i, writer);
    for (uint32_t i = 0; i < pool_end(&upper->service_pool); i++)
        if (upper->services[i].session && !is_gone(upper->services[i].session))
            save_service(upper, i, writer);
    for (uint32_t i = 0; i < pool_end(&upper->connection_pool); i++)
        if (upper->connections[i].state != CONNECTION_FREE)
            save_connection(&upper->connections[i], writer);
}

void upper_save(const struct upper *upper, struct state_writer *writer)
{
    save_engine(upper, writer);
    save_tables(upper, writer);
    for (uint32_t i = 0; i < pool_end(&upper->connection_pool); i++)
        if (upper->connections[i].state != CONNECTION_FREE && is_served(&upper->connections[i]))
            save_parts(&upper->connections[i], writer);
    save_operations(upper, writer);
    for (uint32_t i = 0; i < upper->sessions_max; i++) {
        const struct pony_session *session = upper->sessions[i];
        for (uint32_t j = 0; session && !is_gone(session) && j < session->config.slot_count; j++)
            if (session->slots[j].state != SLOT_FREE)
                save_slot(session, j, writer);
    }
    for (uint32_t i = 0; i < pool_end(&upper->served_pool); i++)
        if (!upper->served[i].connection || !is_served(upper->served[i].connection))
            continue;
        else if (upper->served[i].type == WIRE_OP_READ || upper->served[i].type == WIRE_OP_WRITE)
            save_served(&upper->served[i], writer);
        else
            save_fetch(&upper->served[i], writer);
    for (uint32_t i = 0; i < pool_end(&upper->path_pool); i++)
        if (upper->paths[i].flow) {
            save_replies(&upper->paths[i], writer);
            save_pings(&upper->paths[i], writer);
        }
    for (uint32_t i = 0; i < upper->sessions_max; i++)
        if (upper->sessions[i] && !is_gone(upper->sessions[i]))
            save_cancels(upper->sessions[i], writer);
}
