/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * How a running port goes over from one daemon to the next, without a packet lost or doubled.
 *
 *     the daemon that has it                the one that takes it over
 *     ----------------------                --------------------------
 *     offer  the engine runs on       ->    adopt   all that can fail and takes time
 *     leave  no engine uses it now    ->    enter   reads who holds which packet; engines may
 *                                                   allocate packets from its pool then
 *     forget                          <-    begin   it is this daemon's; engines run
 *                                           settle  at leisure
 *
 *     resume, instead of forget: the      destroy (of port_ops), instead of begin: it is given
 *     port was not taken over             up, and what is shared with the kernel is as it was
 *
 * `leave` changes nothing, and until `begin` the other daemon changes nothing that this one could
 * notice; so the port can be given back at any point before. (Devices that one process at a time
 * can have are closed by `leave`, opened by `enter`, and opened again by `resume`.) Between `leave`
 * and `resume` or `begin` nobody uses it: what arrives waits in the kernel.
 *
 * What is written is a record (sched/state.h) that the caller has opened and will close; what is
 * read, one that the caller has entered. Later versions append fields, and so may read what earlier
 * ones wrote.
 *
 * A driver's `adopt` is its own, since it takes what its `create` takes: port_xdp_adopt,
 * port_tap_adopt, port_ethdev_adopt. Drivers without these functions make the port anew: those of
 * rings have it in the memory of the process alone, and net_af_packet may be opened a second time
 * in the brownout. Elements such as port_link are not ports of a driver:
 * what is handed over is the port that they wrap, and what they hold back is lost as on a wire.
 *
 * Ownership: after `forget` the port is no more, nor are its packets: who still has some must not
 * touch them. Threads: the control thread, with the port's engine where the words above say.
 * Trust: what is read comes from another daemon of the same user, perhaps a broken one: it is
 * checked against the configuration, the kernel and itself, and refused with the reason.
 */
#ifndef DAEMON_PORT_HANDOVER_H
#define DAEMON_PORT_HANDOVER_H

#include "control/parcel.h"
#include "daemon/reason.h"
#include "engines/port.h"

struct port_handover_ops {
    const char *driver; /* as in port_ops */
    uint16_t version;   /* of its records */
    /* Describes the port and puts its descriptors, which stay its own. Errors stick to the draft.
     */
    void (*offer)(const struct port *port, struct parcel_draft *draft);
    /* Writes down what only the port knows, and closes what the other daemon could not open else.
     */
    void (*leave)(struct port *port, struct state_writer *state);
    /* Of one that is adopted: 0, or a negative errno with the reason; then it is to be destroyed.
     * Bursts are not allowed yet. */
    int (*enter)(struct port *port, struct state_reader *state, const struct reason *reason);
    /* Of one that has entered, when nothing can fail any more. 0, or -ENOMEM: then the port is
     * lost. */
    int (*begin)(struct port *port);
    /* What takes longer than the others may wait for. */
    void (*settle)(struct port *port);
    /* After `offer` or `leave`: the port stays here, whatever the other daemon has done. 0, or a
     * negative errno with the reason: it cannot be had again. */
    int (*resume)(struct port *port, const struct reason *reason);
    /* In place of `destroy`. */
    void (*forget)(struct port *port);
};

/* Of the port's driver, or NULL: it has none. */
const struct port_handover_ops *port_handover_of(const struct port *port);

#endif
