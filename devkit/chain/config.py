"""The command line of the development chain."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from meshkit.errors import InvalidInput
from meshkit.ethereum.address import checksummed


@dataclass(frozen=True, slots=True)
class Funding:
    """Hold an account and what it shall have at least, in wei."""

    address: str
    wei: int


@dataclass(frozen=True, slots=True)
class ChainConfig:
    """Hold what the development chain is started with."""

    port: int
    chain_id: int
    block_time_s: int
    state_dir: Path
    funds: tuple[Funding, ...]


def parse(arguments: Sequence[str]) -> ChainConfig:
    """Return the settings of a command line; raises `InvalidInput`, or exits as argparse does."""
    parser = argparse.ArgumentParser(
        prog="python -m devkit.chain", description="Run the local chain and keep its state."
    )
    parser.add_argument("--port", type=int, default=8545, help="JSON-RPC port on 127.0.0.1 (default 8545)")
    parser.add_argument("--chain-id", type=int, default=1337, help="default 1337: the one without minimum OCR timings")
    parser.add_argument("--block-time", type=int, default=1, metavar="SECONDS", help="default 1")
    parser.add_argument("--state-dir", type=Path, required=True, metavar="DIR", help="where snapshots are kept")
    parser.add_argument(
        "--fund", action="append", default=[], metavar="ADDRESS=WEI", help="top this account up at every start"
    )
    given = parser.parse_args(arguments)
    _between("--port", given.port, 1, 65535)
    _between("--chain-id", given.chain_id, 1, 2**32 - 1)
    _between("--block-time", given.block_time, 1, 3600)
    return ChainConfig(
        port=given.port,
        chain_id=given.chain_id,
        block_time_s=given.block_time,
        state_dir=given.state_dir,
        funds=tuple(_funding(text) for text in given.fund),
    )


def _between(field: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise InvalidInput(field, value, f"{least} to {most}")


def _funding(text: str) -> Funding:
    address, _, wei = text.partition("=")
    # Mixed case carries a checksum: funding a mistyped account would only show much later.
    try:
        right = checksummed(address)
    except ValueError:
        right = None
    if right is None or address not in (right, right.lower()):
        raise InvalidInput("--fund", text, "ADDRESS=WEI with a 20-byte hex address, 0x-prefixed, of a right checksum")
    if not (wei.isascii() and wei.isdigit()):
        raise InvalidInput("--fund", text, "ADDRESS=WEI with a whole number of wei")
    return Funding(right, int(wei))
