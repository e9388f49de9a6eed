/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Probing through a daemon: applications that attach to it, and wait for their events. */
#include "tools/bench/fleet.h"
#include "tools/bench/probe.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <saddle/saddle.h>

#define SERVICE_ECHO   "echo"
#define SERVICE_STREAM "stream"
#define EVENTS         16         /* taken at a time */
#define STREAM_WINDOW  8u         /* messages of the stream on their way at a time */
#define EAGER_BYTES    16384u     /* a longer message needs a posted buffer: saddle.h */
#define HEAP_SPARE     (4u << 20) /* beyond the buffers: what the allocator rounds up */
#define TIMEOUT_MS     PROBE_WAIT_MS

/* One application: a session with one channel, and one connection. */
struct side {
    struct saddle_session *session;
    struct saddle_channel *channel;
    saddle_handle connection;
};

static struct side prober;

static int attach(struct probe_shared *shared, struct side *side, const char *engine, uint64_t heap)
{
    const struct saddle_attach_options options = {.size = sizeof(options),
                                                  .socket = shared->socket,
                                                  .engine = engine,
                                                  .application = "saddle-bench",
                                                  .heap_bytes = heap + HEAP_SPARE};
    char line[PLAN_REASON_BYTES - 64];
    int rc = saddle_attach(&side->session, &options, line, sizeof(line));
    if (rc)
        return probe_error(shared, rc, "attaching to engine %s: %s", engine, line);
    side->channel = saddle_channel(side->session, 0);
    return 0;
}

static int reach(struct probe_shared *shared, struct side *side, const char *service)
{
    int rc =
        saddle_connect_wait(side->channel, FLEET_RIGHT, service, TIMEOUT_MS, &side->connection);
    return rc ? probe_error(shared, rc, "connecting to %s: %s", service, strerror(-rc)) : 0;
}

static void offer(struct probe_shared *shared, struct side *side, const char *service,
                  saddle_handle *listener)
{
    int rc = attach(shared, side, FLEET_RIGHT, STREAM_WINDOW * shared->settings.stream_bytes);
    if (rc)
        _exit(EXIT_FAILURE);
    /* Who offered it in the measurement before may not be gone yet. */
    for (uint32_t tries = 0; tries < TIMEOUT_MS; tries++) {
        const struct timespec pause = {.tv_nsec = 1000000};

        rc = saddle_listen_wait(side->channel, service, TIMEOUT_MS, listener);
        if (rc != -EADDRINUSE)
            break;
        nanosleep(&pause, NULL);
    }
    if (rc)
        probe_fail(shared, "offering %s: %s", service, strerror(-rc));
}

static int open_prober(struct probe_shared *shared)
{
    int rc = attach(shared, &prober, FLEET_LEFT, 0);
    return rc ? rc : reach(shared, &prober, SERVICE_ECHO);
}

/* Sleeps until there is an event: 0 or a negative errno. */
static int await(const struct side *side)
{
    int rc = saddle_wait(side->channel, TIMEOUT_MS);
    return rc > 0 ? 0 : rc ? rc : -ETIMEDOUT;
}

static int await_echo(const struct side *side)
{
    struct saddle_completion event;
    for (;;) {
        int count = saddle_poll(side->channel, &event, 1);
        if (count < 0)
            return count;
        if (count == 0) {
            int rc = await(side);
            if (rc)
                return rc;
        } else if (event.kind == SADDLE_MESSAGE) {
            return saddle_release(side->channel, &event);
        } else if (event.kind != SADDLE_DONE || event.status) {
            return event.status ? event.status : -EPROTO;
        }
    }
}

static int trip(struct probe_shared *shared)
{
    const uint8_t bytes[PROBE_BYTES] = {0};
    int rc = saddle_send(prober.channel, prober.connection, bytes, sizeof(bytes), NULL);
    if (!rc)
        rc = saddle_flush(prober.channel);
    if (!rc)
        rc = await_echo(&prober);
    return rc ? probe_error(shared, rc, "a round trip: %s", strerror(-rc)) : 0;
}

static int return_message(const struct side *side, const struct saddle_completion *event)
{
    uint8_t bytes[PROBE_BYTES];
    if (event->kind != SADDLE_MESSAGE)
        return event->kind == SADDLE_DONE ? event->status : -ECONNRESET;
    size_t len = event->len < sizeof(bytes) ? event->len : sizeof(bytes);
    memcpy(bytes, event->data, len);
    int rc = saddle_send(side->channel, event->handle, bytes, len, NULL);
    return rc ? rc : saddle_release(side->channel, event);
}

/* Until the prober goes. */
static void echo(struct probe_shared *shared, int word_fd)
{
    struct side side = {0};
    saddle_handle listener;
    struct saddle_completion event;
    offer(shared, &side, SERVICE_ECHO, &listener);
    probe_ready(shared, word_fd);
    int rc = saddle_accept_wait(side.channel, listener, TIMEOUT_MS, &side.connection);
    while (!rc) {
        int count = saddle_poll(side.channel, &event, 1);
        if (count > 0)
            rc = return_message(&side, &event);
        else
            rc = count ? count : await(&side);
    }
    if (rc != -ECONNRESET)
        probe_fail(shared, "the echo: %s", strerror(-rc));
    _exit(EXIT_SUCCESS);
}

/* ---- The stream: both of its applications in one process, one thread. ---- */

struct stream {
    struct probe_shared *shared;
    struct side from;
    struct side to;
    uint8_t *source;  /* one message, sent again and again */
    uint8_t *buffers; /* STREAM_WINDOW of them */
    uint64_t start_ns;
    uint64_t sent;
    uint64_t done;
};

static int post_buffer(struct stream *s, uint64_t number)
{
    uint32_t bytes = s->shared->settings.stream_bytes;
    const struct saddle_op op = {.size = sizeof(op), .tag = number};
    if (bytes <= EAGER_BYTES)
        return 0;
    return saddle_post_recv(s->to.channel, s->to.connection, s->buffers + number * bytes, bytes,
                            &op);
}

static int take_message(struct stream *s, const struct saddle_completion *event)
{
    bool posted = event->kind == SADDLE_DONE && event->len > 0;
    if (event->kind == SADDLE_CLOSED || event->status)
        return event->status ? event->status : -ECONNRESET;
    if (posted || event->kind == SADDLE_MESSAGE)
        atomic_fetch_add_explicit(&s->shared->streamed, 1, memory_order_relaxed);
    if (posted)
        return post_buffer(s, event->tag);
    return saddle_release(s->to.channel, event);
}

/* All that has happened; *count grows by how much that was. */
static int take_events(struct stream *s, int *count)
{
    struct saddle_completion events[EVENTS];
    int rc = 0;
    int n = saddle_poll(s->to.channel, events, EVENTS);
    if (n < 0)
        return n;
    *count += n;
    for (int i = 0; i < n && !rc; i++)
        rc = take_message(s, &events[i]);
    n = saddle_poll(s->from.channel, events, EVENTS);
    if (rc || n < 0)
        return rc ? rc : n;
    *count += n;
    for (int i = 0; i < n && !rc; i++) {
        rc = events[i].kind == SADDLE_DONE ? events[i].status : -ECONNRESET;
        s->done++;
    }
    return rc;
}

static int send_next(struct stream *s)
{
    int rc = saddle_send(s->from.channel, s->from.connection, s->source,
                         s->shared->settings.stream_bytes, NULL);
    s->sent++;
    return rc ? rc : saddle_flush(s->from.channel);
}

/* Until either side has an event. */
static int sleep_both(const struct stream *s)
{
    struct pollfd bells[] = {{.fd = saddle_fd(s->from.channel), .events = POLLIN},
                             {.fd = saddle_fd(s->to.channel), .events = POLLIN}};
    int from = saddle_arm(s->from.channel), to = saddle_arm(s->to.channel);
    int rc = from < 0 ? from : to < 0 ? to : 0;
    if (from == 0 && to == 0 && poll(bells, 2, TIMEOUT_MS) == 0)
        rc = -ETIMEDOUT;
    saddle_disarm(s->from.channel);
    saddle_disarm(s->to.channel);
    return rc;
}

/* One message whenever one is due, unless a whole window is on its way. */
static int stream_on(struct stream *s)
{
    int count = 0;
    int rc = take_events(s, &count);
    if (rc || count)
        return rc;
    if (s->sent - s->done == STREAM_WINDOW)
        return sleep_both(s);
    probe_stream_wait(s->shared, s->start_ns, s->sent);
    return send_next(s);
}

static int open_stream(struct stream *s)
{
    struct saddle_completion event;
    uint32_t bytes = s->shared->settings.stream_bytes;
    saddle_handle listener;
    offer(s->shared, &s->to, SERVICE_STREAM, &listener);
    int rc = attach(s->shared, &s->from, FLEET_LEFT, bytes);
    if (rc)
        return rc;
    s->source = saddle_alloc(s->from.session, bytes);
    s->buffers = saddle_alloc(s->to.session, (size_t)STREAM_WINDOW * bytes);
    if (!s->source || !s->buffers)
        return -ENOMEM;
    memset(s->source, 1, bytes);
    /* Both calls are under way at once: neither side may block for the other. */
    if ((rc = saddle_connect(s->from.channel, FLEET_RIGHT, SERVICE_STREAM, NULL)) ||
        (rc = saddle_flush(s->from.channel)) ||
        (rc = saddle_accept_wait(s->to.channel, listener, TIMEOUT_MS, &s->to.connection)) ||
        (rc = await(&s->from)))
        return rc;
    if (saddle_poll(s->from.channel, &event, 1) != 1 || event.status)
        return -EPROTO;
    s->from.connection = event.handle;
    for (uint64_t i = 0; i < STREAM_WINDOW && !rc; i++)
        rc = post_buffer(s, i);
    return rc ? rc : saddle_flush(s->to.channel);
}

static void stream(struct probe_shared *shared, int word_fd)
{
    struct stream s = {.shared = shared};
    int rc = open_stream(&s);
    if (!rc)
        probe_ready(shared, word_fd);
    s.start_ns = pace_machine.now(NULL);
    while (!rc)
        rc = stream_on(&s);
    probe_fail(shared, "the stream: %s", strerror(-rc));
}

const struct probe_transport probe_saddle = {
    .open = open_prober, .trip = trip, .echo = echo, .stream = stream};
