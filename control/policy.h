/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Policy: who may attach.
 *
 * Root and the daemon's own user always may; everybody else needs a rule that names the user, one
 * of the groups the process is in, or anybody. What no rule allows is refused.
 *
 * Ownership: rules are borrowed from the configuration. Threads: control's.
 * Trust: a peer's credentials come from the kernel (SO_PEERCRED, SO_PEERGROUPS: unix(7)) and are
 * those of the process that connected, at that time.
 */
#ifndef CONTROL_POLICY_H
#define CONTROL_POLICY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define POLICY_GROUPS_MAX 256u /* supplementary groups looked at; a process in more has none */

enum policy_who {
    POLICY_UID,
    POLICY_GID,
    POLICY_ANY,
};

struct policy_rule {
    enum policy_who who;
    uint32_t id; /* uid or gid */
};

struct policy {
    uid_t owner; /* the daemon's own user */
    const struct policy_rule *rules;
    uint32_t rule_count;
};

struct policy_peer {
    pid_t pid;
    uid_t uid;
    gid_t gid;
    gid_t groups[POLICY_GROUPS_MAX]; /* supplementary */
    uint32_t group_count;
};

/* Who is at the other end of a Unix socket. 0 or a negative errno. */
int policy_identify(struct policy_peer *peer, int socket);

bool policy_may_attach(const struct policy *policy, const struct policy_peer *peer);

#endif
