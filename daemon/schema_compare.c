/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/schema_compare.h"

#include <stdarg.h>
#include <string.h>

#define NAME_KEY "name"
#define DOTS     "..."

/* A line being written, into room that may end. */
struct line {
    char *text;
    size_t bytes, used;
};

static void __attribute__((format(printf, 2, 3))) add(struct line *line, const char *format, ...)
{
    va_list args;
    int length;

    if (line->used >= line->bytes)
        return;
    va_start(args, format);
    length = vsnprintf(line->text + line->used, line->bytes - line->used, format, args);
    va_end(args);
    if (length > 0)
        line->used += (size_t)length;
    if (line->used >= line->bytes && line->bytes >= sizeof(DOTS))
        memcpy(line->text + line->bytes - sizeof(DOTS), DOTS, sizeof(DOTS));
}

const struct schema_field *schema_field(const struct schema *schema, const char *key)
{
    const struct schema_field *field = schema->fields;

    while (strcmp(field->key, key) != 0)
        field++;
    return field;
}

static const void *value_of(const void *structure, const struct schema_field *field)
{
    return (const uint8_t *)structure + field->offset;
}

static const void *item_of(const struct schema_field *field, const struct schema_list *list,
                           uint32_t index)
{
    size_t bytes =
        field->kind == SCHEMA_MAPPINGS ? field->element->bytes : sizeof(struct schema_text);

    return (const uint8_t *)list->items + index * bytes;
}

/* ---- Equality ---- */

static bool field_equal(const struct schema_field *field, const void *a, const void *b)
{
    const struct schema_list *first = a, *second = b;

    switch (field->kind) {
    case SCHEMA_NUMBER:
    case SCHEMA_CHOICE:
    case SCHEMA_CHOICES:
        return *(const uint64_t *)a == *(const uint64_t *)b;
    case SCHEMA_TEXT:
    case SCHEMA_NAME:
        return !strcmp(((const struct schema_text *)a)->text,
                       ((const struct schema_text *)b)->text);
    case SCHEMA_MAPPING:
        return schema_equal(field->element, a, b);
    default:
        break;
    }
    for (uint32_t i = 0; i < first->count && first->count == second->count; i++) {
        const void *one = item_of(field, first, i), *other = item_of(field, second, i);
        bool equal = field->kind == SCHEMA_MAPPINGS
                         ? schema_equal(field->element, one, other)
                         : !strcmp(((const struct schema_text *)one)->text,
                                   ((const struct schema_text *)other)->text);

        if (!equal)
            return false;
    }
    return first->count == second->count;
}

bool schema_equal(const struct schema *schema, const void *a, const void *b)
{
    for (const struct schema_field *field = schema->fields; field->key; field++) {
        if (!field_equal(field, value_of(a, field), value_of(b, field)))
            return false;
    }
    return true;
}

/* ---- Values in one line ---- */

static void add_mapping(struct line *line, const struct schema *schema, const void *structure);

static void add_list(struct line *line, const struct schema_field *field,
                     const struct schema_list *list)
{
    add(line, "[");
    for (uint32_t i = 0; i < list->count; i++) {
        const void *item = item_of(field, list, i);

        add(line, "%s", i ? ", " : "");
        if (field->kind == SCHEMA_MAPPINGS)
            add_mapping(line, field->element, item);
        else
            add(line, "%s", ((const struct schema_text *)item)->text);
    }
    add(line, "]");
}

/* One word alone, or a list of them. */
static void add_choices(struct line *line, const struct schema_field *field, uint64_t bits)
{
    bool many = (bits & (bits - 1)) != 0;
    const char *between = many ? "[" : "";

    for (uint32_t i = 0; field->choices[i]; i++) {
        if (!(bits >> i & 1))
            continue;
        add(line, "%s%s", between, field->choices[i]);
        between = ", ";
    }
    add(line, many ? "]" : "");
}

static void add_value(struct line *line, const struct schema_field *field, const void *value)
{
    uint64_t number = *(const uint64_t *)value;
    char text[UNITS_TEXT_BYTES];

    switch (field->kind) {
    case SCHEMA_NUMBER:
        if (number != SCHEMA_UNSET)
            add(line, "%s", schema_format(field, number, text));
        break;
    case SCHEMA_CHOICE:
        add(line, "%s", field->choices[number]);
        break;
    case SCHEMA_CHOICES:
        add_choices(line, field, number);
        break;
    case SCHEMA_TEXT:
    case SCHEMA_NAME:
        add(line, "%s", ((const struct schema_text *)value)->text);
        break;
    case SCHEMA_MAPPING:
        add_mapping(line, field->element, value);
        break;
    default:
        add_list(line, field, value);
        break;
    }
}

static bool all_defaults(const struct schema *schema, const void *structure);

bool schema_is_default(const struct schema_field *field, const void *value)
{
    uint64_t number;

    if (field->kind == SCHEMA_MAPPING)
        return all_defaults(field->element, value);
    if (field->kind == SCHEMA_MAPPINGS || field->kind == SCHEMA_TEXTS)
        return ((const struct schema_list *)value)->count == 0;
    if (!field->fallback || field->kind == SCHEMA_CHOICES)
        return false;
    if (field->kind == SCHEMA_TEXT || field->kind == SCHEMA_NAME)
        return !strcmp(((const struct schema_text *)value)->text, field->fallback);
    if (field->kind == SCHEMA_CHOICE)
        return !strcmp(field->choices[*(const uint64_t *)value], field->fallback);
    if (!*field->fallback)
        number = SCHEMA_UNSET;
    else if (units_parse(field->units, field->fallback, &number))
        return false;
    return *(const uint64_t *)value == number;
}

static bool all_defaults(const struct schema *schema, const void *structure)
{
    for (const struct schema_field *field = schema->fields; field->key; field++) {
        if (!schema_is_default(field, value_of(structure, field)))
            return false;
    }
    return true;
}

/* What is not as it is by default. */
static void add_mapping(struct line *line, const struct schema *schema, const void *structure)
{
    const char *between = "";

    add(line, "{");
    for (const struct schema_field *field = schema->fields; field->key; field++) {
        const void *value = value_of(structure, field);

        if (schema_is_default(field, value))
            continue;
        add(line, "%s%s: ", between, field->key);
        add_value(line, field, value);
        between = ", ";
    }
    add(line, "}");
}

/* ---- Differences ---- */

struct comparison {
    void (*visit)(void *context, const struct schema_change *change);
    void *context;
    struct schema_change change;
    size_t path; /* bytes used */
};

/* Adds a step to the path; returns what path_pop takes. */
static size_t path_push(struct comparison *comparison, const char *step)
{
    size_t before = comparison->path;
    struct line line = {comparison->change.path, sizeof(comparison->change.path), before};

    if (!before)
        comparison->change.key = step;
    add(&line, "%s%s", before ? "." : "", step);
    comparison->path = line.used < line.bytes ? line.used : line.bytes - 1;
    return before;
}

static void path_pop(struct comparison *comparison, size_t before)
{
    comparison->path = before;
    comparison->change.path[before] = '\0';
}

static void write_value(char text[SCHEMA_VALUE_BYTES], const struct schema_field *field,
                        const void *value)
{
    struct line line = {text, SCHEMA_VALUE_BYTES, 0};

    text[0] = '\0';
    add_value(&line, field, value);
}

static void tell(struct comparison *comparison, const struct schema_field *field,
                 const void *before, const void *after, struct schema_place place)
{
    write_value(comparison->change.before, field, before);
    write_value(comparison->change.after, field, after);
    comparison->change.place = place;
    comparison->visit(comparison->context, &comparison->change);
}

static bool has_names(const struct schema_field *field)
{
    return field->kind == SCHEMA_MAPPINGS && !strcmp(field->element->fields[0].key, NAME_KEY);
}

static const char *name_of(const struct schema_field *field, const void *item)
{
    return ((const struct schema_text *)value_of(item, &field->element->fields[0]))->text;
}

static const void *find(const struct schema_field *field, const struct schema_list *list,
                        const char *name)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const void *item = item_of(field, list, i);

        if (!strcmp(name_of(field, item), name))
            return item;
    }
    return NULL;
}

static void compare_mapping(struct comparison *comparison, const struct schema *schema,
                            const void *before, const void *after);

/* An entry of one of the lists as a whole, which is as a mapping. */
static void tell_item(struct comparison *comparison, const struct schema_field *list,
                      const void *entry, bool is_new)
{
    const struct schema_field item = {.kind = SCHEMA_MAPPING, .element = list->element};
    struct schema_change *change = &comparison->change;

    change->before[0] = change->after[0] = '\0';
    write_value(is_new ? change->after : change->before, &item, entry);
    change->place = is_new ? *(const struct schema_place *)entry : (struct schema_place){0, 0};
    comparison->visit(comparison->context, change);
}

/* The next entry of a list from *at on that the other list has too; NULL at the end. */
static const void *next_common(const struct schema_field *field, const struct schema_list *list,
                               const struct schema_list *other, uint32_t *at)
{
    while (*at < list->count) {
        const void *item = item_of(field, list, (*at)++);

        if (find(field, other, name_of(field, item)))
            return item;
    }
    return NULL;
}

/* Whether entries that both lists have stand in another order: the first that does, or NULL. */
static const void *first_moved(const struct schema_field *field, const struct schema_list *before,
                               const struct schema_list *after)
{
    uint32_t old_at = 0, new_at = 0;
    const void *old_item, *new_item;

    do {
        old_item = next_common(field, before, after, &old_at);
        new_item = next_common(field, after, before, &new_at);
        if (new_item && strcmp(name_of(field, old_item), name_of(field, new_item)) != 0)
            return new_item;
    } while (new_item);
    return NULL;
}

static void write_names(const struct schema_field *field, const struct schema_list *list,
                        char text[SCHEMA_VALUE_BYTES])
{
    struct line line = {text, SCHEMA_VALUE_BYTES, 0};

    add(&line, "[");
    for (uint32_t i = 0; i < list->count; i++)
        add(&line, "%s%s", i ? ", " : "", name_of(field, item_of(field, list, i)));
    add(&line, "]");
}

static void compare_order(struct comparison *comparison, const struct schema_field *field,
                          const struct schema_list *before, const struct schema_list *after)
{
    const void *moved = first_moved(field, before, after);

    if (!moved)
        return;
    write_names(field, before, comparison->change.before);
    write_names(field, after, comparison->change.after);
    comparison->change.place = *(const struct schema_place *)moved;
    comparison->visit(comparison->context, &comparison->change);
}

/* One entry of either list or of both; `before` or `after` may be NULL. */
static void compare_item(struct comparison *comparison, const struct schema_field *field,
                         const void *before, const void *after)
{
    const char *name = name_of(field, after ? after : before);
    const char *outer = comparison->change.item;
    size_t path = path_push(comparison, name);

    if (!outer)
        comparison->change.item = name;
    if (before && after)
        compare_mapping(comparison, field->element, before, after);
    else if (after)
        tell_item(comparison, field, after, true);
    else if (before)
        tell_item(comparison, field, before, false);
    comparison->change.item = outer;
    path_pop(comparison, path);
}

/* Those that are gone, those that differ or are new, and the order of the rest. */
static void compare_named(struct comparison *comparison, const struct schema_field *field,
                          const struct schema_list *before, const struct schema_list *after)
{
    for (uint32_t i = 0; i < before->count; i++) {
        const void *item = item_of(field, before, i);

        if (!find(field, after, name_of(field, item)))
            compare_item(comparison, field, item, NULL);
    }
    for (uint32_t i = 0; i < after->count; i++) {
        const void *item = item_of(field, after, i);

        compare_item(comparison, field, find(field, before, name_of(field, item)), item);
    }
    compare_order(comparison, field, before, after);
}

/* A text has a place of its own, unless it is a default; a list has that of its first entry. */
static struct schema_place place_of(const struct schema_field *field, const void *value,
                                    struct schema_place mapping)
{
    const struct schema_list *list = value;
    struct schema_place place = {0, 0};

    if (field->kind == SCHEMA_TEXT || field->kind == SCHEMA_NAME)
        place = *(const struct schema_place *)value;
    else if ((field->kind == SCHEMA_TEXTS || field->kind == SCHEMA_MAPPINGS) && list->count)
        place = *(const struct schema_place *)item_of(field, list, 0);
    return place.line ? place : mapping;
}

static void compare_mapping(struct comparison *comparison, const struct schema *schema,
                            const void *before, const void *after)
{
    struct schema_place mapping = *(const struct schema_place *)after;

    for (const struct schema_field *field = schema->fields; field->key; field++) {
        const void *old = value_of(before, field), *value = value_of(after, field);
        size_t path;

        if (field_equal(field, old, value))
            continue;
        path = path_push(comparison, field->key);
        if (field->kind == SCHEMA_MAPPING)
            compare_mapping(comparison, field->element, old, value);
        else if (has_names(field))
            compare_named(comparison, field, old, value);
        else
            tell(comparison, field, old, value, place_of(field, value, mapping));
        path_pop(comparison, path);
    }
}

void schema_compare(const struct schema *schema, const void *before, const void *after,
                    void (*visit)(void *context, const struct schema_change *change), void *context)
{
    struct comparison comparison = {.visit = visit, .context = context};

    compare_mapping(&comparison, schema, before, after);
}
