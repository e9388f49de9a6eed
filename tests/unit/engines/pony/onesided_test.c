/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Operations by way of a table, and atomic ones: two engines, packets in any order. */
#include "engines/pony/connection.h"
#include "engines/pony/fetch.h"
#include "tests/unit/engines/pony/rig.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <saddle/saddle.h>

/* In the server's heap. */
#define DATA        0u
#define DATA_BYTES  (256u << 10)
#define TABLE       (512u << 10)
#define TABLE_BYTES (64u << 10)
#define SECRET      (640u << 10) /* not exposed by anybody but the other application */
#define WORDS       (768u << 10)
#define WORDS_BYTES 4096u

#define SEED 5u /* of the pattern in DATA */

static struct rig *rig;
static struct app *server, *client;
static uint32_t incoming, outgoing;
static uint64_t data, table, words; /* keys */
static uint64_t tags;

static uint64_t expose(struct app *app, uint64_t at, uint32_t len, uint32_t rights)
{
    const struct saddle_command command = {
        .op = SADDLE_CMD_EXPOSE,
        .buf = app->config.heap_offset + at,
        .len = len,
        .key = rights,
        .tag = ++tags,
    };

    ck_assert(app_submit(app, &command));
    rig_settle(rig);
    ck_assert_int_eq(app_done(app, tags)->status, 0);
    return app_done(app, tags)->value;
}

static void revoke(struct app *app, uint64_t key)
{
    const struct saddle_command command = {.op = SADDLE_CMD_REVOKE, .key = key, .tag = ++tags};

    ck_assert(app_submit(app, &command));
}

static void open_rig(uint64_t seed)
{
    rig = rig_create(seed, APP_SLOTS);
    server = rig->apps[0];
    client = rig->apps[1];
    tags = 1000;
    rig_pair(rig, server, client, &incoming, &outgoing);
    app_pattern(server, DATA, DATA_BYTES, SEED);
    data = expose(server, DATA, DATA_BYTES, SADDLE_RIGHT_READ);
    table = expose(server, TABLE, TABLE_BYTES, SADDLE_RIGHT_READ);
    words = expose(server, WORDS, WORDS_BYTES, SADDLE_RIGHT_ATOMIC);
}

static void setup(void)
{
    open_rig(1);
}

static void teardown(void)
{
    rig_settle(rig);
    ck_assert_int_eq(pony_session_error(server->session), 0);
    ck_assert_int_eq(pony_session_error(client->session), 0);
    rig_check(rig);
    for (uint32_t i = 0; i < RIG_HOSTS; i++)
        ck_assert_uint_eq(rig->hosts[i].upper.served_pool.free, UPPER_SERVED);
    rig_destroy(rig);
}

/* ---- Tables and commands ---- */

static uint64_t point(uint32_t index, uint64_t key, uint64_t offset, uint32_t length)
{
    const struct saddle_pointer entry = {.key = key, .offset = offset, .length = length};

    memcpy(app_heap(server, TABLE + index * sizeof(entry)), &entry, sizeof(entry));
    return index * sizeof(entry);
}

static void match(uint32_t index, uint64_t value, uint64_t key, uint64_t offset, uint32_t length)
{
    const struct saddle_match entry = {.match = value,
                                       .pointer = {.key = key, .offset = offset, .length = length}};

    memcpy(app_heap(server, TABLE + index * sizeof(entry)), &entry, sizeof(entry));
}

static uint64_t submit(struct saddle_command command)
{
    command.handle = outgoing;
    command.tag = ++tags;
    ck_assert(app_submit(client, &command));
    return tags;
}

static uint64_t indirect(uint64_t key, uint64_t offset, uint64_t at, uint32_t len)
{
    return submit((struct saddle_command){.op = SADDLE_CMD_READ_INDIRECT,
                                          .key = key,
                                          .remote_offset = offset,
                                          .buf = client->config.heap_offset + at,
                                          .len = len});
}

static uint64_t read_plainly(uint64_t key, uint64_t offset, uint64_t at, uint32_t len)
{
    return submit((struct saddle_command){.op = SADDLE_CMD_READ,
                                          .key = key,
                                          .remote_offset = offset,
                                          .buf = client->config.heap_offset + at,
                                          .len = len});
}

static uint64_t batch(const uint64_t *offsets, uint32_t count, uint64_t at, uint32_t stride)
{
    struct saddle_command command = {.op = SADDLE_CMD_READ_BATCH,
                                     .flags = SADDLE_ENTRY_INLINE,
                                     .key = table,
                                     .remote_offset = stride,
                                     .buf = client->config.heap_offset + at,
                                     .len = count * (uint32_t)sizeof(uint64_t)};

    memcpy(command.payload, offsets, command.len);
    return submit(command);
}

static uint64_t scan(uint64_t offset, uint32_t entries, uint64_t value, uint32_t len)
{
    const struct saddle_scan asked = {.match = value, .entries = entries, .bytes = len};
    struct saddle_command command = {.op = SADDLE_CMD_SCAN_READ,
                                     .flags = SADDLE_ENTRY_INLINE,
                                     .key = table,
                                     .remote_offset = offset,
                                     .buf = client->config.heap_offset,
                                     .len = sizeof(asked)};

    memcpy(command.payload, &asked, sizeof(asked));
    return submit(command);
}

static uint64_t swap(uint64_t key, uint64_t offset, uint64_t expected, uint64_t desired)
{
    const uint64_t values[] = {expected, desired};
    struct saddle_command command = {.op = SADDLE_CMD_COMPARE_SWAP,
                                     .flags = SADDLE_ENTRY_INLINE,
                                     .key = key,
                                     .remote_offset = offset,
                                     .len = sizeof(values)};

    memcpy(command.payload, values, sizeof(values));
    return submit(command);
}

static uint64_t add(uint64_t key, uint64_t offset, uint64_t addend)
{
    struct saddle_command command = {.op = SADDLE_CMD_FETCH_ADD,
                                     .flags = SADDLE_ENTRY_INLINE,
                                     .key = key,
                                     .remote_offset = offset,
                                     .len = sizeof(addend)};

    memcpy(command.payload, &addend, sizeof(addend));
    return submit(command);
}

static const struct saddle_event *settled(uint64_t tag)
{
    rig_settle(rig);
    return app_done(client, tag);
}

/* `length` bytes at `at` of the client's heap are those at `offset` of DATA. */
static void assert_data(uint64_t at, uint64_t offset, uint32_t length)
{
    ck_assert_mem_eq(app_heap(client, at), app_heap(server, DATA + offset), length);
}

static uint64_t word(uint64_t offset)
{
    uint64_t value;

    memcpy(&value, app_heap(server, WORDS + offset), sizeof(value));
    return value;
}

/* ---- Indirect reads ---- */

START_TEST(reads_what_an_entry_points_to)
{
    static const uint32_t lengths[] = {1, 7, 8, 1000, 1399, 40000, 200000};
    const struct saddle_event *event;

    for (uint32_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        memset(app_heap(client, 0), 0xee, 300000);
        uint64_t at = point(i, data, 13 * i, lengths[i]);
        event = settled(indirect(table, at, 0, 250000));
        ck_assert_int_eq(event->status, 0);
        ck_assert_uint_eq(event->op, SADDLE_CMD_READ_INDIRECT);
        ck_assert_uint_eq(event->len, lengths[i]);
        ck_assert_uint_eq(event->buf, client->config.heap_offset);
        assert_data(0, 13 * i, lengths[i]);
        ck_assert_uint_eq(*app_heap(client, lengths[i]), 0xee);
    }
    ck_assert_uint_eq(rig->hosts[1].upper.counters.indirect_reads, 7);
    ck_assert_uint_eq(rig->hosts[0].upper.counters.indirect_reads_served, 7);
}
END_TEST

START_TEST(entries_that_lead_nowhere)
{
    struct app *other = rig_attach(rig, 0, APP_SLOTS);
    uint64_t secret = expose(other, 0, 4096, SADDLE_RIGHT_READ);
    uint64_t writable = expose(server, SECRET, 4096, SADDLE_RIGHT_WRITE);
    uint64_t atomic = words, last = TABLE_BYTES - sizeof(struct saddle_pointer);
    const struct {
        uint64_t at;
        int status;
        uint32_t len;
    } cases[] = {
        {point(0, 0, 0, 8), -ENOENT, 0},
        {point(1, data ^ 1ull << 50, 0, 8), -EACCES, 0},
        {point(2, secret, 0, 8), -EACCES, 0}, /* of another session: no deputy of its peers */
        {point(3, writable, 0, 8), -EACCES, 0},
        {point(4, atomic, 0, 8), -EACCES, 0},
        {point(5, data, DATA_BYTES - 7, 8), -ERANGE, 0},
        {point(6, data, UINT64_MAX, 8), -ERANGE, 0},
        {point(7, data, 0, UINT32_MAX), -ERANGE, 0},
        {point(8, data, 0, 101), -EMSGSIZE, 101},
        {point(9, data, 0, 0), 0, 0},
        {point(10, data, 0, 100), 0, 100},
        {last + 8, -ERANGE, 0},
        {UINT64_MAX - 7, -ERANGE, 0},
        {4, -EINVAL, 0},
    };

    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct saddle_event *event = settled(indirect(table, cases[i].at, 0, 100));
        ck_assert_msg(event->status == cases[i].status && event->len == cases[i].len,
                      "case %u: %d, %u bytes", i, event->status, event->len);
    }
    uint64_t at = point(0, data, 0, 8);
    ck_assert_int_eq(settled(indirect(words, at, 0, 100))->status, -EACCES);
    ck_assert_int_eq(settled(indirect(table ^ 1ull << 40, at, 0, 100))->status, -EACCES);
    *(app_heap(server, TABLE + 20)) = 1; /* reserved */
    ck_assert_int_eq(settled(indirect(table, 0, 0, 100))->status, -EINVAL);
}
END_TEST

/* ---- Batches ---- */

START_TEST(a_batch_has_an_outcome_for_each)
{
    const uint64_t offsets[] = {
        point(0, data, 5, 3000),       point(1, 0, 0, 1),
        point(2, data, 100, 1),        point(3, data, 0, 3001),
        point(4, data, DATA_BYTES, 1), point(5, data, 9, 0),
        point(6, words, 0, 8),         point(7, data, 77, 2999),
    };
    static const struct saddle_item wanted[] = {
        {0, 3000},    {-ENOENT, 0}, {0, 1},       {-EMSGSIZE, 3001},
        {-ERANGE, 0}, {0, 0},       {-EACCES, 0}, {0, 2999},
    };

    for (uint32_t count = 1; count <= 8; count++) {
        const struct saddle_event *event = settled(batch(offsets, count, 64, 3000));
        ck_assert_int_eq(event->status, 0);
        ck_assert_uint_eq(event->flags, SADDLE_ENTRY_INLINE);
        ck_assert_uint_eq(event->len, count * sizeof(wanted[0]));
        ck_assert_mem_eq(event->payload, wanted, event->len);
        assert_data(64, 5, 3000);
        event = settled(batch(&offsets[count - 1], 1, 64, 3000));
        ck_assert_int_eq(event->status, 0);
        ck_assert_uint_eq(event->len, sizeof(wanted[0]));
        ck_assert_mem_eq(event->payload, &wanted[count - 1], sizeof(wanted[0]));
        settled(batch(offsets, count, 64, 3000));
    }
    assert_data(64 + 2 * 3000, 100, 1);
    assert_data(64 + 7 * 3000, 77, 2999);
}
END_TEST

START_TEST(batches_that_cannot_be)
{
    static const uint64_t offsets[8];

    ck_assert_int_eq(settled(batch(offsets, 8, APP_HEAP - 799, 100))->status, -EINVAL);
    ck_assert_int_eq(settled(batch(offsets, 1, 0, 0))->status, -EINVAL);
    ck_assert_int_eq(settled(batch(offsets, 0, 0, 8))->status, -EINVAL);
    ck_assert_int_eq(settled(batch(offsets, 8, 0, SADDLE_MESSAGE_MAX / 8 + 1))->status, -EINVAL);
}
END_TEST

/* ---- Scans ---- */

START_TEST(finds_the_first_that_matches)
{
    static const uint32_t places[] = {0, 1, 255, 256, 257, 700, 1023};

    memset(app_heap(server, TABLE), 0, TABLE_BYTES);
    for (uint32_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        match(places[i], 0x1111 + i, data, i, 5000);
        const struct saddle_event *event = settled(scan(0, 1024, 0x1111 + i, 6000));
        ck_assert_int_eq(event->status, 0);
        ck_assert_uint_eq(event->value, places[i]);
        ck_assert_uint_eq(event->len, 5000);
        assert_data(0, i, 5000);
        /* A later one of the same value is not seen. */
        match(1024 + i, 0x1111 + i, data, 9, 9);
        event = settled(scan(32ull * places[i], 1024, 0x1111 + i, 6000));
        ck_assert_int_eq(event->status, 0);
        ck_assert_uint_eq(event->value, 0);
    }
    ck_assert_uint_eq(rig->hosts[1].upper.counters.scans, 14);
    ck_assert_uint_eq(rig->hosts[0].upper.counters.scans_served, 14);
}
END_TEST

START_TEST(scans_that_find_nothing)
{
    const struct saddle_event *event;

    memset(app_heap(server, TABLE), 0, TABLE_BYTES);
    match(9, 77, 0, 0, 8);
    match(10, 78, data, 0, 101);
    match(11, 79, words, 0, 8);
    ck_assert_int_eq(settled(scan(0, 1024, 80, 100))->status, -ENOENT);
    ck_assert_int_eq(settled(scan(0, 9, 77, 100))->status, -ENOENT);
    ck_assert_int_eq(settled(scan(0, 10, 77, 100))->status, -ENOENT);
    ck_assert_int_eq(settled(scan(0, 20, 79, 100))->status, -EACCES);
    event = settled(scan(0, 20, 78, 100));
    ck_assert_int_eq(event->status, -EMSGSIZE);
    ck_assert_uint_eq(event->value, 10);
    ck_assert_uint_eq(event->len, 101);
    /* Wherever the match lies: the extent has to be in order. */
    match(0, 81, data, 0, 8);
    ck_assert_int_eq(settled(scan(TABLE_BYTES - 32, 2, 81, 100))->status, -ERANGE);
    ck_assert_int_eq(settled(scan(4, 2, 81, 100))->status, -EINVAL);
    ck_assert_int_eq(settled(scan(0, 0, 81, 100))->status, -EINVAL);
    ck_assert_int_eq(settled(scan(0, 1025, 81, 100))->status, -EINVAL);
    ck_assert_int_eq(settled(scan(0, 1, 81, 0))->status, -EINVAL);
    ck_assert_int_eq(settled(scan(0, 1, 81, APP_HEAP + 1))->status, -EINVAL);
}
END_TEST

/* However much there is to be scanned: each packet's worth of it is bounded, and messages go on. */
START_TEST(scans_do_not_stop_others)
{
    uint32_t at = 0, messages = 0, steps = 0;

    memset(app_heap(server, TABLE), 0, TABLE_BYTES);
    for (uint32_t i = 0; i < 48; i++)
        scan(0, 1024, 7, 100);
    uint64_t last = tags;
    for (uint32_t i = 0; i < 20; i++)
        app_send(server, incoming, 0, DATA, 2000, 100 + i);
    while (messages < 20 && steps++ < 200) {
        rig_step(rig);
        while (app_event(client, &at, SADDLE_EVT_MESSAGE, 2))
            messages++;
    }
    ck_assert_uint_eq(messages, 20);
    at = 0;
    ck_assert_ptr_null(app_event(client, &at, SADDLE_EVT_DONE, last));
    ck_assert_int_eq(settled(last)->status, -ENOENT);
}
END_TEST

/* ---- Atomic operations ---- */

START_TEST(swaps_and_adds)
{
    const struct saddle_event *event = settled(swap(words, 8, 0, 5));

    ck_assert_int_eq(event->status, 0);
    ck_assert_uint_eq(event->value, 0);
    ck_assert_uint_eq(event->len, 0);
    ck_assert_uint_eq(word(8), 5);
    ck_assert_uint_eq(settled(swap(words, 8, 4, 6))->value, 5);
    ck_assert_uint_eq(word(8), 5);
    ck_assert_uint_eq(settled(add(words, 8, UINT64_MAX))->value, 5);
    ck_assert_uint_eq(settled(add(words, 8, 0x123456789abcdef0))->value, 4);
    ck_assert_uint_eq(word(8), 0x123456789abcdef4);
    ck_assert_uint_eq(settled(add(words, WORDS_BYTES - 8, 1))->value, 0);
    ck_assert_uint_eq(rig->hosts[1].upper.counters.atomics, 5);
    ck_assert_uint_eq(rig->hosts[0].upper.counters.atomics_served, 5);
}
END_TEST

START_TEST(atomics_that_may_not_be)
{
    uint64_t odd = expose(server, SECRET + 4, 64, SADDLE_RIGHT_ATOMIC);
    static const uint64_t outside[] = {WORDS_BYTES - 7, WORDS_BYTES, 1ull << 32, UINT64_MAX - 7,
                                       UINT64_MAX};

    memset(app_heap(server, SECRET), 0, 128);
    for (uint64_t offset = 1; offset < 8; offset++)
        ck_assert_int_eq(settled(add(words, offset, 1))->status, -EINVAL);
    for (uint32_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
        ck_assert_int_eq(settled(swap(words, outside[i], 0, 1))->status, -ERANGE);
    ck_assert_int_eq(settled(add(data, 0, 1))->status, -EACCES);
    ck_assert_int_eq(settled(swap(words ^ 1ull << 63, 0, 0, 1))->status, -EACCES);
    /* It is the address that has to be aligned. */
    ck_assert_int_eq(settled(add(odd, 0, 1))->status, -EINVAL);
    ck_assert_int_eq(settled(add(odd, 4, 1))->status, 0);
    for (uint64_t offset = 0; offset < WORDS_BYTES; offset += 8)
        ck_assert_uint_eq(word(offset), 0);
    ck_assert(app_matches(app_heap(server, DATA), DATA_BYTES, SEED));
    /* The right to atomic operations is no other right. */
    ck_assert_int_eq(settled(read_plainly(words, 0, 0, 8))->status, -EACCES);
}
END_TEST

/* Packets are declined and delivered in any order, engines are replaced: each is done once, and
 * each sees a value of its own. */
START_TEST(each_is_carried_out_once)
{
    const uint32_t count = 600;
    uint64_t first = tags + 1;
    uint8_t *seen = calloc(count, 1);

    rig->decline_per_million = 300000;
    for (uint32_t i = 0; i < count; i++) {
        add(words, 64, 1);
        if (i % 16 == 15)
            rig_reload(rig, i / 16 % 2);
        for (uint64_t steps = rng_below(&rig->rng, 4); steps > 0 || i % 32 == 31; steps--) {
            if (i % 32 == 31) {
                rig_settle(rig);
                break;
            }
            rig_step(rig);
        }
    }
    rig_settle(rig);
    ck_assert_uint_eq(word(64), count);
    for (uint32_t i = 0; i < count; i++) {
        const struct saddle_event *event = app_done(client, first + i);
        ck_assert_int_eq(event->status, 0);
        ck_assert_uint_lt(event->value, count);
        ck_assert_uint_eq(seen[event->value]++, 0);
    }
    free(seen);
}
END_TEST

/* The application's own atomic operations on the same word. */
#define OWN_ADDS 200000u

static void *add_too(void *argument)
{
    for (uint32_t i = 0; i < OWN_ADDS; i++)
        __atomic_fetch_add((uint64_t *)argument, 1ull << 32, __ATOMIC_RELAXED);
    return argument;
}

START_TEST(atomic_toward_the_application)
{
    const uint32_t count = 400;
    pthread_t thread;

    ck_assert_int_eq(
        pthread_create(&thread, NULL, add_too, (uint64_t *)(void *)app_heap(server, WORDS)), 0);
    for (uint32_t i = 0; i < count; i++) {
        add(words, 0, 1);
        if (i % 40 == 39)
            rig_settle(rig);
    }
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_uint_eq(word(0), ((uint64_t)OWN_ADDS << 32) + count);
}
END_TEST

/* ---- Revocation ---- */

START_TEST(data_revoked_in_the_middle)
{
    const uint64_t at = point(0, data, 0, DATA_BYTES);
    const uint64_t offsets[] = {at, at, point(1, table, 0, 1000)};
    uint64_t one = indirect(table, at, 0, DATA_BYTES);
    uint64_t many = batch(offsets, 3, DATA_BYTES, DATA_BYTES);
    struct saddle_item items[3];

    for (uint32_t i = 0; i < 12; i++)
        rig_step(rig);
    revoke(server, data);
    uint64_t gone = tags;
    rig_step(rig);
    ck_assert_int_eq(app_done(server, gone)->status, 0);
    /* From now on nothing of it is read. */
    memset(app_heap(server, DATA), 0xaa, DATA_BYTES);
    ck_assert_int_eq(settled(one)->status, -EACCES);
    ck_assert_uint_eq(app_done(client, one)->len, 0);
    ck_assert_int_eq(app_done(client, many)->status, 0);
    memcpy(items, app_done(client, many)->payload, sizeof(items));
    ck_assert_int_eq(items[0].status, -EACCES);
    ck_assert_int_eq(items[1].status, -EACCES);
    ck_assert_int_eq(items[2].status, 0);
    for (uint32_t i = 0; i < 4 * DATA_BYTES - 4; i++)
        ck_assert_int_ne(memcmp(app_heap(client, i), "\xaa\xaa\xaa\xaa", 4), 0);
}
END_TEST

START_TEST(table_revoked_in_the_middle)
{
    uint64_t first = tags + 1;

    memset(app_heap(server, TABLE), 0, TABLE_BYTES);
    for (uint32_t i = 0; i < 32; i++)
        scan(0, 1024, 7, 100);
    uint64_t last = tags;
    rig_step(rig);
    rig_step(rig);
    revoke(server, table);
    uint64_t gone = tags;
    rig_step(rig);
    ck_assert_int_eq(app_done(server, gone)->status, 0);
    for (uint32_t i = 0; i < 1024; i++)
        match(i, 7, data, 0, 8);
    rig_settle(rig);
    uint32_t refused = 0;
    for (uint64_t tag = first; tag <= last; tag++) {
        int status = app_done(client, tag)->status;
        ck_assert(status == -ENOENT || status == -EACCES);
        refused += status == -EACCES;
    }
    ck_assert_uint_gt(refused, 0);
}
END_TEST

START_TEST(words_revoked_under_traffic)
{
    uint64_t first = tags + 1, done = 0;

    for (uint32_t i = 0; i < 48; i++)
        add(words, 0, 1);
    uint64_t last = tags;
    for (uint32_t i = 0; i < 3; i++)
        rig_step(rig);
    for (uint32_t i = 0; i < 8; i++)
        swap(words, 8, i, i + 1);
    revoke(server, words);
    uint64_t gone = tags;
    rig_step(rig);
    ck_assert_int_eq(app_done(server, gone)->status, 0);
    uint64_t value = word(0);
    rig_settle(rig);
    ck_assert_uint_eq(word(0), value);
    for (uint64_t tag = first; tag <= last; tag++)
        done += app_done(client, tag)->status == 0;
    ck_assert_uint_eq(done, value);
}
END_TEST

/* ---- Words are whole ---- */

/* Each step fills the data with one byte's value, so a word that was read half now and half then
 * shows. */
START_TEST(read_words_are_whole)
{
    const uint32_t len = 100000;
    const uint64_t at = point(0, data, 16, len - 16);
    uint64_t tag[3] = {
        read_plainly(data, 8 * (uint64_t)_i, 0, len),
        indirect(table, at, 200000, len),
        read_plainly(data, 3, 400000, len),
    };

    for (uint8_t value = 1; client->event_count < 4; value++) {
        memset(app_heap(server, DATA), value, DATA_BYTES);
        rig_step(rig);
    }
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_int_eq(settled(tag[i])->status, 0);
        const uint8_t *bytes = app_heap(client, i * 200000 + (i == 2 ? 5 : 0));
        for (uint32_t j = 0; j + 8 < len - 16; j++)
            ck_assert_uint_eq(bytes[j], bytes[j / 8 * 8]);
    }
}
END_TEST

/* The same with what is written: after each step every word of the region is all old or all new. */
START_TEST(written_words_are_whole)
{
    const uint32_t len = 50000;
    uint64_t key = expose(server, SECRET, 65536, SADDLE_RIGHT_WRITE);
    uint64_t tag = 0;
    bool over = false;

    memset(app_heap(client, 0), 0x77, len);
    memset(app_heap(server, SECRET), 0, 65536);
    rig->decline_per_million = 500000;
    tag = submit((struct saddle_command){.op = SADDLE_CMD_WRITE,
                                         .key = key,
                                         .buf = client->config.heap_offset + 1,
                                         .remote_offset = 16,
                                         .len = len - 16});
    while (!over) {
        uint32_t at = 0;
        rig_step(rig);
        for (uint32_t j = 16; j + 8 < len; j += 8) {
            const uint8_t *bytes = app_heap(server, SECRET + j);
            ck_assert(memcmp(bytes, "\0\0\0\0\0\0\0\0", 8) == 0 ||
                      memcmp(bytes, "wwwwwwww", 8) == 0);
        }
        over = app_event(client, &at, SADDLE_EVT_DONE, tag) != NULL;
    }
    ck_assert_int_eq(settled(tag)->status, 0);
}
END_TEST

/* ---- Versions, features, time ---- */

START_TEST(a_peer_without_them)
{
    const uint64_t offset = 0;

    rig->hosts[1].flow.says.features = WIRE_FEATURE_ECHO;
    ck_assert_int_eq(settled(indirect(table, 0, 0, 8))->status, -EOPNOTSUPP);
    ck_assert_int_eq(settled(batch(&offset, 1, 0, 8))->status, -EOPNOTSUPP);
    ck_assert_int_eq(settled(scan(0, 1, 1, 8))->status, -EOPNOTSUPP);
    ck_assert_int_eq(settled(swap(words, 0, 0, 1))->status, -EOPNOTSUPP);
    ck_assert_int_eq(settled(add(words, 0, 1))->status, -EOPNOTSUPP);
    ck_assert_uint_eq(word(0), 0);
}
END_TEST

START_TEST(a_peer_that_asks_all_the_same)
{
    uint32_t at = 0;

    rig->hosts[0].flow.says.features = WIRE_FEATURE_ECHO;
    uint64_t tag = add(words, 0, 1);
    ck_assert_int_eq(settled(tag)->status, -ECONNRESET);
    ck_assert_uint_eq(word(0), 0);
    ck_assert_int_eq(app_event(server, &at, SADDLE_EVT_CLOSED, 3)->status, -EPROTO);
}
END_TEST

START_TEST(a_session_of_version_2)
{
    struct app *old = rig_attach(rig, 1, APP_SLOTS);
    const struct saddle_command atomic = {.op = SADDLE_CMD_EXPOSE,
                                          .buf = old->config.heap_offset,
                                          .len = 64,
                                          .key = SADDLE_RIGHT_ATOMIC,
                                          .tag = 1};
    struct saddle_command command = {.op = SADDLE_CMD_READ_INDIRECT, .tag = 2};

    old->config.abi = 2;
    upper_detach(&rig->hosts[1].upper, old->session);
    app_renew(old);
    ck_assert_int_eq(upper_attach(&rig->hosts[1].upper, old->session), 0);
    ck_assert(app_submit(old, &atomic));
    rig_settle(rig);
    ck_assert_int_eq(app_done(old, 1)->status, -EINVAL);
    ck_assert_int_eq(pony_session_error(old->session), 0);
    command.op = (uint8_t)(SADDLE_CMD_READ_INDIRECT + _i);
    ck_assert(app_submit(old, &command));
    rig_settle(rig);
    ck_assert_int_eq(pony_session_error(old->session), -EPROTO);
}
END_TEST

START_TEST(given_up)
{
    struct saddle_command command = {.op = SADDLE_CMD_READ_INDIRECT,
                                     .key = table,
                                     .buf = client->config.heap_offset,
                                     .len = 200000,
                                     .timeout_ns = 10000};

    point(0, data, 0, 200000);
    uint64_t tag = submit(command);
    for (uint32_t i = 0; i < 8; i++)
        rig_step(rig);
    rig_advance(rig, 100000);
    ck_assert_int_eq(settled(tag)->status, -ETIMEDOUT);
    ck_assert_uint_eq(app_done(client, tag)->len, 0);
    ck_assert_int_eq(settled(add(words, 0, 1))->status, 0);
}
END_TEST

START_TEST(damaged_on_the_way)
{
    uint32_t good = 0, damaged = 0;
    uint64_t first = tags + 1;

    rig->corrupt_per_million = 20000;
    point(0, data, 0, 20000);
    for (uint32_t i = 0; i < 200; i++) {
        indirect(table, 0, (i % 4) * 20000, 20000);
        if (i % 4 == 3)
            rig_settle(rig);
    }
    for (uint64_t tag = first; tag <= tags; tag++) {
        good += app_done(client, tag)->status == 0;
        damaged += app_done(client, tag)->status == -EBADMSG;
    }
    ck_assert_uint_eq(good + damaged, 200);
    ck_assert_uint_gt(good, 0);
    ck_assert_uint_gt(damaged, 0);
}
END_TEST

/* Everything at once, over an engine that is replaced all the time. */
START_TEST(reloaded_at_any_moment)
{
    uint64_t tag[60];

    rig_destroy(rig);
    open_rig((uint64_t)_i + 50);
    const uint64_t offsets[] = {point(100, data, 1, 4000), point(101, data, 2, 1),
                                point(102, 0, 0, 0), point(103, data, 3, 3999)};
    match(900, 0x4242, data, 7, 5000);
    rig->decline_per_million = 50000;
    for (uint32_t i = 0; i < 60; i++) {
        if (i % 4 == 0)
            tag[i] = indirect(table, offsets[0], 1000000, 4000);
        else if (i % 4 == 1)
            tag[i] = batch(offsets, 4, 2000000, 4000);
        else if (i % 4 == 2)
            tag[i] = scan(0, 1000, 0x4242, 5000);
        else
            tag[i] = add(words, 0, 3);
        for (uint64_t steps = rng_below(&rig->rng, 5); steps > 0; steps--)
            rig_step(rig);
        rig_reload(rig, (uint32_t)rng_below(&rig->rng, RIG_HOSTS));
        rig_check(rig);
    }
    rig_settle(rig);
    for (uint32_t i = 0; i < 60; i++)
        ck_assert_int_eq(app_done(client, tag[i])->status, 0);
    ck_assert_uint_eq(word(0), 45);
    assert_data(1000000, 1, 4000);
    assert_data(2000000, 1, 4000);
    assert_data(2000000 + 3 * 4000, 3, 3999);
    assert_data(0, 7, 5000);
    ck_assert_uint_eq(app_done(client, tag[58])->value, 900);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_test(tcase, reads_what_an_entry_points_to);
    tcase_add_test(tcase, entries_that_lead_nowhere);
    tcase_add_test(tcase, a_batch_has_an_outcome_for_each);
    tcase_add_test(tcase, batches_that_cannot_be);
    tcase_add_test(tcase, finds_the_first_that_matches);
    tcase_add_test(tcase, scans_that_find_nothing);
    tcase_add_test(tcase, scans_do_not_stop_others);
    tcase_add_test(tcase, swaps_and_adds);
    tcase_add_test(tcase, atomics_that_may_not_be);
    tcase_add_test(tcase, each_is_carried_out_once);
    tcase_add_test(tcase, atomic_toward_the_application);
    tcase_add_test(tcase, data_revoked_in_the_middle);
    tcase_add_test(tcase, table_revoked_in_the_middle);
    tcase_add_test(tcase, words_revoked_under_traffic);
    tcase_add_loop_test(tcase, read_words_are_whole, 0, 2);
    tcase_add_test(tcase, written_words_are_whole);
    tcase_add_test(tcase, a_peer_without_them);
    tcase_add_test(tcase, a_peer_that_asks_all_the_same);
    tcase_add_loop_test(tcase, a_session_of_version_2, 0, 5);
    tcase_add_test(tcase, given_up);
    tcase_add_test(tcase, damaged_on_the_way);
    tcase_add_loop_test(tcase, reloaded_at_any_moment, 0, 10);
}

int main(void)
{
    Suite *suite = suite_create("onesided");
    TCase *tcase = tcase_create("onesided");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    add_tests(tcase);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
