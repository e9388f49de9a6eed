/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC over TLS: takes connections, has each show a certificate that is believed and that names
 * somebody with a role, and only then hands the core the other end of a socket pair, on which what
 * was encrypted travels as it is.
 *
 * So the core reads no byte of strangers, here as on the control socket, and their number is
 * bounded. The core's own listener (1.51) takes connections as long as there are descriptors, and
 * when there are none it stops listening for good.
 *
 * Ownership: one for the life of the process. Threads: tls_run is for one of its own. Trust:
 * clients are strangers until the handshake is over, and OpenSSL reads what they send; those
 * without a certificate cannot hold a place for longer than TLS_HANDSHAKE_MS, nor while others
 * come.
 */
#ifndef CONTROL_GATEWAY_TLS_H
#define CONTROL_GATEWAY_TLS_H

#include "control/gateway/access.h"
#include "control/gateway/certificates.h"
#include "control/gateway/core.h"

#define TLS_CONNECTIONS_MAX 64u    /* at a time, of all */
#define TLS_HANDSHAKE_MS    10000u /* to say who one is */

struct tls;

/* `fd` listens, and is the server's from now on. 0 or a negative errno. */
int tls_create(struct tls **tls, int fd, struct certificates *certificates, struct access *access,
               struct core *core);
/* Serves until the process ends. */
void tls_run(struct tls *tls) __attribute__((noreturn));

#endif
