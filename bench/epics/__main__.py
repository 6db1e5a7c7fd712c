"""EPICS servers and clients side by side: what each costs, and whether the updates arrived.

    cargo build --release && tools/epics-tables --write docs/epics.md

N records that change R times a second, M monitors on each: the real packages (softioc, aioca,
p4p) at both ends, and beside each row the same with Onrush as client, as server, and as both.
The server has one core and the client another. Loopback only; ends only what it started.
"""

import argparse
import importlib.metadata
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

import ends
import rows

# What the page and the machine have in common with the other benches.
sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "peers"))

import paper
from paper import ROOT, notice


def main():
    options = options_of(sys.argv[1:])
    paper.begin("epics", options.onrush)
    said = {"machine": machine(options)}
    with tempfile.TemporaryDirectory(prefix="onrush-epics-") as folder:
        place = ends.Place(options.onrush, pathlib.Path(folder), options.server_cpu,
                           options.client_cpu)
        for name, table in rows.TABLES.items():
            if options.only and name not in options.only:
                continue
            said[name] = table_of(table, options, place)
    paper.publish(said, options.write)


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="bench/epics", description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("--seconds", type=float, default=20, help="length of what is measured (%(default)s)")
    add("--repeats", type=int, default=3, help="runs of each row (%(default)s)")
    add("--only", action="append", choices=tuple(rows.TABLES), help="a table; repeatable")
    add("--server-cpu", type=int, default=0)
    add("--client-cpu", type=int, default=1)
    add("--onrush", default=str(ROOT / "target/release/onrush"))
    add("--write", metavar="FILE", help="put the tables between the markers of FILE")
    return parser.parse_args(arguments)


def table_of(table, options, place):
    """Rows of medians; each round runs every row once, so that the machine's moods meet all."""
    cells = [[] for _ in table.rows]
    for number in range(options.repeats):
        for row, seen in zip(table.rows, cells):
            figures = table.run(row, options.seconds, place)
            seen.append(figures)
            said = ", ".join(f"{key} {value}" for key, value in figures.items() if value)
            notice(f"{row.title}, round {number + 1} of {options.repeats}: {said}")
    runs = f"medians of {options.repeats} runs" if options.repeats > 1 else "one run"
    lines = [f"Rows are {runs} of {options.seconds:g} s.", "",
             "| " + " | ".join(title for title, _, _ in table.columns) + " |",
             "|" + "".join("---:|" if form else "---|" for _, _, form in table.columns)]
    for row, seen in zip(table.rows, cells):
        cell = [median_cell(row, seen, key, form) for _, key, form in table.columns]
        lines.append("| " + " | ".join(cell) + " |")
    return "\n".join(lines)


def median_cell(row, seen, key, form):
    if hasattr(row, key):
        return str(getattr(row, key))
    values = [figures[key] for figures in seen if figures.get(key) is not None]
    if not values:
        return "n/a"
    if isinstance(values[0], str):
        return "; ".join(dict.fromkeys(values))
    return format(statistics.median(values), form)


def machine(options):
    onrush = subprocess.run([options.onrush, "-V"], text=True, capture_output=True).stdout.strip()
    packages = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in
                         ("softioc", "aioca", "p4p", "epicscorelibs", "pvxslibs"))
    return (f"{paper.machine()}\n"
            f"- server on CPU {options.server_cpu}, client on CPU {options.client_cpu}\n"
            f"- {onrush}; Python {platform.python_version()}; {packages}")


if __name__ == "__main__":
    main()
