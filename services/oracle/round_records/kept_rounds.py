"""The rounds that this node keeps, as they are asked for over gRPC."""

from collections.abc import Callable

from google.protobuf.timestamp_pb2 import Timestamp

from feedmesh.oracle.v1 import oracle_service_pb2 as pb
from meshkit.errors import InvalidInput, NotFound
from services.oracle.pipeline.fetch import Fetcher
from services.oracle.pipeline.graph import Pipeline
from services.oracle.round_records.replay import replay
from services.oracle.round_records.store import RoundStore

_MOST = 500
_LARGEST = 2**62
# Of one epoch and round there may be one of each configuration.
_CONFIGURATIONS = 20


class KeptRounds:
    """Answer from the store, and replay with the pipelines of the running jobs, which are known by the jobs' names."""

    def __init__(self, store: RoundStore, pipeline_of: Callable[[str], Pipeline | None], fetcher: Fetcher) -> None:
        self._store = store
        self._pipeline_of = pipeline_of
        self._fetcher = fetcher

    async def list(self, request: pb.ListRoundsRequest) -> pb.ListRoundsResponse:
        """
        Return the selected rounds.

        Raises:
            InvalidInput: naming the field that is wrong.
            DatabaseUnavailable: when they cannot be read.
        """
        chosen = [
            name
            for name, given in (
                ("contract_round", request.contract_round),
                ("epoch", request.epoch),
                ("until", request.HasField("until")),
                ("after", request.HasField("after")),
            )
            if given
        ]
        if len(chosen) > 1:
            raise InvalidInput(chosen[1], "a value", f"none beside {chosen[0]}")
        if request.most > _MOST:
            raise InvalidInput("most", request.most, f"0 to {_MOST}")
        if "\0" in request.name:
            raise InvalidInput("name", request.name, "a job's name")
        if request.contract_round > _LARGEST:
            raise InvalidInput("contract_round", request.contract_round, f"0 to {_LARGEST}")
        most, store = request.most or 1, self._store
        if request.contract_round:
            found = await store.of_contract_round(request.name, request.contract_round, most)
        elif request.epoch:
            if request.round > 255:
                raise InvalidInput("round", request.round, "0 to 255")
            found = await store.of_epoch(request.name, request.epoch, request.round, most)
        elif request.HasField("after"):
            found = await store.after(request.name, most, _ms("after", request.after))
        else:
            until_ms = _ms("until", request.until) if request.HasField("until") else None
            found = await store.newest(request.name, most, until_ms)
        return pb.ListRoundsResponse(rounds=found, kept=await store.count(request.name))

    async def replay(self, request: pb.ReplayRoundRequest) -> pb.ReplayRoundResponse:
        """
        Return what is kept of a round beside what the running code makes of it.

        Raises:
            NotFound: when the job or the round is none of this node.
            FailedPrecondition: when nothing is kept of it that could be replayed.
        """
        pipeline = self._pipeline_of(request.name)
        if pipeline is None:
            raise NotFound("oracle job", request.name)
        name = f"{request.name} {request.epoch}/{request.round}"
        if request.round > 255:
            raise InvalidInput("round", request.round, "0 to 255")
        records = await self._store.of_epoch(request.name, request.epoch, request.round, _CONFIGURATIONS)
        for record in records:
            if record.config_digest == request.config_digest or not request.config_digest:
                return await replay(record, pipeline, self._fetcher)
        raise NotFound("kept round", name)


def _ms(field: str, time: Timestamp) -> int:
    found = time.seconds * 1000 + time.nanos // 1_000_000
    if not 0 <= found < _LARGEST:
        raise InvalidInput(field, found, f"a time from 1970 on, in milliseconds 0 to {_LARGEST}")
    return found
