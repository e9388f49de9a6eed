/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/ring_chart.h"

#include "tools/bench/chart.h"

#include <errno.h>
#include <stdlib.h>

#define TITLE_BYTES 96u
#define LABEL_BYTES 32u
#define LINES       RING_LIST_MAX

/* By what points are told. Of BY_WINDOW and others there is a line for each size, of BY_BYTES for
 * each window. */
enum by { BY_BYTES, BY_WINDOW, BY_BATCH, BY_SESSIONS, BY_FLOWS };

/* One panel, with room for the largest sweep. */
struct drawn {
    struct chart_point points[LINES][RING_LIST_MAX];
    struct chart_line lines[LINES];
    char labels[LINES][LABEL_BYTES];
    uint32_t of[LINES]; /* what each line is of: a size, or a window */
    struct chart_panel panel;
};

/* What a panel shows. */
struct view {
    const char *title, *x_title;
    enum ring_sweep sweep;
    enum by along;
    bool trips;
    uint32_t value;
};

static const struct view views[] = {
    {"Messages a second, by size", "bytes", RING_SWEEP_SIZES, BY_BYTES, false, RING_PER_S},
    {"Gbit/s, by size", "bytes", RING_SWEEP_SIZES, BY_BYTES, false, RING_GBPS},
    {"Messages a second, by window", "messages on their way", RING_SWEEP_SIZES, BY_WINDOW, false,
     RING_PER_S},
    {"There and back, us, by size", "bytes", RING_SWEEP_SIZES, BY_BYTES, true, RING_P50},
    {"Messages a second, by batch", "messages that are sent together", RING_SWEEP_BATCHES, BY_BATCH,
     false, RING_PER_S},
    {"Messages a second, by sessions", "sessions at each engine", RING_SWEEP_SESSIONS, BY_SESSIONS,
     false, RING_PER_S},
    {"Messages a second, by flows", "flows, a connection on each", RING_SWEEP_FLOWS, BY_FLOWS,
     false, RING_PER_S},
};
#define VIEWS (sizeof(views) / sizeof(views[0]))

static void write_bytes(char label[LABEL_BYTES], uint32_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB"};
    uint32_t unit = 0;
    for (; bytes >= 1024 && bytes % 1024 == 0 && unit < 2; unit++)
        bytes /= 1024;
    snprintf(label, LABEL_BYTES, "%u %s", bytes, units[unit]);
}

/* The line that a case is on, which is begun if it is not there. */
static struct chart_line *line_of(struct drawn *drawn, const struct view *view,
                                  const struct ring_case *what)
{
    struct chart_panel *panel = &drawn->panel;
    uint32_t of = view->along == BY_BYTES ? what->window : what->bytes, i = 0;
    while (i < panel->line_count && drawn->of[i] != of)
        i++;
    if (i == LINES)
        return NULL;
    if (i < panel->line_count)
        return &drawn->lines[i];
    panel->line_count++;
    drawn->of[i] = of;
    if (view->along != BY_BYTES)
        write_bytes(drawn->labels[i], of);
    else
        snprintf(drawn->labels[i], LABEL_BYTES, view->trips ? "one at a time" : "window %u", of);
    drawn->lines[i] = (struct chart_line){.label = drawn->labels[i], .points = drawn->points[i]};
    return &drawn->lines[i];
}

/* In its place by x: sizes may be asked for in any order. */
static void add_point(struct chart_line *line, struct chart_point *points,
                      const struct chart_point *point)
{
    uint32_t at = line->count;
    if (line->count == RING_LIST_MAX)
        return;
    for (; at > 0 && points[at - 1].x > point->x; at--)
        points[at] = points[at - 1];
    points[at] = *point;
    line->count++;
}

static double x_of(const struct view *view, const struct ring_case *what)
{
    switch (view->along) {
    case BY_WINDOW:
        return what->window;
    case BY_BATCH:
        return what->batch;
    case BY_SESSIONS:
        return what->sessions;
    case BY_FLOWS:
        return what->flows;
    default:
        return what->bytes;
    }
}

static void add(struct drawn *drawn, const struct view *view, const struct ring_outcome *outcome)
{
    const struct ring_case *what = &outcome->what;
    struct spread spread = ring_spread(outcome, view->value);
    const struct chart_point point = {
        .x = x_of(view, what), .y = spread.median, .min = spread.min, .max = spread.max};
    struct chart_line *line = line_of(drawn, view, what);
    if (line)
        add_point(line, drawn->points[line - drawn->lines], &point);
}

static void draw(struct drawn *drawn, const struct view *view, const struct ring_form *form,
                 const struct ring_outcome *outcomes, uint32_t count)
{
    drawn->panel = (struct chart_panel){.title = view->title,
                                        .x_title = view->x_title,
                                        .bytes = view->along == BY_BYTES,
                                        .lines = drawn->lines};
    for (uint32_t i = form->fixed; i < count; i++)
        if (outcomes[i].run_count > 0 && outcomes[i].what.sweep == view->sweep &&
            (outcomes[i].what.work == RING_TRIPS) == view->trips)
            add(drawn, view, &outcomes[i]);
}

int ring_chart_write(FILE *out, const struct ring_form *form, const struct ring_settings *settings,
                     const struct ring_outcome *outcomes, uint32_t count)
{
    struct chart_panel panels[VIEWS];
    uint32_t panel_count = 0;
    char title[TITLE_BYTES];
    struct drawn *drawn = calloc(VIEWS, sizeof(*drawn));
    if (!drawn)
        return -ENOMEM;
    for (uint32_t i = 0; i < VIEWS; i++) {
        draw(&drawn[i], &views[i], form, outcomes, count);
        /* What was not asked for is no news. */
        if (drawn[i].panel.line_count > 0)
            panels[panel_count++] = drawn[i].panel;
    }
    snprintf(title, sizeof(title), "Messages, %u runs of %g s a case", settings->runs,
             settings->seconds);
    int rc = chart_write(out, title, panels, panel_count);
    free(drawn);
    return rc;
}
