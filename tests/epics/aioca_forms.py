"""Reads P0, five integers, as every type and in every format that aioca has; prints what came
wrong as a JSON object."""

import asyncio
import json

from aioca import FORMAT_CTRL, FORMAT_RAW, FORMAT_TIME, caget, caput


async def main():
    await caput("P0", 40, wait=True)
    forms, wrong = 0, []
    for datatype in (None, int, float, str):
        for form in (FORMAT_RAW, FORMAT_TIME, FORMAT_CTRL):
            forms += 1
            values = [float(value) for value in await caget("P0", datatype=datatype, format=form)]
            # It may have counted on since.
            expect = [values[0] + element for element in range(5)]
            if values != expect or not 40 <= values[0] < 100:
                wrong.append([str(datatype), str(form), values])
    print(json.dumps({"forms": forms, "wrong": wrong}))


asyncio.run(main())
