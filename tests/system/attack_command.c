/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Lies in what a command says. */
#include "tests/system/attack.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* Tells one lie per session, each of which has to end it. */
static void tell(void (*lie)(struct saddle_command *command, uint32_t variant), uint32_t variants)
{
    for (uint32_t i = 0; i < variants; i++) {
        struct raw raw;

        raw_attach(&raw, attack_path, "alpha");
        lie(raw_command(&raw), i);
        raw_publish(&raw);
        attack_want_closed(&raw);
        raw_leave(&raw);
    }
}

static void lie_op(struct saddle_command *command, uint32_t variant)
{
    static const uint8_t ops[] = {SADDLE_CMD_COUNT, 100, UINT8_MAX};

    command->op = ops[variant];
}

static void case_op(void)
{
    tell(lie_op, 3);
}

static void lie_flags(struct saddle_command *command, uint32_t variant)
{
    command->flags = (uint8_t)(2u << variant);
}

static void case_flags(void)
{
    tell(lie_flags, 7);
}

static void lie_reserved(struct saddle_command *command, uint32_t variant)
{
    command->reserved = variant ? UINT32_MAX : 1;
}

static void case_reserved(void)
{
    tell(lie_reserved, 2);
}

static void lie_inline_length(struct saddle_command *command, uint32_t variant)
{
    static const uint32_t lengths[] = {SADDLE_INLINE_BYTES + 1, SADDLE_EAGER_MAX, 1u << 31,
                                       UINT32_MAX};

    command->op = variant % 2 ? SADDLE_CMD_SEND : SADDLE_CMD_LISTEN;
    command->flags = SADDLE_ENTRY_INLINE;
    command->len = lengths[variant];
}

static void case_inline_length(void)
{
    tell(lie_inline_length, 4);
}

static void lie_release(struct saddle_command *command, uint32_t variant)
{
    static const uint32_t slots[] = {0, RAW_SLOTS - 1, RAW_SLOTS, 1u << 31, UINT32_MAX};

    command->op = SADDLE_CMD_RELEASE;
    command->slot = slots[variant];
}

static void case_release_not_lent(void)
{
    tell(lie_release, 5);
}

/* A length and a place: all wrong for each operation that takes memory. */
static const struct place {
    uint64_t buf; /* plus the heap's offset if `in_heap` */
    uint32_t len;
    bool in_heap;
} places[] = {
    {0, 0, true},
    {0, RAW_HEAP + 1, true},
    {0, SADDLE_MESSAGE_MAX, true},
    {0, SADDLE_MESSAGE_MAX + 1, true},
    {0, 1u << 31, true},
    {0, UINT32_MAX, true},
    {RAW_HEAP, 1, true},
    {RAW_HEAP - 1, 2, true},
    {1, RAW_HEAP, true},
    {RAW_HEAP - 100, 101, true},
    {(uint64_t)-1, 2, true},             /* the byte in front of the heap */
    {0, 128, false},                     /* the header */
    {4096, 128, false},                  /* the queues */
    {UINT64_MAX, 1, false},              /* wraps with the length */
    {UINT64_MAX - 99, 100, false},       /* ends at 2^64 */
    {UINT64_MAX - 99, 101, false},       /* wraps to 1 */
    {1ull << 32, 100, false},            /* wraps in 32 bits */
    {(1ull << 32) + RAW_HEAP, 1, false}, /* and lands in the arena */
    {1ull << 63, 100, false},
};

static void case_places(void)
{
    static const uint8_t ops[] = {SADDLE_CMD_SEND, SADDLE_CMD_POST_RECV, SADDLE_CMD_EXPOSE,
                                  SADDLE_CMD_READ, SADDLE_CMD_WRITE,     SADDLE_CMD_READ_INDIRECT};
    struct attack_pair pair;
    struct saddle_event event;

    attack_join(&pair);
    for (size_t op = 0; op < sizeof(ops); op++) {
        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
            struct saddle_command *command = raw_command(&pair.a);

            command->op = ops[op];
            command->handle = pair.handles[0];
            command->key = SADDLE_RIGHT_READ;
            command->buf = places[i].buf + (places[i].in_heap ? pair.a.reply.heap_offset : 0);
            command->len = places[i].len;
            if (raw_call(&pair.a, &event) != -EINVAL)
                raw_die("op %u, place %zu: %d", ops[op], i, event.status);
        }
    }
    attack_want("nop", raw_nop(&pair.a), 0);
    attack_leave(&pair);
}

static void case_texts(void)
{
    static const uint8_t ops[] = {SADDLE_CMD_LISTEN, SADDLE_CMD_CONNECT, SADDLE_CMD_PING};
    struct raw raw;
    struct saddle_event event;

    raw_attach(&raw, attack_path, "alpha");
    memset(raw.arena + raw.reply.heap_offset, 'x', RAW_HEAP);
    for (size_t i = 0; i < sizeof(ops); i++) {
        for (size_t j = 0; j < sizeof(places) / sizeof(places[0]); j++) {
            struct saddle_command *command = raw_command(&raw);

            command->op = ops[i];
            command->buf = places[j].buf + (places[j].in_heap ? raw.reply.heap_offset : 0);
            command->len = places[j].len;
            attack_want("place of a text", raw_call(&raw, &event), -EINVAL);
        }
        for (uint32_t length = 1; length <= SADDLE_INLINE_BYTES; length++) {
            struct saddle_command *command = raw_command(&raw);

            command->op = ops[i];
            command->flags = SADDLE_ENTRY_INLINE;
            command->len = length;
            memset(command->payload, 'x', sizeof(command->payload));
            attack_want("text without an end", raw_call(&raw, &event), -EINVAL);
        }
    }
    raw_leave(&raw);
}

/* A command that the version agreed on does not have. */
static void case_version(void)
{
    struct saddle_attach_request request = raw_request("alpha");
    struct raw raw;

    request.abi_max = SADDLE_ABI_ONESIDED - 1;
    for (uint8_t op = SADDLE_CMD_READ_INDIRECT; op <= SADDLE_CMD_CANCEL; op++) {
        raw_attach_as(&raw, attack_path, &request);
        attack_want("version", raw.reply.abi, SADDLE_ABI_ONESIDED - 1);
        attack_want("nop", raw_nop(&raw), 0);
        attack_expose(&raw, SADDLE_RIGHT_ATOMIC, -EINVAL);
        raw_command(&raw)->op = op;
        raw_publish(&raw);
        attack_want_closed(&raw);
        raw_leave(&raw);
    }
}

static int ping(struct raw *raw, const char *host, uint64_t payload, uint64_t timeout_ns)
{
    struct saddle_command *command = raw_command(raw);
    struct saddle_event event;

    command->op = SADDLE_CMD_PING;
    command->flags = SADDLE_ENTRY_INLINE;
    command->len = (uint32_t)strlen(host) + 1;
    memcpy(command->payload, host, command->len);
    command->key = payload;
    command->timeout_ns = timeout_ns;
    return raw_call(raw, &event);
}

/* Pings that cannot be, and more of them given up than a peer would have to answer at once. */
static void case_pings(void)
{
    struct raw raw;

    raw_attach(&raw, attack_path, "alpha");
    attack_want("ping", ping(&raw, "10.77.0.2", 1000, 0), 0);
    attack_want("large ping", ping(&raw, "10.77.0.2", 1u << 16, 0), -EMSGSIZE);
    attack_want("absurd ping", ping(&raw, "10.77.0.2", UINT64_MAX, 0), -EMSGSIZE);
    attack_want("ping of nobody", ping(&raw, "nobody", 0, 0), -EHOSTUNREACH);
    for (int i = 0; i < ATTACK_STORM / 10; i++) {
        int status = ping(&raw, "10.77.0.2", 64, 1);
        if (status && status != -ETIMEDOUT)
            raw_die("short ping: %d", status);
    }
    attack_want("ping after all", ping(&raw, "10.77.0.2", 1000, 0), 0);
    raw_leave(&raw);
}

/* Commands by way of a table, and atomic ones, that no library writes. */
struct shape {
    uint8_t op;
    uint8_t flags;
    uint32_t len;
    uint64_t remote_offset;
    uint64_t payload[2]; /* of SCAN_READ: what is looked for; bytes above entries */
};

#define SCAN(entries, bytes) ((uint64_t)(bytes) << 32 | (entries))

static const struct shape shapes[] = {
    {SADDLE_CMD_READ_INDIRECT, SADDLE_ENTRY_INLINE, 64, 0, {0}},
    {SADDLE_CMD_READ_INDIRECT, 0, 0, 0, {0}},
    {SADDLE_CMD_READ_INDIRECT, 0, SADDLE_MESSAGE_MAX_2 + 1, 0, {0}},
    {SADDLE_CMD_READ_INDIRECT, 0, UINT32_MAX, 0, {0}},
    {SADDLE_CMD_READ_BATCH, 0, 64, 100, {0}},
    {SADDLE_CMD_READ_BATCH, SADDLE_ENTRY_INLINE, 0, 100, {0}},
    {SADDLE_CMD_READ_BATCH, SADDLE_ENTRY_INLINE, 12, 100, {0}},
    {SADDLE_CMD_READ_BATCH, SADDLE_ENTRY_INLINE, 64, 0, {0}},
    {SADDLE_CMD_READ_BATCH, SADDLE_ENTRY_INLINE, 64, RAW_HEAP, {0}},
    {SADDLE_CMD_READ_BATCH, SADDLE_ENTRY_INLINE, 64, 1ull << 29, {0}}, /* wraps in 32 bits */
    {SADDLE_CMD_READ_BATCH, SADDLE_ENTRY_INLINE, 64, (1ull << 61) + 1, {0}},
    {SADDLE_CMD_SCAN_READ, 0, 16, 0, {1, SCAN(1, 100)}},
    {SADDLE_CMD_SCAN_READ, SADDLE_ENTRY_INLINE, 15, 0, {1, SCAN(1, 100)}},
    {SADDLE_CMD_SCAN_READ, SADDLE_ENTRY_INLINE, 64, 0, {1, SCAN(1, 100)}},
    {SADDLE_CMD_SCAN_READ, SADDLE_ENTRY_INLINE, 16, 0, {1, SCAN(0, 100)}},
    {SADDLE_CMD_SCAN_READ, SADDLE_ENTRY_INLINE, 16, 0, {1, SCAN(1025, 100)}},
    {SADDLE_CMD_SCAN_READ, SADDLE_ENTRY_INLINE, 16, 0, {1, SCAN(UINT32_MAX, 100)}},
    {SADDLE_CMD_SCAN_READ, SADDLE_ENTRY_INLINE, 16, 0, {1, SCAN(1, 0)}},
    {SADDLE_CMD_SCAN_READ, SADDLE_ENTRY_INLINE, 16, 0, {1, SCAN(1, UINT32_MAX)}},
    {SADDLE_CMD_COMPARE_SWAP, 0, 16, 0, {0}},
    {SADDLE_CMD_COMPARE_SWAP, SADDLE_ENTRY_INLINE, 8, 0, {0}},
    {SADDLE_CMD_COMPARE_SWAP, SADDLE_ENTRY_INLINE, 64, 0, {0}},
    {SADDLE_CMD_FETCH_ADD, 0, 8, 0, {0}},
    {SADDLE_CMD_FETCH_ADD, SADDLE_ENTRY_INLINE, 16, 0, {0}},
    {SADDLE_CMD_FETCH_ADD, SADDLE_ENTRY_INLINE, 0, 0, {0}},
};

static void case_shapes(void)
{
    struct attack_pair pair;
    struct saddle_event event;
    uint64_t key;

    attack_join(&pair);
    key = attack_expose(&pair.b, SADDLE_RIGHT_READ | SADDLE_RIGHT_ATOMIC, 0);
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        struct saddle_command *command = raw_command(&pair.a);

        command->op = shapes[i].op;
        command->flags = shapes[i].flags;
        command->handle = pair.handles[0];
        command->key = key;
        command->buf = pair.a.reply.heap_offset;
        command->len = shapes[i].len;
        command->remote_offset = shapes[i].remote_offset;
        memcpy(command->payload, shapes[i].payload, sizeof(shapes[i].payload));
        if (raw_call(&pair.a, &event) != -EINVAL)
            raw_die("shape %zu: %d", i, event.status);
    }
    attack_want("nop", raw_nop(&pair.a), 0);
    attack_leave(&pair);
}

/* Pieces that lie anywhere, and a list of them that does. */
static void case_pieces(void)
{
    struct attack_pair pair;
    struct saddle_event event;

    attack_join(&pair);
    struct saddle_gather *array =
        (struct saddle_gather *)(void *)(pair.a.arena + pair.a.reply.heap_offset);
    for (size_t i = 0; i < 2 * sizeof(places) / sizeof(places[0]); i++) {
        const struct place *place = &places[i / 2];
        struct saddle_command *command = raw_command(&pair.a);
        uint64_t at = place->buf + (place->in_heap ? pair.a.reply.heap_offset : 0);
        bool list = i % 2;

        array[0] = (struct saddle_gather){.offset = pair.a.reply.heap_offset, .len = 1};
        array[1] = (struct saddle_gather){.offset = at, .len = place->len};
        command->op = i % 3 ? SADDLE_CMD_SEND : SADDLE_CMD_WRITE;
        command->flags = SADDLE_ENTRY_GATHER;
        command->handle = pair.handles[0];
        command->buf = list ? at : pair.a.reply.heap_offset;
        command->slot = list ? place->len : 2;
        command->len = place->len + 1;
        if (raw_call(&pair.a, &event) != -EINVAL)
            raw_die("piece %zu: %d", i, event.status);
    }
    attack_want("nop", raw_nop(&pair.a), 0);
    attack_leave(&pair);
}

/* Of nothing, again and again, among operations that stay. */
static void case_cancels(void)
{
    struct attack_pair pair;
    struct saddle_command *command;
    struct saddle_event event;

    attack_join(&pair);
    for (uint32_t i = 0; i < RAW_ENTRIES / 2; i++) {
        command = raw_command(&pair.a);
        command->op = SADDLE_CMD_POST_RECV;
        command->handle = pair.handles[0];
        command->buf = pair.a.reply.heap_offset;
        command->len = ATTACK_LARGE;
        command->tag = 1;
        raw_publish(&pair.a);
    }
    for (uint64_t i = 0; i < ATTACK_STORM; i++) {
        command = raw_command(&pair.a);
        command->op = SADDLE_CMD_CANCEL;
        command->key = i + UINT32_MAX;
        attack_want("cancel of nothing", raw_call(&pair.a, &event), 0);
        attack_want("found", (int)event.value, 0);
    }
    attack_leave(&pair);
}

/* Handles of nobody, of yesterday and of somebody else. */
static void case_handles(void)
{
    static const uint8_t ops[] = {SADDLE_CMD_ACCEPT,       SADDLE_CMD_REJECT,
                                  SADDLE_CMD_CLOSE,        SADDLE_CMD_SEND,
                                  SADDLE_CMD_READ,         SADDLE_CMD_WRITE,
                                  SADDLE_CMD_POST_RECV,    SADDLE_CMD_READ_INDIRECT,
                                  SADDLE_CMD_COMPARE_SWAP, SADDLE_CMD_FETCH_ADD};
    struct attack_pair pair;
    struct raw other;
    struct saddle_event event;
    struct saddle_command *command;
    uint64_t state = ATTACK_SEED;
    uint32_t wrong[16] = {0, 1, UINT32_MAX, 1u << 31, UINT16_MAX};

    attack_join(&pair);
    raw_attach(&other, attack_path, "alpha");
    wrong[5] = raw_listen(&other, ATTACK_SERVICE "-other");
    raw_join(&other, &pair.b, "beta", ATTACK_SERVICE, &wrong[6]); /* and the one after it */
    command = raw_command(&pair.a);
    command->op = SADDLE_CMD_CLOSE;
    command->handle = wrong[8] = pair.handles[0];
    attack_want("close", raw_call(&pair.a, &event), 0);
    for (size_t i = 9; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        wrong[i] = (uint32_t)attack_random(&state);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        for (size_t j = 0; j < sizeof(ops); j++) {
            command = raw_command(&pair.a);
            command->op = ops[j];
            command->handle = wrong[i];
            command->buf = pair.a.reply.heap_offset;
            command->len = 100;
            if (raw_call(&pair.a, &event) != -EBADF && event.status != -ENOTCONN)
                raw_die("op %u, handle %#x: %d", ops[j], wrong[i], event.status);
        }
    }
    attack_want("nop of the other session", raw_nop(&other), 0);
    raw_leave(&other);
    attack_leave(&pair);
}

static int one_sided(struct attack_pair *pair, uint8_t op, uint64_t key, uint64_t remote_offset)
{
    struct saddle_command *command = raw_command(&pair->a);
    struct saddle_event event;

    command->op = op;
    command->handle = pair->handles[0];
    command->key = key;
    command->remote_offset = remote_offset;
    command->buf = pair->a.reply.heap_offset;
    command->len = 100;
    return raw_call(&pair->a, &event);
}

static void case_regions(void)
{
    static const uint64_t outside[] = {RAW_HEAP / 4 - 99, RAW_HEAP / 4,    1ull << 32,
                                       1ull << 63,        UINT64_MAX - 99, UINT64_MAX};
    struct attack_pair pair;
    uint64_t key, state = ATTACK_SEED;

    attack_join(&pair);
    key = attack_expose(&pair.b, SADDLE_RIGHT_READ, 0);
    attack_expose(&pair.b, 0, -EINVAL);
    attack_expose(&pair.b, 8, -EINVAL);
    attack_expose(&pair.b, UINT64_MAX, -EINVAL);
    attack_want("read", one_sided(&pair, SADDLE_CMD_READ, key, RAW_HEAP / 4 - 100), 0);
    attack_want("write without right", one_sided(&pair, SADDLE_CMD_WRITE, key, 0), -EACCES);
    for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
        attack_want("read outside", one_sided(&pair, SADDLE_CMD_READ, key, outside[i]), -ERANGE);
    for (int i = 0; i < 100; i++)
        attack_want("read by a guess", one_sided(&pair, SADDLE_CMD_READ, attack_random(&state), 0),
                    -EACCES);
    /* Keys that differ from the real one in one bit. */
    for (int bit = 0; bit < 64; bit++)
        attack_want("read by a neighbour", one_sided(&pair, SADDLE_CMD_READ, key ^ 1ull << bit, 0),
                    -EACCES);
    attack_leave(&pair);
}

/* A message whose slot is given back twice. */
static void case_release_twice(void)
{
    struct attack_pair pair;
    struct saddle_event event, done;
    struct saddle_command *command;

    attack_join(&pair);
    command = raw_command(&pair.a);
    command->op = SADDLE_CMD_SEND;
    command->handle = pair.handles[0];
    command->buf = pair.a.reply.heap_offset;
    command->len = ATTACK_SMALL;
    attack_want("send", raw_call(&pair.a, &done), 0);
    attack_want("receive", raw_event(&pair.b, &event), 0);
    if (event.type != SADDLE_EVT_MESSAGE || !(event.flags & SADDLE_ENTRY_SLOT))
        raw_die("no message in a slot");
    for (int i = 0; i < 2; i++) {
        command = raw_command(&pair.b);
        command->op = SADDLE_CMD_RELEASE;
        command->slot = event.slot;
        raw_publish(&pair.b);
    }
    attack_want_closed(&pair.b);
    /* The innocent end hears of it. */
    attack_want("news", raw_event(&pair.a, &event), 0);
    attack_want("kind of news", event.type, SADDLE_EVT_CLOSED);
    attack_leave(&pair);
}

const struct attack attacks_on_commands[] = {
    {"op", case_op},
    {"flags", case_flags},
    {"reserved", case_reserved},
    {"inline-length", case_inline_length},
    {"release-not-lent", case_release_not_lent},
    {"places", case_places},
    {"texts", case_texts},
    {"version", case_version},
    {"pings", case_pings},
    {"shapes", case_shapes},
    {"pieces", case_pieces},
    {"cancels", case_cancels},
    {"handles", case_handles},
    {"regions", case_regions},
    {"release-twice", case_release_twice},
    {NULL, NULL},
};
