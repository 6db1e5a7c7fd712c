"""What is measured: the tables, their columns and their rows."""

from collections.abc import Callable
from dataclasses import dataclass

import limits
from measure import run_row


@dataclass(frozen=True)
class Row:
    server: str  # a name in ends.SERVERS
    client: str  # a name in ends.CLIENTS; "none": nobody connects
    pvs: int
    rate: int  # changes of each PV per second
    monitors: int  # on each PV

    @property
    def title(self):
        return f"{self.server} to {self.client}, {self.pvs} x {self.rate} Hz, M {self.monitors}"


COLUMNS = (
    ("server", "server", ""), ("client", "client", ""), ("PVs", "pvs", "d"), ("Hz", "rate", "d"),
    ("M", "monitors", "d"),
    ("server CPU %", "server_cpu", ".1f"), ("sent kB/s", "sent_kb", ".0f"),
    ("on the wire", "wire_kb", ".0f"), ("recv kB/s", "received_kb", ".0f"),
    ("client CPU %", "client_cpu", ".1f"), ("received/s", "received_per_s", ",.0f"),
    ("merged by server", "merged", ",.0f"),
    ("lost", "lost", ",.0f"), ("dup", "duplicate", ",.0f"), ("back", "backwards", ",.0f"),
    ("age p50 ms", "age_p50_ms", ".2f"), ("age p99 ms", "age_p99_ms", ".2f"),
    ("finals right", "finals", ""), ("what was seen", "note", ""),
)


def of(real_server, real_client, serve, run, monitors):
    """Nobody, until the server cannot keep up; then M monitors a PV."""
    rows = [Row(real_server, "none", n, 100, 0) for n in (10, 100, 200, 400)]
    rows.append(Row(serve, "none", 100, 100, 0))
    for n, rate, m in ((100, 10, 1), *((100, 100, m) for m in monitors)):
        rows += [Row(server, client, n, rate, m)
                 for server in (real_server, serve) for client in (real_client, run)]
    # What no Python end can do.
    rows += [Row(serve, run, n, rate, 1) for n, rate in ((1000, 100), (1000, 1000), (10_000, 100))]
    return tuple(rows)


@dataclass(frozen=True)
class Table:
    columns: tuple  # of title, key and format
    rows: tuple
    run: Callable  # row, seconds and place to figures by key


TABLES = {
    "ca": Table(COLUMNS, of("softioc", "aioca", "serve ca", "run ca", (1, 10, 70)), run_row),
    "pva": Table(COLUMNS, of("softioc", "p4p", "serve pva", "run pva", (1, 10, 100, 1000)),
                 run_row),
    "qsrv1": Table(COLUMNS, tuple(Row("softioc qsrv1", client, 100, 100, m)
                                  for m in (1, 10) for client in ("p4p", "run pva")), run_row),
    "limits": Table(limits.COLUMNS, limits.LIMITS, limits.run_limit),
}
