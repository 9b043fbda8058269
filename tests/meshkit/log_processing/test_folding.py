"""What is written of what is logged again and again."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from meshkit.clock import ManualClock
from meshkit.log_processing.folding import Folding


class _Log:
    """A log that is folded, on a manual clock; `written` has the events and what they count."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.written: list[tuple[str, int]] = []
        self._folding = Folding(self.clock.monotonic)

    def add(self, event: str, level: str = "warning", **fields: Any) -> bool:
        """Log an event; return whether it was written."""
        logged = {"event": event, "level": level, **fields}
        if not self._folding.written(logged):
            return False
        assert not {"folded_over", "ends"} & logged.keys()
        self.written.append((event, logged.get("repeated", 0)))
        return True


def test_what_goes_on_is_one_line_and_a_count_at_growing_distances() -> None:
    """A failure each second for an hour is a line at once, after one minute, two more, four more, and so on."""
    log, at_s = _Log(), []
    for second in range(3600):
        if log.add("chain_lost", error=f"no answer after {second} s"):
            at_s.append(second)
        log.clock.advance(1)

    assert [0, 60, 180, 420, 900, 1860] == at_s
    assert [("chain_lost", 0), ("chain_lost", 59), ("chain_lost", 119)] == log.written[:3]


def test_what_differs_is_not_folded() -> None:
    """Another event, another field or other words are news; numbers within the words are not."""
    log = _Log()
    news = [
        log.add("no_price", pair="BTC/USD", error="timed out after 3 s"),
        log.add("no_price", pair="ETH/USD", error="timed out after 3 s"),
        log.add("no_price", pair="BTC/USD", error="refused"),
        log.add("other", pair="BTC/USD", error="timed out after 3 s"),
        log.add("no_price", pair="BTC/USD", error="timed out after 4 s"),
        log.add("transaction_not_taken", nonce=7),
        log.add("transaction_not_taken", nonce=8),
    ]

    assert [True, True, True, True, False, True, True] == news


def test_a_fault_of_every_feed_is_one_line_and_ends_with_one() -> None:
    """Where feeds and words are no difference, one line begins it and one ends it, with the number of the others."""
    log = _Log()
    for _ in range(5):
        for feed in ("BTC / USD", "ETH / USD"):
            log.add("call_failed", call="read", feed=feed, error=f"{feed} away", folded_over=("feed", "error"))
    log.add("call_failed", call="write", feed="BTC / USD", error="away", folded_over=("feed", "error"))
    for feed in ("BTC / USD", "ETH / USD"):
        log.add("works_again", "info", call="read", feed=feed, ends="call_failed")

    assert [("call_failed", 0), ("call_failed", 0), ("works_again", 9)] == log.written


def test_what_begins_again_is_a_line_again() -> None:
    """After its end, or after a long silence, a failure is told at once."""
    log = _Log()
    log.add("call_failed", call="read")
    log.add("works_again", "info", call="read", ends="call_failed")
    assert log.add("call_failed", call="read")

    log.clock.advance(200)
    assert log.add("call_failed", call="read")
    assert ("call_failed", 0) == log.written[-1]


def test_what_did_not_fail_does_not_work_again() -> None:
    """An end without a beginning, as the second feed's, is no line."""
    assert not _Log().add("works_again", "info", call="read", ends="call_failed")


def test_another_exception_is_news() -> None:
    """Of a defect that repeats one traceback is written, another defect at the same place has its own."""
    log, written = _Log(), []
    for error in (ValueError("7 is odd"), ValueError("9 is odd"), KeyError("7")):
        try:
            raise error
        except Exception:
            written.append(log.add("step_failed", "error", exc_info=True))
        written.append(log.add("step_failed", "error", exc_info=error))

    assert [True, False, False, False, True, False] == written


def test_information_is_never_folded() -> None:
    """Events that are no warnings are written each time."""
    log = _Log()

    assert all(log.add("round", "info", number=1) for _ in range(3))


@given(gaps_s=st.lists(st.integers(0, 4000), min_size=1, max_size=60))
def test_nothing_is_lost(gaps_s: list[int]) -> None:
    """Every occurrence is a line, is counted by a later one, or is counted by the line that ends it."""
    log = _Log()
    lines = 0
    for gap_s in gaps_s:
        log.clock.advance(gap_s)
        lines += log.add("failed", error="away")
    log.add("well", "info", ends="failed")

    assert len(gaps_s) == lines + sum(count for _, count in log.written)
