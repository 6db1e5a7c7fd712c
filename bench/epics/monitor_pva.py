"""Monitors by p4p: monitor_pva.py PREFIX N M SECONDS."""

import sys
import time

from p4p.client.thread import Context
from sequence import Sequence

PREFIX, N, M, SECONDS = sys.argv[1], *map(int, sys.argv[2:4]), float(sys.argv[4])


def main():
    seen = Sequence()

    def callback(key):
        def see(value):
            stamp = value.timeStamp
            seen.see(key, int(value.value), stamp.secondsPastEpoch + stamp.nanoseconds * 1e-9)
        return see

    names = [f"{PREFIX}{i}" for i in range(N)]
    with Context("pva", nt=False) as context:
        request = "field(value,alarm,timeStamp)"
        subscriptions = [context.monitor(name, callback((i, m)), request=request)
                         for i, name in enumerate(names) for m in range(M)]
        time.sleep(SECONDS)
        # The server falls silent; what is under way arrives.
        time.sleep(4)
        finals = [int(value.value) for value in context.get(names, timeout=10)]
        seen.says(N * M, finals)
        for subscription in subscriptions:
            subscription.close()


main()
