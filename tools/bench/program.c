/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/program.h"

#include "tools/bench/actor.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NSEC        1000000000ull
#define PATIENCE_NS (60 * NSEC) /* none of those that are run takes a second */
#define OUTPUT_MAX  (4u << 20)  /* far above a list of hand-overs, or all counters */
#define PIECE       65536u
#define NOT_THERE   127 /* as a shell's status */

struct program {
    const char *const *words;
    int space;
};

static void become_program(void *arg, int word_fd)
{
    const struct program *program = arg;
    char *words[PROGRAM_WORDS_MAX + 1];
    size_t count = 0;
    for (; program->words[count] && count < PROGRAM_WORDS_MAX; count++)
        words[count] = strdup(program->words[count]);
    words[count] = NULL;
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (in < 0 || dup2(in, STDIN_FILENO) < 0 || dup2(word_fd, STDOUT_FILENO) < 0 ||
        dup2(word_fd, STDERR_FILENO) < 0)
        _exit(EXIT_FAILURE);
    if (program->space >= 0 && setns(program->space, CLONE_NEWNET)) {
        dprintf(STDERR_FILENO, "entering its network namespace: %s\n", strerror(errno));
        _exit(EXIT_FAILURE);
    }
    if (words[0])
        execvp(words[0], words);
    dprintf(STDERR_FILENO, "%s\n", strerror(errno));
    _exit(NOT_THERE);
}

/* To the end of what it writes; always ends with a NUL. */
static int collect(struct actor *actor, char **output)
{
    char *text = NULL;
    size_t used = 0, room = 0;
    ssize_t got;
    int rc = 0;
    do {
        if (used + PIECE + 1 > room) {
            room = used + PIECE + 1;
            char *more = room <= OUTPUT_MAX ? realloc(text, room) : NULL;
            if (!more) {
                rc = -ENOMEM;
                break;
            }
            text = more;
        }
        got = 0;
        rc = actor_await_output(actor, PATIENCE_NS);
        if (!rc) {
            got = read(actor->pipe, text + used, PIECE);
            rc = got < 0 ? -errno : 0;
            used += got > 0 ? (size_t)got : 0;
        }
        text[used] = '\0';
    } while (!rc && got > 0);
    *output = text;
    return rc;
}

int program_run(const char *const words[], int space, char **output, char *reason,
                size_t reason_bytes)
{
    struct program program = {words, space};
    struct actor actor = {0};
    char *text = NULL;
    int status = 0;
    int rc = actor_start(&actor, SIGKILL, become_program, &program);
    if (!rc) {
        rc = collect(&actor, &text);
        status = actor_end(&actor, rc ? SIGKILL : 0, PATIENCE_NS);
    }
    if (!rc && status) {
        rc = WIFEXITED(status) && WEXITSTATUS(status) == NOT_THERE ? -ENOENT : -EPROTO;
        snprintf(reason, reason_bytes, "%s %s: status %d: %.*s", words[0], words[1] ? words[1] : "",
                 WIFEXITED(status) ? WEXITSTATUS(status) : -1, (int)strcspn(text, "\n"), text);
    } else if (rc) {
        snprintf(reason, reason_bytes, "%s: %s", words[0], strerror(-rc));
    }
    if (!rc && output)
        *output = text;
    else
        free(text);
    return rc;
}
