/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Two operation layers joined by a flow that is not there: what one fills is delivered to the
 * other, in any order, each packet once; and applications that write the shared memory themselves.
 *
 * Stands in for the lower layer: it defines the functions of flow.h and transport.h.
 */
#ifndef TESTS_UNIT_ENGINES_PONY_RIG_H
#define TESTS_UNIT_ENGINES_PONY_RIG_H

#include "engines/pony/session.h"
#include "engines/pony/upper.h"

#define RIG_HOSTS     2u
#define RIG_APPS      4u
#define RIG_PACKETS   4096u
#define RIG_ROOM      1400u /* bytes of operations in a packet */
#define RIG_HEAP      (4u << 20)
#define RIG_ENTRIES   64u
#define RIG_SLOTS     32u
#define RIG_CHANNELS  2u
#define RIG_EVENTS    8192u
#define RIG_STEPS_MAX 200000u

struct flow {
    struct rig *rig;
    uint32_t host; /* whose it is */
    uint32_t references;
    void *context;
    bool kicked, open, ended;
    struct address peer;
};

struct rig_packet {
    uint32_t to; /* host */
    uint32_t bytes;
    uint8_t ops[RIG_ROOM];
};

struct rig_channel {
    struct queue_producer commands;
    struct queue_consumer completions;
};

struct rig_app {
    uint32_t host;
    uint8_t *arena;
    struct pony_session_config config;
    struct pony_session *session;
    struct rig_channel channels[RIG_CHANNELS];
    struct saddle_event events[RIG_EVENTS]; /* all that it saw, in order */
    uint32_t event_channel[RIG_EVENTS];
    uint32_t event_count;
    bool hold; /* does not reap */
    bool keep; /* does not release receive slots */
};

struct rig_host {
    struct upper upper;
    struct wheel wheel;
    struct rng rng;
    struct flow flow;
};

struct rig {
    uint64_t now;
    struct clock clock;
    struct rng rng;
    struct rig_host hosts[RIG_HOSTS];
    struct rig_app *apps[RIG_APPS];
    uint32_t app_count;
    struct rig_packet *packets; /* on their way */
    uint32_t packet_count;
    uint32_t corrupt_per_million; /* chance that a packet's payload is damaged */
    uint32_t decline_per_million; /* chance that a packet is not taken, and comes again */
    uint64_t delivered, damaged;
};

/* Both hosts, with one application each if `slots` is not 0. */
struct rig *rig_create(uint64_t seed, uint32_t slots);
void rig_destroy(struct rig *rig);
struct rig_app *rig_attach(struct rig *rig, uint32_t host, uint32_t slots);
void rig_detach(struct rig *rig, struct rig_app *app);

/* Writes a command into channel 0 (or `channel`): false if the queue is full. */
bool rig_submit(struct rig_app *app, const struct saddle_command *command);
bool rig_submit_on(struct rig_app *app, uint32_t channel, const struct saddle_command *command);
/* One step of everything: commands, timers, packets one way or the other. False if nothing moved.
 */
bool rig_step(struct rig *rig);
/* Steps until nothing moves. */
void rig_settle(struct rig *rig);
/* Time passes. */
void rig_advance(struct rig *rig, uint64_t ns);
/* The flow ends for both. */
void rig_break(struct rig *rig, int error);
/* Makes a host anew, with its sessions adopted but nothing loaded. */
void rig_blank(struct rig *rig, uint32_t host);
/* Saves a host and loads it into a fresh one, its sessions into fresh ones. */
void rig_reload(struct rig *rig, uint32_t host);

/* Finds the first event from *at on with this type and tag, and moves *at behind it; NULL if there
 * is none. */
const struct saddle_event *rig_event(struct rig_app *app, uint32_t *at, uint8_t type, uint64_t tag);
/* The DONE of a command with this tag, which must be there exactly once. */
const struct saddle_event *rig_done(struct rig_app *app, uint64_t tag);

/* Commands, in short. */
void rig_listen(struct rig_app *app, const char *service, uint64_t tag);
void rig_connect(struct rig_app *app, const char *service, uint64_t tag);
void rig_send(struct rig_app *app, uint32_t handle, uint16_t stream, uint64_t at, uint32_t len,
              uint64_t tag);
/* Listens on one, connects from the other, accepts; tags 1, 2, 3. Returns both handles. */
void rig_pair(struct rig *rig, struct rig_app *server, struct rig_app *client, uint32_t *incoming,
              uint32_t *outgoing);

/* An application's heap byte. */
static inline uint8_t *rig_heap(struct rig_app *app, uint64_t at)
{
    return app->arena + app->config.heap_offset + at;
}
/* Fills and checks heap memory with a pattern that depends on `seed`. */
void rig_pattern(struct rig_app *app, uint64_t at, uint32_t len, uint32_t seed);
bool rig_matches(const uint8_t *bytes, uint32_t len, uint32_t seed);

/* Nothing is leaked: every table is as full as its objects say, credits and slots add up. */
void rig_check_host(struct rig *rig, uint32_t host);
void rig_check(struct rig *rig);

#endif
