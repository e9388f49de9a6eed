/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The application's half of a channel: commands go out, completions come in.
 *
 * Submitting writes an entry and nothing else; the doorbell is for saddle_flush. Receive slots lent
 * by the daemon are remembered, so that giving one back twice is an error of the caller's instead
 * of the end of the session, and so that giving one back never fails for want of queue room: it is
 * owed, and sent with the next flush.
 *
 * Ownership: embedded in the session; descriptors are the session's.
 * Threads: one at a time.
 * Trust: an event is copied once and checked before it is believed; nonsense ends the session.
 */
#ifndef CLIENT_CHANNEL_H
#define CLIENT_CHANNEL_H

#include "client/errand.h"
#include "client/session.h"
#include "client/stash.h"
#include "mailbox/queue.h"

#include <stdalign.h>

#define CHANNEL_NO_END    INT64_MAX         /* ns: waits for ever */
#define CHANNEL_SLOT_NONE UINT32_MAX        /* a message without memory to give back */
#define CHANNEL_SLOT_HEAP (UINT32_MAX - 1u) /* a message whose memory goes to saddle_free */

struct client_address; /* see operation.h */
struct client_gathers; /* see gather.h */

struct saddle_channel {
    alignas(SADDLE_CACHE_LINE) struct saddle_session *session;
    struct queue_producer commands;
    struct queue_consumer completions;
    uint32_t outstanding; /* commands that will complete and have not */
    bool flush_due;       /* the engine was not told of the latest commands */
    int bell_engine;      /* eventfd, or -1 */
    int bell_application; /* the application's end of the socket, or -1 */
    uint32_t idle;        /* polls in a row that found nothing */
    uint64_t *held;       /* bit per receive slot: the application has it */
    uint32_t *owed;       /* ring of slots to give back, session->slots_max + 1 long */
    uint32_t owed_head;
    uint32_t owed_tail;
    struct client_stash stash;
    struct client_errands errands;
    struct client_address *addresses;
    struct client_gathers *gathers; /* NULL until the first gathered message */
    struct saddle_command draft;    /* the next one; its payload is not used */
};

/* True if the queues of `layout` lie in an arena of `bytes`, aligned. */
bool client_channel_layout_ok(const struct saddle_channel_layout *layout, uint64_t bytes);

/* `bells` is {eventfd, the application's bell} or NULL. 0 or -ENOMEM; to be closed in both cases.
 */
int client_channel_open(struct saddle_channel *channel, struct saddle_session *session,
                        const struct saddle_channel_layout *layout, const int *bells);
/* Frees what the channel has; closes its descriptors only if told to. */
void client_channel_close(struct saddle_channel *channel, bool descriptors);

/* The next command, all zero, to be completed and handed over by client_channel_publish: 0, -EAGAIN
 * or the session's error. It is private until then, since an engine that polls the entry would take
 * its line away between any two stores. But its payload goes to client_channel_payload. */
int client_channel_reserve(struct saddle_channel *channel, struct saddle_command **command);

/* After client_channel_reserve: where up to SADDLE_INLINE_BYTES of payload go, in the entry. */
static inline uint8_t *client_channel_payload(const struct saddle_channel *channel)
{
    return queue_entry(&channel->commands.queue, channel->commands.position) + QUEUE_PAYLOAD_OFFSET;
}

static inline void client_channel_publish(struct saddle_channel *channel)
{
    struct queue_producer *commands = &channel->commands;

    queue_move_command((struct saddle_command *)queue_entry(&commands->queue, commands->position),
                       &channel->draft);
    queue_publish(commands);
    channel->outstanding++;
    channel->flush_due = true;
}

/* The next event of the queue, the stash left aside: 1, 0 if there is none, or the session's error
 * if it cannot be believed. */
int client_channel_next(struct saddle_channel *channel, struct saddle_completion *event);

/* When a wait of `timeout_ms` from now ends, on the monotonic clock; CHANNEL_NO_END for -1. */
int64_t client_channel_end_ns(int timeout_ms);

/* Sleeps until the queue, the stash left aside, has something: 1, 0 at `end_ns`, -EINTR, -ENOTSUP
 * or the session's error. */
int client_channel_sleep(struct saddle_channel *channel, int64_t end_ns);

#endif
