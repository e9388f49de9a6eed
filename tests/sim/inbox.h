/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes to an application: completions, callers, messages; and what it owes in answer.
 *
 * Threads: one.
 */
#ifndef TESTS_SIM_INBOX_H
#define TESTS_SIM_INBOX_H

#include "tests/sim/app.h"

/* Takes all events there are. */
void inbox_poll(struct app *app);
/* Does what is due: accepts and rejects, says hello, posts buffers, closes. */
void inbox_settle(struct app *app);
/* Gives back the messages it kept. */
void inbox_release(struct app *app);

#endif
