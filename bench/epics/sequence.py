"""What a client in Python saw: the value is a counter, so each subscription proves its own loss."""

import json
import time


class Sequence:
    # Every so many updates one is timed: to look at the clock costs as much as the check.
    TIMED_EVERY = 31

    def __init__(self):
        self.last, self.received, self.lost, self.duplicate, self.backwards = {}, 0, 0, 0, 0
        self.ages, self.first_at, self.last_at = [], None, None

    def see(self, key, value, stamp):
        self.received += 1
        before = self.last.get(key)
        self.last[key] = value
        if self.received % self.TIMED_EVERY == 0:
            self.last_at = time.time()
            self.first_at = self.first_at or self.last_at
            self.ages.append(self.last_at - stamp)
        if before is None:
            return
        step = value - before
        if step > 1:
            self.lost += step - 1
        elif step == 0:
            self.duplicate += 1
        elif step < 0:
            self.backwards += 1

    def says(self, subscriptions, finals):
        """`finals`: the value of each PV once all is quiet, by the first part of a key. The rate
        is that of the time in which updates came: a client may go on long after the server."""
        ages = sorted(self.ages)
        at = lambda q: ages[min(int(len(ages) * q), len(ages) - 1)] * 1e3 if ages else None
        took = self.last_at - self.first_at if self.ages else 0
        said = {"received_per_s": self.received / took if took else 0, "lost": self.lost,
                "duplicate": self.duplicate, "backwards": self.backwards,
                "age_p50_ms": at(0.5), "age_p99_ms": at(0.99)}
        right = sum(self.last.get(key) == finals[key[0]] for key in self.last)
        said["finals"] = "all" if right == subscriptions else f"{right} of {subscriptions}"
        print(json.dumps(said), flush=True)
