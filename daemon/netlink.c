/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define REPLY_BYTES    32768u /* the kernel never makes a larger datagram of a dump */
#define REQUEST_BYTES  256u
#define DATAGRAMS_MAX  65536u /* of one dump: more is no honest table */
#define LISTEN_MAX     64u    /* datagrams read at a time: others of the loop have their turn */
#define ATTEMPTS       4u     /* a dump that changes while it is read is read again */
#define ATTRIBUTES_MAX 64u    /* more than any of the messages below has; others are skipped */
#define V4_BYTES       4u
#define V6_BYTES       16u

struct netlink {
    struct mnl_socket *asking;
    struct mnl_socket *hearing;
    uint32_t sequence;
    uint8_t reply[REPLY_BYTES];
    uint8_t news[REPLY_BYTES]; /* its own: a listener may ask */
};

static int open_socket(struct mnl_socket **made)
{
    struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
    int error;

    if (!socket)
        return -errno;
    if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID)) {
        error = -errno;
        mnl_socket_close(socket);
        return error;
    }
    *made = socket;
    return 0;
}

static int join(struct mnl_socket *socket)
{
    static const int groups[] = {RTNLGRP_LINK,        RTNLGRP_NEIGH,      RTNLGRP_IPV4_IFADDR,
                                 RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
                                 RTNLGRP_IPV4_RULE,   RTNLGRP_IPV6_RULE};

    for (unsigned i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, (void *)(uintptr_t)&groups[i],
                                  sizeof(groups[i])))
            return -errno;
    }
    return 0;
}

int netlink_open(struct netlink **netlink)
{
    struct netlink *made = calloc(1, sizeof(*made));
    int error;

    if (!made)
        return -ENOMEM;
    error = open_socket(&made->asking);
    if (!error)
        error = open_socket(&made->hearing);
    if (!error)
        error = join(made->hearing);
    if (error) {
        netlink_close(made);
        return error;
    }
    *netlink = made;
    return 0;
}

void netlink_close(struct netlink *netlink)
{
    if (!netlink)
        return;
    if (netlink->asking)
        mnl_socket_close(netlink->asking);
    if (netlink->hearing)
        mnl_socket_close(netlink->hearing);
    free(netlink);
}

int netlink_fd(const struct netlink *netlink)
{
    return mnl_socket_get_fd(netlink->hearing);
}

/* One datagram, if it is the kernel's: its length, 0 if it is not, or a negative errno. */
static ssize_t receive(const struct mnl_socket *socket, uint8_t *buffer)
{
    struct sockaddr_nl from = {0};
    struct iovec part = {buffer, REPLY_BYTES};
    struct msghdr message = {
        .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &part, .msg_iovlen = 1};
    ssize_t got = recvmsg(mnl_socket_get_fd(socket), &message, 0);

    if (got < 0)
        return -errno;
    if (message.msg_flags & MSG_TRUNC)
        return -ENOBUFS;
    return message.msg_namelen == sizeof(from) && from.nl_pid == 0 ? got : 0;
}

/* Reads what an earlier question left unread. */
static void forget(struct netlink *netlink)
{
    for (unsigned i = 0; i < DATAGRAMS_MAX; i++) {
        if (receive(netlink->asking, netlink->reply) == -EAGAIN)
            return;
    }
}

/* Asks, and hands every message of the answer to `handle`. */
static int ask_once(struct netlink *netlink, struct nlmsghdr *request, mnl_cb_t handle, void *into)
{
    const struct mnl_socket *socket = netlink->asking;

    forget(netlink);
    request->nlmsg_seq = ++netlink->sequence;
    if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
        return -errno;
    for (unsigned i = 0; i < DATAGRAMS_MAX; i++) {
        ssize_t got = receive(socket, netlink->reply);
        int result;

        if (got < 0)
            return (int)got;
        result = mnl_cb_run(netlink->reply, (size_t)got, request->nlmsg_seq,
                            mnl_socket_get_portid(socket), handle, into);
        if (result < 0)
            return -errno;
        if (got > 0 && result == MNL_CB_STOP)
            return 0;
    }
    return -EMSGSIZE;
}

/* `into` starts anew with each attempt: `reset` bytes of it are zeroed. */
static int ask(struct netlink *netlink, struct nlmsghdr *request, mnl_cb_t handle, void *into,
               size_t reset)
{
    int error = -EINTR;

    for (unsigned i = 0; i < ATTEMPTS && error == -EINTR; i++) {
        memset(into, 0, reset);
        error = ask_once(netlink, request, handle, into);
    }
    return error;
}

/* A request with its fixed part, `bytes` of it, zeroed. */
static struct nlmsghdr *begin(uint8_t buffer[REQUEST_BYTES], uint16_t type, uint16_t flags,
                              void **fixed, size_t bytes)
{
    struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);

    request->nlmsg_type = type;
    request->nlmsg_flags = NLM_F_REQUEST | flags;
    *fixed = mnl_nlmsg_put_extra_header(request, bytes);
    memset(*fixed, 0, bytes);
    return request;
}

static uint8_t family_of(const struct address *address)
{
    return address_is_v4(address) ? AF_INET : AF_INET6;
}

static uint8_t bits_of(const struct address *address)
{
    return (address_is_v4(address) ? V4_BYTES : V6_BYTES) * 8;
}

static void put_address(struct nlmsghdr *request, uint16_t type, const struct address *address)
{
    if (address_is_v4(address))
        mnl_attr_put(request, type, V4_BYTES, address_v4(address));
    else
        mnl_attr_put(request, type, V6_BYTES, address->bytes);
}

/* Attributes by their type; NULL: not there. */
struct attributes {
    const struct nlattr *by[ATTRIBUTES_MAX];
};

static int gather(const struct nlattr *attribute, void *into)
{
    struct attributes *attributes = into;
    uint16_t type = mnl_attr_get_type(attribute);

    if (type < ATTRIBUTES_MAX)
        attributes->by[type] = attribute;
    return MNL_CB_OK;
}

static void parse(const struct nlmsghdr *message, size_t fixed, struct attributes *attributes)
{
    memset(attributes, 0, sizeof(*attributes));
    mnl_attr_parse(message, (unsigned)fixed, gather, attributes);
}

static void parse_nested(const struct nlattr *nest, struct attributes *attributes)
{
    memset(attributes, 0, sizeof(*attributes));
    if (nest)
        mnl_attr_parse_nested(nest, gather, attributes);
}

/* 0 if it is not there. */
static uint32_t get_u32(const struct nlattr *attribute)
{
    if (!attribute || mnl_attr_get_payload_len(attribute) < sizeof(uint32_t))
        return 0;
    return mnl_attr_get_u32(attribute);
}

static bool get_mac(const struct nlattr *attribute, struct rte_ether_addr *mac)
{
    if (!attribute || mnl_attr_get_payload_len(attribute) != sizeof(*mac))
        return false;
    memcpy(mac, mnl_attr_get_payload(attribute), sizeof(*mac));
    return true;
}

static bool get_address(const struct nlattr *attribute, uint8_t family, struct address *address)
{
    const size_t bytes = family == AF_INET ? V4_BYTES : V6_BYTES;

    if (!attribute || (family != AF_INET && family != AF_INET6) ||
        mnl_attr_get_payload_len(attribute) != bytes)
        return false;
    if (family == AF_INET)
        address_from_v4(address, mnl_attr_get_payload(attribute));
    else
        memcpy(address->bytes, mnl_attr_get_payload(attribute), bytes);
    return true;
}

static bool fits(const struct nlmsghdr *message, uint16_t type, size_t fixed)
{
    return message->nlmsg_type == type && mnl_nlmsg_get_payload_len(message) >= fixed;
}

/* The number of a VLAN interface; 0 if it is another kind. */
static uint16_t vlan_of(const struct nlattr *information)
{
    struct attributes info, data;
    const struct nlattr *id;

    parse_nested(information, &info);
    if (!info.by[IFLA_INFO_KIND] || mnl_attr_validate(info.by[IFLA_INFO_KIND], MNL_TYPE_STRING) ||
        strncmp(mnl_attr_get_str(info.by[IFLA_INFO_KIND]), "vlan",
                mnl_attr_get_payload_len(info.by[IFLA_INFO_KIND])) != 0)
        return 0;
    parse_nested(info.by[IFLA_INFO_DATA], &data);
    id = data.by[IFLA_VLAN_ID];
    return id && mnl_attr_get_payload_len(id) >= sizeof(uint16_t) ? mnl_attr_get_u16(id) : 0;
}

static bool read_link(const struct nlmsghdr *message, struct netlink_link *link)
{
    const struct ifinfomsg *fixed = mnl_nlmsg_get_payload(message);
    struct attributes attributes;
    const struct nlattr *name;

    if (!fits(message, RTM_NEWLINK, sizeof(*fixed)))
        return false;
    parse(message, sizeof(*fixed), &attributes);
    name = attributes.by[IFLA_IFNAME];
    if (!name || mnl_attr_get_payload_len(name) > sizeof(link->name) || fixed->ifi_index <= 0)
        return false;
    memset(link, 0, sizeof(*link));
    memcpy(link->name, mnl_attr_get_payload(name), mnl_attr_get_payload_len(name));
    link->name[sizeof(link->name) - 1] = '\0';
    link->index = (uint32_t)fixed->ifi_index;
    link->ethernet = fixed->ifi_type == ARPHRD_ETHER;
    link->up = (fixed->ifi_flags & IFF_UP) && (fixed->ifi_flags & IFF_RUNNING);
    link->mtu = get_u32(attributes.by[IFLA_MTU]);
    link->parent = get_u32(attributes.by[IFLA_LINK]);
    link->vlan = vlan_of(attributes.by[IFLA_LINKINFO]);
    get_mac(attributes.by[IFLA_ADDRESS], &link->mac);
    return true;
}

static int take_link(const struct nlmsghdr *message, void *into)
{
    read_link(message, into);
    return MNL_CB_OK;
}

int netlink_link(struct netlink *netlink, const char *name, uint32_t index,
                 struct netlink_link *link)
{
    uint8_t buffer[REQUEST_BYTES];
    struct ifinfomsg *fixed;
    struct nlmsghdr *request =
        begin(buffer, RTM_GETLINK, NLM_F_ACK, (void **)&fixed, sizeof(*fixed));
    int error;

    if (name)
        mnl_attr_put_strz(request, IFLA_IFNAME, name);
    else
        fixed->ifi_index = (int)index;
    error = ask(netlink, request, take_link, link, sizeof(*link));
    return !error && link->index == 0 ? -ENODEV : error;
}

struct vlan_search {
    struct netlink_link found; /* first: zeroed with each attempt */
    uint32_t parent;
    uint16_t vlan;
};

static int match_vlan(const struct nlmsghdr *message, void *into)
{
    struct vlan_search *search = into;
    struct netlink_link link;

    if (read_link(message, &link) && link.parent == search->parent && link.vlan == search->vlan)
        search->found = link;
    return MNL_CB_OK;
}

int netlink_vlan(struct netlink *netlink, uint32_t parent, uint16_t vlan, struct netlink_link *link)
{
    uint8_t buffer[REQUEST_BYTES];
    struct ifinfomsg *fixed;
    struct nlmsghdr *request =
        begin(buffer, RTM_GETLINK, NLM_F_DUMP, (void **)&fixed, sizeof(*fixed));
    struct vlan_search search = {.parent = parent, .vlan = vlan};
    int error = ask(netlink, request, match_vlan, &search, sizeof(search.found));

    *link = search.found;
    return !error && link->index == 0 ? -ENODEV : error;
}

struct address_search {
    bool found; /* first: zeroed with each attempt */
    uint32_t interface;
    const struct address *address;
};

static int match_address(const struct nlmsghdr *message, void *into)
{
    struct address_search *search = into;
    const struct ifaddrmsg *fixed = mnl_nlmsg_get_payload(message);
    struct attributes attributes;
    struct address address;

    if (!fits(message, RTM_NEWADDR, sizeof(*fixed)) || fixed->ifa_index != search->interface)
        return MNL_CB_OK;
    parse(message, sizeof(*fixed), &attributes);
    /* Of a point-to-point link IFA_ADDRESS is the other end. */
    if (get_address(attributes.by[IFA_LOCAL], fixed->ifa_family, &address) ||
        get_address(attributes.by[IFA_ADDRESS], fixed->ifa_family, &address))
        search->found |= address_equal(&address, search->address);
    return MNL_CB_OK;
}

int netlink_address(struct netlink *netlink, uint32_t interface, const struct address *address)
{
    uint8_t buffer[REQUEST_BYTES];
    struct ifaddrmsg *fixed;
    struct nlmsghdr *request =
        begin(buffer, RTM_GETADDR, NLM_F_DUMP, (void **)&fixed, sizeof(*fixed));
    struct address_search search = {.interface = interface, .address = address};
    int error = ask(netlink, request, match_address, &search, sizeof(search.found));

    return !error && !search.found ? -EADDRNOTAVAIL : error;
}

/* RFC 5549: an IPv4 route may lead through an IPv6 gateway. */
static bool get_via(const struct nlattr *attribute, struct address *address)
{
    const struct rtvia *via = attribute ? mnl_attr_get_payload(attribute) : NULL;

    if (!via || mnl_attr_get_payload_len(attribute) != sizeof(*via) + V6_BYTES ||
        via->rtvia_family != AF_INET6)
        return false;
    memcpy(address->bytes, via->rtvia_addr, V6_BYTES);
    return true;
}

struct route_search {
    struct netlink_route found; /* first: zeroed with each attempt */
    const struct address *destination;
};

static int take_route(const struct nlmsghdr *message, void *into)
{
    struct route_search *search = into;
    const struct rtmsg *fixed = mnl_nlmsg_get_payload(message);
    struct attributes attributes, metrics;

    if (!fits(message, RTM_NEWROUTE, sizeof(*fixed)) || fixed->rtm_type != RTN_UNICAST)
        return MNL_CB_OK;
    parse(message, sizeof(*fixed), &attributes);
    parse_nested(attributes.by[RTA_METRICS], &metrics);
    search->found.interface = get_u32(attributes.by[RTA_OIF]);
    search->found.mtu = get_u32(metrics.by[RTAX_MTU]);
    if (!get_address(attributes.by[RTA_GATEWAY], fixed->rtm_family, &search->found.next) &&
        !get_via(attributes.by[RTA_VIA], &search->found.next))
        search->found.next = *search->destination;
    return MNL_CB_OK;
}

/* fe80::/10 (RFC 4291 section 2.5.6). */
static bool is_link_local(const struct address *address)
{
    return address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80;
}

/* How the kernel refuses: no route, one that rejects, drops or prohibits, or a source that is no
 * address of this host. */
static bool is_unreachable(int error)
{
    return error == -ENETUNREACH || error == -EHOSTUNREACH || error == -EACCES ||
           error == -EINVAL || error == -EADDRNOTAVAIL || error == -ESRCH || error == -ENODEV;
}

int netlink_route(struct netlink *netlink, const struct address *destination,
                  const struct address *source, uint32_t interface, struct netlink_route *route)
{
    uint8_t buffer[REQUEST_BYTES];
    struct rtmsg *fixed;
    struct nlmsghdr *request =
        begin(buffer, RTM_GETROUTE, NLM_F_ACK, (void **)&fixed, sizeof(*fixed));
    struct route_search search = {.destination = destination};
    int error;

    fixed->rtm_family = family_of(destination);
    fixed->rtm_dst_len = bits_of(destination);
    put_address(request, RTA_DST, destination);
    fixed->rtm_src_len = bits_of(source);
    put_address(request, RTA_SRC, source);
    if (is_link_local(destination))
        mnl_attr_put_u32(request, RTA_OIF, interface);
    error = ask(netlink, request, take_route, &search, sizeof(search.found));
    *route = search.found;
    if (is_unreachable(error) || (!error && route->interface == 0))
        return -ENETUNREACH;
    return error;
}

#define NUD_USABLE (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)
#define NUD_FIXED  (NUD_PERMANENT | NUD_NOARP)
#define NUD_DOUBT  (NUD_STALE | NUD_DELAY | NUD_PROBE)

static bool read_neighbour(const struct nlmsghdr *message, struct netlink_neighbour *neighbour)
{
    const struct ndmsg *fixed = mnl_nlmsg_get_payload(message);
    struct attributes attributes;

    if (mnl_nlmsg_get_payload_len(message) < sizeof(*fixed) || fixed->ndm_ifindex <= 0)
        return false;
    parse(message, sizeof(*fixed), &attributes);
    memset(neighbour, 0, sizeof(*neighbour));
    if (!get_address(attributes.by[NDA_DST], fixed->ndm_family, &neighbour->address))
        return false;
    neighbour->interface = (uint32_t)fixed->ndm_ifindex;
    if ((fixed->ndm_state & NUD_USABLE) && get_mac(attributes.by[NDA_LLADDR], &neighbour->mac))
        neighbour->reach = NETLINK_REACHED;
    else if (fixed->ndm_state & NUD_FAILED)
        neighbour->reach = NETLINK_FAILED;
    neighbour->stale = neighbour->reach == NETLINK_REACHED && (fixed->ndm_state & NUD_DOUBT);
    /* Asking for these would undo what their owner said of them. */
    neighbour->kept = (fixed->ndm_state & NUD_FIXED) || (fixed->ndm_flags & NTF_EXT_LEARNED) ||
                      (get_u32(attributes.by[NDA_FLAGS_EXT]) & NTF_EXT_MANAGED);
    return true;
}

static int take_neighbour(const struct nlmsghdr *message, void *into)
{
    if (message->nlmsg_type == RTM_NEWNEIGH)
        read_neighbour(message, into);
    return MNL_CB_OK;
}

int netlink_neighbour(struct netlink *netlink, uint32_t interface, const struct address *address,
                      struct netlink_neighbour *neighbour)
{
    uint8_t buffer[REQUEST_BYTES];
    struct ndmsg *fixed;
    struct nlmsghdr *request =
        begin(buffer, RTM_GETNEIGH, NLM_F_ACK, (void **)&fixed, sizeof(*fixed));
    int error;

    fixed->ndm_family = family_of(address);
    fixed->ndm_ifindex = (int)interface;
    put_address(request, NDA_DST, address);
    error = ask(netlink, request, take_neighbour, neighbour, sizeof(*neighbour));
    return !error && neighbour->interface == 0 ? -ENOENT : error;
}

static int take_nothing(const struct nlmsghdr *message, void *into)
{
    (void)message;
    (void)into;
    return MNL_CB_OK;
}

int netlink_ask(struct netlink *netlink, uint32_t interface, const struct address *address)
{
    uint8_t buffer[REQUEST_BYTES];
    struct ndmsg *fixed;
    struct nlmsghdr *request =
        begin(buffer, RTM_NEWNEIGH, NLM_F_ACK | NLM_F_CREATE, (void **)&fixed, sizeof(*fixed));

    fixed->ndm_family = family_of(address);
    fixed->ndm_ifindex = (int)interface;
    fixed->ndm_flags = NTF_USE;
    put_address(request, NDA_DST, address);
    return ask(netlink, request, take_nothing, buffer, 0);
}

static void hear_link(const struct nlmsghdr *message, const struct netlink_listener *listener)
{
    const struct ifinfomsg *fixed = mnl_nlmsg_get_payload(message);
    struct attributes attributes;

    if (mnl_nlmsg_get_payload_len(message) < sizeof(*fixed))
        return;
    parse(message, sizeof(*fixed), &attributes);
    listener->link(listener->context, (uint32_t)fixed->ifi_index,
                   get_u32(attributes.by[IFLA_LINK]));
}

static void hear_neighbour(const struct nlmsghdr *message, const struct netlink_listener *listener)
{
    struct netlink_neighbour neighbour;

    if (!read_neighbour(message, &neighbour))
        return;
    if (message->nlmsg_type == RTM_DELNEIGH) {
        neighbour.reach = NETLINK_UNDECIDED;
        neighbour.stale = false;
        neighbour.kept = false;
    }
    listener->neighbour(listener->context, &neighbour);
}

static int hear(const struct nlmsghdr *message, void *context)
{
    const struct netlink_listener *listener = context;
    const struct ifaddrmsg *address = mnl_nlmsg_get_payload(message);

    switch (message->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
        hear_link(message, listener);
        break;
    case RTM_NEWADDR:
    case RTM_DELADDR:
        if (mnl_nlmsg_get_payload_len(message) >= sizeof(*address))
            listener->link(listener->context, address->ifa_index, 0);
        break;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
    case RTM_NEWRULE:
    case RTM_DELRULE:
        listener->routes(listener->context);
        break;
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
        hear_neighbour(message, listener);
        break;
    default:
        break;
    }
    return MNL_CB_OK;
}

int netlink_listen(struct netlink *netlink, const struct netlink_listener *listener)
{
    for (unsigned i = 0; i < LISTEN_MAX; i++) {
        ssize_t got = receive(netlink->hearing, netlink->news);

        if (got == -EAGAIN)
            return 0;
        if (got == -ENOBUFS)
            listener->lost(listener->context);
        else if (got < 0)
            return (int)got;
        else if (mnl_cb_run(netlink->news, (size_t)got, 0, 0, hear, (void *)(uintptr_t)listener) <
                 0)
            listener->lost(listener->context);
    }
    return 0;
}
