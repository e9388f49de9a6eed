/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Errands: operations that the library submits on its own account, for the blocking calls.
 *
 * An errand has a tag out of a range that applications may not use. When the blocking call gives up
 * waiting, its errand is left behind, and what it then still brings is put in order: memory is
 * freed, a connection nobody knows of is closed, a message that arrived after all is delivered.
 *
 * Ownership: the channel's. Threads: the channel's.
 */
#ifndef CLIENT_ERRAND_H
#define CLIENT_ERRAND_H

#include <stdbool.h>

#include <saddle/saddle.h>

struct client_errand {
    struct client_errand *next;
    uint64_t tag;
    void *buffer;        /* arena memory the engine uses meanwhile, or NULL */
    size_t bytes;        /* of it */
    saddle_handle stray; /* a handle that has to be closed, or 0 */
    saddle_key bared;    /* a region that has to be revoked, or 0 */
    bool left;           /* nobody waits for it any more */
};

struct client_errands {
    struct client_errand *first;
    uint32_t count; /* tags given out */
};

/* A new errand, first in the list; NULL with the error line set. */
struct client_errand *client_errand_start(struct saddle_channel *channel);
/* Ends an errand whose completion was taken, or that was never submitted, and frees its buffer. */
void client_errand_end(struct saddle_channel *channel, struct client_errand *errand);
/* Gives up waiting for it. */
void client_errand_leave(struct client_errand *errand);
void client_errands_close(struct saddle_channel *channel);

/* True if an application may not use this tag. */
static inline bool client_errand_tag(uint64_t tag)
{
    return tag >= SADDLE_TAG_LIBRARY;
}

/* True if `tag` belongs to an errand that is being waited for. */
bool client_errand_waited(const struct saddle_channel *channel, uint64_t tag);
/* Looks at the completion of an errand: true if somebody is to see it, as it then is. */
bool client_errand_settle(struct saddle_channel *channel, struct saddle_completion *event);
/* Closes the handles, and revokes the regions, that errands left behind, as far as the queue has
 * room. */
void client_errands_tidy(struct saddle_channel *channel);

#endif
