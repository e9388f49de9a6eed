/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/saddlectl/command.h"

#include "grpc_health_v1_health.pb-c.h"
#include "saddle_v1_configuration.pb-c.h"
#include "saddle_v1_engines.pb-c.h"
#include "saddle_v1_events.pb-c.h"
#include "saddle_v1_metrics.pb-c.h"
#include "saddle_v1_policy.pb-c.h"
#include "saddle_v1_pony.pb-c.h"
#include "saddle_v1_sessions.pb-c.h"
#include "saddle_v1_shaping.pb-c.h"
#include "saddle_v1_statistics.pb-c.h"
#include "saddle_v1_system.pb-c.h"
#include "saddle_v1_upgrades.pb-c.h"

#include <string.h>

#define NAMES                                                                                      \
    {                                                                                              \
        {                                                                                          \
            .name = "NAME", .field = "names", .optional = true, .repeated = true                   \
        }                                                                                          \
    }

#define KINDS                                                                                      \
    {                                                                                              \
        {                                                                                          \
            .name = "KIND", .field = "kinds", .optional = true, .repeated = true                   \
        }                                                                                          \
    }
#define OWNERS                                                                                     \
    {                                                                                              \
        {                                                                                          \
            .name = "OWNER", .optional = true, .repeated = true                                    \
        }                                                                                          \
    }
#define EVENT_COLUMNS                                                                              \
    {                                                                                              \
        {"number", "NUMBER", FORMAT_COUNT, 3}, {"time_ns", "TIME", FORMAT_TIME, 0},                \
            {"kind", "KIND", FORMAT_KIND, 0}, {"session", "SESSION", FORMAT_COUNT, 2},             \
            {"engine", "ENGINE", FORMAT_TEXT, 1}, {"text", "TEXT", FORMAT_TEXT, 0},                \
    }
#define COUNTER_COLUMNS                                                                            \
    {                                                                                              \
        {"owner", "OWNER", FORMAT_TEXT, 0}, {"name", "COUNTER", FORMAT_TEXT, 0},                   \
            {"value", "VALUE", FORMAT_COUNT, 0},                                                   \
    }

/* Options that set a field of the request. */
#define BY(NAME, WORD, IS_NUMBER)                                                                  \
    {                                                                                              \
        .name = (NAME), .option = (WORD), .field = (WORD), .optional = true, .number = (IS_NUMBER) \
    }
#define BY_ENGINE  BY("NAME", "engine", false)
#define BY_PEER    BY("PEER", "peer", false)
#define BY_PORT    BY("NAME", "port", false)
#define BY_SESSION BY("ID", "session", true)
#define DISRUPT                                                                                    \
    {                                                                                              \
        .name = "", .option = "disrupt", .field = "disrupt", .optional = true, .flag = true        \
    }

/* What has changed, or would. */
#define CHANGES                                                                                    \
    .rows = "changes", .columns = {{"path", "WHAT", FORMAT_TEXT, 0},                               \
                                   {"old", "OLD", FORMAT_SHORT, 2},                                \
                                   {"new", "NEW", FORMAT_SHORT, 1},                                \
                                   {"effect", "EFFECT", FORMAT_TEXT, 0}}

/* Hand-overs, each with its sets below. */
#define UPGRADES                                                                                   \
    .rows = "upgrades", .below = &sets_of_upgrades,                                                \
    .columns = {{"number", "UPGRADE", FORMAT_COUNT, 0}, {"time_ns", "TIME", FORMAT_TIME, 1},       \
                {"outcome", "OUTCOME", FORMAT_TEXT, 0}, {"role", "TOLD BY", FORMAT_TEXT, 3},       \
                {"pid", "PROCESS", FORMAT_COUNT, 4},    {"peer", "OTHER", FORMAT_COUNT, 4},        \
                {"release", "RELEASE", FORMAT_TEXT, 2}, {"total_ns", "TOOK", FORMAT_DURATION, 2},  \
                {"step", "STEP", FORMAT_TEXT, 3},       {"set", "SET", FORMAT_TEXT, 3},            \
                {"reason", "REASON", FORMAT_TEXT, 0}}

static const struct command policy_usage = {
    .rows = "usage",
    .columns = {{"uid", "UID", FORMAT_COUNT, 0},
                {"sessions", "SESSIONS", FORMAT_COUNT, 0},
                {"arena_bytes", "MEMORY", FORMAT_BYTES, 0},
                {"cpu_ns", "TIME", FORMAT_DURATION, 0}},
};
static const struct command policy_limits = {
    .rows = "limits",
    .below = &policy_usage,
    .columns = {{"sessions_per_uid", "sessions per user", FORMAT_BOUND, 0},
                {"memory_per_uid", "memory per user", FORMAT_BOUND_BYTES, 0},
                {"handshake_timeout_ns", "handshake within", FORMAT_DURATION, 0},
                {"connections_per_session", "connections per session", FORMAT_BOUND, 0},
                {"listeners_per_session", "listeners per session", FORMAT_BOUND, 0},
                {"regions_per_session", "regions per session", FORMAT_BOUND, 0},
                {"exposed_per_session", "exposed per session", FORMAT_BOUND_BYTES, 0},
                {"operations_per_session", "operations per session", FORMAT_BOUND, 0},
                {"cpu_per_session", "time per session", FORMAT_BOUND_SHARE, 0},
                {"cpu_per_uid", "time per user", FORMAT_BOUND_SHARE, 0}},
};
static const struct command policy_rules = {
    .rows = "rules",
    .columns = {{"number", "RULE", FORMAT_COUNT, 0},
                {"who", "WHO", FORMAT_TEXT, 0},
                {"allow", "ALLOW", FORMAT_LIST, 0},
                {"weight", "WEIGHT", FORMAT_COUNT, 0}},
};

static const struct command sets_of_upgrades = {
    .rows = "upgrades",
    .inner = "sets",
    .columns = {{"of", "UPGRADE", FORMAT_COUNT, 0},
                {"name", "SET", FORMAT_TEXT, 0},
                {"place", "PLACE", FORMAT_TEXT, 0},
                {"brownout_ns", "BROWNOUT", FORMAT_DURATION, 2},
                {"blackout_ns", "BLACKOUT", FORMAT_DURATION, 0},
                {"offer_bytes", "OFFER", FORMAT_BYTES, 5},
                {"state_bytes", "STATE", FORMAT_BYTES, 3},
                {"missed", "MISSED", FORMAT_COUNT, 4},
                {"retransmitted", "AGAIN", FORMAT_COUNT, 4},
                {"step", "STEP", FORMAT_TEXT, 1},
                {"reason", "REASON", FORMAT_TEXT, 0}},
};

static const struct command threads_of_groups = {
    .rows = "groups",
    .inner = "threads",
    .columns = {{"of", "GROUP", FORMAT_TEXT, 0},
                {"tid", "THREAD", FORMAT_COUNT, 0},
                {"engines", "ENGINES", FORMAT_COUNT, 3},
                {"class", "CLASS", FORMAT_TEXT, 0},
                {"share_ppm", "SHARE", FORMAT_SHARE, 0},
                {"used_ppm", "USED", FORMAT_SHARE, 0},
                {"demotions", "DEMOTIONS", FORMAT_COUNT, 2},
                {"overruns", "OVERRUNS", FORMAT_COUNT, 1},
                {"reason", "REASON", FORMAT_TEXT, 0}},
};

const struct command commands[] = {
    {
        .words = "status",
        .help = "how the daemon is",
        .method = "saddle.v1.System/GetStatus",
        .traits = COMMAND_WATCHABLE,
        .columns = {{"condition", "condition", FORMAT_TEXT, 0},
                    {"problems", "problems", FORMAT_LIST, 0},
                    {"version", "version", FORMAT_TEXT, 0},
                    {"abi", "ABI version", FORMAT_COUNT, 0},
                    {"wire", "wire version", FORMAT_COUNT, 0},
                    {"pid", "process", FORMAT_COUNT, 0},
                    {"uptime_ns", "up for", FORMAT_DURATION, 0},
                    {"engines", "engines", FORMAT_COUNT, 0},
                    {"groups", "groups", FORMAT_COUNT, 0},
                    {"ports", "ports", FORMAT_COUNT, 0},
                    {"sessions", "sessions", FORMAT_COUNT, 0},
                    {"control_restarts", "control restarts", FORMAT_COUNT, 0}},
    },
    {
        .words = "modules",
        .help = "the parts of the daemon that answer",
        .method = "saddle.v1.System/ListModules",
        .traits = COMMAND_WATCHABLE,
        .rows = "modules",
        .columns = {{"name", "MODULE", FORMAT_TEXT, 0},
                    {"methods", "METHODS", FORMAT_SIZE, 1},
                    {"about", "ABOUT", FORMAT_TEXT, 2}},
    },
    {
        .words = "engine list",
        .help = "engines, all or those named",
        .method = "saddle.v1.Engines/List",
        .traits = COMMAND_WATCHABLE,
        .rows = "engines",
        .arguments = NAMES,
        .columns = {{"name", "ENGINE", FORMAT_TEXT, 0},
                    {"kind", "KIND", FORMAT_TEXT, 5},
                    {"group", "GROUP", FORMAT_TEXT, 1},
                    {"port", "PORT", FORMAT_TEXT, 2},
                    {"alive", "ALIVE", FORMAT_YES_NO, 0},
                    {"sessions", "SESSIONS", FORMAT_COUNT, 1},
                    {"busy_ns", "BUSY", FORMAT_DURATION, 3},
                    {"runs", "RUNS", FORMAT_COUNT, 4},
                    {"delay_p50_ns", "DELAY-P50", FORMAT_DURATION, 6},
                    {"delay_p99_ns", "P99", FORMAT_DURATION, 1},
                    {"delay_p999_ns", "P99.9", FORMAT_DURATION, 6},
                    {"delay_max_ns", "MAX", FORMAT_DURATION, 2},
                    {"delays", "DELAYS", FORMAT_COUNT, 6},
                    {"tid", "THREAD", FORMAT_COUNT, 2},
                    {"sessions_ns", "OF SESSIONS", FORMAT_DURATION, 3},
                    {"overhead_ns", "OVERHEAD", FORMAT_DURATION, 3},
                    {"remainder_ns", "REMAINDER", FORMAT_DIFFERENCE, 5}},
    },
    {
        .words = "engine create",
        .help = "create an engine in GROUP; FILE is an entry of \"engines\"",
        .method = "saddle.v1.Engines/Create",
        .arguments = {DISRUPT,
                      {.name = "FILE", .field = "engine", .file = true},
                      {.name = "GROUP", .field = "group"}},
    },
    {
        .words = "engine destroy",
        .help = "end an engine",
        .method = "saddle.v1.Engines/Destroy",
        .arguments = {DISRUPT, {.name = "NAME", .field = "name"}},
    },
    {
        .words = "engine move",
        .help = "move an engine to another group",
        .method = "saddle.v1.Engines/Move",
        .arguments = {{.name = "NAME", .field = "engine"}, {.name = "GROUP", .field = "group"}},
    },
    {
        .words = "group list",
        .help = "groups of engines, all or those named",
        .method = "saddle.v1.Groups/List",
        .traits = COMMAND_WATCHABLE,
        .rows = "groups",
        .arguments = NAMES,
        .columns = {{"name", "GROUP", FORMAT_TEXT, 0},
                    {"mode", "MODE", FORMAT_TEXT, 0},
                    {"cpus", "CPUS", FORMAT_TEXT, 2},
                    {"idle_ns", "IDLE", FORMAT_PATIENCE, 3},
                    {"threads", "THREADS", FORMAT_SIZE, 1},
                    {"engines", "ENGINES", FORMAT_LIST, 1},
                    {"slo_ns", "SLO", FORMAT_SPAN, 4},
                    {"moderation_ns", "MODERATION", FORMAT_SPAN, 5},
                    {"pause", "PAUSE", FORMAT_TEXT, 5},
                    {"class", "CLASS", FORMAT_TEXT, 4},
                    {"runtime_ns", "RUNTIME", FORMAT_DURATION, 5},
                    {"period_ns", "PERIOD", FORMAT_DURATION, 5},
                    {"nodes", "NODES", FORMAT_TEXT, 4}},
        .below = &threads_of_groups,
    },
    {
        .words = "group threads",
        .help = "threads of groups, all or those named",
        .method = "saddle.v1.Groups/List",
        .traits = COMMAND_WATCHABLE,
        .rows = "groups",
        .inner = "threads",
        .arguments = NAMES,
        .columns = {{"of", "GROUP", FORMAT_TEXT, 0},
                    {"tid", "THREAD", FORMAT_COUNT, 0},
                    {"cpus", "CPUS", FORMAT_TEXT, 2},
                    {"busy_ns", "BUSY", FORMAT_DURATION, 1},
                    {"sleeps", "SLEEPS", FORMAT_COUNT, 3},
                    {"wakes_event", "EVENTS", FORMAT_COUNT, 4},
                    {"wakes_deadline", "DEADLINES", FORMAT_COUNT, 5},
                    {"engine_names", "ENGINES", FORMAT_LIST, 0}},
    },
    {
        .words = "group create",
        .help = "create a group; FILE is an entry of \"groups\"",
        .method = "saddle.v1.Groups/Create",
        .arguments = {{.name = "FILE", .field = "group", .file = true}},
    },
    {
        .words = "group change",
        .help = "change settings of a group: mode, cpus, slo, class, ...",
        .method = "saddle.v1.Groups/Change",
        .arguments = {{.name = "NAME", .field = "name"},
                      {.name = "KEY=VALUE", .repeated = true, .pairs = true}},
    },
    {
        .words = "group destroy",
        .help = "end a group without engines",
        .method = "saddle.v1.Groups/Destroy",
        .arguments = {{.name = "NAME", .field = "name"}},
    },
    {
        .words = "port list",
        .help = "ports, all or those named",
        .method = "saddle.v1.Ports/List",
        .traits = COMMAND_WATCHABLE,
        .rows = "ports",
        .arguments = NAMES,
        .columns = {{"name", "PORT", FORMAT_TEXT, 0},
                    {"driver", "DRIVER", FORMAT_TEXT, 1},
                    {"interface", "INTERFACE", FORMAT_TEXT, 3},
                    {"owner", "OWNER", FORMAT_TEXT, 4},
                    {"engine", "ENGINE", FORMAT_TEXT, 2},
                    {"mac", "MAC", FORMAT_TEXT, 3},
                    {"mtu", "MTU", FORMAT_COUNT, 2},
                    {"wakes", "WAKES", FORMAT_TEXT, 3},
                    {"node", "NODE", FORMAT_TEXT, 5}},
    },
    {
        .words = "session list",
        .help = "attached applications, all or those of an engine",
        .method = "saddle.v1.Sessions/List",
        .traits = COMMAND_WATCHABLE,
        .rows = "sessions",
        .arguments = {{.name = "ENGINE", .field = "engine", .optional = true}},
        .columns = {{"id", "SESSION", FORMAT_COUNT, 0},
                    {"application", "APPLICATION", FORMAT_TEXT, 2},
                    {"engine", "ENGINE", FORMAT_TEXT, 1},
                    {"uid", "UID", FORMAT_COUNT, 1},
                    {"pid", "PROCESS", FORMAT_COUNT, 2},
                    {"channels", "CHANNELS", FORMAT_COUNT, 5},
                    {"arena_bytes", "MEMORY", FORMAT_BYTES, 3},
                    {"huge_pages", "HUGE", FORMAT_YES_NO, 5},
                    {"abi", "ABI", FORMAT_COUNT, 6},
                    {"age_ns", "AGE", FORMAT_DURATION, 4},
                    {"cpu_ns", "TIME", FORMAT_DURATION, 2},
                    {"weight", "WEIGHT", FORMAT_COUNT, 5},
                    {"throttled_ns", "THROTTLED", FORMAT_SPAN, 4}},
    },
    {
        .words = "session show",
        .help = "one attached application",
        .method = "saddle.v1.Sessions/Get",
        .traits = COMMAND_WATCHABLE,
        .arguments = {{.name = "ID", .field = "id", .number = true}},
        .columns = {{"id", "session", FORMAT_COUNT, 0},
                    {"application", "application", FORMAT_TEXT, 0},
                    {"engine", "engine", FORMAT_TEXT, 0},
                    {"uid", "uid", FORMAT_COUNT, 0},
                    {"pid", "process", FORMAT_COUNT, 0},
                    {"abi", "ABI version", FORMAT_COUNT, 0},
                    {"channels", "channels", FORMAT_COUNT, 0},
                    {"arena_bytes", "memory", FORMAT_BYTES, 0},
                    {"huge_pages", "of huge pages", FORMAT_YES_NO, 0},
                    {"age_ns", "age", FORMAT_DURATION, 0},
                    {"rights", "rights", FORMAT_LIST, 0},
                    {"cpu_ns", "time", FORMAT_DURATION, 0},
                    {"weight", "weight", FORMAT_COUNT, 0},
                    {"cpu_share", "quota of time", FORMAT_BOUND_SHARE, 0},
                    {"throttled", "throttled now", FORMAT_YES_NO, 0},
                    {"throttled_ns", "throttled", FORMAT_SPAN, 0},
                    {"connection_bytes", "for connections", FORMAT_BYTES, 0},
                    {"operation_bytes", "for operations", FORMAT_BYTES, 0},
                    {"region_bytes", "for regions", FORMAT_BYTES, 0},
                    {"record_bytes", "for itself", FORMAT_BYTES, 0}},
    },
    {
        .words = "session close",
        .help = "end a session; its application reads REASON",
        .method = "saddle.v1.Sessions/Close",
        .arguments = {{.name = "ID", .field = "id", .number = true},
                      {.name = "REASON", .field = "reason", .optional = true}},
    },
    {
        .words = "peer list",
        .help = "hosts that engines know",
        .method = "saddle.v1.Peers/List",
        .rows = "peers",
        .traits = COMMAND_WATCHABLE,
        .arguments = {BY_ENGINE, BY_PEER},
        .columns = {{"engine", "ENGINE", FORMAT_TEXT, 2},
                    {"name", "PEER", FORMAT_TEXT, 0},
                    {"address", "ADDRESS", FORMAT_TEXT, 0},
                    {"hello", "HELLO", FORMAT_TEXT, 1},
                    {"flows", "FLOWS", FORMAT_COUNT, 4},
                    {"round_trip_ns", "ROUND TRIP", FORMAT_SPAN, 1},
                    {"silent_ns", "SILENT", FORMAT_SPAN, 2},
                    {"version", "WIRE", FORMAT_COUNT, 7},
                    {"features", "FEATURES", FORMAT_LIST, 8},
                    {"mac", "NEXT HOP", FORMAT_TEXT, 5},
                    {"mtu", "MTU", FORMAT_COUNT, 9},
                    {"way_error", "NO WAY", FORMAT_TEXT, 3},
                    {"last_error", "LAST ERROR", FORMAT_TEXT, 3},
                    {"last_error_age_ns", "AGO", FORMAT_SPAN, 6}},
    },
    {
        .words = "peer show",
        .help = "one peer, by its name or address",
        .method = "saddle.v1.Peers/Get",
        .traits = COMMAND_WATCHABLE,
        .arguments = {BY_ENGINE, {.name = "PEER", .field = "peer"}},
        .columns = {{"engine", "engine", FORMAT_TEXT, 0},
                    {"name", "peer", FORMAT_TEXT, 0},
                    {"address", "address", FORMAT_TEXT, 0},
                    {"configured", "configured", FORMAT_YES_NO, 0},
                    {"hello", "hello", FORMAT_TEXT, 0},
                    {"version", "wire version", FORMAT_COUNT, 0},
                    {"features", "features", FORMAT_LIST, 0},
                    {"flows", "flows", FORMAT_COUNT, 0},
                    {"round_trip_ns", "round trip", FORMAT_SPAN, 0},
                    {"silent_ns", "silent", FORMAT_SPAN, 0},
                    {"mac", "next hop", FORMAT_TEXT, 0},
                    {"mtu", "MTU", FORMAT_COUNT, 0},
                    {"way_error", "no way", FORMAT_TEXT, 0},
                    {"last_error", "last error", FORMAT_TEXT, 0},
                    {"last_error_age_ns", "ago", FORMAT_SPAN, 0}},
    },
    {
        .words = "flow list",
        .help = "flows of packets to peers",
        .method = "saddle.v1.Flows/List",
        .rows = "flows",
        .traits = COMMAND_WATCHABLE,
        .arguments = {BY_ENGINE, BY_PEER},
        .columns = {{"engine", "ENGINE", FORMAT_TEXT, 3},
                    {"id", "FLOW", FORMAT_COUNT, 0},
                    {"peer", "PEER", FORMAT_TEXT, 2},
                    {"address", "ADDRESS", FORMAT_TEXT, 0},
                    {"state", "STATE", FORMAT_TEXT, 0},
                    {"round_trip_ns", "ROUND TRIP", FORMAT_SPAN, 1},
                    {"rto_ns", "RTO", FORMAT_DURATION, 6},
                    {"window", "WINDOW", FORMAT_COUNT, 3},
                    {"in_flight", "IN FLIGHT", FORMAT_COUNT, 3},
                    {"bytes_sent", "SENT", FORMAT_BYTES, 2},
                    {"bytes_received", "RECEIVED", FORMAT_BYTES, 2},
                    {"retransmissions", "AGAIN", FORMAT_COUNT, 1},
                    {"timeouts", "TIMEOUTS", FORMAT_COUNT, 4},
                    {"ecn_echoes", "MARKED", FORMAT_COUNT, 5},
                    {"silent_ns", "SILENT", FORMAT_SPAN, 4},
                    {"age_ns", "AGE", FORMAT_DURATION, 5}},
    },
    {
        .words = "flow show",
        .help = "one flow",
        .method = "saddle.v1.Flows/Get",
        .traits = COMMAND_WATCHABLE,
        .arguments = {BY_ENGINE, {.name = "ID", .field = "id", .number = true}},
        .columns = {{"engine", "engine", FORMAT_TEXT, 0},
                    {"id", "flow", FORMAT_COUNT, 0},
                    {"peer", "peer", FORMAT_TEXT, 0},
                    {"local_address", "from", FORMAT_TEXT, 0},
                    {"local_port", "from port", FORMAT_COUNT, 0},
                    {"address", "to", FORMAT_TEXT, 0},
                    {"port", "to port", FORMAT_COUNT, 0},
                    {"state", "state", FORMAT_TEXT, 0},
                    {"version", "wire version", FORMAT_COUNT, 0},
                    {"mtu", "MTU", FORMAT_COUNT, 0},
                    {"age_ns", "age", FORMAT_DURATION, 0},
                    {"silent_ns", "silent", FORMAT_SPAN, 0},
                    {"round_trip_ns", "round trip", FORMAT_SPAN, 0},
                    {"variation_ns", "variation", FORMAT_SPAN, 0},
                    {"round_trip_min_ns", "least round trip", FORMAT_SPAN, 0},
                    {"rto_ns", "time-out", FORMAT_DURATION, 0},
                    {"congestion", "congestion", FORMAT_TEXT, 0},
                    {"base_ns", "empty path", FORMAT_SPAN, 0},
                    {"target_ns", "aim", FORMAT_SPAN, 0},
                    {"pacing_ns", "pacing", FORMAT_SPAN, 0},
                    {"window", "window", FORMAT_COUNT, 0},
                    {"in_flight", "in flight", FORMAT_COUNT, 0},
                    {"lost", "lost", FORMAT_COUNT, 0},
                    {"packets_sent", "packets sent", FORMAT_COUNT, 0},
                    {"packets_received", "packets received", FORMAT_COUNT, 0},
                    {"bytes_sent", "sent", FORMAT_BYTES, 0},
                    {"bytes_received", "received", FORMAT_BYTES, 0},
                    {"retransmissions", "sent again", FORMAT_COUNT, 0},
                    {"fast_retransmissions", "of these fast", FORMAT_COUNT, 0},
                    {"timeouts", "time-outs", FORMAT_COUNT, 0},
                    {"ecn_marks", "marks seen", FORMAT_COUNT, 0},
                    {"ecn_echoes", "marks told of", FORMAT_COUNT, 0}},
    },
    {
        .words = "connection list",
        .help = "connections and listeners",
        .method = "saddle.v1.Connections/List",
        .rows = "connections",
        .traits = COMMAND_WATCHABLE,
        .arguments = {BY_ENGINE, BY_PEER, BY_SESSION},
        .columns = {{"engine", "ENGINE", FORMAT_TEXT, 4},
                    {"handle", "HANDLE", FORMAT_COUNT, 1},
                    {"session", "SESSION", FORMAT_COUNT, 0},
                    {"application", "APPLICATION", FORMAT_TEXT, 3},
                    {"peer", "PEER", FORMAT_TEXT, 2},
                    {"address", "ADDRESS", FORMAT_TEXT, 5},
                    {"service", "SERVICE", FORMAT_TEXT, 0},
                    {"state", "STATE", FORMAT_TEXT, 0},
                    {"messages_sent", "SENT", FORMAT_COUNT, 1},
                    {"messages_received", "RECEIVED", FORMAT_COUNT, 1},
                    {"queued", "QUEUED", FORMAT_COUNT, 2},
                    {"credits", "CREDITS", FORMAT_COUNT, 4},
                    {"operations", "ONE-SIDED", FORMAT_COUNT, 5},
                    {"waiting", "WAITING", FORMAT_COUNT, 6},
                    {"flow", "FLOW", FORMAT_COUNT, 6},
                    {"error", "ERROR", FORMAT_TEXT, 3}},
    },
    {
        .words = "connection show",
        .help = "one connection or listener",
        .method = "saddle.v1.Connections/Get",
        .traits = COMMAND_WATCHABLE,
        .arguments = {BY_ENGINE, {.name = "HANDLE", .field = "handle", .number = true}},
        .columns = {{"engine", "engine", FORMAT_TEXT, 0},
                    {"handle", "handle", FORMAT_COUNT, 0},
                    {"peer_handle", "peer's handle", FORMAT_COUNT, 0},
                    {"session", "session", FORMAT_COUNT, 0},
                    {"application", "application", FORMAT_TEXT, 0},
                    {"channel", "channel", FORMAT_COUNT, 0},
                    {"service", "service", FORMAT_TEXT, 0},
                    {"peer", "peer", FORMAT_TEXT, 0},
                    {"address", "address", FORMAT_TEXT, 0},
                    {"flow", "flow", FORMAT_COUNT, 0},
                    {"state", "state", FORMAT_TEXT, 0},
                    {"messages_sent", "messages sent", FORMAT_COUNT, 0},
                    {"messages_received", "messages received", FORMAT_COUNT, 0},
                    {"queued", "queued", FORMAT_COUNT, 0},
                    {"credits", "credits", FORMAT_COUNT, 0},
                    {"credits_granted", "credits granted", FORMAT_COUNT, 0},
                    {"operations", "one-sided", FORMAT_COUNT, 0},
                    {"served", "served", FORMAT_COUNT, 0},
                    {"streams", "streams", FORMAT_COUNT, 0},
                    {"waiting", "waiting", FORMAT_COUNT, 0},
                    {"error", "error", FORMAT_TEXT, 0}},
    },
    {
        .words = "region list",
        .help = "memory that peers may read and write",
        .method = "saddle.v1.Regions/List",
        .rows = "regions",
        .traits = COMMAND_WATCHABLE,
        .arguments = {BY_ENGINE, BY_SESSION},
        .columns = {{"engine", "ENGINE", FORMAT_TEXT, 3},
                    {"id", "REGION", FORMAT_COUNT, 0},
                    {"session", "SESSION", FORMAT_COUNT, 0},
                    {"application", "APPLICATION", FORMAT_TEXT, 2},
                    {"length", "LENGTH", FORMAT_BYTES, 0},
                    {"rights", "RIGHTS", FORMAT_LIST, 1},
                    {"reads", "READS", FORMAT_COUNT, 1},
                    {"writes", "WRITES", FORMAT_COUNT, 1},
                    {"bytes", "SERVED", FORMAT_BYTES, 2}},
    },
    {
        .words = "region show",
        .help = "one region",
        .method = "saddle.v1.Regions/Get",
        .traits = COMMAND_WATCHABLE,
        .arguments = {BY_ENGINE, {.name = "ID", .field = "id", .number = true}},
        .columns = {{"engine", "engine", FORMAT_TEXT, 0},
                    {"id", "region", FORMAT_COUNT, 0},
                    {"session", "session", FORMAT_COUNT, 0},
                    {"application", "application", FORMAT_TEXT, 0},
                    {"length", "length", FORMAT_BYTES, 0},
                    {"rights", "rights", FORMAT_LIST, 0},
                    {"reads", "reads", FORMAT_COUNT, 0},
                    {"writes", "writes", FORMAT_COUNT, 0},
                    {"bytes", "served", FORMAT_BYTES, 0}},
    },
    {
        .words = "neighbour list",
        .help = "hosts on the links of ports",
        .method = "saddle.v1.Neighbours/List",
        .rows = "neighbours",
        .traits = COMMAND_WATCHABLE,
        .arguments = {BY_PORT},
        .columns = {{"port", "PORT", FORMAT_TEXT, 0},
                    {"owner", "OWNER", FORMAT_TEXT, 2},
                    {"engine", "ENGINE", FORMAT_TEXT, 3},
                    {"address", "ADDRESS", FORMAT_TEXT, 0},
                    {"mac", "MAC", FORMAT_TEXT, 1},
                    {"state", "STATE", FORMAT_TEXT, 0},
                    {"age_ns", "AGE", FORMAT_DURATION, 2},
                    {"used", "USED", FORMAT_YES_NO, 3}},
    },
    {
        .words = "shaping list",
        .help = "classes of packets of shapers",
        .method = "saddle.v1.Shaping/ListClasses",
        .rows = "classes",
        .traits = COMMAND_WATCHABLE,
        .arguments = {BY_ENGINE},
        .columns = {{"engine", "ENGINE", FORMAT_TEXT, 4},
                    {"name", "CLASS", FORMAT_TEXT, 0},
                    {"parent", "PARENT", FORMAT_TEXT, 1},
                    {"rate", "RATE", FORMAT_RATE, 0},
                    {"burst", "BURST", FORMAT_BYTES, 5},
                    {"priority", "PRIORITY", FORMAT_COUNT, 4},
                    {"weight", "WEIGHT", FORMAT_COUNT, 3},
                    {"packets", "PACKETS", FORMAT_COUNT, 1},
                    {"bytes", "SENT", FORMAT_BYTES, 0},
                    {"queued", "QUEUED", FORMAT_COUNT, 1},
                    {"delayed_ns", "DELAYED", FORMAT_SPAN, 2},
                    {"tokens", "TOKENS", FORMAT_BYTES, 6},
                    {"exhausted", "EXHAUSTED", FORMAT_COUNT, 6}},
    },
    {
        .words = "shaping set",
        .help = "add or change a class; FILE is an entry of \"classes\"",
        .method = "saddle.v1.Shaping/SetClass",
        .arguments = {{.name = "ENGINE", .field = "engine"},
                      {.name = "FILE", .field = "class", .file = true}},
    },
    {
        .words = "shaping remove",
        .help = "remove a class that no other is below",
        .method = "saddle.v1.Shaping/RemoveClass",
        .arguments = {{.name = "ENGINE", .field = "engine"}, {.name = "CLASS", .field = "class"}},
    },
    {
        .words = "policy show",
        .help = "who may attach and what for, limits, and usage",
        .method = "saddle.v1.Policy/Get",
        .traits = COMMAND_WATCHABLE,
        .rows = "rules",
        .below = &policy_limits,
        .columns = {{"number", "RULE", FORMAT_COUNT, 0},
                    {"who", "WHO", FORMAT_TEXT, 0},
                    {"allow", "ALLOW", FORMAT_LIST, 0}},
    },
    {
        .words = "policy check",
        .help = "what a user in these groups may do, and by which rules",
        .method = "saddle.v1.Policy/Check",
        .arguments = {{.name = "UID", .option = "uid", .field = "uid", .number = true},
                      {.name = "GID",
                       .option = "gid",
                       .field = "gids",
                       .number = true,
                       .optional = true,
                       .repeated = true}},
        .below = &policy_rules,
        .columns = {{"allow", "allowed", FORMAT_LIST, 0},
                    {"trusted", "needs no rule", FORMAT_YES_NO, 0}},
    },
    {
        .words = "config show",
        .help = "the configuration that runs, with all defaults",
        .method = "saddle.v1.Configuration/Show",
        .raw = "text",
    },
    {
        .words = "config check",
        .help = "whether the daemon would take FILE for a good configuration",
        .method = "saddle.v1.Configuration/Check",
        .arguments = {{.name = "FILE", .field = "text", .file = true}},
    },
    {
        .words = "config diff",
        .help = "what applying FILE would change",
        .method = "saddle.v1.Configuration/Diff",
        .arguments = {{.name = "FILE", .field = "text", .file = true}},
        CHANGES,
    },
    {
        .words = "config apply",
        .help = "run what FILE says",
        .method = "saddle.v1.Configuration/Apply",
        .arguments = {DISRUPT, {.name = "FILE", .field = "text", .file = true}},
        CHANGES,
    },
    {
        .words = "config rollback",
        .help = "take back the last change",
        .method = "saddle.v1.Configuration/Rollback",
        .arguments = {DISRUPT},
        CHANGES,
    },
    {
        .words = "config reload",
        .help = "run what the daemon's own file says now",
        .method = "saddle.v1.Configuration/Reload",
        CHANGES,
    },
    {
        .words = "event list",
        .help = "what happened, all or the KINDs named",
        .method = "saddle.v1.Events/List",
        .rows = "events",
        .traits = COMMAND_WATCHABLE,
        .arguments = KINDS,
        .columns = EVENT_COLUMNS,
    },
    {
        .words = "event watch",
        .help = "what happens, from now on",
        .method = "saddle.v1.Events/Watch",
        .rows = "events",
        .traits = COMMAND_STREAM,
        .arguments = KINDS,
        .columns = EVENT_COLUMNS,
    },
    {
        .words = "stats get",
        .help = "every counter, or those of engine/NAME, group/...",
        .method = "saddle.v1.Statistics/Get",
        .rows = "counters",
        .traits = COMMAND_WATCHABLE | COMMAND_COUNTERS,
        .arguments = OWNERS,
        .columns = COUNTER_COLUMNS,
    },
    {
        .words = "stats watch",
        .help = "the same once a second, or as --watch says",
        .method = "saddle.v1.Statistics/Watch",
        .rows = "counters",
        .traits = COMMAND_STREAM | COMMAND_COUNTERS,
        .arguments = OWNERS,
        .columns = COUNTER_COLUMNS,
    },
    {
        .words = "upgrades",
        .help = "hand-overs to newer daemons, and how they ended",
        .method = "saddle.v1.Upgrades/List",
        .traits = COMMAND_WATCHABLE,
        UPGRADES,
    },
    {
        .words = "upgrade",
        .help = "have a newcomer take over, and wait until it has",
        .arguments =
            {{.name = "", .option = "check", .field = "check", .optional = true, .flag = true},
             BY("PATH", "launcher", false),
             BY("NAME", "unit", false),
             BY("SECONDS", "wait", true)},
        UPGRADES,
    },
    {
        .words = "metrics",
        .help = "all counters, as OpenMetrics",
        .method = "saddle.v1.Metrics/Read",
        .raw = "text",
    },
    {
        .words = "health",
        .help = "whether the daemon, or SERVICE (group/NAME), serves",
        .method = "grpc.health.v1.Health/Check",
        .traits = COMMAND_WATCHABLE,
        .arguments = {{.name = "SERVICE", .field = "service", .optional = true}},
        .columns = {{"status", "status", FORMAT_TEXT, 0}},
    },
    {.words = "report", .help = "write one file for a bug report"},
    {
        .words = "call",
        .help = "call any METHOD (package.Service/Method); the request is JSON",
        .arguments = {{.name = "METHOD"}, {.name = "JSON", .optional = true}},
    },
    {.words = "help", .help = "print this and exit"},
};
const uint32_t command_count = sizeof(commands) / sizeof(commands[0]);

static const ProtobufCServiceDescriptor *const services[] = {
    &saddle__v1__system__descriptor,        &saddle__v1__engines__descriptor,
    &saddle__v1__groups__descriptor,        &saddle__v1__ports__descriptor,
    &saddle__v1__sessions__descriptor,      &saddle__v1__peers__descriptor,
    &saddle__v1__flows__descriptor,         &saddle__v1__connections__descriptor,
    &saddle__v1__regions__descriptor,       &saddle__v1__neighbours__descriptor,
    &saddle__v1__shaping__descriptor,       &saddle__v1__policy__descriptor,
    &saddle__v1__configuration__descriptor, &saddle__v1__events__descriptor,
    &saddle__v1__statistics__descriptor,    &saddle__v1__metrics__descriptor,
    &saddle__v1__upgrades__descriptor,      &grpc__health__v1__health__descriptor,
};

const ProtobufCMethodDescriptor *command_method(const char *name)
{
    const char *slash = strchr(name, '/');

    for (size_t i = 0; slash && i < sizeof(services) / sizeof(services[0]); i++) {
        size_t length = strlen(services[i]->name);

        if (length == (size_t)(slash - name) && !strncmp(services[i]->name, name, length))
            return protobuf_c_service_descriptor_get_method_by_name(services[i], slash + 1);
    }
    return NULL;
}

/* How many of the given words a command is; 0: it is another one. */
static int matches(const char *name, char *const *words, int count)
{
    int used = 0;

    while (*name) {
        size_t length = strcspn(name, " ");

        if (used == count || strlen(words[used]) != length ||
            strncmp(name, words[used], length) != 0)
            return 0;
        used++;
        name += length + (name[length] == ' ');
    }
    return used;
}

const struct command *command_find(char *const *words, int count, int *used)
{
    for (uint32_t i = 0; i < command_count; i++) {
        *used = matches(commands[i].words, words, count);
        if (*used)
            return &commands[i];
    }
    return NULL;
}

static void print_argument(const struct argument *argument, FILE *stream)
{
    if (argument->option)
        fprintf(stream, "--%s", argument->option);
    if (argument->option && !argument->flag)
        fputc(' ', stream);
    fputs(argument->name, stream);
}

void command_usage(const struct command *command, FILE *stream)
{
    fputs(command->words, stream);
    for (const struct argument *argument = command->arguments; argument->name; argument++) {
        fputs(argument->optional ? " [" : " ", stream);
        print_argument(argument, stream);
        fputs(argument->optional ? "]" : "", stream);
        if (argument->repeated)
            fputs("...", stream);
    }
}
