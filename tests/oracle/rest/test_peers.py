"""Who is at the other end of a request."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from services.oracle.rest import peers
from services.oracle.rest.peers import Peer, of_addresses


@pytest.fixture(name="connection", params=[(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def _connection(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Give both ends of a connection to this machine: the accepted one and the one that connected."""
    family, host = request.param
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((host, 0), family=family))
        client = stack.enter_context(socket.create_connection(listener.getsockname()[:2]))
        accepted = stack.enter_context(listener.accept()[0])
        yield accepted, client


def test_a_process_of_the_same_user(connection: tuple[socket.socket, socket.socket]) -> None:
    """The kernel says that a local connection comes from this user, and it counts under that."""
    accepted, client = connection
    host = client.getsockname()[0]

    assert Peer(f"{host} uid {os.getuid()}", is_ours=True) == of_addresses(
        accepted.getsockname(), accepted.getpeername()
    )


def test_a_process_of_another_user(
    connection: tuple[socket.socket, socket.socket], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A local connection of another user is not ours and counts apart from ours."""
    accepted, client = connection
    family = client.family
    table = peers._TABLES[socket.AddressFamily(family)].read_text()
    # Both ends: the client's port alone may also be that of another connection of this machine, to somewhere else.
    ends = [peers._hex(socket.AddressFamily(family), end) for end in (client.getsockname(), client.getpeername())]
    lines = table.splitlines()
    at = next(i for i, line in enumerate(lines) if line.split()[1:3] == ends)
    fields = lines[at].split()
    fields[peers._UID_FIELD] = str(os.getuid() + 4711)
    lines[at] = " ".join(fields)
    (tmp_path / "tcp").write_text("\n".join(lines))
    monkeypatch.setitem(peers._TABLES, socket.AddressFamily(family), tmp_path / "tcp")

    found = of_addresses(accepted.getsockname(), accepted.getpeername())

    assert Peer(f"{client.getsockname()[0]} uid {os.getuid() + 4711}", is_ours=False) == found


def test_a_local_connection_that_the_kernel_does_not_know(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A local peer that has hung up, or a system without the table, is nobody's."""
    own, theirs = ("127.0.0.1", 6688), ("127.0.0.1", 1)
    assert not of_addresses(own, theirs).is_ours

    monkeypatch.setitem(peers._TABLES, socket.AF_INET, tmp_path / "none")
    assert Peer("127.0.0.1 uid None") == of_addresses(own, theirs)


@pytest.mark.parametrize(
    ("theirs", "key"),
    [
        (("192.0.2.7", 4711), "192.0.2.7"),
        (("2001:db8:1:2:3:4:5:6", 4711, 0, 0), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 4711, 0, 2), "fe80::/64"),
        (("::ffff:192.0.2.7", 4711, 0, 0), "192.0.2.7"),
    ],
)
def test_a_peer_elsewhere(theirs: tuple[object, ...], key: str) -> None:
    """A peer on another machine counts under its address, of IPv6 under its network, and is never ours."""
    assert Peer(key) == of_addresses(("192.0.2.1", 6688), theirs)
