/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/ping.h"

#include "engines/pony/connection.h"

uint32_t ping_payload_max(const struct flow *flow)
{
    return flow_room(flow) - WIRE_OP_BYTES;
}

/* What it may become, once it is known what size of packet passes. */
static uint32_t hoped_max(const struct flow *flow)
{
    return flow_room_hoped(flow) - WIRE_OP_BYTES;
}

bool ping_must_wait(const struct flow *flow, uint32_t length)
{
    return length > ping_payload_max(flow) && length <= hoped_max(flow);
}

static void put_answer(struct saddle_event *event, const struct saddle_ping_answer *answer)
{
    event->flags |= SADDLE_ENTRY_INLINE;
    event->len = sizeof(*answer);
    memcpy(event->payload, answer, sizeof(*answer));
}

static void describe_flow(struct saddle_ping_answer *answer, const struct flow *flow)
{
    struct flow_report report;

    flow_report(flow, &report);
    memcpy(answer->address, flow_peer(flow)->bytes, sizeof(answer->address));
    answer->udp_port = report.udp_port;
    answer->wire_version = report.version;
    if (report.version == 0)
        return;
    answer->smoothed_ns = report.smoothed_ns;
    answer->sent = report.sent;
    answer->resent = report.resent;
    answer->mtu = report.mtu;
    answer->payload_max = (uint16_t)ping_payload_max(flow);
}

void ping_describe(const struct operation *operation, struct saddle_event *event)
{
    struct saddle_ping_answer answer = {
        .flags = operation->called ? SADDLE_PING_CALLED : 0,
    };

    describe_flow(&answer, operation->path->flow);
    if (event->status == 0)
        answer.round_trip_ns = operation->upper->now - operation->asked_ns;
    put_answer(event, &answer);
}

/* It fails before there is an operation: what is known is the address. */
static void refuse(struct pony_session *session, uint32_t channel,
                   const struct saddle_command *command, int error, const struct address *address)
{
    struct saddle_ping_answer answer = {0};
    struct saddle_event event = {
        .type = SADDLE_EVT_DONE,
        .op = command->op,
        .tag = command->tag,
        .handle = command->handle,
        .status = error,
        .stream = command->stream,
    };

    memcpy(answer.address, address->bytes, sizeof(answer.address));
    put_answer(&event, &answer);
    session_complete(session, channel, &event);
}

/* What a command asks: the host's name. */
static int check(const struct pony_session *session, const struct saddle_command *command,
                 char host[SADDLE_NAME_BYTES])
{
    int error = session_text(session, command, host, SADDLE_NAME_BYTES);

    if (error)
        return error;
    if (strnlen(host, SADDLE_NAME_BYTES) + 1 != command->len)
        return -EINVAL;
    return session->ping_count < SADDLE_PINGS_MAX ? 0 : -EBUSY;
}

void ping_command(struct pony_session *session, uint32_t channel,
                  const struct saddle_command *command)
{
    struct upper *upper = session->upper;
    char host[SADDLE_NAME_BYTES];
    struct address address = {0};
    struct path *path;
    int error = check(session, command, host);

    if (!error)
        error = path_to(upper, host, &address, &path);
    if (error) {
        refuse(session, channel, command, error, &address);
        return;
    }
    struct operation *operation = operation_take(session, channel, command);
    operation->state = OPERATION_ASKING;
    /* Whatever does not fit will be told so once the flow, and so its MTU, is known. */
    operation->len =
        command->key < WIRE_PACKET_MAX ? (uint32_t)command->key : (uint32_t)WIRE_PACKET_MAX;
    operation->id = operation_id(operation);
    operation->called = !flow_is_open(path->flow);
    counter_add(&upper->counters.pings, 1);
    ping_enlist(operation, session, path);
    flow_kick(path->flow);
}

void ping_enlist(struct operation *operation, struct pony_session *session, struct path *path)
{
    operation->path = path;
    list_push(&session->pings, &operation->pings);
    session->ping_count++;
    list_push(operation->state == OPERATION_ASKED ? &path->asked : &path->asking, &operation->node);
}

/* Takes it out of its session's hands, without telling; operation_finish or operation_free is the
 * caller's. */
static void leave(struct operation *operation)
{
    list_remove(&operation->pings);
    operation->session->ping_count--;
}

static void end(struct operation *operation, int status)
{
    leave(operation);
    operation_finish(operation, status);
}

void ping_give_up(struct operation *operation, int status)
{
    struct upper *upper = operation->upper;
    struct path *path = operation->path;

    end(operation, status);
    path_settle(upper, path);
}

void ping_on_echo(struct upper *upper, struct path *path, const struct wire_op *op)
{
    struct flow_report report;

    flow_report(path->flow, &report);
    if (!(report.features & WIRE_FEATURE_ECHO) || op->length > hoped_max(path->flow) ||
        !path_reply(path, WIRE_OP_ECHOED, op->id, op->length)) {
        counter_add(&upper->counters.strays, 1);
        return;
    }
    counter_add(&upper->counters.pings_answered, 1);
}

/* The ping of this path that a peer calls `id`, or NULL. */
static struct operation *find(struct upper *upper, const struct path *path, uint32_t id)
{
    uint32_t index = id & OPERATION_INDEX_MASK;

    if (index >= upper->operations_max)
        return NULL;
    struct operation *operation = &upper->operations[index];
    if (operation->state != OPERATION_ASKED || operation->path != path || operation->id != id)
        return NULL;
    return operation;
}

void ping_on_echoed(struct upper *upper, struct path *path, const struct wire_op *op)
{
    struct operation *operation = find(upper, path, op->id);

    if (path->echoes == 0) {
        counter_add(&upper->counters.strays, 1);
        return;
    }
    path->echoes--;
    if (operation)
        end(operation, op->length == operation->len ? 0 : -EPROTO);
    if (!list_empty(&path->asking))
        flow_kick(path->flow);
}

bool ping_put(struct packet *packet, struct wire_op *op)
{
    if (packet_payload_room(packet) < (int64_t)op->length)
        return false;
    memset(packet_payload(packet), 0, op->length);
    op->payload_crc =
        op->length ? crc32c_update(CRC32C_START, packet_payload(packet), op->length) : 0;
    packet_add(packet, op);
    return true;
}

/* Why this ping cannot be asked on its flow, now that the flow is open: 0 if it can. */
static int obstacle(const struct operation *operation)
{
    struct flow_report report;

    flow_report(operation->path->flow, &report);
    if (!(report.features & WIRE_FEATURE_ECHO))
        return -EOPNOTSUPP;
    return operation->len <= ping_payload_max(operation->path->flow) ? 0 : -EMSGSIZE;
}

bool ping_fill(struct path *path, struct packet *packet)
{
    struct list *node;

    /* What is the most that passes is part of the answer. */
    if (flow_room_hoped(path->flow) > flow_room(path->flow))
        return true;
    while (path->echoes < WIRE_ECHOES_MAX && (node = list_first(&path->asking))) {
        struct operation *operation = LIST_OF(node, struct operation, node);
        struct wire_op op = {
            .type = WIRE_OP_ECHO,
            .length = (uint16_t)operation->len,
            .id = operation->id,
        };
        int error = obstacle(operation);
        if (error) {
            end(operation, error);
            continue;
        }
        if (!ping_put(packet, &op))
            return false;
        operation->state = OPERATION_ASKED;
        operation->asked_ns = operation->upper->now;
        list_move(&path->asked, node);
        path->echoes++;
    }
    return true;
}

/* As connection_call_again. */
static bool ask_again(struct operation *operation)
{
    struct path *path = operation->again ? NULL : path_beyond(operation->upper, operation->path);

    if (!path)
        return false;
    operation->again = true;
    operation->called = !flow_is_open(path->flow);
    operation->state = OPERATION_ASKING;
    operation->path = path;
    list_move(&path->asking, &operation->node);
    flow_kick(path->flow);
    return true;
}

static void lose_all(struct list *operations, int error)
{
    struct list *node;

    while ((node = list_first(operations))) {
        struct operation *operation = LIST_OF(node, struct operation, node);
        if (error != -ECONNRESET || !ask_again(operation))
            end(operation, error);
    }
}

void ping_lost(struct path *path, int error)
{
    lose_all(&path->asking, error);
    lose_all(&path->asked, error);
    path->echoes = 0;
}

void ping_drop(struct pony_session *session)
{
    struct list *node;

    while ((node = list_first(&session->pings))) {
        struct operation *operation = LIST_OF(node, struct operation, pings);
        struct path *path = operation->path;
        leave(operation);
        operation_free(operation);
        path_settle(session->upper, path);
    }
}
