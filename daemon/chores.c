/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/chores.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define CHORES_MAX 65u /* one for each port, and one for all */

struct chore {
    int fd; /* -1: none */
    void (*work)(void *context);
    void *context;
};

struct chores {
    int poll_fd;
    struct chore list[CHORES_MAX];
};

int chores_create(struct chores **chores)
{
    struct chores *made = calloc(1, sizeof(*made));
    int error;

    if (!made)
        return -ENOMEM;
    for (uint32_t i = 0; i < CHORES_MAX; i++)
        made->list[i].fd = -1;
    made->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (made->poll_fd < 0) {
        error = -errno;
        free(made);
        return error;
    }
    *chores = made;
    return 0;
}

void chores_destroy(struct chores *chores)
{
    if (!chores)
        return;
    close(chores->poll_fd);
    free(chores);
}

static struct chore *find(struct chores *chores, int fd)
{
    for (uint32_t i = 0; i < CHORES_MAX; i++)
        if (chores->list[i].fd == fd)
            return &chores->list[i];
    return NULL;
}

int chores_add(struct chores *chores, int fd, void (*work)(void *context), void *context)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    struct chore *chore = find(chores, -1);

    if (!chore)
        return -ENOSPC;
    if (epoll_ctl(chores->poll_fd, EPOLL_CTL_ADD, fd, &event))
        return -errno;
    *chore = (struct chore){.fd = fd, .work = work, .context = context};
    return 0;
}

void chores_remove(struct chores *chores, int fd)
{
    struct chore *chore = fd >= 0 ? find(chores, fd) : NULL;

    if (!chore)
        return;
    epoll_ctl(chores->poll_fd, EPOLL_CTL_DEL, fd, NULL);
    chore->fd = -1;
}

int chores_fd(const struct chores *chores)
{
    return chores->poll_fd;
}

/* One at a time: what one does may end another. */
void chores_work(void *context)
{
    struct chores *chores = context;
    struct epoll_event event;

    for (uint32_t i = 0; i < CHORES_MAX; i++) {
        struct chore *chore;

        if (epoll_wait(chores->poll_fd, &event, 1, 0) != 1)
            return;
        chore = find(chores, event.data.fd);
        if (chore)
            chore->work(chore->context);
    }
}
