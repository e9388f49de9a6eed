/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/ledger.h"

#include "tests/sim/app.h"
#include "tests/sim/pattern.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 64u
#define HELLO_MAGIC    0x6f6c6c6568ull /* "hello" */

void ledger_init(struct ledger *ledger, struct sim *sim)
{
    *ledger = (struct ledger){.sim = sim};
}

void ledger_fini(struct ledger *ledger)
{
    for (uint32_t i = 0; i < ledger->operation_count; i++)
        free(ledger->operations[i]);
    for (uint32_t i = 0; i < ledger->connection_count; i++)
        free(ledger->connections[i]);
    for (uint32_t i = 0; i < ledger->end_count; i++) {
        for (uint32_t line = 0; line < LEDGER_LINES; line++)
            free(ledger->ends[i]->lines[line].sent);
        free(ledger->ends[i]);
    }
    free(ledger->operations);
    free(ledger->connections);
    free(ledger->ends);
}

/* Makes room for one more pointer in an array. */
static void *grow(void *array, uint32_t count, uint32_t *capacity)
{
    if (count < *capacity)
        return array;
    *capacity = *capacity ? 2 * *capacity : FIRST_CAPACITY;
    array = realloc(array, *capacity * sizeof(void *));
    if (!array)
        abort();
    return array;
}

struct operation *ledger_begin(struct ledger *ledger, struct app *app, uint8_t op,
                               struct connection_end *end)
{
    struct operation *operation = sim_zalloc(sizeof(*operation));
    operation->tag = LEDGER_TAG + ledger->operation_count;
    operation->app = app;
    operation->life = app->life;
    operation->op = op;
    operation->end = end;
    operation->channel = end ? end->channel : 0;
    operation->accepted_at = ledger->sim->events.now;
    ledger->operations =
        grow(ledger->operations, ledger->operation_count, &ledger->operation_capacity);
    ledger->operations[ledger->operation_count++] = operation;
    return operation;
}

void ledger_cancel(struct ledger *ledger, struct operation *operation)
{
    if (ledger->operations[ledger->operation_count - 1] != operation)
        abort();
    ledger->operation_count--;
    free(operation);
}

struct operation *ledger_find(struct ledger *ledger, uint64_t tag)
{
    if (tag < LEDGER_TAG || tag - LEDGER_TAG >= ledger->operation_count)
        return NULL;
    return ledger->operations[tag - LEDGER_TAG];
}

struct connection_end *ledger_end(struct ledger *ledger, struct app *app, uint32_t side)
{
    struct connection_end *end = sim_zalloc(sizeof(*end));
    end->app = app;
    end->life = app->life;
    end->side = side;
    ledger->ends = grow(ledger->ends, ledger->end_count, &ledger->end_capacity);
    ledger->ends[ledger->end_count++] = end;
    return end;
}

struct ledger_connection *ledger_connection(struct ledger *ledger, struct connection_end *caller,
                                            struct app *callee, uint32_t host)
{
    struct ledger_connection *connection = sim_zalloc(sizeof(*connection));
    connection->id = ledger->connection_count;
    connection->callee = callee;
    connection->host = host;
    if (ledger->sim->apart[caller->app->host][host])
        connection->trouble = TROUBLE_CUT;
    connection->ends[0] = caller;
    caller->connection = connection;
    ledger->connections =
        grow(ledger->connections, ledger->connection_count, &ledger->connection_capacity);
    ledger->connections[ledger->connection_count++] = connection;
    return connection;
}

struct ledger_stream *ledger_line(struct connection_end *end, uint32_t stream, bool unordered)
{
    return &end->lines[stream + (unordered ? LEDGER_STREAMS : 0)];
}

void ledger_sent(struct operation *operation)
{
    struct ledger_stream *stream =
        ledger_line(operation->end, operation->stream, operation->unordered);
    stream->sent = grow(stream->sent, stream->count, &stream->capacity);
    operation->order = stream->count;
    stream->sent[stream->count++] = operation;
}

struct connection_end *ledger_other(const struct connection_end *end)
{
    return end->connection ? end->connection->ends[1 - end->side] : NULL;
}

/* The first byte counts in the stream, so that short messages that follow each other differ. */
static uint8_t first_byte(const struct operation *operation)
{
    return (uint8_t)ledger_line(operation->end, operation->stream, operation->unordered)->count;
}

void ledger_message(const struct operation *operation, void *bytes)
{
    if (operation->hello) {
        const uint64_t words[] = {HELLO_MAGIC, operation->end->connection->id};
        memcpy(bytes, words, LEDGER_HELLO_BYTES);
        return;
    }
    pattern_fill(operation->tag, 0, bytes, operation->length);
    *(uint8_t *)bytes = first_byte(operation);
}

bool ledger_is_message(const struct operation *operation, const void *bytes, size_t length)
{
    if (length != operation->length)
        return false;
    if (operation->hello) {
        const uint64_t words[] = {HELLO_MAGIC, operation->end->connection->id};
        return memcmp(bytes, words, LEDGER_HELLO_BYTES) == 0;
    }
    const uint8_t *from = bytes;
    return from[0] == (uint8_t)operation->order &&
           pattern_matches(operation->tag, 1, from + 1, length - 1);
}

struct ledger_connection *ledger_hello(struct ledger *ledger, const void *bytes, size_t length)
{
    uint64_t words[2];
    if (length != LEDGER_HELLO_BYTES)
        return NULL;
    memcpy(words, bytes, sizeof(words));
    if (words[0] != HELLO_MAGIC || words[1] >= ledger->connection_count)
        return NULL;
    return ledger->connections[words[1]];
}
