/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A fabric for measuring congestion control: hosts on links of one speed to one switch, whose
 * outputs queue in order and drop what does not fit. In virtual time, from one seed.
 *
 *     host 0 ---link---+           +---link--- host 2
 *                      |  switch   |
 *     host 1 ---link---+           +---link--- host 3
 *
 * What runs is the real flow layer (engines/pony/transport.h) with its timing wheel. Above it is a
 * thin layer that sends what a scenario wants sent (fabric_upper.c), since applications and
 * operations have no part in what is measured and would take most of the time. A host may have two
 * engines, each with an address of its own, on one link.
 *
 * Ownership: the fabric owns all that is named here but the pool. Threads: one.
 */
#ifndef TESTS_SIM_FABRIC_H
#define TESTS_SIM_FABRIC_H

#include "engines/pony/transport.h"
#include "engines/rng.h"
#include "tests/sim/event.h"

#include <rte_mempool.h>

#define FABRIC_HOSTS_MAX   128u
#define FABRIC_ENGINES_MAX (2 * FABRIC_HOSTS_MAX)
#define FABRIC_MTU         5000u /* bytes of an IP packet */
#define FABRIC_RING        1024u /* packets received and not taken; a power of two */
#define FABRIC_LANE        4096u /* packets on a lane; a power of two */

#define USEC 1000ull
#define MSEC (1000 * USEC)

struct fabric_config {
    uint64_t seed;
    uint32_t hosts;
    bool probers;                      /* each host has a second engine */
    const struct cc_ops *cc;           /* of all engines */
    uint32_t loss_ppm;                 /* of every packet that enters the switch */
    uint64_t queue_ns;                 /* that a switch's output can hold, as time on its link */
    uint64_t rtt_ns[FABRIC_HOSTS_MAX]; /* of a full packet and its acknowledgement between this
                                        * host and one of FABRIC_RTT_NS; 0: that */
};

#define FABRIC_RTT_NS (10 * USEC)

struct fabric;
struct fabric_engine;

/* Packets on their way along one direction of a link, in order. */
struct fabric_lane {
    struct fabric *fabric;
    struct {
        struct rte_mbuf *packet;
        uint64_t time;   /* at the other end */
        uint32_t engine; /* it is for */
    } flights[FABRIC_LANE];
    uint32_t head, tail;
    uint64_t free_ns; /* when its transmitter will have sent what it was given */
    struct alarm alarm;
};

struct fabric_host {
    struct fabric_lane up, down; /* down: behind the switch's output */
    uint64_t propagation_ns;     /* one way, of this link */
    uint64_t dropped;            /* by the switch's output, full */
};

/* One message that a scenario sends, in packets of its own. */
struct fabric_message {
    uint64_t begun_ns, ended_ns; /* ended: all of it is there; 0: not yet */
    uint32_t left;               /* bytes not there yet */
    uint32_t to;                 /* engine */
    bool request;                /* is answered by a message of the same length */
};

/* What one engine has for another. */
struct fabric_pair {
    struct flow *flow;
    bool endless;         /* there is always more to send */
    uint32_t first, last; /* messages to be sent, as a list through `next`; 0: none */
    uint32_t unsent;      /* bytes of the first one */
    uint64_t received;    /* bytes, here, from that engine */
};

struct fabric_engine {
    struct port port;
    struct fabric *fabric;
    uint32_t index, host;
    struct transport *transport;
    struct wheel wheel;
    struct clock clock;
    struct rng rng;
    struct alarm alarm;
    uint64_t time;       /* as the engine sees it */
    uint64_t busy_until; /* the thread works, or is stalled */
    struct rte_mbuf *ring[FABRIC_RING];
    uint32_t head, tail;
    uint64_t overflowed;
    struct fabric_pair pairs[FABRIC_ENGINES_MAX];
};

struct fabric {
    struct fabric_config config;
    struct events events;
    struct rng loss, plan;
    uint64_t lost; /* at random */
    struct fabric_host hosts[FABRIC_HOSTS_MAX];
    uint32_t engine_count; /* the second ones follow the first ones */
    struct fabric_engine *engines[FABRIC_ENGINES_MAX];
    struct fabric_message *messages; /* number 0 is none */
    uint32_t *next;                  /* of each message, in its pair's list */
    uint32_t message_count, message_room;
    uint32_t unfinished;
};

struct fabric *fabric_create(const struct fabric_config *config, struct rte_mempool *pool);
void fabric_destroy(struct fabric *fabric);
/* Lets time pass. */
void fabric_run(struct fabric *fabric, uint64_t until);
/* Opens a flow: begins to; and waits until it is open. */
void fabric_call(struct fabric *fabric, uint32_t from, uint32_t to);
void fabric_connect(struct fabric *fabric, uint32_t from, uint32_t to);
/* One engine sends to another as fast as it may, from now on. */
void fabric_pour(struct fabric *fabric, uint32_t from, uint32_t to);
/* One engine sends a message to another: its number. */
uint32_t fabric_send(struct fabric *fabric, uint32_t from, uint32_t to, uint32_t bytes,
                     bool request);
/* The engine's thread does nothing until then. */
void fabric_stall(struct fabric *fabric, uint32_t engine, uint64_t until);
/* How long a packet that entered now would wait for the host's link. */
uint64_t fabric_queue_ns(const struct fabric *fabric, uint32_t host);
/* Payload of one packet, and the most of it that a link carries in `ns`. */
double fabric_goodput(uint64_t bytes, uint64_t ns);
/* The sum of a counter over all engines, and of drops of all outputs. */
uint64_t fabric_resent(const struct fabric *fabric);
uint64_t fabric_timeouts(const struct fabric *fabric);
uint64_t fabric_dropped(const struct fabric *fabric);

/* The layer above flows. */
extern const struct flow_upper_ops fabric_upper_ops;
/* Something to send has come up outside the engine's run. */
void fabric_wake(struct fabric_engine *engine);
void *fabric_zalloc(size_t bytes);

#endif
