/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A fan: one port for several engines of one host. Each of them, a member, has a port of its own
 * kind that a pair of rings joins to the real one; the steering engine (steer.h) moves packets
 * between them: those received by their UDP destination port, those sent in turns.
 *
 * Nothing that a member sends is lost here: a member sees no more room than its ring has, which the
 * steering engine empties as fast as the real port takes packets. A received packet whose member
 * does not keep up is dropped and counted, as a full port would. Either side sleeps: whoever puts
 * packets into a ring whose other side is armed rings, once a burst.
 *
 * There may be one member more, the rest, which gets all that is for none of the others: whatever
 * else the host's kernel has to see. Then a packet is a member's only if the address and the VLAN
 * it is for are the members' too, since the kernel may have others with the same UDP ports.
 *
 * A member's port answers no ARP: what does, and finds hosts, where it is part of the real port,
 * works beneath the fan, and members reach it through fan_resolver.h. Their answers come when they
 * receive.
 *
 * Ownership: the daemon's; it borrows the real port. Members and the steering engine end first.
 * Threads: made and destroyed by control; a member's functions on its engine's thread, fan_* on the
 * steering engine's, all at the same time. Each ring has one producer and one consumer.
 * Trust: frames are hostile. They are looked at, never changed; what a member gets it checks
 * itself.
 */
#ifndef ENGINES_STEER_FAN_H
#define ENGINES_STEER_FAN_H

#include "engines/address_map.h"
#include "engines/port.h"
#include "engines/resolver.h"
#include "sched/engine.h"

#include <stdbool.h>
#include <stdint.h>

#define FAN_MEMBERS_MAX   16u /* the rest not counted */
#define FAN_ADDRESSES_MAX 8u
#define FAN_FULL_RETRY_NS (20 * NSEC_PER_USEC) /* the port was full: look again after this */

struct fan;

struct fan_config {
    struct port *port;                   /* the real one */
    uint16_t udp_ports[FAN_MEMBERS_MAX]; /* of the members: different ones, the first one's first */
    uint32_t count;
    uint32_t ring_packets; /* each way of each member, a power of two; 0: 1024, which holds 1023 */
    bool rest;             /* there is one more, for all else; below: what is not for it */
    struct address addresses[FAN_ADDRESSES_MAX]; /* of all members */
    uint32_t address_count;
    uint16_t vlan;                      /* of all members; 0: untagged */
    struct resolver *resolver;          /* the real port's, for all members; NULL: they have none */
    uint32_t hops_max;                  /* addresses that a member wants of it at a time */
    uint8_t key[ADDRESS_MAP_KEY_BYTES]; /* random, for its table */
};

struct fan_stats {
    uint64_t rx_packets, tx_packets;
    uint64_t rx_strays;   /* for no member, and there is no rest */
    uint64_t rx_full;     /* dropped: the member's ring was full */
    uint64_t rx_for_all;  /* copies of what is for every member */
    uint64_t rx_no_copy;  /* for want of memory */
    uint64_t tx_deferred; /* packets that the port did not take although it had said so */
    uint64_t rx_rest;     /* for the rest */
};

/* 0, -EINVAL, -ENOMEM, or a negative errno. EAL must be initialised. */
int fan_create(struct fan **fan, const struct fan_config *config);
/* NULL is fine. */
void fan_destroy(struct fan *fan);
/* A member's port, by position, that of the rest last; it lives as long as the fan. */
struct port *fan_member(struct fan *fan, uint32_t index);
/* The port of the rest, or NULL; likewise. */
struct port *fan_rest(struct fan *fan);
/* A member's resolver, or NULL. */
struct resolver *fan_member_resolver(struct fan *fan, uint32_t index);

/* The steering engine's side. */
/* Receives one burst and hands it out, and works for the members' resolvers; returns how many
 * packets, wishes and answers there were. */
uint32_t fan_receive(struct fan *fan, uint64_t now);
/* Sends up to one burst of each member while the port has room; returns how many packets left. */
uint32_t fan_send(struct fan *fan, uint64_t now);
/* Takes what one member, or the rest, sent, up to `max` packets, instead of fan_send. */
uint32_t fan_take(struct fan *fan, uint32_t index, struct rte_mbuf **packets, uint32_t max);
/* Some member has something to send, or wants to know something. */
bool fan_pending(const struct fan *fan);
/* About to sleep: false, and nothing armed, if a member has something to send. */
bool fan_arm(struct fan *fan);
/* And the port: until when the engine may sleep, which itself looks again at `deadline`; 0, and
 * nothing armed, if something is to be done. */
uint64_t fan_arm_port(struct fan *fan, uint64_t now, uint64_t deadline);
/* Both. */
void fan_disarm(struct fan *fan);
/* The engine is woken by members and by the port. 0 or a negative errno. */
int fan_watch(const struct fan *fan, struct engine *engine);
/* Rung by members; edge-triggered, never read. */
int fan_wake_fd(const struct fan *fan);
struct port *fan_port(const struct fan *fan);
/* Written by the steering engine's thread, with relaxed stores; anybody may read them so. */
struct fan_stats *fan_stats(struct fan *fan);

#endif
