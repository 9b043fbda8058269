"""
What happens in a node's rounds, turned into the parts of their records.

    traces of the protocol ─┐
    runs of the pipeline ───┼──▶ RoundRecorder ──▶ RoundStore
    news of transactions ───┘

Nothing here waits, and nothing raises into a round: what cannot be recorded is counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from chainlink.contract.aggregator import NEW_TRANSMISSION, TRANSMIT
from chainlink.ocr.report_context import ReportContext, read_context_tag
from chainlink.rpc.errors import Malformed
from feedmesh.oracle.v1 import oracle_service_pb2 as pb
from meshkit.clock import Clock
from meshkit.log import get_logger
from meshkit.ocr.hops import Moment
from services.oracle.chain.transactions.in_flight import Receipt
from services.oracle.chain.transactions.transaction_news import TransactionMoment, TransactionNews
from services.oracle.hop_metrics import HopMetrics
from services.oracle.ocr.config import SharedConfig
from services.oracle.ocr.errors import ProtocolError
from services.oracle.ocr.report import decode_report
from services.oracle.ocr.state import Trace, TraceKind
from services.oracle.round_records.store import RoundKey, RoundStore

_log = get_logger(__name__)
LONGEST_BODY = 16_384
_LONGEST_DETAIL = 1_000
STAGES = {
    TraceKind.EPOCH_STARTED: pb.ROUND_STAGE_EPOCH,
    TraceKind.ROUND_STARTED: pb.ROUND_STAGE_STARTED,
    TraceKind.REPORT_SENT: pb.ROUND_STAGE_REPORTED,
    TraceKind.REPORT_DECLINED: pb.ROUND_STAGE_COMPLETED,
    TraceKind.FINAL: pb.ROUND_STAGE_FINALIZED,
    TraceKind.TRANSMISSION_SCHEDULED: pb.ROUND_STAGE_SCHEDULED,
    TraceKind.TRANSMITTED: pb.ROUND_STAGE_TRANSMITTED,
    TraceKind.TRANSMISSION_SKIPPED: pb.ROUND_STAGE_SKIPPED,
    TraceKind.TRANSMISSION_FAILED: pb.ROUND_STAGE_FAILED,
}
_TRANSACTIONS = {
    TransactionMoment.HANDED_OVER: pb.ROUND_STAGE_HANDED_OVER,
    TransactionMoment.CONFIRMED: pb.ROUND_STAGE_INCLUDED,
    TransactionMoment.REVERTED: pb.ROUND_STAGE_REVERTED,
    TransactionMoment.LOST: pb.ROUND_STAGE_LOST,
    TransactionMoment.REORGANIZED: pb.ROUND_STAGE_REORGANIZED,
}
_TRANSACTION_HOPS = {TransactionMoment.HANDED_OVER: Moment.TRANSMITTED, TransactionMoment.CONFIRMED: Moment.INCLUDED}


@dataclass(frozen=True, slots=True)
class BridgeAnswer:
    """Hold what a bridge answered to one task: a body, also of a failure, and the task's error if it has no result."""

    task: str
    body: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """Hold one run of a pipeline for a round; without a value, why. Times are Unix milliseconds."""

    epoch: int
    round: int
    began_ms: int
    ended_ms: int
    answers: Sequence[BridgeAnswer]
    value: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class _Session:
    """Hold what all records of a feed have under one configuration."""

    name: str
    contract: str
    config_digest: bytes
    head: bytes


class RoundRecorder:
    """
    Record the rounds of all feeds of a node; `hops` is told when their transactions are handed over and in a block.

    Attributes:
        failed: How many moments could not be recorded, by a defect.
    """

    def __init__(self, store: RoundStore, clock: Clock, hops: HopMetrics | None = None) -> None:
        self._store = store
        self._hops = hops
        self._clock = clock
        self._sessions: dict[str, _Session] = {}
        self.failed = 0

    def begin(self, name: str, contract: str, config: SharedConfig) -> None:
        """Take up the rounds of a feed's contract under a configuration, instead of those under the one before."""
        digest = config.config_digest
        head = pb.RoundRecord(
            name=name,
            contract_address=contract,
            config_digest=digest.hex(),
            oracle_index=config.index,
            n=config.n,
            f=config.f,
        )
        self._sessions[contract.lower()] = _Session(name, contract.lower(), digest, head.SerializeToString())

    def follow(self, contract: str, trace: Trace) -> None:
        """Record a moment that the protocol tells; that of the observation comes with what it was made of."""
        session, stage = self._sessions.get(contract.lower()), STAGES.get(trace.kind)
        if session is None or stage is None:
            return
        moment = pb.RoundMoment(
            stage=stage,
            leader=trace.leader,
            value="" if trace.median is None else str(trace.median),
            detail=trace.detail[:_LONGEST_DETAIL],
            observers=trace.observers,
            observations=map(str, trace.observations),
            signers=trace.signers,
            transmission_stage=trace.stage,
        )
        if trace.due_ms is not None:
            moment.due_time.FromMilliseconds(trace.due_ms)
        self._note(session, ReportContext(session.config_digest, trace.epoch, trace.round), trace.at_ms, moment)

    def observed(self, contract: str, observation: Observation) -> None:
        """Record a run of the pipeline, with what its bridges answered."""
        session = self._sessions.get(contract.lower())
        if session is None:
            return
        failed = observation.value is None
        moment = pb.RoundMoment(
            stage=pb.ROUND_STAGE_UNOBSERVED if failed else pb.ROUND_STAGE_OBSERVED,
            value="" if failed else str(observation.value),
            detail=observation.error[:_LONGEST_DETAIL],
            answers=[
                pb.BridgeAnswer(
                    task=answer.task,
                    body=answer.body if len(answer.body) <= LONGEST_BODY else "",
                    error=answer.error[:_LONGEST_DETAIL],
                )
                for answer in observation.answers
            ],
        )
        moment.began_time.FromMilliseconds(observation.began_ms)
        context = ReportContext(session.config_digest, observation.epoch, observation.round)
        self._note(session, context, observation.ended_ms, moment)

    def transaction(self, news: TransactionNews) -> None:
        """Record what became of a report's transaction; others, and those of contracts without a job, are left out."""
        try:
            session = self._sessions.get(news.to.lower())
            if session is None or not news.data.startswith(TRANSMIT.selector):
                return
            tag, _ = decode_report(_report_of(news.data))
            receipt = news.receipt
            sight = pb.TransactionSight(hash=news.hash, from_address=news.from_address, nonce=news.nonce)
            number = None
            if receipt is not None:
                number = _contract_round(receipt)
                sight.block_number, sight.gas_used = receipt.block, receipt.gas_used
                sight.gas_price_wei = str(receipt.gas_price_wei) if receipt.gas_price_wei else ""
                sight.contract_round = number or 0
            moment = pb.RoundMoment(
                stage=_TRANSACTIONS[news.moment], transaction=sight, detail=news.reason[:_LONGEST_DETAIL]
            )
            context, now_ms = read_context_tag(tag), self._clock.time_ms()
            self._note(session, context, now_ms, moment, number)
            if self._hops is not None and (hop := _TRANSACTION_HOPS.get(news.moment)) is not None:
                self._hops.note(session.name, context.epoch, context.round, {hop: now_ms})
        except (Malformed, ProtocolError, ValueError) as error:
            # A transaction is on its way whatever is recorded of it.
            self.failed += 1
            _log.warning("transaction_not_recorded", hash=news.hash, error=str(error))

    def _note(
        self, session: _Session, context: ReportContext, at_ms: int, moment: pb.RoundMoment, number: int | None = None
    ) -> None:
        moment.time.FromMilliseconds(at_ms)
        key = RoundKey(session.contract, context.config_digest, context.epoch, context.round)
        part = pb.RoundRecord(epoch=context.epoch, round=context.round, moments=[moment]).SerializeToString()
        if context.config_digest == session.config_digest:
            part = session.head + part
        self._store.note(key, session.name, at_ms, part, number)


def _report_of(data: bytes) -> bytes:
    report: bytes = TRANSMIT.arguments(data)[0]
    return report


def _contract_round(receipt: Receipt) -> int | None:
    """Return the number that the contract gave the round, None if no log tells it."""
    for log in receipt.logs:
        try:
            return int(NEW_TRANSMISSION.decode(log)["aggregatorRoundId"])
        except Malformed:
            continue
    return None
