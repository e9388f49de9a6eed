/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/engines/pony/testbed.h"

#include <check.h>
#include <stdlib.h>

#define MILLION     1000000u
#define REORDER_NS  30000u /* several round trips */
#define ITEM_BYTES  4u
#define TIMERS_MAX  64u
#define SEND_BUDGET 1000000u
#define STEP_NS     500u

static uint64_t bed_now(void *arg)
{
    return ((struct bed *)arg)->now;
}

static uint16_t rx_burst(struct port *port, struct rte_mbuf **packets, uint16_t max, uint64_t now)
{
    struct bed_host *host = container_of(port, struct bed_host, port);
    struct bed *bed = host->bed;
    uint16_t count = 0;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < bed->queued; i++) {
        if (bed->queue[i].to == host->index && bed->queue[i].at <= now && count < max)
            packets[count++] = bed->queue[i].packet;
        else
            bed->queue[kept++] = bed->queue[i];
    }
    bed->queued = kept;
    return count;
}

static void enqueue(struct bed *bed, uint32_t to, struct rte_mbuf *packet, uint64_t at)
{
    uint32_t place = bed->queued;

    if (bed->queued == BED_QUEUE)
        ck_abort_msg("the wire is full");
    for (; place > 0 && bed->queue[place - 1].at > at; place--)
        bed->queue[place] = bed->queue[place - 1];
    bed->queue[place].packet = packet;
    bed->queue[place].at = at;
    bed->queue[place].to = to;
    bed->queued++;
}

static uint32_t headers_of(const struct bed_host *host)
{
    return sizeof(struct rte_ether_hdr) + sizeof(struct rte_udp_hdr) +
           (host->config.vlan ? sizeof(struct rte_vlan_hdr) : 0) +
           (address_is_v4(&host->peers[0].address) ? sizeof(struct rte_ipv4_hdr)
                                                   : sizeof(struct rte_ipv6_hdr));
}

/* A private copy, so that the wire can change it. */
static struct rte_mbuf *copy_of(struct rte_mbuf *packet, struct rte_mempool *pool)
{
    struct rte_mbuf *copy = rte_pktmbuf_copy(packet, pool, 0, UINT32_MAX);

    if (!copy)
        ck_abort_msg("no packet for a copy");
    return copy;
}

static void mark_packet(struct bed_host *host, struct rte_mbuf *packet)
{
    uint8_t *ip = rte_pktmbuf_mtod_offset(packet, uint8_t *,
                                          headers_of(host) - sizeof(struct rte_udp_hdr) -
                                              sizeof(struct rte_ipv4_hdr));
    struct rte_ipv4_hdr *header = (struct rte_ipv4_hdr *)ip;

    header->type_of_service |= IP_ECN_MASK;
    header->hdr_checksum = 0;
    header->hdr_checksum = rte_ipv4_cksum(header);
}

static uint16_t tx_burst(struct port *port, struct rte_mbuf **packets, uint16_t count, uint64_t now)
{
    struct bed_host *host = container_of(port, struct bed_host, port);
    struct bed *bed = host->bed;
    uint32_t skip = headers_of(host);

    for (uint16_t i = 0; i < count; i++) {
        const uint8_t *payload = rte_pktmbuf_mtod_offset(packets[i], const uint8_t *, skip);
        uint32_t bytes = rte_pktmbuf_pkt_len(packets[i]) - skip;
        struct wire_flow header;
        struct bed_fate fate;

        host->sent_to = rte_pktmbuf_mtod(packets[i], const struct rte_ether_hdr *)->dst_addr;
        host->strays += !rte_is_zero_ether_addr(&host->expected) &&
                        !rte_is_same_ether_addr(&host->sent_to, &host->expected);
        wire_flow_decode(&header, payload);
        fate = bed->judge(bed, host->index, &header, payload, bytes);
        bed->count++;
        for (uint32_t copy = 1; copy < fate.copies; copy++)
            enqueue(bed, 1 - host->index, copy_of(packets[i], port->pool), now + BED_LATENCY_NS);
        if (fate.copies == 0) {
            rte_pktmbuf_free(packets[i]);
            continue;
        }
        if (fate.mark) {
            struct rte_mbuf *copy = copy_of(packets[i], port->pool);

            rte_pktmbuf_free(packets[i]);
            packets[i] = copy;
            mark_packet(host, copy);
        }
        enqueue(bed, 1 - host->index, packets[i], now + BED_LATENCY_NS + fate.delay_ns);
    }
    return count;
}

static uint16_t tx_room(struct port *port)
{
    return container_of(port, struct bed_host, port)->room;
}

static const struct port_ops bed_port_ops = {
    .driver = "bed",
    .rx_burst = rx_burst,
    .tx_burst = tx_burst,
    .tx_room = tx_room,
};

static int resolver_want(struct resolver *resolver, const struct address *address)
{
    struct bed_resolver *self = container_of(resolver, struct bed_resolver, resolver);

    self->wants++;
    self->last = *address;
    return self->busy ? -EAGAIN : 0;
}

static void resolver_drop(struct resolver *resolver, const struct address *address)
{
    (void)address;
    container_of(resolver, struct bed_resolver, resolver)->drops++;
}

static const struct resolver_ops bed_resolver_ops = {.want = resolver_want, .drop = resolver_drop};

void bed_resolve(struct bed *bed, uint32_t index, uint32_t peers)
{
    struct bed_host *host = &bed->hosts[index];

    host->resolver.resolver.ops = &bed_resolver_ops;
    host->config.resolver = &host->resolver.resolver;
    host->peer_count = peers;
    for (uint32_t i = 0; i < RTE_DIM(host->peers); i++)
        memset(&host->peers[i].mac, 0, sizeof(host->peers[i].mac));
}

void bed_answer(struct bed *bed, uint32_t index, const char *address, uint8_t mac, uint16_t mtu,
                int error)
{
    struct resolver *resolver = &bed->hosts[index].resolver.resolver;
    struct hop hop = {.mac = {{0, 0, 0, 0, 0, mac}}, .mtu = mtu, .error = error};

    ck_assert_int_eq(address_parse(&hop.address, address), 0);
    resolver->answer(resolver->context, &hop);
}

/* Several items to a packet, so that losing one loses several. */
static uint32_t upper_fill(void *upper, struct flow *flow, uint8_t *ops, uint32_t room,
                           uint64_t now)
{
    struct bed_host *host = upper;
    uint32_t used = 0, count = 0;

    (void)now;
    if (host->thinks > 0) {
        host->thinks--;
        flow_kick(flow);
        return 0;
    }
    while (host->next_item < host->items && count < WIRE_OPS_MAX &&
           room - used >= WIRE_OP_BYTES + host->item_bytes) {
        struct wire_op op = {.type = WIRE_OP_MESSAGE,
                             .length = (uint16_t)host->item_bytes,
                             .id = host->next_item++};

        wire_op_encode(&op, ops + used);
        memset(ops + used + WIRE_OP_BYTES, (uint8_t)op.id, host->item_bytes);
        used += WIRE_OP_BYTES + host->item_bytes;
        count++;
    }
    return used;
}

static bool upper_admit(void *upper, struct flow *flow, const uint8_t *ops, uint32_t bytes)
{
    (void)flow;
    (void)ops;
    (void)bytes;
    return !((struct bed_host *)upper)->decline;
}

static bool all_equal(const uint8_t *bytes, uint32_t length, uint8_t value)
{
    uint8_t odd = 0;

    for (uint32_t i = 0; i < length; i++)
        odd |= bytes[i] ^ value;
    return odd == 0;
}

/* Checks by counting: an assertion of the framework costs a system call. */
static void upper_deliver(void *upper, struct flow *flow, const uint8_t *ops, uint32_t bytes,
                          uint64_t now)
{
    struct bed_host *host = upper;
    const struct bed_host *from = &host->bed->hosts[1 - host->index];
    struct wire_op op;
    const uint8_t *payload;
    uint32_t at = 0;

    (void)flow;
    (void)now;
    while (wire_op_next(ops, bytes, &at, &op, &payload)) {
        if (op.id >= from->next_item || host->seen[op.id]) {
            host->repeated++;
            continue;
        }
        host->damaged += !all_equal(payload, op.length, (uint8_t)op.id);
        host->seen[op.id] = 1;
        host->received++;
    }
    host->damaged += at != bytes;
}

static void upper_opened(void *upper, struct flow *flow, uint64_t now)
{
    struct bed_host *host = upper;

    (void)now;
    host->opened++;
    if (!host->flow) {
        host->flow = flow;
        flow_hold(flow);
    }
    flow_kick(flow);
}

static void upper_ended(void *upper, struct flow *flow, int error, uint64_t now)
{
    struct bed_host *host = upper;

    (void)now;
    host->ended++;
    host->error = error;
    if (host->flow == flow) {
        host->flow = NULL;
        flow_release(flow);
    }
}

static const struct flow_upper_ops upper_ops = {
    .fill = upper_fill,
    .admit = upper_admit,
    .deliver = upper_deliver,
    .opened = upper_opened,
    .ended = upper_ended,
};

static void host_init(struct bed *bed, uint32_t index)
{
    struct bed_host *host = &bed->hosts[index];
    char name[RTE_MEMPOOL_NAMESIZE];

    snprintf(name, sizeof(name), "bed%u", index);
    host->bed = bed;
    host->index = index;
    host->room = PORT_BURST * 2;
    host->item_bytes = ITEM_BYTES;
    host->clock.now = bed_now;
    host->clock.arg = bed;
    host->port.ops = &bed_port_ops;
    host->port.mtu = BED_MTU;
    host->port.wake_fd = -1;
    host->port.mac.addr_bytes[5] = (uint8_t)(index + 1);
    host->port.pool = rte_pktmbuf_pool_create(name, BED_MBUFS, BED_CACHE, 0,
                                              RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    ck_assert_ptr_nonnull(host->port.pool);
    host->config.address_count = 1;
    address_parse(&host->config.addresses[0], index == 0 ? "10.0.0.1" : "10.0.0.2");
    host->config.flows_max = 8;
    address_parse(&host->peers[0].address, index == 0 ? "10.0.0.2" : "10.0.0.1");
    host->peers[0].mac.addr_bytes[5] = (uint8_t)(2 - index);
    strcpy(host->peers[0].name, "other");
    address_parse(&host->peers[1].address, "10.0.0.9");
    host->peers[1].mac.addr_bytes[5] = 9;
    host->peer_count = RTE_DIM(host->peers);
}

struct bed *bed_create(void)
{
    struct bed *bed = calloc(1, sizeof(*bed));

    ck_assert_ptr_nonnull(bed);
    bed->now = NSEC_PER_SEC;
    bed->judge = bed_perfect;
    rng_init_u64(&bed->chaos, 1, 99);
    for (uint32_t i = 0; i < BED_HOSTS; i++)
        host_init(bed, i);
    return bed;
}

static void host_start(struct bed_host *host, uint64_t seed)
{
    host->config.peers = host->peers;
    host->config.peer_count = host->peer_count;
    rng_init_u64(&host->rng, seed, host->index);
    wheel_init(&host->wheel, host->bed->now);
    ck_assert_int_eq(transport_create(&host->transport, &host->config, &host->port, &host->clock,
                                      &host->rng, &host->wheel, &upper_ops, host),
                     0);
}

void bed_start(struct bed *bed)
{
    for (uint32_t i = 0; i < BED_HOSTS; i++)
        host_start(&bed->hosts[i], 7);
}

void bed_destroy(struct bed *bed)
{
    for (uint32_t i = 0; i < bed->queued; i++)
        rte_pktmbuf_free(bed->queue[i].packet);
    for (uint32_t i = 0; i < BED_HOSTS; i++)
        transport_destroy(bed->hosts[i].transport);
    for (uint32_t i = 0; i < BED_HOSTS; i++) {
        ck_assert_uint_eq(rte_mempool_avail_count(bed->hosts[i].port.pool), BED_MBUFS);
        ck_assert_uint_eq(bed->hosts[i].wheel.armed, 0);
        rte_mempool_free(bed->hosts[i].port.pool);
    }
    free(bed);
}

void bed_connect(struct bed *bed, uint32_t from)
{
    struct bed_host *host = &bed->hosts[from];

    ck_assert_int_eq(
        transport_flow(host->transport, &host->peers[0].address, bed->now, &host->flow), 0);
}

void bed_give(struct bed *bed, uint32_t from, uint32_t items)
{
    struct bed_host *host = &bed->hosts[from];

    ck_assert_uint_le(host->items + items, BED_ITEMS_MAX);
    host->items += items;
    if (host->flow)
        flow_kick(host->flow);
}

static uint32_t run_host(struct bed *bed, struct bed_host *host)
{
    uint32_t work = 0, received;

    if (host->looks_every == 0)
        transport_watched(host->transport, bed->now);
    else if (bed->now - host->looked_at < host->looks_every)
        return 0;
    host->looked_at = bed->now;
    while ((received = transport_receive(host->transport, bed->now)) > 0)
        work += received;
    work += wheel_advance(&host->wheel, bed->now, TIMERS_MAX);
    if (transport_pending(host->transport))
        work += transport_send(host->transport, bed->now, bed->now + SEND_BUDGET);
    return work;
}

/* Virtual time moves to the next thing that can happen, or to `end` if nothing can. */
static void advance(struct bed *bed, uint64_t end)
{
    uint64_t next = bed->queued > 0 ? bed->queue[0].at : UINT64_MAX;

    for (uint32_t i = 0; i < BED_HOSTS; i++)
        next = RTE_MIN(next, wheel_next(&bed->hosts[i].wheel));
    bed->now = next == UINT64_MAX ? end : RTE_MAX(next, bed->now + STEP_NS);
}

bool bed_run(struct bed *bed, bool (*done)(const struct bed *bed), uint64_t limit_ns)
{
    uint64_t end = bed->now + limit_ns;

    while (!done(bed)) {
        uint32_t work = 0;

        for (uint32_t i = 0; i < BED_HOSTS; i++)
            work += run_host(bed, &bed->hosts[i]);
        if (bed->now >= end)
            return done(bed);
        if (work == 0)
            advance(bed, end);
        if (bed->now > end)
            bed->now = end;
    }
    return true;
}

/* Open, with the first questions answered. */
static bool is_up(const struct flow *flow)
{
    return flow && flow_is_open(flow) && flow->rtt.smoothed_ns != 0 &&
           tx_window_outstanding(&flow->tx) == 0;
}

bool bed_both_open(const struct bed *bed)
{
    return is_up(bed->hosts[0].flow) && is_up(bed->hosts[1].flow);
}

bool bed_all_received(const struct bed *bed)
{
    for (uint32_t i = 0; i < BED_HOSTS; i++) {
        const struct bed_host *host = &bed->hosts[i];

        if (bed->hosts[1 - i].received < host->items)
            return false;
        if (host->flow && tx_window_outstanding(&host->flow->tx) > 0)
            return false;
    }
    return true;
}

bool bed_never(const struct bed *bed)
{
    (void)bed;
    return false;
}

struct bed_fate bed_perfect(struct bed *bed, uint32_t from, const struct wire_flow *header,
                            const uint8_t *payload, uint32_t bytes)
{
    struct bed_fate fate = {.copies = 1};

    (void)bed;
    (void)from;
    (void)header;
    (void)payload;
    (void)bytes;
    return fate;
}

struct bed_fate bed_chaos(struct bed *bed, uint32_t from, const struct wire_flow *header,
                          const uint8_t *payload, uint32_t bytes)
{
    struct bed_fate fate = bed_perfect(bed, from, header, payload, bytes);

    if (rng_chance(&bed->chaos, bed->loss))
        fate.copies = 0;
    else if (rng_chance(&bed->chaos, bed->duplicate))
        fate.copies = 2;
    if (rng_chance(&bed->chaos, bed->reorder))
        fate.delay_ns = rng_below(&bed->chaos, REORDER_NS);
    fate.mark = rng_chance(&bed->chaos, bed->mark);
    return fate;
}

void bed_inject(struct bed *bed, uint32_t to, uint32_t peer, const uint8_t *bytes, uint32_t length)
{
    struct bed_host *host = &bed->hosts[to];
    struct encap_config config = {
        .src_mac = {{0, 0, 0, 0, 0, peer == 0 ? (uint8_t)(2 - to) : 9}},
        .dst_mac = host->port.mac,
        .src = host->peers[peer].address,
        .dst = host->config.addresses[0],
        .src_port = WIRE_UDP_PORT,
        .dst_port = WIRE_UDP_PORT,
    };
    struct wire_addresses addresses = {.source_port = WIRE_UDP_PORT,
                                       .destination_port = WIRE_UDP_PORT};
    struct rte_mbuf *packet = rte_pktmbuf_alloc(host->port.pool);
    uint8_t *payload = (uint8_t *)rte_pktmbuf_append(packet, (uint16_t)length);
    struct encap encap;

    memcpy(payload, bytes, length);
    memcpy(addresses.source, config.src.bytes, sizeof(addresses.source));
    memcpy(addresses.destination, config.dst.bytes, sizeof(addresses.destination));
    if (length >= WIRE_FLOW_BYTES)
        wire_seal(payload, length, &addresses);
    encap_build(&encap, &config);
    encap_apply(&encap, packet);
    enqueue(bed, to, packet, bed->now);
}

void bed_inject_flow(struct bed *bed, uint32_t to, uint32_t peer, const struct wire_flow *header)
{
    uint8_t bytes[WIRE_FLOW_BYTES + WIRE_SACK_BYTES] = {0}, sack[WIRE_SACK_BYTES] = {0};
    uint32_t length = WIRE_FLOW_BYTES;

    wire_flow_encode(header, bytes);
    if (header->type == WIRE_ACK)
        length += wire_codec(header->version)->put_sack(sack, bytes + WIRE_FLOW_BYTES);
    bed_inject(bed, to, peer, bytes, length);
}

void bed_inject_hello(struct bed *bed, uint32_t to, uint32_t peer, const struct wire_hello *hello)
{
    uint8_t bytes[WIRE_HELLO_BYTES];

    wire_hello_encode(hello, bytes);
    bed_inject(bed, to, peer, bytes, sizeof(bytes));
}

void bed_to_ipv6(struct bed *bed)
{
    static const char *const text[BED_HOSTS] = {"fd00::1", "fd00::2"};

    for (uint32_t i = 0; i < BED_HOSTS; i++) {
        address_parse(&bed->hosts[i].config.addresses[0], text[i]);
        address_parse(&bed->hosts[1 - i].peers[0].address, text[i]);
    }
}

void bed_restart(struct bed *bed, uint32_t index)
{
    struct bed_host *host = &bed->hosts[index];

    transport_destroy(host->transport);
    ck_assert_uint_eq(host->wheel.armed, 0);
    host->flow = NULL;
    host_start(host, bed->now);
}

void bed_reload(struct bed *bed, uint32_t index)
{
    struct bed_host *host = &bed->hosts[index];
    uint32_t id = host->flow ? flow_id(host->flow) : FLOW_ID_ANY;
    struct state_writer writer;
    struct state_reader reader;
    uint16_t type, version;

    state_writer_init(&writer);
    ck_assert_int_eq(transport_save(host->transport, &writer), 0);
    ck_assert_int_eq(state_writer_finish(&writer), 0);
    transport_destroy(host->transport);
    ck_assert_uint_eq(host->wheel.armed, 0);
    host_start(host, bed->now);
    ck_assert_int_eq(state_reader_init(&reader, writer.bytes, writer.length), 0);
    while (state_record_next(&reader, &type, &version))
        ck_assert_int_eq(transport_load_record(host->transport, &reader, type,
                                               bed->read_as ? bed->read_as : version, bed->now),
                         0);
    ck_assert_int_eq(reader.error, 0);
    state_writer_destroy(&writer);
    host->flow = transport_flow_by_id(host->transport, id);
    if (host->flow)
        flow_hold(host->flow);
}
