/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the memif port share.
 *
 * Ownership and threads: as of port_memif.h. The rings of a connection are control's, which lends
 * them to the engine by a hazard pointer.
 */
#ifndef DAEMON_PORT_MEMIF_PRIVATE_H
#define DAEMON_PORT_MEMIF_PRIVATE_H

#include "daemon/memif_channel.h"
#include "daemon/port_memif.h"
#include "mailbox/hazard.h"

struct port_memif {
    struct port port; /* first: what users hold */
    struct memif_channel channel;
    uint32_t frame_max;   /* bytes */
    struct hazard rings;  /* what the engine may use; NULL: nobody is connected */
    int bell;             /* an eventfd of this side alone, by which control wakes the engine */
    bool alarmed;         /* the engine has said that those are broken */
    bool looked;          /* since packets last came, without finding any */
    bool starved;         /* packets wait for memory */
    uint64_t polled, due; /* the last look, and the one to come, ns; UINT64_MAX: none */
    struct memif_counts counts;
    uint64_t down; /* packets to nobody */
    /* Of a port that is taken over: whether all of it is another daemon's still, and the number of
     * the connection that it offered. */
    bool lent;
    uint64_t offered;
};

/* All but its socket. 0, or a negative errno with the reason. */
int port_memif_make(struct port_memif **made, const struct port_memif_config *config,
                    const struct reason *reason);
/* What is left once its channel is no more. */
void port_memif_free(struct port_memif *self);

#endif
