/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/upgrade_probe.h"

#include "tools/bench/pace.h"

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

#include <saddle/saddle.h>

#define NSEC_PER_MSEC 1000000ull
#define SERVICE       "upgrade-probe"
#define BYTES         64u /* of a message, as of the other probers: it travels in a queue entry */
/* 200 a second: round trips beside a load that fills both cores take milliseconds, and a prober
 * that falls behind for good would measure itself. */
#define PERIOD_NS     (5 * NSEC_PER_MSEC)
#define HEAP_BYTES    (4u << 20)
#define QUEUE_ENTRIES 64u
#define PATIENCE_MS   30000 /* nothing takes that long, and nothing that is replaced */
#define START_NS      (60000 * NSEC_PER_MSEC)
#define FINISH_NS     (2 * PATIENCE_MS * NSEC_PER_MSEC)

enum { NEAR, FAR }; /* who sends, and who sends back */

struct end {
    struct saddle_session *session;
    struct saddle_channel *channel;
    saddle_handle handle;
};

/* What only the process itself has. */
struct prober {
    struct upgrade_probe *probe;
    struct end ends[UPGRADE_PROBE_ENDS];
    uint64_t number; /* of the message on its way */
};

static int __attribute__((format(printf, 3, 4)))
fail(struct prober *prober, int rc, const char *format, ...)
{
    struct upgrade_probe *probe = prober->probe;
    va_list args;
    if (!probe->reason[0]) {
        va_start(args, format);
        vsnprintf(probe->reason, sizeof(probe->reason), format, args);
        va_end(args);
    }
    atomic_fetch_add_explicit(&probe->errors, 1, memory_order_relaxed);
    return rc;
}

/* ---- Before ---- */

static int attach(struct prober *prober, uint32_t end)
{
    const struct upgrade_probe *probe = prober->probe;
    struct end *at = &prober->ends[end];
    const struct saddle_attach_options options = {.size = sizeof(options),
                                                  .socket = probe->sockets[end],
                                                  .engine = probe->hosts[end],
                                                  .application = "upgrade-probe",
                                                  .queue_entries = QUEUE_ENTRIES,
                                                  .heap_bytes = HEAP_BYTES,
                                                  .timeout_ms = PATIENCE_MS};
    char line[UPGRADE_PROBE_LINE / 2] = "";
    int rc = saddle_attach(&at->session, &options, line, sizeof(line));
    if (rc)
        return fail(prober, rc, "the prober: attaching to %s: %s", probe->hosts[end], line);
    at->channel = saddle_channel(at->session, 0);
    return 0;
}

/* Both sides of a call are one process: neither may block for the other. */
static int join(struct prober *prober)
{
    struct end *near = &prober->ends[NEAR], *far = &prober->ends[FAR];
    struct saddle_completion event;
    saddle_handle listener;
    int rc = saddle_listen_wait(far->channel, SERVICE, PATIENCE_MS, &listener);
    if (!rc)
        rc = saddle_connect(near->channel, prober->probe->hosts[FAR], SERVICE, NULL);
    if (!rc)
        rc = saddle_flush(near->channel);
    if (!rc)
        rc = saddle_accept_wait(far->channel, listener, PATIENCE_MS, &far->handle);
    if (!rc)
        rc = saddle_wait(near->channel, PATIENCE_MS) == 1 ? 0 : -ETIMEDOUT;
    if (!rc)
        rc = saddle_poll(near->channel, &event, 1) == 1 ? event.status : -EPROTO;
    if (rc)
        return fail(prober, rc, "the prober: connecting: %s", strerror(-rc));
    near->handle = event.handle;
    return 0;
}

/* ---- A round trip ---- */

static int send_number(const struct end *end, uint64_t number)
{
    uint8_t bytes[BYTES] = {0};
    memcpy(bytes, &number, sizeof(number));
    int rc = saddle_send(end->channel, end->handle, bytes, sizeof(bytes), NULL);
    return rc ? rc : saddle_flush(end->channel);
}

/* One event of an end; *back is set by the message on its way that came back. */
static int on_event(struct prober *prober, uint32_t end, const struct saddle_completion *event,
                    bool *back)
{
    uint64_t number;
    if (event->kind == SADDLE_DONE)
        return event->status;
    if (event->kind != SADDLE_MESSAGE)
        return event->status ? event->status : -ECONNRESET;
    if (event->len != BYTES)
        return -EBADMSG;
    memcpy(&number, event->data, sizeof(number));
    if (number != prober->number)
        return -EBADMSG;
    *back = end == NEAR;
    return end == FAR ? send_number(&prober->ends[FAR], number) : 0;
}

/* All that has happened at an end: how much that was, or a negative errno. */
static int take(struct prober *prober, uint32_t end, bool *back)
{
    struct saddle_channel *channel = prober->ends[end].channel;
    struct saddle_completion event;
    int count = 0, rc = saddle_poll(channel, &event, 1);
    for (; rc == 1; count++) {
        rc = on_event(prober, end, &event, back);
        int released = saddle_release(channel, &event);
        if (rc || released)
            return rc ? rc : released;
        rc = saddle_poll(channel, &event, 1);
    }
    return rc ? rc : count;
}

/* Until one doorbell or the other rings, unless events are waiting. */
static int sleep_both(const struct prober *prober)
{
    struct pollfd bells[UPGRADE_PROBE_ENDS];
    int rc = 0, waiting = 0;
    for (uint32_t end = 0; end < UPGRADE_PROBE_ENDS; end++) {
        struct saddle_channel *channel = prober->ends[end].channel;
        int armed = saddle_arm(channel);
        if (armed < 0)
            rc = armed;
        waiting |= armed;
        bells[end] = (struct pollfd){.fd = saddle_fd(channel), .events = POLLIN};
    }
    if (!waiting && poll(bells, UPGRADE_PROBE_ENDS, PATIENCE_MS) == 0)
        rc = -ETIMEDOUT;
    for (uint32_t end = 0; end < UPGRADE_PROBE_ENDS; end++)
        saddle_disarm(prober->ends[end].channel);
    return rc;
}

static int trip(struct prober *prober)
{
    bool back = false;
    int rc = send_number(&prober->ends[NEAR], ++prober->number);
    while (!rc && !back) {
        int far = take(prober, FAR, &back);
        int near = far < 0 ? far : take(prober, NEAR, &back);
        rc = near < 0 ? near : 0;
        if (!rc && !back && near + far == 0)
            rc = sleep_both(prober);
    }
    if (rc)
        return fail(prober, rc, "the prober: round trip %llu: %s (%s, %s)",
                    (unsigned long long)prober->number, strerror(-rc),
                    saddle_strerror(prober->ends[NEAR].session),
                    saddle_strerror(prober->ends[FAR].session));
    return 0;
}

static void keep(struct upgrade_probe *probe, uint64_t due_ns, uint64_t took_ns)
{
    uint64_t number = atomic_load_explicit(&probe->written, memory_order_relaxed);
    probe->samples[number % UPGRADE_PROBE_ROOM] = (struct phase_sample){due_ns, took_ns};
    atomic_store_explicit(&probe->written, number + 1, memory_order_release);
}

static void be_prober(void *arg, int word_fd)
{
    struct upgrade_probe *probe = arg;
    struct prober prober = {.probe = probe};
    int rc = attach(&prober, NEAR);
    if (!rc)
        rc = attach(&prober, FAR);
    if (!rc)
        rc = join(&prober);
    if (!rc)
        rc = trip(&prober);
    if (rc || write(word_fd, "", 1) != 1)
        _exit(EXIT_FAILURE);
    uint64_t due_ns = pace_machine.now(NULL);
    while (!rc && !atomic_load_explicit(&probe->ending, memory_order_relaxed)) {
        due_ns += PERIOD_NS;
        if (due_ns > pace_machine.now(NULL))
            pace_machine.sleep_until(NULL, due_ns);
        rc = trip(&prober);
        if (!rc)
            keep(probe, due_ns, pace_machine.now(NULL) - due_ns);
    }
    for (uint32_t end = 0; end < UPGRADE_PROBE_ENDS; end++)
        saddle_detach(prober.ends[end].session);
    _exit(rc ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* ---- In the process that starts it ---- */

struct upgrade_probe *upgrade_probe_create(void)
{
    void *memory = mmap(NULL, sizeof(struct upgrade_probe), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

int upgrade_probe_begin(struct upgrade_probe *probe, struct actor *actor)
{
    int rc = actor_start(actor, SIGKILL, be_prober, probe);
    return rc ? rc : actor_wait(actor, START_NS);
}

int upgrade_probe_take(struct upgrade_probe *probe, const struct phase_marks *marks,
                       struct phases *phases)
{
    uint64_t written = atomic_load_explicit(&probe->written, memory_order_acquire);
    int rc = 0;
    for (; probe->taken < written && !rc; probe->taken++)
        rc = phases_add(phases, &probe->samples[probe->taken % UPGRADE_PROBE_ROOM], marks);
    return rc;
}

void upgrade_probe_finish(struct upgrade_probe *probe, struct actor *actor)
{
    if (actor->pid <= 0)
        return;
    atomic_store_explicit(&probe->ending, true, memory_order_relaxed);
    int status = actor_end(actor, 0, FINISH_NS);
    if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || probe->errors))
        return;
    if (!probe->reason[0])
        snprintf(probe->reason, sizeof(probe->reason), "the prober's process ended: status %x",
                 (unsigned)status);
    atomic_fetch_add_explicit(&probe->errors, 1, memory_order_relaxed);
}
