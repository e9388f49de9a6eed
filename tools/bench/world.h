/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Two hosts in one thread: two Pony engines joined by net_ring, with one application on each, for
 * measuring a message on its whole way without a scheduler in between.
 *
 * Ownership: there is one world, made on first use and kept until the process ends, because EAL can
 * be initialised only once.
 * Threads: the caller's runs engines and applications in turn.
 */
#ifndef BENCH_WORLD_H
#define BENCH_WORLD_H

#include <saddle/saddle.h>

#define WORLD_HOSTS        2u
#define WORLD_REGION_BYTES (1u << 20) /* exposed by the second host; stays in the cache */
#define WORLD_CONNECTIONS  256u       /* four windows: none has a message on its way already */

struct world {
    struct saddle_channel *channel[WORLD_HOSTS];
    saddle_handle connection[WORLD_HOSTS];
    void *buffer[WORLD_HOSTS]; /* WORLD_REGION_BYTES of each arena; the second's is the region */
    saddle_key key;
    uint32_t many; /* of `connections` that are there */
    saddle_handle connections[WORLD_CONNECTIONS];
};

/* 0 or a negative errno. */
int world_get(struct world **world);
/* Opens all of `connections`, from the first host to the second, unless they are. 0 or a negative
 * errno. */
int world_connect(struct world *world);
/* Runs each engine once. */
void world_turn(void);
/* Takes the next event of a host, running engines until there is one; messages are not released.
 * 0, or -ETIME if nothing comes. */
int world_event(struct world *world, unsigned host, struct saddle_completion *event);

#endif
