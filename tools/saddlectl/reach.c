/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/saddlectl/reach.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define US_PER_S   1e6
#define HOST_BYTES 256u

/* 0 or a negative errno. */
static int try_connect(const struct sockaddr *address, socklen_t length, double timeout_s)
{
    struct timeval patience = {.tv_sec = (time_t)timeout_s};
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int error = 0;

    if (fd < 0)
        return -errno;
    /* Connecting waits while the queue of whoever listens is full; a timeout of 0 would be none. */
    patience.tv_usec = (suseconds_t)((timeout_s - (double)patience.tv_sec) * US_PER_S);
    patience.tv_usec += !patience.tv_sec && !patience.tv_usec;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (connect(fd, address, length))
        error = -errno;
    close(fd);
    return error;
}

int reach_socket(const char *path, double timeout_s, const char **why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int error;

    if (strlen(path) >= sizeof(address.sun_path)) {
        *why = "--socket: longer than the path of a Unix socket may be";
        return -EINVAL;
    }
    memcpy(address.sun_path, path, strlen(path));
    error = try_connect((struct sockaddr *)&address, sizeof(address), timeout_s);
    if (error == -ENOENT)
        *why = "no such socket; is saddled running, with \"control\" in its configuration?";
    else if (error == -ECONNREFUSED)
        *why = "nobody serves it; is saddled running?";
    else if (error == -EACCES)
        *why = "this user may not connect; see \"control\" in saddled.conf(5)";
    else if (error == -EAGAIN)
        *why = "no answer in time";
    else
        *why = strerror(-error);
    /* Whatever connect thinks is invalid, the user did not write it. */
    return error == -EINVAL ? -EIO : error;
}

/* "HOST:PORT", "[ADDRESS]:PORT" in their parts. */
static bool split(const char *server, char host[HOST_BYTES], const char **port)
{
    const char *colon = strrchr(server, ':');
    size_t length = colon ? (size_t)(colon - server) : 0;
    bool bracketed = length > 1 && server[0] == '[' && server[length - 1] == ']';

    if (bracketed) {
        server++;
        length -= 2;
    }
    if (length == 0 || length >= HOST_BYTES || !colon[1] ||
        colon[1 + strspn(colon + 1, "0123456789")])
        return false;
    /* An address of IPv6 without brackets would lose its end. */
    if (!bracketed && memchr(server, ':', length))
        return false;
    memcpy(host, server, length);
    host[length] = '\0';
    *port = colon + 1;
    return true;
}

bool reach_is_server(const char *server)
{
    char host[HOST_BYTES];
    const char *port;

    return split(server, host, &port);
}

int reach_server(const char *server, double timeout_s, const char **why)
{
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    char host[HOST_BYTES];
    const char *port;
    int error;

    if (!split(server, host, &port))
        return -EINVAL;
    error = getaddrinfo(host, port, &wanted, &found);
    if (error) {
        *why = gai_strerror(error);
        return -EHOSTUNREACH;
    }
    for (const struct addrinfo *one = found; one; one = one->ai_next) {
        error = try_connect(one->ai_addr, one->ai_addrlen, timeout_s);
        if (!error)
            break;
    }
    freeaddrinfo(found);
    *why = error == -EINPROGRESS || error == -EAGAIN ? "no answer in time" : strerror(-error);
    return error;
}
