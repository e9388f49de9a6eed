/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* saddle-bench upgrade: its command line, and the order in which things happen. */
#include "tools/bench/bench.h"
#include "tools/bench/upgrade_bed.h"
#include "tools/bench/upgrade_load.h"
#include "tools/bench/upgrade_probe.h"
#include "tools/bench/upgrade_report.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT_DEFAULT       10u
#define COUNT_MAX           100000u
#define CONNECTIONS_DEFAULT 100u
#define CONNECTIONS_MAX     10000u
/* More of them are idle: those that have a turn take streams beyond their first, of which an engine
 * has far fewer than connections; and each has one from one hand-over to the next. */
#define BUSY_MAX    100u
#define NUMBER_BASE 10
#define EXIT_USAGE  2
/* Progress of the applications is looked at so often: short beside a hand-over. */
#define LOOK_NS 2000000u

struct options {
    uint32_t count, connections;
    const char *saddled;
    const char *heir; /* NULL: the same program */
    const char *control;
    const char *saddlectl;
    bool local;
    bool json;
};

struct run {
    const struct options *options;
    struct bed bed;
    struct upgrade_load *loads[UPGRADE_LOADS];
    struct actor actors[UPGRADE_LOADS];
    struct upgrade_probe *probe;
    struct actor prober;
    struct upgrade_outcome outcome;
    char reason[BED_REASON];
};

static uint64_t read_count(_Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* ---- Applications ---- */

static uint32_t busy_of(const struct options *options)
{
    return options->connections < BUSY_MAX ? options->connections : BUSY_MAX;
}

/* What cannot be divided is the first one's. */
static uint32_t share_of(uint32_t all, uint32_t load)
{
    return (all + UPGRADE_LOADS - 1 - load) / UPGRADE_LOADS;
}

static int begin_loads(struct run *run)
{
    int rc = 0;
    for (uint32_t i = 0; i < UPGRADE_LOADS && !rc; i++) {
        struct upgrade_load *load = run->loads[i] = load_create();
        if (!load) {
            snprintf(run->reason, sizeof(run->reason), "no memory");
            return -ENOMEM;
        }
        load->number = i;
        load->connections = share_of(run->options->connections, i);
        load->busy = share_of(busy_of(run->options), i);
        for (uint32_t host = 0; host < BED_HOSTS; host++) {
            load->sockets[host] = bed_socket(&run->bed, host);
            load->hosts[host] = bed_hosts[host];
        }
        if (load->connections == 0)
            continue;
        rc = load_begin(load, &run->actors[i]);
        if (rc && rc != -EINTR)
            snprintf(run->reason, sizeof(run->reason), "the applications: %s",
                     load->reason[0] ? load->reason : strerror(-rc));
    }
    return rc;
}

/* Once the others work, so that its normal time is one with all of them. */
static int begin_prober(struct run *run)
{
    struct upgrade_probe *probe = run->probe = upgrade_probe_create();
    if (!probe) {
        snprintf(run->reason, sizeof(run->reason), "no memory");
        return -ENOMEM;
    }
    for (uint32_t host = 0; host < BED_HOSTS; host++) {
        probe->sockets[host] = bed_socket(&run->bed, host);
        probe->hosts[host] = bed_hosts[host];
    }
    int rc = upgrade_probe_begin(probe, &run->prober);
    if (rc && rc != -EINTR)
        snprintf(run->reason, sizeof(run->reason), "%s",
                 probe->reason[0] ? probe->reason : "the prober did not start");
    return rc;
}

/* Waits until each busy connection has had a turn since. */
static int let_work(struct run *run)
{
    for (uint32_t i = 0; i < UPGRADE_LOADS; i++) {
        struct upgrade_load *load = run->loads[i];
        uint64_t wanted = read_count(&load->turns) + load->busy;
        while (read_count(&load->turns) < wanted) {
            int rc = actor_await_output(&run->actors[i], LOOK_NS);
            if (rc == 0) {
                snprintf(run->reason, sizeof(run->reason), "the applications: %s",
                         load->reason[0] ? load->reason : "their process ended");
                return -ECHILD;
            }
            if (rc != -ETIMEDOUT)
                return rc;
        }
    }
    return 0;
}

static void end_loads(struct run *run)
{
    struct upgrade_outcome *outcome = &run->outcome;
    for (uint32_t i = 0; i < UPGRADE_LOADS; i++) {
        struct upgrade_load *load = run->loads[i];
        if (!load || !run->actors[i].pid)
            continue;
        load_finish(load, &run->actors[i]);
        outcome->faults.lost += load->faults.lost;
        outcome->faults.duplicated += load->faults.duplicated;
        outcome->faults.reordered += load->faults.reordered;
        outcome->errors += read_count(&load->errors);
        outcome->messages += read_count(&load->messages);
        outcome->operations += read_count(&load->operations);
    }
}

static void end_prober(struct run *run)
{
    if (!run->probe)
        return;
    upgrade_probe_finish(run->probe, &run->prober);
    run->outcome.errors += read_count(&run->probe->errors);
}

/* ---- Hand-overs ---- */

static void show_progress(const struct run *run)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[Khand-over %u of %u", run->outcome.upgrades + 1,
                run->options->count);
}

static void note(struct upgrade_outcome *outcome, const struct bed_upgrade *upgrade,
                 const struct bed_counts *before, const struct bed_counts *after)
{
    uint32_t number = outcome->upgrades++;
    outcome->blackout_ns[number] = upgrade->blackout_ns;
    outcome->brownout_ns[number] = upgrade->brownout_ns;
    outcome->state_bytes[number] = (double)upgrade->state_bytes;
    if (before->known && after->known && after->missed >= before->missed)
        outcome->missed += after->missed - before->missed;
    else
        outcome->missed_known = false;
}

static int replace_one(struct run *run)
{
    const struct options *options = run->options;
    uint32_t number = run->outcome.upgrades, daemon = number % run->bed.count;
    /* Each daemon is in turn of one build and of the other. */
    bool heir = options->heir && number / run->bed.count % 2 == 0;
    struct bed_counts before, after;
    struct bed_upgrade upgrade;
    struct phase_marks marks;
    show_progress(run);
    int rc = bed_count(&run->bed, daemon, &before, run->reason);
    marks.begun_ns = bench_now();
    if (!rc)
        rc = bed_replace(&run->bed, daemon, heir ? options->heir : options->saddled, run->reason);
    if (!rc)
        rc = bed_last_upgrade(&run->bed, daemon, &upgrade, run->reason);
    if (!rc)
        rc = bed_count(&run->bed, daemon, &after, run->reason);
    if (rc)
        return rc;
    note(&run->outcome, &upgrade, &before, &after);
    marks.blackout_ns = upgrade.blackout_at_ns;
    marks.over_ns = bench_now();
    rc = let_work(run);
    if (!rc && upgrade_probe_take(run->probe, &marks, &run->outcome.prober))
        rc = -ENOMEM;
    return rc;
}

static int count_retransmissions(struct run *run)
{
    struct bed_counts counts;
    int rc = 0;
    for (uint32_t i = 0; i < run->bed.count && !rc; i++) {
        rc = bed_count(&run->bed, i, &counts, run->reason);
        run->outcome.retransmissions += counts.retransmissions;
    }
    return rc;
}

static int replace_all(struct run *run)
{
    int rc = let_work(run);
    while (!rc && run->outcome.upgrades < run->options->count)
        rc = replace_one(run);
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
    return rc;
}

/* ---- All of it ---- */

static int open_run(struct run *run)
{
    const struct options *options = run->options;
    const struct bed_settings settings = {.saddled = options->saddled,
                                          .control = options->control,
                                          .saddlectl = options->saddlectl,
                                          .busy = busy_of(options),
                                          .connections = options->connections,
                                          .local = options->local};
    struct upgrade_outcome *outcome = &run->outcome;
    outcome->wanted = options->count;
    outcome->connections = options->connections;
    outcome->missed_known = true;
    outcome->blackout_ns = calloc(options->count, sizeof(*outcome->blackout_ns));
    outcome->brownout_ns = calloc(options->count, sizeof(*outcome->brownout_ns));
    outcome->state_bytes = calloc(options->count, sizeof(*outcome->state_bytes));
    int rc = outcome->blackout_ns && outcome->brownout_ns && outcome->state_bytes ? 0 : -ENOMEM;
    if (!rc)
        rc = actors_init();
    if (rc) {
        snprintf(run->reason, sizeof(run->reason), "preparing: %s", strerror(-rc));
        return rc;
    }
    rc = bed_open(&run->bed, &settings, run->reason);
    outcome->port = bed_port(&run->bed);
    return rc;
}

/* Says what went wrong: a failure here, or what applications found. */
static void explain(const struct run *run, int rc)
{
    if (rc)
        fprintf(stderr, "saddle-bench: %s\n", run->reason[0] ? run->reason : strerror(-rc));
    for (uint32_t i = 0; i < UPGRADE_LOADS; i++) {
        const struct upgrade_load *load = run->loads[i];
        if (load && load->reason[0] && !strstr(run->reason, load->reason))
            fprintf(stderr, "saddle-bench: the applications: %s\n", load->reason);
    }
    if (run->probe && run->probe->reason[0] && !strstr(run->reason, run->probe->reason))
        fprintf(stderr, "saddle-bench: %s\n", run->probe->reason);
    if (!rc && !upgrade_is_well(&run->outcome))
        fputs("saddle-bench: not everything arrived once and in order\n", stderr);
    bed_tell(&run->bed, stderr);
}

static int write_outcome(struct run *run)
{
    int rc = run->options->json ? upgrade_write_json(stdout, &run->outcome)
                                : upgrade_write_table(stdout, &run->outcome);
    if (rc)
        fprintf(stderr, "saddle-bench: writing: %s\n", strerror(-rc));
    return rc;
}

/* Sets *begun once there is something to be told. */
static int perform(struct run *run, bool *begun)
{
    int rc = open_run(run);
    if (!rc)
        rc = begin_loads(run);
    if (!rc)
        rc = begin_prober(run);
    *begun = rc == 0;
    if (!rc)
        rc = replace_all(run);
    if (rc == -EINTR)
        return rc;
    end_prober(run);
    end_loads(run);
    if (!rc)
        rc = count_retransmissions(run);
    if (!rc)
        rc = bed_end(&run->bed, run->reason);
    return rc;
}

static int conclude(struct run *run, int rc, bool begun)
{
    if (rc == -EINTR) {
        fputs("saddle-bench: interrupted\n", stderr);
        return rc;
    }
    if (rc || !upgrade_is_well(&run->outcome))
        explain(run, rc);
    int written = begun ? write_outcome(run) : 0;
    return rc ? rc : written;
}

static int run_upgrades(const struct options *options)
{
    static struct run run;
    bool begun;
    run.options = options;
    int rc = perform(&run, &begun);
    rc = conclude(&run, rc, begun);
    for (uint32_t i = 0; i < UPGRADE_LOADS; i++)
        actor_kill(&run.actors[i]);
    actor_kill(&run.prober);
    bed_close(&run.bed);
    free(run.outcome.blackout_ns);
    free(run.outcome.brownout_ns);
    free(run.outcome.state_bytes);
    phases_free(&run.outcome.prober);
    return rc || !upgrade_is_well(&run.outcome) ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- The command line ---- */

static void usage(FILE *out)
{
    fputs(
        "usage: saddle-bench upgrade [OPTION]...\n"
        "\n"
        "Replaces daemons by newer ones, again and again, while applications exchange messages "
        "and\n"
        "one-sided operations of every kind and compare every byte; tells how long engines stood\n"
        "still, what a prober's round trips took normally and while a newcomer got ready, and\n"
        "whether anything was lost, came twice, or came out of order. It makes two hosts for\n"
        "itself, network namespaces with a cable between them, which takes root.\n"
        "\n"
        "  --count N         hand-overs, to the left and the right daemon in turn, 1 to 100000 "
        "(10)\n"
        "  --connections N   1 to 10000, of which the first 100 are kept busy in turn and the\n"
        "                    others are idle (100)\n"
        "  --saddled PATH    the daemon (" SADDLED_PROGRAM ")\n"
        "  --heir PATH       another build, which takes over from the first, and the first from "
        "it\n"
        "  --control PATH    saddle-control (" SADDLE_CONTROL_PROGRAM ")\n"
        "  --saddlectl PATH  by which daemons are asked (saddlectl)\n"
        "  --local           both hosts in one daemon, without root or a network\n"
        "  --json            one JSON document instead of the table\n"
        "  --help            shows this\n"
        "\n"
        "Exit status: 0 every hand-over was made and nothing was harmed, 1 something was, or "
        "another\n"
        "failure, 2 wrong usage, or not root.\n",
        out);
}

static bool parse_count(const char *name, const char *text, uint32_t max, uint32_t *value)
{
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, NUMBER_BASE);
    *value = (uint32_t)number;
    if (!errno && end != text && !*end && text[0] != '-' && number >= 1 && number <= max)
        return true;
    fprintf(stderr, "saddle-bench: %s: '%s' is not a number from 1 to %u\n", name, text, max);
    return false;
}

static bool take_option(struct options *options, int option)
{
    switch (option) {
    case 'n':
        return parse_count("--count", optarg, COUNT_MAX, &options->count);
    case 'c':
        return parse_count("--connections", optarg, CONNECTIONS_MAX, &options->connections);
    case 'd':
        options->saddled = optarg;
        return true;
    case 'e':
        options->heir = optarg;
        return true;
    case 'p':
        options->control = optarg;
        return true;
    case 's':
        options->saddlectl = optarg;
        return true;
    case 'l':
        options->local = true;
        return true;
    case 'j':
        options->json = true;
        return true;
    default:
        return false; /* getopt has said why */
    }
}

int upgrade_main(int argc, char **argv)
{
    static const struct option longs[] = {
        {"count", required_argument, 0, 'n'},   {"connections", required_argument, 0, 'c'},
        {"saddled", required_argument, 0, 'd'}, {"heir", required_argument, 0, 'e'},
        {"control", required_argument, 0, 'p'}, {"saddlectl", required_argument, 0, 's'},
        {"local", no_argument, 0, 'l'},         {"json", no_argument, 0, 'j'},
        {"help", no_argument, 0, 'h'},          {0, 0, 0, 0},
    };
    struct options options = {.count = COUNT_DEFAULT,
                              .connections = CONNECTIONS_DEFAULT,
                              .saddled = SADDLED_PROGRAM,
                              .control = SADDLE_CONTROL_PROGRAM,
                              .saddlectl = "saddlectl"};
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
    if (!options.local && geteuid() != 0) {
        fputs("saddle-bench: network namespaces take root; --local does without\n", stderr);
        return EXIT_USAGE;
    }
    return run_upgrades(&options);
}
