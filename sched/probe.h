/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Static tracing probes (USDT): places in the daemon that a tracer can attach to while it runs. A
 * probe nobody watches is one no-op instruction; built without <sys/sdt.h> it is nothing at all.
 *
 * docs/probes.tsv lists every probe with its arguments; a check compares it with the built daemon.
 *
 * Threads: any. Arguments are values at hand (integers, pointers): computing one for a probe alone
 * would cost even when nobody watches.
 */
#ifndef SCHED_PROBE_H
#define SCHED_PROBE_H

#ifdef SADDLE_USDT
#include <sys/sdt.h>
#define SADDLE_PROBE1(name, a)       DTRACE_PROBE1(saddle, name, a)
#define SADDLE_PROBE2(name, a, b)    DTRACE_PROBE2(saddle, name, a, b)
#define SADDLE_PROBE3(name, a, b, c) DTRACE_PROBE3(saddle, name, a, b, c)
#else
#define SADDLE_PROBE1(name, a)       ((void)(a))
#define SADDLE_PROBE2(name, a, b)    ((void)(a), (void)(b))
#define SADDLE_PROBE3(name, a, b, c) ((void)(a), (void)(b), (void)(c))
#endif

#endif
