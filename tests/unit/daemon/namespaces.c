/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/daemon/namespaces.h"

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define COMMAND_BYTES 512
#define DISCARD_PORT  9 /* RFC 863; nobody listens */

static int near_fd, far_fd;

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    ck_assert_msg(file && fputs(text, file) >= 0 && fclose(file) == 0, "%s", path);
}

/* An ordinary user is root among users of his own. */
static void become_root(void)
{
    char map[COMMAND_BYTES];
    uid_t uid = geteuid();
    if (uid == 0)
        return;
    ck_assert_int_eq(unshare(CLONE_NEWUSER), 0);
    snprintf(map, sizeof(map), "0 %u 1", uid);
    write_file("/proc/self/uid_map", map);
}

static int make_namespace(void)
{
    ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
    int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static void run(const char *format, va_list args)
{
    char command[COMMAND_BYTES];
    vsnprintf(command, sizeof(command), format, args);
    ck_assert_msg(system(command) == 0, "%s", command);
}

void here(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    run(format, args);
    va_end(args);
}

void there(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    ck_assert_int_eq(setns(far_fd, CLONE_NEWNET), 0);
    run(format, args);
    ck_assert_int_eq(setns(near_fd, CLONE_NEWNET), 0);
    va_end(args);
}

void there_speaks(const char *address)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(DISCARD_PORT)};
    ck_assert_int_eq(inet_pton(AF_INET, address, &to.sin_addr), 1);
    there("ip neigh flush all");
    ck_assert_int_eq(setns(far_fd, CLONE_NEWNET), 0);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(setns(near_fd, CLONE_NEWNET), 0);
    ck_assert_int_eq(sendto(fd, "", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
    close(fd);
}

bool namespaces_vlan(const char *parent, const char *name, unsigned vlan)
{
    char command[COMMAND_BYTES];
    snprintf(command, sizeof(command), "ip link add link %s name %s type vlan id %u 2>/dev/null",
             parent, name, vlan);
    return system(command) == 0;
}

/* The kernel brings a link up in its own time, and asks around for its IPv6 address before it uses
 * it, unless it may be told not to. */
#define BRING_UP(device)                                                                           \
    "{ echo 0 >/proc/sys/net/ipv6/conf/" device "/accept_dad; } 2>/dev/null;"                      \
    " ip link set " device " up"
#define AWAIT_UP(device)                                                                           \
    "for i in $(seq 200); do"                                                                      \
    " ip link show " device " | grep -q 'state UP' &&"                                             \
    " ip -6 address show dev " device " scope link -tentative | grep -q inet6 && exit 0;"          \
    " sleep 0.05; done; exit 1"

void namespaces_enter(void)
{
    become_root();
    far_fd = make_namespace();
    near_fd = make_namespace();
    here("ip link add va address " NEAR_MAC " type veth peer name vb address " FAR_MAC
         " netns /proc/%d/fd/%d",
         getpid(), far_fd);
    here(BRING_UP("va") " && ip address add 10.1.0.1/24 dev va &&"
                        " ip address add fd01::1/64 dev va nodad");
    there(BRING_UP("vb") " && ip address add 10.1.0.2/24 dev vb &&"
                         " ip address add fd01::2/64 dev vb nodad");
    here(AWAIT_UP("va"));
    there(AWAIT_UP("vb"));
    /* Nobody there is known soon. */
    here("ip ntable change name arp_cache dev va retrans 50 mcast_probes 3 &&"
         " ip ntable change name ndisc_cache dev va retrans 50 mcast_probes 3");
}
