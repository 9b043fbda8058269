import json
from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from services.aggregator.prices.errors import UnknownPair
from services.aggregator.prices.feed_price import quote_of
from services.aggregator.prices.quote import LeftOut, SourceQuote, Verdict
from services.aggregator.web import quote_json
from tests.aggregator.fakes import BTC, ETH

PRICE = SourceQuote("kraken", BTC, Decimal("1.50E+3"), 1_700_000_000_123, 9.0, 1_700_000_000_001)
QUOTE = quote_of(BTC, [PRICE, replace(PRICE, source="binance", price=Decimal(1501), exchange_time_ms=None)], 3)
FIELD_LISTS = st.lists(st.sampled_from(list(quote_json.FIELDS)), unique=True)


def test_times_have_milliseconds_and_are_utc() -> None:
    """Zeros too; a moment that never was is in 1970."""
    assert "2023-11-14T22:13:20.000Z" == quote_json.time_text(1_700_000_000_000)
    assert "1970-01-01T00:00:00.000Z" == quote_json.time_text(0)


def test_a_sources_price_is_plain_text_with_its_times() -> None:
    """Without exponent or trailing zeros; the exchange's time is there where it told one."""
    said = json.loads(quote_json.source_text(PRICE))

    assert {
        "source": "kraken",
        "pair": ["BTC", "USD"],
        "price": "1500",
        "receivedAt": "2023-11-14T22:13:20.123Z",
        "exchangeTime": "2023-11-14T22:13:20.001Z",
    } == said
    assert "exchangeTime" not in quote_json.source_quote(replace(PRICE, exchange_time_ms=None))


@given(FIELD_LISTS)
def test_a_head_and_a_text_are_the_entry(fields: list[str]) -> None:
    """Whatever fields are chosen, what is put together of bytes is what one entry made at once would be."""
    joined = quote_json.entry_head(BTC) + quote_json.quote_text(QUOTE, fields)

    assert quote_json.entry(BTC, QUOTE, fields) == json.loads(joined)


def test_a_quote_tells_what_it_is_made_of() -> None:
    """Its sources in their order; what was left out, and why, only where something was."""
    left = replace(QUOTE, left_out=(LeftOut(replace(PRICE, source="okx"), Verdict.OUTLIER),))

    assert ["binance", "kraken"] == [used["source"] for used in quote_json.quote_fields(QUOTE)["sources"]]  # type: ignore[attr-defined]
    assert ("1500.5", "degraded") == (quote_json.quote_fields(QUOTE)["price"], quote_json.quote_fields(QUOTE)["status"])
    assert "leftOut" not in quote_json.quote_fields(QUOTE)
    assert [("okx", "outlier")] == [
        (each["source"], each["verdict"])
        for each in quote_json.quote_fields(left)["leftOut"]  # type: ignore[attr-defined]
    ]


def test_a_pair_without_a_price_has_its_error() -> None:
    """By its name for programs, and in words, beside the pair as it was asked for."""
    said = quote_json.entry(ETH, UnknownPair(ETH))

    assert {"pair", "error"} == set(said)
    assert ("ETH/USD", "UNKNOWN_PAIR") == (said["pair"], said["error"]["code"])  # type: ignore[index]


def test_an_error_has_one_shape_and_metadata_only_where_there_are_some() -> None:
    """A bridge reads `statusCode` and `error`, older callers `message`."""
    said = quote_json.error(404, "UNKNOWN_PAIR", "no price", 0)

    assert {"name": "UNKNOWN_PAIR", "message": "no price"} == said["error"]
    assert (404, "no price", False) == (said["statusCode"], said["message"], "metadata" in said)
    assert {"pair": "x"} == quote_json.error(404, "A", "b", 0, {"pair": "x"})["metadata"]
