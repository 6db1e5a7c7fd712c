"""Servers whose true answer is known, measured by Onrush and every load generator at hand.

    cargo build --release && python3 bench/accuracy --write docs/accuracy.md

One core for the client, one for the server. In a round each tool runs once, in random order,
against a server of its own. Loopback only; ends only what it started. The server says how late
it was itself: where that is more than nothing, it is the machine that was measured.
"""

import argparse
import collections
import json
import pathlib
import random
import shlex
import shutil
import statistics
import sys
import tempfile
from types import SimpleNamespace

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "peers"))

import cases
import child
import paper
import tables
import tools
from paper import ROOT, notice
from responders import Serve
from works import Work

QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99_9": 0.999}
SECTIONS = ("stall", "slow", "queue", "equal")
# wrk2 measures nothing in its first ten seconds.
SECONDS_MIN = 15


def main():
    options = options_of(sys.argv[1:])
    random.seed(options.seed)
    paper.begin("accuracy", options.onrush)
    paths = {tool.binary: options.tool.get(tool.binary) or shutil.which(tool.binary)
             for tool in (tools.Wrk, tools.Wrk2, tools.Oha, tools.Ab)}
    said = collections.defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="onrush-accuracy-") as folder:
        place = SimpleNamespace(cpu=options.client_cpu, data=f"{folder}/run.data")
        for case in cases.cases(options.onrush, options.seconds, paths.get):
            if case.section in options.only:
                said[case.section].append(measured(options, case, folder, place))
        if "equal" in options.only:
            said["equal"].append(equal_runs(options, folder, place))
    said = {"machine": [machine(options, paths)]} | said
    said = {name: "\n\n".join(tables) for name, tables in said.items()}
    paper.publish(said, options.write)


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="bench/accuracy", description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("--rounds", type=int, default=5, help="runs of each line (%(default)s)")
    add("--seconds", type=int, default=30, help="length of a run (%(default)s)")
    add("--equal", type=int, default=20, help="how many equal runs (%(default)s)")
    add("--equal-rate", type=int, default=20_000, help="their requests per second (%(default)s)")
    add("--equal-seconds", type=int, default=5, help="their length (%(default)s)")
    add("--only", action="append", choices=SECTIONS, help="a section; repeatable")
    add("--tool", action="append", default=[], metavar="NAME=PATH",
        help="a tool that is not on the path: wrk2=/some/where/wrk; repeatable")
    add("--client-cpu", type=int, default=1)
    add("--server-cpu", type=int, default=0)
    add("--seed", type=int, default=1, help="of the order within rounds")
    add("--onrush", default=str(ROOT / "target/release/onrush"), help="the binary (%(default)s)")
    add("--write", metavar="FILE", help="put the tables between the markers of FILE")
    options = parser.parse_args(arguments)
    options.only = options.only or SECTIONS
    options.tool = dict(given.partition("=")[::2] for given in options.tool)
    if options.seconds < SECONDS_MIN:
        parser.error(f"--seconds: at least {SECONDS_MIN}: wrk2 throws its first 10 s away")
    return options


class Known(Serve):
    """A server that behaves as told; what it says of itself at its end is in `figures`."""

    def __init__(self, options, folder, behaviour):
        super().__init__(options.server_cpu, folder, Work("accuracy", "kept", 64), options.onrush)
        self.behaviour, self.figures = behaviour, None
        self.log = self.root / f"{self.name}.log"
        self.log.unlink(missing_ok=True)

    def command(self):
        return [*super().command(), *self.behaviour, "--format", "json"]

    def __exit__(self, *error):
        super().__exit__(*error)
        text = self.log.read_text()
        self.figures = json.loads(text[text.index("{"):])


def measured(options, case, folder, place):
    """Markdown of a case: its table, and the command of each line."""
    lines = list(case.lines)
    runs, commands = collections.defaultdict(list), {}
    for number in range(options.rounds):
        for line in random.sample(lines, len(lines)):
            # Another seed a round, for the server and for random arrivals.
            seed = ["--seed", str(options.seed + number)]
            server = Known(options, folder, [*case.serve.split(), *seed])
            with server:
                command = line.tool.command(line.work, server.url, options.seconds, place)
                commands[line] = command
                if isinstance(line.tool, tools.Onrush):
                    command = [*command[:-1], *seed, command[-1]]
                run = run_once(options, line.tool, command, place)
            if run is None or not (values := run.get(line.series)):
                continue
            run["values"] = {key: values.get(key) for key in QUANTILES}
            run["late"] = server.figures["late"]["over_50us"] / max(1, run["requests"])
            runs[line].append(run)
            notice(f"{case.title}, round {number + 1}: {line.name} "
                   f"{run.get('verdict', '')} p99 {millis(values.get('p99'))}")
    told = [row(line, runs[line]) for line in lines if runs[line]]
    titles = ["", *(key.replace("_", ".") + ", ms" for key in QUANTILES), "off at p99",
              "server late", "verdicts"]
    body = tables.table(titles, [*truth_rows(lines), *told])
    return f"**{case.title}**\n\n{body}\n\n{command_block(case, commands, place)}"


def run_once(options, tool, command, place):
    _, _, text, complaint = child.run(command, str(options.client_cpu), 3 * options.seconds)
    for path in (place.data, place.data + ".old"):
        pathlib.Path(path).unlink(missing_ok=True)
    try:
        return tool.read(text)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        notice(f"{tool.name} is left out of this round ({error}): {complaint.strip() or text}")
        return None


def truth_rows(lines):
    """A row for each truth that lines are held against."""
    rows = collections.defaultdict(dict)
    for line in lines:
        values = tuple(f"**{millis(line.truth(q) * 1e9)}**" for q in QUANTILES.values())
        kind = "even" if line.series == "service_ns" else line.arrivals
        # The same arrivals have another answer for a tool that looks at another time.
        known = any(kind in kinds for other, kinds in rows.items() if other != values)
        rows[values][line.tool.name if known else kind] = True
    return [[f"**truth, {' and '.join(kinds)}**", *values, "", "", ""]
            for values, kinds in rows.items()]


def row(line, runs):
    cells = []
    for key in QUANTILES:
        values = [run["values"][key] for run in runs if run["values"][key] is not None]
        if not values:
            cells.append("n/a")
            continue
        spread = f" ({millis(min(values))} to {millis(max(values))})" if len(values) > 1 else ""
        cells.append(millis(statistics.median(values)) + spread)
    truth = line.truth(QUANTILES["p99"])
    p99 = [run["values"]["p99"] for run in runs if run["values"]["p99"] is not None]
    off = f"{statistics.median(p99) / 1e9 / truth - 1:+.1%}" if p99 and truth else "n/a"
    late = f"{statistics.median(run['late'] for run in runs):.1%}"
    verdicts = collections.Counter(run["verdict"] for run in runs if "verdict" in run)
    return [line.name, *cells, off, late, counted(verdicts)]


def counted(counter):
    return ", ".join(f"{count} {name}" for name, count in counter.most_common())


def millis(nanos):
    if nanos is None:
        return "n/a"
    value = nanos / 1e6
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.3f}"


def command_block(case, commands, place):
    """How to do it by hand: paths are left away."""
    said = [f"onrush serve http --listen 127.0.0.1:8080 --cpus 0 {case.serve}".strip()]
    said += [by_hand(line.tool, commands[line], place) for line in case.lines if line in commands]
    return "```\n" + "\n".join(dict.fromkeys(said)) + "\n```"


def by_hand(tool, command, place):
    words = command[1:-1]
    if isinstance(tool, tools.Onrush):
        words = [word for word in words if word not in ("-q", "-o", place.data)]
    return shlex.join([tool.binary, *words, "http://127.0.0.1:8080/"])


def equal_runs(options, folder, place):
    """The same run again and again, undisturbed as far as the machine allows."""
    tool = tools.Onrush(options.onrush)
    work = Work("equal", "kept", cases.CLOSED, rate=options.equal_rate)
    verdicts, blamed, runs = collections.Counter(), collections.Counter(), []
    with Known(options, folder, []) as server:
        command = tool.command(work, server.url, options.equal_seconds, place)
        for number in range(options.equal):
            _, _, text, _ = child.run(command, str(options.client_cpu), 60)
            said = json.loads(text)
            runs.append(said)
            verdicts[said["verdict"]] += 1
            blamed.update(f"{check['name']} ({check['state']})" for check in said["checks"]
                          if check["state"] in ("suspect", "invalid"))
            notice(f"equal run {number + 1} of {options.equal}: {said['verdict']}")
    rows = []
    for key in QUANTILES:
        for series in ("response_ns", "service_ns"):
            values = [said[series][key] for said in runs if said[series][key] is not None]
            if not values:
                continue
            middle = statistics.median(values)
            apart = (max(values) - min(values)) / middle
            rows.append([f"{series[:-3]} {key.replace('_', '.')}", f"{middle / 1e3:,.1f}",
                         f"{min(values) / 1e3:,.1f}", f"{max(values) / 1e3:,.1f}", f"{apart:.0%}"])
    reasons = f"Checks that were not ok: {counted(blamed)}." if blamed else "Every check was ok."
    return (f"{options.equal} runs: {counted(verdicts)}. {reasons}\n\n"
            + tables.table(["us", "median", "least", "most", "range"], rows)
            + f"\n\n```\nonrush serve http --listen 127.0.0.1:8080 --cpus 0\n"
            f"{by_hand(tool, command, place)}\n```")


def machine(options, paths):
    given = [tool(paths[tool.binary]) for tool in (tools.Wrk, tools.Wrk2, tools.Oha, tools.Ab)
             if paths[tool.binary]]
    absent = [name for name, path in paths.items() if not path]
    return "\n".join([
        paper.machine(),
        f"- {options.rounds} runs of {options.seconds} s a line, in random order within a round; "
        f"client on CPU {options.client_cpu}, server on CPU {options.server_cpu}",
        f"- onrush: {tools.Onrush(options.onrush).version()}",
        *(f"- {tool.name}: {tool.version()}" for tool in given),
        *([f"- not here, and so absent: {', '.join(absent)}"] if absent else []),
    ])


if __name__ == "__main__":
    main()
