/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * An application for tests of the engine: it has an arena and writes commands into the shared
 * memory itself, without the library, so that it can also lie.
 */
#ifndef TESTS_UNIT_ENGINES_PONY_APP_H
#define TESTS_UNIT_ENGINES_PONY_APP_H

#include "engines/pony/pony.h"
#include "mailbox/queue.h"

#ifndef APP_HEAP
#define APP_HEAP (4u << 20) /* bytes; a fuzzer wants less */
#endif
#define APP_ENTRIES  64u
#define APP_SLOTS    32u
#define APP_CHANNELS 2u
#ifndef APP_EVENTS
#define APP_EVENTS 8192u
#endif

struct app_channel {
    struct queue_producer commands;
    struct queue_consumer completions;
};

struct app {
    uint32_t host;
    uint8_t *arena;
    struct pony_session_config config;
    struct pony_session *session;
    struct app_channel channels[APP_CHANNELS];
    struct saddle_event events[APP_EVENTS]; /* all that it saw, in order */
    uint32_t event_channel[APP_EVENTS];
    uint32_t event_count;
    bool hold;             /* does not reap */
    uint32_t hold_channel; /* does not reap this one, if it is not 0 */
    bool mapped;           /* the arena is too large to be filled */
    bool keep;             /* does not release receive slots */
};

/* With a session that nobody serves yet. `host` is the caller's to use. */
struct app *app_create(uint64_t id, uint32_t host, uint32_t slots);
/* The same with a heap of this many bytes, which are not there until they are touched. */
struct app *app_create_large(uint64_t id, uint32_t host, uint32_t slots, uint64_t heap);
void app_destroy(struct app *app);
/* Its session and arena only. */
void app_leave(struct app *app);
/* A fresh engine's side of the same session. */
void app_renew(struct app *app);
/* Takes all events, and releases receive slots unless `keep`; true if there were any. */
bool app_reap(struct app *app);
/* Writes a command into channel 0 (or `channel`): false if the queue is full. */
bool app_submit(struct app *app, const struct saddle_command *command);
bool app_submit_on(struct app *app, uint32_t channel, const struct saddle_command *command);
/* Finds the first event from *at on with this type and tag, and moves *at behind it; NULL if there
 * is none. */
const struct saddle_event *app_event(struct app *app, uint32_t *at, uint8_t type, uint64_t tag);
/* The DONE of a command with this tag, which must be there exactly once. */
const struct saddle_event *app_done(struct app *app, uint64_t tag);

/* Commands, in short. */
void app_listen(struct app *app, const char *service, uint64_t tag);
void app_connect(struct app *app, const char *service, uint64_t tag);
void app_send(struct app *app, uint32_t handle, uint16_t stream, uint64_t at, uint32_t len,
              uint64_t tag);
/* An application's heap byte. */
static inline uint8_t *app_heap(struct app *app, uint64_t at)
{
    return app->arena + app->config.heap_offset + at;
}
/* Fills and checks heap memory with a pattern that depends on `seed`. */
void app_pattern(struct app *app, uint64_t at, uint32_t len, uint32_t seed);
bool app_matches(const uint8_t *bytes, uint32_t len, uint32_t seed);

#endif
