"""Storms: many random ways to hurt a committee, of which none may make it lie, and none may stop it for good."""

import pytest

from chainlink.keys.ocr1 import OracleKeys
from services.oracle.ocr.config import SharedConfig
from services.oracle.ocr.protocol.attestation import Attestation
from services.oracle.ocr.protocol.follower import Follower
from services.oracle.ocr.protocol.pacemaker import Pacemaker
from services.oracle.ocr.state import SignedRound
from tests.oracle.ocr.storm import Violated, draw, run

pytestmark = pytest.mark.long(20)

CHUNK = 25
CHUNKS = 8
_honest_init = Follower.__init__


def _init_without_memory(
    self: Follower, config: SharedConfig, keys: OracleKeys, epoch: int, leader: int, _signed: SignedRound | None
) -> None:
    _honest_init(self, config, keys, epoch, leader, None)


@pytest.mark.parametrize("first", range(0, CHUNK * CHUNKS, CHUNK))
def test_storms(first: int) -> None:
    """Safety holds all the time, and rounds come again once the network is good."""
    for seed in range(first, first + CHUNK):
        run(draw(seed))


@pytest.mark.parametrize("n", [4, 7, 16, 31])
def test_every_size(n: int) -> None:
    """The same holds for committees of every size."""
    run(draw(1001, n))


def test_storm_is_the_same_again() -> None:
    """A seed always gives the same run, so that a failure can be looked at."""
    one, other = run(draw(3)), run(draw(3))

    assert one.contract.accepted
    assert one.contract.accepted == other.contract.accepted
    assert one.traces == other.traces


@pytest.mark.parametrize(
    ("part", "broken"),
    [
        (Attestation, {"flaw_of": lambda _self, _observations: ""}),
        (Attestation, {"is_attested": lambda _self, _report: True}),
        (Pacemaker, {"on_resend": lambda _self: []}),
        (Follower, {"__init__": _init_without_memory}),
    ],
    ids=["blind signing", "unchecked finals", "no resend", "no memory"],
)
def test_storms_find_defects(monkeypatch: pytest.MonkeyPatch, part: type, broken: dict[str, object]) -> None:
    """Oracles with a defect are found out, with the seed to replay."""
    for name, function in broken.items():
        monkeypatch.setattr(part, name, function)
    storms = (draw(seed, 4) for seed in range(CHUNK * CHUNKS))
    with pytest.raises(Violated, match=r"replay: python -m tests\.oracle\.ocr\.storm \d+"):
        all(run(storm) for storm in storms)
