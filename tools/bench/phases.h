/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of a prober's round trips were in normal time, and which in the time before a blackout in
 * which the newcomer starts and prepares itself.
 *
 *     normal | begun   brownout | blackout   neither | over   normal
 *
 * One that is on its way at the first border was slowed down by what follows it, and is the
 * brownout's; one that meets the blackout, or what has to be done right after it, is neither's.
 *
 * Ownership: the samples that are kept are the struct's, which begins as zeroes. Threads: one.
 */
#ifndef BENCH_PHASES_H
#define BENCH_PHASES_H

#include <stdint.h>

enum phase { PHASE_NORMAL, PHASE_BROWNOUT, PHASES, PHASE_NEITHER = PHASES };

struct phase_sample {
    uint64_t due_ns, took_ns; /* it counts from when it was due */
};

/* Of one hand-over, on the clock of the samples. */
struct phase_marks {
    uint64_t begun_ns;    /* the newcomer was started */
    uint64_t blackout_ns; /* nobody ran the engines from then on; 0: not known, or there was none */
    uint64_t over_ns;     /* everything is as it was before */
};

struct phase_samples {
    uint64_t *ns;
    uint32_t count, room;
};

struct phases {
    struct phase_samples of[PHASES];
};

enum phase phase_of(const struct phase_sample *sample, const struct phase_marks *marks);
/* Keeps what a sample took, with those of its phase. 0 or -ENOMEM. */
int phases_add(struct phases *phases, const struct phase_sample *sample,
               const struct phase_marks *marks);
void phases_free(struct phases *phases);

#endif
