/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of saddle-control, as the daemon writes it.
 *
 * Ownership: texts are the command line's. Threads: the first one, before there are others.
 */
#ifndef CONTROL_GATEWAY_OPTIONS_H
#define CONTROL_GATEWAY_OPTIONS_H

#include "control/gateway/access.h"
#include "control/gateway/certificates.h"

#include <stdbool.h>

struct options {
    struct access_config access;
    struct certificates_config certificates;
    bool check; /* no more than the files */
    bool http;  /* LINK_HTTP_FD is there */
    bool tls;   /* LINK_TLS_FD is, and all that goes with it */
};

/* Ends the program when it is used in a wrong way, or asked for help. Sets the process's CPUs. */
void options_parse(struct options *options, int argc, char **argv);

#endif
