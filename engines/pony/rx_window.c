/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/rx_window.h"

void rx_window_init(struct rx_window *window, uint32_t first)
{
    memset(window, 0, sizeof(*window));
    window->next = first;
}

enum rx_verdict rx_window_look(const struct rx_window *window, uint32_t seq)
{
    uint32_t ahead = seq - window->next;

    if (ahead < RX_WINDOW)
        return ring_bits_get(&window->bits, seq) ? RX_DUPLICATE : RX_NEW;
    return ahead > INT32_MAX ? RX_DUPLICATE : RX_BEYOND;
}

void rx_window_take(struct rx_window *window, uint32_t seq)
{
    ring_bits_set(&window->bits, seq);
    window->held++;
    /* Each turn ends one packet's stay in the window: constant work per packet in the long run. */
    while (ring_bits_get(&window->bits, window->next)) {
        ring_bits_clear(&window->bits, window->next);
        window->held--;
        window->next++;
    }
}

void rx_window_sack(const struct rx_window *window, uint8_t sack[WIRE_SACK_BYTES])
{
    ring_bits_to_wire(&window->bits, window->next + 1, sack);
}
