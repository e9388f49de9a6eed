/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/haste.h"

#include <sched.h>

#define NICE_BEST -20
/* Above the engines of class fifo, which have the lowest: where one of them does not sleep, this
 * thread would wait for it on the same CPU. */
#define PRIORITY 2u

void haste_begin(struct haste *haste, const struct quanta_system *system)
{
    static const struct quanta_attr wanted[] = {
        {.policy = SCHED_FIFO, .priority = PRIORITY},
        {.policy = SCHED_OTHER, .nice = NICE_BEST},
    };
    int nice = system->nice(system->arg);

    if (haste->hurries)
        return;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]) && !haste->hurries; i++)
        haste->hurries = system->set(system->arg, system->self(system->arg), &wanted[i]) == 0;
    if (haste->hurries)
        haste->nice = nice;
}

void haste_end(struct haste *haste, const struct quanta_system *system)
{
    const struct quanta_attr before = {.policy = SCHED_OTHER, .nice = haste->nice};

    if (haste->hurries)
        haste->hurries = system->set(system->arg, system->self(system->arg), &before) != 0;
}
