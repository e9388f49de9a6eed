/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages of long lists, as saddle/v1/pony.proto has them: sizes, and the tokens that say where the
 * next one begins, "OWNER:PLACE". The owner is an engine or a port, and owners are gone through in
 * the order of their names: so an owner that comes or goes moves no other.
 *
 * Plain data. Threads: control's. Trust: sizes and tokens are strangers' words.
 */
#ifndef CONTROL_PAGE_H
#define CONTROL_PAGE_H

#include "control/rpc.h"

#include <stdint.h>

#define PAGE_DEFAULT     100u
#define PAGE_MAX         1000u
#define PAGE_OWNER_BYTES 64u
#define PAGE_PLACE_BYTES 40u
#define PAGE_TOKEN_BYTES (PAGE_OWNER_BYTES + PAGE_PLACE_BYTES)

/* How often an engine is asked for one page, which then may be shorter than was wished for: what
 * others wait for meanwhile. Enough for a page of PAGE_MAX where little of a table is free. */
#define PAGE_ASKS_MAX 128u

struct page {
    uint32_t size;                /* entries that are wished for */
    bool first;                   /* there was no token */
    char owner[PAGE_OWNER_BYTES]; /* where to begin; of the first page "": before all */
    char place[PAGE_PLACE_BYTES]; /* of the owner's table; "": its beginning */
};

/* 0, or -EINVAL after it ended the call with INVALID_ARGUMENT. */
int page_parse(struct page *page, struct rpc_call *call, uint32_t size, const char *token);
/* "" if `owner` is NULL: there is no further page. */
void page_token(char token[PAGE_TOKEN_BYTES], const char *owner, const char *place);
/* Ends the call: the token's place is none. */
void page_wrong_token(struct rpc_call *call);

#endif
