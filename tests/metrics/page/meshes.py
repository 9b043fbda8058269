"""A mesh as the page has seen it, made by hand."""

from collections.abc import Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from feedmesh.aggregator.v1 import quote_service_pb2 as quotes
from feedmesh.operator.v1 import operator_service_pb2 as operator
from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor
from meshkit.ocr.hops import Moment
from services.metrics.page.content.seen import MeshSeen, Way
from services.metrics.verdict.observer import Heard
from services.metrics.verdict.verdict import FeedSeen, Limits, Observation, ServiceSeen, judge

NOW_S = 1_782_000_100
EVIL = "<script>alert('1')</script> / \"USD\" & so"
LIMITS = Limits(oracles=frozenset({"chainlink-node-2"}), longest_age_s=60, start_s=60)


def heard(names: Sequence[str] = ("BTC / USD", "ETH / USD"), *, restarts: int = 0) -> Heard:
    """Return the answers of a mesh with these feeds, the last of which has no answer yet."""
    return Heard(
        supervisor.ListServicesResponse(
            services=[
                supervisor.Service(
                    name="chainlink-node-2",
                    state=supervisor.SERVICE_STATE_HEALTHY,
                    pid=41,
                    restarts=restarts,
                    start_time=Timestamp(seconds=NOW_S - 125),
                    runtime="embedded",
                ),
                supervisor.Service(name="postgres-init", state=supervisor.SERVICE_STATE_COMPLETED, message=EVIL),
            ]
        ),
        quotes.ListSourcesResponse(
            sources=[
                quotes.SourceState(
                    name="kraken",
                    enabled=True,
                    available=True,
                    registered_pairs=4,
                    fresh_pairs=3,
                    score=0.75,
                    last_success_time=Timestamp(seconds=NOW_S - 2),
                ),
                quotes.SourceState(name="okx", enabled=True, last_error="timed out"),
            ]
        ),
        operator.ListFeedsResponse(feeds=[feed(name, is_answered=name != names[-1]) for name in names]),
        operator.ListBalancesResponse(
            balances=[
                operator.Balance(name="faucet", address="0xfa", balance_wei=str(10**19)),
                operator.Balance(name="chainlink-node-2", address="0x2", balance_wei="7", days_left=2.25),
            ],
            transmission_cost_wei="5",
            minimum_wei="50",
        ),
    )


def feed(name: str, *, is_answered: bool = True, round_id: int = 9, answer: str = "100.5") -> operator.Feed:
    """Return a feed that runs."""
    found = operator.Feed(name=name, phase=operator.FEED_PHASE_RUNNING, decimals=8, address="0xc0")
    if is_answered:
        found.round_id, found.answer = round_id, answer
        found.update_time.seconds = NOW_S - 7
    return found


def observed(names: Sequence[str] = ("BTC / USD", "ETH / USD")) -> Observation:
    """Return what the judge sees of such a mesh."""
    feeds = [FeedSeen(name, running=True, age_s=7, answer="100.5", market="101.5", round_id=9) for name in names]
    node = ServiceSeen("chainlink-node-2", "healthy", well=True)
    return Observation(services=[node], sources=[], feeds=feeds, trouble={}, priced=True)


def mesh(names: Sequence[str] = ("BTC / USD", "ETH / USD"), *, seen_times: int = 3) -> MeshSeen:
    """Return what the page has seen of it in so many looks, the verdict among it."""
    seen = MeshSeen(LIMITS)
    for index in range(seen_times):
        seen.note(heard(names), observed(names), 10.0 + index, NOW_S - 5.0 * (seen_times - 1 - index))
    seen.judged(judge(observed(names), LIMITS, 10))
    seen.way_found(names[0], Way(9, {moment: 1000 * index for index, moment in enumerate(Moment)}))
    return seen
