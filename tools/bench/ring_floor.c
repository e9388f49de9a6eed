/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What this machine takes for the work beneath Saddle's, with nothing done that is Saddle's: no
 * figure of it can be better. Of a round trip, the four hops of an entry between two processors; of
 * large messages, to fill and to compare them, and between that to copy them into packets and out
 * again with a checksum on either side, all in one thread, or to copy them once. And how fast its
 * processors are: one that shares its core with those of other machines, and does not know, gives
 * every figure a range.
 */
#include "engines/elements/crc32c.h"
#include "tools/bench/bench.h"
#include "tools/bench/link.h"
#include "tools/bench/ramp.h"
#include "tools/bench/ring_meter.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NSEC           1000000000ull
#define STOP           UINT64_MAX /* a tag */
#define COPIES_MOST    2u         /* into a packet, and out of it */
#define PACKET_BYTES   4900u      /* of payload, as packets of 5000 bytes carry */
#define PACKET_PLACES  64u        /* in turn: few enough to stay in a second-level cache */
#define PACKET_SPACING 5376u      /* whole cache lines, as in a packet pool */
/* Of the processors' steps: short beside the time for which others want the same core, and how many
 * there are, some microseconds of them, from one look at the clock to the next. */
#define SLICE_NS    10000000ull
#define SLICE_STEPS 2048u
#define LANE_FACTOR 6364136223846793005ull /* odd, and with bits everywhere */
#define LANE_SHIFT  29
#define PROCESSORS  2u

/* ---- There and back ---- */

struct hops {
    struct ring_shared *shared;
    struct link there, back;
};

static void *echo(void *arg)
{
    struct hops *hops = arg;
    bench_pin(hops->shared->far_cpu);
    for (uint64_t tag = 0; tag != STOP;) {
        tag = link_take(&hops->there);
        link_put(&hops->back, tag);
    }
    return NULL;
}

/* Application to engine, engine to application, and likewise for the answer. */
static int trip(void *context, uint64_t number)
{
    struct hops *hops = context;
    for (uint32_t way = 0; way < 2; way++) {
        link_put(&hops->there, number);
        if (link_take(&hops->back) != number)
            return ring_error(hops->shared, -EBADMSG, "an entry that came back is another one");
    }
    return 0;
}

static int run_hops(struct ring_shared *shared)
{
    struct hops hops = {.shared = shared};
    pthread_t thread;
    int rc = link_open(&hops.there);
    if (!rc)
        rc = link_open(&hops.back);
    if (rc)
        return ring_error(shared, rc, "no memory for two queues");
    if ((rc = -pthread_create(&thread, NULL, echo, &hops)))
        return ring_error(shared, rc, "starting a thread: %s", strerror(-rc));
    rc = ring_measure_trips(shared, trip, &hops);
    link_put(&hops.there, STOP);
    pthread_join(thread, NULL);
    return rc;
}

/* ---- One way ---- */

struct bytes {
    struct ring_shared *shared;
    uint8_t *out, *in; /* of the two applications, `slots` messages each */
    uint8_t *packets;
    uint64_t packet, sent;
};

/* As applications' arenas are. */
static uint8_t *map(size_t bytes)
{
    void *memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* What both hosts do with the payload of one packet: true if it arrived whole. */
static bool move(struct bytes *bytes, uint8_t *to, const uint8_t *from, size_t len)
{
    if (bytes->shared->what.copies < COPIES_MOST) {
        uint32_t crc = crc32c_update(CRC32C_START, from, len);
        return crc32c_copy(CRC32C_START, to, from, len) == crc;
    }
    uint8_t *packet = bytes->packets + bytes->packet++ % PACKET_PLACES * PACKET_SPACING;
    uint32_t crc = crc32c_copy(CRC32C_START, packet, from, len);
    return crc32c_copy(CRC32C_START, to, packet, len) == crc;
}

static bool send_one(struct bytes *bytes)
{
    const struct ring_case *what = &bytes->shared->what;
    size_t at = bytes->sent % what->slots * what->bytes;
    uint64_t stamp = ramp_stamp(0, bytes->sent++);
    bool whole = true;
    ramp_fill(bytes->out + at, what->bytes, stamp);
    for (size_t done = 0; done < what->bytes && whole; done += PACKET_BYTES) {
        size_t len = what->bytes - done < PACKET_BYTES ? what->bytes - done : PACKET_BYTES;
        whole = move(bytes, bytes->in + at + done, bytes->out + at + done, len);
    }
    return whole && ramp_check(bytes->in + at, what->bytes, stamp);
}

static int send_until(struct bytes *bytes, uint64_t until_ns)
{
    uint64_t least = bytes->sent + RING_LEAST;
    while (bench_now() < until_ns || bytes->sent < least)
        if (!send_one(bytes))
            return ring_error(bytes->shared, -EBADMSG, "a message that was copied is another one");
    return 0;
}

static int run_bytes(struct ring_shared *shared)
{
    const struct ring_case *what = &shared->what;
    struct bytes bytes = {.shared = shared,
                          .out = map((size_t)what->slots * what->bytes),
                          .in = map((size_t)what->slots * what->bytes),
                          .packets = map((size_t)PACKET_PLACES * PACKET_SPACING)};
    struct ring_meter meter;
    if (!bytes.out || !bytes.in || !bytes.packets)
        return ring_error(shared, -ENOMEM, "no memory");
    int rc = send_until(&bytes, bench_now() + ring_warm_up_ns(shared));
    if (rc)
        return rc;
    meter_start(&meter, shared, bytes.sent);
    rc = send_until(&bytes, bench_now() + ring_length_ns(shared));
    meter_stop(&meter, shared, bytes.sent);
    shared->result.checked = bytes.sent;
    return rc;
}

/* ---- Steps of arithmetic ---- */

/* Results that do not wait for each other: as many as a core has units for such things. */
struct lanes {
    uint64_t first, second, third, fourth;
};

struct processor {
    uint32_t cpu;
    uint64_t length_ns;
    double per_s, fastest_per_s; /* of all of the time, and of one slice */
    struct lanes lanes;
};

/* In registers, one by one, as an engine does things: vectors take a unit that others on the same
 * core leave alone. */
static inline uint64_t next(uint64_t lane, uint64_t step)
{
    lane = (lane ^ lane >> LANE_SHIFT) * LANE_FACTOR + step;
    __asm__ volatile("" : "+r"(lane)); /* neither a vector, nor left out */
    return lane;
}

static void advance(struct lanes *lanes)
{
    struct lanes now = *lanes;
    for (uint64_t step = 0; step < SLICE_STEPS; step++) {
        now.first = next(now.first, step);
        now.second = next(now.second, step);
        now.third = next(now.third, step);
        now.fourth = next(now.fourth, step);
    }
    *lanes = now;
}

static double per_s(uint64_t steps, uint64_t ns)
{
    return (double)steps * (double)NSEC / (double)ns;
}

static void *advance_for_a_while(void *arg)
{
    struct processor *processor = arg;
    bench_pin(processor->cpu);
    uint64_t start = bench_now(), now = start, steps = 0;
    while (now - start < processor->length_ns) {
        uint64_t from = now, before = steps;
        while (now - from < SLICE_NS) {
            advance(&processor->lanes);
            steps += SLICE_STEPS;
            now = bench_now();
        }
        double speed = per_s(steps - before, now - from);
        if (speed > processor->fastest_per_s)
            processor->fastest_per_s = speed;
    }
    processor->per_s = per_s(steps, now - start);
    return NULL;
}

/* On both processors at a time, as messages are. */
static int run_steps(struct ring_shared *shared)
{
    struct processor ours = {.cpu = shared->cpu, .length_ns = ring_length_ns(shared)};
    struct processor far = {.cpu = shared->far_cpu, .length_ns = ring_length_ns(shared)};
    pthread_t thread;
    int rc = -pthread_create(&thread, NULL, advance_for_a_while, &far);
    if (rc)
        return ring_error(shared, rc, "starting a thread: %s", strerror(-rc));
    advance_for_a_while(&ours);
    pthread_join(thread, NULL);
    shared->result.values[RING_STEPS_PER_S] = (ours.per_s + far.per_s) / PROCESSORS;
    shared->result.values[RING_STEPS_FASTEST_PER_S] =
        ours.fastest_per_s > far.fastest_per_s ? ours.fastest_per_s : far.fastest_per_s;
    return 0;
}

static int run(struct ring_shared *shared)
{
    switch (shared->what.work) {
    case RING_TRIPS:
        return run_hops(shared);
    case RING_STEPS:
        return run_steps(shared);
    default:
        return run_bytes(shared);
    }
}

/* The process ends with it, and takes what it has with it. */
void ring_work_floor(void *arg, int word_fd)
{
    struct ring_shared *shared = arg;
    bench_pin(shared->cpu);
    int rc = run(shared);
    if (rc || write(word_fd, "", 1) != 1)
        _exit(EXIT_FAILURE);
}
