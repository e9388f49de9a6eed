/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Two hosts for tests of the lower layer: a transport each, joined by an array-backed wire under
 * virtual time whose faults a test scripts, and below each transport a layer that numbers what it
 * sends and ticks off what it receives.
 *
 *     host 0 (10.0.0.1) ===== wire: judge() decides on every packet ===== host 1 (10.0.0.2)
 */
#ifndef TESTS_UNIT_ENGINES_PONY_TESTBED_H
#define TESTS_UNIT_ENGINES_PONY_TESTBED_H

#include "engines/pony/flow_private.h"

#define BED_HOSTS      2u
#define BED_MBUFS      4096u /* of each host */
#define BED_CACHE      0u    /* so that the count of free ones is exact */
#define BED_QUEUE      8192u /* packets on the wire */
#define BED_ITEMS_MAX  65536u
#define BED_LATENCY_NS 5000u
#define BED_MTU        1500u

struct bed;

/* Answers when a test says so. */
struct bed_resolver {
    struct resolver resolver;
    struct address last; /* wanted */
    uint32_t wants, drops;
    bool busy;
};

/* A number that travels: the unit of exactly-once. */
struct bed_host {
    struct port port;
    struct bed *bed;
    uint32_t index;
    struct transport_config config;
    struct transport_peer peers[2]; /* the other host, and 10.0.0.9, where nobody is */
    uint32_t peer_count;            /* of these, to be configured */
    struct bed_resolver resolver;   /* used if config.resolver is set */
    struct rte_ether_addr sent_to;  /* destination of the last frame */
    uint32_t strays;                /* frames to another one than `expected`, unless that is zero */
    struct rte_ether_addr expected;
    struct clock clock;
    struct rng rng;
    struct wheel wheel;
    struct transport *transport;
    uint16_t room;        /* what the port says it takes */
    uint64_t looks_every; /* ns; 0: at once, its thread watches the port */
    uint64_t looked_at;

    struct flow *flow; /* the one opened by bed_connect, or by the peer */
    uint32_t opened, ended;
    int error;                 /* of the last end */
    bool decline;              /* admit says no */
    uint32_t thinks;           /* fills that only work on and want to be asked again */
    uint32_t item_bytes;       /* payload of an item */
    uint32_t next_item, items; /* sent so far, to send */
    uint32_t received;         /* different ones */
    uint32_t repeated;         /* seen before, or never sent: must stay 0 */
    uint32_t damaged;          /* wrong bytes: must stay 0 */
    uint8_t seen[BED_ITEMS_MAX];
};

/* What becomes of a packet: how many copies arrive, and how much later than usual. */
struct bed_fate {
    uint32_t copies;
    uint64_t delay_ns;
    bool mark; /* congestion experienced */
};

struct bed {
    uint64_t now;
    uint64_t count; /* packets judged */
    struct bed_host hosts[BED_HOSTS];
    struct rng chaos;
    uint32_t loss, duplicate, reorder; /* per million, for bed_chaos */
    struct bed_fate (*judge)(struct bed *bed, uint32_t from, const struct wire_flow *header,
                             const uint8_t *payload, uint32_t bytes);
    uint32_t mark;
    uint16_t read_as;   /* 0: as it was written */
    uint64_t script[4]; /* scratch of a test's judge */
    struct {
        struct rte_mbuf *packet;
        uint64_t at;
        uint32_t to;
    } queue[BED_QUEUE];
    uint32_t queued;
};

struct bed *bed_create(void);
/* Before it: a test may change the configuration of the hosts. */
void bed_start(struct bed *bed);
/* Also checks that all packet buffers came back. */
void bed_destroy(struct bed *bed);
/* Host `from` asks for a flow to the other. */
void bed_connect(struct bed *bed, uint32_t from);
void bed_give(struct bed *bed, uint32_t from, uint32_t items);
/* Runs until `done` says so or `limit_ns` have passed; returns whether it is done. */
bool bed_run(struct bed *bed, bool (*done)(const struct bed *bed), uint64_t limit_ns);
bool bed_both_open(const struct bed *bed);    /* and the first round trips measured */
bool bed_all_received(const struct bed *bed); /* and acknowledged */
bool bed_never(const struct bed *bed);
/* Judges. */
struct bed_fate bed_perfect(struct bed *bed, uint32_t from, const struct wire_flow *header,
                            const uint8_t *payload, uint32_t bytes);
struct bed_fate bed_chaos(struct bed *bed, uint32_t from, const struct wire_flow *header,
                          const uint8_t *payload, uint32_t bytes);
/* Puts a packet on the wire, made for `to` and as if from its `peer`: a UDP payload, sealed here.
 */
void bed_inject(struct bed *bed, uint32_t to, uint32_t peer, const uint8_t *bytes, uint32_t length);
/* The same for a packet that is a flow header alone, or with a bitmap. */
void bed_inject_flow(struct bed *bed, uint32_t to, uint32_t peer, const struct wire_flow *header);
void bed_inject_hello(struct bed *bed, uint32_t to, uint32_t peer, const struct wire_hello *hello);
void bed_to_ipv6(struct bed *bed); /* before bed_start */
/* Before bed_start: the host resolves, and knows the first `peers` without their link addresses. */
void bed_resolve(struct bed *bed, uint32_t host, uint32_t peers);
/* The host's resolver answers; the link address is 00:00:00:00:00:`mac`. */
void bed_answer(struct bed *bed, uint32_t host, const char *address, uint8_t mac, uint16_t mtu,
                int error);
/* Replaces a host's transport by one loaded from its saved state, read as if it were of
 * bed->read_as, an earlier version. */
void bed_reload(struct bed *bed, uint32_t host);
/* Ends a host's transport and starts a new one, as a crash does. */
void bed_restart(struct bed *bed, uint32_t host);

#endif
