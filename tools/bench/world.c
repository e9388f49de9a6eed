/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/world.h"

#include "client/session.h"
#include "control/arena.h"
#include "daemon/port_ring.h"
#include "engines/pony/pony.h"
#include "tools/bench/bench.h"
#include "tools/bench/eal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define QUEUE_ENTRIES 256u
#define SLOTS         1024u /* of which each of all connections holds some */
#define HEAP_BYTES    (64u << 20)
#define PATIENCE      1000000u /* turns without an event: far above any step here */
#define VIRTUAL_STEP  100u     /* ns between two looks at the virtual clock: as in a busy engine */
#define MTU           5000u    /* SOSP'19 section 5.1 */

static struct world the_world;
static struct engine *engines[WORLD_HOSTS];
static bool made;

static uint64_t virtual_now(void *arg)
{
    static uint64_t now = 1;
    (void)arg;
    return now += VIRTUAL_STEP;
}

/* Ticks are the cycle counter's where there is one, as in a daemon, so that what accounting costs
 * is counted; but next to no time goes by in them: what a session may do at a time is no matter of
 * how fast a machine is that counts instructions. */
static const struct clock clock_virtual = {.now = virtual_now, .tick_parts = 1};

static const struct clock *bench_clock(void)
{
    return bench_virtual_time() ? &clock_virtual : &clock_machine;
}

static int make_engine(unsigned host, struct port *ports[WORLD_HOSTS])
{
    static const char *const address[WORLD_HOSTS] = {"10.0.0.1", "10.0.0.2"};
    static const char *const name[WORLD_HOSTS] = {"left", "right"};
    static const uint8_t seed[WORLD_HOSTS][RNG_SEED_BYTES] = {{1}, {2}};
    unsigned other = 1 - host;
    struct transport_peer peer = {.mac = ports[other]->mac};
    struct pony_config config = {.control_fd = -1};
    snprintf(peer.name, sizeof(peer.name), "%s", name[other]);
    address_parse(&peer.address, address[other]);
    address_parse(&config.transport.addresses[0], address[host]);
    config.transport.address_count = 1;
    config.transport.peers = &peer;
    config.transport.peer_count = 1;
    return pony_create(&engines[host], name[host], &config, ports[host], bench_clock(), seed[host]);
}

static int make_session(unsigned host)
{
    struct saddle_attach_request request = {.magic = SADDLE_ABI_MAGIC,
                                            .bytes = sizeof(request),
                                            .abi_min = SADDLE_ABI_VERSION,
                                            .abi_max = SADDLE_ABI_VERSION,
                                            .channels = 1,
                                            .command_entries = QUEUE_ENTRIES,
                                            .completion_entries = QUEUE_ENTRIES,
                                            .receive_slots = SLOTS,
                                            .heap_bytes = HEAP_BYTES};
    struct saddle_attach_reply plan;
    struct pony_session_config config = {.id = host + 1};
    struct pony_session *session;
    struct saddle_session *client;
    uint64_t slots;
    int rc = arena_plan(&request, &plan, &slots);
    if (rc)
        return rc;
    uint8_t *arena = mmap(NULL, plan.arena_bytes, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (arena == MAP_FAILED)
        return -ENOMEM;
    arena_format(arena, &plan);
    rc = arena_describe(&config, arena, &plan, slots, NULL);
    config.grant.rights = PONY_RIGHTS_ALL;
    if (rc || (rc = pony_session_create(&session, &config)) ||
        (rc = pony_mailbox_attach(engines[host], session)) ||
        (rc = session_open(&client, &plan, arena, NULL)))
        return rc;
    the_world.channel[host] = saddle_channel(client, 0);
    the_world.buffer[host] = saddle_alloc(client, WORLD_REGION_BYTES);
    return the_world.buffer[host] ? 0 : -ENOMEM;
}

void world_turn(void)
{
    for (unsigned host = 0; host < WORLD_HOSTS; host++) {
        struct engine *engine = engines[host];
        meter_begin(&engine->meter);
        uint32_t work = engine->ops->run(engine, clock_now(bench_clock()), ENGINE_BUDGET_NS);
        meter_end(&engine->meter, work > 0);
    }
}

int world_event(struct world *world, unsigned host, struct saddle_completion *event)
{
    int n = saddle_poll(world->channel[host], event, 1);
    if (n)
        return n < 0 ? n : 0;
    for (uint32_t turns = 0; n == 0 && turns < PATIENCE; turns++) {
        world_turn();
        n = saddle_poll(world->channel[host], event, 1);
    }
    return n == 1 ? 0 : n < 0 ? n : -ETIME;
}

static int expect(unsigned host, uint8_t kind, struct saddle_completion *event)
{
    int rc = world_event(&the_world, host, event);
    if (rc)
        return rc;
    return event->kind == kind ? event->status : -EPROTO;
}

static int make_connection(saddle_handle *left, saddle_handle *right)
{
    struct world *w = &the_world;
    struct saddle_completion event;
    int rc;
    if ((rc = saddle_connect(w->channel[0], "right", "bench", NULL)) ||
        (rc = expect(1, SADDLE_INCOMING, &event)))
        return rc;
    *right = event.handle;
    if ((rc = saddle_accept(w->channel[1], event.handle, NULL)) ||
        (rc = expect(1, SADDLE_DONE, &event)) || (rc = expect(0, SADDLE_DONE, &event)))
        return rc;
    *left = event.handle;
    return 0;
}

static int furnish(void)
{
    struct world *w = &the_world;
    struct saddle_completion event;
    int rc;
    if ((rc = saddle_listen(w->channel[1], "bench", NULL)) ||
        (rc = expect(1, SADDLE_DONE, &event)) ||
        (rc = make_connection(&w->connection[0], &w->connection[1])))
        return rc;
    rc = saddle_expose(w->channel[1], w->buffer[1], WORLD_REGION_BYTES,
                       SADDLE_READABLE | SADDLE_WRITABLE, NULL);
    if (rc || (rc = expect(1, SADDLE_DONE, &event)))
        return rc;
    w->key = event.value;
    return 0;
}

static int make_world(void)
{
    struct port_ring_config wire = {.name = {"bench-left", "bench-right"}, .mtu = MTU};
    struct port *ports[WORLD_HOSTS];
    if (!bench_virtual_time())
        (void)clock_calibrate(); /* as a daemon does: accounts are by the processor's own clock */
    int rc = eal_start();
    if (rc || (rc = port_ring_create(&ports[0], &ports[1], &wire)))
        return rc;
    for (unsigned host = 0; host < WORLD_HOSTS; host++)
        if ((rc = make_engine(host, ports)) || (rc = make_session(host)))
            return rc;
    return furnish();
}

int world_get(struct world **world)
{
    if (!made) {
        int rc = make_world();
        if (rc)
            return rc;
        made = true;
    }
    *world = &the_world;
    return 0;
}

int world_connect(struct world *world)
{
    for (; world->many < WORLD_CONNECTIONS; world->many++) {
        saddle_handle right;
        int rc = make_connection(&world->connections[world->many], &right);
        if (rc)
            return rc;
    }
    return 0;
}
