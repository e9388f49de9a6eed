/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/schema.h"

#include <stdbool.h>

#define PATH_BYTES 128u /* of keys, from the top to a mapping, with the final NUL */

static const char *kind_name(const struct schema_field *field)
{
    static const char *const kinds[] = {
        [SCHEMA_TEXT] = "text",           [SCHEMA_NAME] = "name",
        [SCHEMA_CHOICE] = "word",         [SCHEMA_CHOICES] = "words",
        [SCHEMA_MAPPING] = "mapping",     [SCHEMA_MAPPINGS] = "list of mappings",
        [SCHEMA_TEXTS] = "list of texts",
    };
    static const char *const numbers[] = {
        [UNITS_COUNT] = "number", [UNITS_BYTES] = "size", [UNITS_DURATION] = "time",
        [UNITS_SHARE] = "share",  [UNITS_MODE] = "mode",  [UNITS_RATE] = "rate",
    };

    return field->kind == SCHEMA_NUMBER ? numbers[field->units] : kinds[field->kind];
}

static const char *unit_name(const struct schema_field *field)
{
    if (field->kind != SCHEMA_NUMBER || field->units == UNITS_COUNT)
        return "";
    return field->units == UNITS_MODE ? "octal" : units_names(field->units);
}

static void describe_range(const struct schema_field *field, FILE *stream)
{
    char low[UNITS_TEXT_BYTES], high[UNITS_TEXT_BYTES];

    switch (field->kind) {
    case SCHEMA_NUMBER:
        fprintf(stream, "%s to %s", units_format(field->units, field->min, low),
                units_format(field->units, field->max, high));
        if (field->never)
            fprintf(stream, ", `%s`", field->never);
        break;
    case SCHEMA_TEXT:
        fprintf(stream, "at most %u characters", SCHEMA_TEXT_BYTES - 1);
        break;
    case SCHEMA_NAME:
        fprintf(stream, "at most %llu characters", (unsigned long long)field->max);
        break;
    case SCHEMA_CHOICE:
    case SCHEMA_CHOICES:
        for (uint32_t i = 0; field->choices[i]; i++)
            fprintf(stream, "%s`%s`", i ? ", " : "", field->choices[i]);
        break;
    case SCHEMA_MAPPINGS:
    case SCHEMA_TEXTS:
        fprintf(stream, "at most %llu", (unsigned long long)field->max);
        break;
    default:
        break;
    }
}

static void describe_default(const struct schema_field *field, FILE *stream)
{
    bool list = field->kind == SCHEMA_MAPPINGS || field->kind == SCHEMA_TEXTS;

    if (field->otherwise)
        fputs(field->otherwise, stream);
    else if (list || (field->fallback && !*field->fallback))
        fputs("none", stream);
    else if (field->fallback)
        fprintf(stream, "`%s`", field->fallback);
    else if (field->kind != SCHEMA_MAPPING)
        fputs("required", stream);
}

static void describe_table(const struct schema *schema, FILE *stream)
{
    fputs("\n| Key | Kind | Unit | Range | Default | Meaning |\n"
          "| --- | --- | --- | --- | --- | --- |\n",
          stream);
    for (const struct schema_field *field = schema->fields; field->key; field++) {
        fprintf(stream, "| `%s` | %s | %s | ", field->key, kind_name(field), unit_name(field));
        describe_range(field, stream);
        fputs(" | ", stream);
        describe_default(field, stream);
        fprintf(stream, " | %s |\n", field->help);
    }
}

/* A table, and those of the mappings in it. There are few levels: the schema is ours. */
static void describe(const struct schema *schema, const char *path, FILE *stream)
{
    char inner[PATH_BYTES];

    describe_table(schema, stream);
    for (const struct schema_field *field = schema->fields; field->key; field++) {
        if (field->kind != SCHEMA_MAPPING && field->kind != SCHEMA_MAPPINGS)
            continue;
        snprintf(inner, sizeof(inner), "%s%s%s%s", path, *path ? "." : "", field->key,
                 field->kind == SCHEMA_MAPPINGS ? "[]" : "");
        fprintf(stream, "\n### `%s`\n", inner);
        describe(field->element, inner, stream);
    }
}

void schema_describe(const struct schema *schema, FILE *stream)
{
    fputs("### Top level\n", stream);
    describe(schema, "", stream);
}
