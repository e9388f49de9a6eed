/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Two operation layers joined by a flow that is not there: what one fills is delivered to the
 * other, in any order, each packet once; and applications.
 *
 * Stands in for the lower layer: it defines the functions of flow.h and transport.h.
 */
#ifndef TESTS_UNIT_ENGINES_PONY_RIG_H
#define TESTS_UNIT_ENGINES_PONY_RIG_H

#include "engines/pony/session.h"
#include "engines/pony/upper.h"
#include "tests/unit/engines/pony/app.h"

#define RIG_HOSTS       2u
#define RIG_APPS        5u
#define RIG_CONNECTIONS 64u /* of each host, unless a test wants more */
#ifndef RIG_PACKETS
#define RIG_PACKETS 4096u /* on their way at most */
#endif
#define RIG_ROOM      1400u /* bytes of operations in a packet */
#define RIG_STEPS_MAX 200000u
#define RIG_MTU       1452u /* RIG_ROOM and the headers of IPv4, UDP and flow */

struct flow {
    struct rig *rig;
    uint32_t host; /* whose it is */
    uint32_t references;
    uint32_t load; /* of its host */
    void *context;
    bool kicked, open, ended;
    bool light, past;         /* kicked so; the window is used up */
    uint64_t number, arrived; /* of the next packet; all below it have arrived */
    int error;                /* with which it ended */
    struct address peer;
    struct flow_report says; /* of itself */
    uint32_t room, hoped;    /* bytes that fit, and that may fit yet; 0: RIG_ROOM */
    bool tagged;             /* each packet is one session's */
    uint32_t shut;           /* the session that there is no room for; 0: none */
    uint32_t claimed;        /* the session that the last packet is of; 0: none */
};

struct rig_packet {
    uint32_t to; /* host */
    uint32_t bytes;
    uint8_t ops[RIG_ROOM];
};

struct rig_host {
    struct upper upper;
    struct wheel wheel;
    struct rng rng;
    struct flow flow;
    struct flow next; /* what a call gets while `flow` is reset */
    bool resets;
};

struct rig {
    uint64_t now;
    struct clock clock;
    struct rng rng;
    struct rig_host hosts[RIG_HOSTS];
    struct app *apps[RIG_APPS];
    uint32_t app_count;
    struct rig_packet *packets; /* on their way */
    uint32_t packet_count;
    uint32_t corrupt_per_million; /* chance that a packet's payload is damaged */
    uint32_t decline_per_million; /* chance that a packet is not taken, and comes again */
    uint64_t delivered, damaged;
    uint32_t connections_max; /* of each host */
};

/* Both hosts, with one application each if `slots` is not 0. */
struct rig *rig_create(uint64_t seed, uint32_t slots);
/* The same, with room for so many connections on each host. */
struct rig *rig_create_wide(uint64_t seed, uint32_t slots, uint32_t connections);
void rig_destroy(struct rig *rig);
struct app *rig_attach(struct rig *rig, uint32_t host, uint32_t slots);
/* The same with an application that is there already. */
void rig_join(struct rig *rig, struct app *app);
void rig_detach(struct rig *rig, struct app *app);

/* One step of everything: commands, timers, packets one way or the other. False if nothing moved.
 */
bool rig_step(struct rig *rig);
/* Steps until nothing moves. */
void rig_settle(struct rig *rig);
/* Time passes. */
void rig_advance(struct rig *rig, uint64_t ns);
/* The flow ends for both. */
void rig_break(struct rig *rig, int error);
/* Ends the flow at both ends, as reset by a peer that did not know it; who calls has another. */
void rig_reset(struct rig *rig);
/* Makes a host anew, with its sessions adopted but nothing loaded. */
void rig_blank(struct rig *rig, uint32_t host);
/* Saves a host and loads it into a fresh one, its sessions into fresh ones. */
void rig_reload(struct rig *rig, uint32_t host);

/* Listens on one, connects from the other, accepts; tags 1, 2, 3. Returns both handles. */
void rig_pair(struct rig *rig, struct app *server, struct app *client, uint32_t *incoming,
              uint32_t *outgoing);

/* Nothing is leaked: every table is as full as its objects say, credits and slots add up. */
void rig_check_host(struct rig *rig, uint32_t host);
void rig_check(struct rig *rig);

#endif
