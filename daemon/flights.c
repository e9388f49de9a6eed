/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/flights.h"

#include <errno.h>
#include <stdlib.h>

#define NONE UINT32_MAX

int flights_create(struct flights *flights, uint32_t buffers, uint32_t descriptors)
{
    *flights = (struct flights){
        .flights = malloc(descriptors * sizeof(flights->flights[0])),
        .first = malloc(buffers * sizeof(flights->first[0])),
        .buffers = buffers,
        .room = descriptors,
    };
    if (!flights->flights || !flights->first) {
        free(flights->flights);
        free(flights->first);
        *flights = (struct flights){0};
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < descriptors; i++)
        flights->flights[i] = (struct flight){.next = i + 1 < descriptors ? i + 1 : NONE};
    for (uint32_t i = 0; i < buffers; i++)
        flights->first[i] = NONE;
    return 0;
}

void flights_add(struct flights *flights, uint32_t buffer, struct rte_mbuf *packet,
                 uint32_t descriptors)
{
    uint32_t index = flights->unused;
    struct flight *flight = &flights->flights[index];

    flights->unused = flight->next;
    flights->room -= descriptors;
    *flight = (struct flight){packet, descriptors, flights->first[buffer]};
    flights->first[buffer] = index;
}

bool flights_land(struct flights *flights, uint32_t buffer)
{
    uint32_t index = buffer < flights->buffers ? flights->first[buffer] : NONE;
    struct flight *flight;

    if (index == NONE)
        return false;
    flight = &flights->flights[index];
    flights->room++;
    if (--flight->descriptors > 0)
        return true;
    rte_pktmbuf_free_seg(flight->packet);
    flights->first[buffer] = flight->next;
    flight->next = flights->unused;
    flights->unused = index;
    return true;
}

uint32_t flights_of(const struct flights *flights, uint32_t buffer)
{
    uint32_t descriptors = 0;

    for (uint32_t i = flights->first[buffer]; i != NONE; i = flights->flights[i].next)
        descriptors += flights->flights[i].descriptors;
    return descriptors;
}

void flights_destroy(struct flights *flights)
{
    for (uint32_t i = 0; i < flights->buffers; i++) {
        while (flights_land(flights, i))
            ;
    }
    flights_forget(flights);
}

void flights_forget(struct flights *flights)
{
    free(flights->flights);
    free(flights->first);
    *flights = (struct flights){0};
}
