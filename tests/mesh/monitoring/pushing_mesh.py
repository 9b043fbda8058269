"""A mesh that pushes what it measures, and how it is hurt."""

import contextlib
import json
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cli.embedded import profile
from tests.mesh.running import Mesh, free_port_offset, own_directory, stopping


@contextlib.contextmanager
def pushing_mesh(feeds: Sequence[str], push: Mapping[str, Any], nodes: int = 5, **changes: Any) -> Iterator[Mesh]:
    """Give an embedded mesh with a section `metricsPush`, and with other keys of `solution` changed."""
    with own_directory() as directory:
        offset = free_port_offset()
        config = profile.write(directory / "data", directory / "run", nodes, feeds, offset)
        document = json.loads(config.read_text())
        document["solution"] |= {"metricsPush": {"enabled": True, **push}, **changes}
        config.write_text(json.dumps(document))
        with stopping(Mesh(directory, offset, config=config)) as mesh:
            yield mesh


class Market:
    """The control of a mesh's simulated market."""

    def __init__(self, mesh: Mesh) -> None:
        self._url = f"http://127.0.0.1:{8600 + mesh.offset}/control"

    def sources(self) -> list[str]:
        """Return the names of its sources."""
        return list(json.loads(self._ask("GET", "")))

    def hurt(self, source: str, **fault: Any) -> None:
        """Give a source a fault in the place of the one that it has."""
        self._ask("POST", f"/{source}", fault)

    def heal(self) -> None:
        """Take all faults away."""
        self._ask("DELETE", "")

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(
            urllib.request.Request(self._url + path, data=data, method=method), timeout=20
        ) as answer:
            read: bytes = answer.read()
            return read


def set_balance(mesh: Mesh, address: str, wei: int) -> None:
    """Give an account of the local chain so much money."""
    call = {"jsonrpc": "2.0", "id": 1, "method": "anvil_setBalance", "params": [address, hex(wei)]}
    request = urllib.request.Request(
        f"http://127.0.0.1:{8545 + mesh.offset}",
        data=json.dumps(call).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        said = json.load(answer)
    assert "error" not in said, said
