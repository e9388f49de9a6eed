/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A memif port goes over with its connection. In the brownout the newcomer maps the same memory; in
 * the blackout it learns the positions in the rings, and goes on there. A connection that was made
 * or lost in between is not the one that was offered: the newcomer begins without, and the other
 * side, if it is a client, comes again.
 */
#include "daemon/port_memif_private.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#define VERSION 1u

static struct port_memif *from_port(struct port *port)
{
    return (struct port_memif *)port;
}

/* ---- Offering ---- */

static void put_side(struct parcel_draft *draft, const struct memif_side *side)
{
    state_put_u32(&draft->state, side->region);
    state_put_u32(&draft->state, side->offset);
    state_put_u32(&draft->state, side->mask + 1u);
    parcel_put_fd(draft, side->bell);
}

static void put_connection(struct parcel_draft *draft, const struct memif_channel *channel)
{
    const struct memif_rings *rings = channel->rings;

    parcel_put_fd(draft, channel->fd);
    state_put_u32(&draft->state, rings->buffer_bytes);
    state_put_u64(&draft->state, rings->buffer_offset);
    state_put_u32(&draft->state, rings->region_count);
    for (uint32_t i = 0; i < rings->region_count; i++) {
        state_put_u64(&draft->state, rings->regions[i].bytes);
        parcel_put_fd(draft, rings->regions[i].fd);
    }
    put_side(draft, &rings->rx);
    put_side(draft, &rings->tx);
}

/* The number of the connection that is up; 0: there is none. */
static uint64_t present(const struct memif_channel *channel)
{
    return channel->stage == MEMIF_UP ? channel->number : 0;
}

static void memif_offer(const struct port *port, struct parcel_draft *draft)
{
    const struct port_memif *self = (const struct port_memif *)port;
    const struct memif_channel *channel = &self->channel;

    state_put_u32(&draft->state, port->mtu);
    state_put_u32(&draft->state, channel->config.id);
    state_put_u8(&draft->state, channel->config.server);
    if (channel->config.server)
        attach_offer(&channel->listener, draft);
    state_put_u64(&draft->state, present(channel));
    if (present(channel))
        put_connection(draft, channel);
}

/* ---- Adopting ---- */

static bool get_side(struct parcel *parcel, struct memif_rings *rings, bool rx)
{
    uint32_t region = state_get_u32(&parcel->state);
    uint32_t offset = state_get_u32(&parcel->state);
    uint32_t slots = state_get_u32(&parcel->state);
    int bell = parcel_get_fd(parcel);

    /* A number of slots that is no power of two is none that a ring can have. */
    if (slots == 0 || (slots & (slots - 1)) != 0)
        slots = 2u << MEMIF_LOG2_MAX;
    return !memif_rings_add_ring(rings, rx != rings->client, region, offset,
                                 (uint32_t)__builtin_ctz(slots), bell);
}

/* Buffers of the client's own, all of which lie in its one region. */
static bool has_buffers(const struct memif_rings *rings)
{
    uint64_t buffers = 2ull * (rings->rx.mask + 1u);

    return rings->region_count == 1 && rings->rx.mask == rings->tx.mask &&
           rings->buffer_bytes > 0 && rings->buffer_offset <= rings->regions[0].bytes &&
           buffers * rings->buffer_bytes <= rings->regions[0].bytes - rings->buffer_offset;
}

static bool get_memory(struct parcel *parcel, struct memif_rings *rings)
{
    struct state_reader *state = &parcel->state;
    uint32_t count;
    bool good = true;

    rings->buffer_bytes = state_get_u32(state);
    rings->buffer_offset = state_get_u64(state);
    count = state_get_u32(state);
    for (uint32_t i = 0; i < count && good && !state->error; i++) {
        uint64_t bytes = state_get_u64(state);

        good = !memif_rings_add_region(rings, i, bytes, parcel_get_fd(parcel));
    }
    good = good && get_side(parcel, rings, true) && get_side(parcel, rings, false);
    return good && !state->error && !memif_rings_check(rings) &&
           (!rings->client || has_buffers(rings));
}

/* Its descriptor has to be a connection of the kind that this one makes. */
static bool is_connection(int fd)
{
    int type = 0;
    socklen_t length = sizeof(type);

    return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) && type == SOCK_SEQPACKET;
}

static int get_connection(struct port_memif *self, struct parcel *parcel,
                          const struct reason *reason)
{
    struct memif_channel *channel = &self->channel;
    int error;

    channel->fd = parcel_get_fd(parcel);
    error = channel->fd >= 0 ? memif_rings_expect(&channel->rings) : -EBADMSG;
    if (!error) {
        channel->rings->client = !channel->config.server;
        if (!is_connection(channel->fd) || !get_memory(parcel, channel->rings))
            error = -EBADMSG;
    }
    if (error == -EBADMSG)
        return reason_set(reason, error, "socket %s: what was handed over as a connection is none",
                          channel->path);
    return error ? reason_set(reason, error, "socket %s: %s", channel->path, strerror(-error)) : 0;
}

static int get_port(struct port_memif *self, struct parcel *parcel, const struct reason *reason)
{
    struct memif_channel *channel = &self->channel;
    uint32_t mtu = state_get_u32(&parcel->state), id = state_get_u32(&parcel->state);
    bool server = state_get_u8(&parcel->state);
    int error = 0;

    if (parcel->state.error || mtu != self->port.mtu || id != channel->config.id ||
        server != channel->config.server)
        return reason_set(reason, -EINVAL,
                          "what was handed over is no memif %s with id %u and an MTU of %u",
                          channel->config.server ? "server" : "client", channel->config.id,
                          self->port.mtu);
    if (server)
        error = attach_adopt(&channel->listener, SOCK_SEQPACKET, channel->path, parcel,
                             reason->text, reason->bytes);
    if (error)
        return error;
    self->offered = state_get_u64(&parcel->state);
    return self->offered ? get_connection(self, parcel, reason) : 0;
}

int port_memif_adopt(struct port **port, const struct port_memif_config *config,
                     struct parcel *parcel, const struct reason *reason)
{
    struct port_memif *self;
    int error = port_memif_make(&self, config, reason);

    if (error)
        return error;
    self->lent = true;
    error = get_port(self, parcel, reason);
    if (error)
        self->port.ops->destroy(&self->port);
    else
        *port = &self->port;
    return error;
}

/* ---- Leaving and entering ---- */

static void memif_leave(struct port *port, struct state_writer *state)
{
    const struct port_memif *self = from_port(port);
    const struct memif_channel *channel = &self->channel;
    const struct memif_counts *counts = &self->counts;
    const uint64_t all[] = {
        counts->rx_packets, counts->tx_packets, counts->rx_no_memory, counts->rx_bad,
        counts->tx_odd,     counts->bells,      self->down,           channel->number,
    };
    uint64_t number = present(channel);

    state_put_counters(state, all, sizeof(all) / sizeof(all[0]));
    state_put_u64(state, number);
    state_put_u16(state, number ? channel->rings->rx.position : 0);
    state_put_u16(state, number ? channel->rings->tx.position : 0);
}

static int memif_enter(struct port *port, struct state_reader *state, const struct reason *reason)
{
    struct port_memif *self = from_port(port);
    struct memif_channel *channel = &self->channel;
    struct memif_counts *counts = &self->counts;
    uint64_t *const fields[] = {
        &counts->rx_packets, &counts->tx_packets, &counts->rx_no_memory, &counts->rx_bad,
        &counts->tx_odd,     &counts->bells,      &self->down,           &channel->number,
    };
    uint64_t all[sizeof(fields) / sizeof(fields[0])] = {0}, number;
    uint16_t rx, tx;

    state_get_counters(state, all, sizeof(all) / sizeof(all[0]));
    number = state_get_u64(state);
    rx = state_get_u16(state);
    tx = state_get_u16(state);
    if (state->error)
        return reason_set(reason, -EBADMSG, "what was handed over of it is damaged");
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        __atomic_store_n(fields[i], all[i], __ATOMIC_RELAXED);
    if (self->offered && number == self->offered && memif_rings_resume(channel->rings, rx, tx))
        return 0;
    memif_channel_abandon(channel);
    return 0;
}

static int memif_begin(struct port *port)
{
    struct port_memif *self = from_port(port);

    self->lent = false;
    return memif_channel_resume(&self->channel);
}

static void memif_settle(struct port *port)
{
    (void)port;
}

static int memif_resume(struct port *port, const struct reason *reason)
{
    (void)port;
    (void)reason;
    return 0;
}

/* Engines that never run again may have its packets still. */
static void memif_forget(struct port *port)
{
    memif_channel_forget(&from_port(port)->channel);
}

const struct port_handover_ops port_memif_handover = {
    .driver = "memif",
    .version = VERSION,
    .offer = memif_offer,
    .leave = memif_leave,
    .enter = memif_enter,
    .begin = memif_begin,
    .settle = memif_settle,
    .resume = memif_resume,
    .forget = memif_forget,
};
