"""What is known about a running job, and who hears of it: metrics, watchers of rounds, the job's errors."""

from collections import Counter
from collections.abc import Callable, Iterable

from services.oracle.jobs.round_events import RoundEvents
from services.oracle.metrics import FeedMetrics, OracleMetrics
from services.oracle.ocr.state import Trace, TraceKind


class JobStatus:
    """
    Hold the state of one job, changed by its parts as they go.

    Attributes:
        label: The job's name for people.
        config_digest: Digest of the configuration it runs with, in hex; empty before it has one.
        oracle_index: Own position in it; None for a bootstrap job.
        epoch, round, leader: The protocol's current ones.
        last_observation: The last value that its pipeline gave; None before the first.
        last_error: The last failure in words; empty once a report was made after it.
        pinned: Says that the contract does not take the feed's answer, and why; empty while it does.
        counters: The protocol's own counts.
        on_error: Called with each failure.
    """

    def __init__(self, label: str) -> None:
        self.label = label
        self.config_digest = ""
        self.oracle_index: int | None = None
        self.epoch = self.leader = self.round = 0
        self.last_observation: int | None = None
        self.last_error = self.pinned = ""
        self.counters: Counter[str] = Counter()
        self.on_error: Callable[[str], None] | None = None

    def fail(self, description: str) -> None:
        """Note a failure."""
        self.last_error = description
        if self.on_error is not None:
            self.on_error(description)

    def begin_session(self, config_digest: bytes, oracle_index: int | None, counters: Counter[str]) -> None:
        """Note that the job runs under a configuration."""
        self.config_digest, self.oracle_index, self.counters = config_digest.hex(), oracle_index, counters

    def end_session(self) -> None:
        """Note that the job has no configuration."""
        self.config_digest, self.oracle_index = "", None


class OracleStatus(JobStatus):
    """Hold the state of an oracle's job, and pass on what happens in its rounds."""

    def __init__(self, job_id: int, label: str, metrics: OracleMetrics, rounds: RoundEvents) -> None:
        super().__init__(label)
        self._metrics = metrics
        self._figures: FeedMetrics = metrics.add(job_id, label)
        self._rounds = rounds

    def close(self) -> None:
        """Show the job's figures no longer."""
        self._metrics.remove(self._figures)

    def observed(self, value: int) -> None:
        """Note an observation."""
        self.last_observation = self._figures.median = value

    def priced(self, epoch: int, round_number: int, answers: Iterable[str]) -> None:
        """Note what the bridges answered to the pipeline of a round."""
        self._figures.priced(epoch, round_number, answers)

    def observation_failed(self, description: str) -> None:
        """Note a run of the pipeline without a value."""
        self.fail(f"observation failed: {description}")
        self._figures.failed_runs = (self._figures.failed_runs or 0) + 1

    def pin(self, reason: str) -> None:
        """Note that the contract does not take the feed's answer, or with an empty reason that it does again."""
        self.pinned = reason
        self._figures.pinned = bool(reason)

    def follow(self, trace: Trace) -> None:
        """Follow a round."""
        if trace.kind in (TraceKind.EPOCH_STARTED, TraceKind.ROUND_STARTED):
            self.epoch, self.round = trace.epoch, trace.round
            if trace.leader is not None:
                self.leader = trace.leader
        elif trace.kind is TraceKind.FINAL:
            self.last_error = ""
        elif trace.kind is TraceKind.TRANSMISSION_FAILED:
            self.fail(f"transmission of epoch {trace.epoch} round {trace.round} failed: {trace.detail}")
        self._rounds.publish(self.label, trace)
        if self.oracle_index is not None:
            self._figures.follow(trace, self.oracle_index)
