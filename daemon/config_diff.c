/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config_diff.h"

#include "daemon/config_schema.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Whose changes have to wait for the next start: privileges are given up by then, or memory and
 * sockets are taken. What is below these keys as well. */
static const char *const fixed_keys[] = {"socket", "user",    "memory", "hugepages",
                                         "ports",  "control", "upgrade"};

struct diff {
    struct config_changes *changes;
    const struct config *opened, *wanted;
};

bool config_same_engine(const struct config_engine *a, const struct config_engine *b)
{
    struct config_engine first = *a, second = *b;

    /* A shaper stays with other classes. */
    first.classes = second.classes = (struct schema_list){0};
    return schema_equal(schema_field(&config_schema, "engines")->element, &first, &second);
}

bool config_same_classes(const struct config_engine *a, const struct config_engine *b)
{
    struct config_engine first = *a;

    first.classes = b->classes;
    return schema_equal(schema_field(&config_schema, "engines")->element, a, &first);
}

bool config_same_group(const struct config_group *a, const struct config_group *b)
{
    return !strcmp(a->name.text, b->name.text) && a->mode == b->mode &&
           !strcmp(a->cpus.text, b->cpus.text) && a->threads == b->threads && a->idle == b->idle &&
           a->moderation == b->moderation && a->slo == b->slo && a->pause == b->pause &&
           a->class == b->class && a->runtime == b->runtime && a->period == b->period;
}

static bool same_addresses(const struct schema_list *a, const struct schema_list *b)
{
    const struct schema_text *first = a->items, *second = b->items;

    for (uint32_t i = 0; i < a->count && a->count == b->count; i++) {
        if (strcmp(first[i].text, second[i].text) != 0)
            return false;
    }
    return a->count == b->count;
}

bool config_port_fits(const struct config *opened, const struct config_engine *engine)
{
    const struct config_port *port = config_find_port(opened, engine->port.text);
    const struct config_engine *first = config_in_place(opened, engine);
    bool shared = config_steer_on(opened, engine->port.text);

    if (!port || engine->kind != CONFIG_PONY || (shared && !first))
        return false;
    if (shared && !same_addresses(&first->addresses, &engine->addresses))
        return false;
    switch (config_link_owner(opened, port)) {
    case CONFIG_OWNER_NOBODY:
        return true;
    case CONFIG_OWNER_KERNEL:
        return first && same_addresses(&first->addresses, &engine->addresses) &&
               first->udp_port == engine->udp_port && first->vlan == engine->vlan;
    default:
        return false;
    }
}

static bool is_fixed(const char *key)
{
    for (size_t i = 0; i < sizeof(fixed_keys) / sizeof(fixed_keys[0]); i++) {
        if (!strcmp(fixed_keys[i], key))
            return true;
    }
    return false;
}

/* Whether the daemon started with this engine as one of several on a port: which those are is
 * settled then. */
static bool is_shared(const struct config *opened, const char *name)
{
    const struct config_engine *engine = config_find_engine(opened, name);

    return engine && config_steer_on(opened, engine->port.text);
}

/* Of classes of an engine that there is: a shaper goes over to others. */
static bool is_shaping(const struct schema_change *change)
{
    char path[SCHEMA_PATH_BYTES];
    int length = snprintf(path, sizeof(path), "engines.%s.classes", change->item);

    return !strncmp(change->path, path, (size_t)length);
}

static enum config_effect effect_of(const struct diff *diff, const struct schema_change *change)
{
    const struct config_engine *engine;

    if (is_fixed(change->key))
        return CONFIG_RESTART;
    if (strcmp(change->key, "engines") != 0 || !change->item || is_shaping(change))
        return CONFIG_AT_ONCE;
    engine = config_find_engine(diff->wanted, change->item);
    if (!engine && is_shared(diff->opened, change->item))
        return CONFIG_RESTART;
    return engine && !config_port_fits(diff->opened, engine) ? CONFIG_RESTART : CONFIG_ENGINE;
}

static void add(void *context, const struct schema_change *change)
{
    struct diff *diff = context;
    struct config_changes *changes = diff->changes;
    enum config_effect effect = effect_of(diff, change);
    struct config_change *list;

    changes->restart |= effect == CONFIG_RESTART;
    if (changes->count == CONFIG_CHANGES_MAX) {
        changes->left_out++;
        return;
    }
    list = realloc(changes->list, (changes->count + 1) * sizeof(*list));
    changes->failed |= !list;
    if (!list)
        return;
    changes->list = list;
    list += changes->count++;
    *list = (struct config_change){.what = *change, .effect = effect};
    if (effect == CONFIG_ENGINE)
        snprintf(list->engine, sizeof(list->engine), "%s", change->item);
    list->what.key = list->what.item = NULL; /* of the configurations, which may go first */
}

int config_diff(struct config_changes *changes, const struct config *opened,
                const struct config *running, const struct config *wanted)
{
    struct diff diff = {changes, opened, wanted};

    memset(changes, 0, sizeof(*changes));
    schema_compare(&config_schema, running, wanted, add, &diff);
    return changes->failed ? -ENOMEM : 0;
}

void config_changes_free(struct config_changes *changes)
{
    free(changes->list);
    memset(changes, 0, sizeof(*changes));
}
