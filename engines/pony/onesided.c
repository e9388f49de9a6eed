/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/onesided.h"

#include "engines/pony/message.h"
#include "engines/pony/payload.h"

void onesided_command(struct pony_session *session, uint32_t channel,
                      const struct saddle_command *command)
{
    struct connection *connection;
    struct gather *gather = NULL;
    int error = connection_of_handle(session, channel, command->handle, &connection);

    if (!error && (command->flags & SADDLE_ENTRY_INLINE) && command->op == SADDLE_CMD_READ)
        error = -EINVAL;
    if (!error)
        error = message_check(connection, command, &gather);
    if (error) {
        session_answer(session, channel, command, error, 0, 0);
        return;
    }
    struct operation *operation = operation_take(session, channel, command);
    operation->state = OPERATION_WANTED;
    operation->connection = connection;
    operation->gather = gather;
    operation->id = operation_id(operation);
    list_push(&connection->wanted, &operation->node);
    counter_add(command->op == SADDLE_CMD_READ ? &session->upper->counters.reads
                                               : &session->upper->counters.writes,
                1);
    connection_schedule(connection);
}

/* It is over, for the application and for the peer. */
static void end(struct operation *operation, int status)
{
    struct connection *connection = operation->connection;

    if (operation->state == OPERATION_ISSUED)
        connection->issued_count--;
    operation_finish(operation, status);
    if (!list_empty(&connection->wanted))
        connection_schedule(connection);
    connection_advance(connection);
}

/* A write that has begun keeps its place until the peer's answer, since the peer keeps one too. */
void onesided_give_up(struct operation *operation, int status)
{
    if (operation->state == OPERATION_WANTED || operation->op == SADDLE_CMD_READ) {
        end(operation, status);
        return;
    }
    operation_answer(operation, status, 0);
    connection_schedule(operation->connection);
}

void onesided_on_data(struct connection *connection, const struct wire_op *op,
                      const uint8_t *payload)
{
    struct operation *operation = operation_by_id(connection, op->id);

    connection->answers_taken++;
    if (!operation || operation->op != SADDLE_CMD_READ) {
        connection_advance(connection);
        return;
    }
    if (op->offset > operation->len || op->length > operation->len - op->offset ||
        op->length > operation->len - operation->received) {
        connection_abort(connection, -EPROTO);
        return;
    }
    uint8_t *to = operation_buffer(operation, op->offset);
    operation->received += op->length;
    if (crc32c_copy(CRC32C_START, to, payload, op->length) != op->payload_crc) {
        counter_add(&connection->upper->counters.payload_damaged, 1);
        end(operation, -EBADMSG);
    } else if (operation->received >= operation->len) {
        end(operation, 0);
    } else {
        connection_advance(connection);
    }
}

void onesided_on_done(struct connection *connection, const struct wire_op *op)
{
    struct operation *operation = operation_by_id(connection, op->id);

    connection->answers_taken++;
    if (operation)
        end(operation, status_of_wire(op->offset));
    else
        connection_advance(connection);
}

bool onesided_fill(struct connection *connection, struct packet *packet)
{
    uint8_t payload[WIRE_ACCESS_BYTES];
    struct list *node;

    while (connection->issued_count < CONNECTION_ISSUED_MAX &&
           (node = list_first(&connection->wanted))) {
        struct operation *operation = LIST_OF(node, struct operation, node);
        if (operation->op == SADDLE_CMD_READ) {
            struct wire_op op = {
                .type = WIRE_OP_READ,
                .length = WIRE_ACCESS_BYTES,
                .connection = connection->peer,
                .id = operation->id,
            };
            const struct wire_access access = {
                .key = operation->key,
                .offset = operation->remote_offset,
                .length = operation->len,
            };
            payload_put_access(payload, &access);
            if (packet->write || !packet_put(packet, &op, payload))
                return false;
            packet->requests++;
        } else {
            list_push(&connection->sending, &operation->sending);
        }
        operation->state = OPERATION_ISSUED;
        list_move(&connection->issued, node);
        connection->issued_count++;
    }
    return true;
}

/* May this packet carry a fragment of this write? See struct packet. */
static bool goes_with(const struct operation *operation, struct packet *packet)
{
    if (operation->sent == 0)
        return !packet->write;
    return packet->write ? packet->write == operation : packet->requests == 0;
}

bool onesided_fill_write(struct operation *operation, struct packet *packet)
{
    bool given_up = !operation->session;
    uint32_t remaining = given_up ? 0 : operation->len - operation->sent;
    uint32_t bytes = packet_fragment(packet, WIRE_ACCESS_BYTES, remaining);

    if (!goes_with(operation, packet) || (bytes == 0 && !given_up) ||
        packet_payload_room(packet) < (int64_t)WIRE_ACCESS_BYTES)
        return false;
    struct wire_op op = {
        .type = WIRE_OP_WRITE,
        .flags = bytes == remaining ? WIRE_OP_LAST : 0,
        .length = (uint16_t)(WIRE_ACCESS_BYTES + bytes),
        .connection = operation->connection->peer,
        .id = operation->id,
        .offset = operation->sent,
    };
    const struct wire_access access = {
        .key = operation->key,
        .offset = operation->remote_offset,
        .length = operation->len,
    };
    uint8_t *payload = packet_payload(packet);
    payload_put_access(payload, &access);
    op.payload_crc = crc32c_update(CRC32C_START, payload, WIRE_ACCESS_BYTES);
    if (bytes)
        op.payload_crc = operation_copy(operation, operation->sent, payload + WIRE_ACCESS_BYTES,
                                        bytes, op.payload_crc);
    packet_add(packet, &op);
    packet->data += bytes;
    if (operation->sent == 0)
        packet->requests++;
    else
        packet->write = operation;
    operation->sent += bytes;
    if (op.flags & WIRE_OP_LAST)
        list_remove(&operation->sending);
    else
        list_move(&operation->connection->sending, &operation->sending);
    return true;
}
