/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/demo-parts.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BYSTANDER_SUFFIX     ".killed"
#define BYSTANDER_PATH_BYTES 4096u
#define BYSTANDER_PATIENCE_S 30ull
#define BYSTANDER_LOOK_NS    1000000 /* between two looks at what it has copied */

static pid_t bystander;
static char bystander_output[BYSTANDER_PATH_BYTES];
static uint64_t bystander_bytes;

static void __attribute__((noreturn)) copy_for_ever(const struct demo_options *options)
{
    struct demo_options own = *options;
    struct demo_saddle *demo;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    demo_progress_off();
    own.service = "bystander";
    own.output = bystander_output;
    own.reads = 0;
    demo = demo_saddle_open(&own);
    for (;;)
        demo_saddle_copy(demo, &own, NULL);
}

void demo_bystander_start(const struct demo_options *options)
{
    int length = snprintf(bystander_output, sizeof(bystander_output), "%s" BYSTANDER_SUFFIX,
                          options->output);

    if (length < 0 || (size_t)length >= sizeof(bystander_output))
        demo_fail("the path of the copy is too long");
    bystander = fork();
    if (bystander < 0)
        demo_fail("no second process: %s", strerror(errno));
    if (bystander == 0)
        copy_for_ever(options);
}

void demo_bystander_kill(void)
{
    const struct timespec pause = {.tv_nsec = BYSTANDER_LOOK_NS};
    uint64_t end_ns = demo_now_ns() + BYSTANDER_PATIENCE_S * DEMO_NS_PER_S;
    struct stat status = {.st_size = 0};

    while (stat(bystander_output, &status) != 0 || status.st_size == 0) {
        if (waitpid(bystander, NULL, WNOHANG) != 0 || demo_now_ns() > end_ns)
            demo_fail("the other application does not copy");
        nanosleep(&pause, NULL);
    }
    kill(bystander, SIGKILL);
    if (waitpid(bystander, NULL, 0) != bystander)
        demo_fail("the other application cannot be killed");
    bystander_bytes = (uint64_t)status.st_size;
    unlink(bystander_output);
}

uint64_t demo_bystander_bytes(void)
{
    return bystander_bytes;
}
