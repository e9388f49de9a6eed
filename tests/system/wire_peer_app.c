/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * An application that does what it is told on standard input, a line for each thing, and says on
 * standard output what came of it: "0", with what was asked for behind it, or an errno's name.
 *
 *     listen SERVICE    connect HOST SERVICE    send TEXT    expose TEXT    read KEY BYTES
 *     accept            close                   receive      look           write KEY TEXT
 *     ping HOST BYTES   fill BYTES
 *
 * The last listener accepts; the last connection, called or accepted, is used. What is exposed may
 * be read and written by peers, and looked at here. `fill` sends a message of as many letters.
 * `receive` says 0 alone when the peer has hung up.
 *
 * wire-peer-app SOCKET ENGINE. Ends in order at the end of input.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <saddle/saddle.h>

#define PATIENCE_MS  60000
#define LINE_BYTES   20000 /* of a command, the longest message included */
#define REASON_BYTES 256
#define REGION_BYTES 4096

static struct saddle_session *session;
static struct saddle_channel *channel;
static saddle_handle listener, connection;
static char *region, *buffer; /* REGION_BYTES, LINE_BYTES in the arena */

static void say(int64_t error, const char *more)
{
    if (error < 0)
        puts(strerrorname_np((int)-error));
    else if (more)
        printf("0 %s\n", more);
    else
        puts("0");
    fflush(stdout);
}

/* The outcome of the operation that was just submitted, if it was accepted: its event is taken. */
static int64_t await(int error, struct saddle_completion *event)
{
    while (!error) {
        int count = saddle_poll(channel, event, 1);

        if (count == 1 && event->kind == SADDLE_DONE)
            return event->status;
        if (count < 0 || (count == 0 && saddle_wait(channel, PATIENCE_MS) <= 0))
            return -ETIMEDOUT;
    }
    return error;
}

static void expose(const char *text)
{
    struct saddle_completion event;
    char key[32];
    int64_t error;

    snprintf(region, REGION_BYTES, "%s", text);
    error =
        await(saddle_expose(channel, region, REGION_BYTES, SADDLE_READABLE | SADDLE_WRITABLE, NULL),
              &event);
    snprintf(key, sizeof(key), "%" PRIu64, error ? 0 : event.value);
    say(error, key);
}

static void read_region(const char *key, const char *bytes)
{
    struct saddle_completion event;
    size_t len = strtoul(bytes, NULL, 10);
    int64_t error;

    memset(buffer, 0, LINE_BYTES);
    error = await(saddle_read(channel, connection, strtoull(key, NULL, 10), 0, buffer,
                              len < LINE_BYTES ? len : LINE_BYTES - 1, NULL),
                  &event);
    say(error, buffer);
}

static void write_region(const char *key, const char *text)
{
    struct saddle_completion event;

    snprintf(buffer, LINE_BYTES, "%s", text);
    say(await(saddle_write(channel, connection, strtoull(key, NULL, 10), 0, buffer, strlen(buffer),
                           NULL),
              &event),
        NULL);
}

static void receive(void)
{
    static char text[LINE_BYTES];
    int64_t len = saddle_recv_wait(channel, connection, text, sizeof(text) - 1, PATIENCE_MS);

    if (len > 0)
        text[len] = '\0';
    say(len, len > 0 ? text : NULL);
}

static void fill(size_t bytes)
{
    if (bytes > LINE_BYTES)
        bytes = LINE_BYTES;
    memset(buffer, 'f', bytes);
    say(saddle_send_wait(channel, connection, buffer, bytes, PATIENCE_MS), NULL);
}

/* `first` and `rest` are what follows the command, or empty. */
static void obey(const char *command, const char *first, const char *rest)
{
    if (strcmp(command, "listen") == 0)
        say(saddle_listen_wait(channel, first, PATIENCE_MS, &listener), NULL);
    else if (strcmp(command, "accept") == 0)
        say(saddle_accept_wait(channel, listener, PATIENCE_MS, &connection), NULL);
    else if (strcmp(command, "connect") == 0)
        say(saddle_connect_wait(channel, first, rest, PATIENCE_MS, &connection), NULL);
    else if (strcmp(command, "close") == 0)
        say(saddle_close_wait(channel, connection, PATIENCE_MS), NULL);
    else if (strcmp(command, "send") == 0)
        say(saddle_send_wait(channel, connection, first, strlen(first), PATIENCE_MS), NULL);
    else if (strcmp(command, "fill") == 0)
        fill(strtoul(first, NULL, 10));
    else if (strcmp(command, "receive") == 0)
        receive();
    else if (strcmp(command, "expose") == 0)
        expose(first);
    else if (strcmp(command, "look") == 0)
        say(0, region);
    else if (strcmp(command, "read") == 0)
        read_region(first, rest);
    else if (strcmp(command, "write") == 0)
        write_region(first, rest);
    else if (strcmp(command, "ping") == 0)
        say(saddle_ping_wait(channel, first, strtoul(rest, NULL, 10), PATIENCE_MS, NULL), NULL);
    else
        say(-EINVAL, NULL);
}

int main(int argc, char **argv)
{
    struct saddle_attach_options options = {.size = sizeof(options)};
    static char line[LINE_BYTES];
    char reason[REASON_BYTES] = "";

    if (argc != 3)
        return fprintf(stderr, "usage: wire-peer-app SOCKET ENGINE\n"), 2;
    options.socket = argv[1];
    options.engine = argv[2];
    if (saddle_attach(&session, &options, reason, sizeof(reason)))
        return fprintf(stderr, "wire-peer-app: %s\n", reason), 1;
    channel = saddle_channel(session, 0);
    region = saddle_alloc(session, REGION_BYTES);
    buffer = saddle_alloc(session, LINE_BYTES);
    if (!region || !buffer)
        return fprintf(stderr, "wire-peer-app: no memory\n"), 1;
    while (fgets(line, sizeof(line), stdin)) {
        char *rest = line;
        const char *command, *first;

        line[strcspn(line, "\n")] = '\0';
        command = strsep(&rest, " ");
        first = strsep(&rest, " ");
        obey(command, first ? first : "", rest ? rest : "");
    }
    saddle_detach(session);
    return 0;
}
