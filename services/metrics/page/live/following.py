"""What the mesh tells by itself while somebody looks: each change of a service, each accepted round and its way."""

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final, Self

import grpc.aio

from feedmesh.operator.v1 import operator_service_pb2 as operator
from feedmesh.operator.v1.operator_service_pb2_grpc import OperatorServiceStub
from feedmesh.oracle.v1 import oracle_service_pb2 as oracle
from feedmesh.oracle.v1.oracle_service_pb2_grpc import OracleServiceStub
from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor
from feedmesh.supervisor.v1.supervisor_service_pb2_grpc import SupervisorServiceStub
from meshkit.clock import Clock
from meshkit.explain.round_story import moments_ms, put_together
from meshkit.ocr.hops import Moment
from meshkit.paths import RunDir
from meshkit.rpc.client import channel
from services.metrics.page.content.seen import MeshSeen, Way
from services.metrics.page.content.tables import chosen
from services.metrics.page.live.audience import Audience

_TIMEOUT_S: Final = 3.0
# A block has the transaction by then; the nodes write their rounds down a moment after.
_ROUND_ENDS_S: Final = 2.0
_PAUSE_S: Final = 1.0
# A node may have more to do than to write its rounds down; and not every node keeps any.
_MOST_TIMES: Final = 3
# Of a round that nobody told us of, its transmitter may be any of these.
_MOST_ASKED: Final = 7
_AT_ONCE: Final = 4


class Following:
    """Keep what is seen up to date for those who look; `oracles` are the nodes that keep rounds."""

    def __init__(
        self, run_dir: RunDir, oracles: Sequence[str], seen: MeshSeen, audience: Audience, clock: Clock
    ) -> None:
        self._oracles = list(oracles)
        self._seen = seen
        self._audience = audience
        self._clock = clock
        self._run_dir = run_dir
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._accepted: dict[str, operator.Round] = {}
        self._asked: dict[str, tuple[int, int]] = {}

    async def services(self) -> None:
        """Take in each change of a service, until the supervisor is gone."""
        stub = SupervisorServiceStub(self._channel("supervisor"))
        try:
            async for change in stub.WatchServices(supervisor.WatchServicesRequest()):
                self._seen.live_services = True
                self._seen.service_changed(change)
        finally:
            self._seen.live_services = False

    async def rounds(self) -> None:
        """Take in each accepted round, until the operator is gone."""
        stub = OperatorServiceStub(self._channel("operator"))
        async for told in stub.WatchRounds(operator.WatchRoundsRequest()):
            self._accepted[told.round.feed] = told.round
            self._seen.round_accepted(told.round)

    async def ways(self) -> None:
        """Ask for the way of the last round of each feed that somebody looks at, until it is known into a block."""
        while True:
            names = {name for choice in self._audience.choices for name in chosen(self._seen, choice)[0]}
            wanted = [name for name in self._seen.feeds if name in names and self._is_due(name)]
            for begin in range(0, len(wanted), _AT_ONCE):
                await asyncio.gather(*(self._way(name) for name in wanted[begin : begin + _AT_ONCE]))
            for gone in self._asked.keys() - self._seen.feeds.keys():
                self._asked.pop(gone)
                self._accepted.pop(gone, None)
            await self._clock.sleep(_PAUSE_S)

    def _is_due(self, name: str) -> bool:
        feed = self._seen.feeds[name]
        age_s = self._clock.time_ms() / 1000 - feed.update_time.ToMilliseconds() / 1000
        if not feed.round_id or age_s < _ROUND_ENDS_S:
            return False
        round_id, times = self._asked.get(name, (0, 0))
        if round_id != feed.round_id:
            return True
        way = self._seen.ways.get(name)
        return times < _MOST_TIMES and (way is None or Moment.INCLUDED not in way.moments_ms)

    async def _way(self, name: str) -> None:
        round_id = self._seen.feeds[name].round_id
        accepted = self._accepted.get(name)
        request = oracle.ListRoundsRequest(name=name, most=1)
        nodes = self._oracles[:_MOST_ASKED]
        if accepted is not None and accepted.round_id == round_id:
            request = oracle.ListRoundsRequest(name=name, epoch=accepted.epoch, round=accepted.round, most=1)
            knowing = dict.fromkeys((accepted.transmitter, *accepted.observers[:1]))
            nodes = [node for node in knowing if node in self._oracles] or nodes
        else:
            request.until.FromMilliseconds(self._seen.feeds[name].update_time.ToMilliseconds() + 1000)
        answers = await asyncio.gather(*(self._record(node, request) for node in nodes))
        before, times = self._asked.get(name, (0, 0))
        self._asked[name] = (round_id, times + 1 if before == round_id else 1)
        records = {node: record for node, record in zip(nodes, answers, strict=True) if record is not None}
        moments = moments_ms(put_together(_of_one_round(records), decimals=0)) if records else {}
        self._seen.way_found(name, Way(round_id, moments))

    async def _record(self, node: str, request: oracle.ListRoundsRequest) -> oracle.RoundRecord | None:
        try:
            answer = await OracleServiceStub(self._channel(node)).ListRounds(request, timeout=_TIMEOUT_S)
        except grpc.aio.AioRpcError:
            # Chainlink's own node keeps none, and another user's may not be asked.
            return None
        return next((record for record in answer.rounds if record.moments), None)

    def _channel(self, name: str) -> grpc.aio.Channel:
        if name not in self._channels:
            self._channels[name] = channel(self._run_dir.socket(name))
        return self._channels[name]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for opened in self._channels.values():
            await opened.close()


def _of_one_round(records: Mapping[str, oracle.RoundRecord]) -> dict[str, oracle.RoundRecord]:
    """Return the records of the newest round among them."""
    newest = max(records.values(), key=lambda record: record.moments[0].time.ToNanoseconds())
    place = (newest.config_digest, newest.epoch, newest.round)
    return {
        node: record for node, record in records.items() if (record.config_digest, record.epoch, record.round) == place
    }
