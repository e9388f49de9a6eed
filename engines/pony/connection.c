/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Opening, finding, and saying; the way out is in closing.c. */
#include "engines/pony/connection.h"

#include "engines/pony/directory.h"
#include "engines/pony/incoming.h"
#include "engines/pony/message.h"
#include "engines/pony/onesided.h"
#include "engines/pony/payload.h"
#include "engines/pony/served.h"
#include "engines/pony/service.h"

#include <string.h>

/* Small fragments that a connection writes at a time, bytes: less than those of large messages
 * have, which fill a packet. */
#define BURST_BYTES      1024u
#define CONNECT_TEXT_MAX (2 * SADDLE_NAME_BYTES) /* host and service, each with its NUL */

void connection_init(struct connection *connection, struct upper *upper, uint16_t generation)
{
    uint32_t index = (uint32_t)(connection - upper->connections);
    struct list *const lists[] = {
        &connection->path_node, &connection->ring,    &connection->session_node,
        &connection->notice,    &connection->thirst,  &connection->streams,
        &connection->active,    &connection->thirsty, &connection->posted,
        &connection->wanted,    &connection->issued,  &connection->sending,
        &connection->answers,   &connection->served,  &connection->serving,
        &connection->late,
    };

    memset(connection, 0, sizeof(*connection));
    for (uint32_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        list_init(lists[i]);
    connection->upper = upper;
    connection->credits_allowed = connection->credits_used = upper->credit_first;
    connection->credits_granted = connection->credits_consumed = upper->credit_first;
    connection->generation = generation;
    connection->number = (uint32_t)generation << HANDLE_INDEX_BITS | index;
}

/* Frees the oldest dead connection of this session, or of all. */
static void reclaim(struct pony_session *session, bool own)
{
    struct list *node = list_first(own ? &session->dead : &session->upper->dead);

    if (!node)
        return;
    connection_free(own ? LIST_OF(node, struct connection, session_node)
                        : LIST_OF(node, struct connection, path_node));
}

static bool within_quota(const struct pony_session *session)
{
    return session_quota_allows(session->connection_count, session->config.grant.connections);
}

/* A new connection of a session: 0, -EDQUOT, or -ENOMEM if the table, or the session's share, is
 * full. */
static int take(struct pony_session *session, struct connection **result)
{
    struct upper *upper = session->upper;

    if (!within_quota(session) ||
        !share_allows(&upper->connection_share, session->connection_count))
        reclaim(session, true);
    else if (upper->connection_pool.free == 0)
        reclaim(session, false);
    if (!within_quota(session)) {
        counter_add(&upper->counters.over_quota, 1);
        return -EDQUOT;
    }
    if (!share_allows(&upper->connection_share, session->connection_count))
        return -ENOMEM;
    uint32_t index = pool_take(&upper->connection_pool);
    if (index == POOL_NONE)
        return -ENOMEM;
    struct connection *connection = &upper->connections[index];
    connection_init(connection, upper, generation_next(connection->generation));
    connection->session = session;
    list_push(&session->connections, &connection->session_node);
    session_credit_join(connection);
    share_take(&upper->connection_share, &session->connection_count);
    counter_add(&upper->counters.connections, 1);
    *result = connection;
    return 0;
}

static void join(struct connection *connection, struct path *path)
{
    connection->path = path;
    list_push(&path->connections, &connection->path_node);
}

struct connection *connection_find(struct upper *upper, uint32_t number)
{
    uint32_t index = number & HANDLE_INDEX_MASK;

    if (index >= upper->connections_max)
        return NULL;
    struct connection *connection = &upper->connections[index];
    return connection->state != CONNECTION_FREE && connection->number == number ? connection : NULL;
}

int connection_of_handle(struct pony_session *session, uint32_t channel, uint32_t handle,
                         struct connection **result)
{
    struct connection *connection = connection_find(session->upper, handle);

    if (!connection || connection->session != session || !connection->announced ||
        connection->channel != channel)
        return -EBADF;
    if (connection->state != CONNECTION_OPEN || connection->closing)
        return -ENOTCONN;
    *result = connection;
    return 0;
}

/* Takes the text apart: host '\0' service '\0'. */
static int names_of(const struct pony_session *session, const struct saddle_command *command,
                    char text[CONNECT_TEXT_MAX], const char **service)
{
    int error = session_text(session, command, text, CONNECT_TEXT_MAX);

    if (error)
        return error;
    size_t host = strnlen(text, command->len) + 1;
    if (host > SADDLE_NAME_BYTES || host >= command->len)
        return -EINVAL;
    *service = text + host;
    size_t length = strnlen(*service, command->len - host);
    if (length == 0 || length > PAYLOAD_SERVICE_MAX || host + length + 1 != command->len)
        return -EINVAL;
    return 0;
}

void connection_connect(struct pony_session *session, uint32_t channel,
                        const struct saddle_command *command)
{
    struct upper *upper = session->upper;
    char text[CONNECT_TEXT_MAX];
    const char *service;
    struct connection *connection;
    struct address address;
    struct path *path;
    int error = names_of(session, command, text, &service);

    if (!error)
        error = path_to(upper, text, &address, &path);
    if (!error) {
        error = take(session, &connection);
        if (error)
            path_settle(upper, path);
    }
    if (error) {
        session_answer(session, channel, command, error, 0, 0);
        return;
    }
    join(connection, path);
    connection->state = CONNECTION_OPENING;
    connection->name = names_take(&upper->names, service, (uint32_t)strlen(service));
    connection->channel = (uint8_t)channel;
    connection->tag = command->tag;
    session_credit_first(connection);
    connection->opening = operation_take(session, channel, command);
    connection->opening->connection = connection;
    connection->opening->state = OPERATION_OPENING;
    connection->opening->handle = 0;
    memcpy(connection->opening->payload, service, strlen(service) + 1);
    connection->say = CONNECTION_SAY_OPEN;
    connection_schedule(connection);
}

bool connection_call_again(struct connection *connection)
{
    struct path *path = connection->again ? NULL : path_beyond(connection->upper, connection->path);

    if (!path)
        return false;
    connection->again = true;
    list_remove(&connection->ring);
    list_remove(&connection->path_node);
    join(connection, path);
    connection->say = CONNECTION_SAY_OPEN;
    connection_schedule(connection);
    return true;
}

/* The caller that a command names: announced on any channel of this session. */
static int caller_of_handle(struct pony_session *session, uint32_t handle,
                            struct connection **result)
{
    struct connection *connection = connection_find(session->upper, handle);

    if (!connection || connection->session != session || !connection->announced)
        return -EBADF;
    if (connection->state != CONNECTION_INCOMING)
        return connection->state == CONNECTION_DEAD ? -ENOTCONN : -EINVAL;
    *result = connection;
    return 0;
}

void connection_accept(struct pony_session *session, uint32_t channel,
                       const struct saddle_command *command)
{
    struct connection *connection;
    int error = caller_of_handle(session, command->handle, &connection);

    session_answer(session, channel, command, error, 0, 0);
    if (error)
        return;
    service_remove(connection);
    connection->state = CONNECTION_OPEN;
    connection->channel = (uint8_t)channel;
    connection->tag = command->tag;
    session_credit_first(connection);
    connection->say |= CONNECTION_SAY_OPENED;
    counter_add(&session->upper->counters.connections_opened, 1);
    connection_schedule(connection);
}

void connection_reject(struct pony_session *session, uint32_t channel,
                       const struct saddle_command *command)
{
    struct connection *connection;
    int error = caller_of_handle(session, command->handle, &connection);

    if (!error)
        connection_refuse(connection, -ECONNREFUSED);
    session_answer(session, channel, command, error, 0, 0);
}

/* Nobody here serves the caller: the engine of this host that does is named to it, if it can be. */
static void turn_away(struct upper *upper, struct path *path, const struct wire_op *op,
                      const char *name)
{
    uint16_t port = 0;

    if (upper->directory && path_has(path, WIRE_FEATURE_SIBLINGS))
        port = directory_find(upper->directory, upper->directory_row, name,
                              op->length - WIRE_OPEN_BYTES);
    if (port == 0) {
        path_reply(path, WIRE_OP_OPENED, op->connection, ECONNREFUSED);
        return;
    }
    counter_add(&upper->counters.callers_sent_on, 1);
    path_reply(path, WIRE_OP_ELSEWHERE, op->connection, port);
}

void connection_on_open(struct upper *upper, struct path *path, const struct wire_op *op,
                        const uint8_t *payload)
{
    const char *name = (const char *)payload + WIRE_OPEN_BYTES;
    struct service *service = service_find(upper, name, op->length - WIRE_OPEN_BYTES);
    struct connection *connection;
    struct wire_open open;

    if (!service) {
        turn_away(upper, path, op, name);
        return;
    }
    if (service->waiting >= SERVICE_BACKLOG || take(service->session, &connection)) {
        path_reply(path, WIRE_OP_OPENED, op->connection, ECONNREFUSED);
        return;
    }
    payload_get_open(&open, payload);
    join(connection, path);
    connection->state = CONNECTION_INCOMING;
    service_add(service, connection);
    connection->name = names_take(&upper->names, name, op->length - WIRE_OPEN_BYTES);
    connection->channel = service->channel;
    connection->peer = op->connection;
    connection->credits_allowed = open.credits;
    connection->events |= CONNECTION_EVENT_INCOMING;
    connection_notice(connection);
}

void connection_on_opened(struct upper *upper, struct path *path, const struct wire_op *op,
                          const uint8_t *payload)
{
    struct connection *connection = connection_find(upper, op->connection);
    struct wire_opened opened;

    payload_get_opened(&opened, payload);
    if (!connection || connection->path != path || connection->state != CONNECTION_OPENING) {
        counter_add(&upper->counters.strays, 1);
        if (opened.error == 0)
            path_reply(path, WIRE_OP_CLOSE, opened.connection, ECANCELED);
        return;
    }
    struct operation *opening = connection->opening;
    if (opened.error) {
        operation_finish(opening, status_of_wire(opened.error));
        connection->opening = NULL;
        connection_free(connection);
        return;
    }
    connection->opening = NULL;
    connection->peer = opened.connection;
    connection->credits_allowed = opened.credits;
    connection->state = CONNECTION_OPEN;
    connection->announced = true;
    opening->handle = connection->number;
    operation_finish(opening, 0);
    counter_add(&upper->counters.connections_opened, 1);
    connection_notice(connection);
    connection_schedule(connection);
    connection_advance(connection);
}

/* The path to another engine of the host to which `path` leads. */
static int path_beside(struct upper *upper, const struct path *path, uint32_t udp_port,
                       struct path **result)
{
    struct flow *flow;
    int error;

    /* Whoever was sent on already is sent on no further. */
    if (!flow_is_first(path->flow) || udp_port > UINT16_MAX)
        return -ECONNREFUSED;
    error = transport_flow_to(upper->transport, flow_peer(path->flow), (uint16_t)udp_port,
                              upper->now, &flow);
    if (error)
        return error == -EINVAL ? -ECONNREFUSED : error;
    *result = path_of(upper, flow);
    if (*result)
        return 0;
    flow_release(flow);
    return -ENOMEM;
}

void connection_on_elsewhere(struct upper *upper, struct path *path, const struct wire_op *op)
{
    struct connection *connection = connection_find(upper, op->connection);
    struct path *beside;
    int error;

    if (!connection || connection->path != path || connection->state != CONNECTION_OPENING) {
        counter_add(&upper->counters.strays, 1);
        return;
    }
    /* Who sends a caller on has nothing else to say on its connection. */
    if (!path_has(path, WIRE_FEATURE_SIBLINGS) || connection->served_count > 0 ||
        connection->stream_count > 0 || connection->close_received ||
        connection->answers_taken > 0) {
        connection_abort(connection, -EPROTO);
        return;
    }
    error = path_beside(upper, path, op->offset, &beside);
    if (!error && beside == path)
        error = -ECONNREFUSED;
    if (error) {
        operation_finish(connection->opening, error);
        connection->opening = NULL;
        connection_free(connection);
        return;
    }
    list_remove(&connection->ring);
    list_remove(&connection->path_node);
    join(connection, beside);
    connection->say = CONNECTION_SAY_OPEN;
    counter_add(&upper->counters.calls_sent_on, 1);
    connection_schedule(connection);
}

void connection_schedule(struct connection *connection)
{
    bool mute =
        connection->state == CONNECTION_INCOMING ||
        (connection->state == CONNECTION_OPENING && !(connection->say & CONNECTION_SAY_OPEN));

    if (!connection->path || mute || !list_empty(&connection->ring))
        return;
    path_schedule(connection);
}

void connection_notice(struct connection *connection)
{
    struct pony_session *session = connection->session;

    if (session && list_empty(&connection->notice))
        list_push(&session->channels[connection->channel].notices, &connection->notice);
}

/* One control operation: its payload into `payload`. */
static void compose(struct connection *connection, uint8_t what, struct wire_op *op,
                    uint8_t *payload)
{
    const struct wire_open open = {.credits = connection->credits_granted};
    const struct wire_opened opened = {
        .connection = connection->number,
        .credits = connection->credits_granted,
        .error = connection->state == CONNECTION_REFUSING ? (uint32_t)-connection->error : 0,
    };
    const struct wire_close close = {
        .reason = (uint32_t)-connection->error,
        .answers = connection->answers_given,
    };

    const char *name;

    *op = (struct wire_op){.connection = connection->peer};
    switch (what) {
    case CONNECTION_SAY_OPEN:
        op->type = WIRE_OP_OPEN;
        op->connection = connection->number;
        name = (const char *)connection->opening->payload;
        op->length = (uint16_t)(WIRE_OPEN_BYTES + strlen(name));
        payload_put_open(payload, &open);
        memcpy(payload + WIRE_OPEN_BYTES, name, op->length - WIRE_OPEN_BYTES);
        break;
    case CONNECTION_SAY_OPENED:
        op->type = WIRE_OP_OPENED;
        op->length = WIRE_OPENED_BYTES;
        payload_put_opened(payload, &opened);
        break;
    case CONNECTION_SAY_CREDIT:
    case CONNECTION_SAY_TOTAL:
        op->type = WIRE_OP_CREDIT;
        op->offset = connection->credits_granted;
        break;
    case CONNECTION_SAY_STARVED:
        op->type = WIRE_OP_STARVED;
        op->offset = connection->credits_allowed;
        break;
    case CONNECTION_SAY_CLOSE:
        op->type = WIRE_OP_CLOSE;
        op->id = connection->number;
        op->length = WIRE_CLOSE_BYTES;
        payload_put_close(payload, &close);
        break;
    default:
        op->type = WIRE_OP_CLOSED;
        break;
    }
}

/* Says what is to be said, of these: false if the packet is full. */
static bool say_all(struct connection *connection, struct packet *packet, uint8_t which)
{
    uint8_t payload[WIRE_OPEN_BYTES + SADDLE_NAME_BYTES];
    struct wire_op op;

    for (uint8_t left; (left = connection->say & which) != 0;) {
        uint8_t what = (uint8_t)(left & -left);
        compose(connection, what, &op, payload);
        if (!packet_put(packet, &op, payload))
            return false;
        connection->say &= (uint8_t)~what;
    }
    return true;
}

static inline bool say(struct connection *connection, struct packet *packet, uint8_t which)
{
    return (connection->say & which) == 0 || say_all(connection, packet, which);
}

/* What is left to do once everything was said. */
static void settle(struct connection *connection)
{
    if (connection->state == CONNECTION_REFUSING || connection->state == CONNECTION_LEAVING)
        connection_free(connection);
    else if (connection->state == CONNECTION_DEAD && !connection->close_wanted)
        connection_leave(connection);
}

static bool fill_sending(struct connection *connection, struct packet *packet)
{
    struct operation *operation =
        LIST_OF(list_first(&connection->sending), struct operation, sending);

    return operation->op == SADDLE_CMD_SEND ? message_fill_bulk(operation, packet)
                                            : onesided_fill_write(operation, packet);
}

/* One fragment, from the sources in turn. */
static void fill_fragment(struct connection *connection, struct packet *packet, bool *full)
{
    enum { MESSAGES, SENDING, SERVING, SOURCES };

    for (uint32_t i = 0; i < SOURCES && !*full; i++) {
        uint32_t turn = connection->data_turn + i;
        uint32_t source = turn < SOURCES ? turn : turn - SOURCES;
        bool wrote = false;
        if (source == MESSAGES && !list_empty(&connection->active)) {
            wrote = message_fill(connection, packet, full);
        } else if (source == SENDING && !list_empty(&connection->sending)) {
            wrote = fill_sending(connection, packet);
            *full = !wrote;
        } else if (source == SERVING && !list_empty(&connection->serving)) {
            wrote = served_fill_data(connection, packet);
            *full = !wrote;
        }
        if (wrote) {
            connection->data_turn = source + 1 < SOURCES ? source + 1 : 0;
            return;
        }
    }
}

static bool has_data(const struct connection *connection)
{
    return !list_empty(&connection->active) || !list_empty(&connection->sending) ||
           !list_empty(&connection->serving);
}

/* One fragment, or several small ones. */
static void fill_data(struct connection *connection, struct packet *packet, bool *full)
{
    const uint32_t begin = packet->used;
    bool wrote = true;

    while (wrote && !*full && packet->used - begin < BURST_BYTES && has_data(connection)) {
        uint32_t before = packet->used;
        fill_fragment(connection, packet, full);
        wrote = packet->used > before;
    }
}

bool connection_fill(struct connection *connection, struct packet *packet, bool *full)
{
    /* Answers come before CLOSE, which counts them. */
    bool open = connection->state == CONNECTION_OPEN;
    bool speaks = open || connection->state == CONNECTION_CLOSING;

    /* Credits that DELIVERED may speak of come after it. */
    uint8_t first = connection->state == CONNECTION_OPENING
                        ? CONNECTION_SAY_OPEN
                        : (uint8_t) ~(CONNECTION_SAY_CREDIT | CONNECTION_SAY_CLOSE |
                                      CONNECTION_SAY_CLOSED | CONNECTION_SAY_UNWANTED);

    *full =
        !say(connection, packet, first) ||
        (speaks && !list_empty(&connection->answers) && !incoming_fill(connection, packet)) ||
        (open && !say(connection, packet, CONNECTION_SAY_CREDIT)) ||
        (open && !list_empty(&connection->serving) && !served_fill_answers(connection, packet)) ||
        (connection->state != CONNECTION_OPENING &&
         !say(connection, packet, CONNECTION_SAY_CLOSE | CONNECTION_SAY_CLOSED)) ||
        (open && !list_empty(&connection->wanted) && !onesided_fill(connection, packet));
    if (*full)
        return true;
    if (!open) {
        settle(connection);
        return false;
    }
    fill_data(connection, packet, full);
    if (!*full && (connection->say & CONNECTION_SAY_STARVED))
        *full = !say(connection, packet, CONNECTION_SAY_STARVED);
    if (!*full && (connection->say & CONNECTION_SAY_UNWANTED))
        *full = !message_fill_unwanted(connection, packet);
    return *full || connection->say != 0 || !list_empty(&connection->answers) ||
           has_data(connection);
}

/* One of its CONNECTION_EVENT_*, once: false if the channel had no room for it. */
static bool announce_event(struct connection *connection, uint8_t what)
{
    bool incoming = what == CONNECTION_EVENT_INCOMING;
    struct saddle_event event = {
        .type = incoming ? SADDLE_EVT_INCOMING : SADDLE_EVT_CLOSED,
        .handle = connection->number,
        .tag = incoming ? connection->service->tag : connection->tag,
        .value = incoming ? connection->service->number : 0,
        .status = incoming ? 0 : connection->error,
    };

    if (!session_announce(connection->session, connection->channel, &event))
        return false;
    connection->events &= (uint8_t)~what;
    return true;
}

bool connection_announce(struct connection *connection)
{
    struct list *node;

    if (connection->state == CONNECTION_INCOMING &&
        (connection->events & CONNECTION_EVENT_INCOMING)) {
        if (!announce_event(connection, CONNECTION_EVENT_INCOMING))
            return false;
        connection->announced = true;
    }
    if (connection->announced) {
        LIST_EACH(node, &connection->streams)
        if (!incoming_announce(LIST_OF(node, struct stream, node)))
            return false;
    }
    if (connection->events & CONNECTION_EVENT_CLOSED) {
        if (!announce_event(connection, CONNECTION_EVENT_CLOSED))
            return false;
        connection_bury(connection);
    }
    list_remove(&connection->notice);
    return true;
}
