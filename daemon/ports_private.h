/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the ports share: how one of them is made (ports_make.c), kept (ports.c), and
 * handed over (ports_handover.c).
 *
 * Ownership and threads: as of ports.h. Trust: a parcel comes from another daemon of the same user,
 * perhaps a broken one: it is checked.
 */
#ifndef DAEMON_PORTS_PRIVATE_H
#define DAEMON_PORTS_PRIVATE_H

#include "control/parcel.h"
#include "daemon/ports.h"

#define PORTS_LINE_BYTES 384u /* of a part's reason, before the port's name is put in front */

/* What is left of one that another daemon has: engines that never run again point to it. */
struct ports_left {
    struct port *port;
    struct share *share;
};

struct ports {
    const struct config *config;
    const struct topology *topology;
    struct port *device[CONFIG_PORTS_MAX];       /* the driver's: `port` leads to it */
    struct port *port[CONFIG_PORTS_MAX];         /* what engines use, which owns what is below */
    int node[CONFIG_PORTS_MAX];                  /* of its device, or TOPOLOGY_ANY */
    struct reserve *reserve[CONFIG_PORTS_MAX];   /* where the kernel owns the interface */
    struct resolver *resolver[CONFIG_PORTS_MAX]; /* the port's, where Saddle owns the link */
    struct share *share[CONFIG_PORTS_MAX];       /* where several engines have it */
    struct port *tap[CONFIG_PORTS_MAX];          /* to the kernel, where it has its part of it */
    struct ports_left left[CONFIG_PORTS_MAX];
    struct carriers *carriers; /* of `tap`; NULL: there is none */
    struct chores *chores;     /* of the above, and of ports */
    /* While some are made: where the reason goes, and the other daemon's parcel that they are taken
     * from; NULL: they are made anew. */
    const struct reason *reason;
    struct parcel *parcel;
};

static inline bool ports_has(uint64_t which, uint32_t index)
{
    return which >> index & 1;
}

/* Makes these, anew or from `parcel`. 0, or a negative errno with one line in `reason`; ports_end
 * is due in both cases. */
int ports_make_some(struct ports *ports, uint64_t which);

/* Control has nothing more to do for the device at `index`, which may be none. */
void ports_leave_alone(struct ports *ports, uint32_t index);

/* ports_handover.c: enters the parcel's next record, which has to be of this type and for the port
 * at `index`. 0, or -EBADMSG with one line in `reason`. */
int ports_expect(const struct ports *ports, uint16_t type, uint32_t index);

/* Types of the records of a hand-over. */
enum ports_record {
    PORTS_RECORD_DEVICE = 0x0900, /* name; what the driver wrote */
    PORTS_RECORD_TAP,             /* name; what port_tap wrote */
    PORTS_RECORD_RESERVE,         /* name; reserve_offer's */
    PORTS_RECORD_DEVICE_STATE,    /* name; what the driver wrote */
    PORTS_RECORD_TAP_STATE,       /* name; what port_tap wrote */
};

#endif
