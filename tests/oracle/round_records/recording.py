"""A store of rounds without a database, and a simulated committee whose every oracle records its rounds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from feedmesh.oracle.v1 import oracle_service_pb2 as pb
from meshkit.clock import ManualClock
from services.oracle.hop_metrics import HopMetrics
from services.oracle.ocr.state import Trace, TraceKind
from services.oracle.round_records.recorder import BridgeAnswer, Observation, RoundRecorder
from services.oracle.round_records.store import RoundKey, RoundStore
from tests.oracle.ocr.committee import CONTRACT, Committee
from tests.oracle.ocr.simulation import START_MS, Simulation

FEED = "BTC / USD"


@dataclass
class Notebook:
    """Hold the parts of records that are noted, as the store does until it writes them."""

    clock: ManualClock
    records: dict[RoundKey, pb.RoundRecord] = field(default_factory=dict)
    dropped: int = 0

    def note(self, key: RoundKey, name: str, _at_ms: int, part: bytes, _contract_round: int | None = None) -> None:
        """Add a part to its round's record."""
        self.records.setdefault(key, pb.RoundRecord(name=name)).MergeFromString(part)


def recorder_of(notebook: Notebook, hops: HopMetrics | None = None) -> RoundRecorder:
    """Return a recorder that notes there."""
    store: Any = notebook
    assert callable(RoundStore.note)
    return RoundRecorder(store, notebook.clock, hops)


class RecordedCommittee:
    """Run a simulated committee of which each oracle records what it sees; `bodies` are what its bridges answer."""

    def __init__(self, committee: Committee, seed: int = 0) -> None:
        self.committee = committee
        self.simulation = Simulation(committee, seed)
        self.notebooks = [Notebook(ManualClock(START_MS)) for _ in committee.keys]
        self.recorders = [recorder_of(notebook) for notebook in self.notebooks]
        self.bodies: dict[int, str] = {}
        for recorder, shared in zip(self.recorders, committee.shared, strict=True):
            recorder.begin(FEED, CONTRACT, shared)
        self._told = 0

    def run(self, seconds: float) -> None:
        """Let simulated time pass, and record what the oracles told meanwhile."""
        self.simulation.run(seconds)
        for index, trace in self.simulation.traces[self._told :]:
            self._record(index, trace)
        self._told = len(self.simulation.traces)

    def records(self, epoch: int, round_number: int) -> Sequence[pb.RoundRecord]:
        """Return what the oracles recorded of a round, in their order; those that have nothing of it are left out."""
        found = []
        for notebook in self.notebooks:
            for key, record in notebook.records.items():
                if (key.epoch, key.round) == (epoch, round_number):
                    found.append(record)
        return found

    def _record(self, index: int, trace: Trace) -> None:
        recorder = self.recorders[index]
        recorder.follow(CONTRACT, trace)
        if trace.kind is TraceKind.OBSERVATION_SENT:
            answers = [BridgeAnswer("ask", self.bodies[index])] if index in self.bodies else []
            observation = Observation(
                trace.epoch, trace.round, trace.at_ms - 5, trace.at_ms, answers, value=trace.value
            )
            recorder.observed(CONTRACT, observation)
