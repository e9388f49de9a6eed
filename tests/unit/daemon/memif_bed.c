/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/daemon/memif_bed.h"

#include "tests/unit/control/transit.h"

#include <check.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define PATIENCE_MS 20000

char bed_path[TEST_FOLDER_BYTES + BED_NAME_BYTES], bed_why[BED_WHY_BYTES];
struct port *bed_server, *bed_client;
const struct reason bed_reason = {bed_why, sizeof(bed_why)};
static char folder[TEST_FOLDER_BYTES];
static uint32_t descriptors;

struct port_memif_config bed_config(const char *name, bool is_server)
{
    return (struct port_memif_config){.name = name,
                                      .socket = bed_path,
                                      .server = is_server,
                                      .mode = 0600,
                                      .id = 7,
                                      .pool_packets = 4095,
                                      .mac = {{2, 0, 0, 0, 0, (uint8_t)(1 + is_server)}},
                                      .node = SOCKET_ID_ANY};
}

struct port *bed_create(const char *name, bool is_server)
{
    struct port_memif_config config = bed_config(name, is_server);
    struct port *port = NULL;

    ck_assert_msg(port_memif_create(&port, &config, &bed_reason) == 0, "%s", bed_why);
    return port;
}

void bed_destroy(struct port **port)
{
    char pool[RTE_MEMPOOL_NAMESIZE];

    if (!*port)
        return;
    snprintf(pool, sizeof(pool), "%.20s.pool", (*port)->name);
    (*port)->ops->destroy(*port);
    ck_assert_ptr_null(rte_mempool_lookup(pool));
    *port = NULL;
}

void bed_set_up(void)
{
    ck_assert_ptr_nonnull(test_folder_make(folder, "saddle-memif"));
    snprintf(bed_path, sizeof(bed_path), "%s/memif", folder);
    bed_server = bed_client = NULL;
    descriptors = transit_descriptors();
}

void bed_tear_down(void)
{
    bed_destroy(&bed_client);
    bed_destroy(&bed_server);
    ck_assert_uint_eq(transit_descriptors(), descriptors);
    ck_assert_int_eq(rmdir(folder), 0);
}

/* What control does for both, until something is so. */
void bed_work_until(bool (*is_so)(void))
{
    struct pollfd both[] = {{.fd = -1, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
    int left = PATIENCE_MS;

    while (!is_so()) {
        both[0].fd = bed_server ? port_memif_fd(bed_server) : -1;
        both[1].fd = bed_client ? port_memif_fd(bed_client) : -1;
        ck_assert_int_ge(left, 0);
        left -= poll(both, 2, 1) == 0;
        if (bed_server && (both[0].revents & POLLIN))
            port_memif_work(bed_server);
        if (bed_client && (both[1].revents & POLLIN))
            port_memif_work(bed_client);
    }
}

bool bed_both_up(void)
{
    return port_memif_link(bed_server) && port_memif_link(bed_client);
}

bool bed_client_down(void)
{
    return !port_memif_link(bed_client);
}

bool bed_server_down(void)
{
    return !port_memif_link(bed_server);
}

void bed_join(void)
{
    bed_server = bed_create("server", true);
    bed_client = bed_create("client", false);
    bed_work_until(bed_both_up);
}

uint64_t bed_stat(const struct port *port, const char *name)
{
    struct port_stat stats[16];
    uint32_t count = port->ops->stats(port, stats, 16);

    for (uint32_t i = 0; i < count; i++)
        if (!strcmp(stats[i].name, name))
            return stats[i].value;
    ck_abort_msg("no %s", name);
}

/* ---- Packets ---- */

uint8_t bed_byte(uint32_t number, uint32_t at)
{
    return (uint8_t)(number * 7 + at);
}

/* In pieces of at most that many bytes. */
static struct rte_mbuf *packet_of(struct rte_mempool *pool, uint32_t number, uint32_t length,
                                  uint32_t piece)
{
    struct rte_mbuf *head = NULL;

    for (uint32_t done = 0; done < length;) {
        struct rte_mbuf *one = rte_pktmbuf_alloc(pool);
        uint32_t part = RTE_MIN(length - done, piece);
        uint8_t *bytes;

        ck_assert_ptr_nonnull(one);
        bytes = (uint8_t *)rte_pktmbuf_append(one, (uint16_t)part);
        for (uint32_t i = 0; i < part; i++)
            bytes[i] = bed_byte(number, done + i);
        done += part;
        if (!head)
            head = one;
        else
            ck_assert_int_eq(rte_pktmbuf_chain(head, one), 0);
    }
    return head;
}

bool bed_send(struct port *port, uint32_t number, uint32_t length, uint32_t piece)
{
    struct rte_mbuf *packet = packet_of(port->pool, number, length, piece);
    uint16_t sent = port->ops->tx_burst(port, &packet, 1, 0);

    if (sent == 0)
        rte_pktmbuf_free(packet);
    return sent == 1;
}

/* The next one is this one. */
void bed_receive(struct port *port, uint32_t number, uint32_t length)
{
    struct rte_mbuf *packet;
    const uint8_t *bytes;
    uint32_t wrong = 0;

    ck_assert_uint_eq(port->ops->rx_burst(port, &packet, 1, 0), 1);
    ck_assert_uint_eq(rte_pktmbuf_pkt_len(packet), length);
    ck_assert_uint_eq(packet->nb_segs, 1);
    bytes = rte_pktmbuf_mtod(packet, const uint8_t *);
    for (uint32_t i = 0; i < length; i++)
        wrong += bytes[i] != bed_byte(number, i);
    ck_assert_uint_eq(wrong, 0);
    rte_pktmbuf_free(packet);
}

bool bed_receives_nothing(struct port *port)
{
    struct rte_mbuf *packet;

    return port->ops->rx_burst(port, &packet, 1, 0) == 0;
}

void bed_exchange(struct port *from, struct port *to)
{
    for (uint32_t length = BED_FRAME_MIN; length <= BED_FRAME_MAX; length += 11) {
        ck_assert(bed_send(from, length, length, BED_FRAME_MAX));
        bed_receive(to, length, length);
        ck_assert(bed_send(from, length, length, 100));
        bed_receive(to, length, length);
    }
    ck_assert(bed_receives_nothing(to));
}

/* ---- Bells ---- */

static bool rings(const struct port *port)
{
    struct pollfd one = {.fd = port->wake_fd, .events = POLLIN};

    return poll(&one, 1, 0) == 1;
}

static void hush(const struct port *port)
{
    struct epoll_event event;

    while (epoll_wait(port->wake_fd, &event, 1, 0) == 1)
        ;
}

void bed_check_bell(struct port *from, struct port *to)
{
    uint64_t before = bed_stat(from, "bells");

    hush(to);
    to->ops->disarm(to);
    ck_assert(bed_send(from, 1, 64, BED_FRAME_MAX));
    ck_assert(!rings(to));
    ck_assert_int_eq(to->ops->arm(to), 1);
    bed_receive(to, 1, 64);
    ck_assert_int_eq(to->ops->arm(to), 0);
    ck_assert(bed_send(from, 2, 64, BED_FRAME_MAX));
    ck_assert(rings(to));
    to->ops->disarm(to);
    bed_receive(to, 2, 64);
    ck_assert_uint_eq(bed_stat(from, "bells"), before + 1);
}
