/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "client/errand.h"

#include "client/channel.h"
#include "client/error.h"

#include <errno.h>
#include <stdlib.h>

struct client_errand *client_errand_start(struct saddle_channel *channel)
{
    struct client_errand *errand = (struct client_errand *)calloc(1, sizeof(*errand));

    if (!errand) {
        client_error(-ENOMEM, "no memory for the operation");
        return NULL;
    }
    errand->tag = SADDLE_TAG_LIBRARY | channel->errands.count++;
    errand->next = channel->errands.first;
    channel->errands.first = errand;
    return errand;
}

void client_errand_end(struct saddle_channel *channel, struct client_errand *errand)
{
    struct client_errand **link = &channel->errands.first;

    while (*link != errand)
        link = &(*link)->next;
    *link = errand->next;
    if (errand->buffer)
        client_heap_free(&channel->session->heap, errand->buffer);
    free(errand);
}

void client_errand_leave(struct client_errand *errand)
{
    errand->left = true;
}

void client_errands_close(struct saddle_channel *channel)
{
    /* Buffers go with the whole heap. */
    while (channel->errands.first) {
        struct client_errand *errand = channel->errands.first;

        channel->errands.first = errand->next;
        free(errand);
    }
}

static struct client_errand *errand_find(const struct saddle_channel *channel, uint64_t tag)
{
    struct client_errand *errand = channel->errands.first;

    while (errand && errand->tag != tag)
        errand = errand->next;
    return errand;
}

bool client_errand_waited(const struct saddle_channel *channel, uint64_t tag)
{
    const struct client_errand *errand = errand_find(channel, tag);

    return errand && !errand->left;
}

/* A message that came into the errand's buffer after its caller had gone: it becomes an ordinary
 * one, whose memory is freed when it is released. */
static void errand_deliver(struct client_errand *errand, struct saddle_completion *event)
{
    event->kind = SADDLE_MESSAGE;
    event->op = 0;
    event->tag = 0;
    event->data = errand->buffer;
    event->slot = CHANNEL_SLOT_HEAP;
    errand->buffer = NULL;
}

bool client_errand_settle(struct saddle_channel *channel, struct saddle_completion *event)
{
    struct client_errand *errand = errand_find(channel, event->tag);
    bool shown = false;

    if (!errand)
        return false;
    if (!errand->left)
        return true;
    if (event->status == 0) {
        switch (event->op) {
        case SADDLE_CMD_LISTEN:
        case SADDLE_CMD_CONNECT:
        case SADDLE_CMD_ACCEPT:
            errand->stray = event->handle;
            client_errands_tidy(channel);
            return false;
        case SADDLE_CMD_EXPOSE:
            errand->bared = event->value;
            client_errands_tidy(channel);
            return false;
        case SADDLE_CMD_POST_RECV:
            shown = event->len <= errand->bytes;
            if (shown)
                errand_deliver(errand, event);
            else
                session_break(channel->session, &session_fault_protocol);
            break;
        default:
            break;
        }
    }
    client_errand_end(channel, errand);
    return shown;
}

void client_errands_tidy(struct saddle_channel *channel)
{
    struct client_errand *errand = channel->errands.first;

    while (errand) {
        struct client_errand *next = errand->next;
        struct saddle_command *command;

        if (errand->stray || errand->bared) {
            if (client_channel_reserve(channel, &command) != 0)
                return;
            command->op = errand->stray ? SADDLE_CMD_CLOSE : SADDLE_CMD_REVOKE;
            command->handle = errand->stray;
            command->key = errand->bared;
            command->tag = errand->tag;
            client_channel_publish(channel);
            /* Its completion finds no errand any more and is dropped. */
            client_errand_end(channel, errand);
        }
        errand = next;
    }
}
