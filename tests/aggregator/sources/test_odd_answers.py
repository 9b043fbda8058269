"""Any value in any field of any answer gives the price that was sent, or a refusal; a contradiction gives none."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshkit.errors import Internal, MeshError
from services.aggregator.exact_json import CONTRADICTORY, OUT_OF_RANGE
from services.aggregator.prices.errors import MalformedAnswer, PriceRefused, SourceRateLimited, UnknownPair
from services.aggregator.prices.median import DIGITS
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Tick
from services.aggregator.prices.validate import accept
from services.aggregator.sources.catalog import DECLARATIONS
from tests.aggregator.sources.recorded import NOW_MS, RECORDINGS, Place, Recording, read, source_of

D = Decimal
NAMED = [pytest.param(each, id=f"{each.name}-{len(each.pairs)}") for each in RECORDINGS]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.decimals(allow_nan=False, allow_infinity=False)
    | st.sampled_from([
        "0", "100", 100, "-5", NOW_MS, str(NOW_MS), "1e400", "ETH", "ETHUSDT", "ETH-USD", "usd", "GBp", "error", "live",
        CONTRADICTORY, OUT_OF_RANGE, 10**399, D("1E-9999"),
    ]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)  # fmt: skip


def places(value: object, above: Place = ()) -> list[Place]:
    """Return the way to every value of some answers."""
    found = [above]
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += places(inner, (*above, key))
    return found


def replaced(whole: Any, place: Place, value: object) -> Any:
    """Return the answers with another value in a place; an Ellipsis takes the place out."""
    if not place:
        return value
    copy = dict(whole) if isinstance(whole, dict) else list(whole)
    if len(place) == 1 and value is ...:
        del copy[place[0]]  # type: ignore[arg-type]
    else:
        inner = None if len(place) == 1 else whole[place[0]]
        copy[place[0]] = replaced(inner, place[1:], value)  # type: ignore[index]
    return copy


def outcomes(recording: Recording, answers: Mapping[str, Any]) -> dict[Pair, Decimal | MeshError]:
    """Return the accepted price of each pair, or why there is none; nothing but a MeshError may be raised."""

    async def fetch() -> Mapping[Pair, Tick | MeshError]:
        try:
            return await source_of(recording, answers).fetch(recording.pairs)
        except MeshError as error:
            return dict.fromkeys(recording.pairs, error)

    declared = DECLARATIONS[recording.name]
    found: dict[Pair, Decimal | MeshError] = {}
    for pair, tick in asyncio.run(fetch()).items():
        if isinstance(tick, MeshError):
            found[pair] = tick
            continue
        try:
            found[pair] = accept(
                declared.name, pair, tick, received_ms=NOW_MS, received_at=0.0, ttl_ms=10_000,
                max_age_ms=declared.max_age_of(pair),
            ).price  # fmt: skip
        except PriceRefused as refused:
            found[pair] = refused
    return found


@pytest.mark.parametrize("recording", NAMED)
def test_the_recordings_are_right(recording: Recording) -> None:
    """Every pair has its price, so that the properties below are about real answers."""
    assert dict.fromkeys(recording.pairs, D(100)) == outcomes(recording, read(recording))


@pytest.mark.parametrize("recording", NAMED)
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_value_in_any_field_is_a_right_price_or_a_refusal(recording: Recording, data: st.DataObject) -> None:
    """Whatever stands wherever, each pair has the price that was sent for it, or a reason why it has none."""
    whole = read(recording)
    place = data.draw(st.sampled_from([found for found in places(whole) if len(found) > 0]))
    value = data.draw(JSON | (st.just(...) if len(place) > 1 else st.nothing()))
    answers = replaced(whole, place, value)
    found = outcomes(recording, answers)

    assert set(recording.pairs) == found.keys()
    for pair, outcome in found.items():
        if isinstance(outcome, MeshError):
            assert not isinstance(outcome, Internal)
            assert str(outcome)
        elif place == recording.prices[pair]:
            # A source that divides keeps as many digits as prices have.
            assert DIGITS.plus(D(str(value))) == DIGITS.plus(outcome)
        else:
            assert D(100) == outcome


@pytest.mark.parametrize("recording", NAMED)
@pytest.mark.parametrize("value", [True, False, None, [], {}, [100], {"price": 100}, "", "x", "100 USD", CONTRADICTORY])
def test_what_is_no_price_makes_none(recording: Recording, value: object) -> None:
    """Neither `true` nor a list nor a text with a number in it is a price; another pair has its own all the same."""
    whole = read(recording)
    for broken, place in recording.prices.items():
        found = outcomes(recording, replaced(whole, place, value))
        assert isinstance(found.pop(broken), MeshError)
        assert {D(100)} >= set(found.values())


CONTRADICTIONS: list[tuple[str, Place, object]] = [
    ("cryptocompare", ("/index/cc/v1/latest/tick", "Data", "BTC-USD", "INSTRUMENT"), "ETH-USD"),
    ("cryptocompare", ("/index/cc/v1/latest/tick", "Data", "BTC-USD", "MARKET"), "ccix"),
    ("binance", ("/api/v3/ticker/price", "symbol"), "ETHUSDT"),
    ("bybit", ("/v5/market/tickers", "result", "category"), "linear"),
    ("bybit", ("/v5/market/tickers", "result", "list", 0, "symbol"), "BTCUSDC"),
    ("kucoin", ("/api/v1/market/orderbook/level1", "data", "symbol"), "ETH-USDT"),
    ("okx", ("/api/v5/market/ticker", "data", 0, "instId"), "ETH-USDT"),
    ("okx", ("/api/v5/market/ticker", "data", 0, "instType"), "SWAP"),
    ("coinbase", ("/products/BTC-USD/ticker", "product_id"), "ETH-USD"),
    ("alphavantage", ("/query", "Realtime Currency Exchange Rate", "1. From_Currency Code"), "ETH"),
    ("alphavantage", ("/query", "Realtime Currency Exchange Rate", "3. To_Currency Code"), "EUR"),
    ("exchangeratehost", ("/live", "source"), "EUR"),
    ("finnhub", ("/api/v1/quote", "symbol"), "BINANCE:ETHUSDT"),
    ("frankfurter", ("/v1/latest", "base"), "USD"),
    ("frankfurter", ("/v1/latest", "amount"), 100),
    ("yahoofinance", ("/v8/finance/chart/AAPL", "chart", "result", 0, "meta", "symbol"), "MSFT"),
    ("yahoofinance", ("/v8/finance/chart/AAPL", "chart", "result", 0, "meta", "currency"), "EUR"),
]


@pytest.mark.parametrize(("name", "place", "value"), CONTRADICTIONS)
def test_an_answer_about_something_else_is_refused(name: str, place: Place, value: object) -> None:
    """Whatever an answer says that it prices, is compared with what was asked for."""
    recording = next(each for each in RECORDINGS if each.name == name and place[0] in each.answers)
    found = outcomes(recording, replaced(read(recording), place, value))

    assert isinstance(found[recording.pairs[0]], MeshError)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("binance", ("/api/v3/ticker/price",)),
        ("bybit", ("/v5/market/tickers", "result", "list")),
        ("kucoin", ("/api/v1/market/allTickers", "data", "ticker")),
        ("okx", ("/api/v5/market/tickers", "data")),
    ],
)
def test_two_rows_of_one_symbol_are_none(name: str, place: Place) -> None:
    """Of two different rows neither is believed, two equal ones are one, and the other pair has its price."""
    recording = next(
        each for each in RECORDINGS if each.name == name and place[0] in each.answers and len(each.pairs) == 2
    )
    whole = read(recording)
    rows: Any = whole
    for key in place:
        rows = rows[key]
    first, second = recording.pairs
    key = recording.prices[first][-1]

    twice = outcomes(recording, replaced(whole, place, [*rows, dict(rows[0])]))
    other = outcomes(recording, replaced(whole, place, [*rows, {**rows[0], key: "200"}]))

    assert {first: D(100), second: D(100)} == twice
    assert isinstance(other[first], MalformedAnswer)
    assert D(100) == other[second]


@pytest.mark.parametrize("recording", NAMED)
@pytest.mark.parametrize("bad", [None, 5, "x", [], {}])
def test_a_bad_row_of_a_listing_costs_only_itself(recording: Recording, bad: object) -> None:
    """Whatever stands among the pairs that a provider lists, those beside it have their prices."""
    whole = read(recording)
    for place in places(whole):
        value: Any = whole
        for key in place:
            value = value[key]
        if isinstance(value, list) and value and isinstance(value[0], dict):
            found = outcomes(recording, replaced(whole, place, [bad, *value, bad]))
            if place[0] == recording.prices[recording.pairs[0]][0] and len(place) > 1 and place[-1] == "result":
                continue  # a chart has one result
            assert set(found.values()) == {D(100)}, place


@pytest.mark.parametrize(
    ("name", "bids", "asks"),
    [
        ("alphavantage", "8. Bid Price", "9. Ask Price"),
        ("bybit", "bid1Price", "ask1Price"),
        ("coinbase", "bid", "ask"),
        ("kraken", "b", "a"),
        ("kucoin", "bestBid", "bestAsk"),
        ("kucoin", "buy", "sell"),
        ("okx", "bidPx", "askPx"),
    ],
)
@pytest.mark.parametrize("empty", [None, "", "0", "0.00000", 0, D("0.0"), ...])
def test_an_empty_side_of_the_book_is_no_matter(name: str, bids: str, asks: str, empty: object) -> None:
    """However it is told, and of which side, the price stands."""
    tried = 0
    for recording in RECORDINGS:
        whole = read(recording)
        for place in places(whole):
            if recording.name == name and place and place[-1] in (bids, asks):
                tried += 1
                listed = [empty, "1"] if name == "kraken" and empty is not ... else empty
                found = outcomes(recording, replaced(whole, place, listed))
                assert {D(100)} == set(found.values())
    assert tried >= 2


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("binance", ("/api/v3/exchangeInfo", "symbols", 0, "status"), "BREAK"),
        ("binance", ("/api/v3/exchangeInfo", "symbols", 0, "isSpotTradingAllowed"), False),
        ("bybit", ("/v5/market/instruments-info", "result", "list", 0, "status"), "Closed"),
        ("coinbase", ("/products", 0, "status"), "offline"),
        ("coinbase", ("/products", 0, "trading_disabled"), True),
        ("coinbase", ("/products", 0, "cancel_only"), True),
        ("kraken", ("/0/public/AssetPairs", "result", "XXBTZUSD", "status"), "cancel_only"),
        ("kraken", ("/0/public/AssetPairs", "result", "XXBTZUSD", "status"), "post_only"),
        ("kucoin", ("/api/v2/symbols", "data", 0, "enableTrading"), False),
        ("okx", ("/api/v5/public/instruments", "data", 0, "state"), "suspend"),
        ("okx", ("/api/v5/market/ticker", "data", 0, "state"), "suspend"),
    ],
)
def test_a_market_that_is_halted_has_no_price(name: str, place: Place, value: object) -> None:
    """Whichever field tells it."""
    recording = next(each for each in RECORDINGS if each.name == name and place[0] in each.answers)
    found = outcomes(recording, replaced(read(recording), place, value))

    assert isinstance(found[recording.pairs[0]], MeshError)


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("coinbase", ("/products", 0, "limit_only"), True),
        ("kraken", ("/0/public/AssetPairs", "result", "XXBTZUSD", "status"), "limit_only"),
    ],
)
def test_a_market_with_limit_orders_only_has_its_price(name: str, place: Place, value: object) -> None:
    """There are trades, so there is a price."""
    recording = next(each for each in RECORDINGS if each.name == name and place[0] in each.answers)

    assert {D(100)} == set(outcomes(recording, replaced(read(recording), place, value)).values())


REFUSALS: list[object] = [
    {"message": "Please come back later"},
    {"error": "this is a free service, be gentle"},
    {"msg": "quota"},
    {"Note": "our plans have changed"},
    {"Error Message": "the trial is over"},
    {"errors": [{"detail": "not today"}]},
    {"detail": {"reason": "over capacity"}},
]


@pytest.mark.parametrize("recording", NAMED)
@pytest.mark.parametrize("said", REFUSALS, ids=str)
def test_words_in_the_place_of_data_are_a_limit(recording: Recording, said: object) -> None:
    """Whatever is told instead of prices, in words that are new, asks for less calls, and no pair is unknown."""
    for path in recording.answers:
        found = outcomes(recording, {**read(recording), path: said})
        assert not any(isinstance(outcome, UnknownPair) for outcome in found.values())
        if path == recording.prices[recording.pairs[0]][0]:
            assert {SourceRateLimited} == set(map(type, found.values()))
