/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/pause.h"

#include <stdint.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#define LEAF_FEATURES 7u /* of CPUID: structured extended features */
#define ECX_WAITPKG   (1u << 5)
#define STATE_C01     1u    /* the lighter one of TPAUSE's two */
#define PAUSE_CYCLES  2000u /* of the time stamp counter: about a microsecond */

bool pause_available(void)
{
    static int known; /* 0: not asked yet; threads that ask at once get the same answer */
    int answer = __atomic_load_n(&known, __ATOMIC_RELAXED);
    unsigned int a, b, c, d;

    if (answer == 0) {
        bool has = __get_cpuid_count(LEAF_FEATURES, 0, &a, &b, &c, &d) && (c & ECX_WAITPKG);
        answer = has ? 1 : -1;
        __atomic_store_n(&known, answer, __ATOMIC_RELAXED);
    }
    return answer == 1;
}

__attribute__((target("waitpkg"))) static void pause_deep(void)
{
    (void)_tpause(STATE_C01, __rdtsc() + PAUSE_CYCLES);
}

void pause_processor(bool deep)
{
    if (deep && pause_available())
        pause_deep();
    else
        _mm_pause();
}

#else

bool pause_available(void)
{
    return false;
}

void pause_processor(bool deep)
{
    (void)deep;
    __asm__ volatile("" ::: "memory");
}

#endif
