"""Ask the nodes that run here for a round that they keep: which one is meant, and what each has of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import grpc
import grpc.aio

from feedmesh.operator.v1 import operator_service_pb2 as operator_pb
from feedmesh.operator.v1.operator_service_pb2_grpc import OperatorServiceStub
from feedmesh.oracle.v1 import oracle_service_pb2 as pb
from feedmesh.oracle.v1.oracle_service_pb2_grpc import OracleServiceStub
from meshkit import feeds
from meshkit.errors import FailedPrecondition, InvalidInput, MeshError
from meshkit.explain.round_story import RoundStory, put_together, short
from meshkit.explain.selection import Selection
from meshkit.paths import RunDir
from meshkit.rpc.client import channel

if TYPE_CHECKING:
    from feedmesh.oracle.v1.oracle_service_pb2_grpc import OracleServiceAsyncStub

_FOLLOWING = 20
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class KeptRound:
    """Hold what each node keeps of one round, by the node's name, and its story."""

    records: Mapping[str, pb.RoundRecord]
    story: RoundStory


async def ask(run_dir: Path, feed: str, selection: Selection) -> KeptRound:
    """
    Return a round with what all nodes keep of it.

    Raises:
        FailedPrecondition: when no node runs here, or none keeps the round.
        InvalidInput: when no node has a job of that name.
    """
    sockets = node_sockets(run_dir)
    places = await ask_each(sockets, lambda stub: stub.ListJobs(pb.ListJobsRequest()))
    listed = {name: answer for name, answer in places.items() if not isinstance(answer, str)}
    known = _feeds(listed)
    if feed not in known and listed:
        raise InvalidInput("FEED", feed, f"the feeds that run here: {', '.join(known) or 'none yet'}")
    if not listed:
        raise FailedPrecondition(
            "no node gives an answer: " + "; ".join(f"{short(n)}: {why}" for n, why in places.items())
        )
    silent = {name: why for name, why in places.items() if isinstance(why, str)}
    # Who gave no answer once is not asked again: each question would wait for it.
    sockets = {name: socket for name, socket in sockets.items() if name not in silent}
    oracles = await _oracles(run_dir)
    names = oracles | _names(listed, feed)
    wanted = await _which(sockets, feed, selection, silent)
    answers = await ask_each(
        sockets,
        lambda stub: stub.ListRounds(_of(feed, wanted.epoch, wanted.round)),
    )
    records = {
        name: record
        for name, answer in answers.items()
        if not isinstance(answer, str)
        for record in answer.rounds
        if record.config_digest in (wanted.config_digest, "")
    }
    # Bootstrap nodes keep no rounds, and give no answer that says otherwise.
    unheard = {short(name): why for name, why in (silent | answers).items() if isinstance(why, str)}
    running = {short(name) for name in places}
    unheard |= {name: "it does not run" for name in oracles.values() if name not in running}
    decimals = await _decimals(run_dir, feed)
    return KeptRound(
        records,
        put_together(
            records,
            decimals=decimals,
            names=names,
            unheard=unheard,
            later=await _later(sockets, feed, records),
            asked_ms=selection.asked_ms,
            now_ms=round(time.time() * 1000),
        ),
    )


async def _which(
    sockets: Mapping[str, Path], feed: str, selection: Selection, unheard: Mapping[str, str]
) -> pb.RoundRecord:
    request = pb.ListRoundsRequest(
        name=feed, contract_round=selection.contract_round, epoch=selection.epoch, round=selection.round, most=2
    )
    if selection.until_ms is not None:
        request.until.FromMilliseconds(selection.until_ms)
    answers = await ask_each(sockets, lambda stub: stub.ListRounds(request))
    heard = [answer for answer in answers.values() if not isinstance(answer, str)]
    found = [record for answer in heard for record in answer.rounds if record.moments]
    if found:
        return max(found, key=_newness)
    if selection.or_newer:
        return await _which(sockets, feed, Selection(), unheard)
    kept = max((answer.kept for answer in heard), default=0)
    failed = {name: answer for name, answer in answers.items() if isinstance(answer, str)}
    silent = [f"{short(name)}: {why}" for name, why in (dict(unheard) | failed).items()]
    raise FailedPrecondition(
        f"no node keeps that round of {feed}; {kept} rounds are kept"
        + "".join(f"; {each}" for each in silent)
        + " (`feedmesh explain FEED` tells of the last one)"
    )


def _newness(record: pb.RoundRecord) -> tuple[int, int, int, bool]:
    return (record.moments[0].time.ToNanoseconds(), record.epoch, record.round, bool(record.config_digest))


def _of(feed: str, epoch: int, round_number: int) -> pb.ListRoundsRequest:
    return pb.ListRoundsRequest(name=feed, epoch=epoch, round=round_number, most=_FOLLOWING)


async def _later(
    sockets: Mapping[str, Path], feed: str, records: Mapping[str, pb.RoundRecord]
) -> Sequence[pb.RoundRecord]:
    """Return what one node, that which saw most of the round, keeps of what followed."""
    if not records:
        return ()
    name, record = max(records.items(), key=lambda item: len(item[1].moments))
    request = pb.ListRoundsRequest(name=feed, most=_FOLLOWING)
    request.after.FromMilliseconds(record.moments[0].time.ToMilliseconds())
    (answer,) = (await ask_each({name: sockets[name]}, lambda stub: stub.ListRounds(request))).values()
    return () if isinstance(answer, str) else answer.rounds


def _names(listed: Mapping[str, pb.ListJobsResponse], feed: str) -> dict[int, str]:
    return {
        job.oracle_index: short(name)
        for name, answer in listed.items()
        for job in answer.jobs
        if job.name == feed and job.HasField("oracle_index")
    }


def _feeds(listed: Mapping[str, pb.ListJobsResponse]) -> list[str]:
    return sorted({job.name for answer in listed.values() for job in answer.jobs if not job.bootstrap})


async def _oracles(run_dir: Path) -> dict[int, str]:
    """Return the names of all oracles by index, also of those that do not run; none without an operator."""
    try:
        async with channel(RunDir(run_dir.absolute()).socket("operator")) as connection:
            listed = await OperatorServiceStub(connection).ListNodes(operator_pb.ListNodesRequest(), timeout=3)
    except grpc.aio.AioRpcError:
        return {}
    return {node.oracle_index: short(node.name) for node in listed.nodes if node.HasField("oracle_index")}


async def _decimals(run_dir: Path, feed: str) -> int:
    """Return the decimals of a feed's answers: the operator knows them, else the table of known feeds."""
    try:
        async with channel(RunDir(run_dir.absolute()).socket("operator")) as connection:
            listed = await OperatorServiceStub(connection).ListFeeds(operator_pb.ListFeedsRequest(), timeout=3)
        found = next((each.decimals for each in listed.feeds if each.name == feed), None)
    except grpc.aio.AioRpcError:
        found = None
    if found is not None:
        return found
    try:
        return feeds.get(feed).decimals
    except MeshError:
        return 0


def node_sockets(run_dir: Path) -> dict[str, Path]:
    """Return the sockets of the nodes that run here, by the nodes' names; raise FailedPrecondition if there is none."""
    found = {socket.stem: socket for socket in sorted(run_dir.absolute().glob("chainlink-node-*.sock"))}
    if not found:
        raise FailedPrecondition(
            f"no embedded node runs here: {run_dir.absolute()} has no chainlink-node-*.sock"
            " (start a mesh with `feedmesh run`, or give --run-dir; Chainlink's own nodes do not keep their rounds)"
        )
    return found


async def ask_each(
    sockets: Mapping[str, Path], call: "Callable[[OracleServiceAsyncStub], Awaitable[_T]]"
) -> dict[str, _T | str]:
    """Return each node's answer, or why there is none."""

    async def one(socket: Path) -> _T | str:
        try:
            async with channel(socket, timeout_s=10) as connection:
                return await call(OracleServiceStub(connection))
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
                raise
            return "no answer" if error.code() is grpc.StatusCode.UNAVAILABLE else str(error.details())

    answers = await asyncio.gather(*(one(socket) for socket in sockets.values()))
    return dict(zip(sockets, answers, strict=True))
