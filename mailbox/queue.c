/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "mailbox/queue.h"

#include <errno.h>
#include <string.h>

size_t queue_bytes(uint32_t capacity)
{
    return sizeof(struct saddle_queue_header) + (size_t)capacity * SADDLE_ENTRY_BYTES;
}

static bool power_of_two(uint32_t number)
{
    return number != 0 && (number & (number - 1)) == 0;
}

int queue_create(struct queue *queue, const struct queue_attrs *attrs, void *memory)
{
    if (!attrs->name || !power_of_two(attrs->capacity) || attrs->capacity > SADDLE_QUEUE_MAX)
        return -EINVAL;
    if (!memory || (uintptr_t)memory % SADDLE_ENTRY_BYTES != 0)
        return -EINVAL;
    queue->attrs = *attrs;
    queue->header = (struct saddle_queue_header *)memory;
    queue->entries = (uint8_t *)memory + sizeof(struct saddle_queue_header);
    queue->mask = attrs->capacity - 1;
    return 0;
}

void queue_format(const struct queue *queue, uint32_t position)
{
    uint32_t capacity = queue->attrs.capacity;

    memset(queue->header, 0, queue_bytes(capacity));
    for (uint32_t ahead = 0; ahead < capacity; ahead++) {
        queue_word32 *seq = (queue_word32 *)queue_entry(queue, position + ahead);

        __atomic_store_n(seq, position + ahead + 1 - capacity, __ATOMIC_RELEASE);
    }
    __atomic_store_n(&queue->header->consumed, position, __ATOMIC_RELEASE);
}

void queue_producer_open(struct queue_producer *producer, const struct queue *queue,
                         uint32_t position)
{
    producer->queue = *queue;
    producer->position = position;
    producer->consumed = position - queue->attrs.capacity;
}

void queue_consumer_open(struct queue_consumer *consumer, const struct queue *queue,
                         uint32_t position)
{
    consumer->queue = *queue;
    consumer->position = position;
    consumer->published = position;
}

void queue_consumer_resume(struct queue_consumer *consumer, const struct queue *queue,
                           uint32_t position)
{
    queue_consumer_open(consumer, queue, position);
    consumer->published = position - queue->attrs.capacity;
}
