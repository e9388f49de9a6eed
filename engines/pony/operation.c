/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/operation.h"

#include "engines/pony/connection.h"
#include "engines/pony/incoming.h"
#include "engines/pony/message.h"
#include "engines/pony/onesided.h"
#include "engines/pony/ping.h"

#include <string.h>

static void expire(struct wheel_timer *timer, uint64_t now)
{
    struct operation *operation = LIST_OF(timer, struct operation, timer);

    (void)now;
    switch (operation->state) {
    case OPERATION_OPENING:
        connection_open_expired(operation);
        break;
    case OPERATION_CLOSING:
        connection_close_expired(operation);
        break;
    case OPERATION_QUEUED:
    case OPERATION_BEGUN:
        message_expired(operation);
        break;
    case OPERATION_POSTED:
    case OPERATION_FILLING:
        incoming_expired(operation);
        break;
    case OPERATION_WANTED:
    case OPERATION_ISSUED:
        onesided_expired(operation);
        break;
    case OPERATION_ASKING:
    case OPERATION_ASKED:
        ping_expired(operation);
        break;
    default:
        break;
    }
}

bool operation_available(const struct upper *upper, const struct pony_session *session)
{
    return upper->operation_pool.free > 0 &&
           share_allows(&upper->operation_share, session->operation_count);
}

void operation_init(struct operation *operation, struct upper *upper)
{
    uint16_t generation = operation->generation;

    memset(operation, 0, sizeof(*operation));
    operation->generation = generation;
    operation->upper = upper;
    list_init(&operation->node);
    list_init(&operation->sending);
    list_init(&operation->pings);
    wheel_timer_init(&operation->timer, expire);
}

struct operation *operation_take(struct pony_session *session, uint32_t channel,
                                 const struct saddle_command *command)
{
    struct upper *upper = session->upper;
    struct operation *operation = &upper->operations[pool_take(&upper->operation_pool)];

    operation_init(operation, upper);
    operation->generation = generation_next(operation->generation);
    share_take(&upper->operation_share, &session->operation_count);
    counter_add(&upper->counters.operations, 1);
    operation->session = session;
    operation->channel = (uint8_t)channel;
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
    wheel_cancel(operation->upper->wheel, &operation->timer);
    operation->session = NULL;
    share_give(&operation->upper->operation_share, &session->operation_count);
    struct saddle_event event = {
        .type = SADDLE_EVT_DONE,
        .op = operation->op,
        .tag = operation->tag,
        .handle = operation->handle,
        .status = status,
        .stream = operation->number,
        .len = status ? 0 : len,
    };
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
    if (operation->session) {
        wheel_cancel(upper->wheel, &operation->timer);
        share_give(&upper->operation_share, &operation->session->operation_count);
    }
    operation->session = NULL;
    operation->state = OPERATION_FREE;
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

const uint8_t *operation_bytes(const struct operation *operation, uint32_t offset)
{
    if (operation->flags & SADDLE_ENTRY_INLINE)
        return operation->payload + offset;
    return operation_buffer(operation, offset);
}

uint8_t *operation_buffer(const struct operation *operation, uint32_t offset)
{
    return operation->session->config.arena + operation->buf + offset;
}
