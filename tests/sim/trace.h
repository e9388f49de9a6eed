/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What happened, as one number: two runs with the same trace hash did the same things at the same
 * times. With `verbose` every event is also a line on standard output.
 *
 * Ownership: the simulation's. Threads: one.
 */
#ifndef TESTS_SIM_TRACE_H
#define TESTS_SIM_TRACE_H

#include <stdbool.h>
#include <stdint.h>

struct trace {
    uint64_t hash;
    uint64_t events;
    bool verbose;
};

void trace_init(struct trace *trace, bool verbose);
/* `host`, `kind` (a static word) and up to three numbers describe the event. */
void trace_add(struct trace *trace, uint64_t now, uint32_t host, const char *kind,
               const uint64_t values[3]);

#define TRACE(sim, host, kind, a, b, c)                                                            \
    trace_add(&(sim)->trace, (sim)->events.now, (host), (kind),                                    \
              (const uint64_t[3]){(uint64_t)(a), (uint64_t)(b), (uint64_t)(c)})

#endif
