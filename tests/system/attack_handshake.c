/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Lies told before there is a session. */
#include "tests/system/attack.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void send_handshake(size_t bytes)
{
    uint8_t datagram[2 * sizeof(struct saddle_attach_request)] = {0};
    const struct saddle_attach_request request = raw_request("alpha");
    struct raw raw = {.socket = raw_connect(attack_path)};

    memcpy(datagram, &request, sizeof(request));
    if (send(raw.socket, datagram, bytes, 0) != (ssize_t)bytes)
        raw_die("send: %s", strerror(errno));
    attack_want("reply", raw_receive(&raw), -EPROTO);
    attack_want_hang_up(&raw);
    close(raw.socket);
}

static void case_handshake_partial(void)
{
    for (size_t bytes = 1; bytes < sizeof(struct saddle_attach_request); bytes += 13)
        send_handshake(bytes);
}

static void case_handshake_oversized(void)
{
    send_handshake(sizeof(struct saddle_attach_request) + 1);
    send_handshake(2 * sizeof(struct saddle_attach_request));
}

static void case_handshake_garbage(void)
{
    uint64_t state = ATTACK_SEED;

    for (int i = 0; i < 200; i++) {
        struct raw raw = {.socket = raw_connect(attack_path)};
        uint64_t words[sizeof(struct saddle_attach_request) / sizeof(uint64_t)];
        struct saddle_attach_request request = raw_request("alpha");

        for (size_t j = 0; j < sizeof(words) / sizeof(words[0]); j++)
            words[j] = attack_random(&state);
        /* Half of them are right up to some field. */
        if (i % 2)
            memcpy(words, &request, (size_t)i % offsetof(struct saddle_attach_request, engine));
        if (send(raw.socket, words, sizeof(words), 0) < 0)
            raw_die("send: %s", strerror(errno));
        if (raw_receive(&raw) == 0)
            raw_die("garbage was accepted");
        close(raw.socket);
    }
}

static void case_handshake_with_descriptors(void)
{
    union {
        struct cmsghdr header;
        uint8_t bytes[CMSG_SPACE(253 * sizeof(int))];
    } control = {.header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    struct saddle_attach_request request = raw_request("alpha");
    struct iovec vector = {&request, sizeof(request)};

    for (uint32_t count = 1; count <= 253; count += 84) {
        struct raw raw = {.socket = raw_connect(attack_path)};
        struct msghdr message = {.msg_iov = &vector,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = CMSG_SPACE(count * sizeof(int))};

        control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
        /* Its own connection among them: one that is closed by nobody would keep itself alive. */
        for (uint32_t i = 0; i < count; i++)
            memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &raw.socket, sizeof(int));
        if (sendmsg(raw.socket, &message, 0) < 0)
            raw_die("send: %s", strerror(errno));
        attack_want("reply", raw_receive(&raw), -EPROTO);
        close(raw.socket);
    }
}

static void case_handshake_vanishes(void)
{
    const struct saddle_attach_request request = raw_request("alpha");

    for (int i = 0; i < 100; i++) {
        int fd = raw_connect(attack_path);
        size_t bytes = i % 3 == 0 ? 0 : i % 3 == 1 ? sizeof(request) / 2 : sizeof(request);

        if (bytes && send(fd, &request, bytes, 0) < 0 && errno != EPIPE && errno != ECONNRESET)
            raw_die("send: %s", strerror(errno));
        close(fd);
    }
}

static void case_handshake_silent(void)
{
    struct raw raw = {.socket = raw_connect(attack_path)};

    attack_want("reply", raw_receive(&raw), -ETIMEDOUT);
    attack_want_hang_up(&raw);
    close(raw.socket);
}

static void case_speaks_after_handshake(void)
{
    struct raw raw;

    raw_attach(&raw, attack_path, "alpha");
    if (send(raw.socket, "more", 4, 0) != 4)
        raw_die("send: %s", strerror(errno));
    attack_want_closed(&raw);
    raw_leave(&raw);
}

const struct attack attacks_on_handshake[] = {
    {"handshake-partial", case_handshake_partial},
    {"handshake-oversized", case_handshake_oversized},
    {"handshake-garbage", case_handshake_garbage},
    {"handshake-with-descriptors", case_handshake_with_descriptors},
    {"handshake-vanishes", case_handshake_vanishes},
    {"handshake-silent", case_handshake_silent},
    {"speaks-after-handshake", case_speaks_after_handshake},
    {NULL, NULL},
};
