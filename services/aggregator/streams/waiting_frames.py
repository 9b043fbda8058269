"""
What a socket brought and nobody has read yet: of the prices of one market only the newest.

Reading a message costs several times what taking it off the socket does. So where messages come faster than they can be
read, those wait here, and one that is worth nothing any more is never read.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Frame:
    """Hold a message and when it came: on the monotonic clock, and in Unix milliseconds."""

    data: str | bytes
    heard_at: float
    heard_ms: int


class WaitingFrames:
    """
    Hold frames in the order in which they came.

    A price takes the place of an earlier one of its market, unless something else came between them, which may say
    that the market is halted.

    Args:
        price_frame: Match a whole message that is one price of one market, the one in its group.
    """

    def __init__(self, price_frame: re.Pattern[str] | None) -> None:
        self._price_frame = price_frame
        self._frames: dict[int, Frame] = {}
        self._number_of: dict[str, int] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, frame: Frame) -> bool:
        """Add a frame at the end; tell whether an earlier one went for it."""
        market = self._market(frame.data)
        if market is None:
            self._number_of.clear()
        elif (number := self._number_of.get(market, 0)) in self._frames:
            # It keeps the place in the line, so that no market waits for those that are told of more often.
            self._frames[number] = frame
            return True
        self._count += 1
        self._frames[self._count] = frame
        if market is not None:
            self._number_of[market] = self._count
        return False

    def pop(self) -> Frame | None:
        """Remove and return the first frame; None if there is none."""
        number = next(iter(self._frames), None)
        return None if number is None else self._frames.pop(number)

    def drain(self) -> Iterator[Frame]:
        """Remove and yield all frames."""
        while (frame := self.pop()) is not None:
            yield frame

    def _market(self, data: str | bytes) -> str | None:
        if self._price_frame is None or not isinstance(data, str):
            return None
        match = self._price_frame.fullmatch(data)
        return None if match is None else match[1]
