/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "mailbox/mailbox.h"

#include "tools/bench/bench.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#define ENGINE_CPU   1u
#define APP_CPU      0u
#define CALL_TIMEOUT 1000000000ull /* ns; far above any call here */

static int count_work(void *context, void *argument)
{
    (void)context;
    ++*(uint64_t *)argument;
    return 0;
}

/* One thread: the engine's look at an empty mailbox, paid once per turn. */
static int run_empty(uint64_t iterations, uint64_t *elapsed_ns)
{
    struct mailbox mailbox;
    int rc = mailbox_init(&mailbox);
    if (rc)
        return rc;
    bool ran = false;
    uint64_t start = bench_now();
    for (uint64_t i = 0; i < iterations; i++)
        ran |= mailbox_run(&mailbox, NULL);
    *elapsed_ns = bench_now() - start;
    mailbox_fini(&mailbox);
    return ran ? -EIO : 0;
}

/* One thread: post a piece of work and run it. */
static int run_post(uint64_t iterations, uint64_t *elapsed_ns)
{
    struct mailbox mailbox;
    uint64_t count = 0;
    int rc = mailbox_init(&mailbox);
    if (rc)
        return rc;
    uint64_t start = bench_now();
    for (uint64_t i = 0; i < iterations && !rc; i++) {
        rc = mailbox_post(&mailbox, count_work, &count);
        mailbox_run(&mailbox, NULL);
    }
    *elapsed_ns = bench_now() - start;
    mailbox_fini(&mailbox);
    return count == iterations ? rc : -EIO;
}

struct runner {
    struct mailbox mailbox;
    _Atomic bool stop;
};

static void *runner_thread(void *arg)
{
    struct runner *runner = arg;
    bench_pin(ENGINE_CPU);
    while (!atomic_load_explicit(&runner->stop, memory_order_relaxed))
        mailbox_run(&runner->mailbox, NULL);
    return NULL;
}

/* Two threads: a call to a spinning engine, until its result is back. */
static int run_call(uint64_t iterations, uint64_t *elapsed_ns)
{
    struct runner runner = {.stop = false};
    pthread_t thread;
    uint64_t count = 0;
    int result, rc = mailbox_init(&runner.mailbox);
    if (rc)
        return rc;
    bench_pin(APP_CPU);
    if (pthread_create(&thread, NULL, runner_thread, &runner))
        return -EAGAIN;
    uint64_t start = bench_now();
    for (uint64_t i = 0; i < iterations && !rc; i++)
        rc = mailbox_call(&runner.mailbox, count_work, &count, CALL_TIMEOUT, &result);
    *elapsed_ns = bench_now() - start;
    atomic_store_explicit(&runner.stop, true, memory_order_relaxed);
    pthread_join(thread, NULL);
    mailbox_fini(&runner.mailbox);
    return rc;
}

const struct bench_case bench_mailbox_cases[] = {
    {"mailbox-empty", "the engine's look at an empty mailbox", 10000000, true, run_empty},
    {"mailbox-post", "one thread posts work and runs it", 2000000, true, run_post},
    {"mailbox-call", "a call to a spinning engine, until its result is back", 1000, false,
     run_call},
};
const uint32_t bench_mailbox_case_count =
    sizeof(bench_mailbox_cases) / sizeof(bench_mailbox_cases[0]);
