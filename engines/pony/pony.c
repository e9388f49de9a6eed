/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/pony.h"

#include "engines/pony/dialogue.h"
#include "engines/pony/session.h"
#include "engines/pony/upper.h"
#include "engines/pony/view.h"

#include <stdlib.h>
#include <string.h>

#define SESSIONS_DEFAULT    64u
#define CONNECTIONS_DEFAULT 1024u
#define OPERATIONS_DEFAULT  16384u
#define REGIONS_DEFAULT     256u
#define FLOWS_DEFAULT       256u /* as transport_config says */
/* How long an engine sleeps whose port has no receive interrupt: a packet waits half of it on
 * average, and looking costs a percent of a CPU. */
#define POLL_NS          (50 * NSEC_PER_USEC)
#define TIMERS_PER_ROUND 256u /* a bound on one round, far above what falls due in its time */
#define BURSTS_PER_ROUND 4u   /* received; then others have their turn */
#define SEND_NS          (8 * NSEC_PER_USEC) /* of one round, for new packets: then others' turn */
#define LEVELS           3u                  /* statistics that go up and down, the first of them */

struct pony {
    struct engine engine;
    struct port *port;
    struct rng rng;
    struct wheel wheel;
    struct transport *transport;
    struct upper upper;
    bool streaming; /* as of the last packets that came */
    bool watched;   /* asleep, and a packet wakes it at once */
};

/* Packets that arrived first: while they wait nobody can tell whose they are. Those that come in
 * the meantime wait until others had their turn. */
static uint32_t receive(struct pony *pony, uint64_t *now)
{
    uint32_t work = 0, count = PORT_BURST;

    for (uint32_t i = 0; i < BURSTS_PER_ROUND && count == PORT_BURST; i++) {
        count = transport_receive(pony->transport, *now);
        work += count;
        if (count > 0)
            *now = clock_now(pony->engine.clock);
    }
    return work;
}

/* Until when nothing of its own waits, in the midst of what is coming; 0: something does. */
static uint64_t patience(const struct pony *pony)
{
    if (!pony->streaming || transport_pending(pony->transport) || !upper_quiet(&pony->upper))
        return 0;
    return wheel_next(&pony->wheel);
}

/* One round of everything that may have work. */
static uint32_t round_of(struct engine *engine, uint64_t *now, uint64_t end)
{
    struct pony *pony = (struct pony *)engine;
    pony->upper.came = false;
    uint32_t work = receive(pony, now);
    if (work > 0)
        pony->streaming = upper_streams(&pony->upper);

    pony->upper.now = *now;
    bool quiet = work == 0 && upper_quiet(&pony->upper);
    if (!quiet)
        work += upper_commands(&pony->upper, *now);
    work += wheel_advance(&pony->wheel, *now, TIMERS_PER_ROUND);
    if (!quiet || work > 0)
        upper_notices(&pony->upper);
    work += transport_send(pony->transport, *now, end < *now + SEND_NS ? end : *now + SEND_NS);
    upper_publish(&pony->upper);
    engine->patient_until = work == 0 ? patience(pony) : 0;
    return work + pony->upper.waiting;
}

static uint32_t run(struct engine *engine, uint64_t now, uint64_t budget_ns)
{
    return engine_run_rounds(engine, now, budget_ns, round_of);
}

static uint64_t arm(struct engine *engine, uint64_t now)
{
    struct pony *pony = (struct pony *)engine;
    struct port *port = pony->port;

    dialogue_rest(&pony->upper);
    uint64_t deadline = wheel_next(&pony->wheel);
    if (transport_pending(pony->transport) || !upper_arm(&pony->upper))
        return 0;
    int result = port->ops->arm ? port->ops->arm(port) : -ENOTSUP;
    pony->watched = result == 0;
    if (result == 1 || deadline <= now) {
        engine->ops->disarm(engine);
        return 0;
    }
    if (port->ops->deadline) {
        uint64_t due = port->ops->deadline(port);
        deadline = due < deadline ? due : deadline;
        pony->watched = pony->watched && due == ENGINE_NEVER;
    }
    if (result < 0 && now + POLL_NS < deadline)
        deadline = now + POLL_NS;
    return deadline;
}

static void disarm(struct engine *engine)
{
    struct pony *pony = (struct pony *)engine;

    upper_disarm(&pony->upper);
    if (pony->port->ops->disarm)
        pony->port->ops->disarm(pony->port);
    if (pony->watched)
        transport_watched(pony->transport, clock_now(engine->clock));
}

static int save(const struct engine *engine, struct state_writer *writer)
{
    const struct pony *pony = (const struct pony *)engine;
    int error = transport_save(pony->transport, writer);

    if (error)
        return error;
    upper_save(&pony->upper, writer);
    return writer->error;
}

static int load(struct engine *engine, struct state_reader *reader)
{
    struct pony *pony = (struct pony *)engine;
    uint64_t now = clock_now(engine->clock);
    uint16_t type, version;

    while (state_record_next(reader, &type, &version)) {
        if (type >= TRANSPORT_RECORD_FIRST && type <= TRANSPORT_RECORD_LAST) {
            int error = transport_load_record(pony->transport, reader, type, version, now);
            if (error)
                return error;
        } else if (type >= UPPER_RECORD_FIRST && type <= UPPER_RECORD_LAST) {
            upper_load_record(&pony->upper, reader, type, now);
        }
    }
    if (reader->error)
        return reader->error;
    int error = upper_load_finish(&pony->upper);
    transport_load_finish(pony->transport);
    return error;
}

static void warm(struct engine *engine)
{
    upper_warm(&((struct pony *)engine)->upper);
}

static uint32_t stats(const struct engine *engine, struct engine_stat *list, uint32_t max)
{
    const struct pony *pony = (const struct pony *)engine;
    const struct upper_counters *upper = &pony->upper.counters;
    const struct transport_stats *below = transport_stats(pony->transport);
    const struct {
        const char *name;
        const uint64_t *value;
    } all[] = {
        {"sessions", &upper->sessions},
        {"connections", &upper->connections},
        {"operations", &upper->operations},
        {"violations", &upper->violations},
        {"commands_denied", &upper->commands_denied},
        {"over_quota", &upper->over_quota},
        {"callers_sent_on", &upper->callers_sent_on},
        {"calls_sent_on", &upper->calls_sent_on},
        {"peer_violations", &upper->peer_violations},
        {"connections_opened", &upper->connections_opened},
        {"connections_closed", &upper->connections_closed},
        {"commands", &upper->commands},
        {"events", &upper->events},
        {"rings", &upper->rings},
        {"messages_sent", &upper->messages_sent},
        {"messages_received", &upper->messages_received},
        {"message_bytes_sent", &upper->message_bytes_sent},
        {"message_bytes_received", &upper->message_bytes_received},
        {"messages_failed", &upper->messages_failed},
        {"payload_damaged", &upper->payload_damaged},
        {"reads", &upper->reads},
        {"writes", &upper->writes},
        {"reads_served", &upper->reads_served},
        {"writes_served", &upper->writes_served},
        {"served_bytes", &upper->served_bytes},
        {"indirect_reads", &upper->indirect_reads},
        {"scans", &upper->scans},
        {"atomics", &upper->atomics},
        {"indirect_reads_served", &upper->indirect_reads_served},
        {"scans_served", &upper->scans_served},
        {"atomics_served", &upper->atomics_served},
        {"strays", &upper->strays},
        {"rx_packets", &below->rx_packets},
        {"rx_bytes", &below->rx_bytes},
        {"tx_packets", &below->tx_packets},
        {"tx_bytes", &below->tx_bytes},
        {"rx_malformed", &below->rx_malformed},
        {"rx_bad_crc", &below->rx_bad_crc},
        {"rx_unknown_flow", &below->rx_unknown_flow},
        {"rx_duplicate", &below->rx_duplicate},
        {"rx_declined", &below->rx_declined},
        {"retransmissions", &below->retransmissions},
        {"fast_retransmissions", &below->fast_retransmissions},
        {"timeouts", &below->timeouts},
        {"flows_opened", &below->flows_opened},
        {"flows_ended", &below->flows_ended},
        {"hello_refused", &below->hello_refused},
        {"no_buffer", &below->no_buffer},
        {"hop_errors", &below->hop_errors},
        {"searches", &below->searches},
        {"black_holes", &below->black_holes},
        {"parts_sent", &below->parts_sent},
        {"parts_joined", &below->parts_joined},
    };
    uint32_t count = sizeof(all) / sizeof(all[0]);

    for (uint32_t i = 0; i < count && i < max; i++)
        list[i] = (struct engine_stat){.name = all[i].name,
                                       .value = counter_get(all[i].value),
                                       .level = i < LEVELS};
    return count;
}

static void destroy(struct engine *engine)
{
    struct pony *pony = (struct pony *)engine;

    transport_destroy(pony->transport);
    upper_fini(&pony->upper);
    engine_fini(engine);
    free(pony);
}

static const struct engine_ops pony_ops = {
    .kind = "pony",
    .run = run,
    .arm = arm,
    .disarm = disarm,
    .save = save,
    .load = load,
    .warm = warm,
    .stats = stats,
    .destroy = destroy,
};

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
    return value ? value : otherwise;
}

static int make_layers(struct pony *pony, const struct pony_config *config)
{
    const struct clock *clock = pony->engine.clock;
    const struct upper_limits limits = {
        .sessions = or_default(config->sessions_max, SESSIONS_DEFAULT),
        .connections = or_default(config->connections_max, CONNECTIONS_DEFAULT),
        .operations = or_default(config->operations_max, OPERATIONS_DEFAULT),
        .regions = or_default(config->regions_max, REGIONS_DEFAULT),
        .flows = or_default(config->transport.flows_max, FLOWS_DEFAULT),
    };
    int error = upper_init(&pony->upper, &limits);

    if (error)
        return error;
    error = transport_create(&pony->transport, &config->transport, pony->port, clock, &pony->rng,
                             &pony->wheel, &upper_flow_ops, &pony->upper);
    if (error) {
        upper_fini(&pony->upper);
        return error;
    }
    transport_set_meter(pony->transport, &pony->engine.meter);
    pony->upper.transport = pony->transport;
    pony->upper.clock = clock;
    pony->upper.meter = &pony->engine.meter;
    pony->upper.rng = &pony->rng;
    pony->upper.served_secret = rng_u64(&pony->rng) | 1;
    pony->upper.wheel = &pony->wheel;
    pony->upper.control_fd = config->control_fd;
    pony->upper.directory = config->directory;
    pony->upper.directory_row = config->directory_row;
    pony->upper.credit_first = config->credit_first;
    return 0;
}

int pony_create(struct engine **engine, const char *name, const struct pony_config *config,
                struct port *port, const struct clock *clock, const uint8_t *seed)
{
    struct pony *pony = NULL;

    if (posix_memalign((void **)&pony, alignof(struct pony), sizeof(*pony)))
        return -ENOMEM;
    memset(pony, 0, sizeof(*pony));
    int error = engine_init(&pony->engine, &pony_ops, name, clock);
    if (error) {
        free(pony);
        return error;
    }
    pony->port = port;
    rng_init(&pony->rng, seed);
    wheel_init(&pony->wheel, clock_now(clock));
    error = port->wake_fd >= 0 ? engine_watch(&pony->engine, port->wake_fd) : 0;
    if (!error)
        error = make_layers(pony, config);
    if (error) {
        engine_fini(&pony->engine);
        free(pony);
        return error;
    }
    *engine = &pony->engine;
    return 0;
}

int pony_mailbox_attach(void *engine, void *session)
{
    return upper_attach(&((struct pony *)engine)->upper, session);
}

int pony_mailbox_detach(void *engine, void *session)
{
    return upper_detach(&((struct pony *)engine)->upper, session);
}

int pony_mailbox_view(void *engine, void *argument)
{
    const struct pony *pony = engine;
    struct view_page *page = argument;

    switch (page->kind) {
    case VIEW_PEERS:
        transport_view_peers(pony->transport, &page->scan, page->peers);
        break;
    case VIEW_FLOWS:
        transport_view_flows(pony->transport, &page->scan, page->flows);
        break;
    case VIEW_CONNECTIONS:
        view_connections(&pony->upper, &page->scan, page->connections);
        break;
    default:
        view_regions(&pony->upper, &page->scan, page->regions);
        break;
    }
    return 0;
}

int pony_mailbox_find_peer(void *engine, void *argument)
{
    const struct pony *pony = engine;
    struct view_host *host = argument;

    return transport_view_find(pony->transport, host->host, &host->address);
}

int pony_adopt(struct engine *engine, struct pony_session *session)
{
    return upper_adopt(&((struct pony *)engine)->upper, session);
}
