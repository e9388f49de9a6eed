/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Machines that are not there, and this one. */
#include "daemon/topology.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* Nodes 0, 1 and 3; CPUs 0 to 3, 4 to 7, 8 to 11; what a file of sysfs says. */
static const char *asked;
static int said;
static int preferred[4];
static uint32_t preferences;

static bool has_three(int node)
{
    return node == 0 || node == 1 || node == 3;
}

static bool has_one(int node)
{
    return node == 0;
}

static bool has_none(int node)
{
    (void)node;
    return false;
}

static int node_of_cpu(int cpu)
{
    static const int nodes[] = {0, 1, 3};

    return cpu < 12 ? nodes[cpu / 4] : TOPOLOGY_ANY;
}

static int read_node(const char *path)
{
    return !strcmp(path, asked) ? said : TOPOLOGY_ANY;
}

static void prefer(int node)
{
    preferred[preferences++] = node;
}

static const struct topology_ops three = {has_three, node_of_cpu, read_node, prefer};
static const struct topology_ops one = {has_one, node_of_cpu, read_node, prefer};
static const struct topology_ops none = {has_none, node_of_cpu, read_node, prefer};

static struct topology topology;
static cpu_set_t all, cpus;

static void setup(void)
{
    topology_init(&topology, &three);
    asked = "";
    preferences = 0;
    CPU_ZERO(&all);
    for (int cpu = 0; cpu < 12; cpu++)
        CPU_SET(cpu, &all);
}

static void check_cpus(uint64_t nodes, const cpu_set_t *of, int first, int count)
{
    topology_cpus(&topology, nodes, of, &cpus);
    ck_assert_int_eq(CPU_COUNT(&cpus), count);
    for (int cpu = first; cpu < first + count; cpu++)
        ck_assert(CPU_ISSET(cpu, &cpus));
}

START_TEST(nodes_are_counted)
{
    ck_assert_uint_eq(topology_count(&topology), 3);
    topology_init(&topology, &one);
    ck_assert_uint_eq(topology_count(&topology), 1);
    topology_init(&topology, &none);
    ck_assert_uint_eq(topology_count(&topology), 0);
}
END_TEST

START_TEST(devices_have_nodes)
{
    said = 1;
    asked = "/sys/class/net/eth0/device/numa_node";
    ck_assert_int_eq(topology_of_interface(&topology, "eth0"), 1);
    ck_assert_int_eq(topology_of_interface(&topology, "veth0"), TOPOLOGY_ANY);
    asked = "/sys/bus/pci/devices/0000:03:00.0/numa_node";
    ck_assert_int_eq(topology_of_pci(&topology, "0000:03:00.0"), 1);
    /* One that has no memory, that is not there, or that the kernel does not know. */
    for (int i = 0; i < 4; i++) {
        static const int strange[] = {2, 64, TOPOLOGY_ANY, -7};

        said = strange[i];
        ck_assert_int_eq(topology_of_pci(&topology, "0000:03:00.0"), TOPOLOGY_ANY);
    }
}
END_TEST

START_TEST(threads_run_near_their_ports)
{
    check_cpus(topology_bit(1), &all, 4, 4);
    check_cpus(topology_bit(1) | topology_bit(3), &all, 4, 8);
    check_cpus(topology_bit(TOPOLOGY_ANY) | topology_bit(3), &all, 8, 4);
    /* Ports that are nowhere in particular. */
    check_cpus(topology_bit(TOPOLOGY_ANY), &all, 0, 0);
    ck_assert_uint_eq(topology_nodes(&topology, &all), 1 | 2 | 8);
}
END_TEST

/* What the process may not use is not chosen; rather none than a wrong one. */
START_TEST(only_allowed_cpus_are_chosen)
{
    cpu_set_t allowed;

    CPU_ZERO(&allowed);
    CPU_SET(5, &allowed);
    CPU_SET(9, &allowed);
    CPU_SET(20, &allowed);
    check_cpus(topology_bit(1), &allowed, 5, 1);
    check_cpus(topology_bit(0), &allowed, 0, 0);
    ck_assert_uint_eq(topology_nodes(&topology, &allowed), 2 | 8);
}
END_TEST

START_TEST(without_a_choice_none_is_made)
{
    static const struct topology_ops *const machines[] = {&one, &none};

    for (int i = 0; i < 2; i++) {
        topology_init(&topology, machines[i]);
        check_cpus(topology_bit(0), &all, 0, 0);
        topology_prefer(&topology, 0);
        topology_prefer(&topology, TOPOLOGY_ANY);
    }
    ck_assert_uint_eq(preferences, 0);
}
END_TEST

START_TEST(memory_is_preferred)
{
    topology_prefer(&topology, 1);
    topology_prefer(&topology, TOPOLOGY_ANY);
    ck_assert_uint_eq(preferences, 2);
    ck_assert_int_eq(preferred[0], 1);
    ck_assert_int_eq(preferred[1], TOPOLOGY_ANY);
}
END_TEST

START_TEST(nodes_are_shown)
{
    const struct {
        uint64_t nodes;
        const char *text;
    } cases[] = {{0, "any"},     {1, "0"},           {3, "0-1"},    {2, "1"},
                 {1 | 8, "0,3"}, {1ull << 63, "63"}, {11, "0-1,3"}, {0xf5, "0,2,4-7"}};
    char text[TOPOLOGY_TEXT_BYTES];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_str_eq(topology_format(&topology, cases[i].nodes, text), cases[i].text);
    /* More than there is room for is cut off. */
    topology_format(&topology, 0x5555555555555555, text);
    ck_assert_uint_eq(strlen(text), TOPOLOGY_TEXT_BYTES - 1);
    /* Where there is one, everything is on it. */
    topology_init(&topology, &one);
    ck_assert_str_eq(topology_format(&topology, 0, text), "0");
}
END_TEST

/* Whatever this machine is, it has an answer; nothing changes by preferring what is there. */
START_TEST(this_machine)
{
    cpu_set_t allowed;

    topology_init(&topology, &topology_machine);
    ck_assert_int_eq(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
    ck_assert_uint_eq(topology_nodes(&topology, &allowed) & ~topology.nodes, 0);
    ck_assert_int_eq(topology_of_interface(&topology, "no-such-one"), TOPOLOGY_ANY);
    topology_machine.prefer(0);
    topology_machine.prefer(TOPOLOGY_ANY);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/topology");
    TCase *tcase = tcase_create("topology");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, nodes_are_counted);
    tcase_add_test(tcase, devices_have_nodes);
    tcase_add_test(tcase, threads_run_near_their_ports);
    tcase_add_test(tcase, only_allowed_cpus_are_chosen);
    tcase_add_test(tcase, without_a_choice_none_is_made);
    tcase_add_test(tcase, memory_is_preferred);
    tcase_add_test(tcase, nodes_are_shown);
    tcase_add_test(tcase, this_machine);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
