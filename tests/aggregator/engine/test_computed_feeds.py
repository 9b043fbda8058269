"""Feeds computed with other feeds' prices, on a manual clock: cross feeds, and stablecoins that are converted."""

import asyncio
from decimal import Decimal

import pytest

from services.aggregator.config import AggregatorConfig
from services.aggregator.prices.errors import ConversionMissing, ProviderFault, TooFewSources
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, QuoteStatus
from tests.aggregator.bench import bench
from tests.aggregator.fakes import BTC, ETH, settings

CROSS = Pair("BTC", "ETH")


def crossed(**changes: object) -> AggregatorConfig:
    """Return a configuration with BTC/ETH as the quotient of BTC/USD and ETH/USD."""
    return settings(crosses={CROSS: (BTC, ETH)}, **changes)


async def test_a_cross_feed_is_the_quotient_of_two_medians() -> None:
    """101 over 1010 is a tenth, with the sources of both legs; a second request costs nothing."""
    async with bench(crossed()) as b:
        quote = await b.ask(b.engine.answers.quote(CROSS))
        await b.engine.answers.quote(Pair("btc", "eth"))

        assert isinstance(quote, Quote)
        assert (Decimal("0.1"), QuoteStatus.FRESH) == (quote.price, quote.status)
        assert 6 == len(quote.sources)
        assert [1, 1, 1] == b.calls()


async def test_a_cross_feed_without_a_leg_has_no_price() -> None:
    """The error is that of the leg, and a leg that is degraded degrades the quotient."""
    async with bench(crossed()) as b:
        b.sources[0].prices[ETH] = "0"
        assert QuoteStatus.DEGRADED is (await b.ask(b.engine.answers.quote(CROSS))).status  # type: ignore[union-attr]
        b.sources[1].prices[ETH] = "0"
        await b.run(12)
        with pytest.raises(TooFewSources) as caught:
            await b.ask(b.engine.answers.quote(CROSS))

        assert ETH == caught.value.pair


async def test_a_configured_cross_feed_stays_fresh_and_is_followed() -> None:
    """Its legs are kept fresh, a change of a leg is a change of the quotient, and so is the loss of a leg."""
    async with bench(crossed(pinned=(CROSS,))) as b:
        seen: list[object] = []
        task = asyncio.create_task(b.follow(seen, CROSS))
        await b.run(30)
        for source, price in zip(b.sources, ("2000", "2020", "2060"), strict=True):
            source.prices[ETH] = price
        await b.run(12)
        for source in b.sources:
            source.failure = ProviderFault(source.DECLARATION.name, "down")
        await b.run(12)
        task.cancel()

        assert (Decimal("0.1"), "TOO_FEW_SOURCES") == (seen[0], seen[-1])
        assert Decimal("0.05") == seen[-2]


USDT_USD, BTC_USDT = Pair("USDT", "USD"), Pair("BTC", "USDT")


def converting(*, converts: bool) -> AggregatorConfig:
    """Return a configuration with one source of BTC/USDT and one of BTC/USD, and two of USDT/USD."""
    return settings(
        feeds={
            BTC: {"binance": BTC_USDT, "coinbase": BTC},
            USDT_USD: {"coinbase": USDT_USD, "kraken": USDT_USD},
        },
        converts_stablecoins=converts,
    )


@pytest.mark.parametrize(("converts", "expected"), [(False, "100"), (True, "99")])
async def test_a_stablecoin_is_a_dollar_only_by_setting(converts: bool, expected: str) -> None:
    """The coin's own price of 0.98 makes 100 USDT 98, between it and 100; only by setting they count as 100."""
    async with bench(converting(converts=converts)) as b:
        b.sources[0].prices[BTC_USDT] = "100"
        b.sources[1].prices.update({BTC: "100", USDT_USD: "0.98"})
        b.sources[2].prices[USDT_USD] = "0.98"

        assert Decimal(expected) == (await b.ask(b.engine.answers.quote(BTC))).price


async def test_without_the_coins_price_it_is_checked_by_prices_in_dollars() -> None:
    """Near them the coin is worth a dollar; else the source counts as missing, and the error says why."""
    async with bench(converting(converts=True)) as b:
        b.sources[0].prices[BTC_USDT] = "101.9"

        assert Decimal("101.45") == (await b.ask(b.engine.answers.quote(BTC))).price

        b.sources[0].prices[BTC_USDT] = "103"
        await b.run(11)
        with pytest.raises(TooFewSources, match="USDT/USD"):
            await b.ask(b.engine.answers.quote(BTC))


async def test_a_lone_price_in_a_coin_of_unknown_worth_is_none() -> None:
    """Nothing shows what it is worth."""
    async with bench(settings("binance", feeds={BTC: {"binance": BTC_USDT}}, converts_stablecoins=True)) as b:
        b.sources[0].prices[BTC_USDT] = "100"
        with pytest.raises(ConversionMissing, match="USDT/USD"):
            await b.ask(b.engine.answers.quote(BTC))
