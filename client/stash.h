/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Events that a blocking call met while it waited for another one: kept in order for later.
 *
 * Bounded by what may be outstanding: completions by the operations accepted, messages by the
 * receive slots, and the rest by connections and listeners.
 *
 * Ownership: the channel's. Threads: the channel's.
 */
#ifndef CLIENT_STASH_H
#define CLIENT_STASH_H

#include <stdbool.h>

#include <saddle/saddle.h>

struct client_stash_node;

struct client_stash {
    struct client_stash_node *first;
    struct client_stash_node **end; /* where the next one is to be hung */
    struct client_stash_node *spare;
};

/* True for the event that a caller looks for. */
typedef bool client_match_fn(const struct saddle_completion *event, const void *context);

void client_stash_open(struct client_stash *stash);
void client_stash_close(struct client_stash *stash);

static inline bool client_stash_empty(const struct client_stash *stash)
{
    return stash->first == NULL;
}

/* Makes sure that the next client_stash_put finds room: 0 or -ENOMEM. */
int client_stash_prepare(struct client_stash *stash);
/* Keeps a copy, after client_stash_prepare or right after client_stash_take. */
void client_stash_put(struct client_stash *stash, const struct saddle_completion *event);
/* Takes the first event that matches, or the first of all if `match` is NULL; false if none. */
bool client_stash_take(struct client_stash *stash, client_match_fn *match, const void *context,
                       struct saddle_completion *event);

#endif
