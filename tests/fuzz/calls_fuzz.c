/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What saddle-control could send: datagrams, each after a byte with its kind and flags, one with
 * its call, and two with its length; RAW leaves the whole datagram to the input. A daemon's calls
 * take them: reflection as it is, and methods that answer with what they were asked.
 *
 * Whatever comes, a call that was begun ends once, answers are whole frames, and a link that broke
 * a rule is followed by one that works.
 */
#include "control/module.h"
#include "saddle_v1_sessions.pb-c.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define KIND_MASK  0x3fu /* of the first byte; what is above it are flags */
#define FLAG_SHIFT 6
#define RAW        0x3fu
#define CALLS      8u /* that the input reaches */
#define ROUNDS_MAX 64 /* of work for one datagram: it ends earlier */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct module_world world;
static struct link far;
static uint64_t kept, gone;

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void echo(void *module, struct rpc_call *call, const ProtobufCMessage *request)
{
    (void)module;
    rpc_answer(call, request);
}

/* Several answers, and it stays. */
static void keep(void *module, struct rpc_call *call, const ProtobufCMessage *request)
{
    (void)module;
    kept++;
    for (uint32_t i = 0; i < 2 * LINK_CREDITS; i++)
        rpc_send(call, request);
}

static void leave(void *module, struct rpc_call *call)
{
    (void)module;
    (void)call;
    gone++;
}

static const struct rpc_method methods[] = {
    {.name = "fuzz/Echo",
     .request = &saddle__v1__list_sessions_request__descriptor,
     .handle = echo},
    {.name = "fuzz/Close",
     .role = LINK_ROLE_OPERATE,
     .request = &saddle__v1__close_session_request__descriptor,
     .handle = echo},
    {.name = "fuzz/Keep",
     .request = &saddle__v1__session__descriptor,
     .handle = keep,
     .stream = true,
     .gone = leave},
};

static void attach(void)
{
    struct link ends[2];

    require(!link_pair(ends));
    rpc_attach(world.rpc, ends[0]);
    link_close(&far);
    far = ends[1];
}

static void start(void)
{
    static struct rpc_service services[2];

    if (world.rpc)
        return;
    far.fd = -1;
    services[0].methods = methods;
    services[0].method_count = sizeof(methods) / sizeof(methods[0]);
    services[1].methods = module_reflection.methods;
    services[1].method_count = module_reflection.method_count;
    require(!module_reflection.create(&world, &services[1].module));
    require(!rpc_create(&world.rpc, services, 2));
}

/* Takes what the daemon has sent. */
static void read_answers(void)
{
    static uint8_t body[LINK_BODY_MAX];
    struct link_frame frame;

    while (!link_receive(&far, &frame, body))
        require(frame.kind == LINK_MESSAGE || frame.kind == LINK_END);
}

static void put(const void *datagram, size_t bytes)
{
    int error = 0;

    if (send(far.fd, datagram, bytes, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        return;
    for (int i = 0; i < ROUNDS_MAX && !error; i++) {
        error = rpc_work(world.rpc);
        read_answers();
    }
    require(!error || error == -EPROTO || error == -EPIPE);
    if (error) {
        rpc_detach(world.rpc);
        attach();
    }
}

/* The next datagram of the input; returns how many bytes of it were used, 0 at its end. */
static size_t next(const uint8_t *data, size_t size)
{
    static uint8_t datagram[sizeof(struct link_frame) + UINT16_MAX];
    struct link_frame frame = {0};
    uint16_t length;

    if (size < 4)
        return 0;
    memcpy(&length, data + 2, sizeof(length));
    if (length > size - 4)
        length = (uint16_t)(size - 4);
    if ((data[0] & KIND_MASK) == RAW) {
        put(data + 4, length);
        return 4u + length;
    }
    frame.kind = data[0] & KIND_MASK;
    frame.flags = data[0] >> FLAG_SHIFT;
    frame.call = data[1] % CALLS;
    frame.length = length;
    memcpy(datagram, &frame, sizeof(frame));
    memcpy(datagram + sizeof(frame), data + 4, length);
    put(datagram, sizeof(frame) + length);
    return 4u + length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rpc_stats stats;
    size_t used;

    start();
    kept = gone = 0;
    attach();
    while ((used = next(data, size)) > 0) {
        data += used;
        size -= used;
    }
    rpc_detach(world.rpc);
    rpc_stats(world.rpc, &stats);
    require(stats.open == 0 && gone == kept);
    return 0;
}
