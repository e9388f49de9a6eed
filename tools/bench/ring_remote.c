/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/ring_remote.h"

#include "tools/bench/bench.h"
#include "tools/bench/ring_meter.h"

#include <errno.h>
#include <stdlib.h>

#define EVENTS    32
#define NS_PER_MS 1000000ull

/* ---- What the right end exposes ---- */

static int expose(struct remote *r, void *memory, size_t bytes, uint32_t rights, saddle_key *key)
{
    int rc = saddle_expose_wait(r->pair.ends[PAIR_RIGHT].channel, memory, bytes, rights,
                                (int)RING_PATIENCE_MS, key);
    return rc ? pair_error(&r->pair, PAIR_RIGHT, r->shared, rc, "exposing a region") : 0;
}

static int provide(struct remote *r)
{
    const struct remote_kind *kind = r->kind;
    struct saddle_session *right = r->pair.ends[PAIR_RIGHT].session;
    size_t table_bytes = (size_t)r->places * kind->entry_bytes;
    r->region = saddle_alloc(right, r->region_bytes);
    if (table_bytes)
        r->table = saddle_alloc(right, table_bytes);
    if (!r->region || (table_bytes && !r->table))
        return ring_error(r->shared, -ENOMEM, "the session has no room for a region");
    kind->fill(r);
    int rc = expose(r, r->region, r->region_bytes, kind->rights, &r->key);
    if (rc || !table_bytes)
        return rc;
    kind->fill_table(r);
    return expose(r, r->table, table_bytes, SADDLE_READABLE, &r->table_key);
}

static int prepare(struct remote *r)
{
    const struct ring_case *what = &r->shared->what;
    size_t buffers = (size_t)what->window * r->kind->per_slot * what->bytes;
    size_t all = (size_t)what->slots * what->bytes;
    r->region_bytes = all > REMOTE_REGION_BYTES ? all : REMOTE_REGION_BYTES;
    r->places = (uint32_t)(r->region_bytes / what->bytes);
    r->turns = r->places / what->window;
    int rc = pair_open(&r->pair, r->shared, 0,
                       r->region_bytes + (uint64_t)r->places * r->kind->entry_bytes + buffers);
    if (rc)
        return rc;
    r->buffers = saddle_alloc(r->pair.ends[PAIR_LEFT].session, buffers);
    r->slots = calloc(what->window, sizeof(*r->slots));
    r->free_slots = calloc(what->window, sizeof(*r->free_slots));
    if (!r->buffers || !r->slots || !r->free_slots)
        return ring_error(r->shared, -ENOMEM, "no memory for %u operations", what->window);
    for (uint32_t slot = 0; slot < what->window; slot++)
        r->free_slots[r->free_count++] = slot;
    return provide(r);
}

/* ---- Operations ---- */

static int begin(struct remote *r)
{
    while (r->free_count > 0) {
        uint32_t slot = r->free_slots[r->free_count - 1];
        const struct saddle_op op = {.size = sizeof(op), .tag = slot};
        int rc = r->kind->begin(r, slot, &op);
        if (rc == -EAGAIN)
            return 0;
        if (rc)
            return pair_error(&r->pair, PAIR_LEFT, r->shared, rc, r->kind->what);
        r->free_count--;
        r->begun++;
    }
    return 0;
}

static void move_on(const struct remote *r, struct remote_slot *slot)
{
    if (++slot->turn < r->turns)
        return;
    slot->turn = 0;
    slot->visits++;
}

static int end_one(struct remote *r, const struct saddle_completion *event)
{
    uint32_t slot = (uint32_t)event->tag;
    if (event->kind != SADDLE_DONE || event->status)
        return pair_error(&r->pair, PAIR_LEFT, r->shared,
                          event->status ? event->status : -ECONNRESET, r->kind->what);
    if (!r->kind->is_right(r, slot, event))
        return ring_error(r->shared, -EBADMSG,
                          "%s: visit %llu of slot %u to place %u of its own "
                          "came out wrong",
                          r->kind->what, (unsigned long long)r->slots[slot].visits, slot,
                          r->slots[slot].turn);
    move_on(r, &r->slots[slot]);
    r->free_slots[r->free_count++] = slot;
    r->done++;
    return 0;
}

/* Nothing has ended: sleeps, if this case does. */
static int await(struct remote *r, uint64_t now)
{
    if (now > r->moved_ns + RING_PATIENCE_MS * NS_PER_MS)
        return ring_error(r->shared, -ETIMEDOUT, "%s stands still after %llu", r->kind->what,
                          (unsigned long long)r->done);
    int rc = r->shared->what.waits ? pair_sleep(&r->pair) : 0;
    return rc ? pair_error(&r->pair, PAIR_LEFT, r->shared, rc, "waiting") : 0;
}

static int end_some(struct remote *r, uint64_t now)
{
    struct saddle_completion events[EVENTS];
    int rc = 0, taken = saddle_poll(r->pair.ends[PAIR_LEFT].channel, events, EVENTS);
    if (taken < 0)
        return pair_error(&r->pair, PAIR_LEFT, r->shared, taken, r->kind->what);
    for (int i = 0; i < taken && !rc; i++)
        rc = end_one(r, &events[i]);
    if (taken == 0)
        return await(r, now);
    r->moved_ns = now;
    return rc;
}

static int go_on(struct remote *r, uint64_t until_ns)
{
    uint64_t now = bench_now(), least = r->done + RING_LEAST;
    int rc = 0;
    r->moved_ns = now;
    while (!rc && (now < until_ns || r->done < least)) {
        rc = begin(r);
        if (!rc)
            rc = end_some(r, now);
        now = bench_now();
    }
    return rc;
}

static int measure(struct remote *r)
{
    struct ring_meter meter;
    int rc = go_on(r, bench_now() + ring_warm_up_ns(r->shared));
    if (rc)
        return rc;
    meter_start(&meter, r->shared, r->done);
    rc = go_on(r, bench_now() + ring_length_ns(r->shared));
    meter_stop(&meter, r->shared, r->done);
    while (!rc && r->done < r->begun)
        rc = end_some(r, bench_now());
    r->shared->result.checked = r->done;
    return rc;
}

int ring_remote(struct ring_shared *shared)
{
    struct remote *r = calloc(1, sizeof(*r));
    if (!r)
        return ring_error(shared, -ENOMEM, "no memory");
    r->shared = shared;
    r->kind = remote_kind(shared->what.work);
    int rc = prepare(r);
    if (!rc)
        rc = measure(r);
    pair_close(&r->pair);
    free(r->slots);
    free(r->free_slots);
    free(r);
    return rc;
}
