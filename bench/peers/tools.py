"""The load generators: how each is called for a piece of work, and how its answer is read.

A tool's `command` gives None where it cannot do the work at all. `read` gives requests, per_s,
failed, and where the tool says so mb_per_s, response_ns and lag_ns (p50 p90 p99 p99_9).
"""

import json
import re
import shutil
import subprocess


class Tool:
    name = ""
    binary = ""
    says_version = ["--version"]
    apart = False

    def __init__(self, path=None, name=None, extra=()):
        self.path = path or shutil.which(self.binary)
        self.name, self.extra = name or self.name, list(extra)

    def version(self):
        said = subprocess.run([self.path, *self.says_version], capture_output=True, text=True)
        lines = (said.stdout + said.stderr).strip().splitlines()
        return lines[0].strip() if lines else "unknown"

    def command(self, work, url, seconds, place):
        raise NotImplementedError

    def beside(self, place):
        """What else runs, on the server's core, while this one does; None: nothing."""
        return None

    def read(self, text):
        raise NotImplementedError


class Onrush(Tool):
    """`place.data` is where the log goes; `place.cpu` the client's core. Its main thread, which
    keeps the log, may run on the server's core if it is to be `apart` from the shard; `watched`
    means by `onrush top`."""

    name = "onrush"
    binary = "onrush"

    def __init__(self, path, name=None, extra=(), watched=False, apart=False):
        super().__init__(path, name, extra)
        self.watched, self.apart = watched, apart

    def beside(self, place):
        return [self.path, "top", place.data] if self.watched else None

    def command(self, work, url, seconds, place):
        rate = ["-R", str(work.rate)] if work.rate else []
        fresh = {"kept": [], "fresh": ["-f", "-H", "Connection: close"],
                 "recycle": ["-f", "--close", "recycle"]}[work.kind]
        return [self.path, "run", "-q", "--format", "json", "-o", place.data, "-t", "1",
                "--cpus", str(place.cpu), "-c", str(work.connections), "-d", f"{seconds}s",
                *rate, *fresh, *self.extra, url]

    def read(self, text):
        said = json.loads(text)
        shards = [shard["resources"] for shard in said["shards"]]
        requests = said["requests"]["ok"]
        charged = [total(shard[key] for shard in shards) for key in ("user_s", "sys_s")]
        shard_cpu = None if None in charged else [s * 1e6 / max(requests, 1) for s in charged]
        return {
            "requests": requests, "per_s": said["rate"]["achieved_per_s"],
            "failed": said["requests"]["failed"],
            "mb_per_s": said["rate"]["bytes_received_per_s"] / 1e6,
            "response_ns": said["response_ns"], "service_ns": said["service_ns"],
            "lag_ns": said["lag_ns"],
            "verdict": said["verdict"],
            "shard_cpu_us": shard_cpu, "shard_us": shard_cpu and sum(shard_cpu),
            "faults": total(shard[key] for shard in shards
                            for key in ("minor_faults", "major_faults")),
            "opened": said["connections"]["opened"], "began_unix_s": said["began_unix_ns"] / 1e9,
        }


class Floor(Tool):
    """The yardstick, built by cargo."""

    name = "floor"
    binary = "floor"

    def version(self):
        return "bench/floor.rs of this tree"

    def command(self, work, url, seconds, place):
        mode = "open" if work.rate else work.kind
        rate = ["--rate", str(work.rate)] if work.rate else []
        port, path = re.match(r"http://[^:]+:(\d+)(/.*)", url).groups()
        return [self.path, "--url-port", port, "--path", path, "--mode", mode, "--connections",
                str(work.connections), "--seconds", str(seconds), "--cpu", str(place.cpu),
                *rate, *self.extra]

    def read(self, text):
        said = json.loads(text)
        said["cpu_us"] = (said["user_us"], said["sys_us"])
        return said


class Wrk(Tool):
    name = binary = "wrk"
    says_version = ["-v"]

    def command(self, work, url, seconds, place):
        if work.rate:
            return None
        # Beside recycled sockets, which it has not, stand its fresh connections.
        close = [] if work.kind == "kept" else ["-H", "Connection: close"]
        return [self.path, "-t1", f"-c{work.connections}", f"-d{seconds}s", "--latency",
                *close, url]

    def read(self, text):
        total = int(find(r"(\d+) requests in", text))
        errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)",
                           text)
        failed = sum(map(int, errors.groups())) if errors else 0
        failed += int(find(r"Non-2xx or 3xx responses: (\d+)", text, "0"))
        response = {key: span_ns(find(rf"^\s+{percent}%\s+(\S+)", text, None))
                    for key, percent in (("p50", r"50(?:\.000)?"), ("p90", r"90(?:\.000)?"),
                                         ("p99", r"99(?:\.000)?"), ("p99_9", r"99\.900?"))}
        return {"requests": total, "per_s": float(find(r"Requests/sec:\s+([\d.]+)", text)),
                "failed": failed, "response_ns": response,
                "mb_per_s": size_mb(find(r"Transfer/sec:\s+(\S+)", text))}


class Wrk2(Wrk):
    name = binary = "wrk2"

    def command(self, work, url, seconds, place):
        if not work.rate:
            return None
        return [self.path, "-t1", f"-c{work.connections}", f"-d{seconds}s", f"-R{work.rate}",
                "--latency", url]


class Ab(Tool):
    name = binary = "ab"
    says_version = ["-V"]

    def command(self, work, url, seconds, place):
        if work.rate or work.kind == "recycle":
            return None
        keep = ["-k"] if work.kind == "kept" else []
        # -t sets -n to 50000, so that -n comes after it.
        return [self.path, "-q", *keep, "-c", str(work.connections),
                "-t", str(seconds), "-n", "5000000", url]

    def read(self, text):
        return {"requests": int(find(r"Complete requests:\s+(\d+)", text)),
                "failed": int(find(r"Failed requests:\s+(\d+)", text)),
                "per_s": float(find(r"Requests per second:\s+([\d.]+)", text)),
                "response_ns": {key: float(find(rf"^\s+{percent}%\s+(\d+)", text)) * 1e6
                                for key, percent in (("p50", 50), ("p90", 90), ("p99", 99))},
                "mb_per_s": float(find(r"Transfer rate:\s+([\d.]+)", text)) * 1024 / 1e6}


class H2load(Tool):
    name = binary = "h2load"

    def command(self, work, url, seconds, place):
        if work.rate or work.kind != "kept":
            return None
        return [self.path, "--h1", "-t1", "-c", str(work.connections), "-D", str(seconds), url]

    def read(self, text):
        done, failed, errored = (int(find(rf"(\d+) {word}", text))
                                 for word in ("succeeded", "failed", "errored"))
        return {"requests": done, "failed": failed + errored,
                "per_s": float(find(r"finished in .*?, ([\d.]+) req/s", text)),
                "mb_per_s": size_mb(find(r"req/s, (\S+)/s", text))}


class Oha(Tool):
    name = binary = "oha"

    def command(self, work, url, seconds, place):
        if work.kind == "recycle":
            return None
        rate = ["-q", str(work.rate), "--latency-correction"] if work.rate else []
        fresh = ["--disable-keepalive"] if work.kind == "fresh" else []
        return [self.path, "--no-tui", "--output-format", "json", "-c", str(work.connections),
                "-z", f"{seconds}s", *rate, *fresh, url]

    def read(self, text):
        said = json.loads(text)
        requests = sum(said["statusCodeDistribution"].values())
        # What its deadline cuts off is no failure of the target.
        failed = sum(count for what, count in said["errorDistribution"].items()
                     if "deadline" not in what)
        at = said["latencyPercentiles"]
        response = {key: at[name] and at[name] * 1e9
                    for key, name in (("p50", "p50"), ("p90", "p90"), ("p99", "p99"),
                                      ("p99_9", "p99.9"))}
        return {"requests": requests, "per_s": said["summary"]["requestsPerSec"],
                "failed": failed, "response_ns": response,
                "mb_per_s": said["summary"]["sizePerSec"] / 1e6}


class Hey(Tool):
    name = binary = "hey"

    def version(self):
        return "it does not say"

    def command(self, work, url, seconds, place):
        if work.rate or work.kind == "recycle":
            return None
        fresh = ["-disable-keepalive"] if work.kind == "fresh" else []
        return [self.path, "-cpus", "1", "-c", str(work.connections), "-z", f"{seconds}s",
                *fresh, url]

    def read(self, text):
        requests = sum(int(n) for n in re.findall(r"\[\d+\]\s+(\d+) responses", text))
        failed = sum(int(n) for n in re.findall(r"^\s+\[(\d+)\]\s+[A-Z]", text, re.M))
        return {"requests": requests, "failed": failed,
                "per_s": float(find(r"Requests/sec:\s+([\d.]+)", text))}


class Gcannon(Tool):
    name = binary = "gcannon"

    def version(self):
        return "it does not say"

    def command(self, work, url, seconds, place):
        if work.rate or work.kind == "recycle":
            return None
        fresh = ["-r", "1"] if work.kind == "fresh" else []
        return [self.path, url, "-c", str(work.connections), "-t", "1",
                "-d", f"{seconds}s", *fresh, "--json"]

    def read(self, text):
        said = json.loads(text)
        return {"requests": said["responses"], "per_s": said["rps"],
                "failed": sum(said["errors"].values()),
                "mb_per_s": said["bytes_read"] / said["elapsed_sec"] / 1e6}


class Zrk(Tool):
    name = binary = "zrk"

    def command(self, work, url, seconds, place):
        if not work.rate:
            return None
        return [self.path, "-t", "1", "-c", str(work.connections), "-d", f"{seconds}s",
                "-R", str(work.rate), "--format", "json", url]

    def read(self, text):
        said = json.loads(text)
        failed = sum(said["errors"].values())
        response = {key: said["latency_us"][key] * 1e3 for key in ("p50", "p99", "p99_9")}
        return {"requests": said["requests"], "per_s": said["achieved_rate"], "failed": failed,
                "response_ns": response, "mb_per_s": said["bytes"] / said["duration_s"] / 1e6}


PEERS = (Wrk, H2load, Ab, Oha, Hey, Wrk2, Gcannon, Zrk)

# What apt has of them.
PACKAGES = {"wrk": "wrk", "ab": "apache2-utils", "h2load": "nghttp2-client"}


def find(pattern, text, default=...):
    found = re.search(pattern, text, re.M)
    if found:
        return found.group(1)
    if default is ...:
        raise ValueError(f"no /{pattern}/ in what it printed")
    return default


def total(values):
    """Their sum; None where one of them is not known."""
    values = list(values)
    return None if None in values else sum(values)


def span_ns(text):
    """`1.20ms` as wrk prints it, in ns."""
    if text is None:
        return None
    number, unit = re.fullmatch(r"([\d.]+)([a-z]+)", text).groups()
    return float(number) * {"us": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9}[unit]


def size_mb(text):
    """`1.20MB` as wrk and h2load print it (binary units), in decimal megabytes."""
    number, unit = re.fullmatch(r"([\d.]+)([KMG]?)B", text).groups()
    return float(number) * {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}[unit] / 1e6
