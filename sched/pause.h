/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What a spinning thread does between two looks that found nothing: it lets the processor rest for
 * a moment, for the sake of its sibling hyperthread and of power.
 *
 * Where the processor has WAITPKG it is TPAUSE, into the light state that is left within some tens
 * of nanoseconds, for about a microsecond; else the plain pause instruction. UMWAIT would watch one
 * address, and an engine has many inputs.
 *
 * Threads: any.
 */
#ifndef SCHED_PAUSE_H
#define SCHED_PAUSE_H

#include <stdbool.h>

/* Whether the processor has TPAUSE. */
bool pause_available(void);

/* Pauses once; with `deep` by TPAUSE if there is one. */
void pause_processor(bool deep);

#endif
