/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/upgrade_load.h"

#include "tools/bench/bench.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define NSEC        1000000000ull
#define PATIENCE_MS 30000 /* nothing takes that long, and nothing that is replaced */
#define PATIENCE_NS (PATIENCE_MS * 1000000ull)
#define START_NS    (120 * NSEC)                 /* thousands of connections, on a busy machine */
#define FINISH_NS   (START_NS + 2 * PATIENCE_NS) /* and as many closed, one after the other */
#define NAME_BYTES  32u

/* What only the process itself has. */
struct worker {
    struct upgrade_load *load;
    struct mix mix;
    struct mix_lane *idle;
    uint32_t idle_count;
    uint32_t caller; /* the end that connects */
};

/* ---- What is told ---- */

static void count(_Atomic uint64_t *counter, uint64_t by)
{
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

static void told_message(void *context)
{
    const struct worker *worker = context;
    count(&worker->load->messages, 1);
}

static void told_operation(void *context)
{
    const struct worker *worker = context;
    count(&worker->load->operations, 1);
}

static void __attribute__((format(printf, 2, 3))) told_fault(void *context, const char *format, ...)
{
    const struct worker *worker = context;
    struct upgrade_load *load = worker->load;
    va_list args;
    if (!load->reason[0]) {
        va_start(args, format);
        vsnprintf(load->reason, sizeof(load->reason), format, args);
        va_end(args);
    }
    count(&load->errors, 1);
}

static const struct mix_ops ops = {told_message, told_operation, told_fault};

static void fail(struct worker *worker, const char *what, int rc, uint32_t end)
{
    told_fault(worker, "%s: %s (%s)", what, strerror(-rc),
               saddle_strerror(worker->mix.ends[end].session));
    worker->mix.broken = true;
}

/* ---- Before ---- */

/* The next event of an end, which has to be of this kind, and well. */
static int await(struct worker *worker, uint32_t end, uint8_t kind, const char *what,
                 struct saddle_completion *event)
{
    struct saddle_channel *channel = worker->mix.ends[end].channel;
    int rc = saddle_wait(channel, PATIENCE_MS);
    if (rc == 1)
        rc = saddle_poll(channel, event, 1);
    if (rc == 1 && event->kind == kind && event->status == 0)
        return 0;
    if (rc == 1)
        rc = event->status ? event->status : -EPROTO;
    rc = rc == 0 ? -ETIMEDOUT : rc;
    fail(worker, what, rc, end);
    return rc;
}

/* What was submitted is over; its handle or value is in the event. */
static int await_done(struct worker *worker, uint32_t end, int submitted, const char *what,
                      struct saddle_completion *event)
{
    if (submitted) {
        fail(worker, what, submitted, end);
        return submitted;
    }
    return await(worker, end, SADDLE_DONE, what, event);
}

static int attach(struct worker *worker, uint32_t end)
{
    struct upgrade_load *load = worker->load;
    struct mix_end *at = &worker->mix.ends[end];
    const struct saddle_attach_options options = {.size = sizeof(options),
                                                  .socket = load->sockets[end],
                                                  .engine = load->hosts[end],
                                                  .application = "upgrade",
                                                  .queue_entries = MIX_QUEUE,
                                                  .heap_bytes = MIX_HEAP_BYTES,
                                                  .timeout_ms = PATIENCE_MS};
    char reason[LOAD_REASON] = "";
    int rc = saddle_attach(&at->session, &options, reason, sizeof(reason));
    if (rc) {
        told_fault(worker, "attaching to %s: %s", load->hosts[end], reason);
        return rc;
    }
    at->channel = saddle_channel(at->session, 0);
    rc = mix_allocate(at);
    if (rc)
        fail(worker, "memory of the session", rc, end);
    return rc;
}

static int expose(struct worker *worker, uint32_t end)
{
    struct mix_end *at = &worker->mix.ends[end];
    struct saddle_completion event;
    int rc = saddle_expose(at->channel, at->exposed, mix_area_bytes(),
                           SADDLE_READABLE | SADDLE_WRITABLE, NULL);
    rc = await_done(worker, end, rc, "expose", &event);
    if (rc)
        return rc;
    at->key = event.value;
    rc = saddle_expose(at->channel, at->table, mix_table_bytes(), SADDLE_READABLE | SADDLE_ATOMIC,
                       NULL);
    rc = await_done(worker, end, rc, "expose", &event);
    at->table_key = event.value;
    return rc;
}

static int join(struct worker *worker, const char *service, struct mix_lane *lane)
{
    uint32_t caller = worker->caller, called = 1 - caller;
    struct saddle_channel *from = worker->mix.ends[caller].channel;
    struct saddle_channel *to = worker->mix.ends[called].channel;
    struct saddle_completion event;
    int rc = saddle_connect(from, worker->load->hosts[called], service, NULL);
    if (!rc)
        rc = saddle_flush(from);
    if (rc) {
        fail(worker, "connect", rc, caller);
        return rc;
    }
    rc = await(worker, called, SADDLE_INCOMING, "a call", &event);
    if (rc)
        return rc;
    lane->handles[called] = event.handle;
    rc = saddle_accept(to, event.handle, NULL);
    rc = await_done(worker, called, rc, "accept", &event);
    if (!rc)
        rc = await(worker, caller, SADDLE_DONE, "connect", &event);
    lane->handles[caller] = event.handle;
    return rc;
}

static int prepare(struct worker *worker)
{
    uint32_t called = 1 - worker->caller;
    struct saddle_completion event;
    char service[NAME_BYTES];
    int rc = 0;
    snprintf(service, sizeof(service), "upgrade-%u", worker->load->number);
    for (uint32_t end = 0; end < MIX_ENDS && !rc; end++)
        rc = attach(worker, end);
    for (uint32_t end = 0; end < MIX_ENDS && !rc; end++)
        rc = expose(worker, end);
    if (rc)
        return rc;
    rc = saddle_listen(worker->mix.ends[called].channel, service, NULL);
    rc = await_done(worker, called, rc, "listen", &event);
    for (uint32_t i = 0; i < worker->mix.lane_count && !rc; i++)
        rc = join(worker, service, &worker->mix.lanes[i]);
    for (uint32_t i = 0; i < worker->idle_count && !rc; i++)
        rc = join(worker, service, &worker->idle[i]);
    return rc;
}

/* ---- All along ---- */

/* Until one doorbell or the other rings, unless events are waiting. */
static void sleep_both(struct worker *worker)
{
    struct mix *mix = &worker->mix;
    struct pollfd bells[MIX_ENDS];
    int waiting = 0;
    for (uint32_t end = 0; end < MIX_ENDS; end++) {
        int rc = saddle_arm(mix->ends[end].channel);
        if (rc < 0)
            fail(worker, "the session ended", rc, end);
        waiting |= rc;
        bells[end] = (struct pollfd){.fd = saddle_fd(mix->ends[end].channel), .events = POLLIN};
    }
    if (!waiting && !mix->broken)
        poll(bells, MIX_ENDS, PATIENCE_MS);
    for (uint32_t end = 0; end < MIX_ENDS; end++)
        saddle_disarm(mix->ends[end].channel);
}

static void check_standstill(struct worker *worker)
{
    char what[LOAD_REASON];
    uint64_t oldest_ns;
    if (mix_active(&worker->mix, &oldest_ns) == 0 || bench_now() < oldest_ns + PATIENCE_NS)
        return;
    mix_describe(&worker->mix, what, sizeof(what));
    told_fault(worker, "standstill: %s", what);
    worker->mix.broken = true;
}

static void go_on(struct worker *worker)
{
    struct mix *mix = &worker->mix;
    struct upgrade_load *load = worker->load;
    uint64_t oldest_ns;
    while (!mix->broken) {
        int taken = 0;
        if (!atomic_load_explicit(&load->ending, memory_order_relaxed))
            mix_start(mix, bench_now());
        else if (mix_active(mix, &oldest_ns) == 0)
            return;
        mix_begin(mix);
        for (uint32_t end = 0; end < MIX_ENDS; end++)
            taken += mix_take(mix, end, bench_now());
        count(&load->turns, mix_finish(mix));
        if (taken > 0 || mix->broken)
            continue;
        sleep_both(worker);
        check_standstill(worker);
    }
}

/* ---- After ---- */

/* A message over an idle connection, to this end from the other one. */
static int greet(struct worker *worker, const struct mix_lane *lane, uint32_t end, uint64_t number)
{
    struct mix_end *ends = worker->mix.ends;
    uint32_t other = 1 - end;
    struct saddle_completion event;
    uint64_t heard = 0;
    int rc = saddle_send(ends[other].channel, lane->handles[other], &number, sizeof(number), NULL);
    if (!rc)
        rc = saddle_flush(ends[other].channel);
    if (rc) {
        fail(worker, "a message over an idle connection", rc, other);
        return rc;
    }
    rc = await(worker, end, SADDLE_MESSAGE, "a message over an idle connection", &event);
    if (rc)
        return rc;
    if (event.len == sizeof(heard))
        memcpy(&heard, event.data, sizeof(heard));
    if (event.handle != lane->handles[end] || heard != number) {
        told_fault(worker, "idle connection %llu: another one's message, or a wrong one",
                   (unsigned long long)number);
        return -EBADMSG;
    }
    saddle_release(ends[end].channel, &event);
    told_message(worker);
    return await(worker, other, SADDLE_DONE, "a message over an idle connection", &event);
}

/* They are as they were. */
static int greet_all(struct worker *worker)
{
    int rc = 0;
    for (uint32_t i = 0; i < worker->idle_count && !rc; i++) {
        rc = greet(worker, &worker->idle[i], worker->caller, i + 1);
        if (!rc)
            rc = greet(worker, &worker->idle[i], 1 - worker->caller, i + 1);
    }
    return rc;
}

static int leave(struct worker *worker, struct mix_lane *lane)
{
    uint32_t caller = worker->caller, called = 1 - caller;
    struct saddle_completion event;
    int rc = saddle_close(worker->mix.ends[caller].channel, lane->handles[caller], NULL);
    rc = await_done(worker, caller, rc, "close", &event);
    if (!rc)
        rc = await(worker, called, SADDLE_CLOSED, "the other side's close", &event);
    if (rc)
        return rc;
    rc = saddle_close(worker->mix.ends[called].channel, lane->handles[called], NULL);
    return await_done(worker, called, rc, "close", &event);
}

static void finish(struct worker *worker)
{
    int rc = worker->mix.broken ? -EPIPE : greet_all(worker);
    for (uint32_t i = 0; i < worker->mix.lane_count && !rc; i++)
        rc = leave(worker, &worker->mix.lanes[i]);
    for (uint32_t i = 0; i < worker->idle_count && !rc; i++)
        rc = leave(worker, &worker->idle[i]);
    mix_end_all(&worker->mix);
    worker->load->faults = worker->mix.faults;
    for (uint32_t end = 0; end < MIX_ENDS; end++)
        saddle_detach(worker->mix.ends[end].session);
}

static void be_applications(void *arg, int word_fd)
{
    struct upgrade_load *load = arg;
    struct worker *worker = calloc(1, sizeof(*worker));
    struct mix_lane *lanes = calloc(load->connections, sizeof(*lanes));
    if (!worker || !lanes)
        _exit(EXIT_FAILURE);
    worker->load = load;
    worker->caller = load->number % MIX_ENDS;
    worker->mix =
        (struct mix){.lanes = lanes, .lane_count = load->busy, .ops = &ops, .context = worker};
    worker->idle = lanes + load->busy;
    worker->idle_count = load->connections - load->busy;
    if (prepare(worker) || write(word_fd, "", 1) != 1)
        _exit(EXIT_FAILURE);
    go_on(worker);
    finish(worker);
    _exit(load->errors ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* ---- In the process that starts it ---- */

struct upgrade_load *load_create(void)
{
    void *memory = mmap(NULL, sizeof(struct upgrade_load), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

int load_begin(struct upgrade_load *load, struct actor *actor)
{
    int rc = actor_start(actor, SIGKILL, be_applications, load);
    return rc ? rc : actor_wait(actor, START_NS);
}

bool load_is_over(struct actor *actor)
{
    return actor->pid > 0 && actor_wait(actor, 0) == -ECHILD;
}

void load_finish(struct upgrade_load *load, struct actor *actor)
{
    if (actor->pid <= 0)
        return;
    atomic_store_explicit(&load->ending, true, memory_order_relaxed);
    int status = actor_end(actor, 0, FINISH_NS);
    if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || load->errors))
        return;
    if (!load->reason[0])
        snprintf(load->reason, sizeof(load->reason), "the applications' process ended: status %x",
                 (unsigned)status);
    count(&load->errors, 1);
}
