/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/schema.h"

#include "daemon/schema_compare.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define KEY_BYTES_MAX  32u  /* longest key that spelling is suggested for */
#define QUOTED_BYTES   48u  /* of a value in an error line, with the final NUL */
#define TYPO_DISTANCE  3u   /* edits beyond which two words are no misspelling */
#define DELETE         0x7f /* the control character beyond the printable ones */
#define INDENT_COLUMNS 2

struct loader {
    yaml_document_t *document;
    struct schema_source *source;
    uint32_t items; /* of lists, so far: an alias repeats a list at no cost to who wrote it */
};

static int load_mapping(struct loader *loader, const struct schema *schema, void *into,
                        const yaml_node_t *node);

static struct schema_place place_of(const yaml_node_t *node)
{
    struct schema_place place = {(uint32_t)node->start_mark.line + 1,
                                 (uint32_t)node->start_mark.column + 1};

    return place;
}

int schema_fail(struct schema_source *source, struct schema_place place, const char *format, ...)
{
    va_list args;
    int used = snprintf(source->error, sizeof(source->error), "%s:%u:%u: ", source->file,
                        place.line, place.column);

    if (used < 0 || (size_t)used >= sizeof(source->error))
        return -EINVAL;
    va_start(args, format);
    vsnprintf(source->error + used, sizeof(source->error) - (size_t)used, format, args);
    va_end(args);
    for (char *c = source->error; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == DELETE)
            *c = '?';
    }
    return -EINVAL;
}

/* The operator's text as it may appear in one line of a terminal. */
static const char *quoted(const char *text, char into[QUOTED_BYTES])
{
    size_t length = strnlen(text, QUOTED_BYTES);
    size_t used = length < QUOTED_BYTES ? length : QUOTED_BYTES - 1;

    for (size_t i = 0; i < used; i++) {
        unsigned char character = (unsigned char)text[i];

        into[i] = (char)(character < ' ' || character > '~' ? '?' : character);
    }
    into[used] = '\0';
    if (length >= QUOTED_BYTES)
        memset(into + QUOTED_BYTES - sizeof("..."), '.', sizeof("...") - 1);
    return into;
}

static uint32_t minimum(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Levenshtein distance of two short words. */
static uint32_t distance(const char *a, const char *b)
{
    uint32_t row[KEY_BYTES_MAX + 1];
    size_t columns = strnlen(b, KEY_BYTES_MAX + 1);

    if (columns > KEY_BYTES_MAX || strnlen(a, KEY_BYTES_MAX + 1) > KEY_BYTES_MAX)
        return UINT32_MAX;
    for (uint32_t j = 0; j <= columns; j++)
        row[j] = j;
    for (uint32_t i = 1; a[i - 1]; i++) {
        uint32_t diagonal = row[0];

        row[0] = i;
        for (uint32_t j = 1; j <= columns; j++) {
            uint32_t above = row[j];

            row[j] = minimum(minimum(above, row[j - 1]) + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[columns];
}

static int fail_unknown(struct loader *loader, const struct schema *schema, const yaml_node_t *node)
{
    const char *key = (const char *)node->data.scalar.value;
    const char *nearest = NULL;
    uint32_t best = TYPO_DISTANCE + 1;
    char quote[QUOTED_BYTES];

    for (const struct schema_field *field = schema->fields; field->key; field++) {
        uint32_t edits = distance(key, field->key);

        if (edits < best && edits < strlen(field->key)) {
            best = edits;
            nearest = field->key;
        }
    }
    quoted(key, quote);
    if (nearest)
        return schema_fail(loader->source, place_of(node),
                           "unknown key \"%s\" (did you mean \"%s\"?)", quote, nearest);
    return schema_fail(loader->source, place_of(node), "unknown key \"%s\"", quote);
}

static int set_number(struct schema_source *source, const struct schema_field *field,
                      struct schema_place place, const char *text, uint64_t *value)
{
    char quote[QUOTED_BYTES], low[UNITS_TEXT_BYTES], high[UNITS_TEXT_BYTES];
    int error;

    if (field->never && !strcmp(text, field->never)) {
        *value = SCHEMA_NEVER;
        return 0;
    }
    error = units_parse(field->units, text, value);
    quoted(text, quote);
    if (error == -ENOMSG && field->units == UNITS_COUNT)
        return schema_fail(source, place, "%s: \"%s\" is not a plain number", field->key, quote);
    if (error == -ENOMSG)
        return schema_fail(source, place, "%s: \"%s\" needs a unit (%s)", field->key, quote,
                           units_names(field->units));
    if (error == -EINVAL)
        return schema_fail(source, place, "%s: \"%s\" is not a number%s", field->key, quote,
                           field->units == UNITS_MODE ? " in octal (0660)" : "");
    if (error || *value < field->min || *value > field->max)
        return schema_fail(source, place, "%s: %s is not from %s to %s", field->key, quote,
                           units_format(field->units, field->min, low),
                           units_format(field->units, field->max, high));
    return 0;
}

static int set_text(struct schema_source *source, const struct schema_field *field,
                    struct schema_place place, const char *text, struct schema_text *into)
{
    static const char name_characters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    char quote[QUOTED_BYTES];
    size_t length = strlen(text);

    quoted(text, quote);
    if (field->kind == SCHEMA_NAME && (strspn(text, name_characters) != length))
        return schema_fail(source, place, "%s: \"%s\" is no name (letters, digits, '.', '_', '-')",
                           field->key, quote);
    if (length >= SCHEMA_TEXT_BYTES || (field->kind == SCHEMA_NAME && length > field->max))
        return schema_fail(source, place, "%s: \"%s\" is longer than %llu characters", field->key,
                           quote,
                           field->kind == SCHEMA_NAME ? (unsigned long long)field->max
                                                      : SCHEMA_TEXT_BYTES - 1ull);
    into->place = place;
    memcpy(into->text, text, length + 1);
    return 0;
}

static int set_choice(struct schema_source *source, const struct schema_field *field,
                      struct schema_place place, const char *text, uint64_t *value)
{
    char quote[QUOTED_BYTES];
    char all[SCHEMA_ERROR_BYTES / 2] = "";

    for (uint32_t i = 0; field->choices[i]; i++) {
        size_t used = strlen(all);

        if (!strcmp(field->choices[i], text)) {
            *value = i;
            return 0;
        }
        snprintf(all + used, sizeof(all) - used, "%s%s", i ? ", " : "", field->choices[i]);
    }
    return schema_fail(source, place, "%s: \"%s\" is none of %s", field->key, quoted(text, quote),
                       all);
}

static int add_choice(struct schema_source *source, const struct schema_field *field,
                      struct schema_place place, const char *text, uint64_t *bits)
{
    char quote[QUOTED_BYTES];
    uint64_t index = 0;
    int error = set_choice(source, field, place, text, &index);

    if (error)
        return error;
    if (*bits >> index & 1)
        return schema_fail(source, place, "%s: \"%s\" is named twice", field->key,
                           quoted(text, quote));
    *bits |= 1ull << index;
    return 0;
}

static int set_scalar(struct schema_source *source, const struct schema_field *field,
                      struct schema_place place, const char *text, void *into)
{
    switch (field->kind) {
    case SCHEMA_CHOICES:
        return add_choice(source, field, place, text, into);
    case SCHEMA_NUMBER:
        return set_number(source, field, place, text, into);
    case SCHEMA_CHOICE:
        return set_choice(source, field, place, text, into);
    default:
        return set_text(source, field, place, text, into);
    }
}

static bool is_scalar(enum schema_kind kind)
{
    return kind == SCHEMA_NUMBER || kind == SCHEMA_TEXT || kind == SCHEMA_NAME ||
           kind == SCHEMA_CHOICE;
}

/* The text of a scalar node: no NUL inside, not empty. */
static int scalar_text(struct loader *loader, const struct schema_field *field,
                       const yaml_node_t *node, const char **text)
{
    if (node->type != YAML_SCALAR_NODE)
        return schema_fail(loader->source, place_of(node), "%s: one value expected", field->key);
    *text = (const char *)node->data.scalar.value;
    if (strlen(*text) != node->data.scalar.length)
        return schema_fail(loader->source, place_of(node), "%s: the value holds a NUL", field->key);
    if (!**text)
        return schema_fail(loader->source, place_of(node), "%s: a value is missing", field->key);
    return 0;
}

static int load_list(struct loader *loader, const struct schema_field *field,
                     const yaml_node_t *node, struct schema_list *list)
{
    bool mappings = field->kind == SCHEMA_MAPPINGS;
    size_t bytes = mappings ? field->element->bytes : sizeof(struct schema_text);
    ptrdiff_t count;

    if (node->type != YAML_SEQUENCE_NODE)
        return schema_fail(loader->source, place_of(node), "%s: a list expected", field->key);
    count = node->data.sequence.items.top - node->data.sequence.items.start;
    if ((uint64_t)count > field->max)
        return schema_fail(loader->source, place_of(node), "%s: %td entries, at most %llu",
                           field->key, count, (unsigned long long)field->max);
    if (count == 0)
        return 0;
    list->items = calloc((size_t)count, bytes);
    if (!list->items)
        return schema_fail(loader->source, place_of(node), "%s: out of memory", field->key);
    while (list->count < count) {
        const yaml_node_t *item =
            yaml_document_get_node(loader->document, node->data.sequence.items.start[list->count]);
        void *into = (uint8_t *)list->items + list->count * bytes;
        const char *text = "";
        int error;

        if (++loader->items > SCHEMA_ITEMS_MAX)
            return schema_fail(loader->source, place_of(item),
                               "%s: more than %u items in all lists", field->key, SCHEMA_ITEMS_MAX);
        list->count++;
        if (mappings)
            error = load_mapping(loader, field->element, into, item);
        else if ((error = scalar_text(loader, field, item, &text)) == 0)
            error = set_text(loader->source, field, place_of(item), text, into);
        if (error)
            return error;
    }
    return 0;
}

/* One word, or a list of them. */
static int load_choices(struct loader *loader, const struct schema_field *field,
                        const yaml_node_t *node, uint64_t *bits)
{
    const yaml_node_item_t *item;
    const char *text = "";
    int error;

    if (node->type == YAML_MAPPING_NODE)
        return schema_fail(loader->source, place_of(node), "%s: a word or a list of words expected",
                           field->key);
    if (node->type == YAML_SCALAR_NODE) {
        error = scalar_text(loader, field, node, &text);
        return error ? error : add_choice(loader->source, field, place_of(node), text, bits);
    }
    error = 0;
    item = node->data.sequence.items.start;
    if (item == node->data.sequence.items.top)
        return schema_fail(loader->source, place_of(node), "%s: the list is empty", field->key);
    for (; item < node->data.sequence.items.top && !error; item++) {
        const yaml_node_t *word = yaml_document_get_node(loader->document, *item);

        error = scalar_text(loader, field, word, &text);
        if (!error)
            error = add_choice(loader->source, field, place_of(word), text, bits);
    }
    return error;
}

static int load_field(struct loader *loader, const struct schema_field *field,
                      const yaml_node_t *node, void *into)
{
    const char *text = "";
    int error;

    if (field->kind == SCHEMA_MAPPING)
        return load_mapping(loader, field->element, into, node);
    if (field->kind == SCHEMA_CHOICES)
        return load_choices(loader, field, node, into);
    if (!is_scalar(field->kind))
        return load_list(loader, field, node, into);
    error = scalar_text(loader, field, node, &text);
    if (!error)
        error = set_scalar(loader->source, field, place_of(node), text, into);
    return error;
}

/* What a key that is not given stands for. */
static int load_default(struct schema_source *source, const struct schema_field *field,
                        struct schema_place place, void *into)
{
    uint8_t *base = into;

    if (field->kind == SCHEMA_MAPPING) {
        for (const struct schema_field *inner = field->element->fields; inner->key; inner++) {
            int error = load_default(source, inner, place, base + inner->offset);

            if (error)
                return error;
        }
        return 0;
    }
    if (!is_scalar(field->kind) && field->kind != SCHEMA_CHOICES)
        return 0;
    if (!field->fallback)
        return schema_fail(source, place, "the key \"%s\" is missing", field->key);
    if (*field->fallback)
        return set_scalar(source, field, (struct schema_place){0, 0}, field->fallback, into);
    if (field->kind == SCHEMA_NUMBER)
        *(uint64_t *)into = SCHEMA_UNSET;
    return 0;
}

static const struct schema_field *find_field(const struct schema *schema, const char *key)
{
    for (const struct schema_field *field = schema->fields; field->key; field++) {
        if (!strcmp(field->key, key))
            return field;
    }
    return NULL;
}

/* The earlier pair with the same key, or NULL. Pairs before `pair` were all found in the schema, so
 * there are few of them. */
static const yaml_node_t *find_duplicate(struct loader *loader, const yaml_node_t *node,
                                         const yaml_node_pair_t *pair, const char *key)
{
    for (const yaml_node_pair_t *other = node->data.mapping.pairs.start; other < pair; other++) {
        const yaml_node_t *earlier = yaml_document_get_node(loader->document, other->key);

        if (!strcmp((const char *)earlier->data.scalar.value, key))
            return earlier;
    }
    return NULL;
}

static int load_pair(struct loader *loader, const struct schema *schema, void *into,
                     const yaml_node_t *node, const yaml_node_pair_t *pair)
{
    const yaml_node_t *key = yaml_document_get_node(loader->document, pair->key);
    const yaml_node_t *value = yaml_document_get_node(loader->document, pair->value);
    const struct schema_field *field;
    const yaml_node_t *earlier;

    if (key->type != YAML_SCALAR_NODE)
        return schema_fail(loader->source, place_of(key), "a key is a word");
    field = find_field(schema, (const char *)key->data.scalar.value);
    if (!field || strlen(field->key) != key->data.scalar.length)
        return fail_unknown(loader, schema, key);
    earlier = find_duplicate(loader, node, pair, field->key);
    if (earlier)
        return schema_fail(loader->source, place_of(key),
                           "the key \"%s\" stands here twice, first in line %u", field->key,
                           place_of(earlier).line);
    return load_field(loader, field, value, (uint8_t *)into + field->offset);
}

static bool given(struct loader *loader, const yaml_node_t *node, const char *key)
{
    return find_duplicate(loader, node, node->data.mapping.pairs.top, key) != NULL;
}

static int load_mapping(struct loader *loader, const struct schema *schema, void *into,
                        const yaml_node_t *node)
{
    struct schema_place place = place_of(node);

    if (node->type != YAML_MAPPING_NODE)
        return schema_fail(loader->source, place, "keys with values expected");
    *(struct schema_place *)into = place;
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        int error = load_pair(loader, schema, into, node, pair);

        if (error)
            return error;
    }
    for (const struct schema_field *field = schema->fields; field->key; field++) {
        int error = 0;

        if (!given(loader, node, field->key))
            error = load_default(loader->source, field, place, (uint8_t *)into + field->offset);
        if (error)
            return error;
    }
    return 0;
}

static int fail_yaml(struct schema_source *source, const yaml_parser_t *parser)
{
    struct schema_place place = {(uint32_t)parser->problem_mark.line + 1,
                                 (uint32_t)parser->problem_mark.column + 1};

    return schema_fail(source, place, "not YAML: %s", parser->problem ? parser->problem : "memory");
}

/* Whether anything but one document stands in the text. */
static int check_end(struct schema_source *source, yaml_parser_t *parser)
{
    yaml_document_t next;
    const yaml_node_t *root;
    int error = 0;

    if (!yaml_parser_load(parser, &next))
        return fail_yaml(source, parser);
    root = yaml_document_get_root_node(&next);
    if (root)
        error = schema_fail(source, place_of(root), "a second document");
    yaml_document_delete(&next);
    return error;
}

static int load_document(const struct schema *schema, void *into, struct schema_source *source,
                         yaml_parser_t *parser)
{
    yaml_document_t document;
    struct loader loader = {&document, source, 0};
    const yaml_node_t *root;
    int error;

    if (!yaml_parser_load(parser, &document))
        return fail_yaml(source, parser);
    root = yaml_document_get_root_node(&document);
    if (root)
        error = load_mapping(&loader, schema, into, root);
    else
        error = schema_fail(source, (struct schema_place){1, 1}, "the file is empty");
    yaml_document_delete(&document);
    return error ? error : check_end(source, parser);
}

int schema_load(const struct schema *schema, void *into, struct schema_source *source,
                const char *text, size_t length)
{
    yaml_parser_t parser;
    int error;

    if (!yaml_parser_initialize(&parser))
        return schema_fail(source, (struct schema_place){1, 1}, "out of memory");
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
    error = load_document(schema, into, source, &parser);
    yaml_parser_delete(&parser);
    return error;
}

void schema_free(const struct schema *schema, void *into)
{
    for (const struct schema_field *field = schema->fields; field->key; field++) {
        struct schema_list *list = (struct schema_list *)((uint8_t *)into + field->offset);

        if (field->kind == SCHEMA_MAPPING)
            schema_free(field->element, list);
        if (field->kind == SCHEMA_MAPPINGS) {
            for (uint32_t i = 0; i < list->count; i++)
                schema_free(field->element, (uint8_t *)list->items + i * field->element->bytes);
        }
        if (field->kind == SCHEMA_MAPPINGS || field->kind == SCHEMA_TEXTS) {
            free(list->items);
            memset(list, 0, sizeof(*list));
        }
    }
}

/* A double-quoted YAML scalar. */
static void print_text(const char *text, FILE *stream)
{
    fputc('"', stream);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fprintf(stream, "\\%c", *text);
        else if ((unsigned char)*text < ' ' || *text == DELETE)
            fprintf(stream, "\\x%02x", (unsigned char)*text);
        else
            fputc(*text, stream);
    }
    fputc('"', stream);
}

const char *schema_format(const struct schema_field *field, uint64_t value,
                          char text[UNITS_TEXT_BYTES])
{
    if (!field->never || value != SCHEMA_NEVER)
        return units_format(field->units, value, text);
    snprintf(text, UNITS_TEXT_BYTES, "%s", field->never);
    return text;
}

static void print_scalar(const struct schema_field *field, const void *value, FILE *stream)
{
    char text[UNITS_TEXT_BYTES];

    if (field->kind == SCHEMA_NUMBER)
        fputs(schema_format(field, *(const uint64_t *)value, text), stream);
    else if (field->kind == SCHEMA_CHOICE)
        fputs(field->choices[*(const uint64_t *)value], stream);
    else
        print_text(((const struct schema_text *)value)->text, stream);
}

static void print_choices(const struct schema_field *field, uint64_t bits, FILE *stream)
{
    const char *between = "[";

    for (uint32_t i = 0; field->choices[i]; i++) {
        if (!(bits >> i & 1))
            continue;
        fprintf(stream, "%s%s", between, field->choices[i]);
        between = ", ";
    }
    fputs("]\n", stream);
}

static bool is_unset(const struct schema_field *field, const void *value)
{
    switch (field->kind) {
    case SCHEMA_MAPPING:
        for (const struct schema_field *inner = field->element->fields; inner->key; inner++) {
            if (!is_unset(inner, (const uint8_t *)value + inner->offset))
                return false;
        }
        return true;
    case SCHEMA_NUMBER:
        return *(const uint64_t *)value == SCHEMA_UNSET;
    case SCHEMA_TEXT:
    case SCHEMA_NAME:
        return ((const struct schema_text *)value)->text[0] == '\0';
    case SCHEMA_MAPPINGS:
    case SCHEMA_TEXTS:
        return ((const struct schema_list *)value)->count == 0;
    default:
        return false;
    }
}

static void print_mapping(const struct schema *schema, const void *from, FILE *stream, int indent,
                          bool in_list);

static void print_field(const struct schema_field *field, const void *value, FILE *stream,
                        int indent)
{
    const struct schema_list *list = value;

    if (is_scalar(field->kind)) {
        fputc(' ', stream);
        print_scalar(field, value, stream);
        fputc('\n', stream);
        return;
    }
    if (field->kind == SCHEMA_CHOICES) {
        fputc(' ', stream);
        print_choices(field, *(const uint64_t *)value, stream);
        return;
    }
    fputc('\n', stream);
    if (field->kind == SCHEMA_MAPPING) {
        print_mapping(field->element, value, stream, indent + INDENT_COLUMNS, false);
        return;
    }
    for (uint32_t i = 0; i < list->count; i++) {
        fprintf(stream, "%*s- ", indent + INDENT_COLUMNS, "");
        if (field->kind == SCHEMA_MAPPINGS) {
            print_mapping(field->element, (uint8_t *)list->items + i * field->element->bytes,
                          stream, indent + 2 * INDENT_COLUMNS, true);
        } else {
            print_text(((const struct schema_text *)list->items)[i].text, stream);
            fputc('\n', stream);
        }
    }
}

static void print_mapping(const struct schema *schema, const void *from, FILE *stream, int indent,
                          bool in_list)
{
    bool inline_key = in_list;

    for (const struct schema_field *field = schema->fields; field->key; field++) {
        const void *value = (const uint8_t *)from + field->offset;

        if (is_unset(field, value) || (field->sparing && schema_is_default(field, value)))
            continue;
        fprintf(stream, "%*s%s:", inline_key ? 0 : indent, "", field->key);
        inline_key = false;
        print_field(field, value, stream, indent);
    }
}

void schema_print(const struct schema *schema, const void *from, FILE *stream)
{
    print_mapping(schema, from, stream, 0, false);
}
