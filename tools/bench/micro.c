/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/bench.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUNS_DEFAULT 7u /* an odd number has a middle */
#define RUNS_MAX     99u
#define CASES_MAX    32u
#define NSEC         1000000000ull

struct options {
    const char *only; /* NULL: all cases */
    uint64_t iterations;
    uint32_t runs;
    bool json;
};

struct result {
    const struct bench_case *bench;
    double ns[RUNS_MAX]; /* per iteration */
};

uint64_t bench_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * NSEC + (uint64_t)ts.tv_nsec;
}

static bool virtual_time;

void bench_set_virtual_time(bool on)
{
    virtual_time = on;
}

bool bench_virtual_time(void)
{
    return virtual_time;
}

void bench_pin(uint32_t cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof(set), &set);
}

static uint32_t collect(const struct bench_case **all)
{
    const struct {
        const struct bench_case *cases;
        uint32_t count;
    } sets[] = {
        {bench_queue_cases, bench_queue_case_count},
        {bench_mailbox_cases, bench_mailbox_case_count},
        {bench_message_cases, bench_message_case_count},
    };
    uint32_t n = 0;
    for (size_t s = 0; s < sizeof(sets) / sizeof(sets[0]); s++)
        for (uint32_t i = 0; i < sets[s].count && n < CASES_MAX; i++)
            all[n++] = &sets[s].cases[i];
    return n;
}

static void usage(FILE *out)
{
    fputs("usage: saddle-bench [micro] [--case NAME] [--iterations N] [--runs N] [--json]\n"
          "       saddle-bench [micro] --list\n"
          "       saddle-bench ring|sched|upgrade --help\n"
          "\n"
          "Measures the steps on the way of a message: nanoseconds per iteration, as\n"
          "median, minimum and maximum of several interleaved runs.\n"
          "\n"
          "  --case NAME     only this case\n"
          "  --iterations N  of each run, instead of the case's own number\n"
          "  --runs N        of each case, 1 to 99 (7)\n"
          "  --json          one JSON document\n"
          "  --virtual-time  engines see a clock of equal steps: for counting instructions\n"
          "  --list          names the cases, and says what one iteration of each is\n"
          "  --list-counted  names those fit for counting instructions\n",
          out);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_results(struct result *results, uint32_t count, const struct options *options)
{
    printf(options->json ? "{\"runs\":%u,\"cases\":{" : "%u runs, ns per iteration\n",
           options->runs);
    if (!options->json)
        printf("%-20s %10s %10s %10s\n", "case", "median", "min", "max");
    for (uint32_t i = 0; i < count; i++) {
        struct result *r = &results[i];
        qsort(r->ns, options->runs, sizeof(r->ns[0]), by_value);
        double median = r->ns[options->runs / 2], min = r->ns[0], max = r->ns[options->runs - 1];
        if (options->json)
            printf("%s\"%s\":{\"median\":%.2f,\"min\":%.2f,\"max\":%.2f}", i ? "," : "",
                   r->bench->name, median, min, max);
        else
            printf("%-20s %10.2f %10.2f %10.2f\n", r->bench->name, median, min, max);
    }
    if (options->json)
        puts("}}");
}

static int run_all(struct result *results, uint32_t count, const struct options *options)
{
    /* Interleaved, so that a change in the machine's speed meets every case alike. */
    for (uint32_t run = 0; run < options->runs; run++) {
        for (uint32_t i = 0; i < count; i++) {
            const struct bench_case *bench = results[i].bench;
            uint64_t n = options->iterations ? options->iterations : bench->iterations;
            uint64_t elapsed = 0;
            int rc = bench->run(n, &elapsed);
            if (rc) {
                fprintf(stderr, "saddle-bench: %s: %s\n", bench->name, strerror(-rc));
                return 1;
            }
            results[i].ns[run] = (double)elapsed / (double)n;
        }
    }
    print_results(results, count, options);
    return 0;
}

static int list(const struct bench_case **all, uint32_t count, bool counted)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!counted)
            printf("%-20s %s\n", all[i]->name, all[i]->what);
        else if (all[i]->counted)
            puts(all[i]->name);
    }
    return 0;
}

static bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || *value < min || *value > max) {
        fprintf(stderr, "saddle-bench: '%s' is not a number from %llu to %llu\n", text,
                (unsigned long long)min, (unsigned long long)max);
        return false;
    }
    return true;
}

int micro_main(int argc, char **argv)
{
    static const struct option longs[] = {
        {"case", required_argument, 0, 'c'},
        {"iterations", required_argument, 0, 'i'},
        {"runs", required_argument, 0, 'r'},
        {"json", no_argument, 0, 'j'},
        {"list", no_argument, 0, 'l'},
        {"virtual-time", no_argument, 0, 'v'},
        {"list-counted", no_argument, 0, 'L'},
        {"help", no_argument, 0, 'h'},
        {0, 0, 0, 0},
    };
    struct options options = {.runs = RUNS_DEFAULT};
    const struct bench_case *all[CASES_MAX];
    uint32_t count = collect(all);
    uint64_t value;
    int c;
    while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        switch (c) {
        case 'c':
            options.only = optarg;
            break;
        case 'i':
            if (!parse_number(optarg, 1, UINT32_MAX, &options.iterations))
                return 2;
            break;
        case 'r':
            if (!parse_number(optarg, 1, RUNS_MAX, &value))
                return 2;
            options.runs = (uint32_t)value;
            break;
        case 'j':
            options.json = true;
            break;
        case 'v':
            bench_set_virtual_time(true);
            break;
        case 'l':
        case 'L':
            return list(all, count, c == 'L');
        case 'h':
            usage(stdout);
            return 0;
        default:
            usage(stderr);
            return 2;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "saddle-bench: '%s' is not an option\n", argv[optind]);
        return 2;
    }
    static struct result results[CASES_MAX];
    uint32_t chosen = 0;
    for (uint32_t i = 0; i < count; i++)
        if (!options.only || strcmp(options.only, all[i]->name) == 0)
            results[chosen++].bench = all[i];
    if (!chosen) {
        fprintf(stderr, "saddle-bench: no case '%s' (see --list)\n", options.only);
        return 2;
    }
    return run_all(results, chosen, &options);
}
