/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/log.h"
#include "daemon/port_xdp_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VERSION    1u
#define PIECES_MAX 64u /* of a packet: the kernel makes no more than 18 */
#define BYTE_BITS  8u

/* The rings of a socket, in the order in which they are written down. */
enum ring {
    RING_RX,
    RING_TX,
    RING_FILL,
    RING_DONE,
    RINGS,
};

/* What is offered, as it is described. */
struct offered {
    uint32_t ifindex, mtu, vlan;
    uint32_t reserved; /* bytes of each buffer that are not the kernel's */
    uint32_t chunks, buffers, level, slots, queues;
};

static const struct port_xdp *from_port(const struct port *port)
{
    return (const struct port_xdp *)port;
}

static const struct xsk_ring *ring_of(const struct xdp_queue *queue, enum ring ring)
{
    const struct xsk *xsk = &queue->xsk;
    const struct xsk_ring *const rings[RINGS] = {&xsk->rx, &xsk->tx, &xsk->fill, &xsk->done};

    return rings[ring];
}

/* ---- Offering ---- */

static void put_text(struct state_writer *state, const char *text)
{
    state_put_bytes(state, text, (uint32_t)strlen(text));
}

static void put_offered(struct state_writer *state, const struct port_xdp *self)
{
    const uint32_t numbers[] = {
        self->ifindex,     self->port.mtu,       self->vlan,  frames_reserved(),
        self->chunks,      self->frames.buffers, self->level, self->queues[0].xsk.rx.slots,
        self->queue_count,
    };

    put_text(state, self->port.name);
    put_text(state, self->interface);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        state_put_u32(state, numbers[i]);
}

static void put_claims(struct state_writer *state, const struct port_xdp *self)
{
    state_put_u32(state, self->claim_count);
    for (uint32_t i = 0; i < self->claim_count; i++) {
        const struct claim *claim = &self->claims[i];

        state_put_bytes(state, claim->address.bytes, sizeof(claim->address.bytes));
        state_put_u16(state, claim->port);
        state_put_u8(state, claim->protocol);
    }
}

static void xdp_offer(const struct port *port, struct parcel_draft *draft)
{
    const struct port_xdp *self = from_port(port);

    put_offered(&draft->state, self);
    put_claims(&draft->state, self);
    parcel_put_fd(draft, self->frames.fd);
    parcel_put_fd(draft, self->program.link);
    for (uint32_t i = 0; i < self->queue_count; i++)
        parcel_put_fd(draft, self->queues[i].xsk.fd);
}

/* ---- Adopting ---- */

static int damaged(const struct reason *reason)
{
    return reason_set(reason, -EBADMSG, "what was handed over of it is damaged");
}

/* Does the text come next? */
static bool text_is(struct state_reader *state, const char *wanted)
{
    uint32_t length;
    const void *text = state_get_bytes(state, (uint32_t)strlen(wanted), &length);

    return text && length == strlen(wanted) && !memcmp(text, wanted, length);
}

static int get_offered(const struct port_xdp_making *making, struct state_reader *state,
                       struct offered *offered)
{
    uint32_t *numbers[] = {
        &offered->ifindex, &offered->mtu,   &offered->vlan,  &offered->reserved, &offered->chunks,
        &offered->buffers, &offered->level, &offered->slots, &offered->queues,
    };

    if (!text_is(state, making->config->name) || !text_is(state, making->config->interface))
        return reason_set(making->reason, -EINVAL, "what was handed over is not the port %s on %s",
                          making->config->name, making->config->interface);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        *numbers[i] = state_get_u32(state);
    return state->error ? damaged(making->reason) : 0;
}

/* What the kernel and the configuration say must be what was handed over. */
static int check_same(const struct port_xdp_making *making, const struct offered *offered)
{
    const struct port_xdp_config *config = making->config;
    const struct {
        const char *what;
        uint32_t offered, here;
    } same[] = {
        {"interface number", offered->ifindex, making->nic.index},
        {"mtu", offered->mtu, config->mtu ? config->mtu : offered->mtu},
        {"vlan", offered->vlan, config->vlan},
        {"packets", offered->buffers, config->pool_packets ? config->pool_packets : PORT_XDP_POOL},
        {"bytes before a packet", offered->reserved, frames_reserved()},
    };

    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        if (same[i].offered != same[i].here)
            return reason_set(making->reason, -EINVAL, "%s: %u was handed over, and here it is %u",
                              same[i].what, same[i].offered, same[i].here);
    }
    return 0;
}

/* What is not written here as well must be something that a port can be. */
static int check_sizes(const struct port_xdp_making *making, const struct offered *offered)
{
    if (offered->mtu < PORT_XDP_MTU_MIN || offered->mtu > PORT_XDP_MTU_MAX ||
        offered->chunks < frames_chunks(offered->mtu + PORT_XDP_EXTRA) || offered->queues == 0 ||
        offered->queues > PORT_XDP_QUEUES_MAX || offered->level == 0 ||
        offered->level > offered->slots || offered->slots > XSK_SLOTS_MAX ||
        (uint64_t)offered->level * offered->queues > offered->buffers)
        return reason_set(
            making->reason, -EINVAL,
            "what was handed over is no port: MTU %u, %u queues, %u of %u packets, of "
            "%u chunks, to receive into each, in rings of %u",
            offered->mtu, offered->queues, offered->level, offered->buffers, offered->chunks,
            offered->slots);
    return 0;
}

static bool is_claimed(const struct port_xdp_config *config, const struct claim *claim)
{
    for (uint32_t i = 0; i < config->claim_count; i++) {
        const struct claim *other = &config->claims[i];

        if (!memcmp(&other->address, &claim->address, sizeof(claim->address)) &&
            other->port == claim->port && other->protocol == claim->protocol)
            return true;
    }
    return false;
}

static bool get_claim(struct state_reader *state, struct claim *claim)
{
    const void *address;
    uint32_t length;

    memset(claim, 0, sizeof(*claim));
    address = state_get_bytes(state, sizeof(claim->address.bytes), &length);
    if (!address || length != sizeof(claim->address.bytes))
        return false;
    memcpy(claim->address.bytes, address, length);
    claim->port = state_get_u16(state);
    claim->protocol = state_get_u8(state);
    return !state->error;
}

static int check_claims(const struct port_xdp_making *making, struct state_reader *state)
{
    uint32_t count = state_get_u32(state);
    bool same = count == making->config->claim_count;

    for (uint32_t i = 0; i < count && same; i++) {
        struct claim claim;

        if (!get_claim(state, &claim))
            return damaged(making->reason);
        same = is_claimed(making->config, &claim);
    }
    if (state->error)
        return damaged(making->reason);
    return same ? 0
                : reason_set(making->reason, -EINVAL,
                             "what was handed over receives for other addresses and UDP ports than "
                             "are configured");
}

static int read_offer(struct port_xdp_making *making, struct state_reader *state,
                      struct offered *offered)
{
    int error = get_offered(making, state, offered);

    if (!error)
        error = check_same(making, offered);
    if (!error)
        error = check_sizes(making, offered);
    if (!error)
        error = check_claims(making, state);
    making->mtu = offered->mtu;
    return error;
}

static int adopt_frames(struct port_xdp_making *making, struct parcel *parcel,
                        const struct offered *offered)
{
    struct port_xdp *self = making->port;
    int fd = parcel_get_fd(parcel);
    int error;

    if (fd < 0)
        return damaged(making->reason);
    error =
        frames_adopt(&self->frames, making->config->name, fd, offered->buffers, offered->chunks);
    if (error == -EINVAL)
        return reason_set(making->reason, error,
                          "what was handed over as memory of %u packets is none", offered->buffers);
    if (error)
        return reason_set(making->reason, error, "the memory of %u packets: %s", offered->buffers,
                          strerror(-error));
    self->held = calloc(self->frames.buffers, sizeof(self->held[0]));
    if (!self->held)
        return reason_set(making->reason, -ENOMEM, "out of memory");
    self->chunks = offered->chunks;
    self->level = offered->level;
    return port_xdp_make_tables(making, offered->buffers, offered->slots);
}

static int adopt_sockets(struct port_xdp_making *making, struct parcel *parcel,
                         const struct offered *offered)
{
    struct port_xdp *self = making->port;

    for (uint32_t i = 0; i < offered->queues; i++) {
        int fd = parcel_get_fd(parcel);
        int error = fd < 0 ? fd : xsk_adopt(&self->queues[i].xsk, fd, offered->slots);

        if (fd < 0)
            return damaged(making->reason);
        if (error == -EOPNOTSUPP)
            return reason_set(
                making->reason, error,
                "this kernel does not let another process have the rings of an AF_XDP "
                "socket: it takes Linux 6.4");
        if (error)
            return reason_set(making->reason, error,
                              "what was handed over as the socket of queue %u: %s", i,
                              strerror(-error));
        self->queue_count = i + 1;
    }
    return 0;
}

static int check_zerocopy(const struct port_xdp_making *making)
{
    const struct port_xdp_config *config = making->config;
    bool zerocopy = xsk_zerocopy(&making->port->queues[0].xsk);

    if (zerocopy ? config->zerocopy == XDP_ZEROCOPY_OFF : config->zerocopy == XDP_ZEROCOPY_REQUIRED)
        return reason_set(making->reason, -EINVAL, "zerocopy: what was handed over has it %s",
                          zerocopy ? "on" : "off");
    return 0;
}

/* Last of all, since it is seen outside. */
static int adopt_program(struct port_xdp_making *making, int link)
{
    struct port_xdp *self = making->port;
    int error = port_xdp_load(making);

    if (!error)
        error = xdp_program_replace(&self->program, link, &making->nic, making->reason);
    if (error)
        close(link);
    return error;
}

static int adopt(struct port_xdp_making *making, struct parcel *parcel,
                 const struct offered *offered)
{
    int error = adopt_frames(making, parcel, offered);
    int link;

    if (error)
        return error;
    link = parcel_get_fd(parcel);
    if (link < 0)
        return damaged(making->reason);
    error = adopt_sockets(making, parcel, offered);
    if (!error)
        error = check_zerocopy(making);
    if (!error)
        error = port_xdp_make_wake_fd(making);
    if (error) {
        close(link);
        return error;
    }
    return adopt_program(making, link);
}

int port_xdp_adopt(struct port **port, const struct port_xdp_config *config, struct parcel *parcel,
                   const struct reason *reason)
{
    struct port_xdp_making making = {.config = config, .reason = reason};
    struct offered offered = {0};
    int error = port_xdp_look(&making);

    if (!error)
        error = read_offer(&making, &parcel->state, &offered);
    if (!error)
        error = port_xdp_new(&making, offered.queues);
    if (error)
        return error;
    error = adopt(&making, parcel, &offered);
    if (error)
        making.port->port.ops->destroy(&making.port->port);
    else
        *port = &making.port->port;
    return error;
}

/* ---- Leaving ---- */

/* A packet of which some pieces have come. */
static void put_pieces(struct state_writer *state, const struct port_xdp *self,
                       const struct rte_mbuf *head)
{
    state_put_u32(state, head ? head->nb_segs : 0);
    for (const struct rte_mbuf *piece = head; piece; piece = piece->next) {
        state_put_u64(state,
                      (uint64_t)(rte_pktmbuf_mtod(piece, const uint8_t *) - self->frames.base));
        state_put_u32(state, piece->data_len);
    }
}

static void put_queue(struct state_writer *state, const struct port_xdp *self,
                      const struct xdp_queue *queue)
{
    state_put_u32(state, queue->posted);
    for (enum ring ring = 0; ring < RINGS; ring++)
        state_put_u32(state, ring_of(queue, ring)->position);
    put_pieces(state, self, queue->head);
}

/* A bit for each buffer. */
static void put_posted(struct state_writer *state, const struct port_xdp *self)
{
    uint32_t buffers = self->frames.buffers;
    uint32_t bytes = (buffers + BYTE_BITS - 1) / BYTE_BITS;

    state_put_u32(state, bytes);
    for (uint32_t byte = 0; byte < bytes; byte++) {
        uint8_t bits = 0;

        for (uint32_t bit = 0; bit < BYTE_BITS && byte * BYTE_BITS + bit < buffers; bit++)
            bits = (uint8_t)(bits | self->posted[byte * BYTE_BITS + bit] << bit);
        state_put_u8(state, bits);
    }
}

static void put_flights(struct state_writer *state, const struct port_xdp *self)
{
    uint32_t flying = 0;

    for (uint32_t i = 0; i < self->frames.buffers; i++)
        flying += flights_of(&self->flights, i) > 0;
    state_put_u32(state, flying);
    for (uint32_t i = 0; i < self->frames.buffers; i++) {
        uint32_t descriptors = flights_of(&self->flights, i);

        if (descriptors == 0)
            continue;
        state_put_u32(state, i);
        state_put_u32(state, descriptors);
    }
}

/* Those of the port, in the order of its structure, and those of its program. */
static void put_counters(struct state_writer *state, const struct port_xdp *self)
{
    const struct port_xdp_counters *counters = &self->counters;
    const uint64_t own[] = {
        atomic_load_explicit(&counters->rx_packets, memory_order_relaxed),
        atomic_load_explicit(&counters->tx_packets, memory_order_relaxed),
        atomic_load_explicit(&counters->copied, memory_order_relaxed),
        atomic_load_explicit(&counters->odd, memory_order_relaxed),
        atomic_load_explicit(&counters->down, memory_order_relaxed),
        atomic_load_explicit(&counters->kicks, memory_order_relaxed),
    };
    uint64_t claims[CLAIM_COUNTERS];

    xdp_program_counts(&self->program, claims);
    for (uint32_t i = 0; i < CLAIM_COUNTERS; i++)
        claims[i] += self->claims_before[i];
    state_put_counters(state, own, sizeof(own) / sizeof(own[0]));
    state_put_counters(state, claims, CLAIM_COUNTERS);
}

static void xdp_leave(struct port *port, struct state_writer *state)
{
    const struct port_xdp *self = from_port(port);

    put_counters(state, self);
    state_put_u32(state, self->queue_count);
    for (uint32_t i = 0; i < self->queue_count; i++)
        put_queue(state, self, &self->queues[i]);
    put_posted(state, self);
    put_flights(state, self);
}

/* ---- Entering ---- */

/* Who has a buffer is said once. */
static bool hold(struct port_xdp *self, uint64_t buffer)
{
    if (buffer >= self->frames.buffers || self->held[buffer])
        return false;
    self->held[buffer] = true;
    return true;
}

static void get_counters(struct port_xdp *self, struct state_reader *state)
{
    struct port_xdp_counters *counters = &self->counters;
    _Atomic uint64_t *const fields[] = {
        &counters->rx_packets, &counters->tx_packets, &counters->copied,
        &counters->odd,        &counters->down,       &counters->kicks,
    };
    uint64_t own[sizeof(fields) / sizeof(fields[0])] = {0};

    state_get_counters(state, own, sizeof(own) / sizeof(own[0]));
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        atomic_store_explicit(fields[i], own[i], memory_order_relaxed);
    state_get_counters(state, self->claims_before, CLAIM_COUNTERS);
}

/* One piece, which lies where the kernel may have written. */
static bool get_piece(struct port_xdp *self, struct xdp_queue *queue, struct state_reader *state)
{
    uint64_t address = state_get_u64(state);
    uint32_t length = state_get_u32(state);
    uint64_t within = address % self->frames.buffer_bytes;

    if (state->error || length == 0 || length > self->frames.buffer_bytes ||
        within < frames_reserved() || within + length > self->frames.buffer_bytes ||
        !hold(self, address / self->frames.buffer_bytes))
        return false;
    port_xdp_join(queue, port_xdp_take(self, address, length));
    return true;
}

static bool get_queue(struct port_xdp *self, struct xdp_queue *queue, struct state_reader *state)
{
    bool same = true;
    uint32_t pieces;

    queue->posted = state_get_u32(state);
    xsk_resume(&queue->xsk);
    for (enum ring ring = 0; ring < RINGS; ring++)
        same = state_get_u32(state) == ring_of(queue, ring)->position && same;
    pieces = state_get_u32(state);
    if (state->error || !same || queue->posted > self->level || pieces > PIECES_MAX)
        return false;
    while (pieces > 0 && get_piece(self, queue, state))
        pieces--;
    return pieces == 0;
}

static bool get_posted(struct port_xdp *self, struct state_reader *state)
{
    uint32_t length, said = 0, posted = 0;
    const uint8_t *bits =
        state_get_bytes(state, (self->frames.buffers + BYTE_BITS - 1) / BYTE_BITS, &length);

    for (uint32_t i = 0; i < self->queue_count; i++)
        said += self->queues[i].posted;
    for (uint32_t i = 0; bits && i < length * BYTE_BITS; i++) {
        if (!(bits[i / BYTE_BITS] >> i % BYTE_BITS & 1u))
            continue;
        if (!hold(self, i))
            return false;
        self->posted[i] = true;
        posted++;
    }
    return bits && posted == said;
}

static bool get_flights(struct port_xdp *self, struct state_reader *state)
{
    uint32_t left = state_get_u32(state);

    for (; left > 0 && !state->error; left--) {
        uint32_t buffer = state_get_u32(state);
        uint32_t descriptors = state_get_u32(state);

        if (descriptors == 0 || descriptors > self->flights.room || !hold(self, buffer))
            return false;
        flights_add(&self->flights, buffer,
                    frames_packet(&self->frames, (uint64_t)buffer * self->frames.buffer_bytes),
                    descriptors);
    }
    return !state->error;
}

/* ---- What the rings say ---- */

/* What is in a ring, as it was when somebody looked. */
struct entries {
    enum ring ring;
    uint32_t first, count;
};

static uint64_t buffer_at(const struct port_xdp *self, const struct xdp_queue *queue,
                          const struct entries *entries, uint32_t index)
{
    const struct xsk_ring *at = ring_of(queue, entries->ring);
    uint32_t slot = (entries->first + index) & (at->slots - 1);
    bool packets = entries->ring == RING_RX || entries->ring == RING_TX;

    return (packets ? ((const struct xdp_desc *)at->entries)[slot].addr
                    : ((const uint64_t *)at->entries)[slot]) /
           self->frames.buffer_bytes;
}

/* Are all entries of buffers that the kernel has for that? */
static bool look(const struct port_xdp *self, const struct xdp_queue *queue, enum ring ring,
                 struct entries *entries)
{
    const struct xsk_ring *at = ring_of(queue, ring);
    bool receives = ring == RING_RX || ring == RING_FILL;

    entries->ring = ring;
    entries->count = xsk_ring_entries(at, &entries->first);
    for (uint32_t i = 0; i < entries->count && entries->count <= at->slots; i++) {
        uint64_t buffer = buffer_at(self, queue, entries, i);

        if (buffer >= self->frames.buffers ||
            (receives ? !self->posted[buffer] : flights_of(&self->flights, (uint32_t)buffer) == 0))
            return false;
    }
    return entries->count <= at->slots;
}

/* Of how many entries the buffers are among the others as well. */
static uint32_t count_common(const struct port_xdp *self, const struct xdp_queue *queue,
                             const struct entries *entries, const struct entries *others)
{
    uint32_t common = 0;

    for (uint32_t i = 0; i < entries->count; i++) {
        uint64_t buffer = buffer_at(self, queue, entries, i);
        uint32_t at = 0;

        while (at < others->count && buffer_at(self, queue, others, at) != buffer)
            at++;
        common += at < others->count;
    }
    return common;
}

/* The kernel goes on meanwhile. What it moves after the first look is in neither ring, or in the
 * second one alone: it takes from `fill` and `tx` before it adds to `rx` and `done`, which are
 * looked at first. But it says what it has received before it says what it has taken for that: for
 * a moment an entry is in both. */
static bool rings_agree(const struct port_xdp *self, const struct xdp_queue *queue)
{
    uint32_t flying = self->queues[0].xsk.tx.slots - self->flights.room;
    struct entries received, waiting, sent, sending;
    uint32_t posted;

    if (!look(self, queue, RING_RX, &received) || !look(self, queue, RING_FILL, &waiting) ||
        !look(self, queue, RING_DONE, &sent) || !look(self, queue, RING_TX, &sending))
        return false;
    posted = received.count + waiting.count;
    if (posted > queue->posted)
        posted -= count_common(self, queue, &received, &waiting);
    return posted <= queue->posted && sent.count + sending.count <= flying;
}

static bool get_all(struct port_xdp *self, struct state_reader *state)
{
    bool right;

    get_counters(self, state);
    right = state_get_u32(state) == self->queue_count && !state->error;
    for (uint32_t i = 0; i < self->queue_count && right; i++)
        right = get_queue(self, &self->queues[i], state);
    right = right && get_posted(self, state) && get_flights(self, state);
    for (uint32_t i = 0; i < self->queue_count && right; i++)
        right = rings_agree(self, &self->queues[i]);
    return right;
}

static int xdp_enter(struct port *port, struct state_reader *state, const struct reason *reason)
{
    struct port_xdp *self = (struct port_xdp *)port;

    if (!get_all(self, state))
        return reason_set(reason, -EBADMSG,
                          "what was handed over of its packets is damaged, or not what the kernel "
                          "has");
    frames_give(&self->frames, self->held);
    return 0;
}

static int xdp_begin(struct port *port)
{
    struct port_xdp *self = (struct port_xdp *)port;
    int error = frames_begin(&self->frames, self->held);

    /* What the kernel has not taken yet is offered once more. */
    self->retry_ns = xsk_ring_waits(&self->queues[0].xsk.tx) ? 0 : UINT64_MAX;
    return error;
}

static void xdp_settle(struct port *port)
{
    struct port_xdp *self = (struct port_xdp *)port;

    frames_settle(&self->frames);
    free(self->held);
    self->held = NULL;
    log_line(LOG_INFO, "port %s: taken over, with %u receive queues of %s", port->name,
             self->queue_count, self->interface);
}

/* ---- The end, or not ---- */

static int xdp_resume(struct port *port, const struct reason *reason)
{
    int error = xdp_program_return(&from_port(port)->program);

    if (error)
        log_line(LOG_WARNING,
                 "port %s: the XDP program of the daemon that did not take over stays, "
                 "and what it counts is not shown: %s",
                 port->name, strerror(-error));
    (void)reason;
    return 0;
}

static void xdp_forget(struct port *port)
{
    struct port_xdp *self = (struct port_xdp *)port;

    port_xdp_close(self);
    frames_forget(&self->frames);
    port_xdp_free(self);
}

const struct port_handover_ops port_xdp_handover = {
    .driver = "xdp",
    .version = VERSION,
    .offer = xdp_offer,
    .leave = xdp_leave,
    .enter = xdp_enter,
    .begin = xdp_begin,
    .settle = xdp_settle,
    .resume = xdp_resume,
    .forget = xdp_forget,
};
