/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/message.h"

#include "engines/pony/payload.h"

static bool is_large(const struct operation *operation)
{
    return operation->len > SADDLE_EAGER_MAX;
}

void message_send(struct pony_session *session, uint32_t channel,
                  const struct saddle_command *command)
{
    struct connection *connection;
    struct stream *stream = NULL;
    int error = connection_of_handle(session, channel, command->handle, &connection);

    if (!error && (command->len == 0 || command->len > SADDLE_MESSAGE_MAX ||
                   command->stream >= SADDLE_STREAMS_MAX ||
                   (!(command->flags & SADDLE_ENTRY_INLINE) &&
                    !session_owns(session, command->buf, command->len))))
        error = -EINVAL;
    if (!error && !(stream = stream_get(connection, command->stream)))
        error = -ENOMEM;
    if (error) {
        session_answer(session, channel, command, error, 0, 0);
        return;
    }
    struct operation *operation = operation_take(session, channel, command);
    operation->state = OPERATION_QUEUED;
    operation->connection = connection;
    operation->stream = stream;
    list_push(&stream->queue, &operation->node);
    connection->unanswered++;
    stream_schedule(stream);
}

/* The application gets its buffer back; the peer is told, if it waits for more of the message. */
void message_expired(struct operation *operation)
{
    struct connection *connection = operation->connection;
    struct stream *stream = operation->stream;
    bool begun = operation->state == OPERATION_BEGUN || operation->sent > 0;

    if (!begun) {
        connection->unanswered--;
        operation_finish(operation, -ETIMEDOUT);
        stream_schedule(stream);
        connection_advance(connection);
        return;
    }
    operation_answer(operation, -ETIMEDOUT, 0);
    if (operation->sent == operation->len)
        return;
    operation->skip = true;
    operation->state = OPERATION_BEGUN;
    list_move(&stream->begun, &operation->node);
    list_move(&connection->sending, &operation->sending);
    stream_schedule(stream);
    connection_schedule(connection);
}

static struct operation *begun_by_id(struct stream *stream, uint32_t id)
{
    struct list *node;

    LIST_EACH(node, &stream->begun)
    {
        struct operation *operation = LIST_OF(node, struct operation, node);
        if (operation->id == id)
            return operation;
    }
    node = list_first(&stream->queue);
    if (!node)
        return NULL;
    struct operation *operation = LIST_OF(node, struct operation, node);
    return operation->sent > 0 && operation->id == id ? operation : NULL;
}

static bool delivered(struct connection *connection, const struct wire_delivered *entry)
{
    struct stream *stream = stream_find(connection, entry->stream);
    struct operation *operation = stream ? begun_by_id(stream, entry->id) : NULL;

    connection->answers_taken++;
    if (!operation)
        return false;
    if (is_large(operation))
        stream->offers--;
    connection->unanswered--;
    if (entry->status == 0) {
        counter_add(&connection->upper->counters.messages_sent, 1);
        counter_add(&connection->upper->counters.message_bytes_sent, operation->len);
    } else {
        counter_add(&connection->upper->counters.messages_failed, 1);
    }
    operation_finish(operation, status_of_wire(entry->status));
    stream_schedule(stream);
    return true;
}

void message_on_delivered(struct connection *connection, const struct wire_op *op,
                          const uint8_t *payload)
{
    struct wire_delivered entry;

    for (uint32_t at = 0; at < op->length; at += WIRE_DELIVERED_BYTES) {
        payload_get_delivered(&entry, payload + at);
        if (!delivered(connection, &entry)) {
            connection_abort(connection, -EPROTO);
            return;
        }
    }
    connection_advance(connection);
}

void message_on_pull(struct connection *connection, const struct wire_op *op)
{
    struct stream *stream = stream_find(connection, op->stream);
    struct operation *operation = stream ? begun_by_id(stream, op->id) : NULL;

    /* One that was given up has been skipped: the pull crossed it. One that is answered already
     * was given up by the other side: the answer has overtaken the pull. */
    if ((operation && operation->skip) ||
        (!operation && stream && (int32_t)(op->id - stream->send_next) < 0))
        return;
    if (!operation || !is_large(operation) || operation->sent > 0) {
        connection_abort(connection, -EPROTO);
        return;
    }
    list_move(&connection->sending, &operation->sending);
    connection_schedule(connection);
}

void message_on_credit(struct connection *connection, const struct wire_op *op)
{
    if ((int32_t)(op->offset - connection->credits_allowed) <= 0)
        return;
    connection->credits_allowed = op->offset;
    connection->say &= (uint8_t)~CONNECTION_SAY_STARVED;
    list_splice(&connection->active, &connection->thirsty);
    connection_schedule(connection);
}

/* The message's place in its stream, and the credit that it takes. */
static void begin(struct operation *operation)
{
    operation->id = operation->stream->send_next++;
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
        .flags = bytes == remaining ? WIRE_OP_LAST : 0,
        .length = (uint16_t)bytes,
        .connection = operation->connection->peer,
        .stream = stream->number,
        .id = operation->id,
        .offset = operation->sent,
    };
    packet_put(packet, &op, operation_bytes(operation, operation->sent));
    packet->data += bytes;
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
        .connection = operation->connection->peer,
        .stream = stream->number,
        .id = stream->send_next,
        .offset = operation->len,
    };

    if (!packet_put(packet, &op, NULL))
        return false;
    begin(operation);
    stream->offers++;
    operation->state = OPERATION_BEGUN;
    list_move(&stream->begun, &operation->node);
    return true;
}

/* May the first message of the stream be begun or continued? If not, puts the stream aside. */
static bool may_begin(struct stream *stream, const struct operation *operation)
{
    struct connection *connection = stream->connection;

    if (operation->sent > 0)
        return true;
    if (is_large(operation) && stream->offers >= STREAM_OFFERS_MAX) {
        list_remove(&stream->ready);
        return false;
    }
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
        struct operation *operation = LIST_OF(list_first(&stream->queue), struct operation, node);
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

    if (!packet_put(packet, &op, NULL))
        return false;
    list_remove(&operation->sending);
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
        .flags = bytes == remaining ? WIRE_OP_LAST : 0,
        .length = (uint16_t)bytes,
        .connection = operation->connection->peer,
        .stream = operation->stream->number,
        .id = operation->id,
        .offset = operation->sent,
    };
    packet_put(packet, &op, operation_bytes(operation, operation->sent));
    packet->data += bytes;
    operation->sent += bytes;
    if (operation->sent == operation->len)
        list_remove(&operation->sending);
    else
        list_move(&operation->connection->sending, &operation->sending);
    return true;
}
