"""Where services are elsewhere: what is refused, and in which words."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from meshkit.configuration.network import Network

HOSTS = {"aggregatorHost": "a", "operatorHost": "o", "nodeHosts": ["n1", "n2", "n3", "n4", "n5"]}


def test_absent_is_one_machine() -> None:
    """Without a word of it everything is on one machine and listens on loopback."""
    found = Network()
    assert (False, "127.0.0.1", None) == (found.is_spread_out, found.listen_address, found.tls_directory)


def test_the_variable_overrides_the_directory() -> None:
    """The directory of certificates is the machine's own where its environment names one."""
    found = Network.model_validate({"tlsDirectory": "/etc/tls", "listenAddress": "0.0.0.0", **HOSTS})
    assert found.is_spread_out
    assert Path("/etc/tls") == found.certificates_in({"FEEDMESH_TLS_DIR": ""})
    assert Path("/own") == found.certificates_in({"FEEDMESH_TLS_DIR": "/own"})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"listenAddress": "0.0.0.0"}, "listenAddress is 0.0.0.0, beyond loopback"),
        ({"listenAddress": "::"}, "listenAddress is ::, beyond loopback"),
        ({"listenAddress": "10.0.0.1"}, "allowed with tlsDirectory only"),
        ({"listenAddress": "mesh.example"}, "found 'mesh.example', allowed: a numeric address"),
        (HOSTS, "nodeHosts is set, which is allowed with tlsDirectory only"),
        ({"tlsDirectory": "/t", "nodeHosts": ["a"]}, "aggregatorHost and operatorHost must be too"),
        ({"tlsDirectory": "/t", "aggregatorHost": "https://a"}, "aggregatorHost"),
        ({"tlsDirectory": "/t", "aggregatorHost": "a:3443"}, "aggregatorHost"),
        ({"tlsDirectory": "/t", "aggregatorHost": "a b"}, "aggregatorHost"),
        ({"ports": {"aggregatorHttps": 0}}, "aggregatorHttps"),
    ],
)
def test_refused(given: dict[str, Any], said: str) -> None:
    """What would listen beyond loopback without certificates, or is incomplete, is refused with what is allowed."""
    with pytest.raises(ValidationError, match=said):
        Network.model_validate(given)
