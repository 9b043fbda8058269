import json
from decimal import Decimal
from typing import Any

import pytest

from meshkit.errors import InvalidInput
from meshkit.feeds import UnknownFeed
from services.aggregator.prices.errors import TooFewSources, UnknownPair
from services.aggregator.prices.feed_price import quote_of
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, Result, SourceQuote
from services.aggregator.web.bridge import LONGEST_ANSWER_BYTES, parse_request, success
from tests.aggregator.fakes import BTC, ETH


def quote(price: str, pair: Pair = BTC) -> Quote:
    """Return a quote of one source with a time of its own."""
    return quote_of(pair, [SourceQuote("coinbase", pair, Decimal(price), 1_700, 9.0, 1_600)], 1)


def answer(body: dict[str, Any], results: list[tuple[Pair, Result]]) -> Any:
    """Return the parsed answer to a request."""
    return json.loads(success(parse_request(json.dumps(body).encode()), results, 1_500, 1_800))


@pytest.mark.parametrize(
    "data",
    [
        {"pair": "BTC/USD"},
        {"pair": "BTC-USD"},
        {"feed": "BTC / USD"},
        {"pairs": ["BTC/USD"]},
        {"pair": "BTC/USD", "endpoint": "crypto", "overrides": {}},
        {"pair": "BTC/USD", "feed": None},
        *({base: "BTC", quote: "USD"} for base in ("base", "from", "coin") for quote in ("quote", "to", "market")),
    ],
)
def test_every_form_names_the_pair(data: dict[str, Any]) -> None:
    """All spellings that bridges use lead to the same pair, with or without meta, and other keys are ignored."""
    for meta in (
        {},
        {"meta": {"latestAnswer": None, "updatedAt": None}},
        {"meta": {"latestAnswer": 6, "updatedAt": 1}},
    ):
        assert [BTC] == parse_request(json.dumps({"data": data, **meta}).encode()).data.asked()


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "body"),
        ("not json", "body"),
        ("[]", "body"),
        ("null", "body"),
        ("{}", "data"),
        ('{"data":null}', "data"),
        ('{"data":{}}', "data"),
        ('{"data":{"pair":5}}', "data.pair"),
        ('{"data":{"pair":"BTCUSD"}}', "data.pair"),
        ('{"data":{"pair":"BTC/USD","feed":"BTC / USD"}}', "data"),
        ('{"data":{"pair":"BTC/USD","base":"BTC"}}', "data"),
        ('{"data":{"base":"BTC"}}', "data.quote"),
        ('{"data":{"to":"USD"}}', "data.base"),
        ('{"data":{"base":"B/C","quote":"USD"}}', "data.base"),
        ('{"data":{"base":"BTC","from":"BTC","quote":"USD"}}', "data"),
        ('{"data":{"base":"BTC","quote":"USD","market":"EUR"}}', "data"),
        ('{"data":{"base":"BTC","coin":"BTC"}}', "data"),
        ('{"data":{"pair":"BTC/USD","sources":["kraken","krakn"]}}', "data.sources"),
        ('{"data":{"pair":"BTC/USD","sources":[]}}', "data.sources"),
        ('{"id":1.5,"data":{"pair":"BTC/USD"}}', "id"),
        ('{"id":-9223372036854775809,"data":{"pair":"BTC/USD"}}', "id"),
        ('{"id":true,"data":{"pair":"BTC/USD"}}', "id"),
        ('{"id":"' + "x" * 129 + '","data":{"pair":"BTC/USD"}}', "id"),
        ('{"data":{"pairs":[]}}', "data.pairs"),
        ('{"data":{"pairs":["BTC/USD","X"]}}', "data.pairs.1"),
        ('{"data":{"pair":"BTC/USD","decimals":37}}', "data.decimals"),
        ('{"data":{"pair":"BTC/USD","decimals":"8"}}', "data.decimals"),
        ('{"data":{"pair":"BTC/USD","sources":"kraken"}}', "data.sources"),
        (json.dumps({"data": {"pairs": ["BTC/USD"] * 501}}), "data.pairs"),
        ('{"data":{"pair":"' + "B" * 200 + '/USD"}}', "data.pair"),
    ],
)
def test_a_bad_request_names_its_field(text: str, field: str) -> None:
    """Each fault is an InvalidInput with the place of the fault."""
    with pytest.raises(InvalidInput) as caught:
        parse_request(text.encode()).data.asked()

    assert field == caught.value.field


def test_a_feed_is_named_exactly() -> None:
    """A feed's name is never guessed: what is near is told, and nothing is answered."""
    for name in ("BTC/USD", "btc / usd", "BTC / USD "):
        with pytest.raises(UnknownFeed, match="did you mean 'BTC / USD'"):
            parse_request(json.dumps({"data": {"feed": name}}).encode()).data.asked()


def test_the_answer_is_what_a_node_reads() -> None:
    """`result` stands in data and on top as text, statusCode is 200, and there is no job run id nobody sent."""
    said = answer({"data": {"pair": "BTC/USD"}}, [(BTC, quote("65123.4500"))])

    assert ("65123.45", "65123.45", 200) == (said["result"], said["data"]["result"], said["statusCode"])
    assert "jobRunID" not in said
    assert {
        "providerDataRequestedUnixMs": 1_500,
        "providerDataReceivedUnixMs": 1_700,
        "providerIndicatedTimeUnixMs": 1_600,
        "answeredUnixMs": 1_800,
    } == said["timestamps"]


@pytest.mark.parametrize(("given", "expected"), [("run-1", "run-1"), (7, "7"), (7.0, "7"), ("", "")])
def test_an_id_comes_back(given: object, expected: str) -> None:
    """An id of older nodes is the job run id of the answer."""
    assert expected == answer({"id": given, "data": {"pair": "BTC/USD"}}, [(BTC, quote("1"))])["jobRunID"]


@pytest.mark.parametrize(
    ("price", "decimals", "expected"),
    [
        ("65123.45", 8, "6512345000000"),
        ("0.000000019", 8, "1"),
        ("0.000000009", 8, "0"),
        ("65.9", 0, "65"),
        ("123456789012345.123456789012345678", 18, "123456789012345123456789012345678"),
    ],
)
def test_decimals_make_the_contracts_integer(price: str, decimals: int, expected: str) -> None:
    """The price is scaled and cut toward zero without losing a digit, in plain notation; 8.0 is 8 in JSON."""
    data = {"pair": "BTC/USD", "decimals": float(decimals)}

    assert expected == answer({"data": data}, [(BTC, quote(price))])["result"]
    assert expected == answer({"data": {"pair": "BTC/USD", "decimals": decimals}}, [(BTC, quote(price))])["result"]


def test_several_pairs_come_in_order_with_their_errors() -> None:
    """One failed pair does not fail the others."""
    results: list[tuple[Pair, Result]] = [(ETH, UnknownPair(ETH)), (BTC, quote("5"))]
    said = answer({"data": {"pairs": ["ETH/USD", "BTC/USD"]}}, results)

    assert [
        {"pair": "ETH/USD", "error": {"code": "UNKNOWN_PAIR"}},
        {"pair": "BTC/USD", "price": "5"},
    ] == said["data"]["quotes"]


def test_no_price_at_all_is_the_first_error() -> None:
    """With nothing to answer, the request fails as its first pair did."""
    with pytest.raises(TooFewSources):
        answer(
            {"data": {"pairs": ["BTC/USD", "ETH/USD"]}}, [(BTC, TooFewSources(BTC, 0, 2, {})), (ETH, UnknownPair(ETH))]
        )


def test_an_answer_that_a_node_would_cut_is_an_error() -> None:
    """One of 32,767 bytes is whole, one of 32,768 is refused."""
    many: list[tuple[Pair, Result]] = [(Pair(f"{'A' * 30}{n}", "USD"), quote("1" * 30)) for n in range(310)]
    request = parse_request(json.dumps({"data": {"pairs": ["BTC/USD"] * 310}}).encode())
    missing = LONGEST_ANSWER_BYTES - 1 - len(success(request, many, 1_500, 1_800))
    long = [*many, (Pair("", "USD"), quote("1"))]
    missing -= len(success(request, long, 1_500, 1_800)) - len(success(request, many, 1_500, 1_800))
    long[-1] = (Pair("A" * missing, "USD"), quote("1"))

    assert LONGEST_ANSWER_BYTES - 1 == len(success(request, long, 1_500, 1_800))
    long[-1] = (Pair("A" * (missing + 1), "USD"), quote("1"))
    with pytest.raises(InvalidInput, match="fewer pairs: a node reads 32768 bytes, the answer has 32768"):
        success(request, long, 1_500, 1_800)
