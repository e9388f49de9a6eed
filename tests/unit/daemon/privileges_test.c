/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/privileges.h"
#include "tests/unit/eal.h"

#include <cap-ng.h>
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define REASON_BYTES 256
#define BIT(number)  (1ull << (number))
#define ALWAYS       (BIT(CAP_IPC_LOCK) | BIT(CAP_SYS_NICE))
#define ENGINE       "engines: [{name: x, port: p, addresses: [10.0.0.1/24]}]\n"
#define XDP          "ports: [{name: p, driver: xdp, interface: eth0, packets: 1024}]\n" ENGINE
#define WIRES        "ports: [{name: p, driver: net_null}]\n" ENGINE
#define DEVICE(name) "ports: [{name: p, driver: ethdev, device: '" name "'}]\n" ENGINE

static char line[REASON_BYTES];
static const struct reason reason = {line, sizeof(line)};

static int plan(struct privileges *privileges, const char *text)
{
    struct schema_source source = {.file = "test"};
    struct config config;
    ck_assert_msg(config_parse(&config, &source, text, strlen(text)) == 0, "%s", source.error);
    int error = privileges_plan(privileges, &config, &reason);
    config_free(&config);
    return error;
}

static uint64_t permitted(void)
{
    uint64_t found = 0;
    ck_assert_int_eq(capng_get_caps_process(), 0);
    for (unsigned i = 0; i <= CAP_LAST_CAP; i++) {
        if (capng_have_capability(CAPNG_PERMITTED, i))
            found |= BIT(i);
    }
    return found;
}

START_TEST(test_plan)
{
    static const struct {
        const char *text;
        uint64_t open, serve, locked;
    } cases[] = {
        {WIRES, 0, 0, 0},
        {XDP, BIT(CAP_NET_RAW) | BIT(CAP_NET_ADMIN) | BIT(CAP_BPF), BIT(CAP_NET_ADMIN), 4u << 20},
        {XDP "upgrade: {socket: /run/u}", BIT(CAP_NET_RAW) | BIT(CAP_NET_ADMIN) | BIT(CAP_BPF),
         BIT(CAP_NET_RAW) | BIT(CAP_NET_ADMIN) | BIT(CAP_BPF), 4u << 20},
        {WIRES "upgrade: {socket: /run/u}", 0, 0, 0},
        {DEVICE("net_tap0,iface=t"), BIT(CAP_NET_ADMIN), 0, 0},
        {DEVICE("net_memif0"), 0, 0, 0},
        {DEVICE("net_af_packet0,iface=e"), BIT(CAP_NET_RAW) | BIT(CAP_NET_ADMIN), 0, 0},
        {"ports: [{name: p, driver: ethdev, device: net_af_packet0, interface: eth0}]\n" ENGINE,
         BIT(CAP_NET_RAW) | BIT(CAP_NET_ADMIN), BIT(CAP_NET_ADMIN), 0},
        {"ports: [{name: p, driver: ethdev, device: net_memif0}]\n"
         "engines: [{name: x, port: p, addresses: [10.0.0.1/24]}, {name: s, kind: steer, port: "
         "p},\n"
         "  {name: k, kind: kernel, port: p, interface: tap0}]\n",
         BIT(CAP_NET_ADMIN), BIT(CAP_NET_ADMIN), 0},
        {DEVICE("0000:03:00.0"), BIT(CAP_NET_RAW) | BIT(CAP_NET_ADMIN), 0, 0},
    };
    struct privileges privileges;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_int_eq(plan(&privileges, cases[i].text), 0);
        ck_assert_uint_eq(privileges.open, cases[i].open);
        ck_assert_uint_eq(privileges.serve, cases[i].serve);
        ck_assert_uint_eq(privileges.locked, cases[i].locked);
        ck_assert(!privileges.change);
    }
}
END_TEST

START_TEST(test_users)
{
    struct privileges privileges;
    char text[REASON_BYTES];
    ck_assert_int_eq(plan(&privileges, WIRES "user: nobody-has-this-name"), -ENOENT);
    ck_assert_str_eq(line, "user: there is no user \"nobody-has-this-name\"");
    /* Who one is already. */
    snprintf(text, sizeof(text), WIRES "user: %s", getpwuid(geteuid())->pw_name);
    ck_assert_int_eq(plan(&privileges, text), 0);
    ck_assert(!privileges.change);
    ck_assert_uint_eq(privileges.uid, geteuid());
    if (geteuid() != 0) {
        ck_assert_int_eq(plan(&privileges, WIRES "user: root"), -EPERM);
        ck_assert_str_eq(line, "user: only root can become \"root\"");
        return;
    }
    ck_assert_int_eq(plan(&privileges, WIRES "user: nobody"), 0);
    ck_assert(privileges.change);
    ck_assert_uint_eq(privileges.uid, getpwnam("nobody")->pw_uid);
}
END_TEST

/* As the daemon has it: on one processor EAL makes no workers. */
static void start_eal(void)
{
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(sched_getcpu(), &cpus);
    ck_assert_int_eq(sched_setaffinity(0, sizeof(cpus), &cpus), 0);
    test_eal_start();
}

static void *be_engine(void *left)
{
    ck_assert_int_eq(privileges_of_engines(), 0);
    *(uint64_t *)left = permitted();
    return NULL;
}

/* Both steps, with what an interface of the kernel's needs. */
START_TEST(test_steps)
{
    const uint64_t had = permitted();
    struct privileges privileges;
    struct rlimit limit;
    uint64_t left;
    pthread_t thread;
    ck_assert_int_eq(plan(&privileges, XDP), 0);
    ck_assert_int_eq(privileges_begin(&privileges, false, &reason), 0);
    ck_assert_int_eq(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
    ck_assert_int_eq(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_uint_eq(limit.rlim_cur, limit.rlim_max);
    ck_assert_uint_eq(permitted(), had & (ALWAYS | privileges.open));
    start_eal();
    ck_assert_msg(privileges_settle(&privileges, &reason) == 0, "%s", line);
    ck_assert_uint_eq(permitted(), had & (ALWAYS | BIT(CAP_NET_ADMIN)));
    ck_assert_int_eq(pthread_create(&thread, NULL, be_engine, &left), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_uint_eq(left, had & ALWAYS);
    /* The leak sanitizer has to trace the process as it ends. */
    ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), 0);
}
END_TEST

static void *linger(void *arg)
{
    (void)arg;
    pause();
    return NULL;
}

/* A thread that nobody knows of, and that has what it should not have. */
START_TEST(test_unknown_thread)
{
    struct privileges privileges;
    pthread_t thread;
    ck_assert_int_eq(plan(&privileges, WIRES), 0);
    const bool has_more = permitted() & ~ALWAYS;
    ck_assert_int_eq(pthread_create(&thread, NULL, linger, NULL), 0);
    start_eal();
    ck_assert_int_eq(privileges_settle(&privileges, &reason), has_more ? -EPERM : 0);
}
END_TEST

START_TEST(test_debuggable)
{
    struct privileges privileges;
    ck_assert_int_eq(plan(&privileges, WIRES), 0);
    ck_assert_int_eq(privileges_begin(&privileges, true, &reason), 0);
    ck_assert_int_eq(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 1);
    ck_assert_uint_eq(permitted() & ~ALWAYS, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/privileges");
    TCase *tcase = tcase_create("privileges");
    tcase_add_test(tcase, test_plan);
    tcase_add_test(tcase, test_users);
    tcase_add_test(tcase, test_steps);
    tcase_add_test(tcase, test_unknown_thread);
    tcase_add_test(tcase, test_debuggable);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
