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

#include "mailbox/line.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

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

/* Opens one side at a known position: that of a new queue, or a saved one after a hand-over.
 * Touches no memory. A producer believes nothing of the consumer until it has looked. */
void queue_producer_open(struct queue_producer *producer, const struct queue *queue,
                         uint32_t position);
void queue_consumer_open(struct queue_consumer *consumer, const struct queue *queue,
                         uint32_t position);
/* The same after a hand-over: what the side before had not published yet is published next. */
void queue_consumer_resume(struct queue_consumer *consumer, const struct queue *queue,
                           uint32_t position);

/* The inline half. */

SADDLE_STATIC_ASSERT(offsetof(struct saddle_command, seq) == 0, "the sequence word comes first");
SADDLE_STATIC_ASSERT(offsetof(struct saddle_event, seq) == 0, "the sequence word comes first");
SADDLE_STATIC_ASSERT(offsetof(struct saddle_command, payload) == SADDLE_INLINE_BYTES,
                     "an entry has two halves");
SADDLE_STATIC_ASSERT(offsetof(struct saddle_command, flags) == offsetof(struct saddle_event, flags),
                     "one place for the flags");

/* Byte of an entry that holds its flags, in commands and completions alike. */
#define QUEUE_FLAGS_OFFSET offsetof(struct saddle_command, flags)
/* Byte of a command that says which one it is. */
#define QUEUE_OP_OFFSET offsetof(struct saddle_command, op)
/* Word of a command that says which connection it is for. */
#define QUEUE_HANDLE_OFFSET offsetof(struct saddle_command, handle)
/* Where the payload starts: the second cache line. */
#define QUEUE_PAYLOAD_OFFSET offsetof(struct saddle_command, payload)
/* The consumer publishes its position when this part of the ring has passed: often enough that the
 * producer always sees three quarters of an emptied ring, seldom enough to cost nothing. */
#define QUEUE_CONSUMED_SHARE 4u

/* Shared memory as words. The loads are relaxed atomics: the compiler may neither repeat nor split
 * nor invent one, so a value that was checked is the value that is used. */
typedef uint32_t __attribute__((may_alias)) queue_word32;
typedef uint64_t __attribute__((may_alias)) queue_word64;

/* Every load and every ordered store of shared memory; the tests put a peer here that acts between
 * any two of them. */
#ifndef QUEUE_LOAD
#define QUEUE_LOAD(word, order)         __atomic_load_n(word, order)
#define QUEUE_STORE(word, value, order) __atomic_store_n(word, value, order)
#endif

static inline uint8_t *queue_entry(const struct queue *queue, uint32_t position)
{
    return queue->entries + (size_t)(position & queue->mask) * SADDLE_ENTRY_BYTES;
}

/* Producer: free entries by what it believes already, without touching shared memory. */
static inline uint32_t queue_room_known(const struct queue_producer *producer)
{
    return producer->queue.attrs.capacity - (producer->position - producer->consumed);
}

/* Producer: free entries, or -EPROTO if the consumer claims a position that it left earlier or that
 * was never produced. */
static inline int queue_room(struct queue_producer *producer)
{
    uint32_t consumed = QUEUE_LOAD(&producer->queue.header->consumed, __ATOMIC_ACQUIRE);

    if (consumed - producer->consumed > producer->position - producer->consumed)
        return -EPROTO;
    producer->consumed = consumed;
    return (int)queue_room_known(producer);
}

/* Producer: memory of the next entry, to be written in place; NULL if the queue is full or the
 * consumer is absurd (queue_room tells which). The sequence word, its first four bytes, is not the
 * caller's to write. Calling it again without queue_publish gives the same entry. */
static inline void *queue_reserve(struct queue_producer *producer)
{
    if (queue_room_known(producer) == 0 && queue_room(producer) <= 0)
        return NULL;
    return queue_entry(&producer->queue, producer->position);
}

/* Producer: hands the reserved entry over. Look at the doorbell after the last one of a batch. */
static inline void queue_publish(struct queue_producer *producer)
{
    queue_word32 *seq = (queue_word32 *)queue_entry(&producer->queue, producer->position);

    producer->position++;
    QUEUE_STORE(seq, producer->position, __ATOMIC_RELEASE);
}

/* A field of an entry. Its own size is loaded, as it was stored a moment ago: of a load that spans
 * several stores the processor waits until all of them, and all older ones, have left for the
 * cache, and older ones may wait for a line that the other side has. */
#define QUEUE_MOVE(to, from, field)                                                                \
    __atomic_store_n(&(to)->field, __atomic_load_n(&(from)->field, __ATOMIC_RELAXED),              \
                     __ATOMIC_RELAXED)

/* The second half goes before the first, which the consumer polls, and which it takes away if it
 * looks between two stores. */
static inline void queue_move_payload(uint8_t *to, const uint8_t *from, uint8_t flags)
{
    if (flags & SADDLE_ENTRY_INLINE)
        memcpy(to, from, SADDLE_INLINE_BYTES);
}

/* All but sequence word and payload. */
static inline void queue_move_command(struct saddle_command *to, const struct saddle_command *from)
{
    QUEUE_MOVE(to, from, op);
    QUEUE_MOVE(to, from, flags);
    QUEUE_MOVE(to, from, stream);
    QUEUE_MOVE(to, from, tag);
    QUEUE_MOVE(to, from, handle);
    QUEUE_MOVE(to, from, len);
    QUEUE_MOVE(to, from, buf);
    QUEUE_MOVE(to, from, timeout_ns);
    QUEUE_MOVE(to, from, key);
    QUEUE_MOVE(to, from, remote_offset);
    QUEUE_MOVE(to, from, slot);
    QUEUE_MOVE(to, from, reserved);
}

static inline void queue_move_event(struct saddle_event *to, const struct saddle_event *from)
{
    QUEUE_MOVE(to, from, type);
    QUEUE_MOVE(to, from, flags);
    QUEUE_MOVE(to, from, stream);
    QUEUE_MOVE(to, from, tag);
    QUEUE_MOVE(to, from, handle);
    QUEUE_MOVE(to, from, status);
    QUEUE_MOVE(to, from, buf);
    QUEUE_MOVE(to, from, len);
    QUEUE_MOVE(to, from, slot);
    QUEUE_MOVE(to, from, value);
    QUEUE_MOVE(to, from, op);
    memset(to->reserved, 0, sizeof(to->reserved));
}

/* Producer: copies a private entry into the queue, its payload only if flagged inline, and hands it
 * over; its sequence word is ignored. False, as NULL of queue_reserve, if nothing was done. */
static inline bool queue_put_command(struct queue_producer *producer,
                                     const struct saddle_command *command)
{
    struct saddle_command *to = (struct saddle_command *)queue_reserve(producer);

    if (!to)
        return false;
    queue_move_payload(to->payload, command->payload, command->flags);
    queue_move_command(to, command);
    queue_publish(producer);
    return true;
}

static inline bool queue_put_event(struct queue_producer *producer,
                                   const struct saddle_event *event)
{
    struct saddle_event *to = (struct saddle_event *)queue_reserve(producer);

    if (!to)
        return false;
    queue_move_payload(to->payload, event->payload, event->flags);
    queue_move_event(to, event);
    queue_publish(producer);
    return true;
}

/* Producer: the entry that is `ahead` of the next one is written soon, its second half too if
 * `flags` say that it is inline. */
static inline void queue_intend(const struct queue_producer *producer, uint32_t ahead,
                                uint8_t flags)
{
    const uint8_t *entry = queue_entry(&producer->queue, producer->position + ahead);

    line_intend(entry);
    if (flags & SADDLE_ENTRY_INLINE)
        line_intend(entry + QUEUE_PAYLOAD_OFFSET);
}

/* Consumer: 1 if an entry is ready, 0 if not, -EPROTO if the sequence word is neither the one of
 * this lap nor that of the lap before. */
static inline int queue_poll(const struct queue_consumer *consumer)
{
    const queue_word32 *word =
        (const queue_word32 *)queue_entry(&consumer->queue, consumer->position);
    uint32_t seq = QUEUE_LOAD(word, __ATOMIC_ACQUIRE);
    uint32_t ready = consumer->position + 1;

    if (seq == ready)
        return 1;
    return seq == ready - consumer->queue.attrs.capacity ? 0 : -EPROTO;
}

/* Consumer: true if nothing is ready; an absurd entry counts as something to look at. */
static inline bool queue_empty(const struct queue_consumer *consumer)
{
    return queue_poll(consumer) == 0;
}

/* A half of an entry, without a branch between its words: compilers leave a loop of atomic loads as
 * it is written. */
static inline void queue_copy_half(uint8_t *copy, const uint8_t *shared)
{
#pragma GCC unroll 8
    for (size_t at = 0; at < QUEUE_PAYLOAD_OFFSET; at += sizeof(uint64_t)) {
        uint64_t word = QUEUE_LOAD((const queue_word64 *)(shared + at), __ATOMIC_RELAXED);

        memcpy(copy + at, &word, sizeof(word));
    }
}

/* Consumer, after queue_poll said 1: what the entry says now of its operation. A hostile producer
 * may change it until queue_pop, whose copy counts. */
static inline uint8_t queue_next_op(const struct queue_consumer *consumer)
{
    const uint8_t *entry = queue_entry(&consumer->queue, consumer->position);

    return QUEUE_LOAD(entry + QUEUE_OP_OFFSET, __ATOMIC_RELAXED);
}

/* Consumer: the entry behind the next one is looked at soon. It is in the other side's cache, a
 * hundred nanoseconds away. */
static inline void queue_expect(const struct queue_consumer *consumer)
{
    const uint8_t *entry = queue_entry(&consumer->queue, consumer->position + 1);

    __builtin_prefetch(entry);
    __builtin_prefetch(entry + QUEUE_PAYLOAD_OFFSET);
}

/* Consumer: what the command that is `ahead` of the next one says of its handle, or 0 if it is not
 * there yet. A hostile producer may say anything, and something else later. */
static inline uint32_t queue_expected_handle(const struct queue_consumer *consumer, uint32_t ahead)
{
    const uint8_t *entry = queue_entry(&consumer->queue, consumer->position + ahead);
    uint32_t seq = QUEUE_LOAD((const queue_word32 *)(const void *)entry, __ATOMIC_ACQUIRE);

    if (seq != consumer->position + ahead + 1)
        return 0;
    return QUEUE_LOAD((const queue_word32 *)(const void *)(entry + QUEUE_HANDLE_OFFSET),
                      __ATOMIC_RELAXED);
}

/* Consumer, after queue_poll said 1: moves the entry into SADDLE_ENTRY_BYTES of private memory,
 * loading each word of it once. The payload is copied only if the copy's flags say it is inline;
 * otherwise those bytes of `copy` are left as they were. */
static inline void queue_pop(struct queue_consumer *consumer, void *copy)
{
    const uint8_t *shared = queue_entry(&consumer->queue, consumer->position);
    uint8_t *to = (uint8_t *)copy;

    queue_copy_half(to, shared);
    if (to[QUEUE_FLAGS_OFFSET] & SADDLE_ENTRY_INLINE)
        queue_copy_half(to + QUEUE_PAYLOAD_OFFSET, shared + QUEUE_PAYLOAD_OFFSET);
    consumer->position++;
}

/* Consumer: lets the producer have the entries popped so far, lazily, or at once if `force` (before
 * it sleeps). True if it told the producer something new: one that sleeps for want of room is then
 * due to be woken. */
static inline bool queue_consumed(struct queue_consumer *consumer, bool force)
{
    uint32_t passed = consumer->position - consumer->published;

    if (passed == 0 || (!force && passed < consumer->queue.attrs.capacity / QUEUE_CONSUMED_SHARE))
        return false;
    consumer->published = consumer->position;
    QUEUE_STORE(&consumer->queue.header->consumed, consumer->position, __ATOMIC_RELEASE);
    return true;
}

#endif
