/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/rpc.h"

#include "control/rpc_wire.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_PER_WORK  64u         /* each way: signals and applications wait meanwhile */
#define REQUESTS_MAX     (16u << 20) /* bytes of requests not arrived whole, of all calls */
#define ANSWERS_MAX      (16u << 20) /* bytes of answers that wait, of all calls */
#define REQUEST_STEP_MIN 512u        /* bytes: most requests are smaller */

/* A packed answer that waits to be sent. */
struct answer {
    struct answer *next;
    uint32_t length, sent;
    bool begun; /* its first piece is under way, and has taken the credit */
    uint8_t bytes[];
};

struct rpc_call {
    struct rpc *rpc;
    uint32_t number;
    bool ended;  /* END follows the answers that wait */
    bool called; /* the handler has it */
    bool finished;
    const struct rpc_method *method;
    void *module;
    struct link_caller caller;
    uint8_t *request; /* as far as it has arrived */
    uint32_t request_bytes, request_room;
    bool whole; /* one message has arrived */
    struct answer *first, **last;
    size_t queued; /* bytes */
    uint32_t credits;
    enum rpc_status status;
    char text[LINK_TEXT_MAX];
};

struct rpc {
    struct link link;
    const struct rpc_service *services;
    uint32_t service_count;
    struct rpc_call *calls[LINK_CALLS_MAX];
    uint32_t turn;        /* the call that sends next */
    size_t request_bytes; /* of all calls */
    size_t answer_bytes;  /* likewise */
    struct rpc_stats stats;
    uint8_t body[LINK_BODY_MAX];
};

static void drop_answers(struct rpc_call *call)
{
    while (call->first) {
        struct answer *answer = call->first;

        call->first = answer->next;
        call->rpc->answer_bytes -= answer->length;
        free(answer);
    }
    call->last = &call->first;
    call->queued = 0;
}

static void drop_request(struct rpc_call *call)
{
    call->rpc->request_bytes -= call->request_room;
    free(call->request);
    call->request = NULL;
    call->request_bytes = call->request_room = 0;
}

static void call_free(struct rpc_call *call)
{
    drop_answers(call);
    drop_request(call);
    call->rpc->calls[call->number] = NULL;
    call->rpc->stats.open--;
    free(call);
}

static void set_end(struct rpc_call *call, enum rpc_status status, const char *format, va_list args)
{
    call->ended = true;
    call->status = status;
    call->text[0] = '\0';
    if (format)
        vsnprintf(call->text, sizeof(call->text), format, args);
    drop_request(call);
}

void rpc_end(struct rpc_call *call, enum rpc_status status, const char *format, ...)
{
    va_list args;

    if (call->ended)
        return;
    va_start(args, format);
    set_end(call, status, format, args);
    va_end(args);
    call->rpc->stats.failed += status != RPC_OK && status != RPC_CANCELLED;
}

/* The client is not there any more: so is the handler told that keeps the call. */
static void tell_gone(struct rpc_call *call)
{
    if (!call->ended && call->called && call->method->gone)
        call->method->gone(call->module, call);
}

/* For what the client sent; a handler that keeps the call does not any more. */
static void __attribute__((format(printf, 3, 4)))
refuse(struct rpc_call *call, enum rpc_status status, const char *format, ...)
{
    va_list args;

    tell_gone(call);
    if (call->ended)
        return;
    va_start(args, format);
    set_end(call, status, format, args);
    va_end(args);
    call->rpc->stats.refused++;
}

static const struct rpc_method *find_method(const struct rpc *rpc, const char *name, void **module)
{
    for (uint32_t i = 0; i < rpc->service_count; i++) {
        const struct rpc_service *service = &rpc->services[i];

        for (uint32_t j = 0; j < service->method_count; j++) {
            if (strcmp(service->methods[j].name, name) != 0)
                continue;
            *module = service->module;
            return &service->methods[j];
        }
    }
    return NULL;
}

static const char *role_name(uint32_t role)
{
    return role == LINK_ROLE_OPERATE ? "operate" : "observe";
}

/* ---- Requests ---- */

static int begin(struct rpc *rpc, const struct link_frame *frame)
{
    char name[LINK_METHOD_MAX + 1];
    struct link_caller caller;
    struct rpc_call *call;

    if (rpc->calls[frame->call] || link_read_call(frame, rpc->body, &caller, name))
        return -EPROTO;
    call = calloc(1, sizeof(*call));
    if (!call)
        return -ENOMEM;
    call->rpc = rpc;
    call->number = frame->call;
    call->caller = caller;
    call->credits = LINK_CREDITS;
    call->last = &call->first;
    call->method = find_method(rpc, name, &call->module);
    rpc->calls[frame->call] = call;
    rpc->stats.open++;
    rpc->stats.calls++;
    if (!call->method)
        refuse(call, RPC_UNIMPLEMENTED, "there is no method %s", name);
    else if (caller.role < call->method->role)
        refuse(call, RPC_PERMISSION_DENIED, "%s takes the role \"%s\", and yours is \"%s\"", name,
               role_name(call->method->role), role_name(caller.role));
    return 0;
}

/* Of room that all calls share: what this one may find taken. */
static size_t share(const struct rpc_call *call, size_t room)
{
    return call->caller.role == LINK_ROLE_OPERATE ? room : room / 2;
}

static bool request_grow(struct rpc_call *call, uint32_t bytes)
{
    struct rpc *rpc = call->rpc;
    uint32_t room = call->request_room ? call->request_room : REQUEST_STEP_MIN;
    uint8_t *grown;

    while (room < bytes)
        room *= 2;
    if (room == call->request_room)
        return true;
    /* Small ones always find room, as there are LINK_CALLS_MAX at most; and those who may only look
     * leave some for large ones of operators. */
    if (room > REQUEST_STEP_MIN &&
        rpc->request_bytes - call->request_room + room > share(call, REQUESTS_MAX))
        return false;
    grown = realloc(call->request, room);
    if (!grown)
        return false;
    rpc->request_bytes += room - call->request_room;
    call->request = grown;
    call->request_room = room;
    return true;
}

static void handle(struct rpc_call *call)
{
    char fault[RPC_WIRE_FAULT_BYTES];
    ProtobufCMessage *message = NULL;

    if (call->method->request && rpc_wire_unpack(call->method->request, call->request,
                                                 call->request_bytes, &message, fault)) {
        refuse(call, RPC_INVALID_ARGUMENT, "%s: %s", call->method->name, fault);
        return;
    }
    call->called = true;
    call->method->handle(call->module, call, message);
    if (message)
        protobuf_c_message_free_unpacked(message, NULL);
    drop_request(call);
}

static void take_piece(struct rpc_call *call, const struct link_frame *frame)
{
    bool overdue = call->whole && !call->method->converse;

    if (call->finished || overdue) {
        refuse(call, RPC_INVALID_ARGUMENT, "%s takes one request", call->method->name);
        return;
    }
    if (frame->length > LINK_REQUEST_MAX - call->request_bytes) {
        refuse(call, RPC_RESOURCE_EXHAUSTED, "%s: a request has at most %u bytes",
               call->method->name, LINK_REQUEST_MAX);
        return;
    }
    if (!request_grow(call, call->request_bytes + frame->length)) {
        refuse(call, RPC_RESOURCE_EXHAUSTED, "%s: too many large requests at a time",
               call->method->name);
        return;
    }
    memcpy(call->request + call->request_bytes, call->rpc->body, frame->length);
    call->request_bytes += frame->length;
    if (frame->flags & LINK_MORE)
        return;
    call->whole = true;
    if (call->method->converse)
        handle(call);
}

static void finish(struct rpc_call *call)
{
    if (call->finished)
        return;
    call->finished = true;
    if (!call->method->converse) {
        if (call->whole)
            handle(call);
        else
            refuse(call, RPC_INVALID_ARGUMENT, "%s takes a request", call->method->name);
        return;
    }
    if (call->method->finished)
        call->method->finished(call->module, call);
    else
        rpc_end(call, RPC_OK, NULL);
}

static void cancel(struct rpc_call *call)
{
    call->rpc->stats.cancelled++;
    tell_gone(call);
    drop_answers(call);
    rpc_end(call, RPC_CANCELLED, "cancelled");
}

static void take_refusals(struct rpc *rpc)
{
    struct link_refusals refusals;

    memcpy(&refusals, rpc->body, sizeof(refusals));
    for (uint32_t i = 0; i < LINK_REFUSAL_COUNT; i++)
        rpc->stats.turned_away[i] += refusals.count[i];
}

static int take_frame(struct rpc *rpc, const struct link_frame *frame)
{
    struct rpc_call *call = rpc->calls[frame->call];

    if (frame->kind == LINK_CALL)
        return begin(rpc, frame);
    if (frame->kind == LINK_REFUSED) {
        take_refusals(rpc);
        return 0;
    }
    if (frame->kind == LINK_END)
        return -EPROTO; /* ours to send */
    /* Of a call that has ended here something may still be under way. */
    if (!call)
        return 0;
    if (frame->kind == LINK_CREDIT) {
        if (call->credits >= LINK_CREDITS)
            return -EPROTO;
        call->credits++;
        return 0;
    }
    if (call->ended) {
        if (frame->kind == LINK_CANCEL)
            drop_answers(call);
        return 0;
    }
    if (frame->kind == LINK_MESSAGE)
        take_piece(call, frame);
    else if (frame->kind == LINK_FINISHED)
        finish(call);
    else
        cancel(call);
    return 0;
}

/* ---- Answers ---- */

static int queue_bytes(struct rpc_call *call, const ProtobufCMessage *message, const void *bytes,
                       size_t length)
{
    struct answer *answer;

    if (call->ended)
        return -EAGAIN;
    /* Answers of streams wait for their clients; others leave at once, and find room. */
    if (call->rpc->answer_bytes + length >
        (call->method->stream ? share(call, ANSWERS_MAX) : ANSWERS_MAX))
        return -ENOMEM;
    answer = malloc(sizeof(*answer) + length);
    if (!answer)
        return -ENOMEM;
    *answer = (struct answer){.length = (uint32_t)length};
    if (message)
        protobuf_c_message_pack(message, answer->bytes);
    else if (bytes)
        memcpy(answer->bytes, bytes, length);
    *call->last = answer;
    call->last = &answer->next;
    call->queued += length;
    call->rpc->answer_bytes += length;
    return 0;
}

static int send_any(struct rpc_call *call, const ProtobufCMessage *message, const void *bytes,
                    size_t length)
{
    int error = -EAGAIN;

    if (length <= LINK_MESSAGE_MAX && (!call->first || call->queued + length <= RPC_QUEUE_MAX))
        error = queue_bytes(call, message, bytes, length);
    if (error)
        call->rpc->stats.dropped++;
    return error ? -EAGAIN : 0;
}

int rpc_send(struct rpc_call *call, const ProtobufCMessage *answer)
{
    return send_any(call, answer, NULL, protobuf_c_message_get_packed_size(answer));
}

int rpc_send_bytes(struct rpc_call *call, const void *bytes, size_t length)
{
    return send_any(call, NULL, bytes, length);
}

void rpc_answer(struct rpc_call *call, const ProtobufCMessage *answer)
{
    size_t length = protobuf_c_message_get_packed_size(answer);

    if (length > LINK_MESSAGE_MAX) {
        rpc_end(call, RPC_RESOURCE_EXHAUSTED,
                "%s: the answer has more than %u bytes: ask for less of it", call->method->name,
                LINK_MESSAGE_MAX);
        return;
    }
    if (queue_bytes(call, answer, NULL, length))
        rpc_end(call, RPC_RESOURCE_EXHAUSTED, "%s: too many answers wait to be read",
                call->method->name);
    else
        rpc_end(call, RPC_OK, NULL);
}

static bool can_send(const struct rpc_call *call)
{
    if (call->first)
        return call->first->begun || call->credits > 0;
    return call->ended;
}

/* The next frame of a call that can send. */
static int send_frame(struct rpc_call *call)
{
    struct answer *answer = call->first;
    struct link_frame frame = {.call = call->number};
    int error;

    if (!answer) {
        frame.kind = LINK_END;
        frame.status = (uint16_t)call->status;
        frame.length = (uint32_t)strlen(call->text);
        error = link_send(&call->rpc->link, &frame, call->text);
        if (!error)
            call_free(call);
        return error;
    }
    frame.kind = LINK_MESSAGE;
    frame.length = answer->length - answer->sent;
    if (frame.length > LINK_BODY_MAX) {
        frame.length = LINK_BODY_MAX;
        frame.flags = LINK_MORE;
    }
    error = link_send(&call->rpc->link, &frame, answer->bytes + answer->sent);
    if (error)
        return error;
    call->credits -= !answer->begun;
    answer->begun = true;
    answer->sent += frame.length;
    if (answer->sent < answer->length)
        return 0;
    call->first = answer->next;
    if (!call->first)
        call->last = &call->first;
    call->queued -= answer->length;
    call->rpc->answer_bytes -= answer->length;
    free(answer);
    return 0;
}

/* The calls take turns, a frame each. */
static struct rpc_call *next_sender(struct rpc *rpc)
{
    for (uint32_t i = 0; i < LINK_CALLS_MAX; i++) {
        uint32_t number = (rpc->turn + i) % LINK_CALLS_MAX;

        if (rpc->calls[number] && can_send(rpc->calls[number])) {
            rpc->turn = number + 1;
            return rpc->calls[number];
        }
    }
    return NULL;
}

static int send_some(struct rpc *rpc)
{
    for (uint32_t i = 0; i < FRAMES_PER_WORK; i++) {
        struct rpc_call *call = next_sender(rpc);
        int error = call ? send_frame(call) : -EAGAIN;

        if (error)
            return error == -EAGAIN ? 0 : error;
    }
    return 0;
}

static int receive_some(struct rpc *rpc)
{
    for (uint32_t i = 0; i < FRAMES_PER_WORK; i++) {
        struct link_frame frame;
        int error = link_receive(&rpc->link, &frame, rpc->body);

        if (!error)
            error = take_frame(rpc, &frame);
        if (error)
            return error == -EAGAIN ? 0 : error;
    }
    return 0;
}

int rpc_work(struct rpc *rpc)
{
    int error = rpc->link.fd < 0 ? -EPIPE : receive_some(rpc);

    return error ? error : send_some(rpc);
}

bool rpc_wants_write(const struct rpc *rpc)
{
    for (uint32_t i = 0; i < LINK_CALLS_MAX; i++) {
        if (rpc->calls[i] && can_send(rpc->calls[i]))
            return true;
    }
    return false;
}

/* ---- Life ---- */

int rpc_create(struct rpc **rpc, const struct rpc_service *services, uint32_t service_count)
{
    struct rpc *made = calloc(1, sizeof(*made));

    if (!made)
        return -ENOMEM;
    made->link.fd = -1;
    made->services = services;
    made->service_count = service_count;
    *rpc = made;
    return 0;
}

void rpc_attach(struct rpc *rpc, struct link link)
{
    rpc_detach(rpc);
    rpc->link = link;
}

void rpc_detach(struct rpc *rpc)
{
    for (uint32_t i = 0; i < LINK_CALLS_MAX; i++) {
        if (!rpc->calls[i])
            continue;
        tell_gone(rpc->calls[i]);
        call_free(rpc->calls[i]);
    }
    link_close(&rpc->link);
}

void rpc_destroy(struct rpc *rpc)
{
    if (!rpc)
        return;
    rpc_detach(rpc);
    free(rpc);
}

void rpc_stats(const struct rpc *rpc, struct rpc_stats *stats)
{
    *stats = rpc->stats;
}

const struct rpc_service *rpc_services(const struct rpc *rpc, uint32_t *count)
{
    *count = rpc->service_count;
    return rpc->services;
}

const struct link_caller *rpc_caller(const struct rpc_call *call)
{
    return &call->caller;
}

const char *rpc_method_name(const struct rpc_call *call)
{
    return call->method->name;
}

bool rpc_waits(const struct rpc_call *call)
{
    return call->first != NULL;
}

enum rpc_status rpc_status_of(int error)
{
    switch (error) {
    case 0:
        return RPC_OK;
    case -EINVAL:
        return RPC_INVALID_ARGUMENT;
    case -ENOENT:
        return RPC_NOT_FOUND;
    case -EEXIST:
        return RPC_ALREADY_EXISTS;
    case -EPERM:
        return RPC_FAILED_PRECONDITION;
    case -EBUSY:
    case -EAGAIN:
        return RPC_UNAVAILABLE;
    case -ENOSPC:
    case -EDQUOT:
    case -ENOMEM:
        return RPC_RESOURCE_EXHAUSTED;
    case -ETIMEDOUT:
        return RPC_DEADLINE_EXCEEDED;
    default:
        return RPC_INTERNAL;
    }
}
