/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A simulation: hosts with real engines, applications on the real library, links with real
 * impairment, in one thread, in virtual time, from one seed.
 *
 * A run has three parts. Work: applications do operations while faults strike. Heal: faults stop,
 * and everything accepted must finish. Rest: connections are closed, applications leave, and
 * everything borrowed must be back.
 *
 * Ownership: the simulation owns all that is named here. Threads: one.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include "engines/rng.h"
#include "tests/sim/event.h"
#include "tests/sim/trace.h"

#include <rte_mempool.h>
#include <stdbool.h>
#include <stdint.h>

#define SIM_HOSTS_MAX 16u
#define SIM_NOBODY    UINT32_MAX /* host of events that concern none */

/* Bytes of the largest message: more than those had that travelled before there were features. */
#define SIM_HUGE_BYTES ((80u << 20) + 1)

#define SIM_MTU_MAX 9000u /* bytes of an IP packet: the usual jumbo frame */

#define USEC 1000ull
#define MSEC (1000 * USEC)
#define SEC  (1000 * MSEC)

/* Streams of randomness: what one part draws does not change what another gets. */
enum sim_stream {
    SIM_STREAM_PLAN = 1,
    SIM_STREAM_FAULTS,
    SIM_STREAM_FRONTS,
    SIM_STREAM_REHEARSALS,
    SIM_STREAM_LINKS = 1000,
    SIM_STREAM_HOSTS = 2000,
    SIM_STREAM_APPS = 3000,
};

struct pcap;

struct sim_options {
    uint64_t seed;
    uint32_t hosts;      /* 0: by seed, 3 to 5 */
    uint32_t engines;    /* of each; 0: by seed, one or two */
    bool shapers;        /* all have one; else by seed */
    uint32_t operations; /* in all */
    uint32_t faults;     /* set of 1 << enum fault_kind; 0: by seed */
    uint32_t loss_ppm;   /* highest loss of a link */
    bool narrowed;       /* somebody chose less than a run is to show: nothing is asked of it */
    struct pcap *pcap;   /* gets what is sent; NULL: nobody wants it */
    bool verbose;
    bool rehearse; /* engines are saved for nothing, now and then */
};

struct sim_totals {
    uint64_t accepted; /* operations */
    uint64_t succeeded;
    uint64_t failed;  /* with a reason */
    uint64_t dropped; /* with the application that asked */
    uint64_t messages, message_bytes;
    uint64_t largest;          /* messages of SIM_HUGE_BYTES among them, */
    uint64_t largest_gathered; /* and those of them that were put together from several buffers */
    uint64_t unordered, gathered;
    uint64_t cancelled; /* operations that ended so */
    uint64_t reads, writes, one_sided_bytes;
    uint64_t pings; /* answered */
    uint64_t by_table, atomics;
    uint64_t connections;
    uint64_t
        wrapped; /* connections with credits that wrapped, in one direction, when faults ended */
    uint64_t sent_on; /* calls led to another engine of the host */
    uint64_t faults;  /* that struck, beside what links do all the time */
    uint64_t packets, lost, duplicated, reordered, corrupted;
    /* Packets that arrived with a changed UDP payload: engines counted them, or did not, since they
     * had no use for what was changed. */
    uint64_t caught, unused;
    uint64_t overtaken;          /* packets overtaken by OVERTAKEN others of their link, or more */
    uint64_t swallowed;          /* by black holes: too large */
    uint64_t black_holes, parts; /* noticed by flows, and what was sent in parts and is whole */
    uint64_t widest;             /* flows that had found out SIM_MTU_MAX when faults ended */
    uint64_t widest_holes; /* black holes noticed where so much passes otherwise, and not then */
    uint64_t retransmissions;
    uint64_t reloads, kills, restarts, upgrades;
    uint64_t policies, handed_over; /* of shapers: changed, and saved and loaded */
    uint64_t exhausted;             /* how often a class was out of tokens */
    uint64_t rehearsals;
    uint64_t virtual_ns;
};

#define OVERTAKEN 1000u /* packets */

struct app;
struct checker;
struct directory;
struct fault;
struct front;
struct host;
struct link;
struct operation;
struct upgrade;

struct sim {
    struct sim_options options;
    struct events events;
    struct trace trace;
    struct sim_totals totals;
    struct rte_mempool *pool; /* packets of all hosts */
    struct rng plan;          /* what the run is like */
    struct rng rehearsals;    /* when, and whose */
    uint16_t mtu;             /* bytes of an IP packet, on all links */
    uint32_t window;          /* packets of a flow in flight; 0: as engines have it */
    uint64_t heap_bytes;      /* of each application */
    uint32_t large_max;       /* bytes of the largest messages */
    uint32_t huge_left;       /* messages of SIM_HUGE_BYTES still to be delivered */
    struct operation *huge;   /* one of them that is on its way, or NULL */
    /* Engines, each a host to the rest of the simulation; so many in a row have one address. */
    uint32_t host_count, siblings;
    struct directory *directories[SIM_HOSTS_MAX]; /* of each address; NULL if it has one engine */
    struct front *fronts[SIM_HOSTS_MAX];          /* of each address; NULL if it has no shaper */
    struct host *hosts[SIM_HOSTS_MAX];
    struct link *links[SIM_HOSTS_MAX][SIM_HOSTS_MAX]; /* from, to */
    uint32_t app_count;
    struct app **apps;
    struct checker *checker;
    struct fault *fault;
    struct upgrade *planned;  /* that comes after some events; or NULL */
    struct upgrade *upgrades; /* that have begun, while something is left of them */
    uint64_t cut_end[SIM_HOSTS_MAX][SIM_HOSTS_MAX]; /* of the latest cut between two hosts */
    bool apart[SIM_HOSTS_MAX][SIM_HOSTS_MAX]; /* were, once, longer than a peer is waited for */
    bool lossy[SIM_HOSTS_MAX][SIM_HOSTS_MAX]; /* a call may be lost as often as it is repeated */
    uint64_t restarted[SIM_HOSTS_MAX];        /* when its engine last was; 0: never */
    uint32_t struck;                          /* set of 1 << enum fault_kind that did happen */
    bool shown;                               /* enough kinds of them: no more work is needed */
    uint32_t credit_first;                    /* where all engines begin to count credits */
    uint8_t wire_min, wire_max;               /* what hosts may be restricted to, by seed */
    bool fronted;                             /* some addresses have a front */
    bool healed;                              /* no more faults */
    bool failed; /* a checker has found something; the rest of the run is skipped */
};

/* Runs one seed; `pool` is full before and after. Returns true if all checkers were content. The
 * trace hash and what went on are in *trace and *totals. */
bool sim_run(const struct sim_options *options, struct rte_mempool *pool, struct trace *trace,
             struct sim_totals *totals);

/* Which address a host has. */
static inline uint32_t sim_address(const struct sim *sim, uint32_t host)
{
    return host / sim->siblings;
}

/* A checker's verdict: prints it, with seed and time, and ends the run. */
void sim_violation(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The commit that was built, for whoever has to replay a failure. */
extern const char sim_commit[];

/* Memory or the end. */
void *sim_zalloc(size_t bytes);

#endif
