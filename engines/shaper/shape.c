/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/shaper/shape.h"

#include <limits.h>
#include <string.h>

#define NO_PLACE UINT16_MAX

/* FNV-1a, to find names in a table of twice as many places. */
#define HASH_SEED   2166136261u
#define HASH_FACTOR 16777619u
#define NAME_SLOTS  8192u /* a power of two, more than twice the classes */

struct names {
    uint16_t entries[NAME_SLOTS]; /* position in the list plus one; 0: free */
};

static uint32_t slot_of(const struct names *names, const struct shape *policy, const char *name)
{
    uint32_t hash = HASH_SEED;

    for (const char *at = name; *at; at++)
        hash = (hash ^ (uint8_t)*at) * HASH_FACTOR;
    hash %= NAME_SLOTS;
    while (names->entries[hash] &&
           strcmp(policy->classes[names->entries[hash] - 1].name, name) != 0)
        hash = (hash + 1) % NAME_SLOTS;
    return hash;
}

static uint16_t built_in(const char *name)
{
    if (!strcmp(name, "root"))
        return SHAPE_ROOT;
    return !strcmp(name, "default") ? SHAPE_DEFAULT : NO_PLACE;
}

static enum shape_fault enter_names(const struct shape *policy, struct names *names,
                                    struct shape_plan *plan, uint32_t *entry)
{
    for (*entry = 0; *entry < policy->class_count; ++*entry) {
        const char *name = policy->classes[*entry].name;
        uint32_t slot = slot_of(names, policy, name);
        uint16_t place = built_in(name);

        if (!strcmp(name, "control"))
            return SHAPE_RESERVED;
        if (names->entries[slot])
            return SHAPE_TWICE;
        names->entries[slot] = (uint16_t)(*entry + 1);
        plan->place[*entry] = place != NO_PLACE ? place : (uint16_t)plan->places++;
    }
    return SHAPE_FINE;
}

static enum shape_fault find_parents(const struct shape *policy, const struct names *names,
                                     struct shape_plan *plan, uint32_t *entry)
{
    for (*entry = 0; *entry < policy->class_count; ++*entry) {
        const char *parent = policy->classes[*entry].parent;
        uint16_t found = names->entries[slot_of(names, policy, parent)];
        uint16_t place = found ? plan->place[found - 1] : built_in(parent);

        if (!*parent)
            place = SHAPE_ROOT;
        else if (plan->place[*entry] == SHAPE_ROOT)
            return SHAPE_ROOT_KEYS;
        if (place == NO_PLACE || place == SHAPE_DEFAULT)
            return SHAPE_NO_PARENT;
        plan->parent[plan->place[*entry]] = place;
        plan->inner[place] |= plan->place[*entry] != SHAPE_ROOT;
    }
    return SHAPE_FINE;
}

static enum shape_fault find_levels(const struct shape *policy, struct shape_plan *plan,
                                    uint32_t *entry)
{
    for (*entry = 0; *entry < policy->class_count; ++*entry) {
        uint16_t own = plan->place[*entry], at = own;
        uint32_t level = 0;

        for (; at != SHAPE_ROOT && level <= plan->places; level++)
            at = plan->parent[at];
        if (level > plan->places)
            return SHAPE_CYCLE;
        if (level > SHAPE_DEPTH_MAX)
            return SHAPE_TOO_DEEP;
        plan->level[own] = (uint8_t)level;
    }
    return SHAPE_FINE;
}

static enum shape_fault check_rules(const struct shape *policy, const struct shape_plan *plan,
                                    uint32_t *entry)
{
    if (policy->rule_count > SHAPE_RULES_MAX)
        return SHAPE_TOO_MANY;
    for (uint32_t i = 0; i < policy->rule_count; i++) {
        uint16_t place;

        *entry = policy->rules[i].entry;
        place = plan->place[*entry];
        if (place == SHAPE_ROOT)
            return SHAPE_ROOT_KEYS;
        if (plan->inner[place])
            return SHAPE_INNER_RULE;
    }
    return SHAPE_FINE;
}

enum shape_fault shape_plan(const struct shape *policy, struct shape_plan *plan, uint32_t *entry)
{
    struct names names;
    enum shape_fault fault;

    *entry = 0;
    if (policy->class_count > SHAPE_LISTED_MAX)
        return SHAPE_TOO_MANY;
    memset(&names, 0, sizeof(names));
    memset(plan, 0, sizeof(*plan));
    plan->places = SHAPE_BUILT_IN;
    plan->level[SHAPE_CONTROL] = plan->level[SHAPE_DEFAULT] = 1;
    plan->inner[SHAPE_ROOT] = true;
    fault = enter_names(policy, &names, plan, entry);
    if (fault == SHAPE_FINE)
        fault = find_parents(policy, &names, plan, entry);
    if (fault == SHAPE_FINE)
        fault = find_levels(policy, plan, entry);
    if (fault == SHAPE_FINE)
        fault = check_rules(policy, plan, entry);
    for (uint32_t i = 0; i < plan->places; i++)
        plan->leaves += !plan->inner[i];
    return fault;
}

const char *shape_fault_text(enum shape_fault fault)
{
    static const char *const texts[] = {
        [SHAPE_FINE] = "is fine",
        [SHAPE_TOO_MANY] = "is one too many",
        [SHAPE_TWICE] = "is named twice",
        [SHAPE_RESERVED] = "is built in and takes no settings",
        [SHAPE_NO_PARENT] = "has a parent that is no class with children",
        [SHAPE_ROOT_KEYS] = "is over all, and has no parent, weight, priority or match",
        [SHAPE_CYCLE] = "is below itself",
        [SHAPE_TOO_DEEP] = "is more than 4 levels below the root",
        [SHAPE_INNER_RULE] = "has children, and only a class without any has a match",
    };

    return texts[fault];
}

static bool within(const struct address *address, const struct shape_rule *rule)
{
    uint32_t whole = rule->prefix / CHAR_BIT;
    uint8_t mask = (uint8_t)(UINT8_MAX << (CHAR_BIT - rule->prefix % CHAR_BIT));

    if (memcmp(address->bytes, rule->peer.bytes, whole) != 0)
        return false;
    return rule->prefix % CHAR_BIT == 0 ||
           ((address->bytes[whole] ^ rule->peer.bytes[whole]) & mask) == 0;
}

bool shape_rule_met(const struct shape_rule *rule, const struct packet_tag *tag,
                    const struct packet_way *way)
{
    bool session = tag->kind == PACKET_SESSION;

    if (rule->has_session && !(session && tag->session == rule->session))
        return false;
    if (rule->has_uid && !(session && tag->uid == rule->uid))
        return false;
    if (rule->has_kernel && tag->kind != PACKET_KERNEL)
        return false;
    if ((rule->has_dscp || rule->has_peer) && tag->kind == PACKET_KERNEL)
        return false;
    if (rule->has_dscp && way->dscp != rule->dscp)
        return false;
    return !rule->has_peer || within(&way->peer, rule);
}
