/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/address_map.h"
#include "engines/rng.h"

#include <check.h>
#include <stdlib.h>

#define NODES 1000u
#define STEPS 100000u

static const uint8_t key[ADDRESS_MAP_KEY_BYTES] = {1, 2, 3};
static struct address_node nodes[NODES];
static bool there[NODES];

/* Against a table without hashing, at most half as large as it will be filled. */
START_TEST(what_is_added_is_found_until_it_is_removed)
{
    struct address_map map;
    struct rng rng;

    rng_init_u64(&rng, 1, 1);
    ck_assert_int_eq(address_map_init(&map, _i == 0 ? NODES : 1, key), 0);
    for (uint32_t i = 0; i < NODES; i++)
        memcpy(nodes[i].address.bytes + 12, &i, sizeof(i));
    for (uint32_t i = 0; i < STEPS; i++) {
        uint32_t at = (uint32_t)rng_below(&rng, NODES);
        struct address address = nodes[at].address;

        ck_assert_msg(address_map_find(&map, &address) == (there[at] ? &nodes[at] : NULL), "%u",
                      at);
        if (there[at])
            address_map_remove(&map, &nodes[at]);
        else
            address_map_add(&map, &nodes[at]);
        there[at] = !there[at];
    }
    address_map_fini(&map);
}
END_TEST

START_TEST(nothing_of_nothing)
{
    struct address_map map = {0};

    address_map_fini(&map);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("address_map");
    TCase *tcase = tcase_create("address_map");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(tcase, what_is_added_is_found_until_it_is_removed, 0, 2);
    tcase_add_test(tcase, nothing_of_nothing);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
