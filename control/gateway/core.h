/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC's C core as a server of calls that are bytes. The only file of the server that knows the
 * core, whose interface its authors call unstable.
 *
 * Ownership: one for the life of the process. The core owns its connections, and a call until
 * core_call_free. Threads: core_run is
 * called by one thread, which takes the user's lock whenever it touches a call and calls the
 * handlers with it; the functions for calls are for whoever holds that lock. Trust: clients are
 * strangers; the core bounds what they can make it hold by the limits below.
 */
#ifndef CONTROL_GATEWAY_CORE_H
#define CONTROL_GATEWAY_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CORE_STREAMS_MAX  128u        /* calls at a time on one connection */
#define CORE_METADATA_MAX (16u << 10) /* bytes of a call's headers */
#define CORE_MEMORY_MAX   (64u << 20) /* bytes of what has arrived and is not whole yet, of all */

struct core;
struct core_call;

struct core_refusal {
    int status;
    const char *text;
};

struct core_handlers {
    void (*lock)(void *gateway);
    void (*unlock)(void *gateway);
    /* A call has begun on the connection with descriptor `fd`; `method`, without the first slash,
     * is one that the link carries. Returns the call's context; NULL refuses it, with gRPC's code
     * and a static text in `refusal`. */
    void *(*begun)(void *gateway, struct core_call *call, const char *method, int fd,
                   struct core_refusal *refusal);
    /* One request has arrived, or the client sends no more (`bytes` NULL). The next one is read
     * after core_call_receive. */
    void (*received)(void *gateway, void *context, const uint8_t *bytes, size_t length);
    /* The answer that core_call_send was given has gone. */
    void (*sent)(void *gateway, void *context);
    /* The client is gone, cancelled, or its deadline has passed; or all is over in order. */
    void (*closed)(void *gateway, void *context, bool cancelled);
    /* Nothing of the call is under way in the core, which may be said more than once. In this
     * handler alone the call may be freed. */
    void (*idle)(void *gateway, void *context);
};

/* 0 or -ENOMEM. */
int core_create(struct core **core, const struct core_handlers *handlers, void *gateway);
/* A client's connection, which the core owns from now on. */
void core_connect(struct core *core, int fd);
/* Serves until the process ends. */
void core_run(struct core *core) __attribute__((noreturn));

/* Asks for the next request. */
void core_call_receive(struct core_call *call);
/* Sends an answer; one at a time. */
void core_call_send(struct core_call *call, const uint8_t *bytes, size_t length);
/* Sends the end of the call. */
void core_call_end(struct core_call *call, int status, const char *text);
/* Whether operations are under way. */
bool core_call_busy(const struct core_call *call);
/* When it is not busy. */
void core_call_free(struct core_call *call);

#endif
