/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/names.h"

#include "engines/pony/service.h"

#include <string.h>

uint16_t names_take(struct names *names, const char *name, uint32_t length)
{
    uint32_t hash = service_hash(name, length), place = NAMES_MAX;

    if (length == 0 || length >= SADDLE_NAME_BYTES)
        return 0;
    for (uint32_t i = 0; i < NAMES_MAX; i++) {
        if (names->uses[i] == 0) {
            place = place == NAMES_MAX ? i : place;
        } else if (names->hashes[i] == hash && memcmp(names->texts[i], name, length) == 0 &&
                   names->texts[i][length] == '\0') {
            names->uses[i]++;
            return (uint16_t)(i + 1);
        }
    }
    if (place == NAMES_MAX)
        return 0;
    names->hashes[place] = hash;
    names->uses[place] = 1;
    memcpy(names->texts[place], name, length);
    names->texts[place][length] = '\0';
    return (uint16_t)(place + 1);
}

void names_give(struct names *names, uint16_t number)
{
    if (number)
        names->uses[number - 1]--;
}

const char *names_text(const struct names *names, uint16_t number)
{
    return number ? names->texts[number - 1] : "";
}
