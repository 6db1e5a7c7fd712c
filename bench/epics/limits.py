"""How far Onrush goes with itself at the other end: a core for the server, one for the client."""

import json
import subprocess
import time
from dataclasses import dataclass

import ends
from measure import Child

# The values change this many times a second where it is not the updates that are counted.
SLOWLY = "0.1"


@dataclass(frozen=True)
class Limit:
    kind: str  # ca or pva
    pvs: int
    asked: int  # updates or requests a second
    op: str = "monitor"
    seconds: int = 0  # 0: as long as the others
    search: str = ""  # udp or tcp

    @property
    def title(self):
        what = {"monitor": "updates", "get": "gets", "put": "puts",
                "search": f"searches by {self.search}"}[self.op]
        return f"{self.kind}, {self.pvs:,} PVs, {self.asked:,} {what}/s"


LIMITS = (
    *(Limit("ca", 1000, rate) for rate in (1_000_000, 4_000_000)),
    *(Limit("pva", 1000, rate) for rate in (700_000, 3_000_000)),
    Limit("ca", 1000, 500_000, seconds=60),
    Limit("pva", 1000, 350_000, seconds=60),
    *(Limit(kind, pvs, pvs) for kind in ("ca", "pva") for pvs in (200_000, 1_000_000)),
    *(Limit(kind, 100, rate, op) for kind in ("ca", "pva") for op in ("get", "put")
      for rate in (150_000, 400_000)),
    *(Limit(kind, 1000, rate, "search", search=how) for kind in ("ca", "pva")
      for how in ("udp", "tcp") for rate in (100_000, 1_000_000)),
)

COLUMNS = (
    ("what", "title", ""),
    ("opened in s", "opening_s", ".2f"), ("s", "ran_s", ".0f"), ("done/s", "per_s", ",.0f"),
    ("lost", "lost", ",.0f"), ("dup", "duplicate", ",.0f"), ("back", "backwards", ",.0f"),
    ("finals right", "finals", ""), ("p50 us", "p50_us", ".1f"), ("p99 us", "p99_us", ".1f"),
    ("server CPU %", "server_cpu", ".1f"), ("verdict", "verdict", ""),
)


def run_limit(limit, seconds, place):
    seconds = limit.seconds or seconds
    changes = limit.asked / limit.pvs if limit.op == "monitor" else SLOWLY
    port = ends.port_of(limit.kind)
    server = [place.onrush, "serve", limit.kind, "--listen", f"127.0.0.1:{port}", "--pvs",
              str(limit.pvs), "--rate", f"{changes}", "--prefix", ends.PREFIX, "--cpus",
              str(place.server_cpu), "--idle", "sleep"]
    rate = ["-R", str(limit.asked)] if limit.op != "monitor" else []
    if limit.search:
        # As many on the way as answers need for their way at these rates; 1 s is lost for good.
        rate += ["--search", limit.search, "-c", "4096", "--timeout", "1s"]
    names = f"{ends.PREFIX}{{0..{limit.pvs - 1}}}"
    client = [place.onrush, "run", f"{limit.kind}://127.0.0.1:{port}/{names}", "--op", limit.op,
              *rate, "-t", "1", "--cpus", str(place.client_cpu), "-q", "-d", f"{seconds:g}s",
              "--format", "json", "-o", str(place.folder / "run.data")]
    with Child(server, place.server_cpu) as served:
        time.sleep(1 + limit.pvs / 500_000)
        began, cpu = time.time(), served.cpu_seconds()
        ran = subprocess.run(client, capture_output=True, text=True, timeout=seconds + 60)
        share = 100 * (served.cpu_seconds() - cpu) / (time.time() - began)
    if not ran.stdout:
        return {"verdict": ran.stderr.strip()}
    return read(limit, json.loads(ran.stdout), began) | {"server_cpu": share, "ran_s": seconds}


def read(limit, said, began):
    seen = {"opening_s": said["began_unix_ns"] / 1e9 - began, "verdict": said["verdict"]}
    times = said["response_ns"]
    if limit.op == "monitor":
        updates, times = said["updates"], said["age_ns"]
        seen |= {key: updates[key] for key in ("per_s", "lost", "duplicate", "backwards")}
        seen["finals"] = ends.finals(updates["finals_ok"], updates["subscriptions"])
    else:
        seen["per_s"] = said["rate"]["achieved_per_s"]
    us = lambda key: None if times[key] is None else times[key] / 1e3
    return seen | {"p50_us": us("p50"), "p99_us": us("p99")}
