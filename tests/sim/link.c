/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/link.h"

#include "engines/elements/crc32c.h"
#include "engines/elements/ipv4.h"
#include "engines/elements/ipv6.h"
#include "engines/elements/udp.h"
#include "engines/pony/wire.h"
#include "tests/sim/fault.h"
#include "tests/sim/host.h"
#include "tests/sim/pcap.h"

#include <stdlib.h>

#define LINK_CAPACITY 4096u /* packets on the way: more than all windows toward one host */
#define LINK_BURST    32u
#define HEADERS       (WIRE_FLOW_BYTES + WIRE_OP_BYTES)
#define NUMBER_SHIFT  8u /* of a packet's number, above the place of its UDP payload */

struct link {
    struct sim *sim;
    uint32_t from, to;
    struct impair *impair;
    struct alarm alarm;
    uint64_t clock; /* of the last push or pop: the element's time does not go back */
    uint64_t cut_lost, swallowed, overtaken;
    uint32_t narrow;       /* bytes of an IP packet; 0: all pass */
    uint32_t sent, newest; /* numbers of packets: the last sent, the highest that arrived */
    bool cut;
};

struct link *link_create(struct sim *sim, uint32_t from, uint32_t to,
                         const struct impair_config *config)
{
    struct link *link = sim_zalloc(sizeof(*link));
    link->sim = sim;
    link->from = from;
    link->to = to;
    alarm_init(&link->alarm);

    uint8_t seed[RNG_SEED_BYTES];
    struct rng rng;
    rng_init_u64(&rng, sim->options.seed, SIM_STREAM_LINKS + from * SIM_HOSTS_MAX + to);
    for (uint32_t i = 0; i < RNG_SEED_BYTES; i++)
        seed[i] = (uint8_t)rng_u64(&rng);
    if (impair_create(&link->impair, config, seed, LINK_CAPACITY, sim->pool))
        abort();
    return link;
}

uint32_t link_struck(const struct link *link)
{
    const struct impair_stats *stats = impair_stats(link->impair);

    return (uint32_t)(stats->lost > 0) << FAULT_LOSS |
           (uint32_t)(stats->burst_lost > 0) << FAULT_BURST |
           (uint32_t)(stats->duplicated > 0) << FAULT_DUPLICATE |
           (uint32_t)(stats->reordered > 0) << FAULT_REORDER |
           (uint32_t)(stats->corrupted > 0) << FAULT_CORRUPT;
}

void link_destroy(struct link *link)
{
    if (!link)
        return;
    const struct impair_stats *stats = impair_stats(link->impair);
    struct sim_totals *totals = &link->sim->totals;
    totals->packets += stats->pushed + link->cut_lost + link->swallowed;
    totals->lost += stats->lost + stats->burst_lost + link->cut_lost;
    totals->duplicated += stats->duplicated;
    totals->reordered += stats->reordered;
    totals->corrupted += stats->corrupted;
    totals->swallowed += link->swallowed;
    totals->overtaken += link->overtaken;
    link->sim->struck |= link_struck(link);
    impair_destroy(link->impair);
    free(link);
}

/* ---- What becomes of a packet on the way: written into it, where engines do not look ---- */

static uint32_t crc_of(const struct rte_mbuf *packet, uint32_t at, uint32_t most)
{
    uint32_t bytes = rte_pktmbuf_data_len(packet) - at;
    return crc32c_update(CRC32C_START, rte_pktmbuf_mtod_offset(packet, const uint8_t *, at),
                         bytes < most ? bytes : most);
}

static void label(struct link *link, struct rte_mbuf *packet)
{
    const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(packet, const struct rte_ether_hdr *);
    bool v4 = ether->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
    uint32_t ip = v4 ? sizeof(struct rte_ipv4_hdr) : sizeof(struct rte_ipv6_hdr);
    uint32_t at = (uint32_t)(sizeof(*ether) + ip + sizeof(struct rte_udp_hdr));
    packet->hash.fdir.lo = ++link->sent << NUMBER_SHIFT | at;
    packet->hash.fdir.hi = crc_of(packet, at, UINT32_MAX);
    packet->tx_offload = crc_of(packet, at, HEADERS);
}

static enum sim_change read_label(struct link *link, const struct rte_mbuf *packet)
{
    uint32_t number = packet->hash.fdir.lo >> NUMBER_SHIFT;
    uint32_t at = packet->hash.fdir.lo & ((1u << NUMBER_SHIFT) - 1);
    if (number > link->newest)
        link->newest = number;
    link->overtaken += link->newest - number >= OVERTAKEN;
    if (crc_of(packet, at, UINT32_MAX) == packet->hash.fdir.hi)
        return SIM_CHANGED_NOTHING;
    return crc_of(packet, at, HEADERS) == packet->tx_offload ? SIM_CHANGED_REST
                                                             : SIM_CHANGED_HEADER;
}

static void schedule(struct link *link);

static void arrive(void *arg, uint64_t now)
{
    struct link *link = arg;
    if (!alarm_due(&link->alarm, now))
        return;
    if (now > link->clock)
        link->clock = now;
    struct rte_mbuf *packets[LINK_BURST];
    uint16_t count;
    do {
        count = impair_pop(link->impair, packets, LINK_BURST, now);
        for (uint16_t i = 0; i < count; i++)
            host_receive(link->sim->hosts[link->to], packets[i], read_label(link, packets[i]));
    } while (count == LINK_BURST);
    schedule(link);
}

static void schedule(struct link *link)
{
    uint64_t deadline = impair_deadline(link->impair);
    if (deadline != UINT64_MAX)
        alarm_set(&link->sim->events, &link->alarm, deadline, arrive, link);
}

void link_send(struct link *link, struct rte_mbuf *packet, uint64_t now)
{
    TRACE(link->sim, link->from, "send", link->to, rte_pktmbuf_pkt_len(packet), now);
    pcap_add(link->sim->options.pcap, packet, now);
    if (link->cut) {
        link->cut_lost++;
        rte_pktmbuf_free(packet);
        return;
    }
    if (link->narrow && rte_pktmbuf_pkt_len(packet) - sizeof(struct rte_ether_hdr) > link->narrow) {
        link->swallowed++;
        rte_pktmbuf_free(packet);
        return;
    }
    if (now > link->clock)
        link->clock = now;
    label(link, packet);
    impair_push(link->impair, &packet, 1, link->clock);
    schedule(link);
}

void link_cut(struct link *link, bool cut)
{
    link->cut = cut;
}

void link_narrow(struct link *link, uint32_t bytes)
{
    link->narrow = bytes;
}

void link_configure(struct link *link, const struct impair_config *config)
{
    if (impair_configure(link->impair, config))
        abort();
}

uint32_t link_held(const struct link *link)
{
    return impair_held(link->impair);
}
