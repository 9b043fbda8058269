"""A node's config.toml as it runs on a machine of its own: where it listens for its peers, and what it tells them."""

import asyncio
import ipaddress
import socket
from pathlib import Path
from typing import Final

import tomlkit
from tomlkit.exceptions import TOMLKitError

from cli.errors import CliError
from meshkit import atomic_file
from meshkit.mutual_tls.tunnel import Address

# Names of a machine that has only just been made may take a while to be known.
_RESOLVE_S: Final = 30.0
_RETRY_S: Final = 1.0


async def write(source: Path, target: Path, listen: str, peers_at: Address | None) -> None:
    """
    Write the file that the operator made, with the addresses of this machine in it where it is spread out.

    Nodes can announce numeric addresses only, so a name is resolved, at each start anew. Raises CliError.
    """
    try:
        text = source.read_text()
        if peers_at is not None:
            numeric = await _numeric(peers_at)
            text = with_addresses(text, str(Address(listen, peers_at.port)), str(numeric))
    except (OSError, UnicodeDecodeError, TOMLKitError) as error:
        hint = "the operator writes it; see `feedmesh prepare`"
        raise CliError(f"{source} cannot be used: {getattr(error, 'strerror', None) or error}", hint) from error
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    atomic_file.replace(target, text, 0o600, durable=False)


def with_addresses(text: str, listen: str, announce: str) -> str:
    """Return a config.toml with these addresses for peers; all else stays as it is."""
    document = tomlkit.parse(text)
    v2 = document.setdefault("P2P", tomlkit.table()).setdefault("V2", tomlkit.table())
    v2["ListenAddresses"] = [listen]
    v2["AnnounceAddresses"] = [announce]
    return tomlkit.dumps(document)


async def _numeric(address: Address) -> Address:
    try:
        return Address(str(ipaddress.ip_address(address.host)), address.port)
    except ValueError:
        pass
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_RESOLVE_S):
            while True:
                try:
                    found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
                    return Address(str(found[0][4][0]), address.port)
                except socket.gaierror:
                    await asyncio.sleep(_RETRY_S)
    except TimeoutError:
        raise CliError(
            f"solution.mesh.network.nodeHosts: {address.host} has no address after {_RESOLVE_S:.0f} s"
        ) from None
