/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * saddle-sim: runs the simulation for one seed or for many.
 */
#include "tests/sim/fault.h"
#include "tests/sim/packets.h"
#include "tests/sim/pcap.h"
#include "tests/sim/sim.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPERATIONS_DEFAULT 2000u
#define LOSS_PPM_DEFAULT   500000u /* 50 % */
#define PPM_PER_PERCENT    10000.0
#define POOL_PACKETS       24575u /* of all hosts and links */
#define CAMPAIGN_SEEDS     40u    /* so many runs together show everything that is rare */

struct arguments {
    struct sim_options options;
    uint64_t first, last;
    bool replay;   /* each seed twice */
    bool rehearse; /* the second time with engines that are saved for nothing */
    bool broken;   /* most seeds have to fail */
    /* Path of a file that gets what hosts send; NULL: nobody wants it. */
    const char *pcap;
};

static const char usage[] =
    "usage: saddle-sim [--seed S | --seeds A..B] [--hosts N] [--engines N] [--ops N]\n"
    "                  [--faults LIST] [--loss PERCENT] [--replay] [--rehearse] "
    "[--expect-violation]\n"
    "                  [--verbose] [--pcap FILE] [--shapers]\n"
    "faults: all, or some of";

static void complain(const char *option, const char *value)
{
    fprintf(stderr, "saddle-sim: %s: bad value \"%s\"\n%s", option, value, usage);
    for (uint32_t kind = 0; kind < FAULT_KINDS; kind++)
        fprintf(stderr, "%s %s", kind ? "," : "", fault_names[kind]);
    fprintf(stderr, "\n");
    exit(2);
}

static uint64_t number(const char *option, const char *text, uint64_t least, uint64_t most)
{
    char *end;
    uint64_t value = strtoull(text, &end, 0);
    if (end == text || *end || value < least || value > most)
        complain(option, text);
    return value;
}

static void seeds(struct arguments *arguments, const char *text)
{
    char *end;
    arguments->first = strtoull(text, &end, 0);
    if (end == text || strncmp(end, "..", 2) != 0)
        complain("--seeds", text);
    arguments->last = number("--seeds", end + 2, arguments->first, UINT64_MAX - 1);
}

static void take(struct arguments *arguments, int option, const char *value)
{
    struct sim_options *options = &arguments->options;
    char *end;
    double percent;
    switch (option) {
    case 's':
        arguments->first = arguments->last = number("--seed", value, 0, UINT64_MAX - 1);
        break;
    case 'S':
        seeds(arguments, value);
        break;
    case 'h':
        options->hosts = (uint32_t)number("--hosts", value, 2, SIM_HOSTS_MAX);
        options->narrowed = true;
        break;
    case 'e':
        options->engines = (uint32_t)number("--engines", value, 1, SIM_HOSTS_MAX);
        break;
    case 'o':
        options->operations = (uint32_t)number("--ops", value, 1, 1u << 24);
        options->narrowed = true;
        break;
    case 'f':
        options->faults = fault_parse(value);
        if (!options->faults)
            complain("--faults", value);
        options->narrowed = true;
        break;
    case 'l':
        percent = strtod(value, &end);
        if (end == value || *end || !(percent >= 0 && percent <= 100))
            complain("--loss", value);
        options->loss_ppm = (uint32_t)(percent * PPM_PER_PERCENT);
        options->narrowed = true;
        break;
    case 'q':
        options->shapers = true;
        break;
    case 'r':
        arguments->replay = true;
        break;
    case 'R':
        arguments->replay = arguments->rehearse = true;
        break;
    case 'x':
        arguments->broken = true;
        break;
    case 'v':
        options->verbose = true;
        break;
    case 'p':
        arguments->pcap = value;
        break;
    default:
        complain("option", "?");
    }
}

static void parse(struct arguments *arguments, int argc, char **argv)
{
    static const struct option table[] = {
        {"seed", required_argument, NULL, 's'},       {"seeds", required_argument, NULL, 'S'},
        {"hosts", required_argument, NULL, 'h'},      {"ops", required_argument, NULL, 'o'},
        {"engines", required_argument, NULL, 'e'},    {"faults", required_argument, NULL, 'f'},
        {"loss", required_argument, NULL, 'l'},       {"replay", no_argument, NULL, 'r'},
        {"expect-violation", no_argument, NULL, 'x'}, {"verbose", no_argument, NULL, 'v'},
        {"pcap", required_argument, NULL, 'p'},       {"shapers", no_argument, NULL, 'q'},
        {"rehearse", no_argument, NULL, 'R'},         {NULL, 0, NULL, 0},
    };
    *arguments = (struct arguments){
        .first = 1,
        .last = 1,
        .options = {.operations = OPERATIONS_DEFAULT, .loss_ppm = LOSS_PPM_DEFAULT},
    };
    int option;
    while ((option = getopt_long(argc, argv, "", table, NULL)) != -1)
        take(arguments, option, optarg);
    if (optind < argc)
        complain("argument", argv[optind]);
}

static void add_totals(struct sim_totals *sum, const struct sim_totals *more)
{
    /* All fields are counters of one type. */
    uint64_t *to = (uint64_t *)sum;
    const uint64_t *from = (const uint64_t *)more;
    for (size_t i = 0; i < sizeof(*sum) / sizeof(uint64_t); i++)
        to[i] += from[i];
}

static void print_totals(const struct sim_totals *totals)
{
    printf("  operations %" PRIu64 " (%" PRIu64 " succeeded, %" PRIu64
           " failed with a reason, %" PRIu64 " dropped with their application)\n",
           totals->accepted, totals->succeeded, totals->failed, totals->dropped);
    printf("  messages %" PRIu64 " (%" PRIu64 " bytes, %" PRIu64
           " of them of %u bytes, of which %" PRIu64 " gathered; unordered %" PRIu64
           ", gathered %" PRIu64 "), operations cancelled %" PRIu64 "\n",
           totals->messages, totals->message_bytes, totals->largest, SIM_HUGE_BYTES,
           totals->largest_gathered, totals->unordered, totals->gathered, totals->cancelled);
    printf("  reads %" PRIu64 ", writes %" PRIu64 " (%" PRIu64 " bytes), connections %" PRIu64
           " (%" PRIu64 " calls led on), pings %" PRIu64 "\n",
           totals->reads, totals->writes, totals->one_sided_bytes, totals->connections,
           totals->sent_on, totals->pings);
    printf("  reads by way of a table %" PRIu64 ", atomic operations %" PRIu64 "\n",
           totals->by_table, totals->atomics);
    printf("  packets %" PRIu64 ": lost %" PRIu64 ", duplicated %" PRIu64 ", reordered %" PRIu64
           ", corrupted %" PRIu64 ", sent again %" PRIu64 "\n",
           totals->packets, totals->lost, totals->duplicated, totals->reordered, totals->corrupted,
           totals->retransmissions);
    printf("  changed on the way: noticed %" PRIu64 ", not wanted anyway %" PRIu64
           "; overtaken by %u or more %" PRIu64 ", swallowed by black holes %" PRIu64
           " (noticed %" PRIu64 ", packets in parts %" PRIu64 ")\n",
           totals->caught, totals->unused, OVERTAKEN, totals->overtaken, totals->swallowed,
           totals->black_holes, totals->parts);
    printf("  connections whose credits had wrapped %" PRIu64 "\n", totals->wrapped);
    printf("  flows that found packets of %u bytes to pass %" PRIu64
           ", and black holes noticed there %" PRIu64 "\n",
           SIM_MTU_MAX, totals->widest, totals->widest_holes);
    printf("  faults %" PRIu64 " (engines replaced %" PRIu64 ", restarted %" PRIu64
           ", upgrades %" PRIu64 ", applications killed %" PRIu64 "), saved for nothing %" PRIu64
           ", virtual time %.3f s\n",
           totals->faults, totals->reloads, totals->restarts, totals->upgrades, totals->kills,
           totals->rehearsals, (double)totals->virtual_ns / 1e9);
    printf("  shapers: policies changed %" PRIu64 ", saved and loaded %" PRIu64
           ", classes out of tokens %" PRIu64 "\n",
           totals->policies, totals->handed_over, totals->exhausted);
}

/* What single runs may lack, many together have: else it happens no more. */
static bool check_campaign(const struct arguments *arguments, const struct sim_totals *sum)
{
    const struct {
        const char *what;
        uint64_t count;
    } rare[] = {
        {"messages of the largest size", sum->largest},
        {"messages of the largest size, gathered", sum->largest_gathered},
        {"connections whose credits wrap", sum->wrapped},
        {"flows that found the largest packets to pass", sum->widest},
        {"black holes where the largest packets pass otherwise", sum->widest_holes},
        {"upgrades", sum->upgrades},
        {"policies of shapers changed", sum->policies},
        {"shapers saved and loaded", sum->handed_over},
        {"classes out of tokens", sum->exhausted},
    };
    bool complete = true;

    if (arguments->options.narrowed || arguments->broken ||
        arguments->last - arguments->first + 1 < CAMPAIGN_SEEDS)
        return true;
    for (size_t i = 0; i < sizeof(rare) / sizeof(rare[0]); i++) {
        if (rare[i].count > 0)
            continue;
        printf("no %s in all these runs, commit %s\n", rare[i].what, sim_commit);
        complete = false;
    }
    return complete;
}

/* Runs the same once more: true if it came to the same. */
static bool run_again(const struct arguments *arguments, struct rte_mempool *pool,
                      const struct trace *first, struct sim_totals *sum)
{
    struct sim_options options = arguments->options;
    struct sim_totals totals;
    struct trace trace;
    options.pcap = NULL;
    options.rehearse = arguments->rehearse;
    bool good = sim_run(&options, pool, &trace, &totals) || !arguments->rehearse;
    sum->rehearsals += totals.rehearsals;
    if (trace.hash != first->hash) {
        printf("seed %" PRIu64 ": second hash %016" PRIx64 ": DIFFERS, commit %s\n", options.seed,
               trace.hash, sim_commit);
        good = false;
    }
    if (arguments->rehearse && totals.rehearsals == 0) {
        printf("seed %" PRIu64 ": no engine was saved for nothing\n", options.seed);
        good = false;
    }
    return good;
}

/* Runs one seed: true if it went as it should. */
static bool run_seed(struct arguments *arguments, struct rte_mempool *pool, struct sim_totals *sum)
{
    struct trace trace;
    struct sim_totals totals;
    bool good = sim_run(&arguments->options, pool, &trace, &totals);
    uint64_t seed = arguments->options.seed;
    add_totals(sum, &totals);
    printf("seed %" PRIu64 ": hash %016" PRIx64 " events %" PRIu64 "%s%s\n", seed, trace.hash,
           trace.events, good ? "" : " FAILED, commit ", good ? "" : sim_commit);
    if (arguments->replay)
        good = run_again(arguments, pool, &trace, sum) && good;
    fflush(stdout);
    return good != arguments->broken;
}

static void start_pcap(struct arguments *arguments)
{
    if (!arguments->pcap)
        return;
    arguments->options.pcap = pcap_open(arguments->pcap);
    if (!arguments->options.pcap) {
        fprintf(stderr, "saddle-sim: %s: %s\n", arguments->pcap, strerror(errno));
        exit(1);
    }
}

/* True if all of it was written. */
static bool end_pcap(struct arguments *arguments)
{
    int error = pcap_close(arguments->options.pcap);
    if (error)
        fprintf(stderr, "saddle-sim: %s: %s\n", arguments->pcap, strerror(-error));
    return error == 0;
}

/* Of seeds that are to find something, most have to: there may be one that has no use for what is
 * broken. */
static bool is_outcome_right(const struct arguments *arguments, uint64_t wrong, uint64_t count)
{
    return arguments->broken ? 2 * wrong < count : wrong == 0;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    parse(&arguments, argc, argv);
    start_pcap(&arguments);
    struct rte_mempool *pool = packets_start("saddle-sim", POOL_PACKETS);
    struct sim_totals sum = {0};
    uint64_t wrong = 0;
    for (uint64_t seed = arguments.first; seed <= arguments.last; seed++) {
        arguments.options.seed = seed;
        wrong += !run_seed(&arguments, pool, &sum);
    }
    uint64_t count = arguments.last - arguments.first + 1;
    printf("%" PRIu64 " of %" PRIu64 " seeds %s\n", count - wrong, count,
           arguments.broken ? "were caught" : "clean");
    print_totals(&sum);
    bool right = is_outcome_right(&arguments, wrong, count);
    right &= check_campaign(&arguments, &sum);
    right &= end_pcap(&arguments);
    rte_mempool_free(pool);
    rte_eal_cleanup();
    return right ? EXIT_SUCCESS : EXIT_FAILURE;
}
