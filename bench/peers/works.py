"""What is measured: pieces of work in sections of the document, and who does them."""

from dataclasses import dataclass

from tools import Floor, Onrush

SMALL, KIB64, MIB1 = 64, 64 << 10, 1 << 20


@dataclass(frozen=True)
class Work:
    section: str
    kind: str  # kept, fresh or recycle
    connections: int
    rate: int = 0  # requests per second; 0: as many as go
    body_bytes: int = SMALL
    label: str = ""
    seconds: int = 0  # 0: as long as the others
    servers: tuple = ("serve",)

    @property
    def name(self):
        rate = f"-{self.rate // 1000}k" if self.rate else ""
        body = "" if self.body_bytes == SMALL else f"-{self.body_bytes >> 10}KiB"
        label = f"-{self.label}" if self.label else ""
        return f"{self.section}-{self.connections}{body}{rate}{label}"

    @property
    def title(self):
        body = "" if self.body_bytes == SMALL else f", answers of {self.body_bytes >> 10} KiB"
        rate = f", {self.rate} requests/s" if self.rate else ""
        plural = "" if self.connections == 1 else "s"
        return f"{self.kind}, {self.connections} connection{plural}{body}{rate}"


BOTH = ("serve", "nginx")

WORKS = (
    *(Work("kept", "kept", n) for n in (1, 16)),
    Work("kept", "kept", 64, servers=BOTH),
    Work("kept", "kept", 256),
    Work("fresh", "fresh", 16),
    Work("fresh", "fresh", 64, servers=BOTH),
    Work("fresh", "fresh", 256),
    *(Work("recycle", "recycle", n) for n in (16, 64, 256)),
    Work("bodies", "kept", 16, body_bytes=KIB64, servers=BOTH),
    Work("bodies", "kept", 16, body_bytes=MIB1),
    *(Work("open", "kept", 64, rate=rate, servers=BOTH) for rate in (20_000, 50_000)),
    Work("log", "kept", 64),
    Work("top", "kept", 64),
    Work("evidence", "kept", 64),
    Work("evidence", "fresh", 64, label="fresh"),
    Work("shards", "kept", 64),
    Work("many", "kept", 100_000, rate=10_000),
    Work("faults", "kept", 64, rate=50_000, seconds=60),
    *(Work("shapes", "kept", n) for n in (1, 16, 64, 256)),
    Work("shapes", "kept", 16, body_bytes=KIB64),
    Work("shapes", "kept", 16, body_bytes=MIB1),
    *(Work("shapes", kind, 64, label=kind) for kind in ("fresh", "recycle")),
    *(Work("shapes", "kept", 64, rate=rate) for rate in (20_000, 50_000)),
)

KEPT_SHAPES = {
    "multishot": [],
    "one-shot": ["--receive", "oneshot"],
    "multishot, coop": ["--taskrun", "coop"],
    "multishot, want 8": ["--want", "8"],
    "multishot, want 32": ["--want", "32"],
    "multishot, want 32 in 30 us": ["--want", "32", "--min-wait-us", "30"],
    "one-shot, want 32": ["--receive", "oneshot", "--want", "32"],
}
BODY_SHAPES = {
    "multishot, 4 KiB buffers": [],
    "multishot, 16 KiB buffers": ["--buffer-bytes", "16384"],
    "multishot, 64 KiB buffers": ["--buffer-bytes", "65536"],
    "bundle, 4 KiB buffers": ["--receive", "bundle"],
    "bundle, 16 KiB buffers": ["--receive", "bundle", "--buffer-bytes", "16384"],
    "one-shot, 64 KiB buffer": ["--receive", "oneshot", "--buffer-bytes", "65536"],
    "one-shot, dropped (MSG_TRUNC)": ["--receive", "truncate"],
}
FRESH_SHAPES = {
    "defer": [],
    "coop": ["--taskrun", "coop"],
    "defer, want 8": ["--want", "8"],
    "coop, want 8": ["--taskrun", "coop", "--want", "8"],
}
OPEN_SHAPES = {
    "enter each pass": [],
    "enter on the flag": ["--poll", "flag"],
    "enter on the flag, coop": ["--poll", "flag", "--taskrun", "coop"],
    "enter each pass, one-shot": ["--receive", "oneshot"],
}


# Two that do the same work, pair by pair; what changes from the first to the second is told.
PAIRED = ("log", "top", "evidence")


def contenders(work, onrush, before, floor, peers):
    """Who does `work`; `before` is an earlier build of Onrush."""
    if work.section == "evidence":
        return [Onrush(before, "before"), Onrush(onrush, "after")]
    if work.section == "log":
        return [Onrush(onrush, f"--log {mode}", ["--log", mode]) for mode in ("none", "all")]
    if work.section == "top":
        return [Onrush(onrush, "alone"), Onrush(onrush, "watched", watched=True)]
    if work.section == "shards":
        # All on the client's one core: what more shards cost, and not what more cores yield.
        return [Onrush(onrush, f"-t {n}", ["-t", str(n)]) for n in (1, 2, 4)]
    if work.section == "faults":
        return [Onrush(onrush)]
    if work.section == "many":
        return [Onrush(onrush, extra=["--source", "127.0.0.2,127.0.0.3,127.0.0.4"])]
    if work.section == "shapes":
        shapes = OPEN_SHAPES if work.rate else BODY_SHAPES if work.body_bytes > SMALL \
            else KEPT_SHAPES if work.kind == "kept" else FRESH_SHAPES
        return [Floor(floor, name, extra) for name, extra in shapes.items()]
    if work.section == "open":
        # With a CPU of its own the shard has nobody to wait for; elsewhere one core is one core.
        apart = Onrush(onrush, "onrush, two cores", apart=True)
        return [Floor(floor), Onrush(onrush), apart, *peers]
    # The yardstick does not look at a body: the kernel need not copy it.
    extra = ["--receive", "truncate"] if work.section == "bodies" else []
    if work.kind == "recycle":
        # No peer can: wrk's fresh connections are what it is compared with.
        others = [peer for peer in peers if peer.name == "wrk"]
        return [Floor(floor, extra=extra), Onrush(onrush), *others]
    return [Floor(floor, extra=extra), Onrush(onrush), *peers]
