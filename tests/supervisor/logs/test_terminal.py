"""Standard output behind a bounded queue."""

import os
import select
import time

from services.supervisor.logs.terminal import Terminal


def test_everything_is_written_in_order() -> None:
    """What fits the queue reaches the descriptor by the time of close."""
    read_end, write_end = os.pipe()
    terminal = Terminal(write_end)
    for number in range(100):
        terminal.write(b"%d\n" % number)
    terminal.close()
    os.close(write_end)
    with os.fdopen(read_end, "rb") as reader:
        assert b"".join(b"%d\n" % number for number in range(100)) == reader.read()


def test_a_reader_that_stands_still_never_blocks() -> None:
    """Writes return at once, the surplus is dropped, and its count is told when the reader goes on."""
    read_end, write_end = os.pipe()
    terminal = Terminal(write_end, limit_bytes=100_000)
    line = b"x" * 99 + b"\n"
    began = time.monotonic()
    for _ in range(10_000):
        terminal.write(line)
    took_s = time.monotonic() - began
    received = b""
    # The pipe, the text in flight and the queue are what was kept.
    while len(received) < 100_000:
        received += os.read(read_end, 1_000_000)
    later = 0
    while b"not shown" not in received:
        terminal.write(b"later\n")
        later += 1
        # A moment later it may be written: until the queue is known to be empty this text is dropped as well.
        if select.select([read_end], [], [], 0.01)[0]:
            received += os.read(read_end, 1_000_000)
    terminal.close()
    os.close(write_end)
    while rest := os.read(read_end, 1_000_000):
        received += rest
    os.close(read_end)
    notice = next(line for line in received.splitlines() if b"not shown" in line)
    dropped = int(notice.split()[1])

    assert took_s < 2
    assert 10_000 + later == received.count(line) + received.count(b"later\n") + dropped


def test_a_reader_that_is_gone_is_no_error() -> None:
    """A closed pipe swallows the text, and close still returns."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    terminal = Terminal(write_end)
    terminal.write(b"lost\n")
    terminal.close()
    os.close(write_end)
