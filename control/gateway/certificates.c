/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/gateway/certificates.h"

#include "control/link.h"
#include "control/log.h"
#include "sched/clock.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LOOK_NS   NSEC_PER_SEC /* files are looked at no more often */
#define FILES     3
#define DEPTH_MAX 8 /* certificates between a client's and the authority's */

/* By which a file is known to be the same as before. */
struct stamp {
    dev_t device;
    ino_t inode;
    off_t bytes;
    struct timespec changed;
};

struct certificates {
    struct certificates_config config;
    SSL_CTX *context; /* NULL: never a good one */
    struct stamp stamps[FILES];
    uint64_t looked_ns;
};

/* ---- Reading ---- */

/* The older error is the cause. */
static const char *openssl_says(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_error());

    return text ? text : "it cannot be read";
}

static bool fail(const char *what, const char *file, const char *why)
{
    log_line(LOG_ERROR, "tls: %s %s: %s", what, file, why);
    ERR_clear_error();
    return false;
}

/* Nobody is there to be asked for a passphrase. */
static int no_passphrase(char *buffer, int bytes, int writing, void *context)
{
    (void)buffer;
    (void)bytes;
    (void)writing;
    (void)context;
    return -1;
}

static bool readable(const char *what, const char *file)
{
    FILE *stream = fopen(file, "re");

    if (!stream)
        return fail(what, file, strerror(errno));
    fclose(stream);
    return true;
}

static bool load_files(SSL_CTX *context, const struct certificates_config *config)
{
    STACK_OF(X509_NAME) * names;

    if (!readable("certificate", config->certificate) || !readable("key", config->key) ||
        !readable("authority", config->authority))
        return false;
    /* The key first: a certificate that it does not belong to is no error yet then. */
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    if (SSL_CTX_use_PrivateKey_file(context, config->key, SSL_FILETYPE_PEM) != 1)
        return fail("key", config->key, openssl_says());
    if (SSL_CTX_use_certificate_chain_file(context, config->certificate) != 1)
        return fail("certificate", config->certificate, openssl_says());
    if (SSL_CTX_check_private_key(context) != 1)
        return fail("key", config->key, "it does not belong to the certificate");
    if (SSL_CTX_load_verify_file(context, config->authority) != 1)
        return fail("authority", config->authority, openssl_says());
    names = SSL_load_client_CA_file(config->authority);
    if (!names)
        return fail("authority", config->authority, openssl_says());
    SSL_CTX_set_client_CA_list(context, names);
    return true;
}

/* gRPC is HTTP/2, and says so. */
static int select_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *length,
                           const unsigned char *offered, unsigned offered_length, void *context)
{
    static const unsigned char ours[] = "\x02h2";

    (void)ssl;
    (void)context;
    if (SSL_select_next_proto((unsigned char **)(uintptr_t)chosen, length, ours, sizeof(ours) - 1,
                              offered, offered_length) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    return SSL_TLSEXT_ERR_OK;
}

/* No session is taken up again: each connection shows a certificate that is good now. */
static SSL_CTX *make_context(const struct certificates_config *config)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    if (!context)
        return NULL;
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_verify_depth(context, DEPTH_MAX);
    SSL_CTX_set_alpn_select_cb(context, select_protocol, NULL);
    if (load_files(context, config))
        return context;
    SSL_CTX_free(context);
    return NULL;
}

static struct stamp stamp_of(const char *file)
{
    struct stat found;

    if (stat(file, &found))
        return (struct stamp){0};
    return (struct stamp){found.st_dev, found.st_ino, found.st_size, found.st_ctim};
}

static bool same(const struct stamp *a, const struct stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->bytes == b->bytes &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* Whether a file is another one than when it was looked at last. */
static bool changed(struct certificates *certificates)
{
    const char *files[FILES] = {certificates->config.certificate, certificates->config.key,
                                certificates->config.authority};
    bool any = false;

    for (int i = 0; i < FILES; i++) {
        struct stamp now = stamp_of(files[i]);

        any = any || !same(&now, &certificates->stamps[i]);
        certificates->stamps[i] = now;
    }
    return any;
}

static void load(struct certificates *certificates)
{
    SSL_CTX *made = make_context(&certificates->config);

    if (!made)
        return;
    if (certificates->context)
        log_line(LOG_INFO, "tls: certificates are read again");
    SSL_CTX_free(certificates->context);
    certificates->context = made;
}

SSL_CTX *certificates_context(struct certificates *certificates)
{
    uint64_t now = clock_now(&clock_machine);

    if (now - certificates->looked_ns > LOOK_NS) {
        certificates->looked_ns = now;
        if (changed(certificates))
            load(certificates);
    }
    if (certificates->context)
        SSL_CTX_up_ref(certificates->context);
    return certificates->context;
}

int certificates_create(struct certificates **certificates,
                        const struct certificates_config *config)
{
    struct certificates *made = calloc(1, sizeof(*made));

    if (!made)
        return -ENOMEM;
    made->config = *config;
    changed(made);
    load(made);
    *certificates = made;
    return 0;
}

/* ---- Names ---- */

/* A name is compared as a whole: a NUL in it ends nothing. */
static bool is_listed(const char *const *list, uint32_t count, const unsigned char *name,
                      int length)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strlen(list[i]) == (size_t)length && !memcmp(list[i], name, (size_t)length))
            return true;
    }
    return false;
}

struct search {
    const struct certificates_config *config;
    uint32_t role;
    bool found;
    char *name; /* of CERTIFICATES_NAME_MAX bytes, and a NUL */
};

static void consider(struct search *search, const unsigned char *name, int length)
{
    const struct certificates_config *config = search->config;
    bool operates = is_listed(config->operate, config->operate_count, name, length);

    if (!operates && !is_listed(config->observe, config->observe_count, name, length)) {
        if (!search->name[0])
            snprintf(search->name, CERTIFICATES_NAME_MAX + 1, "%.*s", length, name);
        return;
    }
    if (search->found && search->role == LINK_ROLE_OPERATE)
        return;
    search->found = true;
    search->role = operates ? LINK_ROLE_OPERATE : LINK_ROLE_OBSERVE;
    snprintf(search->name, CERTIFICATES_NAME_MAX + 1, "%.*s", length, name);
}

static void consider_names(struct search *search, const GENERAL_NAMES *names)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        /* All three are IA5String, at the same place. */
        if (name->type == GEN_DNS || name->type == GEN_URI || name->type == GEN_EMAIL)
            consider(search, ASN1_STRING_get0_data(name->d.ia5), ASN1_STRING_length(name->d.ia5));
    }
}

/* The last one is the nearest to the subject; the authority that writes more has its reasons. */
static void consider_common(struct search *search, X509 *certificate)
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    const ASN1_STRING *common;
    unsigned char *text;
    int at = -1, next, length;

    while ((next = X509_NAME_get_index_by_NID((X509_NAME *)(uintptr_t)subject, NID_commonName,
                                              at)) >= 0)
        at = next;
    if (at < 0)
        return;
    common = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    length = ASN1_STRING_to_UTF8(&text, common);
    if (length < 0)
        return;
    consider(search, text, length);
    OPENSSL_free(text);
}

bool certificates_role(const struct certificates *certificates, X509 *certificate, uint32_t *role,
                       char name[CERTIFICATES_NAME_MAX + 1])
{
    struct search search = {.config = &certificates->config, .name = name};
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

    name[0] = '\0';
    if (names)
        consider_names(&search, names);
    /* An extension that cannot be read is one: the common name says nothing then. */
    else if (X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1) < 0)
        consider_common(&search, certificate);
    GENERAL_NAMES_free(names);
    *role = search.role;
    return search.found;
}
