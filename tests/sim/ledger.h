/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What applications asked for, seen from above: every operation that was accepted, every connection
 * with its two ends, and what each end has sent on each stream. Only the simulation knows both
 * sides; nothing here is known to the code under test.
 *
 * Ownership: the checker owns the ledger, and with it operations, connections and ends, to the end
 * of the run. Threads: one.
 */
#ifndef TESTS_SIM_LEDGER_H
#define TESTS_SIM_LEDGER_H

#include "tests/sim/sim.h"

#include <saddle/abi.h>
#include <saddle/saddle.h>

#define LEDGER_STREAMS    4u                    /* used on a connection */
#define LEDGER_LINES      (2u * LEDGER_STREAMS) /* the ordered messages of each, and the others */
#define LEDGER_WANTED_MAX 256u           /* messages on a connection that wait for a buffer */
#define LEDGER_TAG        0x5ad000000ull /* + the operation's number: its tag */

enum operation_state {
    OPERATION_ACCEPTED,
    OPERATION_DONE,
    OPERATION_DROPPED, /* the application that asked is gone */
};

struct connection_end;
struct region;

struct operation {
    uint64_t tag;
    struct app *app;
    uint32_t life; /* of the application */
    uint8_t op;    /* enum saddle_command_op */
    uint8_t state; /* enum operation_state */
    bool hello;    /* a SEND that says which connection this is */
    bool delivered;
    bool skipped; /* a later message of its stream was delivered */
    bool excused; /* any outcome is right */
    bool unordered;
    bool gathered;
    bool cancelled; /* its application has asked for that */
    int32_t must;   /* the error it has to end with; 0: none in particular */
    int32_t status;
    uint16_t stream;
    uint32_t order; /* in its line */
    uint32_t channel;
    struct operation *target; /* of CANCEL */
    uint32_t slot;            /* of the region, WRITE */
    uint64_t timeout;
    uint64_t accepted_at;
    void *buffer; /* arena memory that is the engine's meanwhile, or NULL */
    size_t length;
    struct connection_end *end; /* or NULL */
    struct region *region;      /* EXPOSE, REVOKE, READ, WRITE */
    uint64_t offset;            /* READ, WRITE: into the region; PING: bytes to be echoed */
    uint32_t pinged;            /* PING: the host */
    uint32_t count;             /* READ_BATCH: items; SCAN_READ: the index it has to find */
    uint32_t entries[SADDLE_BATCH_ITEMS]; /* of the table; the word of an atomic operation */
    uint64_t values[2];                   /* COMPARE_SWAP: expected, desired */
};

struct ledger_stream {
    struct operation **sent; /* in order */
    uint32_t count;
    uint32_t capacity;
    uint32_t next; /* what the other side may see next */
};

enum end_state {
    END_OPENING, /* CONNECT or ACCEPT is on its way */
    END_OPEN,    /* has its handle; hellos are exchanged */
    END_READY,   /* may do anything */
    END_CLOSING, /* its application closes it */
    END_GONE,
};

/* Why operations of a connection may fail. */
#define TROUBLE_CLOSE(side) (1u << (side)) /* that side has begun to close */
#define TROUBLE_KILL        4u             /* an application was killed, or refused */
#define TROUBLE_CUT         8u             /* the hosts were apart for longer than peers live */

struct connection_end {
    struct ledger_connection *connection; /* NULL: accepted, and nobody said hello yet */
    uint32_t side;                        /* 0 called, 1 was called */
    struct app *app;
    uint32_t life;
    uint32_t channel;
    saddle_handle handle;
    uint64_t tag;  /* on its messages: of its CONNECT or ACCEPT */
    uint8_t state; /* enum end_state */
    bool closed;   /* the application was told so */
    bool late;     /* it was over when it was to be accepted or rejected: being told is all left */
    bool hasty;    /* has posted buffers that it takes back after a while */
    bool accept_due, reject_due, hello_due, close_due;
    uint32_t outstanding;               /* operations on it, buffers posted not counted */
    uint64_t wanted[LEDGER_WANTED_MAX]; /* bytes of messages that wait for a buffer */
    uint32_t wanted_count;
    struct ledger_stream lines[LEDGER_LINES];
};

struct ledger_connection {
    uint64_t id;
    struct app *callee; /* NULL: a service that nobody offers */
    uint32_t host;      /* that was called */
    uint32_t trouble;   /* TROUBLE_* */
    struct connection_end *ends[2];
};

struct ledger {
    struct sim *sim;
    struct operation **operations;
    uint32_t operation_count, operation_capacity;
    struct ledger_connection **connections;
    uint32_t connection_count, connection_capacity;
    struct connection_end **ends;
    uint32_t end_count, end_capacity;
};

void ledger_init(struct ledger *ledger, struct sim *sim);
void ledger_fini(struct ledger *ledger);

/* An operation about to be submitted; the last one begun may be taken back. */
struct operation *ledger_begin(struct ledger *ledger, struct app *app, uint8_t op,
                               struct connection_end *end);
void ledger_cancel(struct ledger *ledger, struct operation *operation);
struct operation *ledger_find(struct ledger *ledger, uint64_t tag);

struct connection_end *ledger_end(struct ledger *ledger, struct app *app, uint32_t side);
struct ledger_connection *ledger_connection(struct ledger *ledger, struct connection_end *caller,
                                            struct app *callee, uint32_t host);
/* The line of a stream's messages, of the one order or the other. */
struct ledger_stream *ledger_line(struct connection_end *end, uint32_t stream, bool unordered);
/* Puts an accepted SEND into its line. */
void ledger_sent(struct operation *operation);
/* The other end of the connection, or NULL while it is unknown. */
struct connection_end *ledger_other(const struct connection_end *end);

/* The content of a message: what is sent, and whether this is it. */
void ledger_message(const struct operation *operation, void *bytes);
bool ledger_is_message(const struct operation *operation, const void *bytes, size_t length);
/* The connection that a hello names, or NULL if this is none. */
struct ledger_connection *ledger_hello(struct ledger *ledger, const void *bytes, size_t length);
#define LEDGER_HELLO_BYTES 16u

#endif
