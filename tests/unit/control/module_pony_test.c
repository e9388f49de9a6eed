/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What operators see of peers, flows, connections, regions and neighbours, over a link as
 * saddle-control calls it: two real engines on threads of their own, whose port goes nowhere, an
 * application, an engine of another kind, and ports whose neighbours are made up.
 */
#include "control/module.h"
#include "engines/pony/pony.h"
#include "saddle_v1_pony.pb-c.h"
#include "tests/unit/eal.h"
#include "tests/unit/engines/pony/app.h"
#include "tests/unit/folder.h"
#include "tests/unit/sched/toy.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REASON_BYTES 256
#define PONIES       2
#define PEERS        45u
#define SERVICES     30u
#define CALLS        12u
#define NEIGHBOURS   75u
#define PATIENCE_NS  (60 * NSEC_PER_SEC)
#define MBUFS        255u
#define CALL(method, request)                                                                      \
    ck_assert_msg(call(method, &(request).base) == RPC_OK, "%s: %s", method, text)

static char folder[TEST_FOLDER_BYTES];
static char path[sizeof(folder) + 8];
static struct engine *ponies[PONIES];
static struct toy *toy;
static struct group *group;
static struct port ports[PONIES];
static struct app *app;
static struct server *server;
static struct plant plant;
static struct module_world world;
static struct modules *modules;
static struct link far;
static uint64_t key;

static uint16_t status;
static char text[LINK_TEXT_MAX + 1];
static uint8_t answer[LINK_MESSAGE_MAX];
static size_t answer_bytes;

/* Calls of mailbox_call, which takes an engine that was told to hang at its word. */
static uint32_t asked;
static bool impatient;

int __real_mailbox_call(struct mailbox *mailbox, mailbox_fn *fn, void *argument,
                        uint64_t timeout_ns, int *result);
int __wrap_mailbox_call(struct mailbox *mailbox, mailbox_fn *fn, void *argument,
                        uint64_t timeout_ns, int *result);

int __wrap_mailbox_call(struct mailbox *mailbox, mailbox_fn *fn, void *argument,
                        uint64_t timeout_ns, int *result)
{
    asked++;
    return __real_mailbox_call(mailbox, fn, argument, impatient ? NSEC_PER_MSEC : timeout_ns,
                               result);
}

/* ---- A port to nowhere ---- */

static uint16_t rx_burst(struct port *port, struct rte_mbuf **packets, uint16_t max, uint64_t now)
{
    (void)port;
    (void)packets;
    (void)max;
    (void)now;
    return 0;
}

static uint16_t tx_burst(struct port *port, struct rte_mbuf **packets, uint16_t count, uint64_t now)
{
    (void)port;
    (void)now;
    rte_pktmbuf_free_bulk(packets, count);
    return count;
}

static uint16_t tx_room(struct port *port)
{
    (void)port;
    return PORT_BURST;
}

static const struct port_ops port_ops = {
    .driver = "nowhere", .rx_burst = rx_burst, .tx_burst = tx_burst, .tx_room = tx_room};

static void make_pony(int index, struct rte_mempool *pool)
{
    static const uint8_t seed[RNG_SEED_BYTES] = {1, 2, 3};
    struct pony_config config = {.control_fd = -1};
    struct transport_peer *peers = calloc(PEERS, sizeof(*peers));

    ports[index] =
        (struct port){.ops = &port_ops, .mtu = 1500, .wake_fd = -1, .pool = pool, .name = "p"};
    ck_assert_ptr_nonnull(peers);
    for (uint32_t i = 0; i < PEERS; i++) {
        struct transport_peer *peer = &peers[i];
        char address[ADDRESS_TEXT_BYTES];

        snprintf(address, sizeof(address), "10.0.%u.%u", 1 + index, i + 1);
        ck_assert_int_eq(address_parse(&peer->address, address), 0);
        if (i > 0 || index == 0)
            snprintf(peer->name, sizeof(peer->name), i ? "host-%d-%u" : "peer", index, i);
        peer->mac.addr_bytes[5] = 1;
    }
    config.transport.address_count = 1;
    ck_assert_int_eq(address_parse(&config.transport.addresses[0], "10.0.0.1"), 0);
    config.transport.peers = peers;
    config.transport.peer_count = PEERS;
    config.transport.hello_timeout_ns = 600 * NSEC_PER_SEC;
    ck_assert_int_eq(pony_create(&ponies[index], index ? "beta" : "alpha", &config, &ports[index],
                                 &clock_machine, seed),
                     0);
    free(peers);
}

/* ---- Made-up neighbours: their cursor is a count ---- */

static void view_neighbours(void *context, struct neighbour_page *page)
{
    const uint32_t *most = context;
    uint32_t place;

    memcpy(&place, page->cursor.bytes, sizeof(place));
    page->count = 0;
    while (place < *most && !neighbour_page_full(page)) {
        struct neighbour_entry *to = &page->entries[page->count++];
        const uint8_t v4[4] = {192, 168, 0, (uint8_t)++place};

        *to = (struct neighbour_entry){.state = place % 2 ? NEIGHBOUR_STALE : NEIGHBOUR_FAILED,
                                       .age_ns = place,
                                       .mac = {{2, 0, 0, 0, 0, (uint8_t)place}}};
        address_from_v4(&to->address, v4);
    }
    page->done = place >= *most;
    memcpy(page->cursor.bytes, &place, sizeof(place));
}

static uint32_t neighbour_counts[] = {NEIGHBOURS, 5};

static void describe(void)
{
    plant.engine_count = PONIES + 1;
    plant.group_count = 1;
    plant.port_count = 3;
    for (int i = 0; i < PONIES; i++)
        /* In the order of neither names nor ports. */
        plant.engines[PONIES - i] = (struct plant_engine){ponies[i], "main", i ? "b" : "a"};
    plant.engines[0] = (struct plant_engine){&toy->engine, "main", ""};
    plant.groups[0] =
        (struct plant_group){.group = group, .name = "main", .mode = "spreading", .cpus = ""};
    plant.ports[0] =
        (struct plant_port){.port = &ports[1],
                            .name = "b",
                            .driver = "x",
                            .interface = "",
                            .owner = "saddle",
                            .engine = "beta",
                            .neighbours = {view_neighbours, &neighbour_counts[0], true}};
    plant.ports[1] =
        (struct plant_port){.port = &ports[0],
                            .name = "a",
                            .driver = "x",
                            .interface = "",
                            .owner = "kernel",
                            .engine = "alpha",
                            .neighbours = {view_neighbours, &neighbour_counts[1], false}};
    plant.ports[2] = (struct plant_port){.port = &ports[0],
                                         .name = "c",
                                         .driver = "x",
                                         .interface = "",
                                         .owner = "nobody",
                                         .engine = ""};
}

/* Waits for the completion of a command. */
static const struct saddle_event *done(uint64_t tag)
{
    uint64_t end = clock_now(&clock_machine) + PATIENCE_NS;
    uint32_t at = 0;

    while (!app_event(app, &at, SADDLE_EVT_DONE, tag)) {
        ck_assert_uint_lt(clock_now(&clock_machine), end);
        app_reap(app);
        at = 0;
    }
    return app_done(app, tag);
}

/* Listens, calls the silent peer, exposes memory. */
static void use_alpha(void)
{
    struct saddle_command expose = {
        .op = SADDLE_CMD_EXPOSE, .len = 1000, .tag = 900, .key = SADDLE_RIGHT_READ};
    char service[SADDLE_NAME_BYTES];

    for (uint32_t i = 0; i < SERVICES; i++) {
        snprintf(service, sizeof(service), i ? "service-%u" : "\033[2J\xff%u", i);
        app_listen(app, service, 100 + i);
        ck_assert_int_eq(done(100 + i)->status, 0);
    }
    for (uint32_t i = 0; i < CALLS; i++)
        app_connect(app, "wanted", 500 + i);
    expose.buf = app->config.heap_offset;
    ck_assert(app_submit(app, &expose));
    key = done(900)->value;
}

static void setup(void)
{
    const struct group_config config = {.name = "main", .mode = &group_mode_spreading};
    const struct server_config server_config = {.path = path, .mode = 0600};
    struct rte_mempool *pool = test_eal_pool("pony", MBUFS);
    char reason[REASON_BYTES];
    struct link ends[2];
    int result;

    ck_assert_ptr_nonnull(test_folder_make(folder, "saddle-pony-test"));
    snprintf(path, sizeof(path), "%s/s", folder);
    ck_assert_int_eq(server_create(&server, &server_config, reason, sizeof(reason)), 0);
    ck_assert_int_eq(group_create(&group, &config), 0);
    for (int i = 0; i < PONIES; i++) {
        make_pony(i, pool);
        ck_assert_int_eq(group_add(group, ponies[i]), 0);
    }
    toy = toy_create("tau");
    describe();
    app = app_create(7, 0, APP_SLOTS);
    ck_assert_int_eq(mailbox_call(&ponies[0]->mailbox, pony_mailbox_attach, app->session,
                                  PATIENCE_NS, &result),
                     0);
    use_alpha();
    world = (struct module_world){.plant = &plant, .server = server};
    ck_assert_int_eq(modules_create(&modules, &world), 0);
    ck_assert_int_eq(link_pair(ends), 0);
    rpc_attach(world.rpc, ends[0]);
    far = ends[1];
    modules_tick(modules, clock_now(&clock_machine));
}

static void teardown(void)
{
    modules_destroy(modules);
    link_close(&far);
    for (int i = 0; i < PONIES; i++) {
        int error = group_remove(group, ponies[i]);

        ck_assert(error == 0 || error == -ENOENT);
    }
    pony_mailbox_detach(ponies[0], app->session);
    for (int i = 0; i < PONIES; i++)
        ponies[i]->ops->destroy(ponies[i]);
    app_destroy(app);
    toy->engine.ops->destroy(&toy->engine);
    group_destroy(group);
    server_destroy(server);
    ck_assert_int_eq(rmdir(folder), 0);
}

/* ---- Calls ---- */

static void put(enum link_kind kind, const void *bytes, size_t length)
{
    const struct link_frame frame = {.kind = (uint8_t)kind, .length = (uint32_t)length};

    ck_assert_int_eq(link_send(&far, &frame, bytes), 0);
    ck_assert_int_eq(rpc_work(world.rpc), 0);
}

/* What has come so far of the one call; true once it has ended. */
static bool take(void)
{
    struct link_frame frame;
    uint8_t body[LINK_BODY_MAX];

    while (link_receive(&far, &frame, body) == 0) {
        if (frame.kind == LINK_END) {
            status = frame.status;
            memcpy(text, body, frame.length);
            text[frame.length] = '\0';
            return true;
        }
        memcpy(answer + answer_bytes, body, frame.length);
        answer_bytes += frame.length;
    }
    return false;
}

/* A unary call by an observer; returns its status. */
static uint16_t call(const char *method, const ProtobufCMessage *request)
{
    const struct link_caller caller = {.role = LINK_ROLE_OBSERVE};
    uint8_t body[LINK_BODY_MAX];

    memcpy(body, &caller, sizeof(caller));
    memcpy(body + sizeof(caller), method, strlen(method));
    put(LINK_CALL, body, sizeof(caller) + strlen(method));
    put(LINK_MESSAGE, body, protobuf_c_message_pack(request, body));
    put(LINK_FINISHED, NULL, 0);
    answer_bytes = 0;
    text[0] = '\0';
    while (!take())
        ck_assert_int_eq(rpc_work(world.rpc), 0);
    return status;
}

static char *words(const char *from)
{
    return (char *)(uintptr_t)from;
}

/* ---- Lists ---- */

/* All pages of peers; returns how many entries there were, and counts each host's. */
static uint32_t list_peers(const char *engine, uint32_t page_size, uint32_t seen[PONIES][PEERS])
{
    Saddle__V1__ListPeersRequest request = SADDLE__V1__LIST_PEERS_REQUEST__INIT;
    char token[256] = "";
    uint32_t count = 0;

    request.engine = words(engine);
    request.page_size = page_size;
    do {
        request.page_token = token;
        CALL("saddle.v1.Peers/List", request);
        Saddle__V1__ListPeersResponse *found =
            saddle__v1__list_peers_response__unpack(NULL, answer_bytes, answer);
        ck_assert_uint_le(found->n_peers, page_size ? page_size : 100);
        for (size_t i = 0; i < found->n_peers; i++) {
            const Saddle__V1__Peer *peer = found->peers[i];
            unsigned net, host;

            ck_assert_int_eq(sscanf(peer->address, "10.0.%u.%u", &net, &host), 2);
            ck_assert_str_eq(peer->engine, net == 1 ? "alpha" : "beta");
            seen[net - 1][host - 1]++;
            count++;
        }
        snprintf(token, sizeof(token), "%s", found->next_page_token);
        protobuf_c_message_free_unpacked(&found->base, NULL);
    } while (token[0]);
    return count;
}

START_TEST(every_peer_once_whatever_the_size_of_pages)
{
    static const uint32_t sizes[] = {0, 1, 3, 7, 16, 17, 45, 90, 1000};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint32_t seen[PONIES][PEERS] = {{0}};

        ck_assert_uint_eq(list_peers("", sizes[i], seen), PONIES * PEERS);
        for (uint32_t j = 0; j < PEERS; j++)
            ck_assert(seen[0][j] == 1 && seen[1][j] == 1);
        memset(seen, 0, sizeof(seen));
        ck_assert_uint_eq(list_peers("beta", sizes[i], seen), PEERS);
        ck_assert_uint_eq(seen[0][0], 0);
    }
}
END_TEST

START_TEST(one_peer)
{
    Saddle__V1__GetPeerRequest request = SADDLE__V1__GET_PEER_REQUEST__INIT;
    Saddle__V1__Peer *found;

    request.peer = words("host-1-3"); /* beta's, and alpha is asked first */
    CALL("saddle.v1.Peers/Get", request);
    found = saddle__v1__peer__unpack(NULL, answer_bytes, answer);
    ck_assert_str_eq(found->engine, "beta");
    ck_assert_str_eq(found->address, "10.0.2.4");
    ck_assert_int_eq(found->hello, SADDLE__V1__PEER__HELLO__HELLO_NONE);
    ck_assert(found->configured);
    protobuf_c_message_free_unpacked(&found->base, NULL);
    request.engine = words("alpha");
    ck_assert_int_eq(call("saddle.v1.Peers/Get", &request.base), RPC_NOT_FOUND);
    ck_assert_str_eq(text, "there is no peer \"host-1-3\"");
    request.peer = words("10.0.1.1");
    CALL("saddle.v1.Peers/Get", request);
    found = saddle__v1__peer__unpack(NULL, answer_bytes, answer);
    ck_assert_str_eq(found->name, "peer");
    ck_assert_int_eq(found->hello, SADDLE__V1__PEER__HELLO__HELLO_CALLING);
    protobuf_c_message_free_unpacked(&found->base, NULL);
}
END_TEST

static uint32_t count_states(const Saddle__V1__ListConnectionsResponse *found, int state)
{
    uint32_t count = 0;

    for (size_t i = 0; i < found->n_connections; i++)
        count += (int)found->connections[i]->state == state;
    return count;
}

START_TEST(connections_and_listeners)
{
    Saddle__V1__ListConnectionsRequest request = SADDLE__V1__LIST_CONNECTIONS_REQUEST__INIT;
    Saddle__V1__GetConnectionRequest get = SADDLE__V1__GET_CONNECTION_REQUEST__INIT;
    Saddle__V1__ListConnectionsResponse *found;
    Saddle__V1__Connection *one;

    request.page_size = 1000;
    CALL("saddle.v1.Connections/List", request);
    found = saddle__v1__list_connections_response__unpack(NULL, answer_bytes, answer);
    ck_assert_str_eq(found->next_page_token, "");
    ck_assert_uint_eq(found->n_connections, SERVICES + CALLS);
    ck_assert_uint_eq(count_states(found, SADDLE__V1__CONNECTION__STATE__STATE_OPENING), CALLS);
    ck_assert_uint_eq(count_states(found, SADDLE__V1__CONNECTION__STATE__STATE_LISTENING),
                      SERVICES);
    ck_assert_str_eq(found->connections[0]->service, "wanted");
    ck_assert_str_eq(found->connections[0]->peer, "peer");
    ck_assert_str_eq(found->connections[0]->address, "10.0.1.1");
    ck_assert_uint_eq(found->connections[0]->session, 7);
    ck_assert_str_eq(found->connections[CALLS]->service, "?[2J?0");
    get.engine = words("alpha");
    get.handle = found->connections[CALLS + 1]->handle;
    protobuf_c_message_free_unpacked(&found->base, NULL);
    CALL("saddle.v1.Connections/Get", get);
    one = saddle__v1__connection__unpack(NULL, answer_bytes, answer);
    ck_assert_str_eq(one->service, "service-1");
    protobuf_c_message_free_unpacked(&one->base, NULL);
    request.peer = words("peer");
    CALL("saddle.v1.Connections/List", request);
    found = saddle__v1__list_connections_response__unpack(NULL, answer_bytes, answer);
    ck_assert_uint_eq(found->n_connections, CALLS);
    protobuf_c_message_free_unpacked(&found->base, NULL);
    get.handle = 0;
    ck_assert_int_eq(call("saddle.v1.Connections/Get", &get.base), RPC_NOT_FOUND);
    ck_assert_str_eq(text, "engine alpha has no connection 0");
}
END_TEST

START_TEST(one_flow)
{
    Saddle__V1__ListFlowsRequest request = SADDLE__V1__LIST_FLOWS_REQUEST__INIT;
    Saddle__V1__GetFlowRequest get = SADDLE__V1__GET_FLOW_REQUEST__INIT;
    Saddle__V1__ListFlowsResponse *found;

    CALL("saddle.v1.Flows/List", request);
    found = saddle__v1__list_flows_response__unpack(NULL, answer_bytes, answer);
    ck_assert_uint_eq(found->n_flows, 1);
    ck_assert_str_eq(found->flows[0]->engine, "alpha");
    ck_assert_str_eq(found->flows[0]->peer, "peer");
    ck_assert_str_eq(found->flows[0]->local_address, "10.0.0.1");
    ck_assert_int_eq(found->flows[0]->state, SADDLE__V1__FLOW__STATE__STATE_CALLING);
    get.engine = found->flows[0]->engine;
    get.id = found->flows[0]->id;
    CALL("saddle.v1.Flows/Get", get);
    get.id++;
    ck_assert_int_eq(call("saddle.v1.Flows/Get", &get.base), RPC_NOT_FOUND);
    get.engine = words("");
    ck_assert_int_eq(call("saddle.v1.Flows/Get", &get.base), RPC_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(text, "engine"));
    protobuf_c_message_free_unpacked(&found->base, NULL);
    request.peer = words("host-0-2");
    CALL("saddle.v1.Flows/List", request);
    ck_assert_uint_eq(answer_bytes, 0);
}
END_TEST

/* An observer sees a region, but not the key that opens it. */
START_TEST(one_region)
{
    Saddle__V1__ListRegionsRequest request = SADDLE__V1__LIST_REGIONS_REQUEST__INIT;
    Saddle__V1__GetRegionRequest get = SADDLE__V1__GET_REGION_REQUEST__INIT;
    Saddle__V1__ListRegionsResponse *found;

    CALL("saddle.v1.Regions/List", request);
    found = saddle__v1__list_regions_response__unpack(NULL, answer_bytes, answer);
    ck_assert_uint_eq(found->n_regions, 1);
    ck_assert_uint_eq(found->regions[0]->length, 1000);
    ck_assert_uint_eq(found->regions[0]->n_rights, 1);
    ck_assert_str_eq(found->regions[0]->rights[0], "read");
    ck_assert_uint_eq(found->regions[0]->id, (uint32_t)key);
    ck_assert_uint_ne(key >> 32, 0);
    protobuf_c_message_free_unpacked(&found->base, NULL);
    for (size_t i = 0; i + sizeof(uint32_t) <= answer_bytes; i++) {
        uint32_t secret = (uint32_t)(key >> 32);

        ck_assert_mem_ne(answer + i, &secret, sizeof(secret));
    }
    get.engine = words("alpha");
    get.id = (uint32_t)key;
    CALL("saddle.v1.Regions/Get", get);
    get.id ^= 1u << 20;
    ck_assert_int_eq(call("saddle.v1.Regions/Get", &get.base), RPC_NOT_FOUND);
}
END_TEST

/* ---- Wrong requests ---- */

static const char *const wrong_tokens[] = {
    "x",
    ":",
    "alpha",
    ":1",
    "alpha:",
    "alpha:-1",
    "alpha: 1",
    "alpha:1 ",
    "alpha:0x10",
    "alpha:4294967295",
    "alpha:99999999999999999999",
    "alpha:1:2",
    "alpha:%n%s",
    "a-name-that-is-longer-than-any-engine-has-or-could-ever-have-in-a-configuration:1",
    "alpha:000000000000000000000000000000000000000000000001",
};

START_TEST(hostile_tokens)
{
    Saddle__V1__ListPeersRequest peers = SADDLE__V1__LIST_PEERS_REQUEST__INIT;
    Saddle__V1__ListConnectionsRequest connections = SADDLE__V1__LIST_CONNECTIONS_REQUEST__INIT;
    Saddle__V1__ListNeighboursRequest neighbours = SADDLE__V1__LIST_NEIGHBOURS_REQUEST__INIT;
    static char large[16000];

    for (size_t i = 0; i < sizeof(wrong_tokens) / sizeof(wrong_tokens[0]); i++) {
        peers.page_token = connections.page_token = neighbours.page_token = words(wrong_tokens[i]);
        ck_assert_msg(call("saddle.v1.Peers/List", &peers.base) == RPC_INVALID_ARGUMENT, "%s",
                      wrong_tokens[i]);
        ck_assert_ptr_nonnull(strstr(text, "page_token"));
        ck_assert_int_eq(call("saddle.v1.Connections/List", &connections.base),
                         RPC_INVALID_ARGUMENT);
        ck_assert_int_eq(call("saddle.v1.Neighbours/List", &neighbours.base), RPC_INVALID_ARGUMENT);
    }
    memset(large, '7', sizeof(large) - 1);
    peers.page_token = large;
    ck_assert_int_eq(call("saddle.v1.Peers/List", &peers.base), RPC_INVALID_ARGUMENT);
    /* A place beyond the table, and an engine that is gone: what comes behind is shown. */
    peers.page_token = words("alpha:4294967294");
    CALL("saddle.v1.Peers/List", peers);
    peers.page_token = words("zeta:7");
    CALL("saddle.v1.Peers/List", peers);
    ck_assert_uint_eq(answer_bytes, 0);
    connections.page_token = words("alpha:70000");
    CALL("saddle.v1.Connections/List", connections);
    ck_assert_uint_eq(answer_bytes, 0);
}
END_TEST

START_TEST(wrong_arguments)
{
    Saddle__V1__ListFlowsRequest flows = SADDLE__V1__LIST_FLOWS_REQUEST__INIT;
    Saddle__V1__ListRegionsRequest regions = SADDLE__V1__LIST_REGIONS_REQUEST__INIT;
    Saddle__V1__GetPeerRequest get = SADDLE__V1__GET_PEER_REQUEST__INIT;
    Saddle__V1__ListNeighboursRequest neighbours = SADDLE__V1__LIST_NEIGHBOURS_REQUEST__INIT;
    static char large[2000];

    flows.page_size = 1001;
    ck_assert_int_eq(call("saddle.v1.Flows/List", &flows.base), RPC_INVALID_ARGUMENT);
    ck_assert_str_eq(text, "page_size: 1001, and at most 1000 are to be had");
    flows.page_size = 0;
    flows.engine = words("gamma");
    ck_assert_int_eq(call("saddle.v1.Flows/List", &flows.base), RPC_NOT_FOUND);
    ck_assert_str_eq(text, "there is no engine \"gamma\"");
    flows.engine = words("tau");
    ck_assert_int_eq(call("saddle.v1.Flows/List", &flows.base), RPC_FAILED_PRECONDITION);
    ck_assert_str_eq(text, "engine tau is of kind toy, not pony");
    get.engine = words("tau");
    get.peer = words("peer");
    ck_assert_int_eq(call("saddle.v1.Peers/Get", &get.base), RPC_FAILED_PRECONDITION);
    flows.engine = words("");
    memset(large, 'x', sizeof(large) - 1);
    for (size_t length = sizeof(large) - 1; length; length = length / 2) {
        large[length] = '\0';
        flows.peer = large;
        ck_assert_int_eq(call("saddle.v1.Flows/List", &flows.base), RPC_NOT_FOUND);
        ck_assert_ptr_nonnull(strstr(text, "there is no peer"));
    }
    get.engine = get.peer = words("");
    ck_assert_int_eq(call("saddle.v1.Peers/Get", &get.base), RPC_NOT_FOUND);
    regions.session = 7; /* which the server does not know */
    ck_assert_int_eq(call("saddle.v1.Regions/List", &regions.base), RPC_NOT_FOUND);
    ck_assert_str_eq(text, "there is no session 7");
    neighbours.port = words("d");
    ck_assert_int_eq(call("saddle.v1.Neighbours/List", &neighbours.base), RPC_NOT_FOUND);
    ck_assert_str_eq(text, "there is no port \"d\"");
}
END_TEST

/* ---- An engine that hangs ---- */

START_TEST(an_engine_that_hangs_is_waited_for_once)
{
    Saddle__V1__ListFlowsRequest request = SADDLE__V1__LIST_FLOWS_REQUEST__INIT;
    uint64_t begun = clock_now(&clock_machine);

    ck_assert_int_eq(group_remove(group, ponies[1]), 0);
    request.engine = words("beta");
    asked = 0;
    impatient = true;
    ck_assert_int_eq(call("saddle.v1.Flows/List", &request.base), RPC_UNAVAILABLE);
    ck_assert_str_eq(text, "engine beta does not answer");
    ck_assert_uint_eq(asked, 1);
    impatient = false;
    /* From now on nobody is kept waiting. */
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(call("saddle.v1.Flows/List", &request.base), RPC_UNAVAILABLE);
    ck_assert_uint_eq(asked, 1);
    request.engine = words("");
    ck_assert_int_eq(call("saddle.v1.Flows/List", &request.base), RPC_UNAVAILABLE);
    request.engine = words("alpha");
    CALL("saddle.v1.Flows/List", request);
    /* It is back, and has been heard of. */
    ck_assert_int_eq(group_add(group, ponies[1]), 0);
    request.engine = words("beta");
    do {
        ck_assert_uint_lt(clock_now(&clock_machine) - begun, PATIENCE_NS);
        modules_tick(modules, clock_now(&clock_machine));
        usleep(1000);
    } while (call("saddle.v1.Flows/List", &request.base) != RPC_OK);
}
END_TEST

/* ---- Neighbours ---- */

START_TEST(neighbours_of_all_ports)
{
    static const uint32_t sizes[] = {0, 1, 3, 32, 33, 80, 1000};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        Saddle__V1__ListNeighboursRequest request = SADDLE__V1__LIST_NEIGHBOURS_REQUEST__INIT;
        uint32_t seen[2][NEIGHBOURS] = {{0}}, links = 0;
        char token[256] = "";

        request.page_size = sizes[i];
        do {
            request.page_token = token;
            CALL("saddle.v1.Neighbours/List", request);
            Saddle__V1__ListNeighboursResponse *found =
                saddle__v1__list_neighbours_response__unpack(NULL, answer_bytes, answer);
            for (size_t j = 0; j < found->n_neighbours; j++) {
                const Saddle__V1__Neighbour *one = found->neighbours[j];
                uint64_t number = one->age_ns;

                ck_assert_str_eq(one->owner, one->port[0] == 'a' ? "kernel" : "saddle");
                ck_assert_str_eq(one->engine, one->port[0] == 'a' ? "alpha" : "beta");
                ck_assert_int_eq(one->mac[0] != '\0', number % 2);
                seen[one->port[0] - 'a'][number - 1]++;
            }
            links += found->n_links;
            snprintf(token, sizeof(token), "%s", found->next_page_token);
            protobuf_c_message_free_unpacked(&found->base, NULL);
        } while (token[0]);
        ck_assert_uint_eq(links, 3);
        for (uint32_t j = 0; j < NEIGHBOURS; j++) {
            ck_assert_uint_eq(seen[0][j], j < 5);
            ck_assert_uint_eq(seen[1][j], 1);
        }
    }
}
END_TEST

START_TEST(neighbours_of_one_port)
{
    Saddle__V1__ListNeighboursRequest request = SADDLE__V1__LIST_NEIGHBOURS_REQUEST__INIT;
    Saddle__V1__ListNeighboursResponse *found;

    request.port = words("c");
    CALL("saddle.v1.Neighbours/List", request);
    found = saddle__v1__list_neighbours_response__unpack(NULL, answer_bytes, answer);
    ck_assert_uint_eq(found->n_neighbours, 0);
    ck_assert_uint_eq(found->n_links, 1);
    ck_assert_str_eq(found->links[0]->owner, "nobody");
    protobuf_c_message_free_unpacked(&found->base, NULL);
    request.port = words("a");
    CALL("saddle.v1.Neighbours/List", request);
    found = saddle__v1__list_neighbours_response__unpack(NULL, answer_bytes, answer);
    ck_assert_uint_eq(found->n_neighbours, 5);
    ck_assert_uint_eq(found->n_links, 1);
    protobuf_c_message_free_unpacked(&found->base, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("module_pony");
    TCase *tcase = tcase_create("module_pony");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, 50);
    tcase_add_unchecked_fixture(tcase, test_eal_start, NULL);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, every_peer_once_whatever_the_size_of_pages);
    tcase_add_test(tcase, one_peer);
    tcase_add_test(tcase, connections_and_listeners);
    tcase_add_test(tcase, one_flow);
    tcase_add_test(tcase, one_region);
    tcase_add_test(tcase, hostile_tokens);
    tcase_add_test(tcase, wrong_arguments);
    tcase_add_test(tcase, an_engine_that_hangs_is_waited_for_once);
    tcase_add_test(tcase, neighbours_of_all_ports);
    tcase_add_test(tcase, neighbours_of_one_port);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
