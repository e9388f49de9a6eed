/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/saddlectl/report.h"

#include "tools/saddlectl/command.h"
#include "tools/saddlectl/counters.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <saddle/saddle.h>

#define NAME_BYTES 64u
#define PATH_BYTES 64u
#define LINE_BYTES 512u
#define LINES_MAX  64u /* of one file of the machine's */
#define LEFT_OUT   "(left out)"

struct report {
    FILE *file;
    struct asker *asker;
    bool anonymous;
    unsigned long long pid; /* of the daemon; 0 until it is known */
};

/* What the daemon says. */
static const struct {
    const char *title, *method;
    bool private; /* full of addresses: left out of an anonymous report */
} answers[] = {
    {"status", "saddle.v1.System/GetStatus", false},
    {"health", "grpc.health.v1.Health/Check", false},
    {"modules", "saddle.v1.System/ListModules", false},
    {"engines", "saddle.v1.Engines/List", false},
    {"groups", "saddle.v1.Groups/List", false},
    {"ports", "saddle.v1.Ports/List", false},
    {"sessions", "saddle.v1.Sessions/List", false},
    {"statistics", "saddle.v1.Statistics/Get", false},
    {"events", "saddle.v1.Events/List", false},
    {"upgrades", "saddle.v1.Upgrades/List", false},
    {"configuration", "saddle.v1.Configuration/Show", true},
};

/* What the machine says: lines of a file that begin with one of the words; none: all lines. */
static const struct {
    const char *title, *path, *words[8];
} files[] = {
    {"distribution", "/etc/os-release", {"PRETTY_NAME="}},
    {"memory", "/proc/meminfo", {"MemTotal", "MemAvailable", "Huge", "AnonHuge", "Shmem"}},
    {"transparent huge pages", "/sys/kernel/mm/transparent_hugepage/enabled", {NULL}},
    {"cpus", "/sys/devices/system/cpu/online", {NULL}},
    {"isolated cpus", "/sys/devices/system/cpu/isolated", {NULL}},
    {"nodes", "/sys/devices/system/node/online", {NULL}},
};

/* What the kernel says of the daemon's process. */
static const struct {
    const char *title, *name, *words[8];
} process_files[] = {
    {"limits of saddled", "limits", {NULL}},
    {"process saddled",
     "status",
     {"Name", "Cap", "NoNewPrivs", "Seccomp", "Cpus_allowed_list", "Vm", "Threads", "Mems_"}},
};

/* Fields that an anonymous report has not. */
static const char *const private_fields[] = {
    "address", "addresses", "application", "interface", "mac", "pid", "text", "uid",
};

static void mark(const struct report *report, const char *title)
{
    fprintf(report->file, "\n==== %s ====\n", title);
}

static bool is_private(const char *name)
{
    for (size_t i = 0; i < sizeof(private_fields) / sizeof(private_fields[0]); i++) {
        if (!strcmp(name, private_fields[i]))
            return true;
    }
    return false;
}

/* Answers are as deep as their descriptions, which do not contain themselves. */
static void make_anonymous(struct json_object *object)
{
    if (json_object_is_type(object, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(object); i++)
            make_anonymous(json_object_array_get_idx(object, i));
    }
    if (!json_object_is_type(object, json_type_object))
        return;
    json_object_object_foreach(object, name, value)
    {
        if (is_private(name))
            json_object_object_add(object, name, json_object_new_string(LEFT_OUT));
        else
            make_anonymous(value);
    }
}

/* A line for each: there are hundreds. */
static void write_counters(const struct report *report, struct json_object *answer)
{
    struct json_object *flat = counters_flatten(answer);
    struct json_object *list = json_object_object_get(flat, "counters");

    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *row = json_object_array_get_idx(list, i);

        fprintf(report->file, "%s %s %s\n",
                json_object_get_string(json_object_object_get(row, "owner")),
                json_object_get_string(json_object_object_get(row, "name")),
                json_object_get_string(json_object_object_get(row, "value")));
    }
    json_object_put(flat);
}

static bool take(void *context, struct json_object *answer)
{
    struct report *report = context;
    struct json_object *abi = json_object_object_get(answer, "abi");
    struct json_object *text = json_object_object_get(answer, "text");

    /* Of the status alone: only it has both. */
    if (abi && json_object_object_get(answer, "wire"))
        report->pid = json_object_get_uint64(json_object_object_get(answer, "pid"));
    if (report->anonymous)
        make_anonymous(answer);
    if (json_object_object_get(answer, "monotonic_ns")) { /* a sample */
        write_counters(report, answer);
        return true;
    }
    if (text && json_object_object_length(answer) == 1) { /* the configuration's, of many lines */
        fprintf(report->file, "%s\n", json_object_get_string(text));
        return true;
    }
    fprintf(report->file, "%s\n",
            json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PRETTY |
                                                       JSON_C_TO_STRING_SPACED |
                                                       JSON_C_TO_STRING_NOSLASHESCAPE));
    return true;
}

static void write_answers(struct report *report)
{
    struct json_object *request = json_object_new_object();
    struct ask_end end;

    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        mark(report, answers[i].title);
        if (report->anonymous && answers[i].private)
            fprintf(report->file, "%s\n", LEFT_OUT);
        else if (!command_method(answers[i].method))
            fprintf(report->file, "not there: this saddlectl does not know %s\n",
                    answers[i].method);
        else if (ask(report->asker, answers[i].method, request, false, take, report, &end))
            fprintf(report->file, "not there: %s: %s\n", end.code,
                    report->anonymous ? LEFT_OUT : end.text);
    }
    json_object_put(request);
}

static bool is_wanted(const char *line, const char *const words[8])
{
    for (size_t i = 0; i < 8 && words[i]; i++) {
        if (!strncmp(line, words[i], strlen(words[i])))
            return true;
    }
    return !words[0];
}

static void write_file(const struct report *report, const char *title, const char *path,
                       const char *const words[8])
{
    FILE *from = fopen(path, "re");
    char line[LINE_BYTES];

    mark(report, title);
    if (!from) {
        fprintf(report->file, "not there: %s: %s\n", report->anonymous ? title : path,
                strerror(errno));
        return;
    }
    for (uint32_t i = 0; i < LINES_MAX && fgets(line, sizeof(line), from); i++) {
        if (is_wanted(line, words))
            fputs(line, report->file);
    }
    fclose(from);
}

static void write_machine(const struct report *report)
{
    struct utsname name;

    mark(report, "kernel");
    if (!uname(&name))
        fprintf(report->file, "%s %s %s %s\n", name.sysname, name.release, name.version,
                name.machine);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        write_file(report, files[i].title, files[i].path, files[i].words);
    for (size_t i = 0; report->pid && i < sizeof(process_files) / sizeof(process_files[0]); i++) {
        char path[PATH_BYTES];

        snprintf(path, sizeof(path), "/proc/%llu/%s", report->pid, process_files[i].name);
        write_file(report, process_files[i].title, path, process_files[i].words);
    }
}

static void write_all(struct report *report)
{
    time_t now = time(NULL);
    struct tm parts;
    char when[NAME_BYTES] = "";

    if (gmtime_r(&now, &parts))
        strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &parts);
    fprintf(report->file, "Saddle report, %s%s\n", when, report->anonymous ? ", anonymous" : "");
    mark(report, "saddlectl");
    fprintf(report->file, "version %d.%d.%d\n", SADDLE_VERSION_MAJOR, SADDLE_VERSION_MINOR,
            SADDLE_VERSION_PATCH);
    write_answers(report);
    write_machine(report);
    mark(report, "end");
}

static int fail(const char *path, int error)
{
    fprintf(stderr, "saddlectl: %s: %s\n", path, strerror(error));
    return EXIT_FAILED;
}

int report_write(struct asker *asker, const char *path, bool anonymous)
{
    struct report report = {.asker = asker, .anonymous = anonymous};
    char name[NAME_BYTES];
    time_t now = time(NULL);
    struct tm parts;
    bool good;
    int fd;

    if (!path && gmtime_r(&now, &parts)) {
        strftime(name, sizeof(name), "saddle-report-%Y%m%dT%H%M%SZ.txt", &parts);
        path = name;
    }
    fd = path ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR) : -1;
    report.file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!report.file)
        return fail(path ? path : "the name of the report", errno);
    write_all(&report);
    good = !ferror(report.file);
    if (fclose(report.file) || !good) {
        unlink(path);
        return fail(path, good ? errno : EIO);
    }
    puts(path);
    return EXIT_SUCCESS;
}
