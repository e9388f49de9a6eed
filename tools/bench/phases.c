/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/phases.h"

#include <errno.h>
#include <stdlib.h>

#define ROOM_FIRST 1024u /* samples: some seconds of probing */

enum phase phase_of(const struct phase_sample *sample, const struct phase_marks *marks)
{
    uint64_t done_ns = sample->due_ns + sample->took_ns;
    if (done_ns <= marks->begun_ns || sample->due_ns >= marks->over_ns)
        return PHASE_NORMAL;
    return done_ns <= marks->blackout_ns ? PHASE_BROWNOUT : PHASE_NEITHER;
}

static int make_room(struct phase_samples *samples)
{
    uint64_t room = samples->room ? 2 * (uint64_t)samples->room : ROOM_FIRST;
    uint64_t *ns = room > UINT32_MAX ? NULL : reallocarray(samples->ns, room, sizeof(*ns));
    if (!ns)
        return -ENOMEM;
    samples->ns = ns;
    samples->room = (uint32_t)room;
    return 0;
}

int phases_add(struct phases *phases, const struct phase_sample *sample,
               const struct phase_marks *marks)
{
    enum phase phase = phase_of(sample, marks);
    if (phase == PHASE_NEITHER)
        return 0;
    struct phase_samples *samples = &phases->of[phase];
    if (samples->count == samples->room && make_room(samples))
        return -ENOMEM;
    samples->ns[samples->count++] = sample->took_ns;
    return 0;
}

void phases_free(struct phases *phases)
{
    for (uint32_t i = 0; i < PHASES; i++)
        free(phases->of[i].ns);
    *phases = (struct phases){0};
}
