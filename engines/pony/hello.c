/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The exchange that opens a flow; docs/wire.md has the states.
 *
 * The answering side keeps nothing until the caller has returned a cookie, which proves that it
 * receives what is sent to its address and port. A call for a pair of engines that has an open flow
 * never touches that flow: it makes us ask the peer whether it still knows it. If it does, the call
 * was old; if not, the peer answers with a RESET, the flow ends, and the caller's next try
 * succeeds. So neither a replayed nor a late call can harm a flow.
 */
#include "engines/pony/flow_private.h"

#include <string.h>

#define SOURCE_PORT_FIRST 49152u /* the dynamic ports of RFC 6335 */
#define SOURCE_PORT_COUNT 16384u
#define FIRST_SEQ_SPAN    1024u /* a flow's numbers wrap within its first packets of this count */

/* The proof of a caller's address and port, for one slot of time. */
static uint64_t make_cookie(const struct transport *transport, const struct packet_meta *meta,
                            const struct wire_hello *hello, uint64_t slot)
{
    uint8_t input[2 * sizeof(struct address) + 2 * sizeof(uint64_t) + 2 * sizeof(uint16_t)];
    uint8_t *next = input;
    uint64_t cookie;

    next = (uint8_t *)mempcpy(next, &meta->src, sizeof(meta->src));
    next = (uint8_t *)mempcpy(next, &meta->dst, sizeof(meta->dst));
    next = (uint8_t *)mempcpy(next, &hello->nonce, sizeof(hello->nonce));
    next = (uint8_t *)mempcpy(next, &slot, sizeof(slot));
    next = (uint8_t *)mempcpy(next, &hello->udp_port, sizeof(hello->udp_port));
    memcpy(next, &meta->src_port, sizeof(meta->src_port));
    crypto_shorthash((uint8_t *)&cookie, input, sizeof(input), transport->cookie_key);
    return cookie == 0 ? 1 : cookie; /* 0 says: none yet */
}

static bool cookie_valid(const struct transport *transport, const struct packet_meta *meta,
                         const struct wire_hello *hello, uint64_t now)
{
    uint64_t slot = now / COOKIE_SLOT_NS;

    return hello->cookie == make_cookie(transport, meta, hello, slot) ||
           (slot > 0 && hello->cookie == make_cookie(transport, meta, hello, slot - 1));
}

/* The highest version of both sides, 0 if there is none. */
static uint8_t common_version(const struct transport *transport, const struct wire_hello *hello)
{
    uint8_t high = RTE_MIN(hello->version_max, transport->config.wire_max);

    return high >= hello->version_min && high >= transport->config.wire_min ? high : 0;
}

int hello_init(struct flow *flow)
{
    struct rng *rng = flow->transport->rng;

    flow->token = rng_u64(rng);
    /* Soon after opening, on every flow, rather than after days on a few: what goes wrong there is
     * seen when it is written. Numbers need not be hard to guess: tokens are. */
    flow->first_seq = UINT32_MAX - (uint32_t)rng_below(rng, FIRST_SEQ_SPAN);
    tx_window_init(&flow->tx, flow->first_seq);
    /* Of 2^64 tokens this one is zero or in use: nobody will see it. */
    if (flow->token == 0 || !mapper_set_token(flow))
        return -EAGAIN;
    return flow_init_path(flow, (uint16_t)(SOURCE_PORT_FIRST + rng_below(rng, SOURCE_PORT_COUNT)));
}

void hello_start(struct flow *flow, uint64_t now)
{
    flow->nonce = rng_u64(flow->transport->rng);
    flow->hello_deadline = now + flow->transport->config.hello_timeout_ns;
    flow->hello_retry_ns = HELLO_RETRY_NS;
    flow->hello_due = true;
    flow_make_ready(flow);
    peer_want(flow->peer, now);
    wheel_set(flow->transport->wheel, &flow->recovery_timer,
              RTE_MIN(now + HELLO_RETRY_NS, flow->hello_deadline));
}

void hello_timer(struct flow *flow, uint64_t now)
{
    if (now >= flow->hello_deadline) {
        /* Nothing left for want of a way, about which the resolver keeps silent. */
        flow_end(flow, flow->peer->known ? -EHOSTUNREACH : -EHOSTDOWN, now);
        return;
    }
    flow->hello_due = true;
    flow_make_ready(flow);
    flow->hello_retry_ns = RTE_MIN(2 * flow->hello_retry_ns, HELLO_RETRY_MAX_NS);
    wheel_set(flow->transport->wheel, &flow->recovery_timer,
              RTE_MIN(now + flow->hello_retry_ns, flow->hello_deadline));
}

void hello_due_packet(const struct flow *flow, uint8_t bytes[WIRE_HELLO_BYTES])
{
    const struct transport_config *config = &flow->transport->config;
    bool open = flow->state == FLOW_OPEN;
    struct wire_hello hello = {
        .kind = open ? WIRE_HELLO_WELCOME : WIRE_HELLO_CALL,
        .version_min = open ? flow->version : config->wire_min,
        .version_max = open ? flow->version : config->wire_max,
        .mtu = flow->transport->mtu,
        .features = open ? flow->features : WIRE_FEATURES_KNOWN,
        .seq = flow->first_seq,
        .udp_port = flow->transport->config.udp_port,
        .token = flow->token,
        .nonce = flow->nonce,
        .cookie = open ? 0 : flow->cookie,
        .epoch = flow->transport->epoch,
    };

    wire_hello_encode(&hello, bytes);
}

/* Where whoever sent a CALL or a WELCOME receives. */
static uint16_t port_of(const struct transport *transport, const struct wire_hello *hello)
{
    return hello->udp_port != 0 ? hello->udp_port : transport->config.call_port;
}

/* Answers a call without keeping anything. */
static void answer(struct transport *transport, const struct packet_meta *meta,
                   const struct wire_hello *call, const struct wire_hello *hello, uint64_t now)
{
    uint8_t bytes[WIRE_HELLO_BYTES];
    struct wire_addresses addresses;
    struct encap encap;

    if (output_answer_path(transport, meta, port_of(transport, call), &addresses, &encap) != 0)
        return;
    wire_hello_encode(hello, bytes);
    wire_seal(bytes, sizeof(bytes), &addresses);
    output_single(transport, &encap, bytes, sizeof(bytes), now);
}

/* Both sides have shown what they need. */
static void establish(struct flow *flow, const struct wire_hello *hello, uint8_t version,
                      uint64_t now)
{
    struct flow *other;

    flow->version = version;
    flow->peer_token = hello->token;
    flow->peer_epoch = hello->epoch;
    flow->features = hello->features & WIRE_FEATURES_KNOWN;
    flow->agreed_mtu = RTE_MIN(flow->transport->mtu, hello->mtu);
    flow_set_way(flow);
    rx_window_init(&flow->rx, hello->seq);
    /* A new epoch: the engine's flows of the old one, on other addresses, are worth a question. */
    LIST_FOREACH(other, &flow->peer->flows, peer_entry)
    {
        if (other->state == FLOW_OPEN && other->peer_port == flow->peer_port &&
            other->peer_epoch != hello->epoch)
            flow_probe(other);
    }
    flow_opened(flow, now);
}

/* The flow that a proven call opens; NULL if it opens none. */
static struct flow *called_flow(struct peer *peer, const struct packet_meta *meta,
                                const struct wire_hello *hello)
{
    const struct pair pair = {&meta->dst, port_of(peer->transport, hello)};
    struct flow *flow = mapper_by_pair(peer, &pair);

    if (flow && flow->state == FLOW_OPEN) {
        if (flow->answered && flow->nonce == hello->nonce) {
            flow->hello_due = true; /* the WELCOME was lost */
            flow_make_ready(flow);
        } else if (tx_window_outstanding(&flow->tx) == 0) {
            flow_probe(flow);
        }
        return NULL;
    }
    /* Both call at once: the call from the lower address stands, the other side takes it for its
     * own flow. */
    if (flow)
        return memcmp(&meta->dst, &meta->src, sizeof(meta->dst)) < 0 ? NULL : flow;
    if (!mapper_admits(peer, &meta->dst)) {
        transport_count(&peer->transport->stats.hello_refused, 1);
        return NULL;
    }
    flow = mapper_add(peer->transport, peer, &pair, FLOW_ID_ANY);
    if (flow && hello_init(flow) != 0) {
        mapper_remove(flow);
        mapper_free(flow);
        flow = NULL;
    }
    return flow;
}

/* A call that has shown that its caller receives what is sent to its address and port. */
static void take_proven_call(struct peer *peer, const struct packet_meta *meta,
                             const struct wire_hello *hello, uint8_t version, uint64_t now)
{
    struct flow *flow = called_flow(peer, meta, hello);

    if (!flow)
        return;
    peer_heard(peer, &meta->src_mac);
    peer_want(peer, now);
    flow->answered = true;
    flow->nonce = hello->nonce;
    flow->hello_due = true;
    establish(flow, hello, version, now);
}

static void take_call(struct transport *transport, const struct packet_meta *meta,
                      const struct wire_hello *hello, uint64_t now)
{
    uint8_t version = common_version(transport, hello);
    struct wire_hello reply = {
        .version_min = transport->config.wire_min,
        .version_max = transport->config.wire_max,
        .nonce = hello->nonce,
    };
    struct peer *peer;

    if (version == 0) {
        transport_count(&transport->stats.hello_refused, 1);
        reply.kind = WIRE_HELLO_REFUSE;
        reply.error = EPROTONOSUPPORT;
        answer(transport, meta, hello, &reply, now);
        return;
    }
    if (!cookie_valid(transport, meta, hello, now)) {
        reply.kind = WIRE_HELLO_COOKIE;
        reply.cookie = make_cookie(transport, meta, hello, now / COOKIE_SLOT_NS);
        answer(transport, meta, hello, &reply, now);
        return;
    }
    peer = peer_take(transport, &meta->src);
    if (!peer)
        return;
    take_proven_call(peer, meta, hello, version, now);
    peer_release(peer);
}

static void take_answer(struct flow *flow, const struct wire_hello *hello, uint64_t now)
{
    struct transport *transport = flow->transport;

    switch (hello->kind) {
    case WIRE_HELLO_COOKIE:
        if (hello->cookie == 0 || hello->cookie == flow->cookie)
            return;
        flow->cookie = hello->cookie;
        flow->hello_due = true;
        flow_make_ready(flow);
        return;
    case WIRE_HELLO_WELCOME:
        if (hello->version_min != hello->version_max || common_version(transport, hello) == 0 ||
            port_of(transport, hello) != flow->peer_port) {
            transport_count(&transport->stats.rx_malformed, 1);
            return;
        }
        flow->hello_due = false;
        establish(flow, hello, hello->version_max, now);
        return;
    case WIRE_HELLO_REFUSE:
        transport_count(&transport->stats.hello_refused, 1);
        flow_end(flow, hello->error == EPROTONOSUPPORT ? -EPROTONOSUPPORT : -EHOSTUNREACH, now);
        return;
    default:
        transport_count(&transport->stats.rx_malformed, 1);
        return;
    }
}

/* A packet that opens a flow must say what is needed for one. */
static bool complete(const struct transport *transport, const struct wire_hello *hello)
{
    if (hello->kind != WIRE_HELLO_CALL && hello->kind != WIRE_HELLO_WELCOME)
        return true;
    return hello->token != 0 && hello->mtu >= MTU_MIN &&
           mapper_port_fits(transport, port_of(transport, hello));
}

/* May whoever sent this open a flow? */
static bool welcome(const struct transport *transport, const struct peer *peer,
                    const struct packet_meta *meta, const struct wire_hello *hello)
{
    return peer || (transport->config.resolver && hello->kind == WIRE_HELLO_CALL &&
                    address_is_host(&meta->src));
}

void hello_input(struct transport *transport, const uint8_t *packet, const struct packet_meta *meta,
                 uint64_t now)
{
    struct peer *peer = peer_find(transport, &meta->src);
    struct wire_hello hello;
    struct flow *flow;

    wire_hello_decode(&hello, packet);
    if (!complete(transport, &hello) || !welcome(transport, peer, meta, &hello)) {
        transport_count(&transport->stats.rx_malformed, 1);
        return;
    }
    if (hello.kind == WIRE_HELLO_CALL) {
        take_call(transport, meta, &hello, now);
        return;
    }
    flow = mapper_by_nonce(peer, &meta->dst, hello.nonce);
    if (flow)
        take_answer(flow, &hello, now);
}
