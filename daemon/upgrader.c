/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/upgrader.h"

#include "daemon/notify.h"
#include "sched/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 256u
#define WISH_BYTES 32u /* a word and a number */
/* Nobody but the daemon's user asks saddle-reload for an upgrade, so nobody else writes the file.
 */
#define MODE (S_IRUSR | S_IWUSR)

_Static_assert(UPGRADES_SETS_MAX == HANDOVER_SETS_MAX, "every set is kept");
_Static_assert(UPGRADES_NAME_BYTES == HANDOVER_NAME_BYTES, "names are kept whole");
_Static_assert(UPGRADES_REASON_BYTES == HANDOVER_REASON_BYTES, "reasons are kept whole");
_Static_assert((int)UPGRADE_UNTOUCHED == (int)HANDOVER_UNTOUCHED + 1 &&
                   (int)UPGRADE_ALONE == (int)HANDOVER_ALONE + 1,
               "outcomes in the same order");
_Static_assert((int)UPGRADE_HERE == (int)HANDOVER_HERE + 1 &&
                   (int)UPGRADE_LOST == (int)HANDOVER_LOST + 1,
               "places in the same order");

struct daemon_upgrader {
    struct upgrader table;
    char path[PATH_BYTES]; /* of the wish; "": no service manager */
    bool wishes;           /* it has written one, for which nobody has come */
};

/* ---- The wish ---- */

static int fail(struct upgrader_answer *answer, const char *path, int error)
{
    snprintf(answer->line, sizeof(answer->line), "upgrade: %s: %s", path, strerror(error));
    return -EPERM;
}

/* As a whole or not at all: who reads it may come at any time. */
static int write_wish(const char *path, const char *wish, struct upgrader_answer *answer)
{
    char made[PATH_BYTES + sizeof(".new")];
    ssize_t put;
    int fd, error;

    snprintf(made, sizeof(made), "%s.new", path);
    unlink(made);
    fd = open(made, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, MODE);
    if (fd < 0)
        return fail(answer, made, errno);
    put = write(fd, wish, strlen(wish));
    error = put < 0 ? errno : put < (ssize_t)strlen(wish) ? ENOSPC : 0;
    if (close(fd) && !error)
        error = errno;
    if (!error && rename(made, path))
        error = errno;
    if (!error)
        return 0;
    unlink(made);
    return fail(answer, path, error);
}

static int prepare(void *context, bool check, struct upgrader_answer *answer)
{
    struct daemon_upgrader *upgrader = context;
    char wish[WISH_BYTES];
    int error;

    answer->managed = upgrader->path[0] != '\0';
    if (!answer->managed)
        return 0;
    snprintf(wish, sizeof(wish), "%s\n%llu\n", check ? "check" : "move",
             (unsigned long long)(notify_watchdog_interval() / NSEC_PER_USEC));
    error = write_wish(upgrader->path, wish, answer);
    if (!error)
        upgrader->wishes = true;
    return error;
}

int daemon_upgrader_create(struct daemon_upgrader **upgrader, const char *folder)
{
    static const struct upgrader_ops ops = {.prepare = prepare};
    struct daemon_upgrader *made = calloc(1, sizeof(*made));
    size_t length;

    if (!made)
        return -ENOMEM;
    made->table = (struct upgrader){&ops, made};
    length = folder && folder[0] == '/' ? strcspn(folder, ":") : 0;
    if (length > 0 && length + sizeof("/" UPGRADER_FILE) <= PATH_BYTES)
        snprintf(made->path, sizeof(made->path), "%.*s/" UPGRADER_FILE, (int)length, folder);
    *upgrader = made;
    return 0;
}

void daemon_upgrader_fulfil(struct daemon_upgrader *upgrader)
{
    if (upgrader)
        upgrader->wishes = false;
}

/* Not any wish: one daemon ends while the other, that serves, writes down the next. */
void daemon_upgrader_destroy(struct daemon_upgrader *upgrader)
{
    if (upgrader && upgrader->wishes)
        unlink(upgrader->path);
    free(upgrader);
}

const struct upgrader *daemon_upgrader_table(const struct daemon_upgrader *upgrader)
{
    return &upgrader->table;
}

/* ---- The report ---- */

static void copy(char *to, size_t bytes, const char *from)
{
    snprintf(to, bytes, "%s", from);
}

static void describe_set(const struct handover_set_report *from, struct upgrade_set *to)
{
    copy(to->name, sizeof(to->name), from->name);
    to->place = (enum upgrade_place)((int)from->place + 1);
    to->brownout_ns = from->brownout_ns;
    to->blackout_ns = from->blackout_ns;
    to->blackout_at_ns = from->blackout_at_ns;
    to->offer_bytes = from->offer_bytes;
    to->state_bytes = from->state_bytes;
    copy(to->step, sizeof(to->step), handover_step_name(from->step));
    copy(to->reason, sizeof(to->reason), from->error ? from->reason : "");
}

void upgrader_describe(const struct handover_report *report, struct upgrade_record *upgrade)
{
    *upgrade = (struct upgrade_record){
        .total_ns = report->total_ns,
        .outcome = (enum upgrade_outcome)((int)report->outcome + 1),
        .newcomer = report->newcomer,
        .killed = report->killed,
        .peer = (uint32_t)report->peer,
        .set_count = report->set_count,
    };
    copy(upgrade->release, sizeof(upgrade->release), report->release);
    for (uint32_t i = 0; i < report->set_count; i++)
        describe_set(&report->sets[i], &upgrade->sets[i]);
    if (!report->error)
        return;
    copy(upgrade->step, sizeof(upgrade->step), handover_step_name(report->step));
    copy(upgrade->reason, sizeof(upgrade->reason), report->reason);
    if (report->set < report->set_count)
        copy(upgrade->set, sizeof(upgrade->set), report->sets[report->set].name);
}
