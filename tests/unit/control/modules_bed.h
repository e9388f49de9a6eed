/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * All modules over a link, as saddle-control calls them, with two engines, alpha and beta, whose
 * mailboxes are run when a test says so, alpha in the group "main", the port "p", and no session.
 */
#ifndef TESTS_UNIT_CONTROL_MODULES_BED_H
#define TESTS_UNIT_CONTROL_MODULES_BED_H

#include "control/module.h"

#include <stdbool.h>

struct bed_answer {
    uint8_t bytes[LINK_MESSAGE_MAX];
    size_t length;
    uint16_t status; /* once the call has ended */
    char text[LINK_TEXT_MAX + 1];
};

/* Of the call that bed_take heard of last. */
extern struct bed_answer bed_answer;
extern struct module_world bed_world;
extern struct plant bed_plant;
/* Of the group "main": its rebalancer has decided something. */
void bed_decide(uint64_t at_ns, const char *engine, const struct balance_move *move);

/* With a server that has no rules and no limits, or with these (the path and mode are the bed's).
 */
void bed_setup(void);
void bed_setup_with(struct server_config server_config);
void bed_teardown(void);

void bed_put(uint32_t call, enum link_kind kind, const void *bytes, size_t length);
/* A call of somebody who may look, with its one request. */
void bed_begin(uint32_t call, const char *method, const ProtobufCMessage *request);
/* Whether something has arrived. If so the next message is in bed_answer, or, if the call has ended
 * (*ended), how. No credit is given for it. */
bool bed_take(bool *ended);
/* A message must be there. */
void bed_expect(void);
/* Calls, and waits for the end: the status, with the answer in bed_answer. */
uint16_t bed_call(const char *method, const ProtobufCMessage *request);
uint16_t bed_call_as(enum link_role role, const char *method, const ProtobufCMessage *request);
/* A second passes, and those engines whose bits are set do what their mailboxes ask for. */
void bed_second(unsigned alive);

#endif
