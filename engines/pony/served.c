/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/served.h"

#include "engines/pony/fetch.h"
#include "engines/pony/payload.h"
#include "engines/pony/region.h"
#include "engines/pony/zero.h"
#include "mailbox/words.h"

/* Where those are that a connection's peer calls `id`: by multiplication with a secret odd number,
 * so that a peer cannot choose names that all come to lie in one place. */
static struct served **chain_of(const struct upper *upper, const struct connection *connection,
                                uint32_t id)
{
    uint64_t name = (uint64_t)connection->number << 32 | id;

    return &upper->served_chains[(name * upper->served_secret) >> (64 - UPPER_SERVED_BITS)];
}

struct served *served_find(struct connection *connection, uint32_t id)
{
    struct served *served = *chain_of(connection->upper, connection, id);

    while (served && (served->id != id || served->connection != connection))
        served = served->chain;
    return served;
}

void served_name(struct served *served, uint32_t id)
{
    struct served **chain = chain_of(served->connection->upper, served->connection, id);

    served->id = id;
    served->chain = *chain;
    *chain = served;
}

/* It may have no name yet, if it was read from a document that is wrong. */
static void unname(struct served *served)
{
    struct served **at = chain_of(served->connection->upper, served->connection, served->id);

    while (*at && *at != served)
        at = &(*at)->chain;
    if (*at)
        *at = served->chain;
}

/* What waits for a session's quota is not to take all places that its peer may have. */
static bool leaves_room(const struct connection *connection, uint32_t wanted)
{
    const uint32_t most = UPPER_SERVED / PATH_SERVED_SHARE / PATH_WAITING_SHARE;

    return !connection->session || !fair_limited(connection->session) ||
           *path_served(connection) + wanted <= most;
}

bool served_has_room(const struct upper *upper, const struct path *path,
                     const struct connection *connection, uint32_t wanted)
{
    return upper->served_pool.free >= wanted &&
           *flow_host_load(path->flow) + wanted <= UPPER_SERVED / PATH_SERVED_SHARE &&
           connection->served_count + wanted <= SERVED_PER_CONNECTION &&
           leaves_room(connection, wanted);
}

void served_init(struct served *served, struct connection *connection, uint8_t type)
{
    zero(served, offsetof(struct served, fetch));
    /* Of what is no fetch nothing else is looked at. */
    if (type == WIRE_OP_READ || type == WIRE_OP_WRITE)
        served->fetch.at = served->fetch.count = served->fetch.most = 0;
    else
        zero(&served->fetch, sizeof(served->fetch));
    served->connection = connection;
    served->type = type;
    list_init(&served->node);
    list_init(&served->serving);
    list_push(&connection->served, &served->node);
    connection->served_count++;
    ++*path_served(connection);
    ++*flow_host_load(connection->path->flow);
}

static struct served *take(struct connection *connection, const struct wire_op *op)
{
    struct upper *upper = connection->upper;

    if (!served_has_room(upper, connection->path, connection, 1))
        return NULL;
    struct served *served = &upper->served[pool_take(&upper->served_pool)];
    served_init(served, connection, op->type);
    served_name(served, op->id);
    return served;
}

void served_free(struct served *served)
{
    struct connection *connection = served->connection;
    /* The analyzer does not see that what is freed has left its lists. */
    struct upper *upper = connection->upper; /* NOLINT(clang-analyzer-core.NullDereference) */

    unname(served);
    list_remove(&served->node);
    list_remove(&served->serving);
    connection->served_count--;
    if (connection->path) {
        --*path_served(connection);
        --*flow_host_load(connection->path->flow);
    }
    served->connection = NULL;
    pool_give(&upper->served_pool, (uint32_t)(served - upper->served));
}

void served_leave(const struct connection *connection)
{
    *path_served(connection) -= connection->served_count;
    *flow_host_load(connection->path->flow) -= connection->served_count;
}

void served_schedule(struct served *served)
{
    struct connection *connection = served->connection;

    list_remove(&served->serving);
    if (served->answer)
        list_after(&connection->serving, &served->serving);
    else
        list_push(&connection->serving, &served->serving);
    connection_schedule(connection);
}

struct served *served_begin(struct connection *connection, const struct wire_op *op)
{
    struct served *served = served_find(connection, op->id) ? NULL : take(connection, op);

    if (!served)
        connection_abort(connection, -EPROTO);
    return served;
}

void served_finish(struct served *served, int status)
{
    if (served->status == 0)
        served->status = (uint16_t)-status;
    served->answer = true;
    served_schedule(served);
}

/* The whole of what is asked for, so that an operation that must fail changes nothing. */
static int check(struct served *served, uint32_t right, uint8_t **memory)
{
    const struct wire_access *access = &served->access;

    if (access->length == 0 || access->length > SADDLE_MESSAGE_MAX)
        return -EPROTO;
    return region_access(served->connection->session, access->key, right, access->offset,
                         access->length, memory);
}

void served_on_read(struct connection *connection, const struct wire_op *op, const uint8_t *payload)
{
    struct served *served = served_begin(connection, op);
    uint8_t *memory;

    if (!served)
        return;
    payload_get_access(&served->access, payload);
    served->begun = true;
    int error = check(served, SADDLE_RIGHT_READ, &memory);
    if (error) {
        served_finish(served, error);
        return;
    }
    /* It is read when the answer has its turn, and may be in nobody's cache. */
    __builtin_prefetch(memory);
    served_schedule(served);
}

/* One intact fragment of a write: puts its bytes where they belong. */
static int place(struct served *served, const struct wire_op *op, const uint8_t *payload)
{
    struct connection *connection = served->connection;
    uint32_t bytes = op->length - WIRE_ACCESS_BYTES;
    struct wire_access access;
    uint8_t *memory;

    payload_get_access(&access, payload);
    if (!served->begun) {
        served->begun = true;
        served->access = access;
    } else if (access.key != served->access.key || access.offset != served->access.offset ||
               access.length != served->access.length) {
        return -EPROTO;
    }
    int error = check(served, SADDLE_RIGHT_WRITE, &memory);
    if (error)
        return error;
    if (op->offset > access.length || bytes > access.length - op->offset)
        return -EPROTO;
    error = region_access(connection->session, access.key, SADDLE_RIGHT_WRITE,
                          access.offset + op->offset, bytes, &memory);
    if (error)
        return error;
    words_store(memory, payload + WIRE_ACCESS_BYTES, bytes);
    counter_add(&connection->upper->counters.served_bytes, bytes);
    region_served(connection->session, access.key, SADDLE_RIGHT_WRITE, bytes, false);
    return 0;
}

void served_on_write(struct connection *connection, const struct wire_op *op,
                     const uint8_t *payload)
{
    struct served *served = served_find(connection, op->id);
    uint32_t bytes = op->length - WIRE_ACCESS_BYTES;
    int error = -EBADMSG;

    if (!served)
        served = take(connection, op);
    if (!served || served->type != WIRE_OP_WRITE || served->answer) {
        connection_abort(connection, -EPROTO);
        return;
    }
    if (crc32c_update(CRC32C_START, payload, op->length) == op->payload_crc)
        error = served->status ? 0 : place(served, op, payload);
    else
        counter_add(&connection->upper->counters.payload_damaged, 1);
    if (served->status == 0)
        served->status = (uint16_t)-error;
    served->received += bytes;
    if (op->flags & WIRE_OP_LAST) {
        served->known = true;
        served->whole = op->offset + bytes;
    }
    if (!served->known || served->received < served->whole)
        return;
    counter_add(&connection->upper->counters.writes_served, 1);
    region_served(connection->session, served->access.key, SADDLE_RIGHT_WRITE, 0,
                  served->status == 0);
    served_finish(served, served->begun && served->whole < served->access.length ? -ECANCELED : 0);
}

/* DONE, or RESULT of what was carried out and has one. */
static bool put_answer(const struct served *served, struct packet *packet)
{
    uint8_t payload[WIRE_RESULT_MOST];
    struct wire_result result = {.value = served->value};
    uint32_t items = fetch_is(served) ? served->fetch.count : 0;
    struct wire_op op = {
        .type = WIRE_OP_DONE,
        .connection = served->connection->peer,
        .id = served->id,
        .offset = served->status,
    };

    if (served->status || served->type == WIRE_OP_WRITE)
        return packet_put(packet, &op, NULL);
    op.type = WIRE_OP_RESULT;
    op.offset = served->total;
    op.length = (uint16_t)(WIRE_RESULT_BYTES + items * WIRE_ITEM_BYTES);
    memcpy(result.items, served->fetch.items, sizeof(result.items));
    payload_put_result(payload, &result, items);
    return packet_put(packet, &op, payload);
}

bool served_fill_answers(struct connection *connection, struct packet *packet)
{
    struct list *node;

    while ((node = list_first(&connection->serving))) {
        struct served *served = LIST_OF(node, struct served, serving);
        if (!served->answer)
            break;
        if (!put_answer(served, packet))
            return false;
        connection->answers_given++;
        served_free(served);
    }
    return true;
}

/* Writes READ_DATA of `bytes` that lie in a region: of as many as end between words. */
static void put_data(struct served *served, struct packet *packet, const uint8_t *memory,
                     uint32_t bytes)
{
    struct connection *connection = served->connection;
    uint32_t remaining = served->access.length - served->sent;

    if (bytes < remaining)
        bytes -= (uint32_t)((uintptr_t)(memory + bytes) % WORD_BYTES);
    struct wire_op op = {
        .type = WIRE_OP_READ_DATA,
        .flags = bytes == remaining ? WIRE_OP_LAST : 0,
        .length = (uint16_t)bytes,
        .connection = connection->peer,
        .id = served->id,
        .offset = served->fetch.at * served->fetch.most + served->sent,
    };
    words_load(packet_payload(packet), memory, bytes);
    op.payload_crc = crc32c_update(CRC32C_START, packet_payload(packet), bytes);
    packet_add(packet, &op);
    packet->data += bytes;
    connection->answers_given++;
    counter_add(&connection->upper->counters.served_bytes, bytes);
    served->sent += bytes;
    served->total += bytes;
    region_served(connection->session, served->access.key, SADDLE_RIGHT_READ, bytes,
                  served->sent == served->access.length);
}

/* All of `access` was read: or, with an error, no more of it will be. False if `served` is free. */
static bool end_read(struct served *served, int error)
{
    if (fetch_is(served)) {
        fetch_end_item(served, error);
    } else if (error) {
        served_finish(served, error);
    } else {
        counter_add(&served->connection->upper->counters.reads_served, 1);
        served_free(served);
        return false;
    }
    return true;
}

/* The next bytes of what is being read. */
static int next_bytes(const struct served *served, uint32_t bytes, uint8_t **memory)
{
    return region_access(served->connection->session, served->access.key, SADDLE_RIGHT_READ,
                         served->access.offset + served->sent, bytes, memory);
}

bool served_fill_data(struct connection *connection, struct packet *packet)
{
    struct served *served = LIST_OF(list_first(&connection->serving), struct served, serving);
    uint32_t scanned = packet->scanned;
    enum fetch_step step;

    while ((step = fetch_step(served, packet)) == FETCH_READS) {
        uint32_t bytes = packet_fragment(packet, 0, served->access.length - served->sent);
        uint8_t *memory;
        if (bytes == 0)
            return false;
        int error = next_bytes(served, bytes, &memory);
        if (error) {
            end_read(served, error);
            continue;
        }
        put_data(served, packet, memory, bytes);
        bool more =
            served->sent < served->access.length || (end_read(served, 0) && !served->answer);
        if (more)
            list_move(&connection->serving, &served->serving);
        served_fill_answers(connection, packet);
        return true;
    }
    if (step == FETCH_ENDED)
        return served_fill_answers(connection, packet);
    list_move(&connection->serving, &served->serving);
    return packet->scanned > scanned;
}
