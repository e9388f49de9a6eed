/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG       128
#define PORT_DIGITS   5u
#define ADDRESS_BYTES INET6_ADDRSTRLEN

static int parse_port(const char *text, in_port_t *port)
{
    unsigned long value = strtoul(text, NULL, 10);
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > PORT_DIGITS || text[digits] || value == 0 || value > UINT16_MAX)
        return -EINVAL;
    *port = htons((in_port_t)value);
    return 0;
}

/* `text` without what stands around the address. */
static int copy_address(const char *text, size_t length, char address[ADDRESS_BYTES])
{
    if (length == 0 || length >= ADDRESS_BYTES)
        return -EINVAL;
    memcpy(address, text, length);
    address[length] = '\0';
    return 0;
}

static int parse_v6(const char *text, struct endpoint *endpoint)
{
    struct sockaddr_in6 *to = (struct sockaddr_in6 *)&endpoint->address;
    const char *end = strchr(text, ']');
    char address[ADDRESS_BYTES];

    if (!end || end[1] != ':' || copy_address(text + 1, (size_t)(end - text) - 1, address))
        return -EINVAL;
    to->sin6_family = AF_INET6;
    endpoint->length = sizeof(*to);
    if (inet_pton(AF_INET6, address, &to->sin6_addr) != 1)
        return -EINVAL;
    return parse_port(end + 2, &to->sin6_port);
}

static int parse_v4(const char *text, struct endpoint *endpoint)
{
    struct sockaddr_in *to = (struct sockaddr_in *)&endpoint->address;
    const char *end = strchr(text, ':');
    char address[ADDRESS_BYTES];

    if (!end || copy_address(text, (size_t)(end - text), address))
        return -EINVAL;
    to->sin_family = AF_INET;
    endpoint->length = sizeof(*to);
    if (inet_pton(AF_INET, address, &to->sin_addr) != 1)
        return -EINVAL;
    return parse_port(end + 1, &to->sin_port);
}

int endpoint_parse(const char *text, struct endpoint *endpoint)
{
    memset(endpoint, 0, sizeof(*endpoint));
    return *text == '[' ? parse_v6(text, endpoint) : parse_v4(text, endpoint);
}

static int try_listen(const struct endpoint *endpoint)
{
    const int on = 1;
    int fd = socket(endpoint->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error;

    if (fd < 0)
        return -errno;
    /* Connections of a daemon that has ended linger; they are nobody's. */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (endpoint->address.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (!bind(fd, (const struct sockaddr *)&endpoint->address, endpoint->length) &&
        !listen(fd, BACKLOG))
        return fd;
    error = -errno;
    close(fd);
    return error;
}

int endpoint_listen(const char *text, const char *key, const struct reason *reason)
{
    struct endpoint endpoint;
    int fd = endpoint_parse(text, &endpoint);

    if (!fd)
        fd = try_listen(&endpoint);
    return fd < 0 ? reason_set(reason, fd, "%s: address %s: %s", key, text, strerror(-fd)) : fd;
}
