"""A pvAccess server of p4p: LAB:S0 to LAB:S9 count 20 times a second, LAB:W takes what is put.
LAB:ARRAY and LAB:ENUM count as well, LAB:TEXT and LAB:TABLE are no numbers, LAB:MUTE never speaks.

Says "ready", and ends with its standard input."""
import os
import sys
import threading
import time

from p4p.nt import NTEnum, NTScalar, NTTable
from p4p.server import Server
from p4p.server.thread import SharedPV

pvs = {f"LAB:S{i}": SharedPV(nt=NTScalar("d"), initial=0.0) for i in range(10)}
array = SharedPV(nt=NTScalar("ad"), initial=[0.0] * 10)
enum = SharedPV(nt=NTEnum(), initial={"index": 0, "choices": ["off", "on"]})
others = {
    "LAB:ARRAY": array,
    "LAB:ENUM": enum,
    "LAB:TEXT": SharedPV(nt=NTScalar("s"), initial="hello"),
    "LAB:TABLE": SharedPV(nt=NTTable([("a", "d")]), initial=[{"a": 1.0}]),
    "LAB:MUTE": SharedPV(nt=NTScalar("d")),
}
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
        array.post([float(number)] * 10, timestamp=time.time())
        enum.post(number % 2)
        time.sleep(0.05)


with Server(providers=[{**pvs, **others, "LAB:W": written}]):
    threading.Thread(target=count, daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()
    os._exit(0)
