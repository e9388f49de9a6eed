/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The operation layer against a peer that writes arbitrary operations.
 *
 * Input: packets, each two bytes of length (big-endian) and that many bytes of operations. So that
 * most of them get past the first look, a connection number below 8 stands for one that exists, and
 * checksums of payloads are made right unless the operation's `reserved` field says 0xffff. A
 * region key of all ones in a request stands for that of a region which is also a table.
 *
 * Whatever arrives, the engine's tables add up, and no session is closed for what its peer did.
 */
#include "engines/pony/packet.h"
#include "engines/pony/payload.h"
#include "engines/pony/wire_bytes.h"
#include "tests/unit/engines/pony/rig.h"

#include <stdlib.h>

#include <saddle/saddle.h>

#define PACKETS_MAX 64u
#define KEEP_CRC    0xffffu

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct target {
    struct rig *rig;
    uint32_t numbers[4];
    uint64_t key;
};

/* Entries of a table, as the server could have made them: some good, some not. */
static void fill_table(struct app *app, uint64_t key)
{
    for (uint32_t i = 0; i < 64; i++) {
        const struct saddle_match entry = {
            .match = i,
            .pointer = {.key = i % 5 ? key : i, .offset = i * 1000, .length = i * i * 40}};
        memcpy(app_heap(app, i * sizeof(entry)), &entry, sizeof(entry));
    }
}

static uint64_t expose(struct rig *rig, struct app *app)
{
    const struct saddle_command command = {
        .op = SADDLE_CMD_EXPOSE,
        .buf = app->config.heap_offset,
        .len = 65536,
        .key = SADDLE_RIGHT_READ | SADDLE_RIGHT_WRITE | SADDLE_RIGHT_ATOMIC,
        .tag = 7,
    };

    app_submit(app, &command);
    rig_settle(rig);
    return app_done(app, 7)->value;
}

/* The server's own questions, whose answers a peer may make up. */
static void ask(struct app *app, uint32_t handle, uint8_t op)
{
    static const uint32_t payloads[] = {64, 64, sizeof(struct saddle_scan), 16, 8};
    const struct saddle_scan scan = {.match = 1, .entries = 10, .bytes = 1000};
    struct saddle_command command = {
        .op = op,
        .flags = op == SADDLE_CMD_READ_INDIRECT ? 0 : SADDLE_ENTRY_INLINE,
        .handle = handle,
        .buf = app->config.heap_offset,
        .len = payloads[op - SADDLE_CMD_READ_INDIRECT],
        .remote_offset = 1000,
        .tag = 70u + op,
    };

    if (op == SADDLE_CMD_SCAN_READ)
        memcpy(command.payload, &scan, sizeof(scan));
    app_submit(app, &command);
}

/* A server with an open connection, a caller that waits, a call of its own, posted buffers, a
 * region, and messages in both directions. */
static void prepare(struct target *target)
{
    struct rig *rig = rig_create(1, APP_SLOTS);
    struct app *server = rig->apps[0], *client = rig->apps[1];
    uint32_t incoming, outgoing;

    target->rig = rig;
    rig_pair(rig, server, client, &incoming, &outgoing);
    target->key = expose(rig, server);
    fill_table(server, target->key);
    const struct saddle_command post = {
        .op = SADDLE_CMD_POST_RECV,
        .handle = incoming,
        .buf = server->config.heap_offset,
        .len = 100000,
        .tag = 60,
    };
    app_submit(server, &post);
    app_connect(client, "echo", 61);
    app_connect(server, "none", 62);
    app_send(server, incoming, 0, 0, 100, 63);
    app_send(server, incoming, 1, 0, 100000, 64);
    for (uint8_t op = SADDLE_CMD_READ_INDIRECT; op <= SADDLE_CMD_FETCH_ADD; op++)
        ask(server, incoming, op);
    for (uint32_t i = 0; i < 3; i++)
        rig_step(rig);
    target->numbers[0] = incoming;
    target->numbers[1] = incoming + 1;
    target->numbers[2] = incoming + 2;
    target->numbers[3] = incoming + 0x10000;
}

/* Makes a packet plausible. */
static void mend(const struct target *target, uint8_t *ops, uint32_t bytes)
{
    const uint8_t *payload;
    struct wire_op op;
    uint32_t at = 0;

    while (wire_op_next(ops, bytes, &at, &op, &payload)) {
        uint8_t *header = ops + (payload - ops) - WIRE_OP_BYTES;
        if (op.connection < 8)
            op.connection = target->numbers[op.connection % 4];
        if (payload_is_request(&op) && op.length >= sizeof(uint64_t) &&
            get64(payload) == UINT64_MAX)
            put64(ops + (payload - ops), target->key);
        if (op.reserved != KEEP_CRC && op.length)
            op.payload_crc = crc32c_update(CRC32C_START, payload, op.length);
        wire_op_encode(&op, header);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct target target;
    size_t at = 0;

    prepare(&target);
    struct rig_host *host = &target.rig->hosts[0];
    for (uint32_t i = 0; i < PACKETS_MAX && size - at > 2; i++) {
        uint32_t bytes = (uint32_t)data[at] << 8 | data[at + 1];
        uint8_t ops[RIG_ROOM];
        at += 2;
        if (bytes > size - at)
            bytes = (uint32_t)(size - at);
        if (bytes > RIG_ROOM)
            bytes = RIG_ROOM;
        memcpy(ops, data + at, bytes);
        at += bytes;
        mend(&target, ops, bytes);
        if (upper_flow_ops.admit(&host->upper, &host->flow, ops, bytes))
            upper_flow_ops.deliver(&host->upper, &host->flow, ops, bytes, target.rig->now);
        rig_step(target.rig);
    }
    for (uint32_t i = 0; i < 8; i++)
        rig_step(target.rig);
    rig_check(target.rig);
    if (pony_session_error(target.rig->apps[0]->session))
        abort();
    rig_reload(target.rig, 0);
    rig_check(target.rig);
    rig_destroy(target.rig);
    return 0;
}
