/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/reserve.h"
#include "sched/clock.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REASON_BYTES 256u

static char why[REASON_BYTES];
static const struct reason reason = {why, sizeof(why)};

static struct claim claim(const char *address, uint16_t port)
{
    struct claim made = {.port = port, .protocol = IPPROTO_UDP};

    ck_assert_int_eq(address_parse(&made.address, address), 0);
    return made;
}

/* A socket on a port of the kernel's choice, which is written to `port`. */
static int stranger(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static uint16_t free_port(void)
{
    uint16_t port;

    close(stranger(&port));
    return port;
}

/* Addresses that the host does not have are reserved too. */
START_TEST(takes_ports)
{
    uint16_t port = free_port();
    const struct claim claims[] = {
        claim("127.0.0.1", port),
        claim("::1", port),
        claim("192.0.2.1", port),
        claim("2001:db8::1", port),
    };
    struct reserve *reserve, *second = NULL;

    ck_assert_msg(reserve_create(&reserve, claims, 4, "lo", &reason) == 0, "%s", why);
    ck_assert_int_eq(reserve_create(&second, &claims[1], 1, "lo", &reason), -EADDRINUSE);
    ck_assert_ptr_null(second);
    reserve_destroy(reserve);
    ck_assert_int_eq(reserve_create(&reserve, claims, 4, "lo", &reason), 0);
    reserve_destroy(reserve);
    reserve_destroy(NULL);
}
END_TEST

/* A packet that comes to the kernel is dropped, and its sender hears nothing: a closed port would
 * answer, and the sender's next call would fail. */
START_TEST(drops_in_silence)
{
    uint16_t port = free_port();
    const struct claim claims[] = {claim("127.0.0.1", port)};
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct reserve *reserve;

    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(reserve_create(&reserve, claims, 1, "lo", &reason), 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(send(fd, "x", 1, 0), 1);
    reserve_destroy(reserve);
    ck_assert_int_eq(send(fd, "x", 1, 0), 1);
    ck_assert_int_eq(send(fd, "x", 1, 0), -1);
    ck_assert_int_eq(errno, ECONNREFUSED);
    close(fd);
}
END_TEST

START_TEST(names_what_is_taken)
{
    struct reserve *reserve = NULL;
    struct claim claims[1];
    char number[8];
    uint16_t port;
    int fd = stranger(&port);

    claims[0] = claim("127.0.0.1", port);
    ck_assert_int_eq(reserve_create(&reserve, claims, 1, "lo", &reason), -EADDRINUSE);
    ck_assert_ptr_null(reserve);
    snprintf(number, sizeof(number), "%u", port);
    ck_assert_ptr_nonnull(strstr(why, "127.0.0.1"));
    ck_assert_ptr_nonnull(strstr(why, number));
    close(fd);
    claims[0].protocol = IPPROTO_TCP;
    ck_assert_int_eq(reserve_create(&reserve, claims, 1, "lo", &reason), -EINVAL);
}
END_TEST

/* ---- Handed over ---- */

#define PATIENT (20 * NSEC_PER_SEC) /* long enough for any machine */

/* A draft as it arrives; descriptors are not those that were sent. */
static void carry(struct parcel_draft *draft, struct parcel *parcel)
{
    uint64_t deadline = clock_now(&clock_machine) + PATIENT;
    uint16_t type, version;
    int ends[2];

    state_record_end(&draft->state);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    ck_assert_int_eq(parcel_send(ends[0], 1, draft, deadline), 0);
    ck_assert_int_eq(parcel_receive(ends[1], parcel, deadline), 0);
    ck_assert(state_record_next(&parcel->state, &type, &version));
    parcel_draft_destroy(draft);
    close(ends[0]);
    close(ends[1]);
}

static void begin(struct parcel_draft *draft)
{
    parcel_draft_init(draft);
    state_record_begin(&draft->state, 1, 1);
}

START_TEST(goes_over)
{
    uint16_t port = free_port();
    const struct claim claims[] = {claim("127.0.0.1", port), claim("2001:db8::1", port)};
    struct reserve *reserve, *heir, *second;
    struct parcel_draft draft;
    struct parcel parcel;

    ck_assert_msg(reserve_create(&reserve, claims, 2, "lo", &reason) == 0, "%s", why);
    begin(&draft);
    reserve_offer(reserve, &draft);
    carry(&draft, &parcel);
    ck_assert_msg(reserve_adopt(&heir, claims, 2, "lo", &parcel, &reason) == 0, "%s", why);
    parcel_destroy(&parcel);
    reserve_destroy(reserve);
    ck_assert_int_eq(reserve_create(&second, claims, 1, "lo", &reason), -EADDRINUSE);
    reserve_destroy(heir);
    ck_assert_int_eq(reserve_create(&second, claims, 2, "lo", &reason), 0);
    reserve_destroy(second);
}
END_TEST

/* Sockets for something else, of another kind, or none. */
START_TEST(adopts_nothing_else)
{
    uint16_t port = free_port();
    const struct claim claims[] = {claim("127.0.0.1", port), claim("::1", port)};
    const struct claim other[] = {claim("127.0.0.1", port), claim("::1", free_port())};
    struct reserve *reserve, *heir = NULL;
    struct parcel_draft draft;
    struct parcel parcel;

    ck_assert_int_eq(reserve_create(&reserve, claims, 2, "lo", &reason), 0);
    begin(&draft);
    reserve_offer(reserve, &draft);
    carry(&draft, &parcel);
    ck_assert_int_eq(reserve_adopt(&heir, other, 2, "lo", &parcel, &reason), -EBADMSG);
    ck_assert_ptr_nonnull(strstr(why, "::1"));
    parcel_destroy(&parcel);
    begin(&draft);
    reserve_offer(reserve, &draft);
    carry(&draft, &parcel);
    ck_assert_int_eq(reserve_adopt(&heir, claims, 1, "lo", &parcel, &reason), -EBADMSG);
    ck_assert_ptr_nonnull(strstr(why, "2 UDP ports were handed over, and 1 are configured"));
    parcel_destroy(&parcel);
    begin(&draft);
    state_put_u32(&draft.state, 2);
    parcel_put_fd(&draft, STDIN_FILENO);
    parcel_put_fd(&draft, STDIN_FILENO);
    carry(&draft, &parcel);
    ck_assert_int_eq(reserve_adopt(&heir, claims, 2, "lo", &parcel, &reason), -EBADMSG);
    parcel_destroy(&parcel);
    begin(&draft);
    state_put_u32(&draft.state, 2);
    carry(&draft, &parcel);
    ck_assert_int_eq(reserve_adopt(&heir, claims, 2, "lo", &parcel, &reason), -EBADMSG);
    parcel_destroy(&parcel);
    ck_assert_ptr_null(heir);
    reserve_destroy(reserve);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reserve");
    TCase *tcase = tcase_create("reserve");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, takes_ports);
    tcase_add_test(tcase, drops_in_silence);
    tcase_add_test(tcase, names_what_is_taken);
    tcase_add_test(tcase, goes_over);
    tcase_add_test(tcase, adopts_nothing_else);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
