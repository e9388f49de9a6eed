/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/gateway/options.h"

#include "control/gateway/sandbox.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <saddle/saddle.h>

#define EXIT_USAGE 2

enum option_value {
    OPTION_OBSERVE = 'o',
    OPTION_OPERATE = 'O',
    OPTION_CPUS = 'c',
    OPTION_HELP = 'h',
    OPTION_VERSION = 'V',
    OPTION_CHECK = 256,
    OPTION_HTTP,
    OPTION_CERTIFICATE,
    OPTION_KEY,
    OPTION_AUTHORITY,
    OPTION_TLS_OBSERVE,
    OPTION_TLS_OPERATE,
};

static void print_help(void)
{
    printf(
        "usage: saddle-control [OPTION]...\n\n"
        "Speaks gRPC for saddled, which starts it with the link at descriptor %d and the control\n"
        "socket at descriptor %d. Of no use without it.\n\n"
        "  --observe WHO   may look: uid:N, gid:N or any; may be given again\n"
        "  --operate WHO   may change things as well\n"
        "  --cpus LIST     run there alone (0-2,5)\n"
        "  --http          serve HTTP at descriptor %d\n"
        "  --tls-certificate FILE, --tls-key FILE, --tls-authority FILE\n"
        "                  serve gRPC over TLS at descriptor %d, by these\n"
        "  --tls-observe NAME, --tls-operate NAME\n"
        "                  may do so by a certificate with that name; may be given again\n"
        "  --check         look at the files and exit: 0 if they are good, else 1\n"
        "  --help          print this and exit\n"
        "  --version       print the version and exit\n\n"
        "Root and the user it runs as may operate. Manual: saddle-control(8).\n",
        LINK_FD, LINK_LISTEN_FD, LINK_HTTP_FD, LINK_TLS_FD);
}

static void __attribute__((noreturn)) usage(const char *option, const char *value)
{
    fprintf(stderr, "saddle-control: %s: \"%s\" is wrong\nTry: saddle-control --help\n", option,
            value);
    exit(EXIT_USAGE);
}

static bool read_id(const char *text, uint32_t *id)
{
    unsigned long value;
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    value = strtoul(text, &end, 10);
    *id = (uint32_t)value;
    return !errno && !*end && value < UINT32_MAX;
}

static void add_rule(struct policy_rule *rules, uint32_t *count, const char *option,
                     const char *text)
{
    struct policy_rule rule = {.who = POLICY_ANY};

    if (!strncmp(text, "uid:", 4))
        rule.who = POLICY_UID;
    else if (!strncmp(text, "gid:", 4))
        rule.who = POLICY_GID;
    else if (strcmp(text, "any") != 0)
        usage(option, text);
    if (*count == ACCESS_RULES_MAX || (rule.who != POLICY_ANY && !read_id(text + 4, &rule.id)))
        usage(option, text);
    rules[(*count)++] = rule;
}

static void add_name(const char **names, uint32_t *count, const char *option, const char *name)
{
    if (*count == CERTIFICATES_NAMES_MAX || !*name)
        usage(option, name);
    names[(*count)++] = name;
}

static bool set_tls(struct certificates_config *config, int value)
{
    switch (value) {
    case OPTION_CERTIFICATE:
        config->certificate = optarg;
        return true;
    case OPTION_KEY:
        config->key = optarg;
        return true;
    case OPTION_AUTHORITY:
        config->authority = optarg;
        return true;
    case OPTION_TLS_OBSERVE:
        add_name(config->observe, &config->observe_count, "--tls-observe", optarg);
        return true;
    case OPTION_TLS_OPERATE:
        add_name(config->operate, &config->operate_count, "--tls-operate", optarg);
        return true;
    default:
        return false;
    }
}

static void set_option(struct options *options, int value)
{
    struct access_config *access = &options->access;

    if (set_tls(&options->certificates, value))
        return;
    switch (value) {
    case OPTION_OBSERVE:
        add_rule(access->observe, &access->observe_count, "--observe", optarg);
        break;
    case OPTION_OPERATE:
        add_rule(access->operate, &access->operate_count, "--operate", optarg);
        break;
    case OPTION_CPUS:
        if (sandbox_cpus(optarg))
            usage("--cpus", optarg);
        break;
    case OPTION_CHECK:
        options->check = true;
        break;
    case OPTION_HTTP:
        options->http = true;
        break;
    case OPTION_HELP:
        print_help();
        exit(EXIT_SUCCESS);
    case OPTION_VERSION:
        printf("saddle-control %d.%d.%d\n", SADDLE_VERSION_MAJOR, SADDLE_VERSION_MINOR,
               SADDLE_VERSION_PATCH);
        exit(EXIT_SUCCESS);
    default:
        exit(EXIT_USAGE);
    }
}

void options_parse(struct options *options, int argc, char **argv)
{
    static const struct option table[] = {
        {"observe", required_argument, NULL, OPTION_OBSERVE},
        {"operate", required_argument, NULL, OPTION_OPERATE},
        {"check", no_argument, NULL, OPTION_CHECK},
        {"cpus", required_argument, NULL, OPTION_CPUS},
        {"http", no_argument, NULL, OPTION_HTTP},
        {"tls-certificate", required_argument, NULL, OPTION_CERTIFICATE},
        {"tls-key", required_argument, NULL, OPTION_KEY},
        {"tls-authority", required_argument, NULL, OPTION_AUTHORITY},
        {"tls-observe", required_argument, NULL, OPTION_TLS_OBSERVE},
        {"tls-operate", required_argument, NULL, OPTION_TLS_OPERATE},
        {"help", no_argument, NULL, OPTION_HELP},
        {"version", no_argument, NULL, OPTION_VERSION},
        {NULL, 0, NULL, 0},
    };
    const struct certificates_config *given = &options->certificates;
    int value;

    *options = (struct options){.access = {.owner = geteuid()}};
    while ((value = getopt_long(argc, argv, "", table, NULL)) != -1)
        set_option(options, value);
    if (optind < argc)
        usage("argument", argv[optind]);
    options->tls = given->certificate && given->key && given->authority;
    if (!options->tls && (given->certificate || given->key || given->authority))
        usage("--tls-certificate, --tls-key, --tls-authority", "one without the others");
}
