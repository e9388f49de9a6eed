/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/port_impair.h"

#include <errno.h>
#include <rte_common.h>
#include <stdlib.h>

#define CAPACITY_DEFAULT 4096u
#define STEP             64u /* packets moved at a time, on the stack */

struct port_impair {
    struct port port; /* first: what users hold */
    struct port *inner;
    struct impair *receive;
    struct impair *send;
};

static struct port_impair *from_port(struct port *port)
{
    return (struct port_impair *)port;
}

/* Hands over what is due to leave, as far as the inner port has room. */
static void flush(struct port_impair *self, uint64_t now)
{
    struct rte_mbuf *packets[STEP];
    uint16_t count;

    do {
        uint16_t room = self->inner->ops->tx_room(self->inner);
        uint16_t sent;

        count = impair_pop(self->send, packets, RTE_MIN(room, STEP), now);
        sent = count ? self->inner->ops->tx_burst(self->inner, packets, count, now) : 0;
        rte_pktmbuf_free_bulk(packets + sent, (unsigned int)(count - sent));
    } while (count > 0);
}

static uint16_t port_impair_rx_burst(struct port *port, struct rte_mbuf **packets, uint16_t max,
                                     uint64_t now)
{
    struct port_impair *self = from_port(port);
    struct rte_mbuf *received[STEP];
    uint16_t count = RTE_MIN(max, STEP);

    flush(self, now);
    count = self->inner->ops->rx_burst(self->inner, received, count, now);
    impair_push(self->receive, received, count, now);
    return impair_pop(self->receive, packets, max, now);
}

static uint16_t port_impair_tx_burst(struct port *port, struct rte_mbuf **packets, uint16_t count,
                                     uint64_t now)
{
    struct port_impair *self = from_port(port);
    uint16_t taken = (uint16_t)RTE_MIN((uint32_t)count, impair_room(self->send));

    impair_push(self->send, packets, taken, now);
    flush(self, now);
    return taken;
}

static uint16_t port_impair_tx_room(struct port *port)
{
    struct port_impair *self = from_port(port);
    uint32_t inner = self->inner->ops->tx_room(self->inner);

    return (uint16_t)RTE_MIN(inner, impair_room(self->send));
}

static uint64_t port_impair_deadline(struct port *port)
{
    struct port_impair *self = from_port(port);
    uint64_t receive = impair_deadline(self->receive);
    uint64_t send = impair_deadline(self->send);
    uint64_t deadline = RTE_MIN(receive, send);

    if (self->inner->ops->deadline)
        deadline = RTE_MIN(deadline, self->inner->ops->deadline(self->inner));
    return deadline;
}

static int port_impair_arm(struct port *port)
{
    struct port *inner = from_port(port)->inner;

    return inner->ops->arm(inner);
}

static void port_impair_disarm(struct port *port)
{
    struct port *inner = from_port(port)->inner;

    inner->ops->disarm(inner);
}

static uint32_t port_impair_stats_of(const struct port *port, struct port_stat *stats, uint32_t max)
{
    const struct port *inner = ((const struct port_impair *)port)->inner;

    return inner->ops->stats ? inner->ops->stats(inner, stats, max) : 0;
}

static void free_self(struct port_impair *self)
{
    impair_destroy(self->receive);
    impair_destroy(self->send);
    free(self);
}

static void port_impair_destroy(struct port *port)
{
    struct port_impair *self = from_port(port);
    struct port *inner = self->inner;

    free_self(self);
    inner->ops->destroy(inner);
}

static const struct port_ops port_impair_ops = {
    .driver = "impair",
    .rx_burst = port_impair_rx_burst,
    .tx_burst = port_impair_tx_burst,
    .tx_room = port_impair_tx_room,
    .deadline = port_impair_deadline,
    .arm = port_impair_arm,
    .disarm = port_impair_disarm,
    .stats = port_impair_stats_of,
    .destroy = port_impair_destroy,
};

static const struct impair_config perfect;

int port_impair_create(struct port **port, struct port *inner,
                       const struct port_impair_config *config)
{
    struct port_impair *self = calloc(1, sizeof(*self));
    uint32_t capacity = config->capacity ? config->capacity : CAPACITY_DEFAULT;
    uint8_t seeds[2][RNG_SEED_BYTES];
    struct rng rng;
    int result;

    if (!self)
        return -ENOMEM;
    rng_init(&rng, config->seed);
    for (size_t i = 0; i < sizeof(seeds); i += sizeof(uint64_t)) {
        uint64_t value = rng_u64(&rng);

        memcpy((uint8_t *)seeds + i, &value, sizeof(value));
    }
    result = impair_create(&self->receive, config->receive ? config->receive : &perfect, seeds[0],
                           capacity, inner->pool);
    if (!result)
        result = impair_create(&self->send, config->send ? config->send : &perfect, seeds[1],
                               capacity, inner->pool);
    if (result) {
        free_self(self);
        return result;
    }
    self->port = *inner;
    self->port.ops = &port_impair_ops;
    self->inner = inner;
    *port = &self->port;
    return 0;
}

int port_impair_configure(struct port *port, const struct impair_config *receive,
                          const struct impair_config *send)
{
    struct port_impair *self = from_port(port);

    receive = receive ? receive : &perfect;
    send = send ? send : &perfect;
    if (impair_config_check(receive) || impair_config_check(send))
        return -EINVAL;
    impair_configure(self->receive, receive);
    impair_configure(self->send, send);
    return 0;
}

void port_impair_stats(const struct port *port, struct impair_stats *receive,
                       struct impair_stats *send)
{
    const struct port_impair *self = (const struct port_impair *)port;

    *receive = *impair_stats(self->receive);
    *send = *impair_stats(self->send);
}
