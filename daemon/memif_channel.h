/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The control channel of a memif port (memif_abi.h): a Unix socket by which a client finds its
 * server and gives it memory.
 *
 * A server listens for as long as it lives, and has one client at a time. A client tries again and
 * again until there is a server, also after that has gone.
 *
 * Ownership: its socket, the connection, and the rings of the present one. Threads: control's.
 * Nothing here blocks. Trust: whoever may open the socket may connect; what he says is checked, and
 * he is disconnected with the reason.
 */
#ifndef DAEMON_MEMIF_CHANNEL_H
#define DAEMON_MEMIF_CHANNEL_H

#include "control/attach.h"
#include "daemon/memif_rings.h"
#include "daemon/reason.h"

struct memif_channel_config {
    const char *name; /* of the port, for the log */
    const char *path; /* of the socket */
    bool server;
    mode_t mode;           /* of a server's socket */
    uint32_t id;           /* of the interface: those of client and server are the same */
    uint32_t buffer_bytes; /* a client's, for a whole frame each */
};

struct memif_channel_ops {
    /* Packets may go; the rings stay the channel's. */
    void (*up)(void *context, struct memif_rings *rings);
    /* They are about to be destroyed: nobody uses them once this returns. */
    void (*down)(void *context);
};

/* How far a connection has come: which message is awaited. */
enum memif_stage {
    MEMIF_NOBODY,
    MEMIF_CLIENT_HELLO,
    MEMIF_CLIENT_INIT, /* the answer to it, as of the next four */
    MEMIF_CLIENT_REGION,
    MEMIF_CLIENT_TO_SERVER,
    MEMIF_CLIENT_TO_CLIENT,
    MEMIF_CLIENT_CONNECT,
    MEMIF_SERVER_INIT,
    MEMIF_SERVER_MEMORY, /* regions and rings, then CONNECT */
    MEMIF_UP,
};

struct memif_channel {
    struct memif_channel_config config;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    const struct memif_channel_ops *ops;
    void *context;
    struct attach_socket listener; /* a server's */
    int poll_fd, timer_fd, alarm_fd;
    int fd; /* the connection; -1: none */
    enum memif_stage stage;
    uint64_t since_ns;         /* when the connection was made */
    struct memif_rings *rings; /* of the connection; NULL: none yet */
    uint64_t number;           /* of connections that came up so far */
    bool told;                 /* that there is no server */
};

/* All but the socket. 0 or a negative errno. `context` is what the functions get. */
int memif_channel_init(struct memif_channel *channel, const struct memif_channel_config *config,
                       const struct memif_channel_ops *ops, void *context);
/* Listens, or begins to try. 0, or a negative errno with the reason. */
int memif_channel_start(struct memif_channel *channel, const struct reason *reason);
/* Goes on with a socket, and perhaps a connection, that another process of this user had: both are
 * in the structure already, and are watched from now on. 0 or a negative errno. */
int memif_channel_resume(struct memif_channel *channel);
/* Lets go of a connection that was to be gone on with. */
void memif_channel_abandon(struct memif_channel *channel);
/* Ends the connection, which the other side is told, and the socket. Fine for one that is all zero.
 */
void memif_channel_fini(struct memif_channel *channel);
/* The same, but of what another process goes on with: nobody is told, and the socket stays. */
void memif_channel_forget(struct memif_channel *channel);

/* Readable when there is something to do, which memif_channel_work does. */
static inline int memif_channel_fd(const struct memif_channel *channel)
{
    return channel->poll_fd;
}
void memif_channel_work(struct memif_channel *channel);

#endif
