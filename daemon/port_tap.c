/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/port_tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define DEVICE "/dev/net/tun"
#define SEGMENTS_MAX                                                                               \
    16u /* of a packet; one of PORT_BURST jumbo frames in pieces of 2 KiB has 5                    \
         */
#define TAGS_MAX         2u /* IEEE 802.1ad */
#define HANDOVER_VERSION 1u
#define STARVED_NS       100000ull /* without memory: until somebody may have freed some */

struct counts {
    uint64_t oversized; /* from the kernel, larger than the MTU: it was raised there */
    uint64_t no_memory; /* turns without a buffer: packets wait in the kernel */
    uint64_t down;      /* to the kernel, which had the interface down, or removed */
    uint64_t scattered; /* to the kernel, in more segments than there may be */
    uint64_t failed;    /* to the kernel, which did not take it for another reason */
};

struct port_tap {
    struct port port; /* first: what users hold */
    uint32_t frame_max;
    bool waiting;   /* packets may wait: the last look did not find the end */
    uint64_t retry; /* without memory: when to look again; else UINT64_MAX */
    struct counts counts;
};

static struct port_tap *from_port(struct port *port)
{
    return (struct port_tap *)port;
}

static void count(uint64_t *counter)
{
    __atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

/* ---- From the kernel ---- */

/* Returns the length, which may be one more than there is room for, or a negative errno. */
static ssize_t read_into(const struct port_tap *self, struct rte_mbuf *packet)
{
    uint8_t beyond;
    const struct iovec parts[] = {
        {rte_pktmbuf_mtod(packet, void *), self->frame_max},
        {&beyond, sizeof(beyond)},
    };
    ssize_t length = readv(self->port.wake_fd, parts, sizeof(parts) / sizeof(parts[0]));

    return length < 0 ? -errno : length;
}

/* Whether the wire takes it: what is behind its tags is no larger than the MTU. */
static bool fits(const struct port_tap *self, const struct rte_mbuf *packet, size_t length)
{
    const uint8_t *type = rte_pktmbuf_mtod_offset(packet, const uint8_t *, 2 * RTE_ETHER_ADDR_LEN);
    size_t limit = RTE_ETHER_HDR_LEN + self->port.mtu;

    for (uint32_t i = 0; i < TAGS_MAX && limit < length; i++, type += sizeof(struct rte_vlan_hdr)) {
        uint16_t tag = (uint16_t)(type[0] << 8 | type[1]);

        if (tag != RTE_ETHER_TYPE_VLAN && tag != RTE_ETHER_TYPE_QINQ)
            return false;
        limit += sizeof(struct rte_vlan_hdr);
    }
    return length <= limit;
}

static uint16_t tap_rx_burst(struct port *port, struct rte_mbuf **packets, uint16_t max,
                             uint64_t now)
{
    struct port_tap *self = from_port(port);
    uint16_t got = 0;

    self->retry = UINT64_MAX;
    self->waiting = true;
    for (uint16_t i = 0; i < max && self->waiting; i++) {
        struct rte_mbuf *packet = rte_pktmbuf_alloc(port->pool);
        ssize_t length = packet ? read_into(self, packet) : 0;

        if (!packet) {
            count(&self->counts.no_memory);
            self->retry = now + STARVED_NS;
            break;
        }
        if (length > 0 && fits(self, packet, (size_t)length)) {
            packet->data_len = (uint16_t)length;
            packet->pkt_len = (uint32_t)length;
            packets[got++] = packet;
            continue;
        }
        if (length > 0)
            count(&self->counts.oversized);
        self->waiting = length > 0;
        rte_pktmbuf_free(packet);
    }
    return got;
}

/* The descriptor reports whatever comes after its end was seen. */
static int tap_arm(struct port *port)
{
    const struct port_tap *self = from_port(port);

    return self->waiting && self->retry == UINT64_MAX ? 1 : 0;
}

static void tap_disarm(struct port *port)
{
    (void)port;
}

static uint64_t tap_deadline(struct port *port)
{
    return from_port(port)->retry;
}

/* ---- To the kernel ---- */

static void give(struct port_tap *self, const struct rte_mbuf *packet)
{
    struct iovec parts[SEGMENTS_MAX];
    int number = 0;

    if (packet->nb_segs > SEGMENTS_MAX) {
        count(&self->counts.scattered);
        return;
    }
    for (const struct rte_mbuf *part = packet; part; part = part->next)
        parts[number++] = (struct iovec){rte_pktmbuf_mtod(part, void *), part->data_len};
    if (writev(self->port.wake_fd, parts, number) >= 0)
        return;
    count(errno == EIO || errno == EBADFD ? &self->counts.down : &self->counts.failed);
}

/* Takes all: the kernel queues what it is given, or drops it, and never asks to wait. */
static uint16_t tap_tx_burst(struct port *port, struct rte_mbuf **packets, uint16_t number,
                             uint64_t now)
{
    (void)now;
    for (uint16_t i = 0; i < number; i++)
        give(from_port(port), packets[i]);
    rte_pktmbuf_free_bulk(packets, number);
    return number;
}

static uint16_t tap_tx_room(struct port *port)
{
    (void)port;
    return PORT_BURST;
}

static uint32_t tap_stats(const struct port *port, struct port_stat *stats, uint32_t max)
{
    const struct counts *counts = &((const struct port_tap *)port)->counts;
    const struct {
        const char *name;
        const uint64_t *value;
    } all[] = {
        {"from_kernel_oversized", &counts->oversized},
        {"from_kernel_no_memory", &counts->no_memory},
        {"to_kernel_down", &counts->down},
        {"to_kernel_scattered", &counts->scattered},
        {"to_kernel_failed", &counts->failed},
    };
    uint32_t number = sizeof(all) / sizeof(all[0]);

    for (uint32_t i = 0; i < number && i < max; i++)
        stats[i] = (struct port_stat){
            .name = all[i].name,
            .value = __atomic_load_n(all[i].value, __ATOMIC_RELAXED),
        };
    return number;
}

static void tap_destroy(struct port *port)
{
    close(port->wake_fd);
    free(port);
}

static const struct port_ops tap_ops = {
    .driver = "tap",
    .rx_burst = tap_rx_burst,
    .tx_burst = tap_tx_burst,
    .tx_room = tap_tx_room,
    .deadline = tap_deadline,
    .arm = tap_arm,
    .disarm = tap_disarm,
    .stats = tap_stats,
    .destroy = tap_destroy,
};

/* ---- Its life ---- */

static struct ifreq request_for(const char *interface)
{
    struct ifreq request = {0};

    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
    return request;
}

static int open_tap(const char *interface, const struct reason *reason)
{
    struct ifreq request = request_for(interface);
    int fd = open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    int error = fd < 0 ? -errno : 0;

    if (error)
        return reason_set(reason, error, "%s: %s%s", DEVICE, strerror(-error),
                          error == -ENOENT ? " (modprobe tun)" : "");
    request.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL);
    if (!ioctl(fd, TUNSETIFF, &request))
        return fd;
    error = -errno;
    close(fd);
    if (error == -EPERM)
        return reason_set(reason, error,
                          "interface %s cannot be made without the capability net_admin",
                          interface);
    if (error == -EBUSY || if_nametoindex(interface))
        return reason_set(reason, -EEXIST,
                          "interface %s is there already: it has to be a new one (ip link show %s)",
                          interface, interface);
    return reason_set(reason, error, "interface %s cannot be made: %s", interface,
                      strerror(-error));
}

/* The kernel is to do all itself: what it sends leaves on a wire as it is. */
static int settle(int fd, int control, const struct port_tap_config *config)
{
    struct ifreq request = request_for(config->interface);

    if (ioctl(fd, TUNSETOFFLOAD, 0))
        return -errno;
    request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    memcpy(request.ifr_hwaddr.sa_data, config->mac.addr_bytes, RTE_ETHER_ADDR_LEN);
    if (ioctl(control, SIOCSIFHWADDR, &request))
        return -errno;
    request.ifr_mtu = config->mtu;
    if (ioctl(control, SIOCSIFMTU, &request) || ioctl(control, SIOCGIFFLAGS, &request))
        return -errno;
    request.ifr_flags |= IFF_UP;
    return ioctl(control, SIOCSIFFLAGS, &request) ? -errno : 0;
}

static int make_interface(const struct port_tap_config *config, const struct reason *reason)
{
    int control = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int fd = control < 0 ? -errno : open_tap(config->interface, reason);
    int error = fd < 0 ? fd : settle(fd, control, config);

    if (control < 0)
        return reason_set(reason, error, "socket: %s", strerror(-error));
    close(control);
    if (fd >= 0 && error) {
        close(fd);
        return reason_set(reason, error, "interface %s: %s", config->interface, strerror(-error));
    }
    return error ? error : fd;
}

static struct port_tap *make_port(const struct port_tap_config *config)
{
    struct port_tap *made = calloc(1, sizeof(*made));

    if (!made)
        return NULL;
    made->port.ops = &tap_ops;
    snprintf(made->port.name, sizeof(made->port.name), "%s", config->interface);
    made->port.mac = config->mac;
    made->port.mtu = config->mtu;
    made->port.pool = config->pool;
    made->frame_max =
        RTE_ETHER_HDR_LEN + TAGS_MAX * (uint32_t)sizeof(struct rte_vlan_hdr) + config->mtu;
    made->waiting = true;
    made->retry = UINT64_MAX;
    return made;
}

int port_tap_create(struct port **port, const struct port_tap_config *config,
                    const struct reason *reason)
{
    struct port_tap *made = make_port(config);
    int fd;

    if (!made)
        return reason_set(reason, -ENOMEM, "out of memory");
    fd = make_interface(config, reason);
    if (fd < 0) {
        free(made);
        return fd;
    }
    made->port.wake_fd = fd;
    *port = &made->port;
    return 0;
}

int port_tap_carrier(const struct port *port, bool there)
{
    int carrier = there;

    return ioctl(port->wake_fd, TUNSETCARRIER, &carrier) ? -errno : 0;
}

/* ---- Handing over ---- */

static void tap_offer(const struct port *port, struct parcel_draft *draft)
{
    state_put_u32(&draft->state, port->mtu);
    state_put_bytes(&draft->state, port->mac.addr_bytes, RTE_ETHER_ADDR_LEN);
    parcel_put_fd(draft, port->wake_fd);
}

/* Is it the end of that interface, as port_tap_create makes it? */
static bool is_tap(int fd, const char *interface)
{
    struct ifreq request = {0};

    return !ioctl(fd, TUNGETIFF, &request) &&
           !strncmp(request.ifr_name, interface, sizeof(request.ifr_name)) &&
           (request.ifr_flags & (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)) == (IFF_TAP | IFF_NO_PI);
}

/* The descriptor, or a negative errno with the reason. */
static int take_tap(const struct port_tap_config *config, struct parcel *parcel,
                    const struct reason *reason)
{
    uint32_t mtu = state_get_u32(&parcel->state);
    uint32_t length;
    const void *mac = state_get_bytes(&parcel->state, RTE_ETHER_ADDR_LEN, &length);
    int fd = parcel_get_fd(parcel);

    if (fd < 0)
        return reason_set(reason, -EBADMSG, "what was handed over of interface %s is damaged",
                          config->interface);
    if (mtu == config->mtu && length == RTE_ETHER_ADDR_LEN &&
        !memcmp(mac, config->mac.addr_bytes, length) && is_tap(fd, config->interface))
        return fd;
    close(fd);
    return reason_set(reason, -EINVAL,
                      "what was handed over is not interface %s with this address and an MTU of %u",
                      config->interface, config->mtu);
}

int port_tap_adopt(struct port **port, const struct port_tap_config *config, struct parcel *parcel,
                   const struct reason *reason)
{
    int fd = take_tap(config, parcel, reason);
    struct port_tap *made;

    if (fd < 0)
        return fd;
    made = make_port(config);
    if (!made) {
        close(fd);
        return reason_set(reason, -ENOMEM, "out of memory");
    }
    made->port.wake_fd = fd;
    *port = &made->port;
    return 0;
}

/* The kernel has all packets. */
static void tap_leave(struct port *port, struct state_writer *state)
{
    const struct counts *counts = &((const struct port_tap *)port)->counts;
    const uint64_t all[] = {counts->oversized, counts->no_memory, counts->down, counts->scattered,
                            counts->failed};

    state_put_counters(state, all, sizeof(all) / sizeof(all[0]));
}

static int tap_enter(struct port *port, struct state_reader *state, const struct reason *reason)
{
    struct counts *counts = &from_port(port)->counts;
    uint64_t *const fields[] = {&counts->oversized, &counts->no_memory, &counts->down,
                                &counts->scattered, &counts->failed};
    uint64_t all[sizeof(fields) / sizeof(fields[0])] = {0};

    state_get_counters(state, all, sizeof(all) / sizeof(all[0]));
    if (state->error)
        return reason_set(reason, -EBADMSG, "what was handed over of interface %s is damaged",
                          port->name);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        __atomic_store_n(fields[i], all[i], __ATOMIC_RELAXED);
    return 0;
}

static int tap_begin(struct port *port)
{
    (void)port;
    return 0;
}

static void tap_settle(struct port *port)
{
    (void)port;
}

static int tap_resume(struct port *port, const struct reason *reason)
{
    (void)port;
    (void)reason;
    return 0;
}

const struct port_handover_ops port_tap_handover = {
    .driver = "tap",
    .version = HANDOVER_VERSION,
    .offer = tap_offer,
    .leave = tap_leave,
    .enter = tap_enter,
    .begin = tap_begin,
    .settle = tap_settle,
    .resume = tap_resume,
    .forget = tap_destroy,
};
