/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/reserve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
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

/* Where the socket of a claim is bound. */
union place {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t place_of(const struct claim *claim, const char *interface, union place *place)
{
    memset(place, 0, sizeof(*place));
    if (address_is_v4(&claim->address)) {
        place->v4.sin_family = AF_INET;
        place->v4.sin_port = htons(claim->port);
        memcpy(&place->v4.sin_addr, address_v4(&claim->address), sizeof(place->v4.sin_addr));
        return sizeof(place->v4);
    }
    place->v6.sin6_family = AF_INET6;
    place->v6.sin6_port = htons(claim->port);
    memcpy(&place->v6.sin6_addr, claim->address.bytes, sizeof(place->v6.sin6_addr));
    if (IN6_IS_ADDR_LINKLOCAL(&place->v6.sin6_addr))
        place->v6.sin6_scope_id = if_nametoindex(interface);
    return sizeof(place->v6);
}

static int bind_to(int fd, const struct claim *claim, const char *interface)
{
    union place place;
    socklen_t length = place_of(claim, interface, &place);
    int error;

    if (place.any.sa_family == AF_INET) {
        error = set(fd, IPPROTO_IP, IP_FREEBIND);
    } else {
        error = set(fd, IPPROTO_IPV6, IPV6_V6ONLY);
        if (!error)
            error = set(fd, IPPROTO_IPV6, IPV6_FREEBIND);
    }
    if (!error && bind(fd, &place.any, length))
        error = -errno;
    return error;
}

static int take(int *fd, const struct claim *claim, const char *interface)
{
    int error;

    if (claim->protocol != IPPROTO_UDP)
        return -EINVAL;
    *fd = socket(address_is_v4(&claim->address) ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (*fd < 0)
        return -errno;
    error = drop_all(*fd);
    if (!error)
        error = bind_to(*fd, claim, interface);
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

/* With no socket in it yet. */
static struct reserve *make(uint32_t count)
{
    struct reserve *made = calloc(1, sizeof(*made) + count * sizeof(made->fds[0]));

    for (uint32_t i = 0; made && i < count; i++)
        made->fds[i] = -1;
    if (made)
        made->count = count;
    return made;
}

int reserve_create(struct reserve **reserve, const struct claim *claims, uint32_t count,
                   const char *interface, const struct reason *reason)
{
    struct reserve *made = make(count);

    if (!made)
        return reason_set(reason, -ENOMEM, "out of memory");
    for (uint32_t i = 0; i < count; i++) {
        int error = take(&made->fds[i], &claims[i], interface);

        if (error) {
            reserve_destroy(made);
            return explain(&claims[i], error, reason);
        }
    }
    *reserve = made;
    return 0;
}

void reserve_offer(const struct reserve *reserve, struct parcel_draft *draft)
{
    state_put_u32(&draft->state, reserve->count);
    for (uint32_t i = 0; i < reserve->count; i++)
        parcel_put_fd(draft, reserve->fds[i]);
}

/* Is it a UDP socket that is bound for the claim? It lets nothing in from now on, if it did. */
static bool is_taken(int fd, const struct claim *claim, const char *interface)
{
    union place wanted, place = {0};
    socklen_t wanted_length = place_of(claim, interface, &wanted);
    socklen_t length = sizeof(place), type_length = sizeof(int);
    int type = 0;

    return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_length) && type == SOCK_DGRAM &&
           !getsockname(fd, &place.any, &length) && length == wanted_length &&
           !memcmp(&place, &wanted, length) && !drop_all(fd);
}

int reserve_adopt(struct reserve **reserve, const struct claim *claims, uint32_t count,
                  const char *interface, struct parcel *parcel, const struct reason *reason)
{
    uint32_t offered = state_get_u32(&parcel->state);
    struct reserve *made;

    if (parcel->state.error || offered != count)
        return reason_set(reason, -EBADMSG, "%u UDP ports were handed over, and %u are configured",
                          offered, count);
    made = make(count);
    if (!made)
        return reason_set(reason, -ENOMEM, "out of memory");
    for (uint32_t i = 0; i < count; i++) {
        char address[ADDRESS_TEXT_BYTES];

        made->fds[i] = parcel_get_fd(parcel);
        if (made->fds[i] >= 0 && is_taken(made->fds[i], &claims[i], interface))
            continue;
        address_format(&claims[i].address, address);
        reserve_destroy(made);
        return reason_set(reason, -EBADMSG, "what was handed over does not keep UDP port %u of %s",
                          claims[i].port, address);
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
