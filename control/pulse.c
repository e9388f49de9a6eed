/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/pulse.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

/* What engines write to: as long-lived as the process, see the header. */
static _Atomic uint64_t beats[PLANT_MAX];

struct pulse {
    const struct plant *plant;
    uint64_t heard[PLANT_MAX];    /* beats, when last looked at */
    uint64_t heard_ns[PLANT_MAX]; /* when there were more of them than before */
    uint64_t now;
};

static int beat(void *context, void *argument)
{
    _Atomic uint64_t *counter = argument;

    (void)context;
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
    return 0;
}

int pulse_create(struct pulse **pulse, const struct plant *plant)
{
    struct pulse *made = calloc(1, sizeof(*made));

    if (!made)
        return -ENOMEM;
    made->plant = plant;
    *pulse = made;
    return 0;
}

void pulse_destroy(struct pulse *pulse)
{
    free(pulse);
}

void pulse_tick(struct pulse *pulse, uint64_t now)
{
    bool first = pulse->now == 0;

    pulse->now = now;
    for (uint32_t i = 0; i < pulse->plant->engine_count; i++) {
        uint64_t count = atomic_load_explicit(&beats[i], memory_order_relaxed);

        if (first || count != pulse->heard[i])
            pulse->heard_ns[i] = now;
        pulse->heard[i] = count;
        /* A full slot holds the last question, or work of others: the next look will tell. */
        mailbox_post(&pulse->plant->engines[i].engine->mailbox, beat, &beats[i]);
    }
}

bool pulse_alive(const struct pulse *pulse, uint32_t engine)
{
    return pulse->now - pulse->heard_ns[engine] < PULSE_LOST_NS;
}
