/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/ring_report.h"

#include "tools/bench/json_text.h"

#include <errno.h>
#include <sched.h>
#include <sys/utsname.h>

#define FIELD_WIDTH 32
#define SMALL       1000.0 /* below it, digits after the point are worth something */

/* How many cores the measurement could use. */
static int cores(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof(set), &set) ? 0 : CPU_COUNT(&set);
}

/* ---- The table ---- */

static void print_number(FILE *out, double number)
{
    fprintf(out, number < SMALL ? " %11.3f" : " %11.0f", number);
}

static void print_spread(FILE *out, const struct spread *spread, uint32_t runs)
{
    print_number(out, spread->median);
    print_number(out, spread->min);
    print_number(out, spread->max);
    fprintf(out, " %4u", runs);
}

static void print_field(FILE *out, const struct ring_field *field,
                        const struct ring_outcome *outcomes)
{
    struct spread spread;
    uint32_t runs;
    /* What was not asked for is no news. */
    if (outcomes[field->of].left_out || (field->is_quotient && outcomes[field->by].left_out))
        return;
    fprintf(out, "%-*s", FIELD_WIDTH, field->name);
    if (ring_reckon(field, outcomes, &spread, &runs))
        print_spread(out, &spread, runs);
    else
        fprintf(out, " %11s %11s %11s %4s", "-", "-", "-", "-");
    fprintf(out, "  %s\n", field->what);
}

static void print_sweep(FILE *out, const struct ring_form *form,
                        const struct ring_outcome *outcomes, uint32_t count)
{
    bool any = false;
    for (uint32_t i = form->fixed; i < count; i++) {
        const struct ring_outcome *outcome = &outcomes[i];
        bool trips = outcome->what.work == RING_TRIPS;
        if (outcome->run_count == 0)
            continue;
        fprintf(out, "%s%-*s", any ? "" : "\n", FIELD_WIDTH, outcome->what.name);
        any = true;
        struct spread spread = ring_spread(outcome, trips ? (uint32_t)RING_P50 : RING_PER_S);
        print_spread(out, &spread, outcome->run_count);
        if (trips)
            fputs("  there and back, us, p50\n", out);
        else
            fprintf(out, "  messages a second; %.3f Gbit/s\n",
                    ring_spread(outcome, RING_GBPS).median);
    }
}

static void print_missing(FILE *out, const struct ring_outcome *outcomes, uint32_t count)
{
    bool any = false;
    for (uint32_t i = 0; i < count; i++) {
        if (!outcomes[i].missing || outcomes[i].left_out)
            continue;
        fprintf(out, "%s%-*s %s\n", any ? "" : "\nNot measured, because they could not be had:\n",
                FIELD_WIDTH, outcomes[i].what.name, outcomes[i].reason);
        any = true;
    }
}

static uint64_t checked_in(const struct ring_outcome *outcome)
{
    uint64_t checked = 0;
    for (uint32_t i = 0; i < outcome->run_count; i++)
        checked += outcome->runs[i].checked;
    return checked;
}

int ring_write_table(FILE *out, const struct ring_form *form, const struct ring_settings *settings,
                     const struct ring_outcome *outcomes, uint32_t count)
{
    uint64_t checked = 0;
    for (uint32_t i = 0; i < count; i++)
        checked += checked_in(&outcomes[i]);
    fprintf(out,
            "%u runs of %g s each, %d cores; %llu messages and reads, every byte of them compared\n"
            "%-*s %11s %11s %11s %4s\n",
            settings->runs, settings->seconds, cores(), (unsigned long long)checked, FIELD_WIDTH,
            "figure", "median", "min", "max", "runs");
    for (uint32_t i = 0; i < form->field_count; i++)
        print_field(out, &form->fields[i], outcomes);
    print_sweep(out, form, outcomes, count);
    print_missing(out, outcomes, count);
    return ferror(out) ? -EIO : 0;
}

/* ---- The document ---- */

static void put_spread(FILE *out, const char *key, const struct spread *spread, uint32_t runs)
{
    fprintf(out, "\"%s\":{\"median\":%.6g,\"min\":%.6g,\"max\":%.6g,\"runs\":%u}", key,
            spread->median, spread->min, spread->max, runs);
}

static void put_value(FILE *out, const char *key, const struct ring_outcome *outcome,
                      uint32_t value)
{
    struct spread spread = ring_spread(outcome, value);
    fputc(',', out);
    put_spread(out, key, &spread, outcome->run_count);
}

static void put_fields(FILE *out, const struct ring_form *form, const struct ring_outcome *outcomes)
{
    for (uint32_t i = 0; i < form->field_count; i++) {
        const struct ring_field *field = &form->fields[i];
        struct spread spread;
        uint32_t runs;
        if (ring_reckon(field, outcomes, &spread, &runs))
            put_spread(out, field->name, &spread, runs);
        else
            fprintf(out, "\"%s\":null", field->name);
        fputs(",\n", out);
    }
}

static void put_sweep(FILE *out, const struct ring_form *form, const struct ring_outcome *outcomes,
                      uint32_t count)
{
    const char *between = "";
    fputs("\"sweep\":[", out);
    for (uint32_t i = form->fixed; i < count; i++) {
        const struct ring_outcome *outcome = &outcomes[i];
        const struct ring_case *what = &outcome->what;
        if (outcome->run_count == 0)
            continue;
        fprintf(out, "%s\n{\"bytes\":%u,\"window\":%u", between, what->bytes, what->window);
        if (what->sweep == RING_SWEEP_BATCHES)
            fprintf(out, ",\"batch\":%u", what->batch);
        if (what->sweep == RING_SWEEP_SESSIONS)
            fprintf(out, ",\"sessions\":%u", what->sessions);
        if (what->sweep == RING_SWEEP_FLOWS)
            fprintf(out, ",\"flows\":%u", what->flows);
        between = ",";
        if (what->work == RING_TRIPS) {
            put_value(out, "rtt_us", outcome, RING_P50);
            put_value(out, "rtt_p99_us", outcome, RING_P99);
        } else {
            put_value(out, "messages_per_s", outcome, RING_PER_S);
            put_value(out, "gbps", outcome, RING_GBPS);
        }
        fputc('}', out);
    }
    fputs("],\n", out);
}

static void put_checked(FILE *out, const struct ring_outcome *outcomes, uint32_t count)
{
    const char *between = "";
    fputs("\"checked\":{", out);
    for (uint32_t i = 0; i < count; i++) {
        if (outcomes[i].run_count == 0)
            continue;
        fprintf(out, "%s\"%s\":%llu", between, outcomes[i].what.name,
                (unsigned long long)checked_in(&outcomes[i]));
        between = ",";
    }
    fputs("},\n", out);
}

static void put_missing(FILE *out, const struct ring_outcome *outcomes, uint32_t count)
{
    const char *between = "";
    fputs("\"not_measured\":{", out);
    for (uint32_t i = 0; i < count; i++) {
        if (!outcomes[i].missing)
            continue;
        fprintf(out, "%s\"%s\":", between, outcomes[i].what.name);
        json_put_string(out, outcomes[i].reason);
        between = ",";
    }
    fputs("}}\n", out);
}

int ring_write_json(FILE *out, const struct ring_form *form, const struct ring_settings *settings,
                    const struct ring_outcome *outcomes, uint32_t count)
{
    struct utsname system;
    uname(&system);
    fprintf(out, "{\"%s\":%d,\"machine\":{\"cores\":%d,\"kernel\":", form->name,
            RING_REPORT_VERSION, cores());
    json_put_string(out, system.release);
    fprintf(out, "},\"settings\":{\"seconds\":%g,\"runs\":%u},\n", settings->seconds,
            settings->runs);
    put_fields(out, form, outcomes);
    if (form->has_sweep)
        put_sweep(out, form, outcomes, count);
    put_checked(out, outcomes, count);
    put_missing(out, outcomes, count);
    return ferror(out) ? -EIO : 0;
}
