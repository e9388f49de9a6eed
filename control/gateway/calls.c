/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/gateway/calls.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ANSWER_STEP_MIN   512u /* bytes: most answers are smaller */
#define CALLS_PER_UID_MAX 256u /* at a time, of one user who may not operate */
#define CALLS_KEPT        128u /* for those who may */

/* gRPC's codes (grpc/status.h, which only core.c sees). */
enum {
    STATUS_PERMISSION_DENIED = 7,
    STATUS_RESOURCE_EXHAUSTED = 8,
};

struct bytes {
    uint8_t *at;
    size_t length, room;
};

struct call {
    struct core_call *core; /* NULL: the number is free */
    struct link_caller caller;
    char method[LINK_METHOD_MAX + 1];
    /* To the daemon. */
    bool told; /* it knows of the call */
    bool has_request;
    struct bytes request;
    size_t request_sent;
    bool finished, finished_told; /* the client sends no more */
    bool cancelled, cancel_told;
    uint32_t credits; /* owed to it */
    /* From the daemon. */
    struct bytes partial; /* an answer that has not arrived whole */
    struct bytes answers[LINK_CREDITS];
    uint32_t answer_count;
    bool sending; /* the first of them is the core's */
    bool ended, end_told;
    bool closed; /* nobody listens any more */
    int status;
    char text[LINK_TEXT_MAX + 1];
};

struct calls {
    pthread_mutex_t lock;
    struct link link;
    struct access *access;
    int wake_fd;
    bool blocked; /* the link has no room */
    uint32_t turn;
    uint8_t body[LINK_BODY_MAX];
    struct call calls[LINK_CALLS_MAX];
};

static void bytes_free(struct bytes *bytes)
{
    free(bytes->at);
    *bytes = (struct bytes){0};
}

static int bytes_add(struct bytes *bytes, const uint8_t *from, size_t length)
{
    size_t room = bytes->room ? bytes->room : ANSWER_STEP_MIN;
    uint8_t *grown;

    while (room < bytes->length + length)
        room *= 2;
    if (room != bytes->room) {
        grown = realloc(bytes->at, room);
        if (!grown)
            return -ENOMEM;
        bytes->at = grown;
        bytes->room = room;
    }
    if (length > 0)
        memcpy(bytes->at + bytes->length, from, length);
    bytes->length += length;
    return 0;
}

/* ---- To the daemon ---- */

static uint32_t number_of(const struct calls *calls, const struct call *call)
{
    return (uint32_t)(call - calls->calls);
}

static int send_call(struct calls *calls, struct call *call)
{
    uint8_t body[sizeof(call->caller) + LINK_METHOD_MAX];
    size_t length = strlen(call->method);
    const struct link_frame frame = {
        .call = number_of(calls, call),
        .kind = LINK_CALL,
        .length = (uint32_t)(sizeof(call->caller) + length),
    };
    int error;

    memcpy(body, &call->caller, sizeof(call->caller));
    memcpy(body + sizeof(call->caller), call->method, length);
    error = link_send(&calls->link, &frame, body);
    if (!error)
        call->told = true;
    return error;
}

static int send_piece(struct calls *calls, struct call *call)
{
    size_t left = call->request.length - call->request_sent;
    struct link_frame frame = {.call = number_of(calls, call), .kind = LINK_MESSAGE};
    int error;

    frame.length = (uint32_t)(left > LINK_BODY_MAX ? LINK_BODY_MAX : left);
    frame.flags = left > LINK_BODY_MAX ? LINK_MORE : 0;
    error = link_send(&calls->link, &frame, call->request.at + call->request_sent);
    if (error)
        return error;
    call->request_sent += frame.length;
    if (frame.flags)
        return 0;
    bytes_free(&call->request);
    call->request_sent = 0;
    call->has_request = false;
    core_call_receive(call->core);
    return 0;
}

static int send_plain(struct calls *calls, struct call *call, enum link_kind kind)
{
    const struct link_frame frame = {.call = number_of(calls, call), .kind = (uint8_t)kind};

    return link_send(&calls->link, &frame, NULL);
}

static bool owes(const struct call *call)
{
    if (!call->core || call->ended || call->cancel_told)
        return false;
    return !call->told || call->has_request || call->credits > 0 ||
           (call->finished && !call->finished_told) || (call->cancelled && !call->cancel_told);
}

/* The next frame that is due to the daemon. */
static int send_next(struct calls *calls, struct call *call)
{
    int error;

    if (!call->told)
        return send_call(calls, call);
    if (call->cancelled && !call->cancel_told) {
        error = send_plain(calls, call, LINK_CANCEL);
        call->cancel_told = !error;
        return error;
    }
    if (call->credits > 0) {
        error = send_plain(calls, call, LINK_CREDIT);
        call->credits -= !error;
        return error;
    }
    if (call->has_request)
        return send_piece(calls, call);
    error = send_plain(calls, call, LINK_FINISHED);
    call->finished_told = !error;
    return error;
}

/* Calls take turns, a frame each, as long as the link has room. */
static void flush(struct calls *calls)
{
    bool was_blocked = calls->blocked;
    uint32_t idle = 0;

    calls->blocked = false;
    while (idle < LINK_CALLS_MAX && !calls->blocked) {
        struct call *call = &calls->calls[calls->turn];

        calls->turn = (calls->turn + 1) % LINK_CALLS_MAX;
        if (!owes(call)) {
            idle++;
            continue;
        }
        idle = 0;
        /* A link that is broken for good is seen by who reads it. */
        calls->blocked = send_next(calls, call) != 0;
    }
    if (calls->blocked && !was_blocked)
        eventfd_write(calls->wake_fd, 1);
}

/* ---- To the client ---- */

static void call_free(struct call *call)
{
    bytes_free(&call->request);
    bytes_free(&call->partial);
    for (uint32_t i = 0; i < call->answer_count; i++)
        bytes_free(&call->answers[i]);
    core_call_free(call->core);
    *call = (struct call){0};
}

/* Gives the core what it can take. */
static void advance(struct call *call)
{
    if (call->closed || call->sending)
        return;
    if (call->answer_count > 0) {
        call->sending = true;
        core_call_send(call->core, call->answers[0].at, call->answers[0].length);
    } else if (call->ended && !call->end_told) {
        call->end_told = true;
        core_call_end(call->core, call->status, call->text);
    }
}

/* Frees a call that is over on both sides. */
static void settle(struct call *call)
{
    if (call->ended && (call->end_told || call->closed) && !core_call_busy(call->core))
        call_free(call);
}

static int take_answer(struct call *call, const struct link_frame *frame, const uint8_t *body)
{
    if (bytes_add(&call->partial, body, frame->length))
        return -ENOMEM;
    if (frame->flags & LINK_MORE)
        return 0;
    if (call->answer_count == LINK_CREDITS)
        return -EPROTO;
    call->answers[call->answer_count++] = call->partial;
    call->partial = (struct bytes){0};
    return 0;
}

static int take_frame(struct calls *calls, const struct link_frame *frame)
{
    struct call *call = &calls->calls[frame->call];
    int error = 0;

    if (!call->core || call->ended)
        return -EPROTO;
    if (frame->kind == LINK_MESSAGE) {
        error = take_answer(call, frame, calls->body);
    } else if (frame->kind == LINK_END) {
        call->ended = true;
        call->status = frame->status;
        memcpy(call->text, calls->body, frame->length);
    } else {
        return -EPROTO;
    }
    if (error)
        return error;
    advance(call);
    settle(call);
    return 0;
}

int calls_work(struct calls *calls)
{
    struct link_frame frame;
    uint64_t rings;
    int error;

    eventfd_read(calls->wake_fd, &rings);
    pthread_mutex_lock(&calls->lock);
    do {
        error = link_receive(&calls->link, &frame, calls->body);
        if (!error)
            error = take_frame(calls, &frame);
    } while (!error);
    flush(calls);
    pthread_mutex_unlock(&calls->lock);
    return error == -EAGAIN ? 0 : error;
}

bool calls_wait_for_room(struct calls *calls)
{
    bool blocked;

    pthread_mutex_lock(&calls->lock);
    blocked = calls->blocked;
    pthread_mutex_unlock(&calls->lock);
    return blocked;
}

int calls_wake_fd(const struct calls *calls)
{
    return calls->wake_fd;
}

/* ---- From the core ---- */

static void lock(void *gateway)
{
    pthread_mutex_lock(&((struct calls *)gateway)->lock);
}

static void unlock(void *gateway)
{
    pthread_mutex_unlock(&((struct calls *)gateway)->lock);
}

/* Those who operate find a number although those who observe hold as many as they can. */
static struct call *find_free(struct calls *calls, const struct link_caller *caller)
{
    struct call *found = NULL;
    uint32_t all = 0, own = 0;

    for (uint32_t i = 0; i < LINK_CALLS_MAX; i++) {
        struct call *call = &calls->calls[i];

        if (!call->core) {
            found = call;
            continue;
        }
        all++;
        own += call->caller.uid == caller->uid;
    }
    if (caller->role != LINK_ROLE_OPERATE &&
        (own >= CALLS_PER_UID_MAX || all >= LINK_CALLS_MAX - CALLS_KEPT))
        return NULL;
    return found;
}

static void *begun(void *gateway, struct core_call *core, const char *method, int fd,
                   struct core_refusal *refusal)
{
    struct calls *calls = gateway;
    struct link_caller caller;
    struct call *call;

    if (!access_who(calls->access, fd, &caller)) {
        *refusal = (struct core_refusal){STATUS_PERMISSION_DENIED, "nobody knows who calls"};
        return NULL;
    }
    call = find_free(calls, &caller);
    if (!call) {
        *refusal = (struct core_refusal){STATUS_RESOURCE_EXHAUSTED, "too many calls at a time"};
        return NULL;
    }
    call->core = core;
    call->caller = caller;
    snprintf(call->method, sizeof(call->method), "%s", method);
    core_call_receive(core);
    flush(calls);
    return call;
}

static void received(void *gateway, void *context, const uint8_t *bytes, size_t length)
{
    struct call *call = context;

    /* Of a call that the daemon has ended already nothing more is wanted. */
    if (!call->ended && bytes && !bytes_add(&call->request, bytes, length))
        call->has_request = true;
    else
        call->finished = true;
    flush(gateway);
}

static void sent(void *gateway, void *context)
{
    struct call *call = context;

    bytes_free(&call->answers[0]);
    call->answer_count--;
    memmove(call->answers, call->answers + 1, call->answer_count * sizeof(call->answers[0]));
    call->sending = false;
    call->credits++;
    flush(gateway);
    advance(call);
}

static void closed(void *gateway, void *context, bool cancelled)
{
    struct call *call = context;

    call->closed = true;
    call->cancelled = cancelled;
    flush(gateway);
}

static void idle(void *gateway, void *context)
{
    (void)gateway;
    advance(context);
    settle(context);
}

const struct core_handlers calls_handlers = {
    .lock = lock,
    .unlock = unlock,
    .begun = begun,
    .received = received,
    .sent = sent,
    .closed = closed,
    .idle = idle,
};

int calls_create(struct calls **calls, struct link link, struct access *access)
{
    struct calls *made = calloc(1, sizeof(*made));

    if (!made)
        return -ENOMEM;
    made->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (made->wake_fd < 0) {
        free(made);
        return -ENOMEM;
    }
    pthread_mutex_init(&made->lock, NULL);
    made->link = link;
    made->access = access;
    *calls = made;
    return 0;
}
