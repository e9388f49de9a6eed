/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * An application without the library: attaches by hand and writes the shared memory itself, so that
 * it can write what the library never would.
 *
 * Whatever a test did not ask for ends the program with one line on standard error. Threads: one.
 */
#ifndef TESTS_SYSTEM_RAW_H
#define TESTS_SYSTEM_RAW_H

#include <stdint.h>

#include <saddle/abi.h>

#define RAW_ENTRIES         64u /* of each queue; one channel */
#define RAW_HEAP            (1u << 20)
#define RAW_SLOTS           16u
#define RAW_DESCRIPTORS_MAX (1 + 2 * SADDLE_CHANNELS_MAX)

struct raw {
    int socket;
    int arena_fd;
    int engine_bell; /* eventfd */
    int bell;        /* rung by the engine */
    uint8_t *arena;
    struct saddle_attach_reply reply;
    uint32_t commands; /* position of the next command */
    uint32_t events;   /* position of the next event */
};

void raw_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* A connection to the attach socket, and a request without a lie in it. */
int raw_connect(const char *path);
struct saddle_attach_request raw_request(const char *engine);
/* Waits for the reply; returns its error. */
int raw_receive(struct raw *raw);
/* All of it; the daemon has to accept. */
void raw_attach_as(struct raw *raw, const char *path, const struct saddle_attach_request *request);
void raw_attach(struct raw *raw, const char *path, const char *engine);
/* Gives everything back; for a session that the daemon closed, too. */
void raw_leave(struct raw *raw);

/* Parts of the arena. */
struct saddle_queue_header *raw_command_queue(const struct raw *raw);
struct saddle_queue_header *raw_completion_queue(const struct raw *raw);
/* The next command's entry, all zero but its sequence word. */
struct saddle_command *raw_command(struct raw *raw);
/* Publishes it and rings. */
void raw_publish(struct raw *raw);
void raw_ring(const struct raw *raw);

/* Waits for the next event: 0, or the error the session was closed with. */
int raw_event(struct raw *raw, struct saddle_event *event);
/* The same without waiting: 1 with an event, 0. */
int raw_poll(struct raw *raw, struct saddle_event *event);
/* Publishes and waits for the command's own completion, which must be next: its status, or the
 * error the session was closed with. */
int raw_call(struct raw *raw, struct saddle_event *event);

/* Commands that are no lie. */
int raw_nop(struct raw *raw);
uint32_t raw_listen(struct raw *raw, const char *service);
/* `to` has a listener for `service` on `host`: makes a connection and returns both handles. */
void raw_join(struct raw *from, struct raw *to, const char *host, const char *service,
              uint32_t handles[2]);

#endif
