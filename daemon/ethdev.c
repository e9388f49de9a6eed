/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/ethdev.h"

#include "daemon/topology.h"

#include <errno.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <string.h>

#define CACHE_PACKETS 256u /* of each registered thread */
#define QUEUE         0u
#define POOL_SUFFIX   ".pool"
/* As long as that one. */
#define POOL_SUFFIX_MORE ".poo%u"
#define POOLS_MAX        10u

/* DPDK's word for it is the same. NOLINTNEXTLINE(misc-redundant-expression) */
_Static_assert(TOPOLOGY_ANY == SOCKET_ID_ANY, "any node");
_Static_assert(ETHDEV_NAME_MAX + sizeof(POOL_SUFFIX) <= RTE_MEMPOOL_NAMESIZE, "names fit");

int ethdev_name_check(const char *name)
{
    size_t length = name ? strlen(name) : 0;

    return length > 0 && length <= ETHDEV_NAME_MAX ? 0 : -EINVAL;
}

struct rte_mempool *ethdev_pool_create(const char *port_name, uint32_t packets, uint16_t mtu,
                                       int node)
{
    const uint32_t cache = RTE_MIN(CACHE_PACKETS, packets / 2);
    struct rte_mempool *pool = NULL;
    char name[RTE_MEMPOOL_NAMESIZE];
    uint32_t room =
        RTE_PKTMBUF_HEADROOM + RTE_ETHER_HDR_LEN + 2 * sizeof(struct rte_vlan_hdr) + mtu;

    if (room > UINT16_MAX) {
        rte_errno = EINVAL;
        return NULL;
    }
    /* net_af_packet fills buffers of 2 KiB whatever the MTU. */
    room = RTE_MAX(room, RTE_MBUF_DEFAULT_BUF_SIZE);
    /* One that was handed over leaves its pool behind, and may have to be made again. */
    for (uint32_t i = 0; i < POOLS_MAX && !pool; i++) {
        if (i == 0)
            snprintf(name, sizeof(name), "%s" POOL_SUFFIX, port_name);
        else
            snprintf(name, sizeof(name), "%s" POOL_SUFFIX_MORE, port_name, i);
        if (rte_mempool_lookup(name))
            continue;
        if (node != SOCKET_ID_ANY)
            pool = rte_pktmbuf_pool_create(name, packets, cache, 0, (uint16_t)room, node);
        return pool ? pool
                    : rte_pktmbuf_pool_create(name, packets, cache, 0, (uint16_t)room,
                                              SOCKET_ID_ANY);
    }
    rte_errno = EEXIST;
    return NULL;
}

void ethdev_pool_destroy(struct rte_mempool *pool)
{
    if (pool && rte_mempool_full(pool))
        rte_mempool_free(pool);
}

/* Whether the device takes frames with an IP packet of `mtu` bytes. */
static bool mtu_fits(const struct rte_eth_dev_info *info, uint16_t mtu)
{
    uint32_t frame = (uint32_t)mtu + RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;

    return mtu >= info->min_mtu && mtu <= info->max_mtu && frame <= info->max_rx_pktlen;
}

static int configure(uint16_t ethdev, const struct ethdev_queue_config *config)
{
    struct rte_eth_conf conf = {.rxmode.mtu = config->mtu};
    struct rte_eth_dev_info info;
    uint16_t rx = config->descriptors;
    uint16_t tx = config->descriptors;
    int result = rte_eth_dev_info_get(ethdev, &info);

    if (result)
        return result;
    if (!mtu_fits(&info, config->mtu))
        return -ERANGE;
    conf.txmode.offloads = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
    result = rte_eth_dev_configure(ethdev, 1, 1, &conf);
    if (!result)
        result = rte_eth_dev_adjust_nb_rx_tx_desc(ethdev, &rx, &tx);
    if (!result)
        result =
            rte_eth_rx_queue_setup(ethdev, QUEUE, rx, (unsigned)config->node, NULL, config->pool);
    if (!result)
        result = rte_eth_tx_queue_setup(ethdev, QUEUE, tx, (unsigned)config->node, NULL);
    return result;
}

int ethdev_start(uint16_t ethdev, const struct ethdev_queue_config *config)
{
    int result = configure(ethdev, config);

    /* What the driver's interface has in the kernel, for one that has any; others go by the
     * configuration. */
    if (!result && !config->shared)
        result = rte_eth_dev_set_mtu(ethdev, config->mtu);
    return result && result != -ENOTSUP ? result : rte_eth_dev_start(ethdev);
}

bool ethdev_takes_segments(uint16_t ethdev)
{
    struct rte_eth_dev_info info;

    return rte_eth_dev_info_get(ethdev, &info) == 0 &&
           (info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS);
}
