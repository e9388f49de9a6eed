/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/upgrade.h"

#include "engines/pony/directory.h"
#include "tests/sim/front.h"

#include <stdlib.h>

#define EVENTS_MAX      256u       /* until one begins: uniform, up to this */
#define BLACKOUT_NS_MAX (5 * MSEC) /* until the others run: likewise, of most */
#define AT_ONCE_PPM     250000u    /* of upgrades: there is no blackout */
#define KEPT_NS_MAX     (5 * MSEC) /* what is left is kept so long after it, at most */

struct upgrade {
    struct sim *sim;
    struct upgrade *next;
    uint32_t address;
    uint32_t events; /* until it begins */
    uint64_t blackout_ns;
    uint64_t absent_ns; /* of them, until the others are made */
    uint64_t kept_ns;
    uint64_t begun_at;
    bool entered;
    struct state_writer states[SIM_HOSTS_MAX]; /* of its hosts, in their order */
    struct host_left left[SIM_HOSTS_MAX];      /* likewise */
    struct front_left *front;                  /* NULL: there is none */
    struct directory *directory;
};

static struct host *host_of(const struct upgrade *upgrade, uint32_t row)
{
    return upgrade->sim->hosts[upgrade->address * upgrade->sim->siblings + row];
}

static struct front *front_of(const struct upgrade *upgrade)
{
    return upgrade->sim->fronts[upgrade->address];
}

void upgrade_plan(struct sim *sim, uint32_t address, struct rng *rng)
{
    struct upgrade *upgrade = sim_zalloc(sizeof(*upgrade));
    upgrade->sim = sim;
    upgrade->address = address;
    upgrade->events = 1 + (uint32_t)rng_below(rng, EVENTS_MAX);
    if (!rng_chance(rng, AT_ONCE_PPM)) {
        upgrade->blackout_ns = 1 + rng_below(rng, BLACKOUT_NS_MAX);
        upgrade->absent_ns = rng_below(rng, upgrade->blackout_ns);
    }
    upgrade->kept_ns = rng_below(rng, KEPT_NS_MAX);
    if (sim->planned)
        free(upgrade);
    else
        sim->planned = upgrade;
}

/* ---- What happens ---- */

static void end_left(struct upgrade *upgrade)
{
    for (uint32_t i = 0; i < upgrade->sim->siblings; i++)
        host_end_left(upgrade->sim, &upgrade->left[i]);
    front_end_left(upgrade->front);
    directory_destroy(upgrade->directory);
    free(upgrade);
}

static void end(void *arg, uint64_t now)
{
    struct upgrade *upgrade = arg, **place = &upgrade->sim->upgrades;
    (void)now;
    while (*place != upgrade)
        place = &(*place)->next;
    *place = upgrade->next;
    end_left(upgrade);
}

static void enter(void *arg, uint64_t now)
{
    (void)now;
    upgrade_enter(arg);
}

/* Nobody runs it until the blackout is over. */
static void take_away(struct upgrade *upgrade, struct host *host)
{
    host->upgrade = upgrade;
    host_stall(host, upgrade->begun_at + upgrade->blackout_ns);
}

static void begin(struct upgrade *upgrade)
{
    struct sim *sim = upgrade->sim;
    struct front *front = front_of(upgrade);
    upgrade->begun_at = sim->events.now;
    for (uint32_t i = 0; i < sim->siblings; i++) {
        struct host *host = host_of(upgrade, i);
        host_leave(host, &upgrade->states[i], &upgrade->left[i]);
        if (host_now(host) > upgrade->begun_at)
            upgrade->begun_at = host_now(host);
    }
    if (front)
        upgrade->front = front_leave(front);
    upgrade->directory = sim->directories[upgrade->address];
    for (uint32_t i = 0; i < sim->siblings; i++)
        take_away(upgrade, host_of(upgrade, i));
    if (front)
        take_away(upgrade, front_host(front));
    upgrade->next = sim->upgrades;
    sim->upgrades = upgrade;
    TRACE(sim, upgrade->address, "upgrade", upgrade->blackout_ns, upgrade->absent_ns, 0);
    if (upgrade->absent_ns > 0)
        events_at(&sim->events, upgrade->begun_at + upgrade->absent_ns, enter, upgrade);
    else
        upgrade_enter(upgrade);
    events_at(&sim->events, upgrade->begun_at + upgrade->blackout_ns + upgrade->kept_ns, end,
              upgrade);
}

void upgrade_count(struct sim *sim)
{
    struct upgrade *upgrade = sim->planned;
    if (!upgrade || --upgrade->events > 0)
        return;
    sim->planned = NULL;
    if (sim->failed)
        free(upgrade);
    else
        begin(upgrade);
}

/* Its clock is right for another engine. */
static void bring_back(struct upgrade *upgrade, struct host *host)
{
    uint64_t now = upgrade->sim->events.now;
    host->upgrade = NULL;
    host->time = now > upgrade->begun_at ? now : upgrade->begun_at;
}

void upgrade_enter(struct upgrade *upgrade)
{
    struct sim *sim = upgrade->sim;
    struct front *front = front_of(upgrade);
    if (upgrade->entered)
        return;
    upgrade->entered = true;
    sim->directories[upgrade->address] = host_directory(sim);
    for (uint32_t i = 0; i < sim->siblings; i++)
        bring_back(upgrade, host_of(upgrade, i));
    if (front) {
        bring_back(upgrade, front_host(front));
        front_enter(front, upgrade->front);
    }
    for (uint32_t i = 0; i < sim->siblings; i++) {
        struct host *host = host_of(upgrade, i);
        host_load(host, &upgrade->states[i]);
        host_stall(host, host_now(host));
    }
    if (front)
        host_stall(front_host(front), host_now(front_host(front)));
    sim->totals.upgrades++;
}

/* ---- All of them ---- */

void upgrades_enter(struct sim *sim)
{
    free(sim->planned);
    sim->planned = NULL;
    for (struct upgrade *upgrade = sim->upgrades; upgrade; upgrade = upgrade->next)
        upgrade_enter(upgrade);
}

void upgrades_end(struct sim *sim)
{
    while (sim->upgrades) {
        struct upgrade *upgrade = sim->upgrades;
        sim->upgrades = upgrade->next;
        end_left(upgrade);
    }
}
