/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/ring_plan.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array)   (sizeof(array) / sizeof((array)[0]))
#define NUMBER_BASE    10
#define WINDOW_SESSION 16u /* of each of a hundred sessions */
#define WINDOW_CALLS   16u /* connections being opened and closed: half of what may wait */
#define MIB            (1u << 20)
#define WINDOW_MIB     4u /* half of the working set */
#define WINDOW_16_MIB  2u /* one being sent while another one is read */

/* One-sided operations of small pieces, and large messages or operations over a working set, with
 * applications that sleep. */
#define REMOTE(text, of, len)                                                                      \
    {                                                                                              \
        .name = text, .work = of, .bytes = len, .window = RING_WINDOW_SMALL                        \
    }
#define LARGE(text, of, len, count)                                                                \
    {                                                                                              \
        .name = text, .work = of, .waits = true, .bytes = len, .window = count,                    \
        .slots = (len) * (count) < RING_WORKING_SET ? RING_WORKING_SET / (len) : (count)           \
    }

/* By programs of others. */
#define FLOOR_BULK(text, times)                                                                    \
    {                                                                                              \
        .name = text, .place = RING_FLOOR, .work = RING_MESSAGES, .bytes = RING_BULK_BYTES,        \
        .copies = times, .slots = RING_WORKING_SET / RING_BULK_BYTES                               \
    }
#define OTHERS(text, who, of, len, count)                                                          \
    {                                                                                              \
        .name = text, .place = RING_PEER, .peer = who, .work = of, .bytes = len, .window = count   \
    }

static const struct ring_case fixed[RING_CASES_FIXED] = {
    [RING_CASE_TRIP] = {.name = "rtt", .bytes = RING_SMALL_BYTES, .window = 1},
    [RING_CASE_MESSAGES] = {.name = "messages",
                            .work = RING_MESSAGES,
                            .bytes = RING_SMALL_BYTES,
                            .window = RING_WINDOW_SMALL},
    [RING_CASE_READS] = REMOTE("reads", RING_READS, RING_SMALL_BYTES),
    [RING_CASE_INDIRECT] = REMOTE("reads/indirect", RING_INDIRECT, RING_SMALL_BYTES),
    [RING_CASE_BATCHES] = REMOTE("reads/batch", RING_BATCHES, RING_SMALL_BYTES),
    [RING_CASE_SCANS] = REMOTE("reads/scan", RING_SCANS, RING_SMALL_BYTES),
    [RING_CASE_WRITES] = REMOTE("writes", RING_WRITES, RING_SMALL_BYTES),
    [RING_CASE_SWAPS] = REMOTE("swaps", RING_SWAPS, RING_WORD_BYTES),
    [RING_CASE_ADDS] = REMOTE("adds", RING_ADDS, RING_WORD_BYTES),
    [RING_CASE_STREAMS] = {.name = "messages/16-streams",
                           .work = RING_MESSAGES,
                           .bytes = RING_SMALL_BYTES,
                           .window = RING_WINDOW_SMALL,
                           .streams = RING_STREAMS},
    [RING_CASE_SESSIONS] = {.name = "messages/100-sessions",
                            .work = RING_MESSAGES,
                            .bytes = RING_SMALL_BYTES,
                            .window = WINDOW_SESSION,
                            .sessions = RING_SESSIONS},
    [RING_CASE_CONNECTIONS] = {.name = "messages/10k-connections",
                               .work = RING_MESSAGES,
                               .bytes = RING_SMALL_BYTES,
                               .window = RING_WINDOW_SMALL,
                               .connections = RING_CONNECTIONS},
    [RING_CASE_CALLS] = {.name = "connections", .work = RING_CALLS, .window = WINDOW_CALLS},
    [RING_CASE_CALL] = {.name = "connections/one", .work = RING_CALL, .window = 1},
    [RING_CASE_BULK_DEDICATED] =
        LARGE("bulk/dedicated", RING_MESSAGES, RING_BULK_BYTES, RING_WINDOW_BULK),
    [RING_CASE_BULK_READS] = LARGE("bulk/reads", RING_READS, RING_BULK_BYTES, RING_WINDOW_BULK),
    [RING_CASE_BULK_WRITES] = LARGE("bulk/writes", RING_WRITES, RING_BULK_BYTES, RING_WINDOW_BULK),
    [RING_CASE_MIB] = LARGE("bulk/1MiB", RING_MESSAGES, MIB, WINDOW_MIB),
    [RING_CASE_16_MIB] = LARGE("bulk/16MiB", RING_MESSAGES, 16 * MIB, WINDOW_16_MIB),
    [RING_CASE_TRIP_WAITING] = {.name = "rtt/waiting",
                                .place = RING_SPREADING,
                                .waits = true,
                                .bytes = RING_SMALL_BYTES,
                                .window = 1},
    [RING_CASE_BULK_SPREADING] = {.name = "bulk/spreading",
                                  .place = RING_SPREADING,
                                  .work = RING_MESSAGES,
                                  .waits = true,
                                  .bytes = RING_BULK_BYTES,
                                  .window = RING_WINDOW_BULK,
                                  .slots = RING_WORKING_SET / RING_BULK_BYTES},
    [RING_CASE_IDLE] = {.name = "idle/spreading",
                        .place = RING_SPREADING,
                        .work = RING_REST,
                        .bytes = RING_SMALL_BYTES},
    [RING_CASE_BULK_COMPACTING] = {.name = "bulk/compacting",
                                   .place = RING_COMPACTING,
                                   .work = RING_MESSAGES,
                                   .waits = true,
                                   .bytes = RING_BULK_BYTES,
                                   .window = RING_WINDOW_BULK,
                                   .slots = RING_WORKING_SET / RING_BULK_BYTES},
    [RING_CASE_IDLE_COMPACTING] = {.name = "idle/compacting",
                                   .place = RING_COMPACTING,
                                   .work = RING_REST,
                                   .bytes = RING_SMALL_BYTES},
    [RING_CASE_IDLE_CONNECTIONS] = {.name = "idle/connections",
                                    .place = RING_COMPACTING,
                                    .work = RING_REST_ALL,
                                    .anew = true,
                                    .bytes = RING_SMALL_BYTES},
    [RING_CASE_TCP_TRIP] = {.name = "tcp/rtt", .place = RING_TCP, .bytes = RING_SMALL_BYTES},
    [RING_CASE_TCP_TRIP_WAITING] = {.name = "tcp/rtt/waiting",
                                    .place = RING_TCP,
                                    .waits = true,
                                    .bytes = RING_SMALL_BYTES},
    [RING_CASE_TCP_BULK] = {.name = "tcp/bulk",
                            .place = RING_TCP,
                            .work = RING_MESSAGES,
                            .waits = true,
                            .bytes = RING_BULK_BYTES,
                            .slots = RING_WORKING_SET / RING_BULK_BYTES},
    [RING_CASE_URING_TRIP] = {.name = "tcp/uring/rtt",
                              .place = RING_URING,
                              .bytes = RING_SMALL_BYTES},
    [RING_CASE_URING_BULK] = {.name = "tcp/uring/bulk",
                              .place = RING_URING,
                              .work = RING_MESSAGES,
                              .waits = true,
                              .bytes = RING_BULK_BYTES,
                              .slots = RING_WORKING_SET / RING_BULK_BYTES},
    [RING_CASE_UCX_TRIP] = OTHERS("ucx/rtt", RING_UCX_POSIX, RING_TRIPS, RING_SMALL_BYTES, 0),
    [RING_CASE_UCX_MESSAGES] =
        OTHERS("ucx/messages", RING_UCX_POSIX, RING_MESSAGES, RING_SMALL_BYTES, RING_WINDOW_SMALL),
    [RING_CASE_UCX_READS] =
        OTHERS("ucx/reads", RING_UCX_POSIX, RING_READS, RING_SMALL_BYTES, RING_WINDOW_SMALL),
    [RING_CASE_UCX_WRITES] =
        OTHERS("ucx/writes", RING_UCX_POSIX, RING_WRITES, RING_SMALL_BYTES, RING_WINDOW_SMALL),
    [RING_CASE_UCX_SWAPS] =
        OTHERS("ucx/swaps", RING_UCX_POSIX, RING_SWAPS, RING_WORD_BYTES, RING_WINDOW_SMALL),
    [RING_CASE_UCX_ADDS] =
        OTHERS("ucx/adds", RING_UCX_POSIX, RING_ADDS, RING_WORD_BYTES, RING_WINDOW_SMALL),
    [RING_CASE_UCX_BULK] =
        OTHERS("ucx/bulk", RING_UCX_POSIX, RING_MESSAGES, RING_BULK_BYTES, RING_WINDOW_BULK),
    [RING_CASE_UCX_TCP_TRIP] = OTHERS("ucx/tcp/rtt", RING_UCX_TCP, RING_TRIPS, RING_SMALL_BYTES, 0),
    [RING_CASE_UCX_TCP_MESSAGES] = OTHERS("ucx/tcp/messages", RING_UCX_TCP, RING_MESSAGES,
                                          RING_SMALL_BYTES, RING_WINDOW_SMALL),
    [RING_CASE_UCX_TCP_READS] =
        OTHERS("ucx/tcp/reads", RING_UCX_TCP, RING_READS, RING_SMALL_BYTES, RING_WINDOW_SMALL),
    [RING_CASE_UCX_TCP_WRITES] =
        OTHERS("ucx/tcp/writes", RING_UCX_TCP, RING_WRITES, RING_SMALL_BYTES, RING_WINDOW_SMALL),
    [RING_CASE_UCX_TCP_BULK] =
        OTHERS("ucx/tcp/bulk", RING_UCX_TCP, RING_MESSAGES, RING_BULK_BYTES, RING_WINDOW_BULK),
    [RING_CASE_LIBFABRIC_SHM_TRIP] =
        OTHERS("libfabric/shm/rtt", RING_LIBFABRIC_SHM, RING_TRIPS, RING_SMALL_BYTES, 0),
    [RING_CASE_LIBFABRIC_SHM_BULK] =
        OTHERS("libfabric/shm/bulk", RING_LIBFABRIC_SHM, RING_MESSAGES, RING_BULK_BYTES, 1),
    [RING_CASE_LIBFABRIC_TCP_TRIP] =
        OTHERS("libfabric/tcp/rtt", RING_LIBFABRIC_TCP, RING_TRIPS, RING_SMALL_BYTES, 0),
    [RING_CASE_LIBFABRIC_TCP_BULK] =
        OTHERS("libfabric/tcp/bulk", RING_LIBFABRIC_TCP, RING_MESSAGES, RING_BULK_BYTES, 1),
    [RING_CASE_FLOOR_TRIP] = {.name = "floor/rtt", .place = RING_FLOOR, .bytes = RING_SMALL_BYTES},
    [RING_CASE_FLOOR_BULK] = FLOOR_BULK("floor/bulk", 2),
    [RING_CASE_FLOOR_BULK_ONCE] = FLOOR_BULK("floor/bulk/once", 1),
    [RING_CASE_FLOOR_STEPS] = {.name = "floor/steps", .place = RING_FLOOR, .work = RING_STEPS},
};

#define VALUE(field, text, case, index)                                                            \
    {                                                                                              \
        field, text, case, index, false, 0                                                         \
    }
#define QUOTIENT(field, text, case, other, index)                                                  \
    {                                                                                              \
        field, text, case, index, true, other                                                      \
    }

const struct ring_field ring_fields[] = {
    VALUE("rtt_us", "64 B there and back, polling, us, p50", RING_CASE_TRIP, RING_P50),
    VALUE("rtt_p99_us", "the same, p99", RING_CASE_TRIP, RING_P99),
    VALUE("rtt_waiting_us", "64 B there and back, spreading, waiting, us, p50",
          RING_CASE_TRIP_WAITING, RING_P50),
    VALUE("rtt_waiting_p99_us", "the same, p99", RING_CASE_TRIP_WAITING, RING_P99),
    VALUE("messages_per_s", "64 B messages a second, one session", RING_CASE_MESSAGES, RING_PER_S),
    VALUE("reads_per_s", "64 B one-sided reads a second", RING_CASE_READS, RING_PER_S),
    VALUE("indirect_reads_per_s", "the same by way of a table", RING_CASE_INDIRECT, RING_PER_S),
    VALUE("batch_reads_per_s", "batches of 8 such reads a second", RING_CASE_BATCHES, RING_PER_S),
    VALUE("scan_reads_per_s", "of 64 B that are looked for among 16", RING_CASE_SCANS, RING_PER_S),
    VALUE("writes_per_s", "64 B one-sided writes a second", RING_CASE_WRITES, RING_PER_S),
    VALUE("compare_swaps_per_s", "compare-and-swaps a second", RING_CASE_SWAPS, RING_PER_S),
    VALUE("fetch_adds_per_s", "fetch-and-adds a second", RING_CASE_ADDS, RING_PER_S),
    VALUE("messages_per_s_16_streams", "messages a second, over 16 streams of a connection",
          RING_CASE_STREAMS, RING_PER_S),
    VALUE("messages_per_s_100_sessions", "messages a second, 100 sessions at each engine",
          RING_CASE_SESSIONS, RING_PER_S),
    VALUE("messages_per_s_10k_connections", "messages a second, over 10,000 connections",
          RING_CASE_CONNECTIONS, RING_PER_S),
    QUOTIENT("retained_16_streams", "of the rate of one stream", RING_CASE_STREAMS,
             RING_CASE_MESSAGES, RING_PER_S),
    QUOTIENT("retained_100_sessions", "of the rate of one session", RING_CASE_SESSIONS,
             RING_CASE_MESSAGES, RING_PER_S),
    QUOTIENT("retained_10k_connections", "of the rate of one connection", RING_CASE_CONNECTIONS,
             RING_CASE_MESSAGES, RING_PER_S),
    VALUE("connections_per_s", "opened, accepted and closed a second", RING_CASE_CALLS, RING_PER_S),
    VALUE("open_us", "opening one, until it is accepted, us, p50", RING_CASE_CALL, RING_OPEN_P50),
    VALUE("open_p99_us", "the same, p99", RING_CASE_CALL, RING_OPEN_P99),
    VALUE("close_us", "closing one, us, p50", RING_CASE_CALL, RING_CLOSE_P50),
    VALUE("close_p99_us", "the same, p99", RING_CASE_CALL, RING_CLOSE_P99),
    VALUE("gbps", "64 KiB messages, dedicated, waiting, Gbit/s", RING_CASE_BULK_DEDICATED,
          RING_GBPS),
    VALUE("gbps_per_core", "the same for each core's time used", RING_CASE_BULK_DEDICATED,
          RING_PER_CORE),
    VALUE("gbps_per_core_machine", "likewise, by the whole machine's time",
          RING_CASE_BULK_DEDICATED, RING_PER_CORE_MACHINE),
    VALUE("gbps_1_mib", "1 MiB messages, likewise, Gbit/s", RING_CASE_MIB, RING_GBPS),
    VALUE("gbps_per_core_1_mib", "the same for each core's time used", RING_CASE_MIB,
          RING_PER_CORE),
    VALUE("gbps_16_mib", "16 MiB messages, likewise, Gbit/s", RING_CASE_16_MIB, RING_GBPS),
    VALUE("gbps_per_core_16_mib", "the same for each core's time used", RING_CASE_16_MIB,
          RING_PER_CORE),
    VALUE("reads_gbps", "64 KiB one-sided reads, likewise, Gbit/s", RING_CASE_BULK_READS,
          RING_GBPS),
    VALUE("reads_gbps_per_core", "the same for each core's time used", RING_CASE_BULK_READS,
          RING_PER_CORE),
    VALUE("writes_gbps", "64 KiB one-sided writes, likewise, Gbit/s", RING_CASE_BULK_WRITES,
          RING_GBPS),
    VALUE("writes_gbps_per_core", "the same for each core's time used", RING_CASE_BULK_WRITES,
          RING_PER_CORE),
    VALUE("gbps_spreading", "64 KiB messages, spreading, Gbit/s", RING_CASE_BULK_SPREADING,
          RING_GBPS),
    VALUE("gbps_per_core_spreading", "for each core's time, spreading", RING_CASE_BULK_SPREADING,
          RING_PER_CORE),
    VALUE("gbps_compacting", "64 KiB messages, compacting, Gbit/s", RING_CASE_BULK_COMPACTING,
          RING_GBPS),
    VALUE("gbps_per_core_compacting", "for each core's time, compacting", RING_CASE_BULK_COMPACTING,
          RING_PER_CORE),
    VALUE("idle_core_percent", "% of one core, nothing to do, spreading", RING_CASE_IDLE,
          RING_CORE_PERCENT),
    VALUE("idle_core_percent_compacting", "the same, compacting", RING_CASE_IDLE_COMPACTING,
          RING_CORE_PERCENT),
    VALUE("idle_connection_bytes", "bytes of memory, one end of an idle connection",
          RING_CASE_IDLE_CONNECTIONS, RING_END_BYTES),
    VALUE("tcp_rtt_us", "TCP: 64 B there and back, polling, us, p50", RING_CASE_TCP_TRIP, RING_P50),
    VALUE("tcp_rtt_p99_us", "the same, p99", RING_CASE_TCP_TRIP, RING_P99),
    VALUE("tcp_rtt_waiting_us", "TCP: 64 B there and back, blocking, us, p50",
          RING_CASE_TCP_TRIP_WAITING, RING_P50),
    VALUE("tcp_rtt_waiting_p99_us", "the same, p99", RING_CASE_TCP_TRIP_WAITING, RING_P99),
    VALUE("tcp_gbps", "TCP: 64 KiB pieces, blocking, Gbit/s", RING_CASE_TCP_BULK, RING_GBPS),
    VALUE("tcp_gbps_per_core", "the same for each core's time used", RING_CASE_TCP_BULK,
          RING_PER_CORE),
    VALUE("tcp_gbps_per_core_machine", "likewise, by the whole machine's time", RING_CASE_TCP_BULK,
          RING_PER_CORE_MACHINE),
    VALUE("tcp_uring_rtt_us", "io_uring: 64 B there and back, polling, us, p50",
          RING_CASE_URING_TRIP, RING_P50),
    VALUE("tcp_uring_gbps_per_core", "io_uring: 64 KiB pieces, for each core's time",
          RING_CASE_URING_BULK, RING_PER_CORE),
    VALUE("ucx_rtt_us", "UCX, posix: 64 B there and back, polling, us, p50", RING_CASE_UCX_TRIP,
          RING_P50),
    VALUE("ucx_messages_per_s", "64 B messages a second", RING_CASE_UCX_MESSAGES, RING_PER_S),
    VALUE("ucx_reads_per_s", "64 B one-sided reads a second", RING_CASE_UCX_READS, RING_PER_S),
    VALUE("ucx_writes_per_s", "64 B one-sided writes a second", RING_CASE_UCX_WRITES, RING_PER_S),
    VALUE("ucx_compare_swaps_per_s", "compare-and-swaps a second", RING_CASE_UCX_SWAPS, RING_PER_S),
    VALUE("ucx_fetch_adds_per_s", "fetch-and-adds a second", RING_CASE_UCX_ADDS, RING_PER_S),
    VALUE("ucx_gbps", "64 KiB messages, Gbit/s", RING_CASE_UCX_BULK, RING_GBPS),
    VALUE("ucx_gbps_per_core", "the same for each core's time used", RING_CASE_UCX_BULK,
          RING_PER_CORE),
    VALUE("ucx_tcp_rtt_us", "UCX, tcp: 64 B there and back, polling, us, p50",
          RING_CASE_UCX_TCP_TRIP, RING_P50),
    VALUE("ucx_tcp_messages_per_s", "64 B messages a second", RING_CASE_UCX_TCP_MESSAGES,
          RING_PER_S),
    VALUE("ucx_tcp_reads_per_s", "64 B one-sided reads a second", RING_CASE_UCX_TCP_READS,
          RING_PER_S),
    VALUE("ucx_tcp_writes_per_s", "64 B one-sided writes a second", RING_CASE_UCX_TCP_WRITES,
          RING_PER_S),
    VALUE("ucx_tcp_gbps", "64 KiB messages, Gbit/s", RING_CASE_UCX_TCP_BULK, RING_GBPS),
    VALUE("ucx_tcp_gbps_per_core", "the same for each core's time used", RING_CASE_UCX_TCP_BULK,
          RING_PER_CORE),
    VALUE("libfabric_shm_rtt_us", "libfabric, shm: 64 B there and back, us, a mean",
          RING_CASE_LIBFABRIC_SHM_TRIP, RING_MEAN),
    VALUE("libfabric_shm_gbps", "64 KiB messages, one at a time, Gbit/s",
          RING_CASE_LIBFABRIC_SHM_BULK, RING_GBPS),
    VALUE("libfabric_tcp_rtt_us", "libfabric, tcp: 64 B there and back, us, a mean",
          RING_CASE_LIBFABRIC_TCP_TRIP, RING_MEAN),
    VALUE("libfabric_tcp_gbps", "64 KiB messages, one at a time, Gbit/s",
          RING_CASE_LIBFABRIC_TCP_BULK, RING_GBPS),
    VALUE("floor_rtt_us", "four hops of an entry between two cores, us, p50", RING_CASE_FLOOR_TRIP,
          RING_P50),
    VALUE("floor_gbps_per_core", "64 KiB filled, copied in and out with checksums, compared",
          RING_CASE_FLOOR_BULK, RING_PER_CORE),
    VALUE("floor_once_gbps_per_core", "the same, copied once", RING_CASE_FLOOR_BULK_ONCE,
          RING_PER_CORE),
    VALUE("floor_steps_per_s", "steps of arithmetic a second, of each of two processors",
          RING_CASE_FLOOR_STEPS, RING_STEPS_PER_S),
    VALUE("floor_steps_fastest_per_s", "the same, in the fastest ten milliseconds",
          RING_CASE_FLOOR_STEPS, RING_STEPS_FASTEST_PER_S),
    QUOTIENT("rtt_vs_tcp_polling", "rtt_us to tcp_rtt_us", RING_CASE_TRIP, RING_CASE_TCP_TRIP,
             RING_P50),
    QUOTIENT("rtt_vs_tcp", "rtt_us to tcp_rtt_waiting_us", RING_CASE_TRIP,
             RING_CASE_TCP_TRIP_WAITING, RING_P50),
    QUOTIENT("rtt_waiting_vs_tcp", "rtt_waiting_us to tcp_rtt_waiting_us", RING_CASE_TRIP_WAITING,
             RING_CASE_TCP_TRIP_WAITING, RING_P50),
    QUOTIENT("gbps_per_core_vs_tcp", "gbps_per_core to tcp_gbps_per_core", RING_CASE_BULK_DEDICATED,
             RING_CASE_TCP_BULK, RING_PER_CORE),
    QUOTIENT("gbps_per_core_spreading_vs_tcp", "gbps_per_core_spreading to tcp_gbps_per_core",
             RING_CASE_BULK_SPREADING, RING_CASE_TCP_BULK, RING_PER_CORE),
    QUOTIENT("gbps_per_core_compacting_vs_tcp", "gbps_per_core_compacting to tcp_gbps_per_core",
             RING_CASE_BULK_COMPACTING, RING_CASE_TCP_BULK, RING_PER_CORE),
    QUOTIENT("rtt_vs_ucx_posix", "rtt_us to ucx_rtt_us", RING_CASE_TRIP, RING_CASE_UCX_TRIP,
             RING_P50),
    QUOTIENT("floor_rtt_vs_ucx_posix", "floor_rtt_us to ucx_rtt_us", RING_CASE_FLOOR_TRIP,
             RING_CASE_UCX_TRIP, RING_P50),
    QUOTIENT("floor_gbps_per_core_vs_tcp", "floor_gbps_per_core to tcp_gbps_per_core",
             RING_CASE_FLOOR_BULK, RING_CASE_TCP_BULK, RING_PER_CORE),
    QUOTIENT("floor_once_gbps_per_core_vs_tcp", "floor_once_gbps_per_core to tcp_gbps_per_core",
             RING_CASE_FLOOR_BULK_ONCE, RING_CASE_TCP_BULK, RING_PER_CORE),
};
const uint32_t ring_field_count = COUNT(ring_fields);
const struct ring_form ring_form = {.name = "ring",
                                    .fields = ring_fields,
                                    .field_count = COUNT(ring_fields),
                                    .fixed = RING_CASES_FIXED,
                                    .has_sweep = true};

uint32_t ring_parse_list(const char *text, uint32_t min, uint32_t max,
                         uint32_t numbers[RING_LIST_MAX], char *wrong, size_t wrong_bytes)
{
    uint32_t count = 0;
    for (;;) {
        char *end;
        int len = (int)strcspn(text, ",");
        errno = 0;
        unsigned long long number = strtoull(text, &end, NUMBER_BASE);
        if (errno || end != text + len || text[0] < '0' || text[0] > '9' || number < min ||
            number > max) {
            snprintf(wrong, wrong_bytes, "'%.*s' is not a whole number from %u to %u", len, text,
                     min, max);
            return 0;
        }
        if (count == RING_LIST_MAX) {
            snprintf(wrong, wrong_bytes, "more than %u numbers", RING_LIST_MAX);
            return 0;
        }
        numbers[count++] = (uint32_t)number;
        if (!*end)
            return count;
        text = end + 1;
    }
}

/* A window of large messages is as wide as memory allows, and one at least. */
static uint32_t narrow(uint32_t window, uint32_t bytes)
{
    uint32_t most = RING_FLIGHT_BYTES / bytes;
    return window <= most ? window : most ? most : 1;
}

/* Adds a case, unless one of that name is there: two windows may have been narrowed to one. */
static void add(struct ring_outcome *outcomes, uint32_t *count, const struct ring_case *what)
{
    for (uint32_t i = 0; i < *count; i++)
        if (strcmp(outcomes[i].what.name, what->name) == 0)
            return;
    struct ring_outcome *outcome = &outcomes[(*count)++];
    *outcome = (struct ring_outcome){.what = *what};
    if (outcome->what.sessions == 0)
        outcome->what.sessions = 1;
    if (outcome->what.connections == 0)
        outcome->what.connections = 1;
    if (outcome->what.streams == 0)
        outcome->what.streams = 1;
    if (outcome->what.flows == 0)
        outcome->what.flows = 1;
    if (outcome->what.slots == 0)
        outcome->what.slots = outcome->what.window ? outcome->what.window : 1;
}

uint32_t ring_plan_cases(const struct ring_case *cases, uint32_t case_count,
                         struct ring_outcome *outcomes)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < case_count; i++)
        add(outcomes, &count, &cases[i]);
    return count;
}

static void add_size(struct ring_outcome *outcomes, uint32_t *count, uint32_t bytes,
                     const uint32_t *windows, uint32_t window_count)
{
    struct ring_case trip = {
        .sweep = RING_SWEEP_SIZES, .work = RING_TRIPS, .bytes = bytes, .window = 1};
    snprintf(trip.name, sizeof(trip.name), "size/%u/rtt", bytes);
    add(outcomes, count, &trip);
    for (uint32_t i = 0; i < window_count; i++) {
        struct ring_case flow = {.sweep = RING_SWEEP_SIZES,
                                 .work = RING_MESSAGES,
                                 .bytes = bytes,
                                 .window = narrow(windows[i], bytes)};
        snprintf(flow.name, sizeof(flow.name), "size/%u/window/%u", bytes, flow.window);
        add(outcomes, count, &flow);
    }
}

static void add_batch(struct ring_outcome *outcomes, uint32_t *count, uint32_t batch)
{
    struct ring_case flow = {.sweep = RING_SWEEP_BATCHES,
                             .work = RING_MESSAGES,
                             .bytes = RING_SMALL_BYTES,
                             .window = RING_WINDOW_SMALL,
                             .batch = batch};
    snprintf(flow.name, sizeof(flow.name), "batch/%u", batch);
    add(outcomes, count, &flow);
}

/* As many messages on their way in all as one session has, or each session's few. */
static void add_sessions(struct ring_outcome *outcomes, uint32_t *count, uint32_t sessions)
{
    uint32_t window = RING_WINDOW_SMALL / sessions;
    struct ring_case flow = {.sweep = RING_SWEEP_SESSIONS,
                             .work = RING_MESSAGES,
                             .bytes = RING_SMALL_BYTES,
                             .window = window > WINDOW_SESSION ? window : WINDOW_SESSION,
                             .sessions = sessions};
    snprintf(flow.name, sizeof(flow.name), "sessions/%u", sessions);
    add(outcomes, count, &flow);
}

/* A connection on each. */
static void add_flows(struct ring_outcome *outcomes, uint32_t *count, uint32_t flows)
{
    struct ring_case many = {.sweep = RING_SWEEP_FLOWS,
                             .work = RING_MESSAGES,
                             .bytes = RING_SMALL_BYTES,
                             .window = RING_WINDOW_SMALL,
                             .connections = flows,
                             .flows = flows};
    snprintf(many.name, sizeof(many.name), "flows/%u", flows);
    add(outcomes, count, &many);
}

uint32_t ring_plan(const struct ring_settings *settings, struct ring_outcome *outcomes)
{
    static const uint32_t one_window[] = {RING_WINDOW_SMALL}, one_size[] = {RING_SMALL_BYTES};
    bool sized = settings->size_count > 0, windowed = settings->window_count > 0;
    const uint32_t *sizes = sized ? settings->sizes : one_size;
    const uint32_t *windows = windowed ? settings->windows : one_window;
    uint32_t count = ring_plan_cases(fixed, RING_CASES_FIXED, outcomes);
    for (uint32_t i = 0; (sized || windowed) && i < (sized ? settings->size_count : 1); i++)
        add_size(outcomes, &count, sizes[i], windows, windowed ? settings->window_count : 1);
    for (uint32_t i = 0; i < settings->batch_count; i++)
        add_batch(outcomes, &count, settings->batches[i]);
    for (uint32_t i = 0; i < settings->session_count; i++)
        add_sessions(outcomes, &count, settings->sessions[i]);
    for (uint32_t i = 0; i < settings->flow_count; i++)
        add_flows(outcomes, &count, settings->flows[i]);
    return count;
}

bool ring_matches(const struct ring_case *what, const char *pattern)
{
    return fnmatch(pattern, what->name, 0) == 0;
}

struct spread ring_spread(const struct ring_outcome *outcome, uint32_t value)
{
    double values[RING_RUNS_MAX];
    for (uint32_t i = 0; i < outcome->run_count; i++)
        values[i] = outcome->runs[i].values[value];
    return spread_of(values, outcome->run_count);
}

bool ring_reckon(const struct ring_field *field, const struct ring_outcome *outcomes,
                 struct spread *spread, uint32_t *runs)
{
    const struct ring_outcome *of = &outcomes[field->of], *by = &outcomes[field->by];
    double values[RING_RUNS_MAX];
    *runs = 0;
    if (of->missing || (field->is_quotient && by->missing))
        return false;
    for (uint32_t i = 0; i < of->run_count; i++) {
        double value = of->runs[i].values[field->value];
        double other = 1;
        if (field->is_quotient)
            other = i < by->run_count ? by->runs[i].values[field->value] : 0;
        if (other > 0)
            values[(*runs)++] = value / other;
    }
    *spread = spread_of(values, *runs);
    return *runs > 0;
}
