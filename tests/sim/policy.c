/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/policy.h"

#include "tests/sim/app.h"
#include "tests/sim/host.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define CLASSES_LEAST 2u
#define RATE_PPM      400000u     /* of classes: they have a rate */
#define BUILT_IN_PPM  250000u     /* of policies: they say something of the root, or of the rest */
#define RATE_LEAST    (20u << 20) /* bytes per second: a run is seconds, not minutes */
#define RATE_STEPS    9u          /* each rate is one of so many, each twice the one before */
#define BURST_FRAMES  16u         /* of the largest size, at most; two at least */
#define FRAME_BYTES   (SIM_MTU_MAX + 64u) /* at most, on the wire */
#define PRIORITIES    3u
#define APPS_PER_HOST 2u
#define NEST_PPM      500000u /* of classes: they are below one before them */

enum criterion {
    BY_SESSION,
    BY_UID,
    BY_PEER,
    BY_DSCP,
    CRITERIA,
};

static void draw_rate(struct shape_class *class, struct rng *rng)
{
    class->rate = (uint64_t)RATE_LEAST << rng_below(rng, RATE_STEPS);
    class->burst = FRAME_BYTES * (2 + rng_below(rng, BURST_FRAMES - 1));
}

/* The place of the class that it is below, or POLICY_CLASSES_MAX; *level is the parent's. */
static uint32_t draw_parent(const uint32_t levels[], uint32_t count, struct rng *rng)
{
    uint32_t parent;

    if (count == 0 || !rng_chance(rng, NEST_PPM))
        return POLICY_CLASSES_MAX;
    parent = (uint32_t)rng_below(rng, count);
    return levels[parent] < SHAPE_DEPTH_MAX ? parent : POLICY_CLASSES_MAX;
}

static void draw_classes(struct policy *policy, bool inner[], struct rng *rng)
{
    uint32_t levels[POLICY_CLASSES_MAX];
    uint32_t count =
        CLASSES_LEAST + (uint32_t)rng_below(rng, POLICY_CLASSES_MAX - 1 - CLASSES_LEAST);

    for (uint32_t i = 0; i < count; i++) {
        struct shape_class *class = &policy->classes[i];
        uint32_t parent = draw_parent(levels, i, rng);

        snprintf(class->name, sizeof(class->name), "c%u", (unsigned)i);
        levels[i] = 1;
        if (parent < POLICY_CLASSES_MAX) {
            memcpy(class->parent, policy->classes[parent].name, sizeof(class->parent));
            levels[i] = levels[parent] + 1;
            inner[parent] = true;
        }
        if (rng_chance(rng, RATE_PPM))
            draw_rate(class, rng);
        class->priority = (uint8_t)rng_below(rng, PRIORITIES);
        class->weight = 1 + (uint32_t)rng_below(rng, SHAPE_WEIGHT_MAX);
    }
    policy->shape.class_count = count;
}

/* What a policy may say of the classes that are there anyway. */
static void draw_built_in(struct policy *policy, bool inner[], struct rng *rng)
{
    static const char *const names[] = {"root", "default"};

    if (!rng_chance(rng, BUILT_IN_PPM))
        return;
    struct shape_class *class = &policy->classes[policy->shape.class_count];
    snprintf(class->name, sizeof(class->name), "%s", names[rng_below(rng, 2)]);
    draw_rate(class, rng);
    class->weight = 1;
    inner[policy->shape.class_count++] = true; /* or has no rules */
}

/* There may be none of that number. */
static uint32_t draw_app(const struct sim *sim, struct rng *rng)
{
    return (uint32_t)rng_below(rng, APPS_PER_HOST * sim->host_count);
}

static void draw_rule(struct shape_rule *rule, const struct sim *sim, struct rng *rng)
{
    switch (rng_below(rng, CRITERIA)) {
    case BY_SESSION:
        rule->has_session = true;
        rule->session = app_session(draw_app(sim, rng), (uint32_t)rng_below(rng, 2));
        break;
    case BY_UID:
        rule->has_uid = true;
        rule->uid = app_uid(draw_app(sim, rng));
        break;
    case BY_PEER:
        rule->has_peer = true;
        host_address((uint32_t)rng_below(rng, sim->host_count / sim->siblings),
                     rng_below(rng, 2) == 0, &rule->peer);
        rule->prefix = (uint8_t)(sizeof(rule->peer.bytes) * CHAR_BIT - rng_below(rng, 3));
        break;
    default:
        rule->has_dscp = true;                   /* which no packet has here, */
        rule->dscp = (uint8_t)rng_below(rng, 2); /* or each */
        break;
    }
}

void policy_draw(struct policy *policy, const struct sim *sim, struct rng *rng)
{
    bool inner[POLICY_CLASSES_MAX] = {false};

    memset(policy, 0, sizeof(*policy));
    policy->shape.classes = policy->classes;
    policy->shape.rules = policy->rules;
    draw_classes(policy, inner, rng);
    draw_built_in(policy, inner, rng);
    for (uint32_t i = 0; i < policy->shape.class_count; i++) {
        uint32_t rules = inner[i] ? 0 : (uint32_t)rng_below(rng, 3);

        for (uint32_t j = 0; j < rules; j++) {
            struct shape_rule *rule = &policy->rules[policy->shape.rule_count++];

            rule->entry = (uint16_t)i;
            draw_rule(rule, sim, rng);
        }
    }
}
