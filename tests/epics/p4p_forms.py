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

        context.put("P2", [70, 1, 2])
        hold("written", 70 <= context.get("P2").raw.value[0] < 90)
        hold("together", len(context.get([f"P{pv}" for pv in range(50)])) == 50)
    # What has no value is nothing that p4p would unwrap.
    with Context("pva", nt=False) as context:
        part = context.get("P1", request="field(timeStamp)")
        names = ("secondsPastEpoch", "nanoseconds", "userTag")
        leaves = {f"timeStamp.{name}" for name in names}
        hold("part", part.changedSet() - {"timeStamp"} == leaves)
    print(json.dumps({"wrong": wrong}))


main()
