/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/wire_plan.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* All of them sleep when there is nothing to do, applications and engines: of four threads that
 * spin two would always be in the way of the others on a machine of two processors. */
#define TRIP(text, at, over)                                                                       \
    {                                                                                              \
        .name = text, .place = at, .wire = over, .waits = true, .bytes = RING_SMALL_BYTES,         \
        .window = 1                                                                                \
    }
#define MESSAGES(text, at, over)                                                                   \
    {                                                                                              \
        .name = text, .place = at, .wire = over, .work = RING_MESSAGES, .waits = true,             \
        .bytes = RING_SMALL_BYTES, .window = RING_WINDOW_SMALL                                     \
    }
#define BULK(text, at, over)                                                                       \
    {                                                                                              \
        .name = text, .place = at, .wire = over, .work = RING_MESSAGES, .waits = true,             \
        .bytes = RING_BULK_BYTES, .window = RING_WINDOW_BULK,                                      \
        .slots = RING_WORKING_SET / RING_BULK_BYTES                                                \
    }

static const struct ring_case cases[WIRE_CASES] = {
    [WIRE_CASE_XDP_TRIP] = TRIP("xdp/rtt", RING_SPREADING, WIRE_XDP),
    [WIRE_CASE_XDP_MESSAGES] = MESSAGES("xdp/messages", RING_SPREADING, WIRE_XDP),
    [WIRE_CASE_XDP_BULK] = BULK("xdp/bulk", RING_SPREADING, WIRE_XDP),
    [WIRE_CASE_TCP_TRIP] = TRIP("veth/tcp/rtt", RING_TCP, WIRE_XDP),
    [WIRE_CASE_TCP_BULK] = BULK("veth/tcp/bulk", RING_TCP, WIRE_XDP),
    [WIRE_CASE_XDP_1500_BULK] = BULK("xdp-1500/bulk", RING_SPREADING, WIRE_XDP_1500),
    [WIRE_CASE_TCP_1500_TRIP] = TRIP("veth-1500/tcp/rtt", RING_TCP, WIRE_XDP_1500),
    [WIRE_CASE_TCP_1500_BULK] = BULK("veth-1500/tcp/bulk", RING_TCP, WIRE_XDP_1500),
    [WIRE_CASE_AF_PACKET_TRIP] = TRIP("af-packet/rtt", RING_SPREADING, WIRE_AF_PACKET),
    [WIRE_CASE_AF_PACKET_MESSAGES] = MESSAGES("af-packet/messages", RING_SPREADING, WIRE_AF_PACKET),
    [WIRE_CASE_AF_PACKET_BULK] = BULK("af-packet/bulk", RING_SPREADING, WIRE_AF_PACKET),
    [WIRE_CASE_MEMIF_TRIP] = TRIP("memif/rtt", RING_SPREADING, WIRE_MEMIF),
    [WIRE_CASE_MEMIF_MESSAGES] = MESSAGES("memif/messages", RING_SPREADING, WIRE_MEMIF),
    [WIRE_CASE_MEMIF_BULK] = BULK("memif/bulk", RING_SPREADING, WIRE_MEMIF),
    [WIRE_CASE_XDP_FLOOR] = BULK("xdp/floor", RING_FLOOR, WIRE_XDP),
    [WIRE_CASE_XDP_1500_FLOOR] = BULK("xdp-1500/floor", RING_FLOOR, WIRE_XDP_1500),
};

#define VALUE(field, text, case, index)                                                            \
    {                                                                                              \
        field, text, case, index, false, 0                                                         \
    }
#define QUOTIENT(field, text, case, other, index)                                                  \
    {                                                                                              \
        field, text, case, index, true, other                                                      \
    }
#define TRIPS(field, text, case)                                                                   \
    VALUE(field "_rtt_us", text ": 64 B there and back, us, p50", case, RING_P50),                 \
        VALUE(field "_rtt_p99_us", "the same, p99", case, RING_P99)
/* A wire's work is done by whoever the kernel interrupts: the whole machine's time counts. */
#define BYTES(field, text, case)                                                                   \
    VALUE(field "_gbps", text ": 64 KiB messages, Gbit/s", case, RING_GBPS),                       \
        VALUE(field "_gbps_per_core", "the same for each core's time used", case,                  \
              RING_PER_CORE_MACHINE)

static const struct ring_field fields[] = {
    TRIPS("xdp", "XDP, MTU 3490", WIRE_CASE_XDP_TRIP),
    VALUE("xdp_messages_per_s", "64 B messages a second", WIRE_CASE_XDP_MESSAGES, RING_PER_S),
    BYTES("xdp", "XDP, MTU 3490", WIRE_CASE_XDP_BULK),
    BYTES("xdp_1500", "XDP, MTU 1500", WIRE_CASE_XDP_1500_BULK),
    TRIPS("af_packet", "AF_PACKET, MTU 1500", WIRE_CASE_AF_PACKET_TRIP),
    VALUE("af_packet_messages_per_s", "64 B messages a second", WIRE_CASE_AF_PACKET_MESSAGES,
          RING_PER_S),
    BYTES("af_packet", "AF_PACKET, MTU 1500", WIRE_CASE_AF_PACKET_BULK),
    TRIPS("memif", "memif, MTU 5000", WIRE_CASE_MEMIF_TRIP),
    VALUE("memif_messages_per_s", "64 B messages a second", WIRE_CASE_MEMIF_MESSAGES, RING_PER_S),
    BYTES("memif", "memif, MTU 5000", WIRE_CASE_MEMIF_BULK),
    TRIPS("veth_tcp", "TCP, MTU 3490", WIRE_CASE_TCP_TRIP),
    BYTES("veth_tcp", "TCP, MTU 3490", WIRE_CASE_TCP_BULK),
    TRIPS("veth_1500_tcp", "TCP, MTU 1500", WIRE_CASE_TCP_1500_TRIP),
    BYTES("veth_1500_tcp", "TCP, MTU 1500", WIRE_CASE_TCP_1500_BULK),
    VALUE("xdp_floor_gbps_per_core", "XDP, MTU 3490: packets alone, for each core's time",
          WIRE_CASE_XDP_FLOOR, RING_PER_CORE_MACHINE),
    VALUE("xdp_1500_floor_gbps_per_core", "XDP, MTU 1500: likewise", WIRE_CASE_XDP_1500_FLOOR,
          RING_PER_CORE_MACHINE),
    QUOTIENT("xdp_rtt_vs_tcp", "xdp_rtt_us to veth_tcp_rtt_us", WIRE_CASE_XDP_TRIP,
             WIRE_CASE_TCP_TRIP, RING_P50),
    QUOTIENT("af_packet_rtt_vs_tcp", "af_packet_rtt_us to veth_1500_tcp_rtt_us",
             WIRE_CASE_AF_PACKET_TRIP, WIRE_CASE_TCP_1500_TRIP, RING_P50),
    QUOTIENT("xdp_gbps_per_core_vs_tcp", "xdp_gbps_per_core to veth_tcp_gbps_per_core",
             WIRE_CASE_XDP_BULK, WIRE_CASE_TCP_BULK, RING_PER_CORE_MACHINE),
    QUOTIENT("xdp_1500_gbps_per_core_vs_tcp", "xdp_1500_gbps_per_core to veth_1500_tcp_...",
             WIRE_CASE_XDP_1500_BULK, WIRE_CASE_TCP_1500_BULK, RING_PER_CORE_MACHINE),
    QUOTIENT("xdp_floor_vs_tcp", "xdp_floor_gbps_per_core to veth_tcp_gbps_per_core",
             WIRE_CASE_XDP_FLOOR, WIRE_CASE_TCP_BULK, RING_PER_CORE_MACHINE),
    QUOTIENT("xdp_1500_floor_vs_tcp", "xdp_1500_floor_gbps_per_core to veth_1500_tcp_...",
             WIRE_CASE_XDP_1500_FLOOR, WIRE_CASE_TCP_1500_BULK, RING_PER_CORE_MACHINE),
    QUOTIENT("af_packet_gbps_per_core_vs_tcp", "af_packet_gbps_per_core to veth_1500_tcp_...",
             WIRE_CASE_AF_PACKET_BULK, WIRE_CASE_TCP_1500_BULK, RING_PER_CORE_MACHINE),
};

const struct ring_form wire_form = {
    .name = "wire", .fields = fields, .field_count = COUNT(fields), .fixed = WIRE_CASES};

uint32_t wire_plan(const struct ring_settings *settings, struct ring_outcome *outcomes)
{
    (void)settings;
    return ring_plan_cases(cases, WIRE_CASES, outcomes);
}

bool wire_needs_cable(const struct ring_outcome *outcomes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (outcomes[i].what.wire != WIRE_MEMIF && !outcomes[i].left_out)
            return true;
    return false;
}
