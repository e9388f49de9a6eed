/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * One-sided operations that peers ask of this host, run to completion here without the application
 * (SOSP'19 section 3.2).
 *
 * The table is fixed, and one host may occupy a fraction of it, by all its engines; and of that, a
 * session that has a quota of time a fraction again, on each path. A packet that asks for more than
 * is free is not taken (served_admits), as if the network had dropped it: overload makes peers back
 * off. Key, right and range are looked at for every fragment, so nothing is read or written once a
 * region is revoked. Words (8 aligned bytes) of a region are read and written at once, and
 * fragments of a read end between words.
 *
 * Ownership: a table in the engine. Threads: the engine's. Trust: requests say anything.
 */
#ifndef ENGINES_PONY_SERVED_H
#define ENGINES_PONY_SERVED_H

#include "engines/pony/connection.h"

#define SERVED_PER_CONNECTION CONNECTION_ISSUED_MAX

/* How far a read by way of a table has come; see fetch.h. */
struct fetch {
    uint64_t table;                   /* region key */
    uint64_t offsets[WIRE_ITEMS_MAX]; /* of entries; of a scan, of the first one */
    uint64_t match;                   /* of a scan */
    uint32_t entries, looked; /* of a scan: to be looked at, and looked at without success */
    uint32_t most;            /* bytes to be read for each item */
    uint8_t count, at;        /* items, and which of them has its turn */
    struct wire_item items[WIRE_ITEMS_MAX]; /* what became of those before it */
};

struct served {
    struct list node;              /* connection->served */
    struct list serving;           /* connection->serving, while it has something to say */
    struct served *chain;          /* those whose names lie in one place */
    struct connection *connection; /* NULL: free */
    struct wire_access access;
    uint64_t value; /* of RESULT */
    uint32_t id;
    uint32_t sent;     /* bytes of `access` in READ_DATA */
    uint32_t total;    /* bytes of READ_DATA, in all */
    uint32_t received; /* bytes of WRITE */
    uint32_t whole;    /* bytes of WRITE that will come; known with the last fragment */
    uint16_t status;   /* errno number */
    uint8_t type;      /* WIRE_OP_READ, WRITE, READ_INDIRECT, ... */
    bool known;        /* `whole` is */
    bool begun;        /* `access` is known: of a WRITE, from an intact fragment */
    bool answer;       /* DONE or RESULT is due */
    struct fetch fetch;
};

/* The operation of this connection that the peer calls `id`, or NULL. */
struct served *served_find(struct connection *connection, uint32_t id);
/* May this connection have `wanted` more? */
bool served_has_room(const struct upper *upper, const struct path *path,
                     const struct connection *connection, uint32_t wanted);
/* Takes a place for a request: NULL after the connection was aborted, since no honest peer has a
 * request with this id in progress. */
struct served *served_begin(struct connection *connection, const struct wire_op *op);
/* It is carried out, or has failed: the answer is due. The first error counts. */
void served_finish(struct served *served, int status);
void served_on_read(struct connection *connection, const struct wire_op *op,
                    const uint8_t *payload);
void served_on_write(struct connection *connection, const struct wire_op *op,
                     const uint8_t *payload);
/* Writes the answers that are due: false if the packet is full. */
bool served_fill_answers(struct connection *connection, struct packet *packet);
/* Writes one fragment of an answer: false if the packet is full. */
bool served_fill_data(struct connection *connection, struct packet *packet);
/* An empty entry of this connection, which nobody finds before it has a name. */
void served_init(struct served *served, struct connection *connection, uint8_t type);
/* The peer calls it `id` from now on, and calls no other one so. */
void served_name(struct served *served, uint32_t id);
/* Puts it where fill looks: answers first. */
void served_schedule(struct served *served);
void served_free(struct served *served);
/* The connection is about to leave its path: what it has is no load of that host any more. */
void served_leave(const struct connection *connection);

#endif
