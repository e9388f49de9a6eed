/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/carrier.h"
#include "daemon/chores.h"
#include "daemon/port_ethdev.h"
#include "daemon/port_ethdev_handover.h"
#include "daemon/port_memif.h"
#include "daemon/port_ring.h"
#include "daemon/port_tap.h"
#include "daemon/port_xdp.h"
#include "daemon/ports_private.h"
#include "daemon/reserve.h"
#include "engines/pony/transport.h"
#include "engines/port_impair.h"
#include "engines/port_link.h"
#include "sched/clock.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEVICE_BYTES     48u
#define DEVICE_INTERFACE ",iface=" /* what DPDK's drivers call the kernel's interface */
#define CLAIMS_MAX       (TRANSPORT_ADDRESSES_MAX * CONFIG_MATES_MAX) /* of one port */

static_assert((int)CONFIG_XDP_NATIVE == (int)XDP_MODE_NATIVE &&
                  (int)CONFIG_XDP_GENERIC == (int)XDP_MODE_GENERIC &&
                  (int)CONFIG_ZEROCOPY_OFF == (int)XDP_ZEROCOPY_OFF &&
                  (int)CONFIG_ZEROCOPY_REQUIRED == (int)XDP_ZEROCOPY_REQUIRED,
              "the configuration's choices are the port's");
static_assert(TRANSPORT_ADDRESSES_MAX <= SUBNETS_ADDRESSES_MAX,
              "a link has the engine's addresses");
static_assert(CONFIG_PORTS_MAX <= CARRIERS_MAX, "the kernel may have its part of each port");

static int interface_mtu(const char *interface, uint32_t *mtu)
{
    struct ifreq request = {0};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int error = 0;

    if (fd < 0)
        return -errno;
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%.*s", IFNAMSIZ - 1, interface);
    if (ioctl(fd, SIOCGIFMTU, &request))
        error = -errno;
    else
        *mtu = (uint32_t)request.ifr_mtu;
    close(fd);
    return error;
}

/* Both ends, when the first of the two is asked for. */
static int make_ring(struct ports *ports, uint32_t index)
{
    const struct config_port *port = config_port(ports->config, index);
    uint32_t peer = ports_index(ports->config, port->peer.text);
    struct port_ring_config config = {
        .name = {port->name.text, port->peer.text},
        .mtu = (uint16_t)port->mtu,
        .pool_packets = (uint32_t)port->packets,
    };

    if (peer < index)
        return 0;
    ports_mac(ports->config, index, &config.mac[0]);
    ports_mac(ports->config, peer, &config.mac[1]);
    return port_ring_create(&ports->port[index], &ports->port[peer], &config);
}

/* The null device invents packets without end unless it is told not to. */
static int make_null(struct ports *ports, uint32_t index)
{
    const struct config_port *port = config_port(ports->config, index);
    char device[DEVICE_BYTES];
    struct port_ethdev_config config = {
        .name = port->name.text,
        .device = device,
        .mtu = (uint16_t)port->mtu,
        .pool_packets = (uint32_t)port->packets,
        .node = TOPOLOGY_ANY,
    };

    snprintf(device, sizeof(device), "net_null%u,no-rx=1", index);
    ports_mac(ports->config, index, &config.mac);
    return port_ethdev_create(&ports->port[index], &config);
}

/* Bytes of the largest IP packet: as configured, else as the kernel's interface has it. */
static int find_mtu(struct ports *ports, const struct config_port *port, uint16_t *mtu)
{
    uint32_t has = 0;
    int error;

    if (config_owner(port) != CONFIG_OWNER_KERNEL) {
        *mtu = (uint16_t)port->mtu;
        return 0;
    }
    error = interface_mtu(port->interface.text, &has);
    if (error)
        return reason_set(ports->reason, error, "port %s: interface %s: %s", port->name.text,
                          port->interface.text, strerror(-error));
    if (port->mtu == SCHEMA_UNSET && has >= CONFIG_MTU_MIN) {
        *mtu = (uint16_t)RTE_MIN(has, CONFIG_MTU_MAX);
        return 0;
    }
    if (has < CONFIG_MTU_MIN || has < port->mtu)
        return reason_set(ports->reason, -ERANGE,
                          "port %s: interface %s has an MTU of %u (ip link set dev %s mtu %u)",
                          port->name.text, port->interface.text, has, port->interface.text,
                          port->mtu == SCHEMA_UNSET ? CONFIG_MTU_MIN : (uint32_t)port->mtu);
    *mtu = (uint16_t)port->mtu;
    return 0;
}

static int adopt_ethdev(struct ports *ports, uint32_t index,
                        const struct port_ethdev_config *config)
{
    char line[PORTS_LINE_BYTES];
    int error = port_ethdev_adopt(&ports->port[index], config, ports->parcel,
                                  &(struct reason){line, sizeof(line)});

    return error ? reason_set(ports->reason, error, "port %s: %s", config->name, line) : 0;
}

static int make_ethdev(struct ports *ports, uint32_t index)
{
    const struct config_port *port = config_port(ports->config, index);
    struct port_ethdev_config config = {
        .name = port->name.text,
        .device = port->device.text,
        .pool_packets = (uint32_t)port->packets,
        .shared = config_owner(port) == CONFIG_OWNER_KERNEL,
        .node = ports->node[index],
    };
    int error = find_mtu(ports, port, &config.mtu);

    if (error)
        return error;
    if (port->mac.text[0])
        config_mac(port->mac.text, &config.mac);
    if (ports->parcel && port_ethdev_is_alone(config.device))
        return adopt_ethdev(ports, index, &config);
    error = port_ethdev_create(&ports->port[index], &config);
    if (error == -ERANGE)
        return reason_set(ports->reason, error,
                          "port %s: device %s refuses packets of %u bytes (mtu)", port->name.text,
                          port->device.text, config.mtu);
    if (error)
        return reason_set(ports->reason, error, "port %s: device %s: %s", port->name.text,
                          port->device.text, strerror(-error));
    return 0;
}

/* What an engine receives: its addresses, at its UDP port. */
static uint32_t claims_of(const struct config_engine *engine, struct claim *claims)
{
    const struct schema_text *addresses = engine->addresses.items;
    uint32_t count = 0;

    for (uint32_t i = 0; i < engine->addresses.count; i++) {
        struct config_subnet subnet;

        if (config_subnet(addresses[i].text, &subnet))
            continue;
        claims[count++] = (struct claim){
            .address = subnet.address,
            .port = (uint16_t)engine->udp_port,
            .protocol = IPPROTO_UDP,
        };
    }
    return count;
}

/* What the engines on a port receive. */
static uint32_t collect_claims(const struct config *config, const struct config_port *port,
                               struct claim claims[CLAIMS_MAX])
{
    const struct config_engine *mates[CONFIG_MATES_MAX];
    uint32_t engines = config_mates(config, port->name.text, mates), count = 0;

    for (uint32_t i = 0; i < engines; i++)
        count += claims_of(mates[i], claims + count);
    return count;
}

/* Nobody else may have the UDP ports of an engine, and the kernel must not answer for it. */
static int make_reserve(struct ports *ports, uint32_t index)
{
    const struct config_port *port = config_port(ports->config, index);
    struct claim claims[CLAIMS_MAX];
    char line[PORTS_LINE_BYTES];
    const struct reason reason = {line, sizeof(line)};
    const char *interface = config_link_interface(ports->config, port);
    uint32_t count = collect_claims(ports->config, port, claims);
    int error;

    if (config_link_owner(ports->config, port) != CONFIG_OWNER_KERNEL)
        return 0;
    error = ports->parcel ? ports_expect(ports, PORTS_RECORD_RESERVE, index) : 0;
    if (error)
        return error;
    error = ports->parcel
                ? reserve_adopt(&ports->reserve[index], claims, count, interface, ports->parcel,
                                &reason)
                : reserve_create(&ports->reserve[index], claims, count, interface, &reason);
    return error ? reason_set(ports->reason, error, "port %s: %s", port->name.text, line) : 0;
}

static int make_xdp(struct ports *ports, uint32_t index)
{
    const struct config_port *port = config_port(ports->config, index);
    const struct config_engine *engine = config_engine_on(ports->config, port->name.text);
    struct claim claims[CLAIMS_MAX];
    struct port_xdp_config config = {
        .name = port->name.text,
        .interface = port->interface.text,
        .mtu = port->mtu == SCHEMA_UNSET ? 0 : (uint16_t)port->mtu,
        .pool_packets = (uint32_t)port->packets,
        .mode = (enum xdp_mode)port->xdp_mode,
        .zerocopy = (enum xdp_zerocopy)port->zerocopy,
        .claims = claims,
        .claim_count = collect_claims(ports->config, port, claims),
        .vlan = engine ? (uint16_t)engine->vlan : 0,
    };
    char line[PORTS_LINE_BYTES];
    const struct reason reason = {line, sizeof(line)};
    int error = ports->parcel ? port_xdp_adopt(&ports->port[index], &config, ports->parcel, &reason)
                              : port_xdp_create(&ports->port[index], &config, &reason);

    return error ? reason_set(ports->reason, error, "port %s: %s", port->name.text, line) : 0;
}

static int make_memif(struct ports *ports, uint32_t index)
{
    const struct config_port *port = config_port(ports->config, index);
    struct port_memif_config config = {
        .name = port->name.text,
        .socket = port->socket.text,
        .server = port->role == CONFIG_SERVER,
        .mode = (mode_t)port->mode,
        .id = (uint32_t)port->id,
        .mtu = port->mtu == SCHEMA_UNSET ? 0 : (uint16_t)port->mtu,
        .pool_packets = (uint32_t)port->packets,
        .node = ports->node[index],
    };
    char line[PORTS_LINE_BYTES];
    const struct reason reason = {line, sizeof(line)};
    int error;

    ports_mac(ports->config, index, &config.mac);
    error = ports->parcel ? port_memif_adopt(&ports->port[index], &config, ports->parcel, &reason)
                          : port_memif_create(&ports->port[index], &config, &reason);
    if (error)
        return reason_set(ports->reason, error, "port %s: %s", port->name.text, line);
    ports->device[index] = ports->port[index];
    error = chores_add(ports->chores, port_memif_fd(ports->port[index]), port_memif_work,
                       ports->port[index]);
    return error
               ? reason_set(ports->reason, error, "port %s: %s", port->name.text, strerror(-error))
               : 0;
}

void ports_leave_alone(struct ports *ports, uint32_t index)
{
    if (ports->device[index] && config_port(ports->config, index)->driver == CONFIG_MEMIF)
        chores_remove(ports->chores, port_memif_fd(ports->device[index]));
}

static bool impaired(const struct config_impair *impair)
{
    return impair->loss || impair->duplicate || impair->reorder || impair->corrupt ||
           impair->burst_enter || impair->delay || impair->jitter;
}

/* Puts the faults that the configuration asks for in front of what the port sends. */
static int make_impair(struct ports *ports, uint32_t index)
{
    const struct config_impair *impair = &config_port(ports->config, index)->impair;
    const struct impair_config send = {
        .loss_ppm = (uint32_t)impair->loss,
        .burst_enter_ppm = (uint32_t)impair->burst_enter,
        .burst_leave_ppm = (uint32_t)impair->burst_leave,
        .burst_loss_ppm = (uint32_t)impair->burst_loss,
        .duplicate_ppm = (uint32_t)impair->duplicate,
        .corrupt_ppm = (uint32_t)impair->corrupt,
        .reorder_ppm = (uint32_t)impair->reorder,
        .reorder_ns = impair->reorder_by,
        .delay_ns = impair->delay,
        .jitter_ns = impair->jitter,
    };
    struct port_impair_config config = {.send = &send};
    struct port *port;
    int error;

    if (!impaired(impair))
        return 0;
    /* Two ports with the same seed do not lose the same packets. */
    memcpy(config.seed, &impair->seed, sizeof(impair->seed));
    memcpy(config.seed + sizeof(impair->seed), &index, sizeof(index));
    error = port_impair_create(&port, ports->port[index], &config);
    if (!error)
        ports->port[index] = port;
    return error;
}

static void describe_link(struct port_link_config *config, const struct config_engine *engine)
{
    const struct schema_text *addresses = engine->addresses.items;
    const struct schema_text *gateways = engine->gateways.items;
    struct subnets *subnets = &config->subnets;

    for (uint32_t i = 0; i < engine->addresses.count; i++) {
        struct config_subnet subnet;

        if (!config_subnet(addresses[i].text, &subnet))
            subnets->list[subnets->count++] = (struct subnet){subnet.address, subnet.prefix};
    }
    for (uint32_t i = 0; i < engine->gateways.count; i++) {
        if (!address_parse(&subnets->gateways[subnets->gateway_count], gateways[i].text))
            subnets->gateway_count++;
    }
    config->vlan = (uint16_t)engine->vlan;
}

/* Where Saddle owns the link, it finds others there and is found by them. What the port loses on
 * purpose it loses of that, too. */
static int make_link(struct ports *ports, uint32_t index)
{
    const struct config_port *port = config_port(ports->config, index);
    const struct config_engine *engine = config_engine_on(ports->config, port->name.text);
    const struct config_engine *mates[CONFIG_MATES_MAX];
    struct port_link_config config = {.now = clock_now(&clock_machine)};
    struct port *link;
    int error = -EIO;

    if (config_link_owner(ports->config, port) != CONFIG_OWNER_SADDLE || !engine)
        return 0;
    describe_link(&config, engine);
    config.wants_max = config_mates(ports->config, port->name.text, mates) *
                       config_hops_on(ports->config, port->name.text);
    if (getrandom(config.key, sizeof(config.key), 0) == (ssize_t)sizeof(config.key))
        error = port_link_create(&link, ports->port[index], &config);
    explicit_bzero(config.key, sizeof(config.key));
    if (error)
        return error;
    ports->port[index] = link;
    ports->resolver[index] = port_link_resolver(link);
    return 0;
}

static int make_carriers(struct ports *ports)
{
    int error = carriers_create(&ports->carriers);

    if (error)
        return error;
    error = chores_add(ports->chores, carriers_fd(ports->carriers), carriers_work, ports->carriers);
    if (error) {
        carriers_destroy(ports->carriers);
        ports->carriers = NULL;
    }
    return error;
}

/* The kernel's own end of a port that is Saddle's, with the port's address. */
static int make_tap(struct ports *ports, uint32_t index)
{
    const struct config_port *port = config_port(ports->config, index);
    const struct config_engine *kernel = config_kernel_on(ports->config, port->name.text);
    const struct port *wire = ports->port[index];
    char line[PORTS_LINE_BYTES];
    const struct reason reason = {line, sizeof(line)};
    struct port_tap_config config = {.mac = wire->mac, .mtu = wire->mtu, .pool = wire->pool};
    int error;

    if (!kernel)
        return 0;
    config.interface = kernel->interface.text;
    error = ports->parcel ? ports_expect(ports, PORTS_RECORD_TAP, index) : 0;
    if (error)
        return error;
    error = ports->parcel ? port_tap_adopt(&ports->tap[index], &config, ports->parcel, &reason)
                          : port_tap_create(&ports->tap[index], &config, &reason);
    if (error)
        return reason_set(ports->reason, error, "engine %s: %s", kernel->name.text, line);
    if (!ports->carriers)
        error = make_carriers(ports);
    if (error)
        return reason_set(ports->reason, error, "engine %s: %s", kernel->name.text,
                          strerror(-error));
    /* What puts itself before the port later has no link of its own. */
    carriers_add(ports->carriers, wire, ports->tap[index],
                 port->driver == CONFIG_MEMIF ? port_memif_link : port_ethdev_link);
    return 0;
}

static int make_share(struct ports *ports, uint32_t index)
{
    const char *name = config_port(ports->config, index)->name.text;

    if (!config_steer_on(ports->config, name))
        return 0;
    return share_create(&ports->share[index], ports->config, name, ports->port[index],
                        ports->resolver[index], ports->reason);
}

static int make_port(struct ports *ports, uint32_t index)
{
    const struct config_port *port = config_port(ports->config, index);
    int error;

    switch (port->driver) {
    case CONFIG_XDP:
        return make_xdp(ports, index);
    case CONFIG_ETHDEV:
        return make_ethdev(ports, index);
    case CONFIG_MEMIF:
        return make_memif(ports, index);
    case CONFIG_NET_RING:
        error = make_ring(ports, index);
        break;
    default:
        error = make_null(ports, index);
        break;
    }
    return error
               ? reason_set(ports->reason, error, "port %s: %s", port->name.text, strerror(-error))
               : 0;
}

/* Where the device is that a port's packets come from. */
static int find_node(const struct ports *ports, const struct config_port *port)
{
    const char *given = strstr(port->device.text, DEVICE_INTERFACE);
    char name[RTE_ETH_NAME_MAX_LEN];

    if (port->interface.text[0])
        return topology_of_interface(ports->topology, port->interface.text);
    if (port_ethdev_pci_address(port->device.text, name, sizeof(name)))
        return topology_of_pci(ports->topology, name);
    if (!given)
        return TOPOLOGY_ANY;
    given += strlen(DEVICE_INTERFACE);
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(given, ","), given);
    return topology_of_interface(ports->topology, name);
}

/* Nobody's packets are taken away before it is known whose they are; those of a port that is taken
 * over are Saddle's already. */
static int make_whole(struct ports *ports, uint32_t index)
{
    bool late = ports->parcel ||
                config_kernel_on(ports->config, config_port(ports->config, index)->name.text);
    int error = late ? 0 : make_reserve(ports, index);

    if (!error && ports->parcel)
        error = ports_expect(ports, PORTS_RECORD_DEVICE, index);
    if (!error)
        error = make_port(ports, index);
    if (!error && late)
        error = make_tap(ports, index);
    return !error && late ? make_reserve(ports, index) : error;
}

/* What comes between the driver's port and the engines. */
static int wrap(struct ports *ports, uint32_t index)
{
    const char *name = config_port(ports->config, index)->name.text;
    int error = make_impair(ports, index);

    if (error)
        return reason_set(ports->reason, error, "port %s: impair: %s", name, strerror(-error));
    error = make_link(ports, index);
    if (error)
        return reason_set(ports->reason, error, "port %s: its link: %s", name, strerror(-error));
    return make_share(ports, index);
}

int ports_make_some(struct ports *ports, uint64_t which)
{
    const struct config *config = ports->config;
    int error = 0;

    for (uint32_t i = 0; i < config->ports.count && !error; i++) {
        if (!ports_has(which, i))
            continue;
        ports->node[i] = find_node(ports, config_port(config, i));
        topology_prefer(ports->topology, ports->node[i]);
        error = make_whole(ports, i);
        topology_prefer(ports->topology, TOPOLOGY_ANY);
    }
    for (uint32_t i = 0; i < config->ports.count && !error; i++) {
        if (!ports_has(which, i))
            continue;
        ports->device[i] = ports->port[i];
        error = wrap(ports, i);
    }
    return error;
}
