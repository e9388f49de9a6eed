/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/tally.h"

bool tally_arrived(struct tally *tally, uint64_t number, bool ordered, struct tally_faults *faults)
{
    if (number >= tally->sent)
        return false;
    if (number >= tally->next) {
        uint64_t by = number + 1 - tally->next;
        tally->seen = by < TALLY_WINDOW ? tally->seen << by | 1 : 1;
        tally->next = number + 1;
        tally->distinct++;
        return true;
    }
    uint64_t age = tally->next - 1 - number;
    if (age >= TALLY_WINDOW || tally->seen >> age & 1) {
        faults->duplicated++;
        return true;
    }
    tally->seen |= 1ull << age;
    tally->distinct++;
    if (ordered)
        faults->reordered++;
    return true;
}

void tally_end(const struct tally *tally, struct tally_faults *faults)
{
    faults->lost += tally->sent - tally->distinct;
}

void tally_compare(uint64_t done, uint64_t asked, uint64_t told, struct tally_faults *faults)
{
    if (done < told)
        faults->lost += told - done;
    else if (done > asked)
        faults->duplicated += done - asked;
}
