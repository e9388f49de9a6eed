/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/policy.h"

#include <check.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define OWNER    900u
#define STRANGER 1000u

START_TEST(test_default)
{
    const struct policy policy = {.owner = OWNER};
    struct policy_peer peer = {.uid = STRANGER, .gid = OWNER};
    ck_assert_uint_eq(policy_rights(&policy, &peer), 0);
    ck_assert(!policy_names(&policy, &peer));
    ck_assert(!policy_trusts(&policy, &peer));
    peer.uid = OWNER;
    ck_assert_uint_eq(policy_rights(&policy, &peer), POLICY_ALL);
    ck_assert(policy_names(&policy, &peer));
    ck_assert(policy_trusts(&policy, &peer));
    peer.uid = 0;
    ck_assert_uint_eq(policy_rights(&policy, &peer), POLICY_ALL);
}
END_TEST

START_TEST(test_rules)
{
    const struct policy_rule rules[] = {
        {POLICY_UID, 1001, POLICY_ATTACH, false, 1, POLICY_HUGEPAGES_OFF},
        {POLICY_GID, 50, POLICY_ATTACH, false, 1, POLICY_HUGEPAGES_OFF}};
    const struct policy policy = {OWNER, rules, 2};
    struct policy_peer peer = {.uid = STRANGER, .gid = STRANGER};
    ck_assert(!policy_rights(&policy, &peer));
    peer.uid = 1001;
    ck_assert_uint_eq(policy_rights(&policy, &peer), POLICY_ATTACH);
    ck_assert(policy_rule_names(&rules[0], &peer));
    ck_assert(!policy_rule_names(&rules[1], &peer));
    peer.uid = 50; /* a uid is no gid */
    ck_assert(!policy_rights(&policy, &peer));
    peer.gid = 50;
    ck_assert(policy_rights(&policy, &peer));
    peer.gid = 1001;
    ck_assert(!policy_rights(&policy, &peer));
    peer.groups[0] = 51;
    peer.groups[1] = 50;
    peer.group_count = 1;
    ck_assert(!policy_rights(&policy, &peer));
    peer.group_count = 2;
    ck_assert(policy_rights(&policy, &peer));
}
END_TEST

START_TEST(test_anybody)
{
    const struct policy_rule rule = {POLICY_ANY, 0, POLICY_ATTACH, false, 1, POLICY_HUGEPAGES_OFF};
    const struct policy policy = {OWNER, &rule, 1};
    const struct policy_peer peer = {.uid = STRANGER, .gid = STRANGER};
    ck_assert_uint_eq(policy_rights(&policy, &peer), POLICY_ATTACH);
}
END_TEST

/* All rules that name somebody count, and no other. */
START_TEST(test_union)
{
    const struct policy_rule rules[] = {
        {POLICY_ANY, 0, POLICY_ATTACH, false, 1, POLICY_HUGEPAGES_OFF},
        {POLICY_GID, 50, POLICY_LISTEN | POLICY_CONNECT, false, 1, POLICY_HUGEPAGES_OFF},
        {POLICY_UID, 1001, POLICY_EXPOSE, false, 1, POLICY_HUGEPAGES_OFF},
        {POLICY_UID, 1002, POLICY_LISTEN, false, 1, POLICY_HUGEPAGES_OFF},
        {POLICY_UID, 1003, 0, false, 1, POLICY_HUGEPAGES_OFF},
    };
    const struct policy policy = {OWNER, rules, 5};
    struct policy_peer peer = {.uid = STRANGER, .gid = STRANGER};
    ck_assert_uint_eq(policy_rights(&policy, &peer), POLICY_ATTACH);
    peer.uid = 1002;
    ck_assert_uint_eq(policy_rights(&policy, &peer), POLICY_ATTACH | POLICY_LISTEN);
    peer.gid = 50;
    ck_assert_uint_eq(policy_rights(&policy, &peer),
                      POLICY_ATTACH | POLICY_LISTEN | POLICY_CONNECT);
    peer.uid = 1001;
    ck_assert_uint_eq(policy_rights(&policy, &peer), POLICY_ALL);
}
END_TEST

/* One right brings no other along, and a rule may grant none. */
START_TEST(test_no_more_than_said)
{
    const struct policy_rule rules[] = {{POLICY_UID, 1001, POLICY_CONNECT, false, 1,
                                         POLICY_HUGEPAGES_OFF},
                                        {POLICY_UID, 1003, 0, false, 1, POLICY_HUGEPAGES_OFF}};
    const struct policy policy = {OWNER, rules, 2};
    struct policy_peer peer = {.uid = 1001, .gid = STRANGER};
    ck_assert_uint_eq(policy_rights(&policy, &peer), POLICY_CONNECT);
    peer.uid = 1003;
    ck_assert_uint_eq(policy_rights(&policy, &peer), 0);
    ck_assert(policy_names(&policy, &peer));
}
END_TEST

/* Any rule that names somebody makes his sessions exclusive, and none of the others. */
START_TEST(test_exclusive)
{
    const struct policy_rule rules[] = {
        {POLICY_ANY, 0, POLICY_ATTACH, false, 1, POLICY_HUGEPAGES_OFF},
        {POLICY_GID, 50, 0, true, 1, POLICY_HUGEPAGES_OFF},
        {POLICY_UID, 1001, POLICY_ALL, true, 1, POLICY_HUGEPAGES_OFF}};
    const struct policy policy = {OWNER, rules, 3};
    struct policy_peer peer = {.uid = STRANGER, .gid = STRANGER};
    ck_assert(!policy_exclusive(&policy, &peer));
    peer.gid = 50;
    ck_assert(policy_exclusive(&policy, &peer));
    peer.gid = STRANGER;
    peer.uid = 1001;
    ck_assert(policy_exclusive(&policy, &peer));
    peer.uid = OWNER;
    ck_assert(!policy_exclusive(&policy, &peer));
}
END_TEST

START_TEST(test_words)
{
    char text[POLICY_TEXT_BYTES];
    ck_assert_str_eq(policy_text(0, text), "nothing");
    ck_assert_str_eq(policy_text(POLICY_LISTEN, text), "listen");
    ck_assert_str_eq(policy_text(POLICY_ALL, text), "attach, listen, connect, expose");
}
END_TEST

START_TEST(test_identify)
{
    struct policy_peer peer;
    gid_t groups[POLICY_GROUPS_MAX];
    int ends[2];
    int count = getgroups(POLICY_GROUPS_MAX, groups);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    ck_assert_int_eq(policy_identify(&peer, ends[0]), 0);
    ck_assert_uint_eq(peer.uid, geteuid());
    ck_assert_uint_eq(peer.gid, getegid());
    ck_assert_int_eq(peer.pid, getpid());
    ck_assert_int_eq((int)peer.group_count, count);
    close(ends[0]);
    close(ends[1]);
    ck_assert_int_lt(policy_identify(&peer, -1), 0);
}
END_TEST

/* The highest of all rules that name somebody, and 1 without any. */
START_TEST(weights)
{
    const struct policy_rule rules[] = {{POLICY_ANY, 0, POLICY_ATTACH, false, 1,
                                         POLICY_HUGEPAGES_OFF},
                                        {POLICY_GID, 50, 0, false, 8, POLICY_HUGEPAGES_OFF},
                                        {POLICY_UID, 1001, 0, false, 4, POLICY_HUGEPAGES_OFF}};
    const struct policy policy = {OWNER, rules, 3};
    struct policy_peer peer = {.uid = 1001, .gid = 1};

    ck_assert_uint_eq(policy_weight(&policy, &peer), 4);
    peer.gid = 50;
    ck_assert_uint_eq(policy_weight(&policy, &peer), 8);
    peer = (struct policy_peer){.uid = 7, .gid = 7};
    ck_assert_uint_eq(policy_weight(&policy, &peer), 1);
    ck_assert_uint_eq(policy_weight(&(struct policy){.owner = OWNER}, &peer), 1);
}
END_TEST

/* The strongest of all rules that name somebody; whom none names, root included, is not trusted. */
START_TEST(hugepages)
{
    const struct policy_rule rules[] = {{POLICY_ANY, 0, POLICY_ATTACH, false, 1,
                                         POLICY_HUGEPAGES_OFF},
                                        {POLICY_GID, 50, 0, false, 1, POLICY_HUGEPAGES_REQUIRED},
                                        {POLICY_UID, 1001, 0, false, 1, POLICY_HUGEPAGES_AUTO}};
    const struct policy policy = {OWNER, rules, 3};
    struct policy_peer peer = {.uid = 1001, .gid = 1};

    ck_assert_int_eq(policy_hugepages(&policy, &peer), POLICY_HUGEPAGES_AUTO);
    peer.gid = 50;
    ck_assert_int_eq(policy_hugepages(&policy, &peer), POLICY_HUGEPAGES_REQUIRED);
    peer.uid = 7;
    ck_assert_int_eq(policy_hugepages(&policy, &peer), POLICY_HUGEPAGES_REQUIRED);
    peer = (struct policy_peer){.uid = 7, .gid = 7};
    ck_assert_int_eq(policy_hugepages(&policy, &peer), POLICY_HUGEPAGES_OFF);
    peer = (struct policy_peer){.uid = 0, .gid = 0};
    ck_assert_int_eq(policy_hugepages(&policy, &peer), POLICY_HUGEPAGES_OFF);
    peer.uid = OWNER;
    ck_assert_int_eq(policy_hugepages(&policy, &peer), POLICY_HUGEPAGES_OFF);
    ck_assert_str_eq(policy_hugepages_words[POLICY_HUGEPAGES_REQUIRED], "required");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control/policy");
    TCase *tcase = tcase_create("policy");
    tcase_add_test(tcase, test_default);
    tcase_add_test(tcase, test_rules);
    tcase_add_test(tcase, test_anybody);
    tcase_add_test(tcase, test_union);
    tcase_add_test(tcase, test_no_more_than_said);
    tcase_add_test(tcase, test_exclusive);
    tcase_add_test(tcase, test_words);
    tcase_add_test(tcase, test_identify);
    tcase_add_test(tcase, weights);
    tcase_add_test(tcase, hugepages);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
