"""p4p reads longs in arrays, whole and in part, and writes one.

p4p_forms.py     prints a JSON object with what was wrong
"""

import json

from p4p.client.thread import Context


def main():
    wrong = []

    def hold(what, is_right):
        if not is_right:
            wrong.append(what)

    with Context("pva") as context:
        whole = context.get("P1").raw
        hold("id", whole.getID() == "epics:nt/NTScalarArray:1.0")
        count = whole.value[0]
        hold("elements", list(whole.value) == [count + i for i in range(5)])
        hold("type", str(whole.value.dtype) == "int32")
        hold("alarm", (whole.alarm.severity, whole.alarm.message) == (0, ""))
        hold("mark", whole.timeStamp.userTag == count)

        part = context.get("P1", request="field(timeStamp)").raw
        hold("part", part.changedSet() <= {f"timeStamp.{name}" for name in
                                          ("secondsPastEpoch", "nanoseconds", "userTag")})

        context.put("P2", [70, 1, 2])
        hold("written", 70 <= context.get("P2").raw.value[0] < 90)
        hold("together", len(context.get([f"P{pv}" for pv in range(50)])) == 50)
    print(json.dumps({"wrong": wrong}))


main()
