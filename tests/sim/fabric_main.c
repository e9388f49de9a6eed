/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * saddle-fabric: measures congestion control over a simulated fabric, and checks what is promised.
 * The same build and seed print the same figures.
 */
#include "tests/sim/fabric_scene.h"
#include "tests/sim/packets.h"

#include <getopt.h>
#include <inttypes.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POOL_PACKETS 32767u /* of all engines and lanes */

static const struct {
    const char *name;
    void (*run)(struct scene *scene);
} scenes[] = {
    {"single", scene_single}, {"incast", scene_incast},         {"crowd", scene_crowd},
    {"late", scene_late},     {"all-to-all", scene_all_to_all}, {"noise", scene_noise},
};

static void usage(void)
{
    fprintf(stderr, "usage: saddle-fabric [--seed S] SCENE...\nscenes: all");
    for (size_t i = 0; i < RTE_DIM(scenes); i++)
        fprintf(stderr, ", %s", scenes[i].name);
    fprintf(stderr, "\n");
    exit(2);
}

static void run_named(struct scene *scene, const char *name)
{
    bool found = false;
    for (size_t i = 0; i < RTE_DIM(scenes); i++) {
        if (strcmp(name, "all") != 0 && strcmp(name, scenes[i].name) != 0)
            continue;
        found = true;
        scenes[i].run(scene);
    }
    if (!found)
        usage();
}

int main(int argc, char **argv)
{
    static const struct option table[] = {{"seed", required_argument, NULL, 's'},
                                          {NULL, 0, NULL, 0}};
    struct scene scene = {.seed = 1};
    int option;
    while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
        char *end = NULL;
        if (option == 's')
            scene.seed = strtoull(optarg, &end, 0);
        if (!end || *end || end == optarg)
            usage();
    }
    if (optind == argc)
        usage();
    scene.pool = packets_start("saddle-fabric", POOL_PACKETS);
    uint32_t full = rte_mempool_avail_count(scene.pool);
    for (int i = optind; i < argc; i++)
        run_named(&scene, argv[i]);
    scene_expect(&scene, rte_mempool_avail_count(scene.pool) == full,
                 "all packet buffers are back");
    printf("%u of %u expectations met\n", scene.expected - scene.failed, scene.expected);
    rte_mempool_free(scene.pool);
    rte_eal_cleanup();
    return scene.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
