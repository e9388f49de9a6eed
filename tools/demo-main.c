/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * saddle-demo: what tools/demo runs between two hosts.
 *
 *     saddle-demo saddle --socket PATH --file PATH --output PATH [...]
 *     saddle-demo tcp --file PATH --output PATH [...]
 *
 * The first attaches an application to each of the engines "left" and "right", all in one thread,
 * copies a file from left to right, plays ping-pong, and reads right's memory one-sidedly. The
 * second does the first two over kernel TCP, for comparison. Every byte is compared; a difference
 * is exit status 1. What was measured is one JSON document on standard output.
 */
#include "tools/demo-parts.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DEMO_ROUNDS       100000u
#define DEMO_READS        100000u
#define DEMO_QUICK_SHARE  20u        /* --quick does one in so many rounds and reads */
#define DEMO_HASH_BYTES   (1u << 16) /* read at once for a digest */
#define DEMO_BAR_COLUMNS  40u
#define DEMO_BAR_EVERY_NS 100000000ull
#define DEMO_FILE_MODE    0600
#define EXIT_USAGE        2

void demo_fail(const char *format, ...)
{
    va_list arguments;

    fputs("saddle-demo: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(EXIT_FAILURE);
}

static uint64_t demo_clock_ns(clockid_t clock)
{
    struct timespec now;

    if (clock_gettime(clock, &now) != 0)
        demo_fail("a clock cannot be read: %s", strerror(errno));
    return (uint64_t)now.tv_sec * DEMO_NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t demo_now_ns(void)
{
    return demo_clock_ns(CLOCK_MONOTONIC);
}

uint64_t demo_cpu_ns(const pid_t daemons[DEMO_SIDES])
{
    uint64_t sum = demo_clock_ns(CLOCK_PROCESS_CPUTIME_ID);

    for (uint32_t side = 0; side < DEMO_SIDES; side++) {
        clockid_t clock;

        if (daemons[side] == 0)
            continue;
        if (clock_getcpuclockid(daemons[side], &clock) != 0)
            demo_fail("there is no process %d", (int)daemons[side]);
        sum += demo_clock_ns(clock);
    }
    return sum;
}

void demo_digest(const char *path, uint8_t digest[DEMO_DIGEST_BYTES])
{
    static uint8_t bytes[DEMO_HASH_BYTES];
    crypto_hash_sha256_state state;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t count;

    if (fd < 0)
        demo_fail("%s: %s", path, strerror(errno));
    crypto_hash_sha256_init(&state);
    while ((count = read(fd, bytes, sizeof(bytes))) > 0)
        crypto_hash_sha256_update(&state, bytes, (unsigned long long)count);
    if (count < 0)
        demo_fail("%s: %s", path, strerror(errno));
    crypto_hash_sha256_final(&state, digest);
    close(fd);
}

static int compare_samples(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;

    return (a > b) - (a < b);
}

struct demo_times demo_percentiles(uint32_t *samples, uint32_t count)
{
    const double ns_per_us = 1e3;
    uint32_t middle = count / 2;
    uint32_t late = (uint32_t)((uint64_t)count * 99 / 100);

    qsort(samples, count, sizeof(*samples), compare_samples);
    return (struct demo_times){.p50 = samples[middle] / ns_per_us,
                               .p99 = samples[late] / ns_per_us};
}

static bool progress_off;

void demo_progress_off(void)
{
    progress_off = true;
}

void demo_progress(const char *what, uint64_t done, uint64_t total)
{
    static uint64_t drawn_ns;
    static int terminal = -1; /* not asked yet */
    uint32_t columns = (uint32_t)(done * DEMO_BAR_COLUMNS / total);
    uint64_t now;

    if (terminal < 0)
        terminal = isatty(STDERR_FILENO);
    if (!terminal || progress_off)
        return;
    now = demo_now_ns();
    if (done < total && now - drawn_ns < DEMO_BAR_EVERY_NS)
        return;
    drawn_ns = now;
    fprintf(stderr, "\r%-28s [%.*s%*s] %3u %%%s", what, (int)columns,
            "########################################", (int)(DEMO_BAR_COLUMNS - columns), "",
            (unsigned)(done * 100 / total), done < total ? "" : "\n");
}

int demo_open_source(const char *path, uint64_t *bytes)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &status) != 0)
        demo_fail("%s: %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode) || status.st_size == 0)
        demo_fail("%s: not a regular file with something in it", path);
    *bytes = (uint64_t)status.st_size;
    return fd;
}

int demo_open_output(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, DEMO_FILE_MODE);

    if (fd < 0)
        demo_fail("%s: %s", path, strerror(errno));
    return fd;
}

void demo_read_at(int fd, void *bytes, size_t len, uint64_t offset)
{
    ssize_t count = pread(fd, bytes, len, (off_t)offset);

    if (count != (ssize_t)len)
        demo_fail("reading the file: %s", count < 0 ? strerror(errno) : "it became shorter");
}

void demo_write_at(int fd, const void *bytes, size_t len, uint64_t offset)
{
    ssize_t count = pwrite(fd, bytes, len, (off_t)offset);

    if (count != (ssize_t)len)
        demo_fail("writing the copy: %s", count < 0 ? strerror(errno) : "no space left");
}

enum part {
    PART_SADDLE,
    PART_TCP,
};

static void usage(FILE *to)
{
    fputs(
        "usage: saddle-demo saddle --socket PATH [--socket PATH] --file PATH --output PATH\n"
        "                          [--daemon PID]... [--quick] [--kill-app] [--meanwhile PATH]\n"
        "       saddle-demo tcp --file PATH --output PATH [--space PATH --space PATH]\n"
        "                       [--address ADDRESS] [--quick]\n"
        "\n"
        "  --socket PATH      the attach socket of left's daemon, then of right's if it has one\n"
        "  --file PATH        what to copy from left to right\n"
        "  --output PATH      where the copy goes\n"
        "  --daemon PID       count this process's processor time too\n"
        "  --quick            a twentieth of the rounds\n"
        "  --kill-app         kill another application's copy when half of this one is done\n"
        "  --meanwhile PATH   write a line to this named pipe when half of the copy is done, and\n"
        "                     copy the file again and again until the pipe is gone\n"
        "  --space PATH       left's network namespace, then right's\n"
        "  --address ADDRESS  right's IPv4 address (default: 127.0.0.1)\n",
        to);
}

static void __attribute__((noreturn)) misused(void)
{
    usage(stderr);
    exit(EXIT_USAGE);
}

/* The first and second value of a repeated option. */
static void add_side(const char *sides[DEMO_SIDES], const char *value)
{
    if (sides[DEMO_SIDES - 1])
        misused();
    sides[sides[0] ? 1 : 0] = value;
}

static void add_daemon(pid_t daemons[DEMO_SIDES], const char *value)
{
    if (daemons[DEMO_SIDES - 1])
        misused();
    daemons[daemons[0] ? 1 : 0] = (pid_t)strtol(value, NULL, 10);
}

static void set_option(struct demo_options *options, int option)
{
    switch (option) {
    case 's':
        add_side(options->sockets, optarg);
        break;
    case 'n':
        add_side(options->spaces, optarg);
        break;
    case 'd':
        add_daemon(options->daemons, optarg);
        break;
    case 'f':
        options->file = optarg;
        break;
    case 'o':
        options->output = optarg;
        break;
    case 'a':
        options->address = optarg;
        break;
    case 'k':
        options->kill_app = true;
        break;
    case 'm':
        options->meanwhile = optarg;
        break;
    case 'q':
        options->rounds = DEMO_ROUNDS / DEMO_QUICK_SHARE;
        options->reads = DEMO_READS / DEMO_QUICK_SHARE;
        break;
    case 'h':
        usage(stdout);
        exit(EXIT_SUCCESS);
    default:
        misused();
    }
}

static enum part parse(int count, char **words, struct demo_options *options)
{
    static const struct option table[] = {
        {"socket", required_argument, NULL, 's'},
        {"space", required_argument, NULL, 'n'},
        {"daemon", required_argument, NULL, 'd'},
        {"file", required_argument, NULL, 'f'},
        {"output", required_argument, NULL, 'o'},
        {"address", required_argument, NULL, 'a'},
        {"kill-app", no_argument, NULL, 'k'},
        {"quick", no_argument, NULL, 'q'},
        {"meanwhile", required_argument, NULL, 'm'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    enum part part;
    int option;

    while ((option = getopt_long(count, words, "", table, NULL)) != -1)
        set_option(options, option);
    if (optind + 1 != count || !options->file || !options->output ||
        (options->kill_app && options->meanwhile))
        misused();
    part = strcmp(words[optind], "tcp") == 0 ? PART_TCP : PART_SADDLE;
    if (part == PART_SADDLE && (strcmp(words[optind], "saddle") != 0 || !options->sockets[0]))
        misused();
    if (!options->sockets[1])
        options->sockets[1] = options->sockets[0];
    return part;
}

static bool same_file(const struct demo_options *options, char text[2 * DEMO_DIGEST_BYTES + 1])
{
    uint8_t source[DEMO_DIGEST_BYTES];
    uint8_t copy[DEMO_DIGEST_BYTES];

    demo_digest(options->file, source);
    demo_digest(options->output, copy);
    sodium_bin2hex(text, 2 * DEMO_DIGEST_BYTES + 1, source, sizeof(source));
    return memcmp(source, copy, sizeof(copy)) == 0;
}

static void print_times(const char *name, uint32_t count, struct demo_times times)
{
    printf("  \"%s\": {\"count\": %u, \"p50\": %.2f, \"p99\": %.2f},\n", name, count, times.p50,
           times.p99);
}

static const char *waiting; /* the pipe of --meanwhile */

static void tell_half_way(void)
{
    int fd = open(waiting, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0 || write(fd, "\n", 1) != 1)
        demo_fail("%s: %s", waiting, strerror(errno));
    close(fd);
}

/* Once, or for as long as something goes on meanwhile: true if every copy was equal. Figures are of
 * the first one. */
static bool copy_file(struct demo_saddle *demo, const struct demo_options *options,
                      char digest[2 * DEMO_DIGEST_BYTES + 1], struct demo_copy *copy,
                      uint32_t *copies)
{
    void (*half_way)(void) = options->kill_app    ? demo_bystander_kill
                             : options->meanwhile ? tell_half_way
                                                  : NULL;
    bool match;

    waiting = options->meanwhile;
    *copy = demo_saddle_copy(demo, options, half_way);
    match = same_file(options, digest);
    for (*copies = 1; match && waiting && access(waiting, F_OK) == 0; ++*copies) {
        demo_saddle_copy(demo, options, NULL);
        match = same_file(options, digest);
    }
    return match;
}

static void print_cpu(const struct demo_options *options, double cpu_s_per_gb)
{
    /* Of daemons that are replaced nobody has counted it. */
    if (options->meanwhile)
        puts("  \"cpu_s_per_gb\": null\n}");
    else
        printf("  \"cpu_s_per_gb\": %.3f\n}\n", cpu_s_per_gb);
}

/* Over Saddle: true if all was equal. */
static bool run_saddle(const struct demo_options *options)
{
    char digest[2 * DEMO_DIGEST_BYTES + 1];
    struct demo_saddle *demo;
    struct demo_copy copy;
    uint32_t mismatches, copies;
    bool match;

    if (options->kill_app)
        demo_bystander_start(options);
    demo = demo_saddle_open(options);
    match = copy_file(demo, options, digest, &copy, &copies);
    printf("{\n  \"file\": {\"bytes\": %" PRIu64 ", \"sha256\": \"%s\", \"sha256_match\": %s, "
           "\"gbps\": %.3f},\n",
           copy.bytes, digest, match ? "true" : "false", copy.gbps);
    if (options->meanwhile)
        printf("  \"copies\": %u,\n", copies);
    if (options->kill_app)
        printf("  \"killed_app\": {\"bytes\": %" PRIu64 "},\n", demo_bystander_bytes());
    print_times("rtt_us", options->rounds, demo_saddle_rtt(demo, options->rounds, true));
    print_times("rtt_wait_us", options->rounds, demo_saddle_rtt(demo, options->rounds, false));
    mismatches = demo_saddle_reads(demo, options->reads);
    printf("  \"reads\": {\"count\": %u, \"mismatches\": %u},\n", options->reads, mismatches);
    print_cpu(options, copy.cpu_s_per_gb);
    demo_saddle_close(demo);
    return match && mismatches == 0;
}

static bool run_tcp(const struct demo_options *options)
{
    char digest[2 * DEMO_DIGEST_BYTES + 1];
    struct demo_copy copy = demo_tcp_copy(options);
    bool match = same_file(options, digest);

    printf("{\n  \"sha256_match\": %s, \"gbps\": %.3f,\n", match ? "true" : "false", copy.gbps);
    print_times("rtt_us", options->rounds, demo_tcp_rtt(options));
    printf("  \"cpu_s_per_gb\": %.3f\n}\n", copy.cpu_s_per_gb);
    return match;
}

int main(int count, char **words)
{
    struct demo_options options = {
        .service = "demo", .address = "127.0.0.1", .rounds = DEMO_ROUNDS, .reads = DEMO_READS};
    enum part part = parse(count, words, &options);
    bool good;

    if (sodium_init() < 0)
        demo_fail("libsodium does not start");
    good = part == PART_TCP ? run_tcp(&options) : run_saddle(&options);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
