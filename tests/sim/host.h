/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A host: a real engine on a simulated port and clock, run as a sleeping group would run it, and
 * what control does with it: sessions attached and detached, the engine saved, replaced and loaded.
 *
 * The host's clock stands while others work and moves on as its engine is charged for work.
 *
 * Ownership: owns its engine and port; applications own their sessions. Threads: one.
 */
#ifndef TESTS_SIM_HOST_H
#define TESTS_SIM_HOST_H

#include "engines/pony/pony.h"
#include "sched/state.h"
#include "tests/sim/port.h"
#include "tests/sim/sim.h"

struct upgrade;

/* What goes when another engine takes the place of one, which never runs again. */
struct host_left {
    struct engine *engine;
    struct pony_session **sessions; /* of the host's applications, by their index */
};

struct host {
    struct sim_port port;
    struct sim *sim;
    uint32_t index;
    struct engine *engine;   /* NULL while an upgrade has saved it, and not made the next */
    struct upgrade *upgrade; /* that; or NULL */
    struct clock clock;
    struct rng rng; /* seeds of its engines */
    struct alarm alarm;
    struct front *front; /* that it is behind, or is; NULL: there is none */
    uint64_t time;       /* as the engine sees it */
    /* The thread works, or is stalled. Of a front and all behind it that of the front's host. */
    uint64_t busy_until;
    uint32_t idle_rounds; /* in a row that found nothing, and still might not sleep */
    bool asleep;
    uint8_t wire_min, wire_max;
    char name[8];
};

struct host *host_create(struct sim *sim, uint32_t index);
/* A host without a port and an engine yet. */
void host_init(struct host *host, struct sim *sim, uint32_t index);
/* All sessions must be gone. */
void host_destroy(struct host *host);

/* Something happened that a doorbell would tell. */
void host_wake(struct host *host);
/* A packet arrives. */
void host_receive(struct host *host, struct rte_mbuf *packet, enum sim_change change);
/* The host's thread does nothing until then. */
void host_stall(struct host *host, uint64_t until);
/* Saves the engine, destroys it, and makes another go on in its place: at once, or in two steps. */
void host_reload(struct host *host);
void host_save(struct host *host, struct state_writer *writer);
/* Destroys the writer too. */
void host_load(struct host *host, struct state_writer *writer);
/* As host_save, but what it would destroy is left. */
void host_leave(struct host *host, struct state_writer *writer, struct host_left *left);
void host_end_left(const struct sim *sim, struct host_left *left);
/* Saves the engine, loads another one and destroys that: a hand-over that comes to nothing. Nothing
 * is different afterwards. */
void host_rehearse(struct host *host);
/* The engine is gone as if its process had been killed, and all sessions with it; another one that
 * knows nothing begins. */
void host_restart(struct host *host);

/* Mailbox work is about to be done: there is an engine, awake, and its clock is right. */
void host_enter(struct host *host);
uint64_t host_now(const struct host *host);
void host_charge(struct host *host, uint32_t cost_ns);
/* Of its flows, how many have found out that packets of SIM_MTU_MAX pass. */
uint32_t host_widest_flows(struct host *host);
/* Of its connections, how many have sent so many messages that their credits wrapped. */
uint32_t host_wrapped(struct host *host);
/* One of the engine's counters, 0 if it has none of that name. */
uint64_t host_stat(const struct host *host, const char *name);

/* A directory for an address, if it has several engines; else NULL. */
struct directory *host_directory(const struct sim *sim);
/* The numeric address with that number, of either family. */
void host_address(uint32_t index, bool v6, struct address *address);

#endif
