/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What a wire takes with nothing of Saddle's above its ports: packets of the largest size go one
 * way, by two XDP ports of one process. Whoever sends does nothing else, whoever receives sleeps a
 * while where there was nothing; nobody writes or reads what packets carry.
 */
#include "daemon/port_xdp.h"
#include "engines/elements/encap.h"
#include "tools/bench/bench.h"
#include "tools/bench/eal.h"
#include "tools/bench/ring_meter.h"
#include "tools/bench/space.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <rte_lcore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define UDP_PORT   50707u /* claimed at either end */
#define UDP_SOURCE 50708u
#define PAUSE_NS   50000 /* a receive ring of 2048 lasts for a millisecond */

struct raw {
    struct ring_shared *shared;
    struct port *ports[RING_HOSTS];
    struct encap encap; /* of what goes from left to right */
    _Atomic uint64_t bytes;
    _Atomic bool stop;
    int far_rc;
};

static int open_port(struct raw *raw, uint32_t at)
{
    static const char *const names[RING_HOSTS] = {"left", "right"};
    static struct claim claims[RING_HOSTS];
    struct ring_shared *shared = raw->shared;
    const struct reason reason = {shared->reason, sizeof(shared->reason)};
    const struct port_xdp_config config = {.name = names[at],
                                           .interface = SPACE_DEVICE,
                                           .mode = XDP_MODE_NATIVE,
                                           .claims = &claims[at],
                                           .claim_count = 1};
    claims[at] = (struct claim){.port = UDP_PORT, .protocol = IPPROTO_UDP};
    int rc = address_parse(&claims[at].address, shared->hosts[at].address);
    if (!rc)
        rc = space_enter(shared->hosts[at].space);
    return rc ? ring_error(shared, rc, "the host of an XDP port: %s", strerror(-rc))
              : port_xdp_create(&raw->ports[at], &config, &reason);
}

static int open_ports(struct raw *raw)
{
    int rc = eal_start();
    if (rc)
        return ring_error(raw->shared, rc, "DPDK did not start");
    for (uint32_t at = 0; at < RING_HOSTS && !rc; at++)
        rc = open_port(raw, at);
    if (rc)
        return rc;
    struct encap_config config = {.src_mac = raw->ports[RING_LEFT]->mac,
                                  .dst_mac = raw->ports[RING_RIGHT]->mac,
                                  .src_port = UDP_SOURCE,
                                  .dst_port = UDP_PORT};
    address_parse(&config.src, raw->shared->hosts[RING_LEFT].address);
    address_parse(&config.dst, raw->shared->hosts[RING_RIGHT].address);
    rc = encap_build(&raw->encap, &config);
    return rc ? ring_error(raw->shared, rc, "headers: %s", strerror(-rc)) : 0;
}

/* Takes what has arrived at a port, which also offers the kernel again what it did not take. */
static uint64_t take(struct raw *raw, uint32_t at)
{
    struct port *port = raw->ports[at];
    struct rte_mbuf *packets[PORT_BURST];
    uint16_t count = port->ops->rx_burst(port, packets, PORT_BURST, bench_now());
    uint64_t bytes = 0;
    for (uint16_t i = 0; i < count; i++)
        bytes += rte_pktmbuf_pkt_len(packets[i]) - raw->encap.length;
    rte_pktmbuf_free_bulk(packets, count);
    return bytes;
}

static void *receive(void *arg)
{
    static const struct timespec pause = {.tv_nsec = PAUSE_NS};
    struct raw *raw = arg;
    bench_pin(raw->shared->far_cpu);
    raw->far_rc = rte_thread_register();
    while (!raw->far_rc && !atomic_load_explicit(&raw->stop, memory_order_relaxed)) {
        uint64_t bytes = take(raw, RING_RIGHT);
        atomic_fetch_add_explicit(&raw->bytes, bytes, memory_order_relaxed);
        if (bytes == 0)
            nanosleep(&pause, NULL);
    }
    return NULL;
}

/* As many packets as there is room for, up to a burst. */
static int send_burst(struct raw *raw)
{
    struct port *port = raw->ports[RING_LEFT];
    struct rte_mbuf *packets[PORT_BURST];
    uint16_t length = (uint16_t)(port->mtu - (raw->encap.length - raw->encap.ip));
    uint16_t count = RTE_MIN(port->ops->tx_room(port), (uint16_t)PORT_BURST);
    if (count == 0 || rte_pktmbuf_alloc_bulk(port->pool, packets, count))
        return 0;
    for (uint16_t i = 0; i < count; i++) {
        rte_pktmbuf_append(packets[i], length);
        if (encap_apply(&raw->encap, packets[i]))
            return ring_error(raw->shared, -EINVAL, "a packet has no room for its headers");
    }
    uint16_t sent = port->ops->tx_burst(port, packets, count, bench_now());
    rte_pktmbuf_free_bulk(packets + sent, count - sent);
    return 0;
}

static uint64_t arrived(struct raw *raw)
{
    return atomic_load_explicit(&raw->bytes, memory_order_relaxed) / raw->shared->what.bytes;
}

static int send_until(struct raw *raw, uint64_t until_ns)
{
    uint64_t least = arrived(raw) + RING_LEAST, now = bench_now();
    int rc = 0;
    while (!rc && !raw->far_rc && (now < until_ns || arrived(raw) < least)) {
        rc = send_burst(raw);
        take(raw, RING_LEFT);
        now = bench_now();
        if (!rc && now > until_ns + RING_PATIENCE_NS)
            rc = ring_error(raw->shared, -ETIMEDOUT, "packets stand still");
    }
    return rc;
}

static int measure(struct raw *raw)
{
    struct ring_meter meter;
    int rc = send_until(raw, bench_now() + ring_warm_up_ns(raw->shared));
    if (rc)
        return rc;
    meter_start(&meter, raw->shared, arrived(raw));
    rc = send_until(raw, bench_now() + ring_length_ns(raw->shared));
    meter_stop(&meter, raw->shared, arrived(raw));
    raw->shared->result.checked = 0; /* nobody looks at what arrives */
    return rc;
}

static int run(struct raw *raw)
{
    pthread_t thread;
    int rc = open_ports(raw);
    if (rc)
        return rc;
    if ((rc = -pthread_create(&thread, NULL, receive, raw)))
        return ring_error(raw->shared, rc, "starting a thread: %s", strerror(-rc));
    bench_pin(raw->shared->cpu);
    rc = measure(raw);
    atomic_store_explicit(&raw->stop, true, memory_order_relaxed);
    pthread_join(thread, NULL);
    if (!rc && raw->far_rc)
        rc = ring_error(raw->shared, raw->far_rc, "a thread that DPDK does not know");
    return rc;
}

/* What ports and DPDK tell an operator is for none here; why something failed is in `reason`. */
static void hush(void)
{
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (fd >= 0)
        dup2(fd, STDERR_FILENO);
}

/* The process ends with it, and takes what it has with it. */
void wire_work_floor(void *arg, int word_fd)
{
    struct raw raw = {.shared = arg};
    hush();
    if (run(&raw) || write(word_fd, "", 1) != 1)
        _exit(EXIT_FAILURE);
}
