/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections: from CONNECT or an incoming OPEN to the CLOSE handshake.
 *
 *     caller: OPENING --OPENED--> OPEN          callee: INCOMING --ACCEPT--> OPEN
 *     OPEN --close wanted, all answered--> CLOSING --CLOSED--> free
 *     OPEN --peer's CLOSE, or the flow ended--> DEAD --application's CLOSE--> free
 *
 * An application's close waits in OPEN (`closing` set) until everything it sent has been answered.
 * A dead connection is kept so that its handle answers -ENOTCONN, until the application closes it
 * or its place is needed. A connection whose session is gone goes to CLOSING at once.
 *
 * CLOSE counts the answers that its sender has given (entries of DELIVERED, READ_DATA, DONE,
 * RESULT); the receiver processes it when it has all of them, since packets overtake each other.
 *
 * The number that peers use is the handle; so what is late for a connection that is no more meets a
 * newer generation, and is dropped.
 *
 * Ownership: a table in the engine. Threads: the engine's.
 */
#ifndef ENGINES_PONY_CONNECTION_H
#define ENGINES_PONY_CONNECTION_H

#include "engines/pony/operation.h"
#include "engines/pony/path.h"

#include <stdalign.h>

SADDLE_STATIC_ASSERT(SADDLE_CHANNELS_MAX <= 32, "a channel's number has 5 bits");

#define CONNECTION_LINE       64u /* bytes of a cache line */
#define CONNECTION_LINES      5u
#define CONNECTION_ISSUED_MAX 128u /* one-sided operations begun; more wait here */

enum connection_state {
    CONNECTION_FREE,
    CONNECTION_OPENING,
    CONNECTION_INCOMING,
    CONNECTION_OPEN,
    CONNECTION_REFUSING, /* only OPENED with `error` is left to be sent */
    CONNECTION_CLOSING,  /* CLOSED is awaited */
    CONNECTION_LEAVING,  /* only CLOSED is left to be sent */
    CONNECTION_DEAD,
};

/* Control operations that are to be sent. */
#define CONNECTION_SAY_OPEN     0x01u
#define CONNECTION_SAY_OPENED   0x02u
#define CONNECTION_SAY_CREDIT   0x04u
#define CONNECTION_SAY_STARVED  0x08u
#define CONNECTION_SAY_CLOSE    0x10u
#define CONNECTION_SAY_CLOSED   0x20u
#define CONNECTION_SAY_UNWANTED 0x40u /* SKIP, for a credit that nobody needs */
#define CONNECTION_SAY_TOTAL    0x80u /* CREDIT, which DELIVERED does not stand for */

/* Events that are to be announced. */
#define CONNECTION_EVENT_INCOMING 0x01u
#define CONNECTION_EVENT_CLOSED   0x02u

/* What messages, one-sided operations and credits look at comes first, in CONNECTION_LINES cache
 * lines: with thousands of connections they are fetched ahead. */
struct connection {
    alignas(CONNECTION_LINE) struct list ring; /* its session's turn on the path, while it has
                                                * something to say */
    struct list notice;                        /* its channel's, while it has events */
    struct list streams;
    struct list active; /* streams with messages that may be begun */

    struct list answers; /* slots to which something is due */
    struct upper *upper;
    struct path *path;            /* NULL once the flow is gone, or nothing is left to say */
    struct pony_session *session; /* NULL once the application is gone */
    struct operation *closing;
    uint32_t number;                        /* handle, and what the peer calls it */
    uint32_t peer;                          /* the peer's number; 0 while unknown */
    uint32_t credits_allowed, credits_used; /* by the peer, for our messages */

    uint64_t tag;
    uint32_t credits_granted, credits_consumed; /* for the peer's */
    uint32_t answers_given, answers_taken;
    uint32_t close_answers; /* what the peer's CLOSE counted */
    uint32_t told;          /* offers without a buffer that the application was told of */
    uint32_t offer_least;   /* bytes: no offer whose turn for a buffer it is has less, */
    uint32_t posted_most;   /* and no posted buffer more */
    uint32_t unanswered; /* messages accepted from the application and not answered by the peer */
    int32_t error;       /* why it ended: status of CLOSED, or reason of CLOSE */
    uint16_t issued_count, served_count;
    uint16_t held; /* slots of its messages that are not free again */
    uint16_t generation;
    uint16_t stream_count;
    uint16_t name;     /* of the service, in upper->names; 0: not known */
    uint8_t state : 4; /* enum connection_state */
    uint8_t turns : 2; /* in a row that a message came and one was sent; see dialogue.h */
    bool heard : 1;    /* a message came since one was sent */
    bool again : 1;    /* it was called once more, after a reset */
    uint8_t say;       /* CONNECTION_SAY_* */
    uint8_t channel : 5;
    uint8_t events : 2; /* CONNECTION_EVENT_* */
    bool announced : 1; /* the application knows the handle */
    bool close_received : 1;
    bool close_wanted : 1; /* while DEAD: the peer's CLOSED is awaited */
    bool receives : 1;     /* one of its session's receivers */
    bool parched : 1;      /* the peer wants credits, and holds as much as one may */
    uint8_t data_turn : 2; /* messages, operations' bytes and served bytes take turns */
    uint8_t appetite : 2;  /* how often its peer ran out of credits while there were plenty */

    struct list wanted, issued;
    struct list sending; /* operations with bytes to send, in turn */
    struct list serving; /* a peer's operations with something to say, in turn */

    struct list served;  /* a peer's operations in progress */
    struct list thirst;  /* its session's, while the peer wants credits that it may have; INCOMING:
                          * its service's */
    struct list thirsty; /* streams that wait for credits */
    struct list posted;

    struct list path_node;     /* the path's; or, dead and without a path, upper->dead's */
    struct list session_node;  /* its session's connections, or its dead ones */
    struct service *service;   /* while INCOMING */
    struct operation *opening; /* its payload is the service's name, with its NUL */
    struct list late;          /* the engine's, while answers wait for the application's message */
};

SADDLE_STATIC_ASSERT(offsetof(struct connection, path_node) == CONNECTION_LINES * CONNECTION_LINE,
                     "what is fetched ahead is what is looked at");

/* Fewer connections than this stay in the processor's own caches, and nothing is fetched ahead. */
#define CONNECTION_EXPECT_MIN 128u

static inline bool connection_expects(const struct upper *upper)
{
    return upper->counters.connections >= CONNECTION_EXPECT_MIN;
}

/* The connection of this number is looked at soon. Whoever asks may not be believed. */
static inline void connection_expect(const struct upper *upper, uint32_t number)
{
    uint32_t index = number & HANDLE_INDEX_MASK;

    if (index >= upper->connections_max)
        return;
    const char *lines = (const char *)&upper->connections[index];
    for (uint32_t i = 0; i < CONNECTION_LINES; i++)
        __builtin_prefetch(lines + i * CONNECTION_LINE);
}

/* And so are its streams, the first of which is enough; it was expected before. */
static inline void connection_expect_stream(const struct upper *upper, uint32_t number)
{
    uint32_t index = number & HANDLE_INDEX_MASK;

    if (index < upper->connections_max && upper->connections[index].state != CONNECTION_FREE) {
        const char *stream = (const char *)upper->connections[index].streams.next;
        __builtin_prefetch(stream);
        __builtin_prefetch(stream + CONNECTION_LINE);
    }
}

/* Commands. */
void connection_connect(struct pony_session *session, uint32_t channel,
                        const struct saddle_command *command);
void connection_accept(struct pony_session *session, uint32_t channel,
                       const struct saddle_command *command);
void connection_reject(struct pony_session *session, uint32_t channel,
                       const struct saddle_command *command);
void connection_close(struct pony_session *session, uint32_t channel,
                      const struct saddle_command *command);
/* The open connection that a command names, if it belongs to this session and channel: 0, -EBADF,
 * -ENOTCONN. */
int connection_of_handle(struct pony_session *session, uint32_t channel, uint32_t handle,
                         struct connection **connection);

/* Operations from the peer; `number` is what the peer called. */
void connection_on_open(struct upper *upper, struct path *path, const struct wire_op *op,
                        const uint8_t *payload);
void connection_on_opened(struct upper *upper, struct path *path, const struct wire_op *op,
                          const uint8_t *payload);
void connection_on_elsewhere(struct upper *upper, struct path *path, const struct wire_op *op);
void connection_on_close(struct upper *upper, struct path *path, const struct wire_op *op,
                         const uint8_t *payload);
void connection_on_closed(struct connection *connection);
/* The connection with this number on this path, or NULL. */
struct connection *connection_find(struct upper *upper, uint32_t number);

/* Something changed that may have made it say or announce more. */
void connection_schedule(struct connection *connection);
void connection_notice(struct connection *connection);
/* An answer from the peer was counted, or all of ours may be complete: goes on with closing. */
void connection_advance(struct connection *connection);

/* Writes what it has to say: control operations and one fragment. True if it has more to say. *full
 * tells that the packet had no room for it. */
bool connection_fill(struct connection *connection, struct packet *packet, bool *full);
/* Announces its events: false if the channel had no room for all. */
bool connection_announce(struct connection *connection);

/* The peer broke a rule, or a table is full: ends this connection on both sides. */
void connection_abort(struct connection *connection, int error);
/* The application is gone. */
void connection_disown(struct connection *connection);
/* What would be left of it then, for who must not change it: false if nothing would. Of `left`,
 * what is saved of a connection is right, and its lists are empty. */
bool connection_disowned(const struct connection *connection, struct connection *left);
/* The flow is gone. */
void connection_lost(struct connection *connection, int error);
/* While OPENING: calls on another flow, once; false if it cannot. */
bool connection_call_again(struct connection *connection);
/* Deadlines and cancelling. */
void connection_open_give_up(struct operation *operation, int status);
void connection_close_give_up(struct operation *operation, int status);
/* Refuses a caller that was not accepted; the application knows it no more. */
void connection_refuse(struct connection *connection, int error);

/* Ends whatever still goes on in it, without a word to the peer, and frees it. */
void connection_free(struct connection *connection);
/* Nothing is left to say to the peer. */
void connection_leave(struct connection *connection);
/* Dead, and everybody has been told: its place may be taken when all others are. */
void connection_bury(struct connection *connection);
/* An empty connection of this generation of its index. */
void connection_init(struct connection *connection, struct upper *upper, uint16_t generation);

#endif
