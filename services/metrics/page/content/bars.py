"""The way of a round's price as a bar: each hop as long as it took."""

from collections.abc import Mapping
from typing import Final

from meshkit.ocr.hops import Moment, durations_ms
from services.metrics.page.content.view import Cell, Part, Tone

WIDTH: Final = 200
# How a hop is called by the moment that ends it.
_NAMES: Final = {Moment.INCLUDED: "in a block"}


def bar(moments_ms: Mapping[Moment, int], link: str = "") -> Cell:
    """Return the bar of a round of which these moments are known, with how long it took in all."""
    hops = list(durations_ms(moments_ms))
    total_ms = sum(took_ms for _, took_ms in hops)
    if not total_ms:
        return Cell("not known", Tone.QUIET, link=link)
    parts, passed_ms = [], 0
    for hop, took_ms in hops:
        x, end = (WIDTH * at_ms // total_ms for at_ms in (passed_ms, passed_ms + took_ms))
        parts.append(Part(hop.value, x, max(end - x, 1), f"{_NAMES.get(hop, hop.value)} {took_ms} ms"))
        passed_ms += took_ms
    return Cell(f"{total_ms / 1000:.2f} s", link=link, parts=tuple(parts))
