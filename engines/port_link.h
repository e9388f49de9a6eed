/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A port on a link that Saddle owns: puts before another port what a host on a link has to do.
 *
 * It answers questions for its addresses (ARP, RFC 826; Neighbour Solicitations, RFC 4861) and
 * pings of them, tells the link once where they are, and is a resolver: it finds the link-layer
 * address of who gets packets to an address, the host itself or a gateway. All other frames go to
 * the engine as they came. What it does not do: look for duplicates of its own addresses (it
 * defends them), listen to Router Advertisements or redirects, and learn from what nobody asked for
 * (see neighbours.h).
 *
 * Ownership: owns the inner port from a successful create on, and destroys it; the resolver lives
 * as long as the port. Threads: as the inner port. Everything happens in rx_burst: questions are
 * asked, timers run and the resolver answers there. Trust: frames are hostile; answers given in a
 * millisecond are bounded.
 */
#ifndef ENGINES_PORT_LINK_H
#define ENGINES_PORT_LINK_H

#include "engines/neighbours.h"
#include "engines/port.h"

struct port_link_config {
    struct subnets subnets;             /* the engine's addresses, and gateways */
    uint16_t vlan;                      /* of all frames; 0: untagged */
    uint8_t key[ADDRESS_MAP_KEY_BYTES]; /* random */
    uint64_t now;                       /* ns, at creation */
    /* As in struct neighbours_config. */
    uint32_t wants_max;
    uint32_t tries;
    uint64_t retry_ns;
    uint64_t reachable_ns;
    uint64_t negative_ns;
};

struct port_link_stats {
    struct neighbours_stats neighbours;
    uint64_t answered;  /* questions for our addresses */
    uint64_t echoes;    /* pings answered */
    uint64_t announced; /* frames that told where our addresses are */
    uint64_t conflicts; /* somebody else claimed one of our addresses */
    uint64_t malformed;
    uint64_t limited; /* not answered: too many in a millisecond */
    uint64_t unsent;  /* no room in the port, or no buffer */
};

/* 0, -EINVAL, -ENOMEM; on failure `inner` is still the caller's. */
int port_link_create(struct port **port, struct port *inner, const struct port_link_config *config);
struct resolver *port_link_resolver(struct port *port);
/* For operators: a page of who is known on the link. The port's thread; `port` is this one. */
neighbour_view_fn port_link_view;
/* Tells the link again where our addresses are, at the next rx_burst. The port's thread. */
void port_link_announce(struct port *port);
/* Any thread; each number is whole, together they may be of different times. */
void port_link_stats(const struct port *port, struct port_link_stats *stats);

#endif
