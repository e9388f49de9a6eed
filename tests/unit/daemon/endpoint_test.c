/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/endpoint.h"

#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REASON_BYTES 256

static const char *const good[] = {"127.0.0.1:9464", "0.0.0.0:1", "[::1]:65535", "[::]:1",
                                   "[fe80::1:2]:80"};
static const char *const bad[] = {
    "",
    ":",
    "127.0.0.1",
    "127.0.0.1:",
    "127.0.0.1:0",
    "127.0.0.1:65536",
    "1.2.3:4",
    "1.2.3.4:5x",
    "1.2.3.4:+5",
    "1.2.3.4: 5",
    "1.2.3.4:5:6",
    "localhost:80",
    "::1:80",
    "[::1]",
    "[::1]80",
    "[::1:80",
    "[]:80",
    "[127.0.0.1]:80",
    "[::1]:",
    "[::1]:-1",
    "1.2.3.4:000000000080",
    "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0001]:80"};

START_TEST(test_parse)
{
    struct endpoint endpoint;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        ck_assert_msg(endpoint_parse(good[i], &endpoint) == 0, "%s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(endpoint_parse(bad[i], &endpoint) == -EINVAL, "%s", bad[i]);
}
END_TEST

/* The second one to listen at a place is told why not. */
START_TEST(test_listen)
{
    char line[REASON_BYTES], text[32];
    const struct reason reason = {line, sizeof(line)};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

    ck_assert_int_eq(bind(taken, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(taken, 1), 0);
    ck_assert_int_eq(getsockname(taken, (struct sockaddr *)&address, &length), 0);
    snprintf(text, sizeof(text), "127.0.0.1:%u", ntohs(address.sin_port));
    ck_assert_int_eq(endpoint_listen(text, "control: http", &reason), -EADDRINUSE);
    ck_assert_ptr_eq(strstr(line, "control: http: address 127.0.0.1:"), line);
    close(taken);
    fd = endpoint_listen(text, "control: http", &reason);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(endpoint_listen("192.0.2.1:9464", "x", &reason), -EADDRNOTAVAIL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/endpoint");
    TCase *tcase = tcase_create("endpoint");
    tcase_add_test(tcase, test_parse);
    tcase_add_test(tcase, test_listen);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
