/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared-memory queues: one producer, one consumer, in two processes that do not trust each other.
 *
 * Purpose: carry 128-byte entries. Each entry holds its own sequence word (its position + 1, stored
 * last with release), so that one cache-line transfer moves both the news and the entry. Positions
 * are free-running 32-bit numbers compared by unsigned difference.
 *
 * Ownership: the memory belongs to whoever mapped it. The structures below are private to one side
 * and hold all geometry; nothing in shared memory is trusted to say where anything lies.
 *
 * Threads: one thread per side. Producer and consumer run concurrently; nothing else is safe.
 *
 * Trust: the other side may write anything at any time. A consumer copies an entry once and uses
 * the copy. An absurd sequence word or `consumed` position is -EPROTO, never a wild access.
 *
 * Order: acquire and release only, no fences; the armed word is exchanged with sequential
 * consistency by both sides (see doorbell.h).
 */
#ifndef MAILBOX_QUEUE_H
#define MAILBOX_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <saddle/abi.h>

/* What a queue promises; fixed at construction, read by accounting and metrics. */
struct queue_attrs {
    const char *name;     /* for operators; must outlive the queue */
    uint32_t capacity;    /* entries, a power of two from 1 to SADDLE_QUEUE_MAX */
    bool priority_aware;  /* entries may overtake by priority */
    bool order_sensitive; /* the consumer relies on the order of entries */
    bool lossy;           /* the producer drops when full, instead of waiting */
};

/* Private geometry of one queue as one side sees it. */
struct queue {
    struct queue_attrs attrs;
    struct saddle_queue_header *header;
    uint8_t *entries; /* capacity * SADDLE_ENTRY_BYTES */
    uint32_t mask;
};

struct queue_producer {
    struct queue queue;
    uint32_t position; /* of the next entry */
    uint32_t consumed; /* last value believed of the consumer */
};

struct queue_consumer {
    struct queue queue;
    uint32_t position;  /* of the next entry */
    uint32_t published; /* last value stored in header->consumed */
};

/* Bytes of memory a queue of `capacity` entries needs, header included. */
size_t queue_bytes(uint32_t capacity);

/* The constructor: checks the attributes and describes a queue in `memory` (aligned to
 * SADDLE_ENTRY_BYTES). 0, or -EINVAL for bad attributes or alignment. Touches no memory. */
int queue_create(struct queue *queue, const struct queue_attrs *attrs, void *memory);

/* Formats the memory for a first entry at `position`: by the creator, before either side runs. */
void queue_format(const struct queue *queue, uint32_t position);

/* Opens one side at a known position: 0 for a new queue, a saved one after a hand-over. */
void queue_producer_open(struct queue_producer *producer, const struct queue *queue,
                         uint32_t position);
void queue_consumer_open(struct queue_consumer *consumer, const struct queue *queue,
                         uint32_t position);

/* The inline half: queue_room, queue_reserve, queue_publish; queue_poll, queue_pop, queue_empty,
 * queue_consumed. */

#endif
