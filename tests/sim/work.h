/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What an application does: calls others, sends messages of all sizes on several streams, reads and
 * writes what they expose, also by way of tables and atomically, closes and calls again, and does
 * wrong things that must be refused.
 *
 * Threads: one. Draws from the application's own stream of randomness.
 */
#ifndef TESTS_SIM_WORK_H
#define TESTS_SIM_WORK_H

#include "tests/sim/app.h"

/* Begins operations until the application has as many as it wants, or the run as many as it
 * should. */
void work_step(struct app *app);
/* Says hello on a connection. */
bool work_hello(struct app *app, struct connection_end *end);
/* Cancels an operation of the application. False if there is no room for that. */
bool work_cancel(struct app *app, struct operation *target);

#endif
