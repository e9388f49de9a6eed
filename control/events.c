/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/events.h"

#include "sched/clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct ring {
    uint64_t added;
    struct event events[EVENTS_KEPT];
};

struct events {
    uint64_t next;
    struct ring rings[EVENTS_RINGS]; /* sessions', rebalancers', and of the rest */
};

int events_create(struct events **events)
{
    struct events *made = calloc(1, sizeof(*made));

    if (!made)
        return -ENOMEM;
    made->next = 1;
    *events = made;
    return 0;
}

void events_destroy(struct events *events)
{
    free(events);
}

static struct ring *ring_of(struct events *events, enum event_kind kind)
{
    bool theirs = kind == EVENT_SESSION_ATTACHED || kind == EVENT_SESSION_ENDED ||
                  kind == EVENT_SESSION_REFUSED;

    if (kind == EVENT_ENGINE_REBALANCED || kind == EVENT_DECISIONS_LOST)
        return &events->rings[1];
    return &events->rings[theirs ? 0 : 2];
}

static void make_plain(char *text)
{
    for (; *text; text++) {
        if (*text < ' ' || *text > '~')
            *text = '?';
    }
}

static void copy_plain(char *to, size_t bytes, const char *from)
{
    snprintf(to, bytes, "%s", from ? from : "");
    make_plain(to);
}

static uint64_t wall_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

void events_add(struct events *events, enum event_kind kind, const struct event_about *about,
                const char *format, ...)
{
    static const struct event_about nothing;
    struct event *event;
    struct ring *ring;
    va_list args;

    if (!events)
        return;
    if (!about)
        about = &nothing;
    ring = ring_of(events, kind);
    event = &ring->events[ring->added++ % EVENTS_KEPT];
    event->number = events->next++;
    event->monotonic_ns = clock_now(&clock_machine);
    event->time_ns = wall_clock();
    if (about->monotonic_ns > 0 && about->monotonic_ns < event->monotonic_ns) {
        event->time_ns -= event->monotonic_ns - about->monotonic_ns;
        event->monotonic_ns = about->monotonic_ns;
    }
    event->kind = kind;
    event->session = about->session;
    event->has_uid = about->has_uid;
    event->uid = about->uid;
    event->pid = about->pid;
    copy_plain(event->engine, sizeof(event->engine), about->engine);
    copy_plain(event->application, sizeof(event->application), about->application);
    va_start(args, format);
    vsnprintf(event->text, sizeof(event->text), format, args);
    va_end(args);
    make_plain(event->text);
}

/* The numbers in a ring rise: halves what is left of it. */
static const struct event *find_in(const struct ring *ring, uint64_t from)
{
    uint64_t low = ring->added > EVENTS_KEPT ? ring->added - EVENTS_KEPT : 0;
    uint64_t high = ring->added;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (ring->events[middle % EVENTS_KEPT].number < from)
            low = middle + 1;
        else
            high = middle;
    }
    return low < ring->added ? &ring->events[low % EVENTS_KEPT] : NULL;
}

const struct event *events_find(const struct events *events, uint64_t from)
{
    const struct event *first = NULL;

    for (uint32_t i = 0; i < EVENTS_RINGS; i++) {
        const struct event *found = find_in(&events->rings[i], from);

        if (found && (!first || found->number < first->number))
            first = found;
    }
    return first;
}

uint64_t events_next(const struct events *events)
{
    return events->next;
}
