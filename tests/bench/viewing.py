"""
What a viewer of the page costs: one who is told all changes, and one who has no script and loads it every five seconds.

The metrics service's processor time in windows without a viewer and with one in turn, of one run of a whole mesh.

    python -m tests.bench.viewing [COUNT …]   other numbers of feeds than three
"""

import contextlib
import statistics
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Final

import psutil
from rich.console import Console

from cli.embedded import feeds
from services.metrics.page.live.audience import LEASE_S
from tests.bench.report import Report, Row
from tests.mesh.running import Mesh, running

FEEDS: Final = ("BTC / USD", "ETH / USD", "EUR / USD")
# Of a core.
_MOST_PERCENT: Final = {3: 2.0, 260: 5.0}
# Whoever loaded the page counts as a viewer for a while after.
_WINDOW_S, _WINDOWS, _SETTLE_S = 20.0, 3, LEASE_S + 2
_RELOAD_S: Final = 5.0
_PATIENCE_S: Final = 900.0


def run() -> Report:
    """Measure three feeds."""
    return measure(FEEDS)


def measure(names: tuple[str, ...]) -> Report:
    """Run a mesh of these feeds and look at its page."""
    with running("--feeds", ",".join(names)) as mesh:
        mesh.first_rounds(names, _PATIENCE_S)
        viewer, reader = _Viewer(mesh), _Reader(mesh)
        without, told, read = [], [], []
        for _ in range(_WINDOWS):
            without.append(_percent(mesh, contextlib.nullcontext()))
            told.append(_percent(mesh, viewer.looking()))
            read.append(_percent(mesh, reader.looking()))
    most = next((percent for count, percent in _MOST_PERCENT.items() if count >= len(names)), None)

    def more(found: list[float]) -> float:
        return statistics.median(looked - alone for looked, alone in zip(found, without, strict=True))

    rows = (
        Row("a viewer who is told changes", more(told), "% of a core", at_most=most),
        Row("a viewer without scripts", more(read), "% of a core", at_most=most),
        Row("  nobody looks", statistics.median(without), "% of a core"),
        Row("what a viewer is told", viewer.told_bytes / (_WINDOWS * (_WINDOW_S + _SETTLE_S)) / 1000, "kB/s"),
    )
    notes = (f"{_WINDOWS} windows of {_WINDOW_S:.0f} s of each kind in turn; the medians of the differences",)
    return Report(f"cost of the page, {len(names)} feeds on 5 nodes", rows, notes)


class _Viewer:
    """Take in all that is told."""

    def __init__(self, mesh: Mesh) -> None:
        self._url = f"http://127.0.0.1:{3003 + mesh.offset}/events"
        self.told_bytes = 0

    @contextlib.contextmanager
    def looking(self) -> Iterator[None]:
        """Look for as long as the context lasts."""
        ended = threading.Event()
        # Something is said each 15 s at least.
        with urllib.request.urlopen(self._url, timeout=60) as answer:

            def read() -> None:
                while not ended.is_set():
                    self.told_bytes += len(answer.read1(65_536))

            with _thread(read, ended):
                yield


class _Reader:
    """Load the page again and again."""

    def __init__(self, mesh: Mesh) -> None:
        self._url = f"http://127.0.0.1:{3003 + mesh.offset}/"

    @contextlib.contextmanager
    def looking(self) -> Iterator[None]:
        """Look for as long as the context lasts."""
        ended = threading.Event()

        def read() -> None:
            while not ended.is_set():
                with urllib.request.urlopen(self._url, timeout=60) as answer:
                    answer.read()
                ended.wait(_RELOAD_S)

        with _thread(read, ended):
            yield


@contextlib.contextmanager
def _thread(work: Callable[[], None], ended: threading.Event) -> Iterator[None]:
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _percent(mesh: Mesh, looking: AbstractContextManager[None]) -> float:
    """Return the share of a core that the metrics service takes while somebody looks, or nobody does."""
    process = psutil.Process(mesh.status()["process-metrics"]["pid"])
    with looking:
        time.sleep(_SETTLE_S)
        began_s, used_s = time.monotonic(), sum(process.cpu_times()[:2])
        time.sleep(_WINDOW_S)
        percent = 100 * (sum(process.cpu_times()[:2]) - used_s) / (time.monotonic() - began_s)
    return float(percent)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        measure(feeds.parse(feeds.ALL)[: int(argument)]).show(Console(width=120))
    if not sys.argv[1:]:
        run().show(Console(width=120))
