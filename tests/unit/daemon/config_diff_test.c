/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config_diff.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define PORTS                                                                                      \
    "ports:\n"                                                                                     \
    "  - {name: a, driver: net_ring, peer: b}\n"                                                   \
    "  - {name: b, driver: net_ring, peer: a}\n"                                                   \
    "  - {name: k, driver: xdp, interface: eth0}\n"                                                \
    "  - {name: s, driver: ethdev, device: net_tap0}\n"
#define ENGINES                                                                                    \
    "engines:\n"                                                                                   \
    "  - {name: x, port: a, addresses: [10.0.0.1]}\n"                                              \
    "  - {name: y, port: b, addresses: [10.0.0.2]}\n"                                              \
    "  - {name: kernels, port: k, addresses: [10.1.0.1]}\n"                                        \
    "  - {name: owned, port: s, addresses: [10.2.0.1/24]}\n"
#define GROUPS "groups: [{name: g, engines: [x, y]}, {name: h, engines: [kernels, owned]}]\n"

static struct config before, after;
static struct config_changes changes;

static void load(struct config *config, const char *text)
{
    struct schema_source source = {.file = "test"};
    int error = config_parse(config, &source, text, strlen(text));
    ck_assert_msg(error == 0, "%s", source.error);
}

/* The changes from the configuration above to `text`. */
static void diff(const char *text)
{
    load(&before, PORTS ENGINES GROUPS);
    load(&after, text);
    ck_assert_int_eq(config_diff(&changes, &before, &before, &after), 0);
}

static void teardown(void)
{
    config_changes_free(&changes);
    config_free(&before);
    config_free(&after);
}

static const struct config_change *change(uint32_t index, const char *path)
{
    ck_assert_uint_lt(index, changes.count);
    ck_assert_str_eq(changes.list[index].what.path, path);
    return &changes.list[index];
}

START_TEST(test_same)
{
    diff("# another file\n" GROUPS ENGINES PORTS "memory: 0.25GiB\npolicy: []\n");
    ck_assert_uint_eq(changes.count, 0);
    ck_assert(!changes.restart);
}
END_TEST

START_TEST(test_settings_of_an_engine)
{
    diff(PORTS "engines:\n"
               "  - {name: x, port: a, addresses: [10.0.0.1], window: 128, rto_max: 0.1s}\n"
               "  - {name: y, port: b, addresses: [10.0.0.2, 'fd00::2']}\n"
               "  - {name: kernels, port: k, addresses: [10.1.0.1]}\n"
               "  - {name: owned, port: s, addresses: [10.2.0.1/24]}\n" GROUPS);
    ck_assert_uint_eq(changes.count, 3);
    ck_assert_int_eq(change(0, "engines.x.window")->effect, CONFIG_ENGINE);
    ck_assert_str_eq(changes.list[0].what.before, "256");
    ck_assert_str_eq(changes.list[0].what.after, "128");
    ck_assert_str_eq(changes.list[0].engine, "x");
    ck_assert_uint_eq(changes.list[0].what.place.line, 7);
    ck_assert_str_eq(change(1, "engines.x.rto_max")->what.after, "100ms");
    ck_assert_str_eq(change(2, "engines.y.addresses")->what.before, "[10.0.0.2]");
    ck_assert_str_eq(changes.list[2].what.after, "[10.0.0.2, fd00::2]");
    ck_assert_str_eq(changes.list[2].engine, "y");
    ck_assert(!changes.restart);
}
END_TEST

START_TEST(test_engines_that_come_and_go)
{
    diff(PORTS "engines:\n"
               "  - {name: owned, port: s, addresses: [10.2.0.1/24]}\n"
               "  - {name: x, port: a, addresses: [10.0.0.1]}\n"
               "  - {name: z, port: b, addresses: [10.0.0.2], window: 7}\n"
               "groups: [{name: g, engines: [x, z, owned]}]\n");
    ck_assert_uint_eq(changes.count, 6);
    ck_assert_str_eq(change(0, "engines.y")->what.after, "");
    ck_assert_str_eq(changes.list[0].what.before, "{name: y, port: b, addresses: [10.0.0.2]}");
    ck_assert_uint_eq(changes.list[0].what.place.line, 0);
    ck_assert_int_eq(change(1, "engines.kernels")->effect, CONFIG_ENGINE);
    ck_assert_str_eq(change(2, "engines.z")->what.after,
                     "{name: z, port: b, addresses: [10.0.0.2], window: 7}");
    /* Those that are left stand in another order: the first one is who gets those who name none. */
    ck_assert_int_eq(change(3, "engines")->effect, CONFIG_AT_ONCE);
    ck_assert_str_eq(changes.list[3].what.after, "[owned, x, z]");
    ck_assert_str_eq(change(4, "groups.h")->what.after, "");
    ck_assert_str_eq(change(5, "groups.g.engines")->what.after, "[x, z, owned]");
    ck_assert(!changes.restart);
}
END_TEST

START_TEST(test_groups_policy_and_limits)
{
    diff(PORTS ENGINES "groups: [{name: g, mode: dedicated, cpus: '1', engines: [x, y]},\n"
                       "  {name: h, engines: [kernels, owned], runtime: 300us}, {name: empty}]\n"
                       "policy: [{uid: 7, allow: attach}]\n"
                       "limits: {sessions_per_uid: 2}\n");
    ck_assert_uint_eq(changes.count, 6);
    ck_assert_str_eq(change(0, "groups.g.mode")->what.after, "dedicated");
    ck_assert_str_eq(change(1, "groups.g.cpus")->what.after, "1");
    ck_assert_str_eq(change(2, "groups.h.runtime")->what.after, "300us");
    ck_assert_str_eq(change(3, "groups.empty")->what.after, "{name: empty}");
    ck_assert_str_eq(change(4, "policy")->what.before, "[]");
    ck_assert_str_eq(changes.list[4].what.after, "[{uid: 7, allow: attach}]");
    ck_assert_str_eq(change(5, "limits.sessions_per_uid")->what.after, "2");
    for (uint32_t i = 0; i < changes.count; i++)
        ck_assert_int_eq(changes.list[i].effect, CONFIG_AT_ONCE);
}
END_TEST

/* What an operator can only have with a restart, each alone. */
static const struct {
    const char *text, *path;
} fixed[] = {
    {PORTS ENGINES GROUPS "memory: 1GiB\n", "memory"},
    {PORTS ENGINES GROUPS "hugepages: off\n", "hugepages"},
    {PORTS ENGINES GROUPS "user: nobody\n", "user"},
    {PORTS ENGINES GROUPS "socket: {path: /tmp/x}\n", "socket.path"},
    {PORTS ENGINES GROUPS "socket: {mode: '0600'}\n", "socket.mode"},
    {PORTS ENGINES GROUPS "control: {path: /tmp/c}\n", "control.path"},
    {PORTS ENGINES GROUPS "control: {program: /tmp/p}\n", "control.program"},
    {PORTS ENGINES GROUPS "control: {observe: [{any: true}]}\n", "control.observe"},
    {PORTS "  - {name: n, driver: net_null}\n" ENGINES GROUPS, "ports.n"},
    {"ports:\n  - {name: a, driver: net_ring, peer: b}\n  - {name: b, driver: net_ring, peer: a}\n"
     "  - {name: k, driver: xdp, interface: eth0, mtu: 1400}\n"
     "  - {name: s, driver: ethdev, device: net_tap0}\n" ENGINES GROUPS,
     "ports.k.mtu"},
    {"ports:\n  - {name: b, driver: net_ring, peer: a}\n  - {name: a, driver: net_ring, peer: b}\n"
     "  - {name: k, driver: xdp, interface: eth0}\n"
     "  - {name: s, driver: ethdev, device: net_tap0}\n" ENGINES GROUPS,
     "ports"},
    {PORTS "engines:\n  - {name: x, port: a, addresses: [10.0.0.1]}\n"
           "  - {name: y, port: b, addresses: [10.0.0.2]}\n"
           "  - {name: kernels, port: k, addresses: [10.1.0.9]}\n"
           "  - {name: owned, port: s, addresses: [10.2.0.1/24]}\n" GROUPS,
     "engines.kernels.addresses"},
    {PORTS "engines:\n  - {name: x, port: a, addresses: [10.0.0.1]}\n"
           "  - {name: y, port: b, addresses: [10.0.0.2]}\n"
           "  - {name: kernels, port: k, addresses: [10.1.0.1], udp_port: 7}\n"
           "  - {name: owned, port: s, addresses: [10.2.0.1/24]}\n" GROUPS,
     "engines.kernels.udp_port"},
    {PORTS "engines:\n  - {name: x, port: a, addresses: [10.0.0.1]}\n"
           "  - {name: y, port: b, addresses: [10.0.0.2]}\n"
           "  - {name: kernels, port: k, addresses: [10.1.0.1]}\n"
           "  - {name: owned, port: s, addresses: [10.2.0.1/24], window: 9}\n" GROUPS,
     "engines.owned.window"},
};

START_TEST(test_what_needs_a_restart)
{
    diff(fixed[_i].text);
    ck_assert_uint_eq(changes.count, 1);
    ck_assert_int_eq(change(0, fixed[_i].path)->effect, CONFIG_RESTART);
    ck_assert(changes.restart);
}
END_TEST

/* On an interface of the kernel, an engine with the same claims may be made anew. */
START_TEST(test_the_same_claims)
{
    diff(PORTS "engines:\n"
               "  - {name: x, port: a, addresses: [10.0.0.1]}\n"
               "  - {name: y, port: b, addresses: [10.0.0.2]}\n"
               "  - {name: other, port: k, addresses: [10.1.0.1], window: 9}\n"
               "  - {name: owned, port: s, addresses: [10.2.0.1/24]}\n"
               "groups: [{name: g, engines: [x, y, other, owned]}]\n");
    ck_assert(!changes.restart);
    ck_assert_int_eq(change(0, "engines.kernels")->effect, CONFIG_ENGINE);
    ck_assert_int_eq(change(1, "engines.other")->effect, CONFIG_ENGINE);
}
END_TEST

/* Who shares a port is settled when it is opened; what they are is not. */
#define SHARED                                                                                     \
    PORTS "engines:\n"                                                                             \
          "  - {name: s, kind: steer, port: a}\n"                                                  \
          "  - {name: x, port: a, addresses: [10.0.0.1]}\n"
/* Where the kernel has its part of a port that is Saddle's, an engine can be made anew as on an
 * interface of the kernel. */
#define SHARED_OWNED(more)                                                                         \
    PORTS "engines:\n"                                                                             \
          "  - {name: o, kind: steer, port: s}\n"                                                  \
          "  - {name: x, port: s, addresses: [10.2.0.1/24]" more "}\n"
#define OWNED             SHARED_OWNED("")
#define KERNEL(interface) "  - {name: k, kind: kernel, port: s, interface: " interface "}\n"
#define SECOND            "  - {name: z, port: a, addresses: [10.0.0.1], udp_port: 50708}\n"

static const struct {
    const char *before, *after;
    enum config_effect effect;
} shared[] = {
    {SHARED SECOND, SHARED, CONFIG_RESTART},
    {SHARED, SHARED SECOND, CONFIG_RESTART},
    {SHARED SECOND, SHARED "  - {name: z, port: a, addresses: [10.0.0.1], udp_port: 50709}\n",
     CONFIG_RESTART},
    {SHARED SECOND, SHARED "  - {name: other, port: a, addresses: [10.0.0.1], udp_port: 50708}\n",
     CONFIG_RESTART},
    {SHARED, PORTS "engines:\n  - {name: x, port: a, addresses: [10.0.0.1]}\n", CONFIG_RESTART},
    {PORTS "engines:\n  - {name: x, port: a, addresses: [10.0.0.1]}\n", SHARED, CONFIG_RESTART},
    {SHARED,
     PORTS "engines:\n  - {name: t, kind: steer, port: a}\n"
           "  - {name: x, port: a, addresses: [10.0.0.1]}\n",
     CONFIG_RESTART},
    {SHARED,
     PORTS "engines:\n  - {name: s, kind: steer, port: a}\n"
           "  - {name: x, port: a, addresses: [10.0.0.9]}\n",
     CONFIG_RESTART},
    {SHARED SECOND,
     SHARED "  - {name: z, port: a, addresses: [10.0.0.1], udp_port: 50708, window: 9}\n",
     CONFIG_ENGINE},
    {SHARED, SHARED "  - {name: y, port: b, addresses: [10.0.0.2]}\n", CONFIG_ENGINE},
    {OWNED, OWNED KERNEL("tap0"), CONFIG_RESTART},
    {OWNED KERNEL("tap0"), OWNED, CONFIG_RESTART},
    {OWNED KERNEL("tap0"), OWNED KERNEL("tap1"), CONFIG_RESTART},
    {OWNED KERNEL("tap0"), SHARED_OWNED(", window: 9") KERNEL("tap0"), CONFIG_ENGINE},
    {OWNED, SHARED_OWNED(", window: 9"), CONFIG_RESTART},
    {OWNED KERNEL("tap0"), SHARED_OWNED(", vlan: 9") KERNEL("tap0"), CONFIG_RESTART},
};

START_TEST(test_engines_that_share_a_port)
{
    bool found = false;

    load(&before, shared[_i].before);
    load(&after, shared[_i].after);
    ck_assert_int_eq(config_diff(&changes, &before, &before, &after), 0);
    for (uint32_t i = 0; i < changes.count; i++)
        found |= changes.list[i].effect == shared[_i].effect;
    ck_assert(found);
    ck_assert_int_eq(changes.restart, shared[_i].effect == CONFIG_RESTART);
}
END_TEST

/* To a configuration in which x has so many peers, and whose policy is long. */
static void diff_many(int peers)
{
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    fputs(PORTS "engines:\n"
                "  - {name: y, port: b, addresses: [10.0.0.2]}\n"
                "  - {name: kernels, port: k, addresses: [10.1.0.1]}\n"
                "  - {name: owned, port: s, addresses: [10.2.0.1/24]}\n"
                "  - name: x\n    port: a\n    addresses: [10.0.0.1]\n    peers:\n",
          stream);
    for (int i = 0; i < peers; i++)
        fprintf(stream, "      - {name: p%d, address: 10.9.%d.%d, mac: 02:00:00:00:00:01}\n", i,
                i / 250, i % 250 + 1);
    fputs(GROUPS "policy:\n", stream);
    for (int i = 0; i < 30; i++)
        fputs("  - {any: true, allow: attach}\n", stream);
    fclose(stream);
    diff(text);
    free(text);
}

START_TEST(test_a_long_value)
{
    diff_many(5);
    /* The peers, the order of the engines, and the policy. */
    ck_assert_str_eq(change(6, "policy")->what.before, "[]");
    ck_assert_uint_eq(strlen(changes.list[6].what.after), SCHEMA_VALUE_BYTES - 1);
    ck_assert_str_eq(changes.list[6].what.after + SCHEMA_VALUE_BYTES - 4, "...");
    ck_assert_uint_eq(changes.left_out, 0);
}
END_TEST

START_TEST(test_more_than_are_kept)
{
    diff_many(CONFIG_CHANGES_MAX);
    ck_assert_uint_eq(changes.count, CONFIG_CHANGES_MAX);
    ck_assert_uint_eq(changes.left_out, 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/config_diff");
    TCase *tcase = tcase_create("config_diff");
    tcase_add_checked_fixture(tcase, NULL, teardown);
    tcase_add_test(tcase, test_same);
    tcase_add_test(tcase, test_settings_of_an_engine);
    tcase_add_test(tcase, test_engines_that_come_and_go);
    tcase_add_test(tcase, test_groups_policy_and_limits);
    tcase_add_loop_test(tcase, test_what_needs_a_restart, 0, sizeof(fixed) / sizeof(fixed[0]));
    tcase_add_test(tcase, test_the_same_claims);
    tcase_add_loop_test(tcase, test_engines_that_share_a_port, 0,
                        sizeof(shared) / sizeof(shared[0]));
    tcase_add_test(tcase, test_a_long_value);
    tcase_add_test(tcase, test_more_than_are_kept);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
