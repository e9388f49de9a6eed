/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Two structures of one schema beside each other: whether they say the same, and what differs.
 *
 * Entries of a list that have names are matched by them, wherever they stand; other lists are
 * compared as a whole. Where things stand in their files makes no difference.
 *
 * Pure; any thread. Trust: both structures were loaded by their schema.
 */
#ifndef DAEMON_SCHEMA_COMPARE_H
#define DAEMON_SCHEMA_COMPARE_H

#include "daemon/schema.h"

#include <stdbool.h>

#define SCHEMA_PATH_BYTES  160u /* with the final NUL, as below */
#define SCHEMA_VALUE_BYTES 256u /* a longer value ends in three dots */

/* One difference. */
struct schema_change {
    char path[SCHEMA_PATH_BYTES];    /* "engines.alpha.window" */
    char before[SCHEMA_VALUE_BYTES]; /* as it would be written in one line; "": nothing */
    char after[SCHEMA_VALUE_BYTES];
    const char *key;           /* the path's first step */
    const char *item;          /* the first entry's name that the path has; NULL: none */
    struct schema_place place; /* in the second structure's file; line 0: not there */
};

/* Whether the value is what a file means that does not give the key. */
bool schema_is_default(const struct schema_field *field, const void *value);

bool schema_equal(const struct schema *schema, const void *a, const void *b);

/* Calls `visit` for each difference, in the order of the schema. */
void schema_compare(const struct schema *schema, const void *before, const void *after,
                    void (*visit)(void *context, const struct schema_change *change),
                    void *context);

/* The field of a schema with this key, which exists. */
const struct schema_field *schema_field(const struct schema *schema, const char *key);

#endif
