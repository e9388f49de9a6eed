/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/state.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES 24u
#define CRC_AT       8u
#define LENGTH_AT    16u
#define LARGE        100000u /* bytes: more than a writer starts with */

static uint32_t crc32c(const uint8_t *bytes, size_t length)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0); /* RFC 3385, reflected */
    }
    return ~crc;
}

/* Makes the header right for whatever the body is now. */
static void reseal(uint8_t *document, size_t length)
{
    uint64_t body = length - HEADER_BYTES;
    uint32_t crc = crc32c(document + HEADER_BYTES, body);
    for (int i = 0; i < 4; i++)
        document[CRC_AT + i] = (uint8_t)(crc >> (8 * i));
    for (int i = 0; i < 8; i++)
        document[LENGTH_AT + i] = (uint8_t)(body >> (8 * i));
}

static void write_sample(struct state_writer *writer)
{
    state_writer_init(writer);
    state_record_begin(writer, 7, 2);
    state_put_u8(writer, 0x12);
    state_put_u16(writer, 0x3456);
    state_put_u32(writer, 0x789abcde);
    state_put_u64(writer, 0x0123456789abcdef);
    state_put_bytes(writer, "saddle", 6);
    state_put_bytes(writer, NULL, 0);
    state_record_end(writer);
    state_record_begin(writer, 8, 1);
    state_record_end(writer);
    state_record_begin(writer, 9, 1);
    state_put_u32(writer, 99);
    state_record_end(writer);
    ck_assert_int_eq(state_writer_finish(writer), 0);
}

/* Reads all that may be there, whatever it is; must be safe for any document. */
static int read_all(const uint8_t *bytes, size_t length)
{
    struct state_reader reader;
    uint16_t type;
    uint16_t version;
    uint32_t got;
    if (state_reader_init(&reader, bytes, length))
        return reader.error;
    while (state_record_next(&reader, &type, &version)) {
        if (type == 7) {
            state_get_u8(&reader);
            state_get_u16(&reader);
            state_get_u32(&reader);
            state_get_u64(&reader);
            const uint8_t *text = state_get_bytes(&reader, 64, &got);
            ck_assert(text || got == 0);
            ck_assert(got == 0 || text + got <= bytes + length);
            state_get_bytes(&reader, 64, &got);
        } else if (type == 9) {
            state_get_u32(&reader);
        }
    }
    return reader.error;
}

START_TEST(what_is_written_is_read)
{
    struct state_writer writer;
    write_sample(&writer);
    struct state_reader reader;
    uint16_t type;
    uint16_t version;
    uint32_t length;
    ck_assert_int_eq(state_reader_init(&reader, writer.bytes, writer.length), 0);
    ck_assert(state_record_next(&reader, &type, &version));
    ck_assert_uint_eq(type, 7);
    ck_assert_uint_eq(version, 2);
    ck_assert_uint_eq(state_get_u8(&reader), 0x12);
    ck_assert_uint_eq(state_get_u16(&reader), 0x3456);
    ck_assert_uint_eq(state_get_u32(&reader), 0x789abcde);
    ck_assert_uint_eq(state_get_u64(&reader), 0x0123456789abcdef);
    const char *text = state_get_bytes(&reader, 6, &length);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_eq(length, 6);
    ck_assert_mem_eq(text, "saddle", 6);
    ck_assert_ptr_nonnull(state_get_bytes(&reader, 0, &length));
    ck_assert_uint_eq(length, 0);
    ck_assert(state_record_next(&reader, &type, &version));
    ck_assert_uint_eq(type, 8);
    ck_assert(state_record_next(&reader, &type, &version));
    ck_assert_uint_eq(state_get_u32(&reader), 99);
    ck_assert(!state_record_next(&reader, &type, &version));
    ck_assert_int_eq(reader.error, 0);
    state_writer_destroy(&writer);
}
END_TEST

START_TEST(unknown_records_and_fields_are_skipped)
{
    struct state_writer writer;
    write_sample(&writer);
    struct state_reader reader;
    uint16_t type;
    uint16_t version;
    ck_assert_int_eq(state_reader_init(&reader, writer.bytes, writer.length), 0);
    ck_assert(state_record_next(&reader, &type, &version));
    ck_assert_uint_eq(state_get_u8(&reader), 0x12);
    ck_assert(state_record_next(&reader, &type, &version));
    ck_assert(state_record_next(&reader, &type, &version));
    ck_assert_uint_eq(type, 9);
    ck_assert(!state_record_next(&reader, &type, &version));
    ck_assert_int_eq(reader.error, 0);
    state_writer_destroy(&writer);
}
END_TEST

START_TEST(large_documents_grow)
{
    uint8_t *block = malloc(LARGE);
    for (uint32_t i = 0; i < LARGE; i++)
        block[i] = (uint8_t)(i * 31);
    struct state_writer writer;
    state_writer_init(&writer);
    for (uint16_t i = 0; i < 20; i++) {
        state_record_begin(&writer, i, 1);
        state_put_bytes(&writer, block, LARGE - i);
        state_record_end(&writer);
    }
    ck_assert_int_eq(state_writer_finish(&writer), 0);
    struct state_reader reader;
    uint16_t type;
    uint16_t version;
    uint32_t length;
    ck_assert_int_eq(state_reader_init(&reader, writer.bytes, writer.length), 0);
    for (uint16_t i = 0; i < 20; i++) {
        ck_assert(state_record_next(&reader, &type, &version));
        const void *bytes = state_get_bytes(&reader, LARGE, &length);
        ck_assert_uint_eq(length, LARGE - i);
        ck_assert_mem_eq(bytes, block, length);
    }
    state_writer_destroy(&writer);
    free(block);
}
END_TEST

START_TEST(empty_document_is_one)
{
    struct state_writer writer;
    state_writer_init(&writer);
    ck_assert_int_eq(state_writer_finish(&writer), 0);
    ck_assert_int_eq(read_all(writer.bytes, writer.length), 0);
    state_writer_destroy(&writer);
}
END_TEST

START_TEST(checksum_is_crc32c)
{
    struct state_writer writer;
    write_sample(&writer);
    uint8_t before[HEADER_BYTES];
    memcpy(before, writer.bytes, HEADER_BYTES);
    reseal(writer.bytes, writer.length);
    ck_assert_mem_eq(before, writer.bytes, HEADER_BYTES);
    ck_assert_uint_eq(crc32c((const uint8_t *)"123456789", 9), 0xe3069283);
    state_writer_destroy(&writer);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
    struct state_writer writer;
    write_sample(&writer);
    for (size_t length = 0; length < writer.length; length++) {
        uint8_t *copy = malloc(length ? length : 1); /* exact, for the address sanitizer */
        memcpy(copy, writer.bytes, length);
        ck_assert_int_eq(read_all(copy, length), -EBADMSG);
        free(copy);
    }
    uint8_t *longer = malloc(writer.length + 1);
    memcpy(longer, writer.bytes, writer.length);
    longer[writer.length] = 0;
    ck_assert_int_eq(read_all(longer, writer.length + 1), -EBADMSG);
    free(longer);
    state_writer_destroy(&writer);
}
END_TEST

START_TEST(every_flip_is_refused)
{
    struct state_writer writer;
    write_sample(&writer);
    for (size_t at = 0; at < writer.length; at++)
        for (int flip = 1; flip < 256; flip++) {
            writer.bytes[at] ^= (uint8_t)flip;
            int error = read_all(writer.bytes, writer.length);
            ck_assert(error == -EBADMSG || error == -EPROTO);
            writer.bytes[at] ^= (uint8_t)flip;
        }
    state_writer_destroy(&writer);
}
END_TEST

START_TEST(lies_under_a_good_checksum_are_harmless)
{
    struct state_writer writer;
    write_sample(&writer);
    /* Cut short, and byte by byte changed, each time with a header that fits. */
    for (size_t length = HEADER_BYTES; length < writer.length; length++) {
        uint8_t *copy = malloc(length);
        memcpy(copy, writer.bytes, length);
        reseal(copy, length);
        int error = read_all(copy, length);
        ck_assert(error == 0 || error == -EBADMSG);
        free(copy);
    }
    uint8_t *copy = malloc(writer.length);
    for (size_t at = HEADER_BYTES; at < writer.length; at++)
        for (int value = 0; value < 256; value++) {
            memcpy(copy, writer.bytes, writer.length);
            copy[at] = (uint8_t)value;
            reseal(copy, writer.length);
            int error = read_all(copy, writer.length);
            ck_assert(error == 0 || error == -EBADMSG);
        }
    free(copy);
    state_writer_destroy(&writer);
}
END_TEST

START_TEST(reader_errors_stick)
{
    struct state_writer writer;
    write_sample(&writer);
    struct state_reader reader;
    uint16_t type;
    uint16_t version;
    uint32_t length = 1;
    state_reader_init(&reader, writer.bytes, writer.length);
    /* Outside of any record there is nothing to read. */
    ck_assert_uint_eq(state_get_u64(&reader), 0);
    ck_assert_int_eq(reader.error, -EBADMSG);
    ck_assert(!state_record_next(&reader, &type, &version));
    ck_assert_ptr_null(state_get_bytes(&reader, 64, &length));
    ck_assert_uint_eq(length, 0);
    state_reader_fail(&reader, -EPROTO);
    ck_assert_int_eq(reader.error, -EBADMSG);

    state_reader_init(&reader, writer.bytes, writer.length);
    ck_assert(state_record_next(&reader, &type, &version));
    state_get_u8(&reader);
    state_get_u16(&reader);
    state_get_u32(&reader);
    state_get_u64(&reader);
    ck_assert_ptr_null(state_get_bytes(&reader, 5, &length));
    ck_assert_int_eq(reader.error, -EBADMSG);
    ck_assert_uint_eq(state_get_u8(&reader), 0);
    state_writer_destroy(&writer);
}
END_TEST

START_TEST(writer_errors_stick)
{
    struct state_writer writer;
    state_writer_init(&writer);
    state_put_u32(&writer, 1);
    ck_assert_int_eq(writer.error, -EINVAL);
    size_t length = writer.length;
    state_record_begin(&writer, 1, 1);
    state_put_u64(&writer, 1);
    state_record_end(&writer);
    ck_assert_uint_eq(writer.length, length);
    ck_assert_int_eq(state_writer_finish(&writer), -EINVAL);
    state_writer_destroy(&writer);

    state_writer_init(&writer);
    state_record_begin(&writer, 1, 1);
    ck_assert_int_eq(state_writer_finish(&writer), -EINVAL);
    state_writer_destroy(&writer);

    state_writer_init(&writer);
    state_record_begin(&writer, 1, 1);
    state_record_begin(&writer, 2, 1);
    ck_assert_int_eq(state_writer_finish(&writer), -EINVAL);
    state_writer_destroy(&writer);

    state_writer_init(&writer);
    state_record_end(&writer);
    ck_assert_int_eq(state_writer_finish(&writer), -EINVAL);
    state_writer_destroy(&writer);
}
END_TEST

/* As many as both sides know. */
START_TEST(counters_of_another_version_are_read)
{
    const uint64_t written[] = {1, UINT64_MAX, 3};
    uint64_t fewer[2] = {0}, more[4] = {7, 7, 7, 7};
    struct state_writer writer;
    struct state_reader reader;
    uint16_t type, version;

    state_writer_init(&writer);
    for (uint32_t i = 0; i < 2; i++) {
        state_record_begin(&writer, 1, 1);
        state_put_counters(&writer, written, 3);
        state_record_end(&writer);
    }
    ck_assert_int_eq(state_writer_finish(&writer), 0);
    ck_assert_int_eq(state_reader_init(&reader, writer.bytes, writer.length), 0);
    ck_assert(state_record_next(&reader, &type, &version));
    state_get_counters(&reader, fewer, 2);
    ck_assert(state_record_next(&reader, &type, &version));
    state_get_counters(&reader, more, 4);
    ck_assert_int_eq(reader.error, 0);
    ck_assert(fewer[0] == 1 && fewer[1] == UINT64_MAX);
    ck_assert(more[0] == 1 && more[1] == UINT64_MAX && more[2] == 3 && more[3] == 7);
    state_writer_destroy(&writer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched/state");
    TCase *tests = tcase_create("state");
    tcase_add_test(tests, what_is_written_is_read);
    tcase_add_test(tests, unknown_records_and_fields_are_skipped);
    tcase_add_test(tests, large_documents_grow);
    tcase_add_test(tests, empty_document_is_one);
    tcase_add_test(tests, checksum_is_crc32c);
    tcase_add_test(tests, every_truncation_is_refused);
    tcase_add_test(tests, every_flip_is_refused);
    tcase_add_test(tests, lies_under_a_good_checksum_are_harmless);
    tcase_add_test(tests, reader_errors_stick);
    tcase_add_test(tests, writer_errors_stick);
    tcase_add_test(tests, counters_of_another_version_are_read);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
