# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""What is written into the page: tables, and numbers of a readable length."""
import re
import statistics

from .place import Failed


def number(value):
    """Thousands apart, and one digit after the point where there are few before it."""
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


def digits(value):
    """Three digits that say something, and thousands apart."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def spread(values):
    """A figure, as saddle-bench writes one."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values),
            "runs": len(values)}


def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "| " + " | ".join("---" for _ in heads) + " |"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return [re.sub(r"\|  (?=\|)", "| ", re.sub(r"\|  (?=\|)", "| ", line)) for line in lines] + [""]


def put(page, name, text):
    """The page with a text between the two lines of this name."""
    before, found, rest = page.partition(f"<!-- {name}: tools/bench-report ")
    how, _, rest = rest.partition("\n")
    _, last, after = rest.partition(f"<!-- {name} end -->\n")
    if not found or not last:
        raise Failed(f"the page has no place for {name}")
    return f"{before}{found}{how}\n\n{text}\n{last}{after}"


def put_figure(path, drawing, page):
    """With the page's licence, after the drawing's first line."""
    head, rest = drawing.split("\n", 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([head, *page.splitlines()[:2], rest]), encoding="utf-8")
