/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/pulse.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Twice as many as there can be at a time: an engine that comes gets one that none has that goes.
 */
#define SLOTS (2 * PLANT_MAX)

/* What engines write to: as long-lived as the process, see the header. */
static _Atomic uint64_t beats[SLOTS];

/* One engine, as it was last seen. */
struct heard {
    const struct engine *engine;
    uint32_t slot;     /* of beats */
    uint64_t count;    /* beats, when last looked at */
    uint64_t heard_ns; /* when there were more of them than before */
    bool missed;       /* since then */
};

struct pulse {
    const struct plant *plant;
    struct heard heard[PLANT_MAX]; /* by position in the plant */
    uint32_t count;
    uint64_t now;
};

static int beat(void *context, void *argument)
{
    _Atomic uint64_t *counter = argument;

    (void)context;
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
    return 0;
}

static const struct heard *find(const struct pulse *pulse, const struct engine *engine)
{
    for (uint32_t i = 0; i < pulse->count; i++) {
        if (pulse->heard[i].engine == engine)
            return &pulse->heard[i];
    }
    return NULL;
}

/* Counts what has been heard of an engine that is new from now on. */
static struct heard meet(const struct pulse *pulse, const struct engine *engine, uint32_t slot)
{
    return (struct heard){
        .engine = engine,
        .slot = slot,
        .count = atomic_load_explicit(&beats[slot], memory_order_relaxed),
        .heard_ns = pulse->now,
    };
}

void pulse_follow(struct pulse *pulse)
{
    const struct plant *plant = pulse->plant;
    struct heard next[PLANT_MAX];
    bool taken[SLOTS] = {false};
    uint32_t slot = 0;

    for (uint32_t i = 0; i < pulse->count; i++)
        taken[pulse->heard[i].slot] = true;
    for (uint32_t i = 0; i < plant->engine_count; i++) {
        const struct heard *known = find(pulse, plant->engines[i].engine);

        if (known) {
            next[i] = *known;
            continue;
        }
        while (taken[slot])
            slot++;
        next[i] = meet(pulse, plant->engines[i].engine, slot++);
    }
    pulse->count = plant->engine_count;
    memcpy(pulse->heard, next, pulse->count * sizeof(next[0]));
}

int pulse_create(struct pulse **pulse, const struct plant *plant)
{
    struct pulse *made = calloc(1, sizeof(*made));

    if (!made)
        return -ENOMEM;
    made->plant = plant;
    pulse_follow(made);
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
    for (uint32_t i = 0; i < pulse->count; i++) {
        struct heard *heard = &pulse->heard[i];
        uint64_t count = atomic_load_explicit(&beats[heard->slot], memory_order_relaxed);

        if (first || count != heard->count) {
            heard->heard_ns = now;
            heard->missed = false;
        }
        heard->count = count;
        /* A full slot holds the last question, or work of others: the next look will tell. */
        mailbox_post(&pulse->plant->engines[i].engine->mailbox, beat, &beats[heard->slot]);
    }
}

void pulse_missed(struct pulse *pulse, uint32_t engine)
{
    pulse->heard[engine].missed = true;
}

bool pulse_answers(const struct pulse *pulse, uint32_t engine)
{
    return pulse_alive(pulse, engine) && !pulse->heard[engine].missed;
}

bool pulse_alive(const struct pulse *pulse, uint32_t engine)
{
    return pulse->now - pulse->heard[engine].heard_ns < PULSE_LOST_NS;
}
