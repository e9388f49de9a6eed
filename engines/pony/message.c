/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/message.h"

#include "engines/pony/dialogue.h"
#include "engines/pony/payload.h"

static bool is_large(const struct operation *operation)
{
    return operation->len > SADDLE_EAGER_MAX;
}

static bool is_unordered(const struct operation *operation)
{
    return operation->flags & SADDLE_ENTRY_UNORDERED;
}

static uint8_t order_flag(const struct operation *operation)
{
    return is_unordered(operation) ? WIRE_OP_UNORDERED : 0;
}

int message_check_length(const struct connection *connection, uint32_t bytes)
{
    if (bytes == 0 || bytes > session_message_max(connection->session))
        return -EINVAL;
    if (bytes > WIRE_MESSAGE_BASE && !path_has(connection->path, WIRE_FEATURE_MESSAGES))
        return -EOPNOTSUPP;
    return 0;
}

int message_check(const struct connection *connection, const struct saddle_command *command,
                  struct gather **gather)
{
    struct pony_session *session = connection->session;
    int error = message_check_length(connection, command->len);

    if (error)
        return error;
    if ((command->flags & SADDLE_ENTRY_UNORDERED) &&
        !path_has(connection->path, WIRE_FEATURE_MESSAGES))
        return -EOPNOTSUPP;
    if (command->flags & SADDLE_ENTRY_GATHER)
        return gather_take(session, command, gather);
    if (!(command->flags & SADDLE_ENTRY_INLINE) &&
        !session_owns(session, command->buf, command->len))
        return -EINVAL;
    return 0;
}

void message_send(struct pony_session *session, uint32_t channel,
                  const struct saddle_command *command)
{
    struct connection *connection;
    struct stream *stream = NULL;
    struct gather *gather = NULL;
    int error = connection_of_handle(session, channel, command->handle, &connection);

    if (!error && command->stream >= SADDLE_STREAMS_MAX)
        error = -EINVAL;
    if (!error && !(stream = stream_get(connection, command->stream)))
        error = -ENOMEM;
    if (!error)
        error = message_check(connection, command, &gather);
    if (error) {
        session_answer(session, channel, command, error, 0, 0);
        return;
    }
    struct operation *operation = operation_take(session, channel, command);
    operation->state = OPERATION_QUEUED;
    operation->connection = connection;
    operation->stream = stream;
    operation->gather = gather;
    list_push(&stream->queue, &operation->node);
    connection->unanswered++;
    dialogue_say(connection);
    stream_schedule(stream);
}

/* Tells the peer that no more of it will come. */
static void skip(struct operation *operation)
{
    struct connection *connection = operation->connection;
    struct stream *stream = operation->stream;

    operation->skip = true;
    operation->state = OPERATION_BEGUN;
    list_move(&stream->begun, &operation->node);
    list_move(&connection->sending, &operation->sending);
    stream_schedule(stream);
    connection_schedule(connection);
}

/* A single credit comes from what is kept for those that ask. If whoever asked has given its
 * message up, the credit is used up all the same: see message_fill_unwanted. */
static void check_wanted(struct connection *connection)
{
    if (list_empty(&connection->active) && !list_empty(&connection->streams) &&
        connection->credits_allowed - connection->credits_used == 1)
        connection->say |= CONNECTION_SAY_UNWANTED;
}

/* The application gets its buffer back; the peer is told, if it waits for more of the message. */
void message_give_up(struct operation *operation, int status)
{
    struct connection *connection = operation->connection;
    struct stream *stream = operation->stream;
    bool begun = operation->state == OPERATION_BEGUN || operation->sent > 0;

    if (!begun) {
        connection->unanswered--;
        operation_finish(operation, status);
        stream_schedule(stream);
        check_wanted(connection);
        connection_schedule(connection);
        connection_advance(connection);
        return;
    }
    operation_answer(operation, status, 0);
    if (operation->sent < operation->len)
        skip(operation);
}

static bool is_called(const struct operation *operation, uint32_t id, bool unordered)
{
    return operation->id == id && is_unordered(operation) == unordered;
}

/* The message that awaits its answer and is called so. */
static struct operation *begun_by_id(struct stream *stream, uint32_t id, bool unordered)
{
    struct list *node;

    LIST_EACH(node, &stream->begun)
    {
        struct operation *operation = LIST_OF(node, struct operation, node);
        if (is_called(operation, id, unordered) && !operation->answered)
            return operation;
    }
    node = list_first(&stream->queue);
    if (!node)
        return NULL;
    struct operation *operation = LIST_OF(node, struct operation, node);
    return operation->sent > 0 && is_called(operation, id, unordered) ? operation : NULL;
}

/* The peer is done with it. One that is unordered and failed is past only when SKIP says so. */
static void settle(struct operation *operation, int status)
{
    bool told = operation->skip && list_empty(&operation->sending);

    if (status == 0 || !is_unordered(operation) || told) {
        operation_finish(operation, status);
        return;
    }
    operation->answered = true;
    operation_answer(operation, status, 0);
    skip(operation);
}

static bool delivered(struct connection *connection, const struct wire_delivered *entry)
{
    bool unordered = entry->stream & WIRE_DELIVERED_UNORDERED;
    struct stream *stream =
        stream_find(connection, entry->stream & (uint16_t)~WIRE_DELIVERED_UNORDERED);
    struct operation *operation = stream ? begun_by_id(stream, entry->id, unordered) : NULL;

    connection->answers_taken++;
    /* Skipped for nobody: see message_fill_unwanted. */
    if (!operation && stream && !unordered && entry->status == ECANCELED &&
        (int32_t)(entry->id - stream->send_next) < 0)
        return true;
    if (!operation)
        return false;
    if (is_large(operation))
        stream_answered(stream, operation);
    connection->unanswered--;
    if (entry->status == 0) {
        counter_add(&connection->upper->counters.messages_sent, 1);
        counter_add(&connection->upper->counters.message_bytes_sent, operation->len);
    } else {
        counter_add(&connection->upper->counters.messages_failed, 1);
    }
    settle(operation, status_of_wire(entry->status));
    stream_schedule(stream);
    return true;
}

void message_on_delivered(struct connection *connection, const struct wire_op *op,
                          const uint8_t *payload)
{
    struct wire_delivered entry;

    /* Of an older peer it is 0. */
    if (op->offset != 0)
        message_on_credit(connection, op);
    for (uint32_t at = 0; at < op->length; at += WIRE_DELIVERED_BYTES) {
        payload_get_delivered(&entry, payload + at);
        if (!delivered(connection, &entry)) {
            connection_abort(connection, -EPROTO);
            return;
        }
    }
    connection_advance(connection);
}

static bool was_begun(const struct stream *stream, const struct wire_op *op)
{
    uint32_t next = op->flags & WIRE_OP_UNORDERED ? stream->send_unordered : stream->send_next;

    return (int32_t)(op->id - next) < 0;
}

void message_on_pull(struct connection *connection, const struct wire_op *op)
{
    struct stream *stream = stream_find(connection, op->stream);
    struct operation *operation =
        stream ? begun_by_id(stream, op->id, op->flags & WIRE_OP_UNORDERED) : NULL;

    /* One that was given up has been skipped, or has its answer: the pull crossed it. */
    if (operation ? operation->skip : stream && was_begun(stream, op))
        return;
    if (!operation || !is_large(operation) || operation->sent > 0) {
        connection_abort(connection, -EPROTO);
        return;
    }
    list_move(&connection->sending, &operation->sending);
    stream_pulled(stream, operation);
    connection_schedule(connection);
}

void message_on_credit(struct connection *connection, const struct wire_op *op)
{
    if ((int32_t)(op->offset - connection->credits_allowed) <= 0)
        return;
    connection->credits_allowed = op->offset;
    connection->say &= (uint8_t)~CONNECTION_SAY_STARVED;
    list_splice(&connection->active, &connection->thirsty);
    check_wanted(connection);
    if (!list_empty(&connection->active) || connection->say)
        connection_schedule(connection);
}

bool message_fill_unwanted(struct connection *connection, struct packet *packet)
{
    struct list *node = list_first(&connection->streams);
    /* Not if somebody has use for it by now, or has used it. */
    bool unwanted = node && list_empty(&connection->active) &&
                    connection->credits_used != connection->credits_allowed;

    if (!unwanted) {
        connection->say &= (uint8_t)~CONNECTION_SAY_UNWANTED;
        return true;
    }
    struct stream *stream = LIST_OF(node, struct stream, node);
    struct wire_op op = {
        .type = WIRE_OP_SKIP,
        .connection = connection->peer,
        .stream = stream->number,
        .id = stream->send_next,
    };
    if (!packet_put(packet, &op, NULL))
        return false;
    stream->send_next++;
    connection->credits_used++;
    connection->say &= (uint8_t)~CONNECTION_SAY_UNWANTED;
    return true;
}

/* The message's number in its stream, and the credit that it takes. */
static void begin(struct operation *operation)
{
    struct stream *stream = operation->stream;

    operation->id = is_unordered(operation) ? stream->send_unordered++ : stream->send_next++;
    operation->connection->credits_used++;
}

static bool fill_small(struct operation *operation, struct packet *packet)
{
    struct stream *stream = operation->stream;
    uint32_t remaining = operation->len - operation->sent;
    uint32_t bytes = packet_fragment(packet, 0, remaining);

    if (bytes == 0)
        return false;
    if (operation->sent == 0)
        begin(operation);
    struct wire_op op = {
        .type = WIRE_OP_MESSAGE,
        .flags = (uint8_t)(order_flag(operation) | (bytes == remaining ? WIRE_OP_LAST : 0)),
        .length = (uint16_t)bytes,
        .connection = operation->connection->peer,
        .stream = stream->number,
        .id = operation->id,
        .offset = operation->sent,
    };
    operation_put(operation, packet, &op);
    operation->sent += bytes;
    if (operation->sent == operation->len) {
        operation->state = OPERATION_BEGUN;
        list_move(&stream->begun, &operation->node);
    }
    return true;
}

static bool fill_offer(struct operation *operation, struct packet *packet)
{
    struct stream *stream = operation->stream;
    struct wire_op op = {
        .type = WIRE_OP_OFFER,
        .flags = order_flag(operation),
        .connection = operation->connection->peer,
        .stream = stream->number,
        .id = is_unordered(operation) ? stream->send_unordered : stream->send_next,
        .offset = operation->len,
    };

    if (!packet_put(packet, &op, NULL))
        return false;
    begin(operation);
    stream_offer(stream, operation);
    operation->state = OPERATION_BEGUN;
    list_move(&stream->begun, &operation->node);
    return true;
}

/* Has the stream as many ordered messages begun behind one that waits for a buffer as it may? */
static bool is_far_ahead(const struct stream *stream)
{
    const struct list *node;

    if (stream->offers_waiting == 0)
        return false;
    LIST_EACH(node, &stream->begun)
    {
        const struct operation *operation = LIST_OF(node, struct operation, node);
        if (is_large(operation) && !is_unordered(operation) && !operation->answered &&
            !operation->pulled)
            return stream->send_next - operation->id > STREAM_BEHIND_MAX;
    }
    return false;
}

static bool is_held_back(const struct stream *stream, const struct operation *operation)
{
    if (is_large(operation))
        return stream_offers_enough(stream);
    return !is_unordered(operation) && is_far_ahead(stream);
}

/* The message of the stream that is to be begun or continued: the first, but unordered ones may
 * overtake those that are held back. NULL if there is none. */
static struct operation *next_of(struct stream *stream)
{
    struct list *node = list_first(&stream->queue);
    struct operation *operation = LIST_OF(node, struct operation, node);

    if (operation->sent > 0 || !is_held_back(stream, operation))
        return operation;
    for (uint32_t looks = 0; looks < STREAM_LOOKS; looks++) {
        node = node->next;
        if (node == &stream->queue)
            return NULL;
        operation = LIST_OF(node, struct operation, node);
        if (!is_unordered(operation) || is_held_back(stream, operation))
            continue;
        list_remove(node);
        list_after(&stream->queue, node);
        return operation;
    }
    return NULL;
}

/* May this message be begun, or continued? If not, puts the stream aside. */
static bool may_begin(struct stream *stream, const struct operation *operation)
{
    struct connection *connection = stream->connection;

    if (!operation) {
        list_remove(&stream->ready);
        return false;
    }
    if (operation->sent > 0)
        return true;
    if (connection->credits_used == connection->credits_allowed) {
        if (list_empty(&connection->thirsty))
            connection->say |= CONNECTION_SAY_STARVED;
        list_move(&connection->thirsty, &stream->ready);
        return false;
    }
    return true;
}

bool message_fill(struct connection *connection, struct packet *packet, bool *full)
{
    struct list *node;

    while ((node = list_first(&connection->active))) {
        struct stream *stream = LIST_OF(node, struct stream, ready);
        struct operation *operation = next_of(stream);
        if (!may_begin(stream, operation))
            continue;
        if (!(is_large(operation) ? fill_offer(operation, packet)
                                  : fill_small(operation, packet))) {
            *full = true;
            return false;
        }
        if (list_empty(&stream->queue))
            list_remove(&stream->ready);
        else
            list_move(&connection->active, &stream->ready);
        return true;
    }
    return false;
}

static bool fill_skip(struct operation *operation, struct packet *packet)
{
    struct wire_op op = {
        .type = WIRE_OP_SKIP,
        .connection = operation->connection->peer,
        .stream = operation->stream->number,
        .id = operation->id,
    };

    if (is_unordered(operation)) {
        op.flags = WIRE_OP_UNORDERED | (is_large(operation) ? WIRE_OP_LAST : 0);
        op.offset = operation->sent;
    }
    if (!packet_put(packet, &op, NULL))
        return false;
    list_remove(&operation->sending);
    if (operation->answered)
        operation_free(operation);
    return true;
}

bool message_fill_bulk(struct operation *operation, struct packet *packet)
{
    if (operation->skip)
        return fill_skip(operation, packet);
    uint32_t remaining = operation->len - operation->sent;
    uint32_t bytes = packet_fragment(packet, 0, remaining);
    if (bytes == 0)
        return false;
    struct wire_op op = {
        .type = WIRE_OP_BULK,
        .flags = (uint8_t)(order_flag(operation) | (bytes == remaining ? WIRE_OP_LAST : 0)),
        .length = (uint16_t)bytes,
        .connection = operation->connection->peer,
        .stream = operation->stream->number,
        .id = operation->id,
        .offset = operation->sent,
    };
    operation_put(operation, packet, &op);
    operation->sent += bytes;
    if (operation->sent == operation->len)
        list_remove(&operation->sending);
    else
        list_move(&operation->connection->sending, &operation->sending);
    return true;
}
