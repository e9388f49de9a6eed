/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/svg.h"

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
#define MARK       3.5
#define TEXT_DOWN  4.0 /* from a row's middle to the line its text stands on */

#define NO_LESS_US 0.1 /* the axis' first value, if there is anything that short */

/* Contrast of 4.5 or so with white and with black. */
#define GREY   "#767676"
#define BLUE   "#2f81c7"
#define ORANGE "#c76b1d"
#define RED    "#d4473c"

struct axis {
    int first; /* powers of ten, us */
    int last;
};

static void put_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        default:
            /* XML has no way to say a control character. */
            fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
        }
    }
}

static void put_label(FILE *out, double x, double y, const char *kind, const char *text)
{
    fprintf(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", kind, x, y);
    put_text(out, text);
    fputs("</text>\n", out);
}

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

static void put_mark(FILE *out, double x, double y, const char *colour)
{
    fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"%s\"/>\n", x, y, MARK, colour);
}

static void put_line(FILE *out, double x1, double y1, double x2, double y2, const char *kind)
{
    fprintf(out, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", kind, x1,
            y1, x2, y2);
}

static void put_head(FILE *out, const char *title)
{
    static const struct {
        const char *colour;
        const char *word;
        double x;
    } legend[] = {{BLUE, "p50", 0}, {ORANGE, "p99", 60}, {RED, "p99.9", 120}};
    put_label(out, 12, 24, "title", title);
    for (size_t i = 0; i < sizeof(legend) / sizeof(legend[0]); i++) {
        put_mark(out, LABELS + legend[i].x, 48, legend[i].colour);
        put_label(out, LABELS + legend[i].x + 8, 48 + TEXT_DOWN, "word", legend[i].word);
    }
    put_line(out, LABELS + 196, 48, LABELS + 226, 48, "range");
    put_label(out, LABELS + 234, 48 + TEXT_DOWN, "word", "p99.9, from run to run");
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
        put_line(out, x, top, x, bottom, "grid");
        put_label(out, x, bottom + 15, "tick", word);
    }
}

static void put_row(FILE *out, const struct axis *axis, const struct svg_row *row, double y)
{
    put_label(out, LABELS - 12, y + TEXT_DOWN, "label", row->label);
    if (row->note) {
        put_label(out, LABELS + 8, y + TEXT_DOWN, "note", row->note);
        return;
    }
    double from = place(axis, row->p50), to = place(axis, row->p999);
    fprintf(out,
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"" GREY
            "\" fill-opacity=\"0.35\"/>\n",
            from, y - BAR / 2, to - from, BAR);
    put_line(out, place(axis, row->p999_min), y, place(axis, row->p999_max), y, "range");
    put_mark(out, to, y, RED);
    put_mark(out, place(axis, row->p99), y, ORANGE);
    put_mark(out, from, y, BLUE);
}

int svg_write(FILE *out, const char *title, const struct svg_row *rows, uint32_t count)
{
    struct axis axis = choose_axis(rows, count);
    double y = HEAD, top = HEAD;
    fprintf(out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" "
            "height=\"%.0f\" role=\"img\">\n<title>",
            WIDTH, height_of(rows, count), WIDTH, height_of(rows, count));
    put_text(out, title);
    fputs("</title>\n<style>\n"
          "text { font: 12px sans-serif; fill: " GREY "; }\n"
          ".title { font-size: 16px; }\n"
          ".panel { font-weight: bold; }\n"
          ".label { text-anchor: end; }\n"
          ".tick { text-anchor: middle; }\n"
          ".note { font-style: italic; }\n"
          ".grid { stroke: " GREY "; stroke-opacity: 0.4; }\n"
          ".range { stroke: " RED "; stroke-width: 1.5; }\n"
          "</style>\n",
          out);
    put_head(out, title);
    for (uint32_t i = 0; i < count; i++) {
        if (starts_panel(rows, i)) {
            put_label(out, 12, y + PANEL_HEAD - 12, "panel", rows[i].panel);
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
    fputs("</svg>\n", out);
    return ferror(out) ? -EIO : 0;
}
