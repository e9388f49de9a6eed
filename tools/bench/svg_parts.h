/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What every figure is made of: plain SVG without a background, whose colours stand out against
 * white and black alike.
 *
 * Ownership: nothing is kept. Threads: any. Whether all could be written is for ferror to say.
 */
#ifndef BENCH_SVG_PARTS_H
#define BENCH_SVG_PARTS_H

#include <stdio.h>

/* Contrast of 4.5 or so with white and with black. */
#define SVG_GREY   "#767676"
#define SVG_BLUE   "#2f81c7"
#define SVG_ORANGE "#c76b1d"
#define SVG_RED    "#d4473c"
#define SVG_GREEN  "#2f8a4c"
#define SVG_PURPLE "#9a62c2"
#define SVG_OLIVE  "#8a7a1f"

#define SVG_TEXT_DOWN 4.0 /* from the middle of a text to the line it stands on */

/* Classes of text: title, panel, label (ends at its place), tick (has it in its middle), note,
 * word; and of lines: grid, range, spread. */
void svg_begin(FILE *out, double width, double height, const char *title);
void svg_end(FILE *out);
/* Whatever is in it. */
void svg_put_text(FILE *out, const char *text);
void svg_put_label(FILE *out, double x, double y, const char *kind, const char *text);
void svg_put_line(FILE *out, double x1, double y1, double x2, double y2, const char *kind);
void svg_put_mark(FILE *out, double x, double y, const char *colour);

#endif
