"""A load generator as a child of ours, and what the kernel charged it."""

import os
import subprocess
import tempfile
import time


def run(command, cores, longest):
    """Exit status, rusage, stdout and stderr of a command that may run on these cores. It is
    ended after `longest` seconds."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        child = subprocess.Popen(["taskset", "-c", cores, *command], stdout=out, stderr=err)
        status, usage = wait(child, longest)
        out.seek(0), err.seek(0)
        return status, usage, out.read(), err.read()


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
