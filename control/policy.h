/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Policy: who may attach, and what for.
 *
 * A rule names a user, a group or anybody, and grants rights. Somebody has the rights of all rules
 * that name him or one of the groups that his process is in. Root and the daemon's own user have
 * all; whom no rule names has none. A right does not bring others along: without POLICY_ATTACH the
 * rest is of no use.
 *
 * Ownership: rules are borrowed from the configuration. Threads: control's.
 * Trust: a peer's credentials come from the kernel (SO_PEERCRED, SO_PEERGROUPS: unix(7)) and are
 * those of the process that connected, at that time.
 */
#ifndef CONTROL_POLICY_H
#define CONTROL_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define POLICY_GROUPS_MAX 256u /* supplementary groups looked at; a process in more has none */

/* Rights, as bits. */
#define POLICY_ATTACH  0x1u /* to have a session: its memory, and pings */
#define POLICY_LISTEN  0x2u /* to offer services, and so to accept callers */
#define POLICY_CONNECT 0x4u /* to call services of other hosts */
#define POLICY_EXPOSE  0x8u /* to let connected peers read and write memory */
#define POLICY_RIGHTS  4u   /* how many there are */
#define POLICY_ALL     ((1u << POLICY_RIGHTS) - 1)

#define POLICY_TEXT_BYTES 64u /* all rights in words, with the final NUL */

enum policy_who {
    POLICY_UID,
    POLICY_GID,
    POLICY_ANY,
};

/* Whether sessions get memory of huge pages, from the weakest word to the strongest. */
enum policy_hugepages {
    POLICY_HUGEPAGES_OFF,
    POLICY_HUGEPAGES_AUTO,     /* or ordinary ones, if too few are free */
    POLICY_HUGEPAGES_REQUIRED, /* or no session */
    POLICY_HUGEPAGES_WORDS,    /* how many words there are */
};

struct policy_rule {
    enum policy_who who;
    uint32_t id;     /* uid or gid */
    uint32_t allow;  /* rights */
    bool exclusive;  /* sessions have engines of their own */
    uint32_t weight; /* of sessions, beside others of their engine */
    enum policy_hugepages hugepages;
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

/* The word for each of enum policy_hugepages, as in the configuration. */
extern const char *const policy_hugepages_words[POLICY_HUGEPAGES_WORDS + 1];
/* The word for each bit, lowest first, as in the configuration. */
extern const char *const policy_words[POLICY_RIGHTS];
/* Writes rights as words with commas, "nothing" for none; returns `text`. */
const char *policy_text(uint32_t rights, char text[POLICY_TEXT_BYTES]);

/* Who is at the other end of a Unix socket. 0 or a negative errno. */
int policy_identify(struct policy_peer *peer, int socket);

/* Whether it needs no rule. */
bool policy_trusts(const struct policy *policy, const struct policy_peer *peer);
bool policy_rule_names(const struct policy_rule *rule, const struct policy_peer *peer);
/* Whether it needs no rule, or one names it, whatever that grants. */
bool policy_names(const struct policy *policy, const struct policy_peer *peer);
/* Whether a rule that names it wants an engine for each of its sessions. */
bool policy_exclusive(const struct policy *policy, const struct policy_peer *peer);
/* The highest weight of a rule that names it, at least 1. */
uint32_t policy_weight(const struct policy *policy, const struct policy_peer *peer);
/* The strongest word of a rule that names it. */
enum policy_hugepages policy_hugepages(const struct policy *policy, const struct policy_peer *peer);
/* All that it may. */
uint32_t policy_rights(const struct policy *policy, const struct policy_peer *peer);

#endif
