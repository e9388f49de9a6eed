/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads that peers ask of this host by way of a table: indirect reads, batches of them, and scans.
 *
 * A table is memory of a region, filled by the application with entries (saddle.h: struct
 * saddle_pointer, struct saddle_match) that name a region of the same session. What an entry says
 * is copied once, when its turn comes, and then only the copy is looked at: the region that it
 * names is one of this session, may be read, and holds the extent; so an entry leads nowhere that
 * its application could not expose itself. Entries lie at multiples of 8 bytes, and each of their
 * words is read at once.
 *
 * A scan looks at PACKET_SCAN_ENTRIES entries for each packet that the flow may send, and then lets
 * others have their turn.
 *
 * What became of each entry travels in RESULT, after the bytes. Regions are looked up for every
 * fragment, so nothing is read once one of the two is revoked; bytes that have left by then are
 * counted in RESULT all the same.
 *
 * Threads: the engine's. Trust: requests and tables say anything.
 */
#ifndef ENGINES_PONY_FETCH_H
#define ENGINES_PONY_FETCH_H

#include "engines/pony/served.h"

#define FETCH_POINTER_BYTES 24u /* of an entry of a table */
#define FETCH_MATCH_BYTES   32u /* of an entry of a table to be scanned */

enum fetch_step {
    FETCH_READS, /* served->access is to be read */
    FETCH_ENDED, /* it is finished */
    FETCH_WAITS, /* the packet allows no more entries to be looked at */
};

/* READ_INDIRECT, READ_BATCH or SCAN_READ. */
void fetch_on_request(struct connection *connection, const struct wire_op *op,
                      const uint8_t *payload);
/* Looks for what is to be read next, if that is not known. */
enum fetch_step fetch_step(struct served *served, struct packet *packet);
/* The read of one entry ended: with all of its bytes, or, when its region is gone, with an error.
 */
void fetch_end_item(struct served *served, int error);
/* A loaded one holds together. */
bool fetch_fits(const struct served *served);

static inline bool fetch_is(const struct served *served)
{
    return served->type >= WIRE_OP_READ_INDIRECT && served->type <= WIRE_OP_SCAN_READ;
}

#endif
