/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/xsk.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static int map_ring(int fd, struct xsk_ring *ring, uint32_t slots, size_t entry_bytes,
                    const struct xdp_ring_offset *offset, uint64_t page)
{
    size_t bytes = offset->desc + slots * entry_bytes;
    uint8_t *map =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, (off_t)page);

    if (map == MAP_FAILED)
        return -errno;
    *ring = (struct xsk_ring){
        .slots = slots,
        .producer = (uint32_t *)(void *)(map + offset->producer),
        .consumer = (uint32_t *)(void *)(map + offset->consumer),
        .flags = (uint32_t *)(void *)(map + offset->flags),
        .entries = map + offset->desc,
        .map = map,
        .map_bytes = bytes,
    };
    return 0;
}

static int map_rings(struct xsk *xsk, uint32_t slots)
{
    struct xdp_mmap_offsets offsets;
    socklen_t length = sizeof(offsets);
    int error;

    if (getsockopt(xsk->fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &length))
        return -errno;
    error =
        map_ring(xsk->fd, &xsk->rx, slots, sizeof(struct xdp_desc), &offsets.rx, XDP_PGOFF_RX_RING);
    if (!error)
        error = map_ring(xsk->fd, &xsk->tx, slots, sizeof(struct xdp_desc), &offsets.tx,
                         XDP_PGOFF_TX_RING);
    if (!error)
        error = map_ring(xsk->fd, &xsk->fill, slots, sizeof(uint64_t), &offsets.fr,
                         XDP_UMEM_PGOFF_FILL_RING);
    if (!error)
        error = map_ring(xsk->fd, &xsk->done, slots, sizeof(uint64_t), &offsets.cr,
                         XDP_UMEM_PGOFF_COMPLETION_RING);
    return error;
}

static int size_rings(const struct xsk *xsk, uint32_t slots)
{
    static const int rings[] = {
        XDP_RX_RING,
        XDP_TX_RING,
        XDP_UMEM_FILL_RING,
        XDP_UMEM_COMPLETION_RING,
    };

    for (size_t i = 0; i < sizeof(rings) / sizeof(rings[0]); i++) {
        if (setsockopt(xsk->fd, SOL_XDP, rings[i], &slots, sizeof(slots)))
            return -errno;
    }
    return 0;
}

static int register_memory(const struct xsk *xsk, const struct xsk_memory *memory)
{
    struct xdp_umem_reg registration = {
        .addr = (uint64_t)(uintptr_t)memory->base,
        .len = memory->bytes,
        .chunk_size = XSK_CHUNK_BYTES,
        .headroom = memory->headroom,
    };

    return setsockopt(xsk->fd, SOL_XDP, XDP_UMEM_REG, &registration, sizeof(registration)) ? -errno
                                                                                           : 0;
}

int xsk_open(struct xsk *xsk, uint32_t slots, const struct xsk_memory *memory)
{
    int error = 0;

    memset(xsk, 0, sizeof(*xsk));
    xsk->fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (xsk->fd < 0)
        return -errno;
    if (memory)
        error = register_memory(xsk, memory);
    if (!error)
        error = size_rings(xsk, slots);
    if (!error)
        error = map_rings(xsk, slots);
    if (error)
        xsk_close(xsk);
    return error;
}

/* ---- Of another process ---- */

/* Is there a ring of that many entries behind a page? It may be longer. */
static bool ring_holds(int fd, uint64_t page, uint64_t slots, size_t entry_bytes,
                       const struct xdp_ring_offset *offset)
{
    size_t bytes = offset->desc + slots * entry_bytes;
    void *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, (off_t)page);

    if (map == MAP_FAILED)
        return false;
    munmap(map, bytes);
    return true;
}

/* The kernel does not tell how large rings are, but what it maps of them. */
static int check_rings(int fd, uint64_t slots)
{
    struct xdp_mmap_offsets offsets;
    socklen_t length = sizeof(offsets);
    const struct {
        uint64_t page;
        size_t entry_bytes;
        const struct xdp_ring_offset *offset;
    } rings[] = {
        {XDP_UMEM_PGOFF_FILL_RING, sizeof(uint64_t), &offsets.fr},
        {XDP_UMEM_PGOFF_COMPLETION_RING, sizeof(uint64_t), &offsets.cr},
        {XDP_PGOFF_RX_RING, sizeof(struct xdp_desc), &offsets.rx},
        {XDP_PGOFF_TX_RING, sizeof(struct xdp_desc), &offsets.tx},
    };

    if (getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &length))
        return -errno;
    for (size_t i = 0; i < sizeof(rings) / sizeof(rings[0]); i++) {
        if (!ring_holds(fd, rings[i].page, 1, rings[i].entry_bytes, rings[i].offset))
            return -EOPNOTSUPP;
        if (!ring_holds(fd, rings[i].page, slots, rings[i].entry_bytes, rings[i].offset) ||
            ring_holds(fd, rings[i].page, 2 * slots, rings[i].entry_bytes, rings[i].offset))
            return -EINVAL;
    }
    return 0;
}

static int check_socket(int fd, uint32_t slots)
{
    socklen_t length = sizeof(int);
    int domain = 0;

    if (slots < XSK_SLOTS_MIN || slots > XSK_SLOTS_MAX || (slots & (slots - 1)))
        return -EINVAL;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) || domain != AF_XDP)
        return -EINVAL;
    return check_rings(fd, slots);
}

int xsk_adopt(struct xsk *xsk, int fd, uint32_t slots)
{
    int error = check_socket(fd, slots);

    memset(xsk, 0, sizeof(*xsk));
    xsk->fd = fd;
    if (!error)
        error = map_rings(xsk, slots);
    if (error)
        xsk_close(xsk);
    return error;
}

/* ---- Its life ---- */

int xsk_bind(struct xsk *xsk, uint32_t ifindex, uint32_t queue, uint16_t flags,
             const struct xsk *shared)
{
    struct sockaddr_xdp address = {
        .sxdp_family = AF_XDP,
        .sxdp_flags = shared ? XDP_SHARED_UMEM : flags,
        .sxdp_ifindex = ifindex,
        .sxdp_queue_id = queue,
        .sxdp_shared_umem_fd = shared ? (uint32_t)shared->fd : 0,
    };

    return bind(xsk->fd, (const struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
}

void xsk_close(struct xsk *xsk)
{
    struct xsk_ring *rings[] = {&xsk->rx, &xsk->tx, &xsk->fill, &xsk->done};

    for (size_t i = 0; i < sizeof(rings) / sizeof(rings[0]); i++) {
        if (rings[i]->map)
            munmap(rings[i]->map, rings[i]->map_bytes);
        rings[i]->map = NULL;
    }
    if (xsk->fd >= 0)
        close(xsk->fd);
    xsk->fd = -1;
}

bool xsk_zerocopy(const struct xsk *xsk)
{
    struct xdp_options options = {0};
    socklen_t length = sizeof(options);

    if (getsockopt(xsk->fd, SOL_XDP, XDP_OPTIONS, &options, &length))
        return false;
    return options.flags & XDP_OPTIONS_ZEROCOPY;
}

int xsk_statistics(const struct xsk *xsk, struct xdp_statistics *statistics)
{
    socklen_t length = sizeof(*statistics);

    memset(statistics, 0, sizeof(*statistics));
    return getsockopt(xsk->fd, SOL_XDP, XDP_STATISTICS, statistics, &length) ? -errno : 0;
}

int xsk_kick_tx(const struct xsk *xsk)
{
    return sendto(xsk->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 ? -errno : 0;
}

int xsk_kick_fill(const struct xsk *xsk)
{
    return recvfrom(xsk->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL) < 0 ? -errno : 0;
}
