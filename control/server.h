/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The server: the control thread's loop. It lets applications in and out, watches over their
 * sessions, and ends when it is told to.
 *
 * Ownership: the server owns the attach socket, the applications' connections and their sessions;
 * it borrows the engines. Threads: the caller's alone, which becomes the control thread.
 * Trust: applications are hostile: each has a deadline for its handshake, each user a quota of
 * connections, sessions and memory, and the log a limit.
 */
#ifndef CONTROL_SERVER_H
#define CONTROL_SERVER_H

#include "control/attach.h"
#include "control/events.h"
#include "control/policy.h"
#include "control/session.h"
#include "sched/engine.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SERVER_HANDSHAKES_MAX         64u /* connections that have not attached, of all users */
#define SERVER_HANDSHAKES_PER_UID_MAX 16u /* and of one: slow ones do not keep others out */

/* Descriptors that others have watched: one of each engine, twice while all are made anew. */
#define SERVER_WATCHES_MAX 256u

struct server_config {
    const char *path; /* of the attach socket */
    mode_t mode;      /* its permission bits */
    struct policy policy;
    uint32_t sessions_per_uid;
    uint64_t memory_per_uid; /* bytes of arenas */
    /* Of one session, from the next that attaches; 0: no bound but the engine's. */
    uint32_t connections_per_session, listeners_per_session, regions_per_session;
    uint64_t exposed_per_session; /* bytes of regions */
    uint32_t operations_per_session;
    uint32_t cpu_per_session; /* of an engine's time, in parts of BUCKET_WHOLE */
    uint32_t cpu_per_uid;     /* likewise, of all sessions of a user on all engines */
    uint64_t handshake_timeout_ns;
    bool takes_over; /* another daemon has the socket, and hands it over (server_handover.h) */
    struct attach_kept *kept; /* what was kept of it, to be taken; NULL: nothing */
};

struct server;

/* Takes the attach socket, blocks SIGTERM, SIGINT and SIGHUP (threads made later inherit that), and
 * guards against SIGBUS. 0, or a negative errno with one line in `reason`. */
int server_create(struct server **server, const struct server_config *config, char *reason,
                  size_t reason_bytes);
/* The eventfd by which engines say that they closed a session. */
int server_control_fd(const struct server *server);

/* Has the loop call `ready` on its thread whenever `fd` is readable; before server_run, or from
 * within it. 0, -ENOSPC, or a negative errno. */
int server_watch(struct server *server, int fd, void (*ready)(void *context), void *context);
/* The same, and whether room to write is waited for as well. */
void server_watch_write(struct server *server, int fd, bool wanted);
/* Not any more; before `fd` is closed. */
void server_unwatch(struct server *server, int fd);

/* By what it lets applications in at present. */
const struct server_config *server_config(const struct server *server);

/* Serves until SIGTERM or SIGINT. The first engine is the one that an application gets if it names
 * none. 0, or a negative errno. */
int server_run(struct server *server, struct engine *const *engines, uint32_t engine_count);

/* Has server_run return, as at a signal. */
void server_quit(struct server *server);

/* From now on these are the engines; no session is on one that is gone. The array is borrowed. */
void server_set_engines(struct server *server, struct engine *const *engines,
                        uint32_t engine_count);
/* Of each engine, the place in that array of the one that stands for its host (placement.h); NULL:
 * each is a host of its own. The array is borrowed. */
void server_set_hosts(struct server *server, const uint16_t *hosts);
/* From now on applications attach by this policy and these limits; whoever is attached stays, and
 * path and mode stay as they are. The rules are borrowed. */
void server_set_policy(struct server *server, const struct server_config *config);
/* Has the loop call `reload` at SIGHUP; NULL: nothing is done then. */
void server_set_reload(struct server *server, void (*reload)(void *context), void *context);

/* From now on nothing that has to do with applications is looked at: nobody is accepted, no request
 * is answered, nobody who hung up or spoke is noticed, no session ends because its engine says so.
 * All that waits, and is found when the server thaws. Other descriptors, signals and ticks go on.
 * Again is harmless. */
void server_freeze(struct server *server);
void server_thaw(struct server *server);

/* Takes the attach socket after all, for a server that was made with `takes_over`, from a daemon
 * that died before it handed it over. As server_create. */
int server_open_socket(struct server *server, char *reason, size_t reason_bytes);

/* The attach socket, borrowed, for somebody to keep. */
struct attach_socket *server_socket(struct server *server);

/* Calls `visit` with every session and the process that attached, until it answers false. */
void server_sessions(const struct server *server,
                     bool (*visit)(void *context, const struct session *session, pid_t pid),
                     void *context);
/* Ends a session; its application reads the reason. 0, -ENOENT, or -EBUSY while frozen. */
int server_close_session(struct server *server, uint64_t id, const char *reason);
/* How many sessions an engine has. */
uint32_t server_engine_sessions(const struct server *server, const struct engine *engine);
/* Ends all sessions of an engine that is in no group; their applications read the reason. */
void server_end_sessions(struct server *server, const struct engine *engine, const char *reason);
/* How many there are, and of them those whose engine does not let them go. */
uint32_t server_session_count(const struct server *server, uint32_t *stuck);

/* Has the loop call `tick` about once a second; NULL: not any more. */
void server_set_tick(struct server *server, void (*tick)(void *context, uint64_t now),
                     void *context);

/* Has applications' coming and going told; NULL: not any more. */
void server_set_events(struct server *server, struct events *events);

/* Tells every application that the daemon stops, and takes all sessions from their engines, which
 * must still run. 0, or -ETIMEDOUT if an engine did not answer. */
int server_stop(struct server *server);
/* Removes the socket. All sessions are gone. NULL is fine. */
void server_destroy(struct server *server);

#endif
