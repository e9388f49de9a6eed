/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * An application: a session of the real library on plain memory, attached to its host's engine
 * without a socket. It listens, calls others, takes what comes, and is killed now and then; what it
 * does beyond that is work's (work.h).
 *
 * Ownership: the simulation's; owns its session, arena and regions. Threads: one.
 */
#ifndef TESTS_SIM_APP_H
#define TESTS_SIM_APP_H

#include "tests/sim/ledger.h"
#include "tests/sim/region.h"

#include <saddle/saddle.h>

#define APP_ENDS_MAX     64u  /* live connections that it wants */
#define APP_ENDS_KEPT    256u /* those that it remembers: callers come unasked */
#define APP_HELD_MAX     8u   /* messages not released at once */
#define APP_CHANNELS_MAX 2u
#define APP_LIFE_SHIFT   8u /* above an application, in the number of its session */
#define APP_UID_FIRST    1000u
#define APP_OF_USER      2u /* applications of one user */

struct engine;
struct pony_session;

/* A message that the application keeps for a while. */
struct held {
    struct saddle_completion event;
    struct operation *sender;
    uint32_t channel;
};

struct app {
    struct sim *sim;
    uint32_t index;
    uint32_t host;
    uint32_t life; /* how often it was killed */
    bool alive;
    struct rng rng;
    struct alarm alarm;
    uint8_t *arena;
    struct saddle_attach_reply plan;
    uint64_t slots_offset;
    uint64_t session_id;
    struct saddle_session *session;
    struct pony_session *pony; /* the engine's side */
    uint32_t channels;
    uint64_t heap_bytes;
    size_t largest; /* what an empty heap can give at once */
    saddle_handle listener;
    bool listening; /* asked for */
    bool refusing;  /* it has turned callers away */
    bool spoke;     /* to its engine, in this step */
    bool resting;   /* closes everything and begins nothing */
    struct region *regions;
    bool stale;        /* its tables point to a region that is not there (yet, or any more) */
    uint64_t fresh_at; /* since when they do not */
    struct connection_end *ends[APP_ENDS_KEPT];
    uint32_t end_count;
    struct held held[APP_HELD_MAX];
    uint32_t held_count;
    uint32_t outstanding; /* operations, buffers posted not counted */
    uint32_t pings;       /* of them */
    size_t lent;          /* bytes of heap in them */
    uint32_t depth;       /* wanted of them */
    uint32_t callees;     /* connections it wants to have called */
    uint32_t calls;       /* connections it has called and not seen the end of */
};

/* The low half of the number of a session, by which shapers know it, and its user. */
static inline uint32_t app_session(uint32_t index, uint32_t life)
{
    return life << APP_LIFE_SHIFT | (index + 1);
}
static inline uint32_t app_uid(uint32_t index)
{
    return APP_UID_FIRST + index / APP_OF_USER;
}

struct app *app_create(struct sim *sim, uint32_t index, uint32_t host);
/* It detaches, if it is attached, without a verdict. */
void app_leave(struct app *app);
/* Once no more events happen, or NULL. */
void app_destroy(struct app *app);

/* It is gone, at whatever it was, and is started again later. */
void app_kill(struct app *app);
/* The engines of all applications of a host are gone, and so are their sessions. */
void apps_crash(struct sim *sim, uint32_t host);
/* Looks at its events soon. */
void app_wake(struct app *app, uint64_t delay);
/* From now on it only finishes: closes its connections, then its listener and regions. */
void app_rest(struct app *app);
/* It has nothing left to do. */
bool app_rested(const struct app *app);
/* One line about it, and one about each connection, for whoever looks for a reason. */
void app_print(const struct app *app);
/* The heap is as it was before the first allocation. */
bool app_heap_whole(struct app *app);

/* All applications of a host: their engine did something; is another. */
void apps_wake(struct sim *sim, uint32_t host);
void apps_adopt(struct sim *sim, uint32_t host);
/* Gives an engine that is to come to nothing sessions of its own on the same arenas. */
struct pony_session **apps_rehearse(struct sim *sim, uint32_t host, struct engine *engine);
/* Takes the sessions of an engine that does not run any more from the applications. */
struct pony_session **apps_part(struct sim *sim, uint32_t host);
/* Ends such sessions, or those of apps_rehearse. */
void apps_end_sessions(const struct sim *sim, struct pony_session **sessions);

/* For work. app_submit is told what the library answered to an operation submitted with
 * app_op: true if it was accepted; else the operation is gone, and its buffer freed. */
bool app_submit(struct app *app, struct operation *operation, int result);
struct saddle_op app_op(const struct operation *operation);
struct saddle_channel *app_channel(struct app *app, uint32_t channel);
/* A new region of `bytes`. False if there is no memory, or the queue is full. */
bool app_expose(struct app *app, uint32_t bytes, bool writable);
bool app_expose_table(struct app *app);
/* Points its tables to the newest region to be read. */
void app_point(struct app *app);
bool app_revoke(struct app *app, struct region *region);
/* Begins to close a connection. */
void app_close(struct app *app, struct connection_end *end);

#endif
