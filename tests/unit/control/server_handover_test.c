/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions and the attach socket on their way from one server to another, whose engines are toys:
 * what is written, what is refused, and that nothing is left behind.
 */
#include "control/server_handover.h"
#include "sched/group.h"
#include "tests/unit/control/toy_pony.h"
#include "tests/unit/control/transit.h"
#include "tests/unit/folder.h"
#include "tests/unit/sched/toy.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <saddle/saddle.h>

#define ENGINES        2u
#define REASON_BYTES   256
#define DOCUMENT_BYTES 4096u
#define HEAP_BYTES     65536u
/* Where the version of the ABI stands, of the first session: behind the header of the document, the
 * record that counts, the next one's header, its connection's number and the session's. */
#define ABI_AT 64u
/* Descriptors of one session, in their order. */
#define FD_CONNECTION 0u
#define FD_ARENA      1u
#define FD_BELL       2u
#define SESSION_FDS   4u

static char folder[TEST_FOLDER_BYTES];
static char path[sizeof(folder) + 8], lock_path[sizeof(folder) + 16];
static struct group *group;
/* The one that has the applications, with its loop; and the one that is to have them. */
static struct side {
    struct server *server;
    struct toy *toys[ENGINES];
    struct engine *engines[ENGINES];
    struct transit_loop loop;
    bool runs;
} old, new;
static struct parcel_draft draft;
static struct parcel parcel;
static char reason[REASON_BYTES];
static int result;
static uint32_t descriptors_before;

/* ---- The bed ---- */

static void make_side(struct side *side, bool takes_over)
{
    const struct server_config config = {
        .path = path,
        .mode = 0600,
        .policy = {.owner = geteuid()},
        .sessions_per_uid = 10,
        .memory_per_uid = UINT64_MAX,
        .cpu_per_session = 1000,
        .cpu_per_uid = 2000,
        .exposed_per_session = 1ull << 33,
        .handshake_timeout_ns = TRANSIT_PATIENCE_NS,
        .takes_over = takes_over,
    };

    ck_assert_msg(server_create(&side->server, &config, reason, sizeof(reason)) == 0, "%s", reason);
    for (uint32_t i = 0; i < ENGINES; i++) {
        side->toys[i] = toy_create(i ? "beta" : "alpha");
        side->engines[i] = &side->toys[i]->engine;
    }
}

/* Its engines run, and it serves. */
static void run_side(struct side *side)
{
    for (uint32_t i = 0; i < ENGINES; i++)
        ck_assert_int_eq(group_add(group, side->engines[i]), 0);
    transit_loop_start(&side->loop, side->server, side->engines, ENGINES);
    side->runs = true;
}

static void end_side(struct side *side)
{
    if (side->runs) {
        transit_loop_stop(&side->loop);
        ck_assert_int_eq(server_stop(side->server), 0);
    }
    for (uint32_t i = 0; i < ENGINES; i++) {
        if (side->runs)
            ck_assert_int_eq(group_remove(group, side->engines[i]), 0);
        side->engines[i]->ops->destroy(side->engines[i]);
    }
    server_destroy(side->server);
    *side = (struct side){0};
}

static void setup(void)
{
    const struct group_config config = {.name = "test", .mode = &group_mode_spreading};

    signal(SIGPIPE, SIG_IGN);
    ck_assert_ptr_nonnull(test_folder_make(folder, "saddle-handover-test"));
    snprintf(path, sizeof(path), "%s/s", folder);
    snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
    descriptors_before = transit_descriptors();
    ck_assert_int_eq(group_create(&group, &config), 0);
    make_side(&old, false);
    make_side(&new, true);
    run_side(&old);
    atomic_store(&toy_pony.loaded, true);
}

static void teardown(void)
{
    parcel_draft_destroy(&draft);
    parcel_destroy(&parcel);
    if (new.server)
        end_side(&new);
    if (old.server)
        end_side(&old);
    group_destroy(group);
    ck_assert_int_eq(toy_pony.made, 0);
    ck_assert_uint_eq(transit_descriptors(), descriptors_before);
    ck_assert_int_eq(rmdir(folder), 0);
}

static struct saddle_session *attach(const char *engine, uint32_t channels)
{
    struct saddle_attach_options options = {
        .size = sizeof(options),
        .socket = path,
        .engine = engine,
        .application = "of the test",
        .channels = channels,
        .queue_entries = 8,
        .receive_slots = 4,
        .timeout_ms = 60000,
        .heap_bytes = HEAP_BYTES,
    };
    struct saddle_session *session;

    ck_assert_msg(saddle_attach(&session, &options, reason, sizeof(reason)) == 0, "%s", reason);
    return session;
}

static int knock(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    strcpy(address.sun_path, path);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* ---- Steps of the old one, on its loop ---- */

static void nothing(void *argument)
{
    (void)argument;
}

static void freeze(void *argument)
{
    (void)argument;
    server_freeze(old.server);
}

static void thaw(void *argument)
{
    (void)argument;
    server_thaw(old.server);
}

/* Writes it all down into `draft`, with its answer in `result`. */
static void offer(void *argument)
{
    (void)argument;
    server_freeze(old.server);
    parcel_draft_init(&draft);
    reason[0] = '\0';
    result = server_offer(old.server, old.engines, ENGINES, &draft, reason, sizeof(reason));
}

static void leave(void *argument)
{
    (void)argument;
    reason[0] = '\0';
    result = server_leave(old.server, old.engines, ENGINES, reason, sizeof(reason));
}

static void forget(void *argument)
{
    (void)argument;
    server_forget(old.server, old.engines, ENGINES);
}

static void offer_socket(void *argument)
{
    (void)argument;
    server_freeze(old.server);
    parcel_draft_init(&draft);
    server_offer_socket(old.server, &draft);
}

static void forget_socket(void *argument)
{
    (void)argument;
    server_forget_socket(old.server);
}

static void must_offer(void)
{
    transit_loop_do(&old.loop, offer, NULL);
    ck_assert_msg(result == 0, "%s", reason);
    transit(&draft, &parcel);
}

static int adopt(struct parcel *from)
{
    reason[0] = '\0';
    return server_adopt(new.server, new.engines, ENGINES, from, reason, sizeof(reason));
}

static void must_adopt(void)
{
    ck_assert_msg(adopt(&parcel) == 0, "%s", reason);
}

static void must_enter(void)
{
    for (uint32_t i = 0; i < ENGINES; i++) {
        ck_assert_int_eq(server_enter(new.server, new.engines[i], reason, sizeof(reason)), 0);
        ck_assert_int_eq(server_entered(new.server, new.engines[i], reason, sizeof(reason)), 0);
    }
    server_settle(new.server, new.engines, ENGINES);
}

static void must_adopt_socket(void)
{
    transit_loop_do(&old.loop, offer_socket, NULL);
    parcel_destroy(&parcel);
    transit(&draft, &parcel);
    ck_assert_msg(server_adopt_socket(new.server, &parcel, reason, sizeof(reason)) == 0, "%s",
                  reason);
}

/* ---- What operators see ---- */

struct seen {
    struct session_view views[ENGINES];
    pid_t pids[ENGINES];
    uint32_t count;
};

static bool see(void *context, const struct session *session, pid_t pid)
{
    struct seen *seen = context;

    ck_assert_uint_lt(seen->count, ENGINES);
    session_view(session, &seen->views[seen->count]);
    seen->pids[seen->count++] = pid;
    return true;
}

static void look(void *argument)
{
    server_sessions(old.server, see, argument);
}

static void same(const struct seen *seen, const struct session_view *view, pid_t pid)
{
    const struct session_view *other = &seen->views[0];
    uint32_t at = other->id == view->id ? 0 : 1;

    other = &seen->views[at];
    ck_assert_uint_eq(other->id, view->id);
    ck_assert_uint_eq(other->arena_bytes, view->arena_bytes);
    ck_assert_uint_eq(other->attached_ns, view->attached_ns);
    ck_assert_uint_eq(other->uid, view->uid);
    ck_assert_uint_eq(other->abi, view->abi);
    ck_assert_uint_eq(other->channels, view->channels);
    ck_assert_uint_eq(other->rights, view->rights);
    ck_assert_uint_eq(other->weight, view->weight);
    ck_assert_uint_eq(other->cpu_share, view->cpu_share);
    ck_assert_str_eq(other->engine, view->engine);
    ck_assert_str_eq(other->application, view->application);
    ck_assert_int_eq(seen->pids[at], pid);
}

/* The engine is told the same, but for what is this process's own. */
static void same_to_engines(const struct pony_session_config *before)
{
    const struct pony_session_config *now = &toy_pony.last;

    ck_assert_uint_eq(now->id, before->id);
    ck_assert_uint_eq(now->uid, before->uid);
    ck_assert_uint_eq(now->abi, before->abi);
    ck_assert_mem_eq(&now->grant, &before->grant, sizeof(now->grant));
    ck_assert_uint_eq(now->grant.exposed, 1ull << 33);
    ck_assert_ptr_nonnull(now->purse);
    ck_assert_str_eq(now->application, before->application);
    ck_assert_uint_eq(now->arena_bytes, before->arena_bytes);
    ck_assert_uint_eq(now->heap_offset, before->heap_offset);
    ck_assert_uint_eq(now->heap_bytes, before->heap_bytes);
    ck_assert_uint_eq(now->slots_offset, before->slots_offset);
    ck_assert_uint_eq(now->slot_count, before->slot_count);
    ck_assert_uint_eq(now->channel_count, before->channel_count);
    ck_assert(now->arena != before->arena);
}

START_TEST(the_whole_way)
{
    struct saddle_session *first = attach("alpha", 2), *second, *third;
    struct pony_session_config told = toy_pony.last;
    struct seen before = {0}, after = {0};
    struct stat found;

    second = attach("beta", 1);
    transit_loop_do(&old.loop, look, &before);
    ck_assert_uint_eq(before.count, 2);
    must_offer();
    must_adopt();
    ck_assert_int_eq(toy_pony.made, 4);
    ck_assert_int_eq(toy_pony.attached, 2);
    server_sessions(new.server, see, &after);
    ck_assert_uint_eq(after.count, 2);
    for (uint32_t i = 0; i < after.count; i++)
        same(&before, &after.views[i], after.pids[i]);
    same_to_engines(&told); /* the last slot is taken first, and written last */
    transit_loop_do(&old.loop, leave, NULL);
    ck_assert_int_eq(result, 0);
    must_enter();
    transit_loop_do(&old.loop, forget, NULL);
    ck_assert_int_eq(toy_pony.made, 2);
    must_adopt_socket();
    transit_loop_do(&old.loop, forget_socket, NULL);
    transit_loop_await_sessions(&old.loop, 0);
    end_side(&old);
    /* The old one is gone; the applications notice nothing. */
    ck_assert_int_eq(stat(path, &found), 0);
    ck_assert_int_eq(saddle_status(first), 0);
    ck_assert_int_eq(saddle_status(second), 0);
    run_side(&new);
    third = attach("alpha", 1);
    transit_loop_await_sessions(&new.loop, 3);
    ck_assert_uint_eq(toy_pony.last.id, 3);
    saddle_detach(first);
    saddle_detach(second);
    transit_loop_await_sessions(&new.loop, 1);
    saddle_detach(third);
    transit_loop_await_sessions(&new.loop, 0);
}
END_TEST

/* Who hung up meanwhile is found by whoever thaws, or by the one that was handed the connection. */
START_TEST(who_left_meanwhile_is_found)
{
    struct saddle_session *first = attach("alpha", 1), *second = attach("beta", 1);

    must_offer();
    must_adopt();
    saddle_detach(first);
    transit_loop_do(&old.loop, nothing, NULL);
    ck_assert_int_eq(toy_pony.attached, 2);
    server_forget(new.server, new.engines, ENGINES); /* given back */
    ck_assert_int_eq(toy_pony.made, 2);
    transit_loop_do(&old.loop, thaw, NULL);
    transit_loop_await_sessions(&old.loop, 1);
    parcel_destroy(&parcel);
    must_offer();
    must_adopt();
    saddle_detach(second);
    must_enter();
    transit_loop_do(&old.loop, forget, NULL);
    ck_assert_int_eq(toy_pony.attached, 1); /* no mailbox was asked */
    end_side(&old);
    run_side(&new);
    transit_loop_await_sessions(&new.loop, 0);
    ck_assert_int_eq(toy_pony.attached, 0);
}
END_TEST

/* The old side still has everything, whatever the other one did with its half. */
START_TEST(nothing_is_left_of_what_is_given_up)
{
    struct saddle_session *session = attach("alpha", 3);
    uint32_t before, entered;

    transit_loop_do(&old.loop, nothing, NULL); /* what only the application needs is closed */
    before = transit_descriptors();
    for (entered = 0; entered < 3; entered++) {
        must_offer();
        must_adopt();
        if (entered > 0)
            ck_assert_int_eq(server_enter(new.server, new.engines[0], reason, sizeof(reason)), 0);
        if (entered > 1)
            ck_assert_int_eq(server_entered(new.server, new.engines[0], reason, sizeof(reason)), 0);
        server_forget(new.server, new.engines, ENGINES);
        parcel_destroy(&parcel);
        ck_assert_uint_eq(transit_descriptors(), before);
        ck_assert_int_eq(toy_pony.made, 1);
        transit_loop_do(&old.loop, thaw, NULL);
        ck_assert_int_eq(saddle_status(session), 0);
        saddle_detach(attach("beta", 1)); /* it serves */
        transit_loop_await_sessions(&old.loop, 1);
    }
    saddle_detach(session);
    transit_loop_await_sessions(&old.loop, 0);
}
END_TEST

/* ---- What is refused ---- */

static uint8_t document[DOCUMENT_BYTES];

/* Whatever it is, it is refused with a reason, or does no harm: 0 if it was taken. */
static int try_altered(size_t length)
{
    uint32_t before = transit_descriptors();
    struct parcel altered;
    int error = transit_altered(&parcel, document, length, &altered);

    if (!error) {
        error = adopt(&altered);
        ck_assert(!error == !reason[0]);
        server_forget(new.server, new.engines, ENGINES);
    }
    parcel_destroy(&altered);
    ck_assert_uint_eq(transit_descriptors(), before);
    ck_assert_int_eq(toy_pony.made, 1);
    return error;
}

START_TEST(every_damage_is_harmless)
{
    static const uint8_t flips[] = {0x01, 0x80, 0xff};
    struct saddle_session *session = attach("alpha", 1);

    must_offer();
    ck_assert_uint_lt(parcel.length, sizeof(document));
    for (size_t length = 0; length < parcel.length; length++) {
        memcpy(document, parcel.bytes, parcel.length);
        ck_assert_int_lt(try_altered(length), 0);
    }
    for (size_t at = 0; at < parcel.length; at++) {
        for (size_t flip = 0; flip < sizeof(flips); flip++) {
            memcpy(document, parcel.bytes, parcel.length);
            document[at] ^= flips[flip];
            try_altered(parcel.length);
        }
    }
    must_adopt();
    server_forget(new.server, new.engines, ENGINES);
    transit_loop_do(&old.loop, thaw, NULL);
    saddle_detach(session);
    transit_loop_await_sessions(&old.loop, 0);
}
END_TEST

START_TEST(a_version_that_is_not_served)
{
    struct saddle_session *session = attach("alpha", 1);
    struct parcel altered;

    must_offer();
    memcpy(document, parcel.bytes, parcel.length);
    ck_assert_uint_eq(document[ABI_AT], SADDLE_ABI_VERSION);
    document[ABI_AT] = SADDLE_ABI_VERSION + 1;
    ck_assert_int_eq(transit_altered(&parcel, document, parcel.length, &altered), 0);
    ck_assert_int_eq(adopt(&altered), -EPROTONOSUPPORT);
    ck_assert_ptr_nonnull(strstr(reason, "session 1: its application (of the test) has version 4"));
    parcel_destroy(&altered);
    saddle_detach(session);
}
END_TEST

START_TEST(engines_that_do_not_fit)
{
    struct saddle_session *session = attach("alpha", 1);
    struct parcel again;

    must_offer();
    memcpy(document, parcel.bytes, parcel.length);
    ck_assert_int_eq(transit_altered(&parcel, document, parcel.length, &again), 0);
    ck_assert_int_eq(server_adopt(new.server, &new.engines[1], 1, &again, reason, sizeof(reason)),
                     -ENODEV);
    ck_assert_str_eq(reason, "session 1: there is no engine \"alpha\"");
    must_adopt();
    ck_assert_int_eq(adopt(&again), -EEXIST);
    ck_assert_str_eq(reason, "engine alpha has sessions already");
    parcel_destroy(&again);
    server_forget(new.server, new.engines, ENGINES);
    saddle_detach(session);
}
END_TEST

/* A memfd as an arena's, but for one thing. */
static int false_arena(off_t bytes, int seals)
{
    int fd = memfd_create("false", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    ck_assert_int_eq(ftruncate(fd, bytes), 0);
    ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static void refuse_with(uint32_t place, int fd, const char *expected)
{
    struct parcel altered;

    ck_assert_int_ge(fd, 0);
    memcpy(document, parcel.bytes, parcel.length);
    ck_assert_int_eq(transit_altered(&parcel, document, parcel.length, &altered), 0);
    ck_assert_uint_eq(altered.count, SESSION_FDS);
    close(altered.fds[place]);
    altered.fds[place] = fd;
    ck_assert_int_lt(adopt(&altered), 0);
    ck_assert_ptr_nonnull(strstr(reason, expected));
    parcel_destroy(&altered);
    ck_assert_int_eq(toy_pony.made, 1);
}

START_TEST(descriptors_that_are_something_else)
{
    static const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    struct saddle_session *session = attach("alpha", 1);
    off_t bytes = (off_t)toy_pony.last.arena_bytes;

    must_offer();
    refuse_with(FD_CONNECTION, eventfd(0, EFD_CLOEXEC), "is not that of its user");
    refuse_with(FD_CONNECTION, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
                "is not that of its user");
    refuse_with(FD_ARENA, eventfd(0, EFD_CLOEXEC), "is not sealed");
    refuse_with(FD_ARENA, open("/dev/zero", O_RDWR | O_CLOEXEC), "is not sealed");
    refuse_with(FD_ARENA, false_arena(bytes, F_SEAL_GROW | F_SEAL_SEAL), "is not sealed");
    refuse_with(FD_ARENA, false_arena(bytes - 1, seals), "another size");
    refuse_with(FD_ARENA, false_arena(bytes + 1, seals), "another size");
    /* What cannot be waited for is no doorbell. */
    refuse_with(FD_BELL, memfd_create("bell", MFD_CLOEXEC), "session 1: ");
    saddle_detach(session);
}
END_TEST

START_TEST(an_engine_that_does_not_take_them)
{
    struct saddle_session *session = attach("alpha", 1);

    must_offer();
    must_adopt();
    atomic_store(&toy_pony.refusal, -ENOSPC);
    ck_assert_int_eq(server_enter(new.server, new.engines[0], reason, sizeof(reason)), -ENOSPC);
    ck_assert_ptr_nonnull(strstr(reason, "session 1: "));
    atomic_store(&toy_pony.refusal, 0);
    atomic_store(&toy_pony.loaded, false);
    ck_assert_int_eq(server_entered(new.server, new.engines[0], reason, sizeof(reason)), -EPROTO);
    ck_assert_str_eq(reason, "session 1: its engine does not know it");
    server_forget(new.server, new.engines, ENGINES);
    saddle_detach(session);
}
END_TEST

/* ---- What is not offered ---- */

START_TEST(a_silent_engine_and_a_stuck_session)
{
    struct saddle_session *session = attach("alpha", 1);

    transit_loop_do(&old.loop, freeze, NULL);
    ck_assert_int_eq(group_remove(group, old.engines[0]), 0);
    transit_loop_do(&old.loop, offer, NULL);
    ck_assert_int_eq(result, -ETIMEDOUT);
    ck_assert_str_eq(reason, "engine alpha does not answer");
    parcel_draft_destroy(&draft);
    /* It is to go, and its engine does not let it. */
    saddle_detach(session);
    transit_loop_do(&old.loop, thaw, NULL);
    transit_loop_do(&old.loop, nothing, NULL);
    transit_loop_do(&old.loop, freeze, NULL);
    ck_assert_int_eq(group_add(group, old.engines[0]), 0);
    transit_loop_do(&old.loop, offer, NULL);
    ck_assert_int_eq(result, -EBUSY);
    ck_assert_str_eq(reason, "session 1: its engine does not let it go");
    transit_loop_do(&old.loop, thaw, NULL);
    transit_loop_await_sessions(&old.loop, 0);
}
END_TEST

/* Mailbox work: reads a byte of the arena, as an engine does. */
static int touch(void *engine, void *page)
{
    (void)engine;
    return *(volatile uint8_t *)page;
}

START_TEST(memory_that_was_taken_away)
{
    struct saddle_session *session = attach("alpha", 1);
    int empty = memfd_create("empty", MFD_CLOEXEC);
    uint8_t *page = toy_pony.last.arena + toy_pony.last.heap_offset;

    must_offer();
    ck_assert(mmap(page, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_FIXED, empty, 0) == page);
    close(empty);
    ck_assert_int_eq(
        mailbox_call(&old.engines[0]->mailbox, touch, page, TRANSIT_PATIENCE_NS, &result), 0);
    transit_loop_do(&old.loop, leave, NULL);
    ck_assert_int_eq(result, -EFAULT);
    ck_assert_str_eq(reason, "session 1: its memory was taken away");
    transit_loop_do(&old.loop, offer, NULL);
    ck_assert_int_eq(result, -EFAULT);
    transit_loop_do(&old.loop, thaw, NULL);
    /* The guard of a process knows the server that was made last. */
    ck_assert_int_eq(eventfd_write(server_control_fd(old.server), 1), 0);
    transit_loop_await_sessions(&old.loop, 0);
    ck_assert_int_eq(saddle_status(session), -EFAULT);
    saddle_detach(session);
}
END_TEST

/* ---- Freezing ---- */

static void *attach_beside(void *argument)
{
    (void)argument;
    return attach("beta", 1);
}

static void close_first(void *argument)
{
    (void)argument;
    result = server_close_session(old.server, 1, "the test wants it so");
}

START_TEST(a_frozen_server_looks_at_nothing)
{
    struct saddle_session *first = attach("alpha", 1), *second = attach("alpha", 1);
    pthread_t thread;
    void *late;

    transit_loop_do(&old.loop, freeze, NULL);
    transit_loop_do(&old.loop, freeze, NULL);
    ck_assert_int_eq(pthread_create(&thread, NULL, attach_beside, NULL), 0);
    saddle_detach(second);
    transit_loop_do(&old.loop, close_first, NULL);
    ck_assert_int_eq(result, -EBUSY);
    atomic_store(&toy_pony.error, -EPROTO);
    ck_assert_int_eq(eventfd_write(server_control_fd(old.server), 1), 0);
    for (int i = 0; i < 3; i++)
        transit_loop_do(&old.loop, nothing, NULL);
    ck_assert_int_eq(toy_pony.attached, 2);
    ck_assert_int_eq(saddle_status(first), 0);
    atomic_store(&toy_pony.error, 0);
    transit_loop_do(&old.loop, thaw, NULL);
    ck_assert_int_eq(pthread_join(thread, &late), 0);
    transit_loop_await_sessions(&old.loop, 2);
    transit_loop_do(&old.loop, close_first, NULL);
    ck_assert_int_eq(result, 0);
    ck_assert_int_eq(saddle_status(first), -ECONNABORTED);
    saddle_detach(first);
    saddle_detach(late);
    transit_loop_await_sessions(&old.loop, 0);
}
END_TEST

/* ---- The socket ---- */

START_TEST(those_who_have_knocked_go_over)
{
    const struct saddle_attach_request request = {
        .magic = SADDLE_ABI_MAGIC,
        .bytes = sizeof(request),
        .abi_min = SADDLE_ABI_VERSION,
        .abi_max = SADDLE_ABI_VERSION,
        .channels = 1,
        .command_entries = 8,
        .completion_entries = 8,
        .receive_slots = 4,
    };
    struct saddle_attach_reply reply;
    int silent = knock(), waiting;

    /* Twice round: in between it was accepted. */
    transit_loop_do(&old.loop, nothing, NULL);
    transit_loop_do(&old.loop, nothing, NULL);
    transit_loop_do(&old.loop, freeze, NULL);
    waiting = knock();
    ck_assert_int_eq(send(silent, &request, sizeof(request), 0), sizeof(request));
    ck_assert_int_eq(send(waiting, &request, sizeof(request), 0), sizeof(request));
    must_adopt_socket();
    ck_assert_uint_eq(parcel.count, 3); /* the socket, its lock, and the first of them */
    transit_loop_do(&old.loop, forget_socket, NULL);
    end_side(&old);
    run_side(&new);
    ck_assert_int_eq(recv(silent, &reply, sizeof(reply), 0), sizeof(reply));
    ck_assert_int_eq(reply.error, 0);
    ck_assert_int_eq(recv(waiting, &reply, sizeof(reply), 0), sizeof(reply));
    ck_assert_int_eq(reply.error, 0);
    close(silent);
    close(waiting);
    transit_loop_await_sessions(&new.loop, 0);
}
END_TEST

START_TEST(a_socket_goes_and_comes_back)
{
    struct server *third = NULL;
    const struct server_config config = {.path = path, .mode = 0600};

    must_adopt_socket();
    ck_assert_int_eq(server_adopt_socket(new.server, &parcel, reason, sizeof(reason)), -EEXIST);
    transit_loop_do(&old.loop, forget_socket, NULL);
    ck_assert_int_eq(server_create(&third, &config, reason, sizeof(reason)), -EADDRINUSE);
    parcel_destroy(&parcel);
    parcel_draft_init(&draft);
    server_offer_socket(new.server, &draft);
    transit(&draft, &parcel);
    ck_assert_int_eq(server_adopt_socket(old.server, &parcel, reason, sizeof(reason)), 0);
    server_forget_socket(new.server);
    server_forget_socket(new.server);
    transit_loop_do(&old.loop, thaw, NULL);
    saddle_detach(attach("alpha", 1));
    transit_loop_await_sessions(&old.loop, 0);
}
END_TEST

START_TEST(a_socket_that_is_damaged)
{
    uint32_t before;
    struct parcel altered;
    int silent = knock();

    transit_loop_do(&old.loop, nothing, NULL);
    transit_loop_do(&old.loop, nothing, NULL);
    transit_loop_do(&old.loop, offer_socket, NULL);
    transit(&draft, &parcel);
    before = transit_descriptors();
    for (size_t at = 0; at < 2 * parcel.length; at++) {
        size_t length = at < parcel.length ? parcel.length : at - parcel.length;

        memcpy(document, parcel.bytes, parcel.length);
        document[at % parcel.length] ^= at < parcel.length ? 0xff : 0;
        if (transit_altered(&parcel, document, length, &altered) == 0) {
            reason[0] = '\0';
            ck_assert(!server_adopt_socket(new.server, &altered, reason, sizeof(reason)) ==
                      !reason[0]);
            server_forget_socket(new.server);
        }
        parcel_destroy(&altered);
        ck_assert_uint_eq(transit_descriptors(), before);
    }
    transit_loop_do(&old.loop, thaw, NULL);
    saddle_detach(attach("alpha", 1));
    transit_loop_await_sessions(&old.loop, 0);
    close(silent);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control/server_handover");
    TCase *tcase = tcase_create("handover");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_whole_way);
    tcase_add_test(tcase, who_left_meanwhile_is_found);
    tcase_add_test(tcase, nothing_is_left_of_what_is_given_up);
    tcase_add_test(tcase, every_damage_is_harmless);
    tcase_add_test(tcase, a_version_that_is_not_served);
    tcase_add_test(tcase, engines_that_do_not_fit);
    tcase_add_test(tcase, descriptors_that_are_something_else);
    tcase_add_test(tcase, an_engine_that_does_not_take_them);
    tcase_add_test(tcase, a_silent_engine_and_a_stuck_session);
    tcase_add_test(tcase, memory_that_was_taken_away);
    tcase_add_test(tcase, a_frozen_server_looks_at_nothing);
    tcase_add_test(tcase, those_who_have_knocked_go_over);
    tcase_add_test(tcase, a_socket_goes_and_comes_back);
    tcase_add_test(tcase, a_socket_that_is_damaged);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
