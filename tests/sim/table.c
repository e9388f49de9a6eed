/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 16u
#define OWN_STEP       (1ull << 32) /* of the application's own counting */

static uint64_t load(const uint8_t *memory, uint32_t word)
{
    uint64_t value;
    memcpy(&value, memory + table_word_at(word), sizeof(value));
    return value;
}

void table_init(struct table *table, uint8_t *memory)
{
    memset(table, 0, sizeof(*table));
    memset(memory, 0, TABLE_BYTES);
}

void table_fini(struct table *table)
{
    for (uint32_t i = 0; i < TABLE_WORDS; i++)
        free(table->words[i].before);
}

uint64_t table_word_at(uint32_t word)
{
    return word * sizeof(uint64_t);
}

uint64_t table_pointer_at(uint32_t index)
{
    return table_word_at(TABLE_WORDS) + index * sizeof(struct saddle_pointer);
}

uint64_t table_match_at(uint32_t index)
{
    return table_pointer_at(TABLE_POINTERS) + index * sizeof(struct saddle_match);
}

uint64_t table_match_value(uint32_t index)
{
    return 0x3a7c000000000000 + index;
}

uint64_t table_offset(uint32_t index)
{
    return index * 4099;
}

uint32_t table_length(uint32_t index)
{
    return index * 1237 % (TABLE_LENGTH_MAX + 1);
}

void table_point(uint8_t *memory, saddle_key key, uint32_t bytes)
{
    for (uint32_t i = 0; i < TABLE_POINTERS; i++) {
        struct saddle_pointer *entry = (void *)(memory + table_pointer_at(i));
        uint64_t offset = i == TABLE_OUTSIDE ? bytes : table_offset(i);
        saddle_pointer_set(entry, i == TABLE_EMPTY ? 0 : key, offset, table_length(i));
    }
    for (uint32_t i = 0; i < TABLE_MATCHES; i++) {
        const struct saddle_pointer *from = (void *)(memory + table_pointer_at(i % TABLE_POINTERS));
        struct saddle_match *entry = (void *)(memory + table_match_at(i));
        saddle_match_set(entry, table_match_value(i), from->key, from->offset, from->length);
    }
}

int32_t table_outcome(uint32_t index, size_t most)
{
    if (index == TABLE_EMPTY)
        return -ENOENT;
    if (index == TABLE_OUTSIDE)
        return -ERANGE;
    return table_length(index) > most ? -EMSGSIZE : 0;
}

void table_touch(struct table *table, uint8_t *memory)
{
    for (uint32_t i = 0; i < TABLE_WORDS; i += 2) {
        __atomic_fetch_add((uint64_t *)(void *)(memory + table_word_at(i)), OWN_STEP,
                           __ATOMIC_RELAXED);
        table->words[i].local++;
    }
}

/* Notes what a change found: false if another one has found the same. */
static bool note(struct table_word *word, uint64_t before)
{
    for (uint32_t i = 0; i < word->done; i++)
        if (word->before[i] == before)
            return false;
    if (word->done == word->capacity) {
        word->capacity = word->capacity ? 2 * word->capacity : FIRST_CAPACITY;
        word->before = realloc(word->before, word->capacity * sizeof(uint64_t));
        if (!word->before)
            abort();
    }
    word->before[word->done++] = before;
    return true;
}

const char *table_changed(struct table *table, uint32_t index, uint64_t before, bool swapped,
                          uint64_t after)
{
    struct table_word *word = &table->words[index];
    if (index % 2 == 1) {
        word->current = swapped ? after : before;
        if (!swapped) {
            word->asked--;
            return NULL;
        }
        if (table->closed && table->last[index] == before)
            return "swapped a value that was there to the end";
        return note(word, before) ? NULL : "swapped a value that another had swapped";
    }
    before %= OWN_STEP;
    if (before >= word->asked)
        return "counted further than was asked for";
    if (table->closed && before >= table->last[index] % OWN_STEP)
        return "counted further than to the end";
    return note(word, before) ? NULL : "counted where another had counted";
}

void table_unchanged(struct table *table, uint32_t index)
{
    table->words[index].asked--;
}

const char *table_close(struct table *table, const uint8_t *memory)
{
    for (uint32_t i = 0; i < TABLE_WORDS; i++) {
        const struct table_word *word = &table->words[i];
        uint64_t value = load(memory, i);
        table->last[i] = value;
        if (i % 2 == 1) {
            for (uint32_t j = 0; j < word->done; j++)
                if (word->before[j] == value)
                    return "a value that was swapped is there again";
        } else if (value / OWN_STEP != word->local) {
            return "what the application counted itself is wrong";
        } else if (value % OWN_STEP < word->done || value % OWN_STEP > word->asked) {
            return "what others counted is wrong";
        }
    }
    table->closed = true;
    return NULL;
}
