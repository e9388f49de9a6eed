#!/usr/bin/python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Messages, a write and a read of more than 64 MiB, between the two hosts of one daemon.

usage: largest_test.py SADDLED LARGEST
"""
import sys

import harness


def largest_operations_arrive_whole():
    saddled, largest = sys.argv[1:3]
    with harness.running(saddled) as (daemon, _):
        descriptors = daemon.descriptors()
        status, output, errors = harness.run([largest, daemon.folder.socket])
        harness.expect_equal((status, output, errors), (0, "ok\n", ""), "largest")
        daemon.check_descriptors(descriptors, "largest")


harness.main([largest_operations_arrive_whole])
