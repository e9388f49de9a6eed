/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A host whose configuration changes while its engines run, without sessions: what they notice is
 * seen with whole processes.
 */
#include "daemon/host.h"
#include "engines/port.h"
#include "engines/shaper/shaper.h"
#include "tests/unit/eal.h"
#include "tests/unit/folder.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define REASON_BYTES 256
#define CONFIGS_MAX  64
#define PATIENCE_NS  (20 * NSEC_PER_SEC)
#define WIRE                                                                                       \
    "ports:\n"                                                                                     \
    "  - {name: a, driver: net_ring, peer: b, packets: 512}\n"                                     \
    "  - {name: b, driver: net_ring, peer: a, packets: 512}\n"                                     \
    "  - {name: n, driver: net_null, packets: 512}\n"                                              \
    "engines:\n"                                                                                   \
    "  - {name: x, port: a, addresses: [10.0.0.1]}\n"
#define Y      "  - {name: y, port: b, addresses: [10.0.0.2]}\n"
#define Z      "  - {name: z, port: n, addresses: [10.0.0.3]}\n"
#define ONE    "groups: [{name: g, engines: [x, y]}]\n"
#define BEFORE WIRE Y ONE

/* Port b is shared out by a shaper; what is moved is made in this order. */
#define SHAPED_WIRE                                                                                \
    "ports:\n"                                                                                     \
    "  - {name: a, driver: net_ring, peer: b, packets: 1024}\n"                                    \
    "  - {name: b, driver: net_ring, peer: a, packets: 1024}\n"                                    \
    "engines:\n"                                                                                   \
    "  - {name: x, port: a, addresses: [10.0.0.1]}\n"                                              \
    "  - {name: y, port: b, addresses: [10.0.0.2]}\n"
#define SHAPER(class) "  - {name: s, kind: shaper, port: b, classes: [{name: " class "}]}\n"
#define SHAPED        SHAPED_WIRE SHAPER("before") "groups: [{name: g, engines: [x, y, s]}]\n"

static struct config
    configs[CONFIGS_MAX]; /* all that a test has used; the first opened the ports */
static uint32_t config_count;
static char line[REASON_BYTES];
static const struct reason reason = {line, sizeof(line)};
static char folder[TEST_FOLDER_BYTES];
static char path[sizeof(folder) + 8];
static struct server *server;
static struct host *host;
static struct plant plant;

static const struct config *load(const char *text)
{
    struct config *config = &configs[config_count++];
    struct schema_source source = {.file = "test"};
    int error = config_parse(config, &source, text, strlen(text));
    ck_assert_msg(error == 0, "%s", source.error);
    return config;
}

static void start(const char *text)
{
    const struct server_config server_config = {.path = path, .mode = 0600};
    ck_assert_ptr_nonnull(test_folder_make(folder, "saddle-apply-test"));
    snprintf(path, sizeof(path), "%s/s", folder);
    ck_assert_int_eq(server_create(&server, &server_config, line, sizeof(line)), 0);
    ck_assert_msg(!host_create(&host, load(text), server, &reason), "%s", line);
    ck_assert_msg(!host_start(host, &reason), "%s", line);
    host_describe(host, &plant);
}

static void setup(void)
{
    start(BEFORE);
}

static void setup_shaped(void)
{
    start(SHAPED);
}

static void teardown(void)
{
    host_stop(host);
    host_destroy(host);
    while (config_count > 0)
        config_free(&configs[--config_count]);
    server_destroy(server);
    ck_assert_int_eq(rmdir(folder), 0);
}

static int apply(const char *text)
{
    int error = host_apply(host, load(text), false, &reason);
    host_describe(host, &plant);
    return error;
}

static struct engine *engine(const char *name)
{
    for (uint32_t i = 0; i < plant.engine_count; i++) {
        if (!strcmp(plant.engines[i].engine->name, name))
            return plant.engines[i].engine;
    }
    ck_abort_msg("there is no engine %s", name);
}

static const char *group_of(const char *name)
{
    for (uint32_t i = 0; i < plant.engine_count; i++) {
        if (!strcmp(plant.engines[i].engine->name, name))
            return plant.engines[i].group;
    }
    return "";
}

/* All engines do what their mailboxes ask for. */
static void all_run(void)
{
    uint32_t count;
    struct engine *const *list = host_engines(host, &count);
    ck_assert_uint_eq(count, plant.engine_count);
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_ptr_eq(list[i], plant.engines[i].engine);
        ck_assert_int_eq(mailbox_ask(&list[i]->mailbox, PATIENCE_NS), 0);
    }
}

START_TEST(test_engines_move)
{
    struct engine *x = engine("x"), *y = engine("y");
    ck_assert_int_eq(apply(WIRE Y "groups: [{name: h, engines: [y]}, {name: g, engines: [x]}]"), 0);
    ck_assert_ptr_eq(engine("x"), x);
    ck_assert_ptr_eq(engine("y"), y);
    ck_assert_str_eq(group_of("x"), "g");
    ck_assert_str_eq(group_of("y"), "h");
    all_run();
}
END_TEST

START_TEST(test_a_group_changes)
{
    struct engine *x = engine("x");
    const struct group *g = plant.groups[0].group;
    uint64_t generation = plant.generation;
    struct group_thread_stats threads[4];
    ck_assert_int_eq(
        apply(WIRE Y "groups: [{name: g, mode: dedicated, threads: 2, engines: [y, x]}]"), 0);
    ck_assert_ptr_eq(engine("x"), x);
    ck_assert_ptr_eq(plant.groups[0].group, g);
    ck_assert_str_eq(plant.groups[0].mode, "dedicated");
    ck_assert_uint_gt(plant.generation, generation);
    ck_assert_uint_eq(group_threads(plant.groups[0].group, threads, 4), 2);
    all_run();
    ck_assert_int_eq(apply(WIRE Y "groups: [{name: g, mode: compacting, slo: 1ms, threads: 2, "
                                  "idle: never, engines: [y, x]}]"),
                     0);
    ck_assert_str_eq(plant.groups[0].mode, "compacting");
    ck_assert_uint_eq(group_configuration(g)->slo_ns, NSEC_PER_MSEC);
    ck_assert_uint_eq(group_configuration(g)->idle_ns, GROUP_NEVER);
    ck_assert_uint_eq(group_threads(g, threads, 4), 2);
    all_run();
    int tid = threads[0].tid;
    ck_assert_int_eq(apply(WIRE Y "groups: [{name: g, mode: compacting, slo: 2ms, threads: 2, "
                                  "engines: [x, y]}]"),
                     0);
    ck_assert_uint_eq(group_threads(g, threads, 4), 2);
    ck_assert_int_eq(threads[0].tid, tid);
    ck_assert_uint_eq(group_configuration(g)->slo_ns, 2 * NSEC_PER_MSEC);
    ck_assert_uint_eq(group_configuration(g)->idle_ns, 20 * NSEC_PER_USEC);
    all_run();
}
END_TEST

/* What stays the same is not touched. */
START_TEST(test_nothing_changes)
{
    struct engine *x = engine("x");
    const struct group *g = plant.groups[0].group;
    ck_assert_int_eq(apply(BEFORE "limits: {sessions_per_uid: 3}"), 0);
    ck_assert_ptr_eq(engine("x"), x);
    ck_assert_ptr_eq(plant.groups[0].group, g);
    all_run();
}
END_TEST

START_TEST(test_engines_come_and_go)
{
    struct engine *x = engine("x");
    ck_assert_int_eq(apply(WIRE Z "groups: [{name: g, engines: [x, z]}]"), 0);
    ck_assert_uint_eq(plant.engine_count, 2);
    ck_assert_ptr_eq(engine("x"), x);
    ck_assert_str_eq(plant.ports[1].engine, "");
    ck_assert_str_eq(plant.ports[2].engine, "z");
    all_run();
}
END_TEST

/* An engine that is configured anew is another one; whoever shares its wire learns of it only if
 * there is something to learn. */
START_TEST(test_made_anew)
{
    struct engine *x = engine("x"), *y = engine("y");
    const char *text = WIRE "  - {name: y, port: b, addresses: [10.0.0.2], window: 9}\n" ONE;
    const struct config *wanted = load(text);
    ck_assert(host_keeps(host, wanted, 0));
    ck_assert(!host_keeps(host, wanted, 1));
    ck_assert_int_eq(apply(text), 0);
    ck_assert_ptr_eq(engine("x"), x);
    ck_assert_ptr_ne(engine("y"), y);
    all_run();
    wanted = load(WIRE "  - {name: other, port: b, addresses: [10.0.0.2], window: 9}\n"
                       "groups: [{name: g, engines: [x, other]}]");
    ck_assert(!host_keeps(host, wanted, 0));
}
END_TEST

/* Whatever the machine does not have: all is as it was. */
static const struct {
    const char *text, *line;
} impossible[] = {
    {WIRE Y "groups: [{name: g, engines: [y]}, {name: h, cpus: '1023', engines: [x]}]", "group h"},
    {WIRE Z "groups: [{name: g, cpus: '1023', engines: [x, z]}]", "group g"},
};

START_TEST(test_impossible)
{
    struct engine *x = engine("x"), *y = engine("y");
    const struct group *g = plant.groups[0].group;
    ck_assert_int_eq(apply(impossible[_i].text), -EPERM);
    ck_assert_ptr_nonnull(strstr(line, impossible[_i].line));
    ck_assert_ptr_eq(engine("x"), x);
    ck_assert_ptr_eq(engine("y"), y);
    ck_assert_ptr_eq(plant.groups[0].group, g);
    all_run();
}
END_TEST

static int hang(void *context, void *argument)
{
    atomic_bool *released = argument;
    (void)context;
    while (!atomic_load(released))
        sched_yield();
    return 0;
}

/* An engine that does not come round keeps its group, and nothing else has changed. */
START_TEST(test_one_hangs)
{
    static atomic_bool released;
    struct engine *x = engine("x"), *y = engine("y");
    const char *text = WIRE Y "groups: [{name: h, engines: [x]}, {name: g, mode: dedicated, "
                              "engines: [y]}]";
    ck_assert_int_eq(apply(WIRE Y "groups: [{name: h, engines: [y]}, {name: g, engines: [x]}]"), 0);
    ck_assert_int_eq(mailbox_post(&y->mailbox, hang, &released), 0);
    ck_assert_int_eq(apply(text), -ETIMEDOUT);
    ck_assert_ptr_nonnull(strstr(line, "engine y does not answer"));
    ck_assert_str_eq(group_of("x"), "g");
    ck_assert_str_eq(group_of("y"), "h");
    ck_assert_str_eq(plant.groups[1].mode, "spreading");
    atomic_store(&released, true);
    all_run();
    ck_assert_int_eq(apply(text), 0);
    ck_assert_ptr_eq(engine("x"), x);
    ck_assert_str_eq(group_of("x"), "h");
    all_run();
}
END_TEST

/* ---- What hangs in the middle ---- */

static atomic_bool hangs;

static uint32_t threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    uint32_t count = 0;
    ck_assert_ptr_nonnull(tasks);
    while (readdir(tasks))
        count++;
    closedir(tasks);
    return count;
}

/* One that was joined may be seen for a moment more. */
static void await_threads(uint32_t count)
{
    while (threads() != count)
        sched_yield();
}

static struct engine_ops slow_ops;
static const struct engine_ops *quick_ops;
static int quick_tid;

/* On any thread but that on which it was. */
static uint32_t slow_run(struct engine *engine, uint64_t now, uint64_t budget_ns)
{
    while (atomic_load(&hangs) && gettid() != quick_tid)
        sched_yield();
    return quick_ops->run(engine, now, budget_ns);
}

static int make_slow(void *context, void *argument)
{
    struct engine *engine = context;
    (void)argument;
    quick_tid = gettid();
    quick_ops = engine->ops;
    slow_ops = *quick_ops;
    slow_ops.run = slow_run;
    engine->ops = &slow_ops;
    return 0;
}

static int make_quick(void *context, void *argument)
{
    (void)argument;
    ((struct engine *)context)->ops = quick_ops;
    return 0;
}

/* An engine hangs in its new group, and another one's group cannot be: it stays where it is, and
 * that group with it, until the next change. Other new groups end at once. */
START_TEST(test_one_hangs_where_it_goes)
{
    struct engine *x = engine("x"), *y = engine("y");
    uint32_t before = threads();
    int result;
    ck_assert_int_eq(mailbox_call(&x->mailbox, make_slow, NULL, PATIENCE_NS, &result), 0);
    atomic_store(&hangs, true);
    ck_assert_int_eq(apply(WIRE Y "groups: [{name: h, mode: compacting, engines: [x]}, "
                                  "{name: i, mode: compacting}, "
                                  "{name: j, cpus: '1023', engines: [y]}]"),
                     -EPERM);
    ck_assert_ptr_nonnull(strstr(line, "group j"));
    await_threads(before); /* its own went, h's came */
    ck_assert(!host_is_whole(host));
    atomic_store(&hangs, false);
    ck_assert_int_eq(mailbox_call(&x->mailbox, make_quick, NULL, PATIENCE_NS, &result), 0);
    ck_assert_int_eq(apply(BEFORE), 0);
    ck_assert(host_is_whole(host));
    ck_assert_ptr_eq(engine("x"), x);
    ck_assert_ptr_eq(engine("y"), y);
    await_threads(before);
    all_run();
}
END_TEST

static const struct port_ops *quick_port;

static uint16_t slow_receive(struct port *port, struct rte_mbuf **packets, uint16_t max,
                             uint64_t now)
{
    while (atomic_load(&hangs))
        sched_yield();
    return quick_port->rx_burst(port, packets, max, now);
}

/* The same of one that is new: it ends when it comes round, and nothing changes before. */
START_TEST(test_a_new_one_hangs)
{
    struct port *port = (struct port *)plant.ports[2].port;
    struct port_ops slow = *port->ops;
    uint32_t before = threads();
    const char *text = WIRE Z "  - {name: y, port: b, addresses: [10.0.0.2]}\n"
                              "groups: [{name: g, engines: [x]}, "
                              "{name: h, mode: compacting, engines: [z]}, "
                              "{name: j, cpus: '1023', engines: [y]}]";
    quick_port = port->ops;
    slow.rx_burst = slow_receive;
    port->ops = &slow;
    atomic_store(&hangs, true);
    ck_assert_int_eq(apply(text), -EPERM);
    ck_assert_ptr_nonnull(strstr(line, "group j"));
    await_threads(before + 1);
    ck_assert_int_eq(apply(BEFORE), -ETIMEDOUT);
    ck_assert_ptr_nonnull(strstr(line, "engine z does not answer"));
    all_run();
    atomic_store(&hangs, false);
    ck_assert_int_eq(apply(BEFORE), 0);
    ck_assert(host_is_whole(host));
    await_threads(before);
    port->ops = quick_port;
    all_run();
}
END_TEST

/* Whether the shaper has a class of this name. */
static bool has_class(const char *name)
{
    const struct tree *tree = shaping_tree(shaper_shaping(engine("s")));
    for (uint16_t i = 0; i < tree_places(tree); i++) {
        if (!strcmp(tree_name(tree, i), name))
            return true;
    }
    return false;
}

/* The shaper has new classes, and is on no thread as the change fails. */
START_TEST(test_classes_are_taken_back)
{
    ck_assert(has_class("before"));
    ck_assert_int_eq(apply(SHAPED_WIRE SHAPER("after") "groups: [{name: g, engines: [x]}, "
                                                       "{name: h, cpus: '1023', engines: [y]}, "
                                                       "{name: i, engines: [s]}]"),
                     -EPERM);
    ck_assert_ptr_nonnull(strstr(line, "group h"));
    ck_assert(has_class("before"));
    ck_assert(!has_class("after"));
    all_run();
    ck_assert_int_eq(apply(SHAPED_WIRE SHAPER("after") "groups: [{name: g, engines: [x, y, s]}]"),
                     0);
    ck_assert(has_class("after"));
    all_run();
}
END_TEST

/* To and fro, with everything that can change. */
START_TEST(test_many_times)
{
    static const char *const texts[] = {
        BEFORE,
        WIRE Y Z "groups: [{name: h, engines: [z, y]}, {name: g, engines: [x]}]",
        WIRE Z "groups: [{name: h, mode: dedicated, engines: [z]}, {name: i, engines: [x]}]",
        WIRE "  - {name: y, port: b, addresses: [10.0.0.2], flows: 9}\n" ONE,
        WIRE "groups: [{name: g, engines: [x]}, {name: h}, {name: i, mode: compacting}]",
    };
    for (uint32_t i = 0; i < 40; i++) {
        ck_assert_msg(!apply(texts[(i * i + 1) % 5]), "%s", line);
        all_run();
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/host_apply");
    TCase *tcase = tcase_create("host_apply");
    tcase_set_timeout(tcase, 50);
    tcase_add_unchecked_fixture(tcase, test_eal_start, NULL);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_engines_move);
    tcase_add_test(tcase, test_a_group_changes);
    tcase_add_test(tcase, test_nothing_changes);
    tcase_add_test(tcase, test_engines_come_and_go);
    tcase_add_test(tcase, test_made_anew);
    tcase_add_loop_test(tcase, test_impossible, 0, sizeof(impossible) / sizeof(impossible[0]));
    tcase_add_test(tcase, test_one_hangs);
    tcase_add_test(tcase, test_one_hangs_where_it_goes);
    tcase_add_test(tcase, test_a_new_one_hangs);
    tcase_add_test(tcase, test_many_times);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("shaped");
    tcase_set_timeout(tcase, 50);
    tcase_add_unchecked_fixture(tcase, test_eal_start, NULL);
    tcase_add_checked_fixture(tcase, setup_shaped, teardown);
    tcase_add_test(tcase, test_classes_are_taken_back);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
