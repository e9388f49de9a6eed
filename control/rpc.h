/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls from operators, on the daemon's side: finds the method, checks the caller's role, unpacks
 * the request, has it handled, packs the answer.
 *
 * Modules (module.h) bring tables of methods. A method is unary, or streams its answers
 * (`stream`), or takes several requests too (`converse`: only reflection does).
 *
 * Ownership: struct rpc owns the calls; a handler may keep a struct rpc_call until rpc_end, or
 * until its `gone` was called, whichever is first. Threads: control's. Trust: requests are
 * strangers' bytes. They are bounded before they are unpacked (LINK_REQUEST_MAX), and unpacking is
 * bounded in memory (RPC_UNPACK_MAX) and depth; answers that the client does not take wait in `rpc`
 * up to a bound per call.
 *
 * A unary method:
 *
 *     static void list(void *module, struct rpc_call *call, const ProtobufCMessage *request)
 *     {
 *         Saddle__V1__ListModulesResponse answer = SADDLE__V1__LIST_MODULES_RESPONSE__INIT;
 *         ...
 *         rpc_answer(call, &answer.base);
 *     }
 */
#ifndef CONTROL_RPC_H
#define CONTROL_RPC_H

#include "control/link.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#define RPC_UNPACK_MAX (16u << 20) /* bytes that one request may become in memory */
#define RPC_DEPTH_MAX  32u         /* messages within messages */
#define RPC_QUEUE_MAX  (1u << 20)  /* bytes of a stream's answers that wait for credit */

/* Status codes as gRPC numbers them (grpc/status.h, which the daemon does not see). */
enum rpc_status {
    RPC_OK = 0,
    RPC_CANCELLED = 1,
    RPC_UNKNOWN = 2,
    RPC_INVALID_ARGUMENT = 3,
    RPC_DEADLINE_EXCEEDED = 4,
    RPC_NOT_FOUND = 5,
    RPC_ALREADY_EXISTS = 6,
    RPC_PERMISSION_DENIED = 7,
    RPC_RESOURCE_EXHAUSTED = 8,
    RPC_FAILED_PRECONDITION = 9,
    RPC_ABORTED = 10,
    RPC_OUT_OF_RANGE = 11,
    RPC_UNIMPLEMENTED = 12,
    RPC_INTERNAL = 13,
    RPC_UNAVAILABLE = 14,
};

struct rpc;
struct rpc_call;

/* A handler gets each request once; it answers now or later. */
typedef void rpc_handler(void *module, struct rpc_call *call, const ProtobufCMessage *request);

struct rpc_method {
    const char *name; /* "saddle.v1.System/GetStatus" */
    enum link_role role;
    const ProtobufCMessageDescriptor *request; /* NULL: it is not looked at */
    rpc_handler *handle;
    bool stream;   /* any number of answers */
    bool converse; /* any number of requests as well */
    /* The client is gone, cancelled or broke a rule before rpc_end: the call is not valid
     * afterwards. NULL: the handler keeps no call beyond its return. */
    void (*gone)(void *module, struct rpc_call *call);
    /* The client of a conversation sends no more: usually rpc_end(call, RPC_OK, NULL). */
    void (*finished)(void *module, struct rpc_call *call);
};

/* Methods of one module. */
struct rpc_service {
    const struct rpc_method *methods;
    uint32_t method_count;
    void *module;
};

struct rpc_stats {
    uint64_t calls;     /* begun */
    uint64_t refused;   /* unknown method, role, malformed, too large */
    uint64_t failed;    /* ended with another status than OK */
    uint64_t cancelled; /* by the client */
    uint64_t dropped;   /* answers of streams that a slow client missed */
    uint32_t open;
    uint64_t turned_away[LINK_REFUSAL_COUNT]; /* connections, by saddle-control */
};

/* 0 or -ENOMEM. `services` are borrowed. */
int rpc_create(struct rpc **rpc, const struct rpc_service *services, uint32_t service_count);
/* Ends every call (`gone`). NULL is fine. */
void rpc_destroy(struct rpc *rpc);

/* A new link, which takes the place of one that is gone; `link` is the rpc's from now on. */
void rpc_attach(struct rpc *rpc, struct link link);
/* Every open call is over (`gone`); the link is closed. */
void rpc_detach(struct rpc *rpc);
/* Whether rpc_work wants to write (watch for EPOLLOUT as well). */
bool rpc_wants_write(const struct rpc *rpc);
/* Reads and writes what can be. 0, -EPIPE (the other side is gone) or -EPROTO (it broke a rule); in
 * both cases rpc_detach is due. Bounded work: it may be called again at once. */
int rpc_work(struct rpc *rpc);
void rpc_stats(const struct rpc *rpc, struct rpc_stats *stats);

/* The tables, for reflection and listings. */
const struct rpc_service *rpc_services(const struct rpc *rpc, uint32_t *count);

/* ---- For handlers ---- */

const struct link_caller *rpc_caller(const struct rpc_call *call);
const char *rpc_method_name(const struct rpc_call *call);
/* A text as a message has it; messages that are sent are not written to. */
static inline char *rpc_text(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* Whether an answer that was sent before has not begun to leave: the client is slow, or the link. A
 * stream that looks first has at most one answer waiting. */
bool rpc_waits(const struct rpc_call *call);
/* Sends the one answer of a unary method and ends the call with OK. */
void rpc_answer(struct rpc_call *call, const ProtobufCMessage *answer);
/* Sends an answer of a stream. 0, or -EAGAIN if the client does not take them: nothing was sent,
 * and it is counted; a stream of the latest state just goes on, one of events says what is
 * missing. */
int rpc_send(struct rpc_call *call, const ProtobufCMessage *answer);
/* The same for bytes that are no message of protobuf's (metrics text). */
int rpc_send_bytes(struct rpc_call *call, const void *bytes, size_t length);
/* Ends the call; RPC_OK, or an error with one line that names the offender. `format` may be NULL.
 */
void rpc_end(struct rpc_call *call, enum rpc_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The status that stands for a negative errno: -EINVAL INVALID_ARGUMENT, -ENOENT NOT_FOUND, -EEXIST
 * ALREADY_EXISTS, -EPERM FAILED_PRECONDITION, -EBUSY and -EAGAIN UNAVAILABLE, -ENOSPC, -EDQUOT and
 * -ENOMEM RESOURCE_EXHAUSTED, -ETIMEDOUT DEADLINE_EXCEEDED, else INTERNAL. */
enum rpc_status rpc_status_of(int error);

#endif
