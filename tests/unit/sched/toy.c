/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sched/toy.h"

#include "mailbox/doorbell.h"
#include "sched/state.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define RECORD_TOY  1u
#define TOY_VERSION 1u

static uint64_t waiting(struct toy *toy)
{
    return atomic_load(&toy->posted) + atomic_load(&toy->arrived) - atomic_load(&toy->handled);
}

/* Keeps the processor busy. */
static void work_for(uint64_t ns)
{
    uint64_t end = clock_now(&clock_machine) + ns;
    while (clock_now(&clock_machine) < end)
        ;
}

static uint32_t toy_run(struct engine *engine, uint64_t now, uint64_t budget_ns)
{
    struct toy *toy = (struct toy *)engine;
    if (atomic_fetch_add(&toy->running, 1) != 0 || budget_ns == 0)
        atomic_fetch_add(&toy->overlaps, 1);
    uint64_t work = waiting(toy);
    if (work > TOY_BATCH)
        work = TOY_BATCH;
    if (work > 0)
        engine->patient_until = now + atomic_load(&toy->patience_ns);
    atomic_fetch_add(&toy->handled, work);
    uint32_t expired = 0;
    if (atomic_load(&toy->deadline) <= now) {
        atomic_store(&toy->deadline, ENGINE_NEVER);
        atomic_fetch_add(&toy->expired, 1);
        expired = 1;
    }
    bool endless = atomic_load(&toy->endless);
    if (work + expired > 0)
        doorbell_ring_engine(toy->news_fd);
    else if (!endless)
        engine_mark_drained(engine, now);
    if (endless)
        work_for(atomic_load(&toy->cost_ns));
    atomic_fetch_sub(&toy->running, 1);
    return (uint32_t)work + expired + endless;
}

static uint64_t toy_arm(struct engine *engine, uint64_t now)
{
    struct toy *toy = (struct toy *)engine;
    doorbell_arm(&toy->armed);
    uint64_t deadline = atomic_load(&toy->deadline);
    return waiting(toy) > 0 || deadline <= now ? 0 : deadline;
}

static void toy_disarm(struct engine *engine)
{
    doorbell_disarm(&((struct toy *)engine)->armed);
}

static int toy_save(const struct engine *engine, struct state_writer *writer)
{
    const struct toy *toy = (const struct toy *)engine;
    state_record_begin(writer, RECORD_TOY, TOY_VERSION);
    state_put_u64(writer, atomic_load(&toy->posted));
    state_put_u64(writer, atomic_load(&toy->arrived));
    state_put_u64(writer, atomic_load(&toy->handled));
    state_record_end(writer);
    return writer->error;
}

static int toy_load(struct engine *engine, struct state_reader *reader)
{
    struct toy *toy = (struct toy *)engine;
    uint16_t type;
    uint16_t version;
    while (state_record_next(reader, &type, &version)) {
        if (type != RECORD_TOY)
            continue;
        uint64_t posted = state_get_u64(reader);
        uint64_t arrived = state_get_u64(reader);
        uint64_t handled = state_get_u64(reader);
        if (handled > posted + arrived)
            state_reader_fail(reader, -EBADMSG);
        atomic_store(&toy->posted, posted);
        atomic_store(&toy->arrived, arrived);
        atomic_store(&toy->handled, handled);
    }
    return reader->error;
}

static uint32_t toy_stats(const struct engine *engine, struct engine_stat *stats, uint32_t max)
{
    const struct toy *toy = (const struct toy *)engine;
    if (max > 0)
        stats[0] = (struct engine_stat){.name = "handled", .value = atomic_load(&toy->handled)};
    return 1;
}

static void toy_destroy(struct engine *engine)
{
    struct toy *toy = (struct toy *)engine;
    engine_unwatch(engine, toy->bell_fd);
    engine_unwatch(engine, toy->port_fd);
    engine_fini(engine);
    close(toy->bell_fd);
    close(toy->port_fd);
    close(toy->news_fd);
    free(toy);
}

static const struct engine_ops toy_ops = {
    .kind = "toy",
    .run = toy_run,
    .arm = toy_arm,
    .disarm = toy_disarm,
    .save = toy_save,
    .load = toy_load,
    .stats = toy_stats,
    .destroy = toy_destroy,
};

struct toy *toy_create(const char *name)
{
    struct toy *toy = aligned_alloc(alignof(struct toy), sizeof(*toy));
    ck_assert_ptr_nonnull(toy);
    *toy = (struct toy){.deadline = ENGINE_NEVER};
    ck_assert_int_eq(engine_init(&toy->engine, &toy_ops, name, &clock_machine), 0);
    toy->bell_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    toy->port_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    toy->news_fd = eventfd(0, EFD_CLOEXEC);
    ck_assert_int_ge(toy->bell_fd, 0);
    ck_assert_int_ge(toy->port_fd, 0);
    ck_assert_int_ge(toy->news_fd, 0);
    ck_assert_int_eq(engine_watch(&toy->engine, toy->bell_fd), 0);
    ck_assert_int_eq(engine_watch(&toy->engine, toy->port_fd), 0);
    return toy;
}

void toy_post(struct toy *toy)
{
    atomic_fetch_add(&toy->posted, 1);
    if (doorbell_due(&toy->armed))
        doorbell_ring_engine(toy->bell_fd);
}

void toy_arrive(struct toy *toy)
{
    atomic_fetch_add(&toy->arrived, 1);
    doorbell_ring_engine(toy->port_fd);
}

static void await(struct toy *toy, _Atomic uint64_t *counter, uint64_t count)
{
    while (atomic_load(counter) < count) {
        uint64_t news;
        ck_assert_int_eq(read(toy->news_fd, &news, sizeof(news)), sizeof(news));
    }
}

void toy_await_handled(struct toy *toy, uint64_t count)
{
    await(toy, &toy->handled, count);
}

void toy_await_expired(struct toy *toy, uint64_t count)
{
    await(toy, &toy->expired, count);
}
