/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The receive ladder against arbitrary frames.
 *
 * Input: a byte that says into segments of which size the frame is cut (0: not at all), then the
 * frame. What is accepted must lie within the frame, a cut must change nothing, and every packet
 * must come home.
 */
#include "engines/elements/decap.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POOL_PACKETS 1023u
#define FRAME_MAX    900u /* one segment a byte still fits the pool, and all of it the first one */
#define WORD_BYTES   24u

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rte_mempool *pool;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static char words[][WORD_BYTES] = {
        "decap_fuzz",     "--no-huge", "--no-shconf", "--no-pci",
        "--no-telemetry", "-m",        "64",          "--log-level=error",
    };
    char *arguments[sizeof(words) / sizeof(words[0]) + 1] = {NULL};
    int count = (int)(sizeof(words) / sizeof(words[0]));

    (void)argc;
    (void)argv;
    for (int i = 0; i < count; i++)
        arguments[i] = words[i];
    if (rte_eal_init(count, arguments) < 0)
        exit(EXIT_FAILURE);
    pool = rte_pktmbuf_pool_create("fuzz", POOL_PACKETS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
                                   SOCKET_ID_ANY);
    if (!pool)
        exit(EXIT_FAILURE);
    return 0;
}

static void require(int truth, const char *what)
{
    if (truth)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

static void nothing_to_free(void *bytes, void *opaque)
{
    (void)bytes;
    (void)opaque;
}

/* One segment that ends where its memory does. */
static struct rte_mbuf *whole(uint8_t *bytes, uint32_t length,
                              struct rte_mbuf_ext_shared_info *info)
{
    struct rte_mbuf *packet = rte_pktmbuf_alloc(pool);

    require(packet != NULL, "no packet");
    info->free_cb = nothing_to_free;
    rte_mbuf_ext_refcnt_set(info, 1);
    rte_pktmbuf_attach_extbuf(packet, bytes, RTE_BAD_IOVA, (uint16_t)length, info);
    packet->data_off = 0;
    packet->data_len = (uint16_t)length;
    packet->pkt_len = length;
    return packet;
}

static struct rte_mbuf *cut(const uint8_t *bytes, uint32_t length, uint32_t step)
{
    struct rte_mbuf *packet = rte_pktmbuf_alloc(pool);

    require(packet != NULL, "no packet");
    for (uint32_t at = 0; at < length; at += step) {
        struct rte_mbuf *segment = rte_pktmbuf_alloc(pool);
        uint32_t part = RTE_MIN(step, length - at);

        require(segment != NULL, "no segment");
        memcpy(rte_pktmbuf_append(segment, (uint16_t)part), bytes + at, part);
        require(rte_pktmbuf_chain(packet, segment) == 0, "too many segments");
    }
    return packet;
}

/* Returns whether the ladder accepted it. */
static int check(struct rte_mbuf *packet, const uint8_t *frame, uint32_t length)
{
    struct decap decap = {0};
    struct packet_meta meta;
    uint64_t refused = 0;
    uint32_t payload;
    uint16_t count = decap_batch(&decap, &packet, &meta, 1);

    for (int i = 0; i < REFUSAL_COUNT; i++)
        refused += decap.refused[i];
    require(decap.accepted == count && refused + count == 1, "each packet is counted once");
    require(decap.refused[REFUSAL_NONE] == 0, "a refusal has a reason");
    if (count == 0)
        return 0;
    payload = rte_pktmbuf_data_len(packet);
    require(packet->nb_segs == 1 && packet->pkt_len == payload, "accepted in one piece");
    require(payload <= length, "no longer than the frame");
    require(memmem(frame, length, rte_pktmbuf_mtod(packet, const void *), payload) != NULL,
            "bytes of the frame");
    require(meta.vlan_tags <= PACKET_VLAN_MAX && meta.dscp <= 63 && meta.ecn <= 3, "in range");
    require(address_is_v4(&meta.src) == address_is_v4(&meta.dst), "one family");
    rte_pktmbuf_free(packet);
    return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rte_mbuf_ext_shared_info info;
    uint8_t *frame;
    uint32_t length;
    int accepted;

    if (size == 0 || size - 1 > FRAME_MAX)
        return 0;
    length = (uint32_t)size - 1;
    frame = malloc(length);
    if (length > 0)
        memcpy(frame, data + 1, length);
    accepted = check(whole(frame, length, &info), data + 1, length);
    if (data[0] > 0)
        require(check(cut(data + 1, length, data[0]), data + 1, length) == accepted,
                "segments change nothing");
    free(frame);
    require(rte_mempool_full(pool), "every packet came home");
    return 0;
}
