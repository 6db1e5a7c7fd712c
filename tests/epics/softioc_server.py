"""An IOC of softioc: records S0 to S9 that count 20 times a second, and W, to be written.

softioc_server.py [qsrv1]   pvAccess by pvAccessCPP (QSRV1) instead of pvxs (QSRV2); says "ready",
and ends with its standard input."""
import asyncio
import os
import sys

from softioc import asyncio_dispatcher, builder, imports, softioc

by_qsrv1 = "qsrv1" in sys.argv[1:]
dispatcher = asyncio_dispatcher.AsyncioDispatcher()
builder.SetDeviceName("LAB")
# MDEL=-1 posts whenever a record is processed: one that was set again before shows as 1 lost
# and 1 duplicate.
records = [builder.aIn(f"S{i}", initial_value=0.0, MDEL=-1) for i in range(10)]
builder.aOut("W", initial_value=0.0, always_update=True)
builder.LoadDatabase()
if by_qsrv1:
    import ctypes

    import epicscorelibs.path
    from epicscorelibs.ioc import pdbbase
    from setuptools_dso.runtime import find_dso

    folder = os.path.join(epicscorelibs.path.base_path, "dbd")
    for name in ("PVAServerRegister.dbd", "qsrv.dbd"):
        softioc.dbLoadDatabase(name, folder, None)
    for name in ("pvAccessIOC", "qsrv"):
        ctypes.CDLL(find_dso("epicscorelibs.lib." + name), ctypes.RTLD_GLOBAL)
    imports.registerRecordDeviceDriver(pdbbase)
softioc.iocInit(dispatcher, enable_pva=not by_qsrv1)


async def count():
    number = 0
    while True:
        number += 1
        for record in records:
            record.set(float(number))
        await asyncio.sleep(0.05)


dispatcher(count)
print("ready", flush=True)
sys.stdin.read()
os._exit(0)
