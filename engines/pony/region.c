/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/region.h"

/* What regions of a session's version of the ABI can grant. */
static uint64_t rights_known(const struct pony_session *session)
{
    uint64_t rights = SADDLE_RIGHT_READ | SADDLE_RIGHT_WRITE;

    return session->config.abi < SADDLE_ABI_ONESIDED ? rights : rights | SADDLE_RIGHT_ATOMIC;
}

static struct region *region_find(struct pony_session *session, uint64_t key)
{
    uint32_t index = (uint32_t)(key & REGION_INDEX_MASK);

    if (index >= session->upper->regions_max)
        return NULL;
    struct region *region = &session->upper->regions[index];
    return region->session == session && region->key == key ? region : NULL;
}

static void region_free(struct region *region)
{
    struct upper *upper = region->session->upper;

    share_give(&upper->region_share, &region->session->region_count);
    region->session->exposed -= region->len;
    region->session = NULL;
    pool_give(&upper->region_pool, (uint32_t)(region - upper->regions));
}

static bool within_quota(const struct pony_session *session, uint32_t len)
{
    const struct pony_grant *grant = &session->config.grant;

    return session_quota_allows(session->region_count, grant->regions) &&
           (grant->exposed == 0 ||
            (session->exposed <= grant->exposed && len <= grant->exposed - session->exposed));
}

static int region_check(struct pony_session *session, const struct saddle_command *command)
{
    struct upper *upper = session->upper;

    if (command->len == 0 || command->key == 0 || (command->key & ~rights_known(session)) ||
        !session_owns(session, command->buf, command->len))
        return -EINVAL;
    if (!within_quota(session, command->len)) {
        counter_add(&upper->counters.over_quota, 1);
        return -EDQUOT;
    }
    if (!share_allows(&upper->region_share, session->region_count) || upper->region_pool.free == 0)
        return -ENOSPC;
    return 0;
}

void region_expose(struct pony_session *session, uint32_t channel,
                   const struct saddle_command *command)
{
    struct upper *upper = session->upper;
    int error = region_check(session, command);

    if (error) {
        session_answer(session, channel, command, error, 0, 0);
        return;
    }
    uint32_t index = pool_take(&upper->region_pool);
    struct region *region = &upper->regions[index];
    share_take(&upper->region_share, &session->region_count);
    region->generation = generation_next(region->generation);
    region->session = session;
    region->key = (rng_u64(upper->rng) << (2 * REGION_INDEX_BITS)) |
                  (uint64_t)region->generation << REGION_INDEX_BITS | index;
    region->buf = command->buf;
    region->len = command->len;
    region->rights = (uint32_t)command->key;
    session->exposed += region->len;
    region->reads = 0;
    region->writes = 0;
    region->bytes = 0;
    session_answer(session, channel, command, 0, 0, region->key);
}

void region_revoke(struct pony_session *session, uint32_t channel,
                   const struct saddle_command *command)
{
    struct region *region = region_find(session, command->key);

    if (region)
        region_free(region);
    session_answer(session, channel, command, region ? 0 : -EACCES, 0, command->key);
}

int region_access(struct pony_session *session, uint64_t key, uint32_t right, uint64_t offset,
                  uint32_t len, uint8_t **memory)
{
    const struct region *region = region_find(session, key);

    if (!region || !(region->rights & right))
        return -EACCES;
    if (len > region->len || offset > region->len - len)
        return -ERANGE;
    *memory = session->config.arena + region->buf + offset;
    return 0;
}

void region_served(struct pony_session *session, uint64_t key, uint32_t right, uint32_t bytes,
                   bool whole)
{
    struct region *region = region_find(session, key);

    if (!region)
        return;
    region->bytes += bytes;
    if (right == SADDLE_RIGHT_READ)
        region->reads += whole;
    else
        region->writes += whole;
}

void region_drop(struct pony_session *session)
{
    struct upper *upper = session->upper;

    for (uint32_t i = 0; i < pool_end(&upper->region_pool) && session->region_count > 0; i++)
        if (upper->regions[i].session == session)
            region_free(&upper->regions[i]);
}
