/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/engines/pony/rig.h"

#include "engines/pony/connection.h"
#include "engines/pony/onesided.h"
#include "engines/pony/path.h"
#include "engines/pony/served.h"
#include "engines/pony/stream.h"
#include "engines/pony/wire.h"
#include "sched/state.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define START_NS   1000000u
#define STEP_NS    2000u
#define PER_STEP   8u                  /* packets delivered or filled in a step */
#define SECRET     0x9e3779b97f4a7c15u /* odd: names of operations served are spread by it */
#define FLOW_TAKEN 7u                  /* the number of the one flow */

/* ---- The lower layer that is not there ---- */

void flow_kick(struct flow *flow)
{
    flow->kicked = true;
}

/* Here it is asked until it answers 0, however often. */
void flow_said_all(struct flow *flow)
{
    (void)flow;
}

void flow_kick_light(struct flow *flow)
{
    flow->light = true;
}

bool flow_is_past(const struct flow *flow)
{
    return flow->past;
}

uint64_t flow_number(const struct flow *flow)
{
    return flow->number;
}

bool flow_arrived(const struct flow *flow, uint64_t number)
{
    return number < flow->arrived;
}

void flow_hold(struct flow *flow)
{
    flow->references++;
}

void flow_release(struct flow *flow)
{
    ck_assert_uint_gt(flow->references, 0);
    flow->references--;
}

const struct address *flow_peer(const struct flow *flow)
{
    return &flow->peer;
}

bool flow_is_first(const struct flow *flow)
{
    (void)flow;
    return true;
}

uint32_t *flow_host_load(const struct flow *flow)
{
    return &((struct flow *)(uintptr_t)flow)->load;
}

uint32_t flow_id(const struct flow *flow)
{
    (void)flow;
    return FLOW_TAKEN;
}

const char *flow_peer_name(const struct flow *flow)
{
    (void)flow;
    return "peer";
}

bool flow_is_open(const struct flow *flow)
{
    return flow->open;
}

int flow_error(const struct flow *flow)
{
    return flow->ended ? flow->error : 0;
}

uint32_t flow_room(const struct flow *flow)
{
    return flow->room ? flow->room : RIG_ROOM;
}

uint32_t flow_room_hoped(const struct flow *flow)
{
    return flow->hoped ? flow->hoped : RIG_ROOM;
}

void flow_report(const struct flow *flow, struct flow_report *report)
{
    *report = flow->says;
}

void flow_set_context(struct flow *flow, void *context)
{
    flow->context = context;
}

void *flow_context(const struct flow *flow)
{
    return flow->context;
}

bool flow_tagged(const struct flow *flow)
{
    return flow->tagged;
}

bool flow_claim(struct flow *flow, uint32_t session, uint32_t uid)
{
    (void)uid;
    ck_assert(flow->tagged);
    if (session != 0 && session == flow->shut)
        return false;
    flow->claimed = session;
    return true;
}

static struct rig_host *host_of(struct transport *transport)
{
    return (struct rig_host *)(void *)transport;
}

int transport_flow(struct transport *transport, const struct address *peer, uint64_t now,
                   struct flow **flow)
{
    (void)peer;
    (void)now;
    struct rig_host *host = host_of(transport);

    *flow = host->resets ? &host->next : &host->flow;
    (*flow)->references++;
    return 0;
}

/* There is no other engine. */
int transport_flow_to(struct transport *transport, const struct address *peer, uint16_t udp_port,
                      uint64_t now, struct flow **flow)
{
    (void)transport;
    (void)peer;
    (void)udp_port;
    (void)now;
    *flow = NULL;
    return -EINVAL;
}

struct flow *transport_loaded_flow(struct transport *transport, uint32_t id)
{
    return id == FLOW_TAKEN ? &host_of(transport)->flow : NULL;
}

int transport_resolve(const struct transport *transport, const char *host, struct address *address)
{
    (void)transport;
    memset(address, 0, sizeof(*address));
    return strcmp(host, "peer") == 0 ? 0 : -ENOENT;
}

/* ---- Hosts ---- */

static uint64_t rig_now(void *arg)
{
    return ((struct rig *)arg)->now;
}

static void make_host(struct rig *rig, uint32_t index)
{
    struct rig_host *host = &rig->hosts[index];
    const struct upper_limits limits = {.sessions = 4,
                                        .connections = rig->connections_max,
                                        .operations = 512,
                                        .regions = 32,
                                        .flows = 4};

    memset(&host->upper, 0, sizeof(host->upper));
    wheel_init(&host->wheel, rig->now);
    ck_assert_int_eq(upper_init(&host->upper, &limits), 0);
    host->upper.transport = (struct transport *)(void *)host;
    host->upper.clock = &rig->clock;
    host->upper.rng = &host->rng;
    host->upper.served_secret = SECRET;
    host->upper.wheel = &host->wheel;
    host->upper.now = rig->now;
    host->flow = (struct flow){
        .rig = rig,
        .host = index,
        .open = true,
        .says = {.features = WIRE_FEATURES_KNOWN,
                 .mtu = RIG_MTU,
                 .udp_port = WIRE_UDP_PORT,
                 .version = WIRE_VERSION_MAX},
    };
}

struct rig *rig_create(uint64_t seed, uint32_t slots)
{
    return rig_create_wide(seed, slots, RIG_CONNECTIONS);
}

struct rig *rig_create_wide(uint64_t seed, uint32_t slots, uint32_t connections)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    ck_assert_ptr_nonnull(rig);
    rig->now = START_NS;
    rig->connections_max = connections;
    rig->clock = (struct clock){.now = rig_now, .arg = rig};
    rig->packets = malloc(RIG_PACKETS * sizeof(rig->packets[0]));
    ck_assert_ptr_nonnull(rig->packets);
    rng_init_u64(&rig->rng, seed, 0);
    for (uint32_t i = 0; i < RIG_HOSTS; i++) {
        rng_init_u64(&rig->hosts[i].rng, seed, i + 1);
        make_host(rig, i);
    }
    for (uint32_t i = 0; i < RIG_HOSTS && slots; i++)
        rig_attach(rig, i, slots);
    return rig;
}

void rig_destroy(struct rig *rig)
{
    for (uint32_t i = 0; i < RIG_HOSTS; i++)
        upper_fini(&rig->hosts[i].upper);
    for (uint32_t i = 0; i < rig->app_count; i++)
        app_destroy(rig->apps[i]);
    free(rig->packets);
    free(rig);
}

/* ---- Applications ---- */

struct app *rig_attach(struct rig *rig, uint32_t host, uint32_t slots)
{
    struct app *app = app_create(100 + rig->app_count, host, slots);

    rig_join(rig, app);
    return app;
}

void rig_join(struct rig *rig, struct app *app)
{
    ck_assert_uint_lt(rig->app_count, RIG_APPS);
    ck_assert_int_eq(upper_attach(&rig->hosts[app->host].upper, app->session), 0);
    rig->apps[rig->app_count++] = app;
}

void rig_detach(struct rig *rig, struct app *app)
{
    while (upper_detach(&rig->hosts[app->host].upper, app->session) == -EAGAIN)
        continue;
    /* Whatever the engine would still touch is gone. */
    app_leave(app);
}

/* ---- Steps ---- */

static bool fill_one(struct rig *rig, struct rig_host *host)
{
    struct flow *flow = &host->flow;

    if (!flow->kicked || flow->ended || rig->packet_count == RIG_PACKETS)
        return false;
    flow->kicked = false;
    struct rig_packet *packet = &rig->packets[rig->packet_count];
    /* The transport asks again as long as something comes. */
    packet->bytes = upper_flow_ops.fill(&host->upper, flow, packet->ops, RIG_ROOM, rig->now);
    ck_assert_uint_le(packet->bytes, RIG_ROOM);
    if (packet->bytes == 0)
        return flow->kicked;
    packet->to = 1 - flow->host;
    rig->packet_count++;
    flow->kicked = true;
    return true;
}

/* Damages one byte of some operation's payload: the flow layer would have caught the rest. */
static void damage(struct rig *rig, struct rig_packet *packet)
{
    const uint8_t *payload;
    struct wire_op op;
    uint32_t at = 0;

    while (wire_op_next(packet->ops, packet->bytes, &at, &op, &payload)) {
        if (op.length == 0)
            continue;
        uint64_t which = rng_below(&rig->rng, op.length);
        packet->ops[(uint64_t)(payload - packet->ops) + which] ^= (uint8_t)(1 + which % 255);
        rig->damaged++;
        return;
    }
}

static bool deliver_one(struct rig *rig)
{
    if (rig->packet_count == 0)
        return false;
    uint32_t which = (uint32_t)rng_below(&rig->rng, rig->packet_count);
    struct rig_packet packet = rig->packets[which];
    struct rig_host *host = &rig->hosts[packet.to];

    if (rng_chance(&rig->rng, rig->decline_per_million))
        return true;
    if (rng_chance(&rig->rng, rig->corrupt_per_million))
        damage(rig, &packet);
    if (!upper_flow_ops.admit(&host->upper, &host->flow, packet.ops, packet.bytes))
        return true;
    rig->packets[which] = rig->packets[--rig->packet_count];
    rig->delivered++;
    upper_flow_ops.deliver(&host->upper, &host->flow, packet.ops, packet.bytes, rig->now);
    return true;
}

bool rig_step(struct rig *rig)
{
    bool moved = false;

    rig->now += STEP_NS;
    for (uint32_t i = 0; i < PER_STEP; i++)
        moved |= deliver_one(rig);
    for (uint32_t i = 0; i < RIG_HOSTS; i++) {
        struct rig_host *host = &rig->hosts[i];
        host->upper.now = rig->now;
        bool quiet = !moved && upper_quiet(&host->upper);
        if (!quiet)
            moved |= upper_commands(&host->upper, rig->now) > 0;
        if (wheel_advance(&host->wheel, rig->now, 64) > 0 || !quiet)
            upper_notices(&host->upper);
        for (uint32_t j = 0; j < PER_STEP; j++)
            moved |= fill_one(rig, host);
        upper_publish(&host->upper);
        /* What waits for an application's word is under way. */
        moved |= wheel_timer_armed(&host->upper.late_timer);
    }
    for (uint32_t i = 0; i < rig->app_count; i++)
        if (rig->apps[i]->arena && !rig->apps[i]->hold)
            moved |= app_reap(rig->apps[i]);
    return moved;
}

void rig_settle(struct rig *rig)
{
    uint32_t steps = 0;

    while (rig_step(rig))
        ck_assert_msg(++steps < RIG_STEPS_MAX, "it never comes to rest");
}

void rig_advance(struct rig *rig, uint64_t ns)
{
    rig->now += ns;
    for (uint32_t i = 0; i < RIG_HOSTS; i++) {
        rig->hosts[i].upper.now = rig->now;
        while (wheel_advance(&rig->hosts[i].wheel, rig->now, 64) > 0)
            continue;
    }
}

void rig_break(struct rig *rig, int error)
{
    rig->packet_count = 0;
    for (uint32_t i = 0; i < RIG_HOSTS; i++) {
        struct rig_host *host = &rig->hosts[i];
        upper_flow_ops.ended(&host->upper, &host->flow, error, rig->now);
        ck_assert_uint_eq(host->flow.references, 0);
        ck_assert_ptr_null(host->flow.context);
    }
}

void rig_reset(struct rig *rig)
{
    rig->packet_count = 0;
    for (uint32_t i = 0; i < RIG_HOSTS; i++) {
        struct rig_host *host = &rig->hosts[i];
        host->next = host->flow;
        host->next.references = 0;
        host->next.context = NULL;
        host->resets = true;
        upper_flow_ops.ended(&host->upper, &host->flow, -ECONNRESET, rig->now);
        host->resets = false;
        ck_assert_uint_eq(host->flow.references, 0);
        ck_assert_ptr_null(host->flow.context);
        /* From now on it is the flow that there is. */
        host->flow = host->next;
        if (host->flow.context)
            ((struct path *)host->flow.context)->flow = &host->flow;
    }
}

static void load(struct rig *rig, uint32_t index, const struct state_writer *writer)
{
    struct rig_host *host = &rig->hosts[index];
    struct state_reader reader;
    uint16_t type, version;

    ck_assert_int_eq(state_reader_init(&reader, writer->bytes, writer->length), 0);
    while (state_record_next(&reader, &type, &version))
        upper_load_record(&host->upper, &reader, type, rig->now);
    ck_assert_int_eq(reader.error, 0);
    ck_assert_int_eq(upper_load_finish(&host->upper), 0);
}

void rig_blank(struct rig *rig, uint32_t index)
{
    struct rig_host *host = &rig->hosts[index];
    struct flow before = host->flow;

    upper_fini(&host->upper);
    make_host(rig, index);
    host->flow.kicked = before.kicked;
    host->flow.ended = before.ended;
    host->flow.error = before.error;
    for (uint32_t i = 0; i < rig->app_count; i++) {
        struct app *app = rig->apps[i];
        if (app->host != index || !app->arena)
            continue;
        app_renew(app);
        ck_assert_int_eq(upper_adopt(&host->upper, app->session), 0);
    }
}

void rig_reload(struct rig *rig, uint32_t index)
{
    struct state_writer writer;

    upper_publish(&rig->hosts[index].upper); /* as at the end of each turn */
    state_writer_init(&writer);
    upper_save(&rig->hosts[index].upper, &writer);
    ck_assert_int_eq(state_writer_finish(&writer), 0);
    rig_blank(rig, index);
    load(rig, index, &writer);
    state_writer_destroy(&writer);
}

/* ---- Looking ---- */

void rig_pair(struct rig *rig, struct app *server, struct app *client, uint32_t *incoming,
              uint32_t *outgoing)
{
    uint32_t at = server->event_count;

    app_listen(server, "echo", 1);
    rig_settle(rig);
    app_connect(client, "echo", 2);
    rig_settle(rig);
    const struct saddle_event *event = app_event(server, &at, SADDLE_EVT_INCOMING, 1);
    ck_assert_ptr_nonnull(event);
    *incoming = event->handle;
    const struct saddle_command accept = {.op = SADDLE_CMD_ACCEPT, .handle = *incoming, .tag = 3};
    ck_assert(app_submit(server, &accept));
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, 2)->status, 0);
    *outgoing = app_done(client, 2)->handle;
}

static uint64_t expected_of(const struct pony_session *session)
{
    uint64_t expected = 0;

    for (uint32_t i = 0; i < session->config.slot_count; i++) {
        const struct slot *slot = &session->slots[i];
        expected += slot->state == SLOT_FILLING ? slot->length - slot->received : 0;
    }
    return expected;
}

static void check_session(const struct pony_session *session)
{
    uint32_t free = 0, promised = 0, connections = 0, receivers = 0, holders = 0, held = 0;
    uint32_t lent = 0;
    const struct list *node;

    LIST_EACH(node, &session->dead)
    {
        const struct connection *connection = LIST_OF(node, struct connection, session_node);
        ck_assert_uint_eq(connection->state, CONNECTION_DEAD);
        connections++;
    }

    for (uint32_t i = 0; i < session->config.slot_count; i++)
        free += session->slots[i].state == SLOT_FREE;
    ck_assert_uint_eq(free, session->free_count);
    LIST_EACH(node, &session->connections)
    {
        const struct connection *connection = LIST_OF(node, struct connection, session_node);
        connections++;
        uint32_t unused = connection->credits_granted - connection->credits_consumed;
        promised += unused;
        receivers += connection->receives;
        holders += connection->receives && unused + connection->held > 0;
        held += connection->receives ? connection->held : 0;
        ck_assert(connection->receives == (connection->state == CONNECTION_OPENING ||
                                           connection->state == CONNECTION_INCOMING ||
                                           connection->state == CONNECTION_OPEN));
    }
    for (uint32_t i = 0; i < session->config.slot_count; i++) {
        const struct slot *slot = &session->slots[i];
        const struct connection *owner = connection_find(session->upper, slot->owner);
        lent += slot->state != SLOT_FREE && owner && owner->session == session && owner->receives;
    }
    ck_assert_uint_eq(receivers, session->receivers);
    ck_assert_uint_eq(holders, session->holders);
    ck_assert_uint_eq(held, lent);
    ck_assert_uint_eq(connections, session->connection_count);
    ck_assert_uint_eq(promised, session->promised);
    ck_assert_uint_le(promised, free);
}

void rig_check_host(struct rig *rig, uint32_t index)
{
    const struct upper *upper = &rig->hosts[index].upper;
    uint32_t connections = 0, operations = 0, streams = 0, served = 0, gathers = 0;
    for (uint32_t j = 0; j < upper->gathers_max; j++)
        gathers += upper->gathers[j].count > 0;
    ck_assert_uint_eq(gathers + upper->gather_pool.free, upper->gathers_max);
    for (uint32_t j = 0; j < upper->connections_max; j++)
        connections += upper->connections[j].state != CONNECTION_FREE;
    uint64_t expected = 0;
    for (uint32_t j = 0; j < upper->operations_max; j++) {
        operations += upper->operations[j].state != OPERATION_FREE;
        expected += onesided_expected(&upper->operations[j]);
    }
    for (uint32_t j = 0; j < upper->streams_max; j++)
        streams += upper->streams[j].connection != NULL;
    for (uint32_t j = 0; j < UPPER_SERVED; j++)
        served += upper->served[j].connection != NULL;
    ck_assert_uint_eq(connections + upper->connection_pool.free, upper->connections_max);
    ck_assert_uint_eq(operations + upper->operation_pool.free, upper->operations_max);
    ck_assert_uint_eq(streams + upper->stream_pool.free, upper->streams_max);
    ck_assert_uint_eq(served + upper->served_pool.free, UPPER_SERVED);
    ck_assert_uint_eq(served, rig->hosts[index].flow.load);
    ck_assert_uint_eq(connections, upper->counters.connections);
    ck_assert_uint_eq(operations, upper->counters.operations);
    for (uint32_t j = 0; j < upper->sessions_max; j++) {
        if (upper->sessions[j]) {
            check_session(upper->sessions[j]);
            expected += expected_of(upper->sessions[j]);
        }
    }
    ck_assert_uint_eq(expected, upper->expected);
}

void rig_check(struct rig *rig)
{
    for (uint32_t i = 0; i < RIG_HOSTS; i++)
        rig_check_host(rig, i);
}
