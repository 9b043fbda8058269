"""The last rounds of a feed that the nodes keep, each with what every node that was asked has of it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from feedmesh.oracle.v1 import oracle_service_pb2 as pb
from meshkit.explain.asking import ask_each, node_sockets
from meshkit.explain.round_story import RoundStory, put_together

# More nodes than these are not asked: all of them took part in the same rounds.
_MOST_ASKED: Final = 13


async def recent_rounds(run_dir: Path, feed: str, most: int, decimals: int) -> list[RoundStory]:
    """
    Return the last rounds, the newest first, at most `most`; none where no node answers.

    Raises:
        FailedPrecondition: when no node runs here.
    """
    sockets = dict(list(node_sockets(run_dir).items())[:_MOST_ASKED])
    request = pb.ListRoundsRequest(name=feed, most=most)
    answers = await ask_each(sockets, lambda stub: stub.ListRounds(request))
    heard = {name: answer.rounds for name, answer in answers.items() if not isinstance(answer, str)}
    return [put_together(records, decimals=decimals) for records in _by_round(heard)[:most]]


def _by_round(heard: Mapping[str, Iterable[pb.RoundRecord]]) -> list[dict[str, pb.RoundRecord]]:
    """Return the nodes' records round by round, the newest first."""
    rounds: dict[tuple[str, int, int], dict[str, pb.RoundRecord]] = {}
    for name, records in heard.items():
        for record in records:
            if record.moments and record.round:
                rounds.setdefault((record.config_digest, record.epoch, record.round), {})[name] = record
    return sorted(rounds.values(), key=_began_ns, reverse=True)


def _began_ns(records: Mapping[str, pb.RoundRecord]) -> int:
    return min(record.moments[0].time.ToNanoseconds() for record in records.values())
