/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * After Varghese and Lauck, "Hashed and Hierarchical Timing Wheels" (SOSP'87), scheme 7: a timer
 * lies on the coarsest level that its distance needs, and moves to finer ones as its slot comes up.
 * Bitmaps of occupied slots let a long sleep be crossed in a few steps.
 */
#include "engines/wheel.h"

#include <stddef.h>
#include <string.h>

#define SLOTS      (1u << WHEEL_SLOT_BITS)
#define SLOT_MASK  (SLOTS - 1)
#define WORD_BITS  64u
#define WORDS      (SLOTS / WORD_BITS)
#define SPAN_TICKS (1ull << (WHEEL_SLOT_BITS * WHEEL_LEVELS)) /* what the wheel can tell apart */
#define NO_TICK    UINT64_MAX

void wheel_init(struct wheel *wheel, uint64_t now)
{
    memset(wheel, 0, sizeof(*wheel));
    wheel->tick = now / WHEEL_TICK_NS;
    wheel->now = now;
}

void wheel_timer_init(struct wheel_timer *timer,
                      void (*fire)(struct wheel_timer *timer, uint64_t now))
{
    timer->next = NULL;
    timer->link = NULL;
    timer->deadline = 0;
    timer->fire = fire;
}

/* The first tick at whose start `deadline` has passed. */
static uint64_t due_tick(uint64_t deadline)
{
    return deadline / WHEEL_TICK_NS + (deadline % WHEEL_TICK_NS != 0);
}

static void link_timer(struct wheel *wheel, struct wheel_timer *timer, uint64_t tick)
{
    uint64_t distance = tick > wheel->tick ? tick - wheel->tick : 0;
    uint32_t level = 0;
    uint64_t turn;
    uint32_t slot;
    struct wheel_timer **head;

    if (distance >= SPAN_TICKS)
        distance = SPAN_TICKS - 1;
    while (distance >> (WHEEL_SLOT_BITS * (level + 1)))
        level++;
    turn = (wheel->tick + distance) >> (WHEEL_SLOT_BITS * level);
    slot = turn & SLOT_MASK;
    if (turn << (WHEEL_SLOT_BITS * level) < wheel->soonest)
        wheel->soonest = turn << (WHEEL_SLOT_BITS * level);
    head = &wheel->slots[level][slot];
    timer->next = *head;
    timer->link = head;
    if (*head)
        (*head)->link = &timer->next;
    *head = timer;
    wheel->occupied[level][slot / WORD_BITS] |= 1ull << (slot % WORD_BITS);
}

static void unlink_timer(struct wheel *wheel, struct wheel_timer *timer)
{
    uintptr_t first = (uintptr_t)&wheel->slots[0][0];
    uintptr_t link = (uintptr_t)timer->link;

    *timer->link = timer->next;
    if (timer->next) {
        timer->next->link = timer->link;
    } else if (link - first < sizeof(wheel->slots)) {
        size_t index = (link - first) / sizeof(wheel->slots[0][0]);
        size_t slot = index % SLOTS;

        wheel->occupied[index / SLOTS][slot / WORD_BITS] &= ~(1ull << (slot % WORD_BITS));
    }
    timer->next = NULL;
    timer->link = NULL;
}

void wheel_set(struct wheel *wheel, struct wheel_timer *timer, uint64_t deadline)
{
    wheel_cancel(wheel, timer);
    timer->deadline = deadline;
    link_timer(wheel, timer, deadline <= wheel->now ? wheel->tick : due_tick(deadline));
    wheel->armed++;
}

void wheel_cancel(struct wheel *wheel, struct wheel_timer *timer)
{
    if (!wheel_timer_armed(timer))
        return;
    unlink_timer(wheel, timer);
    wheel->armed--;
}

/* How many slots after `start`, going round, the first occupied one lies; SLOTS if none does. */
static uint32_t slots_until(const uint64_t occupied[WORDS], uint32_t start)
{
    for (uint32_t i = 0; i <= WORDS; i++) {
        uint32_t word = (start / WORD_BITS + i) % WORDS;
        uint64_t bits = occupied[word];

        if (i == 0)
            bits &= ~0ull << (start % WORD_BITS);
        else if (i == WORDS)
            bits &= ~(~0ull << (start % WORD_BITS));
        if (bits)
            return (word * WORD_BITS + (uint32_t)__builtin_ctzll(bits) - start) & SLOT_MASK;
    }
    return SLOTS;
}

/* The next tick at which a slot, of any level, comes up. The current slot of a coarse level has
 * been emptied already: what lies there again is a whole turn away. */
static uint64_t next_tick(const struct wheel *wheel)
{
    uint32_t ahead = slots_until(wheel->occupied[0], wheel->tick & SLOT_MASK);
    uint64_t best = ahead < SLOTS ? wheel->tick + ahead : NO_TICK;

    for (uint32_t level = 1; level < WHEEL_LEVELS; level++) {
        uint32_t shift = WHEEL_SLOT_BITS * level;
        uint64_t turn = wheel->tick >> shift;

        ahead = slots_until(wheel->occupied[level], (turn + 1) & SLOT_MASK);
        if (ahead < SLOTS && (turn + 1 + ahead) << shift < best)
            best = (turn + 1 + ahead) << shift;
    }
    return best;
}

/* Moves the timers of the coarse slots that begin at the current tick to finer levels. */
static void cascade(struct wheel *wheel)
{
    for (uint32_t level = 1; level < WHEEL_LEVELS; level++) {
        uint32_t shift = WHEEL_SLOT_BITS * level;
        uint32_t slot = (wheel->tick >> shift) & SLOT_MASK;
        struct wheel_timer *timer;

        if (wheel->tick & ((1ull << shift) - 1))
            return;
        while ((timer = wheel->slots[level][slot])) {
            unlink_timer(wheel, timer);
            link_timer(wheel, timer, due_tick(timer->deadline));
        }
    }
}

/* Fires the current slot; returns how many, at most `max`. */
static uint32_t fire_slot(struct wheel *wheel, uint64_t now, uint32_t max)
{
    struct wheel_timer **head = &wheel->slots[0][wheel->tick & SLOT_MASK];
    uint32_t fired = 0;

    while (*head && fired < max) {
        struct wheel_timer *timer = *head;

        unlink_timer(wheel, timer);
        if (timer->deadline > now) { /* it had been clamped */
            link_timer(wheel, timer, due_tick(timer->deadline));
            continue;
        }
        wheel->armed--;
        fired++;
        timer->fire(timer, now);
    }
    return fired;
}

/* What wheel_advance does where a slot has come up, or may have. */
static uint32_t advance_to(struct wheel *wheel, uint64_t target, uint64_t now, uint32_t max)
{
    uint32_t fired = 0;

    wheel->soonest = NO_TICK;
    while (wheel->armed > 0) {
        uint64_t tick = next_tick(wheel);

        if (tick > target) {
            wheel->soonest = tick;
            break;
        }
        if (tick > wheel->tick) {
            wheel->tick = tick;
            cascade(wheel);
        }
        fired += fire_slot(wheel, now, max - fired);
        if (fired == max) {
            wheel->soonest = wheel->tick;
            return fired;
        }
    }
    if (target > wheel->tick)
        wheel->tick = target;
    return fired;
}

uint32_t wheel_advance(struct wheel *wheel, uint64_t now, uint32_t max)
{
    uint64_t target = now / WHEEL_TICK_NS;

    if (now > wheel->now)
        wheel->now = now;
    if (target >= wheel->soonest)
        return advance_to(wheel, target, now, max);
    if (target > wheel->tick)
        wheel->tick = target;
    return 0;
}

uint64_t wheel_next(const struct wheel *wheel)
{
    uint64_t tick = wheel->armed > 0 ? next_tick(wheel) : NO_TICK;

    return tick > UINT64_MAX / WHEEL_TICK_NS ? UINT64_MAX : tick * WHEEL_TICK_NS;
}
