/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/upgrade_mix.h"

#include "tools/bench/pattern.h"
#include "tools/bench/upgrade_items.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define LINE   64u /* what saddle_alloc aligns to */
#define EVENTS 32  /* taken at a time */

/* A tag: the turn's place, the item, its direction, and the turn's serial number, so that an event
 * of a turn that is over is known. MIX_TAG_POST is one more bit. */
#define TAG_ITEM      8u
#define TAG_DIRECTION 16u
#define TAG_SERIAL    32u
#define SERIAL_MASK   0x7fffffffu /* tags from 0xffffffff00000000 are the library's */
#define BYTE_MASK     0xffu

uint64_t mix_message_key(const struct mix *mix, const struct mix_lane *lane, uint32_t direction,
                         uint32_t stream, uint64_t number)
{
    uint64_t lane_number = (uint64_t)(lane - mix->lanes);
    return pattern_key(lane_number * MIX_ENDS + direction, stream, number);
}

static size_t area_offset(uint32_t index)
{
    size_t offset = 0;
    for (uint32_t i = 0; i < index; i++)
        offset += (mix_items[i].bytes + LINE - 1) / LINE * LINE;
    return offset;
}

size_t mix_area_bytes(void)
{
    return MIX_TURNS * area_offset(mix_item_count);
}

size_t mix_table_bytes(void)
{
    return sizeof(struct mix_table);
}

int mix_allocate(struct mix_end *end)
{
    end->out = saddle_alloc(end->session, mix_area_bytes());
    end->in = saddle_alloc(end->session, mix_area_bytes());
    end->exposed = saddle_alloc(end->session, mix_area_bytes());
    end->table = saddle_alloc(end->session, sizeof(struct mix_table));
    if (!end->out || !end->in || !end->exposed || !end->table)
        return -ENOMEM;
    memset(end->table, 0, sizeof(*end->table));
    return 0;
}

static struct mix_aim aim_at(struct mix *mix, struct mix_turn *turn, uint32_t direction,
                             uint32_t index)
{
    uint32_t place = (uint32_t)(turn - mix->turns), other = 1 - direction;
    return (struct mix_aim){
        .mix = mix,
        .turn = turn,
        .item = &mix_items[index],
        .state = &turn->states[direction][index],
        .from = &mix->ends[direction],
        .to = &mix->ends[other],
        .from_handle = turn->lane->handles[direction],
        .to_handle = turn->lane->handles[other],
        .direction = direction,
        .place = place,
        .offset = place * area_offset(mix_item_count) + area_offset(index),
        .op = {.size = sizeof(struct saddle_op),
               .tag = (turn->serial & SERIAL_MASK) << TAG_SERIAL |
                      (uint64_t)direction << TAG_DIRECTION | (uint64_t)index << TAG_ITEM | place,
               .stream = mix_items[index].stream},
    };
}

static bool is_due(const struct mix_turn *turn, const struct mix_item *item)
{
    return turn->lane->rounds % item->every == item->phase;
}

static void start_turn(struct mix *mix, struct mix_turn *turn, struct mix_lane *lane,
                       uint64_t now_ns)
{
    *turn = (struct mix_turn){.lane = lane, .serial = ++mix->serial, .moved_ns = now_ns};
    lane->busy = true;
    for (uint32_t i = 0; i < mix_item_count; i++) {
        if (!is_due(turn, &mix_items[i]))
            continue;
        turn->left += MIX_ENDS * (mix_items[i].check ? 1 : 2);
        for (uint32_t direction = 0; direction < MIX_ENDS; direction++)
            turn->states[direction][i].key = pattern_key(mix->serial, direction, i);
    }
}

void mix_start(struct mix *mix, uint64_t now_ns)
{
    for (uint32_t i = 0; i < MIX_TURNS; i++) {
        struct mix_turn *turn = &mix->turns[i];
        for (uint32_t tries = 0; !turn->lane && tries < mix->lane_count; tries++) {
            struct mix_lane *lane = &mix->lanes[mix->next_lane];
            mix->next_lane = (mix->next_lane + 1) % mix->lane_count;
            if (!lane->busy)
                start_turn(mix, turn, lane, now_ns);
        }
    }
}

static void begin_direction(struct mix *mix, struct mix_turn *turn, uint32_t direction)
{
    while (turn->begun[direction] < mix_item_count && !mix->broken) {
        struct mix_aim aim = aim_at(mix, turn, direction, turn->begun[direction]);
        int rc = is_due(turn, aim.item) ? aim.item->begin(&aim) : 0;
        if (rc == -EAGAIN)
            return;
        if (rc) {
            mix_fault(mix, "%s of %u bytes: %s (%s)", aim.item->name, aim.item->bytes,
                      strerror(-rc), saddle_strerror(aim.from->session));
            mix->broken = true;
        }
        turn->begun[direction]++;
    }
}

void mix_begin(struct mix *mix)
{
    for (uint32_t i = 0; i < MIX_TURNS; i++) {
        for (uint32_t direction = 0; mix->turns[i].lane && direction < MIX_ENDS; direction++)
            begin_direction(mix, &mix->turns[i], direction);
    }
}

uint32_t mix_finish(struct mix *mix)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < MIX_TURNS; i++) {
        struct mix_turn *turn = &mix->turns[i];
        if (!turn->lane || turn->left > 0)
            continue;
        turn->lane->rounds++;
        turn->lane->busy = false;
        turn->lane = NULL;
        count++;
    }
    return count;
}

uint32_t mix_active(const struct mix *mix, uint64_t *oldest_ns)
{
    uint32_t count = 0;
    *oldest_ns = UINT64_MAX;
    for (uint32_t i = 0; i < MIX_TURNS; i++) {
        if (!mix->turns[i].lane)
            continue;
        count++;
        if (mix->turns[i].moved_ns < *oldest_ns)
            *oldest_ns = mix->turns[i].moved_ns;
    }
    return count;
}

/* ---- Events ---- */

/* Whose turn it is on a lane, or NULL. */
static struct mix_turn *turn_of(struct mix *mix, const struct mix_lane *lane)
{
    for (uint32_t i = 0; i < MIX_TURNS; i++) {
        if (mix->turns[i].lane == lane)
            return &mix->turns[i];
    }
    return NULL;
}

static struct mix_lane *lane_of(struct mix *mix, uint32_t end, saddle_handle handle)
{
    for (uint32_t i = 0; i < MIX_TURNS; i++) {
        if (mix->turns[i].lane && mix->turns[i].lane->handles[end] == handle)
            return mix->turns[i].lane;
    }
    for (uint32_t i = 0; i < mix->lane_count; i++) {
        if (mix->lanes[i].handles[end] == handle)
            return &mix->lanes[i];
    }
    return NULL;
}

/* Finds the item that a message is; what is none of the turn's has been told by its number. */
static void settle(struct mix *mix, struct mix_turn *turn, uint32_t direction,
                   const struct saddle_completion *event, uint64_t number)
{
    for (uint32_t i = 0; i < turn->begun[direction]; i++) {
        struct mix_state *state = &turn->states[direction][i];
        if (mix_items[i].check || mix_items[i].stream != event->stream || state->number != number ||
            !is_due(turn, &mix_items[i]) || state->arrived)
            continue;
        if (event->len != mix_items[i].bytes)
            mix_fault(mix, "message %llu of stream %u: %zu bytes, not %u",
                      (unsigned long long)number, event->stream, event->len, mix_items[i].bytes);
        state->arrived = true;
        turn->left--;
        return;
    }
}

static void on_arrived(struct mix *mix, uint32_t end, struct mix_lane *lane,
                       const struct saddle_completion *event, const uint8_t *data, uint64_t now_ns)
{
    uint32_t direction = 1 - end;
    uint64_t number;
    if (!lane || event->stream >= MIX_STREAMS || event->len < sizeof(number) ||
        (event->value == SADDLE_UNORDERED) != (event->stream == MIX_UNORDERED)) {
        mix_fault(mix, "a message of %zu bytes on stream %u that nobody sent", event->len,
                  event->stream);
        return;
    }
    memcpy(&number, data, sizeof(number));
    if (!tally_arrived(&lane->tallies[direction][event->stream], number,
                       event->stream != MIX_UNORDERED, &mix->faults)) {
        mix_fault(mix, "a message with a number that was not sent");
        return;
    }
    size_t len = event->len - sizeof(number);
    size_t wrong = pattern_check(data + sizeof(number), len,
                                 mix_message_key(mix, lane, direction, event->stream, number));
    if (wrong < len)
        mix_fault(mix, "message %llu of stream %u, %zu bytes: byte %zu is wrong",
                  (unsigned long long)number, event->stream, event->len, wrong + sizeof(number));
    else
        mix->ops->message(mix->context);
    struct mix_turn *turn = turn_of(mix, lane);
    if (turn) {
        turn->moved_ns = now_ns;
        settle(mix, turn, direction, event, number);
    }
}

/* False: nothing of the turns that are under way has this tag. */
static bool find_aim(struct mix *mix, uint64_t tag, struct mix_aim *aim)
{
    uint32_t place = tag & BYTE_MASK, index = tag >> TAG_ITEM & BYTE_MASK;
    uint32_t direction = tag >> TAG_DIRECTION & 1;
    if (place >= MIX_TURNS || !mix->turns[place].lane ||
        index >= mix->turns[place].begun[direction])
        return false;
    *aim = aim_at(mix, &mix->turns[place], direction, index);
    return aim->op.tag == (tag & ~(1ull << MIX_TAG_POST));
}

static void on_done(struct mix *mix, uint32_t end, const struct saddle_completion *event,
                    uint64_t now_ns)
{
    struct mix_aim aim;
    bool posted = event->tag >> MIX_TAG_POST & 1;
    if (!find_aim(mix, event->tag, &aim) ||
        (posted ? &mix->ends[end] != aim.to : &mix->ends[end] != aim.from)) {
        mix_fault(mix, "an event of no operation, or one's second: tag %llx, %s",
                  (unsigned long long)event->tag, strerror(-event->status));
        return;
    }
    aim.turn->moved_ns = now_ns;
    if (event->status) {
        mix_fault(mix, "%s of %u bytes: %s", aim.item->name, aim.item->bytes,
                  strerror(-event->status));
        mix->broken = true;
        return;
    }
    if (posted) {
        on_arrived(mix, end, aim.turn->lane, event, aim.to->in + aim.offset, now_ns);
        return;
    }
    if (aim.state->done) {
        mix_fault(mix, "%s of %u bytes: ended twice", aim.item->name, aim.item->bytes);
        return;
    }
    aim.state->done = true;
    aim.turn->left--;
    if (aim.item->check)
        aim.item->check(&aim, event);
}

static void on_event(struct mix *mix, uint32_t end, const struct saddle_completion *event,
                     uint64_t now_ns)
{
    switch (event->kind) {
    case SADDLE_DONE:
        on_done(mix, end, event, now_ns);
        break;
    case SADDLE_MESSAGE:
        on_arrived(mix, end, lane_of(mix, end, event->handle), event, event->data, now_ns);
        break;
    case SADDLE_WAITING:
        break; /* a buffer is posted before the message is sent; it may be seen later */
    default:
        mix_fault(mix, "a connection ended, or another event that nobody asked for: kind %u, %s",
                  event->kind, strerror(-event->status));
        mix->broken = true;
    }
}

int mix_take(struct mix *mix, uint32_t end, uint64_t now_ns)
{
    struct saddle_completion events[EVENTS];
    struct saddle_channel *channel = mix->ends[end].channel;
    int count = saddle_poll(channel, events, EVENTS);
    if (count < 0) {
        mix_fault(mix, "the session ended: %s (%s)", strerror(-count),
                  saddle_strerror(mix->ends[end].session));
        mix->broken = true;
        return 0;
    }
    for (int i = 0; i < count && !mix->broken; i++) {
        on_event(mix, end, &events[i], now_ns);
        saddle_release(channel, &events[i]);
    }
    return count;
}

/* ---- The end ---- */

void mix_end_all(struct mix *mix)
{
    for (uint32_t i = 0; i < mix->lane_count; i++) {
        for (uint32_t j = 0; j < MIX_ENDS * MIX_STREAMS; j++)
            tally_end(&mix->lanes[i].tallies[j / MIX_STREAMS][j % MIX_STREAMS], &mix->faults);
    }
    for (uint32_t i = 0; i < MIX_ENDS; i++) {
        const struct mix_end *end = &mix->ends[i];
        tally_compare(end->table->sum, end->adds_begun, end->adds_done, &mix->faults);
    }
}

void mix_describe(const struct mix *mix, char *text, size_t bytes)
{
    const struct mix_turn *oldest = NULL;
    size_t used;
    for (uint32_t i = 0; i < MIX_TURNS; i++) {
        const struct mix_turn *turn = &mix->turns[i];
        if (turn->lane && (!oldest || turn->moved_ns < oldest->moved_ns))
            oldest = turn;
    }
    if (!oldest) {
        snprintf(text, bytes, "nothing");
        return;
    }
    snprintf(text, bytes,
             "connection %zu waits for %u events:", (size_t)(oldest->lane - mix->lanes),
             oldest->left);
    for (uint32_t i = 0; i < MIX_ENDS * mix_item_count; i++) {
        const struct mix_item *item = &mix_items[i / MIX_ENDS];
        const struct mix_state *state = &oldest->states[i % MIX_ENDS][i / MIX_ENDS];
        bool wanted = is_due(oldest, item) && !(state->done && (item->check || state->arrived));
        used = strlen(text);
        if (wanted)
            snprintf(text + used, bytes - used, " %s of %u%s", item->name, item->bytes,
                     i / MIX_ENDS >= oldest->begun[i % MIX_ENDS] ? " (not begun)"
                     : state->done                               ? " (done, not arrived)"
                                                                 : "");
    }
}
