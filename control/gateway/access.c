/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/gateway/access.h"

#include "control/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whose a descriptor is. The core closes connections itself, so a number may be used again: the
 * socket's inode tells. */
struct known {
    ino_t inode; /* 0: nobody's */
    struct link_caller caller;
};

struct access {
    struct access_config config;
    int fd;
    int wake_fd;
    pthread_mutex_t lock;
    struct known known[ACCESS_FDS_MAX];
    struct link_refusals refusals; /* that the daemon does not know of */
};

static ino_t inode_of(int fd)
{
    struct stat status;

    return fstat(fd, &status) ? 0 : status.st_ino;
}

/* Whether the caller has a role, and the highest of them. */
static bool role_of(const struct access *access, const struct policy_peer *peer, uint32_t *role)
{
    const struct access_config *config = &access->config;
    const struct policy operate = {config->owner, config->operate, config->operate_count};
    const struct policy observe = {config->owner, config->observe, config->observe_count};

    *role = LINK_ROLE_OPERATE;
    if (policy_names(&operate, peer))
        return true;
    *role = LINK_ROLE_OBSERVE;
    return policy_names(&observe, peer);
}

/* Those who operate are not counted out by others. With the lock. NULL if there is room for one
 * more connection of this user, else why not. */
static const char *crowded(const struct access *access, uid_t uid)
{
    uint32_t all = 0, own = 0;

    for (uint32_t i = 0; i < ACCESS_FDS_MAX; i++) {
        const struct known *known = &access->known[i];

        if (!known->inode || inode_of((int)i) != known->inode)
            continue;
        all++;
        own += known->caller.uid == uid;
    }
    if (all >= ACCESS_CONNECTIONS_MAX)
        return "too many connections";
    return own >= ACCESS_PER_UID_MAX ? "too many connections of this user" : NULL;
}

/* With the lock. */
static void count(struct access *access, enum link_refusal why)
{
    access->refusals.count[why]++;
    eventfd_write(access->wake_fd, 1);
}

/* Takes the connection, or says why not. With the lock. */
static const char *admit(struct access *access, int fd, const struct link_caller *caller)
{
    const char *why;

    /* Numbers are given out from below. */
    if (fd >= (int)(ACCESS_FDS_MAX - ACCESS_FDS_KEPT))
        return "too many descriptors";
    why = caller->role == LINK_ROLE_OPERATE ? NULL : crowded(access, caller->uid);
    if (why)
        return why;
    access->known[fd] = (struct known){.inode = inode_of(fd), .caller = *caller};
    return NULL;
}

/* With the lock: NULL if he was admitted, else why not. */
static const char *examine(struct access *access, int fd, struct policy_peer *peer)
{
    struct link_caller caller;
    const char *why;

    if (policy_identify(peer, fd) || !role_of(access, peer, &caller.role)) {
        count(access, LINK_REFUSAL_ROLE);
        return "it has no role";
    }
    caller.uid = peer->uid;
    caller.pid = peer->pid;
    why = admit(access, fd, &caller);
    if (why)
        count(access, LINK_REFUSAL_CROWDED);
    return why;
}

int access_take(struct access *access)
{
    int fd = accept4(access->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct policy_peer peer = {.uid = UINT32_MAX};
    const char *why;

    if (fd < 0)
        return -EAGAIN;
    pthread_mutex_lock(&access->lock);
    why = examine(access, fd, &peer);
    pthread_mutex_unlock(&access->lock);
    if (!why)
        return fd;
    /* Not with the lock, which every call needs: a log may keep its writers waiting. */
    log_limited(LOG_WARNING, "uid %u, process %d refused: %s", peer.uid, peer.pid, why);
    close(fd);
    return -EACCES;
}

int access_admit(struct access *access, int fd, const struct link_caller *caller)
{
    const char *why;

    pthread_mutex_lock(&access->lock);
    why = admit(access, fd, caller);
    if (why)
        count(access, LINK_REFUSAL_CROWDED);
    pthread_mutex_unlock(&access->lock);
    return why ? -EACCES : 0;
}

void access_count(struct access *access, enum link_refusal why)
{
    pthread_mutex_lock(&access->lock);
    count(access, why);
    pthread_mutex_unlock(&access->lock);
}

bool access_refusals(struct access *access, struct link_refusals *refusals)
{
    bool any = false;

    pthread_mutex_lock(&access->lock);
    *refusals = access->refusals;
    pthread_mutex_unlock(&access->lock);
    for (uint32_t i = 0; i < LINK_REFUSAL_COUNT; i++)
        any = any || refusals->count[i] > 0;
    return any;
}

void access_told(struct access *access, const struct link_refusals *refusals)
{
    pthread_mutex_lock(&access->lock);
    for (uint32_t i = 0; i < LINK_REFUSAL_COUNT; i++)
        access->refusals.count[i] -= refusals->count[i];
    pthread_mutex_unlock(&access->lock);
}

int access_wake_fd(const struct access *access)
{
    return access->wake_fd;
}

bool access_who(struct access *access, int fd, struct link_caller *caller)
{
    bool found;

    if (fd < 0 || fd >= (int)ACCESS_FDS_MAX)
        return false;
    pthread_mutex_lock(&access->lock);
    found = access->known[fd].inode != 0;
    *caller = access->known[fd].caller;
    pthread_mutex_unlock(&access->lock);
    return found;
}

int access_fd(const struct access *access)
{
    return access->fd;
}

int access_create(struct access **access, int fd, const struct access_config *config)
{
    struct access *made = calloc(1, sizeof(*made));

    if (!made)
        return -ENOMEM;
    made->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (made->wake_fd < 0) {
        free(made);
        return -ENOMEM;
    }
    made->config = *config;
    made->fd = fd;
    pthread_mutex_init(&made->lock, NULL);
    *access = made;
    return 0;
}
