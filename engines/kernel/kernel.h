/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel: the engine that gives the host's kernel what arrives for it on a port that Saddle owns,
 * and sends what the kernel has to send (SOSP'19 section 2, "kernel packet injection"). It moves
 * packets between two ports, as they are, and looks into none: one leads to the wire, which is what
 * a fan (engines/steer/fan.h) calls the rest, the other to the kernel.
 *
 * A packet is taken from one side only when the other side has room for it. What the kernel sends
 * beyond that waits in the kernel; what the wire brings waits in the wire's port, and is lost there
 * when that is full. The engine keeps no packet.
 * Where the wire's side is shaped (engines/shaper), what the kernel sends is of one class, and
 * waits in the kernel for that class's turn.
 *
 * Ownership: made and destroyed by control; both ports are lent, and end after it. Threads: as of
 * any engine. Trust: packets from the wire are hostile; the kernel checks them itself.
 */
#ifndef ENGINES_KERNEL_KERNEL_H
#define ENGINES_KERNEL_KERNEL_H

#include "engines/port.h"
#include "sched/engine.h"

#define KERNEL_KIND "kernel"

struct kernel_config {
    struct port *wire;   /* to and from other hosts */
    struct port *kernel; /* to and from the kernel of this one; its counters are shown as the
                          * engine's */
};

/* 0, -EINVAL (the name), -ENOMEM, or a negative errno. */
int kernel_create(struct engine **engine, const char *name, const struct kernel_config *config,
                  const struct clock *clock);

#endif
