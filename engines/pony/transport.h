/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The lower layer as a whole: one engine's flows over its port, the mapper that finds or opens the
 * flow to a peer, HELLO, acknowledgements, retransmission and packet production.
 *
 * Ownership: created by the engine; borrows port, clock, rng and wheel.
 * Threads: the engine's. All memory is allocated by transport_create.
 * Trust: see flow.h and wire.h.
 */
#ifndef ENGINES_PONY_TRANSPORT_H
#define ENGINES_PONY_TRANSPORT_H

#include "engines/address.h"
#include "engines/pony/cc.h"
#include "engines/pony/flow.h"
#include "engines/port.h"
#include "engines/resolver.h"
#include "engines/rng.h"
#include "engines/wheel.h"
#include "sched/clock.h"
#include "sched/engine.h"
#include "sched/meter.h"
#include "sched/state.h"

#define TRANSPORT_ADDRESSES_MAX 8u    /* local addresses of one engine */
#define TRANSPORT_PEERS_MAX     1024u /* configured ones */

/* A host known by configuration: its name and address, and where its packets go. */
struct transport_peer {
    char name[64]; /* may be empty */
    struct address address;
    struct rte_ether_addr mac; /* of the host or the next hop; all zero: the resolver's affair */
    const struct cc_ops *cc;   /* NULL: the transport's */
};

struct transport_config {
    struct address addresses[TRANSPORT_ADDRESSES_MAX]; /* local */
    uint32_t address_count;
    const struct transport_peer *peers; /* copied */
    uint32_t peer_count;
    struct resolver *resolver;  /* lent; NULL: configured peers alone, each with its mac */
    uint16_t udp_port;          /* to receive at */
    uint16_t call_port;         /* where hosts are called, and engines follow; 0: udp_port */
    uint16_t vlan;              /* 0: untagged */
    uint8_t dscp;               /* 0 to 63 */
    uint32_t flows_max;         /* 0: 256 */
    const struct cc_ops *cc;    /* NULL: cc_swift */
    struct cc_params cc_params; /* window_max 0: 256 packets */
    uint64_t rto_min_ns;        /* 0: 1 ms */
    uint64_t rto_max_ns;        /* 0: 200 ms */
    uint64_t dead_after_ns;     /* silence after which a peer is dead; 0: 5 s */
    uint64_t keepalive_ns;      /* an idle flow with references probes this often; 0: 1 s */
    uint64_t hello_timeout_ns;  /* for HELLO as a whole; 0: 2 s */
    uint64_t ack_delay_ns;      /* longest wait for something to carry an ack; 0: 20 us */
    /* Versions of the wire that HELLO offers and accepts; open flows keep theirs. 0: all. */
    uint8_t wire_min, wire_max;
};

struct transport_stats {
    uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
    uint64_t rx_malformed; /* not ours or damaged below the flow header */
    uint64_t rx_bad_crc;   /* header_crc */
    uint64_t rx_unknown_flow;
    uint64_t rx_duplicate;
    uint64_t rx_declined;     /* admit said no */
    uint64_t retransmissions; /* all */
    uint64_t fast_retransmissions;
    uint64_t timeouts;
    uint64_t flows_opened, flows_ended;
    uint64_t hello_refused;
    uint64_t no_buffer;    /* the packet pool was empty */
    uint64_t hop_errors;   /* answers of the resolver that there is no way */
    uint64_t searches;     /* SEARCH packets sent */
    uint64_t black_holes;  /* packets of a size that had passed do not pass any more */
    uint64_t parts_sent;   /* PART packets */
    uint64_t parts_joined; /* packets that came in parts, and are whole */
};

struct transport;

/* 0, -EINVAL (the configuration), -ENOMEM. */
int transport_create(struct transport **transport, const struct transport_config *config,
                     struct port *port, const struct clock *clock, struct rng *rng,
                     struct wheel *wheel, const struct flow_upper_ops *upper_ops, void *upper);
void transport_destroy(struct transport *transport);
/* The engine's meter, lent: what packets cost is charged to whom the layer above says they are for.
 * NULL, as without this: nobody measures. */
void transport_set_meter(struct transport *transport, struct meter *meter);

/* The port has been watched until now: what it has came just now, and did not wait to be looked
 * for. Without a word of that, packets may have waited since the port was last found empty, and
 * that much of a round trip is not held against the network. */
void transport_watched(struct transport *transport, uint64_t now);
/* Receives one burst and handles it; returns the number of packets. */
uint32_t transport_receive(struct transport *transport, uint64_t now);
/* Sends acknowledgements, retransmissions and new packets while the port has room, `now` has not
 * passed `end` and flows have something to say; returns the number of packets. */
uint32_t transport_send(struct transport *transport, uint64_t now, uint64_t end);
/* True if transport_send would send something now. */
bool transport_pending(const struct transport *transport);

/* The mapper: the flow to a peer, opened if there is none yet (then flow_is_open is false and
 * `opened` or `ended` follows). Takes a reference. -EHOSTUNREACH (nobody known, or nobody's
 * address), -ENETUNREACH (no local address of that family), -ENOMEM (flows_max); or why there is no
 * way at present, though a flow is open. */
int transport_flow(struct transport *transport, const struct address *peer, uint64_t now,
                   struct flow **flow);
/* The same to one of the host's engines, by its UDP port; -EINVAL if no engine can have that. */
int transport_flow_to(struct transport *transport, const struct address *peer, uint16_t udp_port,
                      uint64_t now, struct flow **flow);
/* The flow with this number, or NULL. */
struct flow *transport_flow_by_id(struct transport *transport, uint32_t id);
/* The same, also if it is over (flow_error): for references restored from saved state. */
struct flow *transport_loaded_flow(struct transport *transport, uint32_t id);
/* Finds a host by configured name or numeric address: 0 or -ENOENT. */
int transport_resolve(const struct transport *transport, const char *host, struct address *address);

const struct transport_stats *transport_stats(const struct transport *transport);

/* All flows with their unacknowledged packets, the epoch, and the counters. The reader takes the
 * whole of what the writer wrote, before the layer above reads its own part. References are not
 * saved: the layer above takes them again. */
int transport_save(const struct transport *transport, struct state_writer *writer);
/* Reads one record whose type is in [TRANSPORT_RECORD_FIRST, TRANSPORT_RECORD_LAST]. */
#define TRANSPORT_RECORD_FIRST 0x0100u
#define TRANSPORT_RECORD_LAST  0x01ffu
int transport_load_record(struct transport *transport, struct state_reader *reader, uint16_t type,
                          uint16_t version, uint64_t now);
/* The layer above has what it refers to: flows that are over and that it does not go. */
void transport_load_finish(struct transport *transport);

#endif
