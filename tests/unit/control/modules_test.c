/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* What every module answers, on the bed. */
#include "grpc_health_v1_health.pb-c.h"
#include "saddle_v1_configuration.pb-c.h"
#include "saddle_v1_engines.pb-c.h"
#include "saddle_v1_metrics.pb-c.h"
#include "saddle_v1_policy.pb-c.h"
#include "saddle_v1_sessions.pb-c.h"
#include "saddle_v1_system.pb-c.h"
#include "tests/unit/control/modules_bed.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REASON_BYTES 256
#define SERVING      GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING  GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
#define UNKNOWN      GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

#define OWNER 900u

static const struct policy_rule rules[] = {
    {POLICY_ANY, 0, POLICY_ATTACH, false, 1, POLICY_HUGEPAGES_OFF},
    {POLICY_GID, 50, POLICY_LISTEN | POLICY_CONNECT, false, 1, POLICY_HUGEPAGES_OFF},
    {POLICY_UID, 1001, POLICY_EXPOSE, false, 1, POLICY_HUGEPAGES_OFF},
};

static void setup(void)
{
    bed_setup_with((struct server_config){
        .policy = {OWNER, rules, sizeof(rules) / sizeof(rules[0])},
        .sessions_per_uid = 7,
        .memory_per_uid = 1u << 30,
        .regions_per_session = 5,
        .exposed_per_session = 4096,
    });
}

static uint16_t call(const char *method, const ProtobufCMessage *request)
{
    return bed_call_as(LINK_ROLE_OPERATE, method, request);
}

static int health_of(const char *service)
{
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    Grpc__Health__V1__HealthCheckResponse *response;
    int found;

    request.service = (char *)(uintptr_t)service;
    if (call("grpc.health.v1.Health/Check", &request.base) != RPC_OK)
        return -(int)bed_answer.status;
    response =
        grpc__health__v1__health_check_response__unpack(NULL, bed_answer.length, bed_answer.bytes);
    found = (int)response->status;
    protobuf_c_message_free_unpacked(&response->base, NULL);
    return found;
}

START_TEST(an_engine_that_hangs_is_not_well)
{
    Saddle__V1__GetStatusRequest request = SADDLE__V1__GET_STATUS_REQUEST__INIT;
    Saddle__V1__Status *found;

    ck_assert_int_eq(health_of(""), SERVING);
    for (int i = 0; i < 10; i++)
        bed_second(3);
    ck_assert_int_eq(health_of(""), SERVING);
    for (int i = 0; i < 4; i++)
        bed_second(1);
    ck_assert_int_eq(health_of(""), NOT_SERVING);
    ck_assert_int_eq(health_of("group/main"), SERVING);
    ck_assert_int_eq(call("saddle.v1.System/GetStatus", &request.base), RPC_OK);
    found = saddle__v1__status__unpack(NULL, bed_answer.length, bed_answer.bytes);
    ck_assert_int_eq(found->condition, SADDLE__V1__CONDITION__CONDITION_DEGRADED);
    ck_assert_uint_eq(found->n_problems, 1);
    ck_assert_ptr_nonnull(strstr(found->problems[0], "engine beta"));
    ck_assert_uint_eq(found->engines, 2);
    protobuf_c_message_free_unpacked(&found->base, NULL);
    bed_second(3);
    bed_second(3);
    ck_assert_int_eq(health_of(""), SERVING);
}
END_TEST

/* Engines that stay are known wherever they stand; one that is new has a time to answer. */
START_TEST(the_pulse_follows)
{
    const struct plant_engine beta = bed_plant.engines[1];

    for (int i = 0; i < 4; i++)
        bed_second(1);
    ck_assert_int_eq(health_of(""), NOT_SERVING);
    bed_plant.engines[1] = bed_plant.engines[0];
    bed_plant.engines[0] = beta;
    pulse_follow(bed_world.pulse);
    ck_assert(!pulse_alive(bed_world.pulse, 0));
    ck_assert(pulse_alive(bed_world.pulse, 1));
    bed_plant.engines[0] = bed_plant.engines[1];
    bed_plant.engine_count = 1;
    pulse_follow(bed_world.pulse);
    ck_assert_int_eq(health_of(""), SERVING);
    bed_plant.engines[1] = beta;
    bed_plant.engine_count = 2;
    pulse_follow(bed_world.pulse);
    ck_assert_int_eq(health_of(""), SERVING);
    for (int i = 0; i < 4; i++)
        bed_second(1);
    ck_assert_int_eq(health_of(""), NOT_SERVING);
    bed_second(3);
    bed_second(3);
    ck_assert_int_eq(health_of(""), SERVING);
}
END_TEST

START_TEST(unknown_services)
{
    ck_assert_int_eq(health_of("group/none"), -RPC_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(bed_answer.text, "group/none"));
    ck_assert_int_eq(health_of("main"), -RPC_NOT_FOUND);
}
END_TEST

static int watched(void)
{
    Grpc__Health__V1__HealthCheckResponse *response;
    int found;

    bed_expect();
    response =
        grpc__health__v1__health_check_response__unpack(NULL, bed_answer.length, bed_answer.bytes);
    found = (int)response->status;
    protobuf_c_message_free_unpacked(&response->base, NULL);
    return found;
}

START_TEST(a_watch_tells_changes_alone)
{
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    bool ended;

    bed_begin(5, "grpc.health.v1.Health/Watch", &request.base);
    ck_assert_int_eq(watched(), SERVING);
    for (int i = 0; i < 5; i++)
        bed_second(3);
    ck_assert(!bed_take(&ended));
    for (int i = 0; i < 4; i++)
        bed_second(0);
    ck_assert_int_eq(watched(), NOT_SERVING);
    bed_second(3);
    ck_assert_int_eq(watched(), SERVING);
    bed_put(5, LINK_CANCEL, NULL, 0);
    ck_assert(bed_take(&ended) && ended);
    ck_assert_uint_eq(bed_answer.status, RPC_CANCELLED);
    /* Nothing of it is left for the next news. */
    for (int i = 0; i < 4; i++)
        bed_second(0);
    ck_assert(!bed_take(&ended));
    request.service = (char *)(uintptr_t) "nobody";
    bed_begin(6, "grpc.health.v1.Health/Watch", &request.base);
    ck_assert_int_eq(watched(), UNKNOWN);
}
END_TEST

START_TEST(lists)
{
    Saddle__V1__ListEnginesRequest engines = SADDLE__V1__LIST_ENGINES_REQUEST__INIT;
    Saddle__V1__ListGroupsRequest groups = SADDLE__V1__LIST_GROUPS_REQUEST__INIT;
    Saddle__V1__ListPortsRequest ports = SADDLE__V1__LIST_PORTS_REQUEST__INIT;
    char *names[] = {(char *)(uintptr_t) "beta", (char *)(uintptr_t) "nobody"};
    Saddle__V1__ListEnginesResponse *found;
    Saddle__V1__ListGroupsResponse *found_groups;
    Saddle__V1__ListPortsResponse *found_ports;

    histogram_record(&bed_plant.engines[1].engine->delays, 512);
    histogram_record(&bed_plant.engines[1].engine->delays, 70000);
    engines.names = names;
    engines.n_names = 1;
    ck_assert_int_eq(call("saddle.v1.Engines/List", &engines.base), RPC_OK);
    found = saddle__v1__list_engines_response__unpack(NULL, bed_answer.length, bed_answer.bytes);
    ck_assert_uint_eq(found->n_engines, 1);
    ck_assert_str_eq(found->engines[0]->name, "beta");
    ck_assert_str_eq(found->engines[0]->group, "other");
    ck_assert_uint_eq(found->engines[0]->delay_p50_ns, 512);
    ck_assert_uint_eq(found->engines[0]->delay_p999_ns, 70000);
    ck_assert_uint_eq(found->engines[0]->delay_max_ns, 70000);
    ck_assert_uint_eq(found->engines[0]->delays, 2);
    protobuf_c_message_free_unpacked(&found->base, NULL);
    engines.n_names = 2;
    ck_assert_int_eq(call("saddle.v1.Engines/List", &engines.base), RPC_NOT_FOUND);
    ck_assert_str_eq(bed_answer.text, "there is no engine \"nobody\"");
    ck_assert_int_eq(call("saddle.v1.Groups/List", &groups.base), RPC_OK);
    found_groups =
        saddle__v1__list_groups_response__unpack(NULL, bed_answer.length, bed_answer.bytes);
    ck_assert_uint_eq(found_groups->n_groups, 1);
    ck_assert_uint_eq(found_groups->groups[0]->n_engines, 1);
    ck_assert_uint_eq(found_groups->groups[0]->n_threads, 1);
    protobuf_c_message_free_unpacked(&found_groups->base, NULL);
    ck_assert_int_eq(call("saddle.v1.Ports/List", &ports.base), RPC_OK);
    found_ports =
        saddle__v1__list_ports_response__unpack(NULL, bed_answer.length, bed_answer.bytes);
    ck_assert_uint_eq(found_ports->n_ports, 1);
    ck_assert_str_eq(found_ports->ports[0]->mac, "02:00:00:00:00:01");
    protobuf_c_message_free_unpacked(&found_ports->base, NULL);
}
END_TEST

START_TEST(sessions)
{
    Saddle__V1__ListSessionsRequest list = SADDLE__V1__LIST_SESSIONS_REQUEST__INIT;
    Saddle__V1__GetSessionRequest get = SADDLE__V1__GET_SESSION_REQUEST__INIT;
    Saddle__V1__CloseSessionRequest close_one = SADDLE__V1__CLOSE_SESSION_REQUEST__INIT;
    char reason[400];

    ck_assert_int_eq(call("saddle.v1.Sessions/List", &list.base), RPC_OK);
    ck_assert_uint_eq(bed_answer.length, 0);
    list.engine = (char *)(uintptr_t) "nobody";
    ck_assert_int_eq(call("saddle.v1.Sessions/List", &list.base), RPC_NOT_FOUND);
    ck_assert_int_eq(call("saddle.v1.Sessions/Get", &get.base), RPC_NOT_FOUND);
    close_one.id = 7;
    ck_assert_int_eq(call("saddle.v1.Sessions/Close", &close_one.base), RPC_NOT_FOUND);
    ck_assert_str_eq(bed_answer.text, "there is no session 7");
    memset(reason, 'x', sizeof(reason) - 1);
    reason[sizeof(reason) - 1] = '\0';
    close_one.reason = reason;
    ck_assert_int_eq(call("saddle.v1.Sessions/Close", &close_one.base), RPC_INVALID_ARGUMENT);
    ck_assert_int_eq(bed_call("saddle.v1.Sessions/Close", &close_one.base), RPC_PERMISSION_DENIED);
    ck_assert_ptr_nonnull(strstr(bed_answer.text, "operate"));
}
END_TEST

START_TEST(the_policy_in_force)
{
    Saddle__V1__GetPolicyRequest request = SADDLE__V1__GET_POLICY_REQUEST__INIT;
    Saddle__V1__GetPolicyResponse *found;

    ck_assert_int_eq(bed_call("saddle.v1.Policy/Get", &request.base), RPC_OK);
    found = saddle__v1__get_policy_response__unpack(NULL, bed_answer.length, bed_answer.bytes);
    ck_assert_uint_eq(found->owner, OWNER);
    ck_assert_uint_eq(found->n_rules, 3);
    ck_assert_uint_eq(found->rules[0]->number, 1);
    ck_assert_str_eq(found->rules[0]->who, "any");
    ck_assert_str_eq(found->rules[1]->who, "gid 50");
    ck_assert_uint_eq(found->rules[1]->n_allow, 2);
    ck_assert_str_eq(found->rules[1]->allow[0], "listen");
    ck_assert_str_eq(found->rules[1]->allow[1], "connect");
    ck_assert_str_eq(found->rules[2]->who, "uid 1001");
    ck_assert_uint_eq(found->limits->sessions_per_uid, 7);
    ck_assert_uint_eq(found->limits->memory_per_uid, 1u << 30);
    ck_assert_uint_eq(found->limits->connections_per_session, 0);
    ck_assert_uint_eq(found->limits->regions_per_session, 5);
    ck_assert_uint_eq(found->limits->exposed_per_session, 4096);
    ck_assert_uint_eq(found->n_usage, 0);
    protobuf_c_message_free_unpacked(&found->base, NULL);
}
END_TEST

/* Rights as words with a blank behind each, then the numbers of the rules. */
static const char *may(uint32_t uid, uint32_t *gids, size_t gid_count)
{
    static char told[REASON_BYTES];
    Saddle__V1__CheckPolicyRequest request = SADDLE__V1__CHECK_POLICY_REQUEST__INIT;
    Saddle__V1__CheckPolicyResponse *found;
    size_t used = 0;

    request.uid = uid;
    request.gids = gids;
    request.n_gids = gid_count;
    if (bed_call("saddle.v1.Policy/Check", &request.base) != RPC_OK)
        return bed_answer.status == RPC_INVALID_ARGUMENT ? bed_answer.text : "another status";
    found = saddle__v1__check_policy_response__unpack(NULL, bed_answer.length, bed_answer.bytes);
    used += (size_t)snprintf(told, sizeof(told), "%s", found->trusted ? "trusted " : "");
    for (size_t i = 0; i < found->n_allow; i++)
        used += (size_t)snprintf(told + used, sizeof(told) - used, "%s ", found->allow[i]);
    for (size_t i = 0; i < found->n_rules; i++)
        used += (size_t)snprintf(told + used, sizeof(told) - used, "%u", found->rules[i]->number);
    protobuf_c_message_free_unpacked(&found->base, NULL);
    return told;
}

START_TEST(what_somebody_may)
{
    uint32_t gids[POLICY_GROUPS_MAX + 2] = {7, 50};

    ck_assert_str_eq(may(5, NULL, 0), "attach 1");
    ck_assert_str_eq(may(50, NULL, 0), "attach 1");
    ck_assert_str_eq(may(5, gids, 1), "attach 1");
    ck_assert_str_eq(may(5, gids, 2), "attach listen connect 12");
    ck_assert_str_eq(may(5, gids + 1, 1), "attach listen connect 12");
    ck_assert_str_eq(may(1001, NULL, 0), "attach expose 13");
    ck_assert_str_eq(may(1001, gids, 2), "attach listen connect expose 123");
    ck_assert_str_eq(may(0, NULL, 0), "trusted attach listen connect expose 1");
    ck_assert_str_eq(may(OWNER, NULL, 0), "trusted attach listen connect expose 1");
    ck_assert_str_eq(may(5, gids, POLICY_GROUPS_MAX + 1), "attach listen connect 12");
    ck_assert_str_eq(may(5, gids, POLICY_GROUPS_MAX + 2),
                     "gids: 258 of them, and at most 257 are looked at");
    ck_assert_str_eq(may(UINT32_MAX, NULL, 0), "uid: 4294967295 is no user");
    gids[1] = UINT32_MAX;
    ck_assert_str_eq(may(5, gids, 2), "gids: 4294967295 is no group");
}
END_TEST

/* A steward that says no to what is called "bad", and remembers what it was asked. */
static struct steward_edit edited;
static const char *asked;
static bool disrupting;

static int answer_text(struct steward_answer *told, const char *words)
{
    asked = words;
    if (!strcmp(words, "bad")) {
        snprintf(told->line, sizeof(told->line), "1:2: it is bad");
        return -EINVAL;
    }
    return steward_answer_add(told, "engines.x.window", "1", "2", "ends 3 sessions");
}

static int toy_show(void *context, char **shown, struct steward_answer *told)
{
    (void)context;
    (void)told;
    *shown = strdup("memory: 1GiB\n");
    return 0;
}

static int toy_text(void *context, const char *words, struct steward_answer *told)
{
    (void)context;
    return answer_text(told, words);
}

static int toy_apply(void *context, const char *words, bool disrupt, struct steward_answer *told)
{
    (void)context;
    disrupting = disrupt;
    return answer_text(told, words);
}

static int toy_rollback(void *context, bool disrupt, struct steward_answer *told)
{
    (void)context;
    disrupting = disrupt;
    snprintf(told->line, sizeof(told->line), "there is none");
    return -EPERM;
}

static int toy_reload(void *context, struct steward_answer *told)
{
    (void)context;
    return answer_text(told, "reload");
}

static int toy_edit(void *context, const struct steward_edit *edit, struct steward_answer *told)
{
    (void)context;
    edited = *edit;
    snprintf(told->line, sizeof(told->line), "there is no such thing");
    return edit->kind == STEWARD_DESTROY_GROUP ? -ENOENT : 0;
}

static const struct steward_ops toy_ops = {
    .show = toy_show,
    .check = toy_text,
    .diff = toy_text,
    .apply = toy_apply,
    .rollback = toy_rollback,
    .reload = toy_reload,
    .edit = toy_edit,
};
static const struct steward toy_steward = {.ops = &toy_ops};

static char *word(const char *from)
{
    return (char *)(uintptr_t)from;
}

START_TEST(configuration)
{
    Saddle__V1__ShowConfigurationRequest show = SADDLE__V1__SHOW_CONFIGURATION_REQUEST__INIT;
    Saddle__V1__CheckConfigurationRequest check = SADDLE__V1__CHECK_CONFIGURATION_REQUEST__INIT;
    Saddle__V1__ApplyConfigurationRequest apply = SADDLE__V1__APPLY_CONFIGURATION_REQUEST__INIT;
    Saddle__V1__RollbackConfigurationRequest rollback =
        SADDLE__V1__ROLLBACK_CONFIGURATION_REQUEST__INIT;
    Saddle__V1__ReloadConfigurationRequest reload = SADDLE__V1__RELOAD_CONFIGURATION_REQUEST__INIT;
    Saddle__V1__ConfigurationText *shown;
    Saddle__V1__ConfigurationChanges *found;

    bed_world.steward = &toy_steward;
    ck_assert_int_eq(call("saddle.v1.Configuration/Show", &show.base), RPC_OK);
    shown = saddle__v1__configuration_text__unpack(NULL, bed_answer.length, bed_answer.bytes);
    ck_assert_str_eq(shown->text, "memory: 1GiB\n");
    protobuf_c_message_free_unpacked(&shown->base, NULL);
    check.text = word("bad");
    ck_assert_int_eq(call("saddle.v1.Configuration/Check", &check.base), RPC_INVALID_ARGUMENT);
    ck_assert_str_eq(bed_answer.text, "1:2: it is bad");
    check.text = word("good");
    ck_assert_int_eq(call("saddle.v1.Configuration/Check", &check.base), RPC_OK);
    ck_assert_int_eq(call("saddle.v1.Configuration/Diff", &check.base), RPC_OK);
    apply.text = word("good");
    apply.disrupt = true;
    ck_assert_int_eq(call("saddle.v1.Configuration/Apply", &apply.base), RPC_OK);
    ck_assert(disrupting);
    found = saddle__v1__configuration_changes__unpack(NULL, bed_answer.length, bed_answer.bytes);
    ck_assert_uint_eq(found->n_changes, 1);
    ck_assert_str_eq(found->changes[0]->path, "engines.x.window");
    ck_assert_str_eq(found->changes[0]->new_, "2");
    ck_assert_str_eq(found->changes[0]->effect, "ends 3 sessions");
    protobuf_c_message_free_unpacked(&found->base, NULL);
    ck_assert_int_eq(call("saddle.v1.Configuration/Rollback", &rollback.base),
                     RPC_FAILED_PRECONDITION);
    ck_assert(!disrupting);
    ck_assert_str_eq(bed_answer.text, "there is none");
    ck_assert_int_eq(call("saddle.v1.Configuration/Reload", &reload.base), RPC_OK);
    ck_assert_str_eq(asked, "reload");
}
END_TEST

START_TEST(edits)
{
    Saddle__V1__CreateEngineRequest create = SADDLE__V1__CREATE_ENGINE_REQUEST__INIT;
    Saddle__V1__ChangeGroupRequest change = SADDLE__V1__CHANGE_GROUP_REQUEST__INIT;
    Saddle__V1__DestroyGroupRequest destroy = SADDLE__V1__DESTROY_GROUP_REQUEST__INIT;

    ck_assert_int_eq(call("saddle.v1.Engines/Create", &create.base), RPC_UNAVAILABLE);
    bed_world.steward = &toy_steward;
    create.disrupt = true;
    ck_assert_int_eq(call("saddle.v1.Engines/Create", &create.base), RPC_OK);
    ck_assert_int_eq(edited.kind, STEWARD_CREATE_ENGINE);
    ck_assert(edited.disrupt);
    ck_assert_int_eq(call("saddle.v1.Groups/Change", &change.base), RPC_OK);
    ck_assert_int_eq(edited.kind, STEWARD_CHANGE_GROUP);
    ck_assert_ptr_nonnull(edited.idle); /* what is not given is an empty text */
    ck_assert_ptr_nonnull(edited.class);
    ck_assert_ptr_nonnull(edited.period);
    ck_assert_int_eq(call("saddle.v1.Groups/Destroy", &destroy.base), RPC_NOT_FOUND);
    ck_assert_str_eq(bed_answer.text, "there is no such thing");
}
END_TEST

/* Whoever may only look changes nothing. */
static const char *const changing[] = {
    "saddle.v1.Configuration/Apply",  "saddle.v1.Configuration/Rollback",
    "saddle.v1.Configuration/Reload", "saddle.v1.Engines/Create",
    "saddle.v1.Engines/Destroy",      "saddle.v1.Engines/Move",
    "saddle.v1.Groups/Create",        "saddle.v1.Groups/Change",
    "saddle.v1.Groups/Destroy",       "saddle.v1.Upgrades/Check",
    "saddle.v1.Upgrades/Start",
};

START_TEST(observers_change_nothing)
{
    Saddle__V1__ReloadConfigurationRequest empty = SADDLE__V1__RELOAD_CONFIGURATION_REQUEST__INIT;

    bed_world.steward = &toy_steward;
    ck_assert_int_eq(bed_call(changing[_i], &empty.base), RPC_PERMISSION_DENIED);
}
END_TEST

START_TEST(modules_are_listed_with_their_methods)
{
    Saddle__V1__ListModulesRequest request = SADDLE__V1__LIST_MODULES_REQUEST__INIT;
    Saddle__V1__ListModulesResponse *found;
    size_t methods = 0;

    ck_assert_int_eq(call("saddle.v1.System/ListModules", &request.base), RPC_OK);
    found = saddle__v1__list_modules_response__unpack(NULL, bed_answer.length, bed_answer.bytes);
    ck_assert_uint_eq(found->n_modules, modules_count);
    for (uint32_t i = 0; i < modules_count; i++) {
        ck_assert_str_eq(found->modules[i]->name, modules_all[i]->name);
        methods += found->modules[i]->n_methods;
    }
    ck_assert_uint_gt(methods, 10);
    protobuf_c_message_free_unpacked(&found->base, NULL);
}
END_TEST

static bool has_line(const char *line)
{
    const char *found = strstr((const char *)bed_answer.bytes, line);

    return found && found[strlen(line)] == '\n';
}

/* What HTTP gets, and what gRPC gets: the same text, in a message there. */
START_TEST(metrics)
{
    Saddle__V1__ReadMetricsRequest request = SADDLE__V1__READ_METRICS_REQUEST__INIT;
    Saddle__V1__ReadMetricsResponse *found;
    struct histogram *delays = &bed_plant.engines[0].engine->delays;

    histogram_record(delays, 1000);
    histogram_record(delays, 100 * NSEC_PER_USEC);
    histogram_record(delays, 2 * NSEC_PER_SEC);
    ck_assert_int_eq(call("saddle.v1.Metrics/Read", &request.base), RPC_OK);
    found = saddle__v1__read_metrics_response__unpack(NULL, bed_answer.length, bed_answer.bytes);
    ck_assert_ptr_nonnull(strstr(found->text, "\nsaddle_engine_alive{engine=\"alpha\"} 1\n"));
    ck_assert_str_eq(found->text + strlen(found->text) - 6, "# EOF\n");
    protobuf_c_message_free_unpacked(&found->base, NULL);
    ck_assert_int_eq(bed_call(LINK_HTTP_METRICS, &request.base), RPC_OK);
    bed_answer.bytes[bed_answer.length] = '\0';
    ck_assert(has_line("saddle_sessions{engine=\"beta\"} 0"));
    ck_assert(has_line("# TYPE saddle_engine_handled counter"));
    ck_assert(has_line("saddle_engine_handled_total{engine=\"alpha\"} 0"));
    ck_assert(has_line("saddle_engine_handled_total{engine=\"beta\"} 0"));
    ck_assert(has_line("saddle_thread_engines{group=\"main\",thread=\"0\"} 0"));
    ck_assert(has_line("saddle_degraded 0"));
    ck_assert(has_line("# TYPE saddle_engine_queueing_delay_seconds histogram"));
    ck_assert(has_line("saddle_engine_queueing_delay_seconds_bucket{engine=\"alpha\",le="
                       "\"0.000001024\"} 1"));
    ck_assert(has_line("saddle_engine_queueing_delay_seconds_bucket{engine=\"alpha\",le="
                       "\"0.000131072\"} 2"));
    ck_assert(has_line("saddle_engine_queueing_delay_seconds_count{engine=\"alpha\"} 3"));
    ck_assert(has_line("saddle_engine_queueing_delay_seconds_sum{engine=\"alpha\"} 2.000101000"));
    ck_assert(has_line("saddle_group_rebalanced_total{group=\"main\",action=\"swap\"} 0"));
    ck_assert(has_line("# EOF"));
    ck_assert_int_eq(call(LINK_HTTP_METRICS_OLD, &request.base), RPC_OK);
    bed_answer.bytes[bed_answer.length] = '\0';
    ck_assert(has_line("# TYPE saddle_engine_handled_total counter"));
    ck_assert(!has_line("# EOF"));
}
END_TEST

START_TEST(health_for_http)
{
    Saddle__V1__ReadMetricsRequest request = SADDLE__V1__READ_METRICS_REQUEST__INIT;

    ck_assert_int_eq(call(LINK_HTTP_HEALTH, &request.base), RPC_OK);
    ck_assert_str_eq(bed_answer.text, "ok");
    for (int i = 0; i < 4; i++)
        bed_second(1);
    ck_assert_int_eq(call(LINK_HTTP_HEALTH, &request.base), RPC_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(bed_answer.text, "engine beta"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("modules");
    TCase *tcase = tcase_create("modules");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, setup, bed_teardown);
    tcase_add_test(tcase, an_engine_that_hangs_is_not_well);
    tcase_add_test(tcase, the_pulse_follows);
    tcase_add_test(tcase, unknown_services);
    tcase_add_test(tcase, a_watch_tells_changes_alone);
    tcase_add_test(tcase, lists);
    tcase_add_test(tcase, sessions);
    tcase_add_test(tcase, the_policy_in_force);
    tcase_add_test(tcase, what_somebody_may);
    tcase_add_test(tcase, configuration);
    tcase_add_test(tcase, edits);
    tcase_add_loop_test(tcase, observers_change_nothing, 0, sizeof(changing) / sizeof(changing[0]));
    tcase_add_test(tcase, modules_are_listed_with_their_methods);
    tcase_add_test(tcase, metrics);
    tcase_add_test(tcase, health_for_http);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
