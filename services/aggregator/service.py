"""QuoteService: messages to values and back, no logic."""

from collections.abc import AsyncIterator, Iterable
from fractions import Fraction
from typing import TypeVar

import grpc.aio
from google.protobuf.timestamp_pb2 import Timestamp

from feedmesh.aggregator.v1 import quote_service_pb2 as pb
from feedmesh.aggregator.v1 import quote_service_pb2_grpc as pb_grpc
from meshkit.errors import InvalidInput, MeshError
from meshkit.rpc.server import MeshServer
from services.aggregator.engine.answers import MOST_PAIRS
from services.aggregator.engine.engine import Engine
from services.aggregator.engine.status import PairStatus, SourceStatus
from services.aggregator.fetching.circuit_breaker import CircuitState
from services.aggregator.fetching.refusal_counts import Refusal
from services.aggregator.own_clock import ClockState
from services.aggregator.prices.errors import UnknownSource
from services.aggregator.prices.pair import Pair, pair_of
from services.aggregator.prices.price import LARGEST, SMALLEST, plain_text, read_decimal
from services.aggregator.prices.quote import LeftOut, Quote, QuoteStatus, Result, SourceQuote, Verdict

NAME = pb.DESCRIPTOR.services_by_name["QuoteService"].full_name
_STATUSES = {
    QuoteStatus.FRESH: pb.QUOTE_STATUS_FRESH,
    QuoteStatus.DEGRADED: pb.QUOTE_STATUS_DEGRADED,
}
_CIRCUITS = {
    None: pb.CIRCUIT_STATE_UNSPECIFIED,
    CircuitState.CLOSED: pb.CIRCUIT_STATE_CLOSED,
    CircuitState.OPEN: pb.CIRCUIT_STATE_OPEN,
    CircuitState.HALF_OPEN: pb.CIRCUIT_STATE_HALF_OPEN,
}

Request = TypeVar("Request")
Response = TypeVar("Response")
Context = grpc.aio.ServicerContext[Request, Response]


class QuoteService(pb_grpc.QuoteServiceServicer):
    """Serve the engine over gRPC."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._answers = engine.answers

    async def GetQuote(
        self, request: pb.GetQuoteRequest, context: "Context[pb.GetQuoteRequest, pb.GetQuoteResponse]"
    ) -> pb.GetQuoteResponse:
        """Return one quote."""
        pair = _pair(request.pair, "pair")
        timeout_s = context.time_remaining()
        if not request.source:
            return pb.GetQuoteResponse(quote=_quote(await self._answers.quote(pair, timeout_s=timeout_s), pair))
        try:
            quote = await self._answers.mapped_quote(request.source, pair, timeout_s=timeout_s)
        except UnknownSource as error:
            raise InvalidInput("source", request.source, error.known) from None
        return pb.GetQuoteResponse(quote=_quote(quote, pair))

    async def BatchGetQuotes(
        self,
        request: pb.BatchGetQuotesRequest,
        context: "Context[pb.BatchGetQuotesRequest, pb.BatchGetQuotesResponse]",
    ) -> pb.BatchGetQuotesResponse:
        """Return a quote or an error for each pair."""
        results = await self._answers.quotes(_pairs(request.pairs), timeout_s=context.time_remaining())
        return pb.BatchGetQuotesResponse(results=[_result(pair, result) for pair, result in results])

    async def StreamQuotes(
        self,
        request: pb.StreamQuotesRequest,
        context: "Context[pb.StreamQuotesRequest, pb.StreamQuotesResponse]",
    ) -> AsyncIterator[pb.StreamQuotesResponse]:
        """Send the changes of the pairs."""
        async for change in self._answers.follow(_pairs(request.pairs), request.after_sequence):
            yield pb.StreamQuotesResponse(sequence=change.sequence, result=_result(change.pair, change.result))

    async def ReplayQuote(
        self, request: pb.ReplayQuoteRequest, context: "Context[pb.ReplayQuoteRequest, pb.ReplayQuoteResponse]"
    ) -> pb.ReplayQuoteResponse:
        """Return what prices of once make by the rules of now."""
        pair = _pair(request.pair, "pair")
        feed = self._answers.resolve(pair)
        sources = [_once(each, f"sources.{index}") for index, each in enumerate(request.sources)]
        left_out = [
            LeftOut(_once(each.quote, f"left_out.{index}.quote"), _verdict(each.verdict, f"left_out.{index}.verdict"))
            for index, each in enumerate(request.left_out)
        ]
        names = [each.source for each in (*sources, *(left.quote for left in left_out))]
        if len(set(names)) < len(names):
            raise InvalidInput("sources", ", ".join(names), "each source once")
        return pb.ReplayQuoteResponse(quote=_quote(self._engine.verdicts.replay(feed, sources, left_out), pair))

    async def ListPairs(
        self, request: pb.ListPairsRequest, context: "Context[pb.ListPairsRequest, pb.ListPairsResponse]"
    ) -> pb.ListPairsResponse:
        """Return the registered pairs."""
        return pb.ListPairsResponse(pairs=[_registered(pair) for pair in self._engine.status.pairs(request.source)])

    async def ListSources(
        self, request: pb.ListSourcesRequest, context: "Context[pb.ListSourcesRequest, pb.ListSourcesResponse]"
    ) -> pb.ListSourcesResponse:
        """Return every configured source."""
        scores = self._engine.status.scores()
        return pb.ListSourcesResponse(
            sources=[_source(status, scores.get(status.name)) for status in self._engine.status.sources()],
            own_clock=_own_clock(self._engine.own_clock.state),
        )

    async def GetSource(
        self, request: pb.GetSourceRequest, context: "Context[pb.GetSourceRequest, pb.GetSourceResponse]"
    ) -> pb.GetSourceResponse:
        """Return one source."""
        score = self._engine.status.scores().get(request.name)
        return pb.GetSourceResponse(source=_source(self._engine.status.source(request.name), score))

    async def ClearInactivePairs(
        self,
        request: pb.ClearInactivePairsRequest,
        context: "Context[pb.ClearInactivePairsRequest, pb.ClearInactivePairsResponse]",
    ) -> pb.ClearInactivePairsResponse:
        """Remove the pairs that nobody asked for."""
        removed = self._engine.clear_inactive(request.inactive_ms or None)
        return pb.ClearInactivePairsResponse(removed_count=removed)


async def announce(engine: Engine, server: MeshServer) -> None:
    """Set the health to SERVING once the configured feeds have prices, or when there was time enough for that."""
    await engine.warm_up()
    for name in ("", NAME):
        await server.set_serving(name, True)


def _own_clock(state: ClockState) -> pb.OwnClock:
    # Strangers tell the times, and theirs may be any number.
    ahead_ms = max(-(2**63), min(state.ahead_ms, 2**63 - 1))
    return pb.OwnClock(off=state.is_off, ahead_ms=ahead_ms, agreeing=state.agreeing, timed=state.timed)


def _pair(message: pb.Pair, field: str) -> Pair:
    return pair_of(message.base, message.quote, field)


def _pairs(messages: Iterable[pb.Pair]) -> list[Pair]:
    pairs = [_pair(message, f"pairs.{index}") for index, message in enumerate(messages)]
    if not 1 <= len(pairs) <= MOST_PAIRS:
        raise InvalidInput("pairs", f"{len(pairs)} pairs", f"1 to {MOST_PAIRS} pairs")
    return pairs


def _once(message: pb.SourceQuote, field: str) -> SourceQuote:
    try:
        price = read_decimal(message.price)
    except ValueError:
        raise InvalidInput(f"{field}.price", message.price, "a decimal number") from None
    if not (price.is_finite() and SMALLEST <= price <= LARGEST):
        raise InvalidInput(f"{field}.price", message.price, f"a number from {SMALLEST} to {LARGEST}")
    return SourceQuote(
        message.source,
        _pair(message.pair, f"{field}.pair"),
        price,
        _ms(message.received_time),
        expires_at=float("inf"),
        exchange_time_ms=_ms(message.exchange_time) if message.HasField("exchange_time") else None,
    )


def _verdict(text: str, field: str) -> Verdict:
    try:
        return Verdict(text)
    except ValueError:
        raise InvalidInput(field, text, ", ".join(Verdict)) from None


def _ms(time: Timestamp) -> int:
    return time.seconds * 1000 + time.nanos // 1_000_000


def _pair_message(pair: Pair) -> pb.Pair:
    return pb.Pair(base=pair.base, quote=pair.quote)


def _time(time_ms: int) -> Timestamp:
    return Timestamp(seconds=time_ms // 1000, nanos=time_ms % 1000 * 1_000_000)


def _source_quote(quote: SourceQuote) -> pb.SourceQuote:
    exchange_ms = quote.exchange_time_ms
    return pb.SourceQuote(
        source=quote.source,
        pair=_pair_message(quote.pair),
        price=plain_text(quote.price),
        exchange_time=None if exchange_ms is None else _time(exchange_ms),
        received_time=_time(quote.received_ms),
    )


def _quote(quote: Quote, asked: Pair) -> pb.Quote:
    return pb.Quote(
        pair=_pair_message(asked),
        price=plain_text(quote.price),
        status=_STATUSES[quote.status],
        sources=[_source_quote(used) for used in quote.sources],
        spread_bps=plain_text(quote.spread_bps),
        quote_time=_time(quote.received_ms),
        left_out=[pb.LeftOutQuote(quote=_source_quote(each.quote), verdict=each.verdict) for each in quote.left_out],
        notes=quote.notes,
    )


def _result(pair: Pair, result: Result) -> pb.QuoteResult:
    if isinstance(result, MeshError):
        return pb.QuoteResult(pair=_pair_message(pair), error=pb.QuoteError(reason=result.reason, message=str(result)))
    return pb.QuoteResult(pair=_pair_message(pair), quote=_quote(result, pair))


def _registered(status: PairStatus) -> pb.RegisteredPair:
    return pb.RegisteredPair(
        source=status.source,
        pair=_pair_message(status.pair),
        last_request_time=_time(status.last_request_ms) if status.last_request_ms else None,
        quote=None if status.quote is None else _source_quote(status.quote),
        refusals=[_refusal(each) for each in status.refusals],
    )


def _source(status: SourceStatus, score: Fraction | None) -> pb.SourceState:
    return pb.SourceState(
        name=status.name,
        enabled=status.enabled,
        available=status.available,
        registered_pairs=status.registered_pairs,
        fresh_pairs=status.fresh_pairs,
        last_success_time=None if status.last_success_ms is None else _time(status.last_success_ms),
        last_error=status.last_error,
        circuit=_CIRCUITS[status.circuit],
        stream_connected=status.stream_connected,
        last_stream_time=None if status.last_stream_ms is None else _time(status.last_stream_ms),
        refusals=[_refusal(each) for each in status.refusals],
        score=None if score is None else float(score),
    )


def _refusal(refusal: Refusal) -> pb.Refusal:
    return pb.Refusal(
        reason=refusal.reason,
        rule=refusal.rule,
        count=refusal.count,
        last_time=_time(refusal.last_ms),
        pair=_pair_message(refusal.pair),
        message=refusal.message,
    )
