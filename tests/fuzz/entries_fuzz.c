/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine against an application that writes arbitrary commands while a second thread of it
 * scribbles over everything that it shares with the engine.
 *
 * Input: commands, each an operation byte, then the bytes of the entry behind it. A handle or
 * offset below 8 stands for one that exists.
 *
 * Whatever happens to that application, the other one on the same engine does its work.
 */
#include "tests/unit/engines/pony/rig.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define COMMANDS_MAX  128u
#define COMMAND_BYTES 72u /* of input for each: an entry without most of its payload */
#define PIECE_BYTES   16u /* of the shortest piece that is gathered */
#define PIECE_SIZES   8u  /* each twice as long as the one before */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct attacker {
    pthread_t thread;
    struct app *app;
    _Atomic bool stop;
};

/* Writes words all over the queues, the slots and the heap; now and then into a sequence word. */
static void *scribble(void *arg)
{
    struct attacker *attacker = arg;
    struct app *app = attacker->app;
    uint64_t queues = app->config.slots_offset;
    struct rng rng;

    rng_init_u64(&rng, (uint64_t)(uintptr_t)attacker, 1);
    while (!atomic_load_explicit(&attacker->stop, memory_order_relaxed)) {
        bool quiet = rng_below(&rng, 64) != 0;
        uint64_t span = quiet ? queues : app->config.arena_bytes;
        uint64_t at = rng_below(&rng, span / 8) * 8;
        /* Seldom the first word of an entry: its session would be over at once. */
        if (quiet && at % SADDLE_ENTRY_BYTES == 0)
            continue;
        __atomic_store_n((uint64_t *)(void *)(app->arena + at), rng_u64(&rng), __ATOMIC_RELAXED);
    }
    return NULL;
}

/* Another flag, and the session would be over. */
static uint8_t flags_of(uint8_t op)
{
    if (op == SADDLE_CMD_SEND)
        return SADDLE_ENTRY_INLINE | SADDLE_ENTRY_GATHER | SADDLE_ENTRY_UNORDERED;
    return op == SADDLE_CMD_WRITE ? SADDLE_ENTRY_INLINE | SADDLE_ENTRY_GATHER : SADDLE_ENTRY_INLINE;
}

/* What a command at the start of the heap may gather, until it is scribbled over. */
static void write_array(struct app *app)
{
    struct saddle_gather *pieces = (struct saddle_gather *)(void *)app_heap(app, 0);

    for (uint32_t i = 0; i < SADDLE_SEGMENTS_MAX; i++)
        pieces[i] = (struct saddle_gather){.offset = app->config.heap_offset + i,
                                           .len = PIECE_BYTES << i % PIECE_SIZES};
}

static void submit(struct app *app, uint32_t handle, const uint8_t *bytes)
{
    struct saddle_command command = {0};

    memcpy((uint8_t *)&command + 4, bytes, COMMAND_BYTES - 4);
    if (command.handle < 8)
        command.handle = handle + (command.handle & 1);
    if (command.buf < 8)
        command.buf = app->config.heap_offset + command.buf;
    command.reserved = 0;
    command.flags &= flags_of(command.op);
    if (command.flags & SADDLE_ENTRY_GATHER)
        command.flags &= (uint8_t)~SADDLE_ENTRY_INLINE;
    app_submit_on(app, 0, &command);
}

/* Another application on the same engine, which must not notice. */
static void witness(struct rig *rig, struct app *server, struct app *app)
{
    uint32_t at = server->event_count;

    app_connect(app, "echo", 900);
    rig_settle(rig);
    const struct saddle_event *event;
    while ((event = app_event(server, &at, SADDLE_EVT_INCOMING, 1))) {
        const struct saddle_command accept = {.op = SADDLE_CMD_ACCEPT,
                                              .handle = event->handle,
                                              .tag = 901};
        app_submit(server, &accept);
        rig_settle(rig);
    }
    app_send(app, app_done(app, 900)->handle, 0, 0, 5000, 902);
    rig_settle(rig);
    if (app_done(app, 902)->status)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rig *rig = rig_create(1, APP_SLOTS);
    struct app *other = rig_attach(rig, 1, APP_SLOTS);
    struct attacker attacker = {.app = rig->apps[1]};
    uint32_t incoming, outgoing;

    rig_pair(rig, rig->apps[0], attacker.app, &incoming, &outgoing);
    attacker.app->hold = true;
    write_array(attacker.app);
    if (pthread_create(&attacker.thread, NULL, scribble, &attacker))
        abort();
    for (uint32_t i = 0; i < COMMANDS_MAX && size >= COMMAND_BYTES; i++) {
        submit(attacker.app, outgoing, data);
        data += COMMAND_BYTES;
        size -= COMMAND_BYTES;
        rig_step(rig);
    }
    atomic_store_explicit(&attacker.stop, true, memory_order_relaxed);
    pthread_join(attacker.thread, NULL);
    witness(rig, rig->apps[0], other);
    rig_check(rig);
    rig_detach(rig, attacker.app);
    rig_settle(rig);
    rig_check(rig);
    rig_destroy(rig);
    return 0;
}
