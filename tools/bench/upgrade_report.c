/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/upgrade_report.h"

#include "tools/bench/stats.h"

#include <errno.h>
#include <string.h>

#define NS_PER_MS    1e6
#define US_PER_MS    1000.0
#define COUNT_DIGITS 24u

static const char *const phase_names[PHASES] = {
    [PHASE_NORMAL] = "normal",
    [PHASE_BROWNOUT] = "brownout",
};

/* What is reckoned from the hand-overs. */
struct figures {
    struct quantiles blackout, brownout; /* microseconds */
    struct quantiles prober[PHASES];     /* likewise */
    double state_bytes;                  /* median */
    char missed[COUNT_DIGITS];           /* or what stands for an unknown number */
};

bool upgrade_is_well(const struct upgrade_outcome *outcome)
{
    const struct tally_faults *faults = &outcome->faults;
    return outcome->upgrades == outcome->wanted && faults->lost == 0 && faults->duplicated == 0 &&
           faults->reordered == 0 && outcome->errors == 0;
}

static struct figures reckon(struct upgrade_outcome *outcome, const char *unknown)
{
    struct figures figures = {
        .blackout = quantiles_of(outcome->blackout_ns, outcome->upgrades),
        .brownout = quantiles_of(outcome->brownout_ns, outcome->upgrades),
        .state_bytes = spread_of(outcome->state_bytes, outcome->upgrades).median,
    };
    for (uint32_t i = 0; i < PHASES; i++)
        figures.prober[i] = quantiles_of(outcome->prober.of[i].ns, outcome->prober.of[i].count);
    if (outcome->missed_known)
        snprintf(figures.missed, sizeof(figures.missed), "%llu",
                 (unsigned long long)outcome->missed);
    else
        snprintf(figures.missed, sizeof(figures.missed), "%s", unknown);
    return figures;
}

/* A phase without a round trip has no figures. */
static void write_prober_json(FILE *out, const struct upgrade_outcome *outcome,
                              const struct figures *figures)
{
    fputs("  \"prober_us\": {", out);
    for (uint32_t i = 0; i < PHASES; i++) {
        fprintf(out, "%s\"%s\": ", i ? ", " : "", phase_names[i]);
        if (outcome->prober.of[i].count)
            fprintf(out, "{\"p50\": %.1f, \"p99\": %.1f}", figures->prober[i].p50,
                    figures->prober[i].p99);
        else
            fputs("null", out);
    }
    fputs("},\n", out);
}

static void write_prober_table(FILE *out, const struct upgrade_outcome *outcome,
                               const struct figures *figures)
{
    static const char *const rows[PHASES] = {"prober, us", "  in brownout"};
    for (uint32_t i = 0; i < PHASES; i++) {
        if (outcome->prober.of[i].count)
            fprintf(out, "%-14s %10.1f %10.1f %10.1f\n", rows[i], figures->prober[i].p50,
                    figures->prober[i].p99, figures->prober[i].max);
        else
            fprintf(out, "%-14s %10s\n", rows[i], "none");
    }
}

/* After they were put in order for the quantiles. */
static void write_blackouts_json(FILE *out, const struct upgrade_outcome *outcome)
{
    fputs("  \"blackouts_ms\": [", out);
    for (uint32_t i = 0; i < outcome->upgrades; i++)
        fprintf(out, "%s%.3f", i ? ", " : "", (double)outcome->blackout_ns[i] / NS_PER_MS);
    fputs("],\n", out);
}

int upgrade_write_json(FILE *out, struct upgrade_outcome *outcome)
{
    const struct figures figures = reckon(outcome, "null");
    const struct tally_faults *faults = &outcome->faults;
    fprintf(out,
            "{\n"
            "  \"upgrades\": %u,\n"
            "  \"lost\": %llu,\n"
            "  \"duplicated\": %llu,\n"
            "  \"reordered\": %llu,\n"
            "  \"application_errors\": %llu,\n",
            outcome->upgrades, (unsigned long long)faults->lost,
            (unsigned long long)faults->duplicated, (unsigned long long)faults->reordered,
            (unsigned long long)outcome->errors);
    fprintf(out, "  \"blackout_ms\": {\"p50\": %.3f, \"p99\": %.3f, \"max\": %.3f},\n",
            figures.blackout.p50 / US_PER_MS, figures.blackout.p99 / US_PER_MS,
            figures.blackout.max / US_PER_MS);
    write_blackouts_json(out, outcome);
    fprintf(out,
            "  \"brownout_ms\": {\"p50\": %.3f, \"max\": %.3f},\n"
            "  \"state_bytes\": %.0f,\n",
            figures.brownout.p50 / US_PER_MS, figures.brownout.max / US_PER_MS,
            figures.state_bytes);
    write_prober_json(out, outcome, &figures);
    fprintf(out,
            "  \"packets_missed\": %s,\n"
            "  \"retransmissions\": %llu,\n"
            "  \"messages\": %llu,\n"
            "  \"operations\": %llu,\n"
            "  \"connections\": %u,\n"
            "  \"port\": \"%s\"\n"
            "}\n",
            figures.missed, (unsigned long long)outcome->retransmissions,
            (unsigned long long)outcome->messages, (unsigned long long)outcome->operations,
            outcome->connections, outcome->port);
    return fflush(out) ? -errno : 0;
}

int upgrade_write_table(FILE *out, struct upgrade_outcome *outcome)
{
    const struct figures figures = reckon(outcome, "unknown");
    const struct tally_faults *faults = &outcome->faults;
    fprintf(out,
            "%u of %u hand-overs, port %s, %u connections: %llu messages and %llu operations\n\n"
            "%-14s %10s %10s %10s\n",
            outcome->upgrades, outcome->wanted, outcome->port, outcome->connections,
            (unsigned long long)outcome->messages, (unsigned long long)outcome->operations, "",
            "p50", "p99", "max");
    fprintf(out, "%-14s %10.3f %10.3f %10.3f\n", "blackout, ms", figures.blackout.p50 / US_PER_MS,
            figures.blackout.p99 / US_PER_MS, figures.blackout.max / US_PER_MS);
    fprintf(out, "%-14s %10.3f %10.3f %10.3f\n", "brownout, ms", figures.brownout.p50 / US_PER_MS,
            figures.brownout.p99 / US_PER_MS, figures.brownout.max / US_PER_MS);
    write_prober_table(out, outcome, &figures);
    fprintf(out, "%-14s %10.0f\n\n", "state, bytes", figures.state_bytes);
    fprintf(out,
            "lost %llu, duplicated %llu, reordered %llu, application errors %llu\n"
            "packets missed %s, retransmissions %llu\n",
            (unsigned long long)faults->lost, (unsigned long long)faults->duplicated,
            (unsigned long long)faults->reordered, (unsigned long long)outcome->errors,
            figures.missed, (unsigned long long)outcome->retransmissions);
    return fflush(out) ? -errno : 0;
}
