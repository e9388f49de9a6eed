/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/control/modules_bed.h"

#include "tests/unit/folder.h"
#include "tests/unit/sched/toy.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REASON_BYTES 256

struct bed_answer bed_answer;
struct module_world bed_world;
struct plant bed_plant;

static char folder[TEST_FOLDER_BYTES];
static char path[sizeof(folder) + 8];
static struct toy *toys[2];
static struct group *group;
static uint32_t port_stats(const struct port *port, struct port_stat *stats, uint32_t max);
static const struct port_ops port_ops = {.driver = "net_null", .stats = port_stats};
static struct port port = {.ops = &port_ops, .name = "p", .mtu = 1500, .mac = {{2, 0, 0, 0, 0, 1}}};
static struct modules *modules;
static struct link far;
static uint64_t now;

static uint32_t port_stats(const struct port *from, struct port_stat *stats, uint32_t max)
{
    ck_assert_ptr_eq(from, &port);
    ck_assert_uint_gt(max, 0);
    stats[0] = (struct port_stat){"packets_received", 17};
    return 1;
}

void bed_decide(uint64_t at_ns, const char *engine, const struct balance_move *move)
{
    decisions_add((struct decisions *)(uintptr_t)group_decisions(group), at_ns, engine, move);
}

static void describe(void)
{
    memset(&bed_plant, 0, sizeof(bed_plant));
    bed_plant.engine_count = 2;
    bed_plant.group_count = bed_plant.port_count = 1;
    for (int i = 0; i < 2; i++) {
        toys[i] = toy_create(i ? "beta" : "alpha");
        bed_plant.engines[i] = (struct plant_engine){&toys[i]->engine, i ? "other" : "main", "p"};
    }
    bed_plant.groups[0] =
        (struct plant_group){.group = group, .name = "main", .mode = "compacting", .cpus = ""};
    bed_plant.ports[0] = (struct plant_port){.port = &port,
                                             .name = "p",
                                             .driver = "net_null",
                                             .interface = "",
                                             .owner = "nobody",
                                             .engine = "alpha"};
}

void bed_setup_with(struct server_config server_config)
{
    const struct group_config config = {.name = "main", .mode = &group_mode_compacting};
    char reason[REASON_BYTES];
    struct link ends[2];
    struct server *server;

    ck_assert_ptr_nonnull(test_folder_make(folder, "saddle-modules-bed"));
    snprintf(path, sizeof(path), "%s/s", folder);
    server_config.path = path;
    server_config.mode = 0600;
    ck_assert_int_eq(server_create(&server, &server_config, reason, sizeof(reason)), 0);
    ck_assert_int_eq(group_create(&group, &config), 0);
    describe();
    bed_world = (struct module_world){.plant = &bed_plant, .server = server};
    ck_assert_int_eq(modules_create(&modules, &bed_world), 0);
    ck_assert_int_eq(link_pair(ends), 0);
    rpc_attach(bed_world.rpc, ends[0]);
    far = ends[1];
    now = 1000 * NSEC_PER_SEC;
    modules_tick(modules, now);
}

void bed_setup(void)
{
    bed_setup_with((struct server_config){0});
}

void bed_teardown(void)
{
    modules_destroy(modules);
    link_close(&far);
    for (int i = 0; i < 2; i++)
        toys[i]->engine.ops->destroy(&toys[i]->engine);
    group_destroy(group);
    server_destroy(bed_world.server);
    ck_assert_int_eq(rmdir(folder), 0);
}

void bed_put(uint32_t call, enum link_kind kind, const void *bytes, size_t length)
{
    const struct link_frame frame = {.call = call,
                                     .kind = (uint8_t)kind,
                                     .length = (uint32_t)length};

    ck_assert_int_eq(link_send(&far, &frame, bytes), 0);
    ck_assert_int_eq(rpc_work(bed_world.rpc), 0);
}

static void begin_as(uint32_t call, enum link_role role, const char *method,
                     const ProtobufCMessage *request)
{
    const struct link_caller caller = {.role = role, .uid = 1};
    uint8_t body[LINK_BODY_MAX];
    int length;

    memcpy(body, &caller, sizeof(caller));
    length = snprintf((char *)body + sizeof(caller), sizeof(body) - sizeof(caller), "%s", method);
    bed_put(call, LINK_CALL, body, sizeof(caller) + (size_t)length);
    bed_put(call, LINK_MESSAGE, body, protobuf_c_message_pack(request, body));
    bed_put(call, LINK_FINISHED, NULL, 0);
}

void bed_begin(uint32_t call, const char *method, const ProtobufCMessage *request)
{
    begin_as(call, LINK_ROLE_OBSERVE, method, request);
}

bool bed_take(bool *ended)
{
    struct link_frame frame;
    uint8_t body[LINK_BODY_MAX];

    *ended = false;
    bed_answer.length = 0;
    do {
        int error = link_receive(&far, &frame, body);

        if (error == -EAGAIN && bed_answer.length == 0)
            return false;
        while (error == -EAGAIN) { /* the rest of a large one */
            ck_assert_int_eq(rpc_work(bed_world.rpc), 0);
            error = link_receive(&far, &frame, body);
        }
        ck_assert_int_eq(error, 0);
        if (frame.kind == LINK_END) {
            *ended = true;
            bed_answer.status = frame.status;
            memcpy(bed_answer.text, body, frame.length);
            bed_answer.text[frame.length] = '\0';
            return true;
        }
        memcpy(bed_answer.bytes + bed_answer.length, body, frame.length);
        bed_answer.length += frame.length;
    } while (frame.flags & LINK_MORE);
    return true;
}

void bed_expect(void)
{
    bool ended;

    ck_assert(bed_take(&ended));
    ck_assert_msg(!ended, "%u: %s", bed_answer.status, bed_answer.text);
}

uint16_t bed_call_as(enum link_role role, const char *method, const ProtobufCMessage *request)
{
    size_t length = 0;
    bool ended;

    begin_as(0, role, method, request);
    ck_assert(bed_take(&ended));
    if (!ended) {
        length = bed_answer.length;
        ck_assert_int_eq(rpc_work(bed_world.rpc), 0);
        ck_assert(bed_take(&ended) && ended);
    }
    bed_answer.length = length;
    return bed_answer.status;
}

uint16_t bed_call(const char *method, const ProtobufCMessage *request)
{
    return bed_call_as(LINK_ROLE_OBSERVE, method, request);
}

void bed_second(unsigned alive)
{
    for (unsigned i = 0; i < 2; i++) {
        if (alive >> i & 1)
            mailbox_run(&toys[i]->engine.mailbox, &toys[i]->engine);
    }
    now += NSEC_PER_SEC;
    modules_tick(modules, now);
    ck_assert_int_eq(rpc_work(bed_world.rpc), 0);
}
