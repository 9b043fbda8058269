"""
A fixed piece of work on one core: what processor times of a run are divided by, to compare with those of another run.

It is what our processes spend their time on: Python calls, dictionaries, decimals, JSON.
"""

import statistics
import time
from decimal import Decimal

import orjson

_RUNS = 5
_STEPS = 2_000


def measure_ms() -> float:
    """Return the milliseconds of processor time that the work takes now, the median of a few runs."""
    return statistics.median(_run_ms() for _ in range(_RUNS))


def _run_ms() -> float:
    started_s = time.process_time()
    total = Decimal(0)
    seen: dict[str, Decimal] = {}
    for step in range(_STEPS):
        text = orjson.dumps({"symbol": f"S{step % 97}", "price": f"{step}.25", "time": step})
        found = orjson.loads(text)
        price = Decimal(found["price"])
        seen[found["symbol"]] = max(seen.get(found["symbol"], price), price)
        total += price * 3 / 7
    assert total > 0, "the work is done"
    return 1000 * (time.process_time() - started_s)
