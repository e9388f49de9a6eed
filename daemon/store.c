/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store.h"

#include "control/log.h"
#include "daemon/notify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

/* Also what the service manager has them as, for a daemon of another version. */
static struct attach_kept places[STORE_PLACES] = {
    [STORE_ATTACH] = {.name = "saddle-attach", .fd = -1, .lock_fd = -1},
    [STORE_CONTROL] = {.name = "saddle-control", .fd = -1, .lock_fd = -1},
};

/* Where a descriptor of that name belongs: -1 if nowhere. */
static int *find(const char *name, int fd, struct attach_kept **kept)
{
    struct stat status;

    for (uint32_t i = 0; i < STORE_PLACES; i++) {
        if (strcmp(places[i].name, name) != 0 || fstat(fd, &status))
            continue;
        *kept = &places[i];
        if (S_ISSOCK(status.st_mode))
            return &places[i].fd;
        return S_ISREG(status.st_mode) ? &places[i].lock_fd : NULL;
    }
    return NULL;
}

void store_add(const char *name, int fd)
{
    struct attach_kept *kept = NULL;
    int *place = find(name, fd, &kept);

    if (place && *place < 0) {
        *place = fd;
        return;
    }
    log_line(LOG_WARNING, "descriptor \"%s\" of the service manager is refused: %s", name,
             place  ? "there is one already"
             : kept ? "it is neither a socket nor a lock"
                    : "nothing of that name is kept for this daemon");
    close(fd);
    if (kept)
        kept->refused = true;
    else
        notify_drop(name);
}

void store_begin(void)
{
    char **names = NULL;
    int count = sd_listen_fds_with_names(1, &names);

    if (count < 0)
        log_line(LOG_WARNING, "descriptors of the service manager: %s", strerror(-count));
    for (int i = 0; i < count; i++) {
        store_add(names[i], SD_LISTEN_FDS_START + i);
        free(names[i]);
    }
    free(names);
}

struct attach_kept *store_kept(enum store_place place)
{
    return &places[place];
}

/* Whether that folder, which the service manager made, goes when the unit stops. */
static bool lies_in_runtime(const char *path)
{
    const char *folder = getenv("RUNTIME_DIRECTORY");
    size_t length = folder ? strcspn(folder, ":") : 0;

    return length > 0 && !strncmp(path, folder, length) && path[length] == '/';
}

void store_keep(enum store_place place, struct attach_socket *socket)
{
    struct attach_kept *kept = &places[place];

    if (!notify_managed() || !socket || socket->fd < 0)
        return;
    if (kept->refused)
        notify_drop(kept->name);
    kept->refused = false;
    notify_keep(kept->name, (const int[]){socket->fd, socket->lock_fd}, 2);
    socket->stays = lies_in_runtime(socket->path);
}

void store_end(void)
{
    for (uint32_t i = 0; i < STORE_PLACES; i++) {
        if (places[i].fd >= 0)
            close(places[i].fd);
        if (places[i].lock_fd >= 0)
            close(places[i].lock_fd);
        places[i].fd = places[i].lock_fd = -1;
    }
}
