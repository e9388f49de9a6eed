/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The XDP program: gives claimed packets to the socket of their receive queue and leaves all else
 * to the kernel. It changes no packet and drops none.
 *
 * It is meant for every kernel since 6.1, and uses no helper that is not in all of them.
 */
#include "daemon/xdp/claim.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <stdbool.h>

#define CLAIMS_MAX         1024
#define SOCKETS_MAX        1 /* the daemon makes it as large as there are queues */
#define IPV4_WORDS         5 /* a header without options, in words of 4 bytes */
#define IPV4_DONT_FRAGMENT 0x4000
#define IPV4_MAPPED_AT     12 /* where an IPv4 address lies in a mapped one */
#define VLAN_ID            0x0fff

struct vlan_tag {
    __be16 control;
    __be16 type;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, CLAIMS_MAX);
    __type(key, struct claim_key);
    __type(value, struct claim_target);
} claims SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_XSKMAP);
    __uint(max_entries, SOCKETS_MAX);
    __type(key, __u32);
    __type(value, __u32);
} sockets SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, CLAIM_COUNTERS);
    __type(key, __u32);
    __type(value, __u64);
} counters SEC(".maps");

/* What follows a header. Without CAP_PERFMON the verifier accepts a packet's bytes only at offsets
 * that are constants; the barrier keeps the compiler from choosing between two of them at run time
 * and adding the choice. */
#define BEHIND(header)                                                                             \
    ({                                                                                             \
        const void *behind = (header) + 1;                                                         \
        barrier_var(behind);                                                                       \
        behind;                                                                                    \
    })

static __always_inline void count(__u32 counter)
{
    __u64 *value = bpf_map_lookup_elem(&counters, &counter);

    if (value)
        (*value)++;
}

static __always_inline int read_udp(const void *at, const void *end, struct claim_key *key)
{
    const struct udphdr *udp = at;

    if ((const void *)(udp + 1) > end)
        return -1;
    key->protocol = IPPROTO_UDP;
    key->port = udp->dest;
    return 0;
}

/* Options and fragments are the kernel's business. */
static __always_inline int read_ipv4(const void *at, const void *end, struct claim_key *key)
{
    const struct iphdr *ip = at;

    if ((const void *)(ip + 1) > end || ip->version != 4 || ip->ihl != IPV4_WORDS ||
        ip->frag_off & ~bpf_htons(IPV4_DONT_FRAGMENT) || ip->protocol != IPPROTO_UDP)
        return -1;
    key->address[IPV4_MAPPED_AT - 2] = 0xff;
    key->address[IPV4_MAPPED_AT - 1] = 0xff;
    __builtin_memcpy(&key->address[IPV4_MAPPED_AT], &ip->daddr, sizeof(ip->daddr));
    return read_udp(BEHIND(ip), end, key);
}

static __always_inline bool is_mapped(const struct in6_addr *address)
{
    const __be32 *words = address->in6_u.u6_addr32;

    return words[0] == 0 && words[1] == 0 && words[2] == bpf_htonl(0xffff);
}

/* So are extension headers. A mapped address here would pass for an IPv4 packet's. */
static __always_inline int read_ipv6(const void *at, const void *end, struct claim_key *key)
{
    const struct ipv6hdr *ip = at;

    if ((const void *)(ip + 1) > end || ip->version != 6 || ip->nexthdr != IPPROTO_UDP ||
        is_mapped(&ip->daddr))
        return -1;
    __builtin_memcpy(key->address, &ip->daddr, sizeof(key->address));
    return read_udp(BEHIND(ip), end, key);
}

/* 0, or -1 for a packet that nobody can claim. */
static __always_inline int read_key(const struct xdp_md *context, struct claim_key *key)
{
    const void *at = (const void *)(long)context->data;
    const void *end = (const void *)(long)context->data_end;
    const struct ethhdr *eth = at;
    __be16 type;

    if ((const void *)(eth + 1) > end)
        return -1;
    type = eth->h_proto;
    at = BEHIND(eth);
    if (type == bpf_htons(ETH_P_8021Q)) {
        const struct vlan_tag *tag = at;

        if ((const void *)(tag + 1) > end)
            return -1;
        key->vlan = bpf_ntohs(tag->control) & VLAN_ID;
        if (key->vlan == 0)
            return -1;
        type = tag->type;
        at = BEHIND(tag);
    }
    if (type == bpf_htons(ETH_P_IP))
        return read_ipv4(at, end, key);
    if (type == bpf_htons(ETH_P_IPV6))
        return read_ipv6(at, end, key);
    return -1;
}

SEC("xdp")
int saddle_claim(struct xdp_md *context)
{
    __u32 queue = context->rx_queue_index;
    const struct claim_target *target;
    struct claim_key key = {0};
    long verdict = XDP_PASS;

    if (read_key(context, &key))
        return XDP_PASS;
    target = bpf_map_lookup_elem(&claims, &key);
    if (!target)
        return XDP_PASS;
    if (queue < target->queues)
        verdict = bpf_redirect_map(&sockets, target->base + queue, XDP_PASS);
    count(verdict == XDP_REDIRECT ? CLAIM_TAKEN : CLAIM_NO_SOCKET);
    return (int)verdict;
}

/* No helper used here asks for another licence. */
char licence[] SEC("license") = "Apache-2.0";
