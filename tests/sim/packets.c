/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/packets.h"

#include <rte_eal.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POOL_CACHE   256u
#define PACKET_BYTES 9216u /* of the largest packet, with its headers */

struct rte_mempool *packets_start(const char *program, uint32_t count)
{
    static char words[] = "simulation --no-huge --no-shconf --no-pci --no-telemetry -m 384"
                          " --log-level lib.*:error -l 0";
    char *argv[sizeof(words) / 2];
    int argc = 0;
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    if (rte_eal_init(argc, argv) < 0)
        exit(1);
    struct rte_mempool *pool =
        rte_pktmbuf_pool_create("simulation", count, POOL_CACHE, 0,
                                RTE_PKTMBUF_HEADROOM + PACKET_BYTES, SOCKET_ID_ANY);
    if (!pool) {
        fprintf(stderr, "%s: no memory for packets\n", program);
        exit(1);
    }
    return pool;
}
