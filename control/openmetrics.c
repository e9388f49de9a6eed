/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/openmetrics.h"

#include "sched/clock.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_FIRST   4096u /* bytes */
#define NUMBER_BYTES 32u

static bool make_room(struct openmetrics *metrics, size_t bytes)
{
    size_t room = metrics->room ? metrics->room : ROOM_FIRST;
    char *grown;

    while (room < metrics->length + bytes && room < OPENMETRICS_BYTES_MAX)
        room *= 2;
    if (metrics->failed || room < metrics->length + bytes) {
        metrics->failed = true;
        return false;
    }
    if (room == metrics->room)
        return true;
    grown = realloc(metrics->text, room);
    if (!grown) {
        metrics->failed = true;
        return false;
    }
    metrics->text = grown;
    metrics->room = room;
    return true;
}

static void put(struct openmetrics *metrics, const char *text, size_t length)
{
    if (!make_room(metrics, length))
        return;
    memcpy(metrics->text + metrics->length, text, length);
    metrics->length += length;
}

static void put_text(struct openmetrics *metrics, const char *text)
{
    put(metrics, text, strlen(text));
}

/* As it may stand in a label's value: what is not printable is of no use there, and becomes '?'. */
static void put_escaped(struct openmetrics *metrics, const char *text)
{
    for (; *text; text++) {
        if (*text == '\n')
            put_text(metrics, "\\n");
        else if (*text == '\\' || *text == '"')
            put(metrics, (const char[]){'\\', *text}, 2);
        else
            put(metrics, *text >= ' ' && *text <= '~' ? text : "?", 1);
    }
}

static const char *suffix_of(enum openmetrics_type type)
{
    if (type == OPENMETRICS_COUNTER)
        return "_total";
    return type == OPENMETRICS_INFO ? "_info" : "";
}

static const char *type_name(const struct openmetrics *metrics)
{
    if (metrics->type == OPENMETRICS_COUNTER)
        return "counter";
    if (metrics->type == OPENMETRICS_HISTOGRAM)
        return "histogram";
    if (metrics->type == OPENMETRICS_INFO && metrics->format == OPENMETRICS_1_0)
        return "info";
    return "gauge";
}

static void put_meta(struct openmetrics *metrics, const char *what, const char *family,
                     const char *text)
{
    put_text(metrics, "# ");
    put_text(metrics, what);
    put_text(metrics, " ");
    put_text(metrics, family);
    put_text(metrics, " ");
    put_text(metrics, text);
    put_text(metrics, "\n");
}

void openmetrics_family(struct openmetrics *metrics, const struct openmetrics_family *family)
{
    const char *suffix = suffix_of(family->type);
    char name[OPENMETRICS_NAME_BYTES];
    /* The older format has no families beyond samples of one name. */
    const char *called = metrics->format == OPENMETRICS_1_0 ? name : metrics->name;
    int length =
        snprintf(name, sizeof(name), "%s%s", family->prefix ? family->prefix : "", family->name);

    metrics->type = family->type;
    if (length < 0 || (size_t)length + strlen(suffix) >= sizeof(name)) {
        metrics->failed = true;
        return;
    }
    for (char *at = name; *at; at++) {
        if (!isalnum((unsigned char)*at))
            *at = '_';
    }
    memcpy(metrics->name, name, (size_t)length);
    memcpy(metrics->name + length, suffix, strlen(suffix) + 1);
    put_meta(metrics, "HELP", called, family->help);
    put_meta(metrics, "TYPE", called, type_name(metrics));
    if (family->unit && metrics->format == OPENMETRICS_1_0)
        put_meta(metrics, "UNIT", called, family->unit);
}

static void put_label(struct openmetrics *metrics, const char *before, const char *label,
                      const char *value)
{
    put_text(metrics, before);
    put_text(metrics, label);
    put_text(metrics, "=\"");
    put_escaped(metrics, value);
    put_text(metrics, "\"");
}

/* `suffix` goes behind the family's name; `bound` is the end of a histogram's bucket, or NULL. */
static void put_sample(struct openmetrics *metrics, const char *suffix, const char *bound,
                       const char *number, va_list labels)
{
    const char *label = va_arg(labels, const char *);
    const char *before = "{";

    put_text(metrics, metrics->name);
    put_text(metrics, suffix);
    while (label) {
        put_label(metrics, before, label, va_arg(labels, const char *));
        before = ",";
        label = va_arg(labels, const char *);
    }
    if (bound) {
        put_label(metrics, before, "le", bound);
        before = ",";
    }
    put_text(metrics, *before == ',' ? "} " : " ");
    put_text(metrics, number);
    put_text(metrics, "\n");
}

void openmetrics_count(struct openmetrics *metrics, uint64_t value, ...)
{
    char number[NUMBER_BYTES];
    va_list labels;

    snprintf(number, sizeof(number), "%llu", (unsigned long long)value);
    va_start(labels, value);
    put_sample(metrics, "", NULL, number, labels);
    va_end(labels);
}

static void write_seconds(char number[NUMBER_BYTES], uint64_t ns)
{
    snprintf(number, NUMBER_BYTES, "%llu.%09llu", (unsigned long long)(ns / NSEC_PER_SEC),
             (unsigned long long)(ns % NSEC_PER_SEC));
}

void openmetrics_time(struct openmetrics *metrics, uint64_t ns, ...)
{
    char number[NUMBER_BYTES];
    va_list labels;

    write_seconds(number, ns);
    va_start(labels, ns);
    put_sample(metrics, "", NULL, number, labels);
    va_end(labels);
}

/* One sample of several with the same labels. */
static void put_again(struct openmetrics *metrics, const char *suffix, const char *bound,
                      const char *number, va_list labels)
{
    va_list again;

    va_copy(again, labels);
    put_sample(metrics, suffix, bound, number, again);
    va_end(again);
}

void openmetrics_histogram(struct openmetrics *metrics, const struct openmetrics_bucket *buckets,
                           uint32_t count, uint64_t all, uint64_t sum_ns, ...)
{
    char number[NUMBER_BYTES], bound[NUMBER_BYTES];
    va_list labels;

    va_start(labels, sum_ns);
    for (uint32_t i = 0; i < count; i++) {
        write_seconds(bound, buckets[i].at_most_ns);
        snprintf(number, sizeof(number), "%llu", (unsigned long long)buckets[i].count);
        put_again(metrics, "_bucket", bound, number, labels);
    }
    snprintf(number, sizeof(number), "%llu", (unsigned long long)all);
    put_again(metrics, "_bucket", "+Inf", number, labels);
    put_again(metrics, "_count", NULL, number, labels);
    write_seconds(number, sum_ns);
    put_again(metrics, "_sum", NULL, number, labels);
    va_end(labels);
}

const char *openmetrics_end(struct openmetrics *metrics, size_t *length)
{
    if (metrics->format == OPENMETRICS_1_0)
        put_text(metrics, "# EOF\n");
    /* A NUL that is not counted: some hand the text on as a string. */
    put(metrics, "", 1);
    *length = metrics->failed ? 0 : metrics->length - 1;
    return metrics->failed ? NULL : metrics->text;
}

void openmetrics_init(struct openmetrics *metrics, enum openmetrics_format format)
{
    *metrics = (struct openmetrics){.format = format};
}

void openmetrics_fini(struct openmetrics *metrics)
{
    free(metrics->text);
    *metrics = (struct openmetrics){0};
}
