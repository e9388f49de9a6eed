/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/gateway/core.h"

#include "control/link.h"

#include <errno.h>
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/compression.h>
#include <grpc/grpc.h>
#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAITING      16u    /* calls that may begin at once */
#define KEEPALIVE_MS 60000  /* a client that has gone without a word is noticed after this */
#define IDLE_MS      300000 /* a connection without calls makes room for others after this */
#define PEER_FD      "fd:"  /* what the core calls a connection that it was given */

enum what {
    WHAT_BEGUN,
    WHAT_RECEIVED,
    WHAT_SENT,
    WHAT_ENDED,
    WHAT_CLOSED,
    WHAT_COUNT,
};

/* What the core hands back when an operation is over. */
struct tag {
    struct core_call *call;
    enum what what;
};

struct core_call {
    struct core *core;
    struct core_call *next, **back; /* of all */
    struct tag tags[WHAT_COUNT];
    grpc_call *call;
    grpc_call_details details;
    grpc_metadata_array metadata;
    grpc_byte_buffer *request;
    void *context;
    int cancelled;
    uint32_t under_way; /* operations that the core has not handed back */
    bool greeted;       /* initial metadata has been sent */
};

struct core {
    const struct core_handlers *handlers;
    void *gateway;
    grpc_completion_queue *queue;
    grpc_server *server;
    grpc_server_credentials *credentials;
    struct core_call *calls;
};

static void start(struct core_call *call, grpc_op *ops, size_t count, enum what what)
{
    if (grpc_call_start_batch(call->call, ops, count, &call->tags[what], NULL) == GRPC_CALL_OK)
        call->under_way++;
}

void core_call_free(struct core_call *call)
{
    if (call->request)
        grpc_byte_buffer_destroy(call->request);
    grpc_call_details_destroy(&call->details);
    grpc_metadata_array_destroy(&call->metadata);
    if (call->call)
        grpc_call_unref(call->call);
    *call->back = call->next;
    if (call->next)
        call->next->back = call->back;
    free(call);
}

bool core_call_busy(const struct core_call *call)
{
    return call->under_way > 0;
}

/* Asks the core for one more call. */
static void await_call(struct core *core)
{
    struct core_call *call = calloc(1, sizeof(*call));

    /* Without it no call would ever begin again; the daemon starts another process. */
    if (!call)
        abort();
    call->core = core;
    for (int i = 0; i < WHAT_COUNT; i++)
        call->tags[i] = (struct tag){call, (enum what)i};
    grpc_call_details_init(&call->details);
    grpc_metadata_array_init(&call->metadata);
    call->next = core->calls;
    call->back = &core->calls;
    if (call->next)
        call->next->back = &call->next;
    core->calls = call;
    if (grpc_server_request_call(core->server, &call->call, &call->details, &call->metadata,
                                 core->queue, core->queue, &call->tags[WHAT_BEGUN]) != GRPC_CALL_OK)
        abort();
}

/* The first operation toward the client carries the initial metadata. */
static size_t greet(struct core_call *call, grpc_op *ops)
{
    if (call->greeted)
        return 0;
    call->greeted = true;
    ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
    return 1;
}

void core_call_receive(struct core_call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->request};

    start(call, &op, 1, WHAT_RECEIVED);
}

void core_call_send(struct core_call *call, const uint8_t *bytes, size_t length)
{
    grpc_op ops[2] = {0};
    size_t count = greet(call, ops);
    grpc_slice slice = grpc_slice_from_copied_buffer((const char *)bytes, length);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);

    ops[count].op = GRPC_OP_SEND_MESSAGE;
    ops[count++].data.send_message.send_message = buffer;
    start(call, ops, count, WHAT_SENT);
    grpc_byte_buffer_destroy(buffer);
    grpc_slice_unref(slice);
}

void core_call_end(struct core_call *call, int status, const char *text)
{
    grpc_op ops[2] = {0};
    size_t count = greet(call, ops);
    grpc_slice details = grpc_slice_from_copied_string(text);

    ops[count].op = GRPC_OP_SEND_STATUS_FROM_SERVER;
    ops[count].data.send_status_from_server.status = (grpc_status_code)status;
    ops[count++].data.send_status_from_server.status_details = &details;
    start(call, ops, count, WHAT_ENDED);
    grpc_slice_unref(details);
}

/* ---- What the core hands back ---- */

static int connection_of(const struct core_call *call)
{
    char *peer = grpc_call_get_peer(call->call);
    int fd = -1;

    if (peer && !strncmp(peer, PEER_FD, strlen(PEER_FD)))
        fd = (int)strtol(peer + strlen(PEER_FD), NULL, 10);
    gpr_free(peer);
    return fd;
}

/* The method without its first slash, or NULL if the link does not carry such a name. */
static char *method_of(const struct core_call *call)
{
    const uint8_t *path = GRPC_SLICE_START_PTR(call->details.method);
    size_t length = GRPC_SLICE_LENGTH(call->details.method);

    if (length == 0 || path[0] != '/' || !link_is_method(path + 1, length - 1))
        return NULL;
    return strndup((const char *)path + 1, length - 1);
}

static void begun(struct core_call *call)
{
    struct core *core = call->core;
    grpc_op close = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER,
                     .data.recv_close_on_server.cancelled = &call->cancelled};
    struct core_refusal refusal = {GRPC_STATUS_UNIMPLEMENTED, "there is no such method"};
    char *method = method_of(call);

    await_call(core);
    start(call, &close, 1, WHAT_CLOSED);
    if (method)
        call->context =
            core->handlers->begun(core->gateway, call, method, connection_of(call), &refusal);
    if (!call->context)
        core_call_end(call, refusal.status, refusal.text);
    free(method);
}

/* A client that vanishes leaves no message, whatever the core says of the operation. */
static void received(struct core_call *call, bool good)
{
    struct core *core = call->core;
    grpc_byte_buffer *request = call->request;
    grpc_byte_buffer_reader reader;

    call->request = NULL;
    /* What is compressed may be anything when it is not; it is not unpacked here, nor wanted. */
    good = good && request && request->data.raw.compression == GRPC_COMPRESS_NONE;
    if (!good || !grpc_byte_buffer_reader_init(&reader, request)) {
        core->handlers->received(core->gateway, call->context, NULL, 0);
    } else {
        grpc_slice whole = grpc_byte_buffer_reader_readall(&reader);

        core->handlers->received(core->gateway, call->context, GRPC_SLICE_START_PTR(whole),
                                 GRPC_SLICE_LENGTH(whole));
        grpc_slice_unref(whole);
        grpc_byte_buffer_reader_destroy(&reader);
    }
    if (request)
        grpc_byte_buffer_destroy(request);
}

static void handed_back(struct core_call *call, enum what what, bool good)
{
    struct core *core = call->core;

    call->under_way--;
    if (call->context && what == WHAT_RECEIVED)
        received(call, good);
    else if (call->context && what == WHAT_SENT)
        core->handlers->sent(core->gateway, call->context);
    else if (call->context && what == WHAT_CLOSED)
        core->handlers->closed(core->gateway, call->context, call->cancelled != 0);
    if (call->under_way > 0)
        return;
    if (call->context)
        core->handlers->idle(core->gateway, call->context);
    else
        core_call_free(call);
}

/* With the user's lock. */
static void dispatch(const struct tag *tag, bool good)
{
    if (tag->what != WHAT_BEGUN)
        handed_back(tag->call, tag->what, good);
    else if (good)
        begun(tag->call);
    else
        core_call_free(tag->call);
}

void core_run(struct core *core)
{
    core->handlers->lock(core->gateway);
    for (uint32_t i = 0; i < WAITING; i++)
        await_call(core);
    core->handlers->unlock(core->gateway);
    for (;;) {
        grpc_event event =
            grpc_completion_queue_next(core->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);

        core->handlers->lock(core->gateway);
        dispatch(event.tag, event.success != 0);
        core->handlers->unlock(core->gateway);
    }
}

/* ---- Life ---- */

static grpc_arg number(const char *key, int value)
{
    return (
        grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)key, .value.integer = value};
}

int core_create(struct core **core, const struct core_handlers *handlers, void *gateway)
{
    grpc_arg list[] = {
        number(GRPC_ARG_MAX_CONCURRENT_STREAMS, CORE_STREAMS_MAX),
        number(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, LINK_REQUEST_MAX),
        /* A compressed message is as large as its sender likes, once it is not compressed. */
        number(GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1 << GRPC_COMPRESS_NONE),
        number(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0),
        number(GRPC_ARG_MAX_METADATA_SIZE, CORE_METADATA_MAX),
        number(GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS),
        number(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        number(GRPC_ARG_MAX_CONNECTION_IDLE_MS, IDLE_MS),
        {.type = GRPC_ARG_POINTER, .key = (char *)(uintptr_t)GRPC_ARG_RESOURCE_QUOTA},
    };
    const size_t count = sizeof(list) / sizeof(list[0]);
    grpc_resource_quota *quota;
    grpc_channel_args args = {count, list};
    struct core *made = calloc(1, sizeof(*made));

    if (!made)
        return -ENOMEM;
    /* Strangers could make it complain without end. */
    setenv("GRPC_VERBOSITY", "NONE", 0);
    grpc_init();
    quota = grpc_resource_quota_create(NULL);
    grpc_resource_quota_resize(quota, CORE_MEMORY_MAX);
    list[count - 1].value.pointer.p = quota;
    list[count - 1].value.pointer.vtable = grpc_resource_quota_arg_vtable();
    made->handlers = handlers;
    made->gateway = gateway;
    made->queue = grpc_completion_queue_create_for_next(NULL);
    made->credentials = grpc_insecure_server_credentials_create();
    made->server = grpc_server_create(&args, NULL);
    grpc_server_register_completion_queue(made->server, made->queue, NULL);
    grpc_server_start(made->server);
    grpc_resource_quota_unref(quota);
    *core = made;
    return 0;
}

void core_connect(struct core *core, int fd)
{
    grpc_server_add_channel_from_fd(core->server, fd, core->credentials);
}
