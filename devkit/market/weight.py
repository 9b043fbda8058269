"""Count request weight in fixed windows, as exchanges report it in their headers."""


class WeightWindow:
    """Sum weights of one window of wall time; the sum starts again at every multiple of `window_ms`."""

    def __init__(self, window_ms: int) -> None:
        self._window_ms = window_ms
        self._window = -1
        self._used = 0

    def spend(self, weight: int, now_ms: int) -> int:
        """Add a request's weight and return the sum of the present window."""
        window = now_ms // self._window_ms
        if window != self._window:
            self._window, self._used = window, 0
        self._used += weight
        return self._used
