/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/chart.h"

#include "tools/bench/svg_parts.h"

#include <errno.h>
#include <math.h>

/* In units of the drawing. */
#define WIDTH       860.0
#define LEFT        90.0  /* axes begin here, */
#define RIGHT       700.0 /* and end here; lines' labels are beyond */
#define HEAD        40.0
#define PANEL_HEAD  34.0
#define PANEL_LINES 200.0
#define PANEL_FOOT  56.0
#define TICK_APART  52.0 /* numbers below an axis, at least */
#define LINE_APART  16.0 /* labels of lines, at most */
#define PANEL       (PANEL_HEAD + PANEL_LINES + PANEL_FOOT)

#define KIB        1024.0
#define THOUSAND   1000.0
#define WORD_BYTES 32u
#define WORDS      4u /* units of a number */

/* Lines beyond have the same again, dashed. */
static const char *const colours[] = {SVG_BLUE,  SVG_ORANGE, SVG_RED,
                                      SVG_GREEN, SVG_PURPLE, SVG_OLIVE};

#define COLOURS (sizeof(colours) / sizeof(colours[0]))

struct axes {
    double x_least, x_most; /* logarithms */
    int y_first, y_last;    /* powers of ten */
    double top;             /* of the panel's lines */
};

/* ---- Where what is ---- */

static bool is_there(const struct chart_point *point)
{
    return point->y > 0;
}

static double x_of(const struct axes *axes, double x)
{
    double wide = axes->x_most - axes->x_least;
    double share = wide > 0 ? (log2(x) - axes->x_least) / wide : 0;
    return LEFT + share * (RIGHT - LEFT);
}

static double y_of(const struct axes *axes, double y)
{
    double share = (axes->y_last - log10(y)) / (axes->y_last - axes->y_first);
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    return axes->top + share * PANEL_LINES;
}

/* Around all points; whole powers of ten upwards. */
static struct axes choose_axes(const struct chart_panel *panel, double top)
{
    double x_least = INFINITY, x_most = 0, y_least = INFINITY, y_most = 0;
    for (uint32_t i = 0; i < panel->line_count; i++) {
        for (uint32_t p = 0; p < panel->lines[i].count; p++) {
            const struct chart_point *point = &panel->lines[i].points[p];
            if (!is_there(point))
                continue;
            x_least = fmin(x_least, point->x);
            x_most = fmax(x_most, point->x);
            y_least = fmin(y_least, point->min > 0 ? point->min : point->y);
            y_most = fmax(y_most, point->max);
        }
    }
    if (y_most <= 0)
        return (struct axes){.y_last = 1, .top = top};
    struct axes axes = {.x_least = log2(x_least),
                        .x_most = log2(x_most),
                        .y_first = (int)floor(log10(y_least)),
                        .y_last = (int)ceil(log10(y_most)),
                        .top = top};
    if (axes.y_last == axes.y_first)
        axes.y_last++;
    return axes;
}

/* ---- Axes ---- */

/* A number with a unit, which is `step` times the one before. */
static void write_number(char word[WORD_BYTES], double number, double step,
                         const char *const units[WORDS])
{
    uint32_t unit = 0;
    while (number >= step && unit + 1 < WORDS) {
        number /= step;
        unit++;
    }
    snprintf(word, WORD_BYTES, "%g%s", number, units[unit]);
}

static void put_y_axis(FILE *out, const struct axes *axes)
{
    static const char *const units[WORDS] = {"", " k", " M", " G"};
    for (int power = axes->y_first; power <= axes->y_last; power++) {
        char word[WORD_BYTES];
        double value = pow(10, power), y = y_of(axes, value);
        write_number(word, value, THOUSAND, units);
        svg_put_line(out, LEFT, y, RIGHT, y, "grid");
        svg_put_label(out, LEFT - 8, y + SVG_TEXT_DOWN, "label", word);
    }
}

/* The next x of any point beyond this one; infinite: there is none. */
static double next_x(const struct chart_panel *panel, double beyond)
{
    double next = INFINITY;
    for (uint32_t i = 0; i < panel->line_count; i++)
        for (uint32_t p = 0; p < panel->lines[i].count; p++) {
            const struct chart_point *point = &panel->lines[i].points[p];
            if (is_there(point) && point->x > beyond)
                next = fmin(next, point->x);
        }
    return next;
}

/* Where points are, as far as there is room for it. */
static void put_x_axis(FILE *out, const struct chart_panel *panel, const struct axes *axes)
{
    static const char *const sizes[WORDS] = {" B", " KiB", " MiB", " GiB"};
    static const char *const numbers[WORDS] = {"", " k", " M", " G"};
    double bottom = axes->top + PANEL_LINES, last = -INFINITY;
    for (double value = next_x(panel, 0); isfinite(value); value = next_x(panel, value)) {
        char word[WORD_BYTES];
        double x = x_of(axes, value);
        if (x - last < TICK_APART)
            continue;
        last = x;
        write_number(word, value, panel->bytes ? KIB : THOUSAND, panel->bytes ? sizes : numbers);
        svg_put_line(out, x, bottom, x, bottom + SVG_TEXT_DOWN, "grid");
        svg_put_label(out, x, bottom + 18, "tick", word);
    }
    svg_put_label(out, (LEFT + RIGHT) / 2, bottom + 38, "tick", panel->x_title);
}

/* ---- Lines ---- */

static void put_line(FILE *out, const struct axes *axes, const struct chart_line *line,
                     uint32_t number, double label)
{
    const char *colour = colours[number % COLOURS];
    fprintf(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\"%s points=\"", colour,
            number / COLOURS % 2 ? " stroke-dasharray=\"6 3\"" : "");
    for (uint32_t p = 0; p < line->count; p++)
        if (is_there(&line->points[p]))
            fprintf(out, "%.1f,%.1f ", x_of(axes, line->points[p].x),
                    y_of(axes, line->points[p].y));
    fputs("\"/>\n", out);
    for (uint32_t p = 0; p < line->count; p++) {
        const struct chart_point *point = &line->points[p];
        if (!is_there(point))
            continue;
        double x = x_of(axes, point->x), low = point->min > 0 ? point->min : point->y;
        svg_put_line(out, x, y_of(axes, low), x, y_of(axes, point->max), "spread");
        svg_put_mark(out, x, y_of(axes, point->y), colour);
    }
    svg_put_mark(out, RIGHT + 16, label, colour);
    svg_put_label(out, RIGHT + 26, label + SVG_TEXT_DOWN, "word", line->label);
}

static void put_panel(FILE *out, const struct chart_panel *panel, double top)
{
    struct axes axes = choose_axes(panel, top + PANEL_HEAD);
    svg_put_label(out, 12, top + PANEL_HEAD - 14, "panel", panel->title);
    put_y_axis(out, &axes);
    put_x_axis(out, panel, &axes);
    double apart = fmin(LINE_APART, PANEL_LINES / fmax(panel->line_count, 1));
    for (uint32_t i = 0; i < panel->line_count; i++)
        put_line(out, &axes, &panel->lines[i], i, axes.top + apart * i);
}

int chart_write(FILE *out, const char *title, const struct chart_panel *panels, uint32_t count)
{
    svg_begin(out, WIDTH, HEAD + count * PANEL, title);
    svg_put_label(out, 12, 24, "title", title);
    for (uint32_t i = 0; i < count; i++)
        put_panel(out, &panels[i], HEAD + i * PANEL);
    svg_end(out);
    return ferror(out) ? -EIO : 0;
}
