/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* A memif port, at either end, that goes from one daemon to the next. */
#include "tests/unit/control/transit.h"
#include "tests/unit/daemon/memif_bed.h"
#include "tests/unit/eal.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES 24u /* of a document, which transit_altered puts right */
#define RECORD_PORT  1u
#define RECORD_STATE 2u

/* ---- Handing over ---- */

static const struct port_handover_ops *const ops = &port_memif_handover;

static void draft_offer(const struct port *port, struct parcel *parcel)
{
    struct parcel_draft draft;
    uint16_t type, version;

    parcel_draft_init(&draft);
    state_record_begin(&draft.state, RECORD_PORT, ops->version);
    ops->offer(port, &draft);
    state_record_end(&draft.state);
    transit(&draft, parcel);
    ck_assert(state_record_next(&parcel->state, &type, &version));
}

static void draft_state(struct port *port, struct parcel *parcel)
{
    struct parcel_draft draft;
    uint16_t type, version;

    parcel_draft_init(&draft);
    state_record_begin(&draft.state, RECORD_STATE, ops->version);
    ops->leave(port, &draft.state);
    state_record_end(&draft.state);
    transit(&draft, parcel);
    ck_assert(state_record_next(&parcel->state, &type, &version));
}

static struct port *adopt(const struct port *port, const char *name, bool is_server)
{
    struct port_memif_config config = bed_config(name, is_server);
    struct parcel parcel;
    struct port *heir = NULL;

    draft_offer(port, &parcel);
    ck_assert_msg(port_memif_adopt(&heir, &config, &parcel, &bed_reason) == 0, "%s", bed_why);
    parcel_destroy(&parcel);
    return heir;
}

static void enter(struct port *old, struct port *heir)
{
    struct parcel parcel;

    draft_state(old, &parcel);
    ck_assert_int_eq(ops->enter(heir, &parcel.state, &bed_reason), 0);
    parcel_destroy(&parcel);
    ck_assert_int_eq(ops->begin(heir), 0);
    ops->settle(heir);
}

/* The old one's structure stays in a daemon until it ends. */
static void forget(struct port *old)
{
    ops->forget(old);
    old->ops->destroy(old);
}

/* Packets that are in the rings, in both directions, and more after it; again and again. */
static void hand_over(struct port **port, bool is_server)
{
    static const char *const names[] = {"one", "two"};
    struct port *other = is_server ? bed_client : bed_server;
    uint64_t before = bed_stat(*port, "tx_packets");

    for (uint32_t i = 0; i < 5; i++) {
        struct port *old = *port, *heir;

        ck_assert(bed_send(old, 1, 100, BED_FRAME_MAX) && bed_send(other, 2, 200, BED_FRAME_MAX));
        heir = adopt(old, names[i % 2], is_server);
        ck_assert(bed_send(old, 3, 300, BED_FRAME_MAX) && bed_send(other, 4, 400, BED_FRAME_MAX));
        bed_receive(old, 2, 200);
        enter(old, heir);
        forget(old);
        *port = heir;
        ck_assert(port_memif_link(heir) && port_memif_link(other));
        ck_assert_uint_eq(bed_stat(heir, "tx_packets"), before += 2);
        ck_assert(bed_send(heir, 5, 500, BED_FRAME_MAX));
        bed_receive(heir, 4, 400);
        bed_receive(other, 1, 100);
        bed_receive(other, 3, 300);
        bed_receive(other, 5, 500);
        before++;
        bed_check_bell(heir, other);
        bed_check_bell(other, heir);
        before += 2;
    }
    bed_exchange(*port, other);
    bed_exchange(other, *port);
    ck_assert_uint_eq(bed_stat(other, "connections"), 1);
}

START_TEST(a_server_goes_over)
{
    bed_join();
    hand_over(&bed_server, true);
    /* It serves whoever comes next as well. */
    bed_destroy(&bed_client);
    bed_work_until(bed_server_down);
    bed_client = bed_create("client", false);
    bed_work_until(bed_both_up);
    bed_exchange(bed_client, bed_server);
}
END_TEST

START_TEST(a_client_goes_over)
{
    bed_join();
    hand_over(&bed_client, false);
    bed_destroy(&bed_server);
    bed_work_until(bed_client_down);
    bed_server = bed_create("server", true);
    bed_work_until(bed_both_up);
    bed_exchange(bed_client, bed_server);
}
END_TEST

START_TEST(one_without_a_connection_goes_over)
{
    struct port *heir;

    bed_server = bed_create("server", true);
    heir = adopt(bed_server, "heir", true);
    enter(bed_server, heir);
    forget(bed_server);
    bed_server = heir;
    bed_client = bed_create("client", false);
    bed_work_until(bed_both_up);
    bed_destroy(&bed_server);
    bed_work_until(bed_client_down);
    heir = adopt(bed_client, "heir", false);
    enter(bed_client, heir);
    forget(bed_client);
    bed_client = heir;
    bed_server = bed_create("server", true);
    bed_work_until(bed_both_up);
    bed_exchange(bed_client, bed_server);
}
END_TEST

/* Its structure stays, with its memory: who is to have the port again has another pool. */
START_TEST(one_that_comes_back)
{
    struct port *old, *heir;

    bed_join();
    old = bed_server;
    heir = adopt(old, "heir", true);
    enter(old, heir);
    ops->forget(old);
    bed_destroy(&heir);
    bed_server = NULL;
    bed_work_until(bed_client_down);
    bed_server = bed_create("server", true);
    bed_work_until(bed_both_up);
    bed_exchange(bed_client, bed_server);
    bed_exchange(bed_server, bed_client);
    old->ops->destroy(old);
}
END_TEST

/* Given up at any moment before it begins: the other daemon goes on. */
static void check_given_up(struct port *port, bool is_server)
{
    struct port *other = is_server ? bed_client : bed_server,
                *heir = adopt(port, "heir", is_server);
    struct parcel parcel;

    bed_destroy(&heir);
    bed_exchange(port, other);
    heir = adopt(port, "heir", is_server);
    ck_assert(bed_send(other, 1, 100, BED_FRAME_MAX));
    draft_state(port, &parcel);
    ck_assert_int_eq(ops->enter(heir, &parcel.state, &bed_reason), 0);
    parcel_destroy(&parcel);
    bed_destroy(&heir);
    ck_assert_int_eq(ops->resume(port, &bed_reason), 0);
    bed_receive(port, 1, 100);
    bed_exchange(other, port);
    ck_assert(bed_both_up());
}

START_TEST(a_newcomer_that_gives_up)
{
    bed_join();
    check_given_up(bed_server, true);
    check_given_up(bed_client, false);
    bed_destroy(&bed_client);
    bed_work_until(bed_server_down);
    bed_client = bed_create("client", false);
    bed_work_until(bed_both_up);
    ck_assert_uint_eq(bed_stat(bed_server, "connections"), 2);
}
END_TEST

/* The connection that was offered ended, and another began: that is not the newcomer's. */
START_TEST(another_connection_meanwhile)
{
    struct port *heir;

    bed_join();
    heir = adopt(bed_server, "heir", true);
    bed_destroy(&bed_client);
    bed_work_until(bed_server_down);
    bed_client = bed_create("client", false);
    bed_work_until(bed_both_up);
    enter(bed_server, heir);
    forget(bed_server);
    bed_server = heir;
    ck_assert(!port_memif_link(bed_server));
    bed_work_until(bed_client_down);
    bed_work_until(bed_both_up);
    bed_exchange(bed_client, bed_server);
}
END_TEST

START_TEST(another_port)
{
    struct port_memif_config config = bed_config("heir", true);
    struct parcel parcel;
    struct port *heir;

    bed_join();
    for (int i = 0; i < 3; i++) {
        config = bed_config("heir", i != 0);
        config.id = i == 1 ? 8 : 7;
        config.mtu = i == 2 ? 1400 : 0;
        draft_offer(bed_server, &parcel);
        ck_assert_int_eq(port_memif_adopt(&heir, &config, &parcel, &bed_reason), -EINVAL);
        parcel_destroy(&parcel);
    }
    bed_exchange(bed_client, bed_server);
}
END_TEST

/* Whatever is wrong with a document it is refused, or taken; nothing is left behind, and the old
 * port goes on. */
START_TEST(damaged_documents)
{
    struct port_memif_config config = bed_config("heir", true);
    struct parcel parcel;
    uint8_t *bytes;
    uint32_t before;

    bed_join();
    draft_offer(bed_server, &parcel);
    bytes = malloc(parcel.length);
    before = transit_descriptors();
    for (size_t at = HEADER_BYTES; at < parcel.length; at++) {
        struct parcel altered;
        struct port *heir = NULL;
        uint16_t type, version;

        memcpy(bytes, parcel.bytes, parcel.length);
        bytes[at] ^= (uint8_t)(1u << at % 8);
        if (!transit_altered(&parcel, bytes, parcel.length, &altered) &&
            state_record_next(&altered.state, &type, &version) &&
            !port_memif_adopt(&heir, &config, &altered, &bed_reason))
            bed_destroy(&heir);
        parcel_destroy(&altered);
        ck_assert_uint_eq(transit_descriptors(), before);
    }
    free(bytes);
    parcel_destroy(&parcel);
    bed_exchange(bed_client, bed_server);
    bed_exchange(bed_server, bed_client);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("port_memif_handover");
    TCase *tcase = tcase_create("port_memif_handover");

    tcase_set_timeout(tcase, 60);
    tcase_add_unchecked_fixture(tcase, test_eal_start, NULL);
    tcase_add_checked_fixture(tcase, bed_set_up, bed_tear_down);
    tcase_add_test(tcase, a_server_goes_over);
    tcase_add_test(tcase, a_client_goes_over);
    tcase_add_test(tcase, one_without_a_connection_goes_over);
    tcase_add_test(tcase, one_that_comes_back);
    tcase_add_test(tcase, a_newcomer_that_gives_up);
    tcase_add_test(tcase, another_connection_meanwhile);
    tcase_add_test(tcase, another_port);
    tcase_add_test(tcase, damaged_documents);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(make_suite());
    int failed;

    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
