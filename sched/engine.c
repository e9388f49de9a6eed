/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/engine.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

int engine_init(struct engine *engine, const struct engine_ops *ops, const char *name,
                const struct clock *clock)
{
    size_t length = strnlen(name, ENGINE_NAME_BYTES);
    if (length == 0 || length == ENGINE_NAME_BYTES)
        return -EINVAL;
    engine->ops = ops;
    memcpy(engine->name, name, length + 1);
    engine->clock = clock;
    meter_init(&engine->meter, clock);
    atomic_init(&engine->drained_ns, clock_now(clock));
    atomic_init(&engine->busy_ns, 0);
    atomic_init(&engine->runs, 0);
    atomic_init(&engine->rests, 0);
    atomic_init(&engine->tid, 0);
    memset(&engine->delays, 0, sizeof(engine->delays));

    int error = mailbox_init(&engine->mailbox);
    if (error)
        return error;
    engine->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (engine->epoll_fd < 0) {
        error = -errno;
        mailbox_fini(&engine->mailbox);
        return error;
    }
    error = engine_watch(engine, engine->mailbox.wake_fd);
    if (error)
        engine_fini(engine);
    return error;
}

void engine_fini(struct engine *engine)
{
    close(engine->epoll_fd);
    engine->epoll_fd = -1;
    mailbox_fini(&engine->mailbox);
}

uint64_t engine_delay(const struct engine *engine, uint64_t now)
{
    uint64_t drained = atomic_load_explicit(&engine->drained_ns, memory_order_relaxed);
    /* The engine may have looked after the caller took its time. */
    return drained < now ? now - drained : 0;
}

int engine_watch(struct engine *engine, int fd)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = fd};
    return epoll_ctl(engine->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

void engine_unwatch(struct engine *engine, int fd)
{
    /* A descriptor that is gone already has left the set by itself. */
    (void)epoll_ctl(engine->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}
