/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The lower layer's face: reliable, unordered delivery of packets between two engines.
 *
 * A flow carries whole operations that the layer above writes into packets just before they leave,
 * and hands each arrived packet's operations up exactly once, in any order. It knows nothing of
 * messages; the layer above knows nothing of loss. SOSP'19 section 3.1.
 *
 * Ownership: the transport owns its flows. The layer above holds references (flow_hold) and may
 * keep one pointer of its own in each flow. Threads: the engine's. Trust: peers are hostile;
 * `deliver` gets operations whose headers are intact (header_crc) but which may say anything.
 */
#ifndef ENGINES_PONY_FLOW_H
#define ENGINES_PONY_FLOW_H

#include "engines/address.h"

#include <stdbool.h>
#include <stdint.h>

struct flow;

/* What the lower layer asks of the layer above. `upper` is the argument given to transport_create.
 */
struct flow_upper_ops {
    /* Writes up to `room` bytes of whole operations (see wire.h) to `ops`; returns how many bytes,
     * 0 when the flow has nothing to send (it is then asked again only after flow_kick). At most
     * WIRE_OPS_MAX operations. What was written will arrive, once, or the flow will end. */
    uint32_t (*fill)(void *upper, struct flow *flow, uint8_t *ops, uint32_t room, uint64_t now);
    /* May this packet be taken? False drops it unacknowledged, as if the network had: the answer to
     * overload. Must not change anything. */
    bool (*admit)(void *upper, struct flow *flow, const uint8_t *ops, uint32_t bytes);
    /* The operations of one packet. */
    void (*deliver)(void *upper, struct flow *flow, const uint8_t *ops, uint32_t bytes,
                    uint64_t now);
    /* The flow is up: packets can be sent. */
    void (*opened)(void *upper, struct flow *flow, uint64_t now);
    /* The flow is over: -ETIMEDOUT (peer silent), -ECONNRESET (peer restarted),
     * -EHOSTUNREACH (never answered), -EPROTONOSUPPORT (no common version), or, before it was open,
     * why there is no way to the peer: -EHOSTDOWN, -ENETUNREACH, -ENETDOWN. No other call follows.
     * References stay valid and are to be released, in this call or later. */
    void (*ended)(void *upper, struct flow *flow, int error, uint64_t now);
};

/* Says that `fill` would now find something. Cheap; may be said often. */
void flow_kick(struct flow *flow);
/* Inside `fill`: this packet has all that there is to say, and another call before the next
 * flow_kick would find nothing. So none is made, whatever this one returns. */
void flow_said_all(struct flow *flow);

/* So that who says little does not wait for what others have in flight, a few packets more than the
 * window are for those who have nothing there ("light"). */
/* Says that it would find something of one of them; flow_kick is said beside it. */
void flow_kick_light(struct flow *flow);
/* Inside `fill`: the window is used up, and it is they alone who may say something. */
bool flow_is_past(const struct flow *flow);
/* The number of the packet that is filled now, or will be next: counted since the flow opened. */
uint64_t flow_number(const struct flow *flow);
/* Has the packet with that number arrived, as far as is known? */
bool flow_arrived(const struct flow *flow, uint64_t number);

void flow_hold(struct flow *flow);
/* A flow without references is kept for a while, then forgotten. */
void flow_release(struct flow *flow);

/* The peer's address, and the flow's number: unique in its transport, kept by save and load. */
const struct address *flow_peer(const struct flow *flow);
/* The peer's configured name, or "". */
const char *flow_peer_name(const struct flow *flow);
uint32_t flow_id(const struct flow *flow);
/* Whether it leads to that engine of the peer's host which is called when none is named. */
bool flow_is_first(const struct flow *flow);
/* How much the layer above does for the peer's host, by all its flows: the layer's own number, 0 at
 * first. */
uint32_t *flow_host_load(const struct flow *flow);
/* True once packets can be sent. */
bool flow_is_open(const struct flow *flow);
/* Why it is over; 0: it is not. */
int flow_error(const struct flow *flow);
/* Bytes of operations that fit into one packet. */
uint32_t flow_room(const struct flow *flow);
/* The same, or more if it is being found out whether more will: then flow_kick comes by itself once
 * that is known. */
uint32_t flow_room_hoped(const struct flow *flow);

/* What a flow can say of itself. */
struct flow_report {
    uint64_t smoothed_ns;  /* round trip; 0: none measured yet */
    uint64_t sent, resent; /* packets that consume a number, since it opened, and repetitions */
    uint32_t features;     /* WIRE_FEATURE_*, settled by HELLO */
    uint16_t mtu;          /* bytes of an IP packet; 0 while it was never open */
    uint16_t udp_port;     /* of the peer */
    uint8_t version;       /* of the wire; 0 while it was never open */
};
void flow_report(const struct flow *flow, struct flow_report *report);

/* Whether the port has each packet belong to one session at most. Then `fill` says first whose what
 * it writes is (0: nobody's), and writes nothing else; unless it says so, it is nobody's. */
bool flow_tagged(const struct flow *flow);
/* Inside `fill`, before the first byte: false if there is no room for a packet of this session now.
 * Once there may be, flow_kick comes by itself. */
bool flow_claim(struct flow *flow, uint32_t session, uint32_t uid);

/* The layer above's own pointer. */
void flow_set_context(struct flow *flow, void *context);
void *flow_context(const struct flow *flow);

#endif
