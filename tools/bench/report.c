/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/report.h"

#include "tools/bench/json_text.h"
#include "tools/bench/svg.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define BAR_MOST    0.5 /* what the ratio of plan_bar is to be, at most */
#define PANEL_BYTES 128u
#define LABEL_BYTES 64u

/* How many cores the measurement could use. */
static int cores(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof(set), &set) ? 0 : CPU_COUNT(&set);
}

/* ---- The table ---- */

static void print_share(FILE *out, const struct spread *share, bool known)
{
    if (known)
        fprintf(out, " %6.1f%%", share->median * 100);
    else
        fprintf(out, " %7s", "-");
}

static void print_row(FILE *out, const struct plan_outcome *outcome)
{
    const struct plan_variant *variant = outcome->variant;
    struct plan_figures f;
    char range[40];
    plan_summarize(outcome, &f);
    snprintf(range, sizeof(range), "%.1f-%.1f", f.p999.min, f.p999.max);
    fprintf(out, "%-49s %9.1f %9.1f %9.1f %19s %9.1f %9.1f %7llu", variant->name, f.p50.median,
            f.p99.median, f.p999.median, range, f.max.median, f.late_p99.median,
            (unsigned long long)f.missed);
    print_share(out, &f.application, variant->kind != PLAN_WAKE);
    print_share(out, &f.engines, variant->kind != PLAN_TCP);
    fputc('\n', out);
}

static void print_refused(FILE *out, const struct plan_outcome *outcomes, uint32_t count)
{
    bool any = false;
    for (uint32_t i = 0; i < count; i++) {
        if (!outcomes[i].refused)
            continue;
        if (!any)
            fputs("\nNot measured, because they could not be had:\n", out);
        any = true;
        fprintf(out, "%-49s %s\n", outcomes[i].variant->name, outcomes[i].reason);
    }
}

int report_table(FILE *out, const struct plan_settings *settings,
                 const struct plan_outcome *outcomes, uint32_t count)
{
    double ratio;
    fprintf(out,
            "%u runs of %g s each, %u probes a second; microseconds, medians over runs; processor "
            "time as a share of one of %d cores\n"
            "%-49s %9s %9s %9s %19s %9s %9s %7s %7s %7s\n",
            settings->runs, settings->seconds, settings->rate, cores(), "variant", "p50", "p99",
            "p99.9", "p99.9 min-max", "max", "late p99", "missed", "app", "engines");
    for (uint32_t i = 0; i < count; i++)
        if (!outcomes[i].refused)
            print_row(out, &outcomes[i]);
    print_refused(out, outcomes, count);
    if (plan_bar(outcomes, count, &ratio))
        fprintf(out,
                "\nWake-up under hogs, p99.9: fifo takes %.3f of what nice takes; the bar is %.1f "
                "at most.\n",
                ratio, BAR_MOST);
    return ferror(out) ? -EIO : 0;
}

/* ---- The document ---- */

static void put_word(FILE *out, const char *key, const char *word)
{
    fprintf(out, ",\"%s\":", key);
    if (word)
        json_put_string(out, word);
    else
        fputs("null", out);
}

static void put_spread(FILE *out, const char *key, const struct spread *spread)
{
    fprintf(out, "\"%s\":{\"median\":%.6g,\"min\":%.6g,\"max\":%.6g}", key, spread->median,
            spread->min, spread->max);
}

static void put_quantiles(FILE *out, const char *key, const struct spread *const quantiles[4])
{
    static const char *const names[] = {"p50", "p99", "p99.9", "max"};
    fprintf(out, ",\"%s\":{", key);
    for (int i = 0; i < 4; i++) {
        if (i)
            fputc(',', out);
        put_spread(out, names[i], quantiles[i]);
    }
    fputc('}', out);
}

static void put_figures(FILE *out, const struct plan_outcome *outcome)
{
    const struct plan_variant *variant = outcome->variant;
    struct plan_figures f;
    plan_summarize(outcome, &f);
    fprintf(out, ",\"probes\":%llu,\"missed\":%llu,\"unsent\":%llu", (unsigned long long)f.count,
            (unsigned long long)f.missed, (unsigned long long)f.unsent);
    put_quantiles(out, "delay_us", (const struct spread *const[]){&f.p50, &f.p99, &f.p999, &f.max});
    put_quantiles(out, "late_us",
                  (const struct spread *const[]){&f.late_p50, &f.late_p99, &f.late_p999,
                                                 &f.late_max});
    fputs(",\"cpu\":{", out);
    if (variant->kind != PLAN_WAKE)
        put_spread(out, "application", &f.application);
    if (variant->kind == PLAN_SADDLE)
        fputc(',', out);
    if (variant->kind != PLAN_TCP)
        put_spread(out, "engines", &f.engines);
    fputc('}', out);
    if (variant->loaded) {
        fputc(',', out);
        put_spread(out, "streamed", &f.streamed);
    }
}

static void put_outcome(FILE *out, const struct plan_outcome *outcome)
{
    const struct plan_variant *variant = outcome->variant;
    fputs("{\"name\":", out);
    json_put_string(out, variant->name);
    put_word(out, "kind", plan_kind_name(variant->kind));
    put_word(out, "mode", variant->mode);
    put_word(out, "class", variant->class);
    put_word(out, "engine",
             variant->kind == PLAN_WAKE ? NULL
             : variant->loaded          ? "loaded"
                                        : "idle");
    put_word(out, "prober", variant->realtime ? "realtime" : "nice0");
    put_word(out, "load", plan_load_name(variant->load));
    put_word(out, "refused", outcome->refused ? outcome->reason : NULL);
    if (!outcome->refused)
        put_figures(out, outcome);
    fputc('}', out);
}

int report_json(FILE *out, const struct plan_settings *settings,
                const struct plan_outcome *outcomes, uint32_t count)
{
    struct utsname system;
    double ratio;
    uname(&system);
    fprintf(out, "{\"sched\":%d,\"machine\":{\"cores\":%d,\"kernel\":", REPORT_VERSION, cores());
    json_put_string(out, system.release);
    put_word(out, "build", system.version);
    fprintf(out,
            "},\"settings\":{\"seconds\":%g,\"runs\":%u,\"rate\":%u,\"stream_bytes\":%u,"
            "\"stream_rate\":%u},\n\"variants\":[\n",
            settings->seconds, settings->runs, settings->rate, settings->stream_bytes,
            settings->stream_rate);
    for (uint32_t i = 0; i < count; i++) {
        put_outcome(out, &outcomes[i]);
        fputs(i + 1 < count ? ",\n" : "\n", out);
    }
    fputs("],\n\"bars\":{\"wake_hogs_fifo_to_nice\":", out);
    if (plan_bar(outcomes, count, &ratio))
        fprintf(out, "{\"ratio\":%.6g,\"at_most\":%g}", ratio, BAR_MOST);
    else
        fputs("null", out);
    fputs("}}\n", out);
    return ferror(out) ? -EIO : 0;
}

/* ---- The figure ---- */

struct drawing {
    struct svg_row *rows;
    char (*panels)[PANEL_BYTES];
    char (*labels)[LABEL_BYTES];
    uint32_t count;
};

static void name_panel(const struct plan_variant *variant, char panel[PANEL_BYTES])
{
    static const char *const loads[PLAN_LOADS] = {"nothing else runs",
                                                  "two busy loops on each core",
                                                  "50 MB mapped and unmapped on each core"};
    if (variant->kind == PLAN_WAKE)
        snprintf(panel, PANEL_BYTES, "Wake-up of an engine: %s", loads[variant->load]);
    else
        snprintf(panel, PANEL_BYTES, "Round trip, %s probers, %s: %s",
                 variant->realtime ? "real-time" : "nice-0",
                 variant->loaded ? "beside a stream" : "alone", loads[variant->load]);
}

static void draw(struct drawing *drawing, const struct plan_outcome *outcome)
{
    const struct plan_variant *variant = outcome->variant;
    uint32_t at = drawing->count++;
    struct plan_figures f;
    plan_summarize(outcome, &f);
    name_panel(variant, drawing->panels[at]);
    if (variant->kind == PLAN_WAKE)
        snprintf(drawing->labels[at], LABEL_BYTES, "%s", variant->class);
    else if (variant->kind == PLAN_SADDLE)
        snprintf(drawing->labels[at], LABEL_BYTES, "%s, %s", variant->mode, variant->class);
    else
        snprintf(drawing->labels[at], LABEL_BYTES, "kernel TCP");
    drawing->rows[at] = (struct svg_row){.panel = drawing->panels[at],
                                         .label = drawing->labels[at],
                                         .note = outcome->refused ? "not to be had" : NULL,
                                         .p50 = f.p50.median,
                                         .p99 = f.p99.median,
                                         .p999 = f.p999.median,
                                         .p999_min = f.p999.min,
                                         .p999_max = f.p999.max};
}

/* What is compared with each other, side by side. */
static bool share_panel(const struct plan_variant *a, const struct plan_variant *b)
{
    return a->load == b->load && a->loaded == b->loaded && a->realtime == b->realtime &&
           (a->kind == PLAN_WAKE) == (b->kind == PLAN_WAKE);
}

int report_svg(FILE *out, const struct plan_settings *settings, const struct plan_outcome *outcomes,
               uint32_t count)
{
    char title[LABEL_BYTES];
    bool drawn[PLAN_VARIANTS_MAX] = {false};
    struct drawing drawing = {.rows = calloc(count, sizeof(struct svg_row)),
                              .panels = calloc(count, PANEL_BYTES),
                              .labels = calloc(count, LABEL_BYTES)};
    int rc = -ENOMEM;
    snprintf(title, sizeof(title), "Delays, %u runs of %g s, %u probes a second", settings->runs,
             settings->seconds, settings->rate);
    if (drawing.rows && drawing.panels && drawing.labels) {
        for (uint32_t i = 0; i < count; i++) {
            for (uint32_t j = i; j < count; j++) {
                if (drawn[j] || !share_panel(outcomes[i].variant, outcomes[j].variant))
                    continue;
                drawn[j] = true;
                draw(&drawing, &outcomes[j]);
            }
        }
        rc = svg_write(out, title, drawing.rows, drawing.count);
    }
    free(drawing.rows);
    free(drawing.panels);
    free(drawing.labels);
    return rc;
}
