/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What `saddle-bench wire` measures, and what it makes of it: cases as of `ring` (ring_plan.h), but
 * each between two daemons, over a wire of one kind, and over the kernel's TCP on the same cable.
 *
 * Ownership: the caller's arrays. Threads: any; nothing is kept.
 */
#ifndef BENCH_WIRE_PLAN_H
#define BENCH_WIRE_PLAN_H

#include "tools/bench/ring_plan.h"

/* By the field `wire` of a case; those of TCP are of the wire whose cable they take. */
enum wire_kind {
    WIRE_XDP,       /* AF_XDP on a veth, of the largest packets that take one frame */
    WIRE_XDP_1500,  /* the same of Ethernet's usual packets */
    WIRE_AF_PACKET, /* packet sockets on that veth */
    WIRE_MEMIF,     /* memory that the two daemons share; no cable, and nothing of the kernel */
    WIRES,
};

/* By their place in the list. */
enum wire_case {
    WIRE_CASE_XDP_TRIP,
    WIRE_CASE_XDP_MESSAGES,
    WIRE_CASE_XDP_BULK,
    WIRE_CASE_TCP_TRIP,
    WIRE_CASE_TCP_BULK,
    WIRE_CASE_XDP_1500_BULK,
    WIRE_CASE_TCP_1500_TRIP,
    WIRE_CASE_TCP_1500_BULK,
    WIRE_CASE_AF_PACKET_TRIP,
    WIRE_CASE_AF_PACKET_MESSAGES,
    WIRE_CASE_AF_PACKET_BULK,
    WIRE_CASE_MEMIF_TRIP,
    WIRE_CASE_MEMIF_MESSAGES,
    WIRE_CASE_MEMIF_BULK,
    WIRE_CASE_XDP_FLOOR,
    WIRE_CASE_XDP_1500_FLOOR,
    WIRE_CASES,
};

extern const struct ring_form wire_form;

/* Fills in WIRE_CASES, and returns that; of the settings none changes anything. */
uint32_t wire_plan(const struct ring_settings *settings, struct ring_outcome *outcomes);
/* Whether one that was not left out takes a cable. */
bool wire_needs_cable(const struct ring_outcome *outcomes, uint32_t count);

#endif
