/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/saddlectl/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define OTHERS_WRITE (S_IWGRP | S_IWOTH)

/* What is wrong with one part of the path; NULL: nothing. In a sticky folder nobody but root can
 * put something in the place of what is root's. */
static const char *find_fault(const char *part, bool last)
{
    struct stat status;

    if (lstat(part, &status))
        return strerror(errno);
    if (status.st_uid != 0)
        return "it is not root's";
    if (last && !S_ISREG(status.st_mode))
        return "it is no file";
    if (last && !(status.st_mode & S_IXUSR))
        return "it is no program";
    if (status.st_mode & OTHERS_WRITE && (last || !(status.st_mode & S_ISVTX)))
        return "others than root may write to it";
    return NULL;
}

static int check_parts(char *path, char *why, size_t bytes)
{
    const char *fault = find_fault("/", false);
    char *end = path;

    while (!fault && end) {
        end = strchr(end + 1, '/');
        if (end)
            *end = '\0';
        fault = find_fault(path, !end);
        if (!fault && end)
            *end = '/';
    }
    if (!fault)
        return 0;
    snprintf(why, bytes, "launcher: %s: %s", path, fault);
    return -1;
}

int launcher_check(const char *path, char **program, char *why, size_t bytes)
{
    char *found = path[0] == '/' ? realpath(path, NULL) : NULL;

    if (!found) {
        snprintf(why, bytes, "launcher: %s: %s", path,
                 path[0] == '/' ? strerror(errno) : "its path does not begin at the root");
        return -1;
    }
    if (check_parts(found, why, bytes)) {
        free(found);
        return -1;
    }
    *program = found;
    return 0;
}

pid_t launcher_start(char *const *arguments, bool apart)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    pid_t pid = 0;
    int error;

    if (posix_spawn_file_actions_init(&actions))
        return -ENOMEM;
    if (posix_spawnattr_init(&attributes)) {
        posix_spawn_file_actions_destroy(&actions);
        return -ENOMEM;
    }
    error = posix_spawnattr_setflags(&attributes, apart ? POSIX_SPAWN_SETSID : 0);
    if (!error)
        error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!error)
        error = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    if (!error)
        error = posix_spawnp(&pid, arguments[0], &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error ? -error : pid;
}

bool launcher_ended(pid_t pid, char *why, size_t bytes)
{
    int status;

    if (waitpid(pid, &status, WNOHANG) != pid)
        return false;
    why[0] = '\0';
    if (WIFSIGNALED(status))
        snprintf(why, bytes, "was ended by signal %d", WTERMSIG(status));
    else if (WEXITSTATUS(status))
        snprintf(why, bytes, "ended with status %d", WEXITSTATUS(status));
    return true;
}
