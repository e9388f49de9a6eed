/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config_schema.h"

#include "control/arena.h"
#include "control/policy.h"
#include "daemon/config.h"
#include "daemon/ethdev.h"
#include "daemon/handover.h"
#include "engines/pony/fair.h"
#include "engines/pony/transport.h"
#include "engines/pony/upper.h"
#include "engines/pony/wire.h"
#include "engines/shaper/shape.h"
#include "engines/shaper/token_bucket.h"
#include "sched/group.h"

#define PACKETS_MIN          512u /* receive ring and bursts leave some to send with */
#define PACKETS_MAX          (1u << 20)
#define POLICY_RULES_MAX     256u
#define CONNECTIONS_MAX      61440u /* a handle has 16 bits of index, listeners included */
#define OPERATIONS_MAX       (1u << 20)
#define REGIONS_MAX          65536u
#define FLOWS_MAX            4096u
#define CPU_PER_UID_MAX      (CONFIG_ENGINES_MAX * BUCKET_WHOLE)
#define WINDOW_MIN           2u             /* packets: one to be lost, one to tell */
#define WINDOW_MAX           WIRE_SACK_BITS /* packets: what an acknowledgement can speak of */
#define VLAN_MAX             4094u          /* IEEE 802.1Q: 4095 is reserved */
#define DSCP_MAX             63u
#define MEMORY_MIN           (32ull << 20)
#define MEMORY_MAX           (1ull << 40)
#define NAME_LENGTH_MAX      31u     /* struct port and struct engine: 32 with the final NUL */
#define INTERFACE_LENGTH_MAX 15u     /* IFNAMSIZ without the final NUL */
#define USER_LENGTH_MAX      32u     /* useradd(8) */
#define GATEWAYS_MAX         2u      /* one of each family */
#define RATE_MIN             8000ull /* bits per second: a small packet a second */
#define RATE_MAX             (8 * BUCKET_RATE_MAX)
#define BURST_MIN            256u /* bytes; what the port's frames need is more, and known later */
#define TIME_MAX             (3600 * NSEC_PER_SEC)
#define PERCENT              10000u                 /* parts per million */
#define MODERATION_MIN_NS    (10 * NSEC_PER_USEC)   /* a sleep and a wake-up take that long */
#define MODERATION_MAX_NS    (1000 * NSEC_PER_USEC) /* receive rings hold what comes meanwhile */

static const char *const hugepages_choices[] = {"auto", "off", "required", NULL};
const char *const config_drivers[] = {"net_ring", "net_null", "ethdev", "xdp", "memif", NULL};
static const char *const role_choices[] = {"client", "server", NULL};
static const char *const xdp_mode_choices[] = {"auto", "native", "generic", NULL};
static const char *const zerocopy_choices[] = {"auto", "off", "required", NULL};
static const char *const kind_choices[] = {"pony", "steer", "shaper", "kernel", NULL};
static const char *const congestion_choices[] = {"swift", "timely", "window", NULL};
static const char *const peer_congestion_choices[] = {"swift", "timely", "window", "engine", NULL};
/* As enum quanta_class numbers them. */
static const char *const class_choices[] = {"ordinary", "nice", "deadline", "fifo", "auto", NULL};
static const char *const mode_choices[] = {"dedicated", "spreading", "compacting", NULL};
static const char *const pause_choices[] = {"auto", "off", NULL};
static const char *const engines_choices[] = {"shared", "exclusive", NULL};
static const char *const bool_choices[] = {"false", "true", NULL};
/* Rights of the policy, in the order of their bits, and the word for all of them. */
static const char *const allow_choices[] = {"attach", "listen", "connect", "expose", "all", NULL};
_Static_assert(POLICY_ATTACH == 1 && POLICY_LISTEN == 2 && POLICY_CONNECT == 4 &&
                   POLICY_EXPOSE == 8 && CONFIG_ALLOW_ALL == 16,
               "words and bits are in the same order");

/* The last argument of each says what the key means. */
#define NUMBER(structure, member, unit, low, high, value, ...)                                     \
    {                                                                                              \
        .key = #member, .kind = SCHEMA_NUMBER, .units = (unit),                                    \
        .offset = offsetof(struct structure, member), .min = (low), .max = (high),                 \
        .fallback = (value), .help = __VA_ARGS__                                                   \
    }
#define TEXT(structure, member, type, length, value, ...)                                          \
    {                                                                                              \
        .key = #member, .kind = (type), .offset = offsetof(struct structure, member),              \
        .max = (length), .fallback = (value), .help = __VA_ARGS__                                  \
    }
#define CHOICE(structure, member, type, all, value, ...)                                           \
    {                                                                                              \
        .key = #member, .kind = (type), .offset = offsetof(struct structure, member),              \
        .fallback = (value), .choices = (all), .help = __VA_ARGS__                                 \
    }
#define NESTED(structure, member, type, count, inner, ...)                                         \
    {                                                                                              \
        .key = #member, .kind = (type), .offset = offsetof(struct structure, member),              \
        .max = (count), .element = (inner), .help = __VA_ARGS__                                    \
    }
#define END                                                                                        \
    {                                                                                              \
        .key = NULL                                                                                \
    }

static const struct schema_field impair_fields[] = {
    NUMBER(config_impair, loss, UNITS_SHARE, 0, 1000000, "0", "packets lost one by one"),
    NUMBER(config_impair, duplicate, UNITS_SHARE, 0, 1000000, "0", "packets sent twice"),
    NUMBER(config_impair, reorder, UNITS_SHARE, 0, 1000000, "0",
           "packets held back for `reorder_by`, so that later ones overtake"),
    NUMBER(config_impair, corrupt, UNITS_SHARE, 0, 1000000, "0", "packets with one bit flipped"),
    NUMBER(config_impair, burst_enter, UNITS_SHARE, 0, 1000000, "0",
           "how likely a burst of loss begins at a packet"),
    NUMBER(config_impair, burst_leave, UNITS_SHARE, 0, 1000000, "0",
           "how likely it ends at a packet"),
    NUMBER(config_impair, burst_loss, UNITS_SHARE, 0, 1000000, "0", "packets lost while it lasts"),
    NUMBER(config_impair, reorder_by, UNITS_DURATION, 0, 10 * NSEC_PER_SEC, "100us",
           "how long a packet is held back by `reorder`"),
    NUMBER(config_impair, delay, UNITS_DURATION, 0, 10 * NSEC_PER_SEC, "0",
           "how long every packet is held back"),
    NUMBER(config_impair, jitter, UNITS_DURATION, 0, 10 * NSEC_PER_SEC, "0",
           "how much longer than `delay`, at most; a random time for each packet"),
    NUMBER(config_impair, seed, UNITS_COUNT, 0, INT64_MAX, "1",
           "of the generator: the same seed makes the same faults"),
    END,
};
static const struct schema impair_schema = {impair_fields, sizeof(struct config_impair)};

static const struct schema_field port_fields[] = {
    TEXT(config_port, name, SCHEMA_NAME, ETHDEV_NAME_MAX, NULL,
         "by which engines and other ports speak of it"),
    CHOICE(
        config_port, driver, SCHEMA_CHOICE, config_drivers, NULL,
        "`xdp`: an interface that the kernel keeps, by AF_XDP; `ethdev`: any device that DPDK "
        "drives; `memif`: a wire of shared memory to another process of this host; `net_ring`: a "
        "wire to another port of this daemon; `net_null`: drops all, receives nothing"),
    TEXT(config_port, peer, SCHEMA_NAME, ETHDEV_NAME_MAX, "",
         "`net_ring`: the port at the other end, which names this one"),
    TEXT(config_port, device, SCHEMA_TEXT, 0, "",
         "`ethdev`: a virtual device with its arguments (`net_tap0,iface=sad0`), or a PCI address "
         "(`0000:03:00.0`)"),
    TEXT(config_port, interface, SCHEMA_NAME, INTERFACE_LENGTH_MAX, "",
         "`xdp`: the kernel's interface; `ethdev`: the one beneath the device, as of "
         "`net_af_packet`"),
    CHOICE(
        config_port, xdp_mode, SCHEMA_CHOICE, xdp_mode_choices, "auto",
        "`xdp`: `native`, in the interface's driver; `generic`, with any driver, slowly; `auto`, "
        "native if the driver can, else generic, and a line in the log"),
    CHOICE(config_port, zerocopy, SCHEMA_CHOICE, zerocopy_choices, "auto",
           "`xdp`: whether the driver reads and writes packets in place: `auto`, if it can; `off`; "
           "`required`, else refuse to start"),
    TEXT(config_port, socket, SCHEMA_TEXT, 0, "",
         "`memif`: the path of the Unix socket by which the two sides find each other"),
    CHOICE(config_port, role, SCHEMA_CHOICE, role_choices, "client",
           "`memif`: `server`, which listens at the socket, or `client`, which provides the memory",
           .sparing = true),
    NUMBER(config_port, id, UNITS_COUNT, 0, UINT32_MAX, "0",
           "`memif`: the number of the interface, the same on both sides", .sparing = true),
    NUMBER(config_port, mode, UNITS_MODE, 0, 0777, "0600",
           "`memif`: permission bits of a server's socket; who may write to it may connect",
           .sparing = true),
    TEXT(config_port, mac, SCHEMA_TEXT, 0, "",
         "a unicast Ethernet address (`02:00:00:00:00:01`); an `interface` has the one that the "
         "kernel gives it",
         .otherwise =
             "the device's own, for `net_tap` one beside that of the kernel's end; without "
             "a device, from the position in the list"),
    NUMBER(config_port, mtu, UNITS_COUNT, CONFIG_MTU_MIN, CONFIG_MTU_MAX, "",
           "bytes of an IP packet, the same at both ends of a wire",
           .otherwise = "what `interface` has, else `1500`"),
    NUMBER(config_port, packets, UNITS_COUNT, PACKETS_MIN, PACKETS_MAX, "4096",
           "packets in the port's pool"),
    NESTED(config_port, impair, SCHEMA_MAPPING, 0, &impair_schema,
           "faults for what the port sends: a bad network on purpose"),
    END,
};
static const struct schema port_schema = {port_fields, sizeof(struct config_port)};

static const struct schema_field peer_fields[] = {
    TEXT(config_peer, name, SCHEMA_NAME, SADDLE_NAME_BYTES - 1, NULL,
         "by which applications call the host"),
    TEXT(config_peer, address, SCHEMA_TEXT, 0, NULL, "the host's IP address"),
    TEXT(config_peer, mac, SCHEMA_TEXT, 0, "",
         "its unicast Ethernet address, where the port cannot ask for it"),
    CHOICE(config_peer, congestion, SCHEMA_CHOICE, peer_congestion_choices, "engine",
           "congestion control toward it; `engine`: as the engine has it"),
    END,
};
static const struct schema peer_schema = {peer_fields, sizeof(struct config_peer)};

static const struct schema_field class_fields[] = {
    TEXT(config_class, name, SCHEMA_NAME, NAME_LENGTH_MAX, NULL,
         "by which operators and other classes speak of it; `root`, over all, and `default`, for "
         "what no `match` names, are always there, and can be said more of; so is `control`, for "
         "what is no session's, which cannot"),
    TEXT(config_class, parent, SCHEMA_NAME, NAME_LENGTH_MAX, "",
         "the class above it, whose rate bounds the sum of those below it; at most 4 levels below "
         "the root",
         .otherwise = "`root`"),
    NUMBER(config_class, rate, UNITS_RATE, RATE_MIN, RATE_MAX, "",
           "bits per second that it may send in the long run, counted on the wire: frames with "
           "checksum, preamble and gap",
           .otherwise = "what those above it may"),
    NUMBER(config_class, burst, UNITS_BYTES, BURST_MIN, BUCKET_DEPTH_MAX, "",
           "bytes that it may send at once after it sent less than its `rate`: at least two of the "
           "port's largest frames",
           .otherwise = "what leaves in 4ms, at least `32KiB`"),
    NUMBER(config_class, priority, UNITS_COUNT, 0, SHAPE_BANDS - 1, "0",
           "among the classes of its parent: a lower one always goes first"),
    NUMBER(config_class, weight, UNITS_COUNT, 1, SHAPE_WEIGHT_MAX, "1",
           "its part of what its parent sends, among those of the same `priority` that have "
           "something"),
    NESTED(config_class, match, SCHEMA_TEXTS, CONFIG_MATCHES_MAX, NULL,
           "whose packets are of this class, which has no others below it: each a text such as "
           "`uid 1000`, `session 7`, `peer 10.0.0.0/24`, `dscp 46`, `kernel`, `any`, or some of "
           "them that all have to be true (`uid 1000 peer 10.0.0.2`). The first in the order of "
           "the classes that is met counts"),
    END,
};
const struct schema config_class_schema = {class_fields, sizeof(struct config_class)};

static const struct schema_field engine_fields[] = {
    TEXT(config_engine, name, SCHEMA_NAME, NAME_LENGTH_MAX, NULL,
         "the host's name, for applications and peers; of engines that share a port, that is the "
         "name of the `steer` or `shaper`"),
    CHOICE(config_engine, kind, SCHEMA_CHOICE, kind_choices, "pony",
           "`pony`: the transport; `steer`: shares its port out among the other engines that name "
           "it, which together are one host; `shaper`: does the same, and decides in which order "
           "and how fast their packets leave, by `classes`; `kernel`: one of those others, gives "
           "the kernel what is for none of the rest, and sends what the kernel has to send"),
    TEXT(config_engine, port, SCHEMA_NAME, ETHDEV_NAME_MAX, NULL,
         "the name of its port; each port belongs to one engine, but for those of a `steer` or "
         "`shaper`"),
    TEXT(config_engine, interface, SCHEMA_NAME, INTERFACE_LENGTH_MAX, "",
         "`kernel`: the name of the kernel's interface (a TAP), which is made as the daemon starts "
         "and is gone when it ends"),
    NESTED(config_engine, addresses, SCHEMA_TEXTS, TRANSPORT_ADDRESSES_MAX, NULL,
           "IP addresses, of either family, with or without the length of the prefix "
           "(`10.0.0.1/24`)",
           .otherwise = "required"),
    NESTED(config_engine, gateways, SCHEMA_TEXTS, GATEWAYS_MAX, NULL,
           "where packets go that are for no network of `addresses`: at most one of each family"),
    NESTED(config_engine, peers, SCHEMA_MAPPINGS, TRANSPORT_PEERS_MAX, &peer_schema,
           "hosts that have a name, besides the engine at the other end of a wire"),
    NESTED(config_engine, classes, SCHEMA_MAPPINGS, CONFIG_CLASSES_MAX, &config_class_schema,
           "`shaper`: classes of packets; they change while packets flow"),
    NUMBER(config_engine, udp_port, UNITS_COUNT, 1, UINT16_MAX, "50707",
           "to receive at, the same on all hosts; of engines that share a port, the first has that "
           "one, and the others one each of the 63 that follow"),
    NUMBER(config_engine, vlan, UNITS_COUNT, 0, VLAN_MAX, "0",
           "put on every packet, and taken from every one; 0 is untagged"),
    NUMBER(config_engine, dscp, UNITS_COUNT, 0, DSCP_MAX, "0", "put on every packet (RFC 2474)"),
    NUMBER(config_engine, wire_min, UNITS_COUNT, WIRE_VERSION_MIN, WIRE_VERSION_MAX, "1",
           "the oldest version of the wire that is spoken with other hosts"),
    NUMBER(config_engine, wire_max, UNITS_COUNT, WIRE_VERSION_MIN, WIRE_VERSION_MAX, "2",
           "the newest one, not below `wire_min`: two hosts use the highest that both speak"),
    NUMBER(config_engine, window, UNITS_COUNT, WINDOW_MIN, WINDOW_MAX, "256",
           "packets that a flow may have in flight"),
    CHOICE(config_engine, congestion, SCHEMA_CHOICE, congestion_choices, "swift",
           "what holds a flow back before the network drops its packets: `swift`, a window, and "
           "`timely`, a rate, by the round trip; `window`: not before it drops or marks them"),
    NUMBER(config_engine, rto_min, UNITS_DURATION, NSEC_PER_USEC, TIME_MAX, "1ms",
           "the least time after which a packet is sent again"),
    NUMBER(config_engine, rto_max, UNITS_DURATION, NSEC_PER_USEC, TIME_MAX, "200ms",
           "the longest such time, not below `rto_min`"),
    NUMBER(config_engine, dead_after, UNITS_DURATION, NSEC_PER_MSEC, TIME_MAX, "5s",
           "silence after which a host is given up and its connections end"),
    NUMBER(config_engine, keepalive, UNITS_DURATION, NSEC_PER_MSEC, TIME_MAX, "1s",
           "how often an idle flow in use asks whether the other side lives"),
    NUMBER(config_engine, hello_timeout, UNITS_DURATION, NSEC_PER_MSEC, TIME_MAX, "2s",
           "for a host to answer at all"),
    NUMBER(config_engine, ack_delay, UNITS_DURATION, NSEC_PER_USEC, TIME_MAX, "20us",
           "how long an acknowledgement may wait for company"),
    NUMBER(config_engine, sessions, UNITS_COUNT, 1, ARENAS_MAX, "64",
           "applications that there is room for at a time"),
    NUMBER(config_engine, connections, UNITS_COUNT, 1, CONNECTIONS_MAX, "1024",
           "connections of all sessions; half of the room is set aside for them in equal parts"),
    NUMBER(config_engine, operations, UNITS_COUNT, 1, OPERATIONS_MAX, "16384",
           "operations of all sessions that are not complete, shared out likewise"),
    NUMBER(config_engine, regions, UNITS_COUNT, 1, REGIONS_MAX, "256",
           "exposed regions of all sessions, shared out likewise"),
    NUMBER(config_engine, flows, UNITS_COUNT, 1, FLOWS_MAX, "256",
           "other hosts' engines that are spoken to at a time"),
    END,
};
static const struct schema engine_schema = {engine_fields, sizeof(struct config_engine)};

static const struct schema_field group_fields[] = {
    TEXT(config_group, name, SCHEMA_NAME, NAME_LENGTH_MAX, NULL, "by which operators speak of it"),
    CHOICE(config_group, mode, SCHEMA_CHOICE, mode_choices, "spreading",
           "`dedicated`: threads of their own, which spin; `spreading`: a thread for each engine, "
           "woken when there is work; `compacting`: one thread as long as no work waits for longer "
           "than `slo`, then more"),
    TEXT(config_group, cpus, SCHEMA_TEXT, 0, "", "where its threads run: a list such as `0-2,5`",
         .otherwise = "all; of a machine with several memory nodes, those of the nodes of its "
                      "engines' ports"),
    CHOICE(config_group, class, SCHEMA_CHOICE, class_choices, "auto",
           "how its threads stand to other tasks. `fifo`: they have `runtime` of each `period` "
           "before ordinary tasks, which have the rest, by a budget that the daemon keeps; "
           "`deadline`: the same by a reservation of the kernel's, for groups without `cpus`; "
           "`nice`: nice -20, which is no share; `ordinary`: as they are; `auto`: the first of "
           "them that the kernel grants, and `ordinary` for threads that never sleep and have no "
           "`cpus` of their own"),
    NUMBER(config_group, runtime, UNITS_DURATION, QUANTA_PART_MIN_NS, QUANTA_PERIOD_MAX_NS, "900us",
           "of each `period`, how long its threads go before ordinary tasks: on each CPU, not "
           "for each thread"),
    NUMBER(config_group, period, UNITS_DURATION, QUANTA_PERIOD_MIN_NS, QUANTA_PERIOD_MAX_NS, "1ms",
           "what `runtime` is of"),
    NUMBER(
        config_group, threads, UNITS_COUNT, 0, GROUP_THREADS_MAX, "0",
        "dedicated: how many; 0: one for each of `cpus`, else one. Compacting: at most how many; "
        "0: one for each of `cpus`, else of the machine's"),
    NUMBER(config_group, idle, UNITS_DURATION, NSEC_PER_USEC, NSEC_PER_SEC, "",
           "how long a thread looks for work before it sleeps; one that has no engine sleeps at "
           "once",
           .otherwise = "`never` if dedicated, else `20us`", .never = "never"),
    NUMBER(config_group, moderation, UNITS_DURATION, MODERATION_MIN_NS, MODERATION_MAX_NS, "20us",
           "how long a thread that sleeps at all does not look for packets in the midst of large "
           "messages and reads; `never`: it looks for each",
           .never = "never", .sparing = true),
    NUMBER(config_group, slo, UNITS_DURATION, NSEC_PER_USEC, NSEC_PER_SEC, "50us",
           "compacting: how long work may wait for its engine before that, or another one, gets "
           "another thread"),
    CHOICE(config_group, pause, SCHEMA_CHOICE, pause_choices, "auto",
           "between two looks of a spinning thread: `auto`, with TPAUSE where the processor has "
           "it, which saves power; `off`, never with that"),
    NESTED(config_group, engines, SCHEMA_TEXTS, GROUP_ENGINES_MAX, NULL,
           "names of engines; each is in exactly one group"),
    END,
};
const struct schema config_group_schema = {group_fields, sizeof(struct config_group)};

static const struct schema_field rule_fields[] = {
    NUMBER(config_rule, uid, UNITS_COUNT, 0, UINT32_MAX - 1, "", "the user that the rule is for"),
    NUMBER(config_rule, gid, UNITS_COUNT, 0, UINT32_MAX - 1, "",
           "the group that it is for: of processes that have it as their own or as a supplementary "
           "one"),
    CHOICE(config_rule, any, SCHEMA_CHOICE, bool_choices, "false", "`true`: it is for everybody"),
    CHOICE(
        config_rule, allow, SCHEMA_CHOICES, allow_choices, NULL,
        "what it grants, one word or a list: `attach`, to have a session, without which the rest "
        "is of no use; `listen`, to offer services; `connect`, to call them; `expose`, to let "
        "connected peers read and write memory; `all`. Each word grants what it says and nothing "
        "else"),
    CHOICE(
        config_rule, engines, SCHEMA_CHOICE, engines_choices, "shared",
        "`exclusive`: each session has an engine to itself, and is refused if all have sessions; "
        "`shared`: sessions are spread over a host's engines, but for those"),
    NUMBER(config_rule, weight, UNITS_COUNT, 1, FAIR_WEIGHT_MAX, "1",
           "how much of its engine's time a session gets beside others that want it too, in "
           "proportion; the highest of all rules that name somebody"),
    CHOICE(config_rule, hugepages, SCHEMA_CHOICE, policy_hugepages_words, "off",
           "of which pages the memory of sessions is, which is trust: not in a rule for `any`. "
           "`auto`: huge ones if enough are free, else ordinary ones, and a line in the log; "
           "`required`: huge ones, or the attach is refused; `off`: ordinary ones. The strongest "
           "of all rules that name somebody",
           .sparing = true),
    END,
};
static const struct schema rule_schema = {rule_fields, sizeof(struct config_rule)};

static const struct schema_field socket_fields[] = {
    TEXT(
        config_socket, path, SCHEMA_TEXT, 0, "/run/saddle/attach.sock",
        "no longer than the 107 characters that a Unix socket may have; `PATH.lock` beside it says "
        "that it is served"),
    NUMBER(config_socket, mode, UNITS_MODE, 0, 0777, "0660",
           "permission bits of the socket; whoever may open it is then asked for by `policy`"),
    END,
};
static const struct schema socket_schema = {socket_fields, sizeof(struct config_socket)};

static const struct schema_field limits_fields[] = {
    NUMBER(config_limits, sessions_per_uid, UNITS_COUNT, 1, ARENAS_MAX, "64",
           "sessions of one user at a time"),
    NUMBER(config_limits, memory_per_uid, UNITS_BYTES, 1u << 20, MEMORY_MAX, "4GiB",
           "memory of all sessions of one user"),
    NUMBER(config_limits, handshake_timeout, UNITS_DURATION, NSEC_PER_MSEC, TIME_MAX, "5s",
           "for an application to say what it wants"),
    NUMBER(config_limits, connections_per_session, UNITS_COUNT, 0, CONNECTIONS_MAX, "0",
           "connections of one session at a time, callers that wait to be accepted included; 0: "
           "its share of the engine's `connections`"),
    NUMBER(config_limits, listeners_per_session, UNITS_COUNT, 0, UPPER_LISTENERS, "0",
           "services that one session offers at a time; 0: what is left of the engine's 256"),
    NUMBER(config_limits, regions_per_session, UNITS_COUNT, 0, REGIONS_MAX, "0",
           "regions that one session exposes at a time; 0: its share of the engine's `regions`"),
    NUMBER(config_limits, exposed_per_session, UNITS_BYTES, 0, MEMORY_MAX, "0",
           "memory in them, counted twice where two overlap; 0: no bound but the session's memory"),
    NUMBER(config_limits, operations_per_session, UNITS_COUNT, 0, OPERATIONS_MAX, "0",
           "operations of one session that are not complete, at a time; further commands wait; 0: "
           "its share of the engine's `operations`"),
    NUMBER(config_limits, cpu_per_session, UNITS_SHARE, 0, BUCKET_WHOLE, "0",
           "of its engine's time that one session may take; what is beyond waits; 0: no bound"),
    NUMBER(config_limits, cpu_per_uid, UNITS_SHARE, 0, CPU_PER_UID_MAX, "0",
           "the same of all sessions of one user, on all engines: `200%` is the time of two; 0: no "
           "bound"),
    END,
};
static const struct schema limits_schema = {limits_fields, sizeof(struct config_limits)};

static const struct schema_field caller_fields[] = {
    NUMBER(config_caller, uid, UNITS_COUNT, 0, UINT32_MAX - 1, "", "a user"),
    NUMBER(config_caller, gid, UNITS_COUNT, 0, UINT32_MAX - 1, "",
           "a group, also of processes that have it as a supplementary one"),
    CHOICE(config_caller, any, SCHEMA_CHOICE, bool_choices, "false", "`true`: everybody"),
    END,
};
static const struct schema caller_schema = {caller_fields, sizeof(struct config_caller)};

static const struct schema_field http_fields[] = {
    TEXT(config_http, address, SCHEMA_TEXT, 0, "",
         "an IP address and a port, `127.0.0.1:9464` or `[::1]:9464`; without it there is no HTTP"),
    END,
};
static const struct schema http_schema = {http_fields, sizeof(struct config_http)};

static const struct schema_field tls_fields[] = {
    TEXT(config_tls, address, SCHEMA_TEXT, 0, "",
         "an IP address and a port, `10.0.0.1:9465`; without it there is no TLS"),
    TEXT(config_tls, certificate, SCHEMA_TEXT, 0, "",
         "a PEM file: the daemon's own, and those between it and its authority"),
    TEXT(config_tls, key, SCHEMA_TEXT, 0, "",
         "a PEM file without a passphrase: the certificate's key"),
    TEXT(config_tls, authority, SCHEMA_TEXT, 0, "",
         "a PEM file: the certificates by which those of clients are believed"),
    NESTED(config_tls, observe, SCHEMA_TEXTS, CONFIG_CALLERS_MAX, NULL,
           "names of those who may look"),
    NESTED(config_tls, operate, SCHEMA_TEXTS, CONFIG_CALLERS_MAX, NULL,
           "names of those who may change things as well"),
    END,
};
static const struct schema tls_schema = {tls_fields, sizeof(struct config_tls)};

static const struct schema_field control_fields[] = {
    TEXT(config_control, path, SCHEMA_TEXT, 0, "",
         "of the control socket, no longer than 107 characters; without it there is none, and "
         "nothing to "
         "be asked"),
    NUMBER(config_control, mode, UNITS_MODE, 0, 0777, "0660",
           "permission bits of the socket; whoever may open it still needs a role"),
    TEXT(config_control, cpus, SCHEMA_TEXT, 0, "",
         "where `saddle-control` runs, as in `0-2,5`: not where engines spin", .otherwise = "all"),
    TEXT(config_control, program, SCHEMA_TEXT, 0, SADDLE_CONTROL_PROGRAM,
         "`saddle-control`, an absolute path", .otherwise = "where it is installed"),
    NESTED(config_control, observe, SCHEMA_MAPPINGS, CONFIG_CALLERS_MAX, &caller_schema,
           "who may look: in each item one of `uid`, `gid` and `any: true`"),
    NESTED(config_control, operate, SCHEMA_MAPPINGS, CONFIG_CALLERS_MAX, &caller_schema,
           "who may change things as well, likewise"),
    NESTED(config_control, http, SCHEMA_MAPPING, 0, &http_schema,
           "metrics and health for monitoring; it takes `path`"),
    NESTED(config_control, tls, SCHEMA_MAPPING, 0, &tls_schema,
           "gRPC over TCP, for clients that show a certificate; it takes `path`"),
    END,
};
static const struct schema control_schema = {control_fields, sizeof(struct config_control)};

static const struct schema_field upgrade_fields[] = {
    TEXT(
        config_upgrade, socket, SCHEMA_TEXT, 0, "",
        "where a newer daemon knocks (`saddled --takeover`), a path no longer than 107 characters; "
        "only the daemon's own user and root may; without it every update is a restart"),
    NUMBER(config_upgrade, blackout, UNITS_DURATION, NSEC_PER_MSEC, HANDOVER_BLACKOUT_MAX_NS, "1s",
           "how long engines may stand still on their way to it: if that is not enough, they go on "
           "where they are"),
    END,
};
static const struct schema upgrade_schema = {upgrade_fields, sizeof(struct config_upgrade)};

static const struct schema_field fields[] = {
    NESTED(config, socket, SCHEMA_MAPPING, 0, &socket_schema, "where applications attach"),
    TEXT(
        config, user, SCHEMA_NAME, USER_LENGTH_MAX, "",
        "the user to become when started by root; the socket's folder must be that user's to write",
        .otherwise = "stay who it is"),
    NUMBER(config, memory, UNITS_BYTES, MEMORY_MIN, MEMORY_MAX, "256MiB",
           "for packets and DPDK's own use; sessions' memory comes on top"),
    CHOICE(config, hugepages, SCHEMA_CHOICE, hugepages_choices, "auto",
           "`auto`: used if that much is free, else ordinary memory; `off`; `required`: refuse to "
           "start without"),
    NUMBER(config, deadline_share, UNITS_SHARE, PERCENT, 100 * PERCENT, "50%",
           "of the real-time bandwidth that the kernel gives away, what threads with `class: "
           "deadline` reserve together at most; what is left is for a daemon that takes over"),
    NESTED(config, ports, SCHEMA_MAPPINGS, CONFIG_PORTS_MAX, &port_schema,
           "where packets come and go"),
    NESTED(config, engines, SCHEMA_MAPPINGS, CONFIG_ENGINES_MAX, &engine_schema,
           "the hosts that this daemon is; at least one", .otherwise = "required"),
    NESTED(config, groups, SCHEMA_MAPPINGS, CONFIG_GROUPS_MAX, &config_group_schema,
           "which threads run the engines", .otherwise = "one that sleeps, with all engines"),
    NESTED(config, policy, SCHEMA_MAPPINGS, POLICY_RULES_MAX, &rule_schema,
           "who may attach and what for, besides root and the daemon's own user, who may "
           "everything: rules with one of `uid`, `gid` and `any: true`, and `allow`",
           .otherwise = "nobody else"),
    NESTED(config, limits, SCHEMA_MAPPING, 0, &limits_schema,
           "what one user, and one session, may take"),
    NESTED(config, control, SCHEMA_MAPPING, 0, &control_schema, "how operators reach the daemon"),
    NESTED(config, upgrade, SCHEMA_MAPPING, 0, &upgrade_schema,
           "how a newer daemon takes over without applications noticing"),
    END,
};
const struct schema config_schema = {fields, sizeof(struct config)};
