/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* What a gate keeps of the leaves that it has found. tree_leaf is wrapped: it counts. */
#include "engines/shaper/shaper.h"
#include "tests/unit/eal.h"
#include "tests/unit/engines/shaper/bed.h"

#include <check.h>
#include <stdlib.h>

#define PACKETS 1024u
#define PAIRS   64u
#define ASKS    10u

static uint32_t walks;

uint16_t __real_tree_leaf(const struct tree *tree, const struct packet_tag *tag,
                          const struct packet_way *way);
uint16_t __wrap_tree_leaf(const struct tree *tree, const struct packet_tag *tag,
                          const struct packet_way *way);

uint16_t __wrap_tree_leaf(const struct tree *tree, const struct packet_tag *tag,
                          const struct packet_way *way)
{
    walks++;
    return __real_tree_leaf(tree, tag, way);
}

static uint16_t ask(uint32_t session, uint32_t uid)
{
    const struct packet_way way = {0};
    struct packet_tag tag = {.kind = PACKET_SESSION, .session = session, .uid = uid};
    struct port *port = shaping_port(bed.shaping, 0);

    port->ops->tx_room_for(port, &tag, &way);
    return tag.leaf;
}

START_TEST(a_leaf_is_looked_up_once)
{
    static const struct shape_class class = {.name = "one", .weight = 1};
    static const struct shape_rule rule = {.has_session = true, .session = 1};
    const struct shape policy = {&class, 1, &rule, 1};

    bed_make(&policy, 1, PACKETS);
    walks = 0;
    for (uint32_t i = 0; i < ASKS; i++) {
        ck_assert_uint_eq(ask(1, 0), SHAPE_BUILT_IN);
        ck_assert_uint_eq(ask(2, 0), SHAPE_DEFAULT);
    }
    ck_assert_uint_eq(walks, 2);
    bed_end();
}
END_TEST

/* Pairs that a user could make: numbers of sessions follow each other, and with his uid make up for
 * it in any sum or exclusive or. Hardly any has to share a place. */
START_TEST(nobody_aims_at_anothers_place)
{
    const struct shape policy = {0};
    uint32_t thrown_out = 0;

    bed_make(&policy, 1, PACKETS);
    for (uint32_t i = 0; i < PAIRS; i++) {
        uint32_t session = 2 * i + 2, uid = 1000;

        walks = 0;
        for (uint32_t j = 0; j < ASKS; j++) {
            ask(session, uid);
            ask(session + 1, uid ^ (session << 16) ^ ((session + 1) << 16));
        }
        ck_assert_uint_ge(walks, 2);
        thrown_out += walks > 2;
    }
    ck_assert_uint_le(thrown_out, 3);
    bed_end();
}
END_TEST

int main(void)
{
    Suite *made = suite_create("gate");
    TCase *tc = tcase_create("gate");
    SRunner *runner;
    int failed;

    tcase_add_unchecked_fixture(tc, test_eal_start, NULL);
    tcase_add_test(tc, a_leaf_is_looked_up_once);
    tcase_add_test(tc, nobody_aims_at_anothers_place);
    suite_add_tcase(made, tc);
    runner = srunner_create(made);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
