/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/saddlectl/upgrade.h"

#include "tools/saddlectl/launcher.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LIST "saddle.v1.Upgrades/List"
#define UNIT "saddled.service"
/* Longer than a newcomer takes to start, and a set to move; of many sets --wait says more. */
#define WAIT_S     120u
#define WAIT_MAX_S 86400u /* a day: nobody waits that long */
#define LINE_BYTES 256u
/* The daemon is asked so often whether it is over: an operator does not notice, nor do engines. */
#define PAUSE_NS 200000000L
#define NS_PER_S 1000000000ull

struct upgrade {
    struct asker *asker;
    bool check;
    const char *launcher, *unit;
    char *program; /* the launcher's */
    uint64_t wait_s;
    uint64_t last;             /* number of the last hand-over that was over before */
    bool managed;              /* by a service manager */
    pid_t starter;             /* who starts the newcomer; 0: has ended */
    char ended[LINE_BYTES];    /* how, if it was not well */
    struct json_object *found; /* what List answers, with this hand-over alone */
};

static int __attribute__((format(printf, 3, 4)))
fail(struct ask_end *end, const char *code, const char *format, ...)
{
    va_list args;

    end->status = EXIT_FAILED;
    end->code = code;
    va_start(args, format);
    vsnprintf(end->text, sizeof(end->text), format, args);
    va_end(args);
    return EXIT_FAILED;
}

static const char *text_of(struct json_object *object, const char *field)
{
    const char *text = json_object_get_string(json_object_object_get(object, field));

    return text ? text : "";
}

/* ---- What the daemon says ---- */

/* The last of the list. */
static struct json_object *last_of(struct json_object *answer)
{
    struct json_object *list = json_object_object_get(answer, "upgrades");
    size_t count = json_object_array_length(list);

    return count ? json_object_array_get_idx(list, count - 1) : NULL;
}

static bool take_last(void *context, struct json_object *answer)
{
    struct upgrade *upgrade = context;

    upgrade->last = json_object_get_uint64(json_object_object_get(last_of(answer), "number"));
    return true;
}

static bool take_managed(void *context, struct json_object *answer)
{
    struct upgrade *upgrade = context;

    upgrade->managed = json_object_get_boolean(json_object_object_get(answer, "managed"));
    return true;
}

static bool take_found(void *context, struct json_object *answer)
{
    struct upgrade *upgrade = context;
    struct json_object *last = last_of(answer), *list;

    if (json_object_get_uint64(json_object_object_get(last, "number")) <= upgrade->last)
        return true;
    list = json_object_new_array();
    json_object_array_add(list, json_object_get(last));
    upgrade->found = json_object_new_object();
    json_object_object_add(upgrade->found, "upgrades", list);
    return true;
}

static int ask_empty(struct upgrade *upgrade, const char *method, ask_answer *answer,
                     struct ask_end *end)
{
    struct json_object *request = json_object_new_object();
    int status = ask(upgrade->asker, method, request, false, answer, upgrade, end);

    json_object_put(request);
    return status;
}

/* ---- Starting the newcomer ---- */

static int start(struct upgrade *upgrade, struct ask_end *end)
{
    static char systemctl[] = "systemctl", reload[] = "reload", no_more[] = "--";
    static char move[] = "move", check[] = "check";
    char *unit = strdup(upgrade->unit);
    char *by_manager[] = {systemctl, reload, no_more, unit, NULL};
    char *by_launcher[] = {upgrade->program, upgrade->check ? check : move, NULL};
    char **arguments = upgrade->program ? by_launcher : by_manager;

    upgrade->starter = unit ? launcher_start(arguments, upgrade->program) : -ENOMEM;
    free(unit);
    if (upgrade->starter > 0)
        return 0;
    return fail(end, "FAILED_PRECONDITION", "%s: %s", arguments[0],
                strerror(-(int)upgrade->starter));
}

/* The daemon has to know a way of its own, or be told one, and not both: a newcomer that a launcher
 * starts is none of the service manager's processes. */
static int check_way(const struct upgrade *upgrade, struct ask_end *end)
{
    if (upgrade->managed && upgrade->launcher)
        return fail(end, "FAILED_PRECONDITION",
                    "a service manager runs the daemon, so that it has to start the newcomer: "
                    "without --launcher");
    if (!upgrade->managed && !upgrade->launcher)
        return fail(end, "FAILED_PRECONDITION",
                    "no service manager runs the daemon: name a program that starts the newcomer, "
                    "by --launcher, or run \"saddled --takeover\" as the daemon's user");
    return 0;
}

static int prepare(struct upgrade *upgrade, struct ask_end *end)
{
    const char *method = upgrade->check ? "saddle.v1.Upgrades/Check" : "saddle.v1.Upgrades/Start";
    int status;

    if (upgrade->launcher &&
        launcher_check(upgrade->launcher, &upgrade->program, end->text, sizeof(end->text))) {
        end->status = EXIT_FAILED;
        end->code = "FAILED_PRECONDITION";
        return EXIT_FAILED;
    }
    status = ask_empty(upgrade, LIST, take_last, end);
    if (!status)
        status = ask_empty(upgrade, method, take_managed, end);
    if (!status)
        status = check_way(upgrade, end);
    return status;
}

/* ---- Waiting ---- */

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Whether it is over, or nothing more will come of it. Who starts the newcomer may end as soon as
 * it has, or become it; one that ends badly has started nothing, or what it has started has given
 * up, of which the daemon then knows. */
static bool is_over(struct upgrade *upgrade)
{
    struct ask_end ignored;
    bool failed = false;

    if (upgrade->starter > 0 &&
        launcher_ended(upgrade->starter, upgrade->ended, sizeof(upgrade->ended))) {
        upgrade->starter = 0;
        failed = upgrade->ended[0] != '\0';
    }
    /* It may be silent, and go, while it hands over. */
    ask_empty(upgrade, LIST, take_found, &ignored);
    return upgrade->found || failed;
}

static int await(struct upgrade *upgrade, struct ask_end *end)
{
    static const struct timespec pause = {.tv_nsec = PAUSE_NS};
    uint64_t until = now_ns() + upgrade->wait_s * NS_PER_S;
    bool over;

    while (!(over = is_over(upgrade)) && now_ns() < until)
        nanosleep(&pause, NULL);
    if (upgrade->found)
        return 0;
    if (over)
        return fail(end, "ABORTED", "%s %s, and the daemon knows of no hand-over",
                    upgrade->program ? upgrade->program : "systemctl", upgrade->ended);
    return fail(end, "DEADLINE_EXCEEDED",
                "no hand-over was over within %llu s; what the newcomer said is in its log",
                (unsigned long long)upgrade->wait_s);
}

/* ---- The end ---- */

static int judge(const struct upgrade *upgrade, struct ask_end *end)
{
    struct json_object *last = last_of(upgrade->found);
    const char *outcome = text_of(last, "outcome"), *set = text_of(last, "set");

    if (!strcmp(outcome, upgrade->check ? "checked" : "moved"))
        return 0;
    return fail(end, "ABORTED", "%s%s%s%s%s%s%s", outcome, *text_of(last, "step") ? ", at " : "",
                text_of(last, "step"), *set ? " of set " : "", set,
                *text_of(last, "reason") ? ": " : "", text_of(last, "reason"));
}

static int run(struct upgrade *upgrade, ask_answer *answer, void *context, struct ask_end *end)
{
    int status = prepare(upgrade, end);

    if (!status)
        status = start(upgrade, end);
    if (!status)
        status = await(upgrade, end);
    if (status)
        return status;
    answer(context, upgrade->found);
    return judge(upgrade, end);
}

int upgrade_run(struct asker *asker, struct json_object *given, ask_answer *answer, void *context,
                struct ask_end *end)
{
    struct json_object *wait = json_object_object_get(given, "wait");
    struct json_object *unit = json_object_object_get(given, "unit");
    struct json_object *launcher = json_object_object_get(given, "launcher");
    struct upgrade upgrade = {
        .asker = asker,
        .check = json_object_get_boolean(json_object_object_get(given, "check")),
        .launcher = launcher ? json_object_get_string(launcher) : NULL,
        .unit = unit ? json_object_get_string(unit) : UNIT,
        .wait_s = wait ? json_object_get_uint64(wait) : WAIT_S,
    };
    int status;

    *end = (struct ask_end){.code = "OK"};
    if (upgrade.wait_s > WAIT_MAX_S)
        upgrade.wait_s = WAIT_MAX_S;
    status = run(&upgrade, answer, context, end);
    json_object_put(upgrade.found);
    free(upgrade.program);
    return status;
}
