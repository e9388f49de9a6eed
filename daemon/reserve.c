/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/reserve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct reserve {
    uint32_t count;
    int fds[];
};

static int set(int fd, int level, int option)
{
    const int on = 1;

    return setsockopt(fd, level, option, &on, sizeof(on)) ? -errno : 0;
}

/* Before the socket is bound, so that no packet ever enters it. */
static int drop_all(int fd)
{
    struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = {.len = 1, .filter = &nothing};

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) ? -errno : 0;
}

static int bind_v4(int fd, const struct claim *claim)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(claim->port)};
    int error = set(fd, IPPROTO_IP, IP_FREEBIND);

    memcpy(&address.sin_addr, address_v4(&claim->address), sizeof(address.sin_addr));
    if (!error && bind(fd, (const struct sockaddr *)&address, sizeof(address)))
        error = -errno;
    return error;
}

static int bind_v6(int fd, const struct claim *claim, const char *interface)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(claim->port)};
    int error = set(fd, IPPROTO_IPV6, IPV6_V6ONLY);

    memcpy(&address.sin6_addr, claim->address.bytes, sizeof(address.sin6_addr));
    if (IN6_IS_ADDR_LINKLOCAL(&address.sin6_addr))
        address.sin6_scope_id = if_nametoindex(interface);
    if (!error)
        error = set(fd, IPPROTO_IPV6, IPV6_FREEBIND);
    if (!error && bind(fd, (const struct sockaddr *)&address, sizeof(address)))
        error = -errno;
    return error;
}

static int take(int *fd, const struct claim *claim, const char *interface)
{
    bool v4 = address_is_v4(&claim->address);
    int error;

    if (claim->protocol != IPPROTO_UDP)
        return -EINVAL;
    *fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (*fd < 0)
        return -errno;
    error = drop_all(*fd);
    if (!error)
        error = v4 ? bind_v4(*fd, claim) : bind_v6(*fd, claim, interface);
    return error;
}

static int explain(const struct claim *claim, int error, const struct reason *reason)
{
    char address[ADDRESS_TEXT_BYTES];

    address_format(&claim->address, address);
    if (error == -EADDRINUSE)
        return reason_set(reason, error,
                          "UDP port %u of %s is taken by another program (ss -lunp 'sport = %u')",
                          claim->port, address, claim->port);
    return reason_set(reason, error, "UDP port %u of %s cannot be reserved: %s", claim->port,
                      address, strerror(-error));
}

int reserve_create(struct reserve **reserve, const struct claim *claims, uint32_t count,
                   const char *interface, const struct reason *reason)
{
    struct reserve *made = calloc(1, sizeof(*made) + count * sizeof(made->fds[0]));

    if (!made)
        return reason_set(reason, -ENOMEM, "out of memory");
    for (uint32_t i = 0; i < count; i++) {
        int error;

        made->fds[i] = -1;
        made->count = i + 1;
        error = take(&made->fds[i], &claims[i], interface);
        if (error) {
            reserve_destroy(made);
            return explain(&claims[i], error, reason);
        }
    }
    *reserve = made;
    return 0;
}

void reserve_destroy(struct reserve *reserve)
{
    if (!reserve)
        return;
    for (uint32_t i = 0; i < reserve->count; i++) {
        if (reserve->fds[i] >= 0)
            close(reserve->fds[i]);
    }
    free(reserve);
}
