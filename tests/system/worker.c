/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Known work: an application with a session on alpha that reads, by one-sided operations, what
 * another session of its own on beta exposes. All that alpha does for it is caused by the first,
 * all that beta does by the second.
 *
 *     worker SOCKET SERVICE
 *
 * Prints "ready"; for each line on standard input, a number, does so many rounds of ROUND reads at
 * a time, compares every byte, and prints how many reads it has completed so far. Ends in order at
 * the end of input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <saddle/saddle.h>

#define PATIENCE_MS 60000 /* for one event; far above what a busy machine takes */
#define ROUND       128u  /* reads: what is paid once for a burst is little beside them */
#define READ_BYTES  100u  /* so that what several workers touch stays in the caches */
#define LINE_BYTES  32

struct side {
    struct saddle_session *session;
    struct saddle_channel *channel;
    saddle_handle handle;
    uint8_t *memory;
};

static struct side reader, owner;
static saddle_key key;
static unsigned long long completed;

static void require(int ok, const char *what, long result)
{
    if (ok)
        return;
    fprintf(stderr, "worker: %s: %ld (%s)\n", what, result, saddle_strerror(NULL));
    exit(EXIT_FAILURE);
}

static void attach(struct side *side, const char *socket, const char *engine)
{
    const struct saddle_attach_options options = {
        .size = sizeof(options), .socket = socket, .engine = engine, .application = "worker"};
    char reason[256] = "";
    int error = saddle_attach(&side->session, &options, reason, sizeof(reason));

    require(error == 0, reason, error);
    side->channel = saddle_channel(side->session, 0);
    side->memory = saddle_alloc(side->session, (size_t)ROUND * READ_BYTES);
    require(side->memory != NULL, "alloc", 0);
}

static void await(struct side *side, uint8_t kind, const char *what,
                  struct saddle_completion *event)
{
    int ready = saddle_wait(side->channel, PATIENCE_MS);

    require(ready == 1, what, ready);
    require(saddle_poll(side->channel, event, 1) == 1, what, 0);
    require(event->kind == kind, what, event->kind);
    require(event->status == 0, what, event->status);
}

static void join(const char *service)
{
    struct saddle_completion event;
    int error = saddle_listen_wait(owner.channel, service, PATIENCE_MS, &owner.handle);

    require(error == 0, "listen", error);
    error = saddle_connect(reader.channel, "beta", service, NULL);
    require(error == 0, "connect", error);
    saddle_flush(reader.channel);
    error = saddle_accept_wait(owner.channel, owner.handle, PATIENCE_MS, &owner.handle);
    require(error == 0, "accept", error);
    await(&reader, SADDLE_DONE, "connected", &event);
    reader.handle = event.handle;
    for (size_t i = 0; i < (size_t)ROUND * READ_BYTES; i++)
        owner.memory[i] = (uint8_t)(i * 7 + (i >> 8));
    error = saddle_expose_wait(owner.channel, owner.memory, (size_t)ROUND * READ_BYTES,
                               SADDLE_READABLE, PATIENCE_MS, &key);
    require(error == 0, "expose", error);
}

static void read_round(void)
{
    struct saddle_completion event;

    memset(reader.memory, 0, (size_t)ROUND * READ_BYTES);
    for (uint64_t i = 0; i < ROUND; i++) {
        const struct saddle_op op = {.size = sizeof(op), .tag = i};
        int error = saddle_read(reader.channel, reader.handle, key, i * READ_BYTES,
                                reader.memory + i * READ_BYTES, READ_BYTES, &op);
        require(error == 0, "read", error);
    }
    saddle_flush(reader.channel);
    for (uint32_t i = 0; i < ROUND; i++) {
        await(&reader, SADDLE_DONE, "reading", &event);
        require(memcmp(reader.memory + event.tag * READ_BYTES,
                       owner.memory + event.tag * READ_BYTES, READ_BYTES) == 0,
                "a wrong byte in read", (long)event.tag);
        completed++;
    }
}

int main(int argc, char **argv)
{
    char line[LINE_BYTES];

    if (argc != 3)
        return EXIT_FAILURE;
    attach(&reader, argv[1], "alpha");
    attach(&owner, argv[1], "beta");
    join(argv[2]);
    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin)) {
        for (long rounds = atol(line); rounds > 0; rounds--)
            read_round();
        printf("%llu\n", completed);
        fflush(stdout);
    }
    saddle_detach(reader.session);
    saddle_detach(owner.session);
    return EXIT_SUCCESS;
}
