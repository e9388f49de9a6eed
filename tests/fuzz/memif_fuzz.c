/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The rings of a memif connection against whatever the other side writes into them.
 *
 * Input: a byte that says which side is ours (odd: the client's), then steps of 4 bytes: what to
 * do, where in the rings, and two bytes to be written there. Whatever is written, nothing outside
 * the memory is touched (the sanitizers see that), no turn is longer than a burst, and every packet
 * comes home.
 */
#include "daemon/memif_rings.h"
#include "tests/unit/eal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POOL_PACKETS 1023u
#define LOG2         4u /* slots of a ring */
#define BUFFER_BYTES 256u
/* Both rings, and nothing of the buffers. */
#define HEADS_BYTES (2 * (sizeof(struct memif_ring) + (sizeof(struct memif_descriptor) << LOG2)))
#define BURST       16u
#define STEP_BYTES  4u
#define PACKET_MAX  1500u

enum step { WRITE, RECEIVE, SEND, ROOM, ARM, DISARM, STEPS };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rte_mempool *pool;
static struct memif_rings *client, *server;
static struct fresh {
    struct memif_rings client, server;
    uint8_t heads[HEADS_BYTES];
} fresh;

static void require(int truth, const char *what)
{
    if (truth)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

static int twin(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

/* The server of a client, with the same memory. */
static struct memif_rings *server_of(const struct memif_rings *of)
{
    struct memif_rings *made;
    int error = memif_rings_expect(&made);

    require(!error, "no memory");
    error = memif_rings_add_region(made, 0, of->regions[0].bytes, twin(of->regions[0].fd));
    if (!error)
        error = memif_rings_add_ring(made, true, 0, of->tx.offset, LOG2, twin(of->tx.bell));
    if (!error)
        error = memif_rings_add_ring(made, false, 0, of->rx.offset, LOG2, twin(of->rx.bell));
    require(!error && !memif_rings_check(made), "a server takes what a client gives");
    return made;
}

static void receive(struct memif_rings *rings, struct memif_counts *counts)
{
    struct rte_mbuf *packets[BURST];
    uint16_t got = memif_rings_receive(rings, pool, packets, BURST, counts);

    require(got <= BURST, "no more than a burst");
    for (uint16_t i = 0; i < got; i++)
        require(packets[i]->nb_segs == 1 && packets[i]->pkt_len == packets[i]->data_len,
                "in one piece");
    rte_pktmbuf_free_bulk(packets, got);
}

static void send_packet(struct memif_rings *rings, uint16_t length, struct memif_counts *counts)
{
    struct rte_mbuf *packet = rte_pktmbuf_alloc(pool);

    require(packet != NULL, "no packet");
    length %= PACKET_MAX + 1;
    memset(rte_pktmbuf_append(packet, length), (int)length, length);
    if (memif_rings_send(rings, &packet, 1, counts) == 0)
        rte_pktmbuf_free(packet);
}

static void do_step(struct memif_rings *rings, const uint8_t *step, struct memif_counts *counts)
{
    const uint32_t words = HEADS_BYTES / sizeof(uint16_t);
    uint16_t value = (uint16_t)(step[2] | step[3] << 8);

    switch (step[0] % STEPS) {
    case WRITE:
        memcpy(rings->regions[0].base + (step[0] / STEPS * 256u + step[1]) % words * 2, &value,
               sizeof(value));
        break;
    case RECEIVE:
        receive(rings, counts);
        break;
    case SEND:
        send_packet(rings, value, counts);
        break;
    case ROOM:
        memif_rings_room(rings, PACKET_MAX);
        break;
    case ARM:
        memif_rings_arm(rings);
        break;
    default:
        memif_rings_disarm(rings);
        break;
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    test_eal_start();
    pool = test_eal_pool("fuzz", POOL_PACKETS);
    if (memif_rings_create(&client, LOG2, BUFFER_BYTES))
        exit(EXIT_FAILURE);
    server = server_of(client);
    fresh = (struct fresh){.client = *client, .server = *server};
    memcpy(fresh.heads, client->regions[0].base, sizeof(fresh.heads));
    return 0;
}

/* As they were made: to make them takes a thousand times as long as an input does. */
static void make_fresh(void)
{
    fresh.client.ringer = client->ringer;
    fresh.server.ringer = server->ringer;
    *client = fresh.client;
    *server = fresh.server;
    memcpy(client->regions[0].base, fresh.heads, sizeof(fresh.heads));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memif_counts counts = {0};
    struct memif_rings *ours;

    if (size == 0)
        return 0;
    make_fresh();
    ours = data[0] % 2 ? client : server;
    for (size_t at = 1; at + STEP_BYTES <= size; at += STEP_BYTES)
        do_step(ours, data + at, &counts);
    require(rte_mempool_full(pool), "every packet came home");
    return 0;
}
