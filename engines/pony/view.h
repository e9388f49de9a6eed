/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What operators see of an engine: its peers, flows, connections and listeners, and regions, a page
 * at a time (see transport_view.h for what pages promise).
 *
 *     struct view_page page = {.kind = VIEW_CONNECTIONS};
 *
 *     while (page.scan.position != VIEW_END) {
 *         mailbox_call(&engine->mailbox, pony_mailbox_view, &page, ...);
 *         ... page.connections[0 to page.scan.count - 1] ...
 *     }
 *
 * Ownership: the caller's. Threads: the engine's, by its mailbox. Trust: names of applications and
 * services are their own words, any bytes but NUL.
 */
#ifndef ENGINES_PONY_VIEW_H
#define ENGINES_PONY_VIEW_H

#include "engines/pony/transport_view.h"
#include "engines/pony/upper.h"

enum view_kind {
    VIEW_PEERS,
    VIEW_FLOWS,
    VIEW_CONNECTIONS, /* positions are indices of handles, so listeners come last */
    VIEW_REGIONS,
};

enum view_connection_state {
    VIEW_CONNECTION_LISTENING,
    VIEW_CONNECTION_OPENING,
    VIEW_CONNECTION_INCOMING,
    VIEW_CONNECTION_OPEN,
    VIEW_CONNECTION_REFUSING,
    VIEW_CONNECTION_CLOSING,
    VIEW_CONNECTION_LEAVING,
    VIEW_CONNECTION_DEAD,
};

struct view_connection {
    uint32_t handle;
    uint32_t peer_handle; /* what the peer calls it; 0: not known */
    uint64_t session;     /* 0: its application is gone */
    char application[SADDLE_NAME_BYTES];
    char service[SADDLE_NAME_BYTES]; /* "" if it is not known, as after a load */
    char peer[SADDLE_NAME_BYTES];
    struct address address; /* the peer's, if `has_flow` */
    uint32_t flow;          /* its id, if `has_flow` */
    bool has_flow;
    enum view_connection_state state;
    uint8_t channel;
    uint32_t sent, received;    /* messages begun by this side and the other, modulo 2^32 */
    uint32_t queued;            /* messages accepted from the application and not answered */
    uint32_t operations;        /* one-sided ones, begun and not answered */
    uint32_t served;            /* the peer's, in progress */
    uint32_t credits, promised; /* messages that we may begin now, and the peer */
    uint32_t streams;
    uint32_t waiting; /* of a listener: callers that were not accepted yet */
    int error;        /* why it ended */
};

struct view_region {
    uint64_t session;
    char application[SADDLE_NAME_BYTES];
    uint32_t id; /* the key without its random half */
    uint64_t length;
    uint32_t rights;
    uint64_t reads, writes, bytes; /* served to peers; operations, and bytes of both */
};

struct view_page {
    enum view_kind kind;
    struct view_scan scan;
    union {
        struct view_peer peers[VIEW_ENTRIES];
        struct view_flow flows[VIEW_ENTRIES];
        struct view_connection connections[VIEW_ENTRIES];
        struct view_region regions[VIEW_ENTRIES];
    };
};

/* A host that is looked for. */
struct view_host {
    char host[SADDLE_NAME_BYTES]; /* a peer's name or numeric address */
    struct address address;
};

/* Mailbox work: context is the engine, argument the page, which is filled. Always 0. */
int pony_mailbox_view(void *engine, void *page);
/* Mailbox work: argument is a struct view_host, whose address is set. 0, or -ENOENT: there is no
 * such peer. */
int pony_mailbox_find_peer(void *engine, void *host);

/* The parts of this layer. */
void view_connections(const struct upper *upper, struct view_scan *scan,
                      struct view_connection connections[VIEW_ENTRIES]);
void view_regions(const struct upper *upper, struct view_scan *scan,
                  struct view_region regions[VIEW_ENTRIES]);

#endif
