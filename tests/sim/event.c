/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/event.h"

#include <stdlib.h>

#define FIRST_CAPACITY 1024u

void events_init(struct events *events)
{
    *events = (struct events){.capacity = FIRST_CAPACITY};
    events->heap = malloc(FIRST_CAPACITY * sizeof(struct event));
    if (!events->heap)
        abort();
}

void events_fini(struct events *events)
{
    free(events->heap);
    *events = (struct events){0};
}

static bool before(const struct event *a, const struct event *b)
{
    return a->time != b->time ? a->time < b->time : a->order < b->order;
}

void events_at(struct events *events, uint64_t time, event_fn *fn, void *arg)
{
    if (events->count == events->capacity) {
        events->capacity *= 2;
        events->heap = realloc(events->heap, events->capacity * sizeof(struct event));
        if (!events->heap)
            abort();
    }
    struct event event = {
        .time = time > events->now ? time : events->now,
        .order = events->order++,
        .fn = fn,
        .arg = arg,
    };
    size_t at = events->count++;
    while (at > 0 && before(&event, &events->heap[(at - 1) / 2])) {
        events->heap[at] = events->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    events->heap[at] = event;
}

static struct event take_first(struct events *events)
{
    struct event first = events->heap[0];
    struct event last = events->heap[--events->count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= events->count)
            break;
        if (child + 1 < events->count && before(&events->heap[child + 1], &events->heap[child]))
            child++;
        if (!before(&events->heap[child], &last))
            break;
        events->heap[at] = events->heap[child];
        at = child;
    }
    events->heap[at] = last;
    return first;
}

bool events_step(struct events *events, uint64_t end)
{
    if (events->count == 0 || events->heap[0].time > end)
        return false;
    struct event event = take_first(events);
    events->now = event.time;
    event.fn(event.arg, event.time);
    return true;
}

void alarm_set(struct events *events, struct alarm *alarm, uint64_t time, event_fn *fn, void *arg)
{
    if (time < events->now)
        time = events->now;
    if (time >= alarm->time)
        return;
    alarm->time = time;
    events_at(events, time, fn, arg);
}

bool alarm_due(struct alarm *alarm, uint64_t now)
{
    if (alarm->time != now)
        return false;
    alarm->time = UINT64_MAX;
    return true;
}
