/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A shaping policy by chance: a tree of classes, some with rates, and sessions, users and peers
 * that they are for.
 *
 * Plain data, which must not be copied: a shape points into it.
 */
#ifndef TESTS_SIM_POLICY_H
#define TESTS_SIM_POLICY_H

#include "engines/shaper/shape.h"
#include "tests/sim/sim.h"

#define POLICY_CLASSES_MAX 12u
#define POLICY_RULES_MAX   (2 * POLICY_CLASSES_MAX)

struct policy {
    struct shape shape;
    struct shape_class classes[POLICY_CLASSES_MAX];
    struct shape_rule rules[POLICY_RULES_MAX];
};

void policy_draw(struct policy *policy, const struct sim *sim, struct rng *rng);

#endif
