"""Whom a job meets its peers through."""

from types import SimpleNamespace
from typing import cast

import pytest

from services.oracle.jobs.peer_groups import PeerGroups
from services.oracle.ocr.running.limits import peer_limits
from services.oracle.p2p.host import Host
from services.oracle.settings import P2pSettings
from tests.oracle.ocr.committee import make_committee

SETTINGS = P2pSettings.read(
    {"IncomingMessageBufferSize": 7, "V2": {"DefaultBootstrappers": ["one@a:1/b:2", "own@c:3", "one@d:4"]}}
)


class _Host:
    """Be a host that notes what it joins and leaves."""

    peer_id = "own"

    def __init__(self) -> None:
        self.joined: list[object] = []

    def register_group(self, digest: bytes, peers: object, bootstrappers: object, limits: object) -> None:
        self.joined.append((digest, peers, bootstrappers, limits))

    def unregister_group(self, digest: bytes) -> None:
        self.joined.append(digest)


def test_bootstrappers() -> None:
    """A job's locators count, else those of config.toml; addresses of one peer are joined, oneself is left out."""
    groups = PeerGroups(cast(Host, SimpleNamespace(peer_id="own")), SETTINGS)

    assert {"one": ["a:1", "b:2", "d:4"]} == groups.bootstrappers(())
    assert {"two": ["e:5"]} == groups.bootstrappers(("two@e:5",))


def test_a_group_is_left() -> None:
    """A group is joined with the limits of its configuration, and left whatever happens in it."""
    host, public = _Host(), make_committee().public
    groups = PeerGroups(cast(Host, host), SETTINGS)

    def fail_within() -> None:
        with groups.joined(public, {"one": ["a:1"]}) as network:
            assert network is None
            raise ValueError("within")

    with pytest.raises(ValueError, match="within"):
        fail_within()

    joined, left = host.joined
    limits = peer_limits(public.offchain)
    assert (public.config_digest, public.offchain.peer_ids, {"one": ["a:1"]}) == joined[:3]  # type: ignore[index]
    assert (limits.messages_rate, 7) == (joined[3].messages_rate, joined[3].buffered)  # type: ignore[index]
    assert public.config_digest == left
