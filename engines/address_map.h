/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects by address: a hash table with chains, so that entries come and go.
 *
 * An object embeds a node. Ownership: the map links nodes and owns none; its slots are allocated at
 * creation. Threads: one at a time. Trust: strangers choose addresses, so the hash is keyed
 * (SipHash-2-4), and nobody can aim at one chain.
 */
#ifndef ENGINES_ADDRESS_MAP_H
#define ENGINES_ADDRESS_MAP_H

#include "engines/address.h"

#define ADDRESS_MAP_KEY_BYTES 16u /* of SipHash */

struct address_node {
    struct address address;
    struct address_node *next;
};

struct address_map {
    struct address_node **slots;
    uint32_t mask;
    uint8_t key[ADDRESS_MAP_KEY_BYTES];
};

/* For up to about `entries`: more make it slower, not wrong. 0 or -ENOMEM. */
int address_map_init(struct address_map *map, uint32_t entries,
                     const uint8_t key[ADDRESS_MAP_KEY_BYTES]);
/* Forgets all; also one that is all zero. */
void address_map_fini(struct address_map *map);
struct address_node *address_map_find(const struct address_map *map, const struct address *address);
/* Its address is set, and is not in the map yet. */
void address_map_add(struct address_map *map, struct address_node *node);
/* It is in the map. */
void address_map_remove(struct address_map *map, struct address_node *node);

#endif
