/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/port_xdp.h"

#include "daemon/ethdev.h"
#include "daemon/port_xdp_private.h"
#include "sched/clock.h"

#include <errno.h>
#include <rte_ether.h>
#include <stdlib.h>
#include <unistd.h>

#define REFILL_PACKETS 64u /* given to the kernel at a time */
/* After the kernel refused to send: one that is busy is asked again soon, one whose link is down
 * seldom. */
#define RETRY_NS      (20 * NSEC_PER_USEC)
#define RETRY_DOWN_NS (10 * NSEC_PER_MSEC)

static struct port_xdp *from_port(struct port *port)
{
    return (struct port_xdp *)port;
}

static void add(_Atomic uint64_t *counter, uint64_t more)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more,
                          memory_order_relaxed);
}

void port_xdp_refill(struct port_xdp *self, struct xdp_queue *queue)
{
    struct rte_mbuf *packets[REFILL_PACKETS];
    uint32_t count = RTE_MIN(self->level - queue->posted, REFILL_PACKETS);

    if (count == 0 || rte_pktmbuf_alloc_bulk(self->port.pool, packets, count))
        return;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t address = frames_address(&self->frames, packets[i]);

        self->posted[frames_buffer(&self->frames, address)] = true;
        *xsk_ring_next_address(&queue->xsk.fill) = address;
    }
    queue->posted += count;
    xsk_ring_publish(&queue->xsk.fill);
    if (xsk_ring_wants_kick(&queue->xsk.fill)) {
        xsk_kick_fill(&queue->xsk);
        add(&self->counters.kicks, 1);
    }
}

struct rte_mbuf *port_xdp_take(struct port_xdp *self, uint64_t address, uint32_t length)
{
    struct rte_mbuf *packet = frames_packet(&self->frames, address);

    self->posted[frames_buffer(&self->frames, address)] = false;
    packet->data_off = (uint16_t)(self->frames.base + address - (const uint8_t *)packet->buf_addr);
    packet->data_len = (uint16_t)length;
    packet->pkt_len = length;
    return packet;
}

void port_xdp_join(struct xdp_queue *queue, struct rte_mbuf *piece)
{
    if (!queue->head) {
        queue->head = piece;
    } else {
        queue->last->next = piece;
        queue->head->nb_segs++;
        queue->head->pkt_len += piece->pkt_len;
    }
    queue->last = piece;
}

static uint16_t receive(struct port_xdp *self, struct xdp_queue *queue, struct rte_mbuf **packets,
                        uint16_t max)
{
    struct xsk_ring *rx = &queue->xsk.rx;
    uint32_t ready = xsk_ring_ready(rx);
    uint32_t taken = 0;
    uint16_t count = 0;

    for (; taken < ready && count < max; taken++) {
        const struct xdp_desc *descriptor = xsk_ring_next(rx);

        port_xdp_join(queue, port_xdp_take(self, descriptor->addr, descriptor->len));
        if (descriptor->options & XDP_PKT_CONTD)
            continue;
        packets[count++] = queue->head;
        queue->head = NULL;
    }
    if (taken > 0) {
        xsk_ring_release(rx);
        queue->posted -= taken;
    }
    port_xdp_refill(self, queue);
    return count;
}

/* Gets back what has left. */
static void land(struct port_xdp *self)
{
    struct xsk_ring *done = &self->queues[0].xsk.done;
    uint32_t ready = xsk_ring_ready(done);

    if (ready == 0)
        return;
    for (uint32_t i = 0; i < ready; i++)
        flights_land(&self->flights, frames_buffer(&self->frames, *xsk_ring_next_address(done)));
    xsk_ring_release(done);
}

/* The port's one system call of a burst. What the kernel does not take now it is offered again: at
 * once if it took some, since it takes only so many at a time. */
static void kick(struct port_xdp *self, uint64_t now)
{
    const struct xsk *xsk = &self->queues[0].xsk;
    uint32_t room = xsk_ring_room(&xsk->tx);
    int error = xsk_kick_tx(xsk);

    add(&self->counters.kicks, 1);
    self->retry_ns = UINT64_MAX;
    if (error == -EAGAIN || error == -EBUSY || error == -ENOBUFS) {
        self->retry_ns = now + (xsk_ring_room(&xsk->tx) > room ? 0 : RETRY_NS);
    } else if (error) {
        self->retry_ns = now + RETRY_DOWN_NS;
        add(&self->counters.down, 1);
    }
}

/* Offers again what the kernel has left in the ring. */
static void retry(struct port_xdp *self, uint64_t now)
{
    struct xsk_ring *tx = &self->queues[0].xsk.tx;

    if (!xsk_ring_waits(tx))
        self->retry_ns = UINT64_MAX;
    else if (now >= self->retry_ns && xsk_ring_wants_kick(tx))
        kick(self, now);
}

static uint16_t port_xdp_rx_burst(struct port *port, struct rte_mbuf **packets, uint16_t max,
                                  uint64_t now)
{
    struct port_xdp *self = from_port(port);
    uint16_t count = 0;

    land(self);
    retry(self, now);
    for (uint32_t i = 0; i < self->queue_count && count < max; i++) {
        struct xdp_queue *queue = &self->queues[self->next_queue];

        count = (uint16_t)(count + receive(self, queue, packets + count, (uint16_t)(max - count)));
        self->next_queue = self->next_queue + 1 < self->queue_count ? self->next_queue + 1 : 0;
    }
    if (count > 0)
        add(&self->counters.rx_packets, count);
    return count;
}

/* The packet in memory that the kernel sees, or NULL if there is no buffer for a copy. */
static struct rte_mbuf *settle(struct port_xdp *self, struct rte_mbuf *packet)
{
    uint32_t length = rte_pktmbuf_pkt_len(packet);
    struct rte_mbuf *copy;
    const void *data;

    if (likely(rte_pktmbuf_is_contiguous(packet) &&
               frames_hold(&self->frames, rte_pktmbuf_mtod(packet, const void *), length)))
        return packet;
    copy = rte_pktmbuf_alloc(self->port.pool);
    if (!copy)
        return NULL;
    data = rte_pktmbuf_read(packet, 0, length, rte_pktmbuf_mtod(copy, void *));
    if (data != rte_pktmbuf_mtod(copy, void *))
        memcpy(rte_pktmbuf_mtod(copy, void *), data, length);
    rte_pktmbuf_append(copy, (uint16_t)length);
    rte_pktmbuf_free(packet);
    add(&self->counters.copied, 1);
    return copy;
}

/* One descriptor for each chunk that the packet touches. */
static void describe(struct port_xdp *self, struct rte_mbuf *packet)
{
    struct xsk_ring *tx = &self->queues[0].xsk.tx;
    uint64_t address = (uint64_t)(rte_pktmbuf_mtod(packet, const uint8_t *) - self->frames.base);
    uint32_t buffer = frames_buffer(&self->frames, address);
    uint32_t left = rte_pktmbuf_pkt_len(packet);
    uint32_t descriptors = 0;

    while (left > 0) {
        uint32_t room = XSK_CHUNK_BYTES - (uint32_t)(address % XSK_CHUNK_BYTES);
        uint32_t length = RTE_MIN(left, room);

        left -= length;
        *xsk_ring_next(tx) = (struct xdp_desc){
            .addr = address,
            .len = length,
            .options = left > 0 ? XDP_PKT_CONTD : 0,
        };
        address += length;
        descriptors++;
    }
    flights_add(&self->flights, buffer, packet, descriptors);
}

/* Descriptors that a packet of any size may still take. */
static uint32_t descriptors_room(const struct port_xdp *self)
{
    return RTE_MIN(self->flights.room, xsk_ring_room(&self->queues[0].xsk.tx));
}

/* No frame, or one that fits into no buffer. */
static bool is_odd(const struct port_xdp *self, const struct rte_mbuf *packet)
{
    uint32_t length = rte_pktmbuf_pkt_len(packet);

    return length < RTE_ETHER_HDR_LEN || length > self->frame_max;
}

static uint16_t port_xdp_tx_burst(struct port *port, struct rte_mbuf **packets, uint16_t count,
                                  uint64_t now)
{
    struct port_xdp *self = from_port(port);
    uint16_t odd = 0;
    uint16_t sent = 0;

    land(self);
    for (; sent < count && descriptors_room(self) >= self->chunks; sent++) {
        struct rte_mbuf *packet = packets[sent];

        if (unlikely(is_odd(self, packet))) {
            rte_pktmbuf_free(packet);
            odd++;
            continue;
        }
        packet = settle(self, packet);
        if (!packet)
            break;
        describe(self, packet);
    }
    if (odd > 0)
        add(&self->counters.odd, odd);
    if (sent == odd)
        return sent;
    add(&self->counters.tx_packets, (uint64_t)sent - odd);
    xsk_ring_publish(&self->queues[0].xsk.tx);
    if (xsk_ring_wants_kick(&self->queues[0].xsk.tx))
        kick(self, now);
    return sent;
}

static uint16_t port_xdp_tx_room(struct port *port)
{
    struct port_xdp *self = from_port(port);

    land(self);
    return (uint16_t)RTE_MIN(descriptors_room(self) / self->chunks, UINT16_MAX);
}

static uint64_t port_xdp_deadline(struct port *port)
{
    return from_port(port)->retry_ns;
}

/* A socket rings whoever waits for it, armed or not. */
static int port_xdp_arm(struct port *port)
{
    struct port_xdp *self = from_port(port);

    for (uint32_t i = 0; i < self->queue_count; i++) {
        if (xsk_ring_ready(&self->queues[i].xsk.rx) > 0)
            return 1;
    }
    return 0;
}

static void port_xdp_disarm(struct port *port)
{
    (void)port;
}

/* What the kernel counted, of all sockets. */
static void add_statistics(const struct port_xdp *self, struct xdp_statistics *sum)
{
    for (uint32_t i = 0; i < self->queue_count; i++) {
        struct xdp_statistics one;

        if (xsk_statistics(&self->queues[i].xsk, &one))
            continue;
        sum->rx_dropped += one.rx_dropped;
        sum->rx_invalid_descs += one.rx_invalid_descs;
        sum->tx_invalid_descs += one.tx_invalid_descs;
        sum->rx_ring_full += one.rx_ring_full;
        sum->rx_fill_ring_empty_descs += one.rx_fill_ring_empty_descs;
    }
}

static uint32_t port_xdp_stats(const struct port *port, struct port_stat *stats, uint32_t max)
{
    const struct port_xdp *self = (const struct port_xdp *)port;
    const struct port_xdp_counters *counters = &self->counters;
    struct xdp_statistics kernel = {0};
    uint64_t claims[CLAIM_COUNTERS];

    add_statistics(self, &kernel);
    xdp_program_counts(&self->program, claims);

    const struct port_stat all[] = {
        {"rx_packets", atomic_load_explicit(&counters->rx_packets, memory_order_relaxed)},
        {"tx_packets", atomic_load_explicit(&counters->tx_packets, memory_order_relaxed)},
        {"tx_copied", atomic_load_explicit(&counters->copied, memory_order_relaxed)},
        {"tx_odd_length", atomic_load_explicit(&counters->odd, memory_order_relaxed)},
        {"tx_down", atomic_load_explicit(&counters->down, memory_order_relaxed)},
        {"kicks", atomic_load_explicit(&counters->kicks, memory_order_relaxed)},
        {"claimed", self->claims_before[CLAIM_TAKEN] + claims[CLAIM_TAKEN]},
        {"claimed_no_socket", self->claims_before[CLAIM_NO_SOCKET] + claims[CLAIM_NO_SOCKET]},
        {"kernel_rx_dropped", kernel.rx_dropped},
        {"kernel_rx_ring_full", kernel.rx_ring_full},
        {"kernel_rx_no_buffer", kernel.rx_fill_ring_empty_descs},
        {"kernel_rx_invalid", kernel.rx_invalid_descs},
        {"kernel_tx_invalid", kernel.tx_invalid_descs},
    };
    const uint32_t count = sizeof(all) / sizeof(all[0]);

    memcpy(stats, all, RTE_MIN(count, max) * sizeof(all[0]));
    return count;
}

static void free_posted(struct port_xdp *self)
{
    for (uint32_t i = 0; self->posted && i < self->frames.buffers; i++) {
        if (self->posted[i])
            rte_pktmbuf_free_seg(
                frames_packet(&self->frames, (uint64_t)i * self->frames.buffer_bytes));
    }
}

void port_xdp_close(struct port_xdp *self)
{
    xdp_program_close(&self->program);
    if (self->queue_count > 1 && self->port.wake_fd >= 0)
        close(self->port.wake_fd);
    for (uint32_t i = 0; i < self->queue_count; i++)
        xsk_close(&self->queues[i].xsk);
}

void port_xdp_free(struct port_xdp *self)
{
    flights_forget(&self->flights);
    free(self->posted);
    free(self->held);
    free(self->claims);
    free(self);
}

static void port_xdp_destroy(struct port *port)
{
    struct port_xdp *self = from_port(port);

    port_xdp_close(self);
    for (uint32_t i = 0; i < self->queue_count; i++)
        rte_pktmbuf_free(self->queues[i].head);
    free_posted(self);
    flights_destroy(&self->flights);
    frames_destroy(&self->frames);
    port_xdp_free(self);
}

const struct port_ops port_xdp_ops = {
    .driver = "xdp",
    .rx_burst = port_xdp_rx_burst,
    .tx_burst = port_xdp_tx_burst,
    .tx_room = port_xdp_tx_room,
    .deadline = port_xdp_deadline,
    .arm = port_xdp_arm,
    .disarm = port_xdp_disarm,
    .stats = port_xdp_stats,
    .destroy = port_xdp_destroy,
};
