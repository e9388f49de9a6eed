/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The purses of users who have sessions (engines/pony/purse.h), also while they have no quota of
 * time: they may get one.
 *
 * Ownership: a purse exists as long as sessions hold it. Threads: control's.
 */
#ifndef CONTROL_PURSES_H
#define CONTROL_PURSES_H

#include "engines/pony/purse.h"

/* An account in the purse of a user, whose quota is `share` from now on: 0 with the purse and the
 * account's place in it, or -ENOMEM. */
int purses_take(uint32_t uid, uint32_t share, struct purse **purse, uint32_t *place);
/* The quota of every user is another one; 0: there is none. Engines see it in their next round. */
void purses_set_share(uint32_t share);
/* Gives it back; no engine knows of it any more. NULL is fine. */
void purses_give(struct purse *purse, uint32_t place);

#endif
