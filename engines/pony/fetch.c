/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/fetch.h"

#include "engines/pony/payload.h"
#include "engines/pony/region.h"
#include "mailbox/words.h"

/* A copy of what an entry points to. */
struct pointer {
    uint64_t key; /* 0: the entry is empty */
    uint64_t offset;
    uint32_t length;
    uint32_t reserved; /* 0 */
};
SADDLE_STATIC_ASSERT(sizeof(struct pointer) == FETCH_POINTER_BYTES, "three words");
SADDLE_STATIC_ASSERT(FETCH_MATCH_BYTES == WORD_BYTES + FETCH_POINTER_BYTES, "behind the match");

static bool batch_fits(const struct fetch *fetch)
{
    return fetch->most > 0 && fetch->most <= SADDLE_MESSAGE_MAX / fetch->count;
}

static bool scan_fits(const struct fetch *fetch)
{
    return fetch->count == 1 && fetch->entries > 0 && fetch->entries <= WIRE_SCAN_ENTRIES &&
           fetch->looked <= fetch->entries;
}

bool fetch_fits(const struct served *served)
{
    const struct fetch *fetch = &served->fetch;

    if (fetch->count == 0 || fetch->count > WIRE_ITEMS_MAX || fetch->at > fetch->count ||
        !batch_fits(fetch))
        return false;
    if (served->type == WIRE_OP_SCAN_READ ? !scan_fits(fetch) : fetch->entries != 0)
        return false;
    if (served->type == WIRE_OP_READ_INDIRECT && fetch->count != 1)
        return false;
    /* It reads one entry, looks for the next, or has come to its end. */
    return served->answer == (fetch->at == fetch->count) && !(served->answer && served->begun) &&
           (!served->begun || (served->access.length > 0 && served->access.length <= fetch->most));
}

static void decode(struct served *served, const struct wire_op *op, const uint8_t *payload)
{
    struct fetch *fetch = &served->fetch;
    struct wire_access access;
    struct wire_batch batch;
    struct wire_scan scan;

    fetch->count = 1;
    if (op->type == WIRE_OP_READ_BATCH) {
        fetch->count = (uint8_t)payload_get_batch(&batch, payload, op->length);
        fetch->table = batch.key;
        fetch->most = batch.length;
        memcpy(fetch->offsets, batch.offsets, fetch->count * sizeof(batch.offsets[0]));
    } else if (op->type == WIRE_OP_SCAN_READ) {
        payload_get_scan(&scan, payload);
        fetch->table = scan.key;
        fetch->offsets[0] = scan.offset;
        fetch->match = scan.match;
        fetch->entries = scan.entries;
        fetch->most = scan.length;
    } else {
        payload_get_access(&access, payload);
        fetch->table = access.key;
        fetch->offsets[0] = access.offset;
        fetch->most = access.length;
    }
}

void fetch_on_request(struct connection *connection, const struct wire_op *op,
                      const uint8_t *payload)
{
    struct served *served = served_begin(connection, op);

    if (!served)
        return;
    decode(served, op, payload);
    if (fetch_fits(served)) {
        served_schedule(served);
        return;
    }
    served_free(served);
    connection_abort(connection, -EPROTO);
}

/* The present entry has come to its end. */
static void end_item(struct served *served, int error, uint32_t length)
{
    struct upper *upper = served->connection->upper;
    struct fetch *fetch = &served->fetch;

    fetch->items[fetch->at++] = (struct wire_item){.status = (uint32_t)-error, .length = length};
    served->begun = false;
    served->sent = 0;
    if (fetch->at < fetch->count)
        return;
    counter_add(served->type == WIRE_OP_SCAN_READ ? &upper->counters.scans_served
                                                  : &upper->counters.indirect_reads_served,
                1);
    served_finish(served, 0);
}

void fetch_end_item(struct served *served, int error)
{
    end_item(served, error, error ? 0 : served->access.length);
}

/* `bytes` of the table that is being read, at an address that is a multiple of 8. */
static int table_access(const struct served *served, uint64_t offset, uint32_t bytes,
                        const uint8_t **memory)
{
    uint8_t *at;
    int error = region_access(served->connection->session, served->fetch.table, SADDLE_RIGHT_READ,
                              offset, bytes, &at);

    if (error)
        return error;
    if (!words_aligned(at))
        return -EINVAL;
    *memory = at;
    return 0;
}

/* Goes where the copy of an entry points: what is to be read is in served->access then, or the
 * entry has come to its end. */
static void follow(struct served *served, const struct pointer *pointer)
{
    uint8_t *memory;

    if (pointer->key == 0) {
        end_item(served, -ENOENT, 0);
        return;
    }
    int error = pointer->reserved ? -EINVAL : 0;
    if (!error)
        error = region_access(served->connection->session, pointer->key, SADDLE_RIGHT_READ,
                              pointer->offset, pointer->length, &memory);
    if (!error && pointer->length > served->fetch.most) {
        end_item(served, -EMSGSIZE, pointer->length);
        return;
    }
    if (error || pointer->length == 0) {
        end_item(served, error, 0);
        return;
    }
    served->access = (struct wire_access){.key = pointer->key,
                                          .offset = pointer->offset,
                                          .length = pointer->length};
    served->begun = true;
}

static void look_up(struct served *served)
{
    const struct fetch *fetch = &served->fetch;
    struct pointer pointer;
    const uint8_t *entry;
    int error = table_access(served, fetch->offsets[fetch->at], FETCH_POINTER_BYTES, &entry);

    if (error) {
        end_item(served, error, 0);
        return;
    }
    /* The key, which an application writes last, shows the rest. */
    pointer.key = words_first(entry);
    words_load(&pointer.offset, entry + WORD_BYTES, FETCH_POINTER_BYTES - WORD_BYTES);
    follow(served, &pointer);
}

/* Looks at some entries. The whole extent is checked each time, so that where the match lies does
 * not decide whether a scan is in order. */
static void scan(struct served *served, struct packet *packet)
{
    struct fetch *fetch = &served->fetch;
    struct pointer pointer;
    const uint8_t *table;
    int error = table_access(served, fetch->offsets[0], fetch->entries * FETCH_MATCH_BYTES, &table);

    for (; !error && fetch->looked < fetch->entries; fetch->looked++) {
        const uint8_t *entry = table + (size_t)fetch->looked * FETCH_MATCH_BYTES;

        if (packet->scanned == PACKET_SCAN_ENTRIES)
            return;
        packet->scanned++;
        packet->data += FETCH_MATCH_BYTES;
        if (words_first(entry) != fetch->match)
            continue;
        words_load(&pointer, entry + WORD_BYTES, FETCH_POINTER_BYTES);
        served->value = fetch->looked;
        follow(served, &pointer);
        return;
    }
    end_item(served, error ? error : -ENOENT, 0);
}

enum fetch_step fetch_step(struct served *served, struct packet *packet)
{
    while (!served->begun && !served->answer) {
        if (served->type != WIRE_OP_SCAN_READ) {
            look_up(served);
            continue;
        }
        if (packet->scanned == PACKET_SCAN_ENTRIES)
            return FETCH_WAITS;
        scan(served, packet);
    }
    return served->answer ? FETCH_ENDED : FETCH_READS;
}
