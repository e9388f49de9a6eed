/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What an engine showed (engines/pony/view.h), as messages of saddle/v1/pony.proto. An entry is a
 * message, its first member, and the texts that it points to.
 *
 * Ownership: the caller's; an entry does not move, and borrows the engine's name. Threads:
 * control's. Trust: names that applications chose become printable here.
 */
#ifndef CONTROL_PONY_ENTRY_H
#define CONTROL_PONY_ENTRY_H

#include "engines/pony/view.h"
#include "saddle_v1_pony.pb-c.h"

#define ENTRY_TEXT_BYTES  64u
#define ENTRY_RIGHTS      3u
#define ENTRY_FEATURES    5u
#define ENTRY_ERROR_BYTES 64u

struct peer_entry {
    Saddle__V1__Peer message;
    char name[ENTRY_TEXT_BYTES], address[ADDRESS_TEXT_BYTES], mac[RTE_ETHER_ADDR_FMT_SIZE];
    char way_error[ENTRY_ERROR_BYTES], last_error[ENTRY_ERROR_BYTES];
    char *features[ENTRY_FEATURES];
};

struct flow_entry {
    Saddle__V1__Flow message;
    char peer[ENTRY_TEXT_BYTES], local[ADDRESS_TEXT_BYTES], address[ADDRESS_TEXT_BYTES];
    char congestion[ENTRY_TEXT_BYTES];
    char error[ENTRY_ERROR_BYTES];
};

struct connection_entry {
    Saddle__V1__Connection message;
    char application[ENTRY_TEXT_BYTES], service[ENTRY_TEXT_BYTES], peer[ENTRY_TEXT_BYTES];
    char address[ADDRESS_TEXT_BYTES], error[ENTRY_ERROR_BYTES];
};

struct region_entry {
    Saddle__V1__Region message;
    char application[ENTRY_TEXT_BYTES];
    char *rights[ENTRY_RIGHTS];
};

void entry_of_peer(void *entry, const struct view_page *page, uint32_t index, const char *engine);
void entry_of_flow(void *entry, const struct view_page *page, uint32_t index, const char *engine);
void entry_of_connection(void *entry, const struct view_page *page, uint32_t index,
                         const char *engine);
void entry_of_region(void *entry, const struct view_page *page, uint32_t index, const char *engine);

#endif
