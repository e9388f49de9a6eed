/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/ring_report.h"
#include "tools/bench/wire_plan.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct ring_outcome outcomes[WIRE_CASES];
static const struct ring_settings settings = {.seconds = 0.5, .runs = 2};

static const struct ring_field *field_of(const char *name)
{
    for (uint32_t i = 0; i < wire_form.field_count; i++)
        if (strcmp(wire_form.fields[i].name, name) == 0)
            return &wire_form.fields[i];
    ck_abort_msg("no field %s", name);
    return NULL;
}

/* Each has a name of its own, and sleeps; those without a daemon are of a wire that has a cable. */
START_TEST(the_cases)
{
    ck_assert_uint_eq(wire_plan(&settings, outcomes), WIRE_CASES);
    ck_assert_uint_eq(wire_form.fixed, WIRE_CASES);
    for (uint32_t i = 0; i < WIRE_CASES; i++) {
        const struct ring_case *what = &outcomes[i].what;
        ck_assert(what->name[0]);
        for (uint32_t other = 0; other < i; other++)
            ck_assert_str_ne(what->name, outcomes[other].what.name);
        ck_assert(what->waits);
        ck_assert_uint_lt(what->wire, WIRES);
        ck_assert_uint_ge(what->slots, what->window);
        ck_assert_uint_eq(what->sessions, 1);
        ck_assert_uint_eq(what->connections, 1);
        bool cabled = what->place == RING_TCP || what->place == RING_FLOOR;
        ck_assert(what->place == RING_SPREADING || (cabled && what->wire != WIRE_MEMIF));
    }
    ck_assert_uint_eq(outcomes[WIRE_CASE_XDP_BULK].what.slots *
                          outcomes[WIRE_CASE_XDP_BULK].what.bytes,
                      8u << 20);
}
END_TEST

/* What is compared did the same, on the same cable: AF_PACKET's is the one of 1500 bytes. */
START_TEST(what_is_compared)
{
    wire_plan(&settings, outcomes);
    for (uint32_t i = 0; i < wire_form.field_count; i++) {
        const struct ring_field *field = &wire_form.fields[i];
        const struct ring_case *of = &outcomes[field->of].what, *by = &outcomes[field->by].what;
        if (!field->is_quotient)
            continue;
        ck_assert_int_eq(by->place, RING_TCP);
        ck_assert(of->place == RING_SPREADING || of->place == RING_FLOOR);
        ck_assert_int_eq(of->work, by->work);
        ck_assert_uint_eq(of->bytes, by->bytes);
        ck_assert_uint_eq(of->slots, by->slots);
        ck_assert_uint_eq(of->wire == WIRE_AF_PACKET ? WIRE_XDP_1500 : of->wire, by->wire);
    }
}
END_TEST

/* By all the time that the machine used. */
START_TEST(cost)
{
    const struct ring_field *field = field_of("xdp_gbps_per_core_vs_tcp");
    struct spread spread;
    uint32_t runs;
    wire_plan(&settings, outcomes);
    ck_assert(!ring_reckon(field, outcomes, &spread, &runs));
    for (uint32_t run = 0; run < settings.runs; run++) {
        outcomes[WIRE_CASE_XDP_BULK].runs[run].values[RING_PER_CORE_MACHINE] = 3 * (run + 1);
        outcomes[WIRE_CASE_TCP_BULK].runs[run].values[RING_PER_CORE_MACHINE] = 2 * (run + 1);
        outcomes[WIRE_CASE_XDP_BULK].run_count = outcomes[WIRE_CASE_TCP_BULK].run_count = run + 1;
    }
    ck_assert(ring_reckon(field, outcomes, &spread, &runs));
    ck_assert_uint_eq(runs, 2);
    ck_assert_double_eq(spread.min, 1.5);
    ck_assert_double_eq(spread.max, 1.5);
}
END_TEST

START_TEST(who_needs_a_cable)
{
    wire_plan(&settings, outcomes);
    ck_assert(wire_needs_cable(outcomes, WIRE_CASES));
    for (uint32_t i = 0; i < WIRE_CASES; i++)
        outcomes[i].left_out = !ring_matches(&outcomes[i].what, "memif/*");
    ck_assert(!wire_needs_cable(outcomes, WIRE_CASES));
    outcomes[WIRE_CASE_TCP_TRIP].left_out = false;
    ck_assert(wire_needs_cable(outcomes, WIRE_CASES));
}
END_TEST

/* It has no sweep. */
START_TEST(the_document)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    ck_assert_ptr_nonnull(out);
    wire_plan(&settings, outcomes);
    outcomes[WIRE_CASE_MEMIF_TRIP].runs[0] = (struct ring_result){.values = {1, 2}, .checked = 7};
    outcomes[WIRE_CASE_MEMIF_TRIP].run_count = 1;
    ck_assert_int_eq(ring_write_json(out, &wire_form, &settings, outcomes, WIRE_CASES), 0);
    fclose(out);
    ck_assert_int_eq(strncmp(text, "{\"wire\":1,", strlen("{\"wire\":1,")), 0);
    ck_assert_ptr_nonnull(
        strstr(text, "\"memif_rtt_us\":{\"median\":1,\"min\":1,\"max\":1,\"runs\":1}"));
    ck_assert_ptr_nonnull(strstr(text, "\"xdp_gbps_per_core_vs_tcp\":null,\n"));
    ck_assert_ptr_nonnull(strstr(text, "\"checked\":{\"memif/rtt\":7},\n\"not_measured\":{}}\n"));
    ck_assert_ptr_null(strstr(text, "sweep"));
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tools/bench/wire_plan");
    TCase *tests = tcase_create("wire_plan");
    tcase_add_test(tests, the_cases);
    tcase_add_test(tests, what_is_compared);
    tcase_add_test(tests, cost);
    tcase_add_test(tests, who_needs_a_cable);
    tcase_add_test(tests, the_document);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
