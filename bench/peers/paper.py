"""The page that tables are written to, and what they were measured on."""

import datetime
import os
import pathlib
import platform
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def machine():
    """Date, kernel, CPU and commit, as a line of Markdown."""
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text()
    cpu = re.search(r"model name\s*: (.*)", cpuinfo)
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, text=True,
                            capture_output=True).stdout.strip()
    return (f"- {date}; Linux {platform.release()}; {os.cpu_count()} x "
            f"{cpu.group(1) if cpu else platform.machine()}; commit {commit or 'unknown'}")


def begin(program, onrush):
    """Ends the program where there is no Onrush to measure; says how busy the machine is."""
    if not os.access(onrush, os.X_OK):
        sys.exit(f"{program}: no {onrush}: 'cargo build --release' makes it")
    notice(f"load average {os.getloadavg()[0]:.2f}: it should be near 0 before a measurement")


def publish(said, path):
    """Prints the sections, and puts them on the page at `path` where one is wanted."""
    print("\n\n".join(said.values()))
    if path:
        write(pathlib.Path(path), said)


def write(path, said):
    """Puts each section between its markers; those that were not measured stay as they are."""
    text = path.read_text()
    for name, body in said.items():
        block = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end {name} -->)", re.S)
        text, count = block.subn(lambda m: f"{m[1]}\n{body}\n\n{m[2]}", text)
        if not count:
            sys.exit(f"{path} has no <!-- {name} --> ... <!-- end {name} -->")
    path.write_text(text)


def notice(text):
    print(text, file=sys.stderr, flush=True)
