/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Saved engines: one of each kind in the middle of much, as a document, the same each time; and
 * engines that documents are loaded into, which work on with them.
 *
 * The two Pony engines talk to each other over a wire that only exists while both are here. What
 * their documents say of applications' memory fits applications that this makes anew.
 *
 * Ownership: all of it is static, and made anew by each function. Threads: one, in virtual time.
 */
#ifndef TESTS_UNIT_ENGINES_STATES_H
#define TESTS_UNIT_ENGINES_STATES_H

#include "sched/state.h"

#include <stdbool.h>

enum states_kind {
    STATES_SERVER, /* the Pony engine that is called */
    STATES_CLIENT, /* and the one that calls */
    STATES_STEER,
    STATES_SHAPER,
    STATES_KERNEL,
    STATES_KINDS,
};

extern const char *const states_names[STATES_KINDS];

/* Once, before the others. */
void states_start(void);

/* Writes down one that is busy. With `rare`, also what versions before the last one cannot read:
 * a CANCEL that has not ended. */
void states_write(enum states_kind kind, bool rare, struct state_writer *writer);
/* The same of the two Pony engines at one moment. */
void states_write_pair(bool rare, struct state_writer writers[2]);
/* Bytes that each of `more` idle connections, with one stream, adds to the client's document. */
uint64_t states_connection_bytes(uint32_t more);

/* Loads it; if that is done it works on for a while, on its own, and is saved. What load, or the
 * check of the header, said. */
int states_try(enum states_kind kind, const void *bytes, size_t length);
/* Loads the documents of both; they finish what they were at and do some more. False: they do not,
 * and why has been printed. */
bool states_resume(const struct state_reader *server, const struct state_reader *client);
/* Loads a document that is known to be good and saves it again. */
void states_again(enum states_kind kind, const void *bytes, size_t length,
                  struct state_writer *writer);

/* Makes length and checksum of a document right again. */
void states_seal(uint8_t *bytes, size_t length);

#define STATES_HEADER_BYTES 24u

#endif
