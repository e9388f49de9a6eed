/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What operators see of peers and flows: copied page by page into plain structures.
 *
 * A page begins at a place of a table, looks at a bounded number of places, copies a bounded number
 * of entries and says where to go on. An entry stays in its place as long as it exists. So whoever
 * goes on until VIEW_END sees everything that exists all the while exactly once, whatever else
 * comes and goes between the pages.
 *
 * Ownership: the caller's. Threads: the engine's, between two batches; bounded work, no allocation.
 * Trust: names are as the configuration gave them.
 */
#ifndef ENGINES_PONY_TRANSPORT_VIEW_H
#define ENGINES_PONY_TRANSPORT_VIEW_H

#include "engines/pony/transport.h"

#define VIEW_ENTRIES 16u  /* of one page: mailbox work is short */
#define VIEW_LOOKED  128u /* places of one page, most of them free perhaps */
#define VIEW_END     UINT32_MAX

/* Ages are in ns; 0 stands for never. */

struct view_scan {
    /* Which entries; each condition is off if it is zero or false. */
    uint64_t session; /* id: connections and regions of this one */
    bool of_peer;
    struct address peer;
    bool by_id; /* the one with this id, if it is there; `position` is not looked at */
    uint32_t id;
    uint32_t most; /* entries that are wished for; 0: VIEW_ENTRIES */

    uint32_t position; /* where to begin, 0 at first; afterwards where to go on, or VIEW_END */
    uint32_t count;    /* entries of the page; there may be none, and yet more to come */
};

enum view_flow_state {
    VIEW_FLOW_NONE, /* of a peer: no flow */
    VIEW_FLOW_CALLING,
    VIEW_FLOW_OPEN,
    VIEW_FLOW_ENDED, /* something above still refers to it */
};

struct view_peer {
    struct address address;
    char name[sizeof(((struct transport_peer *)0)->name)]; /* "" if it was not configured */
    struct rte_ether_addr mac;                             /* of the next hop, if `known` */
    uint16_t mtu;                                          /* on the way; 0: the port's */
    bool configured;
    bool known;    /* there is a way */
    int way_error; /* why the resolver knows none */
    uint32_t flows;
    enum view_flow_state state; /* of its best flow, and of that one: */
    uint8_t version;            /* of the wire; 0: not settled */
    uint32_t features;          /* WIRE_FEATURE_* */
    uint64_t smoothed_ns;       /* round trip; 0: not measured */
    uint64_t silent_ns;         /* since the last packet of any flow */
    int ended_error;            /* of the flow that ended last, as flow.h has it; 0: none yet */
    uint64_t ended_ns;          /* since then */
};

struct view_flow {
    struct address local, address;
    char peer[sizeof(((struct transport_peer *)0)->name)];
    uint32_t id;
    uint16_t local_port; /* entropy for the network; packets to us go to our own UDP port */
    uint16_t udp_port;   /* of the peer */
    uint16_t mtu;
    enum view_flow_state state;
    uint8_t version;
    bool answered; /* the peer called */
    uint32_t features;
    uint32_t references;
    int error; /* of an ended one */
    uint64_t age_ns, silent_ns;
    uint64_t smoothed_ns, variation_ns, min_ns, rto_ns;
    const char *congestion;           /* algorithm of an open one, else NULL: a constant */
    uint64_t base_ns, target_ns;      /* as cc_report has them */
    uint64_t gap_ns;                  /* between packets; 0: not paced */
    uint32_t window, in_flight, lost; /* packets */
    /* Since it was made, or taken over by this daemon; `sent` and `resent` since it opened. */
    uint64_t sent, resent, fast_resent, timeouts, received; /* packets that consume a number */
    uint64_t bytes_sent, bytes_received; /* of operations in them, each counted once */
    uint64_t ecn_marks;                  /* packets from the peer that the network marked */
    uint64_t ecn_echoes;                 /* acknowledgements that tell of marks on ours */
};

void transport_view_peers(const struct transport *transport, struct view_scan *scan,
                          struct view_peer peers[VIEW_ENTRIES]);
void transport_view_flows(const struct transport *transport, struct view_scan *scan,
                          struct view_flow flows[VIEW_ENTRIES]);
/* The address of a peer that there is, by configured name or numeric address: 0 or -ENOENT. */
int transport_view_find(const struct transport *transport, const char *host,
                        struct address *address);

/* The places that a page looks at: true while it goes on. */
static inline bool view_goes_on(const struct view_scan *scan, uint32_t *looked, uint32_t size)
{
    uint32_t most = scan->most && scan->most < VIEW_ENTRIES ? scan->most : VIEW_ENTRIES;

    return scan->position < size && scan->count < most && (*looked)++ < VIEW_LOOKED;
}

#endif
