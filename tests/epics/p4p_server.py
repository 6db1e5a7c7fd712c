"""A pvAccess server of p4p: LAB:S0 to LAB:S9 count 20 times a second, LAB:W takes what is put.

Says "ready", and ends with its standard input."""
import os
import sys
import threading
import time

from p4p.nt import NTScalar
from p4p.server import Server
from p4p.server.thread import SharedPV

pvs = {f"LAB:S{i}": SharedPV(nt=NTScalar("d"), initial=0.0) for i in range(10)}
written = SharedPV(nt=NTScalar("d"), initial=0.0)


@written.put
def put(pv, operation):
    pv.post(operation.value(), timestamp=time.time())
    operation.done()


def count():
    number = 0
    while True:
        number += 1
        for pv in pvs.values():
            pv.post(float(number), timestamp=time.time())
        time.sleep(0.05)


with Server(providers=[{**pvs, "LAB:W": written}]):
    threading.Thread(target=count, daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()
    os._exit(0)
