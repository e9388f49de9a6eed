/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/log.h"
#include "daemon/ethdev.h"
#include "daemon/port_xdp_private.h"

#include <errno.h>
#include <rte_ether.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define RING_SLOTS    1024u
#define LEVEL_MIN     64u /* buffers posted to a queue: four bursts */
#define BUSY_PAUSES   100u
#define BUSY_PAUSE_NS 10000000 /* in all a second, far more than was ever seen */

/* Offloads that change packets before the program sees them. */
static int check_offload(const struct port_xdp_making *making, const char *feature,
                         const char *option, const char *why)
{
    const char *name = making->nic.name;
    int result = nic_offload(&making->nic, feature);

    if (result < 0)
        return reason_set(making->reason, result, "%s: its offloads cannot be asked for: %s", name,
                          strerror(-result));
    if (result == 0)
        return 0;
    return reason_set(making->reason, -EBUSY, "%s: %s is on, %s: ethtool -K %s %s off", name,
                      feature, why, name, option);
}

static int check_offloads(const struct port_xdp_making *making)
{
    int error = check_offload(making, "rx-lro", "lro", "which merges packets");

    if (!error)
        error = check_offload(making, "rx-gro-hw", "rx-gro-hw", "which merges packets");
    if (!error && making->config->vlan)
        error = check_offload(making, "rx-vlan-hw-parse", "rxvlan",
                              "which takes away the VLAN tag of packets to be claimed");
    return error;
}

static int read_nic(struct port_xdp_making *making)
{
    const char *name = making->config->interface;
    int error = nic_read(&making->nic, name);

    switch (error) {
    case 0:
        return 0;
    case -ENODEV:
        return reason_set(making->reason, error, "there is no interface \"%s\" (ip link)", name);
    case -ENOTSUP:
        return reason_set(making->reason, error, "interface %s is not Ethernet", name);
    case -ENODATA:
        return reason_set(making->reason, error,
                          "interface %s: the kernel does not tell its receive queues", name);
    default:
        return reason_set(making->reason, error, "interface \"%s\": %s", name ? name : "",
                          strerror(-error));
    }
}

static int choose_mtu(struct port_xdp_making *making)
{
    const struct nic *nic = &making->nic;
    uint32_t wanted = making->config->mtu;

    making->mtu = wanted ? wanted : RTE_MIN(nic->mtu, PORT_XDP_MTU_MAX);
    if (making->mtu > nic->mtu || making->mtu < PORT_XDP_MTU_MIN)
        return reason_set(making->reason, -ERANGE,
                          "interface %s has an MTU of %u (ip link set dev %s mtu %u)", nic->name,
                          nic->mtu, nic->name, RTE_MAX(making->mtu, PORT_XDP_MTU_MIN));
    return 0;
}

static int check_queues(struct port_xdp_making *making, uint32_t packets)
{
    const struct nic *nic = &making->nic;
    uint32_t least = 2 * LEVEL_MIN * nic->rx_queues;

    if (nic->rx_queues == 0 || nic->rx_queues > PORT_XDP_QUEUES_MAX)
        return reason_set(making->reason, -E2BIG,
                          "%s has %u receive queues, not 1 to %u (ethtool -L %s combined %u)",
                          nic->name, nic->rx_queues, PORT_XDP_QUEUES_MAX, nic->name,
                          PORT_XDP_QUEUES_MAX);
    if (packets < least)
        return reason_set(making->reason, -ENOBUFS,
                          "packets: %u are too few for the %u receive queues of %s, which take %u "
                          "(fewer queues: ethtool -L %s combined 1)",
                          packets, nic->rx_queues, nic->name, least, nic->name);
    return 0;
}

int port_xdp_make_tables(struct port_xdp_making *making, uint32_t buffers, uint32_t slots)
{
    struct port_xdp *self = making->port;

    self->posted = calloc(buffers, sizeof(self->posted[0]));
    if (!self->posted || flights_create(&self->flights, buffers, slots))
        return reason_set(making->reason, -ENOMEM, "out of memory");
    self->port.pool = self->frames.pool;
    self->port.mac = making->nic.mac;
    self->port.mtu = (uint16_t)making->mtu;
    self->frame_max = self->chunks * XSK_CHUNK_BYTES - frames_reserved() - RTE_PKTMBUF_HEADROOM;
    return 0;
}

static int make_frames(struct port_xdp_making *making)
{
    const struct port_xdp_config *config = making->config;
    struct port_xdp *self = making->port;
    uint32_t packets = config->pool_packets ? config->pool_packets : PORT_XDP_POOL;
    int error = check_queues(making, packets);

    if (error)
        return error;
    self->chunks = frames_chunks(making->mtu + PORT_XDP_EXTRA);
    /* Half of the pool is for what is sent. */
    self->level = RTE_MIN(packets / 2 / making->nic.rx_queues, RING_SLOTS);
    error = frames_create(&self->frames, config->name, packets, self->chunks);
    if (error)
        return reason_set(making->reason, error, "%u packets of %u bytes: %s", packets,
                          self->chunks * XSK_CHUNK_BYTES, strerror(-error));
    return port_xdp_make_tables(making, packets, RING_SLOTS);
}

static int open_socket(struct port_xdp_making *making, uint32_t index)
{
    struct port_xdp *self = making->port;
    struct xsk_memory memory = {
        .base = self->frames.base,
        .bytes = self->frames.bytes,
        .headroom = frames_reserved(),
    };
    int error = xsk_open(&self->queues[index].xsk, RING_SLOTS, index == 0 ? &memory : NULL);

    switch (error) {
    case 0:
        self->queue_count = index + 1;
        return 0;
    case -EPERM:
        return reason_set(making->reason, error, "AF_XDP sockets take CAP_NET_RAW");
    case -ENOBUFS:
        return reason_set(making->reason, error,
                          "the kernel may not lock %llu MiB of packets: raise RLIMIT_MEMLOCK, or "
                          "grant CAP_IPC_LOCK",
                          (unsigned long long)(memory.bytes >> 20));
    case -EAFNOSUPPORT:
        return reason_set(making->reason, error,
                          "this kernel has no AF_XDP sockets (CONFIG_XDP_SOCKETS)");
    default:
        return reason_set(making->reason, error, "AF_XDP socket: %s", strerror(-error));
    }
}

static uint16_t bind_flags(const struct port_xdp_making *making)
{
    const struct port_xdp_config *config = making->config;
    uint16_t flags = XDP_USE_NEED_WAKEUP;

    if (making->frags)
        flags |= XDP_USE_SG;
    if (config->zerocopy == XDP_ZEROCOPY_OFF || config->mode == XDP_MODE_GENERIC)
        flags |= XDP_COPY;
    else if (config->zerocopy == XDP_ZEROCOPY_REQUIRED)
        flags |= XDP_ZEROCOPY;
    return flags;
}

/* Would the bind that failed have worked without packets of several chunks? */
static bool frags_are_to_blame(const struct port_xdp_making *making)
{
    struct xsk *first = &making->port->queues[0].xsk;
    uint16_t flags = (uint16_t)(bind_flags(making) & ~XDP_USE_SG);

    return making->frags && xsk_bind(first, making->nic.index, 0, flags, NULL) == 0;
}

static int explain_bind(const struct port_xdp_making *making, uint32_t queue, int error)
{
    const char *name = making->nic.name;

    if (error == -EBUSY)
        return reason_set(making->reason, error,
                          "%s: queue %u is used by another AF_XDP socket (ss --xdp -p)", name,
                          queue);
    if (queue == 0 && frags_are_to_blame(making))
        return reason_set(
            making->reason, -ERANGE,
            "%s has an MTU of %u, and XDP here takes no packets of several pieces: ip "
            "link set dev %s mtu %u",
            name, making->nic.mtu, name, XDP_PROGRAM_MTU_MAX);
    if (making->config->zerocopy == XDP_ZEROCOPY_REQUIRED)
        return reason_set(making->reason, error,
                          "%s: zerocopy is required, and its driver does not have it: %s", name,
                          strerror(-error));
    return reason_set(making->reason, error, "%s: no AF_XDP socket on queue %u: %s", name, queue,
                      strerror(-error));
}

/* The kernel frees a queue some time after the socket on it was closed, or its process killed. */
static int bind_patiently(const struct port_xdp_making *making, uint32_t queue)
{
    const struct timespec pause = {.tv_nsec = BUSY_PAUSE_NS};
    struct xdp_queue *queues = making->port->queues;
    const struct xsk *shared = queue > 0 ? &queues[0].xsk : NULL;
    int error = -EBUSY;

    for (uint32_t i = 0; i < BUSY_PAUSES && error == -EBUSY; i++) {
        if (i > 0)
            nanosleep(&pause, NULL);
        error = xsk_bind(&queues[queue].xsk, making->nic.index, queue, bind_flags(making), shared);
    }
    return error;
}

static int make_sockets(struct port_xdp_making *making)
{
    struct port_xdp *self = making->port;
    int error = 0;

    for (uint32_t i = 0; i < making->nic.rx_queues && !error; i++) {
        struct xdp_queue *queue = &self->queues[i];
        uint32_t before;

        error = open_socket(making, i);
        if (error)
            return error;
        error = bind_patiently(making, i);
        if (error)
            return explain_bind(making, i, error);
        do {
            before = queue->posted;
            port_xdp_refill(self, queue);
        } while (queue->posted > before);
    }
    return 0;
}

/* The one socket, or a descriptor that holds all of them. */
int port_xdp_make_wake_fd(struct port_xdp_making *making)
{
    struct port_xdp *self = making->port;
    struct epoll_event event = {.events = EPOLLIN};

    if (self->queue_count == 1) {
        self->port.wake_fd = self->queues[0].xsk.fd;
        return 0;
    }
    self->port.wake_fd = epoll_create1(EPOLL_CLOEXEC);
    if (self->port.wake_fd < 0)
        return reason_set(making->reason, -errno, "epoll: %s", strerror(errno));
    for (uint32_t i = 0; i < self->queue_count; i++) {
        if (epoll_ctl(self->port.wake_fd, EPOLL_CTL_ADD, self->queues[i].xsk.fd, &event))
            return reason_set(making->reason, -errno, "epoll: %s", strerror(errno));
    }
    return 0;
}

static int steer(struct port_xdp_making *making)
{
    const struct port_xdp_config *config = making->config;
    struct port_xdp *self = making->port;
    int error = 0;

    for (uint32_t i = 0; i < self->queue_count && !error; i++)
        error = xdp_program_set_socket(&self->program, i, self->queues[i].xsk.fd);
    for (uint32_t i = 0; i < config->claim_count && !error; i++)
        error = xdp_program_claim(&self->program, &config->claims[i], config->vlan, 0,
                                  self->queue_count);
    return error ? reason_set(making->reason, error, "the claim table: %s", strerror(-error)) : 0;
}

int port_xdp_load(struct port_xdp_making *making)
{
    struct port_xdp *self = making->port;
    int error = xdp_program_load(&self->program, self->queue_count, making->frags, making->reason);

    return error ? error : steer(making);
}

static int make_program(struct port_xdp_making *making)
{
    struct port_xdp *self = making->port;
    int error = port_xdp_load(making);

    if (!error)
        error =
            xdp_program_attach(&self->program, &making->nic, making->config->mode, making->reason);
    if (!error && self->program.generic && xsk_zerocopy(&self->queues[0].xsk))
        return reason_set(making->reason, -EOPNOTSUPP,
                          "%s: its driver takes sockets with zero copy, but no XDP program "
                          "(zerocopy: off)",
                          making->nic.name);
    return error;
}

static void describe(const struct port_xdp_making *making)
{
    const struct port_xdp *self = making->port;

    log_line(LOG_INFO, "port %s: %s, %s XDP, %s, %u receive queues, MTU %u in buffers of %u bytes",
             self->port.name, making->nic.name, self->program.generic ? "generic" : "native",
             xsk_zerocopy(&self->queues[0].xsk) ? "zero copy" : "copies by the kernel",
             self->queue_count, self->port.mtu, self->frames.buffer_bytes);
}

static int make(struct port_xdp_making *making)
{
    int error = make_frames(making);

    if (!error)
        error = make_sockets(making);
    if (!error)
        error = port_xdp_make_wake_fd(making);
    if (!error)
        error = make_program(making);
    if (error)
        return error;
    describe(making);
    return 0;
}

int port_xdp_check(const char *interface, const struct reason *reason)
{
    const struct port_xdp_config config = {.interface = interface};
    struct port_xdp_making making = {.config = &config, .reason = reason};
    int error = read_nic(&making);

    return error ? error : xdp_program_check(&making.nic, reason);
}

int port_xdp_look(struct port_xdp_making *making)
{
    int error = ethdev_name_check(making->config->name);

    if (error)
        return reason_set(making->reason, error, "a port's name has 1 to %u characters",
                          ETHDEV_NAME_MAX);
    if (making->config->mode == XDP_MODE_GENERIC &&
        making->config->zerocopy == XDP_ZEROCOPY_REQUIRED)
        return reason_set(making->reason, -EINVAL, "zerocopy: generic XDP always copies");
    error = read_nic(making);
    /* The interface decides what may arrive, the port what it sends. */
    making->frags = making->nic.mtu > XDP_PROGRAM_MTU_MAX;
    return error;
}

static int check_free(struct port_xdp_making *making)
{
    int error = port_xdp_look(making);

    if (!error)
        error = choose_mtu(making);
    if (!error)
        error = xdp_program_check(&making->nic, making->reason);
    return error ? error : check_offloads(making);
}

static int copy_claims(struct port_xdp *self, const struct port_xdp_config *config)
{
    /* One more, since there may be none. */
    self->claims = calloc(config->claim_count + 1, sizeof(self->claims[0]));
    if (!self->claims)
        return -ENOMEM;
    for (uint32_t i = 0; i < config->claim_count; i++)
        self->claims[i] = config->claims[i];
    self->claim_count = config->claim_count;
    self->vlan = config->vlan;
    return 0;
}

int port_xdp_new(struct port_xdp_making *making, uint32_t queues)
{
    struct port_xdp *self = calloc(1, sizeof(*self) + queues * sizeof(self->queues[0]));

    if (!self || copy_claims(self, making->config)) {
        free(self);
        return reason_set(making->reason, -ENOMEM, "out of memory");
    }
    self->port.ops = &port_xdp_ops;
    self->port.wake_fd = -1;
    self->program.link = -1;
    self->frames.fd = -1;
    self->retry_ns = UINT64_MAX;
    snprintf(self->port.name, sizeof(self->port.name), "%s", making->config->name);
    memcpy(self->interface, making->nic.name, sizeof(self->interface));
    self->ifindex = making->nic.index;
    making->port = self;
    return 0;
}

int port_xdp_create(struct port **port, const struct port_xdp_config *config,
                    const struct reason *reason)
{
    struct port_xdp_making making = {.config = config, .reason = reason};
    int error = check_free(&making);

    if (!error)
        error = port_xdp_new(&making, making.nic.rx_queues);
    if (error)
        return error;
    error = make(&making);
    if (error)
        making.port->port.ops->destroy(&making.port->port);
    else
        *port = &making.port->port;
    return error;
}
