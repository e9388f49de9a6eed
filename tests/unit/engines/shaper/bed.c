/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/engines/shaper/bed.h"

#include "sched/state.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct bed bed;
static struct port real;
static struct fan *fan;
static const struct shape *policy_now;
static bool with_rest;
static uint64_t feed_at[FAN_MEMBERS_MAX], react_at[FAN_MEMBERS_MAX];
static uint32_t left[BED_SESSIONS], left_count; /* sessions that a packet has left of, lately */

static uint64_t look(void *arg)
{
    (void)arg;
    return bed.now;
}

const struct clock bed_clock = {.now = look};

static uint16_t rx_burst(struct port *port, struct rte_mbuf **packets, uint16_t max, uint64_t at)
{
    (void)port;
    (void)packets;
    (void)max;
    (void)at;
    return 0;
}

static void see(struct rte_mbuf *packet)
{
    struct bed_session *session = &bed.sessions[packet_tag(packet)->session];
    uint64_t number;

    memcpy(&number, rte_pktmbuf_mtod_offset(packet, void *, 64), sizeof(number));
    ck_assert_uint_gt(number, session->last); /* in order, none twice */
    session->last = number;
    if (!session->left)
        left[left_count++] = packet_tag(packet)->session;
    session->left = true;
    session->sent++;
    session->bytes += shape_wire_bytes(rte_pktmbuf_pkt_len(packet));
    bed.order++;
}

static uint16_t tx_burst(struct port *port, struct rte_mbuf **packets, uint16_t count, uint64_t at)
{
    (void)port;
    (void)at;
    ck_assert_uint_le(count, bed.room);
    for (uint16_t i = 0; i < count; i++)
        see(packets[i]);
    rte_pktmbuf_free_bulk(packets, count);
    if (bed.room != UINT16_MAX)
        bed.room -= count;
    return count;
}

static uint16_t tx_room(struct port *port)
{
    (void)port;
    return bed.room;
}

static int arm(struct port *port)
{
    (void)port;
    return 0;
}

static void disarm(struct port *port)
{
    (void)port;
}

static const struct port_ops real_ops = {
    .driver = "test",
    .rx_burst = rx_burst,
    .tx_burst = tx_burst,
    .tx_room = tx_room,
    .arm = arm,
    .disarm = disarm,
};

static void make(void)
{
    struct fan_config config = {.port = &real, .count = bed.members, .rest = with_rest};
    struct shaping_config shaping = {.members = bed.members + with_rest, .policy = policy_now};

    for (uint32_t i = 0; i < bed.members; i++)
        config.udp_ports[i] = (uint16_t)(7 + i);
    ck_assert_int_eq(fan_create(&fan, &config), 0);
    shaping.fan = fan;
    ck_assert_int_eq(shaping_create(&bed.shaping, &shaping), 0);
    ck_assert_int_eq(shaper_create(&bed.engine, "shaper", bed.shaping, &bed_clock), 0);
}

static void end(void)
{
    bed.engine->ops->destroy(bed.engine);
    shaping_destroy(bed.shaping);
    fan_destroy(fan);
}

static void make_all(const struct shape *policy, uint32_t members, uint32_t packets)
{
    memset(&bed, 0, sizeof(bed));
    left_count = 0;
    bed.now = 5 * NSEC_PER_SEC;
    bed.members = members;
    bed.feed_ns = NSEC_PER_MSEC;
    bed.room = UINT16_MAX;
    bed.pool = rte_pktmbuf_pool_create("shaper", packets, 0, 0, RTE_PKTMBUF_HEADROOM + BED_LARGEST,
                                       SOCKET_ID_ANY);
    ck_assert_ptr_nonnull(bed.pool);
    real = (struct port){.ops = &real_ops, .name = "real", .mtu = BED_MTU, .wake_fd = -1};
    real.pool = bed.pool;
    policy_now = policy;
    make();
}

void bed_make(const struct shape *policy, uint32_t members, uint32_t packets)
{
    with_rest = false;
    make_all(policy, members, packets);
}

void bed_make_with_rest(const struct shape *policy, uint32_t members, uint32_t packets)
{
    with_rest = true;
    make_all(policy, members, packets);
}

void bed_end(void)
{
    uint32_t size = bed.pool->size;

    end();
    ck_assert_uint_eq(rte_mempool_avail_count(bed.pool), size);
    rte_mempool_free(bed.pool);
}

void bed_restart(void)
{
    struct state_writer writer;
    struct state_reader reader;

    state_writer_init(&writer);
    ck_assert_int_eq(bed.engine->ops->save(bed.engine, &writer), 0);
    ck_assert_int_eq(state_writer_finish(&writer), 0);
    end();
    make();
    ck_assert_int_eq(state_reader_init(&reader, writer.bytes, writer.length), 0);
    ck_assert_int_eq(bed.engine->ops->load(bed.engine, &reader), 0);
    state_writer_destroy(&writer);
}

void bed_want(uint32_t number, uint32_t frame)
{
    bed.sessions[number].wants = frame > 0;
    bed.sessions[number].frame = frame;
}

bool bed_give(uint32_t number)
{
    struct bed_session *session = &bed.sessions[number];
    struct port *port = shaping_port(bed.shaping, number % bed.members);
    struct packet_tag tag = {
        .session = number,
        .uid = 1000 + number,
        .kind = number ? PACKET_SESSION : PACKET_CONTROL,
    };
    const struct packet_way way = {.dscp = (uint8_t)(number & 63)};
    struct rte_mbuf *packet;

    if (port->ops->tx_room(port) == 0 || port->ops->tx_room_for(port, &tag, &way) == 0)
        return false;
    packet = rte_pktmbuf_alloc(bed.pool);
    ck_assert_ptr_nonnull(packet);
    memset(rte_pktmbuf_append(packet, (uint16_t)session->frame), 0, session->frame);
    session->offered++;
    memcpy(rte_pktmbuf_mtod_offset(packet, void *, 64), &session->offered,
           sizeof(session->offered));
    *packet_tag(packet) = tag;
    ck_assert_uint_eq(port->ops->tx_burst(port, &packet, 1, bed.now), 1);
    return true;
}

static void feed(uint32_t number)
{
    while (bed.sessions[number].wants && bed_give(number))
        ;
}

/* Those of the member that a packet has left of. */
static void feed_left(uint32_t member)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < left_count; i++) {
        if (left[i] % bed.members != member) {
            left[kept++] = left[i];
            continue;
        }
        bed.sessions[left[i]].left = false;
        feed(left[i]);
    }
    left_count = kept;
}

/* Each member comes now and then for all of its sessions, ... */
static void feed_all(void)
{
    for (uint32_t i = 0; i < bed.members; i++) {
        if (react_at[i] <= bed.now) {
            react_at[i] = UINT64_MAX;
            feed_left(i);
        }
        if (feed_at[i] > bed.now)
            continue;
        for (uint32_t number = i; number < BED_SESSIONS; number += bed.members)
            feed(number);
        feed_at[i] = bed.now + bed.feed_ns;
    }
}

/* ... and a little after a packet of its has left. Returns when the next one comes. */
static uint64_t listen(void)
{
    uint64_t next = UINT64_MAX;

    for (uint32_t i = 0; i < left_count; i++) {
        uint32_t member = left[i] % bed.members;

        react_at[member] = RTE_MIN(react_at[member], bed.now + BED_REACT_NS);
    }
    for (uint32_t i = 0; i < bed.members; i++)
        next = RTE_MIN(next, RTE_MIN(feed_at[i], react_at[i]));
    return next;
}

void bed_step(void)
{
    mailbox_run(&bed.engine->mailbox, bed.engine);
    bed.engine->ops->run(bed.engine, bed.now, NSEC_PER_SEC);
}

/* To the engine's deadline, or `until`. */
static void sleep_until(uint64_t until)
{
    uint64_t deadline = bed.engine->ops->arm(bed.engine, bed.now);

    if (deadline == 0)
        return;
    bed.engine->ops->disarm(bed.engine);
    ck_assert_uint_gt(deadline, bed.now);
    bed.now = RTE_MIN(deadline, until);
}

void bed_run(uint64_t ns)
{
    uint64_t until = bed.now + ns;

    memset(feed_at, 0, sizeof(feed_at));
    memset(react_at, 0xff, sizeof(react_at));
    while (bed.now < until) {
        feed_all();
        bed_step();
        sleep_until(RTE_MIN(until, listen()));
    }
}

void bed_drain(uint64_t ns)
{
    uint64_t until = bed.now + ns;

    for (uint32_t i = 0; i < BED_SESSIONS; i++)
        bed.sessions[i].wants = false;
    while (bed.now < until) {
        bed_step();
        sleep_until(until);
    }
    for (uint32_t i = 0; i < BED_SESSIONS; i++)
        ck_assert_uint_eq(bed.sessions[i].offered, bed.sessions[i].sent);
}

void bed_count(void)
{
    for (uint32_t i = 0; i < BED_SESSIONS; i++)
        bed.sessions[i].bytes = 0;
}

double bed_rate(uint32_t number, uint64_t ns)
{
    return (double)bed.sessions[number].bytes * 8 * (double)NSEC_PER_SEC / (double)ns;
}
