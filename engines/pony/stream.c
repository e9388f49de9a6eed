/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/stream.h"

#include "engines/pony/operation.h"

struct stream *stream_find(struct connection *connection, uint16_t number)
{
    struct list *node;

    LIST_EACH(node, &connection->streams)
    {
        struct stream *stream = LIST_OF(node, struct stream, node);
        if (stream->number == number)
            return stream;
    }
    return NULL;
}

/* Every connection's first stream is set aside, so a further one may only come from the rest. */
static bool available(const struct upper *upper, const struct connection *connection)
{
    uint32_t kept = upper->connections_max - upper->streams_first;

    return upper->stream_pool.free > (connection->stream_count ? kept : 0);
}

struct stream *stream_get(struct connection *connection, uint16_t number)
{
    struct upper *upper = connection->upper;
    struct stream *stream = stream_find(connection, number);

    if (stream)
        return stream;
    if (number >= SADDLE_STREAMS_MAX || !available(upper, connection))
        return NULL;
    stream = &upper->streams[pool_take(&upper->stream_pool)];
    *stream = (struct stream){.connection = connection, .number = number};
    list_init(&stream->node);
    list_init(&stream->ready);
    list_init(&stream->queue);
    list_init(&stream->begun);
    list_init(&stream->incoming);
    list_push(&connection->streams, &stream->node);
    if (connection->stream_count++ == 0)
        upper->streams_first++;
    return stream;
}

/* One that is by itself more than enough counts as no more than that. */
static uint16_t parts_of(const struct operation *operation)
{
    uint32_t parts = (operation->len - 1) / STREAM_OFFER_BYTES + 1;

    return (uint16_t)(parts < STREAM_OFFERS_MAX ? parts : STREAM_OFFERS_MAX);
}

void stream_offer(struct stream *stream, const struct operation *operation)
{
    stream->offers++;
    stream->offers_waiting++;
    stream->offered = (uint16_t)(stream->offered + parts_of(operation));
}

void stream_pulled(struct stream *stream, struct operation *operation)
{
    if (operation->pulled)
        return;
    operation->pulled = true;
    stream->offers_waiting--;
    stream_schedule(stream);
}

void stream_answered(struct stream *stream, const struct operation *operation)
{
    stream->offers--;
    stream->offers_waiting = (uint16_t)(stream->offers_waiting - !operation->pulled);
    stream->offered = (uint16_t)(stream->offered - parts_of(operation));
}

bool stream_offers_enough(const struct stream *stream)
{
    return stream->offers_waiting >= STREAM_OFFERS_LEAST || stream->offers >= STREAM_OFFERS_MAX ||
           (stream->offers >= STREAM_OFFERS_LEAST && stream->offered >= STREAM_OFFERS_MAX);
}

void stream_free(struct stream *stream)
{
    struct connection *connection = stream->connection;
    struct upper *upper = connection->upper;

    list_remove(&stream->node);
    list_remove(&stream->ready);
    stream->connection = NULL;
    if (--connection->stream_count == 0)
        upper->streams_first--;
    pool_give(&upper->stream_pool, (uint32_t)(stream - upper->streams));
}

void stream_schedule(struct stream *stream)
{
    struct connection *connection = stream->connection;

    if (list_empty(&stream->queue)) {
        list_remove(&stream->ready);
        return;
    }
    if (list_empty(&stream->ready))
        list_push(&connection->active, &stream->ready);
    connection_schedule(connection);
}
