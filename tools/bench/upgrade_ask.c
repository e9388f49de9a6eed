/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* What daemons say of themselves, by saddlectl. */
#include "tools/bench/program.h"
#include "tools/bench/upgrade_bed.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TRIES    100u      /* saddle-control begins anew with each daemon: */
#define PAUSE_NS 100000000 /* so long from one to the next */

static int ask(const struct bed *bed, uint32_t daemon, const char *first, const char *second,
               struct json_object **answer, char reason[BED_REASON])
{
    const char *const words[] = {bed->settings.saddlectl,
                                 "--json",
                                 "--socket",
                                 bed->daemons[daemon].control,
                                 first,
                                 second,
                                 NULL};
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    char *text = NULL;
    int rc = -EAGAIN;
    for (uint32_t i = 0; i < TRIES && rc && rc != -EINTR && rc != -ENOENT; i++) {
        if (i > 0)
            nanosleep(&pause, NULL);
        rc = program_run(words, -1, &text, reason, BED_REASON);
    }
    if (rc)
        return rc;
    *answer = json_tokener_parse(text);
    if (!*answer) {
        snprintf(reason, BED_REASON, "%s %s: its answer is no JSON", words[0], first);
        rc = -EPROTO;
    }
    free(text);
    return rc;
}

static uint64_t number_of(struct json_object *object, const char *field)
{
    return json_object_get_uint64(json_object_object_get(object, field));
}

static const char *text_of(struct json_object *object, const char *field)
{
    const char *text = json_object_get_string(json_object_object_get(object, field));
    return text ? text : "";
}

static uint64_t larger(uint64_t one, uint64_t other)
{
    return one > other ? one : other;
}

/* Of two times the first that is known. */
static uint64_t earlier(uint64_t one, uint64_t other)
{
    return other && (!one || other < one) ? other : one;
}

static int take_upgrade(struct json_object *last, struct bed_upgrade *upgrade,
                        char reason[BED_REASON])
{
    struct json_object *sets = json_object_object_get(last, "sets");
    size_t count = sets ? json_object_array_length(sets) : 0;
    if (strcmp(text_of(last, "outcome"), "moved") != 0 ||
        strcmp(text_of(last, "role"), "new") != 0 || count == 0) {
        snprintf(reason, BED_REASON, "a hand-over ended otherwise than asked for: %s, %zu sets, %s",
                 text_of(last, "outcome"), count, text_of(last, "reason"));
        return -EPROTO;
    }
    for (size_t i = 0; i < count; i++) {
        struct json_object *set = json_object_array_get_idx(sets, i);
        upgrade->blackout_ns = larger(upgrade->blackout_ns, number_of(set, "blackout_ns"));
        upgrade->brownout_ns = larger(upgrade->brownout_ns, number_of(set, "brownout_ns"));
        upgrade->state_bytes += number_of(set, "state_bytes");
        upgrade->blackout_at_ns =
            earlier(upgrade->blackout_at_ns, number_of(set, "blackout_at_ns"));
    }
    return 0;
}

int bed_last_upgrade(const struct bed *bed, uint32_t daemon, struct bed_upgrade *upgrade,
                     char reason[BED_REASON])
{
    struct json_object *answer = NULL;
    *upgrade = (struct bed_upgrade){0};
    int rc = ask(bed, daemon, "upgrades", NULL, &answer, reason);
    if (rc)
        return rc;
    struct json_object *list = json_object_object_get(answer, "upgrades");
    size_t count = list ? json_object_array_length(list) : 0;
    struct json_object *last = count ? json_object_array_get_idx(list, count - 1) : NULL;
    if (number_of(last, "pid") == (uint64_t)bed->daemons[daemon].actor.pid) {
        rc = take_upgrade(last, upgrade, reason);
    } else {
        snprintf(reason, BED_REASON, "the daemon %s knows nothing of its hand-over",
                 bed->daemons[daemon].name);
        rc = -EPROTO;
    }
    json_object_put(answer);
    return rc;
}

/* Adds up the counters of these names, of all that are in a list; how many there were. */
static uint32_t add_up(struct json_object *owners, const char *const names[], uint64_t *sum)
{
    uint32_t found = 0;
    for (size_t i = 0; owners && i < json_object_array_length(owners); i++) {
        struct json_object *list =
            json_object_object_get(json_object_array_get_idx(owners, i), "counters");
        for (size_t j = 0; list && j < json_object_array_length(list); j++) {
            struct json_object *counter = json_object_array_get_idx(list, j);
            for (size_t k = 0; names[k]; k++) {
                if (strcmp(text_of(counter, "name"), names[k]) != 0)
                    continue;
                *sum += number_of(counter, "value");
                found++;
            }
        }
    }
    return found;
}

int bed_count(const struct bed *bed, uint32_t daemon, struct bed_counts *counts,
              char reason[BED_REASON])
{
    /* Of an XDP socket. What found no buffer is among what the kernel dropped. */
    static const char *const missed[] = {"kernel_rx_dropped", "kernel_rx_ring_full",
                                         "claimed_no_socket", NULL};
    static const char *const again[] = {"retransmissions", NULL};
    struct json_object *answer = NULL;
    *counts = (struct bed_counts){0};
    int rc = ask(bed, daemon, "stats", "get", &answer, reason);
    if (rc)
        return rc;
    counts->known = add_up(json_object_object_get(answer, "ports"), missed, &counts->missed) > 0;
    add_up(json_object_object_get(answer, "engines"), again, &counts->retransmissions);
    json_object_put(answer);
    return 0;
}
