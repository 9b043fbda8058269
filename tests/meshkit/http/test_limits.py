"""Whom a connection counts for, and how many each may have."""

import pytest

from meshkit.http.limits import LOOPBACK, HttpLimits, peer_of

# 30 oracles with a hundred connections each, which is what a client of aiohttp's keeps at most.
MESH = 30 * 100


@pytest.mark.parametrize(
    ("address", "peer"),
    [
        (("127.0.0.1", 5), LOOPBACK),
        (("127.9.8.7", 5), LOOPBACK),
        (("::1", 5, 0, 0), LOOPBACK),
        (("::ffff:127.0.0.1", 5, 0, 0), LOOPBACK),
        ("", LOOPBACK),
        (None, LOOPBACK),
        (("192.0.2.7", 5), "192.0.2.7"),
        (("::ffff:192.0.2.7", 5, 0, 0), "192.0.2.7"),
        (("2001:db8::1:2", 5, 0, 0), "2001:db8::/64"),
        (("fe80::1%eth0", 5, 0, 2), "fe80::/64"),
    ],
)
def test_addresses_that_one_peer_has_are_one(address: object, peer: str) -> None:
    """All of loopback is one peer, so is what comes without an address, and an IPv6 network."""
    assert peer == peer_of(address)


def test_this_machine_may_have_what_a_mesh_needs() -> None:
    """A mesh of 31 nodes has room where files are not scarce; strangers have less."""
    limits = HttpLimits(connections=4096)

    assert MESH < limits.of_peer(LOOPBACK)
    assert 256 == limits.of_peer("192.0.2.7")
    assert 8 == HttpLimits(connections=8).of_peer("192.0.2.7")


def test_there_are_never_more_than_half_of_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a process may open few files, half of them stay for what the answers need."""
    monkeypatch.setattr("resource.getrlimit", lambda _what: (1024, 4096))

    assert 512 == HttpLimits().connections
