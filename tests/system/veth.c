/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/system/veth.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMAND_BYTES 512u

const char *const veth_names[SIDES] = {"left", "right"};
const char *const veth_v4[SIDES] = {VETH_LEFT_V4, VETH_RIGHT_V4};
const char *const veth_v6[SIDES] = {VETH_LEFT_V6, VETH_RIGHT_V6};

static int namespaces[SIDES];

static int make_namespace(void)
{
    int fd;

    ck_assert_msg(unshare(CLONE_NEWNET) == 0, "a network namespace: %s", strerror(errno));
    fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    return fd;
}

void veth_enter(enum side side)
{
    ck_assert_int_eq(setns(namespaces[side], CLONE_NEWNET), 0);
}

void veth_run(enum side side, const char *format, ...)
{
    char command[COMMAND_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    veth_enter(side);
    ck_assert_msg(system(command) == 0, "failed: %s", command);
}

void veth_create(uint32_t queues, uint32_t mtu)
{
    for (int side = LEFT; side < SIDES; side++)
        namespaces[side] = make_namespace();
    veth_run(LEFT,
             "ip link add left mtu %u numrxqueues %u numtxqueues %u type veth "
             "peer name right mtu %u numrxqueues %u numtxqueues %u netns /proc/%d/fd/%d",
             mtu, queues, queues, mtu, queues, queues, (int)getpid(), namespaces[RIGHT]);
    for (int side = LEFT; side < SIDES; side++) {
        veth_run(side, "ip link set lo up && ip link set %s up", veth_names[side]);
        veth_run(side, "ip addr add %s/24 dev %s && ip addr add %s/64 dev %s nodad", veth_v4[side],
                 veth_names[side], veth_v6[side], veth_names[side]);
    }
    veth_enter(LEFT);
}
