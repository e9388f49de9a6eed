/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether messages that bear numbers arrived, each once, and in their order.
 *
 * A sequence is of one sender and one receiver; its messages are numbered from 0. No more than
 * TALLY_WINDOW of them may be on their way: what arrives that long after its time has been here
 * before.
 *
 * Ownership: the caller's structs. Threads: one.
 */
#ifndef BENCH_TALLY_H
#define BENCH_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#define TALLY_WINDOW 64u /* bits of a word */

struct tally {
    uint64_t sent;     /* the number of the next to be sent */
    uint64_t next;     /* above the highest that arrived */
    uint64_t seen;     /* bit i: next - 1 - i has arrived */
    uint64_t distinct; /* that arrived, each counted once */
};

/* What went wrong, of all sequences that are counted together. */
struct tally_faults {
    uint64_t lost;
    uint64_t duplicated;
    uint64_t reordered; /* it came after one that was sent later */
};

/* One has arrived; in an ordered sequence it has to come in its turn. False: none of that number
 * was ever sent. */
bool tally_arrived(struct tally *tally, uint64_t number, bool ordered, struct tally_faults *faults);
/* No more will come: what was sent and did not arrive is lost. */
void tally_end(const struct tally *tally, struct tally_faults *faults);
/* Of what is only counted: so often was it done, so often was it asked for, and so often told to be
 * done. The two differ if the end of some is not known: then it may have been done or not. */
void tally_compare(uint64_t done, uint64_t asked, uint64_t told, struct tally_faults *faults);

#endif
