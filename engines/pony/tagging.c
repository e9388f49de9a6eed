/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets for a port that looks at whose they are (engines/port.h, tx_room_for).
 *
 * A packet is made only when there is room for one of its owner's, so it holds one session's
 * operations and nobody else's; what belongs to no session goes in packets of its own. A flow that
 * was refused something is set aside until the port says that room may have come back.
 */
#include "engines/pony/flow_private.h"

#define LOOKS_MAX 16u /* lost packets looked at for one that there is room for */

void tagging_init(struct transport *transport)
{
    transport->tagged = transport->port->ops->tx_room_for != NULL;
    LIST_INIT(&transport->shut);
}

/* How much of the port's room for such packets those have that wait to be handed over: the port
 * does not know of them yet. */
static uint32_t waiting_like(const struct transport *transport, const struct packet_tag *tag)
{
    uint32_t waiting = 0;

    for (uint16_t i = 0; i < transport->tx_count; i++) {
        const struct packet_tag *other = packet_tag(transport->tx[i]);

        waiting += other->leaf == tag->leaf && other->generation == tag->generation;
    }
    return waiting;
}

/* Whether there is room for one such packet more. Only of what the port itself refuses does it
 * tell when that may be had: so if it is what waits here that takes the room, that is handed over
 * and the port asked again. */
static bool room_for(struct transport *transport, struct packet_tag *tag,
                     const struct packet_way *way)
{
    struct port *port = transport->port;
    uint32_t room = port->ops->tx_room_for(port, tag, way);

    if (room == 0 || room > waiting_like(transport, tag))
        return room > 0;
    output_flush(transport, transport_time(transport, clock_now(transport->clock)));
    return port->ops->tx_room_for(port, tag, way) > 0;
}

static bool has_room(struct flow *flow, struct packet_tag *tag)
{
    const struct packet_way way = {
        .peer = flow->peer->node.address,
        .dscp = flow->transport->config.dscp,
    };

    if (room_for(flow->transport, tag, &way))
        return true;
    if (!flow->shut)
        LIST_INSERT_HEAD(&flow->transport->shut, flow, shut_entry);
    flow->shut = true;
    return false;
}

bool tagging_has_control_room(struct transport *transport)
{
    const struct packet_way nowhere = {0};

    transport->control_tag = (struct packet_tag){.kind = PACKET_CONTROL};
    return room_for(transport, &transport->control_tag, &nowhere);
}

void tagging_control(const struct transport *transport, struct rte_mbuf *packet)
{
    if (transport->tagged)
        *packet_tag(packet) = transport->control_tag;
}

void tagging_forget(struct flow *flow)
{
    if (flow->shut)
        LIST_REMOVE(flow, shut_entry);
    flow->shut = false;
}

void tagging_reopen(struct transport *transport)
{
    struct flow *flow;

    while ((flow = LIST_FIRST(&transport->shut))) {
        tagging_forget(flow);
        flow_kick(flow);
    }
}

bool tagging_may_resend(struct flow *flow)
{
    uint32_t looks = flow->transport->tagged ? RTE_MIN(flow->tx.lost.count, LOOKS_MAX) : 0;

    for (uint32_t i = 0; i < looks; i++) {
        if (has_room(flow, packet_tag(tx_window_lost(&flow->tx)->packet)))
            return true;
        tx_window_defer(&flow->tx);
    }
    return looks == 0;
}

bool flow_tagged(const struct flow *flow)
{
    return flow->transport->tagged;
}

bool flow_claim(struct flow *flow, uint32_t session, uint32_t uid)
{
    struct packet_tag tag = {
        .kind = session ? PACKET_SESSION : PACKET_CONTROL,
        .session = session,
        .uid = uid,
    };

    if (!has_room(flow, &tag))
        return false;
    flow->transport->fill_tag = tag;
    return true;
}
