/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Schemas: tables that say what a YAML document may hold and where each value goes.
 *
 * A schema describes one mapping, and the structure it fills. That structure starts with a struct
 * schema_place. Values of number kinds are uint64_t, texts struct schema_text, choices uint64_t
 * (the index, or a bit for each), nested mappings a structure of their own in place, lists struct
 * schema_list. The same table says what each key means, so that the manual is made from it.
 *
 * Ownership: lists are allocated by schema_load and freed by schema_free.
 * Threads: any one. Trust: the text is arbitrary; every error is one line, FILE:LINE:COLUMN first.
 */
#ifndef DAEMON_SCHEMA_H
#define DAEMON_SCHEMA_H

#include "daemon/units.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SCHEMA_TEXT_BYTES  128u   /* longest value of a text, with the final NUL */
#define SCHEMA_ERROR_BYTES 512u   /* one error line, with the final NUL */
#define SCHEMA_ITEMS_MAX   16384u /* of all lists of a document: more than one has room to write */
#define SCHEMA_UNSET       UINT64_MAX
#define SCHEMA_NEVER       (UINT64_MAX - 1) /* a number for which its word stands */

/* Where in the file a thing stands, counted from 1. Line 0: it is a default. */
struct schema_place {
    uint32_t line;
    uint32_t column;
};

struct schema_text {
    struct schema_place place;
    char text[SCHEMA_TEXT_BYTES];
};

struct schema_list {
    void *items;
    uint32_t count;
};

enum schema_kind {
    SCHEMA_NUMBER,   /* in `units`, from `min` to `max` */
    SCHEMA_TEXT,     /* any text */
    SCHEMA_NAME,     /* letters, digits, '.', '_', '-'; at most `max` characters */
    SCHEMA_CHOICE,   /* one of `choices` */
    SCHEMA_CHOICES,  /* one or a list of `choices`, at most 64: a bit for each, the first the lowest
                      */
    SCHEMA_MAPPING,  /* of `element` */
    SCHEMA_MAPPINGS, /* a list of at most `max` mappings of `element` */
    SCHEMA_TEXTS,    /* a list of at most `max` texts (struct schema_text) */
};

struct schema_field {
    const char *key;
    enum schema_kind kind;
    enum units_kind units;
    size_t offset; /* into the structure */
    uint64_t min, max;
    /* Scalars: the default, as it would be written; "" leaves a text empty and a number
     * SCHEMA_UNSET; NULL: the key must be given. Not used for mappings and lists. */
    const char *fallback;
    const char *const *choices; /* ends with NULL */
    const struct schema *element;
    const char *never; /* a number: the word that may stand for SCHEMA_NEVER; NULL: none */
    const char *help;  /* what it means, one or two sentences in Markdown */
    const char
        *otherwise; /* what stands for it if it is not given, where `fallback` does not say */
    /* Printed only if it is not the default: a key of which builds that may still take the text
     * over do not know. */
    bool sparing;
};

struct schema {
    const struct schema_field *fields; /* ends with a NULL key */
    size_t bytes;                      /* of the structure */
};

/* A document being loaded, for error lines. */
struct schema_source {
    const char *file;
    char error[SCHEMA_ERROR_BYTES]; /* the line, without a newline */
};

/* Parses `length` bytes of `text` into the zeroed structure `into`. 0, or a negative errno with
 * source->error set; schema_free is due in both cases. */
int schema_load(const struct schema *schema, void *into, struct schema_source *source,
                const char *text, size_t length);
void schema_free(const struct schema *schema, void *into);

/* Writes a structure as the YAML that would load it, defaults included. */
void schema_print(const struct schema *schema, const void *from, FILE *stream);

/* Writes in Markdown what a document may hold: a table for each mapping. */
void schema_describe(const struct schema *schema, FILE *stream);

/* Writes a number as it would be written in a file; returns `text`. */
const char *schema_format(const struct schema_field *field, uint64_t value,
                          char text[UNITS_TEXT_BYTES]);

/* Sets the error line for something at `place` and returns -EINVAL. */
int schema_fail(struct schema_source *source, struct schema_place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
