#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Every manual page is rendered, and nothing in it is complained of."""
import pathlib
import sys

import harness

PAGES = sorted(pathlib.Path(sys.argv[1]).glob("*.[1-8]"))


def test_rendered():
    harness.expect(len(PAGES) > 5, f"pages: {PAGES}")
    for page in PAGES:
        status, text, errors = harness.run(["groff", "-man", "-ww", "-Tutf8", "-P-cbou", str(page)])
        harness.expect_equal((status, errors), (0, ""), page.name)
        for part in ("NAME", "SEE ALSO"):
            harness.expect(part in text, f"{page.name}: no {part}")


harness.main([test_rendered])
