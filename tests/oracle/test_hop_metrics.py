"""The time of a price from hop to hop."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.metrics import RPC_METRICS, Registry
from meshkit.ocr.hops import HOPS, Moment
from services.oracle.hop_metrics import HOP_METRICS, TOTAL, HopMetrics, moments_of

FEED = "BTC / USD"
WAY = {moment: 1_000 * index for index, moment in enumerate(Moment)}


def counted(registry: Registry, what: str = "count") -> dict[str, float]:
    """Return how many times each hop was counted, or the sum of their seconds."""
    lines = registry.render().decode().splitlines()
    found = [line for line in lines if line.startswith(f"feedmesh_round_hop_seconds_{what}")]
    return {line.split('hop="')[1].split('"')[0]: float(line.rsplit(" ", 1)[1]) for line in found}


@given(st.permutations(list(Moment)))
def test_a_whole_way_counts_each_hop_once_in_whatever_order_it_becomes_known(order: list[Moment]) -> None:
    """A block may be seen before our own record of the observation; each hop takes a second, all together six."""
    registry = Registry((*RPC_METRICS, *HOP_METRICS))
    metrics = HopMetrics(registry)
    for moment in order:
        metrics.note(FEED, 1, 2, {moment: WAY[moment]})
        metrics.note(FEED, 1, 2, {moment: 99_999})

    assert dict.fromkeys((*HOPS, TOTAL), 1.0) == counted(registry)
    assert dict.fromkeys(HOPS, 1.0) | {TOTAL: 6.0} == counted(registry, "sum")


def test_an_unknown_moment_joins_no_others() -> None:
    """A node that did not observe still counts from the signed report on, and rounds do not mix."""
    registry = Registry((*RPC_METRICS, *HOP_METRICS))
    metrics = HopMetrics(registry)
    metrics.note(FEED, 1, 1, {Moment.ACCEPTED: 0, Moment.SIGNED: 500})
    metrics.note(FEED, 1, 2, {Moment.TRANSMITTED: 900})
    assert {} == counted(registry)
    metrics.note(FEED, 1, 1, {Moment.TRANSMITTED: 400})

    assert ({"transmitted": 1.0}, {"transmitted": 0.0}) == (counted(registry), counted(registry, "sum"))


def test_rounds_that_never_end_are_forgotten() -> None:
    """However many rounds begin, few are kept; and a job that is gone has no series."""
    registry = Registry((*RPC_METRICS, *HOP_METRICS))
    metrics = HopMetrics(registry)
    for number in range(100):
        metrics.note(FEED, 1, number, {Moment.SIGNED: 0})
    metrics.note(FEED, 1, 0, {Moment.TRANSMITTED: 1})
    assert {} == counted(registry)
    metrics.note(FEED, 1, 99, {Moment.TRANSMITTED: 1})
    assert {"transmitted": 1.0} == counted(registry)
    metrics.forget(FEED)

    assert {} == counted(registry)


def test_an_answer_of_the_aggregator_tells_three_moments() -> None:
    """Of its sources the newest price counts, as it is the one that the round could know."""
    source = {"source": "kraken", "receivedAt": "1970-01-01T00:00:02.000Z", "exchangeTime": "1970-01-01T00:00:01.500Z"}
    newest = source | {"receivedAt": "1970-01-01T00:00:03.000Z", "exchangeTime": "1970-01-01T00:00:02.750Z"}
    answer = {"data": {"result": 1, "sources": [newest, source]}, "timestamps": {"answeredUnixMs": 3_100}}

    assert {Moment.EXCHANGE: 2_750, Moment.ACCEPTED: 3_000, Moment.SERVED: 3_100} == moments_of(
        orjson.dumps(answer).decode()
    )


@pytest.mark.parametrize(
    "body",
    [
        "", "no JSON", "[]", "1", '{"data":1}', '{"data":{"sources":1},"timestamps":[]}',
        '{"data":{"sources":[1,{}, {"receivedAt":7,"exchangeTime":"soon"}]},"timestamps":{"answeredUnixMs":"x"}}',
    ],
)  # fmt: skip
def test_another_answer_tells_nothing(body: str) -> None:
    """Whatever a bridge answers, it is no error here."""
    assert {} == moments_of(body)
