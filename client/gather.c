/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "client/gather.h"

#include "client/channel.h"
#include "client/error.h"

#include <errno.h>
#include <stdlib.h>

#define GATHER_SHARE 2u /* one array to so many entries of the command queue */
#define GATHER_LEAST 4u /* arrays */

struct client_gathers {
    struct saddle_gather (*arrays)[SADDLE_SEGMENTS_MAX]; /* in the heap */
    uint32_t count;
    uint32_t used;        /* arrays handed out, in all */
    uint32_t positions[]; /* in the queue, of the command that had each last */
};

static int gather_open(struct saddle_channel *channel)
{
    uint32_t count = channel->commands.queue.attrs.capacity / GATHER_SHARE;
    struct client_gathers *gathers;

    if (count < GATHER_LEAST)
        count = GATHER_LEAST;
    gathers = (struct client_gathers *)calloc(1, sizeof(*gathers) + count * sizeof(uint32_t));
    if (gathers)
        gathers->arrays = (struct saddle_gather(*)[SADDLE_SEGMENTS_MAX])client_heap_alloc(
            &channel->session->heap, count * sizeof(gathers->arrays[0]));
    if (!gathers || !gathers->arrays) {
        free(gathers);
        return client_error(-ENOMEM, "the heap has no room to gather from");
    }
    gathers->count = count;
    channel->gathers = gathers;
    return 0;
}

/* May the engine still read the array of the command at this position? Not if that lies further
 * back than the queue reaches, nor once a later command was taken. */
static bool gather_busy(const struct queue_producer *commands, uint32_t position)
{
    return commands->position - position <= commands->queue.attrs.capacity + 1 &&
           (int32_t)(commands->consumed - position) < 2;
}

int client_gather_reserve(struct saddle_channel *channel, struct saddle_gather **array)
{
    struct client_gathers *gathers = channel->gathers;
    uint32_t index;

    if (!gathers) {
        int error = gather_open(channel);

        if (error)
            return error;
        gathers = channel->gathers;
    }
    index = gathers->used % gathers->count;
    if (gathers->used >= gathers->count) {
        if (queue_room(&channel->commands) < 0)
            return session_break(channel->session, &session_fault_protocol);
        if (gather_busy(&channel->commands, gathers->positions[index]))
            return client_error(-EAGAIN, "too many gathered operations are in the queue: poll, "
                                         "then try again");
    }
    *array = gathers->arrays[index];
    return 0;
}

void client_gather_keep(struct saddle_channel *channel)
{
    struct client_gathers *gathers = channel->gathers;

    gathers->positions[gathers->used % gathers->count] = channel->commands.position;
    gathers->used++;
    if (gathers->used == 2 * gathers->count) /* so that it never wraps to few */
        gathers->used = gathers->count;
}

void client_gather_close(struct saddle_channel *channel)
{
    free(channel->gathers);
}
