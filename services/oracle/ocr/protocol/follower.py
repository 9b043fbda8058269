"""
The follower's side of report generation: observes, signs, and spreads the signed report.

A round of a follower, from the leader's ObserveReq on; a later ObserveReq ends it at any point:

    observe --> Observe to the leader
    ReportReq --> read contract --> nothing to report: completed
                                --> save the round as signed --> sign --> Report to the leader
    Final, or the first FinalEcho --> FinalEcho to all
    f+1 FinalEchoes --> completed, report to the transmission
"""

from chainlink.keys.ocr1 import OracleKeys
from services.oracle.ocr.config import SharedConfig
from services.oracle.ocr.crypto import observation_key, sign_observation, sign_report
from services.oracle.ocr.protocol.actions import (
    Action,
    Broadcast,
    ChangeLeader,
    Complete,
    Progress,
    ReadContract,
    SaveSignedRound,
    SendTo,
    Tell,
)
from services.oracle.ocr.protocol.actions import Observe as AskDataSource
from services.oracle.ocr.protocol.attestation import Attestation
from services.oracle.ocr.protocol.events import ContractWasRead, Observed, ReadPurpose, SignedRoundSaved
from services.oracle.ocr.protocol.messages import (
    AttestedReportMany,
    AttestedReportOne,
    Final,
    FinalEcho,
    Observe,
    ObserveReq,
    Report,
    ReportReq,
    SignedObservation,
)
from services.oracle.ocr.protocol.report_decision import Policy, reason_to_report
from services.oracle.ocr.report import AttributedObservation, in_range, median
from services.oracle.ocr.state import SignedRound, Trace, TraceKind

NOTHING_TO_REPORT = "nothing to report"
UNREAD = "nothing to report by what was read before: the contract cannot be read"


class Follower:
    """
    Follow the leader of one epoch.

    `signed` is the highest round that an earlier run of this oracle may have signed: it is never signed again.
    """

    def __init__(
        self, config: SharedConfig, keys: OracleKeys, epoch: int, leader: int, signed: SignedRound | None
    ) -> None:
        self._config = config
        self._keys = keys
        self._epoch = epoch
        self._leader = leader
        self._signed = (signed.epoch, signed.round) if signed else (0, 0)
        self._round = 0
        self._begin_round(0)

    def _begin_round(self, round_number: int) -> None:
        self._round = round_number
        self._attestation = Attestation(self._config, self._epoch, round_number)
        self._requested: tuple[AttributedObservation, ...] | None = None
        self._signing = False
        self._reason = ""
        self._completed = False
        self._echo: AttestedReportMany | None = None
        self._echoes_from: set[int] = set()

    def on_observe_req(self, sender: int, message: ObserveReq, now_ms: int) -> list[Action]:
        """Begin the leader's next round, or end its term."""
        r_max = self._config.public.offchain.r_max
        if sender != self._leader or not self._round < message.round <= r_max + 1:
            return []
        self._begin_round(message.round)
        if message.round > r_max:
            self._completed = True
            return [ChangeLeader()]
        return [self._tell(TraceKind.ROUND_STARTED, now_ms), AskDataSource(self._epoch, self._round)]

    def on_observed(self, event: Observed, now_ms: int) -> list[Action]:
        """Send the observation to the leader; without one, stay silent in this round."""
        if not self._is_current(event.epoch, event.round) or event.value is None or not in_range(event.value):
            return []
        key = observation_key(self._keys.offchain)
        signed = SignedObservation(event.value, sign_observation(key, self._attestation.tag, event.value))
        return [
            SendTo(self._leader, Observe(self._epoch, self._round, signed)),
            self._tell(TraceKind.OBSERVATION_SENT, now_ms, value=event.value),
        ]

    def on_report_req(self, sender: int, message: ReportReq, now_ms: int) -> list[Action]:
        """Check the leader's first request of the round, then read the contract to decide about it."""
        if sender != self._leader or message.round != self._round or self._completed or self._requested is not None:
            return []
        flaw = self._attestation.flaw_of(message.observations)
        if flaw:
            return [self._tell(TraceKind.REPORT_DECLINED, now_ms, detail=f"the leader's request has {flaw}")]
        self._requested = tuple(AttributedObservation(o.observer, o.signed.value) for o in message.observations)
        return [ReadContract(ReadPurpose.SHOULD_REPORT, self._epoch, self._round)]

    def on_contract_read(self, event: ContractWasRead, now_ms: int) -> list[Action]:
        """Decide whether to report; what is decided so is signed once, restarts included."""
        if not self._is_current(event.epoch, event.round) or self._completed or not self._requested or self._signing:
            return []
        offchain = self._config.public.offchain
        policy = Policy(self._config.config_digest, offchain.alpha_ppb, offchain.delta_c_ns).overridden(event.override)
        value = median(self._requested)
        reason = reason_to_report(policy, value, event.details, event.requested, now_ms)
        if reason is None:
            detail = UNREAD if event.is_unread else NOTHING_TO_REPORT
            told = self._tell(TraceKind.REPORT_DECLINED, now_ms, self._requested, detail=detail)
            return [told, *self._complete_round()]
        if (self._epoch, self._round) <= self._signed:
            return [self._tell(TraceKind.REPORT_DECLINED, now_ms, detail="signed before a restart")]
        self._signing, self._reason = True, reason.value
        return [SaveSignedRound(SignedRound(self._epoch, self._round))]

    def on_signed_round_saved(self, event: SignedRoundSaved, now_ms: int) -> list[Action]:
        """Sign the report and send it, now that no restart can make this oracle sign the round again."""
        if not self._is_current(event.signed.epoch, event.signed.round) or self._completed or not self._requested:
            return []
        if not event.ok:
            detail = "the round could not be saved as signed"
            return [self._tell(TraceKind.REPORT_DECLINED, now_ms, detail=detail)]
        signature = sign_report(self._keys.signing, self._attestation.report_bytes(self._requested))
        report = Report(self._epoch, self._round, AttestedReportOne(self._requested, signature))
        told = self._tell(TraceKind.REPORT_SENT, now_ms, self._requested, detail=self._reason)
        return [SendTo(self._leader, report), told]

    def on_final(self, sender: int, message: Final) -> list[Action]:
        """Echo the leader's signed report, once."""
        if sender != self._leader or message.round != self._round or self._echo is not None:
            return []
        if not self._attestation.is_attested(message.report):
            return []
        return self._send_echo(message.report)

    def on_final_echo(self, sender: int, message: FinalEcho, now_ms: int) -> list[Action]:
        """Echo what another echoed, and complete the round when more than f oracles have it."""
        if message.round != self._round or self._completed or sender in self._echoes_from:
            return []
        if not self._attestation.is_attested(message.report):
            return []
        self._echoes_from.add(sender)
        actions = [] if self._echo is not None else self._send_echo(message.report)
        if self._echo is not None and len(self._echoes_from) > self._config.f:
            actions.append(self._tell(TraceKind.FINAL, now_ms, self._echo.observations))
            actions.append(Complete(self._epoch, self._round, self._echo))
            actions += self._complete_round()
        return actions

    def _send_echo(self, report: AttestedReportMany) -> list[Action]:
        self._echo = report
        return [Broadcast(FinalEcho(self._epoch, self._round, report))]

    def _complete_round(self) -> list[Action]:
        self._completed = True
        return [Progress()]

    def _is_current(self, epoch: int, round_number: int) -> bool:
        return (epoch, round_number) == (self._epoch, self._round)

    def _tell(
        self,
        kind: TraceKind,
        at_ms: int,
        observations: tuple[AttributedObservation, ...] = (),
        *,
        value: int | None = None,
        detail: str = "",
    ) -> Tell:
        observers = tuple(o.observer for o in observations)
        middle = median(observations) if observations else None
        trace = Trace(
            kind,
            self._epoch,
            self._round,
            at_ms,
            self._leader,
            observers,
            median=middle,
            value=value,
            detail=detail,
            observations=tuple(o.value for o in observations),
            signers=self._attestation.signers if kind is TraceKind.FINAL else (),
        )
        return Tell(trace)
