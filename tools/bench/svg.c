/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/svg.h"

#include "tools/bench/svg_parts.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

/* In units of the drawing. */
#define WIDTH      860.0
#define LABELS     220.0 /* the axis begins here, */
#define AXIS_END   830.0 /* and ends here */
#define HEAD       70.0  /* title and legend */
#define PANEL_HEAD 34.0
#define PANEL_FOOT 26.0
#define ROW        18.0
#define BAR        8.0

#define NO_LESS_US 0.1 /* the axis' first value, if there is anything that short */

struct axis {
    int first; /* powers of ten, us */
    int last;
};

static double place(const struct axis *axis, double us)
{
    double power = us > 0 ? log10(us) : axis->first;
    double share = (power - axis->first) / (axis->last - axis->first);
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    return LABELS + share * (AXIS_END - LABELS);
}

/* Whole powers of ten around all that is drawn. */
static struct axis choose_axis(const struct svg_row *rows, uint32_t count)
{
    double least = 0, most = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i].note)
            continue;
        double low = rows[i].p50 > NO_LESS_US ? rows[i].p50 : NO_LESS_US;
        least = least > 0 && least < low ? least : low;
        most = most > rows[i].p999_max ? most : rows[i].p999_max;
    }
    struct axis axis = {.first = 0, .last = 1};
    if (least > 0)
        axis.first = (int)floor(log10(least));
    axis.last = axis.first + 1;
    while (pow(10, axis.last) < most)
        axis.last++;
    return axis;
}

static bool starts_panel(const struct svg_row *rows, uint32_t at)
{
    return at == 0 || strcmp(rows[at].panel, rows[at - 1].panel) != 0;
}

static bool ends_panel(const struct svg_row *rows, uint32_t count, uint32_t at)
{
    return at + 1 == count || strcmp(rows[at].panel, rows[at + 1].panel) != 0;
}

static double height_of(const struct svg_row *rows, uint32_t count)
{
    double height = HEAD;
    for (uint32_t i = 0; i < count; i++)
        height += ROW + (starts_panel(rows, i) ? PANEL_HEAD + PANEL_FOOT : 0);
    return height;
}

static void put_head(FILE *out, const char *title)
{
    static const struct {
        const char *colour;
        const char *word;
        double x;
    } legend[] = {{SVG_BLUE, "p50", 0}, {SVG_ORANGE, "p99", 60}, {SVG_RED, "p99.9", 120}};
    svg_put_label(out, 12, 24, "title", title);
    for (size_t i = 0; i < sizeof(legend) / sizeof(legend[0]); i++) {
        svg_put_mark(out, LABELS + legend[i].x, 48, legend[i].colour);
        svg_put_label(out, LABELS + legend[i].x + 8, 48 + SVG_TEXT_DOWN, "word", legend[i].word);
    }
    svg_put_line(out, LABELS + 196, 48, LABELS + 226, 48, "range");
    svg_put_label(out, LABELS + 234, 48 + SVG_TEXT_DOWN, "word", "p99.9, from run to run");
}

/* The lines of a panel's axis, from `top` down to `bottom`. */
static void put_axis(FILE *out, const struct axis *axis, double top, double bottom)
{
    for (int power = axis->first; power <= axis->last; power++) {
        char word[32];
        double us = pow(10, power), x = place(axis, us);
        snprintf(word, sizeof(word),
                 us < 1e3   ? "%g us"
                 : us < 1e6 ? "%g ms"
                            : "%g s",
                 us < 1e3   ? us
                 : us < 1e6 ? us / 1e3
                            : us / 1e6);
        svg_put_line(out, x, top, x, bottom, "grid");
        svg_put_label(out, x, bottom + 15, "tick", word);
    }
}

static void put_row(FILE *out, const struct axis *axis, const struct svg_row *row, double y)
{
    svg_put_label(out, LABELS - 12, y + SVG_TEXT_DOWN, "label", row->label);
    if (row->note) {
        svg_put_label(out, LABELS + 8, y + SVG_TEXT_DOWN, "note", row->note);
        return;
    }
    double from = place(axis, row->p50), to = place(axis, row->p999);
    fprintf(out,
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"" SVG_GREY
            "\" fill-opacity=\"0.35\"/>\n",
            from, y - BAR / 2, to - from, BAR);
    svg_put_line(out, place(axis, row->p999_min), y, place(axis, row->p999_max), y, "range");
    svg_put_mark(out, to, y, SVG_RED);
    svg_put_mark(out, place(axis, row->p99), y, SVG_ORANGE);
    svg_put_mark(out, from, y, SVG_BLUE);
}

int svg_write(FILE *out, const char *title, const struct svg_row *rows, uint32_t count)
{
    struct axis axis = choose_axis(rows, count);
    double y = HEAD, top = HEAD;
    svg_begin(out, WIDTH, height_of(rows, count), title);
    put_head(out, title);
    for (uint32_t i = 0; i < count; i++) {
        if (starts_panel(rows, i)) {
            svg_put_label(out, 12, y + PANEL_HEAD - 12, "panel", rows[i].panel);
            y += PANEL_HEAD;
            top = y;
        }
        y += ROW;
        if (ends_panel(rows, count, i)) {
            put_axis(out, &axis, top, y);
            y += PANEL_FOOT;
        }
    }
    y = HEAD;
    for (uint32_t i = 0; i < count; i++) {
        y += starts_panel(rows, i) ? PANEL_HEAD : 0;
        put_row(out, &axis, &rows[i], y + ROW / 2);
        y += ROW + (ends_panel(rows, count, i) ? PANEL_FOOT : 0);
    }
    svg_end(out);
    return ferror(out) ? -EIO : 0;
}
