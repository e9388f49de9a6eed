/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A hierarchical timing wheel on given time: deadlines of many objects, O(1) to set and to cancel.
 *
 * A timer is embedded in its object. It fires at or after its deadline, never before, and at most
 * one tick late (plus the time until wheel_advance is called).
 *
 * Ownership: the wheel links timers and owns none. Threads: the engine's.
 */
#ifndef ENGINES_WHEEL_H
#define ENGINES_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#define WHEEL_TICK_NS   1024u /* a shift instead of a division; far below any time-out used */
#define WHEEL_SLOT_BITS 8u    /* 256 slots a level */
#define WHEEL_LEVELS    4u    /* 2^32 ticks: 73 minutes; later deadlines are clamped and re-armed */

struct wheel_timer {
    struct wheel_timer *next;
    struct wheel_timer **link; /* what points here; NULL when idle */
    uint64_t deadline;         /* ns */
    void (*fire)(struct wheel_timer *timer, uint64_t now);
};

struct wheel {
    uint64_t tick;    /* all earlier ticks have fired */
    uint64_t now;     /* ns, of the last advance */
    uint64_t soonest; /* tick: no slot comes up before it, of any level */
    uint32_t armed;
    uint64_t occupied[WHEEL_LEVELS][(1u << WHEEL_SLOT_BITS) / 64]; /* a bit per non-empty slot */
    struct wheel_timer *slots[WHEEL_LEVELS][1u << WHEEL_SLOT_BITS];
};

void wheel_init(struct wheel *wheel, uint64_t now);
void wheel_timer_init(struct wheel_timer *timer,
                      void (*fire)(struct wheel_timer *timer, uint64_t now));
static inline bool wheel_timer_armed(const struct wheel_timer *timer)
{
    return timer->link != 0;
}
/* Sets or moves a timer. A deadline that has passed fires at the next advance. */
void wheel_set(struct wheel *wheel, struct wheel_timer *timer, uint64_t deadline);
void wheel_cancel(struct wheel *wheel, struct wheel_timer *timer);
/* Fires what is due at `now`, at most `max` timers; returns how many, and `max` when more may be
 * due. A fired timer is idle and may be set again from its own function. Timers of one tick fire in
 * no particular order. Besides, moves timers to finer levels: each at most WHEEL_LEVELS times. */
uint32_t wheel_advance(struct wheel *wheel, uint64_t now, uint32_t max);
/* When to advance next, in ns; UINT64_MAX if nothing is armed. For a deadline within 256 ticks it
 * is the tick at which that fires; for a later one a time before it, when it moves to a finer
 * level. */
uint64_t wheel_next(const struct wheel *wheel);

#endif
