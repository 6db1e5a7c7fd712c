"""The servers whose answer is known, who measures them, and what they should say."""

from dataclasses import dataclass, field, replace
from typing import Callable

import tools
import truths
from works import Work

STALL, SLOW, WORK = 1.0, 0.005, 0.0005
CLOSED = 64


@dataclass(frozen=True)
class Line:
    """A tool, its load, and the truth about what it should see."""

    tool: tools.Tool
    work: Work
    arrivals: str
    truth: Callable = field(compare=False)
    # Which of the tool's series is meant.
    series: str = "response_ns"

    @property
    def name(self):
        return f"{self.tool.name}, {self.arrivals}"


@dataclass(frozen=True)
class Case:
    section: str
    title: str
    serve: str
    lines: tuple


class OhaPlain(tools.Oha):
    name = "oha, uncorrected"

    def command(self, work, url, seconds, place):
        whole = super().command(work, url, seconds, place)
        return [word for word in whole if word != "--latency-correction"]


def cases(onrush, seconds, path_of):
    """Every case, with the tools that are here. `path_of` gives a tool's binary, or None."""
    work, milli = f"{WORK * 1e6:.0f}us", f"{SLOW * 1e3:.0f}ms"
    yield Case(
        "stall", f"One stall of {STALL:.0f} s in {seconds} s, else at once; 2000 requests/s",
        f"--stall {STALL:.0f}s@{seconds * 2 // 3}s",
        lines(onrush, path_of, 2000, truths.stall(STALL, seconds), None,
              # It forgets its first 10 s, which it calibrates itself in.
              wrk2=truths.stall(STALL, seconds - 10), closed=truths.stall(STALL, seconds)))
    yield Case(
        "slow", f"One worker of {milli}; 100 requests/s, half of what it can",
        f"--delay {milli} --workers 1 --idle spin",
        lines(onrush, path_of, 100, truths.always(SLOW), truths.md1(SLOW, 0.5),
              closed=truths.always(SLOW * CLOSED)))
    for load in (0.5, 0.8):
        rate = round(load / WORK)
        yield Case(
            "queue", f"One worker of {work}, always, at a load of {load}; {rate} requests/s",
            f"--delay {work} --workers 1 --idle spin",
            lines(onrush, path_of, rate, truths.always(WORK), truths.md1(WORK, load)))
        yield Case(
            "queue", f"One worker of {work}, exponential, at a load of {load}; "
            f"{rate} requests/s",
            f"--delay exp:{work} --workers 1 --idle spin",
            lines(onrush, path_of, rate, truths.dm1(WORK, load), truths.mm1(WORK, load)))


def lines(*given, **more):
    return tuple(each_line(*given, **more))


def each_line(onrush, path_of, rate, even, random, wrk2=None, closed=None):
    """Tools with a rate measure `even` or `random` arrivals; those without one, a closed loop."""
    work = Work("accuracy", "kept", CLOSED, rate=rate)
    # Where nobody is to wait for a connection, there have to be more than wait at the server.
    roomy = replace(work, connections=512)
    ours = tools.Onrush(onrush)
    yield Line(ours, roomy if random else work, "even", even)
    if random:
        randomly = tools.Onrush(onrush, extra=["-P", "random"])
        yield Line(randomly, roomy, "random", random)
    else:
        yield Line(ours, work, "even, service alone", even, "service_ns")
    for tool, truth in ((tools.Wrk2, wrk2 or even), (tools.Oha, even), (OhaPlain, even)):
        if path_of(tool.binary):
            yield Line(tool(path_of(tool.binary)), work, "even", truth)
    for tool in (tools.Wrk, tools.Ab) if closed else ():
        if path_of(tool.binary):
            yield Line(tool(path_of(tool.binary)), replace(work, rate=0), "closed loop", closed)
