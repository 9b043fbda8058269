"""How sources are doing, as HTTP tells it."""

from services.aggregator.prices.errors import ProviderFault
from tests.aggregator.fakes import BTC
from tests.aggregator.serving import serving


async def test_a_refusal_is_shown_with_its_reason() -> None:
    """The source and the pair tell how often, when last, and in which words there was no price."""
    async with serving() as server:
        server.sources["kraken"].prices[BTC] = "-5"
        await server.ask("GET", "/quote/kraken/BTC/USD")
        server.sources["binance"].failure = ProviderFault("binance", "down")
        await server.ask("GET", "/quote/binance/BTC/USD")
        status, said = await server.ask("GET", "/sources")
        one, kraken = await server.ask("GET", "/sources/kraken")
    by_name = {each["source"]: each for each in said["sources"]}
    (refusal,) = by_name["kraken"]["refusals"]
    (pair,) = kraken["pairs"]

    assert (200, 200) == (status, one)
    assert ("PRICE_REFUSED", ["BTC", "USD"]) == (refusal["reason"], refusal["pair"])
    assert refusal["rule"]
    assert refusal["count"] >= 1
    assert "'-5'" in refusal["message"]
    assert refusal["lastAt"] > "2020"
    assert (["BTC", "USD"], False) == (pair["pair"], pair["isFresh"])
    assert pair["refusals"][0]["reason"] == kraken["refusals"][0]["reason"] == "PRICE_REFUSED"
    assert "PROVIDER_FAULT" == by_name["binance"]["refusals"][0]["reason"]
    assert [] == by_name["coinbase"]["refusals"]


async def test_an_unknown_source_is_404() -> None:
    """With the names that there are."""
    async with serving() as server:
        status, said = await server.ask("GET", "/sources/nope")

    assert (404, "UNKNOWN_SOURCE") == (status, said["error"]["name"])
