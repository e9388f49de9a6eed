/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/parts.h"

#include <check.h>
#include <string.h>

#define ROOM  1000u
#define TOTAL 900u

static struct parts parts;
static const char owners[PARTS_PLACES + 2];
static uint8_t whole[ROOM];
static uint64_t now;

static void setup(void)
{
    ck_assert_int_eq(parts_init(&parts, ROOM), 0);
    for (uint32_t i = 0; i < ROOM; i++)
        whole[i] = (uint8_t)(i * 7);
    now = 1000;
}

static void teardown(void)
{
    parts_fini(&parts);
}

static const uint8_t *give_from(const void *host, const void *owner, uint32_t seq, uint32_t offset,
                                uint32_t bytes)
{
    struct wire_part part = {.total = TOTAL, .offset = (uint16_t)offset};

    return parts_take(&parts, host, owner, seq, &part, whole + offset, bytes, now++);
}

/* Of a host with one flow. */
static const uint8_t *give(const void *owner, uint32_t seq, uint32_t offset, uint32_t bytes)
{
    return give_from(owner, owner, seq, offset, bytes);
}

/* The first part of one. */
static void start(const void *owner, uint32_t seq)
{
    ck_assert_ptr_null(give(owner, seq, 0, WIRE_PART_UNIT));
}

/* Is it there still? Then only the first part is missing no more. */
static bool kept(const void *owner, uint32_t seq)
{
    for (uint32_t i = 0; i < PARTS_PLACES; i++)
        if (parts.places[i].owner == owner && parts.places[i].seq == seq)
            return true;
    return false;
}

START_TEST(parts_become_a_whole)
{
    const uint8_t *made;

    for (uint32_t round = 0; round < 3; round++) {
        ck_assert_ptr_null(give(owners, 5, 512, TOTAL - 512));
        ck_assert_ptr_null(give(owners, 5, 0, 256));
        ck_assert_ptr_null(give(owners, 5, 128, 256)); /* overlaps */
        ck_assert_ptr_null(give(owners, 5, 128, 256)); /* repeated */
        made = give(owners, 5, 384, 128);
        ck_assert_ptr_nonnull(made);
        ck_assert_mem_eq(made, whole, TOTAL);
        /* Until it is taken it is there, whatever else comes of it. */
        ck_assert_ptr_nonnull(give(owners, 5, 0, 128));
        ck_assert_uint_eq(parts.used, 1);
        parts_drop(&parts, owners, 5);
        ck_assert_uint_eq(parts.used, 0);
    }
}
END_TEST

/* Numbers are an owner's own. */
START_TEST(owners_do_not_mix)
{
    ck_assert_ptr_null(give(owners, 5, 0, 512));
    ck_assert_ptr_null(give(owners + 1, 5, 512, TOTAL - 512));
    ck_assert_ptr_null(give(owners, 6, 512, TOTAL - 512));
    ck_assert_uint_eq(parts.used, 3);
    ck_assert_ptr_nonnull(give(owners, 5, 512, TOTAL - 512));
    parts_drop_all(&parts, owners);
    ck_assert_uint_eq(parts.used, 1);
    ck_assert(kept(owners + 1, 5));
    parts_drop(&parts, owners, 5); /* not there */
    ck_assert_uint_eq(parts.used, 1);
}
END_TEST

START_TEST(lies_about_the_length)
{
    struct wire_part part = {.total = ROOM + 1};

    ck_assert_ptr_null(parts_take(&parts, owners, owners, 5, &part, whole, WIRE_PART_UNIT, now));
    ck_assert_uint_eq(parts.used, 0);
    start(owners, 5);
    part.total = TOTAL + 1;
    part.offset = 896;
    ck_assert_ptr_null(parts_take(&parts, owners, owners, 5, &part, whole, 5, now));
    ck_assert_uint_eq(parts.places[0].missing, 7);
}
END_TEST

START_TEST(an_owner_beyond_its_share_loses_its_oldest)
{
    for (uint32_t seq = 0; seq < 3 * PARTS_SHARE; seq++) {
        start(owners, seq);
        ck_assert_uint_le(parts.used, PARTS_SHARE);
    }
    for (uint32_t seq = 0; seq < 3 * PARTS_SHARE; seq++)
        ck_assert_int_eq(kept(owners, seq), seq >= 2 * PARTS_SHARE);
}
END_TEST

/* As many greedy ones as fill all places: a modest one still finds room, and so do all others. */
START_TEST(the_greedy_give_way)
{
    uint32_t greedy = PARTS_PLACES / PARTS_SHARE;

    for (uint32_t i = 0; i < greedy; i++)
        for (uint32_t seq = 0; seq < PARTS_SHARE; seq++)
            start(owners + i, seq);
    ck_assert_uint_eq(parts.used, PARTS_PLACES);
    for (uint32_t i = greedy; i < PARTS_PLACES; i++) {
        start(owners + i, 1);
        ck_assert(kept(owners + i, 1));
        ck_assert_uint_eq(parts.used, PARTS_PLACES);
    }
    for (uint32_t i = greedy; i < PARTS_PLACES; i++)
        ck_assert(kept(owners + i, 1));
}
END_TEST

/* A host of so many flows that they fill all places gives way as one: others get as many. */
START_TEST(many_flows_of_a_host_are_one)
{
    uint32_t flows = PARTS_PLACES / 2;

    for (uint32_t seq = 0; seq < 2; seq++)
        for (uint32_t i = 0; i < flows; i++)
            give_from(whole, owners + i, seq, 0, WIRE_PART_UNIT);
    ck_assert_uint_eq(parts.used, PARTS_PLACES);
    for (uint32_t seq = 0; seq < PARTS_SHARE; seq++)
        for (uint32_t i = flows; i < flows + 4; i++)
            start(owners + i, seq);
    for (uint32_t seq = 0; seq < PARTS_SHARE; seq++)
        for (uint32_t i = flows; i < flows + 4; i++)
            ck_assert(kept(owners + i, seq));
    /* And it takes none back. */
    for (uint32_t i = 0; i < flows; i++)
        give_from(whole, owners + i, 2, 0, WIRE_PART_UNIT);
    for (uint32_t i = flows; i < flows + 4; i++)
        ck_assert(kept(owners + i, 0));
}
END_TEST

/* One each: whoever comes later waits until somebody has waited for too long. */
START_TEST(the_old_give_way)
{
    for (uint32_t i = 0; i < PARTS_PLACES; i++)
        start(owners + i, 1);
    start(owners + PARTS_PLACES, 1);
    ck_assert(!kept(owners + PARTS_PLACES, 1));
    now = 1000 + PARTS_AGE_NS;
    start(owners + PARTS_PLACES, 1);
    ck_assert(kept(owners + PARTS_PLACES, 1));
    ck_assert(!kept(owners, 1));
    ck_assert_uint_eq(parts.used, PARTS_PLACES);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parts");
    TCase *tc = tcase_create("parts");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, parts_become_a_whole);
    tcase_add_test(tc, owners_do_not_mix);
    tcase_add_test(tc, lies_about_the_length);
    tcase_add_test(tc, an_owner_beyond_its_share_loses_its_oldest);
    tcase_add_test(tc, the_greedy_give_way);
    tcase_add_test(tc, many_flows_of_a_host_are_one);
    tcase_add_test(tc, the_old_give_way);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
