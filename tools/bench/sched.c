/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* saddle-bench sched: its command line, and the order in which variants are measured. */
#include "tools/bench/bench.h"
#include "tools/bench/fleet.h"
#include "tools/bench/load.h"
#include "tools/bench/probe.h"
#include "tools/bench/report.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SECONDS_DEFAULT      2.0
#define RUNS_DEFAULT         5u /* an odd number has a middle */
#define RATE_DEFAULT         1000u
#define STREAM_BYTES_DEFAULT 65536u
#define STREAM_RATE_DEFAULT  2000u /* with 64 KiB: 1 Gbit/s */
#define PATTERNS_MAX         64u
#define NSEC                 1000000000ull
#define START_NS             (60 * NSEC)  /* for an application to serve, on the busiest machine */
#define SPARE_NS             (120 * NSEC) /* beyond three times a run's length */

#define EXIT_USAGE   2
#define EXIT_REFUSED 3

struct options {
    const char *saddled;
    const char *json;
    const char *svg;
    const char *patterns[PATTERNS_MAX];
    uint32_t pattern_count;
    bool list;
    struct plan_settings settings;
};

struct bench {
    const struct options *options;
    struct fleet fleet;
    struct probe_shared *shared;
    struct plan_outcome *outcomes;
    uint32_t count;
};

/* ---- One run of one variant ---- */

struct cast {
    struct actor echo;
    struct actor stream;
    struct actor prober;
    struct load load;
};

static uint32_t probes(const struct plan_settings *settings)
{
    return (uint32_t)(settings->seconds * settings->rate);
}

/* The shared memory as it is before a run; its pages come now, not on the way. */
static void reset(struct bench *bench, const struct plan_variant *variant)
{
    struct probe_shared *shared = bench->shared;
    struct pace_result arrays = shared->pace;
    memset(shared, 0, sizeof(*shared));
    shared->variant = variant;
    shared->settings = bench->options->settings;
    shared->socket = bench->fleet.socket;
    shared->pace.delay_ns = arrays.delay_ns;
    shared->pace.late_ns = arrays.late_ns;
    memset(arrays.delay_ns, 0, probes(&shared->settings) * sizeof(uint64_t));
    memset(arrays.late_ns, 0, probes(&shared->settings) * sizeof(uint64_t));
}

/* Starts a process and waits until it serves. */
static int enter(struct bench *bench, struct actor *actor, const char *what,
                 void (*body)(void *arg, int word_fd), uint64_t patience_ns)
{
    struct probe_shared *shared = bench->shared;
    int rc = actor_start(actor, SIGKILL, body, shared);
    if (!rc)
        rc = actor_wait(actor, patience_ns);
    if (!rc || rc == -EINTR)
        return rc;
    if (shared->refused)
        return -EPERM;
    if (!shared->reason[0])
        probe_error(shared, rc, "the %s: %s", what, rc == -ECHILD ? "it has ended" : strerror(-rc));
    return rc;
}

static int perform(struct bench *bench, struct cast *cast)
{
    struct probe_shared *shared = bench->shared;
    const struct plan_variant *variant = shared->variant;
    bool trips = variant->kind != PLAN_WAKE;
    uint64_t patience = (uint64_t)(3 * shared->settings.seconds * (double)NSEC) + SPARE_NS;
    int rc = 0;
    if (trips)
        rc = enter(bench, &cast->echo, "echo", probe_run_echo, START_NS);
    if (!rc && variant->loaded)
        rc = enter(bench, &cast->stream, "stream", probe_run_stream, START_NS);
    if (rc)
        return rc;
    shared->echo = cast->echo.pid;
    shared->daemon = variant->kind == PLAN_SADDLE ? bench->fleet.daemon.pid : 0;
    rc = load_start(&cast->load, variant->load);
    if (rc)
        return rc == -EINTR ? rc
                            : probe_error(shared, rc, "loading the machine: %s", strerror(-rc));
    rc = enter(bench, &cast->prober, "prober", trips ? probe_run_prober : probe_run_wake, patience);
    if (!rc && variant->loaded && actor_wait(&cast->stream, 0) == -ECHILD)
        return -ECHILD; /* it has left a line */
    return rc;
}

static void note(const struct probe_shared *shared, struct plan_outcome *outcome)
{
    double elapsed = (double)(shared->elapsed_ns ? shared->elapsed_ns : 1);
    uint32_t count = probes(&shared->settings);
    outcome->runs[outcome->run_count++] = (struct plan_run){
        .delay = quantiles_of(shared->pace.delay_ns, count),
        .late = quantiles_of(shared->pace.late_ns, shared->pace.late_count),
        .application = (double)shared->application_ns / elapsed,
        .engines = (double)shared->engines_ns / elapsed,
        .streamed = (double)shared->streamed_messages * (double)NSEC / elapsed,
        .count = count,
        .missed = shared->pace.missed,
        .unsent = shared->pace.unsent,
    };
}

static int measure(struct bench *bench, struct plan_outcome *outcome)
{
    const struct plan_variant *variant = outcome->variant;
    struct probe_shared *shared = bench->shared;
    struct cast cast = {.echo = {0}};
    int rc = 0;
    reset(bench, variant);
    if (variant->kind == PLAN_SADDLE)
        rc = fleet_provide(&bench->fleet, variant, shared->reason, sizeof(shared->reason));
    else
        fleet_stop(&bench->fleet); /* it may spin */
    if (!rc)
        rc = perform(bench, &cast);
    actor_kill(&cast.prober);
    load_stop(&cast.load);
    actor_kill(&cast.stream);
    actor_kill(&cast.echo);
    if (!rc)
        note(shared, outcome);
    if (rc != -EPERM)
        return rc;
    outcome->refused = true;
    memcpy(outcome->reason, shared->reason, sizeof(outcome->reason));
    return 0;
}

/* ---- All of them ---- */

static void show_progress(const struct bench *bench, uint32_t run, const char *name)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[Krun %u of %u: %s", run + 1, bench->options->settings.runs, name);
}

static int measure_all(struct bench *bench)
{
    int rc = 0;
    /* Interleaved, so that a change in the machine's speed meets every variant alike. */
    for (uint32_t run = 0; run < bench->options->settings.runs && !rc; run++) {
        for (uint32_t i = 0; i < bench->count && !rc; i++) {
            struct plan_outcome *outcome = &bench->outcomes[i];
            if (outcome->refused)
                continue;
            show_progress(bench, run, outcome->variant->name);
            rc = measure(bench, outcome);
            if (rc && rc != -EINTR)
                fprintf(stderr, "saddle-bench: %s: %s\n", outcome->variant->name,
                        bench->shared->reason[0] ? bench->shared->reason : strerror(-rc));
        }
    }
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
    if (rc == -EINTR)
        fputs("saddle-bench: interrupted\n", stderr);
    return rc;
}

static void *share(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static int open_bench(struct bench *bench)
{
    size_t bytes = probes(&bench->options->settings) * sizeof(uint64_t);
    bench->shared = share(sizeof(*bench->shared));
    if (!bench->shared)
        return -ENOMEM;
    bench->shared->pace.delay_ns = share(bytes);
    bench->shared->pace.late_ns = share(bytes);
    if (!bench->shared->pace.delay_ns || !bench->shared->pace.late_ns)
        return -ENOMEM;
    int rc = actors_init();
    return rc ? rc : fleet_init(&bench->fleet, bench->options->saddled);
}

/* ---- What is written ---- */

struct output {
    const char *path;
    FILE *file;
};

/* Before anything is measured: a wrong path is to be known then. */
static int open_output(struct output *output, const char *path)
{
    *output = (struct output){.path = path};
    if (!path)
        return 0;
    output->file = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    if (output->file)
        return 0;
    fprintf(stderr, "saddle-bench: %s: %s\n", path, strerror(errno));
    return -1;
}

static int close_output(struct output *output, int rc)
{
    if (!output->file)
        return rc;
    if (output->file == stdout)
        return fflush(stdout) ? -1 : rc;
    if (fclose(output->file) && !rc) {
        fprintf(stderr, "saddle-bench: %s: %s\n", output->path, strerror(errno));
        rc = -1;
    }
    if (rc)
        remove(output->path);
    return rc;
}

static int write_all(const struct bench *bench, struct output *json, struct output *svg)
{
    const struct plan_settings *settings = &bench->options->settings;
    int rc = 0;
    if (json->file != stdout && svg->file != stdout)
        rc = report_table(stdout, settings, bench->outcomes, bench->count);
    if (json->file && !rc)
        rc = report_json(json->file, settings, bench->outcomes, bench->count);
    if (svg->file && !rc)
        rc = report_svg(svg->file, settings, bench->outcomes, bench->count);
    if (rc)
        fprintf(stderr, "saddle-bench: writing: %s\n", strerror(-rc));
    return rc;
}

static int run(struct bench *bench)
{
    struct output json = {0}, svg = {0};
    int rc = open_output(&json, bench->options->json);
    if (!rc)
        rc = open_output(&svg, bench->options->svg);
    if (!rc && (rc = open_bench(bench)))
        fprintf(stderr, "saddle-bench: preparing: %s\n", strerror(-rc));
    if (!rc)
        rc = measure_all(bench);
    fleet_fini(&bench->fleet);
    if (!rc)
        rc = write_all(bench, &json, &svg);
    rc = close_output(&json, rc);
    rc = close_output(&svg, rc);
    if (rc)
        return EXIT_FAILURE;
    for (uint32_t i = 0; i < bench->count; i++)
        if (bench->outcomes[i].refused)
            return EXIT_REFUSED;
    return EXIT_SUCCESS;
}

/* ---- The command line ---- */

static void usage(FILE *out)
{
    fputs("usage: saddle-bench sched [OPTION]...\n"
          "\n"
          "Measures how long engines that sleep take to wake up, and round trips between two\n"
          "applications through a daemon and over the kernel's TCP, while the machine is idle and\n"
          "while it is busy, for each mode and scheduling class of a group.\n"
          "\n"
          "  --json FILE       also one JSON document; - is standard output, without the table\n"
          "  --svg FILE        also a figure\n"
          "  --seconds N       of one run of a variant, 0.05 to 600 (2)\n"
          "  --runs N          of each variant, interleaved, 1 to 99 (5)\n"
          "  --rate N          probes a second, 1 to 20000 (1000)\n"
          "  --stream-bytes N  of each message of a loaded engine, 1 to 16777216 (65536)\n"
          "  --stream-rate N   of them a second, 1 to 200000 (2000)\n"
          "  --variant NAME    only this one; may be given again, and have wildcards\n"
          "  --list            names the variants\n"
          "  --saddled PATH    the daemon to start (" SADDLED_PROGRAM ")\n"
          "  --help            shows this\n"
          "\n"
          "Exit status: 0 all was measured, 1 a failure, 2 wrong usage, 3 some variants could not\n"
          "be had here (real-time priorities are root's), and the rest was measured.\n",
          out);
}

static bool parse_double(const char *name, const char *text, double min, double max, double *value)
{
    char *end;
    errno = 0;
    *value = strtod(text, &end);
    if (!errno && end != text && !*end && *value >= min && *value <= max)
        return true;
    fprintf(stderr, "saddle-bench: %s: '%s' is not a number from %g to %.0f\n", name, text, min,
            max);
    return false;
}

static bool parse_count(const char *name, const char *text, uint32_t max, uint32_t *value)
{
    double number;
    if (!parse_double(name, text, 1, max, &number))
        return false;
    *value = (uint32_t)number;
    if (*value == number)
        return true;
    fprintf(stderr, "saddle-bench: %s: '%s' is not a whole number\n", name, text);
    return false;
}

static bool add_pattern(struct options *options, const char *pattern)
{
    if (options->pattern_count < PATTERNS_MAX) {
        options->patterns[options->pattern_count++] = pattern;
        return true;
    }
    fprintf(stderr, "saddle-bench: more than %u times --variant\n", PATTERNS_MAX);
    return false;
}

static bool take_option(struct options *options, int option)
{
    struct plan_settings *s = &options->settings;
    switch (option) {
    case 'j':
        options->json = optarg;
        return true;
    case 'g':
        options->svg = optarg;
        return true;
    case 'd':
        options->saddled = optarg;
        return true;
    case 'l':
        options->list = true;
        return true;
    case 's':
        return parse_double("--seconds", optarg, PLAN_SECONDS_MIN, PLAN_SECONDS_MAX, &s->seconds);
    case 'r':
        return parse_count("--runs", optarg, PLAN_RUNS_MAX, &s->runs);
    case 'f':
        return parse_count("--rate", optarg, PLAN_RATE_MAX, &s->rate);
    case 'b':
        return parse_count("--stream-bytes", optarg, PLAN_STREAM_BYTES, &s->stream_bytes);
    case 'm':
        return parse_count("--stream-rate", optarg, PLAN_STREAM_MAX, &s->stream_rate);
    case 'v':
        return add_pattern(options, optarg);
    default:
        return false; /* getopt has said why */
    }
}

/* Leaves the variants that are meant, in order; false if a name means none. */
static bool choose(const struct options *options, struct plan_variant *variants, uint32_t *count)
{
    bool used[PATTERNS_MAX] = {false};
    uint32_t kept = 0;
    for (uint32_t i = 0; i < *count; i++) {
        bool wanted = options->pattern_count == 0;
        for (uint32_t p = 0; p < options->pattern_count; p++)
            if (plan_matches(&variants[i], options->patterns[p]))
                wanted = used[p] = true;
        if (wanted)
            variants[kept++] = variants[i];
    }
    *count = kept;
    for (uint32_t p = 0; p < options->pattern_count; p++) {
        if (used[p])
            continue;
        fprintf(stderr, "saddle-bench: no variant '%s' (see sched --list)\n", options->patterns[p]);
        return false;
    }
    return true;
}

static bool check(const struct options *options)
{
    const struct plan_settings *s = &options->settings;
    if (s->seconds * s->rate < 1) {
        fprintf(stderr, "saddle-bench: %g s at %u a second have no probe\n", s->seconds, s->rate);
        return false;
    }
    if (options->json && options->svg && strcmp(options->json, options->svg) == 0) {
        fprintf(stderr, "saddle-bench: --json and --svg both name %s\n", options->json);
        return false;
    }
    return true;
}

int sched_main(int argc, char **argv)
{
    static const struct option longs[] = {
        {"json", required_argument, 0, 'j'},
        {"svg", required_argument, 0, 'g'},
        {"seconds", required_argument, 0, 's'},
        {"runs", required_argument, 0, 'r'},
        {"rate", required_argument, 0, 'f'},
        {"variant", required_argument, 0, 'v'},
        {"stream-bytes", required_argument, 0, 'b'},
        {"stream-rate", required_argument, 0, 'm'},
        {"saddled", required_argument, 0, 'd'},
        {"list", no_argument, 0, 'l'},
        {"help", no_argument, 0, 'h'},
        {0, 0, 0, 0},
    };
    static struct plan_variant variants[PLAN_VARIANTS_MAX];
    static struct plan_outcome outcomes[PLAN_VARIANTS_MAX];
    struct options options = {.saddled = SADDLED_PROGRAM,
                              .settings = {.seconds = SECONDS_DEFAULT,
                                           .runs = RUNS_DEFAULT,
                                           .rate = RATE_DEFAULT,
                                           .stream_bytes = STREAM_BYTES_DEFAULT,
                                           .stream_rate = STREAM_RATE_DEFAULT}};
    struct bench bench = {.options = &options, .outcomes = outcomes, .count = plan_all(variants)};
    int option;
    while ((option = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        if (option == 'h') {
            usage(stdout);
            return EXIT_SUCCESS;
        }
        if (!take_option(&options, option))
            return EXIT_USAGE;
    }
    if (optind < argc) {
        fprintf(stderr, "saddle-bench: '%s' is not an option\n", argv[optind]);
        return EXIT_USAGE;
    }
    if (!check(&options) || !choose(&options, variants, &bench.count))
        return EXIT_USAGE;
    for (uint32_t i = 0; options.list && i < bench.count; i++)
        puts(variants[i].name);
    if (options.list)
        return EXIT_SUCCESS;
    for (uint32_t i = 0; i < bench.count; i++)
        outcomes[i].variant = &variants[i];
    return run(&bench);
}
