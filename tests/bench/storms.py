"""Ten thousand storms over simulated committees: none may break a promise of the protocol."""

import multiprocessing
import time
from collections import Counter

from tests.bench.report import Report, Row
from tests.oracle.ocr.storm import Violated, draw
from tests.oracle.ocr.storm import run as run_storm

SEEDS = 10_000
_CHUNK = 50


def _hold(seed: int) -> tuple[int, int, str]:
    storm = draw(seed)
    try:
        return storm.n, len(run_storm(storm).contract.accepted), ""
    except Violated as violated:
        return storm.n, 0, str(violated)


def run(seeds: int = SEEDS) -> Report:
    """Run the storms of seeds 0 to `seeds` - 1 on all cores; a violation's text says how to replay it."""
    sizes: Counter[int] = Counter()
    rounds, problems = 0, []
    began_s = time.monotonic()
    with multiprocessing.get_context("spawn").Pool() as pool:
        for n, accepted, problem in pool.imap_unordered(_hold, range(seeds), _CHUNK):
            sizes[n] += 1
            rounds += accepted
            problems += [problem] if problem else []
    rows = (
        Row("storms", seeds, "seeds"),
        Row("violations", len(problems), "seeds", at_most=0),
        Row("rounds that the contracts took", rounds, "rounds"),
        *(Row(f"committees of {n}", sizes[n], "seeds") for n in sorted(sizes)),
        Row("time", time.monotonic() - began_s, "s"),
    )
    return Report("Oracle protocol: simulated storms", rows, tuple(problems))
