"""Ask the mesh's services what the verdict needs; what gives no answer is told, never raised."""

import asyncio
from collections.abc import Awaitable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import grpc.aio

from feedmesh.aggregator.v1 import quote_service_pb2 as quotes
from feedmesh.aggregator.v1.quote_service_pb2_grpc import QuoteServiceStub
from feedmesh.operator.v1 import operator_service_pb2 as operator
from feedmesh.operator.v1.operator_service_pb2_grpc import OperatorServiceStub
from feedmesh.oracle.v1 import oracle_service_pb2 as oracle
from feedmesh.oracle.v1.oracle_service_pb2_grpc import OracleServiceStub
from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor
from feedmesh.supervisor.v1.supervisor_service_pb2_grpc import SupervisorServiceStub
from meshkit.clock import Clock
from meshkit.paths import RunDir
from meshkit.rpc.client import channel
from services.metrics.verdict.verdict import (
    ClockSeen,
    FeedSeen,
    MoneySeen,
    Observation,
    OracleSeen,
    ServiceSeen,
    SourceSeen,
)

_TIMEOUT_S = 5.0
_PAIRS_AT_ONCE = 100
_WELL = (
    supervisor.SERVICE_STATE_HEALTHY,
    supervisor.SERVICE_STATE_COMPLETED,
    # On its way down by somebody's wish, or not its turn yet.
    supervisor.SERVICE_STATE_STOPPING,
)
# As the oracle's job says it.
_NO_OBSERVATION = "observation failed"
_FAUCET = "faucet"
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Heard:
    """Hold the answers as they came; words in the place of one that did not."""

    services: supervisor.ListServicesResponse | str
    sources: quotes.ListSourcesResponse | str
    feeds: operator.ListFeedsResponse | str
    money: operator.ListBalancesResponse | str


class MeshObserver:
    """
    Keep channels to supervisor, aggregator, operator and oracles, and look at all of them at once.

    `pairs` are base and quote of the configured feeds, by name, whose prices the aggregator is asked for; `oracles` are
    the names of the nodes that are asked for their jobs. `heard` has the answers of the last look.
    """

    def __init__(
        self,
        run_dir: RunDir,
        clock: Clock,
        pairs: Mapping[str, tuple[str, str]] | None = None,
        *,
        oracles: Collection[str] = (),
    ) -> None:
        self.heard: Heard | None = None
        self._clock = clock
        self._run_dir = run_dir
        self._oracle_names = sorted(oracles)
        self._oracles: dict[str, grpc.aio.Channel] = {}
        self._by_name = dict(pairs or {})
        self._pairs = list(self._by_name.values())
        self._channels = [channel(run_dir.socket(name)) for name in ("supervisor", "aggregator", "operator")]
        self._supervisor = SupervisorServiceStub(self._channels[0])
        self._quotes = QuoteServiceStub(self._channels[1])
        self._operator = OperatorServiceStub(self._channels[2])

    async def look(self) -> Observation:
        """Return what is seen now; it takes as long as the slowest answer, at most a few seconds."""
        services, sources, feeds, money, prices, jobs = await asyncio.gather(
            _asked(self._supervisor.ListServices(supervisor.ListServicesRequest(), timeout=_TIMEOUT_S)),
            _asked(self._quotes.ListSources(quotes.ListSourcesRequest(), timeout=_TIMEOUT_S)),
            _asked(self._operator.ListFeeds(operator.ListFeedsRequest(), timeout=_TIMEOUT_S)),
            _asked(self._operator.ListBalances(operator.ListBalancesRequest(), timeout=_TIMEOUT_S)),
            self._prices(),
            self._jobs(),
        )
        self.heard = Heard(services, sources, feeds, money)
        answers = {"supervisor": services, "sources": sources, "chain": feeds, "money": money}
        return Observation(
            services=None if isinstance(services, str) else [_service(each) for each in services.services],
            sources=None
            if isinstance(sources, str)
            else [SourceSeen(each.name, each.available) for each in sources.sources if each.enabled],
            clock=None if isinstance(sources, str) else _clock(sources.own_clock),
            feeds=None if isinstance(feeds, str) else [self._feed(each, prices or {}) for each in feeds.feeds],
            jobs=jobs,
            money=None if isinstance(money, str) else _money(money),
            trouble={part: answer for part, answer in answers.items() if isinstance(answer, str)},
            priced=prices is not None,
        )

    async def _jobs(self) -> list[OracleSeen]:
        """Return the jobs of the oracles that run here and give an answer, with why they do not observe."""
        names = [name for name in self._oracle_names if _is_there(self._run_dir.socket(name))]
        answers = await asyncio.gather(*(self._jobs_of(name) for name in names))
        return [job for jobs in answers for job in jobs]

    async def _jobs_of(self, name: str) -> list[OracleSeen]:
        if name not in self._oracles:
            self._oracles[name] = channel(self._run_dir.socket(name))
        stub = OracleServiceStub(self._oracles[name])
        answer = await _asked(stub.ListJobs(oracle.ListJobsRequest(), timeout=_TIMEOUT_S))
        if isinstance(answer, str):
            return []
        return [OracleSeen(name, job.name, _failure(job)) for job in answer.jobs if not job.bootstrap]

    async def _prices(self) -> dict[tuple[str, str], str] | None:
        """Return the aggregator's prices of the configured feeds by pair, None if it gives no answer."""
        found: dict[tuple[str, str], str] = {}
        for begin in range(0, len(self._pairs), _PAIRS_AT_ONCE):
            pairs = [quotes.Pair(base=base, quote=quote) for base, quote in self._pairs[begin : begin + _PAIRS_AT_ONCE]]
            answer = await _asked(
                self._quotes.BatchGetQuotes(quotes.BatchGetQuotesRequest(pairs=pairs), timeout=_TIMEOUT_S)
            )
            if isinstance(answer, str):
                return None
            found |= {
                (each.pair.base, each.pair.quote): each.quote.price for each in answer.results if each.HasField("quote")
            }
        return found if self._pairs else None

    def _feed(self, feed: operator.Feed, prices: Mapping[tuple[str, str], str]) -> FeedSeen:
        has_answer = feed.HasField("update_time")
        return FeedSeen(
            feed.name,
            feed.phase == operator.FEED_PHASE_RUNNING,
            age_s=self._clock.time_ms() / 1000 - feed.update_time.seconds if has_answer else None,
            answer=feed.answer or None,
            updated_s=float(feed.update_time.seconds) if has_answer else None,
            round_id=feed.round_id,
            market=prices.get(self._by_name[feed.name]) if feed.name in self._by_name else None,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for opened in (*self._channels, *self._oracles.values()):
            await opened.close()


async def _asked(call: Awaitable[_Answer]) -> _Answer | str:
    """Return an answer, or why there is none."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        return error.details() or error.code().name


def _clock(told: quotes.OwnClock) -> ClockSeen:
    return ClockSeen(told.off, told.ahead_ms, told.agreeing, told.timed)


def _failure(job: oracle.JobStatus) -> str:
    """Return why a job does not observe; other failures of it are told by other links."""
    return job.last_error if job.last_error.startswith(_NO_OBSERVATION) else ""


def _money(said: operator.ListBalancesResponse) -> list[MoneySeen]:
    cost_wei = int(said.transmission_cost_wei or 0)
    return [
        MoneySeen(each.name, int(each.balance_wei or 0), cost_wei) for each in said.balances if each.name != _FAUCET
    ]


def _service(service: supervisor.Service) -> ServiceSeen:
    name = supervisor.ServiceState.Name(service.state).removeprefix("SERVICE_STATE_").lower()
    return ServiceSeen(service.name, name, service.state in _WELL)


def _is_there(socket: Path) -> bool:
    """Tell whether a socket can be seen; that of a node of another user cannot, and the node then tells nothing."""
    try:
        return socket.exists()
    except OSError:
        return False
