/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/fabric_scene.h"

#include <inttypes.h>
#include <stdio.h>

#define QUEUE_NS (400 * USEC) /* of each output: 250 packets of 5000 bytes */
#define RAMP_NS  (2 * MSEC)
#define TIME_NS  (30 * MSEC) /* measured */

static void one(struct scene *scene, const struct cc_ops *cc, uint32_t loss_ppm, uint32_t percent)
{
    struct fabric_config config = {
        .seed = scene->seed, .hosts = 2, .cc = cc, .loss_ppm = loss_ppm, .queue_ns = QUEUE_NS};
    struct fabric *fabric = fabric_create(&config, scene->pool);
    fabric_connect(fabric, 0, 1);
    uint64_t start = fabric->events.now;
    fabric_pour(fabric, 0, 1);
    fabric_run(fabric, start + RAMP_NS);
    uint64_t before = fabric->engines[1]->pairs[0].received;
    fabric_run(fabric, start + RAMP_NS + TIME_NS);
    double share = 100 * fabric_goodput(fabric->engines[1]->pairs[0].received - before, TIME_NS);
    printf("  %-8s %6.2f %% %9.1f %% %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %9" PRIu64 "\n",
           cc->name, loss_ppm / 10000.0, share, fabric->lost, fabric_dropped(fabric),
           fabric_resent(fabric), fabric_timeouts(fabric));
    scene_expect(scene, share >= percent, "%s: a flow with %u ppm loss has %u %% of the link",
                 cc->name, loss_ppm, percent);
    fabric_destroy(fabric);
}

void scene_single(struct scene *scene)
{
    static const struct cc_ops *const all[] = {&cc_swift, &cc_timely};
    static const struct {
        uint32_t loss_ppm, percent;
    } wanted[] = {{0, 90}, {1000, 80}, {10000, 50}};
    printf("one flow, 10 us, for 30 ms: goodput as a part of the link\n"
           "  cc          loss     goodput     lost  dropped    again time-outs\n");
    for (uint32_t i = 0; i < RTE_DIM(all); i++)
        for (uint32_t j = 0; j < RTE_DIM(wanted); j++)
            one(scene, all[i], wanted[j].loss_ppm, wanted[j].percent);
}
