/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/page.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void page_wrong_token(struct rpc_call *call)
{
    rpc_end(call, RPC_INVALID_ARGUMENT, "page_token: it is none of a page before");
}

/* Takes a token apart at its first colon: no owner's name has one. */
static int parse_token(struct page *page, const char *token)
{
    const char *colon = strchr(token, ':');
    size_t length = colon ? (size_t)(colon - token) : 0;

    if (length == 0 || length >= sizeof(page->owner) || strlen(colon + 1) >= sizeof(page->place))
        return -EINVAL;
    memcpy(page->owner, token, length);
    memcpy(page->place, colon + 1, strlen(colon + 1));
    return 0;
}

int page_parse(struct page *page, struct rpc_call *call, uint32_t size, const char *token)
{
    *page = (struct page){.size = size ? size : PAGE_DEFAULT, .first = *token == '\0'};
    if (size > PAGE_MAX) {
        rpc_end(call, RPC_INVALID_ARGUMENT, "page_size: %u, and at most %u are to be had", size,
                PAGE_MAX);
        return -EINVAL;
    }
    if (page->first || !parse_token(page, token))
        return 0;
    page_wrong_token(call);
    return -EINVAL;
}

void page_token(char token[PAGE_TOKEN_BYTES], const char *owner, const char *place)
{
    token[0] = '\0';
    if (owner)
        snprintf(token, PAGE_TOKEN_BYTES, "%s:%s", owner, place);
}
