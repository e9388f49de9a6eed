/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Regions: arena memory that an application exposes to peers under a key.
 *
 * A key is 32 random bits, a generation and an index. It is a capability: whoever knows it and is
 * connected to the session may use it.
 *
 * Ownership: a table in the engine; the memory is the session's. Threads: the engine's.
 */
#ifndef ENGINES_PONY_REGION_H
#define ENGINES_PONY_REGION_H

#include "engines/pony/session.h"

struct region {
    struct pony_session *session; /* NULL: free */
    uint64_t key;
    uint64_t buf; /* arena offset */
    uint32_t len; /* bytes */
    uint32_t rights;
    uint16_t generation;
    /* Served of it to peers, since it was exposed or loaded; what is atomic counts as a write. */
    uint64_t reads, writes, bytes;
};

#define REGION_INDEX_BITS 16u
#define REGION_INDEX_MASK ((1u << REGION_INDEX_BITS) - 1)
#define REGION_MAX        (1u << REGION_INDEX_BITS)
#define REGION_LEN_MAX    UINT32_MAX /* bytes of one region */

/* The commands. */
void region_expose(struct pony_session *session, uint32_t channel,
                   const struct saddle_command *command);
void region_revoke(struct pony_session *session, uint32_t channel,
                   const struct saddle_command *command);
/* `len` bytes at `offset` of the session's region `key`: 0 with *memory, -EACCES, -ERANGE. */
int region_access(struct pony_session *session, uint64_t key, uint32_t right, uint64_t offset,
                  uint32_t len, uint8_t **memory);
/* `bytes` of a region were served just now, after region_access allowed it; `whole`: and with them
 * an operation. */
void region_served(struct pony_session *session, uint64_t key, uint32_t right, uint32_t bytes,
                   bool whole);
/* All of a session's. */
void region_drop(struct pony_session *session);

#endif
