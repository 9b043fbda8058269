"""Kept rounds through the code that runs now."""

from typing import Any

import pytest

from feedmesh.oracle.v1 import oracle_service_pb2 as pb
from meshkit.errors import FailedPrecondition
from services.oracle.pipeline.fetch import Fetcher
from services.oracle.pipeline.graph import Pipeline
from services.oracle.round_records.replay import replay

PIPELINE = Pipeline.parse("""
    ask [type=bridge name=quotes]; price [type=jsonparse path="data,result"]; cents [type=multiply times=100]
    ask -> price -> cents
""")
NOBODY: Any = None
FETCHER = Fetcher(NOBODY, lambda _name: None, default_timeout_s=5, max_bytes=4096)


def record(*moments: pb.RoundMoment) -> pb.RoundRecord:
    """Return a round with these moments."""
    return pb.RoundRecord(name="BTC / USD", epoch=1, round=2, moments=moments)


def observed(value: str, body: str = "", error: str = "") -> pb.RoundMoment:
    """Return an observation and what it was made of."""
    answer = pb.BridgeAnswer(task="ask", body=body, error=error)
    return pb.RoundMoment(stage=pb.ROUND_STAGE_OBSERVED, value=value, answers=[answer])


async def test_an_observation_comes_again() -> None:
    """The kept body makes the value that was observed."""
    found = await replay(record(observed("10025", '{"data":{"result":"100.25"}}')), PIPELINE, FETCHER)

    assert ("10025", "10025", "") == (found.observation, found.replayed_observation, found.observation_error)


@pytest.mark.parametrize(
    ("body", "error", "said"),
    [("", "", "too long to be kept"), ("", "timed out", "timed out"), ('{"data":{}}', "", "price")],
)
async def test_what_makes_no_value_says_why(body: str, error: str, said: str) -> None:
    """Where nothing comes of what is kept, the words of the code of now say why."""
    found = await replay(record(observed("10025", body, error)), PIPELINE, FETCHER)

    assert "" == found.replayed_observation
    assert said in found.observation_error


async def test_an_answer_by_http_is_not_asked_for_again() -> None:
    """A pipeline that asks by itself is not run: its answers of then are not kept, and those of now are others."""
    text = 'ask [type=http method=GET url="http://localhost/"]; price [type=jsonparse path="a"]; ask -> price'
    pipeline = Pipeline.parse(text)

    found = await replay(record(observed("1")), pipeline, FETCHER)

    assert "the answers of http tasks are not kept: ask" == found.observation_error


async def test_the_median_of_a_report_comes_again() -> None:
    """The observations of a report make its answer: of four the upper one in the middle, negative ones too."""
    final = pb.RoundMoment(
        stage=pb.ROUND_STAGE_FINALIZED, value="7", observers=[2, 0, 3, 1], observations=["-5", "3", "7", "9"]
    )

    found = await replay(record(final), PIPELINE, FETCHER)

    assert ("7", "7") == (found.median, found.replayed_median)


async def test_a_round_of_nothing_is_refused() -> None:
    """A round of which neither an observation nor a report is kept cannot be replayed."""
    with pytest.raises(FailedPrecondition, match="BTC / USD 1/2"):
        await replay(record(pb.RoundMoment(stage=pb.ROUND_STAGE_STARTED)), PIPELINE, FETCHER)
