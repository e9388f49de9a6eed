/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What a daemon takes whose applications want nothing: processor time, and memory for connections.
 *
 * Each connection that counts has carried a message there and back: only then has it all that it
 * keeps, and only what answers is known to be there.
 */
#include "tools/bench/bench.h"
#include "tools/bench/probe.h"
#include "tools/bench/ramp.h"
#include "tools/bench/ring_pair.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NSEC    1000000000ull
#define PERCENT 100.0
/* Messages on their way: what one receiver's slots hold for one connection. */
#define WINDOW      256u
#define EVENTS      32
#define NUMBER_BASE 10
/* Until the last acknowledgement, the search for the path's MTU and threads' looks before they
 * sleep are over: several times what the longest of them takes. */
#define SETTLE_NS (NSEC / 2)
/* The daemon looks after sessions and engines once a second, and that is most of what it does when
 * nobody wants anything: in so long a time are two such looks, or one and nearly another. */
#define REST_NS_MIN (2 * NSEC)
/* Messages there and back before memory is looked at: as many as later, so that all places for
 * operations that these take have been touched, and what comes on top is connections' alone. */
#define WARM_UP    RING_IDLE_CONNECTIONS
#define PATH_BYTES 32u
#define LINE_BYTES 256u
#define TITLE      "RssAnon:" /* of /proc/PID/status, in KiB */
#define KIB        1024u

struct idle {
    struct ring_shared *shared;
    struct pair pair;
    pid_t daemon;               /* with both engines */
    uint64_t *asked, *answered; /* messages of each connection, from the left and back there */
    uint32_t answers, ends;     /* of what goes on: answers taken, and sends that have ended */
};

/* ---- Messages there and back ---- */

static int ask(struct idle *idle, uint32_t connection)
{
    uint8_t bytes[RING_SMALL_BYTES];
    ramp_fill(bytes, sizeof(bytes), ramp_stamp(connection, idle->asked[connection]));
    int rc = saddle_send(idle->pair.ends[PAIR_LEFT].channel,
                         idle->pair.handles[PAIR_LEFT][connection], bytes, sizeof(bytes), NULL);
    if (rc == -EAGAIN)
        return rc;
    if (rc)
        return pair_error(&idle->pair, PAIR_LEFT, idle->shared, rc, "sending");
    idle->asked[connection]++;
    return 0;
}

/* The right sends back what it got, which the left compares. */
static int answer(struct idle *idle, const struct saddle_completion *event)
{
    int rc = saddle_send(idle->pair.ends[PAIR_RIGHT].channel, event->handle, event->data,
                         event->len, NULL);
    return rc ? pair_error(&idle->pair, PAIR_RIGHT, idle->shared, rc, "answering") : 0;
}

static int check(struct idle *idle, const struct saddle_completion *event)
{
    const struct pair *pair = &idle->pair;
    uint32_t connection =
        event->len == RING_SMALL_BYTES ? ramp_sequence(ramp_read(event->data)) : pair->connections;
    if (connection >= pair->connections || pair->handles[PAIR_LEFT][connection] != event->handle ||
        idle->answered[connection] == idle->asked[connection] ||
        !ramp_check(event->data, RING_SMALL_BYTES,
                    ramp_stamp(connection, idle->answered[connection])))
        return ring_error(idle->shared, -EBADMSG,
                          "message %llu, there and back, arrived wrong, or on another connection",
                          (unsigned long long)idle->shared->result.checked);
    idle->answered[connection]++;
    idle->answers++;
    idle->shared->result.checked++;
    return 0;
}

static int take_event(struct idle *idle, uint32_t end, const struct saddle_completion *event)
{
    if (event->status || (event->kind != SADDLE_DONE && event->kind != SADDLE_MESSAGE))
        return pair_error(&idle->pair, end, idle->shared,
                          event->status ? event->status : -ECONNRESET, "a message");
    if (event->kind == SADDLE_DONE) {
        idle->ends++;
        return 0;
    }
    int rc = end == PAIR_RIGHT ? answer(idle, event) : check(idle, event);
    if (!rc && (rc = saddle_release(idle->pair.ends[end].channel, event)))
        pair_error(&idle->pair, end, idle->shared, rc, "releasing a message");
    return rc;
}

/* What has happened at both ends; asleep until something has. */
static int take(struct idle *idle)
{
    struct saddle_completion events[EVENTS];
    int rc = 0, count = 0;
    for (uint32_t end = 0; end < PAIR_ENDS && !rc; end++) {
        int taken = saddle_poll(idle->pair.ends[end].channel, events, EVENTS);
        if (taken < 0)
            return pair_error(&idle->pair, end, idle->shared, taken, "messages");
        count += taken;
        for (int i = 0; i < taken && !rc; i++)
            rc = take_event(idle, end, &events[i]);
    }
    if (!rc && !count && (rc = pair_sleep(&idle->pair)))
        pair_error(&idle->pair, PAIR_LEFT, idle->shared, rc, "waiting for messages");
    return rc;
}

/* So many there and back, over connections from `first` on in their turn, until nothing of them is
 * under way. */
static int exchange(struct idle *idle, uint32_t first, uint32_t connections, uint32_t count)
{
    uint32_t asked = 0;
    int rc = 0;
    idle->answers = idle->ends = 0;
    while (!rc && (idle->answers < count || idle->ends < PAIR_ENDS * count)) {
        while (!rc && asked < count && asked - idle->answers < WINDOW)
            if (!(rc = ask(idle, first + asked % connections)))
                asked++;
        if (!rc || rc == -EAGAIN)
            rc = take(idle);
    }
    return rc;
}

/* ---- Nothing ---- */

static void sleep_for(uint64_t ns)
{
    struct timespec left = {.tv_sec = (time_t)(ns / NSEC), .tv_nsec = (long)(ns % NSEC)};
    while (nanosleep(&left, &left) && errno == EINTR)
        ;
}

static int measure_time(struct idle *idle)
{
    struct ring_shared *shared = idle->shared;
    uint64_t length = ring_length_ns(shared);
    sleep_for(SETTLE_NS);
    uint64_t used = probe_cpu_ns(idle->daemon), start = bench_now();
    sleep_for(length > REST_NS_MIN ? length : REST_NS_MIN);
    used = probe_cpu_ns(idle->daemon) - used;
    shared->result.values[RING_CORE_PERCENT] =
        PERCENT * (double)used / (double)(bench_now() - start);
    return 0;
}

/* Resident memory of the daemon that it shares with nobody, bytes; 0: it is not known. What it
 * shares, packet buffers and applications' arenas, has its size from the start, and becomes
 * resident as packets and messages come by, whatever connection they are of. */
static uint64_t resident(pid_t daemon)
{
    char path[PATH_BYTES], line[LINE_BYTES];
    uint64_t kib = 0;
    snprintf(path, sizeof(path), "/proc/%d/status", (int)daemon);
    FILE *file = fopen(path, "re");
    while (file && kib == 0 && fgets(line, sizeof(line), file))
        if (strncmp(line, TITLE, sizeof(TITLE) - 1) == 0)
            kib = strtoull(line + sizeof(TITLE) - 1, NULL, NUMBER_BASE);
    if (file)
        fclose(file);
    return kib * KIB;
}

static int measure_memory(struct idle *idle)
{
    struct ring_shared *shared = idle->shared;
    int rc = exchange(idle, 0, 1, WARM_UP);
    if (rc)
        return rc;
    sleep_for(SETTLE_NS);
    uint64_t before = resident(idle->daemon);
    rc = pair_extend(&idle->pair, shared, RING_IDLE_CONNECTIONS);
    if (!rc)
        rc = exchange(idle, 1, RING_IDLE_CONNECTIONS, RING_IDLE_CONNECTIONS);
    if (rc)
        return rc;
    sleep_for(SETTLE_NS);
    uint64_t after = resident(idle->daemon);
    if (before == 0 || after < before)
        return ring_error(shared, -EPROTO, "the daemon's resident memory cannot be read");
    /* Both ends of each are the daemon's. */
    shared->result.values[RING_END_BYTES] =
        (double)(after - before) / (PAIR_ENDS * RING_IDLE_CONNECTIONS);
    return 0;
}

/* ---- Both ---- */

/* With a session at each engine and a connection between them, which answers before and after. */
static int run(struct ring_shared *shared, int (*measure)(struct idle *idle), uint32_t connections)
{
    struct idle idle = {.shared = shared, .daemon = shared->hosts[RING_LEFT].daemon};
    idle.asked = calloc(connections, sizeof(*idle.asked));
    idle.answered = calloc(connections, sizeof(*idle.answered));
    int rc = -ENOMEM;
    if (idle.asked && idle.answered)
        rc = pair_open(&idle.pair, shared, 0, 0);
    else
        ring_error(shared, rc, "no memory for %u connections", connections);
    if (!rc)
        rc = exchange(&idle, 0, 1, 1);
    if (!rc)
        rc = measure(&idle);
    if (!rc)
        rc = exchange(&idle, 0, 1, 1);
    pair_close(&idle.pair);
    free(idle.asked);
    free(idle.answered);
    return rc;
}

int ring_rest(struct ring_shared *shared)
{
    return run(shared, measure_time, 1);
}

int ring_rest_all(struct ring_shared *shared)
{
    return run(shared, measure_memory, 1 + RING_IDLE_CONNECTIONS);
}
