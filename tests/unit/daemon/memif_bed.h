/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Two memif ports of one process, one at each end of a socket in a folder of the test's own, and
 * the work that control does for both.
 *
 * Ownership: the bed's, which destroys them; a test may do so before, or put others in their place.
 * Threads: the test's.
 */
#ifndef TESTS_UNIT_DAEMON_MEMIF_BED_H
#define TESTS_UNIT_DAEMON_MEMIF_BED_H

#include "daemon/port_memif.h"
#include "tests/unit/folder.h"

#define BED_FRAME_MIN  14u
#define BED_FRAME_MAX  (BED_FRAME_MIN + 8 + 1500)
#define BED_NAME_BYTES 16u
#define BED_WHY_BYTES  256u

extern struct port *bed_server, *bed_client;              /* NULL: there is none */
extern char bed_path[TEST_FOLDER_BYTES + BED_NAME_BYTES]; /* of the socket */
extern char bed_why[BED_WHY_BYTES];
extern const struct reason bed_reason; /* writes there */

/* Fixtures: the second ends both, and sees that no descriptor and no file is left. */
void bed_set_up(void);
void bed_tear_down(void);

struct port_memif_config bed_config(const char *name, bool is_server);
struct port *bed_create(const char *name, bool is_server);
/* Ends it, and sees that its packets are all there. */
void bed_destroy(struct port **port);
/* Both, connected. */
void bed_join(void);

/* What control does for both, until something is so. */
void bed_work_until(bool (*is_so)(void));
bool bed_both_up(void);
bool bed_client_down(void);
bool bed_server_down(void);

uint64_t bed_stat(const struct port *port, const char *name);

/* Packets are known by a number. Whether one was sent, in pieces of at most `piece` bytes. */
uint8_t bed_byte(uint32_t number, uint32_t at);
bool bed_send(struct port *port, uint32_t number, uint32_t length, uint32_t piece);
/* The next one is this one. */
void bed_receive(struct port *port, uint32_t number, uint32_t length);
bool bed_receives_nothing(struct port *port);
/* Packets of many lengths. */
void bed_exchange(struct port *from, struct port *to);
/* That `to` is rung when it sleeps, and not else. */
void bed_check_bell(struct port *from, struct port *to);

#endif
