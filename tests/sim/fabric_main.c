/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * saddle-fabric: measures congestion control over a simulated fabric, and checks what is promised.
 * The same build and seed print the same figures.
 */
#include "tests/sim/fabric_scene.h"

#include <getopt.h>
#include <inttypes.h>
#include <rte_eal.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POOL_PACKETS 32767u /* of all engines and lanes; 2^n - 1 wastes no memory */
#define POOL_CACHE   256u
#define PACKET_BYTES 5120u /* of the largest packet, with its headers */

static const struct {
    const char *name;
    void (*run)(struct scene *scene);
} scenes[] = {
    {"single", scene_single},         {"incast", scene_incast}, {"late", scene_late},
    {"all-to-all", scene_all_to_all}, {"noise", scene_noise},
};

static void usage(void)
{
    fprintf(stderr, "usage: saddle-fabric [--seed S] SCENE...\nscenes: all");
    for (size_t i = 0; i < RTE_DIM(scenes); i++)
        fprintf(stderr, ", %s", scenes[i].name);
    fprintf(stderr, "\n");
    exit(2);
}

/* The environment abstraction layer, without anything of the machine but memory. */
static struct rte_mempool *start_dpdk(void)
{
    static char words[] = "saddle-fabric --no-huge --no-shconf --no-pci --no-telemetry -m 256"
                          " --log-level lib.*:error -l 0";
    char *argv[sizeof(words) / 2];
    int argc = 0;
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    if (rte_eal_init(argc, argv) < 0)
        exit(1);
    struct rte_mempool *pool =
        rte_pktmbuf_pool_create("fabric", POOL_PACKETS, POOL_CACHE, 0,
                                RTE_PKTMBUF_HEADROOM + PACKET_BYTES, SOCKET_ID_ANY);
    if (!pool) {
        fprintf(stderr, "saddle-fabric: no memory for packets\n");
        exit(1);
    }
    return pool;
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
    scene.pool = start_dpdk();
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
