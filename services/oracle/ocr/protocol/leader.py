"""
The leader's side of report generation: collects observations, then signatures, round after round.

    OBSERVE --more than 2f observations--> GRACE --deltaGrace--> REPORT --f+1 equal reports--> FINAL

deltaRound starts the next round from any phase. The round after the last one only tells the followers that the term
is over.
"""

import enum

from services.oracle.ocr.config import SharedConfig
from services.oracle.ocr.protocol.actions import Action, Broadcast, SetTimer
from services.oracle.ocr.protocol.attestation import Attestation
from services.oracle.ocr.protocol.events import Timer, TimerKind
from services.oracle.ocr.protocol.messages import (
    AttestedReportMany,
    AttestedReportOne,
    AttributedSignedObservation,
    Final,
    Observe,
    ObserveReq,
    Report,
    ReportReq,
    SignedObservation,
)

ROUND = Timer(TimerKind.ROUND)
GRACE = Timer(TimerKind.GRACE)


class Phase(enum.Enum):
    """Name what the leader waits for."""

    OBSERVE = "observe"
    GRACE = "grace"
    REPORT = "report"
    FINAL = "final"


class Leader:
    """Lead one epoch."""

    def __init__(self, config: SharedConfig, epoch: int) -> None:
        self._config = config
        self._epoch = epoch
        self._round = 0
        self._phase = Phase.FINAL
        self._observations: dict[int, SignedObservation] = {}
        self._reports: dict[int, AttestedReportOne] = {}
        self._attestation = Attestation(config, epoch, 0)

    def on_round_time(self) -> list[Action]:
        """Start the next round, whether or not the last one came to an end; also starts the first."""
        if self._round > self._config.public.offchain.r_max:
            return []
        self._round += 1
        self._phase = Phase.OBSERVE
        self._observations = {}
        self._reports = {}
        self._attestation = Attestation(self._config, self._epoch, self._round)
        request = ObserveReq(self._epoch, self._round)
        return [Broadcast(request), SetTimer(ROUND, self._config.public.offchain.delta_round_ns)]

    def on_observe(self, sender: int, message: Observe) -> list[Action]:
        """Keep a follower's first valid observation; begin the grace period when there are enough."""
        if message.round != self._round or self._phase not in (Phase.OBSERVE, Phase.GRACE):
            return []
        if sender in self._observations or not self._attestation.is_observation_of(sender, message.signed):
            return []
        self._observations[sender] = message.signed
        if self._phase is Phase.OBSERVE and len(self._observations) > 2 * self._config.f:
            self._phase = Phase.GRACE
            return [SetTimer(GRACE, self._config.public.offchain.delta_grace_ns)]
        return []

    def on_grace_time(self) -> list[Action]:
        """Ask for signatures over all that came in."""
        if self._phase is not Phase.GRACE:
            return []
        self._phase = Phase.REPORT
        collected = [AttributedSignedObservation(*item) for item in sorted(self._observations.items())]
        collected.sort(key=lambda o: o.signed.value)
        return [Broadcast(ReportReq(self._epoch, self._round, tuple(collected)))]

    def on_report(self, sender: int, message: Report) -> list[Action]:
        """Keep a follower's first valid signature; show the report when enough signed the same."""
        report = message.report
        if message.round != self._round or self._phase is not Phase.REPORT or sender in self._reports:
            return []
        if not self._attestation.is_report_of(sender, report.observations, report.signature):
            return []
        self._reports[sender] = report
        in_order = [self._reports[oracle] for oracle in sorted(self._reports)]
        equal = [other for other in in_order if other.observations == report.observations]
        if len(equal) <= self._config.f:
            return []
        self._phase = Phase.FINAL
        attested = AttestedReportMany(report.observations, tuple(one.signature for one in equal))
        return [Broadcast(Final(self._epoch, self._round, attested))]
