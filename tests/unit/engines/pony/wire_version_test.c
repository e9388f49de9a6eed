/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/wire.h"

#include <check.h>
#include <errno.h>
#include <string.h>

#define ROOM 512u

static const struct wire_addresses addresses = {.source_port = 50000,
                                                .destination_port = WIRE_UDP_PORT};

static int check(uint8_t version, uint8_t type, const uint8_t *body, uint32_t bytes)
{
    struct wire_flow flow = {.version = version, .type = type, .token = 7};
    uint8_t packet[WIRE_FLOW_BYTES + ROOM];

    wire_flow_encode(&flow, packet);
    memcpy(packet + WIRE_FLOW_BYTES, body, bytes);
    wire_seal(packet, WIRE_FLOW_BYTES + bytes, &addresses);
    return wire_check(packet, WIRE_FLOW_BYTES + bytes, &addresses, &flow);
}

START_TEST(there_are_as_many_as_the_header_says)
{
    for (uint8_t version = 0; version < 16; version++)
        ck_assert_int_eq(wire_codec(version) != NULL,
                         version >= WIRE_VERSION_MIN && version <= WIRE_VERSION_MAX);
}
END_TEST

/* One bit at each place, and none. */
START_TEST(a_bitmap_comes_back)
{
    const struct wire_codec *codec = wire_codec((uint8_t)_i);

    for (uint32_t bit = 0; bit <= WIRE_SACK_BITS; bit++) {
        uint8_t sack[WIRE_SACK_BYTES] = {0}, body[WIRE_SACK_BYTES], back[WIRE_SACK_BYTES];
        uint32_t bytes, needed = bit == WIRE_SACK_BITS ? 0 : bit / 8 + 1;

        if (needed)
            sack[bit / 8] = (uint8_t)(1u << bit % 8);
        bytes = codec->put_sack(sack, body);
        ck_assert_uint_eq(bytes, _i == 1 ? WIRE_SACK_BYTES : needed);
        memset(back, 0xff, sizeof(back));
        codec->get_sack(body, bytes, back);
        ck_assert_mem_eq(back, sack, sizeof(sack));
        ck_assert_int_eq(check((uint8_t)_i, WIRE_ACK, body, bytes), 0);
    }
}
END_TEST

/* There is one way to write each bitmap. */
START_TEST(bitmaps_of_another_length_are_refused)
{
    uint8_t body[ROOM];

    memset(body, 1, sizeof(body));
    for (uint32_t bytes = 0; bytes <= 2 * WIRE_SACK_BYTES; bytes++) {
        ck_assert_int_eq(check(1, WIRE_ACK, body, bytes), bytes == WIRE_SACK_BYTES ? 0 : -EBADMSG);
        ck_assert_int_eq(check(2, WIRE_ACK, body, bytes), bytes <= WIRE_SACK_BYTES ? 0 : -EBADMSG);
    }
    memset(body, 0, sizeof(body));
    for (uint32_t bytes = 1; bytes <= WIRE_SACK_BYTES; bytes++)
        ck_assert_int_eq(check(2, WIRE_ACK, body, bytes), -EBADMSG);
    ck_assert_int_eq(check(1, WIRE_ACK, body, WIRE_SACK_BYTES), 0);
}
END_TEST

START_TEST(what_the_first_version_does_not_have)
{
    uint8_t body[ROOM] = {0};

    for (uint8_t type = WIRE_SEARCH; type < 16; type++)
        for (uint32_t bytes = 0; bytes <= ROOM; bytes++)
            ck_assert_int_eq(check(1, type, body, bytes), -EBADMSG);
}
END_TEST

START_TEST(questions_and_answers)
{
    uint8_t body[ROOM] = {0};

    for (uint32_t bytes = 0; bytes <= ROOM; bytes++) {
        ck_assert_int_eq(check(2, WIRE_SEARCH, body, bytes), 0);
        ck_assert_int_eq(check(2, WIRE_FOUND, body, bytes), bytes == 0 ? 0 : -EBADMSG);
    }
}
END_TEST

/* Of each offset, length and total near the borders of units: whole units inside the whole. */
START_TEST(parts_are_whole_units_inside_the_whole)
{
    static const uint16_t totals[] = {0, 1, 127, 128, 129, 255, 256, 257, 384, UINT16_MAX};

    for (uint32_t i = 0; i < sizeof(totals) / sizeof(totals[0]); i++)
        for (uint16_t offset = 0; offset <= 257; offset++)
            for (uint16_t bytes = 0; bytes <= 257; bytes++) {
                struct wire_part part = {.total = totals[i], .offset = offset};
                uint8_t body[ROOM] = {0};
                uint32_t end = offset + bytes;
                bool good = bytes > 0 && offset % WIRE_PART_UNIT == 0 && end <= part.total &&
                            (end == part.total || bytes % WIRE_PART_UNIT == 0);

                wire_part_encode(&part, body);
                if (check(2, WIRE_PART, body, WIRE_PART_BYTES + bytes) != (good ? 0 : -EBADMSG))
                    ck_abort_msg("total %u offset %u bytes %u", part.total, offset, bytes);
            }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire_version");
    TCase *tc = tcase_create("wire_version");
    SRunner *runner;
    int failed;

    tcase_add_test(tc, there_are_as_many_as_the_header_says);
    tcase_add_loop_test(tc, a_bitmap_comes_back, WIRE_VERSION_MIN, WIRE_VERSION_MAX + 1);
    tcase_add_test(tc, bitmaps_of_another_length_are_refused);
    tcase_add_test(tc, what_the_first_version_does_not_have);
    tcase_add_test(tc, questions_and_answers);
    tcase_add_test(tc, parts_are_whole_units_inside_the_whole);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
