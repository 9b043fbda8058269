"""Answer and market of each feed over the last hours, as few points as a small plot can show."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Final, TypeAlias

MOST_POINTS: Final = 60
SHORTEST_STEP_S: Final = 5.0
# With a point each two minutes all of them cover two hours.
LONGEST_STEP_S: Final = 120.0
WIDTH: Final = 120
HEIGHT: Final = 28
# The points of the lines, and what they show in words.
Plot: TypeAlias = tuple[tuple[str, ...], str]


@dataclass(frozen=True, slots=True)
class Point:
    """Hold what was seen at a moment, in seconds of Unix time; None for what was not known."""

    at_s: float
    answer: Decimal | None
    market: Decimal | None


@dataclass(slots=True)
class FeedHistory:
    """Keep the points of one feed; when there are too many every second one goes, then the oldest."""

    points: list[Point] = field(default_factory=list)
    step_s: float = SHORTEST_STEP_S
    _drawn: Plot | None = None

    @property
    def drawn(self) -> Plot:
        """Return the lines of the plot and what it shows in words, drawn once for all viewers."""
        if self._drawn is None:
            self._drawn = lines(self.points), words(self.points)
        return self._drawn

    def add(self, at_s: float, answer: str | None, market: str | None) -> bool:
        """Keep a point if the last one is old enough, or if the clock was set back; tell whether it was kept."""
        last_s = self.points[-1].at_s if self.points else None
        if last_s is not None and at_s < last_s:
            self.points.clear()
        elif last_s is not None and at_s - last_s < self.step_s * 0.9:
            return False
        self._drawn = None
        self.points.append(Point(at_s, _number(answer), _number(market)))
        if len(self.points) > MOST_POINTS:
            if self.step_s < LONGEST_STEP_S:
                self.points = self.points[::2]
                self.step_s = min(self.step_s * 2, LONGEST_STEP_S)
            else:
                del self.points[0]
        return True


def lines(points: Sequence[Point]) -> tuple[str, ...]:
    """Return the points of two SVG lines, answer and market, on one scale; nothing before there are two moments."""
    values = [value for point in points for value in (point.answer, point.market) if value is not None]
    if not values or not points or points[-1].at_s <= points[0].at_s:
        return ()
    least, most = min(values), max(values)
    begin_s, took_s = points[0].at_s, points[-1].at_s - points[0].at_s

    def line(found: Iterable[tuple[float, Decimal | None]]) -> str:
        spots = []
        for at_s, value in found:
            if value is not None:
                x = (at_s - begin_s) / took_s * WIDTH
                share = (value - least) / (most - least) if most > least else Decimal("0.5")
                spots.append(f"{x:.1f},{2 + (HEIGHT - 4) * (1 - float(share)):.1f}")
        return " ".join(spots)

    return (line((p.at_s, p.answer) for p in points), line((p.at_s, p.market) for p in points))


def words(points: Sequence[Point]) -> str:
    """Return in words what the plot shows."""
    values = [value for point in points for value in (point.answer, point.market) if value is not None]
    if not values or len(points) < 2:
        return ""
    minutes = (points[-1].at_s - points[0].at_s) / 60
    return f"{min(values):f} to {max(values):f} in {minutes:.0f} min"


def _number(text: str | None) -> Decimal | None:
    try:
        found = Decimal(text or "")
    except InvalidOperation:
        return None
    return found if found.is_finite() else None
