/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Applications that take turns: a message comes, one goes back, and the next comes. What the peer
 * is to be told of the first (DELIVERED) then waits a little for the second, and goes with it: one
 * packet each way instead of two, and nobody is woken twice. Like a delayed acknowledgement of TCP
 * (RFC 9293 section 3.8.6.3), but only where the last turns were taken so; who does not answer in
 * time is not waited for again before he has taken his turns once more.
 *
 * Ownership: two lists in the engine and three bits of a connection. Threads: the engine's. Trust:
 * none is needed: who pretends to take turns delays the news of messages to himself.
 */
#ifndef ENGINES_PONY_DIALOGUE_H
#define ENGINES_PONY_DIALOGUE_H

#include "engines/pony/connection.h"

/* Answers wait for one to two of these: as long as an acknowledgement does by default (struct
 * transport_config), at most, which their packet is then, too. */
#define DIALOGUE_TICK_NS (10 * NSEC_PER_USEC)
/* Turns in a row after which the next is waited for. */
#define DIALOGUE_TURNS 2u

void dialogue_init(struct upper *upper);
void dialogue_fini(struct upper *upper);
/* Before the engine sleeps: nobody is to be woken because something waited a moment ago. */
void dialogue_rest(struct upper *upper);

/* The application sends a message on this connection. */
static inline void dialogue_say(struct connection *connection)
{
    if (!connection->heard)
        connection->turns = 0;
    else if (connection->turns < DIALOGUE_TURNS)
        connection->turns++;
    connection->heard = false;
}

/* A message to the application is whole. True if what is to be said of it had better wait. */
static inline bool dialogue_hear(struct connection *connection)
{
    if (connection->heard)
        connection->turns = 0;
    connection->heard = true;
    return connection->turns == DIALOGUE_TURNS;
}

/* Schedules the connection, unless something else does before, once its time is over. */
void dialogue_wait(struct connection *connection);
/* Nothing waits any more: it was said, or there is nobody to say it to. */
static inline void dialogue_end(struct connection *connection)
{
    list_remove(&connection->late);
}

#endif
