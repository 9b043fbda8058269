"""`feedmesh replay`: put what a kept round was made of through the code that runs now; it must give the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import orjson

from cli.errors import CliError
from cli.explain.asked_round import asked_round
from cli.json_output import print_json
from cli.sockets import socket_of
from feedmesh.aggregator.v1 import quote_service_pb2 as quotes
from feedmesh.aggregator.v1.quote_service_pb2_grpc import QuoteServiceStub
from feedmesh.oracle.v1 import oracle_service_pb2 as pb
from feedmesh.oracle.v1.oracle_service_pb2_grpc import OracleServiceStub
from meshkit.explain.asking import KeptRound
from meshkit.explain.round_story import short
from meshkit.rpc.client import channel, error_info

_OBSERVED = (pb.ROUND_STAGE_OBSERVED, pb.ROUND_STAGE_UNOBSERVED)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Hold what was kept beside what comes of it now; `error` says why nothing does, `skipped` why it was not tried."""

    what: str
    kept: str
    now: str = ""
    error: str = ""
    skipped: str = ""

    @property
    def same(self) -> bool:
        """Tell whether it gave the same, by number; what was not tried is no difference."""
        return bool(self.skipped) or (not self.error and _equal(self.kept, self.now))

    @property
    def words(self) -> str:
        """Return it as a line."""
        if self.skipped:
            return f"{self.what}: {self.kept}, not replayed: {self.skipped}"
        if self.error:
            return f"{self.what}: {self.kept}, now none: {self.error}"
        return f"{self.what}: {self.kept}, " + ("the same now" if self.same else f"now {self.now}")


async def replay_round(run_dir: Path, feed: str, round_text: str, as_json: bool) -> int:
    """Compare a round's medians and observations with what comes of them now; return 1 if one differs, else 0."""
    kept = await asked_round(run_dir, feed, round_text)
    found = [*await _quotes(run_dir, kept), *await _rounds(run_dir, kept)]
    if all(each.skipped for each in found):
        raise CliError(f"of {feed} {kept.story.epoch}/{kept.story.round} no node keeps anything that can be replayed")
    same = all(each.same for each in found)
    if as_json:
        rows = [
            {"what": e.what, "kept": e.kept, "now": e.now, "error": e.error, "skipped": e.skipped, "same": e.same}
            for e in found
        ]
        place = {"epoch": kept.story.epoch, "round": kept.story.round}
        print_json({"ok": same, "feed": feed, **place, "comparisons": rows})
    else:
        print(f"{feed} {kept.story.epoch}/{kept.story.round}")
        print("\n".join(each.words for each in found))
    return 0 if same else 1


async def _rounds(run_dir: Path, kept: KeptRound) -> list[Comparison]:
    found = []
    for name, record in kept.records.items():
        request = pb.ReplayRoundRequest(
            name=record.name, config_digest=record.config_digest, epoch=record.epoch, round=record.round
        )
        try:
            async with channel(socket_of(run_dir, name)) as connection:
                said = await OracleServiceStub(connection).ReplayRound(request)
        except grpc.aio.AioRpcError as error:
            found.append(Comparison(f"{short(name)}", "its record", skipped=error.details() or error.code().name))
            continue
        if said.observation:
            comparison = Comparison(
                f"{short(name)} observation", said.observation, said.replayed_observation, said.observation_error
            )
            found.append(comparison)
        if said.median:
            found.append(Comparison(f"{short(name)} median of the report", said.median, said.replayed_median))
    return found


async def _quotes(run_dir: Path, kept: KeptRound) -> list[Comparison]:
    bodies = dict.fromkeys(
        answer.body
        for record in kept.records.values()
        for moment in record.moments
        if moment.stage in _OBSERVED
        for answer in moment.answers
        if answer.body
    )
    requests = {}
    for body in bodies:
        if (asked := replay_request(body)) is not None:
            requests[asked[1].SerializeToString(deterministic=True)] = asked
    found = []
    async with channel(socket_of(run_dir, "aggregator")) as connection:
        stub = QuoteServiceStub(connection)
        for price, request in requests.values():
            what = f"median of {request.pair.base}/{request.pair.quote}"
            try:
                said = await stub.ReplayQuote(request)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.UNAVAILABLE and error_info(error) is None:
                    raise
                words = error.details() or error.code().name
                is_cross = error.code() is grpc.StatusCode.FAILED_PRECONDITION
                found.append(Comparison(what, price, **({"skipped": words} if is_cross else {"error": words})))
            else:
                found.append(Comparison(what, price, said.quote.price))
    return found


def replay_request(body: str) -> tuple[str, quotes.ReplayQuoteRequest] | None:
    """Return a quote's price and the request to make it again of its sources; None for a body that is no quote."""
    try:
        data = orjson.loads(body).get("data")
    except (orjson.JSONDecodeError, AttributeError):
        return None
    if not isinstance(data, dict) or not isinstance(data.get("sources"), list):
        return None
    base, slash, counter = str(data.get("pair") or "").partition("/")
    if not slash or not isinstance(data.get("price"), str):
        return None
    request = quotes.ReplayQuoteRequest(
        pair=quotes.Pair(base=base, quote=counter),
        sources=[_source(row) for row in _rows(data.get("sources"))],
        left_out=[
            quotes.LeftOutQuote(quote=_source(row), verdict=str(row.get("verdict") or ""))
            for row in _rows(data.get("leftOut"))
        ],
    )
    return data["price"], request


def _rows(value: object) -> Sequence[Mapping[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else ()


def _source(row: Mapping[str, Any]) -> quotes.SourceQuote:
    pair = row.get("pair")
    base, counter = pair if isinstance(pair, list) and len(pair) == 2 else ("", "")
    message = quotes.SourceQuote(
        source=str(row.get("source") or ""),
        pair=quotes.Pair(base=str(base), quote=str(counter)),
        price=str(row.get("price") or ""),
    )
    for field, name in ((message.received_time, "receivedAt"), (message.exchange_time, "exchangeTime")):
        if isinstance(row.get(name), str):
            field.FromJsonString(row[name])
    return message


def _equal(one: str, other: str) -> bool:
    try:
        return Decimal(one) == Decimal(other)
    except InvalidOperation:
        return False
