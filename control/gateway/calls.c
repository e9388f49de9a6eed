/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/gateway/calls.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_STEP_MIN   512u /* bytes: most answers are smaller */
#define CALLS_PER_UID_MAX 256u /* at a time, of one user who may not operate */
#define CALLS_KEPT        128u /* for those who may */
#define MS_PER_S          1000u
#define NS_PER_MS         1000000l
#define NS_PER_S          1000000000l

/* gRPC's codes (grpc/status.h, which only core.c sees). */
enum {
    STATUS_DEADLINE_EXCEEDED = 4,
    STATUS_PERMISSION_DENIED = 7,
    STATUS_RESOURCE_EXHAUSTED = 8,
    STATUS_UNIMPLEMENTED = 12,
};

struct bytes {
    uint8_t *at;
    size_t length, room;
};

/* Somebody in this process who waits for an answer. */
struct asker {
    pthread_cond_t *over; /* of the calls */
    bool answered;
    struct calls_answer *answer;
};

struct call {
    bool used;              /* else the number is free */
    struct core_call *core; /* NULL: it is ours */
    struct asker *asker;    /* of ours; NULL: he does not wait any more */
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
    pthread_cond_t answered; /* some asker */
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
    if (call->core)
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
    if (!call->used || call->ended || call->cancel_told)
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

/* Whom access turned away, for the daemon's count. */
static int send_refusals(struct calls *calls)
{
    struct link_refusals refusals;
    const struct link_frame frame = {.kind = LINK_REFUSED, .length = sizeof(refusals)};
    int error;

    if (!access_refusals(calls->access, &refusals))
        return 0;
    error = link_send(&calls->link, &frame, &refusals);
    if (!error)
        access_told(calls->access, &refusals);
    return error;
}

/* Calls take turns, a frame each, as long as the link has room. */
static void flush(struct calls *calls)
{
    bool was_blocked = calls->blocked;
    uint32_t idle = 0;

    calls->blocked = send_refusals(calls) != 0;
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
    if (call->core)
        core_call_free(call->core);
    *call = (struct call){0};
}

/* Gives the core what it can take. */
static void advance(struct call *call)
{
    if (!call->core || call->closed || call->sending)
        return;
    if (call->answer_count > 0) {
        call->sending = true;
        core_call_send(call->core, call->answers[0].at, call->answers[0].length);
    } else if (call->ended && !call->end_told) {
        call->end_told = true;
        core_call_end(call->core, call->status, call->text);
    }
}

/* The answer and the end go to whoever asked, if he still waits. */
static void tell_asker(struct call *call)
{
    struct calls_answer *answer;

    if (!call->asker)
        return;
    answer = call->asker->answer;
    answer->status = call->status;
    memcpy(answer->text, call->text, sizeof(answer->text));
    if (call->answer_count > 0) {
        answer->bytes = call->answers[0].at;
        answer->length = call->answers[0].length;
        call->answers[0] = (struct bytes){0};
    }
    call->asker->answered = true;
    pthread_cond_broadcast(call->asker->over);
}

/* Frees a call that is over on both sides. */
static void settle(struct call *call)
{
    if (!call->core) {
        if (!call->ended)
            return;
        tell_asker(call);
        call_free(call);
        return;
    }
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

    if (!call->used || call->ended)
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

        if (!call->used) {
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

    if (!strncmp(method, LINK_HTTP, strlen(LINK_HTTP))) {
        *refusal = (struct core_refusal){STATUS_UNIMPLEMENTED, "that is asked by HTTP alone"};
        return NULL;
    }
    if (!access_who(calls->access, fd, &caller)) {
        *refusal = (struct core_refusal){STATUS_PERMISSION_DENIED, "nobody knows who calls"};
        return NULL;
    }
    call = find_free(calls, &caller);
    if (!call) {
        *refusal = (struct core_refusal){STATUS_RESOURCE_EXHAUSTED, "too many calls at a time"};
        return NULL;
    }
    call->used = true;
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

/* ---- From this process ---- */

static struct timespec deadline_after(uint32_t ms)
{
    struct timespec end;

    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += ms / MS_PER_S;
    end.tv_nsec += (long)(ms % MS_PER_S) * NS_PER_MS;
    if (end.tv_nsec >= NS_PER_S) {
        end.tv_sec++;
        end.tv_nsec -= NS_PER_S;
    }
    return end;
}

/* With the lock. He finds a number as those do who operate: he is one, and asks one thing. */
static struct call *begin_ask(struct calls *calls, const char *method, struct asker *asker)
{
    const struct link_caller kept = {.role = LINK_ROLE_OPERATE};
    struct call *call = find_free(calls, &kept);

    if (!call || bytes_add(&call->request, (const uint8_t *)"", 0))
        return NULL;
    call->used = true;
    call->asker = asker;
    call->caller = (struct link_caller){.role = LINK_ROLE_OBSERVE, .uid = UINT32_MAX};
    snprintf(call->method, sizeof(call->method), "%s", method);
    call->has_request = call->finished = true;
    flush(calls);
    return call;
}

void calls_ask(struct calls *calls, const char *method, uint32_t timeout_ms,
               struct calls_answer *answer)
{
    struct asker asker = {.over = &calls->answered, .answer = answer};
    struct timespec end = deadline_after(timeout_ms);
    struct call *call;
    int late = 0;

    *answer =
        (struct calls_answer){.status = STATUS_DEADLINE_EXCEEDED, .text = "no answer in time"};
    pthread_mutex_lock(&calls->lock);
    call = begin_ask(calls, method, &asker);
    if (!call)
        *answer = (struct calls_answer){.status = STATUS_RESOURCE_EXHAUSTED,
                                        .text = "too many calls at a time"};
    while (call && !asker.answered && !late)
        late = pthread_cond_timedwait(&calls->answered, &calls->lock, &end);
    if (call && !asker.answered) {
        call->asker = NULL;
        call->cancelled = true;
        flush(calls);
    }
    pthread_mutex_unlock(&calls->lock);
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
    pthread_condattr_t attributes;

    if (!made)
        return -ENOMEM;
    made->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (made->wake_fd < 0) {
        free(made);
        return -ENOMEM;
    }
    pthread_mutex_init(&made->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&made->answered, &attributes);
    pthread_condattr_destroy(&attributes);
    made->link = link;
    made->access = access;
    *calls = made;
    return 0;
}
