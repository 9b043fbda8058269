"""What is known about a running job."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from services.oracle.ocr.state import Trace, TraceKind


@dataclass(slots=True)
class FeedStatus:
    """
    Hold the state of one job, changed by its parts as they go.

    Attributes:
        config_digest: Digest of the configuration it runs with, in hex; empty before it has one.
        oracle_index: Own position in it; None for a bootstrap job.
        last_error: The last failure in words; empty once a report was made after it.
        counters: The protocol's own counts.
        on_error: Called with each failure.
    """

    config_digest: str = ""
    oracle_index: int | None = None
    epoch: int = 0
    leader: int = 0
    round: int = 0
    last_observation: int | None = None
    last_error: str = ""
    failed_runs: int = 0
    counters: Counter[str] = field(default_factory=Counter)
    on_error: Callable[[str], None] | None = None

    def fail(self, description: str) -> None:
        """Note a failure."""
        self.last_error = description
        if self.on_error is not None:
            self.on_error(description)

    def note(self, trace: Trace) -> None:
        """Follow a round."""
        if trace.kind in (TraceKind.EPOCH_STARTED, TraceKind.ROUND_STARTED):
            self.epoch, self.round = trace.epoch, trace.round
            if trace.leader is not None:
                self.leader = trace.leader
        elif trace.kind is TraceKind.FINAL:
            self.last_error = ""
        elif trace.kind is TraceKind.TRANSMISSION_FAILED:
            self.fail(f"transmission of epoch {trace.epoch} round {trace.round} failed: {trace.detail}")
