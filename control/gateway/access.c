/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/gateway/access.h"

#include "control/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
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
    pthread_mutex_t lock;
    struct known known[ACCESS_FDS_MAX];
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

static void refuse(const struct policy_peer *peer, const char *why)
{
    log_limited(LOG_WARNING, "uid %u, process %d refused: %s", peer->uid, peer->pid, why);
}

/* Takes the connection, or says why not. */
static const char *admit(struct access *access, int fd, const struct policy_peer *peer)
{
    const char *why;
    uint32_t role;

    if (!role_of(access, peer, &role))
        return "it has no role";
    if (fd >= (int)ACCESS_FDS_MAX)
        return "too many descriptors";
    why = role == LINK_ROLE_OPERATE ? NULL : crowded(access, peer->uid);
    if (why)
        return why;
    access->known[fd] = (struct known){
        .inode = inode_of(fd),
        .caller = {.role = role, .uid = peer->uid, .pid = peer->pid},
    };
    return NULL;
}

int access_take(struct access *access)
{
    struct policy_peer peer = {.uid = UINT32_MAX};
    const char *why = "its credentials are unknown";
    int fd = accept4(access->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return -EAGAIN;
    pthread_mutex_lock(&access->lock);
    if (!policy_identify(&peer, fd))
        why = admit(access, fd, &peer);
    if (why)
        refuse(&peer, why);
    pthread_mutex_unlock(&access->lock);
    if (!why)
        return fd;
    close(fd);
    return -EACCES;
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
    made->config = *config;
    made->fd = fd;
    pthread_mutex_init(&made->lock, NULL);
    *access = made;
    return 0;
}
