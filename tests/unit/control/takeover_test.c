/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Applications that work through a hand-over: two servers, each with two real engines joined by a
 * wire of its own, and two applications that attach through libsaddle, talk to each other, and
 * notice nothing.
 *
 *     application, engine alpha  ----  engine beta, application
 */
#include "control/server_handover.h"
#include "daemon/port_ring.h"
#include "engines/pony/pony.h"
#include "sched/group.h"
#include "sched/state.h"
#include "tests/unit/control/transit.h"
#include "tests/unit/eal.h"
#include "tests/unit/folder.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <saddle/saddle.h>

#define ENGINES      2u
#define REASON_BYTES 256
#define PATIENCE_MS  60000
#define LARGE_BYTES  100000u /* over the eager size: it waits for a buffer */
#define SMALL_COUNT  8u      /* messages that nobody has taken yet at the hand-over */
#define SLOTS        16u     /* receive slots of an application */
#define HEAP_BYTES   (1u << 20)
#define POOL_PACKETS 511u
#define TAG_LARGE    7u
#define TAG_POSTED   8u
#define TAG_SMALL    100u
#define NAME_BYTES   32u

static char folder[TEST_FOLDER_BYTES];
static char path[sizeof(folder) + 8];
static char reason[REASON_BYTES];
static uint32_t descriptors_before, rings_made;

/* A daemon, as far as it matters here. */
static struct side {
    struct server *server;
    struct group *group;
    struct engine *engines[ENGINES];
    struct port *ports[ENGINES];
    struct state_writer states[ENGINES];
    struct transit_loop loop;
    /* Of the step at hand, which its loop takes. */
    struct parcel_draft draft;
    struct parcel parcel;
    int result;
} left, right;

/* How far a hand-over gets before the set is given back. */
enum progress {
    OFFERED,
    ADOPTED,
    LEFT,
    ENTERED,
    LOADED,
    MOVED,
};

/* ---- A side ---- */

static struct engine *make_engine(struct side *side, uint32_t index)
{
    static const char *const addresses[ENGINES] = {"10.0.0.1", "10.0.0.2"};
    static const char *const names[ENGINES] = {"alpha", "beta"};
    const struct port *other = side->ports[1 - index];
    struct transport_peer peer = {.mac = other->mac};
    struct pony_config config = {.control_fd = server_control_fd(side->server)};
    uint8_t seed[RNG_SEED_BYTES] = {(uint8_t)(index + 1), (uint8_t)rings_made};
    struct engine *engine;

    snprintf(peer.name, sizeof(peer.name), "%s", names[1 - index]);
    ck_assert_int_eq(address_parse(&peer.address, addresses[1 - index]), 0);
    config.transport.address_count = 1;
    ck_assert_int_eq(address_parse(&config.transport.addresses[0], addresses[index]), 0);
    config.transport.peers = &peer;
    config.transport.peer_count = 1;
    ck_assert_int_eq(
        pony_create(&engine, names[index], &config, side->ports[index], &clock_machine, seed), 0);
    return engine;
}

/* Engines that have no session, on a wire of their own. */
static void make_engines(struct side *side)
{
    char names[ENGINES][NAME_BYTES];
    const struct port_ring_config config = {.name = {names[0], names[1]},
                                            .mtu = 1500,
                                            .pool_packets = POOL_PACKETS};

    rings_made++;
    for (uint32_t i = 0; i < ENGINES; i++)
        snprintf(names[i], sizeof(names[i]), "wire%u-%u", rings_made, i);
    ck_assert_int_eq(port_ring_create(&side->ports[0], &side->ports[1], &config), 0);
    for (uint32_t i = 0; i < ENGINES; i++)
        side->engines[i] = make_engine(side, i);
}

static void destroy_engines(struct side *side)
{
    for (uint32_t i = 0; i < ENGINES; i++)
        side->engines[i]->ops->destroy(side->engines[i]);
    for (uint32_t i = 0; i < ENGINES; i++)
        side->ports[i]->ops->destroy(side->ports[i]);
}

static void group_up(struct side *side)
{
    for (uint32_t i = 0; i < ENGINES; i++)
        ck_assert_int_eq(group_add(side->group, side->engines[i]), 0);
}

static void group_down(struct side *side)
{
    for (uint32_t i = 0; i < ENGINES; i++)
        ck_assert_int_eq(group_remove(side->group, side->engines[i]), 0);
}

static void make_side(struct side *side, bool takes_over)
{
    const struct group_config group_config = {.name = "test", .mode = &group_mode_spreading};
    const struct server_config config = {
        .path = path,
        .mode = 0600,
        .policy = {.owner = geteuid()},
        .sessions_per_uid = 10,
        .memory_per_uid = UINT64_MAX,
        .handshake_timeout_ns = TRANSIT_PATIENCE_NS,
        .takes_over = takes_over,
    };

    ck_assert_msg(server_create(&side->server, &config, reason, sizeof(reason)) == 0, "%s", reason);
    ck_assert_int_eq(group_create(&side->group, &group_config), 0);
    make_engines(side);
    transit_loop_start(&side->loop, side->server, side->engines, ENGINES);
}

/* It has engines, on a group, or not any more. */
static void end_side(struct side *side, bool has_engines)
{
    transit_loop_stop(&side->loop);
    ck_assert_int_eq(server_stop(side->server), 0);
    if (has_engines) {
        group_down(side);
        destroy_engines(side);
    }
    group_destroy(side->group);
    server_destroy(side->server);
}

/* ---- Steps, each on the loop of the side that takes it ---- */

static void offer(void *argument)
{
    struct side *side = argument;

    server_freeze(side->server);
    parcel_draft_init(&side->draft);
    side->result =
        server_offer(side->server, side->engines, ENGINES, &side->draft, reason, sizeof(reason));
}

static void adopt(void *argument)
{
    struct side *side = argument;

    side->result =
        server_adopt(side->server, side->engines, ENGINES, &side->parcel, reason, sizeof(reason));
}

/* Its engines are in no group. */
static void leave(void *argument)
{
    struct side *side = argument;

    side->result = server_leave(side->server, side->engines, ENGINES, reason, sizeof(reason));
    for (uint32_t i = 0; i < ENGINES; i++) {
        struct engine *engine = side->engines[i];

        state_writer_init(&side->states[i]);
        ck_assert_int_eq(engine->ops->save(engine, &side->states[i]), 0);
        ck_assert_int_eq(state_writer_finish(&side->states[i]), 0);
    }
}

static void enter(void *argument)
{
    struct side *side = argument;

    for (uint32_t i = 0; i < ENGINES; i++)
        ck_assert_int_eq(server_enter(side->server, side->engines[i], reason, sizeof(reason)), 0);
}

static void entered(void *argument)
{
    struct side *side = argument;

    for (uint32_t i = 0; i < ENGINES; i++)
        ck_assert_msg(server_entered(side->server, side->engines[i], reason, sizeof(reason)) == 0,
                      "%s", reason);
    server_settle(side->server, side->engines, ENGINES);
}

static void forget(void *argument)
{
    struct side *side = argument;

    server_forget(side->server, side->engines, ENGINES);
}

static void thaw(void *argument)
{
    struct side *side = argument;

    server_thaw(side->server);
}

static void offer_socket(void *argument)
{
    struct side *side = argument;

    parcel_draft_init(&side->draft);
    server_offer_socket(side->server, &side->draft);
}

static void adopt_socket(void *argument)
{
    struct side *side = argument;

    side->result = server_adopt_socket(side->server, &side->parcel, reason, sizeof(reason));
}

static void forget_socket(void *argument)
{
    struct side *side = argument;

    server_forget_socket(side->server);
}

static void must(struct side *side, void (*step)(void *argument))
{
    side->result = 0;
    transit_loop_do(&side->loop, step, side);
    ck_assert_msg(side->result == 0, "%s", reason);
}

static void load(struct side *from, struct side *to)
{
    for (uint32_t i = 0; i < ENGINES; i++) {
        struct state_reader reader;

        ck_assert_int_eq(state_reader_init(&reader, from->states[i].bytes, from->states[i].length),
                         0);
        ck_assert_int_eq(to->engines[i]->ops->load(to->engines[i], &reader), 0);
    }
}

static void free_states(struct side *from)
{
    for (uint32_t i = 0; i < ENGINES; i++)
        state_writer_destroy(&from->states[i]);
}

/* All steps until `progress`. */
static void go(struct side *from, struct side *to, enum progress progress)
{
    must(from, offer);
    transit(&from->draft, &to->parcel);
    if (progress >= ADOPTED)
        must(to, adopt);
    parcel_destroy(&to->parcel);
    if (progress < LEFT)
        return;
    group_down(from);
    must(from, leave);
    if (progress >= ENTERED)
        must(to, enter);
    if (progress >= LOADED) {
        load(from, to);
        must(to, entered);
    }
    free_states(from);
}

/* The set is `to`'s; `from` has no engines any more. */
static void hand_over(struct side *from, struct side *to)
{
    go(from, to, MOVED);
    group_up(to);
    must(from, forget);
    destroy_engines(from);
}

/* The set is given back, and `to` begins anew. */
static void hand_over_in_vain(struct side *from, struct side *to, enum progress progress)
{
    go(from, to, progress);
    must(to, forget);
    destroy_engines(to);
    if (progress >= LEFT)
        group_up(from);
    must(from, thaw);
    make_engines(to);
}

static void hand_over_socket(struct side *from, struct side *to)
{
    must(from, offer_socket);
    transit(&from->draft, &to->parcel);
    must(to, adopt_socket);
    parcel_destroy(&to->parcel);
    must(from, forget_socket);
    must(to, thaw);
}

/* ---- Applications ---- */

static struct application {
    struct saddle_session *session;
    struct saddle_channel *channel;
    saddle_handle connection;
    uint8_t *memory; /* LARGE_BYTES of the heap */
} caller, called;

static void attach(struct application *application, const char *engine)
{
    const struct saddle_attach_options options = {
        .size = sizeof(options),
        .socket = path,
        .engine = engine,
        .channels = 1,
        .receive_slots = SLOTS,
        .timeout_ms = PATIENCE_MS,
        .heap_bytes = HEAP_BYTES,
    };

    ck_assert_msg(saddle_attach(&application->session, &options, reason, sizeof(reason)) == 0, "%s",
                  reason);
    application->channel = saddle_channel(application->session, 0);
    application->memory = saddle_alloc(application->session, LARGE_BYTES);
    ck_assert_ptr_nonnull(application->memory);
}

/* The next event, of that kind and with that status. */
static void expect_status(const struct application *application, uint8_t kind, int32_t status,
                          struct saddle_completion *event)
{
    ck_assert_int_eq(saddle_wait(application->channel, PATIENCE_MS), 1);
    ck_assert_int_eq(saddle_poll(application->channel, event, 1), 1);
    ck_assert_msg(event->kind == kind && event->status == status, "kind %u status %d tag %llu",
                  event->kind, event->status, (unsigned long long)event->tag);
}

static void expect(const struct application *application, uint8_t kind,
                   struct saddle_completion *event)
{
    expect_status(application, kind, 0, event);
}

static void connect_them(void)
{
    struct saddle_completion event;
    saddle_handle listener;

    ck_assert_int_eq(saddle_listen_wait(called.channel, "service", PATIENCE_MS, &listener), 0);
    ck_assert_int_eq(saddle_connect(caller.channel, "beta", "service", NULL), 0);
    ck_assert_int_eq(saddle_flush(caller.channel), 0);
    ck_assert_int_eq(saddle_accept_wait(called.channel, listener, PATIENCE_MS, &called.connection),
                     0);
    expect(&caller, SADDLE_DONE, &event);
    caller.connection = event.handle;
}

static void fill(uint8_t *memory, uint8_t salt)
{
    for (uint32_t i = 0; i < LARGE_BYTES; i++)
        memory[i] = (uint8_t)(i * 31 + i / 251 + salt);
}

/* Begins what is not done before the hand-over: messages that nobody takes, and one that waits for
 * a buffer. */
static void begin(uint8_t salt)
{
    struct saddle_op op = {.size = sizeof(op), .tag = TAG_LARGE};
    struct saddle_completion event;

    fill(caller.memory, salt);
    ck_assert_int_eq(
        saddle_send(caller.channel, caller.connection, caller.memory, LARGE_BYTES, &op), 0);
    ck_assert_int_eq(saddle_flush(caller.channel), 0);
    expect(&called, SADDLE_WAITING, &event);
    ck_assert_uint_eq(event.value, LARGE_BYTES);
    op.stream = 1;
    for (uint32_t i = 0; i < SMALL_COUNT; i++) {
        op.tag = TAG_SMALL + i;
        ck_assert_int_eq(saddle_send(caller.channel, caller.connection, &i, sizeof(i), &op), 0);
    }
    ck_assert_int_eq(saddle_flush(caller.channel), 0);
}

/* Takes the small ones, each once and in order. */
static void take_small(void)
{
    struct saddle_completion event;

    for (uint32_t i = 0; i < SMALL_COUNT; i++) {
        expect(&called, SADDLE_MESSAGE, &event);
        ck_assert_uint_eq(event.len, sizeof(i));
        ck_assert_mem_eq(event.data, &i, sizeof(i));
        ck_assert_int_eq(saddle_release(called.channel, &event), 0);
    }
}

/* And finishes it: each is done once. */
static void finish(uint8_t salt)
{
    struct saddle_op op = {.size = sizeof(op), .tag = TAG_POSTED};
    struct saddle_completion event;
    uint32_t small = 0, large = 0;

    take_small();
    memset(called.memory, 0, LARGE_BYTES);
    ck_assert_int_eq(
        saddle_post_recv(called.channel, called.connection, called.memory, LARGE_BYTES, &op), 0);
    ck_assert_int_eq(saddle_flush(called.channel), 0);
    expect(&called, SADDLE_DONE, &event);
    ck_assert_uint_eq(event.tag, TAG_POSTED);
    ck_assert_uint_eq(event.len, LARGE_BYTES);
    fill(caller.memory, salt);
    ck_assert_mem_eq(called.memory, caller.memory, LARGE_BYTES);
    while (small < SMALL_COUNT || large < 1) {
        expect(&caller, SADDLE_DONE, &event);
        if (event.tag == TAG_LARGE)
            large++;
        else
            ck_assert_uint_eq(event.tag, TAG_SMALL + small++);
    }
    ck_assert_uint_eq(large, 1);
    ck_assert_int_eq(saddle_poll(caller.channel, &event, 1), 0);
    ck_assert_int_eq(saddle_poll(called.channel, &event, 1), 0);
}

/* ---- Tests ---- */

static void setup(void)
{
    signal(SIGPIPE, SIG_IGN);
    ck_assert_ptr_nonnull(test_folder_make(folder, "saddle-takeover-test"));
    snprintf(path, sizeof(path), "%s/s", folder);
    descriptors_before = transit_descriptors();
    make_side(&left, false);
    make_side(&right, true);
    group_up(&left);
    attach(&caller, "alpha");
    attach(&called, "beta");
    connect_them();
}

static void teardown(void)
{
    ck_assert_uint_eq(transit_descriptors(), descriptors_before);
    ck_assert_int_eq(rmdir(folder), 0);
}

/* Both leave; the side that has the engines sees it, and so does who is left. */
static void part(struct side *side)
{
    struct saddle_completion event;

    saddle_detach(caller.session);
    transit_loop_await_sessions(&side->loop, 1);
    expect_status(&called, SADDLE_CLOSED, -ECONNRESET, &event);
    saddle_detach(called.session);
    transit_loop_await_sessions(&side->loop, 0);
}

START_TEST(applications_go_on)
{
    struct application late;
    struct saddle_completion event;
    struct stat found;

    begin(1);
    hand_over(&left, &right);
    hand_over_socket(&left, &right);
    end_side(&left, false);
    ck_assert_int_eq(stat(path, &found), 0);
    finish(1);
    begin(2);
    finish(2);
    attach(&late, "alpha");
    transit_loop_await_sessions(&right.loop, 3);
    ck_assert_int_eq(saddle_ping(late.channel, "beta", 0, NULL), 0);
    expect(&late, SADDLE_DONE, &event);
    saddle_detach(late.session);
    transit_loop_await_sessions(&right.loop, 2);
    part(&right);
    end_side(&right, true);
}
END_TEST

/* Who has gone before the other daemon watched is found by it. */
START_TEST(an_application_leaves_meanwhile)
{
    struct saddle_completion event;

    begin(1);
    go(&left, &right, MOVED);
    saddle_detach(caller.session);
    group_up(&right);
    must(&left, forget);
    destroy_engines(&left);
    hand_over_socket(&left, &right);
    transit_loop_await_sessions(&right.loop, 1);
    do
        ck_assert_int_eq(saddle_wait(called.channel, PATIENCE_MS), 1);
    while (saddle_poll(called.channel, &event, 1) == 1 && event.kind != SADDLE_CLOSED &&
           saddle_release(called.channel, &event) == 0);
    ck_assert_uint_eq(event.kind, SADDLE_CLOSED);
    saddle_detach(called.session);
    transit_loop_await_sessions(&right.loop, 0);
    end_side(&left, false);
    end_side(&right, true);
}
END_TEST

/* Whenever it fails, the old one serves on; and in the end it goes over after all. */
START_TEST(a_set_is_given_back)
{
    begin(1);
    hand_over_in_vain(&left, &right, (enum progress)_i);
    finish(1);
    begin(2);
    transit_loop_await_sessions(&left.loop, 2);
    transit_loop_await_sessions(&right.loop, 0);
    hand_over(&left, &right);
    finish(2);
    hand_over_socket(&left, &right);
    end_side(&left, false);
    part(&right);
    end_side(&right, true);
}
END_TEST

START_TEST(there_and_back_again)
{
    struct application late;

    begin(1);
    hand_over(&left, &right);
    make_engines(&left);
    finish(1);
    begin(2);
    hand_over(&right, &left);
    finish(2);
    must(&left, thaw);
    end_side(&right, false);
    attach(&late, "beta");
    saddle_detach(late.session);
    part(&left);
    end_side(&left, true);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control/takeover");
    TCase *tcase = tcase_create("takeover");
    SRunner *runner;
    int failed;

    tcase_add_unchecked_fixture(tcase, test_eal_start, NULL);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, applications_go_on);
    tcase_add_test(tcase, an_application_leaves_meanwhile);
    tcase_add_loop_test(tcase, a_set_is_given_back, OFFERED, MOVED);
    tcase_add_test(tcase, there_and_back_again);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
