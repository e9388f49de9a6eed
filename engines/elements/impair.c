/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/elements/impair.h"

#include "sched/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define TIME_MAX_NS (3600 * NSEC_PER_SEC) /* sums of three of them and a clock never overflow */

struct held {
    uint64_t due;   /* ns */
    uint64_t order; /* of insertion, breaks ties */
    struct rte_mbuf *packet;
};

struct impair {
    struct impair_config config;
    struct rte_mempool *pool;
    struct rng rng;
    bool bad; /* state of the burst model */
    uint64_t next_order;
    struct impair_stats stats;
    uint32_t capacity;
    uint32_t count;
    struct held heap[]; /* binary, the next due first */
};

static bool before(const struct held *a, const struct held *b)
{
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

/* The caller has seen that there is room. */
static void heap_insert(struct impair *impair, const struct held *entry)
{
    uint32_t at = impair->count++;

    while (at > 0) {
        uint32_t parent = (at - 1) / 2;

        if (!before(entry, &impair->heap[parent]))
            break;
        impair->heap[at] = impair->heap[parent];
        at = parent;
    }
    impair->heap[at] = *entry;
}

static struct rte_mbuf *heap_remove_first(struct impair *impair)
{
    struct rte_mbuf *first = impair->heap[0].packet;
    struct held last = impair->heap[--impair->count];
    uint32_t at = 0;

    for (;;) {
        uint32_t child = 2 * at + 1;

        if (child >= impair->count)
            break;
        if (child + 1 < impair->count && before(&impair->heap[child + 1], &impair->heap[child]))
            child++;
        if (!before(&impair->heap[child], &last))
            break;
        impair->heap[at] = impair->heap[child];
        at = child;
    }
    impair->heap[at] = last;
    return first;
}

int impair_config_check(const struct impair_config *config)
{
    if (config->loss_ppm > IMPAIR_MILLION || config->burst_enter_ppm > IMPAIR_MILLION ||
        config->burst_leave_ppm > IMPAIR_MILLION || config->burst_loss_ppm > IMPAIR_MILLION ||
        config->duplicate_ppm > IMPAIR_MILLION || config->corrupt_ppm > IMPAIR_MILLION ||
        config->reorder_ppm > IMPAIR_MILLION || config->reorder_ns > TIME_MAX_NS ||
        config->delay_ns > TIME_MAX_NS || config->jitter_ns > TIME_MAX_NS)
        return -EINVAL;
    return 0;
}

int impair_create(struct impair **impair, const struct impair_config *config,
                  const uint8_t seed[RNG_SEED_BYTES], uint32_t capacity, struct rte_mempool *pool)
{
    struct impair *made;

    if (impair_config_check(config) || capacity == 0 || capacity > IMPAIR_CAPACITY_MAX)
        return -EINVAL;
    made = calloc(1, sizeof(*made) + capacity * sizeof(made->heap[0]));
    if (!made)
        return -ENOMEM;
    made->config = *config;
    made->pool = pool;
    made->capacity = capacity;
    rng_init(&made->rng, seed);
    *impair = made;
    return 0;
}

void impair_destroy(struct impair *impair)
{
    if (!impair)
        return;
    for (uint32_t i = 0; i < impair->count; i++)
        rte_pktmbuf_free(impair->heap[i].packet);
    free(impair);
}

int impair_configure(struct impair *impair, const struct impair_config *config)
{
    if (impair_config_check(config))
        return -EINVAL;
    impair->config = *config;
    impair->bad = false;
    return 0;
}

static bool chance(struct impair *impair, uint32_t per_million)
{
    return rng_chance(&impair->rng, per_million);
}

static bool loses(struct impair *impair)
{
    const struct impair_config *config = &impair->config;

    if (chance(impair, impair->bad ? config->burst_leave_ppm : config->burst_enter_ppm))
        impair->bad = !impair->bad;
    if (!chance(impair, impair->bad ? config->burst_loss_ppm : config->loss_ppm))
        return false;
    if (impair->bad)
        impair->stats.burst_lost++;
    else
        impair->stats.lost++;
    return true;
}

static struct rte_mbuf *copy(struct impair *impair, const struct rte_mbuf *packet)
{
    struct rte_mbuf *made = rte_pktmbuf_copy(packet, impair->pool, 0, UINT32_MAX);

    if (!made)
        impair->stats.starved++;
    return made;
}

/* Replaces a packet by a copy with one bit flipped; NULL if there is no memory for it. */
static struct rte_mbuf *corrupt(struct impair *impair, struct rte_mbuf *packet)
{
    struct rte_mbuf *made;
    struct rte_mbuf *segment;
    uint64_t bit;
    uint64_t byte;

    if (rte_pktmbuf_pkt_len(packet) == 0)
        return packet;
    made = copy(impair, packet);
    rte_pktmbuf_free(packet);
    if (!made)
        return NULL;
    bit = rng_below(&impair->rng, (uint64_t)rte_pktmbuf_pkt_len(made) * 8);
    byte = bit / 8;
    segment = made;
    while (byte >= rte_pktmbuf_data_len(segment)) {
        byte -= rte_pktmbuf_data_len(segment);
        segment = segment->next;
    }
    *rte_pktmbuf_mtod_offset(segment, uint8_t *, byte) ^= (uint8_t)(1u << bit % 8);
    impair->stats.corrupted++;
    return made;
}

static void hold(struct impair *impair, struct rte_mbuf *packet, uint64_t now)
{
    const struct impair_config *config = &impair->config;
    struct held entry = {.due = now + config->delay_ns, .packet = packet};

    if (impair->count == impair->capacity) {
        impair->stats.overflowed++;
        rte_pktmbuf_free(packet);
        return;
    }
    if (config->jitter_ns > 0)
        entry.due += rng_below(&impair->rng, config->jitter_ns);
    if (chance(impair, config->reorder_ppm)) {
        entry.due += config->reorder_ns;
        impair->stats.reordered++;
    }
    entry.order = impair->next_order++;
    heap_insert(impair, &entry);
}

static void push_one(struct impair *impair, struct rte_mbuf *packet, uint64_t now)
{
    struct rte_mbuf *duplicate = NULL;

    impair->stats.pushed++;
    if (loses(impair)) {
        rte_pktmbuf_free(packet);
        return;
    }
    if (chance(impair, impair->config.duplicate_ppm)) {
        duplicate = copy(impair, packet);
        impair->stats.duplicated += duplicate != NULL;
    }
    if (chance(impair, impair->config.corrupt_ppm))
        packet = corrupt(impair, packet);
    if (packet)
        hold(impair, packet, now);
    if (duplicate)
        hold(impair, duplicate, now);
}

void impair_push(struct impair *impair, struct rte_mbuf **packets, uint16_t count, uint64_t now)
{
    for (uint16_t i = 0; i < count; i++)
        push_one(impair, packets[i], now);
}

uint16_t impair_pop(struct impair *impair, struct rte_mbuf **packets, uint16_t max, uint64_t now)
{
    uint16_t popped = 0;

    while (popped < max && impair->count > 0 && impair->heap[0].due <= now)
        packets[popped++] = heap_remove_first(impair);
    impair->stats.popped += popped;
    return popped;
}

uint64_t impair_deadline(const struct impair *impair)
{
    return impair->count > 0 ? impair->heap[0].due : UINT64_MAX;
}

uint32_t impair_held(const struct impair *impair)
{
    return impair->count;
}

uint32_t impair_room(const struct impair *impair)
{
    return impair->capacity - impair->count;
}

const struct impair_stats *impair_stats(const struct impair *impair)
{
    return &impair->stats;
}
