"""The bench of latency: which moments belong to an answer."""

from feedmesh.oracle.v1 import oracle_service_pb2 as oracle_pb
from tests.bench.latency import Seen


def test_an_answer_is_followed_to_the_quote_that_was_observed() -> None:
    """Of the quotes with its value it is the last before the observation, not an old one nor a later one."""
    seen = Seen()
    seen.quotes[7] = [(90.0, 100.0), (990.0, 1000.0), (1990.0, 2000.0)]
    seen.observed[1, 2, 7] = 1040.0
    seen.stages[1, 2, oracle_pb.ROUND_STAGE_FINALIZED] = 1200.0
    seen.stages[1, 2, oracle_pb.ROUND_STAGE_TRANSMITTED] = 1250.0
    seen.blocks[30] = 1600.0
    seen.answers[1, 2] = 7, 30
    seen.answers[1, 3] = 8, 31

    assert [(990.0, 1000.0, 1040.0, 1200.0, 1250.0, 1600.0)] == seen.hops()


def test_an_answer_whose_quotes_came_later_cannot_be_followed() -> None:
    """What was quoted only after the observation is not what was observed."""
    seen = Seen()
    seen.quotes[7] = [(1990.0, 2000.0)]
    seen.observed[1, 2, 7] = 1040.0
    seen.stages[1, 2, oracle_pb.ROUND_STAGE_FINALIZED] = 1200.0
    seen.stages[1, 2, oracle_pb.ROUND_STAGE_TRANSMITTED] = 1250.0
    seen.blocks[30] = 1600.0
    seen.answers[1, 2] = 7, 30

    assert [] == seen.hops()
