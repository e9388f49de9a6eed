/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/decisions.h"

#include <stdio.h>
#include <string.h>

union record {
    struct decision decision;
    uint64_t words[DECISION_WORDS];
};

void decisions_init(struct decisions *decisions)
{
    static _Atomic uint64_t serials;

    memset(decisions, 0, sizeof(*decisions));
    decisions->serial = atomic_fetch_add_explicit(&serials, 1, memory_order_relaxed) + 1;
    tape_init(&decisions->tape, decisions->words, DECISIONS_KEPT, DECISION_WORDS);
}

void decisions_add(struct decisions *decisions, uint64_t now, const char *engine,
                   const struct balance_move *move)
{
    _Atomic uint64_t *count = &decisions->counts[move->action];
    union record record = {.words = {0}};

    record.decision.at_ns = now;
    snprintf(record.decision.engine, ENGINE_NAME_BYTES, "%s", engine);
    record.decision.move = *move;
    tape_write(&decisions->tape, record.words);
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

void decisions_begin(const struct decisions *decisions, struct decisions_place *place)
{
    *place = (struct decisions_place){.serial = decisions->serial};
}

bool decisions_read(const struct decisions *decisions, struct decisions_place *place,
                    struct decision *decision, uint64_t *lost)
{
    union record record;

    if (place->serial != decisions->serial)
        decisions_begin(decisions, place);
    if (!tape_read(&decisions->tape, &place->position, record.words, lost))
        return false;
    *decision = record.decision;
    return true;
}

uint64_t decisions_count(const struct decisions *decisions, enum balance_action action)
{
    return atomic_load_explicit(&decisions->counts[action], memory_order_relaxed);
}
