/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The operation layer against a peer that writes arbitrary operations.
 *
 * Input: packets, each two bytes of length (big-endian) and that many bytes of operations. So that
 * most of them get past the first look, a connection number below 8 stands for one that exists, and
 * checksums of payloads are made right unless the operation's `reserved` field says 0xffff.
 *
 * Whatever arrives, the engine's tables add up, and no session is closed for what its peer did.
 */
#include "engines/pony/packet.h"
#include "tests/unit/engines/pony/rig.h"

#include <stdlib.h>

#define PACKETS_MAX 64u
#define KEEP_CRC    0xffffu

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct target {
    struct rig *rig;
    uint32_t numbers[4];
};

static uint64_t expose(struct rig *rig, struct app *app)
{
    const struct saddle_command command = {
        .op = SADDLE_CMD_EXPOSE,
        .buf = app->config.heap_offset,
        .len = 65536,
        .key = SADDLE_RIGHT_READ | SADDLE_RIGHT_WRITE,
        .tag = 7,
    };

    app_submit(app, &command);
    rig_settle(rig);
    return app_done(app, 7)->value;
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
    expose(rig, server);
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
