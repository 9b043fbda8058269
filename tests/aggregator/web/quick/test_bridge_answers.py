"""Answers to bodies: of the prices of now, counted, and not at all once a price is no longer ready."""

import json
from collections.abc import Collection

import pytest

from services.aggregator.prices.pair import Pair
from services.aggregator.web.quick.bridge_answers import BridgeAnswers
from tests.aggregator.bench import Bench
from tests.aggregator.fakes import BTC, ETH, settings

BODY = b'{"id":"1","data":{"pair":"BTC/USD"},"meta":{"updatedAt":%d}}'


def answers(bench: Bench, but: Collection[Pair] = ()) -> BridgeAnswers:
    """Return answers out of an engine's ready quotes."""
    return BridgeAnswers(bench.engine.ready, bench.engine.answers.resolve, bench.clock, but)


@pytest.fixture(name="bench")
async def _bench() -> Bench:
    bench = Bench(settings())
    for pair in (BTC, ETH):
        await bench.ask(bench.engine.answers.quote(pair))
    return bench


async def test_an_answer_has_the_price_and_the_time_of_now(bench: Bench) -> None:
    """The next answer to the same data has the new price, and each its own time."""
    found = answers(bench)
    first = json.loads(found.to(BODY % 1) or b"")
    for source in bench.sources:
        source.prices[BTC] = "105"
    await bench.run(10.0)
    await bench.ask(bench.engine.answers.quote(BTC))
    second = json.loads(found.to(BODY % 2) or b"")

    assert ("101", "105") == (first["result"], second["result"])
    assert second["timestamps"]["answeredUnixMs"] == bench.clock.time_ms()
    assert first["timestamps"]["answeredUnixMs"] < second["timestamps"]["answeredUnixMs"]


async def test_an_expired_price_is_not_answered_with(bench: Bench) -> None:
    """At the moment a price is stale there is no answer here, also if it was just answered with."""
    found = answers(bench)
    assert found.to(BODY % 1) is not None
    bench.clock.advance(10.0)

    assert found.to(BODY % 1) is None


async def test_requests_are_counted_as_those_of_every_price(bench: Bench) -> None:
    """Each answer is a hit of every source of every pair, and makes the pairs requested."""
    found = answers(bench)
    bench.engine.requests.take_requested()
    before = dict(bench.engine.requests.hits())
    for number in range(3):
        found.to(BODY % number)
    found.to(b'{"data":{"pairs":["BTC/USD","ETH/USD"]}}')
    hits = bench.engine.requests.hits()

    assert {"binance": 5, "coinbase": 5, "kraken": 5} == {name: hits[name] - before.get(name, 0) for name in hits}
    assert {BTC, ETH} == {pair for _, pair in bench.engine.requests.take_requested()}


async def test_what_is_asked_is_known_for_so_many_data_only(bench: Bench) -> None:
    """Data that differ each time in a key that is ignored take no more room than a few hundred of them."""
    found = answers(bench)
    for number in range(2_000):
        assert found.to(b'{"data":{"pair":"BTC/USD","x":%d}}' % number) is not None

    assert len(found._known) <= 512


async def test_pairs_that_are_kept_elsewhere_are_left_alone(bench: Bench) -> None:
    """A value that is not among the quotes, such as that of all coins, is not answered here."""
    assert answers(bench).to(BODY % 1) is not None
    assert answers(bench, [BTC]).to(BODY % 1) is None
