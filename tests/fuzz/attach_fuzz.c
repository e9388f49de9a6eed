/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The attach request: one byte that says whether descriptors came along, then the datagram. What is
 * accepted has to be an arena within its quota whose parts do not touch each other.
 */
#include "control/arena.h"
#include "control/attach.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_plan(const struct saddle_attach_reply *plan, uint64_t slots_offset)
{
    uint64_t end = sizeof(struct saddle_arena_header);

    require(plan->channels >= 1 && plan->channels <= SADDLE_CHANNELS_MAX);
    for (uint32_t i = 0; i < plan->channels; i++) {
        const struct saddle_channel_layout *channel = &plan->channel[i];

        require(channel->command_offset >= end);
        end = channel->command_offset + queue_bytes(channel->command_entries);
        require(channel->completion_offset >= end);
        end = channel->completion_offset + queue_bytes(channel->completion_entries);
    }
    require(slots_offset >= end && plan->heap_offset >= slots_offset + SADDLE_EAGER_MAX);
    require((plan->heap_offset - slots_offset) % SADDLE_EAGER_MAX == 0);
    require(plan->arena_bytes <= ARENA_BYTES_MAX && plan->heap_bytes <= plan->arena_bytes);
    require(plan->heap_offset == plan->arena_bytes - plan->heap_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct saddle_attach_request request;
    struct saddle_attach_reply reply;
    struct pony_session_config config;
    uint64_t slots_offset;
    int error;

    if (size == 0)
        return 0;
    error = attach_check(data + 1, size - 1, data[0] & 1, &request, &reply);
    if (!error)
        error = arena_plan(&request, &reply, &slots_offset);
    require(reply.error == error);
    if (error) {
        require(memchr(reply.reason, '\0', sizeof(reply.reason)) && reply.reason[0]);
        return 0;
    }
    check_plan(&reply, slots_offset);
    /* Nothing is read or written there: only places are computed. */
    require(arena_describe(&config, (uint8_t *)(uintptr_t)ARENA_PAGE_BYTES, &reply, slots_offset,
                           NULL) == 0);
    return 0;
}
