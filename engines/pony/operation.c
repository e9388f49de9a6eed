/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/operation.h"

#include "engines/pony/connection.h"
#include "engines/pony/incoming.h"
#include "engines/pony/message.h"
#include "engines/pony/onesided.h"
#include "engines/pony/ping.h"
#include "engines/pony/zero.h"

#include <string.h>

void operation_give_up(struct operation *operation, int status)
{
    switch (operation->state) {
    case OPERATION_OPENING:
        connection_open_give_up(operation, status);
        break;
    case OPERATION_CLOSING:
        connection_close_give_up(operation, status);
        break;
    case OPERATION_QUEUED:
    case OPERATION_BEGUN:
        message_give_up(operation, status);
        break;
    case OPERATION_POSTED:
    case OPERATION_FILLING:
        incoming_give_up(operation, status);
        break;
    case OPERATION_WANTED:
    case OPERATION_ISSUED:
        onesided_give_up(operation, status);
        break;
    case OPERATION_ASKING:
    case OPERATION_ASKED:
        ping_give_up(operation, status);
        break;
    default:
        break;
    }
}

static void expire(struct wheel_timer *timer, uint64_t now)
{
    struct operation *operation = LIST_OF(timer, struct operation, timer);
    struct upper *upper = operation->upper;

    (void)now;
    session_charge(upper, operation->session);
    operation_give_up(operation, -ETIMEDOUT);
    session_charge(upper, NULL);
}

bool operation_available(const struct upper *upper, const struct pony_session *session)
{
    return upper->operation_pool.free > 0 &&
           session_quota_allows(session->operation_count, session->config.grant.operations) &&
           share_allows(&upper->operation_share, session->operation_count);
}

void operation_init(struct operation *operation, struct upper *upper)
{
    uint16_t generation = operation->generation;

    /* What lies before is initialized below. */
    zero(&operation->session, sizeof(*operation) - offsetof(struct operation, session));
    operation->generation = generation;
    operation->upper = upper;
    list_init(&operation->node);
    list_init(&operation->sending);
    list_init(&operation->pings);
    list_init(&operation->owned);
    wheel_timer_init(&operation->timer, expire);
}

bool operation_spare_free(const struct session_channel *side)
{
    return side->spare->state == OPERATION_FREE;
}

void operation_own(struct operation *operation, struct pony_session *session)
{
    operation->session = session;
    list_push(&session->channels[operation->channel].operations, &operation->owned);
    if (!operation->spare)
        share_take(&operation->upper->operation_share, &session->operation_count);
}

/* Takes it out of its session's hands: its memory is not looked at any more. */
static void disown(struct operation *operation)
{
    struct pony_session *session = operation->session;
    struct session_channel *side = &session->channels[operation->channel];

    wheel_cancel(operation->upper->wheel, &operation->timer);
    if (side->cancel_next == &operation->owned)
        side->cancel_next = operation->owned.next;
    list_remove(&operation->owned);
    if (operation->gather)
        gather_give(session, operation->gather);
    operation->gather = NULL;
    operation->session = NULL;
    if (!operation->spare)
        share_give(&operation->upper->operation_share, &session->operation_count);
}

/* The operation that is taken next is of a thousand that rest: not in the nearest cache. */
static void expect_entry(const struct upper *upper)
{
    uint32_t next = pool_next(&upper->operation_pool);

    if (next == POOL_NONE)
        return;
    const char *lines = (const char *)&upper->operations[next];
    for (uint32_t i = 0; i < sizeof(struct operation); i += RTE_CACHE_LINE_SIZE)
        __builtin_prefetch(lines + i, 1);
}

static struct operation *take_entry(struct pony_session *session, uint32_t channel)
{
    struct upper *upper = session->upper;
    bool spare = !operation_available(upper, session);
    struct operation *operation = spare ? session->channels[channel].spare
                                        : &upper->operations[pool_take(&upper->operation_pool)];

    operation_init(operation, upper);
    expect_entry(upper);
    operation->spare = spare;
    operation->generation = generation_next(operation->generation);
    if (!spare)
        counter_add(&upper->counters.operations, 1);
    return operation;
}

struct operation *operation_take(struct pony_session *session, uint32_t channel,
                                 const struct saddle_command *command)
{
    struct upper *upper = session->upper;
    struct operation *operation = take_entry(session, channel);

    operation->channel = (uint8_t)channel;
    operation_own(operation, session);
    operation->op = command->op;
    operation->flags = command->flags;
    operation->tag = command->tag;
    operation->handle = command->handle;
    operation->number = command->stream;
    operation->buf = command->buf;
    operation->len = command->len;
    operation->key = command->key;
    operation->remote_offset = command->remote_offset;
    if (command->flags & SADDLE_ENTRY_INLINE)
        memcpy(operation->payload, command->payload, sizeof(operation->payload));
    if (command->timeout_ns) {
        uint64_t deadline = upper->now + command->timeout_ns;
        if (deadline > upper->now)
            wheel_set(upper->wheel, &operation->timer, deadline);
    }
    return operation;
}

void operation_answer(struct operation *operation, int status, uint32_t len)
{
    struct pony_session *session = operation->session;

    if (!session)
        return;
    disown(operation);
    struct saddle_event event;
    channel_event(&event, SADDLE_EVT_DONE);
    event.op = operation->op;
    event.tag = operation->tag;
    event.handle = operation->handle;
    event.status = status;
    event.stream = operation->number;
    event.len = status ? 0 : len;
    event.value = operation->found;
    if (operation->op == SADDLE_CMD_POST_RECV)
        event.flags = operation->flags & SADDLE_ENTRY_UNORDERED;
    if (operation->op == SADDLE_CMD_POST_RECV || operation->op == SADDLE_CMD_READ)
        event.buf = operation->buf;
    if (operation->op == SADDLE_CMD_PING)
        ping_describe(operation, &event);
    if (onesided_has_result(operation->op))
        onesided_describe(operation, &event);
    session_complete(session, operation->channel, &event);
}

void operation_free(struct operation *operation)
{
    struct upper *upper = operation->upper;

    list_remove(&operation->node);
    list_remove(&operation->sending);
    if (operation->session)
        disown(operation);
    upper->expected -= onesided_expected(operation);
    operation->state = OPERATION_FREE;
    if (operation->spare)
        return;
    pool_give(&upper->operation_pool, (uint32_t)(operation - upper->operations));
    counter_sub(&upper->counters.operations, 1);
}

void operation_finish(struct operation *operation, int status)
{
    operation_answer(operation, status, operation->len);
    operation_free(operation);
}

void operation_finish_all(struct list *operations, int status)
{
    struct list *node, *after;

    LIST_EACH_SAFE(node, after, operations)
    operation_finish(LIST_OF(node, struct operation, node), status);
}

uint32_t operation_id(const struct operation *operation)
{
    uint32_t index = (uint32_t)(operation - operation->upper->operations);

    return (operation->generation & OPERATION_GENERATION_MASK) << OPERATION_INDEX_BITS | index;
}

struct operation *operation_by_id(struct connection *connection, uint32_t id)
{
    struct upper *upper = connection->upper;
    uint32_t index = id & OPERATION_INDEX_MASK;

    if (index >= upper->operations_max)
        return NULL;
    struct operation *operation = &upper->operations[index];
    if (operation->state != OPERATION_ISSUED || operation->connection != connection ||
        operation->id != id)
        return NULL;
    return operation;
}

uint8_t *operation_buffer(const struct operation *operation, uint32_t offset)
{
    return operation->session->config.arena + operation->buf + offset;
}

uint32_t operation_copy(const struct operation *operation, uint32_t offset, uint8_t *to,
                        uint32_t bytes, uint32_t crc)
{
    if (operation->gather)
        return gather_copy(operation->session, operation->gather, offset, to, bytes, crc);
    if (operation->flags & SADDLE_ENTRY_INLINE)
        return crc32c_copy(crc, to, operation->payload + offset, bytes);
    return crc32c_copy(crc, to, operation_buffer(operation, offset), bytes);
}

void operation_put(const struct operation *operation, struct packet *packet, struct wire_op *op)
{
    op->payload_crc =
        operation_copy(operation, op->offset, packet_payload(packet), op->length, CRC32C_START);
    packet_add(packet, op);
    packet->data += op->length;
}
