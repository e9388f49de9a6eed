/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/arena.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define HEAP  (1u << 20)
#define SLOTS 16u

static struct saddle_attach_request good_request(void)
{
    struct saddle_attach_request request = {
        .magic = SADDLE_ABI_MAGIC,
        .bytes = sizeof(request),
        .abi_min = SADDLE_ABI_VERSION,
        .abi_max = SADDLE_ABI_VERSION,
        .channels = 2,
        .command_entries = 64,
        .completion_entries = 128,
        .receive_slots = SLOTS,
        .heap_bytes = HEAP,
    };
    return request;
}

/* Every part lies behind the one before it, on a page, and the last ends with the arena. */
static void check_layout(const struct saddle_attach_request *request)
{
    struct saddle_attach_reply reply;
    uint64_t slots_offset;
    ck_assert_int_eq(arena_plan(request, &reply, &slots_offset), 0);
    ck_assert_int_eq(reply.error, 0);
    ck_assert_uint_eq(reply.channels, request->channels);
    uint64_t end = sizeof(struct saddle_arena_header);
    for (uint32_t i = 0; i < reply.channels; i++) {
        const struct saddle_channel_layout *channel = &reply.channel[i];
        ck_assert_uint_eq(channel->command_offset % ARENA_PAGE_BYTES, 0);
        ck_assert_uint_eq(channel->completion_offset % ARENA_PAGE_BYTES, 0);
        ck_assert_uint_ge(channel->command_offset, end);
        end = channel->command_offset + queue_bytes(request->command_entries);
        ck_assert_uint_ge(channel->completion_offset, end);
        end = channel->completion_offset + queue_bytes(request->completion_entries);
    }
    ck_assert_uint_ge(slots_offset, end);
    ck_assert_uint_eq(slots_offset % ARENA_PAGE_BYTES, 0);
    end = slots_offset + (uint64_t)request->receive_slots * SADDLE_EAGER_MAX;
    ck_assert_uint_eq(reply.heap_offset, end);
    ck_assert_uint_ge(reply.heap_bytes, request->heap_bytes);
    ck_assert_uint_eq(reply.arena_bytes, reply.heap_offset + reply.heap_bytes);
    ck_assert_uint_le(reply.arena_bytes, ARENA_BYTES_MAX);
}

START_TEST(test_plan_layout)
{
    struct saddle_attach_request request = good_request();
    check_layout(&request);
    request.channels = SADDLE_CHANNELS_MAX;
    request.command_entries = ARENA_QUEUE_ENTRIES_MIN;
    request.heap_bytes = 0;
    check_layout(&request);
    request.channels = 1;
    request.command_entries = SADDLE_QUEUE_MAX;
    request.completion_entries = SADDLE_QUEUE_MAX;
    request.receive_slots = ARENA_SLOTS_MAX;
    request.heap_bytes = 1;
    check_layout(&request);
}
END_TEST

/* A field of a good request, the lie written into it, and the answer. */
static const struct lie {
    size_t offset;
    size_t bytes;
    uint64_t value;
    int error;
} lies[] = {
#define LIE(member, value, error)                                                                  \
    {                                                                                              \
        offsetof(struct saddle_attach_request, member),                                            \
            sizeof(((struct saddle_attach_request *)0)->member), (value), (error)                  \
    }
    LIE(magic, 0, -EPROTO),
    LIE(magic, UINT32_MAX, -EPROTO),
    LIE(bytes, 0, -EPROTO),
    LIE(bytes, sizeof(struct saddle_attach_request) + 1, -EPROTO),
    LIE(bytes, UINT32_MAX, -EPROTO),
    LIE(abi_min, SADDLE_ABI_VERSION + 1, -EPROTO),
    LIE(abi_max, 0, -EPROTO),
    LIE(channels, 0, -EINVAL),
    LIE(channels, SADDLE_CHANNELS_MAX + 1, -EINVAL),
    LIE(channels, UINT32_MAX, -EINVAL),
    LIE(command_entries, 0, -EINVAL),
    LIE(command_entries, 4, -EINVAL),
    LIE(command_entries, 65, -EINVAL),
    LIE(command_entries, SADDLE_QUEUE_MAX * 2, -EINVAL),
    LIE(command_entries, 1u << 31, -EINVAL),
    LIE(completion_entries, 0, -EINVAL),
    LIE(completion_entries, UINT32_MAX, -EINVAL),
    LIE(receive_slots, 0, -EINVAL),
    LIE(receive_slots, ARENA_SLOTS_MAX + 1, -EINVAL),
    LIE(receive_slots, UINT32_MAX, -EINVAL),
    LIE(reserved, 1, -EINVAL),
    LIE(heap_bytes, ARENA_BYTES_MAX + 1, -EDQUOT),
    LIE(heap_bytes, ARENA_BYTES_MAX, -EDQUOT),
    LIE(heap_bytes, UINT64_MAX, -EDQUOT),
    LIE(heap_bytes, UINT64_MAX - ARENA_PAGE_BYTES + 2, -EDQUOT),
};

START_TEST(test_plan_refuses)
{
    for (const struct lie *lie = lies; lie < lies + sizeof(lies) / sizeof(lies[0]); lie++) {
        struct saddle_attach_request request = good_request();
        struct saddle_attach_reply reply;
        uint64_t slots_offset;
        memcpy((uint8_t *)&request + lie->offset, &lie->value, lie->bytes);
        int error = arena_plan(&request, &reply, &slots_offset);
        ck_assert_msg(error == lie->error, "lie %td: %d, not %d", lie - lies, error, lie->error);
        ck_assert_int_eq(reply.error, lie->error);
        ck_assert_uint_gt(strlen(reply.reason), 0);
        ck_assert_ptr_null(strchr(reply.reason, '\n'));
    }
}
END_TEST

START_TEST(test_plan_names_end)
{
    struct saddle_attach_request request = good_request();
    struct saddle_attach_reply reply;
    uint64_t slots_offset;
    memset(request.engine, 'e', sizeof(request.engine));
    ck_assert_int_eq(arena_plan(&request, &reply, &slots_offset), -EINVAL);
    request = good_request();
    memset(request.application, 'a', sizeof(request.application));
    ck_assert_int_eq(arena_plan(&request, &reply, &slots_offset), -EINVAL);
}
END_TEST

START_TEST(test_plan_older_application)
{
    struct saddle_attach_request request = good_request();
    struct saddle_attach_reply reply;
    struct pony_session_config config;
    uint64_t slots_offset;
    int fd;
    uint8_t *arena;
    request.abi_min = SADDLE_ABI_OLDEST;
    request.abi_max = (uint16_t)_i;
    ck_assert_int_eq(arena_plan(&request, &reply, &slots_offset), 0);
    ck_assert_uint_eq(reply.abi, (uint16_t)_i);
    ck_assert_int_eq(arena_create(reply.arena_bytes, "test", &fd, &arena), 0);
    ck_assert_int_eq(arena_describe(&config, arena, &reply, slots_offset, NULL), 0);
    ck_assert_uint_eq(config.abi, (uint32_t)_i);
    arena_destroy(arena, reply.arena_bytes);
    close(fd);
}
END_TEST

START_TEST(test_plan_newer_application)
{
    struct saddle_attach_request request = good_request();
    struct saddle_attach_reply reply;
    uint64_t slots_offset;
    request.abi_min = SADDLE_ABI_OLDEST;
    request.abi_max = UINT16_MAX;
    ck_assert_int_eq(arena_plan(&request, &reply, &slots_offset), 0);
    ck_assert_uint_eq(reply.abi, SADDLE_ABI_VERSION);
}
END_TEST

/* It is one that arena_plan makes as well, and what was whole already stays as it is. */
START_TEST(test_plan_of_huge_pages)
{
    struct saddle_attach_request request = good_request();
    struct saddle_attach_reply plan;
    uint64_t slots_offset, asked;
    ck_assert_int_eq(arena_plan(&request, &plan, &slots_offset), 0);
    asked = plan.heap_bytes;
    for (int times = 0; times < 2; times++) {
        arena_plan_huge(&plan);
        ck_assert_uint_eq(plan.arena_bytes % ARENA_HUGE_BYTES, 0);
        ck_assert_uint_eq(plan.arena_bytes, plan.heap_offset + plan.heap_bytes);
        ck_assert_uint_ge(plan.heap_bytes, asked);
        ck_assert_uint_lt(plan.heap_bytes, asked + ARENA_HUGE_BYTES);
        ck_assert_int_eq(arena_check(&plan, slots_offset), 0);
    }
    request.heap_bytes = ARENA_BYTES_MAX - plan.heap_offset - ARENA_PAGE_BYTES;
    ck_assert_int_eq(arena_plan(&request, &plan, &slots_offset), 0);
    arena_plan_huge(&plan);
    ck_assert_uint_eq(plan.arena_bytes, ARENA_BYTES_MAX);
}
END_TEST

static uint8_t *make_arena(uint64_t bytes, int *fd)
{
    uint8_t *arena = NULL;
    ck_assert_int_eq(arena_create(bytes, "test", fd, &arena), 0);
    return arena;
}

/* The plan of another daemon, with one word of it off by a page. */
START_TEST(test_a_plan_from_elsewhere)
{
    const struct saddle_attach_request request = good_request();
    struct saddle_attach_reply plan;
    uint64_t slots_offset, *const words[] = {
                               &slots_offset,
                               &plan.arena_bytes,
                               &plan.heap_offset,
                               &plan.heap_bytes,
                               &plan.channel[0].command_offset,
                               &plan.channel[0].completion_offset,
                               &plan.channel[1].command_offset,
                               &plan.channel[1].completion_offset,
                               &plan.channel[2].command_offset,
                           };
    ck_assert_int_eq(arena_plan(&request, &plan, &slots_offset), 0);
    ck_assert_int_eq(arena_check(&plan, slots_offset), 0);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        *words[i] += ARENA_PAGE_BYTES;
        ck_assert_int_eq(arena_check(&plan, slots_offset), -EINVAL);
        *words[i] -= ARENA_PAGE_BYTES;
    }
    plan.channel[1].command_entries /= 2;
    ck_assert_int_eq(arena_check(&plan, slots_offset), -EINVAL);
    plan.channel[1].command_entries *= 2;
    plan.channels--;
    ck_assert_int_eq(arena_check(&plan, slots_offset), -EINVAL);
    plan.channels = UINT16_MAX;
    ck_assert_int_eq(arena_check(&plan, slots_offset), -EINVAL);
    plan.channels = (uint16_t)request.channels;
    ck_assert_int_eq(arena_check(&plan, slots_offset), 0);
}
END_TEST

START_TEST(test_format_and_describe)
{
    const struct saddle_attach_request request = good_request();
    const int doorbells[] = {70, 71};
    struct saddle_attach_reply reply;
    struct pony_session_config config;
    uint64_t slots_offset;
    int fd;
    ck_assert_int_eq(arena_plan(&request, &reply, &slots_offset), 0);
    reply.session = 5;
    uint8_t *arena = make_arena(reply.arena_bytes, &fd);
    arena_format(arena, &reply);
    const struct saddle_arena_header *header = (const void *)arena;
    ck_assert_uint_eq(header->magic, SADDLE_ABI_MAGIC);
    ck_assert_uint_eq(header->abi, SADDLE_ABI_VERSION);
    ck_assert_uint_eq(header->state, SADDLE_SESSION_OPEN);
    ck_assert_int_eq(arena_describe(&config, arena, &reply, slots_offset, doorbells), 0);
    ck_assert_uint_eq(config.id, 5);
    ck_assert_uint_eq(config.slot_count, SLOTS);
    ck_assert_uint_eq(config.channel_count, 2);
    ck_assert_int_eq(config.channels[1].doorbell_fd, 71);
    ck_assert_ptr_eq(config.channels[1].command.header,
                     (void *)(arena + reply.channel[1].command_offset));
    arena_close(arena, -EPROTO, "a reason");
    ck_assert_uint_eq(header->state, SADDLE_SESSION_CLOSED);
    ck_assert_int_eq(header->error, -EPROTO);
    ck_assert_str_eq(header->reason, "a reason");
    arena_destroy(arena, reply.arena_bytes);
    close(fd);
}
END_TEST

START_TEST(test_memory_is_sealed)
{
    int fd;
    uint8_t *arena = make_arena(HEAP, &fd);
    ck_assert_int_eq(ftruncate(fd, 0), -1);
    ck_assert_int_eq(errno, EPERM);
    ck_assert_int_eq(ftruncate(fd, 2 * HEAP), -1);
    ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    ck_assert_int_eq(errno, EPERM);
    /* A hole is no fault: it reads as zeroes. */
    arena[ARENA_PAGE_BYTES] = 1;
    ck_assert_int_eq(
        fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 2 * ARENA_PAGE_BYTES), 0);
    ck_assert_uint_eq(arena[ARENA_PAGE_BYTES], 0);
    ck_assert(!arena_broken(arena));
    arena_destroy(arena, HEAP);
    close(fd);
}
END_TEST

/* Maps a file's nothing over a page of the arena: touching it is SIGBUS. */
static void take_page_away(uint8_t *page)
{
    int empty = memfd_create("empty", MFD_CLOEXEC);
    ck_assert_int_ge(empty, 0);
    ck_assert_ptr_eq(mmap(page, ARENA_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                          empty, 0),
                     page);
    close(empty);
}

START_TEST(test_guard_maps_zeroes)
{
    int fd, other_fd;
    int bell = eventfd(0, EFD_NONBLOCK);
    uint64_t rings = 0;
    uint8_t *arena = make_arena(HEAP, &fd);
    uint8_t *other = make_arena(HEAP, &other_fd);
    ck_assert_int_eq(arena_guard_install(bell), 0);
    take_page_away(arena + 3 * ARENA_PAGE_BYTES);
    volatile uint8_t *page = arena + 3 * ARENA_PAGE_BYTES;
    ck_assert_uint_eq(page[ARENA_PAGE_BYTES - 1], 0);
    page[0] = 1;
    ck_assert_uint_eq(page[0], 1);
    ck_assert(arena_broken(arena));
    ck_assert(!arena_broken(other));
    ck_assert_int_eq(read(bell, &rings, sizeof(rings)), sizeof(rings));
    ck_assert_uint_eq(rings, 1);
    arena_destroy(arena, HEAP);
    arena_destroy(other, HEAP);
    arena_guard_remove();
    close(fd);
    close(other_fd);
    close(bell);
}
END_TEST

#define HUGE_PAGES 3u

/* A memfd of huge pages, whether the machine has any or not. */
static int huge_memfd(uint64_t bytes, int seals)
{
    int fd = memfd_create("huge", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB | MFD_HUGE_2MB);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)bytes), 0);
    ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

/* Another daemon's, which is taken as it is: no page has to be free for that. */
START_TEST(test_adopts_huge_pages)
{
    const uint64_t bytes = HUGE_PAGES * ARENA_HUGE_BYTES;
    const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    uint8_t *arena = NULL;
    int fd = huge_memfd(bytes, seals);
    ck_assert_int_eq(arena_adopt(fd, bytes - ARENA_HUGE_BYTES, &arena), -EBADMSG);
    ck_assert_int_eq(arena_adopt(fd, bytes, &arena), 0);
    ck_assert_uint_eq((uintptr_t)arena % ARENA_HUGE_BYTES, 0);
    ck_assert(arena_huge(arena));
    arena_destroy(arena, bytes);
    ck_assert(!arena_huge(arena));
    close(fd);
    fd = huge_memfd(bytes, F_SEAL_SHRINK | F_SEAL_GROW);
    ck_assert_int_eq(arena_adopt(fd, bytes, &arena), -EBADMSG);
    close(fd);
}
END_TEST

/* A huge page that is gone is replaced as a whole; its neighbours stay what they are. */
START_TEST(test_guard_replaces_a_huge_page)
{
    const uint64_t bytes = HUGE_PAGES * ARENA_HUGE_BYTES;
    int fd = huge_memfd(bytes, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    int empty = huge_memfd(0, F_SEAL_SHRINK);
    uint8_t *arena = NULL;
    ck_assert_int_eq(arena_adopt(fd, bytes, &arena), 0);
    ck_assert_int_eq(arena_guard_install(-1), 0);
    uint8_t *page = arena + ARENA_HUGE_BYTES;
    ck_assert_ptr_eq(mmap(page, ARENA_HUGE_BYTES, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_FIXED | MAP_NORESERVE, empty, 0),
                     page);
    ck_assert(!arena_broken(arena));
    volatile uint8_t *last = page + ARENA_HUGE_BYTES - 1;
    ck_assert_uint_eq(*last, 0);
    ck_assert(arena_broken(arena));
    *last = 1;
    ck_assert_uint_eq(page[0], 0);
    ck_assert_uint_eq(*last, 1);
    arena_destroy(arena, bytes);
    arena_guard_remove();
    close(fd);
    close(empty);
}
END_TEST

/* More than any machine has free: nothing is left of the attempt. */
START_TEST(test_too_few_huge_pages)
{
    uint8_t *arena = NULL;
    int fd = -1;
    int error = arena_create_huge(1ull << 46, "test", &fd, &arena);
    ck_assert_int_lt(error, 0);
    ck_assert_str_eq(arena_huge_reason(error), "too few are free");
    ck_assert_str_eq(arena_huge_reason(-EINVAL), strerror(EINVAL));
    ck_assert_ptr_null(arena);
    ck_assert_int_eq(fd, -1);
}
END_TEST

/* A fault outside every arena, also where one used to be, is nobody's to repair. */
START_TEST(test_guard_leaves_other_faults)
{
    struct sigaction usual = {.sa_handler = SIG_DFL};
    int fd;
    sigaction(SIGBUS, &usual, NULL);
    uint8_t *arena = make_arena(HEAP, &fd);
    ck_assert_int_eq(arena_guard_install(-1), 0);
    arena_destroy(arena, HEAP);
    uint8_t *page = mmap(arena, HEAP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert(page != MAP_FAILED);
    take_page_away(page);
    *(volatile uint8_t *)page = 1;
}
END_TEST

START_TEST(test_table_is_bounded)
{
    uint8_t *arenas[ARENAS_MAX], *extra;
    int fd;
    for (uint32_t i = 0; i < ARENAS_MAX; i++) {
        arenas[i] = make_arena(ARENA_PAGE_BYTES, &fd);
        close(fd);
    }
    ck_assert_int_eq(arena_create(ARENA_PAGE_BYTES, "test", &fd, &extra), -ENFILE);
    arena_destroy(arenas[7], ARENA_PAGE_BYTES);
    arenas[7] = make_arena(ARENA_PAGE_BYTES, &fd);
    close(fd);
    for (uint32_t i = 0; i < ARENAS_MAX; i++)
        arena_destroy(arenas[i], ARENA_PAGE_BYTES);
    arena_destroy(NULL, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control/arena");
    TCase *tcase = tcase_create("arena");
    tcase_add_test(tcase, test_plan_layout);
    tcase_add_test(tcase, test_plan_refuses);
    tcase_add_test(tcase, test_plan_names_end);
    tcase_add_loop_test(tcase, test_plan_older_application, SADDLE_ABI_OLDEST,
                        SADDLE_ABI_VERSION + 1);
    tcase_add_test(tcase, test_plan_newer_application);
    tcase_add_test(tcase, test_a_plan_from_elsewhere);
    tcase_add_test(tcase, test_format_and_describe);
    tcase_add_test(tcase, test_memory_is_sealed);
    tcase_add_test(tcase, test_guard_maps_zeroes);
    tcase_add_test(tcase, test_plan_of_huge_pages);
    tcase_add_test(tcase, test_adopts_huge_pages);
    tcase_add_test(tcase, test_guard_replaces_a_huge_page);
    tcase_add_test(tcase, test_too_few_huge_pages);
    tcase_add_test_raise_signal(tcase, test_guard_leaves_other_faults, SIGBUS);
    tcase_add_test(tcase, test_table_is_bounded);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
