"""A load generator as a child of ours, and what the kernel charged it."""

import contextlib
import os
import subprocess
import tempfile
import threading
import time


def run(command, cores, longest):
    """Exit status, rusage, stdout and stderr of a command that may run on these cores. It is
    ended after `longest` seconds."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        child = subprocess.Popen(["taskset", "-c", cores, *command], stdout=out, stderr=err)
        status, usage = wait(child, longest)
        out.seek(0), err.seek(0)
        return status, usage, out.read(), err.read()


@contextlib.contextmanager
def beside(command, core, path):
    """Runs a command on this core from when there is a file at `path` to the block's end."""
    over = threading.Event()

    def follow():
        while not os.path.exists(path):
            if over.wait(0.01):
                return
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        follower = subprocess.Popen(["taskset", "-c", core, *command], **quiet)
        over.wait()
        follower.terminate()
        follower.wait()

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def wait(child, longest):
    """Exit status and rusage of a child, which is ended if it lasts."""
    deadline = time.monotonic() + longest
    while True:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            return child.returncode, usage
        if time.monotonic() > deadline:
            child.kill()
        time.sleep(0.02)
