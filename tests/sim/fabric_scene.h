/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What is measured over the fabric, and what is expected of it. Each scene prints a table.
 *
 * Threads: one.
 */
#ifndef TESTS_SIM_FABRIC_SCENE_H
#define TESTS_SIM_FABRIC_SCENE_H

#include "tests/sim/fabric.h"

struct scene {
    uint64_t seed;
    struct rte_mempool *pool;
    uint32_t expected, failed;
};

/* One flow on an empty fabric, without loss and with some. */
void scene_single(struct scene *scene);
/* Forty hosts send to one. */
void scene_incast(struct scene *scene);
/* A hundred hosts send to one: more than one has room for, with a packet of each. */
void scene_crowd(struct scene *scene);
/* Eight hosts that open their flows to one when there is a queue already. */
void scene_late(struct scene *scene);
/* Every host sends messages to every other, and a second engine on each asks and answers. */
void scene_all_to_all(struct scene *scene);
/* Threads that stop for milliseconds, and then no longer do. */
void scene_noise(struct scene *scene);

/* An expectation: prints it if it is not met. */
void scene_expect(struct scene *scene, bool met, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* No congestion control: a window of 256 packets, whatever happens. */
extern const struct cc_ops cc_none;

/* Measures of a set of numbers, which is sorted. */
struct series {
    uint64_t *values;
    uint32_t count, room;
};
void series_add(struct series *series, uint64_t value);
void series_sort(struct series *series);
/* The value below which `share` of 1000 parts lie, of a sorted series that is not empty. */
uint64_t series_part(const struct series *series, uint32_t share);
uint64_t series_mean(const struct series *series);
void series_free(struct series *series);

#endif
