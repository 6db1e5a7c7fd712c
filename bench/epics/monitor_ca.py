"""Monitors by aioca: monitor_ca.py PREFIX N M SECONDS."""

import asyncio
import sys

from aioca import FORMAT_TIME, caget, camonitor
from sequence import Sequence

PREFIX, N, M, SECONDS = sys.argv[1], *map(int, sys.argv[2:4]), float(sys.argv[4])


async def main():
    seen = Sequence()

    def callback(key):
        return lambda value: seen.see(key, int(value), value.timestamp)

    names = [f"{PREFIX}{i}" for i in range(N)]
    subscriptions = [camonitor(name, callback((i, m)), format=FORMAT_TIME, all_updates=True)
                     for i, name in enumerate(names) for m in range(M)]
    await asyncio.sleep(SECONDS)
    # The server falls silent; what is under way arrives.
    await asyncio.sleep(4)
    finals = [int(value) for value in await caget(names, timeout=10)]
    for subscription in subscriptions:
        subscription.close()
    seen.says(N * M, finals)


asyncio.run(main())
