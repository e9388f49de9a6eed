/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What happened: the last events of the daemon, numbered from 1 without a gap.
 *
 * There are three rings: of what applications can cause at will by coming and going, of what they
 * can cause by their load (engines that change threads), and of everything else. So nobody who
 * comes and goes all day makes the daemon forget that an engine hung. A reader goes by numbers;
 * where one is missing, its event has made room for a later one:
 *
 *     while ((event = events_find(events, from)) != NULL) {
 *         missed += event->number - from;
 *         from = event->number + 1;
 *         ...
 *     }
 *
 * Ownership: one per daemon, made before whatever tells it something. Threads: control's. Trust:
 * texts may hold words of applications, so they are bounded, and what is not printable ASCII is
 * replaced.
 */
#ifndef CONTROL_EVENTS_H
#define CONTROL_EVENTS_H

#include "sched/engine.h"

#include <stdbool.h>
#include <stdint.h>

#include <saddle/abi.h>

#define EVENTS_KEPT       1024u /* in each ring */
#define EVENTS_TEXT_BYTES 256u  /* with the final NUL */
#define EVENTS_RINGS      3u

/* As saddle.v1.EventKind numbers them. */
enum event_kind {
    EVENT_SESSION_ATTACHED = 1,
    EVENT_SESSION_ENDED,
    EVENT_SESSION_REFUSED,
    EVENT_ENGINE_STUCK,
    EVENT_ENGINE_BACK,
    EVENT_ENGINE_CREATED,
    EVENT_ENGINE_MOVED,
    EVENT_ENGINE_DESTROYED,
    EVENT_CONTROL_STARTED, /* saddle-control */
    EVENT_CONTROL_ENDED,
    EVENT_CONFIGURATION_APPLIED,
    EVENT_CONFIGURATION_REFUSED,
    EVENT_DAEMON_READY,
    EVENT_DAEMON_STOPPING,
    EVENT_CONDITION_OK,
    EVENT_CONDITION_DEGRADED,
    EVENT_ENGINE_REBALANCED, /* to another thread of its group */
    EVENT_DECISIONS_LOST,    /* of a rebalancer, which were not read in time */
    EVENT_CLASS_REFUSED,     /* of a group's threads, by the kernel's scheduler */
    EVENT_UPGRADE_STARTED,   /* hand-over to or from another daemon */
    EVENT_UPGRADE_SET_MOVED, /* its engines are run by the new daemon */
    EVENT_UPGRADE_SET_BACK,  /* by the old one again */
    EVENT_UPGRADE_DONE,      /* however it ended */
    EVENT_KIND_END,          /* no kind */
};

/* What an event is about; zero what it is not. */
struct event_about {
    uint64_t session;
    const char *engine;      /* NULL: none */
    const char *application; /* its own name for itself; NULL: none */
    bool has_uid;
    uint32_t uid;
    uint32_t pid;
    uint64_t monotonic_ns; /* when it happened, if it is told later; 0: now */
};

struct event {
    uint64_t number;
    uint64_t monotonic_ns; /* CLOCK_MONOTONIC */
    uint64_t time_ns;      /* since 1970 */
    enum event_kind kind;
    uint32_t uid, pid;
    bool has_uid;
    uint64_t session; /* 0: none */
    char engine[ENGINE_NAME_BYTES];
    char application[SADDLE_NAME_BYTES];
    char text[EVENTS_TEXT_BYTES]; /* one line */
};

struct events;

/* 0 or -ENOMEM. */
int events_create(struct events **events);
/* NULL is fine. */
void events_destroy(struct events *events);
/* Something happened; a text that is too long is cut. `about` may be NULL, and so may `events`:
 * then nobody listens. */
void events_add(struct events *events, enum event_kind kind, const struct event_about *about,
                const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The first event that is still there and has this number or a higher one; NULL if none has. Stays
 * as it is until the next events_add. */
const struct event *events_find(const struct events *events, uint64_t from);
/* The number that the next event gets. */
uint64_t events_next(const struct events *events);

#endif
