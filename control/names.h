/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* The names in a request that asks for some of the plant's things, or for all of them. */
#ifndef CONTROL_NAMES_H
#define CONTROL_NAMES_H

#include "control/plant.h"
#include "control/rpc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether the list asks for this one; an empty list asks for all. */
bool names_ask_for(char *const *names, size_t count, const char *name);
/* Ends the call and answers false if there are more names than there can be things, or one is of
 * none of the things known: of no `what` ("engine"). */
bool names_known(struct rpc_call *call, const char *what, char *const *names, size_t count,
                 const char *const known[PLANT_MAX], uint32_t known_count);

#endif
