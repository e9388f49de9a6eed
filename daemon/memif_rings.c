/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/memif_rings.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <rte_ether.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define RING_ALIGN  16u /* of a descriptor: a ring begins at a multiple of it */
#define MEMORY_NAME "saddle-memif"
#define SIDES       2u
#define TO_SERVER   0u /* the client's first ring and buffers */
#define TO_CLIENT   1u
#define PIECES_MAX  64u /* of a packet: 128 KiB in the buffers that are usual */

/* A part of a packet in the memory of the connection; NULL: a descriptor that cannot be. */
struct piece {
    uint8_t *bytes;
    uint32_t length; /* of data, or room */
    bool more;
};

static void count(uint64_t *counter, uint64_t more)
{
    __atomic_store_n(counter, *counter + more, __ATOMIC_RELAXED);
}

/* Control sees it. */
static void give_up(struct memif_rings *rings)
{
    __atomic_store_n(&rings->broken, true, __ATOMIC_RELAXED);
}

static uint32_t slots_of(const struct memif_side *side)
{
    return side->mask + 1u;
}

static size_t ring_bytes(uint32_t slots)
{
    return sizeof(struct memif_ring) + (size_t)slots * sizeof(struct memif_descriptor);
}

/* ---- Memory ---- */

int memif_rings_expect(struct memif_rings **rings)
{
    struct memif_rings *made = calloc(1, sizeof(*made));
    int error = made ? ringer_init(&made->ringer) : -ENOMEM;

    if (error) {
        free(made);
        return error;
    }
    made->rx.bell = made->tx.bell = -1;
    *rings = made;
    return 0;
}

void memif_rings_destroy(struct memif_rings *rings)
{
    if (!rings)
        return;
    for (uint32_t i = 0; i < rings->region_count; i++) {
        munmap(rings->regions[i].base, rings->regions[i].bytes);
        close(rings->regions[i].fd);
    }
    if (rings->rx.bell >= 0)
        close(rings->rx.bell);
    if (rings->tx.bell >= 0)
        close(rings->tx.bell);
    ringer_fini(&rings->ringer);
    free(rings);
}

/* Memory that another process could take away would kill whoever touches it: a file that shrinks,
 * or huge pages, of which there may be none left for a hole that he makes. */
static int check_memory(int fd, uint64_t bytes)
{
    int seals = fcntl(fd, F_GET_SEALS);
    struct statfs system;
    struct stat status;

    if (bytes == 0 || bytes > MEMIF_REGION_BYTES_MAX)
        return -EINVAL;
    if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstatfs(fd, &system) ||
        system.f_type != TMPFS_MAGIC)
        return -EPERM;
    return fstat(fd, &status) || (uint64_t)status.st_size < bytes ? -EINVAL : 0;
}

static int map_region(struct memif_rings *rings, uint64_t bytes, int fd)
{
    void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (base == MAP_FAILED)
        return -errno;
    rings->regions[rings->region_count++] =
        (struct memif_region){.base = base, .bytes = bytes, .fd = fd};
    return 0;
}

int memif_rings_add_region(struct memif_rings *rings, uint32_t index, uint64_t bytes, int fd)
{
    bool fits = fd >= 0 && index == rings->region_count && index < MEMIF_REGIONS_MAX;
    int error = fits ? check_memory(fd, bytes) : -EINVAL;

    if (!error)
        error = map_region(rings, bytes, fd);
    if (error && fd >= 0)
        close(fd);
    return error;
}

int memif_rings_add_ring(struct memif_rings *rings, bool to_server, uint32_t region,
                         uint32_t offset, uint32_t log2, int bell)
{
    struct memif_side *side = to_server == rings->client ? &rings->tx : &rings->rx;
    bool fits = bell >= 0 && !side->ring && region < rings->region_count &&
                log2 <= MEMIF_LOG2_MAX && offset % RING_ALIGN == 0 &&
                offset + (uint64_t)ring_bytes(1u << log2) <= rings->regions[region].bytes;

    /* Which also finds out whether it is one. */
    if (!fits || ringer_ring(&rings->ringer, bell)) {
        if (bell >= 0)
            close(bell);
        return -EINVAL;
    }
    *side = (struct memif_side){
        .ring = (struct memif_ring *)(void *)(rings->regions[region].base + offset),
        .offset = offset,
        .region = (uint16_t)region,
        .mask = (uint16_t)((1u << log2) - 1),
        .bell = bell,
    };
    return 0;
}

int memif_rings_check(const struct memif_rings *rings)
{
    const struct memif_side *sides[SIDES] = {&rings->rx, &rings->tx};

    for (uint32_t i = 0; i < SIDES; i++) {
        if (!sides[i]->ring ||
            __atomic_load_n(&sides[i]->ring->cookie, __ATOMIC_RELAXED) != MEMIF_COOKIE)
            return -EINVAL;
    }
    return 0;
}

/* ---- Memory of a client ---- */

static uint8_t *own_buffer(const struct memif_rings *rings, uint32_t ring, uint16_t slot)
{
    uint32_t place = ring * slots_of(&rings->rx) + slot;

    return rings->regions[0].base + rings->buffer_offset + (uint64_t)place * rings->buffer_bytes;
}

static void describe(struct memif_rings *rings, uint32_t ring, uint16_t slot)
{
    struct memif_side *side = ring == TO_SERVER ? &rings->tx : &rings->rx;

    side->ring->slots[slot] = (struct memif_descriptor){
        .length = rings->buffer_bytes,
        .offset = (uint32_t)(own_buffer(rings, ring, slot) - rings->regions[0].base),
    };
}

static int make_memory(struct memif_rings *rings, uint64_t bytes)
{
    int fd = memfd_create(MEMORY_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int error = 0;

    if (fd < 0)
        return -errno;
    if (ftruncate(fd, (off_t)bytes) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK))
        error = -errno;
    if (error)
        close(fd);
    return error ? error : memif_rings_add_region(rings, 0, bytes, fd);
}

static int make_rings(struct memif_rings *rings, uint8_t log2)
{
    int error = 0;

    for (uint32_t ring = 0; ring < SIDES && !error; ring++) {
        int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

        error = bell < 0
                    ? -errno
                    : memif_rings_add_ring(rings, ring == TO_SERVER, 0,
                                           (uint32_t)(ring * ring_bytes(1u << log2)), log2, bell);
    }
    return error;
}

int memif_rings_create(struct memif_rings **rings, uint8_t log2, uint32_t buffer_bytes)
{
    const uint32_t slots = 1u << log2;
    const uint64_t before = SIDES * (uint64_t)ring_bytes(slots);
    const uint64_t buffers = RTE_ALIGN(before, (uint64_t)MEMIF_LINE_BYTES);
    struct memif_rings *made;
    int error = memif_rings_expect(&made);

    if (error)
        return error;
    made->client = true;
    made->buffer_bytes = buffer_bytes;
    made->buffer_offset = buffers;
    error = make_memory(made, buffers + SIDES * (uint64_t)slots * buffer_bytes);
    if (!error)
        error = make_rings(made, log2);
    if (error) {
        memif_rings_destroy(made);
        return error;
    }
    for (uint32_t slot = 0; slot < slots; slot++) {
        describe(made, TO_SERVER, (uint16_t)slot);
        describe(made, TO_CLIENT, (uint16_t)slot);
    }
    made->rx.ring->cookie = made->tx.ring->cookie = MEMIF_COOKIE;
    made->rx.ring->flags = MEMIF_RING_QUIET;
    memif_rings_post(made);
    *rings = made;
    return 0;
}

void memif_rings_post(struct memif_rings *rings)
{
    const struct memif_side *rx = &rings->rx;

    __atomic_store_n(&rings->tx.ring->head, rings->tx.position, __ATOMIC_RELEASE);
    __atomic_store_n(&rx->ring->head, (uint16_t)(rx->position + slots_of(rx)), __ATOMIC_RELEASE);
}

/* ---- Positions ---- */

/* Slots that the other side has left to this one. More than there are: it is broken. */
static uint32_t left_to(const struct memif_rings *rings, const struct memif_side *side)
{
    const struct memif_ring *ring = side->ring;
    uint16_t theirs = __atomic_load_n(rings->client ? &ring->tail : &ring->head, __ATOMIC_SEQ_CST);
    uint16_t flying;

    if (!rings->client || side != &rings->tx)
        return (uint16_t)(theirs - side->position);
    /* A client has all that the server does not have yet to take. */
    flying = (uint16_t)(side->position - theirs);
    return flying <= slots_of(side) ? slots_of(side) - flying : UINT32_MAX;
}

static uint32_t usable(struct memif_rings *rings, const struct memif_side *side)
{
    uint32_t left = left_to(rings, side);

    if (left <= slots_of(side))
        return left;
    give_up(rings);
    return 0;
}

bool memif_rings_resume(struct memif_rings *rings, uint16_t rx, uint16_t tx)
{
    rings->rx.position = rx;
    rings->tx.position = tx;
    return left_to(rings, &rings->rx) <= slots_of(&rings->rx) &&
           left_to(rings, &rings->tx) <= slots_of(&rings->tx);
}

static struct piece piece_at(const struct memif_rings *rings, const struct memif_side *side,
                             uint16_t position)
{
    const uint16_t slot = position & side->mask;
    const struct memif_descriptor *shared = &side->ring->slots[slot];
    const uint16_t region = __atomic_load_n(&shared->region, __ATOMIC_RELAXED);
    const uint32_t offset = __atomic_load_n(&shared->offset, __ATOMIC_RELAXED);
    const uint16_t flags = __atomic_load_n(&shared->flags, __ATOMIC_RELAXED);
    struct piece piece = {
        .length = __atomic_load_n(&shared->length, __ATOMIC_RELAXED),
        .more = flags & MEMIF_DESCRIPTOR_NEXT,
    };

    /* A client knows where its buffers are. */
    if (rings->client) {
        if (piece.length <= rings->buffer_bytes)
            piece.bytes = own_buffer(rings, side == &rings->tx ? TO_SERVER : TO_CLIENT, slot);
    } else if (region < rings->region_count &&
               (uint64_t)offset + piece.length <= rings->regions[region].bytes) {
        piece.bytes = rings->regions[region].base + offset;
    }
    return piece;
}

/* ---- Receiving ---- */

/* Copies a packet of at most `left` slots; returns how many it had. *packet is NULL if it is none.
 */
static uint32_t take(const struct memif_rings *rings, uint32_t left, struct rte_mbuf **packet)
{
    const struct memif_side *side = &rings->rx;
    const uint32_t most = RTE_MIN(left, PIECES_MAX);
    struct rte_mbuf *copy = *packet;
    uint32_t slots = 0;
    bool good = true, more = true;

    while (more && slots < most) {
        struct piece piece = piece_at(rings, side, (uint16_t)(side->position + slots++));

        more = piece.more;
        good = good && piece.bytes && piece.length <= rte_pktmbuf_tailroom(copy);
        if (good)
            memcpy(rte_pktmbuf_append(copy, (uint16_t)piece.length), piece.bytes, piece.length);
    }
    if (more || !good || rte_pktmbuf_data_len(copy) < RTE_ETHER_HDR_LEN) {
        rte_pktmbuf_free(copy);
        *packet = NULL;
    }
    return slots;
}

/* Gives the slots before the position back. */
static void give_back(struct memif_rings *rings, uint32_t slots)
{
    struct memif_side *side = &rings->rx;

    if (!rings->client) {
        __atomic_store_n(&side->ring->tail, side->position, __ATOMIC_RELEASE);
        return;
    }
    for (uint32_t i = 1; i <= slots; i++)
        describe(rings, TO_CLIENT, (uint16_t)(side->position - i) & side->mask);
    __atomic_store_n(&side->ring->head, (uint16_t)(side->position + slots_of(side)),
                     __ATOMIC_RELEASE);
}

uint16_t memif_rings_receive(struct memif_rings *rings, struct rte_mempool *pool,
                             struct rte_mbuf **packets, uint16_t max, struct memif_counts *counts)
{
    uint32_t left = usable(rings, &rings->rx), taken = 0;
    uint16_t got = 0;

    for (uint16_t i = 0; i < max && taken < left; i++) {
        uint32_t slots;

        packets[got] = rte_pktmbuf_alloc(pool);
        if (!packets[got]) {
            count(&counts->rx_no_memory, 1);
            break;
        }
        slots = take(rings, left - taken, &packets[got]);
        rings->rx.position = (uint16_t)(rings->rx.position + slots);
        taken += slots;
        if (packets[got])
            got++;
        else
            count(&counts->rx_bad, 1);
    }
    if (taken > 0)
        give_back(rings, taken);
    if (got > 0)
        count(&counts->rx_packets, got);
    return got;
}

bool memif_rings_arm(struct memif_rings *rings)
{
    __atomic_store_n(&rings->rx.ring->flags, 0, __ATOMIC_SEQ_CST);
    if (usable(rings, &rings->rx) == 0)
        return true;
    memif_rings_disarm(rings);
    return false;
}

void memif_rings_disarm(struct memif_rings *rings)
{
    __atomic_store_n(&rings->rx.ring->flags, MEMIF_RING_QUIET, __ATOMIC_RELAXED);
}

/* ---- Sending ---- */

/* The room of a slot: a client's is its buffer, whatever was in it last. */
static struct piece room_at(const struct memif_rings *rings, uint16_t position)
{
    if (!rings->client)
        return piece_at(rings, &rings->tx, position);
    return (struct piece){
        .bytes = own_buffer(rings, TO_SERVER, position & rings->tx.mask),
        .length = rings->buffer_bytes,
    };
}

/* Says what is in a slot. */
static void fill_slot(struct memif_rings *rings, uint16_t position, uint32_t length, bool more)
{
    struct memif_descriptor *shared = &rings->tx.ring->slots[position & rings->tx.mask];

    if (rings->client)
        describe(rings, TO_SERVER, position & rings->tx.mask);
    __atomic_store_n(&shared->length, length, __ATOMIC_RELAXED);
    __atomic_store_n(&shared->flags, more ? MEMIF_DESCRIPTOR_NEXT : 0, __ATOMIC_RELAXED);
}

/* Copies `length` bytes of the packet from `from` on. */
static void copy_part(const struct rte_mbuf *packet, uint32_t from, uint32_t length, uint8_t *to)
{
    const void *at = rte_pktmbuf_read(packet, from, length, to);

    if (at && at != to)
        memcpy(to, at, length);
}

/* Returns the slots that the packet takes, of at most `left`; 0: it does not fit there now. */
static uint32_t put(struct memif_rings *rings, uint32_t left, const struct rte_mbuf *packet)
{
    const uint32_t length = rte_pktmbuf_pkt_len(packet);
    uint32_t slots = 0, done = 0;

    while (done < length) {
        uint16_t position = (uint16_t)(rings->tx.position + slots);
        struct piece room = slots < left ? room_at(rings, position) : (struct piece){0};
        uint32_t part = RTE_MIN(length - done, room.length);

        if (slots < left && (!room.bytes || room.length == 0))
            give_up(rings);
        if (!room.bytes || part == 0)
            return 0;
        copy_part(packet, done, part, room.bytes);
        done += part;
        fill_slot(rings, position, part, done < length);
        slots++;
    }
    return slots;
}

/* What is in the ring is the other side's from now on. */
static void publish(struct memif_rings *rings, struct memif_counts *counts)
{
    struct memif_ring *ring = rings->tx.ring;

    __atomic_store_n(rings->client ? &ring->head : &ring->tail, rings->tx.position,
                     __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&ring->flags, __ATOMIC_SEQ_CST) & MEMIF_RING_QUIET)
        return;
    count(&counts->bells, 1);
    if (ringer_ring(&rings->ringer, rings->tx.bell))
        give_up(rings);
}

uint16_t memif_rings_send(struct memif_rings *rings, struct rte_mbuf **packets, uint16_t number,
                          struct memif_counts *counts)
{
    uint32_t left = usable(rings, &rings->tx), used = 0;
    uint16_t sent = 0, odd = 0;

    for (; sent < number && !rings->broken; sent++) {
        uint32_t slots;

        if (rte_pktmbuf_pkt_len(packets[sent]) < RTE_ETHER_HDR_LEN) {
            odd++;
            continue;
        }
        slots = put(rings, left - used, packets[sent]);
        if (slots == 0 && (rings->broken || left - used < slots_of(&rings->tx)))
            break;
        odd += slots == 0; /* all of the ring is too small for it */
        rings->tx.position = (uint16_t)(rings->tx.position + slots);
        used += slots;
    }
    if (used > 0)
        publish(rings, counts);
    rte_pktmbuf_free_bulk(packets, sent);
    count(&counts->tx_odd, odd);
    count(&counts->tx_packets, (uint64_t)sent - odd);
    return sent;
}

uint16_t memif_rings_room(struct memif_rings *rings, uint32_t bytes)
{
    uint32_t left = usable(rings, &rings->tx);
    struct piece first;

    if (left == 0)
        return 0;
    first = room_at(rings, rings->tx.position);
    if (!first.bytes || first.length == 0) {
        give_up(rings);
        return 0;
    }
    left /= (bytes + first.length - 1) / first.length;
    return (uint16_t)RTE_MIN(left, UINT16_MAX);
}
