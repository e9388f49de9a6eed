/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/rx_window.h"
#include "engines/rng.h"

#include <check.h>
#include <stdlib.h>

#define STEPS 200000u
#define SPAN  (4 * RX_WINDOW)

/* A plain model: numbers that do not wrap, and a byte for each. */
struct model {
    uint64_t next;
    uint8_t arrived[STEPS + 2 * SPAN];
};

static enum rx_verdict look(const struct model *model, uint64_t seq)
{
    if (seq < model->next || model->arrived[seq])
        return RX_DUPLICATE;
    return seq - model->next < RX_WINDOW ? RX_NEW : RX_BEYOND;
}

static void take(struct model *model, uint64_t seq)
{
    model->arrived[seq] = 1;
    while (model->arrived[model->next])
        model->next++;
}

START_TEST(agrees_with_a_plain_model_across_the_wrap)
{
    static const uint32_t firsts[] = {0, 1, UINT32_MAX, UINT32_MAX - 100, 0x7fffffff, 0x80000000};
    struct model *model = calloc(1, sizeof(*model));
    uint32_t first = firsts[_i], wrong = 0;
    struct rx_window window;
    struct rng rng;

    rng_init_u64(&rng, (uint64_t)_i, 0);
    rx_window_init(&window, first);
    for (uint32_t step = 0; step < STEPS; step++) {
        uint64_t back = rng_below(&rng, 3) == 0 ? rng_below(&rng, RX_WINDOW) : 0;
        uint64_t seq = model->next + rng_below(&rng, rng_below(&rng, SPAN) + 1);
        enum rx_verdict verdict;
        uint8_t sack[WIRE_SACK_BYTES];

        seq = seq > back ? seq - back : 0;
        verdict = rx_window_look(&window, first + (uint32_t)seq);
        wrong += verdict != look(model, seq);
        if (verdict == RX_NEW) {
            rx_window_take(&window, first + (uint32_t)seq);
            take(model, seq);
        }
        wrong += window.next != first + (uint32_t)model->next;
        if (step % 64 != 0)
            continue;
        rx_window_sack(&window, sack);
        for (uint32_t bit = 0; bit < WIRE_SACK_BITS - 1; bit++)
            wrong += (sack[bit / 8] >> bit % 8 & 1) != model->arrived[model->next + 1 + bit];
        wrong += sack[WIRE_SACK_BYTES - 1] >> 7;
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_gt(model->next, RX_WINDOW);
    free(model);
}
END_TEST

START_TEST(the_far_past_is_a_duplicate_and_the_far_future_a_lie)
{
    struct rx_window window;

    rx_window_init(&window, 5);
    ck_assert_int_eq(rx_window_look(&window, 5), RX_NEW);
    ck_assert_int_eq(rx_window_look(&window, 5 + RX_WINDOW - 1), RX_NEW);
    ck_assert_int_eq(rx_window_look(&window, 5 + RX_WINDOW), RX_BEYOND);
    ck_assert_int_eq(rx_window_look(&window, 5u + INT32_MAX), RX_BEYOND);
    ck_assert_int_eq(rx_window_look(&window, 5u + INT32_MAX + 1), RX_DUPLICATE);
    ck_assert_int_eq(rx_window_look(&window, 4), RX_DUPLICATE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rx_window");
    TCase *tc = tcase_create("rx_window");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 50);
    tcase_add_loop_test(tc, agrees_with_a_plain_model_across_the_wrap, 0, 6);
    tcase_add_test(tc, the_far_past_is_a_duplicate_and_the_far_future_a_lie);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
