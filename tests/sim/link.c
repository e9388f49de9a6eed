/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/link.h"

#include "tests/sim/host.h"
#include "tests/sim/pcap.h"

#include <stdlib.h>

#define LINK_CAPACITY 4096u /* packets on the way: more than all windows toward one host */
#define LINK_BURST    32u

struct link {
    struct sim *sim;
    uint32_t from, to;
    struct impair *impair;
    struct alarm alarm;
    uint64_t clock; /* of the last push or pop: the element's time does not go back */
    uint64_t cut_lost;
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

void link_destroy(struct link *link)
{
    if (!link)
        return;
    const struct impair_stats *stats = impair_stats(link->impair);
    struct sim_totals *totals = &link->sim->totals;
    totals->packets += stats->pushed + link->cut_lost;
    totals->lost += stats->lost + stats->burst_lost + link->cut_lost;
    totals->duplicated += stats->duplicated;
    totals->reordered += stats->reordered;
    totals->corrupted += stats->corrupted;
    impair_destroy(link->impair);
    free(link);
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
            host_receive(link->sim->hosts[link->to], packets[i]);
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
    if (now > link->clock)
        link->clock = now;
    impair_push(link->impair, &packet, 1, link->clock);
    schedule(link);
}

void link_cut(struct link *link, bool cut)
{
    link->cut = cut;
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
