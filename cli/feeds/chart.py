"""A feed's answers over time as a line: where it goes in each column, in dots of a terminal, and as an image."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

_DOTS_ACROSS: Final = 2
_DOTS_DOWN: Final = 4
# The dots of one Braille letter, by row from above and column: Unicode's U+2800 and these bits.
_BRAILLE: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_PNG_SIZE: Final = (1000, 400)
_PNG_MARGINS: Final = (150, 40, 20, 40)  # left, above, right, below
_FONT_SIZE: Final = 14


@dataclass(frozen=True, slots=True)
class Point:
    """Hold an answer and the time of its block in seconds since the Unix epoch."""

    at_s: int
    price: Decimal


def heights(points: Sequence[Point], width: int, height: int) -> list[int]:
    """
    Return how high the line is in each column, 0 to `height` - 1; an answer holds until the next.

    Points are in the order of their times, at least one; a line that never moves is in the middle.
    """
    least, most = min(each.price for each in points), max(each.price for each in points)
    first_s, last_s = points[0].at_s, points[-1].at_s
    found: list[int] = []
    at = 0
    for column in range(width):
        # The time of a column in exact numbers: (last - first) * column / (width - 1).
        while at + 1 < len(points) and (points[at + 1].at_s - first_s) * (width - 1) <= (last_s - first_s) * column:
            at += 1
        share = (points[at].price - least) / (most - least) if most > least else Decimal("0.5")
        found.append(min(height - 1, int(share * (height - 1) + Decimal("0.5"))))
    return found


def lines(points: Sequence[Point], width: int, rows: int) -> list[str]:
    """Return the line as text of so many letters and rows, with the highest and the lowest price before it."""
    most, least = (f"{price(points):f}" for price in (_most, _least))
    margin = max(len(most), len(least)) + 1
    columns = max(width - margin, 1)
    cells = [[0] * columns for _ in range(rows)]
    previous: int | None = None
    for x, y in enumerate(heights(points, columns * _DOTS_ACROSS, rows * _DOTS_DOWN)):
        low, high = (y, y) if previous is None else (min(y, previous), max(y, previous))
        for dot in range(low, high + 1):
            below = rows * _DOTS_DOWN - 1 - dot
            cells[below // _DOTS_DOWN][x // _DOTS_ACROSS] |= _BRAILLE[below % _DOTS_DOWN][x % _DOTS_ACROSS]
        previous = y
    labels = {0: most, rows - 1: least}
    body = [
        labels.get(row, "").rjust(margin - 1) + " " + "".join(chr(0x2800 + bits) for bits in cells[row])
        for row in range(rows)
    ]
    begin, end = clock(points[0].at_s), clock(points[-1].at_s)
    return [*body, " " * margin + begin + end.rjust(max(columns - len(begin), len(end) + 1))]


def png(points: Sequence[Point], title: str, path: Path) -> None:
    """Write the line as an image, with title, prices and times. Raises OSError."""
    # Most of a second, for who wants an image only.
    from PIL import Image, ImageDraw, ImageFont

    (width, height), (left, above, right, below) = _PNG_SIZE, _PNG_MARGINS
    image = Image.new("RGB", _PNG_SIZE, "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(_FONT_SIZE)
    across, down = width - left - right, height - above - below
    draw.rectangle((left, above, left + across - 1, above + down - 1), outline="#cccccc")
    spots = [(left + x, above + down - 1 - y) for x, y in enumerate(heights(points, across, down))]
    draw.line(spots, fill="#375bd2", width=2)
    draw.text((left, 12), title, fill="black", font=font)
    draw.text((left - 8, above), f"{_most(points):f}", fill="black", font=font, anchor="ra")
    draw.text((left - 8, above + down), f"{_least(points):f}", fill="black", font=font, anchor="rd")
    draw.text((left, height - below + 10), clock(points[0].at_s), fill="black", font=font)
    draw.text((width - right, height - below + 10), clock(points[-1].at_s), fill="black", font=font, anchor="ra")
    image.save(path, "PNG")


def clock(at_s: int) -> str:
    """Return a time as text, in UTC."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _most(points: Sequence[Point]) -> Decimal:
    return max(each.price for each in points)


def _least(points: Sequence[Point]) -> Decimal:
    return min(each.price for each in points)
