/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "mailbox/mailbox.h"

#include "mailbox/doorbell.h"

#include <errno.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000ull
/* How long a caller sleeps between two looks: first about as long as a piece of work takes, then an
 * eighth of what it has waited, so that it waits that much too long at most, up to where a look
 * costs nothing worth counting. */
#define CALL_SLEEP_NS_MIN 5000ull
#define CALL_SLEEP_NS_MAX 1000000ull
#define CALL_SLEEP_PART   8u

int mailbox_init(struct mailbox *mailbox)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    if (fd < 0)
        return -errno;
    atomic_init(&mailbox->state, MAILBOX_EMPTY);
    atomic_init(&mailbox->armed, 0);
    atomic_init(&mailbox->overruns, 0);
    mailbox->fn = NULL;
    mailbox->argument = NULL;
    mailbox->result = 0;
    mailbox->waited = false;
    mailbox->wake_fd = fd;
    return 0;
}

void mailbox_fini(struct mailbox *mailbox)
{
    close(mailbox->wake_fd);
    mailbox->wake_fd = -1;
}

static int post(struct mailbox *mailbox, mailbox_fn *fn, void *argument, bool waited)
{
    uint32_t empty = MAILBOX_EMPTY;

    if (!atomic_compare_exchange_strong_explicit(&mailbox->state, &empty, MAILBOX_FILLING,
                                                 memory_order_acquire, memory_order_relaxed))
        return -EBUSY;
    mailbox->fn = fn;
    mailbox->argument = argument;
    mailbox->waited = waited;
    atomic_store_explicit(&mailbox->state, MAILBOX_POSTED, memory_order_release);
    if (atomic_exchange_explicit(&mailbox->armed, 0, memory_order_seq_cst) != 0)
        doorbell_ring_engine(mailbox->wake_fd);
    return 0;
}

int mailbox_post(struct mailbox *mailbox, mailbox_fn *fn, void *argument)
{
    return post(mailbox, fn, argument, false);
}

static uint64_t machine_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* A caller's patience. */
struct patience {
    uint64_t since;
    uint64_t deadline;
};

static void patience_start(struct patience *patience, uint64_t timeout_ns)
{
    uint64_t now = machine_now();

    patience->since = now;
    patience->deadline = timeout_ns > UINT64_MAX - now ? UINT64_MAX : now + timeout_ns;
}

/* Sleeps a little; not beyond the deadline, while that is still to come. */
static void patience_sleep(const struct patience *patience, uint64_t now)
{
    uint64_t sleep_ns = (now - patience->since) / CALL_SLEEP_PART;

    if (sleep_ns < CALL_SLEEP_NS_MIN)
        sleep_ns = CALL_SLEEP_NS_MIN;
    if (sleep_ns > CALL_SLEEP_NS_MAX)
        sleep_ns = CALL_SLEEP_NS_MAX;
    if (now < patience->deadline && sleep_ns > patience->deadline - now)
        sleep_ns = patience->deadline - now;
    nanosleep(&(struct timespec){.tv_nsec = (long)sleep_ns}, NULL);
}

static bool withdraw(struct mailbox *mailbox)
{
    uint32_t posted = MAILBOX_POSTED;

    return atomic_compare_exchange_strong_explicit(&mailbox->state, &posted, MAILBOX_EMPTY,
                                                   memory_order_release, memory_order_relaxed);
}

static bool done(struct mailbox *mailbox)
{
    return atomic_load_explicit(&mailbox->state, memory_order_acquire) == MAILBOX_DONE;
}

/* Takes a request as far as it goes now; true once it has come to its end. */
static bool advance(struct mailbox_request *request)
{
    struct mailbox *mailbox = request->mailbox;

    if (request->ended)
        return true;
    if (!request->posted)
        request->posted = post(mailbox, request->fn, request->argument, true) == 0;
    request->ended = request->posted && done(mailbox);
    if (request->ended) {
        request->result = mailbox->result;
        atomic_store_explicit(&mailbox->state, MAILBOX_EMPTY, memory_order_release);
    }
    return request->ended;
}

/* Its time is over; true once it has come to its end. Work that has started goes on to its own. */
static bool give_up(struct mailbox_request *request)
{
    if (!request->ended && (!request->posted || withdraw(request->mailbox))) {
        request->ended = true;
        request->error = -ETIMEDOUT;
    }
    return request->ended;
}

static bool each(struct mailbox_request *requests, uint32_t count,
                 bool (*visit)(struct mailbox_request *request))
{
    bool ended = true;

    for (uint32_t i = 0; i < count; i++)
        ended &= visit(&requests[i]);
    return ended;
}

void mailbox_call_all(struct mailbox_request *requests, uint32_t count, uint64_t timeout_ns)
{
    struct patience patience;

    patience_start(&patience, timeout_ns);
    for (uint32_t i = 0; i < count; i++) {
        requests[i].error = 0;
        requests[i].posted = requests[i].ended = false;
    }
    while (!each(requests, count, advance)) {
        uint64_t now = machine_now();

        if (now >= patience.deadline && each(requests, count, give_up))
            return;
        patience_sleep(&patience, now);
    }
}

int mailbox_call(struct mailbox *mailbox, mailbox_fn *fn, void *argument, uint64_t timeout_ns,
                 int *result)
{
    struct mailbox_request request = {.mailbox = mailbox, .fn = fn, .argument = argument};

    mailbox_call_all(&request, 1, timeout_ns);
    if (!request.error)
        *result = request.result;
    return request.error;
}

static int do_nothing(void *context, void *argument)
{
    (void)context;
    (void)argument;
    return 0;
}

int mailbox_ask(struct mailbox *mailbox, uint64_t timeout_ns)
{
    int result;

    return mailbox_call(mailbox, do_nothing, NULL, timeout_ns, &result);
}

static int perform(struct mailbox *mailbox, void *context)
{
#ifdef SADDLE_DEBUG
    uint64_t start = machine_now();
    int result = mailbox->fn(context, mailbox->argument);

    if (machine_now() - start > MAILBOX_WORK_NS_MAX)
        atomic_fetch_add_explicit(&mailbox->overruns, 1, memory_order_relaxed);
    return result;
#else
    return mailbox->fn(context, mailbox->argument);
#endif
}

bool mailbox_run(struct mailbox *mailbox, void *context)
{
    uint32_t posted = MAILBOX_POSTED;
    int result;

    if (atomic_load_explicit(&mailbox->state, memory_order_relaxed) != MAILBOX_POSTED)
        return false;
    if (!atomic_compare_exchange_strong_explicit(&mailbox->state, &posted, MAILBOX_RUNNING,
                                                 memory_order_acquire, memory_order_relaxed))
        return false;
    result = perform(mailbox, context);
    if (!mailbox->waited) {
        atomic_store_explicit(&mailbox->state, MAILBOX_EMPTY, memory_order_release);
        return true;
    }
    mailbox->result = result;
    atomic_store_explicit(&mailbox->state, MAILBOX_DONE, memory_order_release);
    return true;
}

bool mailbox_arm(struct mailbox *mailbox)
{
    atomic_exchange_explicit(&mailbox->armed, 1, memory_order_seq_cst);
    if (atomic_load_explicit(&mailbox->state, memory_order_acquire) != MAILBOX_POSTED)
        return true;
    mailbox_disarm(mailbox);
    return false;
}

void mailbox_disarm(struct mailbox *mailbox)
{
    atomic_exchange_explicit(&mailbox->armed, 0, memory_order_seq_cst);
}
