import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

from meshkit.clock import ManualClock
from services.aggregator.cache.current_quotes import CurrentQuotes, QuoteChange
from services.aggregator.prices.errors import TooFewSources
from services.aggregator.prices.feed_price import quote_of
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import Quote, SourceQuote
from tests.aggregator.fakes import BTC, ETH


def quote(price: int, pair: Pair = BTC, received_ms: int = 0) -> Quote:
    """Return a quote of one source."""
    return quote_of(pair, [SourceQuote("kraken", pair, Decimal(price), received_ms, 9.0)], 1)


async def take(
    current: CurrentQuotes, count: int, after: int = 0, pairs: tuple[Pair, ...] = (BTC, ETH)
) -> list[QuoteChange]:
    """Return the next changes."""
    changes = current.follow(pairs, after)
    async with asyncio.timeout(5):
        taken = [await anext(changes) for _ in range(count)]
    await changes.aclose()  # type: ignore[attr-defined]
    return taken


async def test_a_follower_gets_what_is_there_oldest_change_first() -> None:
    """The present results come in the order of their sequence numbers, only for the pairs followed."""
    current = CurrentQuotes(ManualClock())
    current.put(ETH, quote(5, ETH))
    current.put(BTC, quote(1))
    current.put(Pair("X", "Y"), quote(9))
    entries = await take(current, 2)

    assert [(1, ETH), (2, BTC)] == [(entry.sequence, entry.pair) for entry in entries]


async def test_a_follower_resumes_after_a_sequence() -> None:
    """Only results that changed since come again."""
    current = CurrentQuotes(ManualClock())
    current.put(ETH, quote(5, ETH))
    current.put(BTC, quote(1))

    assert [BTC] == [entry.pair for entry in await take(current, 1, after=1)]


async def test_a_repeated_price_is_no_change_but_renews_the_times() -> None:
    """The sequence stays, and what is read is the latest."""
    current = CurrentQuotes(ManualClock())
    current.put(BTC, quote(1))
    current.put(BTC, quote(1, received_ms=77))
    entry = (await take(current, 1))[0]

    assert isinstance(entry.result, Quote)
    assert (1, 77) == (entry.sequence, entry.result.received_ms)


async def test_a_waiting_follower_is_woken_by_an_error_too() -> None:
    """An error in place of a price is a change."""
    current = CurrentQuotes(ManualClock())
    current.put(BTC, quote(1))
    waiting = asyncio.create_task(take(current, 1, after=1))
    await asyncio.sleep(0)
    current.put(BTC, TooFewSources(BTC, 0, 2, {}))

    assert isinstance((await waiting)[0].result, TooFewSources)


async def test_a_slow_follower_sees_the_latest_price_only() -> None:
    """Prices between do not queue up."""
    current = CurrentQuotes(ManualClock())
    changes = current.follow([BTC], 0)
    current.put(BTC, quote(1))
    await anext(changes)
    for price in range(2, 100):
        current.put(BTC, quote(price))
    entry = await anext(changes)

    assert quote(99) == entry.result


async def test_numbers_grow_over_a_restart() -> None:
    """A current that begins later numbers higher, so that a follower of the earlier one can resume."""
    clock = ManualClock(1_000_000)
    before, after = CurrentQuotes(clock), None
    for price in range(1, 50):
        before.put(BTC, quote(price))
    last = (await take(before, 1))[0].sequence
    clock.advance(0.001)
    after = CurrentQuotes(clock)
    after.put(BTC, quote(1))

    assert last < (await take(after, 1))[0].sequence


async def test_followed_pairs_are_known_while_they_are_followed() -> None:
    """A follower that leaves is forgotten."""
    current = CurrentQuotes(ManualClock())
    current.put(BTC, quote(1))
    changes = current.follow([BTC], 0)
    await anext(changes)

    assert current.is_followed(BTC)

    await changes.aclose()  # type: ignore[attr-defined]

    assert not current.is_followed(BTC)


async def next_of(changes: AsyncIterator[QuoteChange]) -> QuoteChange:
    """Return the next change."""
    return await anext(changes)


async def test_a_slow_follower_gets_nothing_that_expired_meanwhile() -> None:
    """What expires between two looks is left out; what comes after it is sent, even if it is the same price."""
    clock = ManualClock()
    current = CurrentQuotes(clock)
    current.put(ETH, quote(5, ETH))
    current.put(BTC, quote(1))
    changes = current.follow((ETH, BTC), 0)
    first = await anext(changes)
    clock.advance(9.0)
    second = asyncio.create_task(next_of(changes))
    await asyncio.sleep(0)

    assert (ETH, False) == (first.pair, second.done())

    again = quote_of(BTC, [SourceQuote("kraken", BTC, Decimal(1), 9_000, 18.0)], 1)
    current.put(BTC, again)

    assert again == (await second).result

    await changes.aclose()  # type: ignore[attr-defined]


async def test_a_slow_follower_gets_the_latest() -> None:
    """A pair that changed while the follower was busy comes once, as it is then."""
    current = CurrentQuotes(ManualClock())
    current.put(ETH, quote(5, ETH))
    current.put(BTC, quote(1))
    changes = current.follow((ETH, BTC), 0)
    await anext(changes)
    current.put(BTC, quote(2))
    entry = await anext(changes)

    assert (BTC, quote(2)) == (entry.pair, entry.result)

    await changes.aclose()  # type: ignore[attr-defined]
