"""Rounds that a mesh kept once, through the code of now: sources to median, bridge to observation, report to answer."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict

from cli.explain.replaying import replay_request
from feedmesh.oracle.v1 import oracle_service_pb2 as pb
from meshkit.explain.round_story import put_together
from meshkit.explain.sentences import explain
from services.aggregator.prices.agreement import Rules
from services.aggregator.prices.feed_price import believe_again
from services.aggregator.prices.pair import Pair
from services.aggregator.prices.quote import SourceQuote
from services.oracle.pipeline.fetch import Fetcher
from services.oracle.pipeline.graph import Pipeline
from services.oracle.round_records.replay import replay

_FILE = Path(__file__).parents[2] / "vectors" / "kept-rounds.json"
ROUNDS = [ParseDict(kept, pb.RoundRecord()) for kept in json.loads(_FILE.read_text())]
# The job's pipeline of then; its answers have the names of its tasks.
PIPELINE = Pipeline.parse("""
    quote [type=bridge name="feedmesh" requestData="{}"]; price [type=jsonparse path="data,result"]
    answer [type=multiply times=100000000]
    quote -> price -> answer
""")
# Of the embedded profile, for the feeds of the corpus.
RULES = Rules(minimum=2, max_spread_bps=200, outlier_floor_bps=200)


def _has_value(record: pb.RoundRecord) -> bool:
    return any(moment.value for moment in record.moments)


def name_of(record: pb.RoundRecord) -> str:
    """Return a round's name for the test's report."""
    return f"{record.name} {record.epoch}/{record.round}"


def bodies(record: pb.RoundRecord) -> list[str]:
    """Return what the bridges of a round answered."""
    return [answer.body for moment in record.moments for answer in moment.answers if answer.body]


@pytest.mark.parametrize("record", [each for each in ROUNDS if _has_value(each)], ids=name_of)
async def test_a_kept_round_gives_the_same(record: pb.RoundRecord) -> None:
    """The bridge's answer makes the observation that was signed, and the observations make the answer on chain."""
    nobody: Any = None

    found = await replay(record, PIPELINE, Fetcher(nobody, lambda _name: None, default_timeout_s=5, max_bytes=32_768))

    assert "" == found.observation_error
    assert found.observation == found.replayed_observation
    assert found.median == found.replayed_median


@pytest.mark.parametrize("record", ROUNDS, ids=name_of)
def test_the_sources_of_a_kept_round_make_its_price(record: pb.RoundRecord) -> None:
    """The prices that agreed and those that were left out make the median that was served."""
    for body in bodies(record):
        asked = replay_request(body)
        if asked is None:
            continue
        price, request = asked
        said = [*request.sources, *(left.quote for left in request.left_out)]
        pair = Pair(request.pair.base, request.pair.quote)
        quotes = [SourceQuote(each.source, pair, Decimal(each.price), 0, float("inf")) for each in said]

        made = believe_again(pair, quotes, len(quotes), RULES, frozenset())

        assert Decimal(price) == made.price
        assert {each.source for each in request.sources} == {used.source for used in made.sources}


def test_the_corpus_has_what_may_happen() -> None:
    """The corpus has a whole round, an outlier, a source that failed, and a round without a price: each is told."""
    said = [explain(put_together({"chainlink-node-2": record}, decimals=8)).words for record in ROUNDS]

    for words in ("all 3 sources used", "from the median", "failed: HTTP 500", "the aggregator gave no price"):
        assert any(words in each for each in said), f"no round of the corpus says {words!r}"
