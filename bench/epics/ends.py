"""The two ends of a row: servers and clients, ours and the real packages', as commands."""

import json
import os
import pathlib
import sys
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
PREFIX = "LAB:S"
CA_PORT, CA_REPEATER, PVA_PORT, PVA_BROADCAST = 15064, 15065, 15075, 15076


@dataclass(frozen=True)
class Place:
    onrush: str
    folder: pathlib.Path
    server_cpu: int
    client_cpu: int


def environment():
    """Loopback only, none of the standard ports."""
    here = "127.0.0.1"
    said = {"EPICS_CA_MAX_ARRAY_BYTES": "10000000"}
    for name in ("EPICS_CA", "EPICS_CAS"):
        said |= {f"{name}_SERVER_PORT": CA_PORT, f"{name}_AUTO_ADDR_LIST": "NO",
                 f"{name}_ADDR_LIST": here}
    said |= {"EPICS_CA_REPEATER_PORT": CA_REPEATER, "EPICS_CAS_BEACON_PORT": CA_REPEATER,
             "EPICS_CAS_INTF_ADDR_LIST": here, "EPICS_CAS_BEACON_ADDR_LIST": here,
             "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO"}
    for name in ("EPICS_PVA", "EPICS_PVAS"):
        said |= {f"{name}_SERVER_PORT": PVA_PORT, f"{name}_BROADCAST_PORT": PVA_BROADCAST,
                 f"{name}_AUTO_ADDR_LIST": "NO", f"{name}_ADDR_LIST": here}
    said |= {"EPICS_PVAS_INTF_ADDR_LIST": here, "EPICS_PVAS_BEACON_ADDR_LIST": here,
             "EPICS_PVAS_AUTO_BEACON_ADDR_LIST": "NO"}
    return {**os.environ, **{name: str(value) for name, value in said.items()}}


def python(script, *arguments):
    return [sys.executable, str(HERE / script), *map(str, arguments)]


def softioc(row, seconds, place, *more):
    """A server that changes its values for so many seconds."""
    return python("ioc.py", PREFIX, row.pvs, row.rate, seconds, *more)


def port_of(kind):
    return PVA_PORT if kind == "pva" else CA_PORT


def serve(kind):
    def command(row, seconds, place):
        searches = PVA_BROADCAST if kind == "pva" else CA_PORT
        return [place.onrush, "serve", kind, "--listen", f"127.0.0.1:{port_of(kind)}",
                "--search-port", str(searches), "--pvs", str(row.pvs), "--rate", str(row.rate),
                "--prefix", PREFIX, "--cpus", str(place.server_cpu), "--idle", "sleep",
                "--post-for", f"{seconds:g}s", "--format", "json"]
    return command


def script(name):
    def command(row, start, seconds, place):
        return python(name, PREFIX, row.pvs, row.monitors, start + seconds)
    return command


def run(kind):
    def command(row, start, seconds, place):
        return [place.onrush, "run",
                f"{kind}://127.0.0.1:{port_of(kind)}/{PREFIX}{{0..{row.pvs - 1}}}",
                "--op", "monitor", "--monitors", str(row.monitors), "--timeout", "30s",
                "--idle", "sleep", "-t", "1", "--cpus", str(place.client_cpu), "-q",
                "--warmup", f"{start:g}s", "-d", f"{seconds:g}s", "--format", "json",
                "-o", str(place.folder / "run.data")]
    return command


SERVERS = {
    "softioc": softioc,
    "softioc qsrv1": lambda row, seconds, place: softioc(row, seconds, place, "qsrv1"),
    "serve ca": serve("ca"),
    "serve pva": serve("pva"),
}
CLIENTS = {
    "aioca": script("monitor_ca.py"),
    "p4p": script("monitor_pva.py"),
    "run ca": run("ca"),
    "run pva": run("pva"),
}


def server_port(row):
    """Where the row's server has its circuits: one server speaks both with softioc."""
    return port_of("pva" if "pva" in row.client or row.client == "p4p" else "ca")


def figures(client, text):
    """What a client says at its end."""
    said = json.loads(text)
    if not client.startswith("run"):
        return said
    updates, age = said["updates"], said["age_ns"]
    ms = lambda ns: None if ns is None else ns / 1e6
    return {"received_per_s": updates["per_s"], "lost": updates["lost"],
            "duplicate": updates["duplicate"], "backwards": updates["backwards"],
            "age_p50_ms": ms(age["p50"]), "age_p99_ms": ms(age["p99"]),
            "finals": finals(updates["finals_ok"], updates["subscriptions"])}


def merged(server, text):
    """Updates that the server itself merged into newer ones, where it says so."""
    if not server.startswith("serve"):
        return None
    return json.loads(text)["updates"]["merged"]


def finals(right, subscriptions):
    if right is None:
        return "n/a"
    return "all" if right == subscriptions else f"{right} of {subscriptions}"
