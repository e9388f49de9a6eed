/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The engines' pulse: each is asked through its mailbox, about once a second, to say that it is
 * there. One that sleeps wakes for it; one that hangs does not answer.
 *
 * Ownership: one per process, since an engine that hangs may answer long after it was given up.
 * Threads: control's.
 */
#ifndef CONTROL_PULSE_H
#define CONTROL_PULSE_H

#include "control/plant.h"

#include <stdbool.h>
#include <stdint.h>

#define PULSE_LOST_NS (3 * NSEC_PER_SEC) /* silent for longer: it hangs */

struct pulse;

/* All engines are taken to be alive at first. 0 or -ENOMEM. `plant` is borrowed. */
int pulse_create(struct pulse **pulse, const struct plant *plant);
/* NULL is fine. */
void pulse_destroy(struct pulse *pulse);
/* After the plant was filled in anew: engines that are new are taken to be alive. */
void pulse_follow(struct pulse *pulse);
/* Hears who has answered, and asks again. */
void pulse_tick(struct pulse *pulse, uint64_t now);
/* It did not do what somebody else asked of it in time. */
void pulse_missed(struct pulse *pulse, uint32_t engine);
/* Whether it is worth asking: alive, and heard of since it missed. */
bool pulse_answers(const struct pulse *pulse, uint32_t engine);
/* Of an engine of the plant, by its position. */
bool pulse_alive(const struct pulse *pulse, uint32_t engine);

#endif
