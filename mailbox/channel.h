/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's half of a channel: one command queue, one completion queue, the doorbell toward the
 * application, and the promise that every accepted command finds room for its completion.
 *
 * Reservation: a command is taken only when a completion slot can be set aside for it
 * (channel_take); unasked events (messages, incoming calls) use what is left (channel_room). So the
 * completion queue never overflows, and an application that does not reap stalls only itself. One
 * slot may be kept for CANCELs, so that operations that never end by themselves cannot use up what
 * it takes to end them.
 *
 * Waiting for room: an engine that cannot take a command, or announce, for want of completion slots
 * sleeps like an idle one, with the command doorbell armed. So whoever reaps completions looks at
 * that doorbell each time queue_consumed says true, and rings the engine if it is due.
 *
 * Ownership: embedded in the engine's session. Threads: the engine's.
 * Trust: the application is hostile; a broken rule is -EPROTO, and the caller closes the session.
 */
#ifndef MAILBOX_CHANNEL_H
#define MAILBOX_CHANNEL_H

#include "mailbox/queue.h"

#include <stdbool.h>
#include <stdint.h>

struct channel_config {
    struct queue command;      /* the application produces */
    struct queue completion;   /* the engine produces */
    uint32_t command_position; /* 0 for a new channel */
    uint32_t completion_position;
    uint32_t reserved; /* completion slots promised to commands in flight; 0 for a new channel */
    uint32_t kept;     /* completion slots that no command but CANCEL is promised */
    int doorbell_fd;   /* the daemon's end of the application's bell; -1: none (simulator) */
};

/* Events that are held back at most: as long as it takes to write so many, the lines of the first
 * few come from the other processor. */
#define CHANNEL_STAGE 16u

struct channel {
    struct queue_consumer commands;
    struct queue_producer completions;
    uint32_t reserved; /* completion slots promised to accepted commands */
    uint32_t kept;     /* for CANCELs alone */
    int doorbell_fd;
    bool ring_due; /* there were completions since the last channel_ring */
    uint32_t staged;
    struct saddle_event stage[CHANNEL_STAGE]; /* those not written into the queue yet */
};

/* Touches no shared memory. */
void channel_open(struct channel *channel, const struct channel_config *config);
/* The same at positions that were saved. */
void channel_resume(struct channel *channel, const struct channel_config *config);

/* Takes the next command if there is one and its completion slot can be reserved: 1 with a private
 * copy in *command, 0 if none, -EPROTO. The inline payload is copied only if flagged; the bytes of
 * command->payload are otherwise left alone. */
int channel_take(struct channel *channel, struct saddle_command *command);
/* The same, but only if the next command is a CANCEL. */
int channel_take_cancel(struct channel *channel, struct saddle_command *command);
/* Is the next command a CANCEL that channel_take_cancel would take? */
bool channel_cancel_pending(struct channel *channel);
/* What the command `ahead` of the next one says of its handle, 0 if it is not there yet: a hint of
 * what is worth fetching, and nothing to believe. */
uint32_t channel_expected(const struct channel *channel, uint32_t ahead);
/* Gives a reservation back, for a command that does not complete (RELEASE). */
void channel_unreserve(struct channel *channel);
/* Completion slots free for unasked events, or -EPROTO. */
int channel_room(struct channel *channel);
/* An event of this type, all 0 but for its payload, which is the caller's if it is inline: so much
 * is zeroed by a few stores, where all of it would be by an instruction that takes as long as
 * fifty.
 */
static inline void channel_event(struct saddle_event *event, uint8_t type)
{
    memset(event, 0, QUEUE_PAYLOAD_OFFSET);
    event->type = type;
}
/* Completes an accepted command, from its reservation. `event->seq` is ignored. 0; or -EPROTO if
 * nothing was reserved, or if after a hand-over the application denies the slots that were
 * promised. */
int channel_complete(struct channel *channel, const struct saddle_event *event);
/* Adds an unasked event: 0, -EAGAIN if there is no room, or -EPROTO. */
int channel_announce(struct channel *channel, const struct saddle_event *event);
/* Publishes what was completed and announced. An application that polls has the lines of the next
 * entries in its cache, and takes each back as soon as it is written: so events are collected,
 * their lines are asked for all at once, and they are written faster than it looks. Nothing may be
 * held back when the engine's turn ends. */
void channel_publish(struct channel *channel);

/* Publishes, and rings the application if there was anything and it sleeps: true if it made the
 * system call. */
bool channel_ring(struct channel *channel);
/* Before the engine sleeps: true if armed and nothing is pending; false, and not armed, otherwise.
 * An engine with events that it could not announce asks channel_room after this. */
bool channel_arm(struct channel *channel);
void channel_disarm(struct channel *channel);
/* True if channel_take would not answer 0: a command can be taken, or the channel is broken. */
bool channel_pending(struct channel *channel);
/* Has no command come, and no event gone out without a look at the doorbell? */
static inline bool channel_quiet(const struct channel *channel)
{
    return !channel->ring_due && queue_empty(&channel->commands);
}

#endif
