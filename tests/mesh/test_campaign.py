"""Outages in their full length, against a mesh of their own."""

import time
from collections.abc import Iterator

import pytest

from tests.mesh.outages import Moments, following, kill_leader, recovers, without
from tests.mesh.running import Mesh, running

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(1800)]

FEEDS = ("BTC / USD", "ETH / USD", "EUR / USD")
_MINUTES = 8


@pytest.fixture(name="mesh", scope="module")
def _mesh() -> Iterator[Mesh]:
    with running() as mesh:
        mesh.first_rounds(FEEDS, 120)
        yield mesh


@pytest.fixture(name="moments", scope="module")
def _moments(mesh: Mesh) -> Iterator[Moments]:
    with following(mesh) as moments:
        yield moments


def test_leader_killed_each_minute(mesh: Mesh, moments: Moments) -> None:
    """While the leader is killed each minute, rounds of every feed are back within two epochs each time."""
    for _ in range(_MINUTES):
        next_s = time.monotonic() + 60
        recovers(moments, FEEDS, kill_leader(mesh, moments, FEEDS[0]))
        time.sleep(max(0.0, next_s - time.monotonic()))


def test_chain_lost_for_a_minute(mesh: Mesh, moments: Moments) -> None:
    """After a minute without the chain, rounds of every feed reach it within two epochs."""
    recovers(moments, FEEDS, without(mesh, "devchain", 60))
