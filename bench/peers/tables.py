"""From runs to tables: medians, ratios within a round, spread, and an interval."""

import math
import statistics

import works


def section(name, results):
    """Markdown of a section; `results` maps (work, responder) to {tool: [run, ...]}."""
    if name in works.PAIRED:
        return "\n\n".join(paired(*entry) for entry in results.items())
    if name in ("many", "faults"):
        return "\n\n".join(alone(*entry) for entry in results.items())
    return "\n\n".join(compared(*entry) for entry in results.items())


def alone(key, runs):
    """What only we do: run by run."""
    work, responder = key
    titles = ["connections open", "opened per second, start-up included", "requests/s",
              "response p50, us", "response p99, us", "lag p50, us", "failed",
              "page faults of the shard", "verdict"]
    rows = [[f"{run['opened']:,}", f"{run['opened'] / run['opening_s']:,.0f}",
             f"{run['per_s']:,.0f}", micros([run], "response_ns", "p50"),
             micros([run], "response_ns", "p99"), micros([run], "lag_ns", "p50"),
             str(run["failed"]), str(run["faults"]), run["verdict"]]
            for run in runs["onrush"]]
    seconds = f" for {work.seconds} s" if work.seconds else ""
    return f"**{work.title}{seconds}; against {responder}**\n\n" + table(titles, rows)


def compared(key, runs):
    work, responder = key
    columns = [("tool", lambda tool: tool)]
    if work.body_bytes > 64:
        columns += [("MB/s", lambda tool: spread(runs[tool], "mb_per_s", ",.0f"))]
    else:
        columns += [("requests/s", lambda tool: spread(runs[tool], "per_s", ",.0f"))]
    if work.rate:
        for what in ("response_ns", "lag_ns"):
            for quantile in ("p50", "p99", "p99_9"):
                # The 99th percentile is where the machine's own gaps come in, or do not.
                ranged = quantile == "p99"
                columns.append((f"{what[:-3]} {quantile.replace('_', '.')}, us",
                                lambda tool, w=what, q=quantile, r=ranged:
                                micros(runs[tool], w, q, r)))
    else:
        rate = "mb_per_s" if work.body_bytes > 64 else "per_s"
        first = next(iter(runs))
        rivals = [(first, "x yardstick" if first == "floor" else f"x {first}"), ("wrk", "x wrk")]
        for rival, title in rivals:
            if rival in runs:
                columns.append((title, lambda tool, r=rival: ratio(runs, tool, r, rate)))
    columns += [
        ("CPU us per request (user + sys)", lambda tool: charge(runs[tool])),
        ("server busy", lambda tool: median_of(runs[tool], "server_busy", ".0%")),
        ("failed", lambda tool: str(sum(run["failed"] for run in runs[tool]))),
    ]
    rounds = f"{max(map(len, runs.values()))} rounds of {seconds_of(runs)} s"
    head = f"**{work.title}; against {responder}; {rounds}**\n\n"
    return head + table([title for title, _ in columns],
                        [[cell(tool) for _, cell in columns] for tool in runs])


def paired(key, runs):
    """The second tool against the first, pair by pair."""
    work, responder = key
    if len(runs) < 2:
        return f"**{work.title}; against {responder}**: no pairs"
    (first, firsts), (second, others) = runs.items()
    pairs = matched(firsts, others)
    rows = []
    for title, field in (("CPU of the shard per request, us", "shard_us"),
                         ("CPU of the process per request, us", "process_us"),
                         ("requests/s", "per_s")):
        both = [(one[field], other[field]) for one, other in pairs
                if one.get(field) and other.get(field)]
        if not both:
            rows.append([title, "unavailable", "", "", ""])
            continue
        changes = [other / one - 1 for one, other in both]
        low, high, sure = interval(changes)
        rows.append([title, *(f"{statistics.median(side):,.3f}" for side in zip(*both)),
                     f"{statistics.median(changes):+.2%}",
                     f"{low:+.2%} to {high:+.2%} ({sure:.1%} sure)"])
    head = f"**{work.title}; against {responder}; {len(pairs)} pairs of {seconds_of(runs)} s**\n\n"
    titles = ["", first, second, "median change", "interval of the median"]
    return head + table(titles, rows)


def seconds_of(runs):
    """The length of each run."""
    return next(run["seconds"] for tool in runs.values() for run in tool)


def interval(values, wanted=0.95):
    """The narrowest pair of order statistics that holds the median with `wanted` certainty: no
    assumption on the distribution. With fewer than six values it is not to be had; the widest is
    given, with the certainty that it has."""
    ordered, n = sorted(values), len(values)
    best = None
    for below in range(n // 2 if n > 1 else 1):
        outside = 2 * sum(math.comb(n, k) for k in range(below + 1)) / 2**n
        if best is None or 1 - outside >= wanted:
            best = (ordered[below], ordered[n - 1 - below], max(0, 1 - outside))
    return best


def spread(runs, key, form):
    values = [run[key] for run in runs if run.get(key) is not None]
    if not values:
        return "n/a"
    low, mid, high = (format(f(values), form) for f in (min, statistics.median, max))
    return f"{mid} ({low} to {high})" if len(values) > 1 else mid


def median_of(runs, key, form):
    values = [run[key] for run in runs if run.get(key) is not None]
    return format(statistics.median(values), form) if values else "n/a"


def micros(runs, what, quantile, ranged=False):
    values = [run[what][quantile] / 1e3 for run in runs
              if run.get(what) and run[what].get(quantile) is not None]
    if not values:
        return "n/a"
    range_of = f" ({min(values):,.2f} to {max(values):,.2f})" if ranged else ""
    return f"{statistics.median(values):,.2f}{range_of}"


def ratio(runs, tool, rival, key):
    """Median of the ratios within a round: what the machine does meanwhile cancels out."""
    rounds = [(run, other) for run, other in matched(runs[tool], runs[rival])
              if run.get(key) and other.get(key)]
    if not rounds:
        return "n/a"
    return f"{statistics.median(run[key] / other[key] for run, other in rounds):.2f}"


def matched(runs, others):
    """Runs of the same round, where both have one."""
    by_round = {other["round"]: other for other in others}
    return [(run, by_round[run["round"]]) for run in runs if run["round"] in by_round]


def charge(runs):
    """Of the process; where a run says so, also of the thread that did the work, in the measured
    part alone: that is what the yardstick's figure is."""
    cell = user_and_system([run["cpu_us"] for run in runs])
    shard = [run["shard_cpu_us"] for run in runs if run.get("shard_cpu_us")]
    return f"{cell}; shard {user_and_system(shard)}" if shard else cell


def user_and_system(pairs):
    user, system = (statistics.median(side) for side in zip(*pairs))
    return f"{user + system:.2f} ({user:.2f} + {system:.2f})"


def table(titles, rows):
    line = lambda cells: "| " + " | ".join(cells) + " |"
    align = "|" + "---|" + "---:|" * (len(titles) - 1)
    return "\n".join([line(titles), align, *map(line, rows)])
