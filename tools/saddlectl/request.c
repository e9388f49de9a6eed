/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/saddlectl/request.h"

#include "tools/saddlectl/counters.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NSEC_PER_SEC   1e9
#define FILE_BYTES_MAX (1u << 20) /* more than the daemon takes: it says how much that is */

static struct json_object *parse_number(const char *name, const char *word)
{
    unsigned long long number;
    char *end;

    errno = 0;
    number = strtoull(word, &end, 10);
    if (word[0] < '0' || word[0] > '9' || *end || errno)
        options_wrong("%s: \"%s\" is no number", name, word);
    return json_object_new_uint64(number);
}

/* Why the file's content is no value; NULL: it is one, in *value. */
static const char *take_content(FILE *file, char *text, struct json_object **value)
{
    size_t length = fread(text, 1, FILE_BYTES_MAX + 1, file);

    if (ferror(file))
        return strerror(errno);
    if (length > FILE_BYTES_MAX)
        return "larger than a MiB";
    if (memchr(text, '\0', length))
        return "it holds a NUL";
    *value = json_object_new_string_len(text, (int)length);
    return NULL;
}

static struct json_object *read_file(const char *name)
{
    FILE *file = strcmp(name, "-") != 0 ? fopen(name, "re") : stdin;
    struct json_object *value = NULL;
    const char *why;
    char *text;

    if (!file)
        options_wrong("%s: %s", name, strerror(errno));
    text = malloc(FILE_BYTES_MAX + 1);
    if (!text)
        abort();
    why = take_content(file, text, &value);
    free(text);
    if (file != stdin)
        fclose(file);
    if (why)
        options_wrong("%s: %s", name, why);
    return value;
}

/* KEY=VALUE: the daemon's descriptions know the keys. */
static void add_pair(struct json_object *request, const char *word)
{
    const char *equals = strchr(word, '=');
    char *key;

    if (!equals || equals == word)
        options_wrong("\"%s\" is no KEY=VALUE", word);
    key = strndup(word, (size_t)(equals - word));
    if (!key)
        abort();
    if (json_object_object_get(request, key))
        options_wrong("%s is given twice", key);
    json_object_object_add(request, key, json_object_new_string(equals + 1));
    free(key);
}

static struct json_object *parse_value(const struct argument *argument, const char *word)
{
    if (argument->flag)
        return json_object_new_boolean(true);
    if (argument->number)
        return parse_number(argument->name, word);
    if (argument->option && !*word)
        options_wrong("--%s: it is empty", argument->option);
    return argument->file ? read_file(word) : json_object_new_string(word);
}

static void add_argument(struct json_object *request, const struct command *command,
                         const struct argument *argument, const char *word)
{
    struct json_object *value, *list;

    if (command->traits & COMMAND_COUNTERS) {
        if (counters_ask(request, word))
            options_wrong("%s: \"%s\" is no engine/NAME, group/NAME or port/NAME", command->words,
                          word);
        return;
    }
    if (argument->pairs) {
        add_pair(request, word);
        return;
    }
    value = parse_value(argument, word);
    if (!argument->repeated) {
        json_object_object_add(request, argument->field, value);
        return;
    }
    list = json_object_object_get(request, argument->field);
    if (!list) {
        list = json_object_new_array();
        json_object_object_add(request, argument->field, list);
    }
    json_object_array_add(list, value);
}

static const struct argument *find_option(const struct command *command, const char *name)
{
    for (const struct argument *argument = command->arguments; argument->name; argument++) {
        if (argument->option && !strcmp(argument->option, name))
            return argument;
    }
    return NULL;
}

/* The options that only some commands have: each sets a field. */
static void collect_options(const struct command *command, const struct options *options,
                            struct json_object *request)
{
    for (uint32_t i = 0; i < options->given_count; i++) {
        const struct option_given *given = &options->given[i];
        const struct argument *argument = find_option(command, given->name);

        if (!argument->repeated && json_object_object_get(request, argument->field))
            options_wrong("%s: --%s is given twice", command->words, given->name);
        add_argument(request, command, argument, given->value);
    }
    for (const struct argument *argument = command->arguments; argument->option; argument++) {
        if (!argument->optional && !json_object_object_get(request, argument->field))
            options_wrong("%s: --%s is missing", command->words, argument->option);
    }
}

void request_check_options(const struct command *command, const struct options *options)
{
    bool report = !strcmp(command->words, "report");
    bool counters = command->traits & COMMAND_COUNTERS;

    for (uint32_t i = 0; i < options->given_count; i++) {
        if (!find_option(command, options->given[i].name))
            options_wrong("%s: it has no option --%s", command->words, options->given[i].name);
    }
    if (options->watch_s > 0 && !(command->traits & COMMAND_WATCHABLE) && !counters)
        options_wrong("%s: --watch has no meaning here", command->words);
    if (options->output && !report)
        options_wrong("%s: --output has no meaning here", command->words);
    if (options->anonymous && !report)
        options_wrong("%s: --anonymous has no meaning here", command->words);
}

void request_collect(const struct command *command, const struct options *options,
                     char *const *words, int count, struct json_object *request)
{
    const struct argument *argument = command->arguments;
    int given = 0; /* of a repeated one */

    collect_options(command, options, request);
    while (argument->option)
        argument++;
    for (int i = 0; i < count; i++) {
        if (!argument->name)
            options_wrong("%s: unexpected argument \"%s\"", command->words, words[i]);
        add_argument(request, command, argument, words[i]);
        given += argument->repeated;
        argument += !argument->repeated;
    }
    if (argument->name && !argument->optional && !given)
        options_wrong("%s: %s is missing", command->words, argument->name);
    if (command->traits & COMMAND_STREAM && command->traits & COMMAND_COUNTERS &&
        options->watch_s > 0)
        json_object_object_add(request, "interval_ns",
                               json_object_new_uint64((uint64_t)(options->watch_s * NSEC_PER_SEC)));
}
