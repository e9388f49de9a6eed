/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/gather.h"

#include "engines/elements/crc32c.h"

#include <string.h>

static bool pieces_fit(const struct pony_session *session, const struct saddle_gather *pieces,
                       uint32_t count, uint32_t len)
{
    uint64_t sum = 0;

    if (count == 0 || count > SADDLE_SEGMENTS_MAX)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (pieces[i].len == 0 || pieces[i].reserved != 0 ||
            !session_owns(session, pieces[i].offset, pieces[i].len))
            return false;
        sum += pieces[i].len;
    }
    return sum == len;
}

int gather_make(struct pony_session *session, const struct saddle_gather *pieces, uint32_t count,
                uint32_t len, struct gather **result)
{
    struct upper *upper = session->upper;

    if (!pieces_fit(session, pieces, count, len))
        return -EINVAL;
    uint32_t index = share_allows(&upper->gather_share, session->gather_count)
                         ? pool_take(&upper->gather_pool)
                         : POOL_NONE;
    if (index == POOL_NONE)
        return -ENOBUFS;
    struct gather *gather = &upper->gathers[index];
    gather->count = count;
    memcpy(gather->pieces, pieces, count * sizeof(pieces[0]));
    share_take(&upper->gather_share, &session->gather_count);
    *result = gather;
    return 0;
}

int gather_take(struct pony_session *session, const struct saddle_command *command,
                struct gather **gather)
{
    struct saddle_gather pieces[SADDLE_SEGMENTS_MAX];
    uint32_t count = command->slot;

    if (count > SADDLE_SEGMENTS_MAX ||
        !session_owns(session, command->buf, count * sizeof(pieces[0])))
        return -EINVAL;
    memcpy(pieces, session->config.arena + command->buf, count * sizeof(pieces[0]));
    return gather_make(session, pieces, count, command->len, gather);
}

void gather_give(struct pony_session *session, struct gather *gather)
{
    struct upper *upper = session->upper;

    gather->count = 0;
    share_give(&upper->gather_share, &session->gather_count);
    pool_give(&upper->gather_pool, (uint32_t)(gather - upper->gathers));
}

uint32_t gather_copy(const struct pony_session *session, const struct gather *gather,
                     uint32_t offset, uint8_t *to, uint32_t bytes, uint32_t crc)
{
    const struct saddle_gather *piece = gather->pieces;

    for (; offset >= piece->len; piece++)
        offset -= piece->len;
    for (; bytes > 0; piece++) {
        uint32_t part = piece->len - offset < bytes ? piece->len - offset : bytes;
        crc = crc32c_copy(crc, to, session->config.arena + piece->offset + offset, part);
        to += part;
        bytes -= part;
        offset = 0;
    }
    return crc;
}
