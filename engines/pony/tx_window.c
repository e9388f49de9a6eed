/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/tx_window.h"

#include <errno.h>

#define NONE TX_WINDOW /* end of a list */

static void list_init(struct tx_list *list)
{
    list->count = 0;
    list->first = NONE;
    list->last = NONE;
}

static void list_append(struct tx_window *window, struct tx_list *list, struct tx_slot *slot)
{
    uint16_t index = (uint16_t)(slot - window->slots);

    slot->next = NONE;
    slot->previous = list->last;
    if (list->last == NONE)
        list->first = index;
    else
        window->slots[list->last].next = index;
    list->last = index;
    list->count++;
}

static void list_prepend(struct tx_window *window, struct tx_list *list, struct tx_slot *slot)
{
    uint16_t index = (uint16_t)(slot - window->slots);

    slot->next = list->first;
    slot->previous = NONE;
    if (list->first == NONE)
        list->last = index;
    else
        window->slots[list->first].previous = index;
    list->first = index;
    list->count++;
}

static void list_remove(struct tx_window *window, struct tx_list *list, struct tx_slot *slot)
{
    if (slot->previous == NONE)
        list->first = slot->next;
    else
        window->slots[slot->previous].next = slot->next;
    if (slot->next == NONE)
        list->last = slot->previous;
    else
        window->slots[slot->next].previous = slot->previous;
    list->count--;
}

void tx_window_init(struct tx_window *window, uint32_t first)
{
    memset(window, 0, sizeof(*window));
    window->una = first;
    window->next = first;
    window->order = 1;
    list_init(&window->flying);
    list_init(&window->lost);
}

void tx_window_clear(struct tx_window *window)
{
    for (uint32_t i = 0; i < TX_WINDOW; i++)
        rte_pktmbuf_free(window->slots[i].packet);
    tx_window_init(window, window->next);
}

static void fly(struct tx_window *window, struct tx_slot *slot, uint64_t now)
{
    slot->state = TX_FLYING;
    slot->sent_ns = now;
    slot->order = window->order++;
    if (slot->sends < UINT8_MAX)
        slot->sends++;
    list_append(window, &window->flying, slot);
}

void tx_window_add(struct tx_window *window, struct rte_mbuf *packet, uint64_t now)
{
    struct tx_slot *slot = &window->slots[window->next++ % TX_WINDOW];

    slot->packet = packet;
    slot->sends = 0;
    slot->parted = false;
    slot->alone = false;
    fly(window, slot, now);
}

static void settle(struct tx_window *window, uint32_t seq, uint64_t now, uint64_t min_rtt_ns,
                   struct tx_progress *progress)
{
    struct tx_slot *slot = &window->slots[seq % TX_WINDOW];
    bool once = slot->sends == 1;
    bool late = slot->alone || now - slot->sent_ns >= min_rtt_ns;

    if (slot->state == TX_LOST && once)
        progress->needless++;
    if (slot->state == TX_FLYING && slot->parted)
        window->parted--;
    list_remove(window, slot->state == TX_LOST ? &window->lost : &window->flying, slot);
    rte_pktmbuf_free(slot->packet);
    slot->packet = NULL;
    slot->state = TX_SETTLED;
    ring_bits_set(&window->acked, seq);
    progress->packets++;
    if (once && slot->order > progress->sampled) {
        progress->sampled = slot->order;
        progress->sample_ns = slot->sent_ns;
    }
    if (slot->order > progress->newest) {
        progress->newest = slot->order;
        progress->again_ns = !once && late ? slot->sent_ns : 0;
    }
    /* An answer sooner than any round trip is to an earlier transmission, if that was not long ago:
     * it says nothing of what the last one overtook (RFC 8985 section 6.2, step 2). */
    if (slot->order > window->newest && (once || late))
        window->newest = slot->order;
}

static void settle_selected(struct tx_window *window, uint32_t ack, const uint8_t *sack,
                            uint64_t now, uint64_t min_rtt_ns, struct tx_progress *progress)
{
    struct ring_bits named;

    ring_bits_from_wire(&named, ack + 1, sack);
    for (uint32_t word = 0; word < RING_WORDS; word++) {
        uint64_t fresh = named.words[word] & ~window->acked.words[word];

        for (; fresh != 0; fresh &= fresh - 1) {
            uint32_t index = 64 * word + (uint32_t)__builtin_ctzll(fresh);
            uint32_t seq = ack + (index - ack) % TX_WINDOW;

            /* Never true of an honest peer: it names a packet that was not sent, or the one it
             * says is missing. */
            if (seq == ack || seq - window->una >= tx_window_outstanding(window))
                continue;
            settle(window, seq, now, min_rtt_ns, progress);
        }
    }
}

int tx_window_ack(struct tx_window *window, uint32_t ack, const uint8_t *sack, uint64_t now,
                  uint64_t min_rtt_ns, struct tx_progress *progress)
{
    uint32_t advance = ack - window->una;

    memset(progress, 0, sizeof(*progress));
    if (advance > tx_window_outstanding(window))
        return advance > INT32_MAX ? 0 : -EPROTO; /* 0: an old one, overtaken */
    for (; window->una != ack; window->una++) {
        if (!ring_bits_get(&window->acked, window->una))
            settle(window, window->una, now, min_rtt_ns, progress);
        ring_bits_clear(&window->acked, window->una);
        window->slots[window->una % TX_WINDOW].state = TX_EMPTY;
    }
    if (sack)
        settle_selected(window, ack, sack, now, min_rtt_ns, progress);
    return 0;
}

static void lose(struct tx_window *window, struct tx_slot *slot, bool timed_out)
{
    slot->timed_out = timed_out;
    list_remove(window, &window->flying, slot);
    slot->state = TX_LOST;
    if (slot->parted) {
        window->parted--;
        list_prepend(window, &window->lost, slot);
    } else {
        list_append(window, &window->lost, slot);
    }
}

uint64_t tx_window_detect(struct tx_window *window, uint64_t now, uint32_t threshold,
                          uint64_t delay_ns, uint64_t *deadline)
{
    uint64_t end = 0;

    *deadline = UINT64_MAX;
    while (window->flying.first != NONE) {
        struct tx_slot *slot = &window->slots[window->flying.first];

        if (slot->order >= window->newest)
            break;
        if (window->newest - slot->order < threshold && now - slot->sent_ns < delay_ns) {
            *deadline = slot->sent_ns + delay_ns;
            break;
        }
        end = slot->order + 1;
        lose(window, slot, false);
    }
    return end;
}

void tx_window_lose_all(struct tx_window *window)
{
    while (window->flying.first != NONE)
        lose(window, &window->slots[window->flying.first], true);
}

void tx_window_probe(struct tx_window *window)
{
    lose(window, &window->slots[window->flying.first], true);
}

struct tx_slot *tx_window_lost(struct tx_window *window)
{
    return window->lost.first == NONE ? NULL : &window->slots[window->lost.first];
}

void tx_window_resent(struct tx_window *window, uint64_t now)
{
    struct tx_slot *slot = tx_window_lost(window);

    list_remove(window, &window->lost, slot);
    slot->parted = false;
    slot->alone = now - slot->sent_ns >= TX_ALONE_NS;
    fly(window, slot, now);
}

void tx_window_defer(struct tx_window *window)
{
    struct tx_slot *slot = tx_window_lost(window);

    list_remove(window, &window->lost, slot);
    list_append(window, &window->lost, slot);
}

void tx_window_parted(struct tx_window *window, uint64_t now)
{
    struct tx_slot *slot = tx_window_lost(window);

    tx_window_resent(window, now);
    slot->parted = true;
    window->parted++;
}

bool tx_window_misses(const struct tx_window *window, uint32_t seq)
{
    return seq - window->una < tx_window_outstanding(window) &&
           !ring_bits_get(&window->acked, seq) && window->slots[seq % TX_WINDOW].state == TX_EMPTY;
}

void tx_window_restore(struct tx_window *window, uint32_t seq, struct rte_mbuf *packet,
                       uint64_t sent_ns)
{
    struct tx_slot *slot = &window->slots[seq % TX_WINDOW];

    slot->packet = packet;
    slot->parted = slot->alone = false;
    fly(window, slot, sent_ns);
}

void tx_window_lose(struct tx_window *window, uint32_t seq, bool timed_out)
{
    lose(window, &window->slots[seq % TX_WINDOW], timed_out);
}

bool tx_window_whole(struct tx_window *window)
{
    uint32_t stray = 0;

    for (uint32_t i = 0; i < RING_WORDS; i++)
        stray += (uint32_t)__builtin_popcountll(window->acked.words[i]);
    for (uint32_t seq = window->una; seq != window->next; seq++) {
        struct tx_slot *slot = &window->slots[seq % TX_WINDOW];

        if (ring_bits_get(&window->acked, seq)) {
            slot->state = TX_SETTLED;
            stray--;
        } else if (slot->state == TX_EMPTY) {
            return false;
        }
    }
    return stray == 0;
}
