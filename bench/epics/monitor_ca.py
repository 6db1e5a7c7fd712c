"""Monitors by aioca: monitor_ca.py PREFIX N M START SECONDS.

The rate is that of SECONDS, after START for the subscriptions to be made; all else is of both.
"""

import asyncio
import sys

from aioca import FORMAT_TIME, caget, camonitor
from sequence import Sequence

PREFIX, N, M = sys.argv[1], *map(int, sys.argv[2:4])
START, SECONDS = map(float, sys.argv[4:6])


async def main():
    seen = Sequence()

    def callback(key):
        return lambda value: seen.see(key, int(value), value.timestamp)

    names = [f"{PREFIX}{i}" for i in range(N)]
    subscriptions = [camonitor(name, callback((i, m)), format=FORMAT_TIME, all_updates=True)
                     for i, name in enumerate(names) for m in range(M)]
    await asyncio.sleep(START)
    before = seen.received
    await asyncio.sleep(SECONDS)
    per_s = (seen.received - before) / SECONDS
    # The server falls silent; what is under way arrives.
    await asyncio.sleep(4)
    finals = [int(value) for value in await caget(names, timeout=10)]
    for subscription in subscriptions:
        subscription.close()
    seen.says(per_s, N * M, finals)


asyncio.run(main())
