/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/upgrades.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LATER_TYPE UPGRADES_RECORD_LAST

static struct upgrades *history, *heir;
static struct events *events;

static void setup(void)
{
    ck_assert_int_eq(upgrades_create(&history), 0);
    ck_assert_int_eq(upgrades_create(&heir), 0);
    ck_assert_int_eq(events_create(&events), 0);
}

static void teardown(void)
{
    upgrades_destroy(history);
    upgrades_destroy(heir);
    events_destroy(events);
}

/* With two sets, of which the second is lost. */
static struct upgrade_record example(enum upgrade_outcome outcome)
{
    return (struct upgrade_record){
        .total_ns = 5000000,
        .outcome = outcome,
        .newcomer = true,
        .killed = true,
        .peer = 77,
        .release = "0.2.0",
        .step = "enter",
        .set = "beta",
        .reason = "the port\nis gone",
        .set_count = 2,
        .sets = {{"alpha", UPGRADE_HERE, 1, 2, 3, 4, 5, 6, "run", "", 20},
                 {"beta", UPGRADE_LOST, 7, 8, 9, 10, 11, 12, "enter", "the port is gone", 0}},
    };
}

static void add(enum upgrade_outcome outcome)
{
    struct upgrade_record upgrade = example(outcome);

    upgrades_add(history, events, &upgrade);
}

START_TEST(the_last_ones_are_kept)
{
    ck_assert_uint_eq(upgrades_count(history), 0);
    for (uint32_t i = 0; i < UPGRADES_KEPT + 3; i++)
        add(i % 2 ? UPGRADE_MOVED : UPGRADE_CHECKED);
    ck_assert_uint_eq(upgrades_count(history), UPGRADES_KEPT);
    for (uint32_t i = 0; i < UPGRADES_KEPT; i++)
        ck_assert_uint_eq(upgrades_at(history, i)->number, i + 4);
    ck_assert_uint_eq(upgrades_ended(history, UPGRADE_CHECKED), 10);
    ck_assert_uint_eq(upgrades_ended(history, UPGRADE_MOVED), 9);
    ck_assert_uint_eq(upgrades_ended(history, UPGRADE_SPLIT), 0);
}
END_TEST

START_TEST(one_is_kept_as_it_was)
{
    const struct upgrade_record *kept;

    add(UPGRADE_ALONE);
    kept = upgrades_at(history, 0);
    ck_assert_uint_eq(kept->number, 1);
    ck_assert_uint_gt(kept->time_ns, 0);
    ck_assert_uint_eq(kept->pid, (uint32_t)getpid());
    ck_assert_str_eq(kept->reason, "the port?is gone");
    ck_assert_uint_eq(kept->set_count, 2);
    ck_assert_str_eq(kept->sets[1].name, "beta");
    ck_assert_int_eq(kept->sets[1].place, UPGRADE_LOST);
    ck_assert_uint_eq(kept->sets[1].retransmitted, 12);
}
END_TEST

START_TEST(what_is_found_out_later)
{
    struct upgrade_record later = {.set_count = UPGRADES_SETS_MAX,
                                   .sets = {{.missed = 21}, {.missed = 22, .retransmitted = 23}}};
    struct upgrade_record own = example(UPGRADE_MOVED);
    const struct upgrade_record *kept;

    ck_assert_uint_eq(upgrades_add(history, events, &own), 1);
    ck_assert_uint_eq(upgrades_add(history, events, &own), 2);
    upgrades_complete(history, 1, &later);
    upgrades_complete(history, 3, &later);
    upgrades_complete(NULL, 1, &later);
    kept = upgrades_at(history, 0);
    ck_assert_uint_eq(kept->sets[0].missed, 21);
    ck_assert_uint_eq(kept->sets[0].retransmitted, 0);
    ck_assert_uint_eq(kept->sets[1].missed, 22);
    ck_assert_uint_eq(kept->sets[1].retransmitted, 23);
    ck_assert_uint_eq(kept->sets[1].state_bytes, 10);
    ck_assert_uint_eq(kept->set_count, 2);
    ck_assert_uint_eq(upgrades_at(history, 1)->sets[1].retransmitted, 12);
}
END_TEST

START_TEST(events_tell_of_it)
{
    static const char *const texts[] = {
        "from process 77, as a check: nothing moves",
        "set alpha: moved to the new daemon; nobody ran it for 1500 us",
        "set alpha: came back; nobody ran it for 2 us",
        "from process 77: came_back; 2 sets, 5 ms: the port?is gone",
    };

    upgrades_tell_start(events, true, 77, true);
    upgrades_tell_set(events, "alpha", false, 1500000);
    upgrades_tell_set(events, "alpha", true, 2000);
    add(UPGRADE_CAME_BACK);
    for (uint64_t i = 0; i < 4; i++) {
        const struct event *event = events_find(events, i + 1);

        ck_assert_ptr_nonnull(event);
        ck_assert_int_eq(event->kind, EVENT_UPGRADE_STARTED + (int)i);
        ck_assert_str_eq(event->text, texts[i]);
    }
}
END_TEST

START_TEST(without_a_history_nothing_is_kept)
{
    struct upgrade_record upgrade = example(UPGRADE_MOVED);
    struct state_writer writer;

    ck_assert_uint_eq(upgrades_add(NULL, NULL, &upgrade), 0);
    ck_assert_uint_eq(upgrades_count(NULL), 0);
    ck_assert_uint_eq(upgrades_ended(NULL, UPGRADE_MOVED), 0);
    state_writer_init(&writer);
    upgrades_write(NULL, &writer);
    ck_assert_int_eq(state_writer_finish(&writer), 0);
    state_writer_destroy(&writer);
    upgrades_destroy(NULL);
}
END_TEST

/* What reading ends with. */
static int read_all(const uint8_t *bytes, size_t length)
{
    struct state_reader reader;
    uint16_t type, version;
    int error = state_reader_init(&reader, bytes, length);

    while (!error && state_record_next(&reader, &type, &version))
        upgrades_read(heir, &reader, type);
    return error ? error : reader.error;
}

static int bequeath(void)
{
    struct state_writer writer;
    int error;

    state_writer_init(&writer);
    upgrades_write(history, &writer);
    ck_assert_int_eq(state_writer_finish(&writer), 0);
    error = read_all(writer.bytes, writer.length);
    state_writer_destroy(&writer);
    return error;
}

START_TEST(the_heir_goes_on)
{
    const struct upgrade_record *before, *after;
    struct upgrade_record own = example(UPGRADE_MOVED);

    for (uint32_t i = 0; i < UPGRADES_KEPT + 2; i++)
        add(UPGRADE_CAME_BACK);
    ck_assert_int_eq(bequeath(), 0);
    ck_assert_uint_eq(upgrades_count(heir), UPGRADES_KEPT);
    ck_assert_uint_eq(upgrades_ended(heir, UPGRADE_CAME_BACK), UPGRADES_KEPT + 2);
    for (uint32_t i = 0; i < UPGRADES_KEPT; i++) {
        before = upgrades_at(history, i);
        after = upgrades_at(heir, i);
        ck_assert_mem_eq(before, after, sizeof(*before));
    }
    upgrades_add(heir, NULL, &own);
    ck_assert_uint_eq(upgrades_at(heir, UPGRADES_KEPT - 1)->number, UPGRADES_KEPT + 3);
    ck_assert_uint_eq(upgrades_ended(heir, UPGRADE_MOVED), 1);
}
END_TEST

/* What was completed goes over so; what is no more kept does nobody harm. */
START_TEST(what_was_found_out_goes_over)
{
    struct upgrade_record later = {.set_count = 1, .sets = {{.missed = 21, .retransmitted = 22}}};

    for (uint32_t i = 0; i < UPGRADES_KEPT + 1; i++)
        add(UPGRADE_MOVED);
    upgrades_complete(history, 1, &later);
    upgrades_complete(history, UPGRADES_KEPT + 1, &later);
    ck_assert_int_eq(bequeath(), 0);
    for (uint32_t i = 0; i < UPGRADES_KEPT; i++)
        ck_assert_uint_eq(upgrades_at(heir, i)->sets[0].missed, i == UPGRADES_KEPT - 1 ? 21 : 5);
    ck_assert_uint_eq(upgrades_at(heir, UPGRADES_KEPT - 1)->sets[0].retransmitted, 22);
    ck_assert_uint_eq(upgrades_at(heir, UPGRADES_KEPT - 1)->sets[1].retransmitted, 12);
}
END_TEST

START_TEST(of_nothing_the_heir_has_nothing)
{
    ck_assert_int_eq(bequeath(), 0);
    ck_assert_uint_eq(upgrades_count(heir), 0);
}
END_TEST

START_TEST(who_has_one_takes_no_other)
{
    struct upgrade_record own = example(UPGRADE_MOVED);

    add(UPGRADE_MOVED);
    upgrades_add(heir, NULL, &own);
    ck_assert_int_eq(bequeath(), -EPROTO);
    ck_assert_uint_eq(upgrades_count(heir), 1);
}
END_TEST

/* A document with one thing in it that cannot be. */
enum wrong { OUTCOME, NUMBER, PLACE, TEXT, SETS, SET_OF_NONE, NEXT, WRONG_END };

static void put_set(struct state_writer *writer, uint8_t place)
{
    state_record_begin(writer, UPGRADES_RECORD_FIRST + 2, 1);
    state_put_bytes(writer, "a", 1);
    state_put_u8(writer, place);
    for (int i = 0; i < 6; i++)
        state_put_u64(writer, 0);
    state_put_bytes(writer, "", 0);
    state_put_bytes(writer, "", 0);
    state_record_end(writer);
}

static void put_one(struct state_writer *writer, enum wrong wrong)
{
    static const char long_text[UPGRADES_NAME_BYTES];

    state_record_begin(writer, UPGRADES_RECORD_FIRST + 1, 1);
    state_put_u64(writer, wrong == NUMBER ? 2 : 1);
    state_put_u64(writer, 0);
    state_put_u64(writer, 0);
    state_put_u8(writer, wrong == OUTCOME ? UPGRADE_OUTCOME_END : UPGRADE_MOVED);
    state_put_u8(writer, 0);
    state_put_u8(writer, 0);
    state_put_u32(writer, 0);
    state_put_u32(writer, 0);
    state_put_bytes(writer, long_text, wrong == TEXT ? sizeof(long_text) : 3);
    for (int i = 0; i < 3; i++)
        state_put_bytes(writer, "\n\xff", 2);
    state_record_end(writer);
}

static int read_wrong(enum wrong wrong)
{
    uint32_t sets = wrong == SETS ? UPGRADES_SETS_MAX + 1 : UPGRADES_SETS_MAX;
    struct state_writer writer;
    int error;

    state_writer_init(&writer);
    state_record_begin(&writer, UPGRADES_RECORD_FIRST, 1);
    state_put_u64(&writer, wrong == NEXT ? 0 : 2);
    state_put_counters(&writer, NULL, 0);
    state_record_end(&writer);
    state_record_begin(&writer, LATER_TYPE, 1);
    state_record_end(&writer);
    if (wrong != SET_OF_NONE)
        put_one(&writer, wrong);
    for (uint32_t i = 0; i < sets; i++)
        put_set(&writer, wrong == PLACE ? 0 : UPGRADE_HERE);
    ck_assert_int_eq(state_writer_finish(&writer), 0);
    error = read_all(writer.bytes, writer.length);
    state_writer_destroy(&writer);
    return error;
}

START_TEST(what_cannot_be_is_refused)
{
    ck_assert_int_lt(read_wrong(_i), 0);
}
END_TEST

START_TEST(what_can_be_is_taken_and_made_plain)
{
    ck_assert_int_eq(read_wrong(WRONG_END), 0);
    ck_assert_uint_eq(upgrades_count(heir), 1);
    ck_assert_uint_eq(upgrades_at(heir, 0)->set_count, UPGRADES_SETS_MAX);
    ck_assert_str_eq(upgrades_at(heir, 0)->step, "??");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("upgrades");
    TCase *tcase = tcase_create("upgrades");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_last_ones_are_kept);
    tcase_add_test(tcase, one_is_kept_as_it_was);
    tcase_add_test(tcase, what_is_found_out_later);
    tcase_add_test(tcase, what_was_found_out_goes_over);
    tcase_add_test(tcase, events_tell_of_it);
    tcase_add_test(tcase, without_a_history_nothing_is_kept);
    tcase_add_test(tcase, the_heir_goes_on);
    tcase_add_test(tcase, of_nothing_the_heir_has_nothing);
    tcase_add_test(tcase, who_has_one_takes_no_other);
    tcase_add_loop_test(tcase, what_cannot_be_is_refused, 0, WRONG_END);
    tcase_add_test(tcase, what_can_be_is_taken_and_made_plain);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
