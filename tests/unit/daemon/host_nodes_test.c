/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* A host on a machine that seems to have two nodes: the last CPU is one, all others are the other
 * one; and port b is on the last CPU's. */
#include "daemon/host.h"
#include "daemon/ports.h"
#include "tests/unit/eal.h"
#include "tests/unit/folder.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REASON_BYTES 256
#define LAST_NODE    1
#define MAKING_MAX   64
#define WIRE                                                                                       \
    "ports:\n"                                                                                     \
    "  - {name: a, driver: net_ring, peer: b, packets: 512}\n"                                     \
    "  - {name: b, driver: net_ring, peer: a, packets: 512}\n"                                     \
    "engines:\n"                                                                                   \
    "  - {name: x, port: a, addresses: [10.0.0.1]}\n"                                              \
    "  - {name: y, port: b, addresses: [10.0.0.2]}\n"

static struct config config, other;
static char line[REASON_BYTES];
static const struct reason reason = {line, sizeof(line)};
static char folder[TEST_FOLDER_BYTES];
static char path[sizeof(folder) + 8];
static struct server *server;
static struct host *host;
static struct plant plant;
static cpu_set_t allowed;
static int last_cpu;
static bool together; /* all CPUs are on the last one's node */
static int preferred[MAKING_MAX];
static int preferences;

void __wrap_topology_init(struct topology *topology, const struct topology_ops *ops);
int __wrap_ports_node(const struct ports *ports, uint32_t index);

static int node_of_cpu(int cpu)
{
    return together || cpu == last_cpu ? LAST_NODE : 0;
}

static void prefer(int node)
{
    ck_assert_int_lt(preferences, MAKING_MAX);
    preferred[preferences++] = node;
}

void __wrap_topology_init(struct topology *topology, const struct topology_ops *ops)
{
    static struct topology_ops machine;

    machine = *ops;
    machine.node_of_cpu = node_of_cpu;
    machine.prefer = prefer;
    *topology = (struct topology){&machine, 1 << 0 | 1 << LAST_NODE};
}

int __wrap_ports_node(const struct ports *ports, uint32_t index)
{
    (void)ports;
    return index == 1 ? LAST_NODE : TOPOLOGY_ANY;
}

static void load(struct config *to, const char *text)
{
    struct schema_source source = {.file = "test"};
    int error = config_parse(to, &source, text, strlen(text));
    ck_assert_msg(error == 0, "%s", source.error);
}

/* EAL has pinned whoever started it; the daemon's own start undoes that. */
static void find_allowed(void)
{
    memset(&allowed, 0xff, sizeof(allowed));
    ck_assert_int_eq(sched_setaffinity(0, sizeof(allowed), &allowed), 0);
    ck_assert_int_eq(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
}

static void start(const char *text)
{
    const struct server_config server_config = {.path = path, .mode = 0600};

    find_allowed();
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        last_cpu = CPU_ISSET(cpu, &allowed) ? cpu : last_cpu;
    ck_assert_ptr_nonnull(test_folder_make(folder, "saddle-nodes-test"));
    snprintf(path, sizeof(path), "%s/s", folder);
    ck_assert_int_eq(server_create(&server, &server_config, line, sizeof(line)), 0);
    load(&config, text);
    ck_assert_msg(!host_create(&host, &config, server, &reason), "%s", line);
    ck_assert_msg(!host_start(host, &reason), "%s", line);
    host_describe(host, &plant);
}

static void stop(void)
{
    host_stop(host);
    host_destroy(host);
    config_free(&config);
    config_free(&other);
    server_destroy(server);
    ck_assert_int_eq(rmdir(folder), 0);
}

/* The group has one thread, which runs on these CPUs. */
static void check_group(uint32_t index, const cpu_set_t *cpus, const char *nodes)
{
    struct group_thread_stats threads[GROUP_THREADS_MAX];
    cpu_set_t has;

    ck_assert_str_eq(plant.groups[index].nodes, nodes);
    ck_assert_uint_eq(group_threads(plant.groups[index].group, threads, GROUP_THREADS_MAX), 1);
    ck_assert_int_eq(sched_getaffinity(threads[0].tid, sizeof(has), &has), 0);
    ck_assert(CPU_EQUAL(&has, cpus));
}

START_TEST(groups_are_near_their_ports)
{
    cpu_set_t last;

    CPU_ZERO(&last);
    start(WIRE "groups: [{name: g, engines: [x]}, {name: h, engines: [y]}]");
    CPU_SET(last_cpu, &last);
    check_group(0, &allowed, CPU_COUNT(&allowed) > 1 ? "0-1" : "1");
    check_group(1, &last, "1");
    ck_assert_str_eq(plant.ports[0].node, "any");
    ck_assert_str_eq(plant.ports[1].node, "1");
    stop();
}
END_TEST

/* The node has several CPUs, and nobody asked for as many threads. */
START_TEST(one_thread_has_all_cpus_of_a_node)
{
    together = true;
    start(WIRE "groups: [{name: g, mode: dedicated, engines: [x, y]}]");
    check_group(0, &allowed, "1");
    stop();
}
END_TEST

/* What is configured is done. */
START_TEST(cpus_that_are_configured_count)
{
    char text[sizeof(WIRE) + 128];
    cpu_set_t first;
    int cpu = 0;

    find_allowed();
    while (!CPU_ISSET(cpu, &allowed))
        cpu++;
    CPU_ZERO(&first);
    CPU_SET(cpu, &first);
    snprintf(text, sizeof(text),
             WIRE "groups: [{name: g, mode: dedicated, cpus: '%d', engines: [x, y]}]", cpu);
    start(text);
    check_group(0, &first, CPU_COUNT(&allowed) > 1 ? "0" : "1");
    stop();
}
END_TEST

/* A group that stays keeps its place; a new one is placed anew. */
START_TEST(other_groups_are_placed)
{
    cpu_set_t last;

    CPU_ZERO(&last);
    start(WIRE "groups: [{name: g, engines: [x]}, {name: h, engines: [y]}]");
    CPU_SET(last_cpu, &last);
    load(&other, WIRE "groups: [{name: h, engines: [x]}, {name: i, engines: [y]}]");
    ck_assert_msg(!host_apply(host, &other, false, &reason), "%s", line);
    host_describe(host, &plant);
    check_group(0, &last, "1");
    check_group(1, &last, "1");
    stop();
}
END_TEST

/* Each port and each engine is made with a preference, which is taken back. */
START_TEST(memory_is_on_the_ports_node)
{
    int last_ones = 0;

    start(WIRE "groups: [{name: g, engines: [x, y]}]");
    ck_assert_int_eq(preferences, 8);
    for (int i = 0; i < preferences; i++) {
        last_ones += preferred[i] == LAST_NODE;
        if (i % 2)
            ck_assert_int_eq(preferred[i], TOPOLOGY_ANY);
    }
    ck_assert_int_eq(last_ones, 1); /* engine y: the test's ports know no node when they are made */
    stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/host_nodes");
    TCase *tcase = tcase_create("host_nodes");

    tcase_add_unchecked_fixture(tcase, test_eal_start, NULL);
    tcase_add_test(tcase, groups_are_near_their_ports);
    tcase_add_test(tcase, one_thread_has_all_cpus_of_a_node);
    tcase_add_test(tcase, cpus_that_are_configured_count);
    tcase_add_test(tcase, other_groups_are_placed);
    tcase_add_test(tcase, memory_is_on_the_ports_node);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
