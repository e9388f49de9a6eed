/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The link between saddled and saddle-control, the process that speaks gRPC and HTTP: a
 * SOCK_SEQPACKET socket pair, and the frames that travel on it.
 *
 * A call begins with LINK_CALL from saddle-control, which picks its number. Messages are bytes to
 * both sides of the link; one may be cut into several frames. The daemon ends every call with
 * LINK_END, also one that was cancelled; after that, and not before, its number may be used again.
 *
 *     saddle-control   CALL, MESSAGE..., FINISHED        CREDIT, CANCEL, REFUSED at any time
 *     saddled          MESSAGE..., END
 *
 * Credits: a message from saddled takes one credit; a call begins with LINK_CREDITS of them. So a
 * client that does not read fills no memory but its own.
 *
 * Ownership: the owner of a struct link owns its socket. Threads: one at a time; nothing blocks.
 * Trust: saddle-control speaks with strangers, so what it sends is checked as theirs: lengths,
 * kinds, order. A frame that breaks a rule ends the link (-EPROTO), and with it saddle-control.
 */
#ifndef CONTROL_LINK_H
#define CONTROL_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LINK_BODY_MAX    16384u /* bytes of one frame's body: many frames fit a socket's buffer */
#define LINK_REQUEST_MAX (64u << 10) /* bytes of one request: none of ours is larger */
#define LINK_MESSAGE_MAX (4u << 20)  /* bytes of one answer, gRPC's own usual limit */
#define LINK_METHOD_MAX  128u        /* bytes of a method's name, without a final NUL */
#define LINK_TEXT_MAX    1024u       /* bytes of an END's text */
#define LINK_CALLS_MAX   1024u       /* open at a time; numbers are below it */
#define LINK_CREDITS     4u          /* of a call at its beginning */
#define LINK_FD          3           /* where saddle-control finds its end, */
#define LINK_LISTEN_FD   4           /* the control socket, */
#define LINK_HTTP_FD     5           /* where HTTP is served, if it is, */
#define LINK_TLS_FD      6           /* and gRPC over TLS; they listen */
#define LINK_FDS_END     7

/* What saddle-control itself calls, for who asks by HTTP: no client of gRPC may. The answer is text
 * and no message. */
#define LINK_HTTP             "http/"
#define LINK_HTTP_METRICS     LINK_HTTP "metrics"     /* OpenMetrics 1.0.0 */
#define LINK_HTTP_METRICS_OLD LINK_HTTP "metrics-old" /* Prometheus's text format 0.0.4 */
#define LINK_HTTP_HEALTH      LINK_HTTP "health"      /* no answer: the end's text is one line */

enum link_kind {
    LINK_CALL = 1, /* body: struct link_caller, the method's name */
    LINK_MESSAGE,  /* body: a piece of a message; LINK_MORE: another one follows */
    LINK_FINISHED, /* the client sends no more messages */
    LINK_CANCEL,   /* the client is gone, or its deadline has passed */
    LINK_CREDIT,   /* the client has taken a message */
    LINK_END,      /* body: text; `status` is gRPC's code */
    LINK_REFUSED,  /* of no call (0); body: struct link_refusals, those since the last one */
};

/* Why saddle-control hung up on somebody before a call could begin. */
enum link_refusal {
    LINK_REFUSAL_ROLE,        /* neither the user nor a name in the certificate has one */
    LINK_REFUSAL_CERTIFICATE, /* there is none that is to be believed, or it is no TLS */
    LINK_REFUSAL_CROWDED,     /* too many connections */
    LINK_REFUSAL_COUNT,
};

struct link_refusals {
    uint32_t count[LINK_REFUSAL_COUNT];
};

#define LINK_MORE 1u /* flag */

/* What a caller may do. Each role may do what those before it may. */
enum link_role {
    LINK_ROLE_OBSERVE,
    LINK_ROLE_OPERATE,
    LINK_ROLE_COUNT,
};

/* Who calls, as saddle-control found out before it read a byte of the call. */
struct link_caller {
    uint32_t role; /* enum link_role */
    uint32_t uid;  /* or UINT32_MAX: by TLS */
    int32_t pid;   /* 0: unknown */
};

/* Every datagram begins with it; `length` bytes follow. */
struct link_frame {
    uint32_t call;
    uint8_t kind; /* enum link_kind */
    uint8_t flags;
    uint16_t status;
    uint32_t length;
};

struct link {
    int fd; /* -1: closed */
};

/* A pair of non-blocking, close-on-exec ends. 0 or a negative errno. */
int link_pair(struct link ends[2]);
void link_close(struct link *link);

/* Sends one frame: 0, -EAGAIN (no room: try when the socket is writable), -EPIPE or another
 * negative errno when the other side is gone. `frame->length` bytes of body. */
int link_send(struct link *link, const struct link_frame *frame, const void *body);

/* Receives one frame whose shape is right: known kind, call below LINK_CALLS_MAX, the datagram as
 * long as it says, a body allowed for that kind. `body` has room for LINK_BODY_MAX bytes. 0,
 * -EAGAIN, -EPIPE (the other side is gone), or -EPROTO. Descriptors that come along are refused. */
int link_receive(struct link *link, struct link_frame *frame, void *body);

/* Checks a datagram of `bytes` bytes as link_receive does: 0 or -EPROTO. */
int link_check(const void *datagram, size_t bytes);

/* Whether it may be a method's name: printable ASCII without blanks, neither empty nor too long. */
bool link_is_method(const void *text, size_t length);

/* The parts of a LINK_CALL's body: 0 or -EPROTO (an unknown role, or not a method's name). `method`
 * gets a final NUL. */
int link_read_call(const struct link_frame *frame, const void *body, struct link_caller *caller,
                   char method[LINK_METHOD_MAX + 1]);

#endif
