"""How long an endpoint that was asked too much is left alone; no network and no clock here."""

_SHORTEST_S, _LONGEST_S = 1.0, 60.0


class RateLimits:
    """Keep until when each endpoint rests: as long as it asks for, within bounds, else twice as long each time."""

    def __init__(self) -> None:
        self._until_s: dict[int, float] = {}
        self._streak: dict[int, int] = {}

    def limited(self, index: int, retry_after_s: float | None, now_s: float) -> None:
        """Note that an endpoint was asked too much; `now_s` is monotonic."""
        streak = self._streak[index] = self._streak.get(index, 0) + 1
        wanted_s = _SHORTEST_S * 2 ** min(streak - 1, 10) if retry_after_s is None else retry_after_s
        self._until_s[index] = now_s + min(max(wanted_s, _SHORTEST_S), _LONGEST_S)

    def answered(self, index: int) -> None:
        """Note that an endpoint answered."""
        self._streak.pop(index, None)

    def rest_s(self, index: int, now_s: float) -> float:
        """Return for how many seconds an endpoint shall not be asked."""
        return max(0.0, self._until_s.get(index, now_s) - now_s)
