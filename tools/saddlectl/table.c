/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/saddlectl/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CELL_BYTES      256u
#define GAP             2u  /* columns between two of a table */
#define SHORT           28  /* columns of a text that is cut, its dots included */
#define KIND_WIDTH      21u /* of the longest: the tables of a stream are to look like one */
#define KIB             1024.0
#define THOUSAND        1000.0
#define NS_PER_US       1e3
#define NS_PER_MS       1e6
#define NS_PER_S        1e9
#define PPM_PER_PERCENT 1e4
#define S_PER_MIN       60u
#define S_PER_HOUR      3600u
#define S_PER_DAY       86400u
#define NOTHING         "-"
#define DEL             127   /* beyond it are letters of other scripts */
#define CUT             "..." /* at the end of a text that has lost its own */

static void print_duration(uint64_t ns, char cell[CELL_BYTES])
{
    uint64_t s = ns / (uint64_t)NS_PER_S;

    if (ns < (uint64_t)NS_PER_US)
        snprintf(cell, CELL_BYTES, "%" PRIu64 " ns", ns);
    else if (ns < (uint64_t)NS_PER_MS)
        snprintf(cell, CELL_BYTES, "%.1f us", (double)ns / NS_PER_US);
    else if (s == 0)
        snprintf(cell, CELL_BYTES, "%.1f ms", (double)ns / NS_PER_MS);
    else if (s < S_PER_MIN)
        snprintf(cell, CELL_BYTES, "%.1f s", (double)ns / NS_PER_S);
    else if (s < S_PER_HOUR)
        snprintf(cell, CELL_BYTES, "%" PRIu64 "m %02" PRIu64 "s", s / S_PER_MIN, s % S_PER_MIN);
    else if (s < S_PER_DAY)
        snprintf(cell, CELL_BYTES, "%" PRIu64 "h %02" PRIu64 "m", s / S_PER_HOUR,
                 s % S_PER_HOUR / S_PER_MIN);
    else
        snprintf(cell, CELL_BYTES, "%" PRIu64 "d %02" PRIu64 "h", s / S_PER_DAY,
                 s % S_PER_DAY / S_PER_HOUR);
}

static void print_difference(int64_t ns, char cell[CELL_BYTES])
{
    cell[0] = '-';
    print_duration(ns < 0 ? -(uint64_t)ns : (uint64_t)ns, cell + (ns < 0));
}

static void print_time(uint64_t ns, char cell[CELL_BYTES])
{
    time_t s = (time_t)(ns / (uint64_t)NS_PER_S);
    struct tm parts;
    size_t used = 0;

    if (gmtime_r(&s, &parts))
        used = strftime(cell, CELL_BYTES, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(cell + used, CELL_BYTES - used, ".%03uZ",
             (unsigned)(ns % (uint64_t)NS_PER_S / (uint64_t)NS_PER_MS));
}

static void print_bytes(uint64_t bytes, char cell[CELL_BYTES])
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes / KIB;
    size_t unit = 0;

    if (bytes < (uint64_t)KIB) {
        snprintf(cell, CELL_BYTES, "%" PRIu64 " B", bytes);
        return;
    }
    while (value >= KIB && unit + 1 < sizeof(units) / sizeof(units[0])) {
        value /= KIB;
        unit++;
    }
    snprintf(cell, CELL_BYTES, "%.1f %s", value, units[unit]);
}

static void print_rate(uint64_t bits, char cell[CELL_BYTES])
{
    static const char *const units[] = {"bit/s", "kbit/s", "Mbit/s", "Gbit/s"};
    double value = (double)bits;
    size_t unit = 0;

    if (bits == 0)
        return;
    while (value >= THOUSAND && unit + 1 < sizeof(units) / sizeof(units[0])) {
        value /= THOUSAND;
        unit++;
    }
    snprintf(cell, CELL_BYTES, "%.4g %s", value, units[unit]);
}

static void print_short(const char *text, char cell[CELL_BYTES])
{
    if (strlen(text) <= SHORT)
        snprintf(cell, CELL_BYTES, "%s", text);
    else
        snprintf(cell, CELL_BYTES, "%.*s" CUT, SHORT - (int)strlen(CUT), text);
}

static void print_list(struct json_object *list, char cell[CELL_BYTES])
{
    size_t used = 0;

    cell[0] = '\0';
    for (size_t i = 0; i < json_object_array_length(list) && used < CELL_BYTES; i++)
        used += (size_t)snprintf(cell + used, CELL_BYTES - used, "%s%s", i ? ", " : "",
                                 json_object_get_string(json_object_array_get_idx(list, i)));
}

void table_make_plain(char *text)
{
    for (char *at = text; *at; at++) {
        if (*at < ' ' || *at > '~')
            *at = '?';
    }
}

static void print_cell(struct json_object *value, enum format format, char cell[CELL_BYTES])
{
    cell[0] = '\0';
    switch (format) {
    case FORMAT_BOUND:
    case FORMAT_BOUND_BYTES:
        if (json_object_get_uint64(value))
            print_cell(value, format == FORMAT_BOUND ? FORMAT_COUNT : FORMAT_BYTES, cell);
        break;
    case FORMAT_BOUND_SHARE:
        if (json_object_get_uint64(value))
            snprintf(cell, CELL_BYTES, "%.4g %%",
                     (double)json_object_get_uint64(value) / PPM_PER_PERCENT);
        break;
    case FORMAT_DIFFERENCE:
        print_difference(json_object_get_int64(value), cell);
        break;
    case FORMAT_COUNT:
        snprintf(cell, CELL_BYTES, "%" PRIu64, json_object_get_uint64(value));
        break;
    case FORMAT_BYTES:
        print_bytes(json_object_get_uint64(value), cell);
        break;
    case FORMAT_RATE:
        print_rate(json_object_get_uint64(value), cell);
        break;
    case FORMAT_SHARE:
        if (json_object_get_uint64(value))
            snprintf(cell, CELL_BYTES, "%.1f %%",
                     (double)json_object_get_uint64(value) / PPM_PER_PERCENT);
        break;
    case FORMAT_SPAN:
        if (json_object_get_uint64(value))
            print_cell(value, FORMAT_DURATION, cell);
        break;
    case FORMAT_PATIENCE:
        if (json_object_get_uint64(value) == UINT64_MAX)
            snprintf(cell, CELL_BYTES, "never");
        else
            print_cell(value, FORMAT_DURATION, cell);
        break;
    case FORMAT_DURATION:
        print_duration(json_object_get_uint64(value), cell);
        break;
    case FORMAT_TIME:
        print_time(json_object_get_uint64(value), cell);
        break;
    case FORMAT_YES_NO:
        snprintf(cell, CELL_BYTES, "%s", json_object_get_boolean(value) ? "yes" : "no");
        break;
    case FORMAT_LIST:
        print_list(value, cell);
        break;
    case FORMAT_SHORT:
        print_short(json_object_get_string(value), cell);
        break;
    case FORMAT_SIZE:
        snprintf(cell, CELL_BYTES, "%zu", json_object_array_length(value));
        break;
    default:
        snprintf(cell, CELL_BYTES, "%s", json_object_get_string(value));
        break;
    }
    if (!cell[0])
        snprintf(cell, CELL_BYTES, NOTHING);
    table_make_plain(cell);
}

static bool is_number(enum format format)
{
    return format != FORMAT_TEXT && format != FORMAT_SHORT && format != FORMAT_LIST &&
           format != FORMAT_YES_NO && format != FORMAT_TIME && format != FORMAT_KIND;
}

struct table {
    const struct column *columns;
    uint32_t count;
    bool shown[COMMAND_COLUMNS_MAX];
    size_t width[COMMAND_COLUMNS_MAX];
    struct json_object *rows;
};

static void cell_of(const struct table *table, size_t row, uint32_t column, char cell[CELL_BYTES])
{
    struct json_object *element = json_object_array_get_idx(table->rows, row);
    struct json_object *value = json_object_object_get(element, table->columns[column].field);

    print_cell(value, table->columns[column].format, cell);
}

static void measure(struct table *table)
{
    char cell[CELL_BYTES];

    for (uint32_t i = 0; i < table->count; i++) {
        table->shown[i] = true;
        table->width[i] = strlen(table->columns[i].title);
        if (table->columns[i].format == FORMAT_KIND)
            table->width[i] = KIND_WIDTH;
        for (size_t row = 0; row < json_object_array_length(table->rows); row++) {
            cell_of(table, row, i, cell);
            if (strlen(cell) > table->width[i])
                table->width[i] = strlen(cell);
        }
    }
}

static size_t whole_width(const struct table *table)
{
    size_t width = 0;

    for (uint32_t i = 0; i < table->count; i++)
        width += table->shown[i] ? table->width[i] + GAP : 0;
    return width - GAP;
}

/* A text at the end may lose its own. */
static void cut_last(struct table *table, unsigned width)
{
    uint32_t last = table->count - 1;
    size_t whole = whole_width(table);
    size_t title = strlen(table->columns[last].title);

    if (!width || whole <= width || !table->shown[last] ||
        table->columns[last].format != FORMAT_TEXT || table->columns[last].rank > 0)
        return;
    table->width[last] -= whole - width < table->width[last] ? whole - width : table->width[last];
    if (table->width[last] < title)
        table->width[last] = title;
}

/* Leaves out what matters least until the rest fits. */
static void fit(struct table *table, unsigned width)
{
    while (width && whole_width(table) > width) {
        int least = -1;

        for (uint32_t i = 0; i < table->count; i++) {
            if (table->shown[i] && table->columns[i].rank > 0 &&
                (least < 0 || table->columns[i].rank >= table->columns[least].rank))
                least = (int)i;
        }
        if (least < 0)
            break;
        table->shown[least] = false;
    }
    cut_last(table, width);
}

static void shorten(char cell[CELL_BYTES], size_t width)
{
    if (strlen(cell) <= width || width < strlen(CUT))
        return;
    memcpy(cell + width - strlen(CUT), CUT, sizeof(CUT));
}

/* One line; `row` below 0 is the header. */
static void print_row(const struct table *table, long row)
{
    char cell[CELL_BYTES];
    size_t owed = 0; /* blanks, written only before something else */

    for (uint32_t i = 0; i < table->count; i++) {
        size_t length;

        if (!table->shown[i])
            continue;
        if (row < 0)
            snprintf(cell, sizeof(cell), "%s", table->columns[i].title);
        else
            cell_of(table, (size_t)row, i, cell);
        shorten(cell, table->width[i]);
        length = strlen(cell);
        if (is_number(table->columns[i].format))
            printf("%*s%*s", (int)owed, "", (int)table->width[i], cell);
        else
            printf("%*s%s", (int)owed, "", cell);
        owed = GAP + (is_number(table->columns[i].format) ? 0 : table->width[i] - length);
    }
    putchar('\n');
}

static uint32_t count_columns(const struct command *command)
{
    uint32_t count = 0;

    while (count < COMMAND_COLUMNS_MAX && command->columns[count].field)
        count++;
    return count;
}

static void print_fields(const struct command *command, struct json_object *answer)
{
    char cell[CELL_BYTES];
    size_t width = 0;
    uint32_t count = count_columns(command);

    for (uint32_t i = 0; i < count; i++) {
        if (strlen(command->columns[i].title) > width)
            width = strlen(command->columns[i].title);
    }
    for (uint32_t i = 0; i < count; i++) {
        print_cell(json_object_object_get(answer, command->columns[i].field),
                   command->columns[i].format, cell);
        printf("%-*s  %s\n", (int)width, command->columns[i].title, cell);
    }
}

/* The elements inside of all rows, each with the name or number of its row; the caller's. */
static struct json_object *elements_of(struct json_object *rows, const char *inner)
{
    struct json_object *all = json_object_new_array();

    for (size_t i = 0; i < json_object_array_length(rows); i++) {
        struct json_object *row = json_object_array_get_idx(rows, i);
        struct json_object *list = json_object_object_get(row, inner);
        struct json_object *name = json_object_object_get(row, "name");
        struct json_object *number = json_object_object_get(row, "number");

        for (size_t j = 0; j < json_object_array_length(list); j++) {
            struct json_object *element = json_object_array_get_idx(list, j);

            json_object_object_add(element, "of", json_object_get(name ? name : number));
            json_object_array_add(all, json_object_get(element));
        }
    }
    return all;
}

static void print_rows(const struct command *command, struct json_object *rows, unsigned width,
                       bool header)
{
    struct table table = {.columns = command->columns,
                          .count = count_columns(command),
                          .rows = command->inner ? elements_of(rows, command->inner)
                                                 : json_object_get(rows)};

    measure(&table);
    fit(&table, width);
    if (header)
        print_row(&table, -1);
    for (size_t row = 0; row < json_object_array_length(table.rows); row++)
        print_row(&table, (long)row);
    json_object_put(table.rows);
}

/* Lines stay lines, and letters of any script what they are, as somebody may want to read them in
 * again; what could do something to a terminal does not. */
static void print_whole(const char *text)
{
    bool terminal = isatty(STDOUT_FILENO);

    for (; *text; text++) {
        bool plain = (*text >= ' ' && *text <= '~') || (!terminal && (unsigned char)*text > DEL);

        putchar(*text == '\n' || plain ? *text : '?');
    }
}

void table_print(const struct command *command, struct json_object *answer, unsigned width,
                 bool header)
{
    const struct command *part = command->raw ? NULL : command;

    if (command->raw)
        print_whole(json_object_get_string(json_object_object_get(answer, command->raw)));
    while (part) {
        struct json_object *rows = part->rows ? json_object_object_get(answer, part->rows) : answer;

        if (json_object_is_type(rows, json_type_array))
            print_rows(part, rows, width, header);
        else
            print_fields(part, rows);
        part = part->below;
        if (part)
            putchar('\n');
    }
}
