/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Every interleaving of a producer and a consumer, one operation on shared memory at a time.
 *
 * The code explored is queue.h and doorbell.c themselves: their loads, stores and exchanges come
 * here. A side in the middle of an operation is known by its private state at the start and by the
 * values it has got since; a step runs the operation again from there, answers from that log, does
 * the next access for real and leaves. So a state is plain bytes, and the search is breadth-first
 * over the set of states seen.
 *
 * Checked in each state: entries arrive once, in order and whole; nothing is called absurd; and
 * the two are never stuck before all entries have crossed, asleep or otherwise. Seeded mistakes
 * show that the search finds what it looks for.
 */
#include <stddef.h>
#include <stdint.h>

static uint64_t explore_load(const void *word, size_t bytes);
static void explore_store(void *word, uint64_t value);
static uint32_t explore_exchange(const uint32_t *word, uint32_t value);

#define QUEUE_LOAD(word, order) ((__typeof__(*(word) + 0))explore_load(word, sizeof(*(word))))

#define QUEUE_STORE(word, value, order) explore_store(word, value)
#define DOORBELL_EXCHANGE(word, value)  explore_exchange(word, value)

#include "mailbox/queue.h"
/* NOLINTNEXTLINE(bugprone-suspicious-include): the same source on the explorer's memory. */
#include "mailbox/doorbell.c"

#include <check.h>
#include <setjmp.h>
#include <stdlib.h>

#define CAPACITY_MAX 4u
#define WORDS        16u    /* of eight bytes: one entry */
#define LOG_MAX      28u    /* accesses in one operation: an entry, and the doorbell */
#define STATES_LOG2  18u    /* slots of the set of states; a search that needs more fails */
#define STATES_FIRST 65536u /* states there is room for before the set grows */

/* Mistakes to seed. */
enum mistake {
    MISTAKE_NONE,
    MISTAKE_PUBLISH_EARLY,  /* the sequence word is stored before the last word */
    MISTAKE_CONSUMED_EARLY, /* an entry is given back before it is copied */
    MISTAKE_NO_SECOND_LOOK, /* the consumer arms and sleeps */
    MISTAKE_RING_UNASKED,   /* the producer looks at the armed word before it publishes */
};

/* One side between two accesses. */
struct side {
    uint32_t position;
    uint32_t known; /* the producer's `consumed`, the consumer's `published` */
    uint32_t count; /* entries that went through */
    uint32_t accesses;
    uint64_t log[LOG_MAX];
};

struct state {
    uint32_t consumed;
    uint32_t armed;
    uint32_t rung;
    uint32_t asleep;
    uint32_t seq[CAPACITY_MAX];
    uint32_t head[CAPACITY_MAX]; /* bytes 4 to 7 of the entry */
    uint16_t words[CAPACITY_MAX][WORDS];
    struct side producer;
    struct side consumer;
};
_Static_assert(sizeof(struct state) % sizeof(uint64_t) == 0, "hashed by words, and no padding");

static struct {
    struct queue queue;
    uint32_t entries; /* to cross */
    enum mistake mistake;
    const char *fault; /* the first thing found wrong */
    /* The step being made. */
    struct state now;
    struct side *side;
    uint32_t replayed;
    bool stepped;
    jmp_buf leave;
    /* The search. */
    struct state *states;
    uint32_t *set; /* index of a state, plus one */
    uint32_t found;
    uint32_t capacity;
} search;

static void fault(const char *what)
{
    if (!search.fault)
        search.fault = what;
}

static uint64_t shared_load(const uint8_t *word, size_t bytes)
{
    const struct saddle_queue_header *header = search.queue.header;
    size_t offset = (size_t)(word - search.queue.entries);
    size_t slot = offset / SADDLE_ENTRY_BYTES;
    size_t at = offset % SADDLE_ENTRY_BYTES / sizeof(uint64_t);

    if (word == (const uint8_t *)&header->consumed)
        return search.now.consumed;
    if (bytes == sizeof(uint32_t))
        return search.now.seq[slot];
    if (at == 0)
        return (uint64_t)search.now.head[slot] << 32 | search.now.seq[slot];
    return search.now.words[slot][at];
}

static void shared_store(const uint8_t *word, uint64_t value)
{
    const struct saddle_queue_header *header = search.queue.header;
    size_t offset = (size_t)(word - search.queue.entries);
    size_t slot = offset / SADDLE_ENTRY_BYTES;
    size_t at = offset % SADDLE_ENTRY_BYTES;

    if (word == (const uint8_t *)&header->consumed)
        search.now.consumed = (uint32_t)value;
    else if (at == 0)
        search.now.seq[slot] = (uint32_t)value;
    else if (at == sizeof(uint32_t))
        search.now.head[slot] = (uint32_t)value;
    else
        search.now.words[slot][at / sizeof(uint64_t)] = (uint16_t)value;
}

/* True with the logged value if the access was made in an earlier step; false if it is to be made
 * now. Leaves the operation if this step has made its access. */
static bool replay(uint64_t *value)
{
    if (search.replayed < search.side->accesses) {
        *value = search.side->log[search.replayed++];
        return true;
    }
    if (search.stepped)
        longjmp(search.leave, 1);
    search.stepped = true;
    return false;
}

static uint64_t record(uint64_t value)
{
    ck_assert_uint_lt(search.side->accesses, LOG_MAX);
    search.side->log[search.side->accesses++] = value;
    search.replayed++;
    return value;
}

static uint64_t explore_load(const void *word, size_t bytes)
{
    uint64_t value;

    return replay(&value) ? value : record(shared_load((const uint8_t *)word, bytes));
}

static void explore_store(void *word, uint64_t value)
{
    uint64_t logged;

    if (!replay(&logged)) {
        shared_store((const uint8_t *)word, value);
        record(value);
    }
}

static uint32_t explore_exchange(const uint32_t *word, uint32_t value)
{
    uint64_t before;

    (void)word;
    if (!replay(&before)) {
        before = record(search.now.armed);
        search.now.armed = value;
    }
    return (uint32_t)before;
}

static void ring(void)
{
    uint64_t logged;

    if (!replay(&logged))
        search.now.rung = (uint32_t)record(1);
}

static uint32_t entry_words(uint32_t number)
{
    return number % 2 ? WORDS : WORDS / 2;
}

static uint32_t entry_head(uint32_t number)
{
    return (number % 2 ? SADDLE_ENTRY_INLINE << 8 : 0) | (number + 1) << 16;
}

static uint64_t entry_word(uint32_t number, uint32_t word)
{
    return (uint64_t)(number + 1) << 8 | word;
}

static void write_words(uint8_t *entry, uint32_t number, uint32_t from, uint32_t to)
{
    for (uint32_t word = from; word < to; word++) {
        if (word == 0)
            explore_store(entry + sizeof(uint32_t), entry_head(number));
        else
            explore_store(entry + word * sizeof(uint64_t), entry_word(number, word));
    }
}

/* The producer's operation: one entry, or nothing if the queue is full. */
static void produce(void)
{
    struct side *side = search.side;
    struct queue_producer producer = {search.queue, side->position, side->known};
    uint32_t number = side->count;
    uint32_t words = entry_words(number);
    uint32_t early = search.mistake == MISTAKE_PUBLISH_EARLY;
    bool due = false;
    uint8_t *entry = (uint8_t *)queue_reserve(&producer);

    if (!entry) {
        side->known = producer.consumed;
        return;
    }
    write_words(entry, number, 0, words - early);
    if (search.mistake == MISTAKE_RING_UNASKED)
        due = doorbell_due(&search.queue.header->armed);
    queue_publish(&producer);
    write_words(entry, number, words - early, words);
    if (search.mistake != MISTAKE_RING_UNASKED)
        due = doorbell_due(&search.queue.header->armed);
    if (due)
        ring();
    side->position = producer.position;
    side->known = producer.consumed;
    side->count++;
}

static bool intact(const uint8_t *copy, uint32_t number, uint32_t position)
{
    uint64_t expected[WORDS];

    expected[0] = (uint64_t)entry_head(number) << 32 | (position + 1);
    for (uint32_t word = 1; word < WORDS; word++)
        expected[word] = entry_word(number, word);
    return memcmp(copy, expected, entry_words(number) * sizeof(uint64_t)) == 0;
}

static void take(struct queue_consumer *consumer)
{
    uint8_t copy[SADDLE_ENTRY_BYTES];
    uint32_t position = consumer->position;

    if (search.mistake == MISTAKE_CONSUMED_EARLY)
        explore_store(&search.queue.header->consumed, position + 1);
    queue_pop(consumer, copy);
    if (!intact(copy, search.side->count, position))
        fault("an entry is torn, lost, doubled or out of order");
    queue_consumed(consumer, false);
}

/* The consumer's operation: one entry, or going to sleep, or waking up. */
static void consume(void)
{
    struct side *side = search.side;
    struct queue_consumer consumer = {search.queue, side->position, side->known};
    uint32_t *armed = &search.queue.header->armed;
    bool asleep = false;
    int ready;

    if (search.now.asleep)
        doorbell_disarm(armed);
    ready = queue_poll(&consumer);
    if (ready < 0)
        fault("an honest producer is called absurd");
    if (ready == 1) {
        take(&consumer);
        side->count++;
    } else {
        queue_consumed(&consumer, true);
        doorbell_arm(armed);
        if (search.mistake == MISTAKE_NO_SECOND_LOOK || queue_empty(&consumer))
            asleep = true;
        else
            doorbell_disarm(armed);
    }
    side->position = consumer.position;
    side->known = consumer.published;
    search.now.asleep = asleep;
}

/* One step of one side from `from`; the result is search.now. */
static void step(const struct state *from, bool producer)
{
    search.now = *from;
    search.side = producer ? &search.now.producer : &search.now.consumer;
    search.replayed = 0;
    search.stepped = false;
    if (!producer && from->asleep && from->consumer.accesses == 0)
        search.now.rung = 0;
    if (setjmp(search.leave) != 0)
        return;
    if (producer)
        produce();
    else
        consume();
    memset(search.side->log, 0, sizeof(search.side->log));
    search.side->accesses = 0;
}

static uint32_t hash(const struct state *state)
{
    uint64_t sum = 0;

    for (size_t at = 0; at < sizeof(*state); at += sizeof(uint64_t)) {
        uint64_t word;

        memcpy(&word, (const uint8_t *)state + at, sizeof(word));
        sum = (sum ^ word) * 0x9e3779b97f4a7c15ull;
        sum ^= sum >> 29;
    }
    return (uint32_t)(sum >> 32) & ((1u << STATES_LOG2) - 1);
}

/* Adds search.now to the set unless it is known. */
static void remember(void)
{
    uint32_t slot = hash(&search.now);

    for (; search.set[slot]; slot = (slot + 1) & ((1u << STATES_LOG2) - 1)) {
        if (memcmp(&search.states[search.set[slot] - 1], &search.now, sizeof(search.now)) == 0)
            return;
    }
    if (search.found == search.capacity) {
        search.capacity *= 2;
        ck_assert_uint_lt(search.capacity, 1u << STATES_LOG2);
        search.states =
            (struct state *)realloc(search.states, search.capacity * sizeof(search.states[0]));
        ck_assert_ptr_nonnull(search.states);
    }
    search.states[search.found] = search.now;
    search.set[slot] = ++search.found;
}

static void expand(uint32_t index)
{
    struct state from = search.states[index];
    bool wakes = from.asleep && from.consumer.accesses == 0;
    bool moved = false;

    if (from.producer.count < search.entries) {
        step(&from, true);
        moved = memcmp(&from, &search.now, sizeof(from)) != 0;
        remember();
    }
    if (from.consumer.count < search.entries && (!wakes || from.rung)) {
        step(&from, false);
        moved = moved || memcmp(&from, &search.now, sizeof(from)) != 0;
        remember();
    }
    if (!moved && (from.producer.count < search.entries || from.consumer.count < search.entries))
        fault("both sides are stuck");
}

/* Explores all states from one start; returns what was found wrong, or NULL. */
static const char *explore(uint32_t capacity, uint32_t start, enum mistake mistake)
{
    const struct queue_attrs attrs = {.name = "explored", .capacity = capacity};
    void *memory = aligned_alloc(SADDLE_ENTRY_BYTES, queue_bytes(capacity));
    struct queue_producer producer;
    struct queue_consumer consumer;

    memset(&search, 0, sizeof(search));
    ck_assert_ptr_nonnull(memory);
    ck_assert_int_eq(queue_create(&search.queue, &attrs, memory), 0);
    queue_format(&search.queue, start);
    queue_producer_open(&producer, &search.queue, start);
    queue_consumer_open(&consumer, &search.queue, start);
    search.entries = capacity + 3;
    search.mistake = mistake;
    search.capacity = STATES_FIRST;
    search.states = (struct state *)malloc(search.capacity * sizeof(search.states[0]));
    search.set = (uint32_t *)calloc((size_t)1 << STATES_LOG2, sizeof(search.set[0]));
    ck_assert(search.states && search.set);
    search.now.consumed = search.queue.header->consumed;
    for (uint32_t slot = 0; slot < capacity; slot++)
        memcpy(&search.now.seq[slot], queue_entry(&search.queue, slot), sizeof(uint32_t));
    search.now.producer.position = producer.position;
    search.now.producer.known = producer.consumed;
    search.now.consumer.position = consumer.position;
    search.now.consumer.known = consumer.published;
    remember();
    for (uint32_t index = 0; index < search.found && !search.fault; index++)
        expand(index);
    free(search.states);
    free(search.set);
    free(memory);
    return search.fault;
}

static const uint32_t capacities[] = {1, 2, 4};

/* From each start the position wraps in the middle, at the end, or not at all. */
START_TEST(no_interleaving_breaks_a_queue)
{
    uint32_t capacity = capacities[_i];

    for (uint32_t before = 0; before <= capacity + 3; before++) {
        const char *found = explore(capacity, 0u - before, MISTAKE_NONE);

        ck_assert_msg(!found, "capacity %u, %u before the wrap: %s", capacity, before, found);
        ck_assert_uint_gt(search.found, 100 * capacity);
    }
}
END_TEST

static const struct {
    enum mistake mistake;
    const char *found;
} mistakes[] = {
    {MISTAKE_PUBLISH_EARLY, "an entry is torn, lost, doubled or out of order"},
    {MISTAKE_CONSUMED_EARLY, "an entry is torn, lost, doubled or out of order"},
    {MISTAKE_NO_SECOND_LOOK, "both sides are stuck"},
    {MISTAKE_RING_UNASKED, "both sides are stuck"},
};

START_TEST(every_seeded_mistake_is_found)
{
    for (size_t i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++) {
        const char *found = explore(capacities[i], 0u - 1, mistakes[_i].mistake);

        ck_assert_str_eq(found ? found : "nothing", mistakes[_i].found);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("queue_explore");
    TCase *all = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(all, no_interleaving_breaks_a_queue, 0, 3);
    tcase_add_loop_test(all, every_seeded_mistake_is_found, 0, 4);
    tcase_set_timeout(all, 100);
    suite_add_tcase(suite, all);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
