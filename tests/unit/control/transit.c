/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/control/transit.h"

#include "sched/clock.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <isa-l/crc.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define KIND 1u
/* Of a document's header (sched/state.c). */
#define HEADER_BYTES     24u
#define HEADER_CRC_AT    8u
#define HEADER_LENGTH_AT 16u

void transit(struct parcel_draft *draft, struct parcel *parcel)
{
    uint64_t deadline = clock_now(&clock_machine) + TRANSIT_PATIENCE_NS;
    int ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    ck_assert_int_eq(parcel_send(ends[0], KIND, draft, deadline), 0);
    parcel_draft_destroy(draft);
    ck_assert_int_eq(parcel_receive(ends[1], parcel, deadline), 0);
    close(ends[0]);
    close(ends[1]);
}

int transit_altered(const struct parcel *parcel, uint8_t *bytes, size_t length,
                    struct parcel *altered)
{
    uint64_t body = length - HEADER_BYTES;
    uint32_t crc;

    *altered = (struct parcel){.kind = KIND};
    if (length >= HEADER_BYTES) {
        crc = ~crc32_iscsi(bytes + HEADER_BYTES, (int)body, UINT32_MAX);
        memcpy(bytes + HEADER_CRC_AT, &crc, sizeof(crc));
        memcpy(bytes + HEADER_LENGTH_AT, &body, sizeof(body));
    }
    altered->fds = calloc(parcel->count + 1, sizeof(altered->fds[0]));
    ck_assert_ptr_nonnull(altered->fds);
    altered->count = parcel->count;
    for (uint32_t i = 0; i < parcel->count; i++)
        altered->fds[i] = fcntl(parcel->fds[i], F_DUPFD_CLOEXEC, 0);
    return state_reader_init(&altered->state, bytes, length);
}

uint32_t transit_descriptors(void)
{
    DIR *all = opendir("/proc/self/fd");
    uint32_t count = 0;

    ck_assert_ptr_nonnull(all);
    while (readdir(all))
        count++;
    closedir(all);
    return count;
}

/* ---- Loops ---- */

static void *serve(void *context)
{
    struct transit_loop *loop = context;

    ck_assert_int_eq(server_run(loop->server, loop->engines, loop->engine_count), 0);
    return NULL;
}

static void ready(void *context)
{
    struct transit_loop *loop = context;
    uint64_t rings;

    ck_assert_int_eq(read(loop->asked, &rings, sizeof(rings)), sizeof(rings));
    loop->work(loop->argument);
    ck_assert_int_eq(write(loop->answered, &rings, sizeof(rings)), sizeof(rings));
}

void transit_loop_start(struct transit_loop *loop, struct server *server,
                        struct engine *const *engines, uint32_t engine_count)
{
    *loop = (struct transit_loop){server, engines, engine_count, .asked = -1};
    loop->asked = eventfd(0, EFD_CLOEXEC);
    loop->answered = eventfd(0, EFD_CLOEXEC);
    ck_assert_int_eq(server_watch(server, loop->asked, ready, loop), 0);
    ck_assert_int_eq(pthread_create(&loop->thread, NULL, serve, loop), 0);
}

void transit_loop_do(struct transit_loop *loop, void (*work)(void *argument), void *argument)
{
    uint64_t rings = 1;

    loop->work = work;
    loop->argument = argument;
    ck_assert_int_eq(write(loop->asked, &rings, sizeof(rings)), sizeof(rings));
    ck_assert_int_eq(read(loop->answered, &rings, sizeof(rings)), sizeof(rings));
}

struct counting {
    const struct server *server;
    uint32_t count;
};

static void count(void *argument)
{
    struct counting *counting = argument;
    uint32_t stuck;

    counting->count = server_session_count(counting->server, &stuck);
}

void transit_loop_await_sessions(struct transit_loop *loop, uint32_t wanted)
{
    uint64_t end = clock_now(&clock_machine) + TRANSIT_PATIENCE_NS;
    struct counting counting = {loop->server, 0};

    transit_loop_do(loop, count, &counting);
    while (counting.count != wanted) {
        ck_assert_uint_lt(clock_now(&clock_machine), end);
        sched_yield();
        transit_loop_do(loop, count, &counting);
    }
}

/* A signal for that thread alone is read by its loop alone. */
void transit_loop_stop(struct transit_loop *loop)
{
    ck_assert_int_eq(pthread_kill(loop->thread, SIGTERM), 0);
    ck_assert_int_eq(pthread_join(loop->thread, NULL), 0);
    server_unwatch(loop->server, loop->asked);
    close(loop->asked);
    close(loop->answered);
}
