/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/system/stream.h"

#include "tests/system/xdp_bed.h"

#include <check.h>
#include <sched.h>
#include <string.h>

#define HEADERS    (RTE_ETHER_HDR_LEN + 28u) /* with IPv4 and UDP headers */
#define FRAME_ROOM 10240u

enum kind {
    DATA,
    ACKNOWLEDGE,
};

struct head {
    uint32_t kind;
    uint32_t number;
    uint32_t acknowledged; /* the next number wanted */
};

static uint32_t length_of(const struct port *port, uint32_t number)
{
    uint32_t least = HEADERS + (uint32_t)sizeof(struct head);

    return least + number * 7919u % (RTE_ETHER_HDR_LEN + port->mtu - least + 1);
}

static struct rte_mbuf *make_frame(struct rte_mempool *pool, enum side to, struct head head)
{
    struct rte_mbuf *packet = rte_pktmbuf_alloc(pool);
    uint32_t length = length_of(bed_ports[to], head.kind == DATA ? head.number : 0) - HEADERS;
    struct encap encap;
    uint8_t *bytes;

    ck_assert_ptr_nonnull(packet);
    bed_headers(&encap, to, BED_UDP_PORT, 0);
    bytes = (uint8_t *)rte_pktmbuf_append(packet, (uint16_t)length);
    ck_assert_ptr_nonnull(bytes);
    memcpy(bytes, &head, sizeof(head));
    memset(bytes + sizeof(head), (int)(head.number & 0xff), length - sizeof(head));
    ck_assert_int_eq(encap_apply(&encap, packet), 0);
    return packet;
}

static void check_frame(struct stream *stream, enum side at, const struct rte_mbuf *packet)
{
    static uint8_t room[FRAME_ROOM];
    uint32_t length = rte_pktmbuf_pkt_len(packet);
    uint32_t wrong = 0;
    const uint8_t *bytes;
    struct head head;

    ck_assert_uint_le(length, sizeof(room));
    ck_assert_uint_ge(length, HEADERS + sizeof(head));
    bytes = rte_pktmbuf_read(packet, 0, length, room);
    memcpy(&head, bytes + HEADERS, sizeof(head));
    if (head.acknowledged - stream->acknowledged <= STREAM_WINDOW + STREAM_EXTRA)
        stream->acknowledged = head.acknowledged;
    if (head.kind == ACKNOWLEDGE)
        return;
    ck_assert_msg(head.number == stream->received, "frame %u came, where %u was the next",
                  head.number, stream->received);
    ck_assert_uint_eq(length, length_of(bed_ports[at], head.number));
    for (uint32_t i = HEADERS + sizeof(head); i < length; i++)
        wrong += bytes[i] != (uint8_t)head.number;
    ck_assert_msg(wrong == 0, "%u bytes of frame %u are wrong", wrong, head.number);
    stream->received++;
}

static void receive(struct stream *stream, enum side at)
{
    struct port *port = bed_ports[at];
    struct rte_mbuf *packets[PORT_BURST];
    uint16_t count = port->ops->rx_burst(port, packets, PORT_BURST, bed_now());

    for (uint16_t i = 0; i < count; i++)
        check_frame(stream, at, packets[i]);
    rte_pktmbuf_free_bulk(packets, count);
    if (count == 0)
        sched_yield();
}

struct rte_mbuf *stream_next(struct stream *stream, enum side from)
{
    struct rte_mempool *pool = bed_ports[from]->pool;
    struct head head = {DATA, stream->sent++, stream->received};
    struct rte_mbuf *frame = make_frame(pool, !from, head);
    struct rte_mbuf *clone;

    if (head.number % 4)
        return frame;
    /* As for retransmission: the memory is another packet's than the one that is sent. */
    clone = rte_pktmbuf_clone(frame, pool);
    ck_assert_ptr_nonnull(clone);
    rte_pktmbuf_free(frame);
    return clone;
}

static void transmit(struct stream *stream, enum side from)
{
    struct port *port = bed_ports[from];
    uint16_t room = port->ops->tx_room(port);
    struct rte_mbuf *packets[PORT_BURST];
    uint16_t count = 0;

    while (!stream->quiet && stream->sent - stream->acknowledged < STREAM_WINDOW && count < room &&
           count < PORT_BURST)
        packets[count++] = stream_next(stream, from);
    if (count == 0 && room > 0 && stream->told != stream->received)
        packets[count++] =
            make_frame(port->pool, !from, (struct head){ACKNOWLEDGE, 0, stream->received});
    if (count == 0)
        return;
    stream->told = stream->received;
    ck_assert_uint_eq(port->ops->tx_burst(port, packets, count, bed_now()), count);
}

void stream_step(struct stream *stream, enum side side)
{
    receive(stream, side);
    transmit(stream, side);
}
