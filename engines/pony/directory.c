/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/directory.h"

#include "engines/pony/upper.h"
#include "mailbox/roll.h"

#include <errno.h>
#include <sodium/crypto_shorthash.h>
#include <stdlib.h>
#include <string.h>

SADDLE_STATIC_ASSERT(DIRECTORY_KEY_BYTES == crypto_shorthash_KEYBYTES, "SipHash's key");

struct directory {
    struct roll *roll;
    uint16_t udp_ports[DIRECTORY_ENGINES_MAX];
    uint8_t key[DIRECTORY_KEY_BYTES];
};

int directory_create(struct directory **directory, const uint16_t *udp_ports, uint32_t count,
                     const uint8_t key[DIRECTORY_KEY_BYTES])
{
    struct directory *made;
    int error;

    if (count == 0 || count > DIRECTORY_ENGINES_MAX)
        return -EINVAL;
    made = calloc(1, sizeof(*made));
    if (!made)
        return -ENOMEM;
    error = roll_create(&made->roll, count, UPPER_LISTENERS);
    if (error) {
        free(made);
        return error;
    }
    memcpy(made->udp_ports, udp_ports, count * sizeof(*udp_ports));
    memcpy(made->key, key, sizeof(made->key));
    *directory = made;
    return 0;
}

void directory_destroy(struct directory *directory)
{
    if (!directory)
        return;
    roll_destroy(directory->roll);
    free(directory);
}

static uint64_t key_of(const struct directory *directory, const char *name, uint32_t length)
{
    uint64_t key;

    crypto_shorthash((uint8_t *)&key, (const uint8_t *)name, length, directory->key);
    return key == 0 ? 1 : key; /* 0 is an empty place */
}

int directory_enter(struct directory *directory, uint32_t row, uint32_t index, const char *name,
                    uint32_t length)
{
    return roll_enter(directory->roll, row, index, key_of(directory, name, length)) ? 0
                                                                                    : -EADDRINUSE;
}

void directory_leave(struct directory *directory, uint32_t row, uint32_t index)
{
    roll_leave(directory->roll, row, index);
}

uint16_t directory_find(const struct directory *directory, uint32_t row, const char *name,
                        uint32_t length)
{
    uint32_t found = roll_find(directory->roll, row, key_of(directory, name, length));

    return found == ROLL_NOBODY ? 0 : directory->udp_ports[found];
}
