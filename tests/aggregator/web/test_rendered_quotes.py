"""The kept answers: as good as made anew, and gone when they are not."""

import json

import pytest

from services.aggregator.config import PairTtl
from services.aggregator.engine.ready_quotes import DEGRADED_S
from services.aggregator.prices.errors import ProviderFault, SourceRateLimited
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, QuoteStatus
from tests.aggregator.bench import Bench, bench
from tests.aggregator.fakes import BTC, ETH, settings


def price(b: Bench, feed: Pair = BTC) -> str | None:
    """Return the price in a feed's kept entry, None if there is none."""
    (text,) = b.rendered.texts([feed])
    return None if text is None else str(json.loads(b"{" + text[1:])["price"])


def source_price(b: Bench, source: str = "kraken", pair: Pair = BTC) -> str | None:
    """Return the price in a source's kept answer."""
    text = b.rendered.source_text(source, pair)
    return None if text is None else str(json.loads(text)["price"])


async def test_a_kept_answer_ends_at_the_millisecond_its_price_does() -> None:
    """It is there for the last millisecond of the time to live and gone after it, of a feed and of a source."""
    config = settings("kraken", refetch=False, pair_ttls=(PairTtl(BTC, None, 1_500),))
    async with bench(config) as b:
        quote = await b.ask(b.engine.answers.quote(BTC))
        assert isinstance(quote, Quote)
        assert "103" == price(b) == source_price(b)
        b.clock.advance(quote.expires_at - b.clock.monotonic() - 0.001)

        assert price(b) is not None
        assert source_price(b) is not None

        b.clock.advance(0.001)

        assert (None, None) == (price(b), source_price(b))
        assert b.rendered.quote(BTC) is None


async def test_a_new_price_takes_the_place_of_the_kept_one_at_once() -> None:
    """As soon as a refresh has landed, no answer has the price of before."""
    async with bench(settings("kraken", pinned=(BTC,))) as b:
        await b.run(0.1)

        assert "103" == price(b) == source_price(b)

        b.sources[0].prices[BTC] = "104"
        while (quote := b.engine.status.feeds()[BTC]) is None or str(quote.price) == "103":
            assert "103" == price(b) == source_price(b)
            await b.run(0.05)

        assert "104" == price(b) == source_price(b)


async def test_the_same_bytes_serve_until_the_price_changes() -> None:
    """Nothing is made anew for a further request."""
    async with bench() as b:
        await b.ask(b.engine.answers.quote(BTC))
        first = b.rendered.texts([BTC])[0]
        b.clock.advance(0.5)

        assert first is not None
        assert b.rendered.texts([BTC, BTC])[1] is first
        assert b.rendered.source_text("kraken", BTC) is b.rendered.source_text("kraken", BTC)


async def test_a_degraded_answer_is_kept_only_while_nobody_could_complete_it() -> None:
    """While a missing source is left alone after a failure, the answer serves; from then on it is asked for again."""
    async with bench(settings(refetch=False)) as b:
        b.sources[2].failure = SourceRateLimited("kraken", 2_000)
        quote = await b.ask(b.engine.answers.quote(BTC))

        assert isinstance(quote, Quote)
        assert (QuoteStatus.DEGRADED, "100.5") == (quote.status, price(b))

        b.clock.advance(1.5)

        assert "100.5" == price(b)

        b.sources[2].failure = None
        b.clock.advance(0.6)

        assert price(b) is None
        whole = await b.ask(b.engine.answers.quote(BTC))

        assert isinstance(whole, Quote)
        assert (QuoteStatus.FRESH, "101") == (whole.status, price(b))


async def test_a_degraded_answer_is_looked_at_often() -> None:
    """Whether a missing source may be asked again is looked at ten times a second, not once a price."""
    async with bench(settings(refetch=False)) as b:
        b.sources[2].failure = ProviderFault("kraken", "down")
        await b.ask(b.engine.answers.quote(BTC))
        # The first failure is forgotten after 0.25 s.
        kept_s = 0.0
        while price(b) is not None:
            b.clock.advance(DEGRADED_S / 2)
            kept_s += DEGRADED_S / 2

        assert kept_s <= 0.25 + DEGRADED_S


async def test_what_cannot_be_kept_is_left_to_the_engine() -> None:
    """An unknown source, a pair nobody asked for, and a feed without a price have no kept answer."""
    async with bench() as b:
        await b.ask(b.engine.answers.quote(BTC))

        assert (None, None) == (source_price(b, "okx"), source_price(b, "kraken", ETH))
        assert [None, None] == b.rendered.texts([ETH, None])


async def test_requests_are_handed_on_and_keep_a_pair_registered() -> None:
    """Whoever is asked for from kept prices only is neither idle nor uncounted, however long its price holds."""
    config = settings("kraken", refetch=False, pair_ttls=(PairTtl(BTC, None, 3_600_000),))
    async with bench(config) as b:
        await b.ask(b.engine.answers.source_quote("kraken", BTC))
        for _ in range(20):
            b.clock.advance(60)

            assert source_price(b) is not None
        (state,) = b.engine.status.pairs()

        assert b.clock.time_ms() == state.last_request_ms
        assert 20 == b.counted('cache_hits_total{source="kraken"}')

        b.clock.advance(60)

        assert source_price(b) is not None
        assert 0 == b.engine.clear_inactive(30_000)

        b.clock.advance(31)

        assert 1 == b.engine.clear_inactive(30_000)
        assert source_price(b) is None


@pytest.mark.parametrize("spelled", ["btc", "Btc", "BTC"])
async def test_any_spelling_of_a_folded_pair_finds_the_same_price(spelled: str) -> None:
    """Sources that fold the case of pairs have one price for all spellings, kept ones too."""
    async with bench(settings("kraken")) as b:
        await b.ask(b.engine.answers.source_quote("kraken", BTC))

        assert "103" == source_price(b, "kraken", Pair(spelled, "usd"))
        assert 1 == len(b.sources[0].calls)


async def test_a_joined_batch_is_what_its_quotes_are() -> None:
    """A batch that is asked for again is the same bytes until a price moves or ends, and never longer."""
    heads = [b"A", b"B"]
    async with bench(settings("kraken", pinned=(BTC, ETH))) as b:
        rendered, batch = b.rendered, object()
        await b.run(0.1)
        first = rendered.batch_text(batch, (BTC, ETH), heads)
        texts = rendered.texts((BTC, ETH))

        assert first is rendered.batch_text(batch, (BTC, ETH), heads)
        assert b",".join(head + (text or b"") for head, text in zip(heads, texts, strict=True)) == first

        b.sources[0].prices[BTC] = "104"
        while (quote := b.engine.status.feeds()[BTC]) is None or str(quote.price) != "104":
            await b.run(0.05)

        moved = rendered.batch_text(batch, (BTC, ETH), heads)
        assert moved is not None
        assert b'"104"' in moved
        quote = b.engine.status.feeds()[ETH]
        assert isinstance(quote, Quote)
        b.clock.advance(quote.expires_at - b.clock.monotonic())
        assert rendered.batch_text(batch, (BTC, ETH), heads) is None


async def test_requests_for_joined_batches_are_all_counted() -> None:
    """Whether prices move in between or not, each request counts once for each of its sources' prices."""
    async with bench(settings("kraken", pinned=(BTC,))) as b:
        await b.run(0.1)
        hits, batches = 'cache_hits_total{source="kraken"}', [object(), object()]
        before = asked = b.counted(hits)
        for number in range(30):
            b.sources[0].prices[BTC] = str(103 + number // 10)
            await b.run(0.3)
            for batch in batches[: 1 + number % 2]:
                asked += b.rendered.batch_text(batch, (BTC,), (b"",)) is not None

        assert asked > before + 30
        assert asked == b.counted(hits)
