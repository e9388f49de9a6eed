/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Virtual time: what happens when. Events of one instant happen in the order in which they were
 * set, so a run depends on nothing but its seed.
 *
 * Ownership: the simulation's. Threads: one.
 */
#ifndef TESTS_SIM_EVENT_H
#define TESTS_SIM_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void event_fn(void *arg, uint64_t now);

struct event {
    uint64_t time; /* ns */
    uint64_t order;
    event_fn *fn;
    void *arg;
};

struct events {
    struct event *heap;
    size_t count;
    size_t capacity;
    uint64_t now;
    uint64_t order;
};

void events_init(struct events *events);
void events_fini(struct events *events);
/* Calls `fn` at `time`, or at once (after what is already due) if that has passed. */
void events_at(struct events *events, uint64_t time, event_fn *fn, void *arg);
/* Lets the next event happen; false if there is none at or before `end`. */
bool events_step(struct events *events, uint64_t end);

/* Something that wants to happen at its earliest wish: one event, which may be moved forward. */
struct alarm {
    uint64_t time; /* UINT64_MAX: not set */
};

static inline void alarm_init(struct alarm *alarm)
{
    alarm->time = UINT64_MAX;
}
void alarm_set(struct events *events, struct alarm *alarm, uint64_t time, event_fn *fn, void *arg);
/* In `fn`: true if this is the alarm's hour, false if it was moved and this event is left over. */
bool alarm_due(struct alarm *alarm, uint64_t now);

#endif
