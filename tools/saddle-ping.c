/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * saddle-ping: whether a host can be reached, how fast it answers, and if not, why. See
 * saddle-ping(1).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <saddle/saddle.h>

#define PAYLOAD_BYTES  56u /* what ping(8) sends unless told otherwise */
#define INTERVAL_S     1.0
#define INTERVAL_S_MIN 0.001
#define TIMEOUT_S      5.0 /* longer than a host is called for, so that the reason is heard */
#define TIMEOUT_S_MIN  0.001
#define SECONDS_MAX    86400.0
#define COUNT_MAX      1000000000ul
#define MS_PER_S       1000
#define NS_PER_MS      1000000
#define NS_PER_S       1000000000ull
#define NS_PER_US      1000.0
#define PERCENT        100.0
#define EXIT_USAGE     2
#define EXIT_UNREACHED 3
#define REASON_BYTES   512u
#define MAPPED_BYTES   12u /* of an IPv4-mapped address (RFC 4291, 2.5.5.2), before the IPv4 one */

/* Round trips are counted in classes that are a sixteenth of a power of two wide. */
#define CLASS_BITS  4u
#define CLASS_PARTS (1u << CLASS_BITS)
#define CLASSES     (64u * CLASS_PARTS)
#define QUANTILE    0.99

struct round_trips {
    uint64_t count, sum, min, max; /* ns */
    uint64_t classes[CLASSES];
};

struct ping {
    struct saddle_session *session;
    struct saddle_channel *channel;
    const char *host;
    const char *socket;
    const char *engine;
    uint64_t limit; /* pings; 0: until a signal */
    size_t payload;
    double interval_s, timeout_s;
    bool quiet, json;
    int signals; /* signalfd */
    bool stopped;

    uint64_t sent, answered;
    bool greeted;                 /* the first line was printed */
    struct saddle_ping_info info; /* the latest that knows the flow */
    struct round_trips trips;
    uint64_t packets, resent; /* of the flow, during this run */
    char why[REASON_BYTES];   /* it cannot be reached */
    char error[REASON_BYTES]; /* of the latest ping that failed */
};

static void usage(FILE *to)
{
    fputs(
        "usage: saddle-ping [OPTION]... HOST\n"
        "\n"
        "Asks the engine of HOST for an answer, again and again, and tells how long it takes; or\n"
        "why HOST cannot be reached.\n"
        "\n"
        "  -c, --count NUMBER      stop after so many pings (default: at an interrupt)\n"
        "  -i, --interval SECONDS  from one ping to the next (default: 1)\n"
        "  -s, --size BYTES        payload of each ping (default: 56)\n"
        "  -W, --timeout SECONDS   wait so long for each answer (default: 5)\n"
        "  -q, --quiet             no line for each ping\n"
        "      --json              one JSON object at the end, and nothing else\n"
        "  -e, --engine NAME       use this engine of the daemon (default: $SADDLE_ENGINE, else\n"
        "                          the first)\n"
        "      --socket PATH       attach here (default: $SADDLE_SOCKET, else\n"
        "                          /run/saddle/attach.sock)\n"
        "  -h, --help              show this\n"
        "      --version           show the version\n"
        "\n"
        "Exit status: 0 all pings were answered, 1 some or none were, 2 wrong usage, 3 the daemon\n"
        "or HOST cannot be reached.\n",
        to);
}

static void wrong_usage(const char *what, const char *word)
{
    fprintf(stderr, "saddle-ping: %s%s\n", what, word);
    usage(stderr);
    exit(EXIT_USAGE);
}

/* ---- Options ---- */

static double parse_seconds(const char *word, double least, const char *what)
{
    char *end;
    double seconds = strtod(word, &end);

    if (*word == '\0' || *end != '\0' || !(seconds >= least && seconds <= SECONDS_MAX))
        wrong_usage(what, word);
    return seconds;
}

static unsigned long parse_number(const char *word, unsigned long least, unsigned long most,
                                  const char *what)
{
    char *end;
    unsigned long number = strtoul(word, &end, 10);

    if (*word < '0' || *word > '9' || *end != '\0' || number < least || number > most)
        wrong_usage(what, word);
    return number;
}

static void parse_option(struct ping *ping, int option)
{
    switch (option) {
    case 'c':
        ping->limit =
            parse_number(optarg, 1, COUNT_MAX, "--count takes a number from 1 to 1000000000, not ");
        break;
    case 'i':
        ping->interval_s = parse_seconds(optarg, INTERVAL_S_MIN,
                                         "--interval takes seconds from 0.001 to 86400, not ");
        break;
    case 's':
        ping->payload =
            parse_number(optarg, 0, UINT16_MAX, "--size takes bytes from 0 to 65535, not ");
        break;
    case 'W':
        ping->timeout_s = parse_seconds(optarg, TIMEOUT_S_MIN,
                                        "--timeout takes seconds from 0.001 to 86400, not ");
        break;
    case 'q':
        ping->quiet = true;
        break;
    case 'j':
        ping->json = true;
        break;
    case 'e':
        ping->engine = optarg;
        break;
    case 'S':
        ping->socket = optarg;
        break;
    case 'h':
        usage(stdout);
        exit(EXIT_SUCCESS);
    case 'v':
        printf("saddle-ping %d.%d.%d\n", SADDLE_VERSION_MAJOR, SADDLE_VERSION_MINOR,
               SADDLE_VERSION_PATCH);
        exit(EXIT_SUCCESS);
    default:
        usage(stderr);
        exit(EXIT_USAGE);
    }
}

static void parse(struct ping *ping, int count, char **words)
{
    static const struct option table[] = {
        {"count", required_argument, NULL, 'c'},
        {"interval", required_argument, NULL, 'i'},
        {"size", required_argument, NULL, 's'},
        {"timeout", required_argument, NULL, 'W'},
        {"quiet", no_argument, NULL, 'q'},
        {"json", no_argument, NULL, 'j'},
        {"engine", required_argument, NULL, 'e'},
        {"socket", required_argument, NULL, 'S'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(count, words, "c:i:s:W:qe:h", table, NULL)) != -1)
        parse_option(ping, option);
    if (count - optind != 1)
        wrong_usage("give one host", "");
    ping->host = words[optind];
}

/* ---- What was found out ---- */

/* The class of a round trip: its leading bit and the CLASS_BITS behind it. */
static uint32_t class_of(uint64_t ns)
{
    if (ns < CLASS_PARTS)
        return (uint32_t)ns;
    uint32_t bit = 63u - (uint32_t)__builtin_clzll(ns);
    return (bit - CLASS_BITS + 1) * CLASS_PARTS +
           (uint32_t)(ns >> (bit - CLASS_BITS) & (CLASS_PARTS - 1));
}

/* The first round trip that is beyond a class. */
static uint64_t class_end(uint32_t class)
{
    uint32_t power = class / CLASS_PARTS;

    if (power == 0)
        return class + 1;
    return (uint64_t)(CLASS_PARTS + class % CLASS_PARTS + 1) << (power - 1);
}

static void trips_add(struct round_trips *trips, uint64_t ns)
{
    if (trips->count == 0 || ns < trips->min)
        trips->min = ns;
    if (ns > trips->max)
        trips->max = ns;
    trips->sum += ns;
    trips->count++;
    trips->classes[class_of(ns)]++;
}

/* That of so many of them at most: to a sixteenth, and never beyond the longest. */
static uint64_t trips_quantile(const struct round_trips *trips, double quantile)
{
    uint64_t seen = 0;

    for (uint32_t class = 0; class < CLASSES; class ++) {
        seen += trips->classes[class];
        if (trips->classes[class] && (double)seen >= quantile * (double)trips->count)
            return class_end(class) - 1 < trips->max ? class_end(class) - 1 : trips->max;
    }
    return trips->max;
}

/* The counts begin with the flow: at 0 if this run opened it. */
static void learn(struct ping *ping, const struct saddle_ping_info *info)
{
    uint64_t packets = ping->info.packets_sent, resent = ping->info.packets_resent;

    if (info->called || info->packets_sent < packets)
        packets = resent = 0;
    else if (!ping->info.wire_version) {
        packets = info->packets_sent - 1; /* this ping's */
        resent = info->packets_resent;
    }
    ping->packets += info->packets_sent - packets;
    ping->resent += info->packets_resent > resent ? info->packets_resent - resent : 0;
    ping->info = *info;
}

static const char *address_text(const struct saddle_ping_info *info, char text[INET6_ADDRSTRLEN])
{
    static const uint8_t mapped[MAPPED_BYTES] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

    if (memcmp(info->address, mapped, sizeof(mapped)) == 0)
        inet_ntop(AF_INET, info->address + MAPPED_BYTES, text, INET6_ADDRSTRLEN);
    else
        inet_ntop(AF_INET6, info->address, text, INET6_ADDRSTRLEN);
    return text;
}

static bool address_known(const struct saddle_ping_info *info)
{
    static const uint8_t none[sizeof(info->address)];

    return memcmp(info->address, none, sizeof(none)) != 0;
}

/* ---- Why ---- */

/* Errors that say that the host cannot be reached, as opposed to one lost ping. */
static bool unreachable(int error, const struct saddle_ping_info *info)
{
    switch (error) {
    case -ENETDOWN:
    case -ENETUNREACH:
    case -EHOSTDOWN:
    case -EHOSTUNREACH:
    case -EPROTONOSUPPORT:
    case -EACCES:
        return true;
    default:
        return error == -ETIMEDOUT && info->wire_version == 0;
    }
}

static void explain_silence(const struct saddle_ping_info *info, char *text)
{
    char address[INET6_ADDRSTRLEN];

    if (!address_known(info))
        snprintf(text, REASON_BYTES, "it is neither an address nor a name that the daemon knows");
    else if (info->udp_port == 0)
        snprintf(text, REASON_BYTES, "%s is not a host that this engine can speak to",
                 address_text(info, address));
    else
        snprintf(text, REASON_BYTES,
                 "%s does not answer: no saddled is there, or a firewall drops UDP port %u",
                 address_text(info, address), info->udp_port);
}

static void explain(int error, const struct saddle_ping_info *info, size_t payload, char *text)
{
    switch (error) {
    case -ENETDOWN:
        snprintf(text, REASON_BYTES, "the link is down");
        return;
    case -ENETUNREACH:
        snprintf(text, REASON_BYTES,
                 "no route leads there, or the engine has no address of that family");
        return;
    case -EHOSTDOWN:
        snprintf(text, REASON_BYTES,
                 "no neighbour answers: neither the host nor a gateway to it is on the link");
        return;
    case -EHOSTUNREACH:
        explain_silence(info, text);
        return;
    case -EPROTONOSUPPORT:
        snprintf(text, REASON_BYTES, "no common version: its saddled is too old or too new");
        return;
    case -EACCES:
        snprintf(text, REASON_BYTES, "policy forbids it");
        return;
    case -ETIMEDOUT:
        if (info->wire_version == 0 && info->udp_port != 0)
            explain_silence(info, text);
        else
            snprintf(text, REASON_BYTES, "no answer in time");
        return;
    case -EMSGSIZE:
        snprintf(text, REASON_BYTES,
                 "%zu bytes do not fit into one packet: at MTU %u a ping carries at most %u",
                 payload, info->mtu, info->payload_max);
        return;
    case -EOPNOTSUPP:
        snprintf(text, REASON_BYTES,
                 "it can be reached, but its saddled is too old to answer pings");
        return;
    default:
        snprintf(text, REASON_BYTES, "%s", strerror(-error));
        return;
    }
}

/* ---- What is printed ---- */

static double percent(uint64_t part, uint64_t whole)
{
    return whole ? PERCENT * (double)part / (double)whole : 0;
}

static double microseconds(uint64_t ns)
{
    return (double)ns / NS_PER_US;
}

static void greet(struct ping *ping)
{
    char address[INET6_ADDRSTRLEN];

    if (ping->greeted || ping->json)
        return;
    ping->greeted = true;
    printf("%s (%s): %zu bytes of at most %u, MTU %u, wire version %u, ABI version %u, saddle"
           " %d.%d.%d\n",
           ping->host, address_text(&ping->info, address), ping->payload, ping->info.payload_max,
           ping->info.mtu, ping->info.wire_version, saddle_abi(ping->session), SADDLE_VERSION_MAJOR,
           SADDLE_VERSION_MINOR, SADDLE_VERSION_PATCH);
}

static void print_one(const struct ping *ping, const struct saddle_ping_info *info, const char *why)
{
    if (ping->quiet || ping->json)
        return;
    if (why)
        printf("%" PRIu64 ": %s\n", ping->sent, why);
    else
        printf("%" PRIu64 ": %.1f us%s\n", ping->sent, microseconds(info->round_trip_ns),
               info->called ? ", after HELLO" : "");
    fflush(stdout);
}

static void print_summary(const struct ping *ping)
{
    const struct round_trips *trips = &ping->trips;

    printf("%" PRIu64 " pings, %" PRIu64 " answered, %" PRIu64 " not (%.1f %%)\n", ping->sent,
           ping->answered, ping->sent - ping->answered,
           percent(ping->sent - ping->answered, ping->sent));
    printf("%" PRIu64 " packets, %" PRIu64 " sent again (%.1f %%)\n", ping->packets, ping->resent,
           percent(ping->resent, ping->packets));
    if (trips->count)
        printf("round trip min/avg/max/p99 = %.1f/%.1f/%.1f/%.1f us\n", microseconds(trips->min),
               microseconds(trips->sum) / (double)trips->count, microseconds(trips->max),
               microseconds(trips_quantile(trips, QUANTILE)));
}

static void print_string(const char *name, const char *text)
{
    printf("\"%s\": ", name);
    if (!text) {
        printf("null, ");
        return;
    }
    putchar('"');
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at == '"' || *at == '\\')
            printf("\\%c", *at);
        else if (*at < ' ')
            printf("\\u%04x", *at);
        else
            putchar(*at);
    }
    printf("\", ");
}

static void print_json(const struct ping *ping)
{
    const struct round_trips *trips = &ping->trips;
    const struct saddle_ping_info *info = &ping->info;
    char address[INET6_ADDRSTRLEN];

    putchar('{');
    print_string("host", ping->host);
    print_string("address", address_known(info) ? address_text(info, address) : NULL);
    print_string("unreachable", ping->why[0] ? ping->why : NULL);
    print_string("error", ping->error[0] ? ping->error : NULL);
    printf("\"saddle\": \"%d.%d.%d\", \"abi\": %u, \"wire\": %u, \"mtu\": %u, \"payload\": %zu, "
           "\"payload_max\": %u, ",
           SADDLE_VERSION_MAJOR, SADDLE_VERSION_MINOR, SADDLE_VERSION_PATCH,
           ping->session ? saddle_abi(ping->session) : 0, info->wire_version, info->mtu,
           ping->payload, info->payload_max);
    printf("\"pings\": %" PRIu64 ", \"answered\": %" PRIu64 ", \"packets\": %" PRIu64
           ", \"packets_sent_again\": %" PRIu64 ", \"round_trip_us\": ",
           ping->sent, ping->answered, ping->packets, ping->resent);
    if (trips->count)
        printf("{\"min\": %.3f, \"avg\": %.3f, \"max\": %.3f, \"p99\": %.3f}}\n",
               microseconds(trips->min), microseconds(trips->sum) / (double)trips->count,
               microseconds(trips->max), microseconds(trips_quantile(trips, QUANTILE)));
    else
        printf("null}\n");
}

/* The end of a run that could not even begin. */
static void give_up(struct ping *ping, const char *why, int status)
{
    if (ping->json) {
        snprintf(ping->why, sizeof(ping->why), "%s", why);
        print_json(ping);
    } else {
        fprintf(stderr, "saddle-ping: %s\n", why);
    }
    saddle_detach(ping->session);
    exit(status);
}

/* ---- Pinging ---- */

static void attach(struct ping *ping)
{
    const struct saddle_attach_options options = {.size = sizeof(options),
                                                  .socket = ping->socket,
                                                  .engine = ping->engine,
                                                  .application = "saddle-ping"};
    char reason[REASON_BYTES];

    if (saddle_attach(&ping->session, &options, reason, sizeof(reason)) != 0)
        give_up(ping, reason, EXIT_UNREACHED);
    ping->channel = saddle_channel(ping->session, 0);
}

static void watch_signals(struct ping *ping)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    ping->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (ping->signals < 0)
        give_up(ping, "signals cannot be watched", EXIT_FAILURE);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Sleeps until an event comes (1), `end_ns` passes or a signal arrives (0); or ends with the
 * session. */
static int await(struct ping *ping, uint64_t end_ns, struct saddle_completion *event)
{
    for (;;) {
        struct pollfd watched[] = {{.fd = ping->signals, .events = POLLIN},
                                   {.fd = saddle_fd(ping->channel), .events = POLLIN}};
        int count = saddle_poll(ping->channel, event, 1);
        uint64_t now = now_ns();

        if (count == 0) {
            int ready = saddle_arm(ping->channel);
            if (ready > 0)
                continue;
            count = ready;
        }
        if (count < 0)
            give_up(ping, saddle_strerror(ping->session), EXIT_UNREACHED);
        if (count > 0)
            return 1;
        if (now >= end_ns) {
            saddle_disarm(ping->channel);
            return 0;
        }
        uint64_t left_ms = (end_ns - now + NS_PER_MS - 1) / NS_PER_MS;
        poll(watched, 2, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms);
        saddle_disarm(ping->channel);
        if (watched[0].revents) {
            ping->stopped = true;
            return 0;
        }
    }
}

/* One ping: its outcome; -EINTR if a signal came first. */
static int ask(struct ping *ping, struct saddle_ping_info *info)
{
    const struct saddle_op op = {.size = sizeof(op),
                                 .tag = ping->sent,
                                 .timeout_ns = (uint64_t)(ping->timeout_s * (double)NS_PER_S)};
    struct saddle_completion event;
    int error = saddle_ping(ping->channel, ping->host, ping->payload, &op);

    if (error)
        give_up(ping, saddle_strerror(ping->session),
                error == -EINVAL ? EXIT_USAGE : EXIT_UNREACHED);
    if (!await(ping, UINT64_MAX, &event))
        return -EINTR;
    *info = (struct saddle_ping_info){.size = sizeof(*info)};
    if (saddle_pinged(&event, info) != 0)
        give_up(ping, saddle_strerror(ping->session), EXIT_FAILURE);
    return event.status;
}

/* Says what became of one ping: false if another makes no sense. */
static bool tell(struct ping *ping, int status, const struct saddle_ping_info *info)
{
    char *why = ping->error;

    if (info->wire_version)
        learn(ping, info);
    else if (!ping->info.wire_version)
        ping->info = *info;
    if (info->wire_version)
        greet(ping);
    if (status == 0) {
        ping->answered++;
        trips_add(&ping->trips, info->round_trip_ns);
        print_one(ping, info, NULL);
        return true;
    }
    explain(status, info, ping->payload, why);
    if (ping->answered == 0 && unreachable(status, info)) {
        char line[2 * REASON_BYTES];
        snprintf(line, sizeof(line), "%s cannot be reached: %s", ping->host, why);
        give_up(ping, line, EXIT_UNREACHED);
    }
    print_one(ping, info, why);
    return status != -EMSGSIZE && status != -EOPNOTSUPP;
}

static void run(struct ping *ping)
{
    uint64_t interval_ns = (uint64_t)(ping->interval_s * (double)NS_PER_S);
    uint64_t next_ns = now_ns();
    struct saddle_completion event;
    struct saddle_ping_info info;

    while (!ping->stopped && (ping->limit == 0 || ping->sent < ping->limit)) {
        ping->sent++;
        int status = ask(ping, &info);
        /* The host had forgotten the flow, or was started anew: once more on a new one. */
        if (status == -ECONNRESET)
            status = ask(ping, &info);
        if (status == -EINTR) {
            ping->sent--;
            return;
        }
        if (!tell(ping, status, &info))
            return;
        next_ns += interval_ns;
        if (ping->sent == ping->limit)
            return;
        await(ping, next_ns, &event);
        if (next_ns < now_ns())
            next_ns = now_ns();
    }
}

int main(int count, char **words)
{
    static struct ping ping = {.payload = PAYLOAD_BYTES,
                               .interval_s = INTERVAL_S,
                               .timeout_s = TIMEOUT_S};

    parse(&ping, count, words);
    attach(&ping);
    watch_signals(&ping);
    run(&ping);
    if (ping.json)
        print_json(&ping);
    else
        print_summary(&ping);
    saddle_detach(ping.session);
    return ping.sent > 0 && ping.answered == ping.sent ? EXIT_SUCCESS : EXIT_FAILURE;
}
