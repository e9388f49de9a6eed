/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/address_map.h"

#include <errno.h>
#include <sodium/crypto_shorthash.h>
#include <stdlib.h>

_Static_assert(ADDRESS_MAP_KEY_BYTES == crypto_shorthash_KEYBYTES, "the key of SipHash");

static struct address_node **slot_of(const struct address_map *map, const struct address *address)
{
    uint64_t hash;

    crypto_shorthash((uint8_t *)&hash, address->bytes, sizeof(address->bytes), map->key);
    return &map->slots[(uint32_t)hash & map->mask];
}

int address_map_init(struct address_map *map, uint32_t entries,
                     const uint8_t key[ADDRESS_MAP_KEY_BYTES])
{
    uint32_t slots = 2;

    /* Twice as many, so that chains are short. */
    while (slots < 2 * entries)
        slots *= 2;
    map->slots = calloc(slots, sizeof(struct address_node *));
    if (!map->slots)
        return -ENOMEM;
    map->mask = slots - 1;
    memcpy(map->key, key, sizeof(map->key));
    return 0;
}

void address_map_fini(struct address_map *map)
{
    free(map->slots);
    map->slots = NULL;
}

struct address_node *address_map_find(const struct address_map *map, const struct address *address)
{
    struct address_node *node = *slot_of(map, address);

    while (node && !address_equal(&node->address, address))
        node = node->next;
    return node;
}

void address_map_add(struct address_map *map, struct address_node *node)
{
    struct address_node **slot = slot_of(map, &node->address);

    node->next = *slot;
    *slot = node;
}

void address_map_remove(struct address_map *map, struct address_node *node)
{
    struct address_node **link = slot_of(map, &node->address);

    while (*link != node)
        link = &(*link)->next;
    *link = node->next;
}
