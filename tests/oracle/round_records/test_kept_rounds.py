"""What is answered of kept rounds over gRPC, and what is refused."""

from typing import Any

import pytest

from feedmesh.oracle.v1 import oracle_service_pb2 as pb
from meshkit.errors import InvalidInput, NotFound
from services.oracle.pipeline.fetch import Fetcher
from services.oracle.pipeline.graph import Pipeline
from services.oracle.round_records.kept_rounds import KeptRounds

PIPELINE = Pipeline.parse('ask [type=bridge name=quotes]; price [type=jsonparse path="result"]; ask -> price')
DIGEST = "cd" * 16


class _Store:
    """Tell how it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []

    async def count(self, _name: str) -> int:
        return 3

    async def newest(self, *asked: object) -> list[pb.RoundRecord]:
        self.asked.append(("newest", *asked))
        return []

    async def after(self, *asked: object) -> list[pb.RoundRecord]:
        self.asked.append(("after", *asked))
        return []

    async def of_contract_round(self, *asked: object) -> list[pb.RoundRecord]:
        self.asked.append(("of_contract_round", *asked))
        return []

    async def of_epoch(self, *asked: object) -> list[pb.RoundRecord]:
        self.asked.append(("of_epoch", *asked))
        body = pb.BridgeAnswer(task="ask", body='{"result":"7"}')
        seen = pb.RoundMoment(stage=pb.ROUND_STAGE_OBSERVED, value="7", answers=[body])
        return [
            pb.RoundRecord(name="A", config_digest="ab" * 16, moments=[]),
            pb.RoundRecord(name="A", config_digest=DIGEST, moments=[seen]),
        ]


@pytest.fixture(name="store")
def _store() -> _Store:
    return _Store()


@pytest.fixture(name="rounds")
def _rounds(store: _Store) -> KeptRounds:
    nobody: Any = None
    fetcher = Fetcher(nobody, lambda _name: None, default_timeout_s=5, max_bytes=4096)
    stored: Any = store
    return KeptRounds(stored, lambda name: PIPELINE if name == "A" else None, fetcher)


def at(field: str, time_ms: int) -> pb.ListRoundsRequest:
    """Return a request with a time."""
    request = pb.ListRoundsRequest(name="A")
    getattr(request, field).FromMilliseconds(time_ms)
    return request


async def test_each_selection_asks_in_its_way(rounds: KeptRounds, store: _Store) -> None:
    """Number, place, times and none of them are each asked for as what they are; one round where no number is given."""
    for request in (
        pb.ListRoundsRequest(name="A"),
        pb.ListRoundsRequest(name="A", contract_round=9, most=5),
        pb.ListRoundsRequest(name="A", epoch=4, round=2),
        at("until", 5_000),
        at("after", 6_000),
    ):
        assert 3 == (await rounds.list(request)).kept

    assert [
        ("newest", "A", 1, None),
        ("of_contract_round", "A", 9, 5),
        ("of_epoch", "A", 4, 2, 1),
        ("newest", "A", 1, 5_000),
        ("after", "A", 1, 6_000),
    ] == store.asked


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.ListRoundsRequest(name="A", epoch=1, contract_round=1), "epoch"),
        (pb.ListRoundsRequest(name="A", most=501), "most"),
        (pb.ListRoundsRequest(name="A\0"), "name"),
        (pb.ListRoundsRequest(name="A", contract_round=2**63), "contract_round"),
        (pb.ListRoundsRequest(name="A", epoch=1, round=256), "round"),
        (at("until", -1), "until"),
    ],
)
async def test_what_selects_nothing_is_named(rounds: KeptRounds, request_: pb.ListRoundsRequest, field: str) -> None:
    """Two selections at once, and values that no round can have, are refused by their fields."""
    with pytest.raises(InvalidInput) as caught:
        await rounds.list(request_)

    assert field == caught.value.field


async def test_the_round_of_the_asked_configuration_is_replayed(rounds: KeptRounds) -> None:
    """Of two configurations with a round of that place, the one that is asked for is replayed."""
    found = await rounds.replay(pb.ReplayRoundRequest(name="A", config_digest=DIGEST, epoch=1, round=1))

    assert ("7", "7") == (found.observation, found.replayed_observation)


@pytest.mark.parametrize(
    "request_",
    [pb.ReplayRoundRequest(name="B"), pb.ReplayRoundRequest(name="A", config_digest="ef" * 16, epoch=1, round=1)],
)
async def test_what_is_not_kept_is_not_found(rounds: KeptRounds, request_: pb.ReplayRoundRequest) -> None:
    """A job that does not run, and a round that is not kept, are each NotFound."""
    with pytest.raises(NotFound):
        await rounds.replay(request_)
