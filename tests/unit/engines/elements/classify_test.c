/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/elements/classify.h"

#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t key[CLASSIFY_KEY_BYTES] = "sixteen bytes..";

static struct claim claim_of(uint32_t number)
{
    struct claim claim = {.port = (uint16_t)number, .protocol = IPPROTO_UDP};

    address_parse(&claim.address, "10.0.0.1");
    claim.address.bytes[14] = (uint8_t)(number >> 16);
    return claim;
}

START_TEST(adds_finds_removes)
{
    struct classify *classify;
    struct claim claim = claim_of(1);
    struct claim other = claim;

    ck_assert_int_eq(classify_create(&classify, 2, key), 0);
    ck_assert_uint_eq(classify_find(classify, &claim), CLASSIFY_NONE);
    ck_assert_int_eq(classify_add(classify, &claim, 5), 0);
    ck_assert_int_eq(classify_add(classify, &claim, 6), -EEXIST);
    ck_assert_uint_eq(classify_find(classify, &claim), 5);
    other.protocol = IPPROTO_TCP;
    ck_assert_uint_eq(classify_find(classify, &other), CLASSIFY_NONE);
    other = claim_of(2);
    ck_assert_uint_eq(classify_find(classify, &other), CLASSIFY_NONE);
    other = claim;
    other.address.bytes[0] = 1;
    ck_assert_uint_eq(classify_find(classify, &other), CLASSIFY_NONE);
    ck_assert_int_eq(classify_remove(classify, &other), -ENOENT);
    ck_assert_int_eq(classify_add(classify, &other, 7), 0);
    other.port = 9;
    ck_assert_int_eq(classify_add(classify, &other, 7), -ENOSPC);
    ck_assert_int_eq(classify_remove(classify, &claim), 0);
    ck_assert_uint_eq(classify_find(classify, &claim), CLASSIFY_NONE);
    classify_destroy(classify);
    classify_destroy(NULL);
}
END_TEST

START_TEST(bad_arguments)
{
    struct classify *classify;
    struct claim claim = claim_of(1);

    ck_assert_int_eq(classify_create(&classify, 0, key), -EINVAL);
    ck_assert_int_eq(classify_create(&classify, CLASSIFY_CLAIMS_MAX + 1, key), -EINVAL);
    ck_assert_int_eq(classify_create(&classify, 1, key), 0);
    ck_assert_int_eq(classify_add(classify, &claim, CLASSIFY_NONE), -EINVAL);
    classify_destroy(classify);
}
END_TEST

/* A full table under random adding and removing agrees with a plain array. */
START_TEST(like_an_array)
{
    enum { CLAIMS = 200, CAPACITY = 100 };
    uint16_t classes[CLAIMS];
    struct classify *classify;
    uint32_t state = 1;
    uint32_t count = 0;
    uint32_t wrong = 0;

    for (uint32_t i = 0; i < CLAIMS; i++)
        classes[i] = CLASSIFY_NONE;
    ck_assert_int_eq(classify_create(&classify, CAPACITY, key), 0);
    for (uint32_t step = 0; step < 20000; step++) {
        struct claim claim;
        uint32_t at;

        state = state * 1664525 + 1013904223;
        at = (state >> 16) % CLAIMS;
        claim = claim_of(at);
        wrong += classify_find(classify, &claim) != classes[at];
        if (state >> 31) {
            int want = classes[at] != CLASSIFY_NONE ? -EEXIST : count == CAPACITY ? -ENOSPC : 0;

            wrong += classify_add(classify, &claim, (uint16_t)step) != want;
            if (!want) {
                classes[at] = (uint16_t)step;
                count++;
            }
        } else {
            int want = classes[at] == CLASSIFY_NONE ? -ENOENT : 0;

            wrong += classify_remove(classify, &claim) != want;
            if (!want) {
                classes[at] = CLASSIFY_NONE;
                count--;
            }
        }
    }
    ck_assert_uint_eq(wrong, 0);
    classify_destroy(classify);
}
END_TEST

START_TEST(splits_a_burst)
{
    enum { COUNT = 10 };
    struct rte_mbuf own[COUNT];
    struct rte_mbuf *packets[COUNT];
    struct rte_mbuf *taken[COUNT];
    struct packet_meta metas[COUNT];
    struct packet_meta taken_metas[COUNT];
    uint16_t classes[COUNT];
    struct classified all = {packets, metas, classes, COUNT};
    struct classify *classify;

    ck_assert_int_eq(classify_create(&classify, 2, key), 0);
    for (uint16_t i = 0; i < 2; i++) {
        struct claim claim = claim_of(i);

        ck_assert_int_eq(classify_add(classify, &claim, i), 0);
    }
    memset(metas, 0, sizeof(metas));
    for (uint16_t i = 0; i < COUNT; i++) {
        packets[i] = &own[i];
        metas[i].dst = claim_of(0).address;
        metas[i].dst_port = i % 3; /* 0 and 1 are claimed */
        metas[i].src_port = i;
        metas[i].protocol = IPPROTO_UDP;
    }
    classify_batch(classify, metas, COUNT, classes);
    ck_assert_uint_eq(classify_take(&all, 1, taken, taken_metas), 3);
    for (uint16_t i = 0; i < 3; i++) {
        ck_assert_ptr_eq(taken[i], &own[i * 3 + 1]);
        ck_assert_uint_eq(taken_metas[i].src_port, i * 3 + 1);
    }
    ck_assert_uint_eq(classify_take(&all, 0, taken, taken_metas), 4);
    ck_assert_uint_eq(all.count, 3);
    for (uint16_t i = 0; i < 3; i++) {
        ck_assert_ptr_eq(packets[i], &own[i * 3 + 2]);
        ck_assert_uint_eq(metas[i].src_port, i * 3 + 2);
        ck_assert_uint_eq(classes[i], CLASSIFY_NONE);
    }
    classify_destroy(classify);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("classify");
    TCase *tcase = tcase_create("classify");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, adds_finds_removes);
    tcase_add_test(tcase, bad_arguments);
    tcase_add_test(tcase, like_an_array);
    tcase_add_test(tcase, splits_a_burst);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
