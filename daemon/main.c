/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * saddled: reads its configuration, gives up privileges, takes the attach socket, starts DPDK and
 * ports, gives up more, runs engines and groups, serves until it is told to stop, and gives
 * everything back in the reverse order. Or it takes all of that over from a running one, and serves
 * likewise; and ends, leaving everything where it is, when a newer one has taken it over.
 */
#include "control/log.h"
#include "control/server.h"
#include "daemon/config.h"
#include "daemon/control.h"
#include "daemon/eal.h"
#include "daemon/host.h"
#include "daemon/notify.h"
#include "daemon/ports.h"
#include "daemon/privileges.h"
#include "daemon/rules.h"
#include "daemon/steward.h"
#include "daemon/store.h"
#include "daemon/takeover.h"
#include "daemon/upgrade.h"
#include "daemon/watchdog.h"
#include "sched/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <saddle/saddle.h>

#define DEFAULT_CONFIG "/etc/saddle/saddled.yaml"
#define REASON_BYTES   512
#define EXIT_USAGE     2

/* What others reach the daemon by, taken before it has anything to offer. */
struct sockets {
    struct server *server;
    struct control *control; /* NULL: none is configured */
    struct upgrade *upgrade;
};

enum action {
    ACTION_SERVE,
    ACTION_TAKE_OVER,
    ACTION_CHECK,
    ACTION_SHOW,
    ACTION_DESCRIBE,
};

struct options {
    enum action action;
    const char *config;
    const char *stats_file;
    FILE *stats; /* opened while the daemon may still open what its user may */
    int ready_fd;
    bool verbose;
    bool check; /* of taking over: only look whether it could */
};

enum option_value {
    OPTION_CONFIG = 'c',
    OPTION_VERBOSE = 'v',
    OPTION_HELP = 'h',
    OPTION_VERSION = 'V',
    OPTION_CHECK = 256,
    OPTION_SHOW,
    OPTION_DESCRIBE,
    OPTION_STATS,
    OPTION_READY,
    OPTION_TAKE_OVER,
    OPTION_TRY,
};

/* One table for getopt and for --help. */
static const struct {
    struct option_text {
        const char *name, *argument, *help;
    } text;
    int value;
} option_table[] = {
    {{"config", "FILE", "the configuration (default: " DEFAULT_CONFIG ")"}, OPTION_CONFIG},
    {{"check-config", "FILE", "check a configuration and exit: 0 if it is good, else 1"},
     OPTION_CHECK},
    {{"show-config", NULL, "print the configuration with all defaults, and exit"}, OPTION_SHOW},
    {{"describe-config", NULL, "print what a configuration may hold, in Markdown, and exit"},
     OPTION_DESCRIBE},
    {{"takeover", NULL, "take everything over from the daemon that runs, and serve on"},
     OPTION_TAKE_OVER},
    {{"check", NULL, "with --takeover: only look whether all of it could be, and exit"},
     OPTION_TRY},
    {{"stats-file", "FILE", "write every counter there, as JSON, when stopped"}, OPTION_STATS},
    {{"ready-fd", "N", "write one byte to descriptor N and close it once ready"}, OPTION_READY},
    {{"verbose", NULL, "log more, DPDK's messages too, and stay dumpable"}, OPTION_VERBOSE},
    {{"help", NULL, "print this and exit"}, OPTION_HELP},
    {{"version", NULL, "print the version and exit"}, OPTION_VERSION},
};
#define OPTION_COUNT (sizeof(option_table) / sizeof(option_table[0]))

static void print_help(void)
{
    printf("usage: saddled [OPTION]...\n\nThe Saddle daemon: host networking for the applications "
           "that attach to it.\n\n");
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_text *text = &option_table[i].text;
        int width = printf("  --%s%s%s", text->name, text->argument ? " " : "",
                           text->argument ? text->argument : "");

        printf("%*s%s\n", 24 - width, "", text->help);
    }
    printf("\nExit status: 0 stopped in order, 1 failure, 2 wrong usage.\n"
           "Manual: saddled(8), saddled.conf(5).\n");
}

static int parse_descriptor(const char *text)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (end == text || *end || value < 0 || value > INT16_MAX || fcntl((int)value, F_GETFD) < 0) {
        fprintf(stderr, "saddled: --ready-fd: \"%s\" is no open descriptor\n", text);
        exit(EXIT_USAGE);
    }
    return (int)value;
}

static void set_option(struct options *options, int value)
{
    switch (value) {
    case OPTION_CONFIG:
        options->config = optarg;
        break;
    case OPTION_CHECK:
        options->action = ACTION_CHECK;
        options->config = optarg;
        break;
    case OPTION_SHOW:
        options->action = ACTION_SHOW;
        break;
    case OPTION_DESCRIBE:
        options->action = ACTION_DESCRIBE;
        break;
    case OPTION_STATS:
        options->stats_file = optarg;
        break;
    case OPTION_READY:
        options->ready_fd = parse_descriptor(optarg);
        break;
    case OPTION_TAKE_OVER:
        options->action = ACTION_TAKE_OVER;
        break;
    case OPTION_TRY:
        options->check = true;
        break;
    case OPTION_VERBOSE:
        options->verbose = true;
        break;
    case OPTION_HELP:
        print_help();
        exit(EXIT_SUCCESS);
    case OPTION_VERSION:
        printf("saddled %d.%d.%d\n", SADDLE_VERSION_MAJOR, SADDLE_VERSION_MINOR,
               SADDLE_VERSION_PATCH);
        exit(EXIT_SUCCESS);
    default:
        fprintf(stderr, "Try: saddled --help\n");
        exit(EXIT_USAGE);
    }
}

static void parse_options(struct options *options, int argc, char **argv)
{
    struct option table[OPTION_COUNT + 1] = {0};
    int value;

    for (size_t i = 0; i < OPTION_COUNT; i++) {
        table[i].name = option_table[i].text.name;
        table[i].has_arg = option_table[i].text.argument ? required_argument : no_argument;
        table[i].val = option_table[i].value;
    }
    while ((value = getopt_long(argc, argv, "", table, NULL)) != -1)
        set_option(options, value);
    if (optind < argc) {
        fprintf(stderr, "saddled: unexpected argument \"%s\"\nTry: saddled --help\n", argv[optind]);
        exit(EXIT_USAGE);
    }
    if (options->check && options->action != ACTION_TAKE_OVER) {
        fprintf(stderr, "saddled: --check goes with --takeover\nTry: saddled --help\n");
        exit(EXIT_USAGE);
    }
}

static void tell_ready(int fd)
{
    if (fd < 0)
        return;
    if (write(fd, "", 1) != 1)
        log_line(LOG_WARNING, "ready-fd: %s", strerror(errno));
    close(fd);
}

/* What runs, once ports are open. */
struct running {
    struct host *host;
    struct daemon_steward *steward;
    const struct takeover *taken; /* from another daemon: engines run; NULL: they do not */
};

/* Everything is another daemon's by now: nothing is told, stopped or removed. */
static void depart(struct watchdog *watchdog, struct control *control)
{
    log_line(LOG_INFO, "another daemon has everything: ending");
    watchdog_stop(watchdog);
    control_destroy(control);
}

static int finish(const struct options *options, struct server *server, struct host *host,
                  struct watchdog *watchdog, struct control *control)
{
    int error;

    notify_stopping();
    watchdog_stop(watchdog);
    control_destroy(control);
    error = server_stop(server);
    if (error)
        return error;
    host_stop(host);
    if (options->stats)
        host_write_stats(host, options->stats);
    return 0;
}

/* From ready to stopped. */
static int run(const struct options *options, struct sockets *sockets,
               const struct running *running, struct control *control)
{
    struct server *server = sockets->server;
    struct host *host = running->host;
    uint32_t engine_count;
    struct engine *const *engines = host_engines(host, &engine_count);
    struct watchdog *watchdog;
    int error = watchdog_start(&watchdog, server, host);
    int stop_error;

    if (error)
        log_line(LOG_WARNING, "watchdog: %s", strerror(-error));
    server_set_reload(server, daemon_steward_reload, running->steward);
    error = upgrade_serve(sockets->upgrade, server, host, control, watchdog);
    if (error)
        log_line(LOG_WARNING, "upgrade: %s", strerror(-error));
    log_line(LOG_INFO, "ready: %u engines", engine_count);
    store_keep(STORE_ATTACH, server_socket(server));
    store_keep(STORE_CONTROL, control_socket(control));
    notify_ready("ready: %u engines", engine_count);
    tell_ready(options->ready_fd);
    error = server_run(server, engines, engine_count);
    if (error)
        log_line(LOG_ERROR, "control loop: %s", strerror(-error));
    if (upgrade_is_over(sockets->upgrade)) {
        depart(watchdog, control);
        return error;
    }
    stop_error = finish(options, server, host, watchdog, control);
    return stop_error ? stop_error : error;
}

static int start_control(const struct sockets *sockets, const struct running *running,
                         const struct reason *reason)
{
    control_set_upgrader(sockets->control, upgrade_upgrader(sockets->upgrade));
    return control_start(sockets->control, sockets->server, running->host, running->steward,
                         reason);
}

/* What was taken over serves applications already: they are not to pay for what is missing. */
static int settle_taken(const struct sockets *sockets, const struct running *running,
                        const struct reason *reason)
{
    int error = host_settle(running->host, reason);

    if (!error)
        error = start_control(sockets, running, reason);
    if (error)
        log_line(LOG_ERROR, "%s", reason->text);
    else
        upgrade_tell(sockets->control, &running->taken->report, &running->taken->handover.losses);
    return 0;
}

static int settle(const struct sockets *sockets, const struct running *running,
                  const struct reason *reason)
{
    int error;

    if (running->taken)
        return settle_taken(sockets, running, reason);
    error = host_start(running->host, reason);
    return error ? error : start_control(sockets, running, reason);
}

/* With the ports open. */
static int run_host(const struct options *options, const struct privileges *privileges,
                    struct sockets *sockets, const struct running *running,
                    const struct reason *reason)
{
    int error = privileges_settle(privileges, reason);

    if (!error)
        error = settle(sockets, running, reason);
    if (!error) {
        struct control *control = sockets->control;

        sockets->control = NULL;
        return run(options, sockets, running, control);
    }
    log_line(LOG_ERROR, "%s", reason->text);
    control_destroy(sockets->control);
    sockets->control = NULL;
    host_stop(running->host);
    return error;
}

/* The host, from open ports to its end. */
static int live(const struct options *options, const struct privileges *privileges,
                struct sockets *sockets, struct running *running, const struct reason *reason)
{
    /* Engines that went over are never destroyed, nor is what they point to. */
    static struct host *left_behind;
    int error = run_host(options, privileges, sockets, running, reason);

    if (upgrade_is_over(sockets->upgrade))
        left_behind = running->host;
    /* An engine that hangs still uses its session and its port. */
    else if (error != -ETIMEDOUT)
        host_destroy(running->host);
    (void)left_behind;
    daemon_steward_destroy(running->steward);
    return error;
}

/* With the sockets taken: everything that packets need. */
static int start(const struct options *options, const struct config *config,
                 const struct privileges *privileges, struct sockets *sockets)
{
    char line[REASON_BYTES];
    const struct reason reason = {line, sizeof(line)};
    struct running running = {0};
    int error = eal_start(config, !options->verbose, line, sizeof(line));

    if (!error)
        error = host_create(&running.host, config, sockets->server, &reason);
    if (!error && daemon_steward_create(&running.steward, running.host, sockets->server, config,
                                        options->config))
        error = reason_set(&reason, -ENOMEM, "out of memory");
    if (error) {
        log_line(LOG_ERROR, "%s", line);
        host_destroy(running.host);
        return error;
    }
    return live(options, privileges, sockets, &running, &reason);
}

static int open_stats(struct options *options)
{
    if (!options->stats_file)
        return 0;
    options->stats = fopen(options->stats_file, "we");
    if (options->stats)
        return 0;
    log_line(LOG_ERROR, "stats-file %s: %s", options->stats_file, strerror(errno));
    return -EIO;
}

static int close_stats(struct options *options)
{
    bool failed = options->stats && ferror(options->stats);

    if (options->stats && fclose(options->stats))
        failed = true;
    if (failed)
        log_line(LOG_ERROR, "stats-file %s: it could not be written", options->stats_file);
    return failed ? -EIO : 0;
}

/* The socket is taken as the user who is to remove it. */
static int take_socket(struct server **server, const struct config *config,
                       struct policy_rule **rules, const struct reason *reason)
{
    struct server_config server_config;
    int error = rules_create(rules, &server_config, config);

    if (error)
        return reason_set(reason, error, "out of memory");
    server_config.kept = store_kept(STORE_ATTACH);
    error = server_create(server, &server_config, reason->text, reason->bytes);
    if (error == -EACCES)
        return reason_set(reason, error,
                          "socket %s: %s (uid %u, by now without other rights, has to be able to "
                          "write in its folder)",
                          server_config.path, strerror(EACCES), geteuid());
    return error;
}

/* Up to the first descriptor that is opened. */
static int begin(const struct options *options, const struct config *config,
                 struct privileges *privileges, const struct reason *reason)
{
    int error = notify_begin();

    store_begin();
    signal(SIGPIPE, SIG_IGN);
    log_set_verbose(options->verbose);
    (void)clock_calibrate(); /* without: accounting reads the time itself */
    if (error)
        return reason_set(reason, error, "out of memory");
    error = privileges_plan(privileges, config, reason);
    /* Ports that are taken over have their programs. */
    if (!error && options->action == ACTION_SERVE)
        error = ports_check(config, reason);
    return error ? error : privileges_begin(privileges, options->verbose, reason);
}

static int serve(const struct options *options, const struct config *config)
{
    struct policy_rule *rules = NULL;
    struct sockets sockets = {0};
    struct privileges privileges;
    char line[REASON_BYTES];
    const struct reason reason = {line, sizeof(line)};
    int error = begin(options, config, &privileges, &reason);

    if (!error)
        error = take_socket(&sockets.server, config, &rules, &reason);
    if (!error)
        error = control_create(&sockets.control, config, false, &reason);
    if (!error)
        error = upgrade_create(&sockets.upgrade, config, false, &reason);
    if (error)
        log_line(LOG_ERROR, "%s", line);
    else
        error = start(options, config, &privileges, &sockets);
    control_destroy(sockets.control);
    upgrade_destroy(sockets.upgrade);
    server_destroy(sockets.server);
    store_end();
    notify_end();
    free(rules);
    return error;
}

/* What was taken over, until its end. */
static int serve_taken(const struct options *options, const struct privileges *privileges,
                       struct takeover *takeover, const struct reason *reason)
{
    struct sockets sockets = {takeover->server, takeover->control, takeover->upgrade};
    struct running running = {.host = takeover->host, .taken = takeover};

    takeover->host = NULL;
    takeover->control = takeover->handover.control = NULL;
    if (!daemon_steward_create(&running.steward, running.host, sockets.server, &takeover->config,
                               options->config))
        return live(options, privileges, &sockets, &running, reason);
    /* Then there is nothing that could be told. */
    return reason_set(reason, -ENOMEM, "out of memory");
}

static int take_over(const struct options *options, const struct config *config)
{
    struct takeover takeover = {.check = options->check, .verbose = options->verbose};
    struct privileges privileges;
    char line[REASON_BYTES] = "";
    const struct reason reason = {line, sizeof(line)};
    int error = begin(options, config, &privileges, &reason);

    if (!error)
        error = takeover_take(&takeover, config->upgrade.socket.text, &reason);
    if (error)
        log_line(LOG_ERROR, "%s", line);
    else if (!options->check)
        error = serve_taken(options, &privileges, &takeover, &reason);
    takeover_destroy(&takeover);
    store_end();
    notify_end();
    return error;
}

/* What a configuration that is good by itself names besides. */
static int check(const struct config *config)
{
    char line[REASON_BYTES];
    const struct reason reason = {line, sizeof(line)};
    int error = control_check(config, &reason);

    if (error)
        fprintf(stderr, "%s\n", line);
    return error;
}

int main(int argc, char **argv)
{
    struct options options = {.config = DEFAULT_CONFIG, .ready_fd = -1};
    struct schema_source source;
    struct config config;
    int error;

    parse_options(&options, argc, argv);
    if (options.action == ACTION_DESCRIBE) {
        config_describe(stdout);
        return EXIT_SUCCESS;
    }
    source.file = options.config;
    error = config_load(&config, &source);
    if (error)
        fprintf(stderr, "%s\n", source.error);
    else if (options.action == ACTION_SHOW)
        config_print(&config, stdout);
    else if (options.action == ACTION_CHECK)
        error = check(&config);
    else
        error = open_stats(&options);
    if (!error && (options.action == ACTION_SERVE || options.action == ACTION_TAKE_OVER)) {
        error = options.action == ACTION_SERVE ? serve(&options, &config)
                                               : take_over(&options, &config);
        if (close_stats(&options))
            error = -EIO;
    }
    config_free(&config);
    return error ? EXIT_FAILURE : EXIT_SUCCESS;
}
