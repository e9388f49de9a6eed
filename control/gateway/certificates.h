/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates: our own with its key, the authority's by which those of clients are believed, and
 * which names in them have a role.
 *
 * The files are read again when they have changed, at a connection. New ones that are wrong change
 * nothing: the log says what is wrong with them, once, and those before stay in force.
 *
 * Ownership: one for the life of the process; texts of the configuration are borrowed. Threads: one
 * at a time. Trust: certificates are a client's until OpenSSL has believed them; then what stands
 * in them is the authority's word.
 */
#ifndef CONTROL_GATEWAY_CERTIFICATES_H
#define CONTROL_GATEWAY_CERTIFICATES_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

#define CERTIFICATES_NAMES_MAX 16u /* of each role */
#define CERTIFICATES_NAME_MAX  255 /* bytes of a name as it is shown */

struct certificates_config {
    const char *certificate, *key, *authority; /* files; the first is NULL: no TLS */
    /* Names of the subject: DNS, URI, e-mail; its common name if it has no other names at all. */
    const char *observe[CERTIFICATES_NAMES_MAX], *operate[CERTIFICATES_NAMES_MAX];
    uint32_t observe_count, operate_count;
};

struct certificates;

/* Reads the files; that they are wrong is logged, and no failure. 0 or -ENOMEM. */
int certificates_create(struct certificates **certificates,
                        const struct certificates_config *config);
/* What connections that begin now are made by, of which one more reference is the caller's. NULL:
 * there never was anything good. */
SSL_CTX *certificates_context(struct certificates *certificates);
/* The highest role (enum link_role) of a name in the certificate, and that name as it may be shown.
 * False: none of its names has one; then it is some name of it. */
bool certificates_role(const struct certificates *certificates, X509 *certificate, uint32_t *role,
                       char name[CERTIFICATES_NAME_MAX + 1]);

#endif
