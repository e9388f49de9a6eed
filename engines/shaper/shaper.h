/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The shaper: the engine that has a host's port, as `steer` does, and decides in which order and
 * how fast leaves what the other engines of the host send.
 *
 *   members: pony, pony, kernel       received packets go to them as with `steer` (fan.h)
 *      |  ask for room, then send
 *      v  one ring each
 *   [leaf] [leaf] [leaf]  few packets each; a full one holds up none but its own senders
 *      \     |     /
 *       [ class ]        strict priority, then weights; token buckets; sleeps till one is full
 *           |
 *         port
 *
 * Nothing that a member sends is lost. The engine never polls for time: what may not leave yet
 * lies on a timing wheel, whose next deadline it sleeps until.
 *
 * Ownership: made and destroyed by control; the shaping is lent. Threads: as of any engine.
 * Trust: packets received as fan.h says; those sent and their tags are engines'. Saved state is
 * read as a stranger's.
 */
#ifndef ENGINES_SHAPER_SHAPER_H
#define ENGINES_SHAPER_SHAPER_H

#include "engines/shaper/shaping.h"

#define SHAPER_KIND "shaper"

/* 0, -EINVAL (the name), -ENOMEM, or a negative errno. */
int shaper_create(struct engine **engine, const char *name, struct shaping *shaping,
                  const struct clock *clock);
/* The shaping of a shaper; NULL: the engine is none. */
struct shaping *shaper_shaping(const struct engine *engine);

/* Mailbox work: the argument is a struct tree, which the shaper goes over to. */
int shaper_mailbox_adopt(void *engine, void *tree);

#endif
