/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/path.h"

#include "engines/pony/connection.h"
#include "engines/pony/payload.h"
#include "engines/pony/ping.h"

struct path *path_of(struct upper *upper, struct flow *flow)
{
    struct path *path = flow_context(flow);

    if (path) {
        flow_release(flow);
        return path;
    }
    uint32_t index = pool_take(&upper->path_pool);
    if (index == POOL_NONE)
        return NULL;
    path = &upper->paths[index];
    path->flow = flow;
    list_init(&path->connections);
    list_init(&path->ring);
    list_init(&path->asking);
    list_init(&path->asked);
    path->echoes = 0;
    path->served = 0;
    path->busy = false;
    path->reply_first = 0;
    path->reply_count = 0;
    flow_set_context(flow, path);
    return path;
}

int path_to(struct upper *upper, const char *host, struct address *address, struct path **path)
{
    struct flow *flow;
    int error = transport_resolve(upper->transport, host, address);

    if (error)
        return -EHOSTUNREACH;
    error = transport_flow(upper->transport, address, upper->now, &flow);
    if (error)
        return error;
    *path = path_of(upper, flow);
    if (*path)
        return 0;
    flow_release(flow);
    return -ENOMEM;
}

void path_settle(struct upper *upper, struct path *path)
{
    struct flow *flow = path->flow;

    if (path->busy || !list_empty(&path->connections) || path->reply_count > 0 ||
        !list_empty(&path->asking) || path->echoes > 0)
        return;
    path->flow = NULL;
    pool_give(&upper->path_pool, (uint32_t)(path - upper->paths));
    flow_set_context(flow, NULL);
    flow_release(flow);
}

bool path_reply(struct path *path, uint8_t type, uint32_t number, uint32_t value)
{
    if (path->reply_count == PATH_REPLIES)
        return false;
    path->replies[(path->reply_first + path->reply_count++) % PATH_REPLIES] =
        (struct path_reply){.type = type, .number = number, .value = value};
    flow_kick(path->flow);
    return true;
}

static bool put_reply(struct packet *packet, const struct path_reply *reply)
{
    uint8_t payload[WIRE_OPENED_BYTES];
    struct wire_op op = {.type = reply->type, .connection = reply->number};

    if (reply->type == WIRE_OP_ECHOED) {
        op.connection = 0;
        op.id = reply->number;
        op.length = (uint16_t)reply->value;
        return ping_put(packet, &op);
    }
    if (reply->type == WIRE_OP_OPENED) {
        const struct wire_opened opened = {.error = reply->value};
        payload_put_opened(payload, &opened);
        op.length = WIRE_OPENED_BYTES;
    } else if (reply->type == WIRE_OP_ELSEWHERE) {
        op.offset = reply->value;
    } else if (reply->type == WIRE_OP_CLOSE) {
        const struct wire_close close = {.reason = reply->value};
        payload_put_close(payload, &close);
        op.length = WIRE_CLOSE_BYTES;
    }
    return packet_put(packet, &op, payload);
}

uint32_t path_fill(struct upper *upper, struct path *path, struct packet *packet)
{
    bool full = false;
    struct list *node;

    path->busy = true;
    while (path->reply_count > 0 && !full) {
        /* An echo that not even an empty packet has room for any more is dropped. */
        full = !put_reply(packet, &path->replies[path->reply_first]) && packet->operations > 0;
        if (full)
            break;
        path->reply_first = (path->reply_first + 1) % PATH_REPLIES;
        path->reply_count--;
    }
    full = full || !ping_fill(path, packet);
    while (!full && (node = list_first(&path->ring))) {
        struct connection *connection = LIST_OF(node, struct connection, ring);
        uint32_t before = packet->operations;
        list_remove(node);
        bool more = connection_fill(connection, packet, &full);
        /* What it said may have given it more to say, and put it back already. */
        more = more || !list_empty(node);
        list_remove(node);
        if (full)
            list_after(&path->ring, node);
        else if (more && packet->operations > before)
            list_push(&path->ring, node);
    }
    if (full)
        flow_kick(path->flow);
    path->busy = false;
    path_settle(upper, path);
    return packet->used;
}
