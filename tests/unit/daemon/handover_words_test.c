/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Words that are damaged, out of turn, or of somebody else's version. */
#include "daemon/handover_private.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <isa-l/crc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENT_NS (10 * NSEC_PER_SEC) /* for what is there already */
#define SEALS      (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static int ends[2];
static struct handover_link link_;
static struct handover_report report;
static struct handover_settings settings;
static struct handover_ops ops;
static struct handover handover;
static uint32_t agreed;

static int look_at(void *context, const struct handover_greeting *theirs, uint32_t version,
                   const struct reason *why)
{
    (void)context;
    (void)theirs;
    (void)why;
    agreed = version;
    return 0;
}

static void set_up(void)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    link_ = (struct handover_link){.socket = ends[1], .pidfd = -1, .pid = 1};
    settings = (struct handover_settings){
        .greeting = {{1, 1}, {2, 3}, {2, 3}, "1.0", "here", "engines: some\n"},
        .turned_away = -1,
    };
    ops = (struct handover_ops){.check = look_at};
    report = (struct handover_report){0};
    handover = (struct handover){
        .link = &link_,
        .settings = &settings,
        .ops = &ops,
        .report = &report,
        .set = HANDOVER_NO_SET,
    };
}

static void tear_down(void)
{
    close(ends[0]);
    close(ends[1]);
}

/* The greeting of a newcomer, or the old one's, as its document. */
static void write_greeting(struct parcel_draft *draft, bool newcomer)
{
    report.newcomer = newcomer;
    report.set_count = newcomer ? 0 : 2;
    snprintf(report.sets[0].name, sizeof(report.sets[0].name), "zero");
    snprintf(report.sets[1].name, sizeof(report.sets[1].name), "one");
    handover_draft(&handover, draft);
    handover_greeting_put(&handover, draft);
    ck_assert_int_eq(state_writer_finish(&draft->state), 0);
}

/* These bytes as the document of a parcel, sealed, whatever they are. */
static void send_bytes(uint32_t kind, const void *bytes, size_t length)
{
    struct {
        uint32_t magic, kind;
        uint64_t length;
        uint32_t fds, reserved;
    } head = {0x53445043u, kind, length, 0, 0};
    struct iovec vector = {&head, sizeof(head)};
    union {
        struct cmsghdr header;
        uint8_t bytes[CMSG_SPACE(sizeof(int))];
    } rights = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    struct msghdr message = {NULL, 0, &vector, 1, rights.bytes, sizeof(rights.bytes), 0};
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    ck_assert_int_eq(write(fd, bytes, length), (ssize_t)length);
    ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, SEALS), 0);
    memcpy(CMSG_DATA(&rights.header), &fd, sizeof(fd));
    ck_assert_int_eq(sendmsg(ends[0], &message, 0), sizeof(head));
    close(fd);
}

/* What becomes of it at the other end. */
static int read_greeting(bool newcomer)
{
    struct parcel parcel;
    int error;

    report = (struct handover_report){.newcomer = newcomer};
    handover.error = 0;
    handover.text[0] = '\0';
    handover.resync = false;
    error = handover_hear(&handover, newcomer ? HANDOVER_SAYS_WELCOME : HANDOVER_SAYS_HELLO,
                          &parcel, clock_now(&clock_machine) + PATIENT_NS);
    if (error)
        return error;
    error = handover_greeting_get(&handover, &parcel);
    parcel_destroy(&parcel);
    return error;
}

static enum handover_word greeting_of(bool newcomer)
{
    return newcomer ? HANDOVER_SAYS_HELLO : HANDOVER_SAYS_WELCOME;
}

/* _i: 0 the old one's greeting, 1 a newcomer's. */
START_TEST(a_greeting_arrives)
{
    struct parcel_draft draft;

    write_greeting(&draft, _i);
    send_bytes(greeting_of(_i), draft.state.bytes, draft.state.length);
    ck_assert_int_eq(read_greeting(!_i), 0);
    ck_assert_str_eq(report.release, "1.0");
    ck_assert_uint_eq(agreed, 3);
    ck_assert_uint_eq(report.set_count, _i ? 0 : 2);
    parcel_draft_destroy(&draft);
}
END_TEST

START_TEST(any_flipped_byte_is_refused)
{
    struct parcel_draft draft;

    write_greeting(&draft, _i);
    for (size_t at = 0; at < draft.state.length; at++) {
        draft.state.bytes[at] ^= 0x41;
        send_bytes(greeting_of(_i), draft.state.bytes, draft.state.length);
        draft.state.bytes[at] ^= 0x41;
        ck_assert_int_eq(read_greeting(!_i), -EBADMSG);
        ck_assert_str_eq(report.reason, "what process 1 sent is damaged");
        ck_assert(handover.resync);
    }
    parcel_draft_destroy(&draft);
}
END_TEST

START_TEST(any_truncation_is_refused)
{
    struct parcel_draft draft;

    write_greeting(&draft, _i);
    for (size_t length = 1; length < draft.state.length; length++) {
        send_bytes(greeting_of(_i), draft.state.bytes, length);
        ck_assert_int_eq(read_greeting(!_i), -EBADMSG);
        ck_assert_str_ne(report.reason, "");
    }
    parcel_draft_destroy(&draft);
}
END_TEST

/* A document that is whole, with this body. */
static void send_body(uint32_t kind, uint8_t *document, size_t length)
{
    uint64_t body = length - 24;
    uint32_t crc = crc32_iscsi(document + 24, (int)body, 0xffffffffu) ^ 0xffffffffu;

    memcpy(document + 8, &crc, sizeof(crc));
    memcpy(document + 16, &body, sizeof(body));
    send_bytes(kind, document, length);
}

/* As a broken daemon would write it: nothing of it is taken for granted, and a greeting that is cut
 * off is none. */
START_TEST(a_greeting_of_a_broken_daemon)
{
    struct parcel_draft draft;
    uint8_t *copy;

    write_greeting(&draft, _i);
    copy = malloc(draft.state.length);
    ck_assert_ptr_nonnull(copy);
    for (size_t length = 24; length < draft.state.length; length++) {
        memcpy(copy, draft.state.bytes, length);
        send_body(greeting_of(_i), copy, length);
        ck_assert_int_lt(read_greeting(!_i), 0);
        ck_assert_str_ne(handover.text, "");
    }
    for (size_t at = 24; at < draft.state.length; at++) {
        for (int bit = 0; bit < 8; bit++) {
            int error;

            memcpy(copy, draft.state.bytes, draft.state.length);
            copy[at] ^= (uint8_t)(1 << bit);
            send_body(greeting_of(_i), copy, draft.state.length);
            error = read_greeting(!_i);
            ck_assert_int_le(error, 0);
            ck_assert(!error || handover.text[0]);
            ck_assert_uint_le(report.set_count, HANDOVER_SETS_MAX);
        }
    }
    free(copy);
    parcel_draft_destroy(&draft);
}
END_TEST

/* What one of them is, what the other one is, and who is blamed. */
static const struct {
    struct handover_range protocol, state, abi;
    const char *instance;
    const char *culprit; /* NULL: it is fine */
} others[] = {
    {{1, 1}, {2, 3}, {2, 3}, "here", NULL},
    {{1, 9}, {3, 9}, {1, 9}, "", NULL},
    {{2, 2}, {2, 3}, {2, 3}, "here", "hand-over protocol: process 1 knows versions 2 to 2"},
    {{1, 1}, {4, 9}, {2, 3}, "here", "saved state: process 1 knows versions 4 to 9"},
    {{1, 1}, {1, 1}, {2, 3}, "here", "saved state: process 1 knows versions 1 to 1"},
    {{1, 1}, {2, 3}, {3, 3}, "here", "sessions: ABI versions 2 to 3 are attached"},
    {{1, 1}, {2, 3}, {2, 2}, "here", "sessions: ABI versions 2 to 3 are attached"},
    {{1, 1}, {2, 3}, {2, 3}, "elsewhere", "instance: process 1 is \"elsewhere\""},
};

START_TEST(who_does_not_fit_is_named)
{
    const struct handover_greeting ours = settings.greeting;
    struct parcel_draft draft;
    int error;

    settings.greeting.protocol = others[_i].protocol;
    settings.greeting.state = others[_i].state;
    settings.greeting.abi = others[_i].abi;
    settings.greeting.instance = others[_i].instance;
    write_greeting(&draft, true);
    settings.greeting = ours;
    send_bytes(HANDOVER_SAYS_HELLO, draft.state.bytes, draft.state.length);
    error = read_greeting(false);
    ck_assert_int_eq(error == 0, others[_i].culprit == NULL);
    if (others[_i].culprit)
        ck_assert_msg(strstr(handover.text, others[_i].culprit), "%s", handover.text);
    parcel_draft_destroy(&draft);
}
END_TEST

/* A newcomer that finds an old one with sessions that it does not serve says so as well; one
 * without sessions has none that it does not. */
START_TEST(sessions_are_the_old_ones)
{
    struct parcel_draft draft;

    settings.greeting.abi = _i ? (struct handover_range){0, 0} : (struct handover_range){1, 1};
    write_greeting(&draft, false);
    settings.greeting.abi = (struct handover_range){2, 3};
    send_bytes(HANDOVER_SAYS_WELCOME, draft.state.bytes, draft.state.length);
    ck_assert_int_eq(read_greeting(true), _i ? 0 : -EPROTONOSUPPORT);
    parcel_draft_destroy(&draft);
}
END_TEST

static void say(enum handover_word word, bool back, uint32_t set)
{
    struct handover other = handover;
    struct handover_link link = {.socket = ends[0], .pidfd = -1};

    other.link = &link;
    other.back = back;
    other.set = set;
    ck_assert_int_eq(handover_say_word(&other, word), 0);
}

static int hear(enum handover_word word)
{
    return handover_hear_word(&handover, word, clock_now(&clock_machine) + PATIENT_NS);
}

START_TEST(words_out_of_turn_are_refused)
{
    handover.set = 1;
    say(HANDOVER_SAYS_READY, false, 1);
    ck_assert_int_eq(hear(HANDOVER_SAYS_READY), 0);
    say(HANDOVER_SAYS_ACTIVE, false, 1);
    ck_assert_int_eq(hear(HANDOVER_SAYS_READY), -EBADMSG);
    ck_assert_str_eq(report.reason, "process 1 said 8 of set 1 in place of 5 of set 1");
    say(HANDOVER_SAYS_READY, false, 0);
    ck_assert_int_eq(hear(HANDOVER_SAYS_READY), -EBADMSG);
    say(HANDOVER_SAYS_READY, true, 1);
    ck_assert_int_eq(hear(HANDOVER_SAYS_READY), -EBADMSG);
}
END_TEST

static void refuse(bool back, uint32_t set, const char *reason)
{
    struct handover other = handover;
    struct handover_link link = {.socket = ends[0], .pidfd = -1};
    struct handover_report theirs = {0};

    other.link = &link;
    other.back = back;
    other.set = set;
    other.report = &theirs;
    handover_fail(&other, -ENOSPC, "%s", reason);
    handover_owe(&other);
    handover_tell(&other);
}

START_TEST(a_refusal_is_noted)
{
    handover.set = 1;
    refuse(false, 1, "no room\nfor \x1b[31mit");
    ck_assert_int_eq(hear(HANDOVER_SAYS_READY), -ECONNABORTED);
    ck_assert_int_eq(report.sets[1].error, -ENOSPC);
    ck_assert_str_eq(report.sets[1].reason, "no room?for ?[31mit");
}
END_TEST

/* Both found something wrong: the word about what is over on this side, too, is passed over. */
START_TEST(a_refusal_of_what_is_over_is_passed_over)
{
    handover.set = 0;
    handover.back = true;
    refuse(false, 1, "long ago");
    say(HANDOVER_SAYS_READY, true, 0);
    ck_assert_int_eq(hear(HANDOVER_SAYS_READY), 0);
    ck_assert_int_eq(report.error, 0);
}
END_TEST

/* What was refused unread has a rest: the descriptors that were to follow. */
START_TEST(the_rest_of_what_was_refused_is_passed_over)
{
    struct parcel_draft draft;
    uint32_t rest = 1;

    write_greeting(&draft, true);
    draft.state.bytes[30] ^= 1;
    send_bytes(HANDOVER_SAYS_HELLO, draft.state.bytes, draft.state.length);
    parcel_draft_destroy(&draft);
    ck_assert_int_eq(hear(HANDOVER_SAYS_HELLO), -EBADMSG);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(send(ends[0], &rest, sizeof(rest), 0), sizeof(rest));
    say(HANDOVER_SAYS_READY, false, HANDOVER_NO_SET);
    ck_assert_int_eq(hear(HANDOVER_SAYS_READY), 0);
    /* And after that nothing is. */
    ck_assert_int_eq(send(ends[0], &rest, sizeof(rest), 0), sizeof(rest));
    ck_assert_int_eq(hear(HANDOVER_SAYS_READY), -EBADMSG);
}
END_TEST

/* Who left something unread when he died: the kernel says that first, and then gives his words. */
START_TEST(words_outlive_who_left_some_unread)
{
    ck_assert_int_eq(send(ends[1], "x", 1, 0), 1);
    say(HANDOVER_SAYS_READY, false, HANDOVER_NO_SET);
    close(ends[0]);
    ends[0] = -1;
    ck_assert_int_eq(hear(HANDOVER_SAYS_READY), 0);
    ck_assert_int_eq(hear(HANDOVER_SAYS_READY), -EPIPE);
    ck_assert_str_eq(report.reason, "process 1 is gone");
}
END_TEST

START_TEST(silence_is_noted)
{
    ck_assert_int_eq(handover_hear_word(&handover, HANDOVER_SAYS_READY, 0), -ETIMEDOUT);
    ck_assert_str_eq(report.reason, "process 1 is silent");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/handover_words");
    TCase *words = tcase_create("words");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(words, set_up, tear_down);
    tcase_add_loop_test(words, a_greeting_arrives, 0, 2);
    tcase_add_loop_test(words, any_flipped_byte_is_refused, 0, 2);
    tcase_add_loop_test(words, any_truncation_is_refused, 0, 2);
    tcase_add_loop_test(words, a_greeting_of_a_broken_daemon, 0, 2);
    tcase_add_loop_test(words, who_does_not_fit_is_named, 0, sizeof(others) / sizeof(others[0]));
    tcase_add_loop_test(words, sessions_are_the_old_ones, 0, 2);
    tcase_add_test(words, words_out_of_turn_are_refused);
    tcase_add_test(words, a_refusal_is_noted);
    tcase_add_test(words, a_refusal_of_what_is_over_is_passed_over);
    tcase_add_test(words, the_rest_of_what_was_refused_is_passed_over);
    tcase_add_test(words, words_outlive_who_left_some_unread);
    tcase_add_test(words, silence_is_noted);
    suite_add_tcase(suite, words);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
