/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/rng.h"

#include <endian.h>
#include <sodium/crypto_stream_chacha20.h>
#include <string.h>

#define CHACHA20_BLOCK_BYTES 64u
#define MILLION              1000000u
/* Each try is refused with probability below one half, so that the bound is never met (2^-64). */
#define BELOW_TRIES_MAX 64u

_Static_assert(RNG_SEED_BYTES == crypto_stream_chacha20_KEYBYTES, "a seed is a key");
_Static_assert(RNG_BUFFER_BYTES % CHACHA20_BLOCK_BYTES == 0, "whole blocks");

static void refill(struct rng *rng)
{
    static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
    uint64_t block = rng->counter++ * (RNG_BUFFER_BYTES / CHACHA20_BLOCK_BYTES);

    memset(rng->buffer, 0, sizeof(rng->buffer));
    crypto_stream_chacha20_xor_ic(rng->buffer, rng->buffer, sizeof(rng->buffer), nonce, block,
                                  rng->key);
    rng->used = 0;
}

void rng_init(struct rng *rng, const uint8_t seed[RNG_SEED_BYTES])
{
    memcpy(rng->key, seed, RNG_SEED_BYTES);
    rng->counter = 0;
    rng->used = RNG_BUFFER_BYTES;
}

void rng_init_u64(struct rng *rng, uint64_t seed, uint64_t stream)
{
    uint8_t key[RNG_SEED_BYTES] = {0};
    uint64_t words[2] = {htole64(seed), htole64(stream)};

    memcpy(key, words, sizeof(words));
    rng_init(rng, key);
}

uint64_t rng_u64(struct rng *rng)
{
    uint64_t value;

    if (rng->used == RNG_BUFFER_BYTES)
        refill(rng);
    memcpy(&value, rng->buffer + rng->used, sizeof(value));
    rng->used += sizeof(value);
    return le64toh(value);
}

uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    /* 2^64 modulo bound: below it lie the values that would make small results likelier. */
    uint64_t excess = -bound % bound;
    uint64_t value = rng_u64(rng);

    for (uint32_t tries = 1; value < excess && tries < BELOW_TRIES_MAX; tries++)
        value = rng_u64(rng);
    return value % bound;
}

int rng_chance(struct rng *rng, uint32_t per_million)
{
    return rng_below(rng, MILLION) < per_million;
}
