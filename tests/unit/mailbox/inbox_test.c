/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "mailbox/inbox.h"

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SENDERS 3u
#define ITEMS   4u     /* of each sender */
#define ROUNDS  20000u /* of each item */

struct letter {
    struct inbox_item item; /* first */
    struct inbox *home;
    uint64_t rounds;
};

static struct inbox inbox;
static int wake_fd;

static void setup(void)
{
    wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    ck_assert_int_ge(wake_fd, 0);
    inbox_init(&inbox, wake_fd);
}

static void teardown(void)
{
    close(wake_fd);
}

static bool rung(void)
{
    eventfd_t value;
    return eventfd_read(wake_fd, &value) == 0;
}

START_TEST(all_come_out_together)
{
    struct inbox_item items[3];
    bool seen[3] = {false};
    ck_assert_ptr_null(inbox_take(&inbox));
    for (uint32_t i = 0; i < 3; i++)
        inbox_send(&inbox, &items[i]);
    for (struct inbox_item *item = inbox_take(&inbox); item; item = item->next)
        seen[item - items] = true;
    ck_assert(seen[0] && seen[1] && seen[2]);
    ck_assert_ptr_null(inbox_take(&inbox));
    ck_assert(!rung());
}
END_TEST

START_TEST(a_sleeper_is_rung_once)
{
    struct inbox_item items[2];
    ck_assert(inbox_arm(&inbox));
    inbox_send(&inbox, &items[0]);
    ck_assert(rung());
    inbox_send(&inbox, &items[1]);
    ck_assert(!rung());
    /* What is there keeps it from sleeping, and it is not armed then. */
    ck_assert(!inbox_arm(&inbox));
    ck_assert_ptr_nonnull(inbox_take(&inbox));
    inbox_send(&inbox, &items[0]);
    ck_assert(!rung());
    ck_assert_ptr_nonnull(inbox_take(&inbox));
    ck_assert(inbox_arm(&inbox));
    inbox_disarm(&inbox);
    inbox_send(&inbox, &items[0]);
    ck_assert(!rung());
}
END_TEST

/* Sleeps until its bell rings, as a thread does. */
static struct inbox_item *await(struct inbox *from)
{
    struct inbox_item *item;
    while (!(item = inbox_take(from))) {
        if (inbox_arm(from)) {
            struct pollfd bell = {.fd = from->wake_fd, .events = POLLIN};
            eventfd_t value;
            ck_assert_int_eq(poll(&bell, 1, -1), 1);
            (void)eventfd_read(from->wake_fd, &value);
            inbox_disarm(from);
        }
    }
    return item;
}

/* Sends its letters and each of them again as it comes back, so many times. */
static void *correspond(void *unused)
{
    struct letter letters[ITEMS] = {0};
    struct inbox home;
    uint32_t left = ITEMS;
    (void)unused;
    inbox_init(&home, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    for (uint32_t i = 0; i < ITEMS; i++) {
        letters[i].home = &home;
        inbox_send(&inbox, &letters[i].item);
    }
    while (left > 0) {
        struct inbox_item *item = await(&home);
        while (item) {
            struct letter *letter = (struct letter *)item;
            item = item->next;
            if (letter->rounds == ROUNDS)
                left--;
            else
                inbox_send(&inbox, &letter->item);
        }
    }
    close(home.wake_fd);
    return NULL;
}

START_TEST(nothing_is_lost_between_threads)
{
    pthread_t threads[SENDERS];
    uint64_t rounds = 0;
    for (uint32_t i = 0; i < SENDERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, correspond, NULL), 0);
    while (rounds < (uint64_t)SENDERS * ITEMS * ROUNDS) {
        struct inbox_item *item = await(&inbox);
        while (item) {
            struct letter *letter = (struct letter *)item;
            item = item->next;
            letter->rounds++;
            rounds++;
            inbox_send(letter->home, &letter->item);
        }
    }
    for (uint32_t i = 0; i < SENDERS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    ck_assert_ptr_null(inbox_take(&inbox));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mailbox/inbox");
    TCase *tests = tcase_create("inbox");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, all_come_out_together);
    tcase_add_test(tests, a_sleeper_is_rung_once);
    tcase_add_test(tests, nothing_is_lost_between_threads);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
