"""p4p as users have it: monitors all PVs until each got so many updates, reads and writes.

p4p_client.py PVS UPDATES REQUEST     prints a JSON object with what it saw
"""

import json
import sys
import threading
import time

from p4p.client.thread import Context

PVS, UPDATES, REQUEST = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
LONGEST_S = 20


def main():
    keys = ("updates", "lost", "duplicate", "backwards", "stamps_wrong", "tags_wrong")
    seen, last, counts = dict.fromkeys(keys, 0), {}, {}
    lock = threading.Lock()

    def look(pv):
        def callback(value):
            with lock:
                count = int(value)
                step = count - last.get(pv, count - 1)
                last[pv] = count
                counts[pv] = counts.get(pv, 0) + 1
                seen["updates"] += 1
                seen["lost"] += max(0, step - 1)
                seen["duplicate"] += step == 0
                seen["backwards"] += step < 0
                seen["stamps_wrong"] += abs(time.time() - value.timestamp) > LONGEST_S
                seen["tags_wrong"] += value.raw.timeStamp.userTag != count & 0x7FFFFFFF

        return callback

    with Context("pva") as context:
        watched = [f"P{pv}" for pv in range(PVS)]
        monitors = [context.monitor(name, look(name), request=REQUEST) for name in watched]
        end = time.monotonic() + LONGEST_S
        while time.monotonic() < end:
            time.sleep(0.05)
            with lock:
                if len(counts) == PVS and min(counts.values()) >= UPDATES:
                    break
        seen["subscriptions"] = len(counts)
        for monitor in monitors:
            monitor.close()

        context.put("P0", 123456.0)
        written = context.get("P0")
        # It counts on at once.
        seen["written"] = 123456 if 0 <= written - 123456 < 1000 else float(written)
        try:
            context.get(f"P{PVS}", timeout=0.5)
            seen["missing"] = False
        except TimeoutError:
            seen["missing"] = True
    print(json.dumps(seen))


main()
