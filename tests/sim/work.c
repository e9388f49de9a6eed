/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/work.h"

#include "tests/sim/checker.h"
#include "tests/sim/pattern.h"
#include "tests/sim/table.h"

#include <errno.h>
#include <stdio.h>

#define STEP_MAX      8u     /* operations begun in one look */
#define HEAP_SHARE    2u     /* of the heap, for buffers of its own operations: half */
#define DEADLINE_PPM  50000u /* of operations */
#define DEADLINE_NS   (20 * MSEC)
#define ARENA_PPM     500000u /* of short messages that lie in the arena all the same */
#define PRIVATE_BYTES 65536u  /* of the largest read */
#define EAGER_SMALL   1400u
#define PING_MAX      400u    /* fits into every packet */
#define NAME_BYTES    32u     /* a host's name */
#define UNORDERED_PPM 200000u /* of messages */
/* Bytes of the least unordered one: enough to tell it from all others. */
#define UNORDERED_LEAST 16u
#define GATHER_PPM      300000u /* of what lies in the arena and is sent or written */
#define CANCEL_LOOKS    64u     /* operations among which one is looked for */

/* One in so many, of what is done: summed up in work_one. */
enum share {
    SHARE_SEND = 620,
    SHARE_READ = 150,
    SHARE_WRITE = 150,
    SHARE_POST = 20,
    SHARE_REGION = 15,
    SHARE_CLOSE = 6,
    SHARE_WRONG = 30,
    SHARE_PING = 15,
    SHARE_TABLE = 150,
    SHARE_CANCEL = 15,
    SHARE_ALL = SHARE_SEND + SHARE_READ + SHARE_WRITE + SHARE_POST + SHARE_REGION + SHARE_CLOSE +
                SHARE_WRONG + SHARE_PING + SHARE_TABLE + SHARE_CANCEL,
};

static struct operation *begin(struct app *app, uint8_t op, struct connection_end *end)
{
    struct operation *operation = ledger_begin(&app->sim->checker->ledger, app, op, end);
    operation->slot = REGION_SLOT_NONE;
    return operation;
}

/* A buffer in the arena for the operation, within the share of the heap. */
static bool take_buffer(struct app *app, struct operation *operation, size_t bytes)
{
    operation->length = bytes;
    if (app->lent + bytes <= app->heap_bytes / HEAP_SHARE)
        operation->buffer = saddle_alloc(app->session, bytes);
    if (operation->buffer)
        return true;
    ledger_cancel(&app->sim->checker->ledger, operation);
    return false;
}

static uint64_t draw_deadline(struct app *app)
{
    return rng_chance(&app->rng, DEADLINE_PPM) ? 1 + rng_below(&app->rng, DEADLINE_NS) : 0;
}

/* One of the ways to name a host. */
static void name_host(struct app *app, uint32_t host, char name[NAME_BYTES])
{
    static const char *const forms[] = {"host%u", "host%u-v6", "10.0.0.%u", "fd00::%x"};
    uint32_t form = (uint32_t)rng_below(&app->rng, 4);
    /* Numeric addresses count from 1. */
    snprintf(name, NAME_BYTES, forms[form], sim_address(app->sim, host) + (form >= 2));
}

/* Nobody calls his own address. */
static bool is_home(const struct app *app, uint32_t host)
{
    return sim_address(app->sim, host) == sim_address(app->sim, app->host);
}

/* ---- Connections ---- */

static bool call(struct app *app)
{
    struct sim *sim = app->sim;
    uint32_t other = (uint32_t)rng_below(&app->rng, sim->app_count);
    struct app *callee = sim->apps[other];
    if (is_home(app, callee->host) || app->end_count >= APP_ENDS_MAX / 2)
        return false;
    struct ledger *ledger = &sim->checker->ledger;
    struct connection_end *end = ledger_end(ledger, app, 0);
    ledger_connection(ledger, end, callee, callee->host);
    end->channel = (uint32_t)rng_below(&app->rng, app->channels);
    struct operation *operation = begin(app, SADDLE_CMD_CONNECT, end);
    operation->excused = !callee->listener;
    end->tag = operation->tag;
    struct saddle_op op = app_op(operation);

    char host[NAME_BYTES];
    char service[16];
    name_host(app, callee->host, host);
    snprintf(service, sizeof(service), "app%u", callee->index);
    int result = saddle_connect(app_channel(app, end->channel), host, service, &op);
    if (!app_submit(app, operation, result)) {
        end->state = END_GONE;
        return false;
    }
    app->calls++;
    app->ends[app->end_count++] = end;
    return true;
}

bool work_hello(struct app *app, struct connection_end *end)
{
    struct operation *operation = begin(app, SADDLE_CMD_SEND, end);
    uint8_t bytes[LEDGER_HELLO_BYTES];
    operation->hello = true;
    operation->length = sizeof(bytes);
    ledger_message(operation, bytes);
    struct saddle_op op = app_op(operation);
    int result =
        saddle_send(app_channel(app, end->channel), end->handle, bytes, sizeof(bytes), &op);
    if (!app_submit(app, operation, result))
        return false;
    ledger_sent(operation);
    return true;
}

static struct connection_end *pick_end(struct app *app)
{
    struct connection_end *ready[APP_ENDS_KEPT];
    uint32_t count = 0;
    for (uint32_t i = 0; i < app->end_count; i++) {
        struct connection_end *end = app->ends[i];
        if (end->state == END_READY && !end->hello_due && !end->close_due)
            ready[count++] = end;
    }
    return count ? ready[rng_below(&app->rng, count)] : NULL;
}

/* ---- Messages ---- */

/* One at a time, until it has come; whoever has room for it beside what it does anyway. */
static bool wants_huge(const struct app *app)
{
    const struct sim *sim = app->sim;

    return sim->huge_left > 0 && !sim->huge &&
           app->lent + SIM_HUGE_BYTES <= app->heap_bytes / HEAP_SHARE;
}

static size_t draw_size(struct app *app)
{
    struct rng *rng = &app->rng;
    uint64_t dice = rng_below(rng, 1000);
    if (dice < 400)
        return 1 + rng_below(rng, SADDLE_INLINE_BYTES);
    if (dice < 680)
        return 1 + rng_below(rng, EAGER_SMALL);
    if (dice < 930)
        return 1 + rng_below(rng, SADDLE_EAGER_MAX);
    if (dice < 985)
        return SADDLE_EAGER_MAX - 2 + rng_below(rng, app->sim->large_max / 8);
    if (wants_huge(app))
        return SIM_HUGE_BYTES;
    return 1 + rng_below(rng, app->sim->large_max);
}

/* Cuts a buffer into pieces: 0 if it is better left whole. */
static uint32_t cut(struct app *app, struct operation *operation,
                    struct saddle_segment pieces[SADDLE_SEGMENTS_MAX])
{
    const uint8_t *from = operation->buffer;
    size_t left = operation->length;
    uint32_t count = 2 + (uint32_t)rng_below(&app->rng, SADDLE_SEGMENTS_MAX - 1);

    if (!from || left < count || (left < SIM_HUGE_BYTES && !rng_chance(&app->rng, GATHER_PPM)))
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        size_t part = i == count - 1 ? left : 1 + rng_below(&app->rng, left - (count - i - 1));
        pieces[i] = (struct saddle_segment){from, part};
        from += part;
        left -= part;
    }
    operation->gathered = true;
    return count;
}

static bool send(struct app *app, struct connection_end *end, size_t length)
{
    struct operation *operation = begin(app, SADDLE_CMD_SEND, end);
    operation->stream = (uint16_t)rng_below(&app->rng, LEDGER_STREAMS);
    operation->length = length;
    operation->unordered = length >= UNORDERED_LEAST && rng_chance(&app->rng, UNORDERED_PPM);
    if (length <= SADDLE_EAGER_MAX)
        operation->timeout = draw_deadline(app);
    uint8_t small[SADDLE_INLINE_BYTES];
    void *bytes = small;
    if (length > sizeof(small) || rng_chance(&app->rng, ARENA_PPM)) {
        if (!take_buffer(app, operation, length))
            return false;
        bytes = operation->buffer;
    }
    ledger_message(operation, bytes);
    struct saddle_op op = app_op(operation);
    struct saddle_segment pieces[SADDLE_SEGMENTS_MAX];
    uint32_t count = cut(app, operation, pieces);
    struct saddle_channel *channel = app_channel(app, end->channel);
    int result = count ? saddle_sendv(channel, end->handle, pieces, count, &op)
                       : saddle_send(channel, end->handle, bytes, length, &op);
    if (!app_submit(app, operation, result))
        return false;
    if (length == SIM_HUGE_BYTES)
        app->sim->huge = operation;
    ledger_sent(operation);
    return true;
}

/* A buffer that no message has asked for yet. */
static bool post_ahead(struct app *app, struct connection_end *end)
{
    size_t bytes = SADDLE_EAGER_MAX + 1 + rng_below(&app->rng, app->sim->large_max / 16);
    struct operation *operation = begin(app, SADDLE_CMD_POST_RECV, end);
    operation->timeout = 1 + rng_below(&app->rng, DEADLINE_NS);
    end->hasty = true;
    if (!take_buffer(app, operation, bytes))
        return false;
    struct saddle_op op = app_op(operation);
    int result = saddle_post_recv(app_channel(app, end->channel), end->handle, operation->buffer,
                                  bytes, &op);
    return app_submit(app, operation, result);
}

/* ---- One-sided operations ---- */

static struct region *pick_region(struct connection_end *end, bool writable)
{
    struct connection_end *other = ledger_other(end);
    if (!other || !other->app->alive || other->life != other->app->life)
        return NULL;
    /* The newest that was exposed, whatever has become of it since. */
    for (struct region *region = other->app->regions; region; region = region->next)
        if ((region->shadow != NULL) == writable && !region->table && region->key)
            return region;
    return NULL;
}

static bool submit_read(struct app *app, struct operation *operation, saddle_key key)
{
    struct connection_end *end = operation->end;
    struct saddle_op op = app_op(operation);
    return app_submit(app, operation,
                      saddle_read(app_channel(app, end->channel), end->handle, key,
                                  operation->offset, operation->buffer, operation->length, &op));
}

static bool read(struct app *app, struct connection_end *end)
{
    struct region *region = pick_region(end, false);
    if (!region)
        return false;
    struct operation *operation = begin(app, SADDLE_CMD_READ, end);
    operation->region = region;
    operation->timeout = draw_deadline(app);
    uint32_t most = rng_chance(&app->rng, ARENA_PPM) ? EAGER_SMALL : PRIVATE_BYTES;
    size_t length = 1 + rng_below(&app->rng, most);
    if (region->length < length)
        length = region->length;
    operation->offset = rng_below(&app->rng, region->length - length + 1);
    if (region->state == REGION_REVOKED)
        operation->must = -EACCES;
    return take_buffer(app, operation, length) && submit_read(app, operation, region->key);
}

static bool submit_write(struct app *app, struct operation *operation, saddle_key key)
{
    struct connection_end *end = operation->end;
    struct saddle_channel *channel = app_channel(app, end->channel);
    struct saddle_op op = app_op(operation);
    struct saddle_segment pieces[SADDLE_SEGMENTS_MAX];
    uint32_t count = cut(app, operation, pieces);
    if (count)
        return app_submit(app, operation,
                          saddle_writev(channel, end->handle, key, operation->offset, pieces, count,
                                        &op));
    return app_submit(app, operation,
                      saddle_write(channel, end->handle, key, operation->offset, operation->buffer,
                                   operation->length, &op));
}

static bool write(struct app *app, struct connection_end *end)
{
    struct region *region = pick_region(end, true);
    if (!region || region->state != REGION_EXPOSED)
        return false;
    struct operation *operation = begin(app, SADDLE_CMD_WRITE, end);
    operation->region = region;
    operation->timeout = draw_deadline(app);
    uint32_t most = rng_chance(&app->rng, ARENA_PPM) ? EAGER_SMALL : REGION_SLOT_BYTES;
    size_t length = 1 + rng_below(&app->rng, most);
    if (!take_buffer(app, operation, length))
        return false;
    pattern_fill(operation->tag, 0, operation->buffer, length);
    uint32_t slot = region_take(region);
    if (slot == REGION_SLOT_NONE) {
        saddle_free(app->session, operation->buffer);
        ledger_cancel(&app->sim->checker->ledger, operation);
        return false;
    }
    operation->slot = slot;
    operation->offset =
        (uint64_t)slot * REGION_SLOT_BYTES + rng_below(&app->rng, REGION_SLOT_BYTES - length + 1);
    if (submit_write(app, operation, region->key))
        return true;
    region->slots[slot] = SLOT_USABLE;
    return false;
}

/* ---- Tables ---- */

static struct region *pick_table(struct connection_end *end)
{
    struct connection_end *other = ledger_other(end);
    if (!other || !other->app->alive || other->life != other->app->life)
        return NULL;
    for (struct region *region = other->app->regions; region; region = region->next)
        if (region->table && region->key)
            return region;
    return NULL;
}

static struct operation *begin_remote(struct app *app, uint8_t op, struct connection_end *end,
                                      struct region *region)
{
    struct operation *operation = begin(app, op, end);
    operation->region = region;
    operation->timeout = draw_deadline(app);
    return operation;
}

static bool indirect(struct app *app, struct connection_end *end, struct region *region)
{
    struct operation *operation = begin_remote(app, SADDLE_CMD_READ_INDIRECT, end, region);
    uint32_t index = (uint32_t)rng_below(&app->rng, TABLE_POINTERS);
    operation->entries[0] = index;
    if (!take_buffer(app, operation, 1 + rng_below(&app->rng, 2 * TABLE_LENGTH_MAX)))
        return false;
    operation->must = table_outcome(index, operation->length);
    if (region->state == REGION_REVOKED)
        operation->must = -EACCES;
    struct saddle_op op = app_op(operation);
    return app_submit(app, operation,
                      saddle_read_indirect(app_channel(app, end->channel), end->handle, region->key,
                                           table_pointer_at(index), operation->buffer,
                                           operation->length, &op));
}

static bool batch(struct app *app, struct connection_end *end, struct region *region)
{
    struct operation *operation = begin_remote(app, SADDLE_CMD_READ_BATCH, end, region);
    uint64_t offsets[SADDLE_BATCH_ITEMS];
    operation->count = 1 + (uint32_t)rng_below(&app->rng, SADDLE_BATCH_ITEMS);
    for (uint32_t i = 0; i < operation->count; i++) {
        operation->entries[i] = (uint32_t)rng_below(&app->rng, TABLE_POINTERS);
        offsets[i] = table_pointer_at(operation->entries[i]);
    }
    size_t stride = 1 + rng_below(&app->rng, 2 * TABLE_LENGTH_MAX);
    if (!take_buffer(app, operation, operation->count * stride))
        return false;
    struct saddle_op op = app_op(operation);
    return app_submit(app, operation,
                      saddle_read_batch(app_channel(app, end->channel), end->handle, region->key,
                                        offsets, operation->count, operation->buffer, stride, &op));
}

static bool scan(struct app *app, struct connection_end *end, struct region *region)
{
    struct operation *operation = begin_remote(app, SADDLE_CMD_SCAN_READ, end, region);
    uint32_t first = (uint32_t)rng_below(&app->rng, TABLE_MATCHES);
    uint32_t entries = 1 + (uint32_t)rng_below(&app->rng, TABLE_MATCHES - first);
    uint32_t found = (uint32_t)rng_below(&app->rng, entries + entries / 8 + 1);
    operation->entries[0] = (first + found) % TABLE_POINTERS;
    operation->count = found;
    if (!take_buffer(app, operation, 1 + rng_below(&app->rng, 2 * TABLE_LENGTH_MAX)))
        return false;
    /* One that lies behind the last is not found. */
    if (found >= entries)
        operation->entries[0] = TABLE_EMPTY;
    operation->must = table_outcome(operation->entries[0], operation->length);
    struct saddle_op op = app_op(operation);
    return app_submit(app, operation,
                      saddle_scan_read(app_channel(app, end->channel), end->handle, region->key,
                                       table_match_at(first), entries,
                                       table_match_value(first + found), operation->buffer,
                                       operation->length, &op));
}

static bool change(struct app *app, struct connection_end *end, struct region *region)
{
    uint32_t index = (uint32_t)rng_below(&app->rng, TABLE_WORDS);
    struct table_word *word = &region->table->words[index];
    bool adding = index % 2 == 0;
    if (region->state == REGION_REVOKED)
        return false;
    struct operation *operation =
        begin_remote(app, adding ? SADDLE_CMD_FETCH_ADD : SADDLE_CMD_COMPARE_SWAP, end, region);
    struct saddle_channel *channel = app_channel(app, end->channel);
    struct saddle_op op = app_op(operation);
    uint64_t at = table_word_at(index);
    operation->entries[0] = index;
    operation->values[0] = word->current;
    operation->values[1] = operation->tag;
    int result = adding ? saddle_fetch_add(channel, end->handle, region->key, at, 1, &op)
                        : saddle_compare_swap(channel, end->handle, region->key, at,
                                              operation->values[0], operation->values[1], &op);
    if (!app_submit(app, operation, result))
        return false;
    word->asked++;
    return true;
}

static bool by_table(struct app *app, struct connection_end *end)
{
    static bool (*const kinds[])(struct app * app, struct connection_end * end,
                                 struct region * region) = {indirect, batch, scan, change, change};
    struct region *region = pick_table(end);
    uint64_t kind = rng_below(&app->rng, sizeof(kinds) / sizeof(kinds[0]));
    return region && kinds[kind](app, end, region);
}

/* ---- Pings ---- */

static bool ping(struct app *app)
{
    struct sim *sim = app->sim;
    uint32_t host = (uint32_t)rng_below(&app->rng, sim->host_count);
    if (is_home(app, host) || app->pings == SADDLE_PINGS_MAX)
        return false;
    struct operation *operation = begin(app, SADDLE_CMD_PING, NULL);
    operation->pinged = host;
    operation->timeout = draw_deadline(app);
    if (rng_chance(&app->rng, ARENA_PPM))
        operation->offset = rng_below(&app->rng, PING_MAX);
    if (rng_chance(&app->rng, DEADLINE_PPM)) {
        operation->offset = sim->mtu + rng_below(&app->rng, PRIVATE_BYTES);
        operation->must = -EMSGSIZE;
    }
    char name[NAME_BYTES];
    name_host(app, host, name);
    struct saddle_op op = app_op(operation);
    operation->channel = (uint32_t)rng_below(&app->rng, app->channels);
    return app_submit(app, operation,
                      saddle_ping(app_channel(app, operation->channel), name, operation->offset,
                                  &op));
}

/* ---- Cancelling ---- */

/* May this one be cancelled, without an end to the story that others tell? A hello is needed; a
 * buffer may be what a message waits for, unless it would be taken back anyway; and for a large
 * message the other side may have posted a buffer, which would lie there. */
static bool may_cancel(const struct app *app, const struct operation *operation)
{
    if (operation->app != app || operation->life != app->life ||
        operation->state != OPERATION_ACCEPTED || operation->hello || operation->cancelled)
        return false;
    switch (operation->op) {
    case SADDLE_CMD_SEND:
        return operation->length <= SADDLE_EAGER_MAX;
    case SADDLE_CMD_POST_RECV:
        return operation->timeout > 0;
    case SADDLE_CMD_CONNECT:
    case SADDLE_CMD_CLOSE:
        return operation->end != NULL;
    case SADDLE_CMD_READ:
    case SADDLE_CMD_WRITE:
    case SADDLE_CMD_PING:
    case SADDLE_CMD_READ_INDIRECT:
    case SADDLE_CMD_READ_BATCH:
    case SADDLE_CMD_SCAN_READ:
    case SADDLE_CMD_COMPARE_SWAP:
    case SADDLE_CMD_FETCH_ADD:
        return true;
    default:
        return false;
    }
}

static struct operation *pick_target(struct app *app)
{
    const struct ledger *ledger = &app->sim->checker->ledger;
    uint32_t skip = (uint32_t)rng_below(&app->rng, CANCEL_LOOKS / 4);
    for (uint32_t i = skip; i < CANCEL_LOOKS && i < ledger->operation_count; i++) {
        struct operation *operation = ledger->operations[ledger->operation_count - 1 - i];
        if (may_cancel(app, operation))
            return operation;
    }
    return NULL;
}

bool work_cancel(struct app *app, struct operation *target)
{
    struct operation *operation = begin(app, SADDLE_CMD_CANCEL, NULL);
    operation->target = target;
    struct saddle_op op = app_op(operation);
    if (!app_submit(app, operation,
                    saddle_cancel(app_channel(app, target->channel), target->tag, &op)))
        return false;
    target->cancelled = true;
    /* What it was to deliver first may be lost. */
    if (target->op == SADDLE_CMD_CLOSE && target->end->connection)
        target->end->connection->trouble |= TROUBLE_KILL;
    return true;
}

static bool cancel(struct app *app)
{
    struct operation *target = pick_target(app);
    return target && work_cancel(app, target);
}

/* ---- Wrong things ---- */

static bool wrong_call(struct app *app)
{
    struct sim *sim = app->sim;
    uint32_t host = (uint32_t)rng_below(&app->rng, sim->host_count);
    if (is_home(app, host) || app->end_count >= APP_ENDS_MAX / 2)
        return false;
    struct ledger *ledger = &sim->checker->ledger;
    struct connection_end *end = ledger_end(ledger, app, 0);
    ledger_connection(ledger, end, NULL, host);
    struct operation *operation = begin(app, SADDLE_CMD_CONNECT, end);
    char name[32];
    bool nowhere = rng_chance(&app->rng, ARENA_PPM);
    snprintf(name, sizeof(name), nowhere ? "10.9.9.%u" : "host%u", sim_address(sim, host));
    operation->must = nowhere ? -EHOSTUNREACH : -ECONNREFUSED;
    struct saddle_op op = app_op(operation);
    if (!app_submit(app, operation, saddle_connect(app_channel(app, 0), name, "nobody", &op)))
        return false;
    app->calls++;
    app->ends[app->end_count++] = end;
    return true;
}

static bool wrong_access(struct app *app, struct connection_end *end)
{
    struct region *region = pick_region(end, false);
    if (!region || region->state != REGION_EXPOSED)
        return false;
    bool reading = rng_chance(&app->rng, ARENA_PPM);
    struct operation *operation = begin(app, reading ? SADDLE_CMD_READ : SADDLE_CMD_WRITE, end);
    operation->region = region;
    operation->must = -EACCES;
    size_t length = 1 + rng_below(&app->rng, PRIVATE_BYTES);
    if (!take_buffer(app, operation, length))
        return false;
    saddle_key key = region->key;
    if (reading && rng_chance(&app->rng, ARENA_PPM)) {
        key ^= 1ull << rng_below(&app->rng, 64);
    } else if (reading) {
        operation->offset = region->length - length + 1 + rng_below(&app->rng, 1u << 20);
        operation->must = -ERANGE;
    }
    return reading ? submit_read(app, operation, key) : submit_write(app, operation, key);
}

/* The newest of its kind is withdrawn, and there is another. */
static bool renew_region(struct app *app)
{
    bool table = rng_chance(&app->rng, ARENA_PPM);
    for (struct region *region = app->regions; region; region = region->next) {
        if (region->shadow || (region->table != NULL) != table || region->state != REGION_EXPOSED)
            continue;
        if (!app_revoke(app, region))
            return false;
        return table ? app_expose_table(app) : app_expose(app, region->length, false);
    }
    return false;
}

/* ---- All of it ---- */

static bool work_one(struct app *app)
{
    if (app->calls < app->callees && call(app))
        return true;
    struct connection_end *end = pick_end(app);
    uint64_t dice = rng_below(&app->rng, SHARE_ALL);
    if (dice < SHARE_CANCEL)
        return cancel(app);
    dice -= SHARE_CANCEL;
    if (dice >= SHARE_ALL - SHARE_CANCEL - SHARE_PING)
        return ping(app);
    if (!end)
        return false;
    if (dice >= SHARE_ALL - SHARE_CANCEL - SHARE_PING - SHARE_TABLE)
        return by_table(app, end);
    if (dice < SHARE_SEND)
        return send(app, end, draw_size(app));
    if ((dice -= SHARE_SEND) < SHARE_READ)
        return read(app, end);
    if ((dice -= SHARE_READ) < SHARE_WRITE)
        return write(app, end);
    if ((dice -= SHARE_WRITE) < SHARE_POST)
        return post_ahead(app, end);
    if ((dice -= SHARE_POST) < SHARE_REGION)
        return renew_region(app);
    if ((dice -= SHARE_REGION) < SHARE_CLOSE) {
        app_close(app, end);
        return true;
    }
    return rng_chance(&app->rng, ARENA_PPM) ? wrong_call(app) : wrong_access(app, end);
}

/* The rest is done, and it is still not on its way. */
static void work_huge(struct app *app)
{
    struct connection_end *end = pick_end(app);

    if (end)
        send(app, end, SIM_HUGE_BYTES);
    else if (app->calls < app->callees)
        call(app);
}

void work_step(struct app *app)
{
    const struct sim *sim = app->sim;
    for (uint32_t i = 0; i < STEP_MAX && app->outstanding < app->depth; i++)
        if (!sim->healed && (sim->totals.accepted < sim->options.operations || !sim->shown))
            work_one(app);
        else if (wants_huge(app))
            work_huge(app);
}
