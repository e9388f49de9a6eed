/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * One command queue with both its ends, in memory of this process: what a hop between two threads
 * costs when nothing is done with what hops.
 *
 * Ownership: the caller's struct, whose memory link_close frees. Threads: one puts, one takes.
 */
#ifndef BENCH_LINK_H
#define BENCH_LINK_H

#include "mailbox/queue.h"

#define LINK_CAPACITY 256u /* entries: the library's default */

struct link {
    struct queue queue;
    struct queue_producer producer;
    struct queue_consumer consumer;
    void *memory;
};

/* 0 or a negative errno: then there is nothing to close. */
int link_open(struct link *link);
/* Fine for one that is zeroed. */
void link_close(struct link *link);

/* Puts an entry with 64 bytes in it, as soon as there is room. */
static inline void link_put(struct link *link, uint64_t tag)
{
    struct saddle_command command = {.op = SADDLE_CMD_SEND,
                                     .flags = SADDLE_ENTRY_INLINE,
                                     .tag = tag,
                                     .len = SADDLE_INLINE_BYTES};
    while (!queue_put_command(&link->producer, &command))
        ;
}

/* Takes what is there: its tag into *tag. False: nothing is. */
static inline bool link_try(struct link *link, uint64_t *tag)
{
    struct saddle_command copy;
    if (queue_poll(&link->consumer) != 1)
        return false;
    queue_pop(&link->consumer, &copy);
    queue_consumed(&link->consumer, false);
    *tag = copy.tag;
    return true;
}

/* Waits for the next entry, spinning. */
static inline uint64_t link_take(struct link *link)
{
    uint64_t tag;
    while (!link_try(link, &tag))
        ;
    return tag;
}

#endif
