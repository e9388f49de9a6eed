/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/inbox.h"

#include "tests/sim/checker.h"
#include "tests/sim/work.h"

#include <errno.h>
#include <string.h>

#define POLL_MAX     16
#define REJECT_PPM   20000u  /* of callers */
#define HOLD_PPM     200000u /* of messages that are kept for a while */
#define SCRIBBLE_MAX 65536u  /* bytes of a buffer that are overwritten once it is back */
#define SCRIBBLE     0xdd

static struct checker *checker_of(const struct app *app)
{
    return app->sim->checker;
}

static struct connection_end *find_end(struct app *app, saddle_handle handle)
{
    for (uint32_t i = 0; i < app->end_count && handle; i++)
        if (app->ends[i]->handle == handle)
            return app->ends[i];
    return NULL;
}

static void drop_end(struct app *app, struct connection_end *end)
{
    end->state = END_GONE;
    if (end->side == 0)
        app->calls--;
    for (uint32_t i = 0; i < app->end_count; i++)
        if (app->ends[i] == end) {
            app->ends[i] = app->ends[--app->end_count];
            return;
        }
}

/* ---- Messages ---- */

/* The first message on an accepted connection says which one it is. */
static bool bind_end(struct app *app, struct connection_end *end, const void *bytes, size_t length)
{
    struct ledger_connection *connection = ledger_hello(&checker_of(app)->ledger, bytes, length);
    if (!connection || connection->callee != app || connection->ends[1]) {
        sim_violation(app->sim, "app %u: the first message of a connection is no hello",
                      app->index);
        return false;
    }
    connection->ends[1] = end;
    end->connection = connection;
    if (end->state >= END_CLOSING)
        connection->trouble |= TROUBLE_CLOSE(1);
    return true;
}

static struct operation *take_message(struct app *app, struct connection_end *end,
                                      const struct saddle_completion *event, const void *bytes)
{
    size_t length = event->len;
    if (!end->connection && !bind_end(app, end, bytes, length))
        return NULL;
    struct operation *sender = checker_message(checker_of(app), end, event->stream,
                                               event->value & SADDLE_UNORDERED, bytes, length);
    if (end->state == END_OPEN) {
        end->state = END_READY;
        end->hello_due = end->side == 1;
    }
    return sender;
}

static void on_message(struct app *app, uint32_t channel, const struct saddle_completion *event)
{
    struct connection_end *end = find_end(app, event->handle);
    if (!end || event->tag != end->tag || end->channel != channel) {
        sim_violation(app->sim, "app %u: a message for handle %x, which is none", app->index,
                      event->handle);
        return;
    }
    struct operation *sender = take_message(app, end, event, event->data);
    if (sender && app->held_count < APP_HELD_MAX && rng_chance(&app->rng, HOLD_PPM)) {
        struct held *held = &app->held[app->held_count++];
        saddle_completion_copy(&held->event, event);
        held->sender = sender;
        held->channel = channel;
        return;
    }
    saddle_release(app_channel(app, channel), event);
    app->spoke = true;
}

void inbox_release(struct app *app)
{
    for (uint32_t i = 0; i < app->held_count; i++) {
        struct held *held = &app->held[i];
        if (!ledger_is_message(held->sender, held->event.data, held->event.len))
            sim_violation(app->sim, "app %u: a message changed while the application had it",
                          app->index);
        saddle_release(app_channel(app, held->channel), &held->event);
        app->spoke = true;
    }
    app->held_count = 0;
}

/* ---- Completions ---- */

static void done_connect(struct app *app, struct operation *operation,
                         const struct saddle_completion *event)
{
    struct connection_end *end = operation->end;
    if (event->status) {
        drop_end(app, end);
        return;
    }
    end->handle = event->handle;
    end->state = END_OPEN;
    end->hello_due = true;
    app->sim->totals.connections++;
}

/* Of ACCEPT or REJECT. */
static void done_answer(struct app *app, struct operation *operation,
                        const struct saddle_completion *event)
{
    struct connection_end *end = operation->end;
    if (event->status == 0 && operation->op == SADDLE_CMD_ACCEPT) {
        if (end->state == END_OPENING)
            end->state = END_OPEN;
        return;
    }
    end->late = event->status == -ENOTCONN && !end->closed;
    if (!end->late)
        drop_end(app, end);
}

static void done_region(struct app *app, struct operation *operation,
                        const struct saddle_completion *event)
{
    struct region *region = operation->region;
    if (operation->op == SADDLE_CMD_EXPOSE && event->status == 0) {
        region->key = event->value;
        region->state = REGION_EXPOSED;
        app_point(app);
        return;
    }
    const char *wrong = region_close(region);
    if (wrong)
        sim_violation(app->sim, "app %u: exposed memory: %s", app->index, wrong);
    region->state = REGION_REVOKED;
    memset(region->memory, SCRIBBLE, region->length);
    saddle_free(app->session, region->memory);
    region->memory = NULL;
}

static void free_buffer(struct app *app, struct operation *operation)
{
    if (!operation->buffer)
        return;
    memset(operation->buffer, SCRIBBLE,
           operation->length < SCRIBBLE_MAX ? operation->length : SCRIBBLE_MAX);
    saddle_free(app->session, operation->buffer);
    operation->buffer = NULL;
}

static void on_done(struct app *app, const struct saddle_completion *event)
{
    struct checker *checker = checker_of(app);
    struct operation *operation = ledger_find(&checker->ledger, event->tag);
    if (!operation || operation->app != app || operation->life != app->life) {
        sim_violation(app->sim, "app %u: tag %llx completes, which it did not use", app->index,
                      (unsigned long long)event->tag);
        return;
    }
    checker_done(checker, operation, event);
    if (app->sim->failed)
        return;
    if (operation->op == SADDLE_CMD_POST_RECV) {
        if (event->status == 0)
            take_message(app, operation->end, event, operation->buffer);
        free_buffer(app, operation);
        return;
    }
    app->outstanding--;
    app->pings -= operation->op == SADDLE_CMD_PING;
    app->lent -= operation->length;
    if (operation->end)
        operation->end->outstanding--;
    free_buffer(app, operation);
    switch (operation->op) {
    case SADDLE_CMD_LISTEN:
        app->listener = event->status ? 0 : event->handle;
        app->listening = event->status == 0;
        break;
    case SADDLE_CMD_CONNECT:
        done_connect(app, operation, event);
        break;
    case SADDLE_CMD_ACCEPT:
    case SADDLE_CMD_REJECT:
        done_answer(app, operation, event);
        break;
    case SADDLE_CMD_CLOSE:
        if (operation->end)
            drop_end(app, operation->end);
        else
            app->listener = 0;
        break;
    case SADDLE_CMD_EXPOSE:
    case SADDLE_CMD_REVOKE:
        done_region(app, operation, event);
        break;
    case SADDLE_CMD_SEND:
        if (operation->hello && event->status && operation->end->state < END_CLOSING)
            operation->end->close_due = true;
        break;
    default:
        break;
    }
}

/* ---- Other events ---- */

static void on_incoming(struct app *app, uint32_t channel, const struct saddle_completion *event)
{
    if (!app->listener || event->value != app->listener) {
        sim_violation(app->sim, "app %u: a caller for listener %llx, which is none", app->index,
                      (unsigned long long)event->value);
        return;
    }
    struct connection_end *end = ledger_end(&checker_of(app)->ledger, app, 1);
    end->handle = event->handle;
    end->channel = channel;
    end->reject_due =
        app->resting || app->end_count >= APP_ENDS_MAX - 1 || rng_chance(&app->rng, REJECT_PPM);
    end->accept_due = !end->reject_due;
    if (end->reject_due)
        app->refusing = true;
    if (app->end_count == APP_ENDS_KEPT)
        sim_violation(app->sim, "app %u: more callers than it can remember", app->index);
    else
        app->ends[app->end_count++] = end;
}

static void on_closed(struct app *app, const struct saddle_completion *event)
{
    struct connection_end *end = find_end(app, event->handle);
    if (!end || end->closed) {
        sim_violation(app->sim, "app %u: handle %x ends, which is none", app->index, event->handle);
        return;
    }
    uint32_t trouble = end->connection ? end->connection->trouble : TROUBLE_KILL;
    TRACE(app->sim, app->host, "closed", event->handle, (uint32_t)event->status, trouble);
    if (!(trouble & ~TROUBLE_CLOSE(end->side)))
        sim_violation(app->sim, "app %u: connection %llu ended without a reason (%d)", app->index,
                      (unsigned long long)end->connection->id, event->status);
    end->closed = true;
    end->wanted_count = 0;
    if (end->late) {
        drop_end(app, end);
        return;
    }
    if (end->state < END_CLOSING)
        end->close_due = true;
}

static void on_waiting(struct app *app, const struct saddle_completion *event)
{
    struct connection_end *end = find_end(app, event->handle);
    if (!end || end->wanted_count == LEDGER_WANTED_MAX || event->value <= SADDLE_EAGER_MAX ||
        event->value > SADDLE_MESSAGE_MAX) {
        sim_violation(app->sim, "app %u: %llu bytes wait on handle %x, which cannot be", app->index,
                      (unsigned long long)event->value, event->handle);
        return;
    }
    end->wanted[end->wanted_count++] = event->value;
    TRACE(app->sim, app->host, "waiting", event->handle, event->stream, event->value);
}

static void on_event(struct app *app, uint32_t channel, const struct saddle_completion *event)
{
    switch (event->kind) {
    case SADDLE_DONE:
        on_done(app, event);
        break;
    case SADDLE_INCOMING:
        on_incoming(app, channel, event);
        break;
    case SADDLE_MESSAGE:
        on_message(app, channel, event);
        break;
    case SADDLE_WAITING:
        on_waiting(app, event);
        break;
    case SADDLE_CLOSED:
        on_closed(app, event);
        break;
    default:
        sim_violation(app->sim, "app %u: event of kind %u", app->index, event->kind);
    }
}

void inbox_poll(struct app *app)
{
    struct saddle_completion events[POLL_MAX];
    for (uint32_t channel = 0; channel < app->channels; channel++) {
        int count;
        do {
            count = saddle_poll(app_channel(app, channel), events, POLL_MAX);
            if (count < 0) {
                sim_violation(app->sim, "app %u: the session is over: %s", app->index,
                              saddle_strerror(app->session));
                return;
            }
            app->spoke |= count > 0; /* of the room it has again */
            for (int i = 0; i < count && !app->sim->failed; i++)
                on_event(app, channel, &events[i]);
        } while (count == POLL_MAX && !app->sim->failed);
    }
}

/* ---- What is due ---- */

static void answer(struct app *app, struct connection_end *end)
{
    uint8_t command = end->accept_due ? SADDLE_CMD_ACCEPT : SADDLE_CMD_REJECT;
    struct operation *operation = ledger_begin(&checker_of(app)->ledger, app, command, end);
    struct saddle_op op = app_op(operation);
    struct saddle_channel *channel = app_channel(app, end->channel);
    uint64_t tag = operation->tag;
    int result = end->accept_due ? saddle_accept(channel, end->handle, &op)
                                 : saddle_reject(channel, end->handle, &op);
    if (app_submit(app, operation, result)) {
        end->accept_due = end->reject_due = false;
        end->tag = tag;
    }
}

/* A buffer of the largest size that a message which failed has left on another connection fills the
 * heap until another message there wants one as large: it is taken back, whatever smaller one is on
 * its way into it. */
static void take_back(struct app *app, const struct connection_end *end)
{
    const struct ledger *ledger = &checker_of(app)->ledger;
    for (uint32_t i = 0; i < ledger->operation_count; i++) {
        struct operation *operation = ledger->operations[i];
        if (operation->app != app || operation->life != app->life || operation->end == end ||
            operation->op != SADDLE_CMD_POST_RECV || operation->length != SIM_HUGE_BYTES ||
            operation->state != OPERATION_ACCEPTED || operation->cancelled)
            continue;
        operation->end->hasty = true;
        work_cancel(app, operation);
        return;
    }
}

/* A buffer for a message that waits. False if there is none to give. */
static bool post(struct app *app, struct connection_end *end, size_t bytes)
{
    void *buffer = saddle_alloc(app->session, bytes);
    if (!buffer && bytes == SIM_HUGE_BYTES)
        take_back(app, end);
    if (!buffer)
        return false;
    struct operation *operation =
        ledger_begin(&checker_of(app)->ledger, app, SADDLE_CMD_POST_RECV, end);
    operation->buffer = buffer;
    operation->length = bytes;
    struct saddle_op op = app_op(operation);
    int result = saddle_post_recv(app_channel(app, end->channel), end->handle, buffer, bytes, &op);
    return app_submit(app, operation, result);
}

static void settle_end(struct app *app, struct connection_end *end)
{
    if (end->accept_due || end->reject_due)
        answer(app, end);
    if (end->hello_due && (end->state == END_OPEN || end->state == END_READY))
        end->hello_due = !work_hello(app, end);
    uint32_t posted = 0;
    while (posted < end->wanted_count && end->state < END_CLOSING &&
           post(app, end, end->wanted[posted]))
        posted++;
    end->wanted_count -= posted;
    memmove(end->wanted, end->wanted + posted, end->wanted_count * sizeof(end->wanted[0]));
    if (end->close_due && (end->state == END_OPEN || end->state == END_READY))
        app_close(app, end);
}

void inbox_settle(struct app *app)
{
    for (uint32_t i = 0; i < app->end_count; i++)
        settle_end(app, app->ends[i]);
}
