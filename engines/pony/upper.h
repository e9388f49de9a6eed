/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The operation layer of one engine: the tables that everything above flows lives in, and the face
 * it shows to the flows (struct flow_upper_ops).
 *
 * Nouns, one pair of files each: session (an attached application), service (a listener),
 * connection, stream, operation (an outstanding command), gather (the pieces that one is made of),
 * cancel, incoming (messages being received), message (messages being sent), onesided (one-sided
 * operations this host asked for), served (those a peer asked for; fetch and atomic are kinds of
 * them), region, path (this layer's side of a flow), ping.
 *
 * Ownership: upper_init allocates every table; sessions are control's and are borrowed between
 * attach and detach. Nothing is allocated while running. Connections hold their flow through its
 * path.
 *
 * Threads: the engine's; the counters may be read by any.
 *
 * Trust: applications and peers may say anything. An application that breaks a rule of the ABI
 * loses its session (session_violate); a peer that breaks a rule of the wire loses that connection
 * (connection_abort), and its other connections live on.
 */
#ifndef ENGINES_PONY_UPPER_H
#define ENGINES_PONY_UPPER_H

#include "engines/pony/list.h"
#include "engines/pony/names.h"
#include "engines/pony/pool.h"
#include "engines/pony/transport.h"
#include "mailbox/channel.h"
#include "sched/meter.h"

#include <errno.h>

#include <saddle/abi.h>

/* A handle is a generation in the upper half and an index in the lower. Listeners lie above
 * connections, so that one number says which it is. */
#define HANDLE_INDEX_BITS     16u
#define HANDLE_INDEX_MASK     ((1u << HANDLE_INDEX_BITS) - 1)
#define HANDLE_LISTENERS      0xf000u
#define UPPER_CONNECTIONS_MAX HANDLE_LISTENERS
#define UPPER_LISTENERS       256u /* one host's services */
#define UPPER_SERVED_BITS     12u
/* One-sided operations of peers in progress. */
#define UPPER_SERVED         (1u << UPPER_SERVED_BITS)
#define UPPER_STREAMS_SPARE  256u       /* beyond one stream per connection, at least */
#define UPPER_OPERATIONS_MAX (1u << 20) /* an operation's wire id has 20 bits of index */
/* Bytes: what comes in 100 us at 10 Gbit/s. While more is expected, nobody waits for the last of
 * them yet. */
#define UPPER_STREAM_LEAST (128u << 10)
#define UPPER_ERRNO_MAX    4095u /* the largest error number a peer may name */

/* What a modelled clock is charged for one item; measured orders of magnitude, not promises. */
#define UPPER_COST_COMMAND_NS 100u
#define UPPER_COST_OP_NS      60u   /* an operation header taken apart or put together */
#define UPPER_COST_KIB_NS     80u   /* copying and checksumming 1 KiB */
#define UPPER_KIB             1024u /* bytes */
#define UPPER_COST_NOTICE_NS  60u   /* a connection with events looked at */
#define UPPER_COST_RING_NS    1000u /* a write to an application's pipe */

struct pony_session;
struct connection;
struct service;
struct stream;
struct operation;
struct gather;
struct served;
struct region;
struct path;
struct directory;
struct path_turn;

/* Written by the engine's thread alone; see counter_add. */
struct upper_counters {
    uint64_t violations; /* sessions closed for a broken rule */
    uint64_t peer_violations;
    uint64_t sessions, connections, operations; /* now */
    uint64_t connections_opened, connections_closed;
    uint64_t commands, events, rings;
    uint64_t messages_sent, messages_received, message_bytes_sent, message_bytes_received;
    uint64_t messages_failed, payload_damaged;
    uint64_t reads, writes; /* asked for by applications here */
    uint64_t reads_served, writes_served, served_bytes;
    uint64_t strays; /* operations for connections that are no more */
    uint64_t pings;  /* asked for by applications here */
    uint64_t pings_answered;
    uint64_t commands_denied; /* for want of a right */
    uint64_t over_quota;      /* commands, and callers from outside */
    uint64_t callers_sent_on; /* to another engine of this host, which has the service */
    uint64_t calls_sent_on;   /* likewise, by another host */
    uint64_t indirect_reads, scans, atomics; /* asked for by applications here; a batch is one */
    uint64_t indirect_reads_served, scans_served, atomics_served;
};

#define UPPER_COUNTERS (sizeof(struct upper_counters) / sizeof(uint64_t))

struct upper {
    struct transport *transport;
    const struct clock *clock;
    struct meter *meter; /* of the engine; NULL: nobody measures */
    struct rng *rng;
    struct wheel *wheel;
    int control_fd;
    uint64_t now;  /* of the current step */
    bool violated; /* some session waits to be dropped */
    /* Of this round: some session would work and is in debt; one worked; how many are either. */
    bool waiting, working;
    uint32_t wanting;

    struct pony_session **sessions; /* NULL where free */
    uint32_t sessions_max;
    uint32_t sessions_end; /* all attached sessions lie below it: every turn looks that far */
    uint32_t session_turn; /* whose commands are taken first */
    struct list staged;    /* sessions with events that are not in their queues yet */
    struct pony_session **adopted; /* handed in before loading */

    struct connection *connections;
    uint32_t connections_max;
    struct pool connection_pool;
    struct share connection_share;
    struct list dead;          /* over, not yet closed by the application: oldest first */
    struct list late, overdue; /* those that wait for a message; see dialogue.h */
    struct wheel_timer late_timer;

    struct service *services;
    struct pool service_pool;

    struct stream *streams;
    uint32_t streams_max;
    uint32_t streams_first; /* connections that have a stream */
    struct pool stream_pool;

    struct operation *operations;
    uint32_t operations_max;
    struct pool operation_pool;
    struct share operation_share;

    struct gather *gathers;
    uint32_t gathers_max;
    struct pool gather_pool;
    struct share gather_share;

    struct served *served;
    struct served **served_chains; /* UPPER_SERVED: by name */
    uint64_t served_secret;        /* odd */
    struct pool served_pool;

    struct region *regions;
    uint32_t regions_max;
    struct pool region_pool;
    struct share region_share;

    struct path *paths;
    uint32_t paths_max;
    struct list ending;      /* paths whose flow is over, with connections left */
    struct path_turn *turns; /* of each path: one per session, and one for connections without */
    struct pool path_pool;

    uint64_t expected; /* bytes of large messages and of reads, asked for and not here yet */
    bool came;         /* some of them, in this round */
    struct upper_counters counters;

    struct names names; /* of services that connections are for */

    struct directory *directory; /* of the host's engines, lent; NULL: it has one */
    uint32_t directory_row;
    uint32_t credit_first; /* as in struct pony_config */
};

struct upper_limits {
    uint32_t sessions, connections, operations, regions, flows;
};

/* 0, -EINVAL or -ENOMEM (then nothing is held). The transport is set afterwards. */
int upper_init(struct upper *upper, const struct upper_limits *limits);
/* Sessions are control's and stay. */
void upper_fini(struct upper *upper);

/* Makes memory resident that loading is likely to fill. */
void upper_warm(struct upper *upper);

/* What the transport calls; `upper` is the argument. */
extern const struct flow_upper_ops upper_flow_ops;

/* Has nothing come, and nothing stayed, that upper_commands or upper_notices would do? By a short
 * look: what is rare is not quiet. */
bool upper_quiet(const struct upper *upper);
/* Writes events into applications' queues that were collected for them: after a packet with little
 * in it, before doorbells are rung, and at the end of a round at the latest. */
void upper_publish(struct upper *upper);
/* Takes commands of all sessions, a bounded number of each; returns how many. */
uint32_t upper_commands(struct upper *upper, uint64_t now);
/* Goes on with what ends piece by piece, announces what waits for applications, drops sessions that
 * broke a rule, rings doorbells. */
void upper_notices(struct upper *upper);
/* Arms all channels: true if nothing waits anywhere. On false all are disarmed again. */
bool upper_arm(struct upper *upper);
void upper_disarm(struct upper *upper);

/* Puts a session in a free place, or takes it out (NULL). */
void upper_place(struct upper *upper, uint32_t index, struct pony_session *session);
/* See pony.h. */
int upper_attach(struct upper *upper, struct pony_session *session);
int upper_detach(struct upper *upper, struct pony_session *session);
int upper_adopt(struct upper *upper, struct pony_session *session);

/* All of this layer's state; the transport's is saved by the engine, before. What ends piece by
 * piece goes on ending, here and where it is loaded. Format: upper_state.h. */
#define UPPER_RECORD_FIRST 0x0200u
#define UPPER_RECORD_LAST  0x02ffu
void upper_save(const struct upper *upper, struct state_writer *writer);
/* Reads one record; errors stick to the reader. */
void upper_load_record(struct upper *upper, struct state_reader *reader, uint16_t type,
                       uint64_t now);
/* After the last record: checks what only the whole can show. 0 or -EPROTO. */
int upper_load_finish(struct upper *upper);

static inline void counter_add(uint64_t *counter, uint64_t value)
{
    __atomic_store_n(counter, *counter + value, __ATOMIC_RELAXED);
}

static inline void counter_sub(uint64_t *counter, uint64_t value)
{
    __atomic_store_n(counter, *counter - value, __ATOMIC_RELAXED);
}

static inline uint64_t counter_get(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* Some of what was expected is here. */
static inline void upper_came(struct upper *upper, uint32_t bytes)
{
    upper->expected -= bytes;
    upper->came = true;
}

static inline bool upper_streams(const struct upper *upper)
{
    return upper->came && upper->expected >= UPPER_STREAM_LEAST;
}

/* What a modelled clock is charged for so many operations with so much payload. */
static inline uint32_t upper_cost(uint32_t operations, uint32_t bytes)
{
    return operations * UPPER_COST_OP_NS + bytes * UPPER_COST_KIB_NS / UPPER_KIB;
}

/* A generation is never 0, so a handle is never 0. */
static inline uint16_t generation_next(uint16_t generation)
{
    return generation == UINT16_MAX ? 1 : (uint16_t)(generation + 1);
}

/* Turns an error number from the wire into a status: what no system has is -EPROTO. */
static inline int status_of_wire(uint32_t number)
{
    return number <= UPPER_ERRNO_MAX ? -(int)number : -EPROTO;
}

#endif
