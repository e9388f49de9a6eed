/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A file to another host. `copy SERVICE FILE` waits for one file and writes it;
 * `copy HOST SERVICE FILE` sends one there.
 *
 * Several chunks of 1 MiB are on their way at a time, each in memory of the arena: the file is read
 * into it and written out of it, and nothing in between copies it. The conversation: the file's
 * size in 8 bytes, the chunks in order, and one byte back once all of it is written.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <saddle/saddle.h>

#define CHUNK_BYTES (1u << 20)
#define CHUNKS      8u    /* on their way at a time */
#define EVENTS      16    /* taken at a time */
#define CONNECT_MS  5000  /* until the other side answers */
#define SILENCE_MS  30000 /* nothing for so long ends it */
#define ALL_FREE    ((1u << CHUNKS) - 1)

struct copy {
    struct saddle_session *session;
    struct saddle_channel *channel;
    saddle_handle peer;
    uint8_t *chunks;
    int file;
    uint64_t bytes; /* the file's size */
    uint64_t done;  /* read and sent, or received and written */
};

static int fail(const struct copy *copy, const char *what)
{
    fprintf(stderr, "copy: %s: %s\n", what, saddle_strerror(copy->session));
    return 1;
}

static int fail_file(const char *what)
{
    fprintf(stderr, "copy: %s: %s\n", what, errno ? strerror(errno) : "cut short");
    return 1;
}

/* The next events, once there are any: how many, or -1 with a line printed. */
static int take(struct copy *copy, struct saddle_completion *events)
{
    int count = saddle_poll(copy->channel, events, EVENTS);

    if (count == 0 && saddle_wait(copy->channel, SILENCE_MS) > 0)
        count = saddle_poll(copy->channel, events, EVENTS);
    if (count > 0)
        return count;
    if (count == 0)
        fprintf(stderr, "copy: the other side fell silent\n");
    else
        fail(copy, "waiting");
    return -1;
}

/* ---- Sending ---- */

static int send_chunk(struct copy *copy, uint32_t chunk)
{
    struct saddle_op op = {.size = sizeof(op), .tag = chunk};
    uint8_t *bytes = copy->chunks + (size_t)chunk * CHUNK_BYTES;
    uint64_t left = copy->bytes - copy->done;
    size_t len = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;

    errno = 0;
    if (pread(copy->file, bytes, len, (off_t)copy->done) != (ssize_t)len)
        return fail_file("reading");
    if (saddle_send(copy->channel, copy->peer, bytes, len, &op) != 0)
        return fail(copy, "sending");
    copy->done += len;
    return 0;
}

/* One event of the sender's: 0, or 1 with a line printed. */
static int send_event(struct copy *copy, const struct saddle_completion *event, uint32_t *idle,
                      int *written)
{
    if (event->kind == SADDLE_DONE && event->status == 0) {
        *idle |= 1u << event->tag;
        return 0;
    }
    if (event->kind == SADDLE_MESSAGE) {
        /* The one byte. It may come before the last completion. */
        *written = 1;
        saddle_release(copy->channel, event);
        return 0;
    }
    fprintf(stderr, "copy: sending: %s\n",
            event->status ? strerror(-event->status) : "the other side hung up");
    return 1;
}

static int send_file(struct copy *copy)
{
    struct saddle_completion events[EVENTS];
    uint32_t idle = ALL_FREE; /* bit per chunk */
    int written = 0;

    if (saddle_send_wait(copy->channel, copy->peer, &copy->bytes, sizeof(copy->bytes),
                         CONNECT_MS) != 0)
        return fail(copy, "sending");
    while (!written || idle != ALL_FREE) {
        int count;

        while (idle && copy->done < copy->bytes) {
            uint32_t chunk = (uint32_t)__builtin_ctz(idle);

            if (send_chunk(copy, chunk) != 0)
                return 1;
            idle &= ~(1u << chunk);
        }
        count = take(copy, events);
        if (count < 0)
            return 1;
        for (int at = 0; at < count; at++)
            if (send_event(copy, &events[at], &idle, &written) != 0)
                return 1;
    }
    return 0;
}

/* ---- Receiving ---- */

static int post_chunk(struct copy *copy, uint64_t chunk)
{
    struct saddle_op op = {.size = sizeof(op), .tag = chunk};

    return saddle_post_recv(copy->channel, copy->peer, copy->chunks + chunk * CHUNK_BYTES,
                            CHUNK_BYTES, &op);
}

static int write_chunk(struct copy *copy, const void *bytes, size_t len)
{
    errno = 0;
    if (len > copy->bytes - copy->done ||
        pwrite(copy->file, bytes, len, (off_t)copy->done) != (ssize_t)len)
        return fail_file("writing");
    copy->done += len;
    return 0;
}

static int receive_event(struct copy *copy, const struct saddle_completion *event)
{
    int error;

    switch (event->kind) {
    case SADDLE_DONE:
        if (event->status != 0)
            return fprintf(stderr, "copy: receiving: %s\n", strerror(-event->status)), 1;
        error = write_chunk(copy, copy->chunks + event->tag * CHUNK_BYTES, event->len);
        if (!error && copy->done < copy->bytes && post_chunk(copy, event->tag) != 0)
            error = fail(copy, "receiving");
        return error;
    case SADDLE_MESSAGE: /* the last chunk, if it is too short to need a posted buffer */
        error = write_chunk(copy, event->data, event->len);
        saddle_release(copy->channel, event);
        return error;
    case SADDLE_WAITING: /* a buffer is about to be posted */
        return 0;
    default:
        return fprintf(stderr, "copy: the other side hung up\n"), 1;
    }
}

static int receive_file(struct copy *copy)
{
    struct saddle_completion events[EVENTS];
    char end;

    if (saddle_recv_wait(copy->channel, copy->peer, &copy->bytes, sizeof(copy->bytes),
                         SILENCE_MS) != sizeof(copy->bytes))
        return fail(copy, "receiving the size");
    for (uint32_t chunk = 0; chunk < CHUNKS; chunk++)
        if (post_chunk(copy, chunk) != 0)
            return fail(copy, "receiving");
    while (copy->done < copy->bytes) {
        int count = take(copy, events);

        if (count < 0)
            return 1;
        for (int at = 0; at < count; at++)
            if (receive_event(copy, &events[at]) != 0)
                return 1;
    }
    if (close(copy->file) != 0)
        return fail_file("writing");
    if (saddle_send_wait(copy->channel, copy->peer, "", 1, CONNECT_MS) != 0)
        return fail(copy, "saying that all is written");
    /* The sender hangs up first: then it has the byte. */
    if (saddle_recv_wait(copy->channel, copy->peer, &end, sizeof(end), SILENCE_MS) != 0)
        return fail(copy, "hanging up");
    return 0;
}

/* ---- Both ---- */

static int open_file(struct copy *copy, const char *path, int sending)
{
    struct stat status = {.st_size = 0};

    copy->file = sending ? open(path, O_RDONLY) : open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (copy->file < 0 || (sending && fstat(copy->file, &status) != 0))
        return fail_file(path);
    copy->bytes = (uint64_t)status.st_size;
    return 0;
}

static int find_peer(struct copy *copy, char **words, int sending)
{
    saddle_handle listener;

    if (sending)
        return saddle_connect_wait(copy->channel, words[0], words[1], CONNECT_MS, &copy->peer);
    if (saddle_listen_wait(copy->channel, words[0], CONNECT_MS, &listener) != 0 ||
        saddle_accept_wait(copy->channel, listener, -1, &copy->peer) != 0)
        return -1;
    return saddle_close_wait(copy->channel, listener, CONNECT_MS);
}

int main(int argc, char **argv)
{
    const struct saddle_attach_options options = {.size = sizeof(options),
                                                  .heap_bytes = (CHUNKS + 1) * CHUNK_BYTES};
    struct copy copy = {.done = 0};
    int sending = argc == 4;
    char reason[200];
    int status;

    if (argc != 3 && argc != 4)
        return fprintf(stderr, "usage: copy SERVICE FILE | copy HOST SERVICE FILE\n"), 2;
    if (open_file(&copy, argv[argc - 1], sending) != 0)
        return 1;
    if (saddle_attach(&copy.session, &options, reason, sizeof(reason)) != 0)
        return fprintf(stderr, "copy: %s\n", reason), 1;
    copy.channel = saddle_channel(copy.session, 0);
    copy.chunks = (uint8_t *)saddle_alloc(copy.session, (size_t)CHUNKS * CHUNK_BYTES);
    if (!copy.chunks || find_peer(&copy, argv + 1, sending) != 0)
        status = fail(&copy, "connecting");
    else
        status = sending ? send_file(&copy) : receive_file(&copy);
    if (status == 0 && saddle_close_wait(copy.channel, copy.peer, CONNECT_MS) != 0)
        status = fail(&copy, "closing");
    saddle_detach(copy.session);
    return status;
}
