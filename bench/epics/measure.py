"""One row: both ends started, watched over the window, and read."""

import os
import pathlib
import re
import subprocess
import tempfile
import time

import ends

# Until the server answers, and until the client has its subscriptions, of which a client in
# Python makes some thousands a second.
SERVER_START_S, CLIENT_START_S, SUBSCRIPTIONS_PER_S = 2.0, 2.0, 5000
# A server goes on for so long after the clients have counted: a second for those that start
# slowly, and less than they wait before they read the final values.
GOES_ON_S = 1.0
# A segment's headers: Ethernet 14, IP 20, TCP 32 with its timestamps.
SEGMENT_BYTES = 66


def run_row(row, seconds, place):
    posting = SERVER_START_S + client_start_s(row) + seconds + GOES_ON_S
    command = ends.SERVERS[row.server](row, posting, place)
    with Child(command, place.server_cpu) as server:
        time.sleep(SERVER_START_S)
        if not server.alive():
            return {"note": f"the server ended: {server.complaint()}"}
        seen = served(row, server, seconds, place)
    seen["merged"] = ends.merged(row.server, server.output())
    return {"note": noted(server)} | seen


def served(row, server, seconds, place):
    """What is seen while the server runs."""
    if row.client == "none":
        return watched(row, server, None, seconds)
    start = client_start_s(row)
    with Child(ends.CLIENTS[row.client](row, start, seconds, place), place.client_cpu) as client:
        time.sleep(start)
        seen = watched(row, server, client, seconds - 1)
        client.wait(start + seconds + 30)
        try:
            return seen | ends.figures(row.client, client.output())
        except (ValueError, KeyError) as error:
            return seen | {"note": f"no figures of the client: {client.complaint() or error}"}


def client_start_s(row):
    return CLIENT_START_S + row.pvs * row.monitors / SUBSCRIPTIONS_PER_S


def watched(row, server, client, seconds):
    """CPU of both ends and the bytes between them, over the window."""
    port = ends.server_port(row)
    sides = [server] + ([client] if client else [])
    began, cpu, traffic = time.monotonic(), [side.cpu_seconds() for side in sides], sockets(port)
    time.sleep(seconds)
    elapsed = time.monotonic() - began
    shares = [100 * (side.cpu_seconds() - before) / elapsed for side, before in zip(sides, cpu)]
    sent, received, segments = ((b - a) / elapsed for a, b in zip(traffic, sockets(port)))
    seen = {"server_cpu": shares[0]}
    if client:
        seen |= {"client_cpu": shares[1], "sent_kb": sent / 1e3, "received_kb": received / 1e3,
                 "wire_kb": (sent + SEGMENT_BYTES * segments) / 1e3}
    return seen


def sockets(port):
    """Bytes sent and received and segments sent by the server's end of all circuits."""
    listed = subprocess.run(["ss", "-tinH", "state", "established", f"( sport = :{port} )"],
                            capture_output=True, text=True, check=True).stdout
    return [sum(map(int, re.findall(rf"\b{key}:(\d+)", listed)))
            for key in ("bytes_sent", "bytes_received", "segs_out")]


def noted(server):
    """What the server complained of."""
    text = server.complaint()
    full = len(re.findall("ring buffer full", text, re.I))
    late = re.search(r"done (\d+)/s of (\d+)", server.output())
    notes = []
    if full:
        notes.append(f"'ring buffer full' {full} times")
    if late and int(late[1]) < 0.99 * int(late[2]):
        notes.append(f"set only {late[1]} of {late[2]} values a second")
    return ", ".join(notes)


class Child:
    """A process of ours on one core, ended with the block."""

    def __init__(self, command, cpu):
        self.command, self.cpu = command, cpu
        self.out, self.err = (tempfile.TemporaryFile("w+") for _ in range(2))

    def __enter__(self):
        command = ["taskset", "-c", str(self.cpu), *self.command]
        self.process = subprocess.Popen(command, stdout=self.out, stderr=self.err,
                                        env=ends.environment())
        return self

    def __exit__(self, *_):
        if self.alive():
            self.process.terminate()
            self.wait(10)

    def alive(self):
        return self.process.poll() is None

    def wait(self, longest):
        try:
            self.process.wait(longest)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def cpu_seconds(self):
        try:
            stat = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text()
        except FileNotFoundError:
            return 0
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def output(self):
        self.out.seek(0)
        return self.out.read()

    def complaint(self):
        self.err.seek(0)
        return self.err.read()[-2000:].strip()
