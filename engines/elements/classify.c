/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/elements/classify.h"

#include <errno.h>
#include <sodium/crypto_shorthash.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Address, port and protocol, without the padding of struct claim. */
#define KEY_BYTES 19u

_Static_assert(CLASSIFY_KEY_BYTES == crypto_shorthash_KEYBYTES, "SipHash's key");
_Static_assert(sizeof(uint64_t) == crypto_shorthash_BYTES, "SipHash's result");

struct slot {
    struct claim claim;
    uint16_t class; /* CLASSIFY_NONE: empty */
};

/* Open addressing, linear probing; at most half full, so a search ends at an empty slot. */
struct classify {
    uint8_t key[CLASSIFY_KEY_BYTES];
    uint32_t capacity;
    uint32_t count;
    uint32_t mask;
    struct slot slots[];
};

int classify_create(struct classify **classify, uint32_t capacity,
                    const uint8_t key[CLASSIFY_KEY_BYTES])
{
    struct classify *made;
    uint32_t slots;

    if (capacity == 0 || capacity > CLASSIFY_CLAIMS_MAX)
        return -EINVAL;
    slots = rte_align32pow2(2 * capacity);
    made = calloc(1, sizeof(*made) + slots * sizeof(made->slots[0]));
    if (!made)
        return -ENOMEM;
    memcpy(made->key, key, CLASSIFY_KEY_BYTES);
    made->capacity = capacity;
    made->mask = slots - 1;
    for (uint32_t i = 0; i < slots; i++)
        made->slots[i].class = CLASSIFY_NONE;
    *classify = made;
    return 0;
}

void classify_destroy(struct classify *classify)
{
    free(classify);
}

static uint32_t home(const struct classify *classify, const struct claim *claim)
{
    uint8_t key[KEY_BYTES];
    uint64_t hash;

    memcpy(key, claim->address.bytes, sizeof(claim->address.bytes));
    memcpy(key + sizeof(claim->address.bytes), &claim->port, sizeof(claim->port));
    key[KEY_BYTES - 1] = claim->protocol;
    crypto_shorthash((uint8_t *)&hash, key, sizeof(key), classify->key);
    return (uint32_t)hash & classify->mask;
}

static bool same(const struct claim *a, const struct claim *b)
{
    return a->port == b->port && a->protocol == b->protocol &&
           address_equal(&a->address, &b->address);
}

/* Where a claim lies, or else the empty slot where it would. */
static uint32_t locate(const struct classify *classify, const struct claim *claim)
{
    uint32_t at = home(classify, claim);

    while (classify->slots[at].class != CLASSIFY_NONE && !same(&classify->slots[at].claim, claim))
        at = (at + 1) & classify->mask;
    return at;
}

int classify_add(struct classify *classify, const struct claim *claim, uint16_t class)
{
    uint32_t at;

    if (class == CLASSIFY_NONE)
        return -EINVAL;
    at = locate(classify, claim);
    if (classify->slots[at].class != CLASSIFY_NONE)
        return -EEXIST;
    if (classify->count == classify->capacity)
        return -ENOSPC;
    classify->slots[at].claim = *claim;
    classify->slots[at].class = class;
    classify->count++;
    return 0;
}

int classify_remove(struct classify *classify, const struct claim *claim)
{
    uint32_t hole = locate(classify, claim);
    uint32_t at = hole;

    if (classify->slots[hole].class == CLASSIFY_NONE)
        return -ENOENT;
    /* Draw back what follows, so that no search meets the hole before its claim. */
    for (;;) {
        uint32_t start;

        at = (at + 1) & classify->mask;
        if (classify->slots[at].class == CLASSIFY_NONE)
            break;
        start = home(classify, &classify->slots[at].claim);
        if (((at - start) & classify->mask) < ((at - hole) & classify->mask))
            continue;
        classify->slots[hole] = classify->slots[at];
        hole = at;
    }
    classify->slots[hole].class = CLASSIFY_NONE;
    classify->count--;
    return 0;
}

uint16_t classify_find(const struct classify *classify, const struct claim *claim)
{
    return classify->slots[locate(classify, claim)].class;
}

void classify_batch(const struct classify *classify, const struct packet_meta *metas,
                    uint16_t count, uint16_t *classes)
{
    for (uint16_t i = 0; i < count; i++) {
        struct claim claim = {
            .address = metas[i].dst,
            .port = metas[i].dst_port,
            .protocol = metas[i].protocol,
        };

        classes[i] = classify_find(classify, &claim);
    }
}

uint16_t classify_take(struct classified *from, uint16_t class, struct rte_mbuf **packets,
                       struct packet_meta *metas)
{
    uint16_t taken = 0;
    uint16_t kept = 0;

    for (uint16_t i = 0; i < from->count; i++) {
        if (from->classes[i] == class) {
            packets[taken] = from->packets[i];
            metas[taken] = from->metas[i];
            taken++;
        } else {
            from->packets[kept] = from->packets[i];
            from->metas[kept] = from->metas[i];
            from->classes[kept] = from->classes[i];
            kept++;
        }
    }
    from->count = kept;
    return taken;
}
