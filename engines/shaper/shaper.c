/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/shaper/shaper.h"

#include "sched/state.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>

#define PACKET_COST_NS 80u  /* charged to a modelled clock for each packet, in and out */
#define TIMERS_MAX     256u /* a round: far above what falls due in its time */
#define MOVES_MAX      64u  /* a round, of a tree that is emptied: classes and packets */

#define RECORD_CLASS   0x0600u
#define RECORD_VERSION 1u

struct shaper_stats {
    uint64_t tx_packets, tx_bytes; /* that left; bytes on the wire */
    uint64_t tx_queued;            /* packets that wait */
    uint64_t tx_deferred;          /* that the port did not take although it had said so */
    uint64_t policies;             /* gone over to */
};

struct shaper {
    struct engine engine;
    struct shaping *shaping;
    struct fan *fan;
    struct tree *tree, *old; /* `old` is being emptied; or NULL */
    struct wheel wheel;
    struct rte_mbuf *held[PORT_BURST]; /* chosen, and then not taken by the port */
    uint16_t held_count;
    uint32_t turned; /* members to be rung, a bit each */
    uint32_t turn;   /* whose packets are taken first */
    struct shaper_stats stats;
};

_Static_assert(FAN_MEMBERS_MAX + 1 <= 32, "a bit for each, and for the rest");

static void count(uint64_t *counter, uint64_t add)
{
    __atomic_store_n(counter, *counter + add, __ATOMIC_RELAXED);
}

static uint32_t everybody(const struct shaper *shaper)
{
    return (uint32_t)((1ull << shaping_members(shaper->shaping)) - 1);
}

/* ---- A round ---- */

static uint32_t take_of(struct shaper *shaper, uint32_t member, uint64_t now)
{
    struct rte_mbuf *packets[PORT_BURST];
    uint32_t got = fan_take(shaper->fan, member, packets, PORT_BURST);

    for (uint32_t i = 0; i < got; i++)
        tree_push(shaper->tree, packets[i], now);
    return got;
}

/* What members sent comes into the tree; what an older tree had comes first. */
static uint32_t take_in(struct shaper *shaper, uint64_t now)
{
    uint32_t members = shaping_members(shaper->shaping), got = 0;

    if (shaper->old) {
        if (!tree_move(shaper->old, shaper->tree, MOVES_MAX, now)) {
            shaping_moved(shaper->shaping, shaper->old);
            shaper->old = NULL;
            shaper->turned = everybody(shaper);
        }
        return 1;
    }
    for (uint32_t i = 0; i < members; i++)
        got += take_of(shaper, (shaper->turn + i) % members, now);
    shaper->turn = (shaper->turn + 1) % members;
    return got;
}

static uint32_t send_held(struct shaper *shaper, uint64_t now)
{
    struct port *port = fan_port(shaper->fan);
    uint16_t sent = port->ops->tx_burst(port, shaper->held, shaper->held_count, now);

    shaper->held_count -= sent;
    memmove(shaper->held, shaper->held + sent, shaper->held_count * sizeof(shaper->held[0]));
    count(&shaper->stats.tx_packets, sent);
    return sent;
}

/* One burst of what may leave, while the port has room. */
static uint32_t send(struct shaper *shaper, uint64_t now)
{
    struct port *port = fan_port(shaper->fan);
    uint32_t sent = shaper->held_count > 0 ? send_held(shaper, now) : 0;
    uint16_t room = shaper->held_count > 0 ? 0 : port->ops->tx_room(port);

    while (shaper->held_count < RTE_MIN(room, PORT_BURST)) {
        struct rte_mbuf *packet = tree_pop(shaper->tree, now);

        if (!packet)
            break;
        shaper->turned |= 1u << packet_tag(packet)->member;
        count(&shaper->stats.tx_bytes, shape_wire_bytes(rte_pktmbuf_pkt_len(packet)));
        shaper->held[shaper->held_count++] = packet;
    }
    if (room == 0 || shaper->held_count == 0)
        return sent;
    sent += send_held(shaper, now);
    count(&shaper->stats.tx_deferred, shaper->held_count);
    return sent;
}

static uint32_t round_of(struct engine *engine, uint64_t *now, uint64_t end)
{
    struct shaper *shaper = (struct shaper *)engine;
    uint32_t work = fan_receive(shaper->fan, *now);

    (void)end;
    *now = clock_now(engine->clock);
    work += take_in(shaper, *now);
    work += wheel_advance(&shaper->wheel, *now, TIMERS_MAX);
    work += send(shaper, *now);
    if (tree_opened(shaper->tree))
        shaper->turned = everybody(shaper);
    shaping_turn(shaper->shaping, shaper->turned);
    shaper->turned = 0;
    __atomic_store_n(&shaper->stats.tx_queued, tree_queued(shaper->tree) + shaper->held_count,
                     __ATOMIC_RELAXED);
    clock_charge(engine->clock, work * PACKET_COST_NS);
    return work;
}

static uint32_t run(struct engine *engine, uint64_t now, uint64_t budget_ns)
{
    return engine_run_rounds(engine, now, budget_ns, round_of);
}

static void disarm(struct engine *engine)
{
    fan_disarm(((struct shaper *)engine)->fan);
}

static uint64_t arm(struct engine *engine, uint64_t now)
{
    struct shaper *shaper = (struct shaper *)engine;
    struct port *port = fan_port(shaper->fan);
    uint64_t deadline = wheel_next(&shaper->wheel);

    if (shaper->old || !fan_arm(shaper->fan))
        return 0;
    if (shaper->held_count > 0 || tree_pending(shaper->tree))
        deadline = port->ops->tx_room(port) > 0 ? now : RTE_MIN(deadline, now + FAN_FULL_RETRY_NS);
    return fan_arm_port(shaper->fan, now, deadline);
}

int shaper_mailbox_adopt(void *engine, void *tree)
{
    struct shaper *shaper = engine;

    /* It is emptied, and that is all: classes of both share what they have saved up. */
    tree_end(shaper->tree);
    shaper->old = shaper->tree;
    shaper->tree = tree;
    tree_begin(shaper->tree, &shaper->wheel, clock_now(shaper->engine.clock));
    shaping_offer(shaper->shaping, tree);
    count(&shaper->stats.policies, 1);
    return 0;
}

/* ---- State ---- */

/* What classes have saved up and counted. Packets that wait are lost with the process, as on a
 * wire; flows send them again. */
static int save(const struct engine *engine, struct state_writer *writer)
{
    const struct shaper *shaper = (const struct shaper *)engine;
    uint64_t now = clock_now(engine->clock);

    for (uint32_t i = 0; i < tree_places(shaper->tree); i++) {
        const struct tree_slot slot = tree_look(shaper->tree, (uint16_t)i, now);
        const char *name = tree_name(shaper->tree, (uint16_t)i);

        state_record_begin(writer, RECORD_CLASS, RECORD_VERSION);
        state_put_bytes(writer, name, (uint32_t)strlen(name));
        state_put_u64(writer, (uint64_t)slot.bucket.level);
        state_put_u64(writer, slot.packets);
        state_put_u64(writer, slot.bytes);
        state_put_u64(writer, slot.delayed_ns);
        state_put_u64(writer, slot.shut);
        state_record_end(writer);
    }
    return writer->error;
}

static uint32_t find_class(const struct tree *tree, const char *name, uint32_t length)
{
    uint32_t i = 0;

    while (i < tree_places(tree) && (strlen(tree_name(tree, (uint16_t)i)) != length ||
                                     memcmp(tree_name(tree, (uint16_t)i), name, length) != 0))
        i++;
    return i;
}

/* A class that is no more is passed over. Nobody gains more than a full bucket by what is written
 * here. */
static void load_class(struct shaper *shaper, struct state_reader *reader, uint64_t now)
{
    uint32_t length;
    const char *name = state_get_bytes(reader, SHAPE_NAME_BYTES - 1, &length);
    uint64_t level = state_get_u64(reader), counters[4];
    uint32_t place;
    struct tree_slot *slot;

    for (uint32_t i = 0; i < RTE_DIM(counters); i++)
        counters[i] = state_get_u64(reader);
    place = name ? find_class(shaper->tree, name, length) : tree_places(shaper->tree);
    if (reader->error || place == tree_places(shaper->tree))
        return;
    slot = tree_touch(shaper->tree, (uint16_t)place, now);
    if (slot->bucket.rate)
        slot->bucket.level = (int64_t)RTE_MIN(level, (uint64_t)slot->bucket.depth);
    count(&slot->packets, counters[0]);
    count(&slot->bytes, counters[1]);
    count(&slot->delayed_ns, counters[2]);
    count(&slot->shut, counters[3]);
}

static int load(struct engine *engine, struct state_reader *reader)
{
    struct shaper *shaper = (struct shaper *)engine;
    uint64_t now = clock_now(engine->clock);
    uint16_t type, version;

    while (state_record_next(reader, &type, &version)) {
        if (version == 0)
            state_reader_fail(reader, -EPROTO);
        else if (type == RECORD_CLASS)
            load_class(shaper, reader, now);
    }
    return reader->error;
}

static uint32_t stats(const struct engine *engine, struct engine_stat *list, uint32_t max)
{
    const struct shaper *shaper = (const struct shaper *)engine;
    const struct fan_stats *fan = fan_stats(shaper->fan);
    const struct {
        const char *name;
        const uint64_t *value;
        bool level;
    } all[] = {
        {"tx_queued", &shaper->stats.tx_queued, true},
        {"rx_packets", &fan->rx_packets, false},
        {"tx_packets", &shaper->stats.tx_packets, false},
        {"tx_bytes", &shaper->stats.tx_bytes, false},
        {"rx_strays", &fan->rx_strays, false},
        {"rx_rest", &fan->rx_rest, false},
        {"rx_full", &fan->rx_full, false},
        {"rx_for_all", &fan->rx_for_all, false},
        {"rx_no_copy", &fan->rx_no_copy, false},
        {"tx_deferred", &shaper->stats.tx_deferred, false},
        {"policies", &shaper->stats.policies, false},
    };
    uint32_t count = sizeof(all) / sizeof(all[0]);

    for (uint32_t i = 0; i < count && i < max; i++)
        list[i] = (struct engine_stat){
            .name = all[i].name,
            .value = __atomic_load_n(all[i].value, __ATOMIC_RELAXED),
            .level = all[i].level,
        };
    return count;
}

static void destroy(struct engine *engine)
{
    struct shaper *shaper = (struct shaper *)engine;

    tree_end(shaper->tree);
    rte_pktmbuf_free_bulk(shaper->held, shaper->held_count);
    engine_fini(engine);
    free(engine);
}

static const struct engine_ops shaper_ops = {
    .kind = SHAPER_KIND,
    .run = run,
    .arm = arm,
    .disarm = disarm,
    .save = save,
    .load = load,
    .stats = stats,
    .destroy = destroy,
};

struct shaping *shaper_shaping(const struct engine *engine)
{
    return engine->ops == &shaper_ops ? ((const struct shaper *)engine)->shaping : NULL;
}

int shaper_create(struct engine **engine, const char *name, struct shaping *shaping,
                  const struct clock *clock)
{
    struct shaper *shaper = NULL;
    uint64_t now = clock_now(clock);
    int error;

    if (posix_memalign((void **)&shaper, alignof(struct shaper), sizeof(*shaper)))
        return -ENOMEM;
    memset(shaper, 0, sizeof(*shaper));
    shaper->shaping = shaping;
    shaper->fan = shaping_fan(shaping);
    shaper->tree = shaping_first(shaping);
    wheel_init(&shaper->wheel, now);
    tree_begin(shaper->tree, &shaper->wheel, now);
    error = engine_init(&shaper->engine, &shaper_ops, name, clock);
    if (error) {
        tree_end(shaper->tree);
        free(shaper);
        return error;
    }
    error = fan_watch(shaper->fan, &shaper->engine);
    if (error) {
        destroy(&shaper->engine);
        return error;
    }
    *engine = &shaper->engine;
    return 0;
}
