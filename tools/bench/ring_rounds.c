/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/ring_rounds.h"

#include "tools/bench/actor.h"
#include "tools/bench/space.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define NSEC     1000000000ull
#define SPARE_NS (300 * NSEC) /* ten thousand connections, on the busiest machine */
#define LENGTHS  10.0         /* that a case may take, beyond that */

/* ---- One case in one round ---- */

typedef void body(void *arg, int word_fd);

/* The shared memory as it is before a case. */
static void reset(struct ring_rounds *rounds, const struct ring_outcome *outcome)
{
    struct ring_shared *shared = rounds->shared;
    uint64_t *samples = shared->samples_ns;
    *shared = (struct ring_shared){.what = outcome->what,
                                   .seconds = rounds->settings->seconds,
                                   .cpu = rounds->cpu,
                                   .far_cpu = rounds->far_cpu,
                                   .samples_ns = samples};
    for (uint32_t i = 0; i < RING_HOSTS; i++)
        shared->hosts[i] = (struct ring_host){.space = SPACE_NONE, .address = "127.0.0.1"};
}

static body *body_of(const struct ring_rounds *rounds)
{
    enum ring_place place = rounds->shared->what.place;
    if (place == RING_FLOOR)
        return rounds->command->floor;
    return place < RING_TCP ? ring_work_saddle : ring_work_tcp;
}

static int perform(struct ring_rounds *rounds)
{
    struct ring_shared *shared = rounds->shared;
    struct actor actor = {0};
    uint64_t patience = (uint64_t)(LENGTHS * shared->seconds * (double)NSEC) + SPARE_NS;
    int rc = actor_start(&actor, SIGKILL, body_of(rounds), shared);
    if (!rc)
        rc = actor_wait(&actor, patience);
    if (rc && rc != -EINTR && !shared->reason[0])
        ring_error(shared, rc, "%s", rc == -ECHILD ? "its process ended" : strerror(-rc));
    actor_kill(&actor);
    return rc;
}

static int measure(struct ring_rounds *rounds, struct ring_outcome *outcome)
{
    struct ring_shared *shared = rounds->shared;
    reset(rounds, outcome);
    int rc = rounds->command->provide(shared);
    if (!rc)
        rc = shared->what.place == RING_PEER ? ring_peer(shared) : perform(rounds);
    if (!rc)
        outcome->runs[outcome->run_count++] = shared->result;
    if (!shared->missing || rc == -EINTR)
        return rc;
    outcome->missing = true;
    outcome->run_count = 0;
    memcpy(outcome->reason, shared->reason, sizeof(outcome->reason));
    return 0;
}

/* ---- All of them ---- */

static void show_progress(const struct ring_rounds *rounds, uint32_t run, const char *name)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[Krun %u of %u: %s", run + 1, rounds->settings->runs, name);
}

/* Those of one place, one after the other: a daemon is started once for all of them. */
static int measure_place(struct ring_rounds *rounds, uint32_t wire, enum ring_place place,
                         uint32_t run)
{
    int rc = 0;
    for (uint32_t i = 0; i < rounds->count && !rc; i++) {
        struct ring_outcome *outcome = &rounds->outcomes[i];
        if (outcome->what.wire != wire || outcome->what.place != place || outcome->left_out ||
            outcome->missing)
            continue;
        show_progress(rounds, run, outcome->what.name);
        rc = measure(rounds, outcome);
        if (isatty(STDERR_FILENO))
            fputs("\r\033[K", stderr);
        if (rc && rc != -EINTR)
            fprintf(stderr, "saddle-bench: %s: %s\n", outcome->what.name,
                    rounds->shared->reason[0] ? rounds->shared->reason : strerror(-rc));
    }
    return rc;
}

/* What is compared follows each other: a busy machine is another one some seconds later. */
static int measure_round(struct ring_rounds *rounds, uint32_t run)
{
    static const enum ring_place order[] = {RING_SPREADING, RING_COMPACTING, RING_DEDICATED,
                                            RING_TCP,       RING_URING,      RING_PEER,
                                            RING_FLOOR};
    _Static_assert(sizeof(order) / sizeof(order[0]) == RING_PLACES, "each of them");
    int rc = 0;
    for (uint32_t wire = 0; wire < rounds->command->wires && !rc; wire++)
        for (unsigned i = 0; i < RING_PLACES && !rc; i++)
            rc = measure_place(rounds, wire, order[i], run);
    return rc;
}

int ring_rounds_measure(struct ring_rounds *rounds)
{
    int rc = 0;
    /* Interleaved, so that a change in the machine's speed meets every case alike. */
    for (uint32_t run = 0; run < rounds->settings->runs && !rc; run++)
        rc = measure_round(rounds, run);
    if (rc == -EINTR)
        fputs("saddle-bench: interrupted\n", stderr);
    return rc;
}

/* ---- What it takes ---- */

/* The first and the last that this process may use: the last is the engines', see fleet.c. */
static int choose_cpus(struct ring_rounds *rounds)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set))
        return -errno;
    if (CPU_COUNT(&set) < 2)
        return -ENODEV;
    for (uint32_t cpu = CPU_SETSIZE; cpu-- > 0;)
        if (CPU_ISSET(cpu, &set))
            rounds->cpu = cpu;
    for (uint32_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &set))
            rounds->far_cpu = cpu;
    return 0;
}

static void *share(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

int ring_rounds_open(struct ring_rounds *rounds)
{
    int rc = choose_cpus(rounds);
    if (rc)
        return rc;
    rounds->shared = share(sizeof(*rounds->shared));
    if (!rounds->shared)
        return -ENOMEM;
    rounds->shared->samples_ns = share(RING_SAMPLES * sizeof(uint64_t));
    if (!rounds->shared->samples_ns)
        return -ENOMEM;
    return actors_init();
}
