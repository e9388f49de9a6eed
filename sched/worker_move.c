/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/leader.h"
#include "sched/probe.h"
#include "sched/worker.h"

#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>

/* ---- Engines of a thread, on it ---- */

static uint32_t find(const struct worker *worker, const struct engine *engine)
{
    uint32_t at = 0;

    while (at < worker->count && worker->engines[at] != engine)
        at++;
    return at;
}

/* Makes events of the engine wake the thread; any thread may do that. */
static int watch(const struct worker *worker, const struct engine *engine)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = engine->epoll_fd};

    return epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, engine->epoll_fd, &event) ? -errno : 0;
}

static void unwatch(const struct worker *worker, const struct engine *engine)
{
    (void)epoll_ctl(worker->epoll_fd, EPOLL_CTL_DEL, engine->epoll_fd, NULL);
}

static void publish_count(struct worker *worker, uint32_t count)
{
    worker->count = count;
    atomic_store_explicit(&worker->stats.engines, count, memory_order_relaxed);
}

/* It is watched already. A group has no more engines than a thread has room for. */
static void seat(struct worker *worker, struct engine *engine)
{
    int tid = atomic_load_explicit(&worker->stats.tid, memory_order_relaxed);

    worker->engines[worker->count] = engine;
    publish_count(worker, worker->count + 1);
    share_join(worker->shares, worker->count);
    atomic_store_explicit(&engine->tid, tid, memory_order_relaxed);
}

static void unseat(struct worker *worker, uint32_t at)
{
    struct engine *engine = worker->engines[at];
    uint32_t last = worker->count - 1;

    unwatch(worker, engine);
    worker->engines[at] = worker->engines[last];
    worker->shares[at] = worker->shares[last];
    publish_count(worker, last);
    atomic_store_explicit(&engine->tid, 0, memory_order_relaxed);
}

static int work_add(void *context, void *argument)
{
    struct worker *worker = context;
    struct engine *engine = argument;
    int error;

    if (worker->count == GROUP_ENGINES_MAX)
        return -ENOSPC;
    error = watch(worker, engine);
    if (!error)
        seat(worker, engine);
    return error;
}

/* Also one that is on its way to this thread. */
static int work_remove(void *context, void *argument)
{
    struct worker *worker = context;
    uint32_t at;

    worker_read_inbox(worker);
    at = find(worker, argument);
    if (at == worker->count)
        return -ENOENT;
    unseat(worker, at);
    return 0;
}

/* ---- Messages ---- */

void worker_tell(struct worker *worker, struct engine *engine, enum worker_message what)
{
    engine->move.what = what;
    inbox_send(&worker->inbox, &engine->move.item);
}

static struct engine *about(struct inbox_item *item)
{
    return (struct engine *)((char *)item - offsetof(struct engine, move.item));
}

/* The message says where to; afterwards it is the new thread's, unless the engine stays. */
static int hand_over(struct worker *worker, struct engine *engine)
{
    struct worker *to = engine->move.to;
    uint32_t at = find(worker, engine);
    int error = at < worker->count ? 0 : -ENOENT;

    if (!error)
        error = watch(to, engine);
    if (error)
        return error;
    unseat(worker, at);
    SADDLE_PROBE3(engine_move, engine->name, worker->name, to->name);
    worker_tell(to, engine, WORKER_TAKE);
    return 0;
}

static void tell_asker(struct engine *engine, int result)
{
    engine->move.result = result;
    if (engine->move.asker)
        worker_tell(engine->move.asker, engine, WORKER_DONE);
}

static void obey(struct worker *worker, struct engine *engine)
{
    int error;

    switch (engine->move.what) {
    case WORKER_HAND_OVER:
        error = hand_over(worker, engine);
        if (error)
            tell_asker(engine, error);
        break;
    case WORKER_TAKE:
        seat(worker, engine);
        tell_asker(engine, 0);
        break;
    default:
        leader_moved(worker->leader, engine);
        break;
    }
}

uint32_t worker_read_inbox(struct worker *worker)
{
    struct inbox_item *item = inbox_take(&worker->inbox);
    uint32_t count = 0;

    while (item) {
        struct engine *engine = about(item);

        item = item->next; /* before the message goes on */
        obey(worker, engine);
        count++;
    }
    return count;
}

/* ---- Control ---- */

/* Has the threads do that with their engines, none of them later than without the others. */
static int call_all(struct worker_seat *seats, uint32_t count, mailbox_fn *fn)
{
    struct mailbox_request requests[GROUP_ENGINES_MAX];
    int error = 0;

    for (uint32_t i = 0; i < count; i++)
        requests[i] = (struct mailbox_request){.mailbox = &seats[i].worker->mailbox,
                                               .fn = fn,
                                               .argument = seats[i].engine};
    mailbox_call_all(requests, count, WORKER_PATIENCE_NS);
    for (uint32_t i = 0; i < count; i++) {
        seats[i].error = requests[i].error ? requests[i].error : requests[i].result;
        error = error ? error : seats[i].error;
    }
    return error;
}

int worker_add(struct worker_seat *seats, uint32_t count)
{
    return call_all(seats, count, work_add);
}

int worker_remove(struct worker_seat *seats, uint32_t count)
{
    return call_all(seats, count, work_remove);
}

static int work_hand_over(void *context, void *argument)
{
    struct worker *worker = context;

    worker_read_inbox(worker);
    return hand_over(worker, argument);
}

static int work_arrive(void *context, void *argument)
{
    (void)argument;
    worker_read_inbox(context);
    return 0;
}

int worker_move(struct worker *from, struct engine *engine, struct worker *to)
{
    int error;

    engine->move.to = to;
    engine->move.asker = NULL;
    error = worker_call(from, work_hand_over, engine);
    /* Once it is handed over it is the new thread's, also if that does not come round now. */
    if (!error)
        (void)worker_call(to, work_arrive, NULL);
    return error;
}
