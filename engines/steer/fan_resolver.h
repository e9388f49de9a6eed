/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolvers for the members of a fan, where the real port has one (port_link.h): that works on the
 * steering engine's thread, and they on others. A member's wishes go down a ring to the steering
 * engine, which wishes for all of them together; answers, and later news, come back by another one
 * to each member that still wants the address. Each ring has one producer and one consumer; whoever
 * puts something into one whose other side is armed rings.
 *
 * What cannot go down is refused at once (-EAGAIN), what cannot come back waits for room. The news
 * of an address that waits is only ever the latest.
 *
 * Ownership: the fan's; it borrows the real port's resolver. All memory is taken at creation.
 * Threads: a face, fan_resolver_take and fan_resolver_waits are the member's, the rest the steering
 * engine's. Trust: as of resolver.h; each loop is bounded.
 */
#ifndef ENGINES_STEER_FAN_RESOLVER_H
#define ENGINES_STEER_FAN_RESOLVER_H

#include "engines/address_map.h"
#include "engines/resolver.h"

#include <stdbool.h>

#define FAN_RESOLVER_MEMBERS 16u

/* How somebody is woken: by `fd`, if `armed` says so. */
struct fan_bell {
    uint32_t *armed;
    int fd;
};

struct fan_resolver_config {
    struct resolver *below; /* the real port's */
    uint32_t members;
    uint32_t hops_max;                            /* addresses that a member wants at a time */
    uint8_t key[ADDRESS_MAP_KEY_BYTES];           /* random */
    struct fan_bell steer[FAN_RESOLVER_MEMBERS];  /* wakes the steering engine, for each member */
    struct fan_bell member[FAN_RESOLVER_MEMBERS]; /* wakes the member */
};

struct fan_resolver;

/* 0, -ENOMEM, or a negative errno. EAL must be initialised. */
int fan_resolver_create(struct fan_resolver **resolver, const struct fan_resolver_config *config);
/* NULL is fine. */
void fan_resolver_destroy(struct fan_resolver *resolver);

/* What a member's engine holds. */
struct resolver *fan_resolver_face(struct fan_resolver *resolver, uint32_t member);
/* Hands the member some of its answers. */
void fan_resolver_take(struct fan_resolver *resolver, uint32_t member);
/* More of them wait. */
bool fan_resolver_waits(const struct fan_resolver *resolver, uint32_t member);

/* Takes some wishes of each member, and brings some answers on their way; returns how many. */
uint32_t fan_resolver_work(struct fan_resolver *resolver);
/* fan_resolver_work would find something to do. */
bool fan_resolver_pending(const struct fan_resolver *resolver);

#endif
