/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* saddle-bench ring: its command line, and the order in which cases are measured; both are those of
 * `wire` too. */
#include "tools/bench/ring.h"

#include "tools/bench/bench.h"
#include "tools/bench/fleet.h"
#include "tools/bench/ring_report.h"
#include "tools/bench/space.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SECONDS_DEFAULT 1.0
#define RUNS_DEFAULT    5u /* an odd number has a middle */
#define SECONDS_QUICK   0.05
#define RUNS_QUICK      1u
#define PATTERNS_MAX    64u
#define WRONG_BYTES     128u
#define NSEC            1000000000ull
#define SPARE_NS        (300 * NSEC) /* ten thousand connections, on the busiest machine */
#define LENGTHS         10.0         /* that a case may take, beyond that */
/* Room at each engine. One session gets half of the connections, and a part of the other half. */
#define ROOM_SESSIONS    (RING_SESSIONS + 28u)
#define ROOM_CONNECTIONS (2u * RING_IDLE_CONNECTIONS + 4000u)

#define EXIT_USAGE 2

struct options {
    const char *saddled;
    const char *json;
    const char *patterns[PATTERNS_MAX];
    uint32_t pattern_count;
    bool list;
    struct ring_settings settings;
};

struct bench {
    const struct ring_command *command;
    const struct options *options;
    struct ring_shared *shared;
    struct ring_outcome *outcomes;
    uint32_t count;
    uint32_t cpu, far_cpu;
};

static struct fleet fleet; /* of `ring`: one daemon, whose engines are both hosts */

static int open_fleet(const char *saddled)
{
    int rc = fleet_init(&fleet, saddled);
    fleet.sessions = ROOM_SESSIONS;
    fleet.connections = ROOM_CONNECTIONS;
    return rc;
}

static void close_fleet(void)
{
    fleet_fini(&fleet);
}

/* ---- One case in one round ---- */

/* The shared memory as it is before a case. */
static void reset(struct bench *bench, const struct ring_outcome *outcome)
{
    struct ring_shared *shared = bench->shared;
    uint64_t *samples = shared->samples_ns;
    *shared = (struct ring_shared){.what = outcome->what,
                                   .seconds = bench->options->settings.seconds,
                                   .cpu = bench->cpu,
                                   .far_cpu = bench->far_cpu,
                                   .samples_ns = samples};
    for (uint32_t i = 0; i < RING_HOSTS; i++)
        shared->hosts[i] = (struct ring_host){.space = SPACE_NONE, .address = "127.0.0.1"};
}

/* A daemon with a group of the case's mode, or none. */
static int provide(struct ring_shared *shared)
{
    static const char *const modes[] = {[RING_DEDICATED] = "dedicated",
                                        [RING_SPREADING] = "spreading",
                                        [RING_COMPACTING] = "compacting"};
    /* Where none is wanted it may spin. */
    if (shared->what.place >= RING_TCP || shared->what.anew)
        fleet_stop(&fleet);
    if (shared->what.place >= RING_TCP)
        return 0;
    const struct plan_variant variant = {.kind = PLAN_SADDLE,
                                         .mode = modes[shared->what.place],
                                         .class = "ordinary"};
    int rc = fleet_provide(&fleet, &variant, shared->reason, sizeof(shared->reason));
    for (uint32_t i = 0; i < RING_HOSTS; i++)
        shared->hosts[i].socket = fleet.socket;
    shared->hosts[RING_LEFT].daemon = fleet.daemon.pid;
    return rc;
}

static int perform(struct bench *bench)
{
    struct ring_shared *shared = bench->shared;
    struct actor actor = {0};
    uint64_t patience = (uint64_t)(LENGTHS * shared->seconds * (double)NSEC) + SPARE_NS;
    int rc = actor_start(&actor, SIGKILL,
                         shared->what.place < RING_TCP ? ring_work_saddle : ring_work_tcp, shared);
    if (!rc)
        rc = actor_wait(&actor, patience);
    if (rc && rc != -EINTR && !shared->reason[0])
        ring_error(shared, rc, "%s", rc == -ECHILD ? "its process ended" : strerror(-rc));
    actor_kill(&actor);
    return rc;
}

static int measure(struct bench *bench, struct ring_outcome *outcome)
{
    struct ring_shared *shared = bench->shared;
    reset(bench, outcome);
    int rc = bench->command->provide(shared);
    if (!rc)
        rc = shared->what.place == RING_PEER ? ring_peer_trips(shared) : perform(bench);
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

static void show_progress(const struct bench *bench, uint32_t run, const char *name)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[Krun %u of %u: %s", run + 1, bench->options->settings.runs, name);
}

/* Those of one place, one after the other: a daemon is started once for all of them. */
static int measure_place(struct bench *bench, uint32_t wire, enum ring_place place, uint32_t run)
{
    int rc = 0;
    for (uint32_t i = 0; i < bench->count && !rc; i++) {
        struct ring_outcome *outcome = &bench->outcomes[i];
        if (outcome->what.wire != wire || outcome->what.place != place || outcome->left_out ||
            outcome->missing)
            continue;
        show_progress(bench, run, outcome->what.name);
        rc = measure(bench, outcome);
        if (isatty(STDERR_FILENO))
            fputs("\r\033[K", stderr);
        if (rc && rc != -EINTR)
            fprintf(stderr, "saddle-bench: %s: %s\n", outcome->what.name,
                    bench->shared->reason[0] ? bench->shared->reason : strerror(-rc));
    }
    return rc;
}

static int measure_round(struct bench *bench, uint32_t run)
{
    int rc = 0;
    for (uint32_t wire = 0; wire < bench->command->wires && !rc; wire++)
        for (unsigned place = 0; place < RING_PLACES && !rc; place++)
            rc = measure_place(bench, wire, (enum ring_place)place, run);
    return rc;
}

static int measure_all(struct bench *bench)
{
    int rc = 0;
    /* Interleaved, so that a change in the machine's speed meets every case alike. */
    for (uint32_t run = 0; run < bench->options->settings.runs && !rc; run++)
        rc = measure_round(bench, run);
    if (rc == -EINTR)
        fputs("saddle-bench: interrupted\n", stderr);
    return rc;
}

/* The first and the last that this process may use: the last is the engines', see fleet.c. */
static int choose_cpus(struct bench *bench)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set))
        return -errno;
    if (CPU_COUNT(&set) < 2)
        return -ENODEV;
    for (uint32_t cpu = CPU_SETSIZE; cpu-- > 0;)
        if (CPU_ISSET(cpu, &set))
            bench->cpu = cpu;
    for (uint32_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &set))
            bench->far_cpu = cpu;
    return 0;
}

static void *share(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static int open_bench(struct bench *bench)
{
    bench->shared = share(sizeof(*bench->shared));
    if (!bench->shared)
        return -ENOMEM;
    bench->shared->samples_ns = share(RING_SAMPLES * sizeof(uint64_t));
    if (!bench->shared->samples_ns)
        return -ENOMEM;
    int rc = actors_init();
    return rc ? rc : bench->command->open(bench->options->saddled);
}

static int prepare(struct bench *bench)
{
    int rc = choose_cpus(bench);
    if (rc == -ENODEV) {
        fprintf(stderr, "saddle-bench: %s takes two processors, and this process may use one\n",
                bench->command->form->name);
        return rc;
    }
    if (!rc)
        rc = open_bench(bench);
    if (rc)
        fprintf(stderr, "saddle-bench: preparing: %s\n", strerror(-rc));
    return rc;
}

/* ---- What is written ---- */

static int write_all(const struct bench *bench, FILE *json)
{
    const struct ring_settings *settings = &bench->options->settings;
    const struct ring_form *form = bench->command->form;
    int rc = 0;
    if (json != stdout)
        rc = ring_write_table(stdout, form, settings, bench->outcomes, bench->count);
    if (json && !rc)
        rc = ring_write_json(json, form, settings, bench->outcomes, bench->count);
    if (fflush(stdout) && !rc)
        rc = -errno;
    if (rc)
        fprintf(stderr, "saddle-bench: writing: %s\n", strerror(-rc));
    return rc;
}

static int close_json(FILE *json, const char *path, int rc)
{
    if (!json || json == stdout)
        return rc;
    if (fclose(json) && !rc) {
        rc = -errno;
        fprintf(stderr, "saddle-bench: %s: %s\n", path, strerror(errno));
    }
    if (rc)
        remove(path);
    return rc;
}

static int run(struct bench *bench)
{
    const char *path = bench->options->json;
    FILE *json = NULL;
    /* Before anything is measured: a wrong path is to be known then. */
    if (path) {
        json = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
        if (!json) {
            fprintf(stderr, "saddle-bench: %s: %s\n", path, strerror(errno));
            return EXIT_FAILURE;
        }
    }
    int rc = prepare(bench);
    if (!rc)
        rc = measure_all(bench);
    bench->command->close();
    if (!rc)
        rc = write_all(bench, json);
    return close_json(json, path, rc) ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- The command line ---- */

static void usage(FILE *out)
{
    fputs(
        "usage: saddle-bench ring [OPTION]...\n"
        "\n"
        "Measures Saddle's main figures between two applications in one thread, on a processor of\n"
        "its own, and two engines of one daemon on another, joined by a ring in memory: round\n"
        "trips, messages and one-sided reads a second, with many sessions and connections, what\n"
        "large messages cost, and what a daemon with nothing to do does; and the same over the\n"
        "kernel's TCP, by io_uring too, and round trips over UCX and libfabric (ucx_perftest,\n"
        "fi_pingpong, where they are installed), in the same rounds.\n"
        "\n"
        "  --json FILE      also one JSON document; - is standard output, without the table\n"
        "  --seconds N      of one case in one round, 0.01 to 600 (1)\n"
        "  --runs N         rounds, 1 to 99 (5)\n"
        "  --quick          short: --seconds 0.05 --runs 1, unless given after it\n"
        "  --sizes N,...    also messages and round trips of so many bytes, 8 to 16777216\n"
        "  --windows N,...  also messages with so many on their way, 1 to 512 (256; 64 bytes)\n"
        "  --case NAME      only this one; may be given again, and have wildcards\n"
        "  --list           names the cases\n"
        "  --saddled PATH   the daemon to start (" SADDLED_PROGRAM ")\n"
        "  --help           shows this\n"
        "\n"
        "Exit status: 0 all was measured, but what cannot be had here, and every message arrived\n"
        "once, in order and right; 1 a failure; 2 wrong usage.\n",
        out);
}

static bool parse_seconds(const char *text, double *value)
{
    char *end;
    errno = 0;
    *value = strtod(text, &end);
    if (!errno && end != text && !*end && *value >= RING_SECONDS_MIN && *value <= RING_SECONDS_MAX)
        return true;
    fprintf(stderr, "saddle-bench: --seconds: '%s' is not a number from %g to %g\n", text,
            RING_SECONDS_MIN, RING_SECONDS_MAX);
    return false;
}

/* Numbers with commas between; or one, if there is room for one. */
static bool parse_list(const char *name, const char *text, uint32_t min, uint32_t max,
                       uint32_t numbers[RING_LIST_MAX], uint32_t *count)
{
    char wrong[WRONG_BYTES];
    *count = ring_parse_list(text, min, max, numbers, wrong, sizeof(wrong));
    if (*count == 0)
        fprintf(stderr, "saddle-bench: %s: %s\n", name, wrong);
    return *count > 0;
}

static bool parse_runs(const char *text, uint32_t *runs)
{
    uint32_t numbers[RING_LIST_MAX], count;
    if (!parse_list("--runs", text, 1, RING_RUNS_MAX, numbers, &count))
        return false;
    *runs = numbers[0];
    if (count > 1)
        fprintf(stderr, "saddle-bench: --runs: '%s' is more than one number\n", text);
    return count == 1;
}

static bool add_pattern(struct options *options, const char *pattern)
{
    if (options->pattern_count < PATTERNS_MAX) {
        options->patterns[options->pattern_count++] = pattern;
        return true;
    }
    fprintf(stderr, "saddle-bench: more than %u times --case\n", PATTERNS_MAX);
    return false;
}

static bool take_option(const struct ring_command *command, struct options *options, int option)
{
    struct ring_settings *s = &options->settings;
    if ((option == 'b' || option == 'w') && !command->form->has_sweep) {
        fprintf(stderr, "saddle-bench: %s has no --%s\n", command->form->name,
                option == 'b' ? "sizes" : "windows");
        return false;
    }
    switch (option) {
    case 'j':
        options->json = optarg;
        return true;
    case 'd':
        options->saddled = optarg;
        return true;
    case 'l':
        options->list = true;
        return true;
    case 'q':
        s->seconds = SECONDS_QUICK;
        s->runs = RUNS_QUICK;
        return true;
    case 's':
        return parse_seconds(optarg, &s->seconds);
    case 'r':
        return parse_runs(optarg, &s->runs);
    case 'b':
        return parse_list("--sizes", optarg, RING_BYTES_MIN, RING_BYTES_MAX, s->sizes,
                          &s->size_count);
    case 'w':
        return parse_list("--windows", optarg, 1, RING_WINDOW_MAX, s->windows, &s->window_count);
    case 'c':
        return add_pattern(options, optarg);
    default:
        return false; /* getopt has said why */
    }
}

/* Leaves out the cases that are not meant; false if a name means none. */
static bool choose(const struct ring_command *command, const struct options *options,
                   struct ring_outcome *outcomes, uint32_t count)
{
    bool used[PATTERNS_MAX] = {false};
    for (uint32_t i = 0; i < count && options->pattern_count > 0; i++) {
        outcomes[i].left_out = true;
        for (uint32_t p = 0; p < options->pattern_count; p++)
            if (ring_matches(&outcomes[i].what, options->patterns[p])) {
                outcomes[i].left_out = false;
                used[p] = true;
            }
    }
    for (uint32_t p = 0; p < options->pattern_count; p++) {
        if (used[p])
            continue;
        fprintf(stderr, "saddle-bench: no case '%s' (see %s --list)\n", options->patterns[p],
                command->form->name);
        return false;
    }
    return true;
}

static int start(const struct ring_command *command, const struct options *options)
{
    struct bench bench = {.command = command, .options = options};
    int status = EXIT_SUCCESS;
    bench.outcomes = calloc(RING_CASES_MAX, sizeof(*bench.outcomes));
    if (!bench.outcomes) {
        fputs("saddle-bench: no memory\n", stderr);
        return EXIT_FAILURE;
    }
    bench.count = command->plan(&options->settings, bench.outcomes);
    if (!choose(command, options, bench.outcomes, bench.count))
        status = EXIT_USAGE;
    else if (!options->list && command->permits && !command->permits(bench.outcomes, bench.count))
        status = EXIT_USAGE;
    else if (!options->list)
        status = run(&bench);
    for (uint32_t i = 0; options->list && status == EXIT_SUCCESS && i < bench.count; i++)
        if (!bench.outcomes[i].left_out)
            puts(bench.outcomes[i].what.name);
    free(bench.outcomes);
    return status;
}

int ring_run(const struct ring_command *command, int argc, char **argv)
{
    static const struct option longs[] = {
        {"json", required_argument, 0, 'j'},
        {"seconds", required_argument, 0, 's'},
        {"runs", required_argument, 0, 'r'},
        {"quick", no_argument, 0, 'q'},
        {"sizes", required_argument, 0, 'b'},
        {"windows", required_argument, 0, 'w'},
        {"case", required_argument, 0, 'c'},
        {"list", no_argument, 0, 'l'},
        {"saddled", required_argument, 0, 'd'},
        {"help", no_argument, 0, 'h'},
        {0, 0, 0, 0},
    };
    struct options options = {.saddled = SADDLED_PROGRAM,
                              .settings = {.seconds = SECONDS_DEFAULT, .runs = RUNS_DEFAULT}};
    int option;
    while ((option = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        if (option == 'h') {
            command->usage(stdout);
            return EXIT_SUCCESS;
        }
        if (!take_option(command, &options, option))
            return EXIT_USAGE;
    }
    if (optind < argc) {
        fprintf(stderr, "saddle-bench: '%s' is not an option\n", argv[optind]);
        return EXIT_USAGE;
    }
    return start(command, &options);
}

int ring_main(int argc, char **argv)
{
    static const struct ring_command command = {.form = &ring_form,
                                                .wires = 1,
                                                .usage = usage,
                                                .plan = ring_plan,
                                                .open = open_fleet,
                                                .provide = provide,
                                                .close = close_fleet};
    return ring_run(&command, argc, argv);
}
