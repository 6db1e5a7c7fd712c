"""The servers, as children of ours on a free loopback port, each on the server's core."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

from works import KIB64, MIB1, SMALL

NGINX = """
daemon off; master_process off; worker_processes 1; pid {root}/pid; error_log {root}/error.log;
events {{ worker_connections 16384; }}
http {{
    access_log off; sendfile on; tcp_nodelay on; default_type text/plain;
    keepalive_requests 1000000000; keepalive_timeout 3600s; open_file_cache max=16;
    client_body_temp_path {root}; proxy_temp_path {root}; fastcgi_temp_path {root};
    uwsgi_temp_path {root}; scgi_temp_path {root};
    server {{ listen 127.0.0.1:{port} backlog=4096; root {root}/www; }}
}}
"""


def free_port():
    """Below the ephemeral range and ours of source ports, so that nobody takes it meanwhile."""
    for port in range(8100, 9900):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no free port from 8100 to 9899")


class Responder:
    """A server for answers of one size; use it with `with`."""

    name = ""

    def __init__(self, cpu, root, work):
        self.cpu, self.root, self.work = cpu, pathlib.Path(root), work
        self.body_bytes = work.body_bytes
        self.port = free_port()
        self.child = None

    def __enter__(self):
        command = ["taskset", "-c", str(self.cpu), *self.command()]
        with open(self.root / f"{self.name}.log", "ab") as log:
            self.child = subprocess.Popen(command, stdout=log, stderr=log)
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            if self.child.poll() is not None:
                break
            time.sleep(0.05)
        self.__exit__()
        raise RuntimeError(f"{self.name} does not listen; see {self.root}/{self.name}.log")

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(5)
            except subprocess.TimeoutExpired:
                self.child.kill()
        self.child.wait()

    def cpu_seconds(self):
        """User and system time that it has had."""
        fields = pathlib.Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Serve(Responder):
    name = "onrush serve"

    def __init__(self, cpu, root, work, onrush):
        super().__init__(cpu, root, work)
        self.onrush = onrush

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"

    def command(self):
        # A shard serves as many as its ring has room for where open files are few.
        shards = 1 + self.work.connections // 18_000
        return [self.onrush, "serve", "http", "--listen", f"127.0.0.1:{self.port}",
                "--cpus", str(self.cpu), "--shards", str(shards),
                "--body-bytes", str(self.body_bytes)]


class Nginx(Responder):
    name = "nginx"
    path = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/{self.body_bytes}.txt"

    def command(self):
        www = self.root / "www"
        www.mkdir(exist_ok=True)
        for size in (SMALL, KIB64, MIB1):
            (www / f"{size}.txt").write_bytes(b"x" * size)
        os.chmod(self.root, 0o755)
        config = self.root / "nginx.conf"
        config.write_text(NGINX.format(root=self.root, port=self.port))
        return [self.path, "-p", str(self.root), "-c", str(config)]
