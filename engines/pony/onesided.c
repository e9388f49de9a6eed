/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/onesided.h"

#include "engines/pony/message.h"
#include "engines/pony/payload.h"
#include "mailbox/line.h"
#include "mailbox/words.h"

bool onesided_agreed(const struct connection *connection)
{
    return path_has(connection->path, WIRE_FEATURE_ONESIDED);
}

/* ---- Commands ---- */

/* What a command asks for, apart from where: `bytes` at `buf`, and `count` items, 0 for commands
 * that have none. */
struct extent {
    uint32_t bytes, count;
};

/* The payload that a command has to have, inline. */
static bool payload_is(const struct saddle_command *command, uint32_t bytes)
{
    return (command->flags & SADDLE_ENTRY_INLINE) && command->len == bytes;
}

static int check_batch(const struct saddle_command *command, struct extent *extent)
{
    extent->count = command->len / (uint32_t)sizeof(uint64_t);
    if (extent->count == 0 || extent->count > SADDLE_BATCH_MAX ||
        !payload_is(command, extent->count * (uint32_t)sizeof(uint64_t)) ||
        command->remote_offset > SADDLE_MESSAGE_MAX / extent->count)
        return -EINVAL;
    extent->bytes = extent->count * (uint32_t)command->remote_offset;
    return 0;
}

static int check_scan(const struct saddle_command *command, struct extent *extent)
{
    struct saddle_scan scan;

    if (!payload_is(command, sizeof(scan)))
        return -EINVAL;
    memcpy(&scan, command->payload, sizeof(scan));
    extent->count = 1;
    extent->bytes = scan.bytes;
    return scan.entries > 0 && scan.entries <= SADDLE_SCAN_ENTRIES_MAX ? 0 : -EINVAL;
}

/* A command that reads by way of a table, with its buffer. */
static int check_items(const struct connection *connection, const struct saddle_command *command,
                       struct extent *extent)
{
    int error;

    *extent = (struct extent){.bytes = command->len, .count = 1};
    if (command->op == SADDLE_CMD_READ_BATCH)
        error = check_batch(command, extent);
    else if (command->op == SADDLE_CMD_SCAN_READ)
        error = check_scan(command, extent);
    else
        error = command->flags & SADDLE_ENTRY_INLINE ? -EINVAL : 0;
    if (!error)
        error = message_check_length(connection, extent->bytes);
    if (!error && !session_owns(connection->session, command->buf, extent->bytes))
        error = -EINVAL;
    return error;
}

/* The shape of a command: 0 or the error of its completion. */
static int check_command(const struct connection *connection, const struct saddle_command *command,
                         struct extent *extent, struct gather **gather)
{
    *extent = (struct extent){.bytes = command->len};
    switch (command->op) {
    case SADDLE_CMD_COMPARE_SWAP:
        return payload_is(command, 2 * sizeof(uint64_t)) ? 0 : -EINVAL;
    case SADDLE_CMD_FETCH_ADD:
        return payload_is(command, sizeof(uint64_t)) ? 0 : -EINVAL;
    case SADDLE_CMD_READ_BATCH:
    case SADDLE_CMD_SCAN_READ:
    case SADDLE_CMD_READ_INDIRECT:
        return check_items(connection, command, extent);
    case SADDLE_CMD_READ:
        if (command->flags & SADDLE_ENTRY_INLINE)
            return -EINVAL;
        break;
    default:
        break;
    }
    return message_check(connection, command, gather);
}

static void count_command(struct upper_counters *counters, uint8_t op)
{
    static const size_t at[SADDLE_CMD_COUNT] = {
        [SADDLE_CMD_READ] = offsetof(struct upper_counters, reads),
        [SADDLE_CMD_WRITE] = offsetof(struct upper_counters, writes),
        [SADDLE_CMD_READ_INDIRECT] = offsetof(struct upper_counters, indirect_reads),
        [SADDLE_CMD_READ_BATCH] = offsetof(struct upper_counters, indirect_reads),
        [SADDLE_CMD_SCAN_READ] = offsetof(struct upper_counters, scans),
        [SADDLE_CMD_COMPARE_SWAP] = offsetof(struct upper_counters, atomics),
        [SADDLE_CMD_FETCH_ADD] = offsetof(struct upper_counters, atomics),
    };

    counter_add((uint64_t *)(void *)((char *)counters + at[op]), 1);
}

void onesided_command(struct pony_session *session, uint32_t channel,
                      const struct saddle_command *command)
{
    struct connection *connection;
    struct extent extent = {0};
    struct gather *gather = NULL;
    int error = connection_of_handle(session, channel, command->handle, &connection);

    if (!error)
        error = check_command(connection, command, &extent, &gather);
    if (!error && onesided_has_result(command->op) && !onesided_agreed(connection))
        error = -EOPNOTSUPP;
    if (error) {
        session_answer(session, channel, command, error, 0, 0);
        return;
    }
    struct operation *operation = operation_take(session, channel, command);
    operation->state = OPERATION_WANTED;
    operation->connection = connection;
    operation->gather = gather;
    operation->id = operation_id(operation);
    operation->len = extent.bytes;
    /* Of what reads, `buf` and `len` are the buffer, whatever came inline. */
    if (extent.count > 0)
        operation->flags &= (uint8_t)~SADDLE_ENTRY_INLINE;
    list_push(&connection->wanted, &operation->node);
    count_command(&session->upper->counters, command->op);
    connection_schedule(connection);
}

/* Items of its RESULT. */
static uint32_t items_of(const struct operation *operation)
{
    switch (operation->op) {
    case SADDLE_CMD_READ_INDIRECT:
    case SADDLE_CMD_SCAN_READ:
        return 1;
    case SADDLE_CMD_READ_BATCH:
        return operation->len / (uint32_t)operation->remote_offset;
    default:
        return 0;
    }
}

bool onesided_fits(const struct operation *operation)
{
    struct saddle_scan scan;

    switch (operation->op) {
    case SADDLE_CMD_READ:
    case SADDLE_CMD_WRITE:
    case SADDLE_CMD_READ_INDIRECT:
        return true;
    case SADDLE_CMD_READ_BATCH:
        return operation->remote_offset > 0 && operation->remote_offset <= operation->len &&
               operation->len % operation->remote_offset == 0 &&
               items_of(operation) <= SADDLE_BATCH_MAX;
    case SADDLE_CMD_SCAN_READ:
        memcpy(&scan, operation->payload, sizeof(scan));
        return operation->state == OPERATION_ISSUED ||
               (scan.entries > 0 && scan.entries <= SADDLE_SCAN_ENTRIES_MAX);
    case SADDLE_CMD_COMPARE_SWAP:
    case SADDLE_CMD_FETCH_ADD:
        return operation->flags & SADDLE_ENTRY_INLINE;
    default:
        return false;
    }
}

void onesided_describe(const struct operation *operation, struct saddle_event *event)
{
    uint32_t items = items_of(operation);
    struct saddle_item first;

    event->len = 0;
    event->buf = items > 0 ? operation->buf : 0;
    if (!operation->result || (event->status && event->status != -EMSGSIZE))
        return;
    event->value = operation->value;
    memcpy(&first, operation->payload, sizeof(first));
    if (operation->op == SADDLE_CMD_READ_BATCH) {
        event->flags = SADDLE_ENTRY_INLINE;
        event->len = items * (uint32_t)sizeof(struct saddle_item);
        memcpy(event->payload, operation->payload, event->len);
    } else if (items == 1) {
        event->len = first.length;
    }
}

/* ---- Answers ---- */

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
    if (operation->state == OPERATION_WANTED || operation->op != SADDLE_CMD_WRITE) {
        end(operation, status);
        return;
    }
    operation_answer(operation, status, 0);
    connection_schedule(operation->connection);
}

/* All of it is here: it ends as the RESULT says. */
static void end_with_result(struct operation *operation)
{
    struct saddle_item first;

    memcpy(&first, operation->payload, sizeof(first));
    /* The items of a batch have outcomes of their own. */
    bool alone = items_of(operation) == 1 && operation->op != SADDLE_CMD_READ_BATCH;
    end(operation, alone ? first.status : 0);
}

/* Goes on with one that has got some bytes or its RESULT. */
static void go_on(struct operation *operation)
{
    if (!onesided_has_result(operation->op) && operation->received >= operation->len)
        end(operation, 0);
    else if (operation->result && operation->received >= operation->awaited)
        end_with_result(operation);
    else
        connection_advance(operation->connection);
}

void onesided_expect(const struct upper *upper, const struct wire_op *op)
{
    uint32_t index = op->id & OPERATION_INDEX_MASK;

    if (index >= upper->operations_max)
        return;
    const struct operation *operation = &upper->operations[index];
    if (operation->session && op->offset < operation->len)
        line_intend(operation_buffer(operation, op->offset));
}

void onesided_on_data(struct connection *connection, const struct wire_op *op,
                      const uint8_t *payload)
{
    struct operation *operation = operation_by_id(connection, op->id);

    connection->answers_taken++;
    if (!operation) {
        connection_advance(connection);
        return;
    }
    if ((operation->op != SADDLE_CMD_READ && items_of(operation) == 0) ||
        op->offset > operation->len || op->length > operation->len - op->offset ||
        op->length > operation->len - operation->received) {
        connection_abort(connection, -EPROTO);
        return;
    }
    uint8_t *to = operation_buffer(operation, op->offset);
    operation->received += op->length;
    if (operation->op == SADDLE_CMD_READ)
        upper_came(connection->upper, op->length);
    if (crc32c_copy_own(CRC32C_START, to, payload, op->length) != op->payload_crc) {
        counter_add(&connection->upper->counters.payload_damaged, 1);
        end(operation, -EBADMSG);
    } else {
        go_on(operation);
    }
}

/* Takes over the items of a RESULT: false if they cannot be. */
static bool take_items(struct operation *operation, const struct wire_result *result,
                       uint32_t count, uint32_t sent)
{
    struct saddle_item items[SADDLE_BATCH_MAX] = {0};
    uint32_t most = count > 0 ? operation->len / count : 0;
    uint64_t read = 0;

    for (uint32_t i = 0; i < count; i++) {
        int status = status_of_wire(result->items[i].status);
        items[i].status = status;
        if (status == 0 || status == -EMSGSIZE)
            items[i].length = result->items[i].length;
        if (status == 0 && items[i].length > most)
            return false;
        if (status == 0)
            read += items[i].length;
    }
    memcpy(operation->payload, items, sizeof(items));
    return read <= sent && sent <= operation->len;
}

void onesided_on_result(struct connection *connection, const struct wire_op *op,
                        const uint8_t *payload)
{
    struct operation *operation = operation_by_id(connection, op->id);
    struct wire_result result;
    uint32_t count = payload_get_result(&result, payload, op->length);

    connection->answers_taken++;
    if (!operation) {
        connection_advance(connection);
        return;
    }
    if (!onesided_has_result(operation->op) || operation->result || count != items_of(operation) ||
        (count == 0 && op->offset != 0) ||
        (count > 0 && !take_items(operation, &result, count, op->offset))) {
        connection_abort(connection, -EPROTO);
        return;
    }
    operation->result = true;
    operation->value = result.value;
    operation->awaited = op->offset;
    go_on(operation);
}

void onesided_on_done(struct connection *connection, const struct wire_op *op)
{
    struct operation *operation = operation_by_id(connection, op->id);

    connection->answers_taken++;
    /* Success is told by DONE of a write alone. */
    if (operation && op->offset == 0 && operation->op != SADDLE_CMD_WRITE)
        connection_abort(connection, -EPROTO);
    else if (operation)
        end(operation, status_of_wire(op->offset));
    else
        connection_advance(connection);
}

/* ---- Saying ---- */

static uint32_t put_batch(const struct operation *operation, uint8_t *payload)
{
    uint32_t count = items_of(operation);
    struct wire_batch batch = {.key = operation->key, .length = (uint32_t)operation->remote_offset};

    memcpy(batch.offsets, operation->payload, count * sizeof(batch.offsets[0]));
    payload_put_batch(payload, &batch, count);
    return WIRE_BATCH_BYTES + count * WIRE_OFFSET_BYTES;
}

static uint32_t put_scan(const struct operation *operation, uint8_t *payload)
{
    struct saddle_scan asked;

    memcpy(&asked, operation->payload, sizeof(asked));
    const struct wire_scan scan = {
        .key = operation->key,
        .offset = operation->remote_offset,
        .match = asked.match,
        .entries = asked.entries,
        .length = operation->len,
    };
    payload_put_scan(payload, &scan);
    return WIRE_SCAN_BYTES;
}

static uint32_t put_atomic(const struct operation *operation, uint8_t *payload)
{
    uint32_t length =
        operation->op == SADDLE_CMD_COMPARE_SWAP ? WIRE_SWAP_BYTES : WIRE_ATOMIC_BYTES;
    uint64_t values[2];

    memcpy(values, operation->payload, sizeof(values));
    const struct wire_atomic atomic = {
        .key = operation->key,
        .offset = operation->remote_offset,
        .operand = length == WIRE_SWAP_BYTES ? values[1] : values[0],
        .expected = values[0],
    };
    payload_put_atomic(payload, &atomic, length);
    return length;
}

static uint32_t put_access(const struct operation *operation, uint8_t *payload)
{
    const struct wire_access access = {
        .key = operation->key,
        .offset = operation->remote_offset,
        .length = operation->len,
    };

    payload_put_access(payload, &access);
    return WIRE_ACCESS_BYTES;
}

/* Writes a request: false if the packet is full. */
static bool put_request(const struct operation *operation, struct packet *packet)
{
    static const struct {
        uint8_t type;
        uint32_t (*put)(const struct operation *operation, uint8_t *payload);
    } requests[SADDLE_CMD_COUNT] = {
        [SADDLE_CMD_READ] = {WIRE_OP_READ, put_access},
        [SADDLE_CMD_READ_INDIRECT] = {WIRE_OP_READ_INDIRECT, put_access},
        [SADDLE_CMD_READ_BATCH] = {WIRE_OP_READ_BATCH, put_batch},
        [SADDLE_CMD_SCAN_READ] = {WIRE_OP_SCAN_READ, put_scan},
        [SADDLE_CMD_COMPARE_SWAP] = {WIRE_OP_COMPARE_SWAP, put_atomic},
        [SADDLE_CMD_FETCH_ADD] = {WIRE_OP_FETCH_ADD, put_atomic},
    };
    uint8_t payload[WIRE_BATCH_MOST];
    struct wire_op op = {
        .type = requests[operation->op].type,
        .connection = operation->connection->peer,
        .id = operation->id,
    };

    op.length = (uint16_t)requests[operation->op].put(operation, payload);
    if (packet->write || !packet_put(packet, &op, payload))
        return false;
    packet->requests++;
    return true;
}

bool onesided_fill(struct connection *connection, struct packet *packet)
{
    struct list *node;

    while (connection->issued_count < CONNECTION_ISSUED_MAX &&
           (node = list_first(&connection->wanted))) {
        struct operation *operation = LIST_OF(node, struct operation, node);
        if (operation->op == SADDLE_CMD_WRITE)
            list_push(&connection->sending, &operation->sending);
        else if (!put_request(operation, packet))
            return false;
        operation->state = OPERATION_ISSUED;
        connection->upper->expected += onesided_expected(operation);
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

    /* A fragment ends between two words of the region. */
    if (bytes < remaining && bytes > 0)
        bytes -= (uint32_t)((operation->remote_offset + operation->sent + bytes) % WORD_BYTES);

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
