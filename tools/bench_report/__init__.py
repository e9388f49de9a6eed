# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""The parts of docs/performance.md, each with how it is measured and written: tools/bench-report is
the command."""
