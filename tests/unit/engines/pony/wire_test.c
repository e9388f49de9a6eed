/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/payload.h"
#include "engines/pony/wire.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PACKET_BYTES 256u
#define SEARCH_BYTES 100u /* of padding */

static const struct wire_addresses addresses = {
    .source = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1},
    .destination = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 2},
    .source_port = 50000,
    .destination_port = WIRE_UDP_PORT,
};

static uint32_t put_flow(uint8_t *packet, uint8_t type)
{
    struct wire_flow flow = {.version = type > WIRE_RESET ? 2 : 1,
                             .type = type,
                             .flags = WIRE_FLAG_ECN_ECHO,
                             .ack_delay = 0x0102,
                             .token = 0x1112131415161718,
                             .seq = type == WIRE_RESET ? 0 : 0x21222324,
                             .ack = type == WIRE_RESET ? 0 : 0x31323334};

    wire_flow_encode(&flow, packet);
    return WIRE_FLOW_BYTES;
}

static uint32_t put_op(uint8_t *packet, uint32_t at, uint16_t length)
{
    struct wire_op op = {.type = WIRE_OP_MESSAGE,
                         .flags = WIRE_OP_LAST,
                         .length = length,
                         .connection = 0x41424344,
                         .stream = 0x5152,
                         .id = 0x61626364,
                         .offset = 0x71727374,
                         .payload_crc = 0x81828384};

    wire_op_encode(&op, packet + at);
    memset(packet + at + WIRE_OP_BYTES, 0xaa, length);
    return at + WIRE_OP_BYTES + length;
}

/* One valid packet of each type, sealed; returns its length. */
static uint32_t make(uint8_t type, uint8_t packet[PACKET_BYTES])
{
    uint32_t bytes = put_flow(packet, type);

    if (type == WIRE_DATA) {
        bytes = put_op(packet, bytes, 9);
        bytes = put_op(packet, bytes, 0);
        bytes = put_op(packet, bytes, 30);
    } else if (type == WIRE_ACK) {
        memset(packet + bytes, 0x5a, WIRE_SACK_BYTES);
        bytes += WIRE_SACK_BYTES;
    } else if (type == WIRE_SEARCH) {
        memset(packet + bytes, 0, SEARCH_BYTES);
        bytes += SEARCH_BYTES;
    } else if (type == WIRE_PART) {
        struct wire_part part = {.total = 2 * WIRE_PART_UNIT - 1, .offset = WIRE_PART_UNIT};

        wire_part_encode(&part, packet + bytes);
        memset(packet + bytes + WIRE_PART_BYTES, 0xbb, WIRE_PART_UNIT - 1);
        bytes += WIRE_PART_BYTES + WIRE_PART_UNIT - 1;
    } else if (type == WIRE_HELLO) {
        struct wire_hello hello = {.kind = WIRE_HELLO_CALL, .version_min = 1, .version_max = 3};

        wire_hello_encode(&hello, packet);
        bytes = WIRE_HELLO_BYTES;
    }
    wire_seal(packet, bytes, &addresses);
    return bytes;
}

START_TEST(every_field_has_its_place)
{
    static const uint8_t flow_expected[WIRE_FLOW_BYTES] = {0x11, 0x01, 0x01, 0x02, 0,    0,
                                                           0,    0,    0x11, 0x12, 0x13, 0x14,
                                                           0x15, 0x16, 0x17, 0x18, 0x21, 0x22,
                                                           0x23, 0x24, 0x31, 0x32, 0x33, 0x34};
    static const uint8_t op_expected[WIRE_OP_BYTES] = {0x05, 0x01, 0,    0,    0x41, 0x42,
                                                       0x43, 0x44, 0x51, 0x52, 0,    0,
                                                       0x61, 0x62, 0x63, 0x64, 0x71, 0x72,
                                                       0x73, 0x74, 0x81, 0x82, 0x83, 0x84};
    uint8_t bytes[WIRE_HELLO_BYTES];
    struct wire_hello hello = {.kind = WIRE_HELLO_WELCOME,
                               .version_min = 1,
                               .version_max = 2,
                               .error = 93,
                               .mtu = 1500,
                               .features = 0x01020304,
                               .seq = 0x05060708,
                               .token = 1ull << 56,
                               .nonce = 2ull << 56,
                               .cookie = 3ull << 56,
                               .epoch = 4ull << 56};
    struct wire_hello back;

    put_flow(bytes, WIRE_DATA);
    ck_assert_mem_eq(bytes, flow_expected, sizeof(flow_expected));
    put_op(bytes, 0, 0);
    ck_assert_mem_eq(bytes, op_expected, sizeof(op_expected));
    wire_hello_encode(&hello, bytes);
    ck_assert_uint_eq(bytes[0], 0x04);
    ck_assert_uint_eq(bytes[9], 93);
    ck_assert_uint_eq(bytes[16], 0x05);
    ck_assert_uint_eq(bytes[24], 1);
    ck_assert_uint_eq(bytes[32], 2);
    ck_assert_uint_eq(bytes[40], 3);
    ck_assert_uint_eq(bytes[48], 4);
    memset(&back, 0, sizeof(back));
    wire_hello_decode(&back, bytes);
    ck_assert_uint_eq(back.kind, hello.kind);
    ck_assert_uint_eq(back.version_max, hello.version_max);
    ck_assert_uint_eq(back.mtu, hello.mtu);
    ck_assert_uint_eq(back.features, hello.features);
    ck_assert_uint_eq(back.seq, hello.seq);
    ck_assert_uint_eq(back.epoch, hello.epoch);
}
END_TEST

/* The checksum is CRC32C over exactly the bytes that docs/wire.md names: computed here bit by bit
 * (RFC 3720 appendix B.4's polynomial, reflected). */
static uint32_t slow_crc32c(uint32_t crc, const uint8_t *bytes, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
    }
    return crc;
}

/* Payloads of the operations by way of a table, and of the atomic ones, byte for byte. */
START_TEST(every_number_of_a_payload_has_its_place)
{
    static const uint8_t wanted[] = {1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 9};
    const struct wire_batch batch = {.key = 0x0102030405060708, .length = 10, .offsets = {11, 12}};
    const struct wire_scan scan = {
        .key = 0x0102030405060708, .offset = 9, .match = 10, .entries = 11, .length = 12};
    const struct wire_atomic atomic = {
        .key = 0x0102030405060708, .offset = 9, .operand = 10, .expected = 11};
    const struct wire_result result = {.value = 0x0102030405060708, .items = {{9, 10}, {11, 12}}};
    uint8_t bytes[WIRE_BATCH_MOST] = {0};
    struct wire_batch batch_again;
    struct wire_scan scan_again;
    struct wire_atomic atomic_again;
    struct wire_result result_again;

    payload_put_batch(bytes, &batch, 2);
    ck_assert_mem_eq(bytes, wanted, 8);
    ck_assert_uint_eq(bytes[11], 10);
    ck_assert_uint_eq(bytes[19], 11);
    ck_assert_uint_eq(bytes[27], 12);
    ck_assert_uint_eq(payload_get_batch(&batch_again, bytes, 28), 2);
    ck_assert_uint_eq(batch_again.key, batch.key);
    ck_assert_uint_eq(batch_again.length, batch.length);
    ck_assert_mem_eq(batch_again.offsets, batch.offsets, 2 * sizeof(batch.offsets[0]));
    payload_put_scan(bytes, &scan);
    ck_assert_mem_eq(bytes, wanted, sizeof(wanted));
    ck_assert_uint_eq(bytes[23], 10);
    ck_assert_uint_eq(bytes[27], 11);
    ck_assert_uint_eq(bytes[31], 12);
    payload_get_scan(&scan_again, bytes);
    ck_assert_mem_eq(&scan_again, &scan, sizeof(scan));
    payload_put_atomic(bytes, &atomic, WIRE_SWAP_BYTES);
    ck_assert_mem_eq(bytes, wanted, sizeof(wanted));
    ck_assert_uint_eq(bytes[23], 10);
    ck_assert_uint_eq(bytes[31], 11);
    payload_get_atomic(&atomic_again, bytes, WIRE_SWAP_BYTES);
    ck_assert_mem_eq(&atomic_again, &atomic, sizeof(atomic));
    payload_put_result(bytes, &result, 2);
    ck_assert_mem_eq(bytes, wanted, 8);
    ck_assert_uint_eq(bytes[11], 9);
    ck_assert_uint_eq(bytes[15], 10);
    ck_assert_uint_eq(bytes[23], 12);
    ck_assert_uint_eq(payload_get_result(&result_again, bytes, 24), 2);
    ck_assert_mem_eq(result_again.items, result.items, 2 * sizeof(struct wire_item));
}
END_TEST

START_TEST(header_crc_covers_what_the_document_says)
{
    uint8_t packet[PACKET_BYTES], pseudo[40] = {0};
    uint32_t bytes = make(WIRE_DATA, packet), crc;
    struct wire_flow flow;

    memcpy(pseudo, addresses.source, 16);
    memcpy(pseudo + 16, addresses.destination, 16);
    pseudo[32] = 50000 >> 8;
    pseudo[33] = 50000 & 0xff;
    pseudo[34] = WIRE_UDP_PORT >> 8;
    pseudo[35] = WIRE_UDP_PORT & 0xff;
    pseudo[39] = (uint8_t)(bytes + 8);
    wire_flow_decode(&flow, packet);
    memset(packet + 4, 0, 4);
    crc = slow_crc32c(~0u, pseudo, sizeof(pseudo));
    crc = slow_crc32c(crc, packet, 24);
    crc = slow_crc32c(crc, packet + 24, 24);
    crc = slow_crc32c(crc, packet + 24 + 24 + 9, 24);
    crc = slow_crc32c(crc, packet + 24 + 24 + 9 + 24, 24);
    ck_assert_uint_eq(flow.header_crc, ~crc);
}
END_TEST

START_TEST(valid_packets_pass)
{
    uint8_t packet[PACKET_BYTES];
    struct wire_flow flow;

    for (uint8_t type = WIRE_DATA; type <= WIRE_PART; type++) {
        uint32_t bytes = make(type, packet);

        ck_assert_int_eq(wire_check(packet, bytes, &addresses, &flow), 0);
        ck_assert_uint_eq(flow.type, type);
    }
}
END_TEST

START_TEST(every_truncation_and_every_extension_is_refused)
{
    uint8_t packet[PACKET_BYTES];
    struct wire_flow flow;

    for (uint8_t type = WIRE_DATA; type <= WIRE_PART; type++) {
        uint32_t bytes = make(type, packet);

        for (uint32_t length = 0; length < bytes; length++) {
            /* An exact allocation: a sanitizer build sees any byte read past it. */
            uint8_t *exact = malloc(length + 1);

            memcpy(exact, packet, length);
            ck_assert_int_eq(wire_check(exact, length, &addresses, &flow), -EBADMSG);
            free(exact);
        }
        ck_assert_int_eq(wire_check(packet, bytes + 1, &addresses, &flow), -EBADMSG);
    }
}
END_TEST

/* Every flipped bit is noticed, except in payloads, which have a checksum of their own. */
START_TEST(every_flipped_bit_is_noticed)
{
    uint8_t packet[PACKET_BYTES];
    struct wire_flow flow;

    for (uint8_t type = WIRE_DATA; type <= WIRE_PART; type++) {
        uint32_t bytes = make(type, packet);

        for (uint32_t bit = 0; bit < 8 * bytes; bit++) {
            bool payload = type == WIRE_DATA && packet[bit / 8] == 0xaa;

            packet[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (payload)
                ck_assert_int_eq(wire_check(packet, bytes, &addresses, &flow), 0);
            else
                ck_assert_int_ne(wire_check(packet, bytes, &addresses, &flow), 0);
            packet[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}
END_TEST

START_TEST(a_packet_for_other_addresses_is_refused)
{
    uint8_t packet[PACKET_BYTES];
    uint32_t bytes = make(WIRE_DATA, packet);
    struct wire_addresses other = addresses;
    struct wire_flow flow;

    other.source[15]++;
    ck_assert_int_eq(wire_check(packet, bytes, &other, &flow), -EBADMSG);
    other = addresses;
    other.destination[15]++;
    ck_assert_int_eq(wire_check(packet, bytes, &other, &flow), -EBADMSG);
    other = addresses;
    other.source_port++;
    ck_assert_int_eq(wire_check(packet, bytes, &other, &flow), -EBADMSG);
}
END_TEST

START_TEST(shapes_are_checked_even_when_sealed)
{
    uint8_t packet[WIRE_FLOW_BYTES + (WIRE_OPS_MAX + 1) * WIRE_OP_BYTES];
    uint32_t bytes = put_flow(packet, WIRE_DATA);
    struct wire_flow flow;

    wire_seal(packet, bytes, &addresses);
    ck_assert_int_eq(wire_check(packet, bytes, &addresses, &flow), -EBADMSG);
    for (uint32_t i = 0; i < WIRE_OPS_MAX; i++)
        bytes = put_op(packet, bytes, 0);
    wire_seal(packet, bytes, &addresses);
    ck_assert_int_eq(wire_check(packet, bytes, &addresses, &flow), 0);
    bytes = put_op(packet, bytes, 0);
    wire_seal(packet, bytes, &addresses);
    ck_assert_int_eq(wire_check(packet, bytes, &addresses, &flow), -EBADMSG);

    bytes = make(WIRE_PROBE, packet);
    packet[1] = WIRE_FLAG_KEY;
    wire_seal(packet, bytes, &addresses);
    ck_assert_int_eq(wire_check(packet, bytes, &addresses, &flow), -EBADMSG);
    packet[1] = 0;
    packet[0] = (WIRE_VERSION_MAX + 1) << 4 | WIRE_PROBE;
    wire_seal(packet, bytes, &addresses);
    ck_assert_int_eq(wire_check(packet, bytes, &addresses, &flow), -EPROTONOSUPPORT);
    packet[0] = WIRE_VERSION_MAX << 4 | (WIRE_PART + 1);
    wire_seal(packet, bytes, &addresses);
    ck_assert_int_eq(wire_check(packet, bytes, &addresses, &flow), -EBADMSG);
    bytes = make(WIRE_RESET, packet);
    packet[19] = 1;
    wire_seal(packet, bytes, &addresses);
    ck_assert_int_eq(wire_check(packet, bytes, &addresses, &flow), -EBADMSG);
}
END_TEST

START_TEST(an_operation_cannot_reach_past_its_packet)
{
    uint8_t ops[WIRE_OP_BYTES + 4];
    struct wire_op op;
    const uint8_t *payload;
    uint32_t at = 0;

    put_op(ops, 0, 4);
    ck_assert(wire_op_next(ops, sizeof(ops), &at, &op, &payload));
    ck_assert_ptr_eq(payload, ops + WIRE_OP_BYTES);
    ck_assert_uint_eq(at, sizeof(ops));
    ck_assert(!wire_op_next(ops, sizeof(ops), &at, &op, &payload));
    at = 0;
    ck_assert(!wire_op_next(ops, sizeof(ops) - 1, &at, &op, &payload));
    at = UINT32_MAX;
    ck_assert(!wire_op_next(ops, sizeof(ops), &at, &op, &payload));
    ops[2] = 0xff;
    ops[3] = 0xff;
    at = 0;
    ck_assert(!wire_op_next(ops, sizeof(ops), &at, &op, &payload));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire");
    TCase *tc = tcase_create("wire");
    SRunner *runner;
    int failed;

    tcase_add_test(tc, every_field_has_its_place);
    tcase_add_test(tc, every_number_of_a_payload_has_its_place);
    tcase_add_test(tc, header_crc_covers_what_the_document_says);
    tcase_add_test(tc, valid_packets_pass);
    tcase_add_test(tc, every_truncation_and_every_extension_is_refused);
    tcase_add_test(tc, every_flipped_bit_is_noticed);
    tcase_add_test(tc, a_packet_for_other_addresses_is_refused);
    tcase_add_test(tc, shapes_are_checked_even_when_sealed);
    tcase_add_test(tc, an_operation_cannot_reach_past_its_packet);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
