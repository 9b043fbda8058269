"""
Files of contract addresses as existing deployments have them (`feed-cas.json`): feed name → address by chain id.

The levels may stand the other way round, and a file of one chain may leave the chain out.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

FILE_NAME: Final = "feed-cas.json"
"""The name it is looked for by in the directory of templates."""
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")


@dataclass(frozen=True, slots=True)
class ContractAddresses:
    """
    Hold what a file says of one chain.

    Attributes:
        addresses: By the name that the file gives, a feed's or a template's file name without its suffix.
        elsewhere: Names that it gives addresses of on other chains only.
    """

    addresses: Mapping[str, str]
    elsewhere: frozenset[str] = frozenset()


class BadAddresses(ValueError):
    """A file is none of contract addresses; the message says where, what was found and what is allowed."""


def read(path: Path, chain_id: int) -> ContractAddresses:
    """Read a file. Raises BadAddresses, also for one that cannot be read."""
    try:
        document = orjson.loads(path.read_bytes())
    except OSError as error:
        raise BadAddresses(f"{path} cannot be read ({type(error).__name__})") from error
    except orjson.JSONDecodeError as error:
        raise BadAddresses(f"{path} is no JSON: {error}") from error
    return of(document, chain_id)


def of(document: Any, chain_id: int) -> ContractAddresses:
    """Return what a document says of a chain. Raises BadAddresses."""
    if not isinstance(document, dict):
        raise BadAddresses("no object; allowed: feed names with addresses by chain id")
    here: dict[str, str] = {}
    elsewhere: set[str] = set()
    for outer, value in document.items():
        if isinstance(value, str):
            here[outer] = _address(value, outer)
            continue
        if not isinstance(value, dict):
            raise BadAddresses(f"{outer}: no object and no address")
        for inner, below in value.items():
            name, chain = (inner, outer) if outer.isdecimal() else (outer, inner)
            if not chain.isdecimal():
                raise BadAddresses(f"{outer}.{inner}: neither of the two is the id of a chain")
            address = _address(below, f"{outer}.{inner}")
            if int(chain) == chain_id:
                here[name] = address
            else:
                elsewhere.add(name)
    return ContractAddresses(here, frozenset(elsewhere - here.keys()))


def _address(value: object, where: str) -> str:
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        raise BadAddresses(f"{where}: {value!r:.60} is no address: 0x and 40 hexadecimal digits")
    return value
