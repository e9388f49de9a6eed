/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/upgrade_items.h"

#include "tools/bench/pattern.h"

#include <stddef.h>
#include <string.h>

#define MANY        204800u
#define BATCH       4u /* entries, from the second on; the first is read through alone, */
#define BATCH_BYTES 3000u
#define BATCH_FIRST 1u
#define SCANNED     (MIX_ENTRIES - 1u) /* and the last is looked for */

/* ---- Messages ---- */

static struct tally *tally_of(const struct mix_aim *aim)
{
    return &aim->turn->lane->tallies[aim->direction][aim->item->stream];
}

static int post(const struct mix_aim *aim)
{
    struct saddle_op op = aim->op;
    op.tag |= 1ull << MIX_TAG_POST;
    int rc = saddle_post_recv(aim->to->channel, aim->to_handle, aim->to->in + aim->offset,
                              aim->item->bytes, &op);
    aim->state->posted = rc == 0;
    return rc;
}

static int send_message(const struct mix_aim *aim, uint64_t flags)
{
    struct tally *tally = tally_of(aim);
    struct saddle_op op = aim->op;
    uint8_t *data = aim->from->out + aim->offset;
    uint64_t number = tally->sent;
    memcpy(data, &number, sizeof(number));
    pattern_fill(data + sizeof(number), aim->item->bytes - sizeof(number),
                 mix_message_key(aim->mix, aim->turn->lane, aim->direction, aim->item->stream,
                                 number));
    op.flags = flags;
    int rc = saddle_send(aim->from->channel, aim->from_handle, data, aim->item->bytes, &op);
    if (rc)
        return rc;
    aim->state->number = number;
    tally->sent++;
    return 0;
}

static int begin_message(const struct mix_aim *aim)
{
    int rc = aim->item->bytes > MIX_EAGER && !aim->state->posted ? post(aim) : 0;
    return rc ? rc : send_message(aim, 0);
}

static int begin_unordered(const struct mix_aim *aim)
{
    return send_message(aim, SADDLE_UNORDERED);
}

/* ---- One-sided operations ---- */

static void compare(const struct mix_aim *aim, const uint8_t *bytes)
{
    size_t wrong = pattern_check(bytes, aim->item->bytes, aim->state->key);
    if (wrong < aim->item->bytes)
        mix_fault(aim->mix, "%s of %u bytes: byte %zu is wrong", aim->item->name, aim->item->bytes,
                  wrong);
    else
        aim->mix->ops->operation(aim->mix->context);
}

static void provide(const struct mix_aim *aim)
{
    pattern_fill(aim->to->exposed + aim->offset, aim->item->bytes, aim->state->key);
}

static int begin_read(const struct mix_aim *aim)
{
    provide(aim);
    return saddle_read(aim->from->channel, aim->from_handle, aim->to->key, aim->offset,
                       aim->from->in + aim->offset, aim->item->bytes, &aim->op);
}

static void check_read(const struct mix_aim *aim, const struct saddle_completion *event)
{
    (void)event;
    compare(aim, aim->from->in + aim->offset);
}

static int begin_write(const struct mix_aim *aim)
{
    uint8_t *data = aim->from->out + aim->offset;
    pattern_fill(data, aim->item->bytes, aim->state->key);
    return saddle_write(aim->from->channel, aim->from_handle, aim->to->key, aim->offset, data,
                        aim->item->bytes, &aim->op);
}

static void check_write(const struct mix_aim *aim, const struct saddle_completion *event)
{
    (void)event;
    compare(aim, aim->to->exposed + aim->offset);
}

/* ---- By way of a table ---- */

static uint64_t part_offset(const struct mix_aim *aim)
{
    return offsetof(struct mix_table, parts) + aim->place * sizeof(struct mix_part);
}

static uint64_t entry_offset(const struct mix_aim *aim, uint32_t index)
{
    return part_offset(aim) + offsetof(struct mix_part, entries) +
           index * sizeof(struct saddle_match);
}

static uint64_t pointer_offset(const struct mix_aim *aim, uint32_t index)
{
    return entry_offset(aim, index) + offsetof(struct saddle_match, pointer);
}

static struct saddle_match *entry_of(const struct mix_aim *aim, uint32_t index)
{
    return &aim->to->table->parts[aim->place].entries[index];
}

static int begin_indirect(const struct mix_aim *aim)
{
    provide(aim);
    saddle_pointer_set(&entry_of(aim, 0)->pointer, aim->to->key, aim->offset, aim->item->bytes);
    return saddle_read_indirect(aim->from->channel, aim->from_handle, aim->to->table_key,
                                pointer_offset(aim, 0), aim->from->in + aim->offset,
                                aim->item->bytes, &aim->op);
}

static void check_found(const struct mix_aim *aim, const struct saddle_completion *event)
{
    if (event->len != aim->item->bytes)
        mix_fault(aim->mix, "%s: %zu bytes, not %u", aim->item->name, event->len, aim->item->bytes);
    else
        compare(aim, aim->from->in + aim->offset);
}

static int begin_batch(const struct mix_aim *aim)
{
    uint64_t offsets[BATCH];
    provide(aim);
    for (uint32_t i = 0; i < BATCH; i++) {
        saddle_pointer_set(&entry_of(aim, BATCH_FIRST + i)->pointer, aim->to->key,
                           aim->offset + i * BATCH_BYTES, BATCH_BYTES);
        offsets[i] = pointer_offset(aim, BATCH_FIRST + i);
    }
    return saddle_read_batch(aim->from->channel, aim->from_handle, aim->to->table_key, offsets,
                             BATCH, aim->from->in + aim->offset, BATCH_BYTES, &aim->op);
}

static void check_batch(const struct mix_aim *aim, const struct saddle_completion *event)
{
    struct saddle_read_item items[BATCH];
    int count = saddle_read_items(event, items, BATCH);
    if (count != (int)BATCH) {
        mix_fault(aim->mix, "%s: %d items", aim->item->name, count);
        return;
    }
    for (uint32_t i = 0; i < BATCH; i++) {
        if (items[i].status || items[i].length != BATCH_BYTES) {
            mix_fault(aim->mix, "%s: item %u: %s, %u bytes", aim->item->name, i,
                      strerror(-items[i].status), items[i].length);
            return;
        }
    }
    compare(aim, aim->from->in + aim->offset);
}

static int begin_scan(const struct mix_aim *aim)
{
    provide(aim);
    saddle_match_set(entry_of(aim, SCANNED), aim->state->key, aim->to->key, aim->offset,
                     aim->item->bytes);
    return saddle_scan_read(aim->from->channel, aim->from_handle, aim->to->table_key,
                            entry_offset(aim, 0), MIX_ENTRIES, aim->state->key,
                            aim->from->in + aim->offset, aim->item->bytes, &aim->op);
}

static void check_scan(const struct mix_aim *aim, const struct saddle_completion *event)
{
    if (event->value != SCANNED)
        mix_fault(aim->mix, "%s: found at %llu", aim->item->name, (unsigned long long)event->value);
    else
        check_found(aim, event);
}

/* ---- Atomic ones ---- */

static uint64_t *swapped(const struct mix_aim *aim)
{
    return &aim->to->table->parts[aim->place].swapped;
}

/* The word counts the swaps, of which there is one at a time. */
static int begin_swap(const struct mix_aim *aim)
{
    uint64_t before = *swapped(aim);
    int rc = saddle_compare_swap(aim->from->channel, aim->from_handle, aim->to->table_key,
                                 part_offset(aim) + offsetof(struct mix_part, swapped), before,
                                 before + 1, &aim->op);
    if (!rc)
        aim->state->number = before;
    return rc;
}

static void check_swap(const struct mix_aim *aim, const struct saddle_completion *event)
{
    uint64_t before = aim->state->number, after = *swapped(aim);
    if (event->value == before + 1 && after == before + 1)
        aim->mix->faults.duplicated++;
    else if (event->value == before && after == before)
        aim->mix->faults.lost++;
    else if (event->value != before || after != before + 1)
        mix_fault(aim->mix, "%s: found %llu and left %llu where %llu was", aim->item->name,
                  (unsigned long long)event->value, (unsigned long long)after,
                  (unsigned long long)before);
    else
        aim->mix->ops->operation(aim->mix->context);
}

static int begin_add(const struct mix_aim *aim)
{
    int rc = saddle_fetch_add(aim->from->channel, aim->from_handle, aim->to->table_key,
                              offsetof(struct mix_table, sum), 1, &aim->op);
    if (!rc)
        aim->to->adds_begun++;
    return rc;
}

static void check_add(const struct mix_aim *aim, const struct saddle_completion *event)
{
    aim->to->adds_done++;
    if (event->value >= aim->to->adds_begun)
        mix_fault(aim->mix, "%s: found %llu after %llu additions", aim->item->name,
                  (unsigned long long)event->value, (unsigned long long)aim->to->adds_begun);
    else
        aim->mix->ops->operation(aim->mix->context);
}

/* ---- All of them ---- */

const struct mix_item mix_items[] = {
    {"message", begin_message, NULL, 64, 0, 1, 0},
    {"message", begin_message, NULL, 1000, 0, 1, 0},
    {"message", begin_message, NULL, MANY, 0, 4, 0},
    {"message", begin_message, NULL, 5000, 1, 1, 0},
    {"message", begin_message, NULL, MIX_EAGER, 1, 2, 0},
    {"message", begin_message, NULL, 8, 1, 1, 0},
    {"message", begin_message, NULL, 24, 2, 1, 0},
    {"message", begin_message, NULL, MIX_EAGER + 1, 2, 4, 2},
    {"unordered message", begin_unordered, NULL, 5000, MIX_UNORDERED, 1, 0},
    {"unordered message", begin_unordered, NULL, 100, MIX_UNORDERED, 1, 0},
    {"unordered message", begin_unordered, NULL, 3000, MIX_UNORDERED, 1, 0},
    {"read", begin_read, check_read, 1000, 0, 1, 0},
    {"read", begin_read, check_read, 100000, 0, 4, 1},
    {"write", begin_write, check_write, 40, 0, 1, 0},
    {"write", begin_write, check_write, 100000, 0, 4, 3},
    {"indirect read", begin_indirect, check_found, 9000, 0, 1, 0},
    {"batched read", begin_batch, check_batch, BATCH *BATCH_BYTES, 0, 2, 1},
    {"scan and read", begin_scan, check_scan, 2000, 0, 1, 0},
    {"compare and swap", begin_swap, check_swap, 8, 0, 1, 0},
    {"fetch and add", begin_add, check_add, 8, 0, 1, 0},
    {"fetch and add", begin_add, check_add, 8, 0, 1, 0},
};
const uint32_t mix_item_count = sizeof(mix_items) / sizeof(mix_items[0]);
_Static_assert(sizeof(mix_items) / sizeof(mix_items[0]) <= MIX_ITEMS, "a turn has room for them");
