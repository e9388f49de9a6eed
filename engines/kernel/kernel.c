/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/kernel/kernel.h"

#include "engines/packet_tag.h"
#include "sched/state.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define POLL_NS        (50 * NSEC_PER_USEC) /* as pony has it: a port without an interrupt */
#define FULL_RETRY_NS  (20 * NSEC_PER_USEC) /* the other port was full: look again after this */
#define PACKET_COST_NS 1000u                /* charged to a modelled clock: a system call each */
#define PORT_STATS_MAX 16u

#define RECORD_COUNTERS 0x0500u
#define RECORD_VERSION  1u
#define COUNTERS        (sizeof(struct counts) / sizeof(uint64_t))

/* Written by the engine's thread. */
struct counts {
    uint64_t to_packets, to_bytes;
    uint64_t to_refused; /* dropped: the kernel's side did not take it, as when it is down */
    uint64_t from_packets, from_bytes;
    uint64_t from_refused; /* dropped: the wire's side did not, although it had said so */
};

/* From one port to another one. */
struct way {
    struct port *from, *to;
    uint64_t *packets, *bytes, *refused;
};

struct kernel {
    struct engine engine;
    struct counts counts;
    struct way to_kernel, from_kernel;
};

static void count(uint64_t *counter, uint64_t add)
{
    __atomic_store_n(counter, *counter + add, __ATOMIC_RELAXED);
}

/* For how many packets there is room; of a port that shapes what it sends, for the kernel's. They
 * have this tag then. */
static uint16_t room_of(const struct way *way, struct packet_tag *tag)
{
    const struct packet_way anywhere = {0};

    *tag = (struct packet_tag){.kind = PACKET_KERNEL};
    return way->to->ops->tx_room_for ? way->to->ops->tx_room_for(way->to, tag, &anywhere)
                                     : way->to->ops->tx_room(way->to);
}

/* One burst, and no more of it than there is room for; returns how many packets there were. */
static uint32_t carry(const struct way *way, uint64_t now)
{
    struct rte_mbuf *packets[PORT_BURST];
    uint64_t lengths[PORT_BURST], bytes = 0;
    struct packet_tag tag;
    uint16_t room = RTE_MIN(room_of(way, &tag), PORT_BURST);
    uint16_t got, sent;

    if (room == 0)
        return 0;
    got = way->from->ops->rx_burst(way->from, packets, room, now);
    if (got == 0)
        return 0;
    for (uint16_t i = 0; i < got; i++) {
        lengths[i] = rte_pktmbuf_pkt_len(packets[i]);
        if (way->to->ops->tx_room_for)
            *packet_tag(packets[i]) = tag;
    }
    sent = way->to->ops->tx_burst(way->to, packets, got, now);
    for (uint16_t i = 0; i < sent; i++)
        bytes += lengths[i];
    count(way->packets, sent);
    count(way->bytes, bytes);
    if (sent < got) {
        count(way->refused, got - sent);
        rte_pktmbuf_free_bulk(packets + sent, got - sent);
    }
    return got;
}

static uint32_t round_of(struct engine *engine, uint64_t *now, uint64_t end)
{
    const struct kernel *kernel = (const struct kernel *)engine;
    uint32_t work = carry(&kernel->to_kernel, *now);

    (void)end;
    *now = clock_now(engine->clock);
    work += carry(&kernel->from_kernel, *now);
    clock_charge(engine->clock, work * PACKET_COST_NS);
    return work;
}

static uint32_t run(struct engine *engine, uint64_t now, uint64_t budget_ns)
{
    struct port *wire = ((const struct kernel *)engine)->from_kernel.to;

    /* Asked again anyway; it has to know that, or it would not let the engine sleep. */
    if (wire->ops->tx_reopened)
        wire->ops->tx_reopened(wire);
    return engine_run_rounds(engine, now, budget_ns, round_of);
}

static void disarm_port(struct port *port)
{
    if (port->ops->disarm)
        port->ops->disarm(port);
}

static void disarm(struct engine *engine)
{
    const struct kernel *kernel = (const struct kernel *)engine;

    disarm_port(kernel->to_kernel.from);
    disarm_port(kernel->from_kernel.from);
}

/* When there may be room again in the port that a way leads to, and it does not tell. */
static uint64_t room_deadline(const struct way *way, uint64_t now)
{
    /* A port that shapes wakes who it refused; but its ring may be full, too. */
    bool tells = way->to->ops->tx_room_for && way->to->ops->tx_room(way->to) > 0;

    return tells ? ENGINE_NEVER : now + FULL_RETRY_NS;
}

/* When packets of one way are looked for again; 0: they wait, and there is room. */
static uint64_t arm_way(const struct way *way, uint64_t now)
{
    int result = way->from->ops->arm ? way->from->ops->arm(way->from) : -ENOTSUP;
    uint64_t deadline =
        way->from->ops->deadline ? way->from->ops->deadline(way->from) : ENGINE_NEVER;
    bool expected = result == 1 || deadline != ENGINE_NEVER;
    struct packet_tag tag;

    /* Without room it is not asked, whatever its time is. */
    if (expected && room_of(way, &tag) == 0)
        deadline = room_deadline(way, now);
    else if (result == 1)
        return 0;
    if (result < 0)
        deadline = RTE_MIN(deadline, now + POLL_NS);
    return deadline > now ? deadline : 0;
}

static uint64_t arm(struct engine *engine, uint64_t now)
{
    const struct kernel *kernel = (const struct kernel *)engine;
    /* First: what the wire's port refuses here, it is armed for in the other way. */
    uint64_t from = arm_way(&kernel->from_kernel, now);
    uint64_t to = arm_way(&kernel->to_kernel, now);

    if (from > 0 && to > 0)
        return RTE_MIN(from, to);
    disarm(engine);
    return 0;
}

/* There is nothing but counters: packets are in the ports, and what was lost with these is sent
 * again by whoever cares. */
static int save(const struct engine *engine, struct state_writer *writer)
{
    const uint64_t *values = (const uint64_t *)&((const struct kernel *)engine)->counts;

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
            state_get_counters(reader, (uint64_t *)&((struct kernel *)engine)->counts, COUNTERS);
    }
    return reader->error;
}

static uint32_t stats(const struct engine *engine, struct engine_stat *list, uint32_t max)
{
    const struct kernel *kernel = (const struct kernel *)engine;
    const struct counts *from = &kernel->counts;
    const struct port *port = kernel->to_kernel.to;
    const struct {
        const char *name;
        const uint64_t *value;
    } all[] = {
        {"to_kernel_packets", &from->to_packets}, {"to_kernel_bytes", &from->to_bytes},
        {"to_kernel_refused", &from->to_refused}, {"from_kernel_packets", &from->from_packets},
        {"from_kernel_bytes", &from->from_bytes}, {"from_kernel_refused", &from->from_refused},
    };
    struct port_stat more[PORT_STATS_MAX];
    uint32_t extra = port->ops->stats ? port->ops->stats(port, more, PORT_STATS_MAX) : 0;
    uint32_t own = sizeof(all) / sizeof(all[0]);

    extra = RTE_MIN(extra, PORT_STATS_MAX);
    for (uint32_t i = 0; i < own && i < max; i++)
        list[i] = (struct engine_stat){
            .name = all[i].name,
            .value = __atomic_load_n(all[i].value, __ATOMIC_RELAXED),
        };
    for (uint32_t i = 0; i < extra && own + i < max; i++)
        list[own + i] = (struct engine_stat){.name = more[i].name, .value = more[i].value};
    return own + extra;
}

static void destroy(struct engine *engine)
{
    engine_fini(engine);
    free(engine);
}

static const struct engine_ops kernel_ops = {
    .kind = KERNEL_KIND,
    .run = run,
    .arm = arm,
    .disarm = disarm,
    .save = save,
    .load = load,
    .stats = stats,
    .destroy = destroy,
};

static void join(struct kernel *kernel, const struct kernel_config *config)
{
    struct counts *counts = &kernel->counts;

    kernel->to_kernel = (struct way){config->wire, config->kernel, &counts->to_packets,
                                     &counts->to_bytes, &counts->to_refused};
    kernel->from_kernel = (struct way){config->kernel, config->wire, &counts->from_packets,
                                       &counts->from_bytes, &counts->from_refused};
}

int kernel_create(struct engine **engine, const char *name, const struct kernel_config *config,
                  const struct clock *clock)
{
    const struct port *const ports[] = {config->wire, config->kernel};
    struct kernel *kernel = NULL;
    int error;

    if (posix_memalign((void **)&kernel, alignof(struct kernel), sizeof(*kernel)))
        return -ENOMEM;
    memset(kernel, 0, sizeof(*kernel));
    join(kernel, config);
    error = engine_init(&kernel->engine, &kernel_ops, name, clock);
    if (error) {
        free(kernel);
        return error;
    }
    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]) && !error; i++) {
        if (ports[i]->wake_fd >= 0)
            error = engine_watch(&kernel->engine, ports[i]->wake_fd);
    }
    if (error) {
        destroy(&kernel->engine);
        return error;
    }
    *engine = &kernel->engine;
    return 0;
}
