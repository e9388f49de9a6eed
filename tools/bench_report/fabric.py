# SPDX-FileCopyrightText: 2026 The Saddle authors
# SPDX-License-Identifier: Apache-2.0
"""Congestion control over a simulated fabric, by `saddle-fabric`: the same figures on every
machine, from one seed."""
from .page import put, table
from .place import Failed

NAME = "fabric"
WAYS = {"swift": "Swift", "timely": "Timely", "none": "None"}
# Columns of what the program prints for scenes in which many send to one,
INTO_ONE = ("jain", "goodput", "least", "median", "mean", "p99", "dropped", "again", "timeouts")
# and for each scene, after the way to control.
SCENES = {
    "single": ("loss", "goodput", "lost", "dropped", "again", "timeouts"),
    "incast": INTO_ONE,
    "crowd": INTO_ONE,
    "late": INTO_ONE,
    "all-to-all": ("p50", "p99", "p999", "message_p50", "message_p99", "messages", "dropped",
                   "again", "timeouts"),
    "noise": ("turns", "within", "after", "again", "timeouts"),
}
# What the tests sim/fabric/* assert, by scene and column: for Swift, and for Timely.
PROMISED = {
    "incast": {"jain": ("0.95", "0.85"), "least": ("25 %", "25 %"), "median": ("100", "250"),
               "mean": ("100", "250"), "dropped": ("0", None)},
    "crowd": {"jain": ("0.9", None), "least": ("25 %", None), "median": ("200", None),
              "mean": ("200", None), "dropped": ("0", None)},
    "late": {"least": ("25 %", "25 %"), "median": ("100", "250")},
    "noise": {"after": ("50 %", "50 %")},
}
GOODPUT_PROMISED = {"0.00": "90 %", "0.10": "80 %", "1.00": "50 %"}
LOSSES = {"0.00": "none", "0.10": "0.1 %", "1.00": "1 %"}


def files(_):
    return [NAME]


def rows_of(text, columns):
    """What a scene prints, a row for each way."""
    rows = []
    for line in text.splitlines():
        words = line.replace("%", "").split()
        if words and words[0] in WAYS and len(words) == 1 + len(columns):
            rows.append({"cc": words[0], **dict(zip(columns, words[1:]))})
    if not rows:
        raise Failed(f"saddle-fabric says something else than it used to: {text}")
    return rows


def measure(place):
    program = place.test_program("tests/sim/saddle-fabric")
    place.keep(NAME, {scene: rows_of(place.run([program, scene], keeps=True), columns)
                      for scene, columns in SCENES.items()})


def cell(scene, row, column, unit=""):
    value = row[column]
    value = f"{int(value):,}" if value.isdigit() else value
    promised = PROMISED[scene].get(column) if scene in PROMISED else None
    bound = dict(zip(("swift", "timely"), promised)).get(row["cc"]) if promised else None
    return f"{value}{unit}" + (f" (**{bound}**)" if bound else "")


def single(made):
    by_loss = {}
    for row in made:
        by_loss.setdefault(row["loss"], {})[row["cc"]] = row["goodput"]
    return table(["Random loss", "Swift", "Timely", "Promised"],
                 [[LOSSES[loss], f"{one['swift']} %", f"{one['timely']} %",
                   f"**{GOODPUT_PROMISED[loss]}**"] for loss, one in by_loss.items()])


def others(scene, heads, columns):
    """A table with a row for each way; columns are names, with a unit after a blank."""
    def text(made):
        return table(["", *heads], [
            [WAYS[row["cc"]], *(cell(scene, row, *column.split(" ", 1)) for column in columns)]
            for row in made])
    return text


MANY = (["Jain's index", "Link used", "The least flow, of a fair share", "Queue, median", "mean",
         "p99", "Dropped in that time"],
        ["jain", "goodput  %", "least  %", "median", "mean", "p99", "dropped"])
TABLES = {
    "single": single,
    "incast": others("incast", *MANY),
    "crowd": others("crowd", *MANY),
    "late": others("late", ["Jain's index", "The least flow, of a fair share", "Queue, median",
                            "p99"], ["jain", "least  %", "median", "p99"]),
    "all-to-all": others("all-to-all", ["Small message there and back, p50", "p99", "p99.9",
                                        "64 KiB one way, p50", "p99", "Dropped"],
                         ["p50", "p99", "p999", "message_p50", "message_p99", "dropped"]),
    "noise": others("noise", ["Round trips waited for", "Within them", "In the next 4 ms"],
                    ["turns", "within  %", "after  %"]),
}


def write(place, page):
    made = place.read(NAME)
    for scene, text in TABLES.items():
        page = put(page, f"{NAME} {scene}", "\n".join(text(made[scene])))
    return page


def figures(place):
    """One run each: it would be the same again."""
    found = {}
    for scene, rows in place.read(NAME).items():
        for row in rows:
            where = f"{scene}_loss_{row['loss']}" if "loss" in row else scene
            for column in SCENES[scene]:
                value = float(row[column])
                found[f"{where}_{row['cc']}_{column}"] = {
                    "median": value, "min": value, "max": value, "runs": 1}
    return found
