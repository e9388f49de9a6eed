/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Who on the link has which address, where Saddle owns the link: a resolver, and below it a table
 * of neighbours that are asked, believed for a while, asked again, and given up. It knows neither
 * ARP nor ND: its user sends the questions and reports what was heard.
 *
 * A neighbour's link-layer address is learned from an answer to our own question, or, while we ask,
 * from a question to us. What a station claims unasked changes nothing: when it contradicts what is
 * known, we ask, and first where the neighbour was last. So a forged claim costs a question, and
 * takes no packet away from a neighbour that answers; one that did move is found again after its
 * old place was silent.
 *
 * Ownership: made by the port, lent as a resolver to one engine. All memory is taken at creation.
 * Threads: the engine's. Trust: what is reported comes from the link and may be forged; addresses
 * wanted come from applications and from the network. Both tables, the questions of a millisecond
 * and the answers of a run are bounded.
 */
#ifndef ENGINES_NEIGHBOURS_H
#define ENGINES_NEIGHBOURS_H

#include "engines/address_map.h"
#include "engines/neighbour_page.h"
#include "engines/resolver.h"
#include "engines/subnets.h"

struct neighbours_config {
    struct subnets subnets;
    uint8_t key[ADDRESS_MAP_KEY_BYTES]; /* random */
    uint64_t now;                       /* ns, at creation */
    uint32_t wants_max;                 /* addresses wanted at a time; 0: 8192 */
    uint32_t tries;                     /* questions before giving up; 0: 3 */
    uint64_t retry_ns;                  /* between two of them; 0: 1 s */
    uint64_t reachable_ns; /* how long an answer is believed before it is confirmed; 0: 30 s */
    uint64_t negative_ns;  /* how long a neighbour that was given up is not asked again; 0: 3 s */
    /* Sends a question for the link-layer address of `target`, to `mac` alone, or to all if it is
     * NULL. It may be lost. */
    void (*ask)(void *context, const struct address *target, const struct address *source,
                const struct rte_ether_addr *mac);
    void *context;
};

/* How it was heard that somebody has an address. */
enum neighbours_news {
    NEIGHBOURS_ANSWER, /* to a question of ours */
    NEIGHBOURS_CALL,   /* a question to us: it is there, whether it hears us is not shown */
    NEIGHBOURS_CLAIM,  /* to nobody in particular */
};

struct neighbours_stats {
    uint64_t asked;    /* questions sent */
    uint64_t resolved; /* neighbours that answered first, or anew */
    uint64_t failed;   /* neighbours given up */
    uint64_t moved;    /* neighbours found at another place */
    uint64_t claims;   /* contradictions that made us ask */
};

struct neighbours;

/* 0, -EINVAL (see subnets_check), -ENOMEM. */
int neighbours_create(struct neighbours **neighbours, const struct neighbours_config *config);
void neighbours_destroy(struct neighbours *neighbours);
struct resolver *neighbours_resolver(struct neighbours *neighbours);

/* `mac` may be NULL in an answer that leaves it out: then the one asked has answered. `override`:
 * the answer may replace what is known. */
void neighbours_heard(struct neighbours *neighbours, const struct address *address,
                      const struct rte_ether_addr *mac, enum neighbours_news news, bool override,
                      uint64_t now);
/* Asks and answers what is due. */
void neighbours_run(struct neighbours *neighbours, uint64_t now);
/* When neighbours_run has something to do; 0: now, UINT64_MAX: never. */
uint64_t neighbours_deadline(const struct neighbours *neighbours);
/* For operators: a page of what is known, also of those that nobody wants any more. */
void neighbours_view(const struct neighbours *neighbours, struct neighbour_page *page);
const struct neighbours_stats *neighbours_stats(const struct neighbours *neighbours);

#endif
