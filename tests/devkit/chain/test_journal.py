"""The journal: what comes back after which snapshot."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from devkit.chain.journal import Block, Journal, continuation


def _block(number: int, mark: int = 0) -> Block:
    return Block(number, 1000 + number, (f"0x{mark:02x}",))


def test_both_files(tmp_path: Path) -> None:
    """After a snapshot the blocks before it stay readable, until the next one."""
    journal = Journal(tmp_path)
    journal.append([_block(1), _block(2)])
    journal.rotate()
    journal.append([_block(3)])

    assert [_block(1), _block(2), _block(3)] == journal.after(0)
    assert [_block(3)] == journal.after(2)
    assert [] == journal.after(3)
    journal.rotate()
    assert [_block(3)] == journal.after(2)
    assert [] == journal.after(0)


def test_half_a_line(tmp_path: Path) -> None:
    """A line that a kill left unfinished costs that block only; later ones are readable again."""
    journal = Journal(tmp_path)
    journal.append([_block(1)])
    with (tmp_path / "journal.jsonl").open("ab") as file:
        file.write(b'{"number":2,"times')
    journal.append([_block(2), _block(3)])

    assert [_block(1), _block(2), _block(3)] == journal.after(0)


def test_rotating_nothing(tmp_path: Path) -> None:
    """Two snapshots without a block between them keep the older blocks."""
    journal = Journal(tmp_path)
    journal.rotate()
    journal.append([_block(1)])
    journal.rotate()
    journal.rotate()

    assert [_block(1)] == journal.after(0)


def test_second_history() -> None:
    """What was noted later is what happened: it replaces itself and everything above it."""
    noted = [_block(1), _block(2), _block(3), _block(2, mark=7)]

    assert [_block(1), _block(2, mark=7)] == continuation(noted, 0)


def test_gap() -> None:
    """Blocks after a gap are of no use."""
    assert [_block(1)] == continuation([_block(1), _block(3), _block(4)], 0)


@given(st.lists(st.tuples(st.integers(1, 8), st.integers(0, 9)), max_size=20), st.integers(0, 8))
def test_unbroken(noted: list[tuple[int, int]], height: int) -> None:
    """The answer always starts right after the height, has no gap, and holds noted blocks only."""
    blocks = [_block(number, mark) for number, mark in noted]

    run = continuation(blocks, height)

    assert list(range(height + 1, height + 1 + len(run))) == [block.number for block in run]
    assert set(run) <= set(blocks)
