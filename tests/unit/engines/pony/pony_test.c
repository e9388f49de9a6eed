/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Two whole engines over a wire that loses and reorders, under virtual time; also with a whole
 * shaper between one of them and the wire. */
#include "engines/pony/pony.h"
#include "engines/shaper/shaper.h"
#include "sched/state.h"
#include "tests/unit/eal.h"
#include "tests/unit/engines/pony/app.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define HOSTS      2u
#define WIRE_MAX   2048u
#define LATENCY_NS 5000u
#define MBUFS      8192u
#define STEP_NS    1000u
#define BUDGET_NS  20000u
#define STEPS_MAX  100000u
#define SHAPED     1u /* the host that has a shaper, where there is one */
#define BURST      65536u
#define MBIT       125000ull /* bytes per second of a megabit per second */

struct bench_port {
    struct port port;
    struct bench *bench;
    uint32_t index;
};

struct bench {
    uint64_t now;
    struct clock clock;
    struct rng rng;
    uint32_t loss, reorder; /* per million */
    struct bench_port ports[HOSTS];
    struct transport_peer peers[HOSTS];
    struct engine *engines[HOSTS];
    struct fan *fan; /* of the shaped host, as what follows; else NULL */
    struct shaping *shaping;
    struct engine *shaper;
    struct app *apps[HOSTS];
    struct {
        struct rte_mbuf *packet;
        uint64_t at;
        uint32_t to;
    } wire[WIRE_MAX];
    uint32_t count;
};

static struct bench *bench;

static uint16_t rx_burst(struct port *port, struct rte_mbuf **packets, uint16_t max, uint64_t now)
{
    struct bench_port *self = (struct bench_port *)port;
    uint16_t count = 0;

    for (uint32_t i = 0; i < self->bench->count && count < max;) {
        if (self->bench->wire[i].to != self->index || self->bench->wire[i].at > now) {
            i++;
            continue;
        }
        packets[count++] = self->bench->wire[i].packet;
        self->bench->wire[i] = self->bench->wire[--self->bench->count];
    }
    return count;
}

static uint16_t tx_burst(struct port *port, struct rte_mbuf **packets, uint16_t count, uint64_t now)
{
    struct bench_port *self = (struct bench_port *)port;

    for (uint16_t i = 0; i < count; i++) {
        if (self->bench->count == WIRE_MAX || rng_chance(&self->bench->rng, self->bench->loss)) {
            rte_pktmbuf_free(packets[i]);
            continue;
        }
        uint64_t late = rng_chance(&self->bench->rng, self->bench->reorder) ? 4 * LATENCY_NS : 0;
        uint32_t place = self->bench->count++;
        self->bench->wire[place].packet = packets[i];
        self->bench->wire[place].at = now + LATENCY_NS + late;
        self->bench->wire[place].to = 1 - self->index;
    }
    return count;
}

static uint16_t tx_room(struct port *port)
{
    (void)port;
    return PORT_BURST;
}

static int port_arm(struct port *port)
{
    struct bench_port *self = (struct bench_port *)port;

    for (uint32_t i = 0; i < self->bench->count; i++)
        if (self->bench->wire[i].to == self->index && self->bench->wire[i].at <= self->bench->now)
            return 1;
    return 0;
}

static void port_disarm(struct port *port)
{
    (void)port;
}

static const struct port_ops port_ops = {
    .driver = "bench",
    .rx_burst = rx_burst,
    .tx_burst = tx_burst,
    .tx_room = tx_room,
    .arm = port_arm,
    .disarm = port_disarm,
};

static uint64_t bench_now(void *arg)
{
    return ((struct bench *)arg)->now;
}

static void bench_charge(void *arg, uint32_t cost_ns)
{
    ((struct bench *)arg)->now += cost_ns;
}

static void make_engine(uint32_t index)
{
    static const uint8_t seed[RNG_SEED_BYTES] = {1, 2, 3};
    struct pony_config config = {.control_fd = -1};

    config.transport.address_count = 1;
    address_parse(&config.transport.addresses[0], index ? "10.0.0.2" : "10.0.0.1");
    config.transport.peers = &bench->peers[index];
    config.transport.peer_count = 1;
    uint8_t own[RNG_SEED_BYTES];
    memcpy(own, seed, sizeof(own));
    own[31] = (uint8_t)index;
    struct port *port = bench->shaping && index == SHAPED ? shaping_port(bench->shaping, 0)
                                                          : &bench->ports[index].port;
    ck_assert_int_eq(pony_create(&bench->engines[index], index ? "one" : "zero", &config, port,
                                 &bench->clock, own),
                     0);
}

static void make_shaper(const struct shape *policy)
{
    struct fan_config config = {
        .port = &bench->ports[SHAPED].port,
        .udp_ports = {WIRE_UDP_PORT},
        .count = 1,
        .address_count = 1,
    };
    struct shaping_config shaping = {.members = 1, .policy = policy};

    address_parse(&config.addresses[0], "10.0.0.2");
    ck_assert_int_eq(fan_create(&bench->fan, &config), 0);
    shaping.fan = bench->fan;
    ck_assert_int_eq(shaping_create(&bench->shaping, &shaping), 0);
    ck_assert_int_eq(shaper_create(&bench->shaper, "shaper", bench->shaping, &bench->clock), 0);
}

/* With a shaper of this policy; NULL: without. */
static void make(const struct shape *policy)
{
    bench = calloc(1, sizeof(*bench));
    bench->now = NSEC_PER_SEC;
    bench->clock = (struct clock){.now = bench_now, .charge = bench_charge, .arg = bench};
    rng_init_u64(&bench->rng, 1, 1);
    for (uint32_t i = 0; i < HOSTS; i++) {
        struct bench_port *port = &bench->ports[i];
        port->bench = bench;
        port->index = i;
        port->port.ops = &port_ops;
        port->port.mtu = 1500;
        port->port.wake_fd = -1;
        port->port.mac.addr_bytes[5] = (uint8_t)(i + 1);
        port->port.pool = test_eal_pool(i ? "one" : "zero", MBUFS);
        strcpy(bench->peers[i].name, "peer");
        address_parse(&bench->peers[i].address, i ? "10.0.0.1" : "10.0.0.2");
        bench->peers[i].mac.addr_bytes[5] = (uint8_t)(2 - i);
    }
    if (policy)
        make_shaper(policy);
    for (uint32_t i = 0; i < HOSTS; i++) {
        make_engine(i);
        bench->apps[i] = app_create(100 + i, i, APP_SLOTS);
        ck_assert_int_eq(pony_mailbox_attach(bench->engines[i], bench->apps[i]->session), 0);
    }
}

static void setup(void)
{
    make(NULL);
}

static void teardown(void)
{
    for (uint32_t i = 0; i < HOSTS; i++) {
        pony_mailbox_detach(bench->engines[i], bench->apps[i]->session);
        app_destroy(bench->apps[i]);
        bench->engines[i]->ops->destroy(bench->engines[i]);
    }
    if (bench->shaper)
        bench->shaper->ops->destroy(bench->shaper);
    shaping_destroy(bench->shaping);
    fan_destroy(bench->fan);
    for (uint32_t i = 0; i < bench->count; i++)
        rte_pktmbuf_free(bench->wire[i].packet);
    for (uint32_t i = 0; i < HOSTS; i++)
        ck_assert_uint_eq(rte_mempool_avail_count(bench->ports[i].port.pool), MBUFS);
    free(bench);
}

/* When an engine that goes to sleep wants to work again; UINT64_MAX: at once, or never. */
static uint64_t deadline_of(struct engine *engine)
{
    uint64_t deadline = engine->ops->arm(engine, bench->now);

    engine->ops->disarm(engine);
    return deadline ? deadline : UINT64_MAX;
}

/* When something can happen next, as the wire and the engines, going to sleep, say. */
static uint64_t next_event(void)
{
    uint64_t next = bench->shaper ? deadline_of(bench->shaper) : UINT64_MAX;

    for (uint32_t i = 0; i < bench->count; i++)
        next = RTE_MIN(next, bench->wire[i].at);
    for (uint32_t i = 0; i < HOSTS; i++)
        next = RTE_MIN(next, deadline_of(bench->engines[i]));
    return next;
}

static void step(void)
{
    uint32_t work = 0;

    for (uint32_t i = 0; i < HOSTS; i++) {
        work += bench->engines[i]->ops->run(bench->engines[i], bench->now, BUDGET_NS);
        work += app_reap(bench->apps[i]);
    }
    if (bench->shaper)
        work += bench->shaper->ops->run(bench->shaper, bench->now, BUDGET_NS);
    uint64_t next = work ? 0 : next_event();
    bench->now = next > bench->now + STEP_NS && next != UINT64_MAX ? next : bench->now + STEP_NS;
}

/* Runs until the application has the completion, for at most `limit_ns`. */
static const struct saddle_event *wait_done(struct app *app, uint64_t tag, uint64_t limit_ns)
{
    uint64_t end = bench->now + limit_ns;
    uint32_t at = 0;

    while (bench->now < end) {
        step();
        uint32_t from = at;
        const struct saddle_event *event = app_event(app, &from, SADDLE_EVT_DONE, tag);
        if (event)
            return event;
    }
    ck_abort_msg("no completion");
    return NULL;
}

static const struct saddle_event *wait_event(struct app *app, uint8_t type, uint64_t tag)
{
    for (uint32_t i = 0; i < STEPS_MAX; i++) {
        uint32_t at = 0;
        const struct saddle_event *event = app_event(app, &at, type, tag);
        if (event)
            return event;
        step();
    }
    ck_abort_msg("no event");
    return NULL;
}

static uint32_t incoming, outgoing;

static void pair(void)
{
    app_listen(bench->apps[0], "echo", 1);
    wait_done(bench->apps[0], 1, NSEC_PER_SEC);
    app_connect(bench->apps[1], "echo", 2);
    incoming = wait_event(bench->apps[0], SADDLE_EVT_INCOMING, 1)->handle;
    const struct saddle_command accept = {.op = SADDLE_CMD_ACCEPT, .handle = incoming, .tag = 3};
    ck_assert(app_submit(bench->apps[0], &accept));
    const struct saddle_event *event = wait_done(bench->apps[1], 2, NSEC_PER_SEC);
    ck_assert_int_eq(event->status, 0);
    outgoing = event->handle;
}

static void post(uint64_t at, uint32_t len, uint64_t tag)
{
    const struct saddle_command command = {
        .op = SADDLE_CMD_POST_RECV,
        .handle = incoming,
        .buf = bench->apps[0]->config.heap_offset + at,
        .len = len,
        .tag = tag,
    };

    ck_assert(app_submit(bench->apps[0], &command));
}

static void transfer(void)
{
    const uint32_t len = 1000000;
    struct app *server = bench->apps[0], *client = bench->apps[1];

    pair();
    app_pattern(client, 0, len, 4);
    post(0, len, 20);
    app_send(client, outgoing, 0, 0, len, 30);
    app_send(client, outgoing, 0, 0, 100, 31);
    ck_assert_int_eq(wait_done(client, 30, 20 * NSEC_PER_SEC)->status, 0);
    ck_assert_int_eq(wait_done(client, 31, NSEC_PER_SEC)->status, 0);
    ck_assert_int_eq(wait_done(server, 20, NSEC_PER_SEC)->status, 0);
    ck_assert(app_matches(app_heap(server, 0), len, 4));
    const struct saddle_event *event = wait_event(server, SADDLE_EVT_MESSAGE, 3);
    ck_assert_uint_eq(event->len, 100);
}

START_TEST(a_message_of_a_megabyte)
{
    transfer();
}
END_TEST

START_TEST(over_a_bad_wire)
{
    bench->loss = 50000;
    bench->reorder = 200000;
    transfer();
}
END_TEST

START_TEST(reads_and_writes_over_a_bad_wire)
{
    struct app *server = bench->apps[0], *client = bench->apps[1];
    struct saddle_command expose = {
        .op = SADDLE_CMD_EXPOSE,
        .buf = server->config.heap_offset,
        .len = 1u << 20,
        .key = SADDLE_RIGHT_READ | SADDLE_RIGHT_WRITE,
        .tag = 9,
    };

    bench->loss = 50000;
    bench->reorder = 200000;
    pair();
    app_pattern(server, 0, 1u << 20, 8);
    ck_assert(app_submit(server, &expose));
    uint64_t key = wait_done(server, 9, NSEC_PER_SEC)->value;
    struct saddle_command command = {
        .op = SADDLE_CMD_READ,
        .handle = outgoing,
        .buf = client->config.heap_offset,
        .len = 1u << 20,
        .key = key,
        .tag = 40,
    };
    ck_assert(app_submit(client, &command));
    ck_assert_int_eq(wait_done(client, 40, 20 * NSEC_PER_SEC)->status, 0);
    ck_assert(app_matches(app_heap(client, 0), 1u << 20, 8));
    app_pattern(client, 0, 1u << 20, 9);
    command.op = SADDLE_CMD_WRITE;
    command.tag = 41;
    ck_assert(app_submit(client, &command));
    ck_assert_int_eq(wait_done(client, 41, 20 * NSEC_PER_SEC)->status, 0);
    ck_assert(app_matches(app_heap(server, 0), 1u << 20, 9));
}
END_TEST

START_TEST(a_silent_peer_is_reported)
{
    struct app *client = bench->apps[1];

    pair();
    bench->loss = 1000000;
    app_send(client, outgoing, 0, 0, 100000, 30);
    ck_assert_int_eq(wait_done(client, 30, 10 * NSEC_PER_SEC)->status, -ETIMEDOUT);
    ck_assert_int_eq(wait_event(client, SADDLE_EVT_CLOSED, 2)->status, -ETIMEDOUT);
}
END_TEST

START_TEST(nobody_there)
{
    struct app *client = bench->apps[1];

    bench->loss = 1000000;
    app_connect(client, "echo", 2);
    ck_assert_int_eq(wait_done(client, 2, 10 * NSEC_PER_SEC)->status, -EHOSTUNREACH);
}
END_TEST

static void reload(uint32_t index)
{
    struct engine *old = bench->engines[index];
    struct state_writer writer;
    struct state_reader reader;

    state_writer_init(&writer);
    ck_assert_int_eq(old->ops->save(old, &writer), 0);
    ck_assert_int_eq(state_writer_finish(&writer), 0);
    old->ops->destroy(old);
    make_engine(index);
    app_renew(bench->apps[index]);
    ck_assert_int_eq(pony_adopt(bench->engines[index], bench->apps[index]->session), 0);
    ck_assert_int_eq(pony_adopt(bench->engines[index], bench->apps[index]->session), -EEXIST);
    ck_assert_int_eq(state_reader_init(&reader, writer.bytes, writer.length), 0);
    ck_assert_int_eq(bench->engines[index]->ops->load(bench->engines[index], &reader), 0);
    state_writer_destroy(&writer);
}

START_TEST(engines_replaced_in_the_middle)
{
    const uint32_t len = 3000000;
    struct app *server = bench->apps[0], *client = bench->apps[1];

    bench->loss = 20000;
    bench->reorder = 100000;
    pair();
    app_pattern(client, 0, len, 4);
    post(0, len, 20);
    app_send(client, outgoing, 0, 0, len, 30);
    for (uint32_t i = 0; i < 12; i++) {
        for (uint32_t j = 0; j < 60; j++)
            step();
        reload(i % HOSTS);
    }
    ck_assert_int_eq(wait_done(client, 30, 20 * NSEC_PER_SEC)->status, 0);
    ck_assert_int_eq(wait_done(server, 20, NSEC_PER_SEC)->status, 0);
    ck_assert(app_matches(app_heap(server, 0), len, 4));
}
END_TEST

START_TEST(sleeps_only_when_nothing_waits)
{
    struct engine *engine = bench->engines[1];

    pair();
    uint64_t deadline = 0;
    for (uint32_t i = 0; i < 1000 && deadline == 0; i++) {
        step();
        deadline = engine->ops->arm(engine, bench->now);
        if (deadline == 0)
            engine->ops->disarm(engine);
    }
    ck_assert_uint_eq(engine_delay(engine, bench->now) < NSEC_PER_MSEC, 1);
    ck_assert_uint_gt(deadline, bench->now);
    /* Armed: the word is there for the application to see. */
    ck_assert_uint_eq(bench->apps[1]->config.channels[0].command.header->armed, 1);
    engine->ops->disarm(engine);
    ck_assert_uint_eq(bench->apps[1]->config.channels[0].command.header->armed, 0);
    app_send(bench->apps[1], outgoing, 0, 0, 10, 60);
    ck_assert_uint_eq(engine->ops->arm(engine, bench->now), 0);
    engine->ops->disarm(engine);
    ck_assert_int_eq(wait_done(bench->apps[1], 60, NSEC_PER_SEC)->status, 0);
}
END_TEST

START_TEST(counts)
{
    struct engine_stat stats[64];
    uint64_t messages = 0, packets = 0;

    transfer();
    uint32_t count = bench->engines[1]->ops->stats(bench->engines[1], stats, 64);
    ck_assert_uint_le(count, 64);
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(stats[i].name, "messages_sent") == 0)
            messages = stats[i].value;
        if (strcmp(stats[i].name, "tx_packets") == 0)
            packets = stats[i].value;
    }
    ck_assert_uint_eq(messages, 2);
    ck_assert_uint_gt(packets, 600);
    ck_assert_uint_eq(bench->engines[1]->ops->stats(bench->engines[1], stats, 0), count);
}
END_TEST

/* A policy under which the leaf takes few packets at a time, fewer than the engine hands over at
 * once: by its own rate, which shuts it in between, or by the rate of all, when it stays open. */
static void setup_shaped(int own)
{
    static struct shape_class classes[2];
    static const struct shape_rule rule = {.has_session = true, .session = 100 + SHAPED};
    static const struct shape policy = {classes, 2, &rule, 1};

    classes[0] = (struct shape_class){.name = "own", .burst = BURST, .weight = 1};
    classes[1] = (struct shape_class){.name = "root", .burst = BURST, .weight = 1};
    classes[own ? 0 : 1].rate = 100 * MBIT;
    make(&policy);
}

/* Nothing but the shaper can make the flow go on: there is no other traffic. */
START_TEST(a_shaped_message_arrives)
{
    const uint32_t len = 1000000;
    uint64_t start;

    setup_shaped(_i);
    pair();
    app_pattern(bench->apps[1], 0, len, 4);
    post(0, len, 20);
    start = bench->now;
    app_send(bench->apps[1], outgoing, 0, 0, len, 30);
    ck_assert_int_eq(wait_done(bench->apps[1], 30, NSEC_PER_SEC)->status, 0);
    ck_assert_int_eq(wait_done(bench->apps[0], 20, NSEC_PER_SEC)->status, 0);
    ck_assert(app_matches(app_heap(bench->apps[0], 0), len, 4));
    /* At the rate, but for the burst, and not much slower. */
    ck_assert_uint_gt(bench->now - start, NSEC_PER_SEC * (len - BURST) / (100 * MBIT));
    ck_assert_uint_lt(bench->now - start, NSEC_PER_SEC * len / (100 * MBIT) * 5 / 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pony");
    TCase *tcase = tcase_create("engines"), *shaped = tcase_create("shaped");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, 60);
    tcase_add_unchecked_fixture(tcase, test_eal_start, NULL);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_message_of_a_megabyte);
    tcase_add_test(tcase, over_a_bad_wire);
    tcase_add_test(tcase, reads_and_writes_over_a_bad_wire);
    tcase_add_test(tcase, a_silent_peer_is_reported);
    tcase_add_test(tcase, nobody_there);
    tcase_add_test(tcase, engines_replaced_in_the_middle);
    tcase_add_test(tcase, sleeps_only_when_nothing_waits);
    tcase_add_test(tcase, counts);
    suite_add_tcase(suite, tcase);
    tcase_set_timeout(shaped, 60);
    tcase_add_unchecked_fixture(shaped, test_eal_start, NULL);
    tcase_add_checked_fixture(shaped, NULL, teardown);
    tcase_add_loop_test(shaped, a_shaped_message_arrives, 0, 2);
    suite_add_tcase(suite, shaped);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
