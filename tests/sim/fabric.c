/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/fabric.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PS_PER_BYTE    320u /* 25 Gbit/s */
#define FRAMING        24u  /* bytes of preamble, checksum and gap beside each frame */
#define ETHERNET       14u  /* bytes of header */
#define ACK_FRAME      108u /* bytes of an acknowledgement with its headers and framing */
#define PORT_AHEAD     16u  /* packets of the largest size that a transmitter takes ahead */
#define LOOK_COST_NS   10u  /* modelled: reading the clock */
#define BURST_COST_NS  20u  /* modelled: a look at the port */
#define PACKET_COST_NS 50u  /* modelled: one packet in or out */
#define RUN_COST_NS    100u /* modelled: one turn of the loop */
#define TIMERS_MAX     256u /* of one turn */
#define OPEN_NS_MAX    (20 * MSEC)
#define MAC_FIRST      0x02 /* a locally administered address */

enum stream { STREAM_PLAN = 1, STREAM_LOSS, STREAM_ENGINES = 1000 };

void *fabric_zalloc(size_t bytes)
{
    void *memory = NULL;
    if (posix_memalign(&memory, 64, bytes))
        abort();
    return memset(memory, 0, bytes);
}

static uint64_t wire_ns(uint64_t bytes)
{
    return bytes * PS_PER_BYTE / 1000;
}

double fabric_goodput(uint64_t bytes, uint64_t ns)
{
    return (double)bytes * PS_PER_BYTE / 1000 / (double)ns;
}

/* ---- Links and the switch ---- */

static void deliver(struct fabric_engine *engine, struct rte_mbuf *packet)
{
    if (engine->head - engine->tail == FABRIC_RING) {
        engine->overflowed++;
        rte_pktmbuf_free(packet);
        return;
    }
    engine->ring[engine->head++ % FABRIC_RING] = packet;
    fabric_wake(engine);
}

static void lane_fire(void *arg, uint64_t now);

static void lane_put(struct fabric_lane *lane, struct rte_mbuf *packet, uint32_t engine,
                     uint64_t time)
{
    if (lane->head - lane->tail == FABRIC_LANE)
        abort();
    uint32_t place = lane->head++ % FABRIC_LANE;
    lane->flights[place].packet = packet;
    lane->flights[place].engine = engine;
    lane->flights[place].time = time;
    alarm_set(&lane->fabric->events, &lane->alarm, lane->flights[lane->tail % FABRIC_LANE].time,
              lane_fire, lane);
}

uint64_t fabric_queue_ns(const struct fabric *fabric, uint32_t host)
{
    uint64_t free_ns = fabric->hosts[host].down.free_ns, now = fabric->events.now;
    return free_ns > now ? free_ns - now : 0;
}

/* A packet enters the switch. */
static void forward(struct fabric *fabric, struct rte_mbuf *packet, uint32_t engine, uint64_t now)
{
    uint32_t host = fabric->engines[engine]->host;
    struct fabric_lane *lane = &fabric->hosts[host].down;
    uint64_t own = wire_ns(rte_pktmbuf_pkt_len(packet) + FRAMING);
    bool lost = rng_chance(&fabric->loss, fabric->config.loss_ppm);
    bool full = fabric_queue_ns(fabric, host) + own > fabric->config.queue_ns;
    if (lost || full) {
        fabric->lost += lost;
        fabric->hosts[host].dropped += !lost;
        rte_pktmbuf_free(packet);
        return;
    }
    lane->free_ns = RTE_MAX(lane->free_ns, now) + own;
    lane_put(lane, packet, engine, lane->free_ns + fabric->hosts[host].propagation_ns);
}

static bool is_down(const struct fabric_lane *lane)
{
    size_t offset = (size_t)((const char *)lane - (const char *)lane->fabric->hosts);
    return offset % sizeof(struct fabric_host) == offsetof(struct fabric_host, down);
}

static void lane_fire(void *arg, uint64_t now)
{
    struct fabric_lane *lane = arg;
    if (!alarm_due(&lane->alarm, now))
        return;
    while (lane->tail != lane->head && lane->flights[lane->tail % FABRIC_LANE].time <= now) {
        uint32_t place = lane->tail++ % FABRIC_LANE;
        struct rte_mbuf *packet = lane->flights[place].packet;
        uint32_t engine = lane->flights[place].engine;
        if (is_down(lane))
            deliver(lane->fabric->engines[engine], packet);
        else
            forward(lane->fabric, packet, engine, now);
    }
    if (lane->tail != lane->head)
        alarm_set(&lane->fabric->events, &lane->alarm, lane->flights[lane->tail % FABRIC_LANE].time,
                  lane_fire, lane);
}

/* ---- Ports ---- */

static void mac_of(struct rte_ether_addr *mac, uint32_t engine)
{
    *mac = (struct rte_ether_addr){{MAC_FIRST, 0, 0, 0, 0, (uint8_t)engine}};
}

static uint16_t rx_burst(struct port *port, struct rte_mbuf **packets, uint16_t max, uint64_t now)
{
    struct fabric_engine *engine = (struct fabric_engine *)port;
    (void)now;
    uint16_t count = 0;
    while (count < max && engine->tail != engine->head)
        packets[count++] = engine->ring[engine->tail++ % FABRIC_RING];
    engine->time += BURST_COST_NS + count * PACKET_COST_NS;
    return count;
}

static struct fabric_lane *uplink(const struct fabric_engine *engine)
{
    return &engine->fabric->hosts[engine->host].up;
}

static uint16_t tx_room(struct port *port)
{
    struct fabric_engine *engine = (struct fabric_engine *)port;
    uint64_t one = wire_ns(FABRIC_MTU + ETHERNET + FRAMING), free_ns = uplink(engine)->free_ns;
    uint64_t ahead = free_ns > engine->time ? (free_ns - engine->time) / one : 0;
    return ahead < PORT_AHEAD ? (uint16_t)(PORT_AHEAD - ahead) : 0;
}

/* What is sent is handed on as it is: whoever keeps a packet does not change it meanwhile. */
static uint16_t tx_burst(struct port *port, struct rte_mbuf **packets, uint16_t count, uint64_t now)
{
    struct fabric_engine *engine = (struct fabric_engine *)port;
    struct fabric_lane *lane = uplink(engine);
    (void)now;
    for (uint16_t i = 0; i < count; i++) {
        const struct rte_ether_hdr *ether =
            rte_pktmbuf_mtod(packets[i], const struct rte_ether_hdr *);
        uint32_t to = ether->dst_addr.addr_bytes[RTE_ETHER_ADDR_LEN - 1];
        lane->free_ns = RTE_MAX(lane->free_ns, engine->time) +
                        wire_ns(rte_pktmbuf_pkt_len(packets[i]) + FRAMING);
        lane_put(lane, packets[i], to,
                 lane->free_ns + engine->fabric->hosts[engine->host].propagation_ns);
        engine->time += PACKET_COST_NS;
    }
    return count;
}

static const struct port_ops port_ops = {
    .driver = "fabric",
    .rx_burst = rx_burst,
    .tx_burst = tx_burst,
    .tx_room = tx_room,
};

/* ---- Threads ---- */

static uint64_t clock_look(void *arg)
{
    struct fabric_engine *engine = arg;
    return engine->time += LOOK_COST_NS;
}

static void clock_take(void *arg, uint32_t cost_ns)
{
    ((struct fabric_engine *)arg)->time += cost_ns;
}

static void turn(void *arg, uint64_t now);

static void turn_at(struct fabric_engine *engine, uint64_t time)
{
    alarm_set(&engine->fabric->events, &engine->alarm, RTE_MAX(time, engine->busy_until), turn,
              engine);
}

void fabric_wake(struct fabric_engine *engine)
{
    turn_at(engine, engine->fabric->events.now);
}

void fabric_stall(struct fabric *fabric, uint32_t index, uint64_t until)
{
    struct fabric_engine *engine = fabric->engines[index];
    engine->busy_until = RTE_MAX(engine->busy_until, until);
}

/* One turn of a spinning thread, which is left out as long as it would find nothing. */
static void turn(void *arg, uint64_t now)
{
    struct fabric_engine *engine = arg;
    if (!alarm_due(&engine->alarm, now))
        return;
    if (now < engine->busy_until) {
        turn_at(engine, engine->busy_until);
        return;
    }
    engine->time = now;
    /* It spun until now; or it was busy, or stalled, and what has come has waited. */
    if (now > engine->busy_until)
        transport_watched(engine->transport, now);
    uint32_t work = transport_receive(engine->transport, engine->time);
    work += wheel_advance(&engine->wheel, engine->time, TIMERS_MAX);
    work += transport_send(engine->transport, engine->time, engine->time + ENGINE_BUDGET_NS);
    engine->time += RUN_COST_NS;
    engine->busy_until = engine->time;
    uint64_t next = wheel_next(&engine->wheel);
    if (work > 0 || engine->tail != engine->head || transport_pending(engine->transport))
        turn_at(engine, engine->time);
    else if (next != UINT64_MAX)
        turn_at(engine, next);
}

void fabric_run(struct fabric *fabric, uint64_t until)
{
    while (events_step(&fabric->events, until))
        ;
    fabric->events.now = RTE_MAX(fabric->events.now, until);
}

/* ---- Making and ending ---- */

static void address_of(uint32_t engine, struct address *address)
{
    char text[ADDRESS_TEXT_BYTES];
    snprintf(text, sizeof(text), "10.0.0.%u", engine + 1);
    if (address_parse(address, text))
        abort();
}

static void make_transport(struct fabric_engine *engine)
{
    static struct transport_peer peers[FABRIC_ENGINES_MAX];
    const struct fabric *fabric = engine->fabric;
    for (uint32_t i = 0; i < fabric->engine_count; i++) {
        memset(&peers[i], 0, sizeof(peers[i]));
        address_of(i, &peers[i].address);
        mac_of(&peers[i].mac, i);
    }
    struct transport_config config = {
        .address_count = 1,
        .peers = peers,
        .peer_count = fabric->engine_count,
        .flows_max = FABRIC_ENGINES_MAX,
        .cc = fabric->config.cc,
    };
    address_of(engine->index, &config.addresses[0]);
    if (transport_create(&engine->transport, &config, &engine->port, &engine->clock, &engine->rng,
                         &engine->wheel, &fabric_upper_ops, engine))
        abort();
}

static void make_engine(struct fabric *fabric, uint32_t index, struct rte_mempool *pool)
{
    struct fabric_engine *engine = fabric_zalloc(sizeof(*engine));
    fabric->engines[index] = engine;
    engine->fabric = fabric;
    engine->index = index;
    engine->host = index % fabric->config.hosts;
    engine->clock = (struct clock){.now = clock_look, .charge = clock_take, .arg = engine};
    engine->port = (struct port){.ops = &port_ops, .mtu = FABRIC_MTU, .wake_fd = -1, .pool = pool};
    mac_of(&engine->port.mac, index);
    alarm_init(&engine->alarm);
    rng_init_u64(&engine->rng, fabric->config.seed, STREAM_ENGINES + index);
    wheel_init(&engine->wheel, fabric->events.now);
}

/* The part of a link in the round trip to a host of FABRIC_RTT_NS: both links are passed twice. */
static uint64_t propagation(uint64_t rtt_ns)
{
    uint64_t fixed = 2 * (wire_ns(FABRIC_MTU + ETHERNET + FRAMING) + wire_ns(ACK_FRAME));
    return (rtt_ns - fixed) / 2 - (FABRIC_RTT_NS - fixed) / 4;
}

struct fabric *fabric_create(const struct fabric_config *config, struct rte_mempool *pool)
{
    struct fabric *fabric = fabric_zalloc(sizeof(*fabric));
    fabric->config = *config;
    events_init(&fabric->events);
    rng_init_u64(&fabric->plan, config->seed, STREAM_PLAN);
    rng_init_u64(&fabric->loss, config->seed, STREAM_LOSS);
    fabric->engine_count = config->probers ? 2 * config->hosts : config->hosts;
    fabric->message_count = 1;
    for (uint32_t i = 0; i < config->hosts; i++) {
        struct fabric_host *host = &fabric->hosts[i];
        host->up.fabric = host->down.fabric = fabric;
        alarm_init(&host->up.alarm);
        alarm_init(&host->down.alarm);
        host->propagation_ns = propagation(config->rtt_ns[i] ? config->rtt_ns[i] : FABRIC_RTT_NS);
    }
    for (uint32_t i = 0; i < fabric->engine_count; i++)
        make_engine(fabric, i, pool);
    for (uint32_t i = 0; i < fabric->engine_count; i++)
        make_transport(fabric->engines[i]);
    return fabric;
}

static void free_lane(struct fabric_lane *lane)
{
    for (; lane->tail != lane->head; lane->tail++)
        rte_pktmbuf_free(lane->flights[lane->tail % FABRIC_LANE].packet);
}

void fabric_destroy(struct fabric *fabric)
{
    for (uint32_t i = 0; i < fabric->engine_count; i++) {
        struct fabric_engine *engine = fabric->engines[i];
        transport_destroy(engine->transport);
        for (; engine->tail != engine->head; engine->tail++)
            rte_pktmbuf_free(engine->ring[engine->tail % FABRIC_RING]);
        free(engine);
    }
    for (uint32_t i = 0; i < fabric->config.hosts; i++) {
        free_lane(&fabric->hosts[i].up);
        free_lane(&fabric->hosts[i].down);
    }
    events_fini(&fabric->events);
    free(fabric->messages);
    free(fabric->next);
    free(fabric);
}

void fabric_call(struct fabric *fabric, uint32_t from, uint32_t to)
{
    struct fabric_engine *engine = fabric->engines[from];
    struct address address;
    if (engine->pairs[to].flow)
        return;
    address_of(to, &address);
    engine->time = fabric->events.now;
    if (transport_flow(engine->transport, &address, engine->time, &engine->pairs[to].flow))
        abort();
    fabric_wake(engine);
}

void fabric_connect(struct fabric *fabric, uint32_t from, uint32_t to)
{
    uint64_t end = fabric->events.now + OPEN_NS_MAX;
    fabric_call(fabric, from, to);
    const struct flow *flow = fabric->engines[from]->pairs[to].flow;
    while (!flow_is_open(flow) && events_step(&fabric->events, end))
        ;
    if (!flow_is_open(flow))
        abort();
}

/* ---- Sums ---- */

uint64_t fabric_resent(const struct fabric *fabric)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < fabric->engine_count; i++)
        sum += transport_stats(fabric->engines[i]->transport)->retransmissions;
    return sum;
}

uint64_t fabric_timeouts(const struct fabric *fabric)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < fabric->engine_count; i++)
        sum += transport_stats(fabric->engines[i]->transport)->timeouts;
    return sum;
}

uint64_t fabric_dropped(const struct fabric *fabric)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < fabric->config.hosts; i++)
        sum += fabric->hosts[i].dropped;
    for (uint32_t i = 0; i < fabric->engine_count; i++)
        sum += fabric->engines[i]->overflowed;
    return sum;
}
