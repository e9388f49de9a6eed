/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config_shape.h"

#include "engines/elements/ipv4.h"
#include "engines/shaper/shaping.h"
#include "engines/shaper/token_bucket.h"

#include <errno.h>
#include <stdlib.h>

static_assert(CONFIG_CLASSES_MAX == SHAPE_LISTED_MAX, "a policy has room for all classes");

#define BURST_NS      (4 * NSEC_PER_MSEC) /* at its rate, by default: longer than a thread sleeps */
#define BURST_DEFAULT (32u << 10)         /* bytes, at least: three of the largest frames */
#define BITS          8u
#define V6_BITS       128u
#define V4_BITS       32u
#define DECIMAL       10

static const struct config_class *class_at(const struct config_engine *engine, uint32_t index)
{
    return (const struct config_class *)engine->classes.items + index;
}

/* ---- What a class is for ---- */

static int read_number(const char *text, uint64_t most, uint64_t *number)
{
    char *end;

    if (text[0] < '0' || text[0] > '9')
        return -EINVAL;
    errno = 0;
    *number = strtoull(text, &end, DECIMAL);
    return errno || *end || *number > most ? -EINVAL : 0;
}

static int read_peer(const char *text, struct shape_rule *rule)
{
    struct config_subnet subnet;
    uint32_t bits;

    if (config_subnet(text, &subnet))
        return -EINVAL;
    bits = address_is_v4(&subnet.address) ? V4_BITS : V6_BITS;
    rule->has_peer = true;
    rule->peer = subnet.address;
    rule->prefix =
        (uint8_t)(subnet.prefix == CONFIG_PREFIX_NONE ? V6_BITS : V6_BITS - bits + subnet.prefix);
    return 0;
}

/* One condition; the word's value, if it takes one, is the next word. */
static int read_condition(const char *word, const char *value, struct shape_rule *rule)
{
    uint64_t number;

    if (!strcmp(word, "peer"))
        return value ? read_peer(value, rule) : -EINVAL;
    if (!strcmp(word, "uid")) {
        if (!value || read_number(value, UINT32_MAX - 1, &number))
            return -EINVAL;
        rule->has_uid = true;
        rule->uid = (uint32_t)number;
    } else if (!strcmp(word, "session")) {
        if (!value || read_number(value, UINT32_MAX, &number) || number == 0)
            return -EINVAL;
        rule->has_session = true;
        rule->session = (uint32_t)number;
    } else if (!strcmp(word, "dscp")) {
        if (!value || read_number(value, IP_DSCP_LAST, &number))
            return -EINVAL;
        rule->has_dscp = true;
        rule->dscp = (uint8_t)number;
    } else {
        return -EINVAL;
    }
    return 0;
}

static int read_match(const struct schema_text *text, struct shape_rule *rule,
                      struct schema_source *source)
{
    char copy[SCHEMA_TEXT_BYTES], *rest;
    int error = text->text[0] ? 0 : -EINVAL;

    snprintf(copy, sizeof(copy), "%s", text->text);
    for (char *word = strtok_r(copy, " ", &rest); word && !error;
         word = strtok_r(NULL, " ", &rest)) {
        if (!strcmp(word, "any"))
            continue;
        if (!strcmp(word, "kernel"))
            rule->has_kernel = true;
        else
            error = read_condition(word, strtok_r(NULL, " ", &rest), rule);
    }
    if (!error && rule->has_kernel &&
        (rule->has_uid || rule->has_session || rule->has_peer || rule->has_dscp))
        return schema_fail(source, text->place,
                           "match: \"%s\": kernel goes with no other condition: what the kernel "
                           "sends is of one class",
                           text->text);
    if (!error)
        return 0;
    return schema_fail(source, text->place,
                       "match: \"%s\" is none of uid N, session N, peer ADDRESS, dscp 0 to 63, "
                       "kernel and any",
                       text->text);
}

/* ---- Classes ---- */

static int make_class(struct shape_class *class, const struct config_class *from,
                      struct schema_source *source)
{
    uint64_t rate = from->rate == SCHEMA_UNSET ? 0 : from->rate / BITS;
    uint64_t burst = rate * BURST_NS / NSEC_PER_SEC;

    if (!rate && from->burst != SCHEMA_UNSET)
        return schema_fail(source, from->place, "class \"%s\" has a burst and no rate",
                           from->name.text);
    snprintf(class->name, sizeof(class->name), "%.31s", from->name.text);
    snprintf(class->parent, sizeof(class->parent), "%.31s", from->parent.text);
    class->rate = rate;
    class->burst = from->burst;
    if (from->burst == SCHEMA_UNSET)
        class->burst = burst > BURST_DEFAULT ? burst : BURST_DEFAULT;
    class->priority = (uint8_t)from->priority;
    class->weight = (uint32_t)from->weight;
    return 0;
}

static int fail_plan(const struct config_engine *engine, enum shape_fault fault, uint32_t entry,
                     struct schema_source *source)
{
    const struct config_class *class = class_at(engine, entry);

    if (fault == SHAPE_NO_PARENT)
        return schema_fail(source, class->parent.place,
                           "class \"%s\": parent: there is no class \"%s\" that may have others "
                           "below it",
                           class->name.text, class->parent.text);
    return schema_fail(source, class->place, "class \"%s\" %s", class->name.text,
                       shape_fault_text(fault));
}

static int check_plan(const struct shape *shape, const struct config_engine *engine,
                      struct schema_source *source, uint32_t *leaves)
{
    struct shape_plan *plan = malloc(sizeof(*plan));
    enum shape_fault fault;
    uint32_t entry;

    if (!plan)
        return schema_fail(source, engine->place, "out of memory");
    fault = shape_plan(shape, plan, &entry);
    *leaves = plan->leaves;
    free(plan);
    for (uint32_t i = 0; i < shape->class_count && fault == SHAPE_FINE; i++) {
        entry = i;
        if (!strcmp(shape->classes[i].name, "root") &&
            (shape->classes[i].weight != 1 || shape->classes[i].priority != 0))
            fault = SHAPE_ROOT_KEYS;
    }
    return fault == SHAPE_FINE ? 0 : fail_plan(engine, fault, entry, source);
}

static int fill(struct shape *shape, struct shape_class *classes, struct shape_rule *rules,
                const struct config_engine *engine, struct schema_source *source)
{
    int error = 0;

    for (uint32_t i = 0; i < engine->classes.count && !error; i++) {
        const struct config_class *from = class_at(engine, i);
        const struct schema_text *texts = from->match.items;

        error = make_class(&classes[i], from, source);
        for (uint32_t j = 0; j < from->match.count && !error; j++) {
            struct shape_rule *rule = &rules[shape->rule_count++];

            rule->entry = (uint16_t)i;
            error = read_match(&texts[j], rule, source);
        }
    }
    shape->class_count = engine->classes.count;
    return error;
}

static int make(struct shape *shape, const struct config_engine *engine,
                struct schema_source *source, uint32_t *leaves)
{
    struct shape_class *classes;
    struct shape_rule *rules;
    uint32_t matches = 0;
    int error;

    for (uint32_t i = 0; i < engine->classes.count; i++)
        matches += class_at(engine, i)->match.count;
    if (matches > SHAPE_RULES_MAX)
        return schema_fail(source, engine->place, "engine \"%s\": classes have %u matches, not %u",
                           engine->name.text, matches, SHAPE_RULES_MAX);
    classes = calloc(engine->classes.count + 1ull, sizeof(*classes));
    rules = calloc(matches + 1ull, sizeof(*rules));
    *shape = (struct shape){.classes = classes, .rules = rules};
    if (classes && rules)
        error = fill(shape, classes, rules, engine, source);
    else
        error = schema_fail(source, engine->place, "out of memory");
    if (!error)
        error = check_plan(shape, engine, source, leaves);
    if (error)
        config_shape_free(shape);
    return error;
}

int config_shape_make(struct shape *shape, const struct config_engine *engine,
                      struct schema_source *source)
{
    uint32_t leaves;

    return make(shape, engine, source, &leaves);
}

void config_shape_free(struct shape *shape)
{
    free((void *)shape->classes);
    free((void *)shape->rules);
    *shape = (struct shape){0};
}

/* ---- Checks ---- */

/* Each class without others below it needs a packet of each engine, and more than that of the pool
 * is not for what waits. */
static int check_packets(const struct config *config, const struct config_engine *engine,
                         uint32_t leaves, struct schema_source *source)
{
    const struct config_engine *mates[CONFIG_MATES_MAX];
    const struct config_port *port = config_find_port(config, engine->port.text);
    uint64_t members = config_mates(config, engine->port.text, mates) +
                       (config_kernel_on(config, engine->port.text) != NULL);
    uint64_t needed = members * leaves * SHAPING_POOL_PART;

    if (port->packets >= needed)
        return 0;
    return schema_fail(source, engine->place,
                       "engine \"%s\": so many classes need %llu packets, and port \"%s\" has %llu",
                       engine->name.text, (unsigned long long)needed, port->name.text,
                       (unsigned long long)port->packets);
}

int config_shape_check(const struct config *config, const struct config_engine *engine,
                       struct schema_source *source)
{
    struct shape shape;
    uint32_t leaves;
    int error;

    if (engine->kind != CONFIG_SHAPER)
        return engine->classes.count == 0
                   ? 0
                   : schema_fail(source, class_at(engine, 0)->place,
                                 "classes: engine \"%s\" is no shaper", engine->name.text);
    error = make(&shape, engine, source, &leaves);
    if (error)
        return error;
    config_shape_free(&shape);
    return check_packets(config, engine, leaves, source);
}
