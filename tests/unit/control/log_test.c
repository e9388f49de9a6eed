/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/log.h"
#include "sched/clock.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUTPUT_BYTES 4096

static const struct log_about *about; /* of the next line */

/* What the log writes for one line. */
static const char *logged(enum log_level level, const char *text)
{
    static char output[OUTPUT_BYTES];
    int ends[2];
    int before = dup(STDERR_FILENO);
    ck_assert_int_eq(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    log_event(level, about, "%s", text);
    dup2(before, STDERR_FILENO);
    close(before);
    ssize_t got = read(ends[0], output, sizeof(output) - 1);
    close(ends[0]);
    output[got < 0 ? 0 : got] = '\0';
    return output;
}

START_TEST(test_lines)
{
    ck_assert_str_eq(logged(LOG_ERROR, "text"), "saddled: error: text\n");
    ck_assert_str_eq(logged(LOG_WARNING, "text"), "saddled: warning: text\n");
    ck_assert_str_eq(logged(LOG_INFO, "a\nb\033[1m\x7f"), "saddled: info: a?b?[1m?\n");
    ck_assert_str_eq(logged(LOG_DEBUG, "text"), "");
    log_set_verbose(true);
    ck_assert_str_eq(logged(LOG_DEBUG, "text"), "saddled: debug: text\n");
}
END_TEST

START_TEST(test_long_line)
{
    char text[OUTPUT_BYTES];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    const char *line = logged(LOG_INFO, text);
    ck_assert_uint_eq(strlen(line), 1023);
    ck_assert_int_eq(line[1022], '\n');
}
END_TEST

START_TEST(test_limit)
{
    struct log_limit limit = {0};
    for (uint32_t i = 0; i < LOG_PER_SECOND; i++)
        ck_assert(log_allowed(&limit, LOG_DEBUG, NSEC_PER_SEC + i));
    ck_assert(!log_allowed(&limit, LOG_DEBUG, 2 * NSEC_PER_SEC - 1));
    ck_assert(!log_allowed(&limit, LOG_DEBUG, 2 * NSEC_PER_SEC - 1));
    ck_assert_uint_eq(limit.left_out, 2);
    ck_assert(log_allowed(&limit, LOG_DEBUG, 2 * NSEC_PER_SEC));
    ck_assert_uint_eq(limit.left_out, 0);
}
END_TEST

START_TEST(test_fields)
{
    const struct log_about all = {7, "al\npha", true, 0};
    about = &all;
    ck_assert_str_eq(logged(LOG_INFO, "text"), "saddled: info: text\n");
    log_set_verbose(true);
    ck_assert_str_eq(logged(LOG_INFO, "text"),
                     "saddled: info: text SADDLE_SESSION=7 SADDLE_ENGINE=al?pha SADDLE_UID=0\n");
    about = &(const struct log_about){.session = 0};
    ck_assert_str_eq(logged(LOG_INFO, "text"), "saddled: info: text\n");
}
END_TEST

/* A stream that is somebody else's is not the journal. */
START_TEST(test_other_stream)
{
    setenv("JOURNAL_STREAM", "1:2", 1);
    ck_assert_str_eq(logged(LOG_INFO, "text"), "saddled: info: text\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control/log");
    TCase *tcase = tcase_create("log");
    tcase_add_test(tcase, test_lines);
    tcase_add_test(tcase, test_long_line);
    tcase_add_test(tcase, test_limit);
    tcase_add_test(tcase, test_fields);
    tcase_add_test(tcase, test_other_stream);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
