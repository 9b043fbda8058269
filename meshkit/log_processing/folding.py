"""What is logged again and again: one line when it begins, a count at growing distances, one line when it ends."""

import re
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

FOLDED_OVER: Final = "folded_over"
ENDS: Final = "ends"
_FIRST_S: Final = 60.0
_LONGEST_S: Final = 3600.0
_MOST_KEPT: Final = 1000
_FOLDED_LEVELS: Final = frozenset({"warning", "error", "critical"})
# Of the words of a failure the numbers differ each time: rounds, ports, seconds. Of other fields they are what matters.
_WORDS: Final = frozenset({"error", "errors", "failures", "problem", "reason", "detail", "trouble", "exc_info"})
_NUMBERS: Final = re.compile(r"\d+")
_NOT_COMPARED: Final = frozenset({"event", "level", "time", "service", "repeated", "request_id"})

Fields = Mapping[str, Any]


@dataclass(slots=True)
class _Kept:
    """Hold what was written: when, for how long it is not to be again, and how often it came since."""

    fields: Fields
    at_s: float
    silent_s: float
    count: int = 0


class Folding:
    """
    Decide of each event whether it is written, and what it counts.

    Warnings and errors that say the same are folded. `folded_over` names fields that are no difference: of a chain that
    is away one line is enough, not one for each feed. An event that `ends` another one tells how often that came, and
    is written only if that was.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._kept: OrderedDict[tuple[str, tuple[tuple[str, str], ...]], _Kept] = OrderedDict()

    def written(self, event: MutableMapping[str, Any]) -> bool:
        """Return whether an event is to be written; `repeated` has how many like it were not."""
        over, ended = tuple(event.pop(FOLDED_OVER, ())), event.pop(ENDS, "")
        if ended:
            return self._end(ended, event)
        if event.get("level") not in _FOLDED_LEVELS and not over:
            return True
        fields = {name: _compared(name, value) for name, value in event.items() if name not in (*over, *_NOT_COMPARED)}
        key, now_s = (str(event["event"]), tuple(sorted(fields.items()))), self._now_s()
        kept = self._kept.get(key)
        if kept is None:
            self._keep(key, _Kept(fields, now_s, _FIRST_S))
            return True
        repeated = kept.count + int(event.get("repeated", 0))
        if now_s - kept.at_s < kept.silent_s:
            kept.count = repeated + 1
            return False
        event["repeated"] = repeated
        # What did not come for so long had ended.
        had_ended = now_s - kept.at_s >= 2 * kept.silent_s + _FIRST_S
        self._keep(key, _Kept(fields, now_s, _FIRST_S if had_ended else min(2 * kept.silent_s, _LONGEST_S)))
        return True

    def _keep(self, key: tuple[str, tuple[tuple[str, str], ...]], kept: _Kept) -> None:
        self._kept[key] = kept
        self._kept.move_to_end(key)
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)

    def _end(self, ended: str, event: MutableMapping[str, Any]) -> bool:
        """Forget what is over: all of that name whose fields are those of the event, as far as they have them."""
        said = {name: _compared(name, value) for name, value in event.items()}
        over = [
            key
            for key, kept in self._kept.items()
            if key[0] == ended and all(said.get(name, value) == value for name, value in kept.fields.items())
        ]
        if not over:
            return False
        event["repeated"] = sum(self._kept.pop(key).count for key in over)
        return True


def _compared(name: str, value: object) -> str:
    if name == "exc_info":
        value = _exception(value)
    return _NUMBERS.sub("#", str(value)) if name in _WORDS else str(value)


def _exception(told: object) -> str:
    """Return the exception of a traceback, however it was told: itself, a tuple, or that there is one."""
    if isinstance(told, tuple):
        told = told[1]
    elif not isinstance(told, BaseException):
        told = sys.exc_info()[1] if told else None
    return f"{type(told).__name__}: {told}"
