"""
The transmission: brings signed reports to the contract, one oracle after the other until one is there.

Every oracle has a place in the schedule of a round. It waits for its stage, reads the contract, and sends the report
only if the contract has not got it (or a newer one) by then. So normally one oracle pays, and the others are its
fall-back.
"""

from chainlink.contract.aggregator import TransmissionDetails
from chainlink.ocr.report_context import context_tag
from services.oracle.ocr.config import SharedConfig
from services.oracle.ocr.protocol.actions import (
    Action,
    Complete,
    DeletePending,
    ReadContract,
    SavePending,
    SetTimer,
    Tell,
    Transmit,
)
from services.oracle.ocr.protocol.events import ContractWasRead, ReadPurpose, Timer, TimerKind, TransmitEnded
from services.oracle.ocr.protocol.report_decision import deviates
from services.oracle.ocr.report import encode_report, median, transmit_arguments
from services.oracle.ocr.state import PendingTransmission, Trace, TraceKind

_NS_PER_MS = 1_000_000
Key = tuple[int, int]


class Transmission:
    """Schedule and send the reports of one configuration."""

    def __init__(self, config: SharedConfig) -> None:
        self._config = config
        self._completed: dict[Key, Complete] = {}
        self._pending: dict[Key, PendingTransmission] = {}
        self._latest: Key = (0, 0)
        self._latest_median: int | None = None

    def start(self, pending: tuple[PendingTransmission, ...], now_ms: int) -> list[Action]:
        """Schedule what an earlier run left: all that is not due yet, and the newest of what is overdue."""
        overdue = sorted((p for p in pending if p.due_ms <= now_ms), key=_key)
        actions: list[Action] = [DeletePending(stale.epoch, stale.round) for stale in overdue[:-1]]
        for item in [*overdue[-1:], *(p for p in pending if p.due_ms > now_ms)]:
            self._pending[_key(item)] = item
            delay_ns = max(0, item.due_ms - now_ms) * _NS_PER_MS
            actions.append(SetTimer(Timer(TimerKind.TRANSMIT, item.epoch, item.round), delay_ns))
            if _key(item) > self._latest:
                self._latest, self._latest_median = _key(item), item.median
        return actions

    def on_complete(self, event: Complete) -> list[Action]:
        """Take a signed report, and read the contract to decide whether it is worth to be scheduled."""
        self._completed[(event.epoch, event.round)] = event
        return [ReadContract(ReadPurpose.SHOULD_SCHEDULE, event.epoch, event.round)]

    def on_should_schedule(self, event: ContractWasRead, now_ms: int) -> list[Action]:
        """Schedule a report, unless it is old or says what an earlier one that is still on its way says."""
        key = (event.epoch, event.round)
        completed = self._completed.pop(key, None)
        if completed is None:
            return []
        value = median(completed.report.observations)
        refusal = self._refusal(key, value, event.details)
        if refusal:
            return [self._tell(TraceKind.TRANSMISSION_SKIPPED, key, now_ms, detail=refusal)]
        self._latest, self._latest_median = key, value
        stage = self._config.transmit_stage(*key)
        if stage is None:
            return [self._tell(TraceKind.TRANSMISSION_SKIPPED, key, now_ms, detail="in no stage of the schedule")]
        delay_ns = stage * self._config.public.offchain.delta_stage_ns
        tag = context_tag(self._config.config_digest, *key)
        rs, ss, raw_vs = transmit_arguments(completed.report.signatures)
        report = encode_report(tag, completed.report.observations)
        pending = PendingTransmission(*key, now_ms + delay_ns // _NS_PER_MS, value, report, rs, ss, raw_vs)
        self._pending[key] = pending
        return [
            SavePending(pending),
            SetTimer(Timer(TimerKind.TRANSMIT, *key), delay_ns),
            self._tell(TraceKind.TRANSMISSION_SCHEDULED, key, now_ms, due_ms=pending.due_ms, stage=stage),
        ]

    def on_transmit_time(self, timer: Timer) -> list[Action]:
        """Read the contract once more: an earlier stage has probably sent the report."""
        if (timer.epoch, timer.round) not in self._pending:
            return []
        return [
            DeletePending(timer.epoch, timer.round),
            ReadContract(ReadPurpose.SHOULD_TRANSMIT, timer.epoch, timer.round),
        ]

    def on_should_transmit(self, event: ContractWasRead, now_ms: int) -> list[Action]:
        """Send the report if the contract has neither it nor a newer one."""
        key = (event.epoch, event.round)
        pending = self._pending.pop(key, None)
        if pending is None:
            return []
        refusal = self._outdated(key, event.details)
        if event.details is None:
            self._forget(key)
        if refusal:
            return [self._tell(TraceKind.TRANSMISSION_SKIPPED, key, now_ms, detail=refusal)]
        return [Transmit(pending)]

    def on_transmit_ended(self, event: TransmitEnded, now_ms: int) -> list[Action]:
        """Tell how the transaction went; after a failure the next report need not differ from this one."""
        key = (event.epoch, event.round)
        if not event.error:
            return [self._tell(TraceKind.TRANSMITTED, key, now_ms)]
        self._forget(key)
        return [self._tell(TraceKind.TRANSMISSION_FAILED, key, now_ms, detail=event.error)]

    def _refusal(self, key: Key, value: int, contract: TransmissionDetails | None) -> str:
        outdated = self._outdated(key, contract)
        if outdated or contract is None:
            return outdated
        if key <= self._latest:
            return "a newer report is scheduled"
        if self._latest_median is None or (contract.epoch, contract.round) >= self._latest:
            return ""
        if deviates(self._latest_median, value, self._config.public.offchain.alpha_ppb):
            return ""
        return "an equal report is on its way"

    def _outdated(self, key: Key, contract: TransmissionDetails | None) -> str:
        if contract is None:
            return "the contract could not be read"
        if contract.config_digest != self._config.config_digest:
            return "the contract has another configuration"
        if (contract.epoch, contract.round) >= key:
            return "the contract is as new"
        return ""

    def _forget(self, key: Key) -> None:
        # Nothing of this oracle is on its way any more, so it must not hold equal reports back.
        if self._latest == key:
            self._latest_median = None

    def _tell(
        self,
        kind: TraceKind,
        key: Key,
        at_ms: int,
        *,
        due_ms: int | None = None,
        detail: str = "",
        stage: int | None = None,
    ) -> Tell:
        return Tell(Trace(kind, *key, at_ms, due_ms=due_ms, detail=detail, stage=stage))


def _key(pending: PendingTransmission) -> Key:
    return (pending.epoch, pending.round)
