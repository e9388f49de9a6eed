/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/engines/pony/app.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096u

static uint64_t pages(uint64_t bytes)
{
    return (bytes + PAGE - 1) / PAGE * PAGE;
}

static void make_channel(struct app *app, uint32_t index, uint64_t at)
{
    static const struct queue_attrs attrs = {.name = "rig",
                                             .capacity = APP_ENTRIES,
                                             .order_sensitive = true};
    struct channel_config *config = &app->config.channels[index];
    uint64_t bytes = pages(queue_bytes(APP_ENTRIES));

    ck_assert_int_eq(queue_create(&config->command, &attrs, app->arena + at), 0);
    ck_assert_int_eq(queue_create(&config->completion, &attrs, app->arena + at + bytes), 0);
    queue_format(&config->command, 0);
    queue_format(&config->completion, 0);
    config->doorbell_fd = -1;
    queue_producer_open(&app->channels[index].commands, &config->command, 0);
    queue_consumer_open(&app->channels[index].completions, &config->completion, 0);
}

static struct app *create(uint64_t id, uint32_t host, uint32_t slots, uint64_t heap, bool mapped)
{
    struct app *app = calloc(1, sizeof(*app));
    uint64_t queues = 2 * pages(queue_bytes(APP_ENTRIES));
    uint64_t at = PAGE;

    ck_assert_ptr_nonnull(app);
    struct pony_session_config *config = &app->config;
    config->id = id;
    config->abi = SADDLE_ABI_VERSION;
    config->grant.rights = PONY_RIGHTS_ALL;
    config->channel_count = APP_CHANNELS;
    config->slot_count = slots;
    config->slots_offset = at + APP_CHANNELS * queues;
    config->heap_offset = config->slots_offset + (uint64_t)slots * SADDLE_EAGER_MAX;
    config->heap_bytes = heap;
    config->arena_bytes = config->heap_offset + heap;
    app->host = host;
    app->mapped = mapped;
    if (mapped) {
        app->arena = mmap(NULL, config->arena_bytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        ck_assert_ptr_ne(app->arena, MAP_FAILED);
    } else {
        app->arena = aligned_alloc(PAGE, config->arena_bytes);
        ck_assert_ptr_nonnull(app->arena);
        memset(app->arena, 0, config->arena_bytes);
    }
    config->arena = app->arena;
    for (uint32_t i = 0; i < APP_CHANNELS; i++)
        make_channel(app, i, at + i * queues);
    ck_assert_int_eq(pony_session_create(&app->session, config), 0);
    return app;
}

struct app *app_create(uint64_t id, uint32_t host, uint32_t slots)
{
    return create(id, host, slots, APP_HEAP, false);
}

struct app *app_create_large(uint64_t id, uint32_t host, uint32_t slots, uint64_t heap)
{
    return create(id, host, slots, heap, true);
}

void app_leave(struct app *app)
{
    pony_session_destroy(app->session);
    if (app->mapped && app->arena)
        munmap(app->arena, app->config.arena_bytes);
    else
        free(app->arena);
    app->arena = NULL;
    app->session = NULL;
}

void app_destroy(struct app *app)
{
    app_leave(app);
    free(app);
}

void app_renew(struct app *app)
{
    pony_session_destroy(app->session);
    ck_assert_int_eq(pony_session_create(&app->session, &app->config), 0);
}

bool app_submit_on(struct app *app, uint32_t channel, const struct saddle_command *command)
{
    return queue_put_command(&app->channels[channel].commands, command);
}

bool app_submit(struct app *app, const struct saddle_command *command)
{
    return app_submit_on(app, 0, command);
}

bool app_reap(struct app *app)
{
    bool moved = false;

    for (uint32_t i = 0; i < APP_CHANNELS; i++) {
        struct queue_consumer *queue = &app->channels[i].completions;
        if (i > 0 && i == app->hold_channel)
            continue;
        while (queue_poll(queue) == 1) {
            ck_assert_uint_lt(app->event_count, APP_EVENTS);
            struct saddle_event *event = &app->events[app->event_count];
            queue_pop(queue, event);
            queue_consumed(queue, true);
            app->event_channel[app->event_count++] = i;
            moved = true;
            const struct saddle_command release = {.op = SADDLE_CMD_RELEASE, .slot = event->slot};
            if ((event->flags & SADDLE_ENTRY_SLOT) && !app->keep)
                ck_assert(app_submit_on(app, i, &release));
        }
    }
    return moved;
}

const struct saddle_event *app_event(struct app *app, uint32_t *at, uint8_t type, uint64_t tag)
{
    while (*at < app->event_count) {
        const struct saddle_event *event = &app->events[(*at)++];
        if (event->type == type && event->tag == tag)
            return event;
    }
    return NULL;
}

const struct saddle_event *app_done(struct app *app, uint64_t tag)
{
    uint32_t at = 0;
    const struct saddle_event *event = app_event(app, &at, SADDLE_EVT_DONE, tag);

    ck_assert_msg(event != NULL, "no completion for tag %llu", (unsigned long long)tag);
    ck_assert_msg(!app_event(app, &at, SADDLE_EVT_DONE, tag), "two completions for tag %llu",
                  (unsigned long long)tag);
    return event;
}

void app_listen(struct app *app, const char *service, uint64_t tag)
{
    struct saddle_command command = {.op = SADDLE_CMD_LISTEN,
                                     .flags = SADDLE_ENTRY_INLINE,
                                     .tag = tag};

    command.len = (uint32_t)strlen(service) + 1;
    memcpy(command.payload, service, command.len);
    ck_assert(app_submit(app, &command));
}

void app_connect(struct app *app, const char *service, uint64_t tag)
{
    struct saddle_command command = {.op = SADDLE_CMD_CONNECT,
                                     .flags = SADDLE_ENTRY_INLINE,
                                     .tag = tag};

    command.len = (uint32_t)(sizeof("peer") + strlen(service) + 1);
    memcpy(command.payload, "peer", sizeof("peer"));
    memcpy(command.payload + sizeof("peer"), service, strlen(service) + 1);
    ck_assert(app_submit(app, &command));
}

void app_send(struct app *app, uint32_t handle, uint16_t stream, uint64_t at, uint32_t len,
              uint64_t tag)
{
    const struct saddle_command command = {
        .op = SADDLE_CMD_SEND,
        .handle = handle,
        .stream = stream,
        .buf = app->config.heap_offset + at,
        .len = len,
        .tag = tag,
    };

    ck_assert(app_submit(app, &command));
}

void app_pattern(struct app *app, uint64_t at, uint32_t len, uint32_t seed)
{
    uint8_t *bytes = app_heap(app, at);

    for (uint32_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(seed * 131 + i * 7 + (i >> 8));
}

bool app_matches(const uint8_t *bytes, uint32_t len, uint32_t seed)
{
    for (uint32_t i = 0; i < len; i++)
        if (bytes[i] != (uint8_t)(seed * 131 + i * 7 + (i >> 8)))
            return false;
    return true;
}
