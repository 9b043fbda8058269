"""
The blocks since the last snapshots, so that a snapshot may be old without anything being lost.

One JSON line a block: its number, time and raw transactions. Executing the same transactions in the same order at the
same times on the snapshot's state gives the same receipts, logs and nonces again. Files: `journal.jsonl` since the last
snapshot, `journal.previous.jsonl` between the previous one and the last. Not synced: it must survive processes, not a
power cut, after which the snapshots serve.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson


@dataclass(frozen=True, slots=True)
class Block:
    """Hold what a block was made of; the transactions are 0x-prefixed hex, in their order."""

    number: int
    timestamp_s: int
    transactions: tuple[str, ...]


def continuation(blocks: Iterable[Block], height: int) -> list[Block]:
    """Return the unbroken run of blocks after `height`; a block noted later replaces itself and all above it."""
    known: list[Block] = []
    for block in blocks:
        while known and known[-1].number >= block.number:
            known.pop()
        known.append(block)
    run: list[Block] = []
    for block in known:
        if block.number == height + 1 + len(run):
            run.append(block)
    return run


class Journal:
    """Keep the two journal files in a directory that is there."""

    def __init__(self, directory: Path) -> None:
        self._current = directory / "journal.jsonl"
        self._previous = directory / "journal.previous.jsonl"

    def append(self, blocks: Iterable[Block]) -> None:
        """Add blocks; a line that a kill left unfinished is closed first."""
        with self._current.open("ab+") as file:
            if file.tell():
                file.seek(-1, 2)
                if file.read() != b"\n":
                    file.write(b"\n")
            file.writelines(orjson.dumps(asdict(block), option=orjson.OPT_APPEND_NEWLINE) for block in blocks)

    def rotate(self) -> None:
        """Start a new file after a snapshot was written."""
        if self._current.exists():
            self._current.replace(self._previous)

    def after(self, height: int) -> list[Block]:
        """Return the unbroken run of blocks after `height`."""
        return continuation([*_read(self._previous), *_read(self._current)], height)


def _read(path: Path) -> Iterable[Block]:
    if not path.exists():
        return
    for line in path.read_bytes().splitlines():
        try:
            fields = orjson.loads(line)
            yield Block(fields["number"], fields["timestamp_s"], tuple(fields["transactions"]))
        except (orjson.JSONDecodeError, KeyError, TypeError):
            # Half a line: the process was killed while it wrote. What follows is judged by its numbers.
            continue
