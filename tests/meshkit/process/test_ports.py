"""Taken ports are named with their holder."""

import errno
import os
import socket
from collections.abc import Iterator

import psutil
import pytest

from meshkit.process import ports
from meshkit.process.ports import PortInUse, binding, check, holder
from tests.ports import free_port


@pytest.fixture(name="taken", params=["127.0.0.1", "0.0.0.0"])
def _taken(request: pytest.FixtureRequest) -> Iterator[int]:
    with socket.create_server((request.param, 0)) as server:
        yield server.getsockname()[1]


def test_names_port_who_wants_it_and_holder(taken: int) -> None:
    """A listener on loopback or on every address is found, with its pid and command."""
    with pytest.raises(PortInUse) as caught:
        check({free_port(): "free", taken: "wanting"})
    (found,) = caught.value.taken

    assert (taken, "wanting") == (found.port, found.wanted_by)
    assert found.holder.startswith(f"pid {os.getpid()} (")
    assert " ".join(psutil.Process().cmdline())[:40] in found.holder
    assert f"port {taken} on 127.0.0.1, wanted by wanting, is in use; held by {found.holder}" == str(caught.value)
    assert str(taken) == caught.value.metadata["ports"]


def test_every_taken_port_is_named() -> None:
    """Somebody who must free two ports learns of both at once."""
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        numbers = [server.getsockname()[1] for server in (first, second)]
        with pytest.raises(PortInUse) as caught:
            check({numbers[0]: "a", numbers[1]: "b"})

    assert numbers == [each.port for each in caught.value.taken]
    assert "wanted by a, is in use" in str(caught.value)
    assert "wanted by b, is in use" in str(caught.value)


def test_a_port_of_ours_is_no_obstacle(taken: int) -> None:
    """What runs already keeps its port through a change of the plan."""
    check({taken: "ours"}, held={taken})


def test_free_ports_pass_and_stay_free() -> None:
    """The look leaves nothing that holds the port."""
    port = free_port()
    check({port: "a"})
    check({port: "a"})
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_nobody_holds_a_free_port() -> None:
    """A holder that cannot be seen is called unknown."""
    assert "unknown" == holder(1)


def test_a_bind_that_fails_names_the_holder(taken: int) -> None:
    """Only an address in use becomes the error; any other passes as it is."""
    said = f"port {taken} on 127.0.0.1, wanted by x, is in use; held by pid {os.getpid()}"
    with pytest.raises(PortInUse, match=said), binding(taken, "x"), socket.socket() as server:
        server.bind((ports.LOOPBACK, taken))
    with pytest.raises(PermissionError), binding(taken, "x"):
        raise PermissionError(errno.EACCES, "not permitted")
