/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/path.h"

#include "engines/pony/connection.h"
#include "engines/pony/payload.h"
#include "engines/pony/ping.h"
#include "engines/pony/session.h"

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
    path->turns = &upper->turns[(size_t)index * (upper->sessions_max + 1)];
    list_init(&path->connections);
    list_init(&path->ring);
    list_init(&path->light);
    list_init(&path->asking);
    list_init(&path->asked);
    path->echoes = 0;
    path->busy = false;
    path->error = 0;
    list_init(&path->ending);
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

struct path *path_beyond(struct upper *upper, const struct path *path)
{
    struct flow *flow;
    struct path *beyond;

    if (transport_flow(upper->transport, flow_peer(path->flow), upper->now, &flow))
        return NULL;
    beyond = path_of(upper, flow);
    if (!beyond)
        flow_release(flow);
    return beyond != path ? beyond : NULL;
}

bool path_has(const struct path *path, uint32_t feature)
{
    struct flow_report report;

    flow_report(path->flow, &report);
    return report.features & feature;
}

static void turn_end(struct path_turn *turn)
{
    list_remove(&turn->node);
    list_remove(&turn->light);
}

void path_settle(struct upper *upper, struct path *path)
{
    struct flow *flow = path->flow;
    struct list *node;

    if (path->busy || !list_empty(&path->connections) || path->reply_count > 0 ||
        !list_empty(&path->asking) || path->echoes > 0 || !list_empty(&path->ending))
        return;
    while ((node = list_first(&path->ring))) /* turns that came to nothing */
        turn_end(LIST_OF(node, struct path_turn, node));
    while ((node = list_first(&path->light)))
        list_remove(node);
    path->flow = NULL;
    pool_give(&upper->path_pool, (uint32_t)(path - upper->paths));
    flow_set_context(flow, NULL);
    flow_release(flow);
}

/* The turn that a connection has a part in: its session's, or that of all whose session is gone. */
static struct path_turn *turn_of(const struct connection *connection)
{
    const struct pony_session *session = connection->session;
    uint32_t place = session ? session->index : connection->upper->sessions_max;
    struct path_turn *turn = &connection->path->turns[place];

    if (!turn->node.next) {
        list_init(&turn->node);
        list_init(&turn->connections);
        list_init(&turn->light);
    }
    return turn;
}

uint32_t *path_served(const struct connection *connection)
{
    return &turn_of(connection)->served;
}

/* What a session writes at a time: a packet for its weight. */
static int32_t quantum(const struct path *path, const struct pony_session *session)
{
    return (int32_t)(flow_room(path->flow) * (session ? session->fair.weight : 1));
}

/* When the window is used up it need not wait for others if all that it has said has arrived. */
static void look_for_flight(struct path *path, struct path_turn *turn)
{
    if (turn->flow == flow_id(path->flow) && !flow_arrived(path->flow, turn->last))
        return;
    list_move(&path->light, &turn->light);
    flow_kick_light(path->flow);
}

/* A turn that was over begins anew, behind all others. */
static struct path_turn *turn_begin(const struct connection *connection)
{
    struct path_turn *turn = turn_of(connection);

    if (list_empty(&turn->node)) {
        turn->left = quantum(connection->path, connection->session);
        list_push(&connection->path->ring, &turn->node);
    }
    if (list_empty(&turn->connections))
        look_for_flight(connection->path, turn);
    return turn;
}

void path_resume(struct upper *upper, struct path_turn *turn)
{
    size_t place = (size_t)(turn - upper->turns) / (upper->sessions_max + 1);
    struct path *path = &upper->paths[place];

    list_move(&path->ring, &turn->node);
    look_for_flight(path, turn);
    flow_kick(path->flow);
}

void path_schedule(struct connection *connection)
{
    list_push(&turn_begin(connection)->connections, &connection->ring);
    flow_kick(connection->path->flow);
}

/* Connections of a path whose flow is over. */
static void lose_some(struct upper *upper, struct path *path)
{
    struct list *node;

    path->busy = true;
    for (uint32_t i = 0; i < PATH_ENDS_PER_TURN && (node = list_first(&path->connections)); i++)
        connection_lost(LIST_OF(node, struct connection, path_node), path->error);
    path->busy = false;
    if (!list_empty(&path->connections))
        return;
    list_remove(&path->ending);
    path_settle(upper, path);
}

void path_end(struct upper *upper, struct path *path, int error)
{
    path->error = error;
    list_push(&upper->ending, &path->ending);
    path->busy = true;
    ping_lost(path, error);
    path->busy = false;
    path->reply_count = 0;
    lose_some(upper, path);
}

void path_end_some(struct upper *upper)
{
    struct list *node = list_first(&upper->ending);

    if (node)
        lose_some(upper, LIST_OF(node, struct path, ending));
}

void path_loaded_ended(struct upper *upper, struct path *path, int error)
{
    path->error = error;
    list_push(&upper->ending, &path->ending);
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

/* False if the packet is full before the answers have come to an end. */
static bool put_replies(struct path *path, struct packet *packet)
{
    for (uint32_t left = path->reply_count; left > 0; left--) {
        const struct path_reply reply = path->replies[path->reply_first];
        bool wait = reply.type == WIRE_OP_ECHOED && ping_must_wait(path->flow, reply.value);

        /* An echo that not even an empty packet has room for any more is dropped. */
        if (!wait && !put_reply(packet, &reply) && packet->operations > 0)
            return false;
        path->reply_first = (path->reply_first + 1) % PATH_REPLIES;
        path->reply_count--;
        if (wait)
            path->replies[(path->reply_first + path->reply_count++) % PATH_REPLIES] = reply;
    }
    return true;
}

/* The same as connection_fill, on its session's account, which stays the present one. It is charged
 * before it writes much more, and at once if it wrote nothing, since whether the session may go on
 * is asked next. */
static bool fill_connection(struct connection *connection, struct packet *packet, bool *full)
{
    struct upper *upper = connection->upper;
    uint32_t operations = packet->operations, data = packet->data, used = packet->used;
    uint32_t scanned = packet->scanned;
    struct account *account =
        connection->session ? &connection->session->account : meter_nobody(upper->meter);

    meter_switch(upper->meter, account);
    bool more = connection_fill(connection, packet, full);
    clock_charge(upper->clock, upper_cost(packet->operations - operations, packet->data - data));
    if (packet->used == used || packet->used - packet->charged >= PACKET_CHARGE_BYTES ||
        packet->scanned > scanned) {
        meter_charge(upper->meter);
        packet->charged = packet->used;
    }
    meter_part(upper->meter, account, packet->used - used);
    if (connection->session && packet->used > used)
        fair_work(connection->session);
    return more;
}

/* Something of it is in the packet that is filled now. */
static void note_flight(const struct path *path, struct path_turn *turn)
{
    turn->flow = flow_id(path->flow);
    turn->last = flow_number(path->flow);
    list_remove(&turn->light);
}

/* Has the next connection of a session say something. False if the packet is full. */
static bool fill_turn(struct path *path, struct path_turn *turn, struct packet *packet)
{
    struct list *node = list_first(&turn->connections);
    uint32_t before = packet->operations + packet->scanned, used = packet->used;
    bool full = false;

    if (!node) {
        turn_end(turn);
        return true;
    }
    struct connection *connection = LIST_OF(node, struct connection, ring);
    if (connection->session && connection->session->dropped) {
        /* Before its memory is looked at. What is left to say is said in another turn. */
        connection_disown(connection);
        list_move(&path->ring, &turn->node);
        return true;
    }
    if (connection->session && !fair_may(connection->session)) {
        fair_park(connection->session, turn);
        return true;
    }
    const struct pony_session *session = connection->session; /* it may end in what follows */
    list_remove(node);
    bool more = fill_connection(connection, packet, &full);
    /* What it said may have given it more to say, and put it back already. */
    more = more || !list_empty(node);
    list_remove(node);
    if (full)
        list_after(&turn_begin(connection)->connections, node);
    else if (more && packet->operations + packet->scanned > before)
        list_push(&turn_begin(connection)->connections, node);
    turn->left -= (int32_t)(packet->used - used);
    if (packet->used > used)
        note_flight(path, turn);
    if (turn->left <= 0) {
        turn->left += quantum(path, session);
        list_move(&path->ring, &turn->node);
    }
    return !full;
}

/* ---- Where each packet is one session's at most ---- */

static bool claim_for(struct path *path, const struct pony_session *session)
{
    return flow_claim(path->flow, session ? (uint32_t)session->config.id : 0,
                      session ? session->config.uid : 0);
}

/* Whose the next packet is: the first session's, in turn, that there is room for; NULL: there is
 * none, or nothing to say. */
static struct path_turn *claim(struct path *path)
{
    const struct list *refused = NULL; /* the first that was */
    struct list *node, *first;

    while ((node = list_first(&path->ring)) && node != refused) {
        struct path_turn *turn = LIST_OF(node, struct path_turn, node);

        first = list_first(&turn->connections);
        if (!first) {
            turn_end(turn);
            continue;
        }
        if (claim_for(path, LIST_OF(first, struct connection, ring)->session))
            return turn;
        refused = refused ? refused : node;
        list_move(&path->ring, node);
    }
    return NULL;
}

/* Goes on with a turn that is the first of the ring, while it is. False if the packet is full. */
static bool fill_first(struct path *path, struct path_turn *turn, struct packet *packet)
{
    bool full = false;

    while (!full && list_first(&path->ring) == &turn->node && !list_empty(&turn->connections))
        full = !fill_turn(path, turn, packet);
    return !full;
}

/* One session's packet. False if there is more to be said. */
static bool fill_claimed(struct path *path, struct packet *packet)
{
    struct path_turn *turn;
    bool full = false;

    while (!full && packet->used == 0 && (turn = claim(path)))
        full = !fill_first(path, turn, packet);
    /* Those that were refused are told by themselves. */
    return !full && (packet->used == 0 || list_empty(&path->ring));
}

/* ---- Where the window is used up ---- */

static bool may_begin(struct path *path, const struct path_turn *turn)
{
    struct list *first = list_first(&turn->connections);

    return first && (!flow_tagged(path->flow) ||
                     claim_for(path, LIST_OF(first, struct connection, ring)->session));
}

/* Those who have nothing in flight; who does not come to say something now waits with all others.
 */
static void fill_light(struct path *path, struct packet *packet)
{
    bool full = false;
    struct list *node;

    while (!full && (node = list_first(&path->light))) {
        struct path_turn *turn = LIST_OF(node, struct path_turn, light);
        list_remove(&turn->node);
        list_after(&path->ring, &turn->node);
        if (may_begin(path, turn))
            full = !fill_first(path, turn, packet);
        if (!full || packet->used == 0)
            list_remove(node);
        full = full || (flow_tagged(path->flow) && packet->used > 0);
    }
    if (!list_empty(&path->light))
        flow_kick_light(path->flow);
}

/* False if there is more to be said. */
static bool fill_all(struct path *path, struct packet *packet)
{
    bool full = false;
    struct list *node;

    if (flow_tagged(path->flow))
        return packet->used > 0 ? list_empty(&path->ring) : fill_claimed(path, packet);
    while (!full && (node = list_first(&path->ring)))
        full = !fill_turn(path, LIST_OF(node, struct path_turn, node), packet);
    return !full;
}

uint32_t path_fill(struct upper *upper, struct path *path, struct packet *packet)
{
    path->busy = true;
    if (flow_is_past(path->flow)) {
        fill_light(path, packet);
    } else {
        bool full = !put_replies(path, packet) || !ping_fill(path, packet);
        clock_charge(upper->clock, upper_cost(packet->operations, packet->data));
        meter_part(upper->meter, meter_nobody(upper->meter), packet->used);
        if (full || !fill_all(path, packet))
            flow_kick(path->flow);
        else
            flow_said_all(path->flow);
    }
    meter_switch(upper->meter, meter_pool(upper->meter));
    path->busy = false;
    path_settle(upper, path);
    return packet->used;
}
