/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config_edit.h"

#include "daemon/config_check.h"
#include "daemon/config_schema.h"
#include "daemon/schema_compare.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int __attribute__((format(printf, 3, 4)))
fail(struct schema_source *source, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(source->error, sizeof(source->error), format, args);
    va_end(args);
    return error;
}

static int no_memory(struct schema_source *source)
{
    return fail(source, -ENOMEM, "out of memory");
}

int config_edit_copy(struct config *copy, const struct config *from, struct schema_source *source)
{
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    int error;

    memset(copy, 0, sizeof(*copy));
    if (!stream)
        return no_memory(source);
    config_print(from, stream);
    error = fclose(stream) ? no_memory(source) : config_parse(copy, source, text, length);
    free(text);
    return error;
}

/* ---- Lists ---- */

/* Room for one more, zeroed; NULL without memory. */
static void *list_append(struct schema_list *list, size_t bytes)
{
    uint8_t *items = realloc(list->items, (list->count + 1) * bytes);

    if (!items)
        return NULL;
    list->items = items;
    return memset(items + list->count++ * bytes, 0, bytes);
}

static void list_remove(struct schema_list *list, size_t bytes, uint32_t index)
{
    uint8_t *at = (uint8_t *)list->items + index * bytes;

    list->count--;
    memmove(at, at + bytes, (list->count - index) * bytes);
}

/* ---- What is there ---- */

static struct config_group *find_group(struct config *config, const char *name,
                                       struct schema_source *source)
{
    struct config_group *groups = config->groups.items;

    for (uint32_t i = 0; i < config->groups.count; i++) {
        if (!strcmp(groups[i].name.text, name))
            return &groups[i];
    }
    fail(source, -ENOENT, "there is no group \"%s\"", name);
    return NULL;
}

static bool has_engine(const struct config *config, const char *name, struct schema_source *source)
{
    if (config_find_engine(config, name))
        return true;
    fail(source, -ENOENT, "there is no engine \"%s\"", name);
    return false;
}

/* As a file with the change would be checked. Where things stand in no file says nothing. */
static int check(const struct config *config, struct schema_source *source)
{
    struct schema_source found = {.file = ""};
    const char *what = found.error;
    int error = config_check(config, &found);

    if (!error)
        return 0;
    /* ":LINE:COLUMN: " */
    for (int colons = 0; colons < 3 && *what; what++)
        colons += *what == ':';
    return fail(source, error, "%s", *what ? what + 1 : found.error);
}

/* ---- Engines ---- */

static const struct schema *part_schema(const char *key)
{
    return schema_field(&config_schema, key)->element;
}

static int add_member(struct config_group *group, const char *engine, struct schema_source *source)
{
    struct schema_text *member = list_append(&group->engines, sizeof(*member));

    if (!member)
        return no_memory(source);
    snprintf(member->text, sizeof(member->text), "%s", engine);
    return 0;
}

static void remove_member(struct config *config, const char *engine)
{
    struct config_group *groups = config->groups.items;

    for (uint32_t i = 0; i < config->groups.count; i++) {
        struct schema_text *members = groups[i].engines.items;
        uint32_t at = 0;

        while (at < groups[i].engines.count && strcmp(members[at].text, engine) != 0)
            at++;
        if (at < groups[i].engines.count)
            list_remove(&groups[i].engines, sizeof(*members), at);
    }
}

int config_edit_create_engine(struct config *config, const char *text, const char *group,
                              struct schema_source *source)
{
    struct config_group *joined = find_group(config, group, source);
    struct config_engine *engine;
    int error;

    if (!joined)
        return -ENOENT;
    if (config->engines.count == CONFIG_ENGINES_MAX)
        return fail(source, -ENOSPC, "there are %u engines already", CONFIG_ENGINES_MAX);
    engine = list_append(&config->engines, sizeof(*engine));
    if (!engine)
        return no_memory(source);
    error = schema_load(part_schema("engines"), engine, source, text, strlen(text));
    if (error)
        return error;
    if (config_find_engine(config, engine->name.text) != engine)
        return fail(source, -EEXIST, "there is an engine \"%s\" already", engine->name.text);
    error = add_member(joined, engine->name.text, source);
    return error ? error : check(config, source);
}

int config_edit_destroy_engine(struct config *config, const char *name,
                               struct schema_source *source)
{
    struct config_engine *engines = config->engines.items;
    uint32_t index;

    if (!has_engine(config, name, source))
        return -ENOENT;
    if (config->engines.count == 1)
        return fail(source, -EPERM, "engine \"%s\" is the last one", name);
    remove_member(config, name);
    index = (uint32_t)(config_find_engine(config, name) - config_engine(config, 0));
    schema_free(part_schema("engines"), &engines[index]);
    list_remove(&config->engines, sizeof(*engines), index);
    return check(config, source);
}

int config_edit_move_engine(struct config *config, const char *name, const char *group,
                            struct schema_source *source)
{
    struct config_group *to = find_group(config, group, source);
    const struct schema_text *members;
    int error;

    if (!to || !has_engine(config, name, source))
        return -ENOENT;
    members = to->engines.items;
    for (uint32_t i = 0; i < to->engines.count; i++) {
        if (!strcmp(members[i].text, name))
            return 0;
    }
    remove_member(config, name);
    error = add_member(to, name, source);
    return error ? error : check(config, source);
}

/* ---- Classes of a shaper ---- */

static struct config_engine *find_shaper(struct config *config, const char *name,
                                         struct schema_source *source)
{
    struct config_engine *engines = config->engines.items;
    uint32_t index;

    if (!has_engine(config, name, source))
        return NULL;
    index = (uint32_t)(config_find_engine(config, name) - config_engine(config, 0));
    return &engines[index];
}

static uint32_t find_class(const struct config_engine *engine, const char *name)
{
    const struct config_class *classes = engine->classes.items;
    uint32_t index = 0;

    while (index < engine->classes.count && strcmp(classes[index].name.text, name) != 0)
        index++;
    return index;
}

int config_edit_set_class(struct config *config, const char *engine, const char *text,
                          struct schema_source *source)
{
    struct config_engine *shaper = find_shaper(config, engine, source);
    struct config_class wanted = {0}, *place;
    uint32_t index;
    int error;

    if (!shaper)
        return -ENOENT;
    error = schema_load(&config_class_schema, &wanted, source, text, strlen(text));
    index = error ? 0 : find_class(shaper, wanted.name.text);
    if (!error && index == shaper->classes.count) {
        if (index == CONFIG_CLASSES_MAX)
            error = fail(source, -ENOSPC, "engine \"%s\" has %u classes already", engine,
                         CONFIG_CLASSES_MAX);
        else if (!list_append(&shaper->classes, sizeof(*place)))
            error = no_memory(source);
    }
    if (error) {
        schema_free(&config_class_schema, &wanted);
        return error;
    }
    place = (struct config_class *)shaper->classes.items + index;
    schema_free(&config_class_schema, place);
    *place = wanted;
    return check(config, source);
}

int config_edit_remove_class(struct config *config, const char *engine, const char *name,
                             struct schema_source *source)
{
    struct config_engine *shaper = find_shaper(config, engine, source);
    struct config_class *classes;
    uint32_t index;

    if (!shaper)
        return -ENOENT;
    index = find_class(shaper, name);
    if (index == shaper->classes.count)
        return fail(source, -ENOENT, "engine \"%s\" has no class \"%s\"", engine, name);
    classes = shaper->classes.items;
    schema_free(&config_class_schema, &classes[index]);
    list_remove(&shaper->classes, sizeof(*classes), index);
    return check(config, source);
}

/* ---- Groups ---- */

int config_edit_create_group(struct config *config, const char *text, struct schema_source *source)
{
    struct config_group *group, *first;
    int error;

    if (config->groups.count == CONFIG_GROUPS_MAX)
        return fail(source, -ENOSPC, "there are %u groups already", CONFIG_GROUPS_MAX);
    group = list_append(&config->groups, sizeof(*group));
    if (!group)
        return no_memory(source);
    error = schema_load(part_schema("groups"), group, source, text, strlen(text));
    if (error)
        return error;
    if (group->engines.count)
        return fail(source, -EINVAL, "engines: a group is created without any");
    first = find_group(config, group->name.text, source);
    if (first != group)
        return fail(source, -EEXIST, "there is a group \"%s\" already", group->name.text);
    return check(config, source);
}

/* A setting as a line of YAML, whatever its text holds. */
static void write_setting(FILE *stream, const char *key, const char *text)
{
    if (!*text)
        return;
    fprintf(stream, "%s: \"", key);
    for (; *text; text++)
        fprintf(stream, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    fputs("\"\n", stream);
}

/* The settings as a group of their own. */
static int load_settings(struct config_group *group, const struct config_edit_group *settings,
                         struct schema_source *source)
{
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    struct schema_source found = {.file = ""};
    int error;

    if (!stream)
        return no_memory(source);
    fputs("name: any\n", stream);
    write_setting(stream, "mode", settings->mode);
    write_setting(stream, "cpus", settings->cpus);
    write_setting(stream, "threads", settings->threads);
    write_setting(stream, "idle", settings->idle);
    write_setting(stream, "class", settings->class);
    write_setting(stream, "runtime", settings->runtime);
    write_setting(stream, "period", settings->period);
    write_setting(stream, "slo", settings->slo);
    write_setting(stream, "pause", settings->pause);
    write_setting(stream, "moderation", settings->moderation);
    if (fclose(stream)) {
        free(text);
        return no_memory(source);
    }
    error = schema_load(part_schema("groups"), group, &found, text, length);
    free(text);
    if (!error)
        return 0;
    return fail(source, error, "%s", strchr(found.error, ' ') ? strchr(found.error, ' ') + 1 : "");
}

int config_edit_change_group(struct config *config, const char *name,
                             const struct config_edit_group *settings, struct schema_source *source)
{
    struct config_group *group = find_group(config, name, source);
    struct config_group wanted = {0};
    int error;

    if (!group)
        return -ENOENT;
    error = load_settings(&wanted, settings, source);
    if (!error) {
        if (*settings->mode)
            group->mode = wanted.mode;
        if (*settings->cpus)
            group->cpus = wanted.cpus;
        if (*settings->threads)
            group->threads = wanted.threads;
        if (*settings->idle)
            group->idle = wanted.idle;
        if (*settings->class)
            group->class = wanted.class;
        if (*settings->runtime)
            group->runtime = wanted.runtime;
        if (*settings->period)
            group->period = wanted.period;
        if (*settings->slo)
            group->slo = wanted.slo;
        if (*settings->pause)
            group->pause = wanted.pause;
        if (*settings->moderation)
            group->moderation = wanted.moderation;
        error = check(config, source);
    }
    schema_free(part_schema("groups"), &wanted);
    return error;
}

int config_edit_destroy_group(struct config *config, const char *name, struct schema_source *source)
{
    struct config_group *group = find_group(config, name, source);

    if (!group)
        return -ENOENT;
    if (group->engines.count)
        return fail(source, -EPERM, "group \"%s\" has %u engine%s", name, group->engines.count,
                    group->engines.count == 1 ? "" : "s");
    list_remove(&config->groups, sizeof(*group),
                (uint32_t)(group - (struct config_group *)config->groups.items));
    return 0;
}
