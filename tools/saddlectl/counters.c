/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/saddlectl/counters.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define OWNER_BYTES 128u

static const struct {
    const char *prefix, *field;
} owners[] = {{"engine/", "engines"}, {"group/", "groups"}, {"port/", "ports"}};
#define OWNER_COUNT (sizeof(owners) / sizeof(owners[0]))

int counters_ask(struct json_object *request, const char *word)
{
    for (size_t i = 0; i < OWNER_COUNT; i++) {
        size_t length = strlen(owners[i].prefix);
        struct json_object *list;

        if (strncmp(word, owners[i].prefix, length) != 0 || !word[length])
            continue;
        list = json_object_object_get(request, owners[i].field);
        if (!list) {
            list = json_object_new_array();
            json_object_object_add(request, owners[i].field, list);
        }
        json_object_array_add(list, json_object_new_string(word + length));
        return 0;
    }
    return -EINVAL;
}

static void add_all(struct json_object *rows, const char *prefix, struct json_object *of)
{
    struct json_object *list = json_object_object_get(of, "counters");
    const char *name = json_object_get_string(json_object_object_get(of, "name"));
    char owner[OWNER_BYTES];

    snprintf(owner, sizeof(owner), "%s%s", prefix, name);
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *counter = json_object_array_get_idx(list, i);
        struct json_object *row = json_object_new_object();

        json_object_object_add(row, "owner", json_object_new_string(owner));
        json_object_object_add(row, "name",
                               json_object_get(json_object_object_get(counter, "name")));
        json_object_object_add(row, "value",
                               json_object_get(json_object_object_get(counter, "value")));
        json_object_array_add(rows, row);
    }
}

struct json_object *counters_flatten(struct json_object *answer)
{
    struct json_object *flat = json_object_new_object();
    struct json_object *rows = json_object_new_array();

    for (size_t i = 0; i < OWNER_COUNT; i++) {
        struct json_object *list = json_object_object_get(answer, owners[i].field);

        for (size_t j = 0; j < json_object_array_length(list); j++)
            add_all(rows, owners[i].prefix, json_object_array_get_idx(list, j));
    }
    json_object_object_add(flat, "counters", rows);
    return flat;
}
