"""Onrush, the yardstick and every load generator that is installed, side by side.

    cargo build --release && python3 bench/peers --pairs 5 --seconds 4 --write docs/performance.md

One core for the client and one for the server, the same server for all. In a round each tool
runs once, in random order; ratios are taken within rounds. Loopback only; ends only what it
started. Run it on a machine that does nothing else: the tables are only as quiet as that.
"""

import argparse
import contextlib
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from types import SimpleNamespace

import child
import paper
import tables
import tools
import works
from paper import ROOT, notice
from responders import Nginx, Serve

SECTIONS = tuple(dict.fromkeys(work.section for work in works.WORKS))


def main():
    options = options_of(sys.argv[1:])
    random.seed(options.seed)
    peers = installed(options.install)
    onrush = options.onrush or str(ROOT / "target/release/onrush")
    paper.begin("peers", onrush)
    floor = options.floor or build_floor()
    if options.before and not os.access(options.before, os.X_OK):
        sys.exit(f"peers: --before {options.before}: no such binary; build the earlier commit")
    chosen = [work for work in works.WORKS if is_chosen(work, options)]
    if not chosen:
        names = " ".join([*SECTIONS, *(work.name for work in works.WORKS)])
        sys.exit(f"peers: --only: one of {names}; evidence needs --before")
    results = defaultdict(dict)
    with tempfile.TemporaryDirectory(prefix="onrush-peers-") as folder:
        place = SimpleNamespace(cpu=options.client_cpu, data=f"{folder}/run.data")
        for work in chosen:
            for responder in responders(options, folder, work, onrush):
                crew = works.contenders(work, onrush, options.before, floor, peers)
                results[work.section][work, responder.name] = \
                    measure(options, work, responder, crew, place)
    said = {"machine": machine(options, onrush, peers)}
    said |= {name: tables.section(name, result) for name, result in results.items()}
    paper.publish(said, options.write)


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="bench/peers", description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("--pairs", type=int, default=5, help="rounds of each piece of work (%(default)s)")
    add("--log-pairs", type=int, default=20,
        help="rounds of --log all against none, of top, and of --before against now (%(default)s)")
    add("--seconds", type=int, default=4, help="length of a run, whole (%(default)s)")
    add("--only", action="append", help="a section or a piece of work; repeatable")
    add("--responder", action="append", choices=("serve", "nginx"),
        help="default: serve, and nginx where 64 connections or 64 KiB are asked of it")
    add("--client-cpu", type=int, default=1)
    add("--server-cpu", type=int, default=0)
    add("--seed", type=int, default=1, help="of the order within rounds")
    add("--onrush", help="the binary; default target/release/onrush")
    add("--before", help="the binary of an earlier commit, for the section evidence")
    add("--floor", help="the yardstick's binary; default: built by cargo")
    add("--write", metavar="FILE", help="put the tables between the markers of FILE")
    add("--raw", metavar="FILE", help="append each run to FILE, a line of JSON each")
    add("--install", action="store_true", help="get what apt has of the peers, as root")
    return parser.parse_args(arguments)


def is_chosen(work, options):
    if work.section == "evidence" and not options.before:
        return False
    # Studies of their own: they run where they are named.
    if not options.only:
        return work.section not in ("shapes", "many", "faults")
    return work.section in options.only or work.name in options.only


def installed(install):
    missing = [name for name in tools.PACKAGES if not shutil.which(name)]
    if missing and install:
        packages = [tools.PACKAGES[name] for name in missing]
        subprocess.run(["apt-get", "-q", "install", "-y", *packages], check=True)
    elif missing:
        packages = " ".join(tools.PACKAGES[name] for name in missing)
        notice(f"without {', '.join(missing)}: apt-get install {packages}, or --install")
    return [peer() for peer in tools.PEERS if shutil.which(peer.binary)]


def build_floor():
    """The yardstick as cargo bench would run it."""
    command = ["cargo", "bench", "--bench", "floor", "--no-run", "--message-format", "json"]
    built = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    said = [json.loads(line) for line in built.stdout.splitlines() if line.startswith("{")]
    made = [line["executable"] for line in said
            if line.get("executable") and line["target"]["name"] == "floor"]
    return made[-1]


def responders(options, folder, work, onrush):
    chosen = options.responder or work.servers
    for name in chosen:
        if name == "serve":
            yield Serve(options.server_cpu, folder, work, onrush)
        elif Nginx.path:
            yield Nginx(options.server_cpu, folder, work)
        else:
            notice("without nginx: tools/setup gets it")


def measure(options, work, responder, crew, place):
    """Rounds in which every tool that can do the work runs once: {tool: [run, ...]}."""
    paired = dict.fromkeys(works.PAIRED, options.log_pairs)
    rounds = {**paired, "faults": 1}.get(work.section, options.pairs)
    runs = defaultdict(list)
    with responder:
        crew = [tool for tool in crew
                if tool.command(work, responder.url, options.seconds, place)]
        for number in range(rounds):
            for tool in random.sample(crew, len(crew)):
                run = run_once(options, work, responder, tool, place)
                if run is None:
                    continue
                run["round"] = number
                runs[tool.name].append(run)
                notice(f"{work.name}, {responder.name}, round {number + 1} of {rounds}: "
                       f"{tool.name} {run['per_s']:,.0f}/s, {run['failed']} failed")
                if options.raw:
                    with open(options.raw, "a") as raw:
                        line = {"work": work.name, "responder": responder.name,
                                "tool": tool.name, **run}
                        raw.write(json.dumps(line) + "\n")
    return {tool.name: runs[tool.name] for tool in crew if runs[tool.name]}


def run_once(options, work, responder, tool, place):
    """One run on the client's core, with what the kernel charged the whole process."""
    cores = f"{options.client_cpu}"
    if tool.apart:
        cores += f",{options.server_cpu}"
    seconds = work.seconds or options.seconds
    command = tool.command(work, responder.url, seconds, place)
    served, began, began_unix = responder.cpu_seconds(), time.monotonic(), time.time()
    with beside(options, tool, place):
        status, usage, text, complaint = child.run(command, cores, 3 * seconds + 30)
    elapsed = time.monotonic() - began
    remove_log(place)
    try:
        run = tool.read(text)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        notice(f"{work.name}: {tool.name} ended with {status} and is left out of this round "
               f"({error}): {complaint.strip() or text.strip() or 'it said nothing'}")
        return None
    if run.get("verdict") == "INVALID":
        notice(f"{work.name}: {tool.name} calls its own run INVALID: see its checks")
    if "began_unix_s" in run:
        run["opening_s"] = run["began_unix_s"] - began_unix
    requests = max(run["requests"], 1)
    process = tuple(seconds * 1e6 / requests for seconds in (usage.ru_utime, usage.ru_stime))
    run["process_us"] = sum(process)
    # The yardstick charges itself for the measured part alone.
    run.setdefault("cpu_us", process)
    run["seconds"] = seconds
    run["server_busy"] = (responder.cpu_seconds() - served) / elapsed
    return run


def beside(options, tool, place):
    command = tool.beside(place)
    if command is None:
        return contextlib.nullcontext()
    return child.beside(command, f"{options.server_cpu}", place.data)


def remove_log(place):
    for path in (place.data, place.data + ".old"):
        pathlib.Path(path).unlink(missing_ok=True)


def machine(options, onrush, peers):
    lines = [
        paper.machine(),
        "- tools in random order within a round; "
        f"client on CPU {options.client_cpu}, server on CPU {options.server_cpu}",
        f"- onrush: {tools.Onrush(onrush).version()}",
        *(f"- {peer.name}: {peer.version()}" for peer in peers),
    ]
    if Nginx.path:
        said = subprocess.run([Nginx.path, "-v"], capture_output=True, text=True).stderr.strip()
        lines.append(f"- {said}")
    absent = [peer.binary for peer in tools.PEERS if not shutil.which(peer.binary)]
    if absent:
        lines.append(f"- not installed here, and so not compared: {', '.join(absent)}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
