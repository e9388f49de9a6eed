/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * saddle-demo: what tools/demo --local runs once a daemon with the engines "left" and "right" is
 * up.
 *
 *     saddle-demo --socket PATH --file PATH --output PATH [--json] [--quick]
 *                 [--daemon-pid PID] [--port-name NAME]
 *
 * Attaches one application to each engine, all in one thread, and copies a file from left to right,
 * plays ping-pong, reads right's memory one-sidedly, and does the first two over kernel TCP for
 * comparison. Every byte is compared; a difference is exit status 1. Results go to standard output:
 * a summary, or one JSON document. (How often packets were sent again, the daemon knows.)
 */
#include "tools/demo-local.h"

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
#define DEMO_PATH_BYTES   4096u
#define EXIT_USAGE        2

struct demo_results {
    struct demo_copy copy;
    struct demo_times spin;
    struct demo_times wait;
    uint32_t mismatches;
    struct demo_copy tcp_copy;
    struct demo_times tcp;
    uint8_t digest[DEMO_DIGEST_BYTES];
    bool match;
    bool tcp_match;
};

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

uint64_t demo_cpu_ns(pid_t other)
{
    uint64_t sum = demo_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    clockid_t clock;

    if (other == 0)
        return sum;
    if (clock_getcpuclockid(other, &clock) != 0)
        demo_fail("there is no process %d", (int)other);
    return sum + demo_clock_ns(clock);
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

void demo_progress(const char *what, uint64_t done, uint64_t total)
{
    static uint64_t drawn_ns;
    static int terminal = -1; /* not asked yet */
    uint32_t columns = (uint32_t)(done * DEMO_BAR_COLUMNS / total);
    uint64_t now;

    if (terminal < 0)
        terminal = isatty(STDERR_FILENO);
    if (!terminal)
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

static void usage(FILE *to)
{
    fputs("usage: saddle-demo --socket PATH --file PATH --output PATH [--json] [--quick]\n"
          "                   [--daemon-pid PID] [--port-name NAME]\n"
          "\n"
          "  --socket PATH      the attach socket of a daemon with the engines left and right\n"
          "  --file PATH        what to copy from left to right\n"
          "  --output PATH      where the copy goes (a second one beside it is removed)\n"
          "  --json             one JSON document instead of a summary\n"
          "  --quick            a twentieth of the rounds\n"
          "  --daemon-pid PID   count this process's processor time too\n"
          "  --port-name NAME   what to call the wire in the results\n",
          to);
}

static void parse(int count, char **words, struct demo_options *options)
{
    static const struct option table[] = {
        {"socket", required_argument, NULL, 's'},
        {"file", required_argument, NULL, 'f'},
        {"output", required_argument, NULL, 'o'},
        {"json", no_argument, NULL, 'j'},
        {"quick", no_argument, NULL, 'q'},
        {"daemon-pid", required_argument, NULL, 'd'},
        {"port-name", required_argument, NULL, 'p'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(count, words, "", table, NULL)) != -1) {
        switch (option) {
        case 's':
            options->socket = optarg;
            break;
        case 'f':
            options->file = optarg;
            break;
        case 'o':
            options->output = optarg;
            break;
        case 'j':
            options->json = true;
            break;
        case 'q':
            options->rounds = DEMO_ROUNDS / DEMO_QUICK_SHARE;
            options->reads = DEMO_READS / DEMO_QUICK_SHARE;
            break;
        case 'd':
            options->daemon_pid = (pid_t)strtol(optarg, NULL, 10);
            break;
        case 'p':
            options->port_name = optarg;
            break;
        case 'h':
            usage(stdout);
            exit(EXIT_SUCCESS);
        default:
            usage(stderr);
            exit(EXIT_USAGE);
        }
    }
    if (optind < count || !options->socket || !options->file || !options->output) {
        usage(stderr);
        exit(EXIT_USAGE);
    }
}

static void print_json(const struct demo_options *options, const struct demo_results *results)
{
    char digest[2 * DEMO_DIGEST_BYTES + 1];

    sodium_bin2hex(digest, sizeof(digest), results->digest, sizeof(results->digest));
    printf("{\n  \"port\": \"%s\",\n", options->port_name);
    printf("  \"file\": {\"bytes\": %" PRIu64 ", \"sha256\": \"%s\", \"sha256_match\": %s, "
           "\"gbps\": %.3f},\n",
           results->copy.bytes, digest, results->match ? "true" : "false", results->copy.gbps);
    printf("  \"rtt_us\": {\"count\": %u, \"p50\": %.2f, \"p99\": %.2f},\n", options->rounds,
           results->spin.p50, results->spin.p99);
    printf("  \"rtt_wait_us\": {\"count\": %u, \"p50\": %.2f, \"p99\": %.2f},\n", options->rounds,
           results->wait.p50, results->wait.p99);
    printf("  \"reads\": {\"count\": %u, \"mismatches\": %u},\n", options->reads,
           results->mismatches);
    printf("  \"cpu_s_per_gb\": %.3f,\n", results->copy.cpu_s_per_gb);
    printf(
        "  \"tcp\": {\"sha256_match\": %s, \"gbps\": %.3f, "
        "\"rtt_us\": {\"count\": %u, \"p50\": %.2f, \"p99\": %.2f}, \"cpu_s_per_gb\": %.3f}\n}\n",
        results->tcp_match ? "true" : "false", results->tcp_copy.gbps, options->rounds,
        results->tcp.p50, results->tcp.p99, results->tcp_copy.cpu_s_per_gb);
}

static void print_summary(const struct demo_options *options, const struct demo_results *results)
{
    const double bytes_per_mib = 1 << 20;

    printf("File copied over %s: %.1f MiB, SHA-256 %s\n", options->port_name,
           (double)results->copy.bytes / bytes_per_mib, results->match ? "equal" : "DIFFERENT");
    printf("One-sided reads of a 64 MiB region: %u, mismatches %u\n", options->reads,
           results->mismatches);
    printf("\n%-38s %12s %12s\n", "", "Saddle", "kernel TCP");
    printf("%-38s %12.2f %12.2f\n", "copy, Gbit/s", results->copy.gbps, results->tcp_copy.gbps);
    printf("%-38s %12.2f %12.2f\n", "processor time, s per 10^9 bytes", results->copy.cpu_s_per_gb,
           results->tcp_copy.cpu_s_per_gb);
    printf("%-38s %12.1f %12s\n", "round trip of 64 bytes spinning, p50 us", results->spin.p50,
           "-");
    printf("%-38s %12.1f %12s\n", "                                 p99 us", results->spin.p99,
           "-");
    printf("%-38s %12.1f %12.1f\n", "round trip of 64 bytes waiting, p50 us", results->wait.p50,
           results->tcp.p50);
    printf("%-38s %12.1f %12.1f\n", "                                p99 us", results->wait.p99,
           results->tcp.p99);
}

static void run_tcp(const struct demo_options *options, struct demo_results *results)
{
    uint8_t digest[DEMO_DIGEST_BYTES];
    char output[DEMO_PATH_BYTES];

    snprintf(output, sizeof(output), "%s.tcp", options->output);
    results->tcp_copy = demo_tcp_copy(options, output);
    demo_digest(output, digest);
    unlink(output);
    results->tcp_match = memcmp(digest, results->digest, sizeof(digest)) == 0;
    results->tcp = demo_tcp_rtt(options->rounds);
}

int main(int count, char **words)
{
    struct demo_options options = {.port_name = "net_ring",
                                   .rounds = DEMO_ROUNDS,
                                   .reads = DEMO_READS};
    struct demo_results results = {.match = false};
    uint8_t digest[DEMO_DIGEST_BYTES];
    struct demo_saddle *demo;

    parse(count, words, &options);
    if (sodium_init() < 0)
        demo_fail("libsodium does not start");
    demo_digest(options.file, results.digest);
    demo = demo_saddle_open(&options);
    results.copy = demo_saddle_copy(demo, &options);
    demo_digest(options.output, digest);
    results.match = memcmp(digest, results.digest, sizeof(digest)) == 0;
    results.spin = demo_saddle_rtt(demo, options.rounds, true);
    results.wait = demo_saddle_rtt(demo, options.rounds, false);
    results.mismatches = demo_saddle_reads(demo, options.reads);
    demo_saddle_close(demo);
    run_tcp(&options, &results);
    if (options.json)
        print_json(&options, &results);
    else
        print_summary(&options, &results);
    if (fflush(stdout) != 0 || ferror(stdout))
        demo_fail("the results cannot be written");
    return results.match && results.tcp_match && results.mismatches == 0 ? EXIT_SUCCESS
                                                                         : EXIT_FAILURE;
}
