/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/checker.h"

#include "tests/sim/app.h"
#include "tests/sim/pattern.h"
#include "tests/sim/region.h"
#include "tests/sim/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESTART_KNOWN_NS (6 * SEC) /* by then all have spoken to it, or given it up */

static const char *const op_names[SADDLE_CMD_COUNT] = {
    [SADDLE_CMD_NOP] = "nop",
    [SADDLE_CMD_LISTEN] = "listen",
    [SADDLE_CMD_CONNECT] = "connect",
    [SADDLE_CMD_ACCEPT] = "accept",
    [SADDLE_CMD_REJECT] = "reject",
    [SADDLE_CMD_CLOSE] = "close",
    [SADDLE_CMD_SEND] = "send",
    [SADDLE_CMD_POST_RECV] = "post_recv",
    [SADDLE_CMD_RELEASE] = "release",
    [SADDLE_CMD_EXPOSE] = "expose",
    [SADDLE_CMD_REVOKE] = "revoke",
    [SADDLE_CMD_READ] = "read",
    [SADDLE_CMD_WRITE] = "write",
    [SADDLE_CMD_PING] = "ping",
    [SADDLE_CMD_READ_INDIRECT] = "indirect",
    [SADDLE_CMD_READ_BATCH] = "batch",
    [SADDLE_CMD_SCAN_READ] = "scan",
    [SADDLE_CMD_COMPARE_SWAP] = "swap",
    [SADDLE_CMD_FETCH_ADD] = "add",
    [SADDLE_CMD_CANCEL] = "cancel",
};

static bool reads_by_table(const struct operation *operation)
{
    return operation->op == SADDLE_CMD_READ_INDIRECT || operation->op == SADDLE_CMD_READ_BATCH ||
           operation->op == SADDLE_CMD_SCAN_READ;
}

static bool is_atomic(const struct operation *operation)
{
    return operation->op == SADDLE_CMD_COMPARE_SWAP || operation->op == SADDLE_CMD_FETCH_ADD;
}

struct checker *checker_create(struct sim *sim)
{
    struct checker *checker = sim_zalloc(sizeof(*checker));
    checker->sim = sim;
    ledger_init(&checker->ledger, sim);
    return checker;
}

void checker_destroy(struct checker *checker)
{
    if (!checker)
        return;
    ledger_fini(&checker->ledger);
    free(checker);
}

static void accuse(struct checker *checker, const struct operation *operation, const char *what,
                   int64_t value)
{
    const struct connection_end *end = operation->end;
    sim_violation(checker->sim,
                  "%s %llu of app %u (stream %u, order %u, %zu bytes, connection %lld side %u,"
                  " trouble %x): %s (%lld)",
                  op_names[operation->op], (unsigned long long)(operation->tag - LEDGER_TAG),
                  operation->app->index, operation->stream, operation->order, operation->length,
                  end && end->connection ? (long long)end->connection->id : -1, end ? end->side : 0,
                  end && end->connection ? end->connection->trouble : 0, what, (long long)value);
}

/* What has happened to the connection that excuses this operation. */
static uint32_t trouble_of(const struct operation *operation)
{
    const struct connection_end *end = operation->end;
    if (!end)
        return 0;
    /* Nobody has said who called: its caller may have been killed before it could. */
    if (!end->connection)
        return TROUBLE_KILL;
    uint32_t trouble = end->connection->trouble;
    /* A close first delivers what was sent, and its own outcome has no excuse in itself. */
    if (operation->op == SADDLE_CMD_SEND || operation->op == SADDLE_CMD_CLOSE)
        trouble &= ~TROUBLE_CLOSE(end->side);
    return trouble;
}

/* A buffer's deadline may pass while a message is on its way into it. */
static bool lost_its_buffer(const struct operation *operation)
{
    const struct connection_end *other = operation->end ? ledger_other(operation->end) : NULL;
    return operation->op == SADDLE_CMD_SEND && operation->length > SADDLE_EAGER_MAX && other &&
           other->hasty;
}

/* Of a CONNECT or a PING. */
static uint32_t called_host(const struct operation *operation)
{
    return operation->op == SADDLE_CMD_PING ? operation->pinged : operation->end->connection->host;
}

/* A caller gives up a host sooner than flows do, and partitions may meet each of its tries. */
static bool was_cut_off(const struct checker *checker, const struct operation *operation,
                        int status)
{
    if (status != -EHOSTUNREACH ||
        (operation->op != SADDLE_CMD_CONNECT && operation->op != SADDLE_CMD_PING))
        return false;
    return checker->sim->cut_end[operation->app->host][called_host(operation)] >
               operation->accepted_at ||
           checker->sim->lossy[operation->app->host][called_host(operation)];
}

/* The engine called is another one now, which the caller's may learn only by calling. */
static bool met_a_restart(const struct checker *checker, const struct operation *operation,
                          int status)
{
    if (operation->op != SADDLE_CMD_CONNECT && operation->op != SADDLE_CMD_PING)
        return false;
    /* It goes to another engine of that address first. */
    const struct sim *sim = checker->sim;
    uint32_t first = sim_address(sim, called_host(operation)) * sim->siblings;
    uint64_t when = 0;
    for (uint32_t i = 0; i < sim->siblings; i++)
        if (sim->restarted[first + i] > when)
            when = sim->restarted[first + i];
    return when != 0 && operation->accepted_at < when + RESTART_KNOWN_NS &&
           (status == -ECONNRESET || status == -ETIMEDOUT);
}

/* The entries of a table may have pointed to a region that is being withdrawn, or to none. */
static bool led_astray(const struct operation *operation, int status)
{
    const struct app *other = operation->region->app;
    return (status == -EACCES || status == -ENOENT) &&
           (other->stale || other->fresh_at >= operation->accepted_at);
}

static bool error_is_right(const struct checker *checker, const struct operation *operation,
                           int status)
{
    if (operation->excused || trouble_of(operation))
        return true;
    if (status == -EBADMSG && checker->corrupting)
        return operation->op == SADDLE_CMD_SEND || operation->op == SADDLE_CMD_READ ||
               operation->op == SADDLE_CMD_WRITE || reads_by_table(operation);
    if (reads_by_table(operation) && led_astray(operation, status))
        return true;
    /* A region that is being withdrawn may be there still, or not. */
    if (status == -EACCES && operation->region && operation->region->state >= REGION_REVOKING)
        return operation->op == SADDLE_CMD_READ || operation->op == SADDLE_CMD_WRITE ||
               reads_by_table(operation) || is_atomic(operation);
    if (operation->op == SADDLE_CMD_PING &&
        checker->sim->apart[operation->app->host][operation->pinged])
        return true;
    if (met_a_restart(checker, operation, status))
        return true;
    if (status == -ECANCELED)
        return operation->cancelled || lost_its_buffer(operation);
    if (status == -ETIMEDOUT)
        return operation->timeout > 0 || lost_its_buffer(operation);
    if (was_cut_off(checker, operation, status))
        return true;
    if (operation->must)
        return status == operation->must;
    return status == -ECONNREFUSED && operation->op == SADDLE_CMD_CONNECT &&
           operation->end->connection->callee->refusing;
}

/* A message of the largest size is over: another one has its turn unless this one has come. */
static void end_huge(struct sim *sim, const struct operation *operation)
{
    if (operation->op != SADDLE_CMD_SEND || operation->length != SIM_HUGE_BYTES)
        return;
    sim->huge = NULL;
    sim->huge_left -= operation->state == OPERATION_DONE && operation->status == 0;
}

static void check_send(struct checker *checker, struct operation *operation)
{
    end_huge(checker->sim, operation);
    if (operation->status == 0 && operation->skipped)
        accuse(checker, operation, "reported as delivered, but overtaken in its stream", 0);
    if (operation->status == -EBADMSG && operation->delivered)
        accuse(checker, operation, "reported as damaged, but delivered", 0);
    if (operation->status == 0) {
        checker->sim->totals.messages++;
        checker->sim->totals.message_bytes += operation->length;
        checker->sim->totals.largest += operation->length == SIM_HUGE_BYTES;
        checker->sim->totals.largest_gathered +=
            operation->length == SIM_HUGE_BYTES && operation->gathered;
        checker->sim->totals.unordered += operation->unordered;
        checker->sim->totals.gathered += operation->gathered;
    }
}

static void check_one_sided(struct checker *checker, struct operation *operation)
{
    struct region *region = operation->region;
    bool good = operation->status == 0;
    if (operation->op == SADDLE_CMD_READ && good &&
        !pattern_matches(region->pattern, operation->offset, operation->buffer, operation->length))
        accuse(checker, operation, "wrong bytes were read", 0);
    if (operation->op == SADDLE_CMD_WRITE && operation->slot != REGION_SLOT_NONE) {
        if (!good)
            region_taint(region, operation->slot);
        else if (region->state != REGION_REVOKED &&
                 !region_wrote(region, operation->slot, operation->offset, operation->buffer,
                               operation->length))
            accuse(checker, operation, "wrong bytes were written", 0);
    }
    if (good) {
        checker->sim->totals.reads += operation->op == SADDLE_CMD_READ;
        checker->sim->totals.writes += operation->op == SADDLE_CMD_WRITE;
        checker->sim->totals.one_sided_bytes += operation->length;
    }
}

/* All bytes are those of one region to be read, whichever the entry named. */
static bool is_of_one_region(const struct operation *operation, uint32_t index, const void *bytes)
{
    for (const struct region *region = operation->region->app->regions; region;
         region = region->next)
        if (region_is_read(region) &&
            pattern_matches(region->pattern, table_offset(index), bytes, table_length(index)))
            return true;
    return false;
}

static void check_item(struct checker *checker, const struct operation *operation, uint32_t i,
                       size_t stride, const struct saddle_read_item *item)
{
    uint32_t index = operation->entries[i];
    int32_t must = table_outcome(index, stride);
    if (item->status != must) {
        if (!led_astray(operation, item->status) &&
            !(item->status == -EACCES && operation->region->state >= REGION_REVOKING))
            accuse(checker, operation, "an item ended as it must not", item->status);
    } else if ((must == 0 || must == -EMSGSIZE) && item->length != table_length(index)) {
        accuse(checker, operation, "an item has another length", item->length);
    } else if (must == 0 &&
               !is_of_one_region(operation, index, (uint8_t *)operation->buffer + i * stride)) {
        accuse(checker, operation, "wrong bytes were read by an item", i);
    }
}

static void check_by_table(struct checker *checker, struct operation *operation,
                           const struct saddle_completion *event)
{
    struct saddle_read_item items[SADDLE_BATCH_ITEMS] = {
        {.status = operation->status, .length = (uint32_t)event->len}};
    uint32_t count = 1;
    if (operation->op == SADDLE_CMD_READ_BATCH) {
        count = operation->count;
        if (operation->status == 0 &&
            saddle_read_items(event, items, SADDLE_BATCH_ITEMS) != (int)count)
            accuse(checker, operation, "a batch has other items than asked for", count);
    }
    if (operation->status && operation->status != operation->must)
        return;
    for (uint32_t i = 0; i < count; i++)
        check_item(checker, operation, i, operation->length / count, &items[i]);
    if (operation->op == SADDLE_CMD_SCAN_READ && operation->status != -ENOENT &&
        operation->status != -ERANGE && event->value != operation->count)
        accuse(checker, operation, "a scan found another entry", (int64_t)event->value);
    checker->sim->totals.by_table++;
    checker->sim->totals.one_sided_bytes += operation->length;
}

static void check_atomic(struct checker *checker, struct operation *operation,
                         const struct saddle_completion *event)
{
    struct table *table = operation->region->table;
    uint32_t word = operation->entries[0];
    bool swapped = operation->op == SADDLE_CMD_COMPARE_SWAP && event->value == operation->values[0];
    if (operation->status == -EACCES || operation->status == -ERANGE ||
        operation->status == -EINVAL) {
        table_unchanged(table, word);
        return;
    }
    if (operation->status)
        return;
    const char *wrong = table_changed(table, word, event->value, swapped, operation->values[1]);
    if (wrong)
        accuse(checker, operation, wrong, (int64_t)event->value);
    checker->sim->totals.atomics++;
}

static void check_ping(struct checker *checker, struct operation *operation,
                       const struct saddle_completion *event)
{
    struct saddle_ping_info info = {.size = sizeof(info)};
    if (saddle_pinged(event, &info)) {
        accuse(checker, operation, "a ping without what it found out", event->status);
        return;
    }
    if (operation->status)
        return;
    checker->sim->totals.pings++;
    if (info.round_trip_ns == 0 || info.packets_sent == 0 || info.wire_version == 0 ||
        info.mtu > checker->sim->mtu || operation->offset > info.payload_max)
        accuse(checker, operation, "answered, but found out what cannot be",
               (int64_t)info.round_trip_ns);
}

/* What it was to end has ended, before it. */
static void check_cancel(struct checker *checker, struct operation *operation,
                         const struct saddle_completion *event)
{
    const struct operation *target = operation->target;

    if (event->status || event->value > 1)
        accuse(checker, operation, "a cancellation of what there cannot be", event->status);
    else if (target->state == OPERATION_ACCEPTED &&
             (event->value == 0 || target->op != SADDLE_CMD_POST_RECV))
        accuse(checker, target, "cancelled, and did not end", (int64_t)event->value);
}

void checker_done(struct checker *checker, struct operation *operation,
                  const struct saddle_completion *event)
{
    TRACE(checker->sim, operation->app->host, "done", operation->tag - LEDGER_TAG,
          (uint32_t)event->status, operation->op);
    operation->status = event->status;
    if (operation->state != OPERATION_ACCEPTED) {
        accuse(checker, operation, "completed twice", event->status);
        return;
    }
    operation->state = OPERATION_DONE;
    if (event->op != operation->op)
        accuse(checker, operation, "completed as another operation", event->op);
    if (event->status > 0)
        accuse(checker, operation, "status is no error", event->status);
    if (event->status < 0 && !error_is_right(checker, operation, event->status))
        accuse(checker, operation, "failed without a reason", event->status);
    if (event->status == 0 && operation->must && !operation->excused)
        accuse(checker, operation, "succeeded and must not", operation->must);
    /* The other side may have thought otherwise of what the caller gave up. */
    if (was_cut_off(checker, operation, event->status))
        checker_apart(checker, operation->app->host, called_host(operation));
    if (event->status == 0)
        checker->sim->totals.succeeded++;
    else
        checker->sim->totals.failed++;
    if (operation->op == SADDLE_CMD_SEND)
        check_send(checker, operation);
    if (operation->op == SADDLE_CMD_READ || operation->op == SADDLE_CMD_WRITE)
        check_one_sided(checker, operation);
    if (reads_by_table(operation))
        check_by_table(checker, operation, event);
    if (is_atomic(operation))
        check_atomic(checker, operation, event);
    if (operation->op == SADDLE_CMD_PING)
        check_ping(checker, operation, event);
    if (operation->op == SADDLE_CMD_CANCEL)
        check_cancel(checker, operation, event);
    checker->sim->totals.cancelled += event->status == -ECANCELED && operation->cancelled;
}

/* An unordered message: any that was sent and has not come yet. */
static struct operation *find_unordered(struct ledger_stream *sent, const void *bytes,
                                        size_t length)
{
    while (sent->next < sent->count && sent->sent[sent->next]->delivered)
        sent->next++;
    for (uint32_t at = sent->next; at < sent->count; at++)
        if (!sent->sent[at]->delivered && ledger_is_message(sent->sent[at], bytes, length))
            return sent->sent[at];
    return NULL;
}

/* An ordered one: the next that was sent, or one behind those that failed. */
static struct operation *find_ordered(struct checker *checker, struct ledger_stream *sent,
                                      const void *bytes, size_t length)
{
    uint32_t at = sent->next;

    while (at < sent->count && !ledger_is_message(sent->sent[at], bytes, length))
        at++;
    if (at == sent->count)
        return NULL;
    for (uint32_t i = sent->next; i < at; i++) {
        struct operation *skipped = sent->sent[i];
        skipped->skipped = true;
        if (skipped->state == OPERATION_DONE && skipped->status == 0)
            accuse(checker, skipped, "reported as delivered, but overtaken by number", at);
    }
    sent->next = at + 1;
    return sent->sent[at];
}

struct operation *checker_message(struct checker *checker, struct connection_end *end,
                                  uint32_t stream, bool unordered, const void *bytes, size_t length)
{
    struct connection_end *other = ledger_other(end);
    TRACE(checker->sim, end->app->host, "message", end->handle, stream, length);
    if (end->closed) {
        sim_violation(checker->sim, "app %u: a message after the end of its connection",
                      end->app->index);
        return NULL;
    }
    if (!other || stream >= LEDGER_STREAMS) {
        sim_violation(checker->sim, "app %u: a message of %zu bytes that nobody sent",
                      end->app->index, length);
        return NULL;
    }
    struct ledger_stream *sent = ledger_line(other, stream, unordered);
    struct operation *operation = unordered ? find_unordered(sent, bytes, length)
                                            : find_ordered(checker, sent, bytes, length);
    if (!operation) {
        sim_violation(checker->sim,
                      "app %u, connection %llu, stream %u: %zu bytes that are no message after"
                      " number %u",
                      end->app->index, (unsigned long long)end->connection->id, stream, length,
                      sent->next);
        return NULL;
    }
    operation->delivered = true;
    if (operation->state == OPERATION_DONE && operation->status == -EBADMSG)
        accuse(checker, operation, "delivered after it was reported as damaged", 0);
    return operation;
}

void checker_apart(struct checker *checker, uint32_t a, uint32_t b)
{
    struct ledger *ledger = &checker->ledger;
    checker->sim->apart[a][b] = checker->sim->apart[b][a] = true;
    for (uint32_t i = 0; i < ledger->connection_count; i++) {
        struct ledger_connection *connection = ledger->connections[i];
        uint32_t from = connection->ends[0]->app->host;
        uint32_t to = connection->host;
        if ((from == a && to == b) || (from == b && to == a))
            connection->trouble |= TROUBLE_CUT;
    }
}

void checker_killed(struct checker *checker, struct app *app)
{
    struct ledger *ledger = &checker->ledger;
    for (uint32_t i = 0; i < ledger->operation_count; i++) {
        struct operation *operation = ledger->operations[i];
        if (operation->app != app || operation->life != app->life ||
            operation->state != OPERATION_ACCEPTED)
            continue;
        operation->state = OPERATION_DROPPED;
        end_huge(checker->sim, operation);
        checker->sim->totals.dropped++;
        if (operation->op == SADDLE_CMD_WRITE && operation->slot != REGION_SLOT_NONE)
            region_taint(operation->region, operation->slot);
    }
    for (uint32_t i = 0; i < ledger->connection_count; i++) {
        struct ledger_connection *connection = ledger->connections[i];
        for (uint32_t side = 0; side < 2; side++) {
            struct connection_end *end = connection->ends[side];
            if (end && end->app == app && end->life == app->life)
                connection->trouble |= TROUBLE_KILL;
        }
        /* It may have been about to answer. */
        if (connection->callee == app && !connection->ends[1])
            connection->trouble |= TROUBLE_KILL;
    }
}

uint32_t checker_outstanding(const struct checker *checker, const struct operation **first)
{
    const struct ledger *ledger = &checker->ledger;
    uint32_t count = 0;
    for (uint32_t i = 0; i < ledger->operation_count; i++) {
        const struct operation *operation = ledger->operations[i];
        if (operation->state != OPERATION_ACCEPTED || operation->op == SADDLE_CMD_POST_RECV)
            continue;
        if (count++ == 0)
            *first = operation;
    }
    return count;
}

void checker_print(const struct checker *checker)
{
    const struct ledger *ledger = &checker->ledger;
    for (uint32_t i = 0; i < ledger->operation_count; i++) {
        const struct operation *operation = ledger->operations[i];
        const struct connection_end *end = operation->end;
        if (operation->state != OPERATION_ACCEPTED)
            continue;
        printf("  operation %u: %s, app %u, connection %lld side %u, stream %u, order %u, %zu"
               " bytes, accepted at %.3f us, timeout %.3f us\n",
               i, op_names[operation->op], operation->app->index,
               end && end->connection ? (long long)end->connection->id : -1, end ? end->side : 0,
               operation->stream, operation->order, operation->length,
               (double)operation->accepted_at / USEC, (double)operation->timeout / USEC);
    }
}

void checker_final(struct checker *checker)
{
    const struct ledger *ledger = &checker->ledger;
    for (uint32_t i = 0; i < ledger->operation_count; i++) {
        const struct operation *operation = ledger->operations[i];
        if (operation->state == OPERATION_ACCEPTED)
            accuse(checker, operation, "never completed", 0);
        if (operation->op != SADDLE_CMD_SEND || operation->state != OPERATION_DONE ||
            operation->status != 0 || operation->delivered)
            continue;
        /* Its receiver may have left before it looked. */
        uint32_t excuse = TROUBLE_KILL | TROUBLE_CUT | TROUBLE_CLOSE(1 - operation->end->side);
        if (!operation->end->connection || !(operation->end->connection->trouble & excuse))
            accuse(checker, operation, "reported as delivered, but was not", 0);
    }
}
