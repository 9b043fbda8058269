"""Taken ports are named with their holder."""

import os
import socket
from collections.abc import Iterator
from dataclasses import replace

import psutil
import pytest

from services.supervisor.errors import PortInUse
from services.supervisor.process.port_check import check_ports, holder
from tests.supervisor.fakes import sleeper


@pytest.fixture(name="taken", params=["127.0.0.1", "0.0.0.0"])
def _taken(request: pytest.FixtureRequest) -> Iterator[int]:
    with socket.create_server((request.param, 0)) as server:
        yield server.getsockname()[1]


def test_names_port_service_and_holder(taken: int) -> None:
    """A listener on loopback or on every address is found, with its pid and command."""
    with pytest.raises(PortInUse) as caught:
        check_ports([sleeper("free"), replace(sleeper("wanting"), ports=(taken,))])

    assert (taken, "wanting") == (caught.value.port, caught.value.service)
    assert caught.value.holder.startswith(f"pid {os.getpid()} (")
    assert " ".join(psutil.Process().cmdline())[:40] in caught.value.holder
    assert f"port {taken} on 127.0.0.1, wanted by wanting, is in use" in str(caught.value)


def test_free_ports_pass_and_stay_free() -> None:
    """The look leaves nothing that holds the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    spec = replace(sleeper("a"), ports=(port,))
    check_ports([spec])
    check_ports([spec])
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_nobody_holds_a_free_port() -> None:
    """A holder that cannot be seen is called unknown."""
    assert "unknown" == holder(1)
