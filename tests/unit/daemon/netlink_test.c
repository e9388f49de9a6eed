/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/netlink.h"
#include "tests/unit/daemon/namespaces.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#define PATIENCE_MS 20000
#define MANY        4000 /* neighbours: more news than a socket holds */

static struct netlink *netlink;
static struct netlink_link link_a;

static void setup(void)
{
    namespaces_enter();
    ck_assert_int_eq(netlink_open(&netlink), 0);
    ck_assert_int_eq(netlink_link(netlink, "va", 0, &link_a), 0);
}

static void teardown(void)
{
    netlink_close(netlink);
}

static struct address parse(const char *text)
{
    struct address address;
    ck_assert_int_eq(address_parse(&address, text), 0);
    return address;
}

static void check_mac(const struct rte_ether_addr *mac, const char *wanted)
{
    char text[RTE_ETHER_ADDR_FMT_SIZE];
    struct rte_ether_addr address;
    ck_assert_int_eq(rte_ether_unformat_addr(wanted, &address), 0);
    rte_ether_format_addr(text, sizeof(text), mac);
    ck_assert_msg(rte_is_same_ether_addr(mac, &address), "%s, not %s", text, wanted);
}

START_TEST(test_links)
{
    struct netlink_link found;
    ck_assert_str_eq(link_a.name, "va");
    ck_assert_uint_gt(link_a.index, 0);
    ck_assert(link_a.up && link_a.ethernet);
    ck_assert_uint_eq(link_a.mtu, 1500);
    ck_assert_uint_eq(link_a.vlan, 0);
    check_mac(&link_a.mac, NEAR_MAC);
    ck_assert_int_eq(netlink_link(netlink, NULL, link_a.index, &found), 0);
    ck_assert_str_eq(found.name, "va");
    ck_assert_int_eq(netlink_link(netlink, "lo", 0, &found), 0);
    ck_assert(!found.ethernet && !found.up);
    ck_assert_int_eq(netlink_link(netlink, "nowhere", 0, &found), -ENODEV);
    ck_assert_int_eq(netlink_link(netlink, NULL, 4711, &found), -ENODEV);
    here("ip link set va down");
    ck_assert_int_eq(netlink_link(netlink, "va", 0, &found), 0);
    ck_assert(!found.up);
}
END_TEST

START_TEST(test_vlans)
{
    struct netlink_link found;
    ck_assert_int_eq(netlink_vlan(netlink, link_a.index, 7, &found), -ENODEV);
    if (!namespaces_vlan("va", "other", 8))
        return; /* this kernel has none to find */
    here("ip link add link va name seven type vlan id 7 && ip link set seven up");
    ck_assert_int_eq(netlink_vlan(netlink, link_a.index, 7, &found), 0);
    ck_assert_str_eq(found.name, "seven");
    ck_assert_uint_eq(found.vlan, 7);
    ck_assert_uint_eq(found.parent, link_a.index);
    ck_assert(found.up);
    ck_assert_int_eq(netlink_vlan(netlink, found.index, 7, &found), -ENODEV);
}
END_TEST

START_TEST(test_addresses)
{
    struct address own[] = {parse("10.1.0.1"), parse("fd01::1"), parse("10.1.0.3")};
    ck_assert_int_eq(netlink_address(netlink, link_a.index, &own[0]), 0);
    ck_assert_int_eq(netlink_address(netlink, link_a.index, &own[1]), 0);
    ck_assert_int_eq(netlink_address(netlink, link_a.index, &own[2]), -EADDRNOTAVAIL);
    ck_assert_int_eq(netlink_address(netlink, link_a.index + 1, &own[0]), -EADDRNOTAVAIL);
    /* The other end of a point-to-point link is no address of this one. */
    here("ip address add 10.1.0.3 peer 10.1.0.4 dev va");
    ck_assert_int_eq(netlink_address(netlink, link_a.index, &own[2]), 0);
    own[2] = parse("10.1.0.4");
    ck_assert_int_eq(netlink_address(netlink, link_a.index, &own[2]), -EADDRNOTAVAIL);
}
END_TEST

/* A destination; where packets to it go next, or NULL if nowhere. */
static const struct way {
    const char *source, *destination, *next;
    uint32_t mtu;
} ways[] = {
    {"10.1.0.1", "10.1.0.2", "10.1.0.2", 0},
    {"10.1.0.1", "10.2.0.9", "10.1.0.2", 0},
    {"10.1.0.1", "10.3.0.9", "10.1.0.2", 1400},
    {"10.1.0.1", "10.4.0.9", "fd01::2", 0},
    {"10.1.0.1", "10.5.0.9", NULL, 0},
    {"10.1.0.1", "10.6.0.9", NULL, 0},
    {"10.1.0.1", "10.7.0.9", NULL, 0},
    {"10.1.0.1", "10.8.0.9", NULL, 0},
    {"10.1.0.1", "10.1.0.1", NULL, 0},
    {"10.1.0.1", "10.1.0.255", NULL, 0},
    {"10.9.9.9", "10.1.0.2", NULL, 0},
    {"fd01::1", "fd01::2", "fd01::2", 0},
    {"fd01::1", "fd02::9", "fd01::2", 0},
    {"fd01::1", "fd03::9", "fd01::2", 1400},
    {"fd01::1", "fd04::9", NULL, 0},
    {"fd01::1", "fd05::9", NULL, 0},
    {"fd01::1", "fd01::1", NULL, 0},
    {"fe80::1", "fe80::2", "fe80::2", 0},
};

START_TEST(test_routes)
{
    here("ip address add fe80::1/64 dev va nodad && ip route add 10.2.0.0/16 via 10.1.0.2 &&"
         " ip route add 10.3.0.0/16 via 10.1.0.2 mtu 1400 &&"
         " ip route add 10.4.0.0/16 via inet6 fd01::2");
    here("ip route add blackhole 10.6.0.0/16 && ip route add prohibit 10.7.0.0/16 &&"
         " ip route add unreachable 10.8.0.0/16");
    here("ip route add fd02::/16 via fd01::2 && ip route add fd03::/16 via fd01::2 mtu 1400 &&"
         " ip route add unreachable fd05::/16");
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct address destination = parse(ways[i].destination), source = parse(ways[i].source);
        struct netlink_route route;
        char text[ADDRESS_TEXT_BYTES];
        int error = netlink_route(netlink, &destination, &source, link_a.index, &route);
        ck_assert_msg(error == (ways[i].next ? 0 : -ENETUNREACH), "%s: %d", ways[i].destination,
                      error);
        if (error)
            continue;
        ck_assert_uint_eq(route.interface, link_a.index);
        ck_assert_str_eq(address_format(&route.next, text), ways[i].next);
        ck_assert_uint_eq(route.mtu, ways[i].mtu);
    }
}
END_TEST

/* What was announced. */
static struct news {
    unsigned links, routes, lost;
    struct netlink_neighbour neighbour;
} news;

static void hear_link(void *context, uint32_t interface, uint32_t parent)
{
    (void)context;
    (void)parent;
    news.links += interface == link_a.index;
}

static void hear_routes(void *context)
{
    (void)context;
    news.routes++;
}

static void hear_neighbour(void *context, const struct netlink_neighbour *neighbour)
{
    (void)context;
    news.neighbour = *neighbour;
}

static void hear_loss(void *context)
{
    (void)context;
    news.lost++;
}

static const struct netlink_listener listener = {
    .link = hear_link,
    .routes = hear_routes,
    .neighbour = hear_neighbour,
    .lost = hear_loss,
};

/* Waits for something to be announced, and hears it. */
static void listen_once(void)
{
    struct pollfd fd = {.fd = netlink_fd(netlink), .events = POLLIN};
    ck_assert_int_eq(poll(&fd, 1, PATIENCE_MS), 1);
    ck_assert_int_eq(netlink_listen(netlink, &listener), 0);
}

static void await_neighbour(const struct address *address, enum netlink_reach reach)
{
    do {
        listen_once();
    } while (!address_equal(&news.neighbour.address, address) || news.neighbour.reach != reach);
    ck_assert_uint_eq(news.neighbour.interface, link_a.index);
}

START_TEST(test_neighbours)
{
    const char *const families[][2] = {{"10.1.0.2", "10.1.0.77"}, {"fd01::2", "fd01::77"}};
    for (unsigned i = 0; i < 2; i++) {
        struct address present = parse(families[i][0]), absent = parse(families[i][1]);
        struct netlink_neighbour neighbour;
        ck_assert_int_eq(netlink_neighbour(netlink, link_a.index, &present, &neighbour), -ENOENT);
        ck_assert_int_eq(netlink_ask(netlink, link_a.index, &present), 0);
        await_neighbour(&present, NETLINK_REACHED);
        check_mac(&news.neighbour.mac, FAR_MAC);
        ck_assert_int_eq(netlink_neighbour(netlink, link_a.index, &present, &neighbour), 0);
        ck_assert_int_eq(neighbour.reach, NETLINK_REACHED);
        ck_assert(!neighbour.kept);
        check_mac(&neighbour.mac, FAR_MAC);
        ck_assert_int_eq(netlink_ask(netlink, link_a.index, &absent), 0);
        await_neighbour(&absent, NETLINK_FAILED);
        here("ip neigh replace %s lladdr 02:00:00:00:00:99 dev va", families[i][0]);
        await_neighbour(&present, NETLINK_REACHED);
        check_mac(&news.neighbour.mac, "02:00:00:00:00:99");
        ck_assert(news.neighbour.kept);
        here("ip neigh del %s dev va", families[i][0]);
        await_neighbour(&present, NETLINK_UNDECIDED);
    }
}
END_TEST

START_TEST(test_announcements)
{
    here("ip link set va mtu 1400");
    while (news.links == 0)
        listen_once();
    here("ip route add 10.2.0.0/16 via 10.1.0.2");
    while (news.routes == 0)
        listen_once();
    news.routes = 0;
    here("ip -6 rule add from fd01::1 table 77");
    while (news.routes == 0)
        listen_once();
    news.links = 0;
    here("ip address add fd01::9/64 dev va");
    while (news.links == 0)
        listen_once();
    ck_assert_uint_eq(news.lost, 0);
}
END_TEST

/* More than the socket holds: that something was lost is said, and then it goes on. */
START_TEST(test_lost_announcements)
{
    struct pollfd fd = {.fd = netlink_fd(netlink), .events = POLLIN};
    FILE *pipe = popen("ip -batch -", "we");
    for (unsigned i = 0; i < MANY; i++)
        fprintf(pipe, "neigh replace 10.1.%u.%u lladdr 02:00:00:00:00:99 dev va\n", 1 + i / 200,
                1 + i % 200);
    ck_assert_int_eq(pclose(pipe), 0);
    while (news.lost == 0)
        listen_once();
    while (poll(&fd, 1, 0) == 1)
        listen_once();
    struct address present = parse("10.1.0.2");
    ck_assert_int_eq(netlink_ask(netlink, link_a.index, &present), 0);
    await_neighbour(&present, NETLINK_REACHED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/netlink");
    TCase *tcase = tcase_create("netlink");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_links);
    tcase_add_test(tcase, test_vlans);
    tcase_add_test(tcase, test_addresses);
    tcase_add_test(tcase, test_routes);
    tcase_add_test(tcase, test_neighbours);
    tcase_add_test(tcase, test_announcements);
    tcase_add_test(tcase, test_lost_announcements);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
