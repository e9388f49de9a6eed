/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/saddled.h"

#include "tools/bench/space.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define START_NS   (60 * 1000000000ull) /* far above any start of a daemon, and any hand-over */
#define READY_FD   3
#define LINE_BYTES 512u

/* In the child. */
static void become(void *arg, int word_fd)
{
    const struct saddled_start *start = arg;
    char ready[] = {'0' + READY_FD, '\0'};
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (start->takes_over ? 0 : O_TRUNC);
    int fd = open(start->log, flags, 0600);
    /* DPDK puts its run-time folder here instead of somewhere that outlives the run. */
    if (fd < 0 || setenv("RUNTIME_DIRECTORY", start->folder, 1) || dup2(fd, STDOUT_FILENO) < 0 ||
        dup2(fd, STDERR_FILENO) < 0)
        _exit(EXIT_FAILURE);
    if (word_fd == READY_FD)
        fcntl(word_fd, F_SETFD, 0);
    else if (dup2(word_fd, READY_FD) < 0)
        _exit(EXIT_FAILURE);
    int rc = space_enter(start->space);
    if (rc) {
        dprintf(STDERR_FILENO, "entering its network namespace: %s\n", strerror(-rc));
        _exit(EXIT_FAILURE);
    }
    execlp(start->program, start->program, "--config", start->config, "--ready-fd", ready,
           start->takes_over ? "--takeover" : NULL, NULL);
    dprintf(STDERR_FILENO, "%s: %s\n", start->program, strerror(errno));
    _exit(EXIT_FAILURE);
}

int saddled_start(const struct saddled_start *start, struct actor *actor)
{
    int rc = actor_start(actor, SIGTERM, become, (void *)(uintptr_t)start);
    return rc ? rc : actor_wait(actor, START_NS);
}

bool saddled_log_line(const char *log, const char *word, char *line, size_t line_bytes)
{
    char each[LINE_BYTES];
    const char *at;
    line[0] = '\0';
    FILE *file = fopen(log, "re");
    while (file && fgets(each, sizeof(each), file))
        if (each[0] != '\n' && (at = strstr(each, word)))
            snprintf(line, line_bytes, "%.*s", (int)strcspn(at, "\n"), at);
    if (file)
        fclose(file);
    return line[0] != '\0';
}
