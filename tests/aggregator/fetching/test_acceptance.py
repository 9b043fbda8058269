from dataclasses import replace

import pytest

from meshkit.clock import ManualClock
from meshkit.errors import MeshError
from services.aggregator.config import PairTtl
from services.aggregator.fetching.acceptance import Acceptance
from services.aggregator.fetching.source_jump_guard import Others, SourceGuard, Standing
from services.aggregator.metrics import open_registry
from services.aggregator.prices.errors import MalformedAnswer, PriceRefused, ProviderFault, UnknownPair
from services.aggregator.prices.quote import SourceOutcome, SourceQuote, Tick
from services.aggregator.sources.source import Declaration, TickOutcome
from tests.aggregator.fakes import BTC, settings

NOW_MS = 1_800_000_000_000
DECLARED = Declaration("kraken", "http://localhost", 1, max_age_ms=60_000)
AGREE, DIFFER = Standing(Others.AGREE, is_near_one=True), Standing(Others.DIFFER)


class Judged:
    """What is said of a pair, and what becomes of it."""

    def __init__(self, max_age_ms: int | None = None, **changes: object) -> None:
        config = settings("kraken", **changes)
        config = replace(config, sources={"kraken": replace(config.sources["kraken"], max_age_ms=max_age_ms)})
        self.clock = ManualClock(NOW_MS)
        self.metrics = open_registry()
        guard = SourceGuard(self.clock, lambda _source, pair: config.limits(pair))
        self.acceptance = Acceptance(DECLARED, config, guard, self.clock, self.metrics)
        self.looked_at_others = 0

    def say(self, said: TickOutcome | None, others: Standing | None = None) -> SourceOutcome:
        """Return what becomes of what is said now."""

        def look(_quote: SourceQuote) -> Standing:
            self.looked_at_others += 1
            return others or Standing()

        return self.acceptance.outcome(
            BTC,
            said,
            received_ms=self.clock.time_ms(),
            received_at=self.clock.monotonic(),
            is_alone=False,
            standing=look,
        )

    def refused(self) -> list[str]:
        """Return the samples of refused prices."""
        lines = self.metrics.render().decode().splitlines()
        return [line for line in lines if line.startswith("refused_prices_total{")]


def test_a_plausible_price_is_a_quote_for_its_time_to_live() -> None:
    """An override for the pair holds before the source's own time to live."""
    own, overridden = Judged(), Judged(pair_ttls=(PairTtl(BTC, None, 1_500),))

    assert [10.0, 1.5] == [
        quote.expires_at for judged in (own, overridden) if isinstance(quote := judged.say(Tick("100")), SourceQuote)
    ]
    assert [] == own.refused()


@pytest.mark.parametrize(("max_age_ms", "accepted"), [(None, True), (30_000, False)])
def test_the_oldest_age_is_the_declared_one_or_the_set_one(max_age_ms: int | None, accepted: bool) -> None:
    """A price of forty seconds ago is believed by the source's own bound of a minute, not by a stricter one."""
    outcome = Judged(max_age_ms).say(Tick("100", NOW_MS - 40_000))

    assert accepted == isinstance(outcome, SourceQuote)


@pytest.mark.parametrize("error", [UnknownPair(BTC, "kraken"), ProviderFault("kraken", "down")])
def test_a_sources_error_is_the_outcome_as_it_is(error: MeshError) -> None:
    """It is no refusal of ours."""
    judged = Judged()

    assert error is judged.say(error)
    assert [] == judged.refused()


def test_an_answer_without_the_pair_is_malformed() -> None:
    """It says nothing about the pair, so it is not unknown."""
    assert isinstance(Judged().say(None), MalformedAnswer)


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        (Tick("NaN"), "number"),
        (Tick("0"), "range"),
        (Tick("1", NOW_MS + 3_600_000), "time"),
        (Tick("1", NOW_MS - 3_600_000), "age"),
        (Tick("1", bid="2"), "book"),
        (PriceRefused("kraken", BTC, "1", "its market is open and its time is over an hour ago"), "source"),
    ],
)
def test_each_refusal_is_counted_by_its_rule(said: TickOutcome, rule: str) -> None:
    """The source's own doubts too."""
    judged = Judged()

    assert isinstance(judged.say(said), PriceRefused)
    assert [f'refused_prices_total{{reason="{rule}",source="kraken"}} 1.0'] == judged.refused()


def test_a_jump_is_held_against_what_others_say() -> None:
    """Only where the source's own last price does not decide is it looked what others say; their doubt is a refusal."""
    judged = Judged(jump_guard_bps=1_000)

    assert isinstance(judged.say(Tick("100"), AGREE), SourceQuote)
    assert isinstance(judged.say(Tick("101")), SourceQuote)
    assert 1 == judged.looked_at_others
    assert isinstance(judged.say(Tick("150"), DIFFER), PriceRefused)
    assert isinstance(judged.say(Tick("150"), AGREE), SourceQuote)
    assert 3 == judged.looked_at_others
    assert ['refused_prices_total{reason="jump",source="kraken"} 1.0'] == judged.refused()
