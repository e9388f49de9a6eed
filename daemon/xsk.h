/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * An AF_XDP socket with its four rings mapped, written against the kernel's own interface
 * (linux/if_xdp.h). Not on libxdp: that library can only make sockets, and one that is handed over
 * from another process has to have its rings mapped again.
 *
 * Frames are chunks of one memory, registered by the first socket and shared by the others of the
 * port. A chunk's address is its offset in that memory. The daemon puts empty chunks into `fill`,
 * finds them with packets in `rx`, puts packets into `tx` and finds what has left in `done`.
 *
 * A socket that another process has made is taken over by its descriptor: both have its rings
 * mapped for a while, and which of the two uses them is for them to settle.
 *
 * Ownership: the socket owns its descriptor and mappings; which chunks the kernel holds is for its
 * user to know. Threads: opened and closed on a control thread, the rings on one engine's thread,
 * xsk_statistics on any while the socket is open. Trust: the kernel is trusted; a descriptor taken
 * over is not, nor what is said of it.
 */
#ifndef DAEMON_XSK_H
#define DAEMON_XSK_H

#include <linux/if_xdp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of newer kernels than the headers of Debian 12. */
#ifndef XDP_USE_SG
#define XDP_USE_SG (1 << 4) /* packets of several descriptors */
#endif
#ifndef XDP_PKT_CONTD
#define XDP_PKT_CONTD (1 << 0) /* the packet goes on in the next descriptor */
#endif

#define XSK_CHUNK_BYTES 4096u /* the kernel takes no more than a page */
/* Of a socket that is taken over: fewer could not be told from twice as many, since rings lie in
 * whole pages; more than any port uses. */
#define XSK_SLOTS_MIN 256u
#define XSK_SLOTS_MAX (1u << 15)

/* One ring. `position` runs freely: of the next entry that the daemon writes (fill, tx) or reads
 * (rx, done). */
struct xsk_ring {
    uint32_t position;
    uint32_t slots; /* a power of two */
    uint32_t *producer;
    uint32_t *consumer;
    uint32_t *flags;
    void *entries;
    void *map;
    size_t map_bytes;
};

struct xsk {
    int fd; /* -1: not open */
    struct xsk_ring rx, tx, fill, done;
};

struct xsk_memory {
    void *base; /* page aligned */
    uint64_t bytes;
    uint32_t headroom; /* bytes at the start of each chunk that are not the kernel's */
};

/* Opens a socket with rings of `slots` entries each, a power of two. The first socket of a port
 * registers `memory`; the others pass NULL and share it when they are bound. 0 or a negative errno
 * (-EPERM without CAP_NET_RAW, -ENOBUFS when RLIMIT_MEMLOCK is too small); then the socket is
 * closed. */
int xsk_open(struct xsk *xsk, uint32_t slots, const struct xsk_memory *memory);
/* Binds to a queue of an interface: a first socket with `flags` (XDP_COPY, XDP_ZEROCOPY,
 * XDP_USE_NEED_WAKEUP, XDP_USE_SG), another one with those of the bound socket `shared`. 0 or a
 * negative errno; then it may be tried again. */
int xsk_bind(struct xsk *xsk, uint32_t ifindex, uint32_t queue, uint16_t flags,
             const struct xsk *shared);
/* Takes over a bound socket with rings of `slots` entries each. 0; -EINVAL it is no AF_XDP socket,
 * or its rings are of another size; -EOPNOTSUPP the kernel (before 6.4) does not map the rings of
 * one that is bound; or another negative errno. The descriptor is the socket's, and closed on
 * errors. */
int xsk_adopt(struct xsk *xsk, int fd, uint32_t slots);
/* Accepts one that is closed. */
void xsk_close(struct xsk *xsk);

/* Does the driver read and write the chunks itself? Of a bound socket. */
bool xsk_zerocopy(const struct xsk *xsk);
/* What the kernel counted since the socket was opened. 0 or a negative errno. */
int xsk_statistics(const struct xsk *xsk, struct xdp_statistics *statistics);

/* System calls that make the kernel look at `tx` and `fill`. 0 or a negative errno. */
int xsk_kick_tx(const struct xsk *xsk);
int xsk_kick_fill(const struct xsk *xsk);

/* Entries to be read (rx, done). */
static inline uint32_t xsk_ring_ready(const struct xsk_ring *ring)
{
    return __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE) - ring->position;
}

/* Entries that can be written (fill, tx). */
static inline uint32_t xsk_ring_room(const struct xsk_ring *ring)
{
    return ring->slots - (ring->position - __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE));
}

/* Has the kernel not yet taken all that was written (fill, tx)? */
static inline bool xsk_ring_waits(const struct xsk_ring *ring)
{
    return __atomic_load_n(ring->consumer, __ATOMIC_RELAXED) != ring->position;
}

/* Gives what was written to the kernel. Sequentially consistent, because xsk_ring_wants_kick is
 * read next: the kernel asks for a kick before it looks at the ring for the last time. */
static inline void xsk_ring_publish(struct xsk_ring *ring)
{
    __atomic_store_n(ring->producer, ring->position, __ATOMIC_SEQ_CST);
}

/* Gives back what was read. */
static inline void xsk_ring_release(struct xsk_ring *ring)
{
    __atomic_store_n(ring->consumer, ring->position, __ATOMIC_RELEASE);
}

static inline bool xsk_ring_wants_kick(const struct xsk_ring *ring)
{
    return __atomic_load_n(ring->flags, __ATOMIC_SEQ_CST) & XDP_RING_NEED_WAKEUP;
}

/* How many entries are in a ring, whoever is to read them, and where the first one is. */
static inline uint32_t xsk_ring_entries(const struct xsk_ring *ring, uint32_t *first)
{
    *first = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
    return __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE) - *first;
}

/* Goes on where whoever had the rings before has stopped. */
static inline void xsk_resume(struct xsk *xsk)
{
    xsk->rx.position = __atomic_load_n(xsk->rx.consumer, __ATOMIC_ACQUIRE);
    xsk->done.position = __atomic_load_n(xsk->done.consumer, __ATOMIC_ACQUIRE);
    xsk->tx.position = __atomic_load_n(xsk->tx.producer, __ATOMIC_ACQUIRE);
    xsk->fill.position = __atomic_load_n(xsk->fill.producer, __ATOMIC_ACQUIRE);
}

/* The next entry: a packet (rx, tx) or an address (fill, done). */
static inline struct xdp_desc *xsk_ring_next(struct xsk_ring *ring)
{
    return (struct xdp_desc *)ring->entries + (ring->position++ & (ring->slots - 1));
}

static inline uint64_t *xsk_ring_next_address(struct xsk_ring *ring)
{
    return (uint64_t *)ring->entries + (ring->position++ & (ring->slots - 1));
}

#endif
