/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Steer: the engine that has the port of a host with several engines, and feeds the others through
 * rings (fan.h). It has no sessions and knows no flows: it moves packets.
 *
 * Ownership: made and destroyed by control; the fan is lent. Threads: as of any engine.
 * Trust: see fan.h.
 */
#ifndef ENGINES_STEER_STEER_H
#define ENGINES_STEER_STEER_H

#include "engines/steer/fan.h"
#include "sched/engine.h"

#define STEER_KIND "steer"

/* 0, -EINVAL (the name), -ENOMEM, or a negative errno. */
int steer_create(struct engine **engine, const char *name, struct fan *fan,
                 const struct clock *clock);

#endif
