/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/client/fake_engine.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FAKE_PAGE 4096u

static uint64_t fake_place(uint64_t *end, uint64_t bytes)
{
    uint64_t offset = *end;

    *end = (*end + bytes + FAKE_PAGE - 1) / FAKE_PAGE * FAKE_PAGE;
    return offset;
}

static void fake_queue(struct fake_engine *engine, uint64_t offset, uint32_t capacity,
                       struct queue *queue)
{
    const struct queue_attrs attrs = {.name = "fake", .capacity = capacity};

    ck_assert_int_eq(queue_create(queue, &attrs, engine->arena + offset), 0);
    queue_format(queue, 0);
}

void fake_engine_open(struct fake_engine *engine)
{
    struct saddle_arena_header *header;
    struct queue queue;
    uint64_t end = 0;

    memset(engine, 0, sizeof(*engine));
    engine->reply.magic = SADDLE_ABI_MAGIC;
    engine->reply.bytes = sizeof(engine->reply);
    engine->reply.abi = SADDLE_ABI_VERSION;
    engine->reply.channels = FAKE_CHANNELS;
    fake_place(&end, sizeof(*header));
    for (uint32_t at = 0; at < FAKE_CHANNELS; at++) {
        struct saddle_channel_layout *layout = &engine->reply.channel[at];

        layout->command_entries = FAKE_ENTRIES;
        layout->completion_entries = FAKE_COMPLETIONS;
        layout->command_offset = fake_place(&end, queue_bytes(FAKE_ENTRIES));
        layout->completion_offset = fake_place(&end, queue_bytes(FAKE_COMPLETIONS));
    }
    engine->slots_offset = fake_place(&end, FAKE_SLOTS * SADDLE_EAGER_MAX);
    engine->reply.heap_bytes = FAKE_HEAP_BYTES;
    engine->reply.heap_offset = fake_place(&end, FAKE_HEAP_BYTES);
    engine->reply.arena_bytes = end;
    engine->arena_fd = memfd_create("fake-arena", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    ck_assert_int_ge(engine->arena_fd, 0);
    ck_assert_int_eq(ftruncate(engine->arena_fd, (off_t)end), 0);
    ck_assert_int_eq(fcntl(engine->arena_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
    engine->arena =
        (uint8_t *)mmap(NULL, end, PROT_READ | PROT_WRITE, MAP_SHARED, engine->arena_fd, 0);
    ck_assert_ptr_ne(engine->arena, MAP_FAILED);
    header = (struct saddle_arena_header *)engine->arena;
    header->magic = SADDLE_ABI_MAGIC;
    header->state = SADDLE_SESSION_OPEN;
    for (uint32_t at = 0; at < FAKE_CHANNELS; at++) {
        fake_queue(engine, engine->reply.channel[at].command_offset, FAKE_ENTRIES, &queue);
        queue_consumer_open(&engine->commands[at], &queue, 0);
        fake_queue(engine, engine->reply.channel[at].completion_offset, FAKE_COMPLETIONS, &queue);
        queue_producer_open(&engine->completions[at], &queue, 0);
        ck_assert_int_eq(doorbells_create(&engine->bells[at]), 0);
    }
}

void fake_engine_close(struct fake_engine *engine)
{
    for (uint32_t at = 0; at < FAKE_CHANNELS; at++)
        doorbells_destroy(&engine->bells[at]);
    munmap(engine->arena, engine->reply.arena_bytes);
    close(engine->arena_fd);
}

struct saddle_session *fake_session(struct fake_engine *engine, bool bells)
{
    struct saddle_session *session;
    int ends[FAKE_CHANNELS][2];

    for (uint32_t at = 0; at < FAKE_CHANNELS; at++) {
        ends[at][0] = engine->bells[at].engine;
        ends[at][1] = engine->bells[at].application_read;
    }
    ck_assert_int_eq(session_open(&session, &engine->reply, engine->arena,
                                  bells ? (const int(*)[2])ends : NULL),
                     0);
    return session;
}

bool fake_take(struct fake_engine *engine, uint32_t channel, struct saddle_command *command)
{
    struct queue_consumer *commands = &engine->commands[channel];
    int ready = queue_poll(commands);

    ck_assert_int_ge(ready, 0);
    if (!ready)
        return false;
    queue_pop(commands, command);
    queue_consumed(commands, true);
    return true;
}

struct saddle_command fake_expect(struct fake_engine *engine, uint32_t channel,
                                  enum saddle_command_op op)
{
    struct saddle_command command;

    ck_assert_msg(fake_take(engine, channel, &command), "no command; %d was expected", op);
    ck_assert_uint_eq(command.op, op);
    return command;
}

void fake_say(struct fake_engine *engine, uint32_t channel, const struct saddle_event *event)
{
    struct queue_producer *completions = &engine->completions[channel];

    ck_assert(queue_put_event(completions, event));
    if (doorbell_due(&completions->queue.header->armed))
        doorbell_ring_application(engine->bells[channel].application_write);
}

void fake_done(struct fake_engine *engine, uint32_t channel, const struct saddle_command *command,
               int status, saddle_handle handle)
{
    const struct saddle_event event = {.type = SADDLE_EVT_DONE,
                                       .op = command->op,
                                       .stream = command->stream,
                                       .tag = command->tag,
                                       .handle = handle,
                                       .status = status};

    fake_say(engine, channel, &event);
}

void fake_message(struct fake_engine *engine, uint32_t channel, saddle_handle handle, uint32_t slot,
                  uint32_t len)
{
    struct saddle_event event = {.type = SADDLE_EVT_MESSAGE,
                                 .flags = SADDLE_ENTRY_SLOT,
                                 .handle = handle,
                                 .slot = slot,
                                 .len = len};
    uint8_t *payload = event.payload;

    if (len <= SADDLE_INLINE_BYTES) {
        event.flags |= SADDLE_ENTRY_INLINE;
    } else {
        event.buf = engine->slots_offset + (uint64_t)slot * SADDLE_EAGER_MAX;
        payload = engine->arena + event.buf;
    }
    for (uint32_t at = 0; at < len; at++)
        payload[at] = fake_byte(at);
    fake_say(engine, channel, &event);
}

void fake_end(struct fake_engine *engine, int error, const char *reason)
{
    struct saddle_arena_header *header = (struct saddle_arena_header *)engine->arena;

    header->error = error;
    snprintf(header->reason, sizeof(header->reason), "%s", reason);
    __atomic_store_n(&header->state, SADDLE_SESSION_CLOSED, __ATOMIC_RELEASE);
    for (uint32_t at = 0; at < FAKE_CHANNELS; at++)
        doorbell_ring_application(engine->bells[at].application_write);
}
