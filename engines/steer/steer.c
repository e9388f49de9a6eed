/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/steer/steer.h"

#include "sched/state.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define PACKET_COST_NS 50u /* charged to a modelled clock for each packet */

#define RECORD_COUNTERS 0x0300u
#define RECORD_VERSION  1u
#define COUNTERS        (sizeof(struct fan_stats) / sizeof(uint64_t))

struct steer {
    struct engine engine;
    struct fan *fan;
};

static uint32_t round_of(struct engine *engine, uint64_t *now, uint64_t end)
{
    struct steer *steer = (struct steer *)engine;
    uint32_t work = fan_receive(steer->fan, *now);

    (void)end;
    *now = clock_now(engine->clock);
    work += fan_send(steer->fan, *now);
    clock_charge(engine->clock, work * PACKET_COST_NS);
    return work;
}

static uint32_t run(struct engine *engine, uint64_t now, uint64_t budget_ns)
{
    return engine_run_rounds(engine, now, budget_ns, round_of);
}

static void disarm(struct engine *engine)
{
    fan_disarm(((struct steer *)engine)->fan);
}

static uint64_t arm(struct engine *engine, uint64_t now)
{
    struct steer *steer = (struct steer *)engine;
    struct port *port = fan_port(steer->fan);
    uint64_t deadline = ENGINE_NEVER;

    if (!fan_arm(steer->fan)) {
        if (port->ops->tx_room(port) > 0)
            return 0;
        deadline = now + FAN_FULL_RETRY_NS;
    }
    return fan_arm_port(steer->fan, now, deadline);
}

/* Packets in the rings are lost with it, as on a wire; flows send them again. */
static int save(const struct engine *engine, struct state_writer *writer)
{
    const uint64_t *values = (const uint64_t *)fan_stats(((const struct steer *)engine)->fan);

    state_record_begin(writer, RECORD_COUNTERS, RECORD_VERSION);
    state_put_counters(writer, values, COUNTERS);
    state_record_end(writer);
    return writer->error;
}

static int load(struct engine *engine, struct state_reader *reader)
{
    uint16_t type, version;

    while (state_record_next(reader, &type, &version)) {
        if (version == 0)
            state_reader_fail(reader, -EPROTO);
        else if (type == RECORD_COUNTERS)
            state_get_counters(reader, (uint64_t *)fan_stats(((struct steer *)engine)->fan),
                               COUNTERS);
    }
    return reader->error;
}

static uint32_t stats(const struct engine *engine, struct engine_stat *list, uint32_t max)
{
    const struct fan_stats *from = fan_stats(((const struct steer *)engine)->fan);
    const struct {
        const char *name;
        const uint64_t *value;
    } all[] = {
        {"rx_packets", &from->rx_packets},   {"tx_packets", &from->tx_packets},
        {"rx_strays", &from->rx_strays},     {"rx_full", &from->rx_full},
        {"rx_for_all", &from->rx_for_all},   {"rx_no_copy", &from->rx_no_copy},
        {"tx_deferred", &from->tx_deferred}, {"rx_rest", &from->rx_rest},
    };
    uint32_t count = sizeof(all) / sizeof(all[0]);

    for (uint32_t i = 0; i < count && i < max; i++)
        list[i] = (struct engine_stat){
            .name = all[i].name,
            .value = __atomic_load_n(all[i].value, __ATOMIC_RELAXED),
        };
    return count;
}

static void destroy(struct engine *engine)
{
    engine_fini(engine);
    free(engine);
}

static const struct engine_ops steer_ops = {
    .kind = STEER_KIND,
    .run = run,
    .arm = arm,
    .disarm = disarm,
    .save = save,
    .load = load,
    .stats = stats,
    .destroy = destroy,
};

int steer_create(struct engine **engine, const char *name, struct fan *fan,
                 const struct clock *clock)
{
    struct steer *steer = NULL;
    int error;

    if (posix_memalign((void **)&steer, alignof(struct steer), sizeof(*steer)))
        return -ENOMEM;
    memset(steer, 0, sizeof(*steer));
    steer->fan = fan;
    error = engine_init(&steer->engine, &steer_ops, name, clock);
    if (error) {
        free(steer);
        return error;
    }
    error = fan_watch(fan, &steer->engine);
    if (error) {
        destroy(&steer->engine);
        return error;
    }
    *engine = &steer->engine;
    return 0;
}
