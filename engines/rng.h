/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The seeded generator given to an engine: ChaCha20 keystream, so that one value tells nothing of
 * the next (tokens and cookies come from it), and a seed replays a run exactly.
 *
 * Ownership: plain data, embedded. Threads: one. Seed it from getrandom in the daemon, from the
 * run's seed in the simulator.
 */
#ifndef ENGINES_RNG_H
#define ENGINES_RNG_H

#include <stdint.h>

#define RNG_SEED_BYTES   32u  /* a ChaCha20 key */
#define RNG_BUFFER_BYTES 512u /* keystream made at a time: eight blocks */

struct rng {
    uint8_t key[RNG_SEED_BYTES];
    uint64_t counter; /* of buffers made */
    uint32_t used;    /* bytes of buffer handed out */
    uint8_t buffer[RNG_BUFFER_BYTES];
};

void rng_init(struct rng *rng, const uint8_t seed[RNG_SEED_BYTES]);
/* Seeds from a number and a stream name: for the simulator and for tests. */
void rng_init_u64(struct rng *rng, uint64_t seed, uint64_t stream);
uint64_t rng_u64(struct rng *rng);
/* Uniform in [0, bound); bound > 0. */
uint64_t rng_below(struct rng *rng, uint64_t bound);
/* True with probability `per_million` / 1,000,000. */
int rng_chance(struct rng *rng, uint32_t per_million);

#endif
