/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/space.h"

#include "tools/bench/program.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SPACE_PATH "/proc/self/ns/net"
#define WORD_BYTES 64u

int space_enter(int space)
{
    return space != SPACE_NONE && setns(space, CLONE_NEWNET) ? -errno : 0;
}

/* The process stays where it is. */
static int make(int *space)
{
    int home = open(SPACE_PATH, O_RDONLY | O_CLOEXEC);
    int rc = home < 0 || unshare(CLONE_NEWNET) ? -errno : 0;
    if (!rc) {
        *space = open(SPACE_PATH, O_RDONLY | O_CLOEXEC);
        rc = *space < 0 ? -errno : 0;
        if (setns(home, CLONE_NEWNET) && !rc)
            rc = -errno;
    }
    if (home >= 0)
        close(home);
    return rc;
}

static int join(const int spaces[SPACES], uint32_t mtu, char *reason, size_t reason_bytes)
{
    char other[WORD_BYTES], size[WORD_BYTES];
    snprintf(other, sizeof(other), "/proc/%d/fd/%d", (int)getpid(), spaces[1]);
    snprintf(size, sizeof(size), "%u", mtu);
    const char *const words[] = {"ip",   "link",  "add",  SPACE_DEVICE, "mtu",        size,
                                 "type", "veth",  "peer", "name",       SPACE_DEVICE, "mtu",
                                 size,   "netns", other,  NULL};
    return program_run(words, spaces[0], NULL, reason, reason_bytes);
}

static int settle(int space, const char *address, char *reason, size_t reason_bytes)
{
    char prefix[WORD_BYTES];
    snprintf(prefix, sizeof(prefix), "%s/24", address);
    const char *const lines[][PROGRAM_WORDS_MAX] = {
        {"ip", "address", "add", prefix, "dev", SPACE_DEVICE, NULL},
        {"ip", "link", "set", "lo", "up", NULL},
        {"ip", "link", "set", SPACE_DEVICE, "up", NULL},
    };
    int rc = 0;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]) && !rc; i++)
        rc = program_run(lines[i], space, NULL, reason, reason_bytes);
    return rc;
}

int space_pair(int spaces[SPACES], uint32_t mtu, const char *const addresses[SPACES], char *reason,
               size_t reason_bytes)
{
    int rc = 0;
    for (uint32_t i = 0; i < SPACES; i++)
        spaces[i] = SPACE_NONE;
    for (uint32_t i = 0; i < SPACES && !rc; i++)
        rc = make(&spaces[i]);
    if (rc) {
        snprintf(reason, reason_bytes, "a network namespace: %s%s", strerror(-rc),
                 rc == -EPERM ? " (it takes CAP_SYS_ADMIN)" : "");
        return rc;
    }
    rc = join(spaces, mtu, reason, reason_bytes);
    for (uint32_t i = 0; i < SPACES && !rc; i++)
        rc = settle(spaces[i], addresses[i], reason, reason_bytes);
    return rc;
}

int space_refuse_offloads(int space, char *reason, size_t reason_bytes)
{
    const char *const words[] = {"ethtool", "-K",  SPACE_DEVICE, "rx",  "off", "tx",  "off",
                                 "tso",     "off", "gso",        "off", "gro", "off", NULL};
    return program_run(words, space, NULL, reason, reason_bytes);
}

void space_close(int spaces[SPACES])
{
    for (uint32_t i = 0; i < SPACES; i++) {
        if (spaces[i] != SPACE_NONE)
            close(spaces[i]);
        spaces[i] = SPACE_NONE;
    }
}
