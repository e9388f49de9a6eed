/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/trace.h"

#include <inttypes.h>
#include <stdio.h>

/* FNV-1a's, taken a word at a time, with a shift that lets high bits reach low ones. */
#define HASH_START 0xcbf29ce484222325ull
#define HASH_PRIME 0x100000001b3ull

void trace_init(struct trace *trace, bool verbose)
{
    *trace = (struct trace){.hash = HASH_START, .verbose = verbose};
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * HASH_PRIME;
    return hash ^ hash >> 29;
}

void trace_add(struct trace *trace, uint64_t now, uint32_t host, const char *kind,
               const uint64_t values[3])
{
    uint64_t hash = mix(trace->hash, now);
    hash = mix(hash, host);
    for (const char *letter = kind; *letter; letter++)
        hash = mix(hash, (uint8_t)*letter);
    for (int i = 0; i < 3; i++)
        hash = mix(hash, values[i]);
    trace->hash = hash;
    trace->events++;
    if (trace->verbose)
        printf("%12.3f us  host %" PRIu32 "  %-10s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
               (double)now / 1e3, host, kind, values[0], values[1], values[2]);
}
