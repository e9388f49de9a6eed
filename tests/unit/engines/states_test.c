/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Documents of every kind of engine, whole, and damaged under a checksum that is right: each is
 * refused, or taken by an engine that then works without harm. */
#include "engines/pony/upper_state.h"
#include "tests/unit/engines/states.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_HEADER_BYTES 8u

#define PARTS 8 /* of a document's bytes, so that no test takes long */

static struct state_writer writer;

static void write(int kind)
{
    states_write((enum states_kind)kind, false, &writer);
}

START_TEST(intact)
{
    write(_i);
    ck_assert_int_eq(states_try((enum states_kind)_i, writer.bytes, writer.length), 0);
    state_writer_destroy(&writer);
}
END_TEST

/* What is written is a matter of the state alone. */
START_TEST(the_same_each_time)
{
    struct state_writer again;

    write(_i);
    states_write((enum states_kind)_i, false, &again);
    ck_assert_uint_eq(writer.length, again.length);
    ck_assert_mem_eq(writer.bytes, again.bytes, again.length);
    state_writer_destroy(&again);
    state_writer_destroy(&writer);
}
END_TEST

/* Only at the end of a record may a document end; and what a record is about must be there. */
START_TEST(cut_anywhere)
{
    enum states_kind kind = (enum states_kind)(_i / PARTS);

    write(_i / PARTS);
    uint8_t *copy = malloc(writer.length);
    uint32_t taken = 0, refused = 0;
    for (size_t length = (size_t)(_i % PARTS); length < writer.length; length += PARTS) {
        memcpy(copy, writer.bytes, length);
        if (length >= STATES_HEADER_BYTES) {
            ck_assert_int_eq(states_try(kind, copy, length), -EBADMSG);
            states_seal(copy, length);
        }
        int result = states_try(kind, copy, length);
        ck_assert_int_le(result, 0);
        taken += result == 0;
        refused += result < 0;
    }
    ck_assert_uint_gt(refused, taken);
    free(copy);
    state_writer_destroy(&writer);
}
END_TEST

static void flip(enum states_kind kind, size_t at)
{
    uint8_t whole = writer.bytes[at];

    writer.bytes[at] ^= (uint8_t)(1u << (at / PARTS) % 8);
    ck_assert_int_eq(states_try(kind, writer.bytes, writer.length), -EBADMSG);
    states_seal(writer.bytes, writer.length);
    ck_assert_int_le(states_try(kind, writer.bytes, writer.length), 0);
    writer.bytes[at] = whole;
    states_seal(writer.bytes, writer.length);
}

START_TEST(flipped_anywhere)
{
    enum states_kind kind = (enum states_kind)(_i / PARTS);

    write(_i / PARTS);
    for (size_t at = STATES_HEADER_BYTES + (size_t)(_i % PARTS); at < writer.length; at += PARTS)
        flip(kind, at);
    state_writer_destroy(&writer);
}
END_TEST

/* The same in what only a CANCEL that has not ended brings. */
START_TEST(flipped_in_cancels)
{
    struct state_reader reader;
    uint16_t type, version;
    uint32_t found = 0;

    states_write(STATES_CLIENT, true, &writer);
    ck_assert_int_eq(states_try(STATES_CLIENT, writer.bytes, writer.length), 0);
    ck_assert_int_eq(state_reader_init(&reader, writer.bytes, writer.length), 0);
    while (state_record_next(&reader, &type, &version)) {
        if (type != UPPER_RECORD_CANCEL && type != UPPER_RECORD_ORDER)
            continue;
        found++;
        for (size_t at = reader.position - RECORD_HEADER_BYTES; at < reader.record_end; at++)
            flip(STATES_CLIENT, at);
    }
    ck_assert_uint_ge(found, 2);
    state_writer_destroy(&writer);
}
END_TEST

/* Both ends of everything, in other engines. */
START_TEST(a_pair_goes_on)
{
    struct state_writer writers[2];
    struct state_reader readers[2];

    states_write_pair(_i == 1, writers);
    for (uint32_t i = 0; i < 2; i++)
        ck_assert_int_eq(state_reader_init(&readers[i], writers[i].bytes, writers[i].length), 0);
    ck_assert(states_resume(&readers[0], &readers[1]));
    for (uint32_t i = 0; i < 2; i++)
        state_writer_destroy(&writers[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("states");
    TCase *tcase = tcase_create("states");
    SRunner *runner;
    int failed;

    tcase_add_unchecked_fixture(tcase, states_start, NULL);
    tcase_add_loop_test(tcase, intact, 0, STATES_KINDS);
    tcase_add_loop_test(tcase, the_same_each_time, 0, STATES_KINDS);
    tcase_add_loop_test(tcase, cut_anywhere, 0, STATES_KINDS * PARTS);
    tcase_add_loop_test(tcase, flipped_anywhere, 0, STATES_KINDS * PARTS);
    tcase_add_test(tcase, flipped_in_cancels);
    tcase_add_loop_test(tcase, a_pair_goes_on, 0, 2);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
