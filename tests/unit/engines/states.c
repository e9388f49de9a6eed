/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/engines/states.h"

#include "engines/elements/crc32c.h"
#include "engines/kernel/kernel.h"
#include "engines/pony/upper_state.h"
#include "engines/shaper/shaper.h"
#include "engines/steer/steer.h"
#include "tests/unit/eal.h"
#include "tests/unit/engines/pony/app.h"

#include <check.h>
#include <rte_malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOSTS       2u
#define WIRE_MAX    256u /* packets on their way */
#define LATENCY_NS  5000u
#define STEP_NS     1000u
#define BUDGET_NS   1u /* one round at a time: more of it is left in the middle */
#define MBUFS       1023u
#define MTU         600u /* little in a packet: damage tries each byte of it */
#define SLOTS       8u
#define START_NS    NSEC_PER_SEC
#define PAIR_STEPS  400u
#define STEPS_MAX   400000u
#define TRY_STEPS   24u /* of one that was loaded, on its own */
#define TRY_STEP_NS NSEC_PER_SEC
#define SERVED_LEN  20000u
#define LARGE       30000u
#define SMALL       900u
#define MESSAGES    6u
#define FILLERS     36u /* with what else waits, two CANCELs are not done in one round */
#define TAG_FILL    700u
/* Of a SESSION record, what comes before its channels: index, id, error, dropped, rings, slots. */
#define SESSION_CHANNELS_AT (4u + 8u + 4u + 1u + 8u + 4u)

const char *const states_names[STATES_KINDS] = {"pony-server", "pony-client", "steer", "shaper",
                                                "kernel"};

struct wire_port {
    struct port port;
    uint32_t index;
};

static struct {
    uint64_t now;
    struct wire_port ports[HOSTS];
    struct transport_peer peers[HOSTS];
    struct engine *engines[HOSTS];
    struct app *apps[HOSTS];
    struct {
        struct rte_mbuf *packet;
        uint64_t at;
        uint32_t to;
    } wire[WIRE_MAX];
    uint32_t count;
    uint32_t incoming, outgoing;
    uint64_t key;
    /* Of the other kinds. */
    struct fan *fan;
    struct shaping *shaping;
    struct engine *engine;
} bed;

static struct rte_mempool *pool;

/* ---- The wire ---- */

static uint16_t rx_burst(struct port *port, struct rte_mbuf **packets, uint16_t max, uint64_t now)
{
    uint32_t index = ((struct wire_port *)port)->index;
    uint16_t count = 0;

    for (uint32_t i = 0; i < bed.count && count < max;) {
        if (bed.wire[i].to != index || bed.wire[i].at > now) {
            i++;
            continue;
        }
        packets[count++] = bed.wire[i].packet;
        bed.wire[i] = bed.wire[--bed.count];
    }
    return count;
}

static uint16_t tx_burst(struct port *port, struct rte_mbuf **packets, uint16_t count, uint64_t now)
{
    uint32_t other = 1 - ((struct wire_port *)port)->index;

    for (uint16_t i = 0; i < count; i++) {
        if (bed.count == WIRE_MAX || !bed.engines[other]) {
            rte_pktmbuf_free(packets[i]);
            continue;
        }
        bed.wire[bed.count].packet = packets[i];
        bed.wire[bed.count].at = now + LATENCY_NS;
        bed.wire[bed.count++].to = other;
    }
    return count;
}

static uint16_t tx_room(struct port *port)
{
    (void)port;
    return PORT_BURST;
}

static int port_arm(struct port *port)
{
    (void)port;
    return 0;
}

static void port_disarm(struct port *port)
{
    (void)port;
}

static const struct port_ops port_ops = {
    .driver = "states",
    .rx_burst = rx_burst,
    .tx_burst = tx_burst,
    .tx_room = tx_room,
    .arm = port_arm,
    .disarm = port_disarm,
};

static uint64_t look(void *arg)
{
    (void)arg;
    return bed.now;
}

static void charge(void *arg, uint32_t cost_ns)
{
    (void)arg;
    bed.now += cost_ns;
}

/* As if so many commands and completions had passed. */
static void place_queues(struct app *app, uint32_t channel, uint32_t command, uint32_t completion)
{
    const struct channel_config *config = &app->config.channels[channel];

    queue_format(&config->command, command);
    queue_format(&config->completion, completion);
    queue_producer_open(&app->channels[channel].commands, &config->command, command);
    queue_consumer_open(&app->channels[channel].completions, &config->completion, completion);
}

static const struct clock bed_clock = {.now = look, .charge = charge};

void states_start(void)
{
    test_eal_start();
    if (!pool)
        pool = test_eal_pool("states", MBUFS);
}

static void init(void)
{
    memset(&bed, 0, sizeof(bed));
    bed.now = START_NS;
    for (uint32_t i = 0; i < HOSTS; i++) {
        bed.ports[i].index = i;
        bed.ports[i].port = (struct port){
            .ops = &port_ops, .name = "wire", .mtu = MTU, .wake_fd = -1, .pool = pool};
        bed.ports[i].port.mac.addr_bytes[5] = (uint8_t)(i + 1);
        strcpy(bed.peers[i].name, "peer");
        address_parse(&bed.peers[i].address, i ? "10.0.0.1" : "10.0.0.2");
        bed.peers[i].mac.addr_bytes[5] = (uint8_t)(2 - i);
    }
}

/* ---- Pony ---- */

/* They are kept, since they are large: with a session and queues that nobody has used. */
static struct app *fresh_app(uint32_t index)
{
    static struct app *kept[HOSTS];

    if (!kept[index])
        kept[index] = app_create(100 + index, index, SLOTS);
    struct app *app = kept[index];
    app_renew(app);
    app->event_count = 0;
    app->keep = false;
    for (uint32_t i = 0; i < APP_CHANNELS; i++)
        place_queues(app, i, 0, 0);
    return app;
}

static void make_pony(uint32_t index)
{
    uint8_t seed[RNG_SEED_BYTES] = {1, 2, 3, (uint8_t)index};
    struct pony_config config = {
        .control_fd = -1,
        .sessions_max = 2,
        .connections_max = 32,
        .operations_max = 128,
        .regions_max = 8,
        .transport = {.address_count = 1,
                      .peers = &bed.peers[index],
                      .peer_count = 1,
                      .flows_max = 4},
    };

    address_parse(&config.transport.addresses[0], index ? "10.0.0.2" : "10.0.0.1");
    ck_assert_int_eq(pony_create(&bed.engines[index], states_names[index], &config,
                                 &bed.ports[index].port, &bed_clock, seed),
                     0);
    bed.apps[index] = fresh_app(index);
}

static void end_pony(uint32_t index)
{
    if (!bed.engines[index])
        return;
    bed.engines[index]->ops->destroy(bed.engines[index]);
    bed.engines[index] = NULL;
}

static void end_pair(void)
{
    end_pony(0);
    end_pony(1);
    for (uint32_t i = 0; i < bed.count; i++)
        rte_pktmbuf_free(bed.wire[i].packet);
    ck_assert_uint_eq(rte_mempool_avail_count(pool), MBUFS);
}

static void step(void)
{
    for (uint32_t i = 0; i < HOSTS; i++) {
        if (!bed.engines[i])
            continue;
        bed.engines[i]->ops->run(bed.engines[i], bed.now, BUDGET_NS);
        app_reap(bed.apps[i]);
    }
    bed.now += STEP_NS;
}

static void steps(uint32_t count)
{
    while (count-- > 0)
        step();
}

static void pair(void)
{
    uint32_t at = 0;

    app_listen(bed.apps[0], "echo", 1);
    steps(PAIR_STEPS);
    app_connect(bed.apps[1], "echo", 2);
    steps(PAIR_STEPS);
    bed.incoming = app_event(bed.apps[0], &at, SADDLE_EVT_INCOMING, 1)->handle;
    const struct saddle_command accept = {.op = SADDLE_CMD_ACCEPT,
                                          .handle = bed.incoming,
                                          .tag = 3};
    ck_assert(app_submit(bed.apps[0], &accept));
    steps(PAIR_STEPS);
    ck_assert_int_eq(app_done(bed.apps[1], 2)->status, 0);
    bed.outgoing = app_done(bed.apps[1], 2)->handle;
}

static void start_pair(void)
{
    init();
    for (uint32_t i = 0; i < HOSTS; i++) {
        make_pony(i);
        memset(app_heap(bed.apps[i], 0), 0, APP_HEAP);
        ck_assert_int_eq(pony_mailbox_attach(bed.engines[i], bed.apps[i]->session), 0);
    }
    pair();
}

static void submit(uint32_t host, const struct saddle_command *command)
{
    ck_assert(app_submit(bed.apps[host], command));
}

static void expose(void)
{
    const struct saddle_command command = {
        .op = SADDLE_CMD_EXPOSE,
        .buf = bed.apps[0]->config.heap_offset,
        .len = SERVED_LEN,
        .key = SADDLE_RIGHT_READ | SADDLE_RIGHT_WRITE | SADDLE_RIGHT_ATOMIC,
        .tag = 4,
    };

    submit(0, &command);
    steps(PAIR_STEPS);
    bed.key = app_done(bed.apps[0], 4)->value;
}

/* Of each some, and none of them ends within the next few rounds. */
static void send_kinds(void)
{
    const struct app *client = bed.apps[1];
    struct saddle_command command = {.op = SADDLE_CMD_SEND, .handle = bed.outgoing};

    for (uint32_t i = 0; i < MESSAGES; i++) {
        command.buf = client->config.heap_offset + i * LARGE;
        command.len = i % 3 == 2 ? LARGE : SMALL;
        command.stream = (uint16_t)(i % 2);
        command.flags = i == 4 ? SADDLE_ENTRY_UNORDERED : 0;
        command.tag = 100 + i;
        command.timeout_ns = 100 * NSEC_PER_SEC;
        submit(1, &command);
    }
    command = (struct saddle_command){
        .handle = bed.outgoing,
        .buf = client->config.heap_offset,
        .len = SERVED_LEN,
        .key = bed.key,
    };
    for (uint8_t op = SADDLE_CMD_READ; op <= SADDLE_CMD_WRITE; op++) {
        command.op = op;
        command.tag = 100 + MESSAGES + op;
        submit(1, &command);
    }
    command = (struct saddle_command){
        .op = SADDLE_CMD_FETCH_ADD,
        .flags = SADDLE_ENTRY_INLINE,
        .handle = bed.outgoing,
        .len = 8,
        .key = bed.key,
        .tag = 100 + MESSAGES + SADDLE_CMD_FETCH_ADD,
    };
    submit(1, &command);
}

static void post(uint32_t host, uint32_t handle, uint64_t tag)
{
    const struct saddle_command command = {
        .op = SADDLE_CMD_POST_RECV,
        .handle = handle,
        .buf = bed.apps[host]->config.heap_offset + SERVED_LEN,
        .len = LARGE,
        .tag = tag,
    };

    submit(host, &command);
}

/* Gathered, and to be pulled; nobody has a buffer for it yet. */
static void send_gathered(void)
{
    struct saddle_gather *pieces = (struct saddle_gather *)(void *)app_heap(bed.apps[0], 0);
    const struct saddle_command command = {
        .op = SADDLE_CMD_SEND,
        .handle = bed.incoming,
        .flags = SADDLE_ENTRY_GATHER,
        .buf = bed.apps[0]->config.heap_offset,
        .slot = 4,
        .len = LARGE,
        .tag = 90,
    };

    for (uint32_t i = 0; i < 4; i++)
        pieces[i] =
            (struct saddle_gather){.offset = bed.apps[0]->config.heap_offset, .len = LARGE / 4};
    submit(0, &command);
}

static void ping(void)
{
    const struct saddle_command command = {
        .op = SADDLE_CMD_PING,
        .flags = SADDLE_ENTRY_INLINE,
        .len = sizeof("peer"),
        .payload = "peer",
        .tag = 95,
    };

    submit(1, &command);
}

/* Two CANCELs at once have more to look at than one round lets them. */
static void cancel_twice(void)
{
    struct saddle_command command = {.op = SADDLE_CMD_CANCEL, .key = TAG_FILL, .tag = 800};

    for (uint32_t i = 0; i < FILLERS; i++)
        post(1, bed.outgoing, TAG_FILL + 1);
    steps(PAIR_STEPS);
    submit(1, &command);
    command.tag = 801;
    submit(1, &command);
}

/* Both engines as busy as they get. The client's application is in the middle of its CANCELs, if
 * those are wanted. */
static void make_busy(bool rare)
{
    start_pair();
    expose();
    send_gathered();
    steps(PAIR_STEPS);
    if (rare)
        cancel_twice();
    send_kinds();
    post(0, bed.incoming, 60);
    ping();
    steps(rare ? 1 : 6);
}

static void save_once(const struct engine *engine, struct state_writer *writer)
{
    uint64_t now = bed.now;

    state_writer_init(writer);
    ck_assert_int_eq(engine->ops->save(engine, writer), 0);
    ck_assert_int_eq(state_writer_finish(writer), 0);
    ck_assert_uint_eq(bed.now, now);
}

/* Twice, as saving changes nothing. */
static void save(const struct engine *engine, struct state_writer *writer)
{
    struct state_writer again;

    save_once(engine, writer);
    save_once(engine, &again);
    ck_assert_uint_eq(writer->length, again.length);
    ck_assert_mem_eq(writer->bytes, again.bytes, again.length);
    state_writer_destroy(&again);
}

void states_write_pair(bool rare, struct state_writer writers[2])
{
    make_busy(rare);
    for (uint32_t i = 0; i < HOSTS; i++)
        save(bed.engines[i], &writers[i]);
    end_pair();
}

/* ---- The other kinds ---- */

static void make_fan(bool rest)
{
    struct fan_config config = {.port = &bed.ports[0].port, .count = 2, .rest = rest};

    for (uint32_t i = 0; i < config.count; i++)
        config.udp_ports[i] = (uint16_t)(WIRE_UDP_PORT + i);
    ck_assert_int_eq(fan_create(&bed.fan, &config), 0);
}

static void make_shaper(void)
{
    static const struct shape_class classes[] = {
        {.name = "all", .rate = 1000000, .burst = 65536, .weight = 1},
        {.name = "bulk", .parent = "all", .rate = 500000, .burst = 16384, .weight = 3},
        {.name = "quick", .parent = "all", .weight = 1},
    };
    static const struct shape_rule rules[] = {{.entry = 1, .has_session = true, .session = 100}};
    static const struct shape policy = {
        .classes = classes, .class_count = RTE_DIM(classes), .rules = rules, .rule_count = 1};
    struct shaping_config config = {.members = 3, .policy = &policy};

    make_fan(true);
    config.fan = bed.fan;
    ck_assert_int_eq(shaping_create(&bed.shaping, &config), 0);
    ck_assert_int_eq(shaper_create(&bed.engine, "shaper", bed.shaping, &bed_clock), 0);
}

static void make_other(enum states_kind kind)
{
    const struct kernel_config config = {&bed.ports[0].port, &bed.ports[1].port};

    if (kind == STATES_STEER) {
        make_fan(false);
        ck_assert_int_eq(steer_create(&bed.engine, "steer", bed.fan, &bed_clock), 0);
    } else if (kind == STATES_SHAPER) {
        make_shaper();
    } else {
        ck_assert_int_eq(kernel_create(&bed.engine, "kernel", &config, &bed_clock), 0);
    }
}

static void end_other(void)
{
    bed.engine->ops->destroy(bed.engine);
    shaping_destroy(bed.shaping);
    fan_destroy(bed.fan);
    for (uint32_t i = 0; i < bed.count; i++)
        rte_pktmbuf_free(bed.wire[i].packet);
    ck_assert_uint_eq(rte_mempool_avail_count(pool), MBUFS);
}

/* Something has passed it, or waits in it. */
static void use_other(enum states_kind kind)
{
    struct port *port = kind == STATES_SHAPER  ? shaping_port(bed.shaping, 0)
                        : kind == STATES_STEER ? fan_member(bed.fan, 0)
                                               : NULL;
    struct packet_tag tag = {.session = 100, .uid = 1, .kind = PACKET_SESSION};
    const struct packet_way way = {0};
    struct rte_mbuf *packet = rte_pktmbuf_alloc(pool);

    memset(rte_pktmbuf_append(packet, SMALL), 0, SMALL);
    if (!port) {
        bed.wire[0].packet = packet;
        bed.wire[0].at = bed.now;
        bed.wire[0].to = 0;
        bed.count = 1;
    } else {
        if (port->ops->tx_room_for) {
            port->ops->tx_room_for(port, &tag, &way);
            *packet_tag(packet) = tag;
        }
        ck_assert_uint_eq(port->ops->tx_burst(port, &packet, 1, bed.now), 1);
    }
    bed.engine->ops->run(bed.engine, bed.now, ENGINE_BUDGET_NS);
}

static bool is_pony(enum states_kind kind)
{
    return kind == STATES_SERVER || kind == STATES_CLIENT;
}

void states_write(enum states_kind kind, bool rare, struct state_writer *writer)
{
    struct state_writer both[HOSTS];

    if (is_pony(kind)) {
        states_write_pair(rare, both);
        *writer = both[kind];
        state_writer_destroy(&both[1 - kind]);
        return;
    }
    init();
    make_other(kind);
    use_other(kind);
    save(bed.engine, writer);
    end_other();
}

/* ---- Sizes ---- */

static uint64_t client_bytes(void)
{
    struct state_writer writer;
    uint64_t bytes;

    save(bed.engines[1], &writer);
    bytes = writer.length;
    state_writer_destroy(&writer);
    return bytes;
}

uint64_t states_connection_bytes(uint32_t more)
{
    uint64_t before, after;
    uint32_t at = 0;

    start_pair();
    app_send(bed.apps[1], bed.outgoing, 0, 0, SMALL, 30);
    steps(2 * PAIR_STEPS);
    before = client_bytes();
    app_event(bed.apps[0], &at, SADDLE_EVT_INCOMING, 1); /* that of the pair itself */
    for (uint32_t i = 0; i < more; i++) {
        app_connect(bed.apps[1], "echo", 200 + i);
        steps(PAIR_STEPS);
        const struct saddle_command accept = {
            .op = SADDLE_CMD_ACCEPT,
            .handle = app_event(bed.apps[0], &at, SADDLE_EVT_INCOMING, 1)->handle,
            .tag = 300 + i,
        };
        submit(0, &accept);
        steps(PAIR_STEPS);
        app_send(bed.apps[1], app_done(bed.apps[1], 200 + i)->handle, 0, 0, SMALL, 400 + i);
        steps(2 * PAIR_STEPS);
        ck_assert_int_eq(app_done(bed.apps[1], 400 + i)->status, 0);
    }
    after = client_bytes();
    end_pair();
    return (after - before) / more;
}

/* ---- Documents ---- */

void states_seal(uint8_t *bytes, size_t length)
{
    uint64_t body = htole64(length - STATES_HEADER_BYTES);
    uint32_t crc = htole32(
        crc32c_update(CRC32C_START, bytes + STATES_HEADER_BYTES, length - STATES_HEADER_BYTES));

    memcpy(bytes + 8, &crc, sizeof(crc));
    memcpy(bytes + 16, &body, sizeof(body));
}

/* The application is where the document says: nothing waits in its queues. */
static void join(struct app *app, struct state_reader reader)
{
    uint16_t type, version;

    while (state_record_next(&reader, &type, &version)) {
        if (type != UPPER_RECORD_SESSION)
            continue;
        for (uint32_t i = 0; i < SESSION_CHANNELS_AT; i++)
            state_get_u8(&reader);
        uint32_t channels = state_get_u32(&reader);
        for (uint32_t i = 0; i < channels && i < APP_CHANNELS && !reader.error; i++) {
            uint32_t command = state_get_u32(&reader), completion = state_get_u32(&reader);
            state_get_u32(&reader);
            place_queues(app, i, command, completion);
        }
    }
}

static struct engine *make(enum states_kind kind, const struct state_reader *reader)
{
    if (!is_pony(kind)) {
        make_other(kind);
        return bed.engine;
    }
    make_pony(kind);
    join(bed.apps[kind], *reader);
    ck_assert_int_eq(pony_adopt(bed.engines[kind], bed.apps[kind]->session), 0);
    return bed.engines[kind];
}

static void end(enum states_kind kind)
{
    if (is_pony(kind))
        end_pair();
    else
        end_other();
}

/* Commands of an application that knows nothing of what was before. */
static void meddle(struct app *app)
{
    static const uint8_t ops[] = {SADDLE_CMD_NOP, SADDLE_CMD_CANCEL, SADDLE_CMD_SEND,
                                  SADDLE_CMD_CLOSE, SADDLE_CMD_LISTEN};

    for (uint32_t i = 0; i < sizeof(ops); i++) {
        const struct saddle_command command = {
            .op = ops[i],
            .handle = bed.outgoing + i,
            .buf = app->config.heap_offset,
            .len = SMALL,
            .key = 100 + i,
            .tag = 5000 + i,
        };
        app_submit(app, &command);
    }
}

/* Takes what comes, however much it is. */
static void reap(struct app *app)
{
    app->event_count = 0;
    app_reap(app);
}

/* Until all that it waits for has timed out. */
static void work_on(enum states_kind kind, struct engine *engine)
{
    struct app *app = is_pony(kind) ? bed.apps[kind] : NULL;

    if (app)
        app->keep = true;
    for (uint32_t i = 0; i < TRY_STEPS; i++) {
        if (app && i == TRY_STEPS / 3)
            meddle(app);
        engine->ops->run(engine, bed.now, ENGINE_BUDGET_NS);
        if (engine->ops->arm(engine, bed.now) != 0)
            engine->ops->disarm(engine);
        bed.now += i % 2 ? TRY_STEP_NS : STEP_NS;
        if (app)
            reap(app);
    }
    while (app && pony_mailbox_detach(engine, app->session) == -EAGAIN)
        continue;
}

int states_try(enum states_kind kind, const void *bytes, size_t length)
{
    struct state_reader reader;
    struct state_writer writer;
    int error = state_reader_init(&reader, bytes, length);

    if (error)
        return error;
    init();
    struct engine *engine = make(kind, &reader);
    error = engine->ops->load(engine, &reader);
    if (!error) {
        save(engine, &writer);
        state_writer_destroy(&writer);
        work_on(kind, engine);
    }
    end(kind);
    return error;
}

void states_again(enum states_kind kind, const void *bytes, size_t length,
                  struct state_writer *writer)
{
    struct state_reader reader;

    ck_assert_int_eq(state_reader_init(&reader, bytes, length), 0);
    init();
    struct engine *engine = make(kind, &reader);
    ck_assert_int_eq(engine->ops->load(engine, &reader), 0);
    save(engine, writer);
    end(kind);
}

/* ---- Going on ---- */

/* What the client was at, in the order of the tags. */
static bool all_done(const struct app *client)
{
    uint32_t left = MESSAGES + 4;

    for (uint32_t i = 0; i < client->event_count; i++) {
        const struct saddle_event *event = &client->events[i];
        bool ours = event->type == SADDLE_EVT_DONE && (event->tag == 95 || event->tag / 100 == 1);
        if (ours && event->status != 0) {
            printf("operation %llu: %d\n", (unsigned long long)event->tag, event->status);
            return false;
        }
        left -= ours;
    }
    if (left > 0)
        printf("%u operations have not ended\n", left);
    return left == 0;
}

/* Large ones that waited for a buffer get one. */
static void post_more(void)
{
    post(0, bed.incoming, 61);
    post(1, bed.outgoing, 62);
}

static bool new_work(void)
{
    uint32_t at = 0;
    const struct saddle_event *event;

    app_send(bed.apps[1], bed.outgoing, 5, 0, SMALL, 970);
    steps(4 * PAIR_STEPS);
    event = app_event(bed.apps[1], &at, SADDLE_EVT_DONE, 970);
    if (!event || event->status) {
        printf("a new message: %d\n", event ? event->status : -ETIMEDOUT);
        return false;
    }
    return true;
}

static bool load_both(const struct state_reader *readers[HOSTS])
{
    for (uint32_t i = 0; i < HOSTS; i++) {
        struct state_reader reader = *readers[i];
        struct engine *engine = make((enum states_kind)i, readers[i]);
        int error = engine->ops->load(engine, &reader);
        if (error) {
            printf("%s: load: %d\n", states_names[i], error);
            return false;
        }
    }
    return true;
}

bool states_resume(const struct state_reader *server, const struct state_reader *client)
{
    const struct state_reader *readers[HOSTS] = {server, client};
    uint32_t count = 0;

    /* Handles are what they were. */
    start_pair();
    uint32_t incoming = bed.incoming, outgoing = bed.outgoing;
    end_pair();
    init();
    bed.incoming = incoming;
    bed.outgoing = outgoing;
    bool good = load_both(readers);
    if (good) {
        post_more();
        while (count++ < STEPS_MAX && bed.apps[1]->event_count < MESSAGES + 5)
            step();
        steps(PAIR_STEPS);
        good = all_done(bed.apps[1]) && new_work();
    }
    end_pair();
    return good;
}
