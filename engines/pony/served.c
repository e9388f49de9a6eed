/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/served.h"

#include "engines/pony/payload.h"
#include "engines/pony/region.h"

struct served *served_find(struct connection *connection, uint32_t id)
{
    struct list *node;

    LIST_EACH(node, &connection->served)
    {
        struct served *served = LIST_OF(node, struct served, node);
        if (served->id == id)
            return served;
    }
    return NULL;
}

bool served_has_room(const struct upper *upper, const struct path *path,
                     const struct connection *connection, uint32_t wanted)
{
    return upper->served_pool.free >= wanted &&
           path->served + wanted <= UPPER_SERVED / PATH_SERVED_SHARE &&
           connection->served_count + wanted <= SERVED_PER_CONNECTION;
}

void served_init(struct served *served, struct connection *connection, uint32_t id)
{
    *served = (struct served){.connection = connection, .id = id};
    list_init(&served->node);
    list_init(&served->serving);
    list_push(&connection->served, &served->node);
    connection->served_count++;
    connection->path->served++;
}

static struct served *take(struct connection *connection, uint32_t id)
{
    struct upper *upper = connection->upper;

    if (!served_has_room(upper, connection->path, connection, 1))
        return NULL;
    struct served *served = &upper->served[pool_take(&upper->served_pool)];
    served_init(served, connection, id);
    return served;
}

void served_free(struct served *served)
{
    struct connection *connection = served->connection;
    /* The analyzer does not see that what is freed has left its lists. */
    struct upper *upper = connection->upper; /* NOLINT(clang-analyzer-core.NullDereference) */

    list_remove(&served->node);
    list_remove(&served->serving);
    connection->served_count--;
    if (connection->path)
        connection->path->served--;
    served->connection = NULL;
    pool_give(&upper->served_pool, (uint32_t)(served - upper->served));
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

static void finish(struct served *served, int status)
{
    if (served->status == 0)
        served->status = (uint16_t)-status;
    served->answer = true;
    served_schedule(served);
}

/* The whole of what is asked for, so that an operation that must fail changes nothing. */
static int check(struct served *served, uint32_t right)
{
    const struct wire_access *access = &served->access;
    uint8_t *memory;

    if (access->length == 0 || access->length > SADDLE_MESSAGE_MAX)
        return -EPROTO;
    return region_access(served->connection->session, access->key, right, access->offset,
                         access->length, &memory);
}

void served_on_read(struct connection *connection, const struct wire_op *op, const uint8_t *payload)
{
    struct served *served = served_find(connection, op->id) ? NULL : take(connection, op->id);

    if (!served) {
        connection_abort(connection, -EPROTO);
        return;
    }
    payload_get_access(&served->access, payload);
    int error = check(served, SADDLE_RIGHT_READ);
    if (error)
        finish(served, error);
    else
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
    int error = check(served, SADDLE_RIGHT_WRITE);
    if (error)
        return error;
    if (op->offset > access.length || bytes > access.length - op->offset)
        return -EPROTO;
    error = region_access(connection->session, access.key, SADDLE_RIGHT_WRITE,
                          access.offset + op->offset, bytes, &memory);
    if (error)
        return error;
    memcpy(memory, payload + WIRE_ACCESS_BYTES, bytes);
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
        served = take(connection, op->id);
    if (!served || (served->begun && !served->write) || served->answer) {
        connection_abort(connection, -EPROTO);
        return;
    }
    served->write = true;
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
    finish(served, served->begun && served->whole < served->access.length ? -ECANCELED : 0);
}

bool served_fill_answers(struct connection *connection, struct packet *packet)
{
    struct list *node;

    while ((node = list_first(&connection->serving))) {
        struct served *served = LIST_OF(node, struct served, serving);
        if (!served->answer)
            break;
        struct wire_op op = {
            .type = WIRE_OP_DONE,
            .connection = connection->peer,
            .id = served->id,
            .offset = served->status,
        };
        if (!packet_put(packet, &op, NULL))
            return false;
        connection->answers_given++;
        served_free(served);
    }
    return true;
}

bool served_fill_data(struct connection *connection, struct packet *packet)
{
    struct served *served = LIST_OF(list_first(&connection->serving), struct served, serving);
    uint32_t remaining = served->access.length - served->sent;
    uint32_t bytes = packet_fragment(packet, 0, remaining);
    uint8_t *memory;

    if (bytes == 0)
        return false;
    int error = region_access(connection->session, served->access.key, SADDLE_RIGHT_READ,
                              served->access.offset + served->sent, bytes, &memory);
    if (error) {
        finish(served, error);
        return served_fill_answers(connection, packet);
    }
    struct wire_op op = {
        .type = WIRE_OP_READ_DATA,
        .flags = bytes == remaining ? WIRE_OP_LAST : 0,
        .length = (uint16_t)bytes,
        .connection = connection->peer,
        .id = served->id,
        .offset = served->sent,
    };
    packet_put(packet, &op, memory);
    packet->data += bytes;
    connection->answers_given++;
    counter_add(&connection->upper->counters.served_bytes, bytes);
    served->sent += bytes;
    region_served(connection->session, served->access.key, SADDLE_RIGHT_READ, bytes,
                  served->sent == served->access.length);
    if (served->sent == served->access.length) {
        counter_add(&connection->upper->counters.reads_served, 1);
        served_free(served);
    } else {
        list_move(&connection->serving, &served->serving);
    }
    return true;
}
