"""A Python IOC as the seed of this work had it: ioc.py PREFIX N RATE SECONDS [qsrv1].

N records, each set RATE times a second to a counter; all at once, as an IOC's tick does. After
SECONDS it posts no more and goes on answering, so that a client can see the final values. MDEL=-1
posts every processing: a value that is overwritten before its record was processed shows as one
lost and one repeated.
"""

import asyncio
import ctypes
import os
import sys
import time

from softioc import asyncio_dispatcher, builder, imports, softioc

# Longer than any client takes to look at the final values.
SERVED_ON_S = 120


def load_qsrv1():
    """The older server of pvAccess in place of pvxs."""
    import epicscorelibs.path
    from epicscorelibs.ioc import pdbbase
    from setuptools_dso.runtime import find_dso

    folder = os.path.join(epicscorelibs.path.base_path, "dbd")
    for name in ("PVAServerRegister.dbd", "qsrv.dbd"):
        softioc.dbLoadDatabase(name, folder, None)
    for library in ("pvAccessIOC", "qsrv"):
        ctypes.CDLL(find_dso(f"epicscorelibs.lib.{library}"), ctypes.RTLD_GLOBAL)
    imports.registerRecordDeviceDriver(pdbbase)


def main():
    prefix, count, rate, seconds, *more = sys.argv[1:]
    device, stem = prefix.split(":")
    count, rate, seconds = int(count), float(rate), float(seconds)
    dispatcher = asyncio_dispatcher.AsyncioDispatcher()
    builder.SetDeviceName(device)
    records = [builder.aIn(f"{stem}{i}", initial_value=0.0, MDEL=-1) for i in range(count)]
    builder.LoadDatabase()
    if "qsrv1" in more:
        load_qsrv1()
    softioc.iocInit(dispatcher, enable_pva="qsrv1" not in more)
    done = [0]
    end = time.monotonic() + seconds

    async def tick():
        began = time.monotonic()
        while time.monotonic() < end:
            done[0] += 1
            for record in records:
                record.set(float(done[0]))
            await asyncio.sleep(max(0.0, began + done[0] / rate - time.monotonic()))

    dispatcher(tick)
    time.sleep(seconds)
    print(f"done {done[0] * count / seconds:.0f}/s of {count * rate:.0f}", flush=True)
    time.sleep(SERVED_ON_S)
    os._exit(0)  # the dispatcher's thread would keep the process


main()
