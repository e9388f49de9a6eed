/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/kernel_resolver.h"
#include "sched/group.h"
#include "tests/unit/daemon/namespaces.h"
#include "tests/unit/sched/toy.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOPS_MAX    64u
#define REASON      256
#define PATIENCE_NS (40 * NSEC_PER_SEC)
#define LOOK_MS     20
#define CALL_NS     NSEC_PER_SEC
#define NOBODY_MAC  "00:00:00:00:00:00"

/* What the engine was told; its thread's alone. */
static struct answered {
    struct hop hops[HOPS_MAX];
    uint32_t count;
    uint32_t times; /* of all */
} answered;

static struct kernel_resolver *resolver;
static struct toy *toy;
static struct group *group;
static char line[REASON];
static const struct reason reason = {line, sizeof(line)};

static struct hop *find_hop(const struct address *address)
{
    for (uint32_t i = 0; i < answered.count; i++) {
        if (address_equal(&answered.hops[i].address, address))
            return &answered.hops[i];
    }
    return NULL;
}

static void answer(void *context, const struct hop *hop)
{
    struct hop *known = find_hop(&hop->address);
    ck_assert_ptr_eq(context, &answered);
    if (!known)
        known = &answered.hops[answered.count++];
    *known = *hop;
    answered.times++;
}

/* Work on the engine's thread. */

static int do_want(void *engine, void *argument)
{
    struct resolver *face = kernel_resolver_lend(resolver);
    (void)engine;
    face->answer = answer;
    face->context = &answered;
    return face->ops->want(face, argument);
}

static int do_drop(void *engine, void *argument)
{
    struct resolver *face = kernel_resolver_lend(resolver);
    (void)engine;
    face->ops->drop(face, argument);
    return 0;
}

static int do_look(void *engine, void *argument)
{
    struct hop *hop = argument;
    const struct hop *known = find_hop(&hop->address);
    (void)engine;
    if (known)
        *hop = *known;
    return known ? 0 : -ENOENT;
}

static int do_count(void *engine, void *argument)
{
    (void)engine;
    (void)argument;
    return (int)answered.times;
}

static int call(mailbox_fn *fn, void *argument)
{
    int result;
    ck_assert_int_eq(mailbox_call(&toy->engine.mailbox, fn, argument, CALL_NS, &result), 0);
    return result;
}

static struct address parse(const char *text)
{
    struct address address;
    ck_assert_int_eq(address_parse(&address, text), 0);
    return address;
}

static void want(const char *text)
{
    struct address address = parse(text);
    ck_assert_int_eq(call(do_want, &address), 0);
}

static void drop(const char *text)
{
    struct address address = parse(text);
    ck_assert_int_eq(call(do_drop, &address), 0);
}

/* The control thread's loop, for one look. */
static void control(void)
{
    struct pollfd fd = {.fd = kernel_resolver_fd(resolver), .events = POLLIN};
    if (poll(&fd, 1, LOOK_MS) == 1)
        kernel_resolver_work(resolver);
}

/* Until the engine knows this of the address. */
static void await(const char *text, int error, const char *mac, uint16_t mtu)
{
    const uint64_t end = clock_now(&clock_machine) + PATIENCE_NS;
    struct rte_ether_addr wanted;
    struct hop hop;
    ck_assert_int_eq(rte_ether_unformat_addr(mac, &wanted), 0);
    memset(&hop, 0, sizeof(hop));
    do {
        ck_assert_msg(clock_now(&clock_machine) < end, "%s: error %d, MTU %u, MAC ends in %x", text,
                      hop.error, hop.mtu, hop.mac.addr_bytes[5]);
        control();
        hop.address = parse(text);
    } while (call(do_look, &hop) || hop.error != error || hop.mtu != mtu ||
             !rte_is_same_ether_addr(&hop.mac, &wanted));
}

static void await_error(const char *text, int error)
{
    await(text, error, NOBODY_MAC, 0);
}

static bool fresh; /* the interface was made a moment ago */

static int create(const char *interface, uint16_t vlan, const char *const *addresses)
{
    struct config_subnet subnets[2];
    struct kernel_resolver_config config = {
        .interface = interface,
        .vlan = vlan,
        .mtu = 1500,
        .addresses = subnets,
        .hops_max = HOPS_MAX,
        .fresh = fresh,
    };
    for (; addresses[config.address_count]; config.address_count++)
        ck_assert_int_eq(
            config_subnet(addresses[config.address_count], &subnets[config.address_count]), 0);
    return kernel_resolver_create(&resolver, &config, &reason);
}

static const char *const both[] = {"10.1.0.1/24", "fd01::1", NULL};
static const char *const only_v4[] = {"10.1.0.1/24", NULL};

static void start(const char *interface, const char *const *addresses)
{
    struct group_config config = {.name = "resolver", .mode = &group_mode_spreading};
    ck_assert_msg(create(interface, 0, addresses) == 0, "%s", line);
    toy = toy_create("toy");
    kernel_resolver_serve(resolver, &toy->engine);
    ck_assert_int_eq(group_create(&group, &config), 0);
    ck_assert_int_eq(group_add(group, &toy->engine), 0);
}

static void stop(void)
{
    if (toy) {
        ck_assert_int_eq(group_remove(group, &toy->engine), 0);
        toy->engine.ops->destroy(&toy->engine);
    }
    group_destroy(group);
    kernel_resolver_destroy(resolver);
}

START_TEST(test_resolves)
{
    start("va", both);
    want("10.1.0.2");
    want("fd01::2");
    await("10.1.0.2", 0, FAR_MAC, 1500);
    await("fd01::2", 0, FAR_MAC, 1500);
    /* Asked again, answered again. */
    int times = call(do_count, NULL);
    want("10.1.0.2");
    while (call(do_count, NULL) == times)
        control();
}
END_TEST

/* The neighbour in the list for operators, in pages of `most`; `count` of all. */
static bool listed(const char *text, uint32_t most, struct neighbour_entry *found, uint32_t *count)
{
    struct neighbour_page page = {.now = clock_now(&clock_machine), .most = most};
    struct address address = parse(text);
    bool any = false;

    *count = 0;
    do {
        kernel_resolver_view(resolver, &page);
        for (uint32_t i = 0; i < page.count; i++) {
            if (!address_equal(&page.entries[i].address, &address))
                continue;
            ck_assert(!any);
            any = true;
            *found = page.entries[i];
        }
        *count += page.count;
    } while (!page.done);
    return any;
}

START_TEST(test_operators_see_next_hops)
{
    struct neighbour_entry entry;
    struct rte_ether_addr far;
    uint32_t count;

    start("va", both);
    ck_assert(!listed("10.1.0.2", 0, &entry, &count));
    ck_assert_uint_eq(count, 0);
    here("ip route add 10.2.0.0/16 via 10.1.0.2");
    want("10.2.0.9");
    want("10.2.0.8");
    want("10.1.0.2");
    want("fd01::2");
    want("10.1.0.77");
    want("10.3.0.1");
    await("10.2.0.9", 0, FAR_MAC, 1500);
    await("10.1.0.2", 0, FAR_MAC, 1500);
    await("fd01::2", 0, FAR_MAC, 1500);
    await_error("10.3.0.1", -ENETUNREACH);
    ck_assert(listed("10.1.0.77", 0, &entry, &count));
    ck_assert(entry.state == NEIGHBOUR_PENDING || entry.state == NEIGHBOUR_FAILED);
    await_error("10.1.0.77", -EHOSTDOWN);
    ck_assert_int_eq(rte_ether_unformat_addr(FAR_MAC, &far), 0);
    for (uint32_t most = 0; most < 5; most++) {
        ck_assert(listed("10.1.0.2", most, &entry, &count));
        ck_assert_uint_eq(count, 3);
        ck_assert(rte_is_same_ether_addr(&entry.mac, &far));
        ck_assert(entry.state == NEIGHBOUR_REACHABLE || entry.state == NEIGHBOUR_STALE);
        ck_assert(listed("fd01::2", most, &entry, &count));
        ck_assert(!listed("10.2.0.9", most, &entry, &count));
        ck_assert(!listed("10.3.0.1", most, &entry, &count));
        /* It failed, and may be asked once more just now. */
        ck_assert(listed("10.1.0.77", most, &entry, &count));
        ck_assert(entry.state == NEIGHBOUR_PENDING || entry.state == NEIGHBOUR_FAILED);
    }
}
END_TEST

START_TEST(test_new_mac)
{
    start("va", both);
    want("10.1.0.2");
    await("10.1.0.2", 0, FAR_MAC, 1500);
    there("ip link set vb address 02:00:00:00:02:02");
    there_speaks("10.1.0.1");
    await("10.1.0.2", 0, "02:00:00:00:02:02", 1500);
    here("ip neigh replace 10.1.0.2 lladdr 02:00:00:00:03:03 dev va");
    await("10.1.0.2", 0, "02:00:00:00:03:03", 1500);
    /* What an operator has fixed is not asked for: it stays as it is. */
    want("10.1.0.2");
    want("10.1.0.77");
    await_error("10.1.0.77", -EHOSTDOWN);
    here("ip neigh show 10.1.0.2 | grep -q PERMANENT");
}
END_TEST

START_TEST(test_gateway)
{
    start("va", both);
    want("10.2.0.9");
    want("fd02::9");
    await_error("10.2.0.9", -ENETUNREACH);
    await_error("fd02::9", -ENETUNREACH);
    here("ip route add 10.2.0.0/16 via 10.1.0.2 && ip route add fd02::/16 via fd01::2 mtu 1300");
    await("10.2.0.9", 0, FAR_MAC, 1500);
    await("fd02::9", 0, FAR_MAC, 1300);
    here("ip neigh replace 10.1.0.3 lladdr 02:00:00:00:04:04 dev va &&"
         " ip route replace 10.2.0.0/16 via 10.1.0.3 mtu 1400");
    await("10.2.0.9", 0, "02:00:00:00:04:04", 1400);
    here("ip route del 10.2.0.0/16");
    await_error("10.2.0.9", -ENETUNREACH);
}
END_TEST

START_TEST(test_link)
{
    start("va", both);
    want("10.1.0.2");
    await("10.1.0.2", 0, FAR_MAC, 1500);
    here("ip link set va mtu 1400");
    await("10.1.0.2", 0, FAR_MAC, 1400);
    /* Larger than the port's packets is of no use. */
    here("ip link set va mtu 3000");
    await("10.1.0.2", 0, FAR_MAC, 1500);
    here("ip link set va down");
    await_error("10.1.0.2", -ENETDOWN);
    here("ip link set va up");
    await("10.1.0.2", 0, FAR_MAC, 1500);
    there("ip link set vb down");
    await_error("10.1.0.2", -ENETDOWN);
    there("ip link set vb up");
    await("10.1.0.2", 0, FAR_MAC, 1500);
    here("ip link del va");
    await_error("10.1.0.2", -ENETDOWN);
}
END_TEST

START_TEST(test_nobody_there)
{
    start("va", both);
    want("10.1.0.77");
    want("fd01::77");
    await_error("10.1.0.77", -EHOSTDOWN);
    await_error("fd01::77", -EHOSTDOWN);
    /* Found without being asked for again. */
    there("ip address add 10.1.0.77/24 dev vb");
    await("10.1.0.77", 0, FAR_MAC, 1500);
    /* And it fails as often as it is asked for. */
    int times = call(do_count, NULL);
    want("fd01::77");
    while (call(do_count, NULL) == times)
        control();
    await_error("fd01::77", -EHOSTDOWN);
}
END_TEST

/* Another interface than the port's, this host itself, a family without an address. */
START_TEST(test_no_way)
{
    here("ip link add vc type veth peer name vd && ip link set vc up && ip link set vd up &&"
         " ip address add 10.5.0.1/24 dev vc");
    start("va", only_v4);
    want("10.5.0.2");
    want("10.1.0.1");
    want("fd01::2");
    await_error("10.5.0.2", -ENETUNREACH);
    await_error("10.1.0.1", -ENETUNREACH);
    await_error("fd01::2", -ENETUNREACH);
    /* Without its own address there is no way either. */
    want("10.1.0.2");
    await("10.1.0.2", 0, FAR_MAC, 1500);
    here("ip address add 10.1.0.9/24 dev va && ip address del 10.1.0.1/24 dev va");
    await_error("10.1.0.2", -ENETUNREACH);
}
END_TEST

START_TEST(test_drop)
{
    start("va", both);
    want("10.1.0.2");
    await("10.1.0.2", 0, FAR_MAC, 1500);
    drop("10.1.0.2");
    drop("10.1.0.3");
    want("fd01::2");
    await("fd01::2", 0, FAR_MAC, 1500);
    int times = call(do_count, NULL);
    here("ip neigh replace 10.1.0.2 lladdr 02:00:00:00:05:05 dev va &&"
         " ip neigh replace fd01::2 lladdr 02:00:00:00:05:05 dev va");
    await("fd01::2", 0, "02:00:00:00:05:05", 1500);
    ck_assert_int_eq(call(do_count, NULL), times + 1);
}
END_TEST

/* As many as there may be, all answered; beyond that the engine is told to try later, and a drop
 * always finds room. */
START_TEST(test_many)
{
    char text[ADDRESS_TEXT_BYTES];
    struct address address;
    start("va", both);
    for (unsigned i = 0; i < HOPS_MAX; i++) {
        snprintf(text, sizeof(text), "10.5.0.%u", i);
        want(text);
    }
    address = parse("10.6.0.1");
    ck_assert_int_eq(call(do_want, &address), -EAGAIN);
    drop("10.5.0.0");
    for (unsigned i = 1; i < HOPS_MAX; i++) {
        snprintf(text, sizeof(text), "10.5.0.%u", i);
        await_error(text, -ENETUNREACH);
    }
    want("10.6.0.1");
    await_error("10.6.0.1", -ENETUNREACH);
}
END_TEST

/* News that were lost are looked for. */
START_TEST(test_lost_news)
{
    start("va", both);
    want("10.1.0.2");
    await("10.1.0.2", 0, FAR_MAC, 1500);
    here(
        "for i in $(seq 2 17); do for j in $(seq 250); do"
        " echo neigh replace 10.1.$i.$j lladdr 02:00:00:00:00:99 dev va; done; done | ip -batch -");
    here("ip neigh replace 10.1.0.2 lladdr 02:00:00:00:06:06 dev va");
    await("10.1.0.2", 0, "02:00:00:00:06:06", 1500);
}
END_TEST

START_TEST(test_vlan)
{
    ck_assert_int_eq(create("va", 7, only_v4), -ENODEV);
    ck_assert_str_eq(line, "interface va has no VLAN 7 (ip link add link va name va.7 type vlan "
                           "id 7)");
    if (!namespaces_vlan("va", "va.7", 7))
        return; /* this kernel has none */
    ck_assert_int_eq(create("va", 7, only_v4), -EADDRNOTAVAIL);
    ck_assert_str_eq(line, "10.1.0.1 is no address of interface va.7 (ip address add "
                           "10.1.0.1/24 dev va.7)");
}
END_TEST

/* An interface that is given its address when the daemon runs. */
START_TEST(test_addresses_come_later)
{
    fresh = true;
    here("ip address flush dev va");
    start("va", both);
    want("10.1.0.2");
    await_error("10.1.0.2", -ENETUNREACH);
    here("ip address add 10.1.0.1/24 dev va");
    await("10.1.0.2", 0, FAR_MAC, 1500);
}
END_TEST

/* Until there is one, the link is down; the kernel may have no VLANs at all. */
START_TEST(test_a_vlan_comes_later)
{
    fresh = true;
    ck_assert_msg(create("va", 7, only_v4) == 0, "%s", line);
    toy = toy_create("toy");
    kernel_resolver_serve(resolver, &toy->engine);
    ck_assert_int_eq(group_create(&group, &(struct group_config){.name = "later",
                                                                 .mode = &group_mode_spreading}),
                     0);
    ck_assert_int_eq(group_add(group, &toy->engine), 0);
    want("10.1.0.2");
    await_error("10.1.0.2", -ENETDOWN);
    if (!namespaces_vlan("va", "va.7", 7))
        return;
    there("ip link add link vb name vb.7 type vlan id 7 && ip address flush dev vb");
    there("ip link set vb.7 up && ip address add 10.1.0.2/24 dev vb.7");
    here("ip address flush dev va && ip link set va.7 up && ip address add 10.1.0.1/24 dev va.7");
    await("10.1.0.2", 0, FAR_MAC, 1500);
}
END_TEST

START_TEST(test_refused)
{
    const char *const absent[] = {"10.1.0.1", "fd01::9", NULL};
    ck_assert_int_eq(create("nowhere", 0, both), -ENODEV);
    ck_assert_str_eq(line, "interface nowhere: No such device");
    ck_assert_int_eq(create("lo", 0, both), -EAFNOSUPPORT);
    ck_assert_str_eq(line, "interface lo is no Ethernet");
    ck_assert_int_eq(create("va", 0, absent), -EADDRNOTAVAIL);
    ck_assert_str_eq(line, "fd01::9 is no address of interface va (ip address add fd01::9/64 dev "
                           "va)");
    kernel_resolver_destroy(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/kernel_resolver");
    TCase *tcase = tcase_create("kernel_resolver");
    tcase_add_checked_fixture(tcase, namespaces_enter, stop);
    tcase_add_test(tcase, test_resolves);
    tcase_add_test(tcase, test_operators_see_next_hops);
    tcase_add_test(tcase, test_new_mac);
    tcase_add_test(tcase, test_gateway);
    tcase_add_test(tcase, test_link);
    tcase_add_test(tcase, test_nobody_there);
    tcase_add_test(tcase, test_no_way);
    tcase_add_test(tcase, test_drop);
    tcase_add_test(tcase, test_many);
    tcase_add_test(tcase, test_lost_news);
    tcase_add_test(tcase, test_vlan);
    tcase_add_test(tcase, test_addresses_come_later);
    tcase_add_test(tcase, test_a_vlan_comes_later);
    tcase_add_test(tcase, test_refused);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
