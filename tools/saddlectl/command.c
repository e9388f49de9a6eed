/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/saddlectl/command.h"

#include "grpc_health_v1_health.pb-c.h"
#include "saddle_v1_engines.pb-c.h"
#include "saddle_v1_policy.pb-c.h"
#include "saddle_v1_sessions.pb-c.h"
#include "saddle_v1_system.pb-c.h"

#include <string.h>

#define NAMES                                                                                      \
    {                                                                                              \
        {                                                                                          \
            .name = "NAME", .field = "names", .optional = true, .repeated = true                   \
        }                                                                                          \
    }

static const struct command policy_usage = {
    .rows = "usage",
    .columns = {{"uid", "UID", FORMAT_COUNT, 0},
                {"sessions", "SESSIONS", FORMAT_COUNT, 0},
                {"arena_bytes", "MEMORY", FORMAT_BYTES, 0}},
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
                {"exposed_per_session", "exposed per session", FORMAT_BOUND_BYTES, 0}},
};
static const struct command policy_rules = {
    .rows = "rules",
    .columns = {{"number", "RULE", FORMAT_COUNT, 0},
                {"who", "WHO", FORMAT_TEXT, 0},
                {"allow", "ALLOW", FORMAT_LIST, 0}},
};

const struct command commands[] = {
    {
        .words = "status",
        .help = "how the daemon is",
        .method = "saddle.v1.System/GetStatus",
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
        .rows = "modules",
        .columns = {{"name", "MODULE", FORMAT_TEXT, 0},
                    {"methods", "METHODS", FORMAT_SIZE, 1},
                    {"about", "ABOUT", FORMAT_TEXT, 2}},
    },
    {
        .words = "engine list",
        .help = "engines, all or those named",
        .method = "saddle.v1.Engines/List",
        .rows = "engines",
        .arguments = NAMES,
        .columns = {{"name", "ENGINE", FORMAT_TEXT, 0},
                    {"kind", "KIND", FORMAT_TEXT, 5},
                    {"group", "GROUP", FORMAT_TEXT, 1},
                    {"port", "PORT", FORMAT_TEXT, 2},
                    {"alive", "ALIVE", FORMAT_YES_NO, 0},
                    {"sessions", "SESSIONS", FORMAT_COUNT, 1},
                    {"busy_ns", "BUSY", FORMAT_DURATION, 3},
                    {"runs", "RUNS", FORMAT_COUNT, 4}},
    },
    {
        .words = "group list",
        .help = "groups of engines, all or those named",
        .method = "saddle.v1.Groups/List",
        .rows = "groups",
        .arguments = NAMES,
        .columns = {{"name", "GROUP", FORMAT_TEXT, 0},
                    {"mode", "MODE", FORMAT_TEXT, 0},
                    {"cpus", "CPUS", FORMAT_TEXT, 2},
                    {"idle_ns", "IDLE", FORMAT_DURATION, 3},
                    {"threads", "THREADS", FORMAT_SIZE, 1},
                    {"engines", "ENGINES", FORMAT_LIST, 1}},
    },
    {
        .words = "port list",
        .help = "ports, all or those named",
        .method = "saddle.v1.Ports/List",
        .rows = "ports",
        .arguments = NAMES,
        .columns = {{"name", "PORT", FORMAT_TEXT, 0},
                    {"driver", "DRIVER", FORMAT_TEXT, 1},
                    {"interface", "INTERFACE", FORMAT_TEXT, 3},
                    {"owner", "OWNER", FORMAT_TEXT, 4},
                    {"engine", "ENGINE", FORMAT_TEXT, 2},
                    {"mac", "MAC", FORMAT_TEXT, 3},
                    {"mtu", "MTU", FORMAT_COUNT, 2}},
    },
    {
        .words = "session list",
        .help = "attached applications, all or those of an engine",
        .method = "saddle.v1.Sessions/List",
        .rows = "sessions",
        .arguments = {{.name = "ENGINE", .field = "engine", .optional = true}},
        .columns = {{"id", "SESSION", FORMAT_COUNT, 0},
                    {"application", "APPLICATION", FORMAT_TEXT, 2},
                    {"engine", "ENGINE", FORMAT_TEXT, 1},
                    {"uid", "UID", FORMAT_COUNT, 1},
                    {"pid", "PROCESS", FORMAT_COUNT, 2},
                    {"channels", "CHANNELS", FORMAT_COUNT, 5},
                    {"arena_bytes", "MEMORY", FORMAT_BYTES, 3},
                    {"abi", "ABI", FORMAT_COUNT, 6},
                    {"age_ns", "AGE", FORMAT_DURATION, 4}},
    },
    {
        .words = "session show",
        .help = "one attached application",
        .method = "saddle.v1.Sessions/Get",
        .arguments = {{.name = "ID", .field = "id", .number = true}},
        .columns = {{"id", "session", FORMAT_COUNT, 0},
                    {"application", "application", FORMAT_TEXT, 0},
                    {"engine", "engine", FORMAT_TEXT, 0},
                    {"uid", "uid", FORMAT_COUNT, 0},
                    {"pid", "process", FORMAT_COUNT, 0},
                    {"abi", "ABI version", FORMAT_COUNT, 0},
                    {"channels", "channels", FORMAT_COUNT, 0},
                    {"arena_bytes", "memory", FORMAT_BYTES, 0},
                    {"age_ns", "age", FORMAT_DURATION, 0},
                    {"rights", "rights", FORMAT_LIST, 0}},
    },
    {
        .words = "session close",
        .help = "end a session; its application reads REASON",
        .method = "saddle.v1.Sessions/Close",
        .arguments = {{.name = "ID", .field = "id", .number = true},
                      {.name = "REASON", .field = "reason", .optional = true}},
    },
    {
        .words = "policy show",
        .help = "who may attach and what for, the limits, and who takes how much",
        .method = "saddle.v1.Policy/Get",
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
        .words = "health",
        .help = "whether the daemon, or SERVICE (group/NAME), serves",
        .method = "grpc.health.v1.Health/Check",
        .arguments = {{.name = "SERVICE", .field = "service", .optional = true}},
        .columns = {{"status", "status", FORMAT_TEXT, 0}},
    },
    {
        .words = "call",
        .help = "call any METHOD (package.Service/Method); the request is JSON",
        .arguments = {{.name = "METHOD"}, {.name = "JSON", .optional = true}},
    },
    {.words = "help", .help = "print this and exit"},
};
const uint32_t command_count = sizeof(commands) / sizeof(commands[0]);

static const ProtobufCServiceDescriptor *const services[] = {
    &saddle__v1__system__descriptor,       &saddle__v1__engines__descriptor,
    &saddle__v1__groups__descriptor,       &saddle__v1__ports__descriptor,
    &saddle__v1__sessions__descriptor,     &saddle__v1__policy__descriptor,
    &grpc__health__v1__health__descriptor,
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

void command_usage(const struct command *command, FILE *stream)
{
    fputs(command->words, stream);
    for (const struct argument *argument = command->arguments; argument->name; argument++) {
        fprintf(stream, argument->optional ? " [%s%s%s%s]" : " %s%s%s%s",
                argument->option ? "--" : "", argument->option ? argument->option : "",
                argument->option ? " " : "", argument->name);
        if (argument->repeated)
            fputs("...", stream);
    }
}
