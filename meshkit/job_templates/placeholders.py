"""
The placeholders of job templates, `$JOB_CA` or `${JOB_CA}`, and how each node's values take their places.

A value is written as the place demands: as it is inside quotes and pipelines, as a TOML value elsewhere.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

NAMES: Final = (
    *("JOB_CA", "EVM_CHAIN_ID", "IS_BOOTSTRAP", "P2P_PEER_ID", "P2P_BOOTSTRAP_PEERS", "OCR_KEY_BUNDLE_ID"),
    *("TRANSMITTER_ADDRESS", "PRICE_AGGREGATOR_PORT"),
)
# Not `$(task)`, which is the result of another task of the pipeline.
_PLACEHOLDER: Final = re.compile(r"\$(?:\{(?P<braced>\w+)\}|(?P<bare>[A-Za-z_]\w*))")
_LONG_STRING: Final = re.compile(r'"""[\s\S]*?(?:"""|\Z)|\'\'\'[\s\S]*?(?:\'\'\'|\Z)')
_SHORT_STRING: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'')


@dataclass(frozen=True, slots=True)
class JobValues:
    """
    Hold what one node's job for one contract has in the places of the placeholders.

    `bootstrap_peers` are locators, `PEERID@HOST:PORT`.
    """

    contract_address: str
    chain_id: int
    is_bootstrap: bool
    peer_id: str
    bootstrap_peers: tuple[str, ...]
    key_bundle_id: str
    transmitter_address: str
    aggregator_port: int

    def of(self, name: str) -> str | int | bool | tuple[str, ...]:
        """Return the value of a placeholder. Raises KeyError for a name that is none."""
        values: dict[str, str | int | bool | tuple[str, ...]] = {
            "JOB_CA": self.contract_address,
            "EVM_CHAIN_ID": self.chain_id,
            "IS_BOOTSTRAP": self.is_bootstrap,
            "P2P_PEER_ID": self.peer_id,
            "P2P_BOOTSTRAP_PEERS": self.bootstrap_peers,
            "OCR_KEY_BUNDLE_ID": self.key_bundle_id,
            "TRANSMITTER_ADDRESS": self.transmitter_address,
            "PRICE_AGGREGATOR_PORT": self.aggregator_port,
        }
        return values[name]


ANY_VALUES: Final = JobValues("0x" + "0" * 40, 1, False, "", (), "", "0x" + "0" * 40, 1)
"""Values to read a template with when it is for no node yet."""


def unknown_in(text: str) -> tuple[str, ...]:
    """Return the placeholders of a text that nothing takes the place of, each once."""
    found = (match["braced"] or match["bare"] for match in _PLACEHOLDER.finditer(text))
    return tuple(dict.fromkeys(name for name in found if name not in NAMES))


def known_in(text: str) -> tuple[str, ...]:
    """Return the placeholders of a text that have values, each time they are there, in their order."""
    found = (match["braced"] or match["bare"] for match in _PLACEHOLDER.finditer(text))
    return tuple(name for name in found if name in NAMES)


def filled(text: str, values: JobValues) -> str:
    """Return a template's text with a node's values; a placeholder that is none stays."""
    pieces: list[str] = []
    at = 0
    strings = list(_strings(text))
    for match in _PLACEHOLDER.finditer(text):
        name = match["braced"] or match["bare"]
        if name not in NAMES:
            continue
        quote = next((mark for start, end, mark in strings if start <= match.start() < end), "")
        line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
        pieces += [text[at : match.start()], _written(values.of(name), quote, in_list="[" in line)]
        at = match.end()
    return "".join((*pieces, text[at:]))


def _strings(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield begin, end and mark of every string: `"` or `'`, and three of them for one of several lines."""
    at = 0
    for long in (*_LONG_STRING.finditer(text), None):
        end = len(text) if long is None else long.start()
        for short in _SHORT_STRING.finditer(text, at, end):
            yield short.start(), short.end(), short[0][0]
        if long is not None:
            yield long.start(), long.end(), long[0][:3]
            at = long.end()


def _written(value: str | int | bool | tuple[str, ...], quote: str, *, in_list: bool) -> str:
    if isinstance(value, tuple):
        if quote:
            return f"{quote}, {quote}".join(value) if in_list and len(quote) == 1 else ",".join(value)
        items = ", ".join(json.dumps(item) for item in value)
        return items if in_list else f"[{items}]"
    if quote:
        return json.dumps(value) if isinstance(value, bool) else str(value)
    return json.dumps(value)
