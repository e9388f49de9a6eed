/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/policy.h"
#include "daemon/config.h"
#include "daemon/config_schema.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A pair of ports, an engine on each: what the cases below vary. */
#define PORTS                                                                                      \
    "ports:\n"                                                                                     \
    "  - {name: a, driver: net_ring, peer: b}\n"                                                   \
    "  - {name: b, driver: net_ring, peer: a}\n"
#define ENGINES                                                                                    \
    "engines:\n"                                                                                   \
    "  - {name: x, port: a, addresses: [10.0.0.1]}\n"                                              \
    "  - {name: y, port: b, addresses: [10.0.0.2]}\n"

/* A device of its own, and an engine on it. */
#define TAP "ports: [{name: t, driver: ethdev, device: 'net_tap0,iface=sad0'}]\n"
#define KERNEL                                                                                     \
    "ports: [{name: t, driver: ethdev, device: 'net_af_packet0,iface=eth0', interface: eth0}]\n"
#define ON_T "engines: [{name: x, port: t, addresses: [10.0.0.1/24, 'fd00::1/64']"

/* The kernel has its part of it. */
#define WITH_KERNEL                                                                                \
    TAP ON_T "},\n  {name: s, kind: steer, port: t},\n"                                            \
             "  {name: k, kind: kernel, port: t, interface: tap0}]\n"

#define SHARED PORTS ENGINES "  - {name: s, kind: steer, port: a}\n"

static struct config config;
static struct schema_source source;

static int parse(const char *text)
{
    source.file = "f";
    return config_parse(&config, &source, text, strlen(text));
}

static void release(void)
{
    config_free(&config);
}

START_TEST(test_xdp)
{
    ck_assert_msg(parse("ports: [{name: t, driver: xdp, interface: eth0},\n"
                        "  {name: u, driver: xdp, interface: eth1, xdp_mode: generic,\n"
                        "   zerocopy: off, mtu: 3000}]\n" ON_T "}]") == 0,
                  "%s", source.error);
    ck_assert_uint_eq(config_owner(config_port(&config, 0)), CONFIG_OWNER_KERNEL);
    ck_assert_uint_eq(config_port(&config, 0)->xdp_mode, CONFIG_XDP_AUTO);
    ck_assert_uint_eq(config_port(&config, 0)->zerocopy, CONFIG_ZEROCOPY_AUTO);
    ck_assert_uint_eq(config_port(&config, 0)->mtu, SCHEMA_UNSET);
    ck_assert_uint_eq(config_port(&config, 1)->xdp_mode, CONFIG_XDP_GENERIC);
    ck_assert_uint_eq(config_port(&config, 1)->zerocopy, CONFIG_ZEROCOPY_OFF);
    ck_assert_uint_eq(config_port(&config, 1)->mtu, 3000);
    release();
}
END_TEST

START_TEST(test_defaults)
{
    ck_assert_msg(parse(PORTS ENGINES) == 0, "%s", source.error);
    ck_assert_str_eq(config.socket.path.text, "/run/saddle/attach.sock");
    ck_assert_uint_eq(config.socket.mode, 0660);
    ck_assert_uint_eq(config.memory, 256u << 20);
    ck_assert_uint_eq(config.hugepages, CONFIG_HUGEPAGES_AUTO);
    ck_assert_uint_eq(config.ports.count, 2);
    ck_assert_uint_eq(config_port(&config, 1)->mtu, 1500);
    ck_assert_uint_eq(config_port(&config, 1)->impair.loss, 0);
    ck_assert_uint_eq(config_engine(&config, 0)->udp_port, 50707);
    ck_assert_uint_eq(config_engine(&config, 0)->dead_after, 5000000000u);
    /* One group for all engines. */
    ck_assert_uint_eq(config.groups.count, 1);
    ck_assert_uint_eq(config_group(&config, 0)->mode, CONFIG_SPREADING);
    ck_assert_int_eq(config_quanta(&config, config_group(&config, 0)).class, QUANTA_AUTO);
    ck_assert_uint_eq(config_group(&config, 0)->runtime, QUANTA_RUNTIME_NS);
    ck_assert_uint_eq(config_group(&config, 0)->period, QUANTA_PERIOD_NS);
    ck_assert_uint_eq(config.deadline_share, QUANTA_DEADLINE_PPM);
    ck_assert_uint_eq(config_group(&config, 0)->engines.count, 2);
    ck_assert_uint_eq(config.policy.count, 0);
    ck_assert_uint_eq(config.limits.sessions_per_uid, 64);
    ck_assert_uint_eq(config.limits.connections_per_session, 0);
    ck_assert_uint_eq(config.limits.exposed_per_session, 0);
    ck_assert_ptr_eq(config_engine_on(&config, "b"), config_engine(&config, 1));
    ck_assert_ptr_null(config_find_engine(&config, "z"));
}
END_TEST

START_TEST(test_engines_that_share_a_port)
{
    const struct config_engine *mates[CONFIG_MATES_MAX];

    ck_assert_msg(parse(SHARED
                        "  - {name: z, port: a, addresses: [10.0.0.1], udp_port: 50770}\n") == 0,
                  "%s", source.error);
    ck_assert_ptr_eq(config_engine_on(&config, "a"), config_engine(&config, 0));
    ck_assert_ptr_eq(config_steer_on(&config, "a"), config_engine(&config, 2));
    ck_assert_ptr_null(config_steer_on(&config, "b"));
    ck_assert_uint_eq(config_mates(&config, "a", mates), 2);
    ck_assert_ptr_eq(mates[0], config_engine(&config, 0));
    ck_assert_ptr_eq(mates[1], config_engine(&config, 3));
    for (uint32_t i = 0; i < config.engines.count; i++)
        ck_assert_ptr_eq(config_in_place(&config, config_engine(&config, i)),
                         config_engine(&config, i));
    ck_assert_str_eq(config_host_name(&config, "a"), "s");
    ck_assert_str_eq(config_host_name(&config, "b"), "y");
    release();
}
END_TEST

START_TEST(test_values)
{
    ck_assert_msg(parse("socket: {path: /tmp/s, mode: \"0600\"}\n"
                        "memory: 64MiB\n"
                        "hugepages: off\n"
                        "ports:\n"
                        "  - name: a\n"
                        "    driver: net_null\n"
                        "    mac: 02:00:00:00:00:09\n"
                        "    impair: {loss: 0.5%, delay: 10us, seed: 7}\n"
                        "engines:\n"
                        "  - name: x\n"
                        "    port: a\n"
                        "    addresses: [10.0.0.1, 'fd00::1']\n"
                        "    peers: [{name: p, address: 'fd00::2', mac: 02:00:00:00:00:0a}]\n"
                        "    window: 32\n"
                        "groups:\n"
                        "  - {name: g, mode: dedicated, cpus: '0-1,3', engines: [x], class: fifo,\n"
                        "     runtime: 20us, period: 100us}\n"
                        "policy:\n"
                        "  - {uid: 1000, allow: attach, weight: 4}\n"
                        "  - {gid: 50, allow: attach}\n"
                        "  - {any: true, allow: [expose, attach, listen]}\n"
                        "limits: {memory_per_uid: 1GiB, handshake_timeout: 100ms,\n"
                        "         connections_per_session: 7, listeners_per_session: 1,\n"
                        "         regions_per_session: 2, exposed_per_session: 1MiB,\n"
                        "         operations_per_session: 9, cpu_per_session: 20%,\n"
                        "         cpu_per_uid: 150%}\n") == 0,
                  "%s", source.error);
    cpu_set_t cpus;
    const struct config_rule *rules = config.policy.items;
    ck_assert_uint_eq(config.socket.mode, 0600);
    ck_assert_uint_eq(config_port(&config, 0)->impair.loss, 5000);
    ck_assert_uint_eq(config_port(&config, 0)->impair.delay, 10000);
    ck_assert_uint_eq(config_engine(&config, 0)->addresses.count, 2);
    ck_assert_uint_eq(config_engine(&config, 0)->peers.count, 1);
    ck_assert_uint_eq(config_group(&config, 0)->mode, CONFIG_DEDICATED);
    ck_assert_int_eq(config_cpus(config_group(&config, 0)->cpus.text, &cpus), 0);
    ck_assert_int_eq(CPU_COUNT(&cpus), 3);
    ck_assert_int_eq(config_quanta(&config, config_group(&config, 0)).class, QUANTA_FIFO);
    ck_assert_uint_eq(config_quanta(&config, config_group(&config, 0)).runtime_ns, 20000);
    ck_assert_uint_eq(config_quanta(&config, config_group(&config, 0)).period_ns, 100000);
    ck_assert(CPU_ISSET(3, &cpus));
    ck_assert_uint_eq(config.policy.count, 3);
    ck_assert_uint_eq(rules[0].uid, 1000);
    ck_assert_uint_eq(rules[0].gid, SCHEMA_UNSET);
    ck_assert_uint_eq(rules[2].any, 1);
    ck_assert_uint_eq(config_rights(&rules[0]), POLICY_ATTACH);
    ck_assert_uint_eq(config_rights(&rules[2]), POLICY_ATTACH | POLICY_LISTEN | POLICY_EXPOSE);
    ck_assert_uint_eq(config.limits.memory_per_uid, 1u << 30);
    ck_assert_uint_eq(config.limits.connections_per_session, 7);
    ck_assert_uint_eq(config.limits.listeners_per_session, 1);
    ck_assert_uint_eq(config.limits.regions_per_session, 2);
    ck_assert_uint_eq(config.limits.exposed_per_session, 1u << 20);
    ck_assert_uint_eq(config.limits.operations_per_session, 9);
    ck_assert_uint_eq(config.limits.cpu_per_session, 200000);
    ck_assert_uint_eq(config.limits.cpu_per_uid, 1500000);
    ck_assert_uint_eq(rules[0].weight, 4);
    ck_assert_uint_eq(rules[2].weight, 1);
}
END_TEST

/* A document, and the one line that names what is wrong with it. */
static const struct wrong {
    const char *text;
    const char *line;
} wrongs[] = {
    {"", "f:1:1: the file is empty"},
    {"# nothing\n", "f:1:1: the file is empty"},
    {"[1, 2]", "f:1:1: keys with values expected"},
    {"word", "f:1:1: keys with values expected"},
    {"a: b: c", "f:1:5: not YAML: mapping values are not allowed in this context"},
    {"memory: [", "f:2:1: not YAML: did not find expected node content"},
    {"memory: \"\xff\"", "f:1:1: not YAML: invalid leading UTF-8 octet"},
    {"--- {memory: 64MiB}\n--- {memory: 64MiB}", "f:2:5: a second document"},
    {PORTS ENGINES "---\nmemory: 64MiB", "f:8:1: a second document"},
    {"memroy: 64MiB\n", "f:1:1: unknown key \"memroy\" (did you mean \"memory\"?)"},
    {"colour: red\n", "f:1:1: unknown key \"colour\""},
    {"? [a]\n: b\n", "f:1:3: a key is a word"},
    {"ports:\n  - name: a\n    driver: net_ring\n    adress: x\n", "f:4:5: unknown key \"adress\""},
    {"memory: 64MiB\nmemory: 65MiB\n",
     "f:2:1: the key \"memory\" stands here twice, first in line 1"},
    {"memory:\n", "f:1:8: memory: a value is missing"},
    {"memory: [1]\n", "f:1:9: memory: one value expected"},
    {"memory: \"a\\0b\"\n", "f:1:9: memory: the value holds a NUL"},
    {"memory: 64\n", "f:1:9: memory: \"64\" needs a unit (B, KiB, MiB, GiB)"},
    {"memory: 64MB\n", "f:1:9: memory: \"64MB\" needs a unit (B, KiB, MiB, GiB)"},
    {"memory: 10us\n", "f:1:9: memory: \"10us\" needs a unit (B, KiB, MiB, GiB)"},
    {"memory: lots\n", "f:1:9: memory: \"lots\" is not a number"},
    {"memory: 1MiB\n", "f:1:9: memory: 1MiB is not from 32MiB to 1024GiB"},
    {"memory: 9999999999GiB\n", "f:1:9: memory: 9999999999GiB is not from 32MiB to 1024GiB"},
    {"hugepages: maybe\n", "f:1:12: hugepages: \"maybe\" is none of auto, off, required"},
    {"socket: {mode: 660}", "f:1:16: mode: \"660\" is not a number in octal (0660)"},
    {"socket: /tmp/s", "f:1:9: keys with values expected"},
    {"limits: {handshake_timeout: 5}",
     "f:1:29: handshake_timeout: \"5\" needs a unit (ns, us, ms, s)"},
    {"ports: {}", "f:1:8: ports: a list expected"},
    {"ports: [a]", "f:1:9: keys with values expected"},
    {"ports:\n  - {driver: net_null}", "f:2:5: the key \"name\" is missing"},
    {"ports:\n  - {name: a}", "f:2:5: the key \"driver\" is missing"},
    {"ports:\n  - {name: 'a b', driver: net_null}",
     "f:2:12: name: \"a b\" is no name (letters, digits, '.', '_', '-')"},
    {"ports:\n  - {name: \"a\\nb\", driver: net_null}",
     "f:2:12: name: \"a?b\" is no name (letters, digits, '.', '_', '-')"},
    {"ports:\n  - {name: abcdefghijklmnopqrstuvwxyz, driver: net_null}",
     "f:2:12: name: \"abcdefghijklmnopqrstuvwxyz\" is longer than 20 characters"},
    {"ports:\n  - {name: a, driver: e1000}",
     "f:2:23: driver: \"e1000\" is none of net_ring, net_null, ethdev, xdp, memif"},
    {"ports:\n  - {name: a, driver: net_null, mtu: 100}",
     "f:2:38: mtu: 100 is not from 1280 to 9000"},
    {"ports:\n  - {name: a, driver: net_null, mtu: 1500B}",
     "f:2:38: mtu: \"1500B\" is not a plain number"},
    {"ports:\n  - {name: a, driver: net_null, impair: {loss: 0.05}}",
     "f:2:48: loss: \"0.05\" needs a unit (%)"},
    {"ports:\n  - {name: a, driver: net_null, impair: {loss: 101%}}",
     "f:2:48: loss: 101% is not from 0% to 100%"},
    {PORTS "  - {name: a, driver: net_null}\n" ENGINES,
     "f:4:12: \"a\" is named twice, first in line 2"},
    {PORTS "memory: 64MiB\n", "f:1:1: there is no engine"},
    {"ports:\n  - {name: a, driver: net_ring}\n" ENGINES,
     "f:2:5: port \"a\": the key \"peer\" is missing"},
    {"ports:\n  - {name: a, driver: net_ring, peer: a}\n" ENGINES,
     "f:2:39: peer: there is no other port \"a\""},
    {"ports:\n  - {name: a, driver: net_ring, peer: c}\n" ENGINES,
     "f:2:39: peer: there is no other port \"c\""},
    {"ports:\n  - {name: a, driver: net_ring, peer: b}\n  - {name: b, driver: net_null}\n" ENGINES,
     "f:2:39: peer: port \"b\" does not have \"a\" as its peer"},
    {"ports:\n  - {name: a, driver: net_null, peer: b}\n" ENGINES,
     "f:2:39: peer: \"a\" has driver net_null, and only net_ring joins ports"},
    {"ports:\n  - {name: a, driver: net_ring, peer: b}\n"
     "  - {name: b, driver: net_ring, peer: a, mtu: 5000}\n" ENGINES,
     "f:2:5: mtu: ports \"a\" and \"b\" differ"},
    {"ports:\n  - {name: a, driver: net_null, mac: 01:00:00:00:00:01}\n" ENGINES,
     "f:2:38: mac: \"01:00:00:00:00:01\" is no unicast Ethernet address (02:00:00:00:00:01)"},
    {PORTS "engines: [{name: x, port: c, addresses: [10.0.0.1]}]",
     "f:4:27: port: there is no port \"c\""},
    {PORTS ENGINES "  - {name: z, port: a, addresses: [10.0.0.3]}\n",
     "f:7:21: port: \"a\" already belongs to engine \"x\""},
    {SHARED "  - {name: t, kind: steer, port: a}\n",
     "f:8:34: port: \"a\" is shared out by \"s\" already"},
    {PORTS ENGINES "  - {name: s, kind: steer, port: a, addresses: [10.0.0.1]}\n",
     "f:7:5: engine \"s\": a steer has no addresses, gateways and peers: those of the engines on "
     "its "
     "port count"},
    {PORTS "engines: [{name: s, kind: steer, port: a}]",
     "f:4:11: engine \"s\": there is no other engine on port \"a\""},
    {SHARED "  - {name: z, port: a, addresses: [10.0.0.1]}\n",
     "f:8:5: engine \"z\": udp_port is not one of the 63 that follow 50707, that of engine \"x\""},
    {SHARED "  - {name: z, port: a, addresses: [10.0.0.1], udp_port: 50771}\n",
     "f:8:5: engine \"z\": udp_port is not one of the 63 that follow 50707, that of engine \"x\""},
    {SHARED "  - {name: z, port: a, addresses: [10.0.0.1], udp_port: 50709}\n"
            "  - {name: w, port: a, addresses: [10.0.0.1], udp_port: 50709}\n",
     "f:9:5: engine \"w\": udp_port is that of \"z\" too"},
    {PORTS "engines: [{name: x, port: a, addresses: [fd00::1, 'fd00:0::1']},\n"
           "  {name: s, kind: steer, port: a}]",
     "f:4:51: addresses: fd00:0::1 is already used by engine \"x\""},
    {SHARED "  - {name: z, port: a, addresses: [10.0.0.3], udp_port: 50708}\n",
     "f:8:5: engine \"z\": addresses, gateways and vlan are those of the host, as engine \"x\" has "
     "them"},
    {SHARED "  - {name: z, port: a, addresses: [10.0.0.1], udp_port: 50708, vlan: 7}\n",
     "f:8:5: engine \"z\": addresses, gateways and vlan are those of the host, as engine \"x\" has "
     "them"},
    {SHARED "  - {name: z, port: a, addresses: [10.0.0.1], udp_port: 50708}\n"
            "policy: [{any: true, allow: all, engines: some}]\n",
     "f:9:43: engines: \"some\" is none of shared, exclusive"},
    {SHARED "  - {name: z, port: a, addresses: [10.0.0.1], udp_port: 50708}\n"
            "policy: [{uid: 7, allow: all, hugepages: some}]\n",
     "f:9:42: hugepages: \"some\" is none of off, auto, required"},
    {SHARED "  - {name: z, port: a, addresses: [10.0.0.1], udp_port: 50708}\n"
            "policy: [{any: true, allow: all, hugepages: auto}]\n",
     "f:9:10: hugepages: auto: not for any: trust is of a uid or a gid"},
    {PORTS "engines: [{name: x, port: a}]",
     "f:4:11: engine \"x\": the key \"addresses\" is missing"},
    {PORTS "engines: [{name: x, port: a, addresses: [10.0.0]}]",
     "f:4:42: addresses: \"10.0.0\" is no IP address"},
    {PORTS "engines: [{name: x, port: a, addresses: [\"1\\n2\"]}]",
     "f:4:42: addresses: \"1?2\" is no IP address"},
    {PORTS "engines: [{name: x, port: a, addresses: [fd00::1, 'fd00:0::1']}]",
     "f:4:51: addresses: fd00:0::1 is already used by engine \"x\""},
    {PORTS "engines: [{name: x, port: a, addresses: [1,2,3,4,5,6,7,8,9]}]",
     "f:4:41: addresses: 9 entries, at most 8"},
    {PORTS "engines: [{name: x, port: a, addresses: [10.0.0.1], wire_min: 2, wire_max: 1}]",
     "f:4:11: engine \"x\": wire_max is below wire_min"},
    {PORTS "engines: [{name: x, port: a, addresses: [10.0.0.1], rto_min: 1s}]",
     "f:4:11: engine \"x\": rto_max is below rto_min"},
    {PORTS "engines: [{name: x, port: a, addresses: [10.0.0.1], udp_port: 65536}]",
     "f:4:63: udp_port: 65536 is not from 1 to 65535"},
    {PORTS "engines: [{name: x, port: a, addresses: [10.0.0.1],\n"
           "  peers: [{name: p, address: nowhere, mac: 02:00:00:00:00:01}]}]",
     "f:5:30: address: \"nowhere\" is no IP address"},
    {PORTS "engines: [{name: x, port: a, addresses: [10.0.0.1],\n"
           "  peers: [{name: p, address: 10.0.0.2, mac: 02:00:00:00:00:01},\n"
           "    {name: p, address: 10.0.0.3, mac: 02:00:00:00:00:01}]}]",
     "f:6:12: \"p\" is named twice, first in line 5"},
    {PORTS "engines: [{name: x, port: a, addresses: [10.0.0.1],\n"
           "  peers: [{name: p, address: 10.0.0.2, mac: 02:00:00:00:00:01},\n"
           "    {name: q, address: 10.0.0.2, mac: 02:00:00:00:00:01}]}]",
     "f:6:24: address: 10.0.0.2 is already that of peer \"p\""},
    {PORTS "engines: [{name: x, port: a, addresses: [10.0.0.1],\n"
           "  peers: [{name: p, address: 10.0.0.2}]}]",
     "f:5:11: peer \"p\": the key \"mac\" is missing: port \"a\" (net_ring) cannot ask for it"},
    {PORTS "engines: [{name: x, port: a, addresses: [10.0.0.1/24], gateways: [10.0.0.2]}]",
     "f:4:67: gateways: port \"a\" (net_ring) has no network behind it"},
    {TAP ON_T "}, {name: k, kind: kernel, port: t, interface: tap0}]",
     "f:2:101: port: no engine of kind steer or shaper shares \"t\" out, as one of kind kernel "
     "needs it"},
    {TAP ON_T "}, {name: s, kind: steer, port: t}, {name: k, kind: kernel, port: t}]",
     "f:2:104: engine \"k\": the key \"interface\" is missing"},
    {TAP ON_T "}, {name: s, kind: steer, port: t, interface: tap0}]",
     "f:2:114: interface: \"s\" is no engine of kind kernel"},
    {TAP ON_T ", interface: tap0}]", "f:2:81: interface: \"x\" is no engine of kind kernel"},
    {TAP ON_T "}, {name: s, kind: steer, port: t},\n"
              "  {name: k, kind: kernel, port: t, interface: abcdefghijklmnop}]",
     "f:3:47: interface: \"abcdefghijklmnop\" is longer than 15 characters"},
    {TAP ON_T "}, {name: s, kind: steer, port: t},\n"
              "  {name: k, kind: kernel, port: t, interface: tap0},\n"
              "  {name: l, kind: kernel, port: t, interface: tap1}]",
     "f:4:33: port: \"t\" has an engine for the kernel already, \"k\""},
    {TAP ON_T "}, {name: s, kind: steer, port: t},\n"
              "  {name: k, kind: kernel, port: t, interface: tap0, addresses: [10.0.0.3]}]",
     "f:3:3: engine \"k\": the kernel has addresses, gateways and peers of its own (ip address add "
     "dev tap0)"},
    {TAP ON_T ", gateways: [10.0.0.3]}, {name: s, kind: steer, port: t},\n"
              "  {name: k, kind: kernel, port: t, interface: tap0}]",
     "f:2:81: gateways: the kernel owns \"tap0\" and its routes (ip route add)"},
    {KERNEL ON_T "}, {name: s, kind: steer, port: t},\n"
                 "  {name: k, kind: kernel, port: t, interface: tap0}]",
     "f:3:33: port: \"t\" is on \"eth0\", which the kernel owns: it gets its packets without an "
     "engine"},
    {SHARED "  - {name: k, kind: kernel, port: a, interface: tap0}",
     "f:8:35: port: \"a\" (net_ring) has no network behind it for the kernel"},
    {"ports: [{name: t, driver: ethdev, device: net_tap0},\n"
     "  {name: u, driver: ethdev, device: net_memif0}, {name: v, driver: xdp, interface: tap1}]\n"
     "engines: [{name: s, kind: steer, port: t}, {name: x, port: t, addresses: [10.0.0.1]},\n"
     "  {name: k, kind: kernel, port: t, interface: tap1}]",
     "f:4:47: interface: \"tap1\" is that of \"v\" already"},
    {"ports: [{name: t, driver: ethdev, device: net_tap0},\n"
     "  {name: u, driver: ethdev, device: net_memif0}]\n"
     "engines: [{name: s, kind: steer, port: t}, {name: x, port: t, addresses: [10.0.0.1]},\n"
     "  {name: k, kind: kernel, port: t, interface: tap0},\n"
     "  {name: r, kind: steer, port: u}, {name: y, port: u, addresses: [10.0.1.1]},\n"
     "  {name: l, kind: kernel, port: u, interface: tap0}]",
     "f:6:47: interface: \"tap0\" is that of \"k\" already"},
    {"ports: [{name: t, driver: ethdev}]\n" ON_T "}]",
     "f:1:9: port \"t\": the key \"device\" is missing"},
    {"ports: [{name: t, driver: net_null, device: net_tap0}]\n" ON_T "}]",
     "f:1:45: device: \"t\" has driver net_null, and only ethdev takes a device"},
    {"ports: [{name: t, driver: net_null, interface: eth0}]\n" ON_T "}]",
     "f:1:48: interface: \"t\" has driver net_null, which has none beneath it"},
    {"ports: [{name: t, driver: ethdev, device: net_tap0, interface: eth0123456789abc}]",
     "f:1:64: interface: \"eth0123456789abc\" is longer than 15 characters"},
    {"ports: [{name: t, driver: ethdev, device: ',iface=x'}]\n" ON_T "}]",
     "f:1:43: device: \",iface=x\" begins with no device's name (net_tap0, 0000:03:00.0)"},
    {"ports: [{name: t, driver: ethdev, device: net_tap0},\n"
     "  {name: u, driver: ethdev, device: 'net_tap0,iface=y'}]\n" ON_T "}]",
     "f:2:37: device: \"net_tap0\" is that of port \"t\" already"},
    {"ports: [{name: t, driver: ethdev, device: 'net_af_packet0,iface=eth1,x=1',\n"
     "  interface: eth0}]\n" ON_T "}]",
     "f:2:14: interface: \"eth0\" is not the one of the device, \"eth1\""},
    {"ports: [{name: t, driver: ethdev, device: net_af_packet0, interface: eth0,\n"
     "  mac: 02:00:00:00:00:01}]\n" ON_T "}]",
     "f:2:8: mac: the kernel owns \"eth0\" (ip link set dev eth0 address 02:00:00:00:00:01)"},
    {"ports: [{name: t, driver: xdp}]\n" ON_T "}]",
     "f:1:9: port \"t\": the key \"interface\" is missing"},
    {"ports: [{name: t, driver: xdp, interface: eth0, xdp_mode: fast}]",
     "f:1:59: xdp_mode: \"fast\" is none of auto, native, generic"},
    {"ports: [{name: t, driver: xdp, interface: eth0, zerocopy: on}]",
     "f:1:59: zerocopy: \"on\" is none of auto, off, required"},
    {"ports: [{name: t, driver: xdp, interface: eth0, xdp_mode: generic,\n"
     "  zerocopy: required}]\n" ON_T "}]",
     "f:1:9: port \"t\": generic XDP has no zerocopy"},
    {"ports: [{name: t, driver: net_null, xdp_mode: native}]\n" ON_T "}]",
     "f:1:9: port \"t\" has driver net_null, and only xdp has xdp_mode and zerocopy"},
    {"ports: [{name: t, driver: memif}]\n" ON_T "}]",
     "f:1:9: port \"t\": the key \"socket\" is missing, or does not begin with a slash"},
    {"ports: [{name: t, driver: memif, socket: here}]\n" ON_T "}]",
     "f:1:42: port \"t\": the key \"socket\" is missing, or does not begin with a slash"},
    {"ports: [{name: t, driver: memif, socket: /run/m, role: master}]",
     "f:1:56: role: \"master\" is none of client, server"},
    {"ports: [{name: t, driver: memif, socket: /run/m, id: 4294967296}]",
     "f:1:54: id: 4294967296 is not from 0 to 4294967295"},
    {"ports: [{name: t, driver: memif, socket: /run/m, interface: eth0}]\n" ON_T "}]",
     "f:1:61: interface: \"t\" has driver memif, which has none beneath it"},
    {"ports: [{name: t, driver: memif, socket: /run/m, role: server},\n"
     "  {name: u, driver: memif, socket: /run/m, role: server}]\n" ON_T "}]",
     "f:2:36: socket: \"/run/m\" is that of port \"t\" already"},
    {"ports: [{name: t, driver: net_null, socket: /run/m}]\n" ON_T "}]",
     "f:1:9: port \"t\" has driver net_null, and only memif has socket, role, id and mode"},
    {"ports: [{name: t, driver: net_null, role: server}]\n" ON_T "}]",
     "f:1:9: port \"t\" has driver net_null, and only memif has socket, role, id and mode"},
    {"ports: [{name: t, driver: net_null, mode: '0666'}]\n" ON_T "}]",
     "f:1:9: port \"t\" has driver net_null, and only memif has socket, role, id and mode"},
    {"ports: [{name: t, driver: ethdev, device: net_af_packet0, interface: eth0},\n"
     "  {name: u, driver: xdp, interface: eth0}]\n" ON_T "}]",
     "f:2:37: interface: \"eth0\" is that of port \"t\" already"},
    {"ports: [{name: t, driver: xdp, interface: eth0, mac: 02:00:00:00:00:01}]\n" ON_T "}]",
     "f:1:54: mac: the kernel owns \"eth0\" (ip link set dev eth0 address 02:00:00:00:00:01)"},
    {TAP "engines: [{name: x, port: t, addresses: [10.0.0.1]}]",
     "f:2:42: addresses: 10.0.0.1 needs the length of its network's prefix (10.0.0.1/24)"},
    {TAP "engines: [{name: x, port: t, addresses: ['fd00::1']}]",
     "f:2:42: addresses: fd00::1 needs the length of its network's prefix (fd00::1/64)"},
    {TAP "engines: [{name: x, port: t, addresses: [10.0.0.1/33]}]",
     "f:2:42: addresses: \"10.0.0.1/33\" is no IP address"},
    {TAP ON_T ", gateways: [10.0.1.254]}]",
     "f:2:81: gateways: 10.0.1.254 is in no network of engine \"x\""},
    {TAP ON_T ", gateways: [router]}]", "f:2:81: gateways: \"router\" is no IP address"},
    {TAP ON_T ", gateways: [10.0.0.254, 10.0.0.253]}]",
     "f:2:93: gateways: 10.0.0.254 is of that family already, in line 2"},
    {KERNEL ON_T ", gateways: [10.0.0.254]}]",
     "f:2:81: gateways: the kernel owns \"eth0\" and its routes (ip route add)"},
    {PORTS ENGINES "groups: [{name: g, engines: [x]}]", "f:6:5: engine \"y\" is in no group"},
    {PORTS ENGINES "groups: [{name: g, engines: [x, z]}]",
     "f:7:33: engines: there is no engine \"z\""},
    {PORTS ENGINES "groups: [{name: g, engines: [x, y]}, {name: h, engines: [y]}]",
     "f:7:58: engines: \"y\" is in a group already, in line 7"},
    {PORTS ENGINES "groups: [{name: g, mode: fast, engines: [x, y]}]",
     "f:7:26: mode: \"fast\" is none of dedicated, spreading, compacting"},
    {PORTS ENGINES "groups: [{name: g, cpus: '1-', engines: [x, y]}]",
     "f:7:26: cpus: \"1-\" is no list of CPUs (0-2,5)"},
    {PORTS ENGINES "groups: [{name: g, class: rt, engines: [x, y]}]",
     "f:7:27: class: \"rt\" is none of ordinary, nice, deadline, fifo, auto"},
    {PORTS ENGINES "groups: [{name: g, period: 99us, engines: [x, y]}]",
     "f:7:28: period: 99us is not from 100us to 100ms"},
    {PORTS ENGINES "groups: [{name: g, runtime: 2ms, engines: [x, y]}]",
     "f:7:10: group \"g\": runtime leaves at least 10us of the period to others"},
    {PORTS ENGINES "policy: [{allow: attach}]",
     "f:7:10: a rule has one of uid, gid and any, not 0"},
    {PORTS ENGINES "policy: [{uid: 1, any: true, allow: attach}]",
     "f:7:10: a rule has one of uid, gid and any, not 2"},
    {PORTS ENGINES "policy: [{uid: 1}]", "f:7:10: the key \"allow\" is missing"},
    {PORTS ENGINES "policy: [{uid: alice, allow: attach}]",
     "f:7:16: uid: \"alice\" is not a number"},
    {PORTS ENGINES "policy: [{uid: 1, allow: [attach, lissen]}]",
     "f:7:35: allow: \"lissen\" is none of attach, listen, connect, expose, all"},
    {PORTS ENGINES "policy: [{uid: 1, allow: everything}]",
     "f:7:26: allow: \"everything\" is none of attach, listen, connect, expose, all"},
    {PORTS ENGINES "policy: [{uid: 1, allow: [attach, listen, attach]}]",
     "f:7:43: allow: \"attach\" is named twice"},
    {PORTS ENGINES "policy: [{uid: 1, allow: []}]", "f:7:26: allow: the list is empty"},
    {PORTS ENGINES "policy: [{uid: 1, allow: }]", "f:7:26: allow: a value is missing"},
    {PORTS ENGINES "policy: [{uid: 1, allow: [[attach]]}]", "f:7:27: allow: one value expected"},
    {PORTS ENGINES "policy: [{uid: 1, allow: {attach: true}}]",
     "f:7:26: allow: a word or a list of words expected"},
    {PORTS ENGINES "limits: {connections_per_session: 61441}",
     "f:7:35: connections_per_session: 61441 is not from 0 to 61440"},
    {PORTS ENGINES "limits: {listeners_per_session: 257}",
     "f:7:33: listeners_per_session: 257 is not from 0 to 256"},
    {PORTS ENGINES "limits: {regions_per_session: -1}",
     "f:7:31: regions_per_session: \"-1\" is not a number"},
    {PORTS ENGINES "limits: {exposed_per_session: 5}",
     "f:7:31: exposed_per_session: \"5\" needs a unit (B, KiB, MiB, GiB)"},
};

START_TEST(test_wrong)
{
    for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
        ck_assert_int_eq(parse(wrongs[i].text), -EINVAL);
        ck_assert_str_eq(source.error, wrongs[i].line);
        config_free(&config);
    }
}
END_TEST

/* The effective configuration, loaded again, is the same. */
START_TEST(test_print_and_parse)
{
    char *first = NULL, *second = NULL;
    size_t first_length, second_length;
    ck_assert_int_eq(parse(PORTS ENGINES
                           "policy: [{uid: 1, allow: attach}, {gid: 2, allow: [listen, all]}]"),
                     0);
    FILE *stream = open_memstream(&first, &first_length);
    config_print(&config, stream);
    fclose(stream);
    config_free(&config);
    ck_assert_msg(parse(first) == 0, "%s in\n%s", source.error, first);
    stream = open_memstream(&second, &second_length);
    config_print(&config, stream);
    fclose(stream);
    ck_assert_str_eq(first, second);
    free(first);
    free(second);
}
END_TEST

/* What builds from before memif do not know is not in the text handed to them, unless it was said.
 */
START_TEST(test_print_spares_older_builds)
{
    static const char *const young[] = {"role:", "id:", "mode: \"0600\""};
    char *text = NULL;
    size_t length;
    ck_assert_int_eq(parse("ports: [{name: t, driver: net_null}]\n" ON_T "}]"), 0);
    FILE *stream = open_memstream(&text, &length);
    config_print(&config, stream);
    fclose(stream);
    const char *port = strstr(text, "ports:"), *engines = strstr(text, "engines:");
    ck_assert(port && engines && port < engines);
    for (size_t i = 0; i < sizeof(young) / sizeof(young[0]); i++) {
        const char *found = strstr(port, young[i]);
        ck_assert_msg(!found || found > engines, "%s in\n%s", young[i], text);
    }
    free(text);
    config_free(&config);
    ck_assert_msg(
        parse("ports: [{name: t, driver: memif, socket: /run/m, role: server, id: 7}]\n" ON_T
              "}]") == 0,
        "%s", source.error);
    stream = open_memstream(&text, &length);
    config_print(&config, stream);
    fclose(stream);
    ck_assert_ptr_nonnull(strstr(text, "role: server"));
    ck_assert_ptr_nonnull(strstr(text, "id: 7"));
    free(text);
}
END_TEST

/* Nor what builds from before sessions of huge pages do not know. */
START_TEST(test_print_spares_huge_pages)
{
    char *text = NULL;
    size_t length;
    ck_assert_int_eq(parse("ports: [{name: t, driver: net_null}]\n" ON_T
                           "}]\npolicy: [{uid: 7, allow: all}, {gid: 8, allow: all, hugepages: "
                           "auto}]"),
                     0);
    FILE *stream = open_memstream(&text, &length);
    config_print(&config, stream);
    fclose(stream);
    const char *first = strstr(text, "uid: 7"), *second = strstr(text, "gid: 8");
    const char *found = first ? strstr(first, "hugepages:") : NULL;
    ck_assert(found && second && found > second);
    ck_assert_int_eq(strncmp(found, "hugepages: auto\n", strlen("hugepages: auto\n")), 0);
    free(text);
}
END_TEST

/* Nor what builds from before moderation do not know. */
START_TEST(test_print_spares_moderation)
{
    static const struct {
        const char *given, *printed; /* NULL: nothing */
    } cases[] = {
        {"", NULL},
        {", moderation: 20us", NULL},
        {", moderation: 30us", "moderation: 30us\n"},
        {", moderation: never", "moderation: never\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char given[256], *text = NULL;
        size_t length;
        snprintf(given, sizeof(given),
                 "ports: [{name: t, driver: net_null}]\n" ON_T
                 "}]\ngroups: [{name: g, engines: [x]%s}]",
                 cases[i].given);
        ck_assert_msg(parse(given) == 0, "%s", source.error);
        FILE *stream = open_memstream(&text, &length);
        config_print(&config, stream);
        fclose(stream);
        const char *found = strstr(text, "moderation: ");
        if (cases[i].printed)
            ck_assert(found && !strncmp(found, cases[i].printed, strlen(cases[i].printed)));
        else
            ck_assert_ptr_null(found);
        free(text);
        config_free(&config);
    }
}
END_TEST

/* A word grants what it says; one stands for all of them. */
START_TEST(test_rights)
{
    const struct {
        const char *allow;
        uint32_t rights;
    } cases[] = {
        {"attach", POLICY_ATTACH},
        {"[attach]", POLICY_ATTACH},
        {"listen", POLICY_LISTEN},
        {"connect", POLICY_CONNECT},
        {"expose", POLICY_EXPOSE},
        {"[connect, attach]", POLICY_ATTACH | POLICY_CONNECT},
        {"[attach, listen, connect, expose]", POLICY_ALL},
        {"all", POLICY_ALL},
        {"[attach, all]", POLICY_ALL},
    };
    char text[256];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(text, sizeof(text), PORTS ENGINES "policy: [{uid: 1, allow: %s}]", cases[i].allow);
        ck_assert_msg(parse(text) == 0, "%s", source.error);
        ck_assert_uint_eq(config_rights(config.policy.items), cases[i].rights);
        config_free(&config);
    }
}
END_TEST

/* Every key means something, in one cell of a table. */
static void check_help(const struct schema *schema)
{
    for (const struct schema_field *field = schema->fields; field->key; field++) {
        ck_assert_msg(field->help && strlen(field->help) > 5, "%s has no help", field->key);
        ck_assert_msg(!strpbrk(field->help, "|\n"), "%s: help that breaks a table", field->key);
        if (field->element)
            check_help(field->element);
    }
}

START_TEST(test_described)
{
    const char *lines[] = {
        "### Top level\n",
        "\n### `ports[].impair`\n",
        "\n### `engines[].peers[]`\n",
        "| `memory` | size | B, KiB, MiB, GiB | 32MiB to 1024GiB | `256MiB` | ",
        "| `mode` | mode | octal | 0000 to 0777 | `0660` | ",
        "| `uid` | number |  | 0 to 4294967294 | none | ",
        "| `gateways` | list of texts |  | at most 2 | none | ",
        "| `program` | text |  | at most 127 characters | where it is installed | ",
        "| `limits` | mapping |  |  |  | ",
        "| `name` | name |  | at most 31 characters | required | ",
    };
    char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);
    check_help(&config_schema);
    config_describe(stream);
    fclose(stream);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        ck_assert_msg(strstr(text, lines[i]) != NULL, "no \"%s\"", lines[i]);
    free(text);
}
END_TEST

START_TEST(test_cpus)
{
    const char *bad[] = {"x", "-1", "1-", "3-1", "1,", ",1", "1 2", "1024", "99999999999999999999"};
    cpu_set_t cpus;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_int_eq(config_cpus(bad[i], &cpus), -EINVAL);
    ck_assert_int_eq(config_cpus("", &cpus), 0);
    ck_assert_int_eq(CPU_COUNT(&cpus), 0);
    ck_assert_int_eq(config_cpus("1023", &cpus), 0);
    ck_assert(CPU_ISSET(1023, &cpus));
}
END_TEST

START_TEST(test_owners)
{
    const struct config_port *port;
    ck_assert_msg(parse(TAP ON_T ", gateways: [10.0.0.254, 'fd00::ff'],\n"
                                 "  peers: [{name: p, address: 10.0.0.2}]}]\nuser: saddle") == 0,
                  "%s", source.error);
    port = config_port(&config, 0);
    ck_assert_uint_eq(config_owner(port), CONFIG_OWNER_SADDLE);
    ck_assert_uint_eq(port->mtu, 1500);
    ck_assert_str_eq(config.user.text, "saddle");
    config_free(&config);
    ck_assert_msg(parse(KERNEL "engines: [{name: x, port: t, addresses: [10.0.0.1]}]") == 0, "%s",
                  source.error);
    port = config_port(&config, 0);
    ck_assert_uint_eq(config_owner(port), CONFIG_OWNER_KERNEL);
    ck_assert_uint_eq(port->mtu, SCHEMA_UNSET);
    config_free(&config);
    ck_assert_int_eq(parse(PORTS ENGINES), 0);
    ck_assert_uint_eq(config_owner(config_port(&config, 0)), CONFIG_OWNER_NOBODY);
}
END_TEST

START_TEST(test_links_of_the_kernel)
{
    const struct config_engine *mates[CONFIG_MATES_MAX];
    const struct config_port *port;

    ck_assert_msg(parse(WITH_KERNEL) == 0, "%s", source.error);
    port = config_port(&config, 0);
    ck_assert_uint_eq(config_owner(port), CONFIG_OWNER_SADDLE);
    ck_assert_uint_eq(config_link_owner(&config, port), CONFIG_OWNER_KERNEL);
    ck_assert_str_eq(config_link_interface(&config, port), "tap0");
    ck_assert_ptr_eq(config_kernel_on(&config, "t"), config_engine(&config, 2));
    ck_assert_ptr_eq(config_engine_on(&config, "t"), config_engine(&config, 0));
    ck_assert_uint_eq(config_mates(&config, "t", mates), 1);
    ck_assert_ptr_eq(config_in_place(&config, config_engine(&config, 2)),
                     config_engine(&config, 2));
    ck_assert_str_eq(config_host_name(&config, "t"), "s");
    config_free(&config);
    ck_assert_msg(parse(KERNEL "engines: [{name: x, port: t, addresses: [10.0.0.1]}]") == 0, "%s",
                  source.error);
    port = config_port(&config, 0);
    ck_assert_uint_eq(config_link_owner(&config, port), CONFIG_OWNER_KERNEL);
    ck_assert_str_eq(config_link_interface(&config, port), "eth0");
    config_free(&config);
    /* Peers can be asked for, and no prefix is needed. */
    ck_assert_msg(parse(TAP "engines: [{name: x, port: t, addresses: [10.0.0.1],\n"
                            "  peers: [{name: p, address: 10.0.0.2}]},\n"
                            "  {name: k, kind: kernel, port: t, interface: tap0},\n"
                            "  {name: s, kind: steer, port: t}]") == 0,
                  "%s", source.error);
}
END_TEST

START_TEST(test_subnets)
{
    const char *bad[] = {"",           "/24",         "10.0.0.1/",  "10.0.0.1/33", "10.0.0.1/-1",
                         "10.0.0.1/x", "10.0.0.1/ 8", "fd00::/129", "fd00::1/6 4", "10.0.0.1/24/"};
    const struct {
        const char *network, *address;
        bool has;
    } cases[] = {
        {"10.0.0.1/24", "10.0.0.254", true},   {"10.0.0.1/24", "10.0.1.1", false},
        {"10.0.0.1/31", "10.0.0.0", true},     {"10.0.0.1/31", "10.0.0.2", false},
        {"10.0.0.1/32", "10.0.0.1", true},     {"10.0.0.1/0", "1.2.3.4", true},
        {"10.0.0.1/0", "fd00::1", false},      {"10.0.0.1", "10.0.0.1", false},
        {"fd00::1/64", "fd00::ffff", true},    {"fd00::1/64", "fd00:0:0:1::1", false},
        {"fd00::1/63", "fd00:0:0:1::1", true}, {"::1/0", "10.0.0.1", false},
        {"fd00::1/128", "fd00::1", true},
    };
    struct config_subnet subnet;
    struct address address;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_int_eq(config_subnet(bad[i], &subnet), -EINVAL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_int_eq(config_subnet(cases[i].network, &subnet), 0);
        ck_assert_int_eq(address_parse(&address, cases[i].address), 0);
        ck_assert_int_eq(config_subnet_has(&subnet, &address), cases[i].has);
    }
}
END_TEST

START_TEST(test_files)
{
    source.file = "/nonexistent/f";
    ck_assert_int_eq(config_load(&config, &source), -ENOENT);
    ck_assert_str_eq(source.error, "/nonexistent/f: No such file or directory");
    source.file = "/";
    ck_assert_int_eq(config_load(&config, &source), -EISDIR);
    source.file = "/dev/zero";
    ck_assert_int_eq(config_load(&config, &source), -EFBIG);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/config");
    TCase *tcase = tcase_create("config");
    tcase_add_checked_fixture(tcase, NULL, release);
    tcase_add_test(tcase, test_defaults);
    tcase_add_test(tcase, test_xdp);
    tcase_add_test(tcase, test_engines_that_share_a_port);
    tcase_add_test(tcase, test_values);
    tcase_add_test(tcase, test_wrong);
    tcase_add_test(tcase, test_print_and_parse);
    tcase_add_test(tcase, test_print_spares_older_builds);
    tcase_add_test(tcase, test_print_spares_huge_pages);
    tcase_add_test(tcase, test_print_spares_moderation);
    tcase_add_test(tcase, test_rights);
    tcase_add_test(tcase, test_described);
    tcase_add_test(tcase, test_cpus);
    tcase_add_test(tcase, test_owners);
    tcase_add_test(tcase, test_links_of_the_kernel);
    tcase_add_test(tcase, test_subnets);
    tcase_add_test(tcase, test_files);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
