"""QuoteService over a real Unix socket."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from feedmesh.aggregator.v1 import quote_service_pb2 as pb
from feedmesh.aggregator.v1 import quote_service_pb2_grpc as pb_grpc
from meshkit.clock import SystemClock
from meshkit.rpc.client import channel, error_info
from meshkit.rpc.server import MeshServer
from services.aggregator import service
from services.aggregator.config import PairTtl
from services.aggregator.engine.engine import Engine
from services.aggregator.metrics import open_registry
from services.aggregator.prices.errors import ProviderFault, SourceRateLimited
from tests.aggregator.fakes import BTC, ETH, NAMES, ScriptedSource, settings

BTC_USD, ETH_USD, NOPE = (
    pb.Pair(base="BTC", quote="USD"),
    pb.Pair(base="ETH", quote="USD"),
    pb.Pair(base="N", quote="O"),
)


@dataclass
class Remote:
    """A client of a running service, and the sources behind it."""

    stub: "pb_grpc.QuoteServiceAsyncStub"
    health: Any  # its stubs have no types
    sources: dict[str, ScriptedSource]
    engine: Engine
    server: MeshServer


@pytest.fixture(name="remote")
async def _remote(run_dir: Path) -> AsyncIterator[Remote]:
    sources = {name: ScriptedSource(name, prices={BTC: f"10{i}.50", ETH: "5"}) for i, name in enumerate(NAMES)}
    metrics = open_registry()
    config = settings(pair_ttls=(PairTtl(ETH, None, 1_000),))
    engine = Engine(config, sources.values(), SystemClock(), metrics)
    server = MeshServer("price-aggregator", run_dir / "aggregator.sock", registry=metrics, drain_s=0.1)
    server.add(pb_grpc.add_QuoteServiceServicer_to_server, service.QuoteService(engine), service.NAME)
    await engine.start()
    await server.start(serving=False)
    async with channel(run_dir / "aggregator.sock") as opened:
        yield Remote(pb_grpc.QuoteServiceStub(opened), health_pb2_grpc.HealthStub(opened), sources, engine, server)
    await server.stop()
    await engine.close()


async def refusal(call: object) -> tuple[grpc.StatusCode, str]:
    """Return status and reason of a call that fails."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    info = error_info(caught.value)
    return caught.value.code(), "" if info is None else info.reason


async def test_the_median(remote: Remote) -> None:
    """A quote has the price as text, its sources in order, their times, and the status."""
    quote = (await remote.stub.GetQuote(pb.GetQuoteRequest(pair=BTC_USD))).quote

    assert ("101.5", pb.QUOTE_STATUS_FRESH) == (quote.price, quote.status)
    assert list(NAMES) == [used.source for used in quote.sources]
    assert quote.quote_time == min((used.received_time for used in quote.sources), key=lambda t: t.ToNanoseconds())
    assert not quote.sources[0].HasField("exchange_time")


async def test_one_source(remote: Remote) -> None:
    """The quote of one source is that source's."""
    quote = (await remote.stub.GetQuote(pb.GetQuoteRequest(pair=BTC_USD, source="kraken"))).quote

    assert ("102.5", ["kraken"]) == (quote.price, [used.source for used in quote.sources])


async def test_a_degraded_quote_says_so(remote: Remote) -> None:
    """A missing source shows in the status."""
    remote.sources["kraken"].failure = ProviderFault("kraken", "down")
    quote = (await remote.stub.GetQuote(pb.GetQuoteRequest(pair=BTC_USD))).quote

    assert pb.QUOTE_STATUS_DEGRADED == quote.status


async def test_what_does_not_agree_is_shown_with_its_verdict(remote: Remote) -> None:
    """A price far from the two others is no source of theirs, and stands beside them."""
    remote.sources["coinbase"].prices[BTC], remote.sources["kraken"].prices[BTC] = "100.60", "150"
    quote = (await remote.stub.GetQuote(pb.GetQuoteRequest(pair=BTC_USD))).quote

    assert ("100.6", ["binance", "coinbase"]) == (quote.price, [used.source for used in quote.sources])
    assert [("kraken", "150", "outlier")] == [
        (left.quote.source, left.quote.price, left.verdict) for left in quote.left_out
    ]
    assert [] == list(quote.notes)


async def test_errors_have_their_codes_and_reasons(remote: Remote) -> None:
    """What the service's comments promise is what a client gets."""
    get = remote.stub.GetQuote

    assert (grpc.StatusCode.NOT_FOUND, "UNKNOWN_PAIR") == await refusal(get(pb.GetQuoteRequest(pair=NOPE)))
    assert (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_INPUT") == await refusal(get(pb.GetQuoteRequest()))
    assert (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_INPUT") == await refusal(
        get(pb.GetQuoteRequest(pair=BTC_USD, source="nope"))
    )
    remote.sources["kraken"].failure = SourceRateLimited("kraken", 60_000)
    assert (grpc.StatusCode.RESOURCE_EXHAUSTED, "SOURCE_RATE_LIMITED") == await refusal(
        get(pb.GetQuoteRequest(pair=BTC_USD, source="kraken"))
    )
    remote.sources["binance"].failure = ProviderFault("binance", "down")
    assert (grpc.StatusCode.UNAVAILABLE, "TOO_FEW_SOURCES") == await refusal(get(pb.GetQuoteRequest(pair=ETH_USD)))


async def test_a_deadline_ends_the_wait_and_not_the_fetch(remote: Remote) -> None:
    """The call fails in its time; when the source answers later, the next call is served by that fetch."""
    kraken = remote.sources["kraken"]
    kraken.gate.clear()
    request = pb.GetQuoteRequest(pair=BTC_USD, source="kraken")
    code, _ = await refusal(remote.stub.GetQuote(request, timeout=0.3))
    kraken.gate.set()
    quote = (await remote.stub.GetQuote(request)).quote

    assert (grpc.StatusCode.DEADLINE_EXCEEDED, "102.5", 1) == (code, quote.price, len(kraken.calls))


async def test_a_batch(remote: Remote) -> None:
    """One entry a pair in order, each a quote or an error, duplicates once."""
    request = pb.BatchGetQuotesRequest(pairs=[ETH_USD, NOPE, BTC_USD, ETH_USD])
    results = (await remote.stub.BatchGetQuotes(request)).results

    assert [ETH_USD, NOPE, BTC_USD] == [entry.pair for entry in results]
    assert ["quote", "error", "quote"] == [entry.WhichOneof("result") for entry in results]
    assert "UNKNOWN_PAIR" == results[1].error.reason


@pytest.mark.parametrize("count", [0, 501])
async def test_a_batch_has_limits(remote: Remote, count: int) -> None:
    """Neither none nor too many pairs are taken."""
    code, _ = await refusal(remote.stub.BatchGetQuotes(pb.BatchGetQuotesRequest(pairs=[BTC_USD] * count)))

    assert grpc.StatusCode.INVALID_ARGUMENT == code


async def test_a_stream_resumes(remote: Remote) -> None:
    """The present quotes come first; a second stream after the last number gets only what changed since."""
    async with asyncio.timeout(20):
        first = remote.stub.StreamQuotes(pb.StreamQuotesRequest(pairs=[BTC_USD, ETH_USD]))
        latest: dict[str, tuple[str, int]] = {}
        sequence = 0
        whole = {"BTC": ("101.5", pb.QUOTE_STATUS_FRESH), "ETH": ("5", pb.QUOTE_STATUS_FRESH)}
        async for message in first:
            assert message.sequence > sequence
            sequence = message.sequence
            quote = message.result.quote
            latest[quote.pair.base] = (quote.price, quote.status)
            if latest == whole:
                break
        first.cancel()
        remote.sources["coinbase"].prices[ETH] = "6"
        remote.sources["kraken"].prices[ETH] = "7"
        second = remote.stub.StreamQuotes(pb.StreamQuotesRequest(pairs=[BTC_USD, ETH_USD], after_sequence=sequence))
        # A change that was under way when the first stream ended may come first.
        async for message in second:
            assert message.sequence > sequence
            if message.result.quote.price == "6":
                break
        second.cancel()

    assert ("ETH", "6") == (message.result.pair.base, message.result.quote.price)
    assert message.sequence > sequence


async def test_an_unknown_pair_ends_the_stream(remote: Remote) -> None:
    """The stream fails at once instead of staying silent."""
    stream = remote.stub.StreamQuotes(pb.StreamQuotesRequest(pairs=[NOPE]))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in stream:
            pass

    assert grpc.StatusCode.NOT_FOUND == caught.value.code()


async def test_scores_are_told(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that has a score is told with it, alone and among all; one without has none."""
    monkeypatch.setattr(remote.engine.status, "scores", lambda: {"kraken": Fraction(1, 4)})
    listed = (await remote.stub.ListSources(pb.ListSourcesRequest())).sources
    alone = (await remote.stub.GetSource(pb.GetSourceRequest(name="kraken"))).source

    assert {"kraken": 0.25} == {source.name: source.score for source in listed if source.HasField("score")}
    assert 0.25 == alone.score


async def test_pairs_and_sources_are_listed(remote: Remote) -> None:
    """Registered pairs come by source and pair with their price, sources by name with their state."""
    await remote.stub.GetQuote(pb.GetQuoteRequest(pair=BTC_USD))
    remote.sources["kraken"].failure = ProviderFault("kraken", "down")
    await refusal(remote.stub.GetQuote(pb.GetQuoteRequest(pair=ETH_USD, source="kraken")))
    pairs = (await remote.stub.ListPairs(pb.ListPairsRequest())).pairs
    listed = await remote.stub.ListSources(pb.ListSourcesRequest())
    sources = listed.sources
    assert pb.OwnClock() == listed.own_clock
    kraken = (await remote.stub.GetSource(pb.GetSourceRequest(name="kraken"))).source

    assert [("binance", "BTC"), ("coinbase", "BTC"), ("kraken", "BTC"), ("kraken", "ETH")] == [
        (entry.source, entry.pair.base) for entry in pairs
    ]
    assert ["100.5", "101.5", "102.5", ""] == [entry.quote.price for entry in pairs]
    assert [True, True, False] == [source.available for source in sources]
    assert (2, 1, "kraken: down") == (kraken.registered_pairs, kraken.fresh_pairs, kraken.last_error)
    assert pb.CIRCUIT_STATE_CLOSED == kraken.circuit
    # The call was filled up with the other pair, which has no price of it either.
    (refused,), (of_pair,) = kraken.refusals, pairs[3].refusals
    assert ("PROVIDER_FAULT", "", "kraken: down") == (refused.reason, refused.rule, refused.message)
    assert ("PROVIDER_FAULT", ETH_USD) == (of_pair.reason, of_pair.pair)
    assert refused.count > of_pair.count > 0
    assert of_pair.last_time.seconds > 0
    assert (grpc.StatusCode.NOT_FOUND, "UNKNOWN_SOURCE") == await refusal(
        remote.stub.GetSource(pb.GetSourceRequest(name="nope"))
    )
    assert (grpc.StatusCode.NOT_FOUND, "UNKNOWN_SOURCE") == await refusal(
        remote.stub.ListPairs(pb.ListPairsRequest(source="nope"))
    )


async def test_inactive_pairs_are_cleared(remote: Remote) -> None:
    """Pairs unasked for a millisecond go, and none is left to list."""
    await remote.stub.GetQuote(pb.GetQuoteRequest(pair=BTC_USD))
    await asyncio.sleep(0.005)
    cleared = await remote.stub.ClearInactivePairs(pb.ClearInactivePairsRequest(inactive_ms=1))

    assert 3 == cleared.removed_count
    assert [] == list((await remote.stub.ListPairs(pb.ListPairsRequest())).pairs)


async def test_health_begins_with_the_warm_up(remote: Remote) -> None:
    """The service is NOT_SERVING until its announcement."""
    before = await remote.health.Check(health_pb2.HealthCheckRequest(service=service.NAME))
    await service.announce(remote.engine, remote.server)
    after = await remote.health.Check(health_pb2.HealthCheckRequest(service=service.NAME))

    assert (health_pb2.HealthCheckResponse.NOT_SERVING, health_pb2.HealthCheckResponse.SERVING) == (
        before.status,
        after.status,
    )


async def test_prices_of_once_are_replayed(remote: Remote) -> None:
    """A quote's own sources make its price again, and nothing is learnt from prices of once."""
    quote = (await remote.stub.GetQuote(pb.GetQuoteRequest(pair=BTC_USD))).quote

    again = await remote.stub.ReplayQuote(
        pb.ReplayQuoteRequest(pair=BTC_USD, sources=quote.sources, left_out=quote.left_out)
    )
    for used in quote.sources:
        used.price = "500"
    other = await remote.stub.ReplayQuote(pb.ReplayQuoteRequest(pair=BTC_USD, sources=quote.sources))

    assert quote.price == again.quote.price
    assert "500" == other.quote.price
    assert quote.price == (await remote.stub.GetQuote(pb.GetQuoteRequest(pair=BTC_USD))).quote.price


@pytest.mark.parametrize("price", ["", "NaN", "-1", "1E99", "x"])
async def test_no_price_of_once_is_none(remote: Remote, price: str) -> None:
    """What is no price of once is refused by its field."""
    said = pb.SourceQuote(source="kraken", pair=BTC_USD, price=price)
    call = remote.stub.ReplayQuote(pb.ReplayQuoteRequest(pair=BTC_USD, sources=[said]))

    assert (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_INPUT") == await refusal(call)
