/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A path: this layer's side of one flow. It knows the connections that use the flow and which of
 * them have something to say, and the pings; and it gives short answers to peers about connections
 * that do not exist here, and to their pings.
 *
 * Sessions take turns in saying something, and the connections of each take turns within these: so
 * a flow is shared by sessions, in equal parts of what they write, however many connections each
 * has (deficit round robin: Shreedhar and Varghese, SIGCOMM'95).
 *
 * Ownership: a path lives while it has connections, pings or answers to give, and holds a reference
 * to its flow as long. Threads: the engine's.
 */
#ifndef ENGINES_PONY_PATH_H
#define ENGINES_PONY_PATH_H

#include "engines/pony/packet.h"
#include "engines/pony/upper.h"

#define PATH_REPLIES       64u /* a packet cannot ask for more: WIRE_OPS_MAX */
#define PATH_ENDS_PER_TURN 64u /* connections of a path that has lost its flow which are ended */
#define PATH_SERVED_SHARE  4u  /* one host may occupy this fraction of the table of served ones */
/* And of that, a session that may have to wait for its quota this fraction, on each path. */
#define PATH_WAITING_SHARE 2u

/* An answer that needs no connection. */
struct path_reply {
    uint8_t type;    /* WIRE_OP_OPENED (refused), _CLOSE, _CLOSED, _ECHOED or _ELSEWHERE */
    uint32_t number; /* the peer's, of the connection; of ECHOED, the id */
    uint32_t value;  /* errno number; of ECHOED, bytes of payload; of ELSEWHERE, UDP port */
};

/* One session on one path. */
struct path_turn {
    struct list node;        /* the path's ring; all 0: never used */
    struct list connections; /* those with something to say, in turn */
    struct list light;       /* the path's, while it has nothing in flight */
    uint64_t last;           /* number of the last packet with something of it, */
    uint32_t flow;           /* of this flow */
    uint32_t served;         /* operations of the peer in progress at it */
    int32_t left;            /* bytes to write before it is the next session's turn */
};

struct path {
    struct flow *flow;       /* NULL: free */
    struct path_turn *turns; /* one for each session, and one for those whose session is gone */
    struct list connections;
    struct list ring;   /* turns of sessions whose connections have something to say */
    struct list light;  /* those of them that have nothing in flight */
    struct list asking; /* pings whose question was not written yet, in order */
    struct list asked;  /* pings that wait for the answer */
    uint32_t echoes;    /* questions not answered yet, also those that nobody waits for any more */
    bool busy;          /* in use further up the stack: not to be freed */
    int error;          /* why its flow is over; 0: it is not */
    struct list ending; /* upper->ending, while connections are left that have to be told */
    uint32_t reply_first, reply_count;
    struct path_reply replies[PATH_REPLIES];
};

/* The path of a flow, made if there is none; it takes over one reference to the flow. NULL if all
 * are in use (cannot be: there are as many as flows); then the reference is the caller's. */
struct path *path_of(struct upper *upper, struct flow *flow);
/* The path to a host, by configured name or numeric address: its flow is found or opened. 0, or why
 * there is none; *address is set once the host was resolved. */
int path_to(struct upper *upper, const char *host, struct address *address, struct path **path);
/* For what has had no answer on a flow that the peer did not know: another path to the same host,
 * its flow found or opened; NULL if there is none. */
struct path *path_beyond(struct upper *upper, const struct path *path);
/* Its flow is over: ends its pings, and its connections piece by piece. */
void path_end(struct upper *upper, struct path *path, int error);
/* Goes on with some of those that have not ended yet. */
void path_end_some(struct upper *upper);
/* Its flow was over when it was saved: its connections, which are yet to be loaded, end in turn. */
void path_loaded_ended(struct upper *upper, struct path *path, int error);
/* May this feature of the wire (WIRE_FEATURE_*) be used on it? */
bool path_has(const struct path *path, uint32_t feature);
/* Frees the path if it has no purpose any more. */
void path_settle(struct upper *upper, struct path *path);
/* This connection of the path has something to say. */
void path_schedule(struct connection *connection);
/* How many operations of its peer are in progress at the session of this connection. */
uint32_t *path_served(const struct connection *connection);
/* A turn that was taken out of its path's ring has its part in it again. */
void path_resume(struct upper *upper, struct path_turn *turn);
/* False if the answers given are still waiting to leave, and there is no room for this one. */
bool path_reply(struct path *path, uint8_t type, uint32_t number, uint32_t value);
uint32_t path_fill(struct upper *upper, struct path *path, struct packet *packet);

#endif
