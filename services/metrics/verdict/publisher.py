"""
Write the verdict where the container's health check reads it, every few seconds.

    {"well": false, "words": "2 of 4 oracles …", "broken": ["…"], "remarks": [], "time_ms": 17…, "period_s": 5.0,
     "links": [{"name": "oracles", "state": "broken", "words": ["2 of 4 oracles …"]}, …]}

The check reads a file and asks nobody: it costs a start of Python, and an old file says that nobody judges any more.
"""

from collections.abc import Callable

import orjson

from meshkit.clock import Clock
from meshkit.log import get_logger
from meshkit.paths import RunDir
from services.metrics.verdict.last_answers import LastAnswers
from services.metrics.verdict.observer import MeshObserver
from services.metrics.verdict.verdict import Limits, Observation, Verdict, judge

PERIOD_S = 5.0
_log = get_logger(__name__)


class VerdictPublisher:
    """Judge the mesh again and again; keep the last verdict, log each change of it, and pass on what was seen."""

    def __init__(
        self,
        observer: MeshObserver,
        run_dir: RunDir,
        limits: Limits,
        clock: Clock,
        note: Callable[[Observation, float], None] = lambda _seen, _watched_s: None,
        judged: Callable[[Verdict], None] = lambda _verdict: None,
    ) -> None:
        self._note = note
        self._judged = judged
        self._observer = observer
        self._path = run_dir.verdict
        self._limits = limits
        self._clock = clock
        self._last_answers = LastAnswers()
        self.last: Verdict | None = None

    async def run(self) -> None:
        """Judge and write until cancelled."""
        began_s = self._clock.monotonic()
        while True:
            seen, now_s = await self._observer.look(), self._clock.monotonic()
            seen, watched_s = self._last_answers.fill(seen, now_s), now_s - began_s
            self._note(seen, watched_s)
            verdict = judge(seen, self._limits, watched_s)
            self._write(verdict)
            if self.last is None or verdict.words != self.last.words:
                _log.info("verdict", well=verdict.well, verdict=verdict.words, broken=list(verdict.broken))
            self.last = verdict
            self._judged(verdict)
            await self._clock.sleep(PERIOD_S)

    def _write(self, verdict: Verdict) -> None:
        document = {
            "well": verdict.well,
            "words": verdict.words,
            "broken": verdict.broken,
            "remarks": verdict.remarks,
            "links": [{"name": link.name, "state": link.state, "words": link.words} for link in verdict.links],
            "time_ms": self._clock.time_ms(),
            "period_s": PERIOD_S,
        }
        self._path.parent.mkdir(mode=0o755, exist_ok=True)
        temporary = self._path.with_suffix(".new")
        temporary.write_bytes(orjson.dumps(document))
        temporary.replace(self._path)
