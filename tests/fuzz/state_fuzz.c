/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Saved state that somebody else wrote, for each kind of engine.
 *
 * Input: a byte that says which kind (states.h), then a document, whose length and checksum are
 * made right. Whatever is taken is worked on with.
 */
#include "tests/unit/engines/states.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *document;

    states_start();
    if (size < 1 + STATES_HEADER_BYTES)
        return 0;
    document = malloc(size - 1);
    if (!document)
        abort();
    memcpy(document, data + 1, size - 1);
    states_seal(document, size - 1);
    states_try((enum states_kind)(data[0] % STATES_KINDS), document, size - 1);
    free(document);
    return 0;
}
