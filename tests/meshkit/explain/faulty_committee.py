"""Oracles under an injected fault on a simulated clock, and what is told of their rounds."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from chainlink.contract.aggregator import transmit_calldata
from chainlink.ocr.report_context import context_tag
from meshkit.explain.faults import FaultKind
from meshkit.explain.round_story import put_together
from meshkit.explain.sentences import Explanation, explain
from services.oracle.chain.transactions.in_flight import Receipt
from services.oracle.chain.transactions.transaction_news import TransactionMoment, TransactionNews
from services.oracle.ocr.report import AttributedObservation, encode_report
from services.oracle.ocr.state import TraceKind
from tests.oracle.ocr.committee import CONTRACT, Committee, make_committee
from tests.oracle.ocr.simulation import START_MS
from tests.oracle.round_records.recording import RecordedCommittee

COMMITTEE = make_committee()
NAMES = ("chainlink-node-2", "chainlink-node-3", "chainlink-node-4", "chainlink-node-5")
AT = "2023-11-14T22:13:{:02d}.000Z"


def row(source: str, price: str = "100.1", second: int = 20) -> dict[str, object]:
    """Return a source's price in an aggregator's answer."""
    return {"source": source, "pair": ["BTC", "USD"], "price": price, "receivedAt": AT.format(second)}


def absent(source: str, verdict: str, **more: object) -> dict[str, object]:
    """Return a source without a price in an aggregator's answer."""
    return {"source": source, "pair": ["BTC", "USD"], "verdict": verdict, **more}


def body(*sources: dict[str, object], **more: object) -> str:
    """Return an aggregator's answer with a price."""
    data = {"pair": "BTC/USD", "price": "100.1", "spreadBps": "2.5", "sources": list(sources), **more}
    return orjson.dumps({"data": data, "timestamps": {"answeredUnixMs": START_MS}}).decode()


def error_body(name: str, message: str, **more: object) -> str:
    """Return an aggregator's answer without a price."""
    return orjson.dumps({"error": {"name": name, "message": message}, **more}).decode()


WHOLE = body(row("binance"), row("kraken"), row("okx"))


@dataclass
class FaultyCommittee:
    """Hold a committee under a fault, and what is told of one of its rounds."""

    run: RecordedCommittee = field(default_factory=lambda: RecordedCommittee(COMMITTEE))
    unheard: dict[str, str] = field(default_factory=dict)

    def bodies(self, text: str) -> None:
        """Let each node's bridge answer with that."""
        self.run.bodies = dict.fromkeys(range(4), text)

    def place(self, kind: TraceKind = TraceKind.FINAL) -> tuple[int, int]:
        """Return epoch and round of the first moment of a kind."""
        return next((trace.epoch, trace.round) for _, trace in self.run.simulation.traces if trace.kind is kind)

    def told(self, epoch: int, round_number: int) -> Explanation:
        """Return what is said of a round."""
        records = {NAMES[record.oracle_index]: record for record in self.run.records(epoch, round_number)}
        later = [
            record
            for key, record in self.run.notebooks[0].records.items()
            if (key.epoch, key.round) > (epoch, round_number)
        ]
        names = {index: name.removeprefix("chainlink-") for index, name in enumerate(NAMES)}
        story = put_together(records, decimals=8, names=names, unheard=self.unheard, later=later)
        return explain(story)

    def transaction(self, index: int, moment: TransactionMoment, after_ms: int = 0, **receipt: Any) -> None:
        """Tell an oracle's recorder of the transaction of its first report."""
        notebook = self.run.notebooks[index]
        target_ms = self.run.simulation.now_ms + after_ms
        notebook.clock.advance((target_ms - notebook.clock.time_ms()) / 1000)
        self.run.recorders[index].transaction(self.news(moment, **receipt))

    def news(self, moment: TransactionMoment, **receipt: Any) -> TransactionNews:
        """Return news of the transaction of the first report."""
        epoch, round_number = self.place()
        report = encode_report(
            context_tag(COMMITTEE.shared[0].config_digest, epoch, round_number), [AttributedObservation(0, 1)]
        )
        call = transmit_calldata(report, [bytes(32)], [bytes(32)], bytes(32))
        seen = Receipt("0xabc", **receipt) if receipt else None
        return TransactionNews(moment, "0xFrom", CONTRACT, call, "0xabc", 1, seen)


def kinds(told: Explanation) -> set[FaultKind]:
    """Return the kinds of the faults."""
    return {fault.kind for fault in told.faults}


def healthy(text: str = WHOLE, committee: Committee = COMMITTEE) -> FaultyCommittee:
    """Return a committee that reports."""
    faulty = FaultyCommittee(RecordedCommittee(committee))
    faulty.bodies(text)
    faulty.run.simulation.start_all()
    faulty.run.run(6)
    return faulty


def transmitter(faulty: FaultyCommittee) -> int:
    """Return who transmitted the first report."""
    return faulty.run.simulation.contract.accepted[0][2]
