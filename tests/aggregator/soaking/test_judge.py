"""The judge of the soak's answers."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from devkit.market.process import Pair, PriceProcess
from tests.aggregator.soaking.judge import Judge, Told
from tests.aggregator.soaking.plan import RECOVERY_S, Spell

NOW_MS = 1_800_000_000_000
TTL_MS = 1_000
TRUTH = PriceProcess(7).price(Pair("BTC", "USD"), NOW_MS)


def time(t_ms: int) -> str:
    """Return a time as answers have it."""
    return datetime.fromtimestamp(t_ms / 1000, UTC).isoformat(timespec="milliseconds")


def said(factor: str = "1", age_ms: int = 100, source: str = "kraken") -> dict[str, object]:
    """Return a source's quote."""
    price = format(TRUTH * Decimal(factor), "f")
    return {"source": source, "pair": ["BTC", "USD"], "price": price, "receivedAt": time(NOW_MS - age_ms)}


def judge(*spells: Told) -> Judge:
    """Return a judge who knows of these spells of kraken."""
    return Judge(PriceProcess(7), TTL_MS, {"kraken": list(spells)})


def spell(kind: str, began_ms: int, ended_ms: int | None, **fault: object) -> Told:
    """Return a spell of kraken."""
    return Told(Spell("kraken", kind, fault, 0, 1), began_ms, ended_ms)


@pytest.mark.parametrize(("factor", "age_ms", "wrong"), [("1.004", 900, 0), ("1.006", 100, 1), ("1", 1_003, 1)])
def test_a_source_price_is_near_the_truth_and_fresh(factor: str, age_ms: int, wrong: int) -> None:
    """A price half a percent away passes, more does not, nor one over its time to live."""
    judged = judge()
    judged.source(said(factor, age_ms), NOW_MS)

    assert (wrong, 1 - wrong) == (len(judged.wrong), len(judged.good_ms.get("kraken", [])))


@pytest.mark.parametrize(("factor", "used", "wrong"), [("1", "1", 0), ("1.1", "1", 1), ("1", "1.1", 1)])
def test_a_feed_price_and_all_behind_it_are_near_the_truth(factor: str, used: str, wrong: int) -> None:
    """Neither the price nor one of those it is made of may be far away, whatever the other is."""
    judged = judge(spell("outlier", NOW_MS - 9_000, None, factor=1.1))
    judged.feed("BTC/USD", {"price": format(TRUTH * Decimal(factor), "f"), "sources": [said(used)]}, NOW_MS)

    assert wrong == len(judged.wrong)


@pytest.mark.parametrize(("began_ms", "factor", "believed"), [(2_500, "1.5", 1), (1_500, "1.5", 0), (2_500, "1.4", 0)])
def test_only_a_steady_lie_of_its_own_source_is_believed(began_ms: int, factor: str, believed: int) -> None:
    """What a source is made to say for two seconds counts as its word; a fresh lie, or another number, is wrong."""
    judged = judge(spell("outlier", NOW_MS - began_ms, None, factor=1.5))
    judged.source(said(factor), NOW_MS)

    assert (believed, 1 - believed) == (judged.believed, len(judged.wrong))


@pytest.mark.parametrize(("good_after_s", "late"), [(1, 0), (RECOVERY_S + 1, 1)])
def test_a_source_recovers_in_time(good_after_s: float, late: int) -> None:
    """A good price of after the fault is needed within the bound."""
    judged = judge(spell("error", NOW_MS - 5_000, NOW_MS))
    judged.good_ms["kraken"] = [NOW_MS - 6_000, NOW_MS + round(good_after_s * 1000)]

    assert late == len(judged.recoveries()[1])
