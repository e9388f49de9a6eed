/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/svg_parts.h"

#define MARK 3.5 /* radius */

void svg_put_text(FILE *out, const char *text)
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

void svg_put_label(FILE *out, double x, double y, const char *kind, const char *text)
{
    fprintf(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", kind, x, y);
    svg_put_text(out, text);
    fputs("</text>\n", out);
}

void svg_put_line(FILE *out, double x1, double y1, double x2, double y2, const char *kind)
{
    fprintf(out, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", kind, x1,
            y1, x2, y2);
}

void svg_put_mark(FILE *out, double x, double y, const char *colour)
{
    fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" fill=\"%s\"/>\n", x, y, MARK, colour);
}

void svg_begin(FILE *out, double width, double height, const char *title)
{
    fprintf(out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" "
            "height=\"%.0f\" role=\"img\">\n<title>",
            width, height, width, height);
    svg_put_text(out, title);
    fputs("</title>\n<style>\n"
          "text { font: 12px sans-serif; fill: " SVG_GREY "; }\n"
          ".title { font-size: 16px; }\n"
          ".panel { font-weight: bold; }\n"
          ".label { text-anchor: end; }\n"
          ".tick { text-anchor: middle; }\n"
          ".note { font-style: italic; }\n"
          ".grid { stroke: " SVG_GREY "; stroke-opacity: 0.4; }\n"
          ".range { stroke: " SVG_RED "; stroke-width: 1.5; }\n"
          ".spread { stroke: " SVG_GREY "; }\n"
          "</style>\n",
          out);
}

void svg_end(FILE *out)
{
    fputs("</svg>\n", out);
}
