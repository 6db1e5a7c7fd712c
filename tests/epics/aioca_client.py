"""aioca as users have it: monitors all PVs until each got so many updates, reads and writes.

aioca_client.py PVS UPDATES     prints a JSON object with what it saw
"""

import asyncio
import json
import sys
import time

from aioca import FORMAT_TIME, CANothing, caget, camonitor, caput

PVS, UPDATES = int(sys.argv[1]), int(sys.argv[2])
LONGEST_S = 20


async def main():
    seen = {"updates": 0, "lost": 0, "duplicate": 0, "backwards": 0, "stamps_wrong": 0}
    last, counts = {}, {}

    def look(pv):
        def callback(value):
            step = int(value) - last.get(pv, int(value) - 1)
            last[pv] = int(value)
            counts[pv] = counts.get(pv, 0) + 1
            seen["updates"] += 1
            seen["lost"] += max(0, step - 1)
            seen["duplicate"] += step == 0
            seen["backwards"] += step < 0
            seen["stamps_wrong"] += abs(time.time() - value.timestamp) > LONGEST_S

        return callback

    watched = [f"P{pv}" for pv in range(PVS)]
    monitors = [
        camonitor(name, look(name), format=FORMAT_TIME, all_updates=True) for name in watched
    ]
    end = time.monotonic() + LONGEST_S
    while time.monotonic() < end:
        await asyncio.sleep(0.05)
        if len(counts) == PVS and min(counts.values()) >= UPDATES:
            break
    seen["subscriptions"] = len(counts)
    for monitor in monitors:
        monitor.close()

    await caput("P0", 123456.0, wait=True)
    written = await caget("P0")
    # It counts on at once.
    seen["written"] = 123456 if 0 <= written - 123456 < 1000 else written
    try:
        await caget(f"P{PVS}", timeout=0.5)
        seen["missing"] = False
    except CANothing:
        seen["missing"] = True
    print(json.dumps(seen))


asyncio.run(main())
