/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What a hand-over cost in packets, as the newcomer finds out: those that its ports could not take,
 * from when they were adopted until somebody ran them again, and those that its engines sent again
 * in the time after that. Both are differences of counters that go over with what counts them.
 *
 * Ownership: plain data; ports and engines are only read, and not kept. Threads: control's, for
 * which all counters may be read. Trust: names and numbers are this daemon's own.
 */
#ifndef DAEMON_LOSSES_H
#define DAEMON_LOSSES_H

#include "control/upgrades.h"
#include "daemon/config.h"
#include "daemon/handover.h"
#include "engines/port.h"
#include "sched/clock.h"
#include "sched/engine.h"

#include <stdbool.h>
#include <stdint.h>

/* So long after it packets count as sent again because of it. A loss is found by the first time-out
 * of its flow, 200 ms at most (rto_max) unless configured otherwise, or by what comes after it. */
#define LOSSES_AFTER_NS NSEC_PER_SEC

struct losses_engine {
    char name[ENGINE_NAME_BYTES];
    uint32_t set;
    uint64_t before; /* sent again, by what was loaded */
};

/* Of one hand-over; begins as zeroes. */
struct losses {
    uint64_t before[HANDOVER_SETS_MAX]; /* missed, when the ports were adopted */
    uint64_t missed[HANDOVER_SETS_MAX];
    struct losses_engine engines[CONFIG_ENGINES_MAX]; /* that were loaded */
    uint32_t engine_count;
    uint64_t until; /* what is sent again belongs to it */
};

/* Packets that came and that the port could not take, as far as it counts them. */
uint64_t losses_missed_by(const struct port *port);

/* Ports of the set were adopted, which have missed so many. */
void losses_adopted(struct losses *losses, uint32_t set, uint64_t missed);
/* The engine, of this set, has its state, and has not run. Those of a set that comes again after it
 * was given back count anew. */
void losses_loaded(struct losses *losses, uint32_t set, const struct engine *engine);
/* The set runs, and its ports have missed so many. */
void losses_ran(struct losses *losses, uint32_t set, uint64_t missed, uint64_t now);

/* Puts both figures as they are now into the record's sets, by number; `engines` are those that the
 * daemon has. One that was made anew meanwhile has sent nothing again that is known. */
void losses_describe(const struct losses *losses, struct engine *const *engines, uint32_t count,
                     struct upgrade_record *upgrade);

#endif
