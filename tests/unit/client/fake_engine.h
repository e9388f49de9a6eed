/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The other end of a session's queues, moved by hand: a test takes the commands that the library
 * submitted and says whatever it likes in return. No daemon, no socket.
 *
 * Ownership: the engine owns arena and doorbells, and has to outlive the session.
 * Threads: the test's, or one of its own for as long as it alone calls fake_take and fake_say.
 */
#ifndef TESTS_UNIT_CLIENT_FAKE_ENGINE_H
#define TESTS_UNIT_CLIENT_FAKE_ENGINE_H

#include "client/session.h"
#include "mailbox/doorbell.h"
#include "mailbox/queue.h"

#define FAKE_CHANNELS 2u
#define FAKE_ENTRIES  8u /* of a command queue: small, so that full and wrap are met */
#define FAKE_COMPLETIONS                                                                           \
    16u                     /* of a completion queue: more, so that commands fill their own first */
#define FAKE_SLOTS      16u /* receive slots */
#define FAKE_HEAP_BYTES (1u << 20) /* of the session */

struct fake_engine {
    int arena_fd; /* a sealed memfd */
    uint8_t *arena;
    struct saddle_attach_reply reply;
    uint64_t slots_offset;
    struct queue_consumer commands[FAKE_CHANNELS];
    struct queue_producer completions[FAKE_CHANNELS];
    struct doorbells bells[FAKE_CHANNELS];
};

void fake_engine_open(struct fake_engine *engine);
void fake_engine_close(struct fake_engine *engine);

/* A session over the engine's arena, with or without doorbells. */
struct saddle_session *fake_session(struct fake_engine *engine, bool bells);

/* The next command: true with a copy, false if none. */
bool fake_take(struct fake_engine *engine, uint32_t channel, struct saddle_command *command);
/* The next command, which has to be there and to be `op`. */
struct saddle_command fake_expect(struct fake_engine *engine, uint32_t channel,
                                  enum saddle_command_op op);
/* Publishes an event, which has to find room, and rings if the application sleeps. */
void fake_say(struct fake_engine *engine, uint32_t channel, const struct saddle_event *event);
/* Completes a command. */
void fake_done(struct fake_engine *engine, uint32_t channel, const struct saddle_command *command,
               int status, saddle_handle handle);
/* A message of `len` bytes of fake_byte: inline up to 64 bytes. */
void fake_message(struct fake_engine *engine, uint32_t channel, saddle_handle handle, uint32_t slot,
                  uint32_t len);
/* Ends the session as the daemon would. */
void fake_end(struct fake_engine *engine, int error, const char *reason);

/* The byte at `index` of every payload that fake_message and the tests make. */
static inline uint8_t fake_byte(size_t index)
{
    return (uint8_t)(index * 7 + 3);
}

#endif
